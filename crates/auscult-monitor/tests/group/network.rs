//! A network that delays, loses, doubles and reorders what monitors send each other.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use auscult_core::rng::{Rng, mix};
use auscult_monitor::replication::{Ask, CallError, Network, Reply, Request};
use futures_util::future::{BoxFuture, pending};
use openraft::raft::AppendEntriesResponse;
use parking_lot::Mutex;
use tokio::sync::oneshot;

use crate::disk::Boot;
use crate::history::{Trace, pass};
use crate::site::Site;

/// What the network does with what is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Manner {
    /// It carries messages, or it does not.
    Plain,
    /// Now and then it says for a monitor that it took entries which it never got: a mutant.
    AnswersForOthers,
}

/// How messages fare, in percent and milliseconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Weather {
    pub(crate) lost: u64,
    pub(crate) doubled: u64,
    pub(crate) delay_ms_max: u64,
}

impl Weather {
    pub(crate) const FAIR: Self = Self {
        lost: 0,
        doubled: 0,
        delay_ms_max: 4,
    };
}

/// The network of all monitors. Clones are the same one.
#[derive(Clone)]
pub(crate) struct Air {
    state: Arc<Mutex<State>>,
    sites: Arc<Vec<Site>>,
    manner: Manner,
    seed: u64,
    trace: Trace,
}

struct State {
    weather: Weather,
    /// From whom to whom nothing passes.
    cut: BTreeSet<(usize, usize)>,
    /// What is underway, by when it arrives; at the same time, in an order that does not depend on
    /// who was first to send.
    underway: BTreeMap<(Duration, u64), Vec<Letter>>,
}

/// A request that is underway.
struct Letter {
    from: Boot,
    link: (usize, usize),
    bytes: Arc<Vec<u8>>,
    answer: oneshot::Sender<Result<Vec<u8>, CallError>>,
}

impl Air {
    pub(crate) fn new(sites: Arc<Vec<Site>>, manner: Manner, seed: u64, trace: Trace) -> Self {
        let state = State {
            weather: Weather::FAIR,
            cut: BTreeSet::new(),
            underway: BTreeMap::new(),
        };
        Self {
            state: Arc::new(Mutex::new(state)),
            sites,
            manner,
            seed,
            trace,
        }
    }

    /// The network as one process sees it.
    pub(crate) fn port(&self, from: usize, boot: Boot) -> Port {
        let air = self.clone();
        Port { air, from, boot }
    }

    pub(crate) fn set(&self, weather: Weather) {
        self.state.lock().weather = weather;
    }

    pub(crate) fn cut(&self, links: impl IntoIterator<Item = (usize, usize)>) {
        self.state.lock().cut = links.into_iter().collect();
    }

    pub(crate) fn heal(&self) {
        let mut state = self.state.lock();
        state.cut.clear();
        state.weather = Weather::FAIR;
    }

    fn site(&self, address: &str) -> Option<usize> {
        self.sites.iter().position(|site| site.address == address)
    }

    /// Chance, which depends on what is sent and when, and not on what was sent before: who is
    /// woken first does not change the fate of the others.
    fn chance(&self, bytes: &[u8]) -> u64 {
        let at = self.trace.elapsed().as_millis() as u64;
        bytes.chunks(8).fold(mix(self.seed ^ at), |sum, chunk| {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            mix(sum ^ u64::from_le_bytes(word))
        })
    }

    /// How long a message is underway; `None` for one that is lost.
    fn way(&self, from: usize, to: usize, bytes: &[u8], copy: u64) -> Option<Duration> {
        let mut rng = Rng::new(self.chance(bytes) ^ mix(copy ^ (from as u64 * 64 + to as u64)));
        let state = self.state.lock();
        let is_lost = rng.below(100) < state.weather.lost || state.cut.contains(&(from, to));
        let delay = Duration::from_millis(1 + rng.below(state.weather.delay_ms_max));
        (!is_lost).then_some(delay)
    }

    fn is_doubled(&self, bytes: &[u8]) -> bool {
        mix(self.chance(bytes)) % 100 < self.state.lock().weather.doubled
    }

    fn post(&self, way: Duration, letter: Letter) {
        let order =
            self.chance(&letter.bytes) ^ mix(letter.link.0 as u64 * 64 + letter.link.1 as u64);
        let at = self.trace.elapsed() + way;
        let mut state = self.state.lock();
        state.underway.entry((at, order)).or_default().push(letter);
    }

    /// Delivers what is underway. Who gives up waiting does not take it back.
    pub(crate) async fn carry(self) {
        loop {
            pass(Duration::from_millis(1)).await;
            let now = self.trace.elapsed();
            loop {
                let mut state = self.state.lock();
                let Some(next) = state.underway.first_entry() else {
                    break;
                };
                if next.key().0 > now {
                    break;
                }
                let letters = next.remove();
                drop(state);
                for letter in letters.into_iter().filter(|letter| letter.from.is_on()) {
                    tokio::spawn(self.clone().hand_over(letter));
                }
            }
        }
    }

