//! Groups of members in virtual time: the same machine as in production, the faults that one asks
//! for, and the same seed always gives the same course of events.
//!
//! An hour of a hundred members takes seconds. Nothing here knows a clock, a socket or a thread.
//!
//! ```
//! use std::time::Duration;
//! use auscult_core::swim::{EventKind, Label, Params};
//! use auscult_core::time::Instant;
//! use auscult_sim::{Interest, Observed, World, WorldConfig};
//!
//! // Twenty-five members join, and one of them is killed.
//! let params = Params::lan(Label::new("docs").unwrap());
//! let mut world = World::new(WorldConfig::new(params, 7));
//! world.add_many(25);
//! let limit = Instant::from_secs(60);
//! let step = Duration::from_millis(100);
//! world.run_until_or(limit, step, |world| world.agreed()).unwrap();
//!
//! world.listen(Interest::EVENTS);
//! world.crash(7);
//! let crashed = world.now();
//! world.run_for(Duration::from_secs(12));
//!
//! // Every other member says so, and nobody else was convicted.
//! let mut last = Duration::ZERO;
//! let mut verdicts = 0;
//! while let Some(observation) = world.poll_observation() {
//!     if let Observed::Event { event, .. } = observation.kind
//!         && let EventKind::Failed { .. } = event.kind
//!     {
//!         assert_eq!(event.member.as_str(), "m7");
//!         verdicts += 1;
//!         last = observation.at.since(crashed);
//!     }
//! }
//! assert_eq!(verdicts, 24);
//! assert!(last < Duration::from_secs(12));
//! ```
#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod acts;
mod address;
pub mod checker;
mod clock;
mod deed;
mod machine;
mod member;
mod net;
mod observation;
pub mod papers;
mod parcels;
mod queue;
mod run;
pub mod script;
mod ways;
mod workers;
mod world;

pub use checker::{Checker, Finding};
pub use clock::Step;
pub use deed::{Crash, Deed, Memory, Place, RuleId, Stall};
pub use machine::{Birth, Machine};
pub use member::{Power, Traffic};
pub use net::{Bursts, Delay, Loss, Net, Reordering};
pub use observation::{Drop, Interest, Observation, Observed, Payload};
pub use script::{Played, Problems, Script};
pub use ways::{Cycle, Effect, Places, Rule, Ways, Who};
pub use workers::Workers;
pub use world::{Wire, World, WorldConfig};
