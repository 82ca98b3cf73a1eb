//! Whose fault it is: isolation of this monitor from its group, and of an observer from its
//! targets; and from when on a monitor that arrives may own targets.

use alloc::vec::Vec;

use super::super::status::Status;
use super::{Health, ME, Observers, Output, Presence};

impl Observers {
    /// Finds out whether this monitor hears enough of its group.
    pub(super) fn find_isolation(&mut self) {
        let group = self.peers.iter().filter(|peer| peer.in_group).count();
        let all = 0..self.peers.len();
        let heard = all
            .filter(|&slot| self.peers[slot].in_group && self.is_heard(slot))
            .count();
        let live = self.peers.iter().filter(|peer| peer.live).count();
        let heard = heard.min(live);
        let enough = heard * 2 >= group;
        let patient = self.now <= self.patient_until;
        let of = group;
        if self.isolated && enough {
            self.isolated = false;
            self.outputs.push_back(Output::Rejoined { heard, of });
        } else if !self.isolated && !enough && !patient {
            self.isolated = true;
            self.outputs.push_back(Output::Isolated { heard, of });
        }
        if !enough && self.presence == Presence::Serving {
            self.presence = Presence::Arriving(self.now);
            self.withdraw();
            self.beat_now();
        }
    }

    /// Finds out whether this monitor may own targets.
    pub(super) fn find_presence(&mut self) {
        let Presence::Arriving(since) = self.presence else {
            return;
        };
        let others = (1..self.peers.len()).filter(|&slot| self.peers[slot].live);
        let others: Vec<usize> = others.collect();
        let knows_all = others
            .iter()
            .all(|&slot| self.is_heard(slot) && self.peers[slot].incoming.complete);
        let nobody_serves = !others.iter().any(|&slot| self.peers[slot].serving);
        let waited = self.now.since(since) >= self.config.return_delay;
        if !self.isolated && (knows_all && nobody_serves || waited) {
            self.presence = Presence::Serving;
            self.beat_now();
        }
    }

    /// Finds observers that call down most of what others reach.
    pub(super) fn look_for_isolated(&mut self) {
        for slot in 0..self.peers.len() {
            let peer = &self.peers[slot];
            let suspicious = peer.downs >= self.config.isolated_targets_min.max(1);
            if !suspicious && !peer.isolated {
                continue;
            }
            let (down, reached) = self.contradicted(slot);
            let share = if self.peers[slot].isolated {
                self.config.isolated_fraction * LIFTS_AT
            } else {
                self.config.isolated_fraction
            };
            let isolated = down >= self.config.isolated_targets_min.max(1)
                && down as f64 >= share * reached as f64;
            if isolated == self.peers[slot].isolated {
                continue;
            }
            self.peers[slot].isolated = isolated;
            let observer = self.peers[slot].name.clone();
            self.outputs.push_back(if isolated {
                Output::ObserverIsolated {
                    observer,
                    down,
                    reached,
                }
            } else {
                Output::ObserverRejoined { observer }
            });
        }
    }

    /// How many targets an observer calls down that most others reach, and how many they reach in
    /// all of those that it has something to say of.
    fn contradicted(&self, slot: usize) -> (usize, usize) {
        let fresh = self.arrangement.fresh & !(1 << slot);
        let (mut down, mut reached) = (0, 0);
        for panel in self.panels.values() {
            let Some(own) = panel.report(slot) else {
                continue;
            };
            let (mut for_it, mut against) = (0, 0);
            for (who, seen) in &panel.reports {
                if fresh >> who & 1 == 0 {
                    continue;
                }
                match seen.status {
                    Status::Up | Status::Late => for_it += 1,
                    Status::Down => against += 1,
                    Status::Paused | Status::Unknown => {}
                }
            }
            if for_it > against {
                match own.status {
                    Status::Down => {
                        down += 1;
                        reached += 1;
                    }
                    Status::Up | Status::Late => reached += 1,
                    Status::Paused | Status::Unknown => {}
                }
            }
        }
        (down, reached)
    }

    /// Whether this monitor tells nothing now because it hears too few others.
    #[must_use]
    pub const fn is_isolated(&self) -> bool {
        self.isolated
    }

    /// Whether this monitor may own targets.
    #[must_use]
    pub fn is_serving_now(&self) -> bool {
        self.presence == Presence::Serving && !self.isolated
    }

    /// Whether this monitor says itself that it is at fault, or calls down most of what others
    /// reach.
    #[must_use]
    pub fn is_at_fault(&self) -> bool {
        self.health == Health::AtFault || self.peers[ME].isolated
    }
}

/// The share at which an observer counts again, of the one at which it did not.
const LIFTS_AT: f64 = 0.75;
