//! Turns a panic over a damaged file into an error.
//!
//! redb trusts its pages: some damage makes it panic in the middle of opening. Nothing of ours is
//! then half done, as it happens on a copy or on a database that is given up, so the panic is only
//! another way to say that the file is damaged.

use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;

use super::error::Trouble;

thread_local! {
    static GUARDED: Cell<bool> = const { Cell::new(false) };
}

/// Runs `work`; a panic in it becomes [`Trouble::Torn`], and prints nothing.
pub(crate) fn run<R>(work: impl FnOnce() -> Result<R, Trouble>) -> Result<R, Trouble> {
    static QUIET: Once = Once::new();
    QUIET.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if !GUARDED.get() {
                before(info);
            }
        }));
    });
    let outer = GUARDED.replace(true);
    let outcome = panic::catch_unwind(AssertUnwindSafe(work));
    GUARDED.set(outer);
    outcome.unwrap_or_else(|_| Err(Trouble::Torn("its pages contradict each other".to_owned())))
}
