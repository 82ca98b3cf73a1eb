//! An event as one sentence for people.

use std::fmt::Write as _;
use std::time::Duration;

use auscult_core::detector::DetectorParams;
use auscult_core::monitor::{Cause, Event, EventKind, Evidence, Failure, Status};
use auscult_core::time::Instant;

/// Says what happened, and to a verdict why.
pub(super) fn render(event: &Event) -> String {
    let subject = event.target.as_ref().map_or("the observer", |id| id);
    match &event.kind {
        EventKind::Added => format!("{subject} is watched from now on"),
        EventKind::Replaced => format!("{subject} has new settings"),
        EventKind::Removed => format!("{subject} is no longer watched"),
        EventKind::Transition { from, to, evidence } => {
            format!(
                "{subject} is {to}: {}",
                reason(event.at, *from, *to, evidence)
            )
        }
        EventKind::SignalTransition { from, to, evidence } => {
            format!(
                "{} of {subject} is {to}: {}",
                evidence.signal,
                reason(event.at, *from, *to, evidence)
            )
        }
        EventKind::Observed { from, to, evidence } => {
            format!(
                "{subject} is seen {to} from here: {}",
                reason(event.at, *from, *to, evidence)
            )
        }
        EventKind::Verdict { ruling, .. } => {
            format!("{subject} is {}: {}", ruling.verdict, ruling.text)
        }
        EventKind::Isolated { heard, of } => format!(
            "this observer is isolated: it hears {heard} of {of} monitors, itself included; it \
             gives no verdict meanwhile"
        ),
        EventKind::Rejoined { heard, of } => {
            format!("this observer is isolated no longer: it hears {heard} of {of} monitors")
        }
        EventKind::ObserverIsolated {
            observer,
            down,
            reached,
        } => format!(
            "the observer {observer} is isolated from its targets: it calls down {down} of \
             {reached} that others reach, so its reports do not count"
        ),
        EventKind::ObserverRejoined { observer } => {
            format!("the observer {observer} sees again what others see")
        }
        EventKind::FlappingStarted { score } => {
            format!("{subject} changes its status too often (flap score {score:.2})")
        }
        EventKind::FlappingStopped { score } => {
            format!("{subject} is steady again (flap score {score:.2})")
        }
        EventKind::Relearnt { signal, interval } => {
            let interval = seconds(*interval);
            format!("{subject} has a new rhythm: {signal} is now expected every {interval}")
        }
        EventKind::ObserverSuspectsItself { overdue, judged } => format!(
            "the observer suspects itself: {overdue} of {judged} targets fell silent at once, \
             so the fault is likelier here; no target is called down meanwhile"
        ),
        EventKind::ObserverTrustsItself { overdue, judged } => {
            format!("the observer trusts itself again: {overdue} of {judged} targets are overdue")
        }
        EventKind::Stalled { span, .. } => format!(
            "this process did not run for {}; no verdict falls for that time",
            seconds(*span)
        ),
        EventKind::Membership { text, .. } => text.to_string(),
    }
}

pub(crate) fn reason(at: Instant, from: Status, to: Status, evidence: &Evidence) -> String {
    let mut text = match evidence.cause {
        Cause::Arrival => arrival(from, evidence),
        Cause::Silence => silence(at, evidence),
        Cause::NeverHeard => {
            let grace = seconds(evidence.config.grace());
            format!(
                "{} was never heard within its grace of {grace}",
                evidence.signal
            )
        }
        Cause::Told => evidence.told.as_deref().unwrap_or_default().to_owned(),
        Cause::ObserverAtFault => "the last check could not be made".to_owned(),
        Cause::ObserverSuspectsItself => "the observer suspects itself".to_owned(),
        Cause::ObserverTrustsItself => "the observer trusts itself again".to_owned(),
        Cause::Operator if to == Status::Paused => "an operator paused it".to_owned(),
        Cause::Operator => "an operator resumed it".to_owned(),
        Cause::Settings => "its settings changed".to_owned(),
    };
    if let Some((_, failure)) = evidence.last_failure
        && evidence.cause != Cause::Arrival
    {
        // Writing to a String cannot fail.
        let _ = write!(text, "; last check: {}", failure_text(failure));
    }
    text
}

fn arrival(from: Status, evidence: &Evidence) -> String {
    let signal = &evidence.signal;
    match from {
        Status::Late | Status::Down if !evidence.silence.is_zero() => {
            format!(
                "{signal} is heard again after {}",
                seconds(evidence.silence)
            )
        }
        Status::Late | Status::Down => format!("{signal} is heard again"),
        Status::Paused | Status::Up | Status::Unknown => format!("{signal} is heard"),
    }
}

