//! Nothing is lost, whenever the process is killed.

use crate::world::World;

const SEEDS: u64 = 200;
const STEPS: u64 = 1_500;

#[test]
fn nothing_is_lost_or_told_without_need_whenever_the_process_is_killed() {
    let mut crashes = 0;
    for seed in 0..SEEDS {
        let mut world = World::new(seed, None);
        world.run(STEPS);
        assert!(
            world.findings.is_empty(),
            "seed {seed}: {:?}",
            world.findings
        );
        crashes += world.crashes;
    }
    assert!(crashes > SEEDS * 20, "{crashes}");
}

#[test]
fn the_same_seed_gives_the_same_life() {
    let trace = |seed| {
        let mut world = World::new(seed, None);
        world.run(STEPS / 4);
        world.trace
    };
    assert!(trace(7) == trace(7), "two lives of one seed differ");
    assert!(trace(7) != trace(8));
}
