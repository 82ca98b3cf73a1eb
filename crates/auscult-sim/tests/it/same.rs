//! The same seed gives the same course of events, with and without the codec.

use std::fmt::Write as _;

use auscult_sim::{
    Deed, Delay, Interest, Loss, Memory, Net, Place, Reordering, Rule, Stall, Who, Wire, World,
    WorldConfig,
};
use std::time::Duration;

use crate::world::{SECOND, lan};

/// Everything that can be seen of a group to which a lot happens, as text.
fn trace(seed: u64, wire: Wire) -> String {
    let mut config = WorldConfig::new(lan(), seed);
    config.wire = wire;
    config.net = Net {
        delay: Delay::LogNormal {
            median: Duration::from_millis(1),
            sigma: 1.0,
        },
        loss: Loss::Independent(0.05),
        duplication: 0.02,
        reordering: Some(Reordering {
            fraction: 0.05,
            by: Duration::from_millis(50),
        }),
    };
    let mut world = World::new(config);
    world.listen(Interest::ALL);
    world.add_many(12);
    world.run_for(20 * SECOND);
    world.stall(3, Stall::Process);
    world.crash(4);
    world.impose(Rule::partition(vec![Who::these(0..3), Who::these(5..12)]));
    world.run_for(30 * SECOND);
    world.heal();
    world.resume(3);
    world.restart(4, Memory::Kept, Place::OtherPort);
    world.join(4, &[0, 1]);
    world.perform(Deed::Leave { member: 5 });
    world.run_for(30 * SECOND);
    let mut text = String::new();
    while let Some(mut observation) = world.poll_observation() {
        if let auscult_sim::Observed::Sent { bytes, .. } = &mut observation.kind {
            *bytes = 0;
        }
        writeln!(text, "{} {:?}", observation.at, observation.kind).unwrap();
    }
    text
}

#[test]
fn the_same_seed_gives_the_same_bytes() {
    let first = trace(1, Wire::Typed);
    assert!(first.lines().count() > 2_000);
    assert!(first == trace(1, Wire::Typed));
    assert!(first != trace(2, Wire::Typed));
}

#[test]
fn messages_as_bytes_change_nothing() {
    assert!(trace(3, Wire::Typed) == trace(3, Wire::Codec));
}
