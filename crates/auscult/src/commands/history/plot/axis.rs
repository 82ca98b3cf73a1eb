//! The axes of the picture.

use std::ops::Range;

/// Levels above this are told apart from those far below it by their logarithms alone.
const LINEAR_MAX: f64 = 10.0;

/// Where a logarithmic axis begins: a level below it is none.
const FLOOR: f64 = 0.1;

/// How a level becomes a height.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Axis {
    /// From 0 to this.
    Linear(f64),
    /// From [`FLOOR`] to this power of ten.
    Logarithmic(i32),
}

impl Axis {
    /// One that this level, and every one below it, has a place on.
    pub(super) fn reaching(highest: f64) -> Self {
        let highest = if highest.is_finite() { highest } else { 0.0 };
        if highest <= LINEAR_MAX {
            return Self::Linear(nice(highest.max(1.0)));
        }
        Self::Logarithmic(highest.log10().ceil() as i32)
    }

    /// One from 0 on that this value has a place on.
    pub(super) fn linear(highest: f64) -> Self {
        let highest = if highest.is_finite() { highest } else { 0.0 };
        Self::Linear(nice(highest.max(1.0)))
    }

    /// The height of a level, from 0 to 1.
    pub(super) fn share(self, level: f64) -> f64 {
        let share = match self {
            Self::Linear(most) => level / most,
            Self::Logarithmic(power) => {
                let decades = f64::from(power) - FLOOR.log10();
                (level.max(FLOOR).log10() - FLOOR.log10()) / decades
            }
        };
        share.clamp(0.0, 1.0)
    }

    /// The levels that are written beside it.
    pub(super) fn ticks(self) -> Vec<f64> {
        match self {
            Self::Linear(most) => (0..=4).map(|n| most * f64::from(n) / 4.0).collect(),
            Self::Logarithmic(power) => {
                let above = (0..=power).map(|n| 10_f64.powi(n));
                std::iter::once(FLOOR).chain(above).collect()
            }
        }
    }

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Linear(_) => "linear",
            Self::Logarithmic(_) => "logarithmic",
        }
    }
}

/// The next number whose quarters people can read: 1, 2, 4, 6 or 8 and zeros.
fn nice(value: f64) -> f64 {
    let power = 10_f64.powf(value.log10().floor());
    let steps = [1.0, 2.0, 4.0, 6.0, 8.0, 10.0];
    let step = steps.into_iter().find(|step| step * power >= value);
    step.unwrap_or(10.0) * power
}

/// Moments that people would choose, some of them and not many, each with what is written there:
/// the day where it begins, and the time of day else.
pub(super) fn moments(since: f64, until: f64) -> Vec<(f64, String)> {
    let span = (until - since).max(1.0);
    let step = STEPS.into_iter().find(|step| span / step <= MOMENTS_MAX);
    // Longer than what any history keeps.
    let step = step.unwrap_or_else(|| (span / MOMENTS_MAX / DAY).ceil() * DAY);
    let first = (since / step).ceil() * step;
    let all = (0..).map(|n| first + f64::from(n) * step);
    let all = all.take_while(|at| *at <= until);
    all.map(|at| (at, label(at, step))).collect()
}

/// A moment as finely as a picture with marks so many seconds apart tells it.
fn label(at: f64, step: f64) -> String {
    let (day, time) = day_and_time(at);
    if step >= DAY || time == "00:00:00" {
        day
    } else if step < 60.0 {
        time
    } else {
        time.get(..5).unwrap_or_default().to_owned()
    }
}

/// A moment with its day.
pub(super) fn whole_label(at: f64) -> String {
    let (day, time) = day_and_time(at);
    format!("{day} {time}")
}

fn day_and_time(at: f64) -> (String, String) {
    let moment = jiff::Timestamp::from_second(at as i64).unwrap_or(jiff::Timestamp::MAX);
    // Of 2026-11-21T09:15:00Z.
    let text = moment.to_string();
    let part = |range: Range<usize>| text.get(range).unwrap_or_default().to_owned();
    (part(0..10), part(11..19))
}

const DAY: f64 = 86_400.0;

/// Between two moments that are written, in seconds.
const STEPS: [f64; 17] = [
    1.0,
    5.0,
    10.0,
    30.0,
    60.0,
    300.0,
    600.0,
    1_800.0,
    3_600.0,
    7_200.0,
    10_800.0,
    21_600.0,
    43_200.0,
    DAY,
    2.0 * DAY,
    5.0 * DAY,
    10.0 * DAY,
];

/// Steps in a picture at most.
const MOMENTS_MAX: f64 = 8.0;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_level_has_a_place_and_higher_ones_are_higher() {
        for highest in [0.0, 0.5, 3.0, 10.0, 16.0, 400.0, 1_000.0, f64::NAN] {
            let axis = Axis::reaching(highest);
            let mut before = -1.0;
            for level in [0.0, 0.3, 1.0, 5.0, 9.9, 50.0, 999.0] {
                let share = axis.share(level);
                assert!((0.0..=1.0).contains(&share), "{highest} {level}");
                assert!(share >= before, "{highest} {level}");
                before = share;
            }
            let ticks = axis.ticks();
            assert!(ticks.is_sorted() && ticks.len() < 8, "{ticks:?}");
        }
        let axis = Axis::reaching(400.0);
        assert_eq!(axis.ticks(), [0.1, 1.0, 10.0, 100.0, 1_000.0]);
        assert!((axis.share(10.0) - 0.5).abs() < 1e-12);
    }

    #[test]
    fn a_picture_of_any_length_has_some_moments_that_people_would_choose() {
        let at = 1_795_252_504.0;
        let texts = |span: f64| -> Vec<String> {
            let all = moments(at, at + span).into_iter();
            all.map(|(_, text)| text).collect()
        };
        let minute = [
            "09:15:10", "09:15:20", "09:15:30", "09:15:40", "09:15:50", "09:16:00",
        ];
        assert_eq!(texts(60.0), minute);
        assert_eq!(texts(1_800.0)[..2], ["09:20", "09:25"]);
        let day = texts(DAY);
        assert!(day.contains(&"2026-11-22".to_owned()), "{day:?}");
        assert!(day.contains(&"12:00".to_owned()), "{day:?}");
        assert_eq!(texts(30.0 * DAY)[0], "2026-11-23");
        for days in [0.001, 0.02, 0.3, 2.0, 7.0, 30.0, 90.0, 4_000.0] {
            let count = texts(days * DAY).len();
            assert!((2..=9).contains(&count), "{days}: {count}");
        }
        assert_eq!(whole_label(at), "2026-11-21 09:15:04");
    }
}
