//! Figures of what people are told.

use auscult_agent::http::exposition::{Exposition, LabelText};
use auscult_core::alert::{Breaker, Counters, Duty, LaneCounters, Phase, Suppression};

use super::families as family;
use crate::alerts::{AlertDesk, Pulses};

/// What is shown of alerts.
#[derive(Debug, Default)]
pub(crate) struct AlertFigures {
    pending: usize,
    firing: usize,
    resolved: usize,
    silenced: usize,
    inhibited: usize,
    elsewhere: usize,
    counters: Counters,
    unreadable: usize,
    silences_active: usize,
    silences_pending: usize,
    unshared: usize,
    receivers: Vec<ReceiverFigures>,
    pulses: Option<Pulses>,
}

/// One receiver.
#[derive(Debug)]
struct ReceiverFigures {
    labels: LabelText,
    name: Box<str>,
    queued: usize,
    in_flight: usize,
    breaker: u64,
    counters: LaneCounters,
    last_success: Option<f64>,
}

impl AlertFigures {
    /// One receiver, and a dead man's switch.
    #[cfg(test)]
    pub(super) fn example() -> Self {
        Self {
            receivers: vec![ReceiverFigures {
                labels: LabelText::new(&[("receiver", "ops")]),
                name: "ops".into(),
                queued: 3,
                in_flight: 1,
                breaker: 2,
                counters: LaneCounters::default(),
                last_success: Some(1.8e9),
            }],
            pulses: Some(Pulses {
                sent: 4,
                failed: 1,
                last_success: Some(1.8e9),
            }),
            ..Self::default()
        }
    }

    /// Reads them. Looks at all alerts.
    pub(crate) fn read(desk: &AlertDesk) -> Self {
        let clock = desk.clock();
        let seconds = |at| clock.wall(at).as_duration().as_secs_f64();
        desk.read(|alerts, now| {
            let mut figures = Self {
                counters: *alerts.counters(),
                unreadable: desk.unreadable(),
                unshared: alerts.untold_colleagues(),
                pulses: desk.pulses(),
                ..Self::default()
            };
            for alert in alerts.alerts() {
                figures.elsewhere += usize::from(*alert.duty() != Duty::Here);
                match alert.phase() {
                    Phase::Pending => figures.pending += 1,
                    Phase::Resolved => figures.resolved += 1,
                    Phase::Firing => {
                        figures.firing += 1;
                        match alert.suppression() {
                            Some(Suppression::Silenced(_)) => figures.silenced += 1,
                            Some(Suppression::Inhibited(_)) => figures.inhibited += 1,
                            None => {}
                        }
                    }
                }
            }
            for silence in alerts.silences() {
                match silence.from <= now {
                    true => figures.silences_active += 1,
                    false => figures.silences_pending += 1,
                }
            }
            let lanes = alerts.lanes().map(|lane| ReceiverFigures {
                labels: LabelText::new(&[("receiver", lane.receiver.name.as_str())]),
                name: lane.receiver.name.as_str().into(),
                queued: lane.queued,
                in_flight: lane.in_flight,
                breaker: match lane.breaker {
                    Breaker::Closed => 0,
                    Breaker::HalfOpen => 1,
                    Breaker::Open { .. } => 2,
                },
                counters: lane.counters,
                last_success: lane.confirmed_at.map(seconds),
            });
            figures.receivers = lanes.collect();
            figures
        })
    }
}

/// Writes them.
pub(super) fn write_alerts(out: &mut Exposition, figures: &AlertFigures) {
    let phases = [
        ("pending", figures.pending as u64),
        ("firing", figures.firing as u64),
        ("resolved", figures.resolved as u64),
    ];
    out.by(&family::ALERTS, phases.into_iter());
    let suppressed = [
        ("silence", figures.silenced as u64),
        ("parent", figures.inhibited as u64),
    ];
    out.by(&family::ALERTS_SUPPRESSED, suppressed.into_iter());
    out.single(&family::ALERTS_ELSEWHERE, figures.elsewhere);
    let counters = &figures.counters;
    let episodes = [("firing", counters.fired), ("resolved", counters.resolved)];
    out.by(&family::ALERT_EPISODES, episodes.into_iter());
    out.single(&family::ALERTS_REFUSED, counters.overflowed);
    out.single(&family::ALERT_MASS_FAILURES, counters.mass_failures);
    let writes = [
        ("asked", counters.writes),
        ("failed", counters.writes_failed),
    ];
    out.by(&family::ALERT_WRITES, writes.into_iter());
    out.single(&family::ALERT_UNWRITTEN, counters.unwritten);
    out.single(&family::ALERTS_UNREADABLE, figures.unreadable);
    let silences = [
        ("active", figures.silences_active as u64),
        ("pending", figures.silences_pending as u64),
    ];
    out.by(&family::ALERT_SILENCES, silences.into_iter());
    let letters = [("heard", counters.heard), ("adopted", counters.adopted)];
    out.by(&family::ALERT_LETTERS, letters.into_iter());
    out.single(&family::ALERT_TAKEOVERS, counters.taken_over);
    out.single(&family::ALERT_UNSHARED, figures.unshared);
    write_receivers(out, &figures.receivers);
    if let Some(pulses) = figures.pulses {
        let outcomes = [("sent", pulses.sent), ("failed", pulses.failed)];
        out.by(&family::PULSES, outcomes.into_iter());
        out.family(&family::PULSE_LAST_SUCCESS);
        if let Some(at) = pulses.last_success {
            out.sample(&LabelText::default(), at);
        }
    }
}

fn write_receivers(out: &mut Exposition, receivers: &[ReceiverFigures]) {
    out.family(&family::RECEIVER_QUEUED);
    for receiver in receivers {
        out.sample(&receiver.labels, receiver.queued as u64);
    }
    out.family(&family::RECEIVER_IN_FLIGHT);
    for receiver in receivers {
        out.sample(&receiver.labels, receiver.in_flight as u64);
    }
    out.family(&family::RECEIVER_MESSAGES);
    for receiver in receivers {
        let counters = &receiver.counters;
        for (outcome, count) in [
            ("delivered", counters.delivered),
            ("failed", counters.failed),
            ("refused", counters.refused),
        ] {
            let labels = LabelText::new(&[("receiver", &receiver.name), ("outcome", outcome)]);
            out.sample(&labels, count);
        }
    }
    let mut count = |family, count: fn(&LaneCounters) -> u64| {
        out.family(family);
        for receiver in receivers {
            out.sample(&receiver.labels, count(&receiver.counters));
        }
    };
    count(&family::RECEIVER_NOTICES, |it| it.notices);
    count(&family::RECEIVER_COALESCED, |it| it.skipped);
    count(&family::RECEIVER_ABANDONED, |it| it.abandoned);
    out.family(&family::RECEIVER_BREAKER);
    for receiver in receivers {
        out.sample(&receiver.labels, receiver.breaker);
    }
    out.family(&family::RECEIVER_LAST_SUCCESS);
    for receiver in receivers {
        if let Some(at) = receiver.last_success {
            out.sample(&receiver.labels, at);
        }
    }
}
