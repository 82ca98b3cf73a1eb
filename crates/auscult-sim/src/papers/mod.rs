//! Experiments of the papers, with the same machine as in production: what they measured beside
//! what we see. `docs/simulator.md` tells what each one shows.

pub mod lifeguard;
pub mod rapid;
pub mod swim;

use std::time::Duration;

use auscult_core::swim::{Label, Params};
use auscult_core::time::Instant;

use crate::world::World;

/// The parameters of a machine room, in a cluster of their own.
fn lan() -> Params {
    match Label::new("papers") {
        Ok(label) => Params::lan(label),
        Err(error) => panic!("the label is none: {error}"),
    }
}

/// Adds so many members that join at once, and waits until they agree; how long it took.
fn found(world: &mut World, members: usize, limit: Duration) -> Option<Duration> {
    let began = world.now();
    world.add_many(members);
    let limit = began.after(limit);
    let step = Duration::from_millis(100);
    let agreed_at = world.run_until_or(limit, step, World::agreed)?;
    Some(agreed_at.since(began))
}

/// The value that the fraction `share` of all is below; `None` for no values.
fn quantile(values: &mut [f64], share: f64) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let at = (values.len() as f64 * share) as usize;
    values.get(at.min(values.len().checked_sub(1)?)).copied()
}

/// Seconds from the one to the other.
fn seconds(from: Instant, to: Instant) -> f64 {
    to.since(from).as_secs_f64()
}

/// A number, or a dash for none.
fn or_dash(value: Option<f64>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| format!("{value:.2}"))
}
