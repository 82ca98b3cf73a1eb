//! What must always be true of the machine: for tests and simulations, as it looks at everything.

use super::member::State;
use super::members::ME;
use super::{Stage, Swim};
use crate::bounds::{METADATA_ASKS_MAX, SEEDS_MAX};

impl Swim {
    /// Proves that the parts of the machine agree with each other. Looks at every member.
    ///
    /// # Panics
    /// When they do not, which is a bug of the machine.
    pub fn check_invariants(&self) {
        self.members.check_invariants();
        self.suspicions.check_invariants();
        self.queue.check_invariants();
        self.metadata_news.check_invariants();
        self.broadcasts.check_invariants();
        assert!(self.metadata_news.len() <= self.members.len());
        assert!(self.metadata_asks.len() <= METADATA_ASKS_MAX);
        self.probes.check_invariants();
        self.relays.check_invariants();
        self.exchanges.check_invariants();
        self.links.check_invariants();
        self.flapping.check_invariants();
        self.moves.check_invariants();
        let (mut suspects, mut gone) = (0, 0);
        for (slot, entry) in self.members.entries() {
            let suspect = entry.claim().state == State::Suspect;
            assert_eq!(
                suspect,
                self.suspicions.get(slot).is_some(),
                "{}",
                entry.name
            );
            suspects += usize::from(suspect);
            if let Some(suspicion) = self.suspicions.get(slot) {
                assert_eq!(suspicion.incarnation, entry.claim().incarnation);
            }
            if slot == ME {
                continue;
            }
            if let Some(at) = self.reap_at(slot) {
                gone += 1;
                assert!(self.reap.contains(&(at, slot)), "{}", entry.name);
            }
        }
        assert_eq!(suspects, self.suspicions.len());
        assert_eq!(gone, self.reap.len());
        assert!(self.suspicions.len() <= self.members.len());
        assert!(self.seeds.len() <= SEEDS_MAX);
        let me = self.members.entry(ME);
        assert_eq!(me.id, self.me);
        let expected = match self.stage {
            Stage::Running => State::Alive,
            Stage::Leaving | Stage::Gone => State::Left,
        };
        assert_eq!(me.claim().state, expected);
        if self.stage == Stage::Leaving {
            assert!(self.gossip_at.is_some(), "who leaves will be gone");
        }
        if self.stage == Stage::Running {
            assert_eq!(self.backlog() == 0, self.gossip_at.is_none());
            assert!(
                self.wake.is_some_and(|(at, _)| at > self.now),
                "what is due now is done"
            );
        }
    }
}
