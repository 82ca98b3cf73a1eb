//! What must hold for any datagram: the decoder returns, within its bounds, and what it read it
//! would also have written.

use auscult_core::bounds::{HEARTBEAT_LINES_MAX, ID_BYTES_MAX};
use auscult_core::wire::heartbeat::{MAC_BYTES, decode};

/// Panics when `bytes` break a promise of the decoder.
pub(crate) fn check(bytes: &[u8]) {
    let mut items = 0;
    for received in decode(bytes) {
        items += 1;
        let Ok(received) = received else { continue };
        let heartbeat = received.heartbeat;
        assert!((1..=ID_BYTES_MAX).contains(&heartbeat.target.len()));
        if let Some(mac) = received.mac {
            let place = bytes.as_ptr_range();
            assert!(
                place.contains(&mac.over.as_ptr()),
                "the mac speaks for bytes of the datagram"
            );
        }

        let mut written = Vec::new();
        // A name may have characters that none can have; it is then not found, and cannot be
        // written.
        if heartbeat.encode(&mut written).is_err() {
            assert!(written.is_empty(), "a refused heartbeat writes nothing");
            continue;
        }
        let mut again = decode(&written);
        assert_eq!(
            again.next().and_then(Result::ok).map(|r| r.heartbeat),
            Some(heartbeat)
        );
        assert!(again.next().is_none());

        let mut signed = Vec::new();
        let encoded = heartbeat.encode_signed(&mut signed, |over| [over.len() as u8; MAC_BYTES]);
        assert!(encoded.is_ok(), "what can be written can be signed");
        let mac = decode(&signed)
            .next()
            .and_then(Result::ok)
            .and_then(|r| r.mac);
        assert_eq!(
            mac.map(|mac| mac.over.len() + MAC_BYTES),
            Some(signed.len())
        );
    }
    assert!(
        (1..=HEARTBEAT_LINES_MAX + 1).contains(&items),
        "{items} items"
    );
}
