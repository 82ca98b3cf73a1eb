//! From what the operating system and the libraries say to a class of failure and a sentence for
//! people.

use std::error::Error;
use std::fmt;
use std::io::{self, ErrorKind};
use std::time::Duration;

use auscult_core::monitor::Failure;
use jiff::Timestamp;
use rustls::CertificateError;

use super::report::CheckError;

/// A connection was not made.
pub(super) fn connecting(error: &io::Error) -> CheckError {
    let failure = class(error);
    let text = if failure == Failure::Refused {
        "connection refused".into()
    } else {
        format!("could not connect: {}", Plain(error))
    };
    CheckError::new(failure, text)
}

/// A connection broke while it was used.
pub(super) fn broken(error: &io::Error, doing: &str) -> CheckError {
    let class = class(error);
    let refused = class == Failure::Refused;
    let failure = if refused { Failure::Unreachable } else { class };
    CheckError::new(
        failure,
        format!("connection broke {doing}: {}", Plain(error)),
    )
}

/// A TLS handshake failed.
pub(super) fn handshaking(error: &io::Error, now: Timestamp) -> CheckError {
    let inner = error
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match inner {
        Some(rustls::Error::InvalidCertificate(why)) => {
            CheckError::new(Failure::Tls, certificate(why, now))
        }
        Some(rustls::Error::AlertReceived(alert)) => CheckError::new(
            Failure::Tls,
            format!("the server ended the TLS handshake with alert {alert:?}"),
        ),
        Some(rustls::Error::InvalidMessage(_)) => {
            CheckError::new(Failure::Tls, "the server does not speak TLS on this port")
        }
        Some(other) => CheckError::new(Failure::Tls, format!("TLS handshake failed: {other}")),
        None if error.kind() == ErrorKind::UnexpectedEof => CheckError::new(
            Failure::Tls,
            "the server closed the connection during the TLS handshake",
        ),
        None => broken(error, "during the TLS handshake"),
    }
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the library's list is open and long"
)]
fn certificate(why: &CertificateError, now: Timestamp) -> String {
    match why {
        CertificateError::ExpiredContext { not_after, .. } => {
            let end = i64::try_from(not_after.as_secs()).ok();
            match end.and_then(|end| Timestamp::from_second(end).ok()) {
                Some(end) => expiry(end, now),
                None => "certificate expired".into(),
            }
        }
        CertificateError::Expired => "certificate expired".into(),
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "certificate is not valid yet".into()
        }
        CertificateError::NotValidForNameContext {
            expected,
            presented,
        } => {
            // They come as `DnsName("localhost")`.
            let names = presented
                .iter()
                .map(|name| name.split('"').nth(1).unwrap_or(name));
            let names = names.collect::<Vec<_>>().join(", ");
            let names = if names.is_empty() { "no name" } else { &names };
            format!(
                "certificate is not for {} (it is for {names})",
                expected.to_str()
            )
        }
        CertificateError::NotValidForName => "certificate is for another name".into(),
        CertificateError::UnknownIssuer => "certificate is signed by an unknown authority".into(),
        CertificateError::Revoked => "certificate is revoked".into(),
        other => format!("certificate was not accepted: {other}"),
    }
}

/// `certificate expires in 3 days`, or `certificate expired 2 hours ago`.
pub(super) fn expiry(end: Timestamp, now: Timestamp) -> String {
    let seconds = end.as_second() - now.as_second();
    let count = |amount: u64, unit: &str| match amount {
        1 => format!("1 {unit}"),
        _ => format!("{amount} {unit}s"),
    };
    let span = match seconds.unsigned_abs() {
        seconds @ 0..120 => count(seconds, "second"),
        seconds @ 120..7_200 => count(seconds / 60, "minute"),
        seconds @ 7_200..172_800 => count(seconds / 3_600, "hour"),
        seconds => count(seconds / 86_400, "day"),
    };
    if seconds > 0 {
        format!("certificate expires in {span}")
    } else {
        format!("certificate expired {span} ago")
    }
}

fn class(error: &io::Error) -> Failure {
    if error
        .raw_os_error()
        .is_some_and(|code| OURS.contains(&code))
    {
        return Failure::Local;
    }
    if error
        .get_ref()
        .is_some_and(|inner| inner.is::<rustls::Error>())
    {
        return Failure::Tls;
    }
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "the standard library's list is open"
    )]
    match error.kind() {
        ErrorKind::ConnectionRefused => Failure::Refused,
        ErrorKind::TimedOut => Failure::Timeout,
        ErrorKind::AddrNotAvailable
        | ErrorKind::AddrInUse
        | ErrorKind::OutOfMemory
        | ErrorKind::PermissionDenied
        | ErrorKind::InvalidInput => Failure::Local,
        _ => Failure::Unreachable,
    }
}

/// Too many open files, in the process and in the system, and no buffer space: what `ErrorKind` has
/// no names for. The numbers are the same on every Linux but the last, which differs on a few.
const OURS: [i32; 3] = [24, 23, 105];

/// An error of the operating system without its number, which means nothing to most people.
pub(super) struct Plain<'a>(pub(super) &'a io::Error);

impl fmt::Display for Plain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.0.to_string();
        let end = text.find(" (os error").unwrap_or(text.len());
        let mut letters = text[..end].chars();
        match letters.next() {
            Some(first) => write!(f, "{}{}", first.to_lowercase(), letters.as_str()),
            None => Ok(()),
        }
    }
}

/// An error and its causes in one line.
pub(super) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

/// A span as people write it: `10s`, `1.5s`, `250ms`, `80µs`.
#[derive(Clone, Copy)]
pub(super) struct Span(pub(super) Duration);

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let span = self.0;
        if span >= Duration::from_secs(1) {
            write!(f, "{}s", (span.as_secs_f64() * 10.0).round() / 10.0)
        } else if span >= Duration::from_millis(1) {
            write!(f, "{}ms", span.as_millis())
        } else {
            write!(f, "{}µs", span.as_micros())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_read_as_people_write_them() {
        let text = |micros| Span(Duration::from_micros(micros)).to_string();
        assert_eq!(text(10_000_000), "10s");
        assert_eq!(text(1_490_000), "1.5s");
        assert_eq!(text(250_400), "250ms");
        assert_eq!(text(80), "80µs");
    }

    #[test]
    fn running_out_of_descriptors_or_ports_is_our_own_fault() {
        for code in [23, 24, 99, 105] {
            let error = io::Error::from_raw_os_error(code);
            assert_eq!(connecting(&error).failure, Failure::Local, "{error}");
        }
    }

    #[test]
    fn errors_of_the_system_are_told_without_numbers() {
        let error = connecting(&io::Error::from_raw_os_error(113));
        assert_eq!(error.failure, Failure::Unreachable);
        assert_eq!(error.text, "could not connect: no route to host");
        assert_eq!(
            connecting(&io::Error::from_raw_os_error(111)).text,
            "connection refused"
        );
    }

    #[test]
    fn expiry_is_told_in_the_largest_unit_that_fits() {
        let now = Timestamp::from_second(1_000_000_000).unwrap();
        let text = |seconds: i64| {
            expiry(
                Timestamp::from_second(1_000_000_000 + seconds).unwrap(),
                now,
            )
        };
        assert_eq!(text(3 * 86_400 + 5), "certificate expires in 3 days");
        assert_eq!(text(36 * 3_600), "certificate expires in 36 hours");
        assert_eq!(text(1), "certificate expires in 1 second");
        assert_eq!(text(-86_400 * 2), "certificate expired 2 days ago");
    }
}
