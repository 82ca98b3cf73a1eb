//! How many messages one second of a core delivers; time that others had the core is not counted:
//! `cargo run --release -p auscult-sim --example throughput -- 1000 60` (members, virtual seconds).
#![expect(clippy::print_stdout, reason = "an example prints what it measured")]

use std::time::Duration;

use auscult_core::swim::{Label, Params};
use auscult_sim::{Interest, World, WorldConfig};

fn main() -> Result<(), auscult_core::id::IdError> {
    let mut numbers = std::env::args().skip(1).flat_map(|text| text.parse().ok());
    let members = numbers.next().unwrap_or(1_000_usize);
    let seconds = numbers.next().unwrap_or(60) as u64;
    let params = Params::lan(Label::new("throughput")?);
    let mut world = World::new(WorldConfig::new(params, 1));
    world.listen(Interest::NONE);
    let began = busy();
    world.add_many(members);
    let limit = world.now().after(Duration::from_secs(600));
    let agreed = world.run_until_or(limit, Duration::from_millis(500), World::agreed);
    report("joining", &world, 0, Duration::ZERO, busy() - began);
    if agreed.is_none() {
        println!("no agreement after 600 s");
    }
    world.run_for(Duration::from_secs(30));
    for _ in 0..QUIET_SPANS {
        let (before, at) = (world.traffic().delivered, world.now());
        let began = busy();
        world.run_for(Duration::from_secs(seconds));
        let span = at.since(auscult_core::time::Instant::ORIGIN);
        report("quiet", &world, before, span, busy() - began);
    }
    let (before, at) = (world.traffic().delivered, world.now());
    let began = busy();
    for place in (1..members).step_by(members.div_ceil(20)) {
        world.crash(place);
    }
    world.run_for(Duration::from_secs(seconds));
    let span = at.since(auscult_core::time::Instant::ORIGIN);
    report("20 crashes", &world, before, span, busy() - began);
    Ok(())
}

/// Who else uses the machine's memory makes some spans slow: the best one says what it can do.
const QUIET_SPANS: usize = 8;

/// How long this thread had a core.
fn busy() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanos = text.split(' ').next().and_then(|nanos| nanos.parse().ok());
    Duration::from_nanos(nanos.unwrap_or(0))
}

fn report(what: &str, world: &World, before: u64, since: Duration, real: Duration) {
    let delivered = world.traffic().delivered - before;
    let virtual_time = world.now().since(auscult_core::time::Instant::ORIGIN) - since;
    println!(
        "{what:12} {:9.1} s in {:7.3} s, {delivered:9} messages, {:7.0} thousand a second",
        virtual_time.as_secs_f64(),
        real.as_secs_f64(),
        delivered as f64 / real.as_secs_f64() / 1e3,
    );
}
