//! Who tells of which alerts: the owner of their target, as this monitor sees it. Of the metrics of
//! a peer it is found in the same way, of those that judge that peer: the settings of one monitor
//! may name a peer that others do not know.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use auscult_core::alert::{Duty, Subject};
use auscult_core::id::TargetId;
use auscult_core::monitor::observers::{Lineup, Liveness, MonitorName};
use auscult_core::time::Instant;

use crate::observers::Observatory;

/// How long one who comes to own targets waits before it tells of their alerts: longer than a beat,
/// so that who owned them knows by then, and the others told it what they know.
const HANDOVER: Duration = Duration::from_millis(1_500);

/// Who tells of which alerts.
#[derive(Clone, Debug, Default)]
pub(super) struct Office {
    desks: Desks,
    /// Who sat where before, while what was gained is not taken over yet.
    before: Option<Desks>,
    /// When what was gained is taken over.
    takes_over_at: Option<Instant>,
    /// Which peers the monitors judge, as far as they said so.
    rolls: BTreeMap<MonitorName, Roll>,
}

/// Which peers a monitor judges.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Roll {
    /// Whoever publishes.
    Anybody,
    /// These.
    Named(Arc<BTreeSet<TargetId>>),
}

impl Roll {
    /// Whether this peer is judged.
    pub(crate) fn has(&self, peer: &str) -> bool {
        match self {
            Self::Anybody => true,
            Self::Named(peers) => peers.contains(peer),
        }
    }
}

/// Who sits where, as it was seen at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Desks {
    me: Option<MonitorName>,
    /// The others that live.
    others: Vec<MonitorName>,
    is_shared: bool,
    is_isolated: bool,
    is_serving: bool,
    lineup: Lineup,
}

/// What changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum News {
    Nothing,
    /// Alerts may be told of elsewhere from now on.
    Lost,
    /// Alerts may be told of here from now on.
    Gained,
}

impl Office {
    /// Looks who is there.
    pub(super) fn look(&mut self, now: Instant, observatory: &Observatory) -> News {
        let desks = observatory.read(|machine| Desks {
            me: Some(machine.me().clone()),
            others: {
                let others = machine.roster().into_iter().skip(1);
                let live = others.filter(|seat| seat.liveness == Liveness::Live);
                live.map(|seat| seat.name).collect()
            },
            is_shared: machine.has_company(),
            is_isolated: machine.is_isolated(),
            is_serving: machine.is_serving_now(),
            lineup: machine.lineup(),
        });
        self.note(now, desks)
    }

    fn note(&mut self, now: Instant, desks: Desks) -> News {
        if desks != self.desks {
            let mut before = std::mem::replace(&mut self.desks, desks);
            // Whoever has just started cannot know who told so far: in a group it was not this one.
            before.is_shared |= before.me.is_none();
            let alone = !self.desks.is_shared || !before.is_shared;
            self.before = (!alone).then_some(before);
            self.takes_over_at = Some(match alone {
                true => now,
                false => now.after(HANDOVER),
            });
            if !alone {
                return News::Lost;
            }
        }
        match self.takes_over_at {
            Some(at) if at <= now => {
                self.takes_over_at = None;
                self.before = None;
                News::Gained
            }
            Some(_) | None => News::Nothing,
        }
    }

    /// Whether there are other monitors.
    pub(super) const fn is_shared(&self) -> bool {
        self.desks.is_shared
    }

    /// The other monitors that live.
    pub(super) fn colleagues(&self) -> Vec<MonitorName> {
        match self.desks.is_shared {
            true => self.desks.others.clone(),
            false => Vec::new(),
        }
    }

    /// Notes which peers a monitor judges; none that it is not known any more. Tells whether that
    /// is news.
    pub(super) fn note_roll(&mut self, of: &MonitorName, roll: Option<Roll>) -> bool {
        match roll {
            Some(roll) if self.rolls.get(of) == Some(&roll) => false,
            Some(roll) => {
                self.rolls.insert(of.clone(), roll);
                true
            }
            None => self.rolls.remove(of).is_some(),
        }
    }

