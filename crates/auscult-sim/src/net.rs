//! What becomes of a datagram on its way: how long it takes, whether it arrives, and how often.

use std::sync::Arc;
use std::time::Duration;

use auscult_core::rng::Rng;
use auscult_core::time::{Instant, nanos};

/// A network where nothing else is imposed. One direction; both directions are alike.
#[derive(Clone, Debug)]
pub struct Net {
    /// How long a datagram takes.
    pub delay: Delay,
    /// Whether it arrives.
    pub loss: Loss,
    /// The fraction of datagrams that arrive twice, from 0 to 1; the copy takes a time of its own.
    pub duplication: f64,
    /// Whether some datagrams are overtaken.
    pub reordering: Option<Reordering>,
}

impl Net {
    /// One machine room: 0.2 to 1 ms each way, nothing is lost.
    #[must_use]
    pub const fn lan() -> Self {
        Self {
            delay: Delay::Uniform {
                least: Duration::from_micros(200),
                most: Duration::from_millis(1),
            },
            loss: Loss::None,
            duplication: 0.0,
            reordering: None,
        }
    }

    /// The world: 40 ms each way with a tail (lognormal, sigma 0.3), 0.1 % lost.
    #[must_use]
    pub const fn wan() -> Self {
        Self {
            delay: Delay::LogNormal {
                median: Duration::from_millis(40),
                sigma: 0.3,
            },
            loss: Loss::Independent(0.001),
            duplication: 0.0,
            reordering: None,
        }
    }
}

/// Some datagrams are held back, so that later ones overtake them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reordering {
    /// The fraction that is held back, from 0 to 1.
    pub fraction: f64,
    /// By how long.
    pub by: Duration,
}

/// How long a datagram takes.
#[derive(Clone, Debug, PartialEq)]
pub enum Delay {
    /// Always the same time.
    Constant(Duration),
    /// Any time from `least` to `most`, all equally likely.
    Uniform {
        /// The shortest time.
        least: Duration,
        /// The longest time.
        most: Duration,
    },
    /// The normal distribution; what would be below 0 is 0.
    Normal {
        /// Its mean.
        mean: Duration,
        /// Its standard deviation.
        deviation: Duration,
    },
    /// The logarithm of the time is normal: many short ones, and a long tail.
    LogNormal {
        /// Half of the times are shorter.
        median: Duration,
        /// The deviation of the logarithm: 0.3 is calm, 1 is wild.
        sigma: f64,
    },
    /// Measured times, the shortest first: a random quantile of them, straight lines between.
    Table(Arc<[Duration]>),
}

impl Delay {
    /// Measured times, in any order; [`Constant`](Self::Constant) zero for none at all.
    #[must_use]
    pub fn table(mut times: Vec<Duration>) -> Self {
        if times.is_empty() {
            return Self::Constant(Duration::ZERO);
        }
        times.sort();
        Self::Table(times.into())
    }

    pub(crate) fn sample(&self, rng: &mut Rng) -> Duration {
        match self {
            Self::Constant(span) => *span,
            Self::Uniform { least, most } => *least + rng.span_below(most.saturating_sub(*least)),
            Self::Normal { mean, deviation } => {
                let nanos = nanos(*mean) as f64 + nanos(*deviation) as f64 * normal(rng);
                // A float that does not fit saturates, and what is below 0 becomes 0.
                Duration::from_nanos(nanos as u64)
            }
            Self::LogNormal { median, sigma } => {
                let nanos = nanos(*median) as f64 * libm::exp(sigma * normal(rng));
                Duration::from_nanos(nanos as u64)
            }
            Self::Table(times) => {
                let at = unit(rng) * (times.len() - 1) as f64;
                let below = times[at as usize];
                let above = times[(at as usize + 1).min(times.len() - 1)];
                let part = ((above - below).as_nanos() as f64 * at.fract()) as u64;
                below + Duration::from_nanos(part)
            }
        }
    }
}

/// Whether a datagram arrives.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Loss {
    /// It does.
    None,
    /// This fraction of them is lost, from 0 to 1, each by itself.
    Independent(f64),
    /// Losses come in bursts. [Gilbert 1960, Elliott 1963] in continuous time: what a member sends
    /// is in one of two states, for times that are exponentially distributed.
    Bursts(Bursts),
}

/// The two states of a way that loses in bursts, and how long they last.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bursts {
    /// The mean time in the good state; above 0.
    pub good: Duration,
    /// The mean time in the bad state; above 0.
    pub bad: Duration,
    /// The fraction lost in the good state, from 0 to 1.
    pub good_loss: f64,
    /// The fraction lost in the bad state, from 0 to 1.
    pub bad_loss: f64,
}

/// Where a way with bursts is, for one sender.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Weather {
    bad: bool,
    until: Instant,
}

