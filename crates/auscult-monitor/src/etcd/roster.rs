//! The monitors that use the settings: those that stand under a lease, and those that did lately.
//!
//! One whose lease ended without a goodbye is remembered for a while as a part of the group. So of
//! monitors of which some are cut off from etcd and from the others, the few do not take themselves
//! for the whole group: they are isolated, as they would be with settings of their own.

use std::collections::BTreeMap;
use std::time::Duration;

use auscult_core::time::Instant;

use super::layout::Present;
use crate::shared::{Monitor, MonitorId};

/// How long one is remembered whose lease ended: longer than a machine takes to start again, and
/// than most cuts of a network.
const REMEMBERED: Duration = Duration::from_secs(600);

/// A monitor as it stands in etcd.
#[derive(Clone, Debug)]
pub(super) struct Found {
    pub(super) id: MonitorId,
    pub(super) present: Present,
    /// The cluster's revision at which it was last written.
    pub(super) written: u64,
}

/// Those of the last read, and those that are remembered.
#[derive(Debug, Default)]
pub(super) struct Roster {
    seats: BTreeMap<MonitorId, Seat>,
    /// Another monitor that bears the name of this one, and lives.
    pub(super) namesake: Option<Monitor>,
}

#[derive(Debug)]
pub(super) struct Seat {
    pub(super) present: Present,
    written: u64,
    /// When it was first found to be gone.
    pub(super) lapsed_at: Option<Instant>,
}

impl Roster {
    /// Takes what was read, for the monitor of that id and name.
    pub(super) fn read(&mut self, now: Instant, id: MonitorId, name: &str, found: Vec<Found>) {
        for seat in self.seats.values_mut() {
            seat.lapsed_at.get_or_insert(now);
        }
        let own = found.iter().find(|found| found.id == id);
        // One that ended is not written any more; one that lives is, again and again.
        let own = own.map(|own| own.written);
        self.namesake = None;
        for found in found {
            let is_namesake = found.present.monitor.name == name && found.id != id;
            if is_namesake && own.is_some_and(|own| own < found.written) {
                self.namesake = Some(found.present.monitor.clone());
            }
            if found.present.leaving || is_namesake || found.id == id {
                self.seats.remove(&found.id);
                continue;
            }
            let seat = Seat {
                present: found.present,
                written: found.written,
                lapsed_at: None,
            };
            self.seats.insert(found.id, seat);
        }
        let mut newest: BTreeMap<String, u64> = BTreeMap::new();
        for seat in self.seats.values() {
            let written = newest.entry(seat.present.monitor.name.clone());
            let written = written.or_default();
            *written = seat.written.max(*written);
        }
        self.seats.retain(|_, seat| {
            let is_newest = newest.get(&seat.present.monitor.name) == Some(&seat.written);
            let at = seat.lapsed_at;
            is_newest && at.is_none_or(|at| now.since(at) < REMEMBERED)
        });
    }

    /// The other monitors.
    pub(super) fn others(&self) -> impl Iterator<Item = (MonitorId, &Seat)> {
        self.seats.iter().map(|(id, seat)| (*id, seat))
    }

    /// Whether one of the others has applied anything.
    pub(super) fn has_settings(&self) -> bool {
        self.seats.values().any(|seat| seat.present.applied > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Instant {
        Instant::ORIGIN.after(Duration::from_secs(seconds))
    }

    fn found(id: u64, name: &str, written: u64) -> Found {
        let monitor = Monitor {
            name: name.to_owned(),
            ..Monitor::default()
        };
        let present = Present {
            monitor,
            applied: 1,
            leaving: false,
        };
        let id = MonitorId(id);
        Found {
            id,
            present,
            written,
        }
    }

    fn names(roster: &Roster) -> Vec<(u64, bool)> {
        let others = roster.others();
        others
            .map(|(id, seat)| (id.0, seat.lapsed_at.is_some()))
            .collect()
    }

    const ME: MonitorId = MonitorId(1);

    #[test]
    fn one_whose_lease_ended_is_remembered_for_a_while() {
        let mut roster = Roster::default();
        let all = vec![found(1, "m1", 5), found(2, "m2", 6), found(3, "m3", 7)];
        roster.read(at(0), ME, "m1", all.clone());
        assert_eq!(names(&roster), [(2, false), (3, false)]);
        roster.read(at(1), ME, "m1", all[..2].to_vec());
        assert_eq!(names(&roster), [(2, false), (3, true)]);
        roster.read(at(2), ME, "m1", all.clone());
        assert_eq!(names(&roster), [(2, false), (3, false)], "it came back");
        roster.read(at(3), ME, "m1", all[..2].to_vec());
        roster.read(at(700), ME, "m1", all[..2].to_vec());
        assert_eq!(names(&roster), [(2, false)]);
    }

    #[test]
    fn one_that_said_goodbye_is_no_part_any_more() {
        let mut roster = Roster::default();
        let mut all = vec![found(2, "m2", 6)];
        roster.read(at(0), ME, "m1", all.clone());
        all[0].present.leaving = true;
        roster.read(at(1), ME, "m1", all);
        assert_eq!(names(&roster), []);
        roster.read(at(2), ME, "m1", Vec::new());
        assert_eq!(names(&roster), []);
    }

    #[test]
    fn one_that_started_again_takes_the_place_of_what_it_was_before() {
        let mut roster = Roster::default();
        roster.read(at(0), ME, "m1", vec![found(2, "m2", 6)]);
        let both = vec![found(2, "m2", 6), found(9, "m2", 8)];
        roster.read(at(1), ME, "m1", both);
        assert_eq!(names(&roster), [(9, false)]);
    }

    #[test]
    fn a_namesake_that_lives_is_told_from_what_this_one_was_before() {
        let mut roster = Roster::default();
        let before = vec![found(7, "m1", 4), found(1, "m1", 5)];
        roster.read(at(0), ME, "m1", before);
        assert!(roster.namesake.is_none());
        let lives = vec![found(7, "m1", 6), found(1, "m1", 5)];
        roster.read(at(1), ME, "m1", lives);
        assert!(roster.namesake.is_some());
        assert_eq!(names(&roster), []);
    }
}
