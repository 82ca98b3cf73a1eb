//! What is imposed on some ways of the network for a time: cuts, loss, delay; steady or flipping.

use std::time::Duration;

use auscult_core::time::{Instant, nanos};

use crate::net::{Delay, Loss};

/// Something imposed on some ways. Several hold at the same time: a datagram must get past all of
/// them, and delays add up.
#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    /// On which ways.
    pub ways: Ways,
    /// What.
    pub effect: Effect,
    /// When, where it is not always.
    pub cycle: Option<Cycle>,
}

impl Rule {
    /// Holds all the time.
    #[must_use]
    pub const fn steady(ways: Ways, effect: Effect) -> Self {
        Self {
            ways,
            effect,
            cycle: None,
        }
    }

    /// Nothing passes either way between members of different groups.
    #[must_use]
    pub const fn partition(groups: Vec<Who>) -> Self {
        Self::steady(Ways::Apart(groups), Effect::Cut)
    }

    /// Nothing passes from the ones to the others; the way back stays open.
    #[must_use]
    pub const fn one_way(from: Who, to: Who) -> Self {
        Self::steady(Ways::OneWay { from, to }, Effect::Cut)
    }

    /// The same, but on and off in turns, beginning with on.
    #[must_use]
    pub fn flipping(self, on: Duration, off: Duration) -> Self {
        Self {
            cycle: Some(Cycle { on, off }),
            ..self
        }
    }

    /// Whether it holds now for what goes from the one to the other, when imposed at `since`.
    pub(crate) fn holds(&self, since: Instant, now: Instant, from: usize, to: usize) -> bool {
        let on = self.cycle.is_none_or(|cycle| cycle.is_on(since, now));
        on && self.ways.include(from, to)
    }
}

/// What is done to a way.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Nothing passes.
    Cut,
    /// Some is lost.
    Loss(Loss),
    /// It takes longer by this.
    Delay(Delay),
}

/// On for a time and off for a time, again and again, beginning with on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cycle {
    /// How long it holds; above 0.
    pub on: Duration,
    /// How long it does not.
    pub off: Duration,
}

impl Cycle {
    fn is_on(self, since: Instant, now: Instant) -> bool {
        let period = nanos(self.on).saturating_add(nanos(self.off)).max(1);
        nanos(now.since(since)) % period < nanos(self.on)
    }
}

/// Some ways, each from one member to another one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ways {
    /// From each of the first to each of the second.
    OneWay {
        /// Who sends.
        from: Who,
        /// Who receives.
        to: Who,
    },
    /// Both ways between each of the first and each of the second.
    Between(Who, Who),
    /// Everything that these send and receive.
    Of(Who),
    /// Both ways between members of different groups. Who is in no group reaches all.
    Apart(Vec<Who>),
}

impl Ways {
    /// Every way.
    #[must_use]
    pub const fn all() -> Self {
        Self::Of(Who::Everybody)
    }

    pub(crate) fn include(&self, from: usize, to: usize) -> bool {
        match self {
            Self::OneWay { from: one, to: two } => one.has(from) && two.has(to),
            Self::Between(one, two) => {
                (one.has(from) && two.has(to)) || (one.has(to) && two.has(from))
            }
            Self::Of(who) => who.has(from) || who.has(to),
            Self::Apart(groups) => {
                let group = |member| groups.iter().position(|group| group.has(member));
                let groups = group(from).zip(group(to));
                groups.is_some_and(|(one, other)| one != other)
            }
        }
    }
}

/// Some members of a world, by their places.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Who {
    /// All there are and will be.
    Everybody,
    /// These.
    These(Places),
}

/// A set of places.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Places(Vec<u64>);

impl Who {
    /// These members, by their places.
    #[must_use]
    pub fn these(places: impl IntoIterator<Item = usize>) -> Self {
        Self::These(places.into_iter().collect())
    }

    /// Whether the member is one of them.
    #[must_use]
    pub fn has(&self, place: usize) -> bool {
        match self {
            Self::Everybody => true,
            Self::These(places) => places.has(place),
        }
    }
}

impl Places {
    /// Whether the place is in the set.
    #[must_use]
    pub fn has(&self, place: usize) -> bool {
        let word = self.0.get(place / 64).copied().unwrap_or(0);
        word >> (place % 64) & 1 == 1
    }

    /// The places, the least first.
    pub fn iter(&self) -> impl Iterator<Item = usize> {
        (0..self.0.len() * 64).filter(|&place| self.has(place))
    }
}

impl FromIterator<usize> for Places {
    fn from_iter<T: IntoIterator<Item = usize>>(places: T) -> Self {
        let mut set = Self::default();
        for place in places {
            if set.0.len() <= place / 64 {
                set.0.resize(place / 64 + 1, 0);
            }
            set.0[place / 64] |= 1 << (place % 64);
        }
        set
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ways_are_what_they_say() {
        let (one, two) = (Who::these([1]), Who::these([2, 70]));
        let one_way = Ways::OneWay {
            from: one.clone(),
            to: two.clone(),
        };
        assert!(one_way.include(1, 70) && !one_way.include(70, 1) && !one_way.include(2, 70));
        let between = Ways::Between(one.clone(), two.clone());
        assert!(between.include(1, 70) && between.include(70, 1) && !between.include(2, 70));
        let apart = Ways::Apart(vec![one.clone(), two]);
        assert!(apart.include(2, 1) && !apart.include(2, 70));
        assert!(!apart.include(3, 1) && !apart.include(1, 3));
        let of = Ways::Of(one);
        assert!(of.include(1, 3) && of.include(3, 1) && !of.include(3, 4));
        assert!(Ways::all().include(8, 9));
    }

    #[test]
    fn a_flipping_rule_begins_with_on() {
        let second = Duration::from_secs(1);
        let rule = Rule::partition(vec![Who::these([0]), Who::these([1])]);
        let rule = rule.flipping(2 * second, second);
        let since = Instant::from_secs(10);
        let on: Vec<u64> = (10..20)
            .filter(|&at| rule.holds(since, Instant::from_secs(at), 0, 1))
            .collect();
        assert_eq!(on, [10, 11, 13, 14, 16, 17, 19]);
    }

    #[test]
    fn places_come_in_order() {
        let places: Places = [129, 0, 64].into_iter().collect();
        assert_eq!(places.iter().collect::<Vec<_>>(), [0, 64, 129]);
    }
}