    async fn hand_over(self, letter: Letter) {
        let (from, to) = letter.link;
        let answer = self.clone().deliver(to, Arc::clone(&letter.bytes)).await;
        let told = answer.as_ref().map_or(&[][..], Vec::as_slice);
        if let Some(back) = self.way(to, from, told, 0) {
            pass(back).await;
            // Who asked may have given up.
            let _asks_no_more = letter.answer.send(answer);
        }
    }

    /// The request arrives, and is answered in the process that is there then.
    async fn deliver(self, to: usize, bytes: Arc<Vec<u8>>) -> Result<Vec<u8>, CallError> {
        let Some(there) = self.sites[to].running() else {
            return Err(CallError::Unreachable("nobody listens".to_owned()));
        };
        let request = serde_json::from_slice(&bytes).unwrap();
        let handled = there.node.handle(request).await;
        if there.boot.is_on() {
            Ok(serde_json::to_vec(&handled).unwrap())
        } else {
            Err(CallError::Broken("the connection was reset".to_owned()))
        }
    }
}

/// The network as one process sees it: when the process has ended, nothing of it leaves any more.
pub(crate) struct Port {
    air: Air,
    from: usize,
    boot: Boot,
}

impl Port {
    async fn exchange(&self, to: usize, request: Request) -> Result<Reply, CallError> {
        let kind = kind(&request.ask);
        if let Some(reply) = self.forged(&request) {
            return reply;
        }
        let bytes = Arc::new(serde_json::to_vec(&request).unwrap());
        let mut answer = None;
        for copy in 0..=u64::from(self.air.is_doubled(&bytes)) {
            let way = self.air.way(self.from, to, &bytes, copy);
            let from = self.from;
            self.air
                .trace
                .note(|| format!("m{from} {kind} to m{to} {way:?}"));
            let (sender, receiver) = oneshot::channel();
            // The answer to the last copy is the one that is waited for.
            answer = Some(receiver);
            if let Some(way) = way {
                let letter = Letter {
                    from: self.boot.clone(),
                    link: (from, to),
                    bytes: Arc::clone(&bytes),
                    answer: sender,
                };
                self.air.post(way, letter);
            }
        }
        let answer = match answer {
            Some(answer) => answer.await,
            None => return pending().await,
        };
        match answer {
            Ok(answer) if self.boot.is_on() => {
                answer.map(|bytes| serde_json::from_slice(&bytes).unwrap())
            }
            // Nobody is left to answer, or to be answered.
            Ok(_) | Err(_) => pending().await,
        }
    }

    /// What a mutant answers in place of the one who was asked.
    fn forged(&self, request: &Request) -> Option<Result<Reply, CallError>> {
        match (self.air.manner, &request.ask) {
            (Manner::AnswersForOthers, Ask::Append(append)) if !append.entries.is_empty() => {
                let reply = Reply::Append(AppendEntriesResponse::Success);
                let lies = self.air.chance(&[append.entries.len() as u8]) % 100 < 30;
                lies.then_some(Ok(reply))
            }
            (Manner::Plain | Manner::AnswersForOthers, _) => None,
        }
    }
}

const fn kind(ask: &Ask) -> &'static str {
    match ask {
        Ask::Append(_) => "append",
        Ask::Vote(_) => "vote",
        Ask::Snapshot(_) => "snapshot",
        Ask::Canvass { .. } => "canvass",
        Ask::Change(_) => "change",
        Ask::Confirm => "confirm",
        Ask::Invite => "invite",
        Ask::Summon { .. } => "summon",
        Ask::Join { .. } => "join",
        Ask::Promote { .. } => "promote",
        Ask::Remove { .. } => "remove",
        Ask::Transfer { .. } => "transfer",
        Ask::Campaign => "campaign",
        Ask::Observe(_) => "observe",
    }
}

impl Network for Port {
    fn call<'a>(
        &'a self,
        to: &'a str,
        request: Request,
        timeout: Duration,
    ) -> BoxFuture<'a, Result<Reply, CallError>> {
        Box::pin(async move {
            if !self.boot.is_on() {
                return pending().await;
            }
            let Some(to) = self.air.site(to) else {
                return Err(CallError::Unreachable(format!("there is no {to}")));
            };
            let exchange = tokio::time::timeout(timeout, self.exchange(to, request));
            let answer = exchange.await;
            answer.unwrap_or_else(|_| Err(CallError::Broken("no answer in time".to_owned())))
        })
    }
}
