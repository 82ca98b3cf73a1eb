//! One event, one line.

use auscult_core::monitor::EventKind;
use auscult_core::monitor::observers::Verdict;
use auscult_monitor::events::LoggedEvent;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::Value;

use super::time::{date_and_time, time_of_day};
use super::{Ink, Screen, printable};

/// What a line says.
#[derive(Debug)]
pub(crate) struct EventLine {
    pub(crate) at: Timestamp,
    /// How good or bad it is.
    pub(crate) ink: Ink,
    /// One sentence; what stands before its first colon is what happened, the rest is why.
    pub(crate) text: String,
}

/// How much of the moment a line shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Moment {
    /// For those who watch.
    TimeOfDay,
    /// For those who look back.
    DateAndTime,
}

impl EventLine {
    pub(crate) fn of(event: &LoggedEvent) -> Self {
        Self {
            at: event.at,
            ink: ink(&event.event.kind),
            text: event.text.clone(),
        }
    }

    /// What the API says of an event; `None` when it is not one.
    pub(crate) fn of_json(event: &Value) -> Option<Self> {
        let ink = match event["kind"].as_str()? {
            "verdict" => match event["to"].as_str().unwrap_or_default() {
                "partially_reachable" => Ink::Warning,
                to => Ink::of_name(to),
            },
            "transition" | "signal_transition" => {
                Ink::of_name(event["to"].as_str().unwrap_or_default())
            }
            "flapping_started"
            | "observer_suspects_itself"
            | "monitor_isolated"
            | "observer_isolated"
            | "stalled" => Ink::Warning,
            "flapping_stopped"
            | "observer_trusts_itself"
            | "monitor_rejoined"
            | "observer_rejoined" => Ink::Good,
            "relearnt" | "mode_changed" => Ink::Strong,
            "joined" | "refuted" | "reconnected" => Ink::Good,
            "suspected" | "link_changed" | "name_conflict" | "rejected" | "isolated"
            | "agent_stopped" => Ink::Warning,
            "failed" => Ink::Bad,
            "left" | "forgotten" => Ink::Quiet,
            _ => Ink::Plain,
        };
        Some(Self {
            at: event["at"].as_str()?.parse().ok()?,
            ink,
            text: event["text"].as_str()?.to_owned(),
        })
    }

    /// The line, without its end.
    pub(crate) fn render(&self, screen: Screen, zone: &TimeZone, moment: Moment) -> String {
        let at = match moment {
            Moment::TimeOfDay => time_of_day(self.at, zone),
            Moment::DateAndTime => date_and_time(self.at, zone),
        };
        let text = printable(&self.text);
        let (what, why) = match text.split_once(": ") {
            Some((what, why)) => (what, format!(": {why}")),
            None => (text.as_str(), String::new()),
        };
        let at = screen.paint(Ink::Quiet, &at);
        let what = screen.paint(self.ink, what);
        format!("{at}  {what}{why}")
    }
}

fn ink(kind: &EventKind) -> Ink {
    match kind {
        EventKind::Transition { to, .. } | EventKind::SignalTransition { to, .. } => Ink::of(*to),
        EventKind::Verdict { ruling, .. } => match ruling.verdict {
            Verdict::PartiallyReachable => Ink::Warning,
            Verdict::Paused
            | Verdict::Up
            | Verdict::Unknown
            | Verdict::ObserverIsolated
            | Verdict::Late
            | Verdict::Down => Ink::of(ruling.verdict.status()),
        },
        EventKind::FlappingStarted { .. }
        | EventKind::Isolated { .. }
        | EventKind::ObserverIsolated { .. }
        | EventKind::ObserverSuspectsItself { .. }
        | EventKind::Stalled { .. } => Ink::Warning,
        EventKind::FlappingStopped { .. }
        | EventKind::Rejoined { .. }
        | EventKind::ObserverRejoined { .. }
        | EventKind::ObserverTrustsItself { .. } => Ink::Good,
        EventKind::Relearnt { .. } => Ink::Strong,
        EventKind::Observed { .. } => Ink::Quiet,
        EventKind::Added
        | EventKind::Replaced
        | EventKind::Removed
        | EventKind::Membership { .. } => Ink::Plain,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_of_the_api_is_read() {
        let at = "2026-05-28T20:26:40.123Z";
        let event = serde_json::json!({
            "id": 7, "at": at, "kind": "transition", "to": "late", "text": "web is late: silent",
        });
        let line = EventLine::of_json(&event).unwrap();
        assert_eq!(
            (line.ink, line.at.to_string()),
            (Ink::Warning, at.to_owned())
        );
        assert!(EventLine::of_json(&serde_json::json!({ "lost": 7 })).is_none());
    }

    #[test]
    fn a_line_says_when_what_and_why() {
        let line = EventLine {
            at: Timestamp::from_millisecond(1_780_000_000_123).unwrap(),
            ink: Ink::Bad,
            text: "web is down: nothing arrived\nfor 4.6 s".into(),
        };
        let at = |moment| line.render(Screen::PIPE, &TimeZone::UTC, moment);
        let rest = "web is down: nothing arrived\u{fffd}for 4.6 s";
        assert_eq!(at(Moment::TimeOfDay), format!("20:26:40.123  {rest}"));
        let expected = format!("2026-05-28 20:26:40.123  {rest}");
        assert_eq!(at(Moment::DateAndTime), expected);
    }
}
