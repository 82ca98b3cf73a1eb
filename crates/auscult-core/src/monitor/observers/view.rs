//! What can be read of a target that several monitors observe.

use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;

use super::panel::Seen;
use super::verdict::{Held, MonitorName, Ruling, Turn, Verdict};
use super::{Liveness, ME, Observers, Seat, rendezvous};
use crate::id::TargetId;
use crate::time::Instant;

/// A target.
#[derive(Clone, Debug)]
pub struct PanelView {
    /// What stands now: what was told last, or that this monitor is isolated.
    pub verdict: Verdict,
    /// The last ruling that was announced, or the none before the first.
    pub ruling: Ruling,
    /// Who turns the reports into the verdict.
    pub owner: MonitorName,
    /// Whether that is this monitor, and it may own targets now.
    pub is_owned: bool,
    /// Those who observe the target, the owner first.
    pub observers: Vec<ObserverView>,
    /// Why the last verdict stands where no other is found.
    pub held: Option<Held>,
    /// Who says what now.
    pub text: String,
    /// Observers with a fresh report that do not say what most of them say.
    pub dissent: usize,
}

/// What stands of a target, without who says what.
#[derive(Clone, Debug)]
pub struct Standing {
    /// What was told last, or that this monitor is isolated.
    pub verdict: Verdict,
    /// The ruling by which it stands.
    pub turn: Turn,
    /// When that was found.
    pub at: Instant,
    /// Who said what then.
    pub text: Arc<str>,
}

/// One observer of a target.
#[derive(Clone, Debug)]
pub struct ObserverView {
    /// Its name.
    pub monitor: MonitorName,
    /// What it said last, if it said something.
    pub seen: Option<Seen>,
    /// When it was heard last; now for this monitor.
    pub heard_at: Option<Instant>,
    /// Whether its report counts.
    pub fresh: bool,
    /// Whether it calls down most of what others reach, so that it is left out.
    pub isolated: bool,
}

impl Observers {
    /// A target; none where nothing is known of it, or this monitor has no company.
    #[must_use]
    pub fn view(&self, target: &str) -> Option<PanelView> {
        let panel = self.panels.get(target)?;
        if !self.has_company() {
            return None;
        }
        let observers = self.observers_of(target);
        let tally = self.tally(target, &observers);
        let found = tally.find();
        let verdict = match panel.ruling.told {
            _ if self.isolated => Verdict::ObserverIsolated,
            true => panel.ruling.verdict,
            false => panel.ruling.from,
        };
        let owner = observers.first().copied().unwrap_or(ME);
        let text = tally.describe(found.unwrap_or(verdict), |slot| {
            self.peers[slot].name.to_string()
        });
        Some(PanelView {
            verdict,
            ruling: panel.ruling.clone(),
            owner: self.peers[owner].name.clone(),
            is_owned: panel.owned,
            held: found.err(),
            text,
            dissent: tally.dissent(),
            observers: observers
                .iter()
                .map(|&slot| ObserverView {
                    monitor: self.peers[slot].name.clone(),
                    seen: panel.report(slot).cloned(),
                    heard_at: match slot {
                        ME => Some(self.now),
                        _ => self.peers[slot].incoming.heard_at,
                    },
                    fresh: self.arrangement.fresh >> slot & 1 == 1,
                    isolated: self.arrangement.isolated >> slot & 1 == 1,
                })
                .collect(),
        })
    }

    /// What stands of a target that this monitor watches with others.
    #[must_use]
    pub fn standing(&self, target: &str) -> Option<Standing> {
        let panel = self.panels.get(target).filter(|panel| panel.watched)?;
        if !self.has_company() {
            return None;
        }
        let ruling = &panel.ruling;
        let (verdict, number) = match ruling.told {
            true => (ruling.verdict, ruling.turn.number),
            false => (ruling.from, ruling.turn.number.saturating_sub(1)),
        };
        Some(Standing {
            verdict: match self.isolated {
                true => Verdict::ObserverIsolated,
                false => verdict,
            },
            turn: Turn {
                epoch: ruling.turn.epoch,
                number,
            },
            at: ruling.at,
            text: Arc::clone(&ruling.text),
        })
    }

