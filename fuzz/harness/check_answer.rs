//! What must hold for any bytes that a checked target sends: reading them ends, and how they were
//! cut into packets makes no difference.

use auscult_monitor::check::fuzzing::{read_answer, read_expiry};

/// Panics when a promise about `bytes` is broken. They are read as an HTTP/1.1 answer and as a
/// certificate; the first one also says how the answer is cut.
pub(crate) fn check(bytes: &[u8]) {
    // Whatever the answer is, it is one.
    let _ = read_expiry(bytes);
    let Some((&piece, answer)) = bytes.split_first() else {
        return;
    };
    let whole = read_answer(answer, answer.len());
    let pieces = read_answer(answer, usize::from(piece));
    assert_eq!(whole, pieces, "cut into pieces of {piece} bytes");
}
