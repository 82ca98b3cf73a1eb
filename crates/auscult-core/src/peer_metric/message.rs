//! A reading as members tell it each other, in a broadcast of the membership.
//!
//! The broadcast's key is [`KEY_PREFIX`] and the name of the metric, so that of two readings that
//! are still on their way only the newer one goes on. Whose it is stands nowhere in it: it is the
//! member's that sent the broadcast first.
//!
//! | bytes | what |
//! |---|---|
//! | 1 | [`VERSION`] |
//! | 1 | 1 with a value, 0 without |
//! | 8 | the time to live in milliseconds |
//! | 8 | the weight |
//! | 8 | the epoch |
//! | the rest | the value, as UTF-8 |
//!
//! Numbers have their lowest byte first.

use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use super::input::{Reading, Validity};

/// What the keys of broadcasts begin with that carry readings.
pub const KEY_PREFIX: &str = "metric/";

/// The first byte of each.
pub const VERSION: u8 = 1;

/// The key of the broadcasts of a metric.
#[must_use]
pub fn key(metric: &str) -> String {
    let mut key = String::from(KEY_PREFIX);
    key.push_str(metric);
    key
}

/// The metric that broadcasts with this key are of, if they are of one.
#[must_use]
pub fn metric_of(key: &str) -> Option<&str> {
    key.strip_prefix(KEY_PREFIX)
}

/// Writes a reading without its names. Of the time to live whole milliseconds are told.
#[must_use]
pub fn encode(reading: &Reading<'_>) -> Vec<u8> {
    let ttl_ms = u64::try_from(reading.ttl.as_millis()).unwrap_or(u64::MAX);
    let mut bytes = Vec::with_capacity(HEAD_BYTES + reading.value.len());
    bytes.push(VERSION);
    bytes.push(u8::from(reading.valid == Validity::Valid));
    bytes.extend(ttl_ms.to_le_bytes());
    bytes.extend(reading.weight.to_le_bytes());
    bytes.extend(reading.epoch.unwrap_or_default().to_le_bytes());
    bytes.extend(reading.value.as_bytes());
    bytes
}

/// Reads what [`encode`] wrote; `None` when it is something else.
#[must_use]
pub fn decode<'a>(metric: &'a str, peer: &'a str, bytes: &'a [u8]) -> Option<Reading<'a>> {
    let (head, value) = bytes.split_first_chunk::<HEAD_BYTES>()?;
    let number = |from: usize| {
        let bytes = head[from..from + 8].try_into();
        u64::from_le_bytes(bytes.unwrap_or_default())
    };
    let valid = match (head[0], head[1]) {
        (VERSION, 0) => Validity::Invalid,
        (VERSION, 1) => Validity::Valid,
        _ => return None,
    };
    Some(Reading {
        metric,
        peer,
        value: core::str::from_utf8(value).ok()?,
        ttl: Duration::from_millis(number(2)),
        valid,
        weight: number(10).cast_signed(),
        epoch: Some(number(18)),
    })
}

const HEAD_BYTES: usize = 26;

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(value: &str) -> Reading<'_> {
        Reading {
            metric: "free",
            peer: "a",
            value,
            ttl: Duration::from_millis(1_500),
            valid: Validity::Invalid,
            weight: -3,
            epoch: Some(u64::MAX - 1),
        }
    }

    #[test]
    fn a_reading_comes_back_as_it_went() {
        for value in ["", "12.5", "caf\u{e9}"] {
            let bytes = encode(&reading(value));
            let read = decode("free", "a", &bytes).unwrap();
            assert_eq!(
                (read.value, read.ttl, read.valid, read.weight, read.epoch),
                (
                    value,
                    Duration::from_millis(1_500),
                    Validity::Invalid,
                    -3,
                    Some(u64::MAX - 1)
                )
            );
        }
        assert_eq!(metric_of(&key("free")), Some("free"));
        assert_eq!(metric_of("free"), None);
    }

    #[test]
    fn anything_else_is_nothing() {
        let good = encode(&reading("v"));
        for length in 0..HEAD_BYTES {
            assert!(decode("free", "a", &good[..length]).is_none(), "{length}");
        }
        for (at, byte) in [(0, 0), (0, 2), (1, 2), (26, 0xff)] {
            let mut bad = good.clone();
            bad[at] = byte;
            assert!(decode("free", "a", &bad).is_none(), "{at} {byte}");
        }
    }
}