impl Loss {
    /// Whether a datagram sent now is lost. `weather` is that of the sender under this very loss.
    pub(crate) fn takes(&self, rng: &mut Rng, now: Instant, weather: &mut Option<Weather>) -> bool {
        match self {
            Self::None => false,
            Self::Independent(fraction) => hits(rng, *fraction),
            Self::Bursts(bursts) => {
                let bad = bursts.is_bad(rng, now, weather);
                hits(
                    rng,
                    if bad {
                        bursts.bad_loss
                    } else {
                        bursts.good_loss
                    },
                )
            }
        }
    }
}

impl Bursts {
    fn is_bad(&self, rng: &mut Rng, now: Instant, weather: &mut Option<Weather>) -> bool {
        let current = weather.get_or_insert_with(|| {
            let (good, bad) = (nanos(self.good) as f64, nanos(self.bad) as f64);
            let bad = unit(rng) * (good + bad) < bad;
            Weather {
                bad,
                until: now.after(self.stay(bad, rng)),
            }
        });
        while current.until <= now {
            current.bad = !current.bad;
            current.until = current.until.after(self.stay(current.bad, rng));
        }
        current.bad
    }

    fn stay(&self, bad: bool, rng: &mut Rng) -> Duration {
        let mean = nanos(if bad { self.bad } else { self.good }) as f64;
        // At least a microsecond, so that a mean of nothing does not stop time.
        Duration::from_nanos(((-libm::log(1.0 - unit(rng)) * mean) as u64).max(1_000))
    }
}

/// Whether something with this probability happens.
pub(crate) fn hits(rng: &mut Rng, fraction: f64) -> bool {
    fraction > 0.0 && unit(rng) < fraction
}

/// At least 0 and below 1.
pub(crate) fn unit(rng: &mut Rng) -> f64 {
    (rng.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
}

/// The standard normal distribution [Box, Muller 1958]. `libm`, since the system's functions
/// differ in their last bits from one machine to another.
fn normal(rng: &mut Rng) -> f64 {
    let radius = libm::sqrt(-2.0 * libm::log(1.0 - unit(rng)));
    radius * libm::cos(core::f64::consts::TAU * unit(rng))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MILLI: Duration = Duration::from_millis(1);

    /// Sorted samples in milliseconds.
    fn samples(delay: &Delay) -> Vec<f64> {
        let mut rng = Rng::new(5);
        let mut samples: Vec<f64> = (0..20_000)
            .map(|_| delay.sample(&mut rng).as_secs_f64() * 1e3)
            .collect();
        samples.sort_by(f64::total_cmp);
        samples
    }

    fn near(found: f64, expected: f64) {
        let bound = 0.03 * expected.abs().max(0.5);
        assert!((found - expected).abs() < bound, "{found}, not {expected}");
    }

    #[test]
    fn delays_have_the_distribution_that_they_are_named_for() {
        let normal = samples(&Delay::Normal {
            mean: 10 * MILLI,
            deviation: 2 * MILLI,
        });
        near(normal[10_000], 10.0);
        near(normal[16_827], 12.0);
        let tailed = samples(&Delay::LogNormal {
            median: 10 * MILLI,
            sigma: 1.0,
        });
        near(tailed[10_000], 10.0);
        near(tailed[16_827], 27.18);
        let uniform = samples(&Delay::Uniform {
            least: MILLI,
            most: 3 * MILLI,
        });
        near(uniform[5_000], 1.5);
        let table = samples(&Delay::table(vec![9 * MILLI, MILLI, 2 * MILLI]));
        near(table[5_000], 1.5);
        near(table[15_000], 5.5);
        assert!(
            samples(&Delay::Constant(MILLI))
                .iter()
                .all(|&one| one == 1.0)
        );
    }

    #[test]
    fn a_normal_delay_never_goes_back_in_time() {
        let wild = samples(&Delay::Normal {
            mean: MILLI,
            deviation: 10 * MILLI,
        });
        assert!(wild[0] == 0.0 && wild[19_999] > 30.0);
    }

    /// Nine seconds of sun and one of rain lose a tenth of 50 % in the long run, in bursts.
    #[test]
    fn bursts_lose_what_their_states_say() {
        let loss = Loss::Bursts(Bursts {
            good: Duration::from_secs(9),
            bad: Duration::from_secs(1),
            good_loss: 0.0,
            bad_loss: 0.5,
        });
        let mut rng = Rng::new(8);
        let mut weather = None;
        let mut lost = Vec::new();
        for tick in 0..1_000_000_u64 {
            let now = Instant::from_millis(tick * 100);
            lost.push(loss.takes(&mut rng, now, &mut weather));
        }
        let all = lost.iter().filter(|&&lost| lost).count();
        near(all as f64 / 1e4, 5.0);
        let pairs = lost.windows(2).filter(|pair| pair[0] && pair[1]).count();
        assert!(pairs as f64 / all as f64 > 0.4, "{pairs} of {all}");
    }
}