    /// Notes which peers this monitor judges. Tells whether that is news.
    pub(super) fn note_own_roll(&mut self, roll: Option<Roll>) -> bool {
        let me = self.desks.me.clone();
        me.is_some_and(|me| self.note_roll(&me, roll))
    }

    /// Who tells of the alerts of a subject that monitors share.
    pub(super) fn duty_of(&self, subject: &Subject) -> Duty {
        match subject {
            Subject::Target(target) => self.duty(target),
            Subject::Peer(peer) => self.handed_over(|desks| desks.duty_of_peer(peer, &self.rolls)),
        }
    }

    /// Who tells of the alerts of a target that monitors share.
    pub(super) fn duty(&self, target: &str) -> Duty {
        self.handed_over(|desks| desks.duty(target))
    }

    fn handed_over(&self, find: impl Fn(&Desks) -> Duty) -> Duty {
        let duty = find(&self.desks);
        let before = self.before.as_ref().map(find);
        match duty == Duty::Here && before.is_some_and(|before| before != Duty::Here) {
            true => Duty::There(None),
            false => duty,
        }
    }
}

impl Desks {
    fn duty(&self, target: &str) -> Duty {
        if !self.is_shared {
            return Duty::Here;
        }
        self.duty_with(self.lineup.observers(target).first().copied())
    }

    fn duty_of_peer(&self, peer: &str, rolls: &BTreeMap<MonitorName, Roll>) -> Duty {
        if !self.is_shared {
            return Duty::Here;
        }
        let judges = |name: &MonitorName| rolls.get(name).is_some_and(|roll| roll.has(peer));
        let first = self.lineup.teller(peer, judges);
        // Where nobody judges it any more, somebody is to say that it is over.
        self.duty_with(first.or_else(|| self.lineup.teller(peer, |_| true)))
    }

    fn duty_with(&self, owner: Option<&MonitorName>) -> Duty {
        match owner {
            // Who is cut off cannot know who else tells.
            _ if self.is_isolated => Duty::There(None),
            Some(_) if owner == self.me.as_ref() => match self.is_serving {
                true => Duty::Here,
                false => Duty::There(None),
            },
            Some(_) | None => Duty::There(owner.cloned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use auscult_core::monitor::observers::{Observers, ObserversConfig, Seat};

    use super::*;

    /// Desks of this monitor with a lineup of its own alone, so that it owns every target.
    fn desks(shared: bool) -> Desks {
        let name = |text: &str| MonitorName::new(text).unwrap();
        let config = ObserversConfig::server();
        let mut machine = Observers::new(config, name("m1"), 1, Instant::ORIGIN);
        let mate = Seat {
            name: name("m2"),
            liveness: Liveness::Gone,
        };
        let mates: &[Seat] = if shared { &[mate] } else { &[] };
        machine.set_roster(Instant::ORIGIN, mates);
        let later = Instant::from_secs(60);
        machine.tick(later);
        Desks {
            me: Some(name("m1")),
            others: Vec::new(),
            is_shared: shared,
            is_isolated: false,
            is_serving: true,
            lineup: machine.lineup(),
        }
    }

    #[test]
    fn who_has_just_started_in_a_group_lets_others_say_first_what_they_told() {
        let mut office = Office::default();
        assert_eq!(office.note(Instant::ORIGIN, desks(true)), News::Lost);
        assert_eq!(office.duty("web"), Duty::There(None));
        let early = Instant::ORIGIN.after(HANDOVER - Duration::from_millis(1));
        assert_eq!(office.note(early, desks(true)), News::Nothing);
        assert_eq!(office.duty("web"), Duty::There(None));
        let now = Instant::ORIGIN.after(HANDOVER);
        assert_eq!(office.note(now, desks(true)), News::Gained);
        assert_eq!(office.duty("web"), Duty::Here);
    }

    #[test]
    fn who_is_alone_tells_from_its_start_on() {
        let mut office = Office::default();
        assert_eq!(office.note(Instant::ORIGIN, desks(false)), News::Gained);
        assert_eq!(office.duty("web"), Duty::Here);
    }
}
