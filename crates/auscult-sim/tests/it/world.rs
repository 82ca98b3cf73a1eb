//! Groups for the tests.

use std::time::Duration;

use auscult_core::swim::{EventKind, Label, Params};
use auscult_core::time::Instant;
use auscult_sim::{Interest, Observed, World, WorldConfig};

pub(crate) const SECOND: Duration = Duration::from_secs(1);

pub(crate) fn lan() -> Params {
    Params::lan(Label::new("test").unwrap())
}

/// So many members that all know each other.
pub(crate) fn joined(count: usize, seed: u64) -> World {
    let mut world = World::new(WorldConfig::new(lan(), seed));
    world.add_many(count);
    settle(&mut world, 60);
    world
}

/// Lets time pass until all agree, and some more.
pub(crate) fn settle(world: &mut World, seconds: u64) -> Duration {
    let began = world.now();
    let limit = began.after(Duration::from_secs(seconds));
    let agreed = world.run_until_or(limit, SECOND / 10, World::agreed);
    let agreed = agreed.unwrap_or_else(|| panic!("no agreement: seed {}", world.seed()));
    world.run_for(10 * SECOND);
    agreed.since(began)
}

/// Who convicted whom and when, while `run` ran.
pub(crate) fn convictions(
    world: &mut World,
    run: impl FnOnce(&mut World),
) -> Vec<(usize, String, Instant)> {
    world.listen(Interest::EVENTS);
    run(world);
    world.listen(Interest::NONE);
    let mut found = Vec::new();
    while let Some(observation) = world.poll_observation() {
        if let Observed::Event { observer, event } = observation.kind
            && let EventKind::Failed { .. } = event.kind
        {
            found.push((observer, event.member.as_str().into(), observation.at));
        }
    }
    found
}
