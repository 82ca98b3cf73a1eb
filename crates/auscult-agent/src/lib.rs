//! Membership for a process: `auscult_core::swim` with sockets, a clock and a handle.
//!
//! # Use
//! ```
//! use auscult_agent::{Agent, AgentConfig};
//! use auscult_core::swim::{Label, MemberName, Params};
//!
//! # let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
//! # runtime.block_on(async {
//! let start = |name: &str| {
//!     let params = Params::local(Label::new("shop").unwrap());
//!     let name = MemberName::new(name).unwrap();
//!     Agent::start(AgentConfig::new(name, ([127, 0, 0, 1], 0).into(), params))
//! };
//! let (first, second) = (start("web-1").await?, start("web-2").await?);
//! let results = second.join(&[first.address().to_string()]).await;
//! assert!(results[0].outcome.is_ok());
//! assert!(second.members().get("web-1").is_some());
//! second.leave().await;
//! # Ok::<(), auscult_agent::StartError>(())
//! # }).unwrap();
//! ```
//!
//! # Shape
//! One task owns the machine, the UDP socket and the timer (`driver`); nothing is locked. Streams
//! are short tasks that hand requests in and answers out, bounded in number, bytes and time.
//! Readers see a snapshot of the members ([`AgentHandle::members`]) and a ring of events
//! ([`AgentHandle::events`]); nothing that a reader does holds up the protocol.

mod carrier;
pub mod clock;
mod config;
mod counters;
mod driver;
mod event;
pub mod events;
#[cfg(feature = "grpc")]
pub mod grpc;
mod handle;
#[cfg(feature = "http")]
pub mod http;
mod join;
pub mod keys;
pub mod layers;
pub mod links;
mod members;
mod metric;
mod record;
pub mod roles;
mod sentence;
mod stream;
mod udp;
pub mod whole_file;

pub use config::{AgentConfig, StartError, Transport};
pub use counters::Counters;
pub use event::{AgentEvent, RejectReason, Rejection};
pub use events::EventLog;
pub use handle::{Agent, AgentHandle, Broadcast, Ending, Refused, Stopped};
pub use join::{JoinFailure, JoinResult};
pub use members::{Member, Members};
pub use metric::{MetricRefusal, MetricReject};
pub use record::RecordError;
