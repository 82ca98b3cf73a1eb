//! Local health [LG]: how slow this member thinks itself to be.

use core::time::Duration;

/// Counts what points at this member rather than at others: 0 is well, `most` is worst.
#[derive(Clone, Copy, Debug)]
pub(super) struct Health {
    score: u8,
    most: u8,
}

impl Health {
    pub(super) const fn new(most: u8) -> Self {
        Self { score: 0, most }
    }

    pub(super) const fn score(self) -> u8 {
        self.score
    }

    /// A probe was answered.
    pub(super) const fn better(&mut self) {
        self.score = self.score.saturating_sub(1);
    }

    /// Something was missed: an answer, nacks, a wake-up, or others suspect us.
    pub(super) fn worse(&mut self, by: usize) {
        let by = u8::try_from(by).unwrap_or(u8::MAX);
        self.score = self.score.saturating_add(by).min(self.most);
    }

    /// A span that grows with bad health. [LG: LHA-Probe]
    pub(super) fn scale(self, span: Duration) -> Duration {
        span * (u32::from(self.score) + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// [LG] The counter is in [0, S], and intervals and time-outs are multiplied by counter + 1.
    #[test]
    fn saturates_at_both_ends_and_scales_by_one_more() {
        let mut health = Health::new(8);
        health.better();
        assert_eq!(health.score(), 0);
        health.worse(100);
        assert_eq!(health.score(), 8);
        assert_eq!(
            health.scale(Duration::from_millis(500)),
            Duration::from_millis(4_500)
        );
    }
}
