//! When a certificate expires: the one field of X.509 that a check needs and that the TLS library
//! keeps to itself.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

/// The end of a DER certificate's validity; `None` when the bytes are no certificate.
pub(super) fn expiry(der: &[u8]) -> Option<Timestamp> {
    let (certificate, _) = element(der, SEQUENCE)?;
    let (to_be_signed, _) = element(certificate, SEQUENCE)?;
    // The version is absent in certificates of version 1.
    let rest = element(to_be_signed, VERSION).map_or(to_be_signed, |(_, rest)| rest);
    let (_serial, rest) = element(rest, INTEGER)?;
    let (_signature, rest) = element(rest, SEQUENCE)?;
    let (_issuer, rest) = element(rest, SEQUENCE)?;
    let (validity, _) = element(rest, SEQUENCE)?;
    let (_not_before, rest) = any_element(validity)?;
    let tag = *rest.first()?;
    let (text, _) = any_element(rest)?;
    match tag {
        UTC_TIME => {
            let year = digits(text, 0..2)?;
            // RFC 5280: two digits stand for 1950 to 2049.
            moment(
                if year < 50 { 2000 + year } else { 1900 + year },
                text.get(2..)?,
            )
        }
        GENERALIZED_TIME => moment(digits(text, 0..4)?, text.get(4..)?),
        _ => None,
    }
}

const INTEGER: u8 = 0x02;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
const SEQUENCE: u8 = 0x30;
const VERSION: u8 = 0xa0;

/// The content of the first element, which must have this tag, and what follows it.
fn element(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    if *der.first()? != tag {
        return None;
    }
    any_element(der)
}

fn any_element(der: &[u8]) -> Option<(&[u8], &[u8])> {
    let first = *der.get(1)?;
    let (start, length) = match first {
        0..=0x7f => (2, usize::from(first)),
        // 0x80 is an unknown length, which DER does not have.
        0x81..=0x83 => {
            let count = usize::from(first & 0x7f);
            let bytes = der.get(2..2 + count)?;
            let length = bytes
                .iter()
                .fold(0, |sum, &byte| sum << 8 | usize::from(byte));
            (2 + count, length)
        }
        _ => return None,
    };
    let content = der.get(start..)?;
    Some((content.get(..length)?, content.get(length..)?))
}

/// `MMDDHHMMSSZ` of a year.
fn moment(year: i16, text: &[u8]) -> Option<Timestamp> {
    let part = |at: usize| i8::try_from(digits(text, at..at + 2)?).ok();
    if text.get(10..)? != b"Z" {
        return None;
    }
    let civil = DateTime::new(year, part(0)?, part(2)?, part(4)?, part(6)?, part(8)?, 0).ok()?;
    TimeZone::UTC.to_timestamp(civil).ok()
}

fn digits(text: &[u8], range: std::ops::Range<usize>) -> Option<i16> {
    let text = text.get(range)?;
    if !text.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(text).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_both_forms_of_time() {
        for (year, month, day, expected) in [
            (2031, 2, 3, "2031-02-03T00:00:00Z"),
            (1999, 12, 31, "1999-12-31T00:00:00Z"),
            (2050, 1, 1, "2050-01-01T00:00:00Z"),
            (4096, 1, 1, "4096-01-01T00:00:00Z"),
        ] {
            let mut params = rcgen::CertificateParams::new(vec!["localhost".into()]).unwrap();
            params.not_before = rcgen::date_time_ymd(1990, 1, 1);
            params.not_after = rcgen::date_time_ymd(year, month, day);
            let key = rcgen::KeyPair::generate().unwrap();
            let certificate = params.self_signed(&key).unwrap();
            assert_eq!(expiry(certificate.der()).unwrap().to_string(), expected);
        }
    }

    proptest! {
        #[test]
        fn never_panics(bytes: Vec<u8>, cut in 0_usize..600, at in 0_usize..600, value: u8) {
            expiry(&bytes);
            let key = rcgen::generate_simple_self_signed(vec!["localhost".into()]).unwrap();
            let mut der = key.cert.der().to_vec();
            der.truncate(cut);
            if let Some(byte) = der.get_mut(at) {
                *byte = value;
            }
            expiry(&der);
        }
    }
}
