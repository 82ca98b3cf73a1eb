//! The log of the peers' metrics, at the library's face and in virtual time.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod asked;
mod hostile;
mod judged;
mod kept;
mod restored;
mod scale;
mod shell;
mod twin;
