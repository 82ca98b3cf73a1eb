//! Joining through addresses that may be names: resolved at each try, tried one after the other.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use auscult_core::rng::Rng;
use auscult_core::swim::{JoinOutcome, Refusal, StreamFailure};
use futures_util::future;
use tokio::net::lookup_host;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use crate::handle::{Command, Shared};

/// What became of one seed.
#[derive(Clone, Debug, PartialEq)]
pub struct JoinResult {
    /// The seed, as it was given.
    pub seed: String,
    /// The address that was asked last; `None` when the name has none.
    pub address: Option<SocketAddr>,
    /// How many members it told us of, itself included; or why it did not let us in.
    pub outcome: Result<usize, JoinFailure>,
}

/// Why a seed did not let us in. State: nothing was joined; the address is asked again from time to
/// time.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum JoinFailure {
    /// The name has no address. It is not asked again.
    Unresolved(String),
    /// It answered that it would not.
    Refused(Refusal),
    /// It did not answer.
    Silent(StreamFailure),
    /// It is the member itself.
    Myself,
    /// There were too many seeds at a time.
    TooMany,
    /// The agent has stopped.
    Stopped,
}

impl JoinFailure {
    /// The stable code used in every interface.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Unresolved(_) => "unresolved",
            Self::Refused(refusal) => refusal.as_str(),
            Self::Silent(failure) => failure.as_str(),
            Self::Myself => "myself",
            Self::TooMany => "too_many",
            Self::Stopped => "stopped",
        }
    }
}

impl fmt::Display for JoinFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unresolved(why) => write!(f, "no address: {why}"),
            Self::Refused(refusal) => write!(f, "refused: {refusal}"),
            Self::Silent(StreamFailure::Unreachable) => {
                write!(
                    f,
                    "nobody listens there, or it hangs up (TLS on one side only?)"
                )
            }
            Self::Silent(StreamFailure::TimedOut) => write!(f, "no answer in time"),
            Self::Silent(StreamFailure::Malformed) => write!(
                f,
                "what answered is no member, or seals what it says with other keys"
            ),
            Self::Myself => write!(f, "that is this member itself"),
            Self::TooMany => write!(f, "too many seeds are being asked"),
            Self::Stopped => write!(f, "the agent has stopped"),
        }
    }
}

impl std::error::Error for JoinFailure {}

/// Asks all seeds at once, and the addresses of each one after the other.
pub(crate) async fn join(door: &mpsc::WeakSender<Command>, seeds: &[String]) -> Vec<JoinResult> {
    future::join_all(seeds.iter().map(|seed| join_one(door, seed))).await
}

async fn join_one(door: &mpsc::WeakSender<Command>, seed: &str) -> JoinResult {
    let mut result = JoinResult {
        seed: seed.into(),
        address: None,
        outcome: Err(JoinFailure::Unresolved("nothing was found".into())),
    };
    let addresses = match resolve(seed).await {
        Ok(addresses) => addresses,
        Err(why) => {
            result.outcome = Err(JoinFailure::Unresolved(why));
            return result;
        }
    };
    for address in addresses.into_iter().take(ADDRESSES_PER_SEED_MAX) {
        result.address = Some(address);
        result.outcome = ask(door, address).await;
        if result.outcome.is_ok() {
            break;
        }
    }
    result
}

async fn resolve(seed: &str) -> Result<Vec<SocketAddr>, String> {
    // Without a thread for those that need no look-up.
    if let Ok(address) = seed.parse() {
        return Ok(vec![address]);
    }
    match timeout(RESOLVE_TIME, lookup_host(seed)).await {
        Ok(Ok(addresses)) => Ok(addresses.collect()),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err("the name server did not answer in time".into()),
    }
}

async fn ask(door: &mpsc::WeakSender<Command>, address: SocketAddr) -> Result<usize, JoinFailure> {
    let (reply, outcome) = oneshot::channel();
    // The door is not kept open while waiting: an agent whose handles are gone stops.
    let sender = door.upgrade().ok_or(JoinFailure::Stopped)?;
    let sent = sender.send(Command::Join { address, reply }).await;
    drop(sender);
    sent.map_err(|_| JoinFailure::Stopped)?;
    match outcome.await.map_err(|_| JoinFailure::Stopped)? {
        JoinOutcome::Joined { members } => Ok(members),
        JoinOutcome::Refused(refusal) => Err(JoinFailure::Refused(refusal)),
        JoinOutcome::Failed(failure) => Err(JoinFailure::Silent(failure)),
        JoinOutcome::Myself => Err(JoinFailure::Myself),
        JoinOutcome::TooMany => Err(JoinFailure::TooMany),
    }
}

/// Joins through these for as long as the agent lives, whenever it knows nobody.
pub(crate) async fn keep_joining(
    door: mpsc::WeakSender<Command>,
    shared: Arc<Shared>,
    seeds: Vec<String>,
    seed: u64,
) {
    let mut rng = Rng::new(seed);
    let mut pause = PAUSE_LEAST;
    let mut told = Vec::new();
    while door.upgrade().is_some() {
        if shared.members().live > 1 {
            pause = PAUSE_LEAST;
            tokio::time::sleep(PAUSE_MOST).await;
            continue;
        }
        let results = join(&door, &seeds).await;
        tell(&results, &mut told, pause);
        if results.iter().any(|result| result.outcome.is_ok()) {
            continue;
        }
        // Others began at the same moment; they need not ask at the same moments.
        tokio::time::sleep(pause / 2 + rng.span_below(pause)).await;
        pause = (pause * 2).min(PAUSE_MOST);
    }
}

/// Says what became of each seed, when it is not what was said last. That nobody answers is
/// told when the pauses have grown, as those who start together are not all there at once; or when
/// another one let us in, so that nobody will be asked again.
fn tell(results: &[JoinResult], told: &mut Vec<JoinResult>, pause: Duration) {
    let joined = results.iter().any(|result| result.outcome.is_ok());
    for result in results {
        let seed = &result.seed;
        let before = told.iter().position(|before| before.seed == *seed);
        let before = before.map(|at| told.swap_remove(at));
        let is_new = before.is_none_or(|before| before.outcome != result.outcome);
        match &result.outcome {
            Ok(members) => tracing::info!(%seed, members, "joined"),
            Err(JoinFailure::Myself | JoinFailure::Stopped) => {}
            Err(why) if joined && is_new => {
                tracing::info!(%seed, "not joined: {why}; another one let us in");
            }
            Err(JoinFailure::Silent(StreamFailure::Unreachable | StreamFailure::TimedOut))
                if pause < PAUSE_TOLD =>
            {
                continue;
            }
            Err(why) if is_new => {
                tracing::warn!(%seed, "cannot join: {why}; asking again");
            }
            Err(_) => {}
        }
        told.push(result.clone());
    }
}

/// A name with more addresses than that is a service, of which these will do.
const ADDRESSES_PER_SEED_MAX: usize = 8;
const RESOLVE_TIME: Duration = Duration::from_secs(5);
const PAUSE_LEAST: Duration = Duration::from_millis(100);
/// Reached after about a second and a half.
const PAUSE_TOLD: Duration = Duration::from_millis(1600);
const PAUSE_MOST: Duration = Duration::from_secs(30);