    /// The group, this monitor first.
    #[must_use]
    pub fn roster(&self) -> Vec<Seat> {
        let all = self.peers.iter().filter(|peer| peer.in_group);
        all.map(|peer| Seat {
            name: peer.name.clone(),
            liveness: match peer.live {
                true => Liveness::Live,
                false => Liveness::Gone,
            },
        })
        .collect()
    }

    /// Targets that this monitor owns.
    #[must_use]
    pub fn owned(&self) -> usize {
        self.panels.values().filter(|panel| panel.owned).count()
    }

    /// Who observes which target, to be asked apart from the machine.
    #[must_use]
    pub fn lineup(&self) -> Lineup {
        let names = |of| {
            let slots = self.slots(of);
            slots.map(|slot| self.peers[slot].name.clone()).collect()
        };
        Lineup {
            me: Some(self.me().clone()),
            serving: names(self.arrangement.serving),
            arriving: names(self.arrangement.arriving),
            observers: self.config.observers,
        }
    }

    /// Whether this monitor was told to [watch](Self::watch) a target.
    #[must_use]
    pub fn watches(&self, target: &str) -> bool {
        self.panels.get(target).is_some_and(|panel| panel.watched)
    }

    /// The targets that this monitor was told to [watch](Self::watch).
    #[must_use]
    pub fn watched(&self) -> Vec<TargetId> {
        let watched = self.panels.iter().filter(|(_, panel)| panel.watched);
        watched.map(|(target, _)| target.clone()).collect()
    }
}

/// Who observes which target, at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lineup {
    me: Option<MonitorName>,
    serving: Vec<MonitorName>,
    arriving: Vec<MonitorName>,
    observers: usize,
}

impl Lineup {
    /// Of the monitors for which that holds, the one that tells of something of this name: the
    /// first of those that serve, or of those that arrive where none does.
    #[must_use]
    pub fn teller(&self, name: &str, holds: impl Fn(&MonitorName) -> bool) -> Option<&MonitorName> {
        let first = |names: &'_ [MonitorName]| -> Option<usize> {
            let mut places: Vec<usize> = (0..names.len()).filter(|&n| holds(&names[n])).collect();
            rendezvous::arrange(name, &mut places, |&place| &names[place]);
            places.first().copied()
        };
        let serving = first(&self.serving).map(|place| &self.serving[place]);
        serving.or_else(|| first(&self.arriving).map(|place| &self.arriving[place]))
    }

    /// The observers of a target, its owner first.
    #[must_use]
    pub fn observers(&self, target: &str) -> Vec<&MonitorName> {
        let enough = self.observers.max(1);
        let arranged = |names: &'_ [MonitorName]| -> Vec<usize> {
            let mut places: Vec<usize> = (0..names.len()).collect();
            rendezvous::arrange(target, &mut places, |&place| &names[place]);
            places
        };
        let serving = arranged(&self.serving).into_iter();
        let mut found: Vec<&MonitorName> = serving.map(|place| &self.serving[place]).collect();
        if found.len() < enough {
            let arriving = arranged(&self.arriving).into_iter();
            found.extend(arriving.map(|place| &self.arriving[place]));
        }
        found.truncate(enough);
        found
    }

    /// The observers of a target but for this monitor.
    #[must_use]
    pub fn others(&self, target: &str) -> Vec<&MonitorName> {
        let mut others = self.observers(target);
        others.retain(|name| Some(*name) != self.me.as_ref());
        others
    }

    /// The place of this monitor among the observers of a target, and how many they are; none when
    /// it does not observe the target.
    #[must_use]
    pub fn rank(&self, target: &str) -> Option<(usize, usize)> {
        let observers = self.observers(target);
        let me = self.me.as_ref();
        let place = observers.iter().position(|&name| Some(name) == me)?;
        Some((place, observers.len()))
    }
}
