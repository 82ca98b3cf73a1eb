//! One roll-up: what happened to a target in a span of time, as sums, counts and maxima.

use crate::monitor::Status;

/// Bytes of a roll-up as a row.
pub const ROLLUP_BYTES: usize = 84;

/// What happened to a target in a span of time. Everything in it can be added, in any order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rollup {
    /// Milliseconds with each status, in the order of [`Status::ALL`]. What is missing to the
    /// whole span was not watched.
    pub spans_ms: [u64; Status::ALL.len()],
    /// Changes of its status.
    pub transitions: u64,
    /// Times that it went down.
    pub failures: u64,
    /// Times that it was down and came back.
    pub recoveries: u64,
    /// Arrivals that were taken.
    pub arrivals: u64,
    /// The level of suspicion, in thousandths: looked at once per finest roll-up, and at changes.
    pub level: Figure,
    /// How long checks took, in microseconds. The maximum is that of the means of the finest
    /// roll-ups.
    pub latency: Figure,
    /// From the last sign of life to the verdict that it is down, in milliseconds.
    pub detection: Figure,
}

/// Values that were added up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figure {
    /// How many.
    pub count: u64,
    /// The largest.
    pub max: u64,
    /// Their sum.
    pub sum: u64,
}

impl Figure {
    /// One value.
    #[must_use]
    pub const fn of(value: u64) -> Self {
        Self {
            count: 1,
            max: value,
            sum: value,
        }
    }

    /// The mean; `None` of nothing.
    #[must_use]
    pub fn mean(&self) -> Option<f64> {
        (self.count > 0).then(|| self.sum as f64 / self.count as f64)
    }

    /// Adds others.
    pub fn add(&mut self, other: &Self) {
        self.count = self.count.saturating_add(other.count);
        self.max = self.max.max(other.max);
        self.sum = self.sum.saturating_add(other.sum);
    }
}

impl Rollup {
    /// Adds what another one tells.
    pub fn add(&mut self, other: &Self) {
        for (span, more) in self.spans_ms.iter_mut().zip(other.spans_ms) {
            *span = span.saturating_add(more);
        }
        let counts = [
            (&mut self.transitions, other.transitions),
            (&mut self.failures, other.failures),
            (&mut self.recoveries, other.recoveries),
            (&mut self.arrivals, other.arrivals),
        ];
        for (count, more) in counts {
            *count = count.saturating_add(more);
        }
        self.level.add(&other.level);
        self.latency.add(&other.latency);
        self.detection.add(&other.detection);
    }

    /// Milliseconds with this status.
    #[must_use]
    pub fn span_ms(&self, status: Status) -> u64 {
        self.spans_ms[usize::from(status.severity())]
    }

    /// Milliseconds in which it was watched, paused or not.
    #[must_use]
    pub fn watched_ms(&self) -> u64 {
        self.spans_ms
            .iter()
            .fold(0, |sum: u64, &span| sum.saturating_add(span))
    }

    /// The share of the time with a verdict in which it was not down. `None` when there was none.
    #[must_use]
    pub fn availability(&self) -> Option<f64> {
        let there = self
            .span_ms(Status::Up)
            .saturating_add(self.span_ms(Status::Late));
        let judged = there.saturating_add(self.span_ms(Status::Down));
        (judged > 0).then(|| there as f64 / judged as f64)
    }

    /// Whether it tells nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The row: numbers of 32 and, for sums, 64 bits, the smallest byte first. What one hour cannot
    /// exceed fits; more counts as the largest number there is.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; ROLLUP_BYTES] {
        let mut row = [0; ROLLUP_BYTES];
        let mut at = 0;
        let mut put = |bytes: &[u8]| {
            row[at..at + bytes.len()].copy_from_slice(bytes);
            at += bytes.len();
        };
        let narrow = |value: u64| u32::try_from(value).unwrap_or(u32::MAX).to_le_bytes();
        for span in self.spans_ms {
            put(&narrow(span));
        }
        for count in [
            self.transitions,
            self.failures,
            self.recoveries,
            self.arrivals,
        ] {
            put(&narrow(count));
        }
        for figure in [self.level, self.latency, self.detection] {
            put(&narrow(figure.count));
            put(&narrow(figure.max));
            put(&figure.sum.to_le_bytes());
        }
        row
    }

    /// The inverse of [`to_bytes`](Self::to_bytes). Every row of that length is one.
    #[must_use]
    pub fn from_bytes(row: &[u8; ROLLUP_BYTES]) -> Self {
        let mut words = row.chunks_exact(4).map(|word| {
            let word: [u8; 4] = word.try_into().unwrap_or_default();
            u64::from(u32::from_le_bytes(word))
        });
        let mut next = || words.next().unwrap_or_default();
        let mut rollup = Self::default();
        for span in &mut rollup.spans_ms {
            *span = next();
        }
        rollup.transitions = next();
        rollup.failures = next();
        rollup.recoveries = next();
        rollup.arrivals = next();
        for figure in [
            &mut rollup.level,
            &mut rollup.latency,
            &mut rollup.detection,
        ] {
            figure.count = next();
            figure.max = next();
            figure.sum = next() | next() << 32;
        }
        rollup
    }
}

const _: () = assert!(ROLLUP_BYTES == 4 * (Status::ALL.len() + 4) + 3 * 16);
