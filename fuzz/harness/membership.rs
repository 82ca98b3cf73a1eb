//! What must hold for any bytes given to the native codec of membership: it returns, and what it
//! takes it would have written so.

use auscult_core::wire::swim::{
    decode_answer, decode_packet, decode_request, encode_answer, encode_packet, encode_request,
};

/// Panics when `bytes` break a promise of the codec.
pub(crate) fn check(bytes: &[u8]) {
    let mut again = Vec::new();
    if let Ok(packet) = decode_packet(bytes) {
        encode_packet(&packet, &mut again);
        assert_eq!(again, bytes, "{packet:?}");
    }
    again.clear();
    if let Ok(request) = decode_request(bytes) {
        encode_request(&request, &mut again);
        assert_eq!(again, bytes, "{request:?}");
    }
    again.clear();
    if let Ok(answer) = decode_answer(bytes) {
        encode_answer(&answer, &mut again);
        assert_eq!(again, bytes, "{answer:?}");
    }
}
