//! From checked sections to how a signal is judged: the defaults that depend on the interval, and
//! the core's rules told in the words of the keys.

use std::time::Duration;

use auscult_core::detector::{
    BertierParams, ChenParams, DeadlineParams, DetectorParams, Distribution, History, PhiParams,
    Violation,
};
use auscult_core::monitor::{SignalConfig, SignalParams};

use super::duration;
use super::report::Report;
use super::schema::DETECTOR;
use super::section::Section;

/// The least deviation and margin that are assumed, so that a regular sender is not suspected for
/// its first hiccup. Seed 000's.
const HICCUP: Duration = Duration::from_millis(500);

/// The first estimate where nobody says the interval: senders of up to twice it are judged well
/// from their second heartbeat on.
const UNKNOWN_ESTIMATE: Duration = Duration::from_secs(10);

/// How the signal of `merged` is judged when its arrivals come every `interval`.
pub(super) fn signal_config(
    report: &mut Report<'_>,
    merged: &Section,
    interval: Option<Duration>,
) -> Option<SignalConfig> {
    let detector = merged.section("detector", &DETECTOR);
    let kind = detector.word("kind");
    refuse_other_kinds(report, &detector, kind);
    let params = match kind {
        "phi" => DetectorParams::Phi(phi(report, &detector, interval)?),
        "chen" => DetectorParams::Chen(chen(report, &detector, interval)?),
        "bertier" => DetectorParams::Bertier(bertier(report, &detector, interval)?),
        _ => DetectorParams::Deadline(deadline(report, &detector, interval)?),
    };
    let (late, down) = thresholds(&detector, &params, interval);
    let grace = merged.duration("grace").unwrap_or_else(|| {
        let three = interval.unwrap_or_default().saturating_mul(3);
        three.max(Duration::from_secs(10))
    });
    let config = SignalConfig::new(SignalParams {
        detector: params,
        late,
        down,
        grace,
        recovery_arrivals: u32::try_from(merged.count("recovery_arrivals")?).unwrap_or(u32::MAX),
    });
    config
        .map_err(|violations| tell(report, merged, &detector, &violations))
        .ok()
}

fn refuse_other_kinds(report: &mut Report<'_>, detector: &Section, kind: &str) {
    for entry in &detector.entries {
        let key = DETECTOR.key(entry.name);
        let kinds = key.map_or(&[] as &[_], |key| key.detectors);
        if kinds.is_empty() || kinds.contains(&kind) {
            continue;
        }
        let message = format!("`{}` is not for the `{kind}` detector", entry.name);
        let hint = format!("it belongs to `kind: {}`", kinds.join("` or `kind: "));
        report.key(&entry.at, message, Some(hint));
    }
}

fn phi(
    report: &mut Report<'_>,
    detector: &Section,
    interval: Option<Duration>,
) -> Option<PhiParams> {
    let window = detector.count("window");
    let decay = detector.count("decay");
    if let (Some(_), true) = (decay, detector.says("window")) {
        let hint = "one of them decides how much is remembered".to_owned();
        let message = "there are both `window` and `decay`".to_owned();
        report.key(detector.at("decay"), message, Some(hint));
    }
    let samples = |count: u64| usize::try_from(count).unwrap_or(usize::MAX);
    Some(PhiParams {
        distribution: distribution(detector.word("distribution"))?,
        history: match decay {
            Some(decay) => History::Decayed {
                samples: samples(decay),
            },
            None => History::Window {
                samples: samples(window?),
            },
        },
        min_std_deviation: detector
            .duration("min_std_deviation")
            .unwrap_or_else(|| min_std_deviation(interval)),
        acceptable_pause: detector.duration("acceptable_pause")?,
        first_heartbeat_estimate: detector
            .duration("first_heartbeat_estimate")
            .unwrap_or_else(|| first_heartbeat_estimate(interval)),
    })
}

/// A twentieth of the interval, at least 500 ms. With a fixed 500 ms a daily job would be `down`
/// four seconds after its usual time. With a twentieth, whatever is sent regularly is `late` after
/// 1.28 intervals and `down` after 1.41, and up to an interval of 10 s seed 000's 500 ms stay.
fn min_std_deviation(interval: Option<Duration>) -> Duration {
    (interval.unwrap_or_default() / 20).max(HICCUP)
}

/// The interval, where it is known. Seed 000's 500 ms stay for its own interval of 1 s; for longer
/// ones they would make a target `down` before its second heartbeat can be there.
fn first_heartbeat_estimate(interval: Option<Duration>) -> Duration {
    match interval {
        Some(interval) if interval > Duration::from_secs(1) => interval,
        Some(_) => HICCUP,
        None => UNKNOWN_ESTIMATE,
    }
}

