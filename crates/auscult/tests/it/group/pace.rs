//! Time between what is done again and again.

use std::thread;
use std::time::{Duration, Instant};

/// What a condition may take on a busy machine before it counts as never.
const PATIENCE: Duration = Duration::from_secs(60);

/// How often a monitor is asked.
const PAUSE: Duration = Duration::from_millis(5);

/// Asks until there is an answer.
pub(super) fn until<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = ask() {
            return found;
        }
        assert!(Instant::now() < deadline, "never: {what}");
        thread::sleep(PAUSE);
    }
}

/// Waits for the next beat.
pub(super) fn wait_until(due: Instant) {
    thread::sleep(due.saturating_duration_since(Instant::now()));
}
