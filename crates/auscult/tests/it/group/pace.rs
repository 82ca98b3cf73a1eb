//! Time between what is done again and again.

use std::thread;
use std::time::{Duration, Instant};

/// What a condition may take on a busy machine before it counts as never.
const PATIENCE: Duration = Duration::from_secs(60);

/// How often a monitor is asked.
const PAUSE: Duration = Duration::from_millis(5);

/// How often one is asked for long.
const RARELY: Duration = Duration::from_millis(500);

/// Asks until there is an answer.
pub(crate) fn until<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = ask() {
            return found;
        }
        assert!(Instant::now() < deadline, "never: {what}");
        thread::sleep(PAUSE);
    }
}

/// Asks until it is so.
pub(crate) fn holds(what: &str, mut ask: impl FnMut() -> bool) {
    until(what, || ask().then_some(()));
}

/// Asks for so long whether it still is so, and ends as soon as it is not.
pub(crate) fn stays(what: &str, span: Duration, mut ask: impl FnMut() -> bool) {
    let end = Instant::now() + span;
    while Instant::now() < end {
        assert!(ask(), "not any more: {what}");
        thread::sleep(RARELY);
    }
}

/// Waits for the next beat.
pub(crate) fn wait_until(due: Instant) {
    thread::sleep(due.saturating_duration_since(Instant::now()));
}