fn distribution(name: &str) -> Option<Distribution> {
    [
        Distribution::Normal,
        Distribution::Exponential,
        Distribution::LogNormal,
        Distribution::Empirical,
        Distribution::Logistic,
    ]
    .into_iter()
    .find(|distribution| distribution.as_str() == name)
}

fn chen(
    report: &mut Report<'_>,
    detector: &Section,
    interval: Option<Duration>,
) -> Option<ChenParams> {
    let interval = known_interval(report, detector, "interval", interval);
    Some(ChenParams {
        margin: detector
            .duration("margin")
            .unwrap_or_else(|| interval.unwrap_or_default().max(HICCUP)),
        window: usize::try_from(detector.count("window")?).ok()?,
        interval: interval?,
    })
}

fn bertier(
    report: &mut Report<'_>,
    detector: &Section,
    interval: Option<Duration>,
) -> Option<BertierParams> {
    let interval = known_interval(report, detector, "interval", interval);
    Some(BertierParams {
        window: usize::try_from(detector.count("window")?).ok()?,
        beta: detector.number("beta")?,
        phi: detector.number("phi")?,
        gamma: detector.number("gamma")?,
        min_margin: detector
            .duration("min_margin")
            .unwrap_or_else(|| interval.unwrap_or_default().max(HICCUP)),
        interval: interval?,
    })
}

fn deadline(
    report: &mut Report<'_>,
    detector: &Section,
    interval: Option<Duration>,
) -> Option<DeadlineParams> {
    let three = interval.map(|interval| interval.saturating_mul(3));
    let timeout = known_interval(report, detector, "timeout", three)?;
    if let Some(interval) = interval.filter(|interval| *interval >= timeout) {
        let message = format!(
            "the detector's timeout ({}) must be above the interval ({})",
            duration::format(timeout),
            duration::format(interval)
        );
        let hint = "otherwise the target is suspected before each arrival";
        report.value(detector.at("timeout"), message, Some(hint.into()));
        return None;
    }
    Some(DeadlineParams { timeout })
}

/// What is said under `key`, or else what follows from the interval.
fn known_interval(
    report: &mut Report<'_>,
    detector: &Section,
    key: &str,
    known: Option<Duration>,
) -> Option<Duration> {
    let found = detector.duration(key).or(known);
    if found.is_none() {
        let kind = detector.word("kind");
        let message = format!("the `{kind}` detector needs to know the interval");
        let hint = format!("write `push: {{interval: 30s}}`, or `{key}` into the detector");
        report.key(&detector.at, message, Some(hint));
    }
    found
}

/// The levels from which a signal is late and down.
fn thresholds(
    detector: &Section,
    params: &DetectorParams,
    interval: Option<Duration>,
) -> (f64, f64) {
    let usual = match params {
        DetectorParams::Phi(_) => 16.0,
        DetectorParams::Chen(_) | DetectorParams::Bertier(_) => 2.0,
        DetectorParams::Deadline(_) => 1.0,
    };
    let down = detector.number("down").unwrap_or(usual);
    let late = detector.number("late").unwrap_or_else(|| {
        let share = match (params, interval) {
            (DetectorParams::Deadline(DeadlineParams { timeout }), Some(interval)) => {
                // Halfway between the next arrival and the time-out; three digits are enough to
                // read.
                let halfway = (1.0 + interval.as_secs_f64() / timeout.as_secs_f64()) / 2.0;
                ((halfway * 1_000.0).floor() / 1_000.0).clamp(0.5, 0.999)
            }
            _ => 0.5,
        };
        down * share
    });
    (late, down)
}

/// Tells the core's violations at the keys that caused them.
fn tell(report: &mut Report<'_>, merged: &Section, detector: &Section, violations: &[Violation]) {
    for Violation { field, text } in violations {
        let keys: &[&str] = match *field {
            "down" if !detector.says("down") => &["late"],
            "history" => &["decay", "distribution"],
            "samples" => &["decay"],
            field => &[field],
        };
        let section = match merged.table.key(field) {
            Some(_) => merged,
            None => detector,
        };
        let said = keys.iter().find(|key| section.says(key));
        let at = section.at(said.copied().unwrap_or_default());
        let message = match *field {
            "history" => text.clone(),
            field => format!("{field}: {text}"),
        };
        let hint = (*field == "down" && !detector.says("down"))
            .then(|| "set `down` as well: its default is not above this".to_owned());
        report.value(at, message, hint);
    }
}