fn silence(at: Instant, evidence: &Evidence) -> String {
    let silent_for = evidence.last_arrival.map_or_else(String::new, |last| {
        format!(" for {}", seconds(at.since(last)))
    });
    let (level, threshold) = (evidence.level.get(), evidence.threshold.get());
    let name = level_name(evidence);
    format!(
        "nothing arrived{silent_for} (mean {}, sd {}), {name} {level:.1} >= {threshold}",
        seconds(evidence.mean),
        seconds(evidence.std_deviation),
    )
}

/// What the detector's level is called by those who know the detector.
fn level_name(evidence: &Evidence) -> &'static str {
    match evidence.config.detector().params() {
        DetectorParams::Phi(_) => "phi",
        DetectorParams::Chen(_) | DetectorParams::Bertier(_) | DetectorParams::Deadline(_) => {
            "level"
        }
    }
}

pub(crate) fn failure_text(failure: Failure) -> String {
    match failure {
        Failure::Refused => "connection refused".to_owned(),
        Failure::Timeout => "no answer within the time-out".to_owned(),
        Failure::Unreachable => "no connection".to_owned(),
        Failure::Dns => "the name did not resolve".to_owned(),
        Failure::Tls => "TLS was not accepted".to_owned(),
        Failure::Status(code) => format!("status {code}"),
        Failure::Body => "the body did not match".to_owned(),
        Failure::Protocol => "the answer broke the protocol".to_owned(),
        Failure::Local => "this host could not make it".to_owned(),
    }
}

/// A span as people say it: `4.6 s`, `12 ms`, `3 min 20 s`, `2 h 5 min`.
pub(crate) fn seconds(span: Duration) -> String {
    let whole = span.as_secs();
    if span < Duration::from_millis(100) {
        format!("{} ms", span.as_millis())
    } else if whole < 120 {
        format!("{:.1} s", span.as_secs_f64())
    } else if whole < 7_200 {
        format!("{} min {} s", whole / 60, whole % 60)
    } else {
        format!("{} h {} min", whole / 3_600, whole % 3_600 / 60)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use auscult_core::detector::{Level, PhiParams};
    use auscult_core::id::{SignalName, TargetId};
    use auscult_core::monitor::{SignalConfig, SignalParams};

    #[test]
    fn a_verdict_says_why() {
        let mut evidence = evidence(Cause::Silence);
        check(
            Status::Late,
            Status::Down,
            &evidence,
            "web is down: nothing arrived for 4.6 s (mean 1.0 s, sd 0.5 s), phi 16.0 >= 16; \
             last check: connection refused",
        );
        evidence.last_failure = None;
        evidence.cause = Cause::NeverHeard;
        check(
            Status::Unknown,
            Status::Down,
            &evidence,
            "web is down: http was never heard within its grace of 10.0 s",
        );
        evidence.cause = Cause::Told;
        evidence.told = Some("web-2 accused it, and its time is over".into());
        check(
            Status::Late,
            Status::Down,
            &evidence,
            "web is down: web-2 accused it, and its time is over",
        );
        evidence.cause = Cause::Arrival;
        evidence.silence = Duration::from_millis(61_300);
        check(
            Status::Down,
            Status::Up,
            &evidence,
            "web is up: http is heard again after 61.3 s",
        );
        check(
            Status::Unknown,
            Status::Up,
            &evidence,
            "web is up: http is heard",
        );
        evidence.cause = Cause::Operator;
        check(
            Status::Up,
            Status::Paused,
            &evidence,
            "web is paused: an operator paused it",
        );
    }

    #[test]
    fn spans_read_as_people_say_them() {
        for (millis, text) in [
            (12, "12 ms"),
            (100, "0.1 s"),
            (4_620, "4.6 s"),
            (200_000, "3 min 20 s"),
            (7_500_000, "2 h 5 min"),
        ] {
            assert_eq!(seconds(Duration::from_millis(millis)), text);
        }
    }

    fn check(from: Status, to: Status, evidence: &Evidence, expected: &str) {
        let event = Event {
            at: Instant::from_millis(14_600),
            target: TargetId::new("web").ok(),
            kind: EventKind::Transition {
                from,
                to,
                evidence: Box::new(evidence.clone()),
            },
        };
        assert_eq!(render(&event), expected);
    }

    fn evidence(cause: Cause) -> Evidence {
        let config = SignalConfig::new(SignalParams {
            detector: DetectorParams::Phi(PhiParams::new()),
            late: 8.0,
            down: 16.0,
            grace: Duration::from_secs(10),
            recovery_arrivals: 1,
        })
        .unwrap();
        Evidence {
            signal: SignalName::new("http").unwrap(),
            cause,
            level: Level::new(16.0),
            threshold: Level::new(16.0),
            last_arrival: Some(Instant::from_secs(10)),
            silence: Duration::ZERO,
            recent_intervals: Vec::new(),
            mean: Duration::from_secs(1),
            std_deviation: Duration::from_millis(500),
            samples: 7,
            last_failure: Some((Instant::from_secs(14), Failure::Refused)),
            told: None,
            config,
        }
    }
}
