//! What must always be true of the machine: for tests and simulations, as it looks at everything.

use super::key::AlertId;
use super::{Alerts, Timer};

impl Alerts {
    /// Proves that the parts of the machine agree with each other. Looks at every alert.
    ///
    /// # Panics
    /// When they do not, which is a bug of the machine.
    pub fn check_invariants(&self) {
        assert!(self.unsettled.is_empty() && self.stirred.is_empty());
        if let Some((at, timer)) = self.timers.first() {
            assert!(*at > self.now, "{timer:?} was due at {at}");
        }
        for (&id, row) in &self.rows {
            let record = &row.record;
            assert_eq!(AlertId::of(&record.key), id);
            let linked = self.subjects.get(&record.key.subject);
            assert!(linked.is_some_and(|ids| ids.contains(&id)), "{id}");
            let wake = row.wake.map(|at| (at, Timer::Alert(id)));
            assert!(
                wake.is_none_or(|timer| self.timers.contains(&timer)),
                "{id}"
            );
            assert!(row.pending.is_none() || !record.fires(), "{id}");
            for delivery in &record.deliveries {
                let exposed = delivery.exposed.as_ref();
                assert!(delivery.told <= record.episode && delivery.wanted <= record.episode);
                let open = exposed.is_some_and(|e| e.past.is_none());
                let current = exposed.is_some_and(|e| e.episode == record.episode);
                assert!(
                    !open || current && record.fires(),
                    "{id}: an end is forgotten"
                );
                let sending = row.attempt(&delivery.receiver).and_then(|a| a.sending);
                let message = sending.map(|number| self.messages.contains_key(&number));
                assert_ne!(message, Some(false), "{id}: its message is forgotten");
            }
        }
        for (name, lane) in &self.lanes {
            assert!(self.config.receivers.contains_key(name));
            let wake = lane.wake.map(|at| (at, Timer::Lane(name.clone())));
            assert!(wake.is_none_or(|timer| self.timers.contains(&timer)));
            assert!(lane.queue.keys().all(|id| self.rows.contains_key(id)));
            assert!(lane.in_flight.iter().all(|n| self.messages.contains_key(n)));
            // What waits is sent at once, or somebody will look again.
            let free = lane.in_flight.is_empty() && !lane.queue.is_empty();
            assert!(!free || lane.wake.is_some(), "{name} is forgotten");
        }
    }
}
