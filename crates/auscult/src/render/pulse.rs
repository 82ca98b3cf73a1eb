//! The demo's last line: one bar per target, rising with its level, and the worst of them in words.

use std::time::Duration;

use auscult_core::monitor::Status;

use super::time::span;
use super::{Ink, Screen, cut, printable};

/// One target as the line shows it.
#[derive(Clone, Debug)]
pub(crate) struct Pulse {
    pub(crate) id: String,
    pub(crate) status: Status,
    pub(crate) level: f64,
    /// The level from which it is down.
    pub(crate) down: f64,
    pub(crate) silent_for: Option<Duration>,
}

/// From silence to alarm.
const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// A level at or below this is what a steady target has at any time, and not worth words.
const CALM: f64 = 0.5;

/// The line, without its end, at most as wide as the terminal.
pub(crate) fn line(screen: Screen, pulses: &[Pulse]) -> String {
    let mut bars = String::new();
    for pulse in pulses {
        let share = (pulse.level / pulse.down).clamp(0.0, 1.0);
        let step = (share * (BARS.len() - 1) as f64).round() as usize;
        let bar = BARS[step.min(BARS.len() - 1)].to_string();
        bars += &screen.paint(Ink::of(pulse.status), &bar);
    }
    let words = cut(
        &words(pulses),
        screen.width.unwrap_or(80).saturating_sub(pulses.len() + 3),
    );
    format!("{bars}  {}", screen.paint(Ink::Quiet, &words))
}

fn words(pulses: &[Pulse]) -> String {
    let count = |status| pulses.iter().filter(|pulse| pulse.status == status).count();
    let mut counts = Vec::new();
    for status in Status::ALL {
        match count(status) {
            0 => {}
            found => counts.push(format!("{found} {status}")),
        }
    }
    let mut text = counts.join(", ");
    let worst = pulses
        .iter()
        .max_by(|one, other| one.level.total_cmp(&other.level))
        .filter(|worst| worst.level > CALM);
    if let Some(worst) = worst {
        text += &format!("; {} at level {:.1}", printable(&worst.id), worst.level);
        if let Some(silent_for) = worst.silent_for {
            text = text + ", silent for " + &span(silent_for);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_rises_with_the_level() {
        let pulses = [0.0, 4.0, 8.0, 16.0, 300.0].map(|level| pulse(Status::Up, level));
        assert!(line(Screen::PIPE, &pulses).starts_with("▁▃▅██  5 up"));
    }

    #[test]
    fn the_worst_target_is_named() {
        let mut pulses = [pulse(Status::Up, 0.1), pulse(Status::Late, 9.25)];
        pulses[1].silent_for = Some(Duration::from_millis(4_200));
        let expected = "▁▅  1 up, 1 late; web at level 9.2, silent for 4.2 s";
        assert_eq!(line(Screen::PIPE, &pulses), expected);
        pulses[1] = pulse(Status::Up, 0.2);
        assert_eq!(line(Screen::PIPE, &pulses), "▁▁  2 up");
    }

    fn pulse(status: Status, level: f64) -> Pulse {
        Pulse {
            id: "web".into(),
            status,
            level,
            down: 16.0,
            silent_for: None,
        }
    }
}
