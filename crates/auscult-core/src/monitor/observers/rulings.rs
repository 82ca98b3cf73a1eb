//! What the owner of a target finds, announces and tells.

use alloc::boxed::Box;
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
        let ruling = Ruling {
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
        let before = core::mem::replace(&mut panel.ruling, ruling);
        panel.before = Some(Box::new(before));
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
        panel.before = None;
        let ruling = panel.ruling.clone();
        self.counters.told += 1;
        self.outputs.push_back(Output::Told {
            target: target.clone(),
            ruling,
            teller: Teller::Here,
        });
        self.tell_all(target);
    }

    /// Whether a ruling takes the place of another one.
    ///
    /// Two owners may announce under the same number while they do not know of each other. Of
    /// those rulings only one may be told, so whoever has one keeps it, until it is told that the
    /// other one was, or until who announced it says otherwise. Of those who announced, the one
    /// with the smaller weight yields; and who is alive yields to who is gone, as that one may
    /// have told its ruling. The first rulings on a target that were made at about the same time
    /// are such, too: each owner began to count by its own clock.
    fn supersedes(&self, from: usize, target: &str, theirs: &Ruling, mine: &Ruling) -> bool {
        let both_first = theirs.turn.number == 1 && mine.turn.number == 1;
        let apart = theirs.at.since(mine.at).max(mine.at.since(theirs.at));
        let began_together = both_first && apart < self.config.return_delay;
        let both_told = theirs.told && mine.told;
        if theirs.turn != mine.turn && (both_told || !began_together) {
            return theirs.turn > mine.turn;
        }
        if theirs.told != mine.told {
            return theirs.told;
        }
        let weight = |ruling: &Ruling| rendezvous::weight(target, &ruling.owner);
        let heavier = weight(theirs) > weight(mine);
        if mine.told {
            return heavier;
        }
        if mine.owner == *self.me() {
            let owner = self.slot(&theirs.owner);
            let gone = owner.is_none_or(|slot| !self.peers[slot].live);
            return heavier || gone;
        }
        mine.owner == self.peers[from].name
    }

    /// Takes back what this monitor announced and nobody is known to have: it was cut off, and
    /// what it found then may not be so when it is heard again.
    pub(super) fn withdraw(&mut self) {
        for panel in self.panels.values_mut() {
            if !panel.ruling.told
                && panel.held_by == 1 << ME
                && let Some(before) = panel.before.take()
            {
                panel.ruling = *before;
            }
        }
    }

    /// Takes a ruling of another monitor, or says that another one is known here.
    pub(super) fn merge(&mut self, from: usize, target: &TargetId, theirs: Ruling) -> Merged {
        let recent = self.now.since(theirs.at) <= self.config.fresh * 3;
        let Some(known) = self.panels.get(target) else {
            return Merged::Taken;
        };
        let same = theirs.turn == known.ruling.turn && theirs.verdict == known.ruling.verdict;
        if !same && !self.supersedes(from, target, &theirs, &known.ruling) {
            return Merged::Refused;
        }
        let yields = !same && !known.ruling.told && known.ruling.owner == *self.me();
        if yields {
            // Those who have it from here must hear that it does not stand.
            self.tell_all(target);
        }
        let Some(panel) = self.panels.get_mut(target) else {
            return Merged::Taken;
        };
        let mine = &mut panel.ruling;
        let known_before = mine.turn.number > 0;
        let news = theirs.told && !(same && mine.told);
        if same {
            mine.told |= theirs.told;
            panel.held_by |= 1 << from;
        } else {
            *mine = theirs;
            panel.before = None;
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

/// Whether observers that only see the same thing at different moments look like this.
const fn is_soft(from: Verdict, to: Verdict) -> bool {
    matches!(
        (from, to),
        (_, Verdict::PartiallyReachable) | (Verdict::PartiallyReachable, Verdict::Up)
    )
}
