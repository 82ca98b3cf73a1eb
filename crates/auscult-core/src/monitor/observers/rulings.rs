//! What the owner of a target finds, announces and tells.

use alloc::string::ToString;
use alloc::sync::Arc;

use super::panel::Tally;
use super::verdict::{Ruling, Turn, Verdict};
use super::{ME, Observers, Output, Presence, Teller, rendezvous};
use crate::id::TargetId;

impl Observers {
    /// Looks anew at what the reports about a target add up to, if that is for this monitor to do.
    pub(super) fn evaluate(&mut self, target: &TargetId) {
        let observers = self.observers_of(target);
        let owns = observers.first() == Some(&ME)
            && self.presence == Presence::Serving
            && !self.isolated
            && self.has_company();
        let Some(panel) = self.panels.get_mut(target) else {
            return;
        };
        let owns = owns && panel.watched;
        let took_over = owns && !panel.owned;
        panel.owned = owns;
        if !owns {
            panel.candidate = None;
            self.settling.remove(target);
            return;
        }
        if took_over {
            self.counters.taken_over += 1;
            // Who knows better says so.
            self.tell_all(target);
        }
        self.finish(target);
        self.rule(target, &observers);
    }

    /// Brings to its end what was announced and not told: by this monitor, or by an owner before.
    fn finish(&mut self, target: &TargetId) {
        let me = self.me().clone();
        let Some(panel) = self.panels.get_mut(target) else {
            return;
        };
        if panel.ruling.told {
            return;
        }
        if panel.ruling.owner != me {
            panel.ruling.owner = me;
            panel.held_by = 1 << ME;
            self.tell_all(target);
        }
        self.conclude(target);
    }

    /// Counts what the observers say, and announces what is new.
    fn rule(&mut self, target: &TargetId, observers: &[usize]) {
        let tally = self.tally(target, observers);
        let Some(panel) = self.panels.get_mut(target) else {
            return;
        };
        if !panel.ruling.told {
            return;
        }
        let found = tally.find();
        let verdict = match found {
            Ok(verdict) if verdict != panel.ruling.verdict => verdict,
            Ok(_) | Err(_) => {
                panel.candidate = None;
                self.settling.remove(target);
                return;
            }
        };
        if is_soft(panel.ruling.verdict, verdict) {
            let since = match panel.candidate {
                Some((before, since)) if before == verdict => since,
                Some(_) | None => self.now,
            };
            panel.candidate = Some((verdict, since));
            if self.now.since(since) < self.config.settle {
                self.settling.insert(target.clone());
                return;
            }
        }
        panel.candidate = None;
        self.settling.remove(target);
        self.announce(target, verdict, &tally);
    }

    /// What the observers say, but for those whose reports are known to be wrong.
    pub(super) fn tally(&self, target: &str, observers: &[usize]) -> Tally {
        let isolated = self.arrangement.isolated;
        let counted = observers.iter().copied();
        let counted: alloc::vec::Vec<usize> =
            counted.filter(|slot| isolated >> slot & 1 == 0).collect();
        let panel = self.panels.get(target);
        panel.map_or_else(Tally::default, |panel| {
            panel.count(&counted, self.arrangement.fresh)
        })
    }

    fn announce(&mut self, target: &TargetId, verdict: Verdict, tally: &Tally) {
        let text = tally.describe(verdict, |slot| self.peers[slot].name.to_string());
        let (me, now) = (self.me().clone(), self.now);
        let begins = self.epoch.saturating_add(self.millis());
        let Some(panel) = self.panels.get_mut(target) else {
            return;
        };
        let before = &panel.ruling;
        let epoch = match before.turn.number {
            0 => begins,
            _ => before.turn.epoch,
        };
        panel.ruling = Ruling {
            turn: Turn {
                epoch,
                number: before.turn.number + 1,
            },
            from: before.verdict,
            verdict,
            owner: me,
            at: now,
            text: Arc::from(text),
            told: false,
        };
        panel.held_by = 1 << ME;
        self.tell_all(target);
        self.conclude(target);
    }

    /// Tells what was announced once enough monitors have it.
    pub(super) fn conclude(&mut self, target: &TargetId) {
        let group = self.arrangement.group;
        let live = self.arrangement.serving | self.arrangement.arriving;
        let me = self.me().clone();
        let Some(panel) = self.panels.get_mut(target) else {
            return;
        };
        if panel.ruling.told || panel.ruling.owner != me || !panel.owned {
            return;
        }
        let held_by = panel.held_by & group;
        let twice = held_by.count_ones() * 2;
        let half_that_lives = twice == group.count_ones() && live & !held_by == 0;
        if twice <= group.count_ones() && !half_that_lives {
            return;
        }
        panel.ruling.told = true;
        let ruling = panel.ruling.clone();
        self.counters.told += 1;
        self.outputs.push_back(Output::Told {
            target: target.clone(),
            ruling,
            teller: Teller::Here,
        });
        self.tell_all(target);
    }

    /// Takes a ruling of another monitor, or says that another one is known here.
    pub(super) fn merge(&mut self, from: usize, target: &TargetId, theirs: Ruling) -> Merged {
        let now = self.now;
        let recent = now.since(theirs.at) <= self.config.fresh * 3;
        let Some(panel) = self.panels.get_mut(target) else {
            return Merged::Taken;
        };
        let mine = &mut panel.ruling;
        let same = theirs.turn == mine.turn && theirs.verdict == mine.verdict;
        if !same && !supersedes(target, &theirs, mine) {
            return Merged::Refused;
        }
        let known_before = mine.turn.number > 0;
        let news = theirs.told && !(same && mine.told);
        if same {
            mine.told |= theirs.told;
            panel.held_by |= 1 << from;
        } else {
            *mine = theirs;
            panel.held_by = 1 << ME | 1 << from;
            panel.candidate = None;
        }
        if news && (known_before || recent) {
            self.outputs.push_back(Output::Told {
                target: target.clone(),
                ruling: panel.ruling.clone(),
                teller: Teller::Elsewhere,
            });
        }
        Merged::Taken
    }
}

/// What became of another monitor's ruling.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Merged {
    Taken,
    Refused,
}

/// Whether a ruling takes the place of another one. Of two with the same number the one that was
/// told stays; else that of the monitor with the greater weight, so that all agree.
fn supersedes(target: &str, theirs: &Ruling, mine: &Ruling) -> bool {
    let weight = |ruling: &Ruling| rendezvous::weight(target, &ruling.owner);
    theirs.turn > mine.turn
        || theirs.turn == mine.turn && (theirs.told, weight(theirs)) > (mine.told, weight(mine))
}

/// Whether observers that only see the same thing at different moments look like this.
const fn is_soft(from: Verdict, to: Verdict) -> bool {
    matches!(
        (from, to),
        (_, Verdict::PartiallyReachable) | (Verdict::PartiallyReachable, Verdict::Up)
    )
}
