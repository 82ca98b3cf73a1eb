//! Who observes a target: rendezvous hashing, so that every monitor finds the same answer without
//! asking, and a monitor that goes takes only its own targets with it.
//!
//! Each pair of a target and a monitor has a weight; the monitors of a target stand in the order of
//! their weights, the greatest first. The weight is written down here once and for all, as monitors
//! of different versions must agree on it: FNV-1a of 64 bits over the bytes of the target's name,
//! one byte `ff` (which no name has, as names are UTF-8), and the bytes of the monitor's name,
//! finished with SplitMix64's finaliser, because FNV alone spreads names that differ in their last
//! letter badly.

use super::super::hash::mix;

/// The weight of a monitor for a target. Equal for all monitors on average.
#[must_use]
pub fn weight(target: &str, monitor: &str) -> u64 {
    let hash = fold(FNV_OFFSET, target.as_bytes());
    let hash = fold(hash, &[0xff]);
    mix(fold(hash, monitor.as_bytes()))
}

/// Puts monitors into the order in which they are to observe a target. Names that weigh the same
/// stand in the order of the alphabet.
pub fn arrange<'a, T>(target: &str, monitors: &mut [T], name: impl Fn(&T) -> &'a str) {
    monitors.sort_by(|a, b| {
        let (a, b) = (name(a), name(b));
        let heavier = weight(target, b).cmp(&weight(target, a));
        heavier.then_with(|| a.cmp(b))
    });
}

fn fold(hash: u64, bytes: &[u8]) -> u64 {
    let step = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(FNV_PRIME);
    bytes.iter().fold(hash, step)
}

const FNV_OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
const FNV_PRIME: u64 = 0x0000_0100_0000_01b3;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::format;
    use std::string::String;
    use std::vec::Vec;

    fn order(target: &str, monitors: &[String]) -> Vec<String> {
        let mut names: Vec<&str> = monitors.iter().map(|name| &**name).collect();
        arrange(target, &mut names, |name| name);
        names.into_iter().map(String::from).collect()
    }

    /// Monitors of another version must find the same order: these values never change.
    #[test]
    fn weights_are_what_is_written_down() {
        assert_eq!(weight("web", "m1"), GOLDEN[0]);
        assert_eq!(weight("web", "m2"), GOLDEN[1]);
        assert_eq!(weight("web", "m3"), GOLDEN[2]);
        assert_eq!(weight("", ""), GOLDEN[3]);
        // The border between the names counts.
        assert_ne!(weight("ab", "c"), weight("a", "bc"));
    }

    #[test]
    fn every_monitor_gets_its_share() {
        let monitors: Vec<String> = (0..5).map(|n| format!("monitor-{n}")).collect();
        let mut firsts = [0_u32; 5];
        for n in 0..10_000 {
            let first = order(&format!("server{n}"), &monitors)[0].clone();
            let place = monitors.iter().position(|name| *name == first);
            firsts[place.expect("one of them")] += 1;
        }
        for share in firsts {
            // Five standard deviations around 2,000.
            assert!(share.abs_diff(2_000) < 200, "{firsts:?}");
        }
    }

    proptest! {
        /// When one goes, the others keep their order: only what it observed moves, and to the one
        /// who stood next.
        #[test]
        fn when_a_monitor_goes_only_its_targets_move(
            count in 2_usize..12,
            gone: prop::sample::Index,
            target in "[a-z0-9./-]{1,20}",
        ) {
            let monitors: Vec<String> = (0..count).map(|n| format!("m{n}")).collect();
            let before = order(&target, &monitors);
            let gone = gone.get(&monitors);
            let left: Vec<String> = monitors.iter().filter(|name| *name != gone).cloned().collect();
            let expected: Vec<String> = before.into_iter().filter(|name| name != gone).collect();
            prop_assert_eq!(order(&target, &left), expected);
        }

        /// The order does not depend on the order in which somebody lists the monitors.
        #[test]
        fn the_order_is_the_targets_alone(mut names in prop::collection::vec("[a-c]{1,4}", 1..8)) {
            let before = order("web", &names);
            names.reverse();
            prop_assert_eq!(before, order("web", &names));
        }
    }

    /// Computed by another program.
    const GOLDEN: [u64; 4] = [
        0x112e_f83c_4e1f_d636,
        0xed72_64c7_0518_10bf,
        0x1088_01b0_e3de_269d,
        0x4f2d_b50f_1240_40cd,
    ];
}
