//! What is really the case: which members run, and between whom everything passes; told from the
//! deeds, for checkers that must know whose fault something was.

use std::time::Duration;

use auscult_core::swim::Params;
use auscult_core::time::Instant;

use crate::clock::Step;
use crate::deed::{Deed, RuleId};
use crate::net::{Delay, Loss};
use crate::ways::{Effect, Rule};

/// The truth about a world.
#[derive(Debug, Default)]
pub(super) struct Ground {
    members: Vec<Truth>,
    /// Every rule that was ever imposed, and when it was lifted.
    rules: Vec<(RuleId, Rule, Option<Instant>)>,
}

/// The truth about one member.
#[derive(Clone, Copy, Debug, Default)]
struct Truth {
    /// It does not run, or not as it should.
    off: Fault,
    stalled: Fault,
    slow: Fault,
    clock: Fault,
}

/// Something that is wrong, or was until some time.
#[derive(Clone, Copy, Debug, Default)]
enum Fault {
    #[default]
    Never,
    Now,
    Until(Instant),
}

impl Fault {
    fn was_there_after(self, since: Instant) -> bool {
        match self {
            Self::Never => false,
            Self::Now => true,
            Self::Until(at) => at > since,
        }
    }

    fn end(&mut self, at: Instant) {
        *self = match *self {
            Self::Now => Self::Until(at),
            Self::Never | Self::Until(_) => *self,
        };
    }
}

impl Ground {
    pub(super) fn note(&mut self, at: Instant, deed: &Deed) {
        match deed {
            Deed::Add { .. } => self.members.push(Truth {
                off: Fault::Until(at),
                ..Truth::default()
            }),
            // Whoever leaves is as good as gone.
            Deed::Leave { member } | Deed::Crash { member, .. } => {
                self.truth(*member).off = Fault::Now;
            }
            Deed::Restart { member, .. } => {
                let truth = self.truth(*member);
                truth.off = Fault::Until(at);
                truth.stalled.end(at);
            }
            Deed::Stall { member, .. } => self.truth(*member).stalled = Fault::Now,
            Deed::Resume { member } => self.truth(*member).stalled.end(at),
            Deed::Slow { member, each } if each.is_zero() => self.truth(*member).slow.end(at),
            Deed::Slow { member, .. } => self.truth(*member).slow = Fault::Now,
            Deed::ClockRate { member, gained_ppm } => {
                let clock = &mut self.truth(*member).clock;
                if gained_ppm.unsigned_abs() > GAIN_HARMLESS_PPM {
                    *clock = Fault::Now;
                } else {
                    clock.end(at);
                }
            }
            Deed::ClockStep { member, by } => {
                // A clock that was set back stands still until it has caught up.
                let until = match by {
                    Step::Forward(_) => at,
                    Step::Back(by) => at.after(*by),
                };
                let clock = &mut self.truth(*member).clock;
                match clock {
                    Fault::Now => {}
                    Fault::Never | Fault::Until(_) => *clock = Fault::Until(until),
                }
            }
            Deed::Impose { rule } => {
                let id = RuleId(self.rules.len() as u32);
                self.rules.push((id, rule.clone(), None));
            }
            Deed::Lift { rule } => {
                for (id, _, lifted) in &mut self.rules {
                    if id == rule {
                        *lifted = lifted.or(Some(at));
                    }
                }
            }
            Deed::Heal => {
                for (_, _, lifted) in &mut self.rules {
                    *lifted = lifted.or(Some(at));
                }
            }
            Deed::Join { .. }
            | Deed::SetMetadata { .. }
            | Deed::Broadcast { .. }
            | Deed::Watch { .. }
            | Deed::Unwatch { .. }
            | Deed::SetDirectLimit { .. } => {}
        }
    }

    fn truth(&mut self, member: usize) -> &mut Truth {
        &mut self.members[member]
    }

    /// Whether the member has run all the time since then, as fast and as well as it should.
    pub(super) fn ran_since(&self, member: usize, since: Instant) -> bool {
        let truth = &self.members[member];
        let faults = [truth.off, truth.stalled, truth.slow, truth.clock];
        !faults.iter().any(|fault| fault.was_there_after(since))
    }

    /// Whether what the two said to each other passed all the time since then, both ways, but for
    /// a little loss and delay.
    pub(super) fn passed_since(
        &self,
        params: &Params,
        one: usize,
        other: usize,
        since: Instant,
    ) -> bool {
        !self.rules.iter().any(|(_, rule, lifted)| {
            lifted.is_none_or(|at| at > since)
                && (rule.ways.include(one, other) || rule.ways.include(other, one))
                && harms(params, &rule.effect)
        })
    }
}

/// Whether a rule is more than any member must live with.
fn harms(params: &Params, effect: &Effect) -> bool {
    match effect {
        Effect::Cut => true,
        Effect::Loss(loss) => loss_of(loss) > LOSS_HARMLESS,
        Effect::Delay(delay) => longest(delay) > params.probe_timeout / 4,
    }
}

/// The fraction that is lost where most is.
pub(super) fn loss_of(loss: &Loss) -> f64 {
    match loss {
        Loss::None => 0.0,
        Loss::Independent(fraction) => *fraction,
        Loss::Bursts(bursts) => bursts.bad_loss.max(bursts.good_loss),
    }
}

/// What few delays exceed.
fn longest(delay: &Delay) -> Duration {
    match delay {
        Delay::Constant(span) => *span,
        Delay::Uniform { most, .. } => *most,
        Delay::Normal { mean, deviation } => *mean + *deviation * 4,
        Delay::LogNormal { median, sigma } => median.mul_f64((4.0 * sigma).exp()),
        Delay::Table(times) => times.last().copied().unwrap_or_default(),
    }
}

/// A tenth: what the issue asks a group to live with.
const LOSS_HARMLESS: f64 = 0.1;
/// Ten times worse than a bad quartz.
const GAIN_HARMLESS_PPM: u32 = 1_000;
