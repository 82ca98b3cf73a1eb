//! The axes of the picture.

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

/// A moment, as finely as a picture of so many seconds tells it.
pub(super) fn label(at: f64, span: f64) -> String {
    let moment = jiff::Timestamp::from_second(at as i64).unwrap_or(jiff::Timestamp::MAX);
    let text = moment.to_string();
    // Of 2026-11-21T09:15:00Z.
    let part = if span < 3_600.0 {
        text.get(11..19)
    } else {
        text.get(..16)
    };
    part.map_or(text.clone(), |part| part.replace('T', " "))
}

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
    fn a_short_picture_tells_seconds_and_a_long_one_days() {
        assert_eq!(label(1_795_252_500.0, 60.0), "09:15:00");
        assert_eq!(label(1_795_252_500.0, 86_400.0), "2026-11-21 09:15");
    }
}
