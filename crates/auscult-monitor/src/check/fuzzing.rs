//! What fuzzers drive: the decoders of bytes that a checked target sends.

use super::certificate;
use super::http1::{BodyUse, Reader};

/// Reads an HTTP/1.1 answer in pieces of at most `piece` bytes, 1 or more, and says in one line
/// what came of it. How it was cut must make no difference.
#[must_use]
pub fn read_answer(bytes: &[u8], piece: usize) -> String {
    let mut reader = Reader::new(BodyUse::Keep);
    for part in bytes.chunks(piece.max(1)) {
        // The text of the error quotes as much as had come, so it is not compared.
        if reader.feed(part).is_err() {
            return "malformed".to_owned();
        }
        if reader.is_done() {
            break;
        }
    }
    let done = reader.is_done();
    let complete = reader.end();
    let (head, body) = reader.into_parts();
    format!("{head:?} done={done} complete={complete} body={body:?}")
}

/// Reads when a certificate expires, in seconds since 1970.
#[must_use]
pub fn read_expiry(der: &[u8]) -> Option<i64> {
    certificate::expiry(der).map(jiff::Timestamp::as_second)
}
