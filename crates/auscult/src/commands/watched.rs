//! What is watched, in one line: for the start of the server and for `check-config`.

use std::collections::BTreeSet;
use std::time::Duration;

use auscult_monitor::settings::{SourceSpec, TargetSpec};

/// Counts over targets.
#[derive(Debug, Default)]
pub(super) struct Watched<'a> {
    targets: usize,
    groups: BTreeSet<&'a str>,
    http: usize,
    tcp: usize,
    pushed: usize,
    members: usize,
    checks_per_second: f64,
}

impl<'a> Watched<'a> {
    pub(super) fn count(specs: impl IntoIterator<Item = &'a TargetSpec>) -> Self {
        let mut watched = Self::default();
        for spec in specs {
            watched.targets += 1;
            watched.groups.extend(spec.group.as_deref());
            for signal in &spec.signals {
                watched.add(&signal.source);
            }
        }
        watched
    }

    fn add(&mut self, source: &SourceSpec) {
        let rate = |interval: Duration| 1.0 / interval.as_secs_f64().max(1e-9);
        match source {
            SourceSpec::Http(check) => {
                self.http += 1;
                self.checks_per_second += rate(check.interval);
            }
            SourceSpec::Tcp(check) => {
                self.tcp += 1;
                self.checks_per_second += rate(check.interval);
            }
            SourceSpec::Push { .. } => self.pushed += 1,
            SourceSpec::Membership => self.members += 1,
        }
    }

    /// `12 targets in 2 groups (10 over HTTP, 2 over TCP, 1 pushed; 12 checks/s)`.
    pub(super) fn in_words(&self) -> String {
        if self.targets == 0 {
            return "no targets yet".into();
        }
        let mut text = number(self.targets, "target");
        if !self.groups.is_empty() {
            text = text + " in " + &number(self.groups.len(), "group");
        }
        let mut sources = Vec::new();
        for (count, how) in [
            (self.http, "over HTTP"),
            (self.tcp, "over TCP"),
            (self.pushed, "pushed"),
            (self.members, "members"),
        ] {
            if count > 0 {
                sources.push(format!("{count} {how}"));
            }
        }
        if !sources.is_empty() {
            text = text + " (" + &sources.join(", ");
            if self.checks_per_second > 0.0 {
                text = text + "; " + &per_second(self.checks_per_second);
            }
            text.push(')');
        }
        text
    }
}

fn number(count: usize, what: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {what}{plural}")
}

/// Rates below one per second are said per minute or per hour, so that a small one does not read as
/// zero.
fn per_second(rate: f64) -> String {
    let (rate, unit) = match rate {
        rate if rate >= 0.95 => (rate, "s"),
        rate if rate * 60.0 >= 0.95 => (rate * 60.0, "min"),
        rate => (rate * 3600.0, "h"),
    };
    let number = if rate >= 10.0 || (rate - rate.round()).abs() < 0.05 {
        format!("{rate:.0}")
    } else {
        format!("{rate:.1}")
    };
    let plural = if number == "1" { "" } else { "s" };
    format!("{number} check{plural}/{unit}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_rate_reads_as_zero() {
        for (rate, expected) in [
            (1234.4, "1234 checks/s"),
            (2.5, "2.5 checks/s"),
            (1.0, "1 check/s"),
            (0.1, "6 checks/min"),
            (1.0 / 7200.0, "0.5 checks/h"),
        ] {
            assert_eq!(per_second(rate), expected);
        }
    }
}
