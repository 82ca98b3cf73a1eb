//! Programs that joined over gRPC: pinged and told of failures by the member that let them in.
//!
//! A guest speaks `swim.FailureDetector` and nothing else, so it is no member: it takes no part in
//! probing, and the machine does not know it. Its host pings it once in [`INTERVAL`], asks other
//! members to do so when it does not answer, and gives it up when nobody gets an answer for
//! [`SUSPICION`], or within [`START`] of its joining: a program may well join before it serves.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use auscult_core::id::check_name;
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::task::AbortHandle;
use tonic::{Request, Status};

use super::detector::{PING_TIMEOUT, PROXIES_MAX, shown};
use super::generated::swim::dissemination_client::DisseminationClient;
use super::generated::swim::failure_detector_client::FailureDetectorClient;
use super::generated::swim::{DisseminationRequest, MembershipUpdateRequest};
use super::inside::{GuestAt, Inside};
use super::node::{self, NodeId};
use super::register;
use super::sentences::{self, Component};

/// The guests of one member, by what they call themselves.
#[derive(Debug, Default)]
pub(super) struct Guests(Mutex<BTreeMap<String, Guest>>);

#[derive(Debug)]
struct Guest {
    /// As it was written.
    text: String,
    address: SocketAddr,
    /// Whether it has answered since it joined.
    answered: Answered,
    /// Wakes the task that pings it.
    check: Arc<Notify>,
    task: AbortHandle,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answered {
    NotYet,
    Yes,
}

impl Drop for Guest {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl From<(&String, &Guest)> for GuestAt {
    fn from((id, guest): (&String, &Guest)) -> Self {
        Self {
            id: id.clone(),
            at: guest.text.clone(),
        }
    }
}

impl Guests {
    /// Lets a program in, and begins to ping it. One that is known is let in again.
    pub(super) async fn admit(
        &self,
        inside: &Arc<Inside>,
        id: &str,
        text: &str,
    ) -> Result<(), Status> {
        let key = register::guest_key(id);
        if id.is_empty() || check_name(&key).is_err() {
            return Err(Status::invalid_argument(
                "the id is empty, too long or has characters that no name has",
            ));
        }
        if text.len() > ADDRESS_BYTES_MAX || shown(text) != text {
            return Err(Status::invalid_argument(
                "the address is too long or unprintable",
            ));
        }
        let no_address = || Status::invalid_argument("the address must be HOST:PORT and resolve");
        let address = node::resolve(text).await.ok_or_else(no_address)?;
        self.insert(inside, id, text, address)?;
        let told = inside
            .agent()?
            .set_metadata(&key, Some(text.as_bytes()))
            .await;
        if let Err(error) = told {
            tracing::warn!(guest = %id, "other members are not told of a guest: {error}");
        }
        Ok(())
    }

    fn insert(
        &self,
        inside: &Arc<Inside>,
        id: &str,
        text: &str,
        address: SocketAddr,
    ) -> Result<(), Status> {
        let mut guests = self.0.lock();
        match guests.get(id) {
            Some(known) if known.address != address && known.answered == Answered::Yes => {
                return Err(Status::already_exists(
                    "a guest with this id answers elsewhere",
                ));
            }
            None if guests.len() >= GUESTS_MAX => {
                return Err(Status::resource_exhausted("there are too many guests"));
            }
            Some(_) | None => {}
        }
        let check = Arc::new(Notify::new());
        let watched = watch(
            Arc::clone(inside),
            id.to_owned(),
            text.to_owned(),
            Arc::clone(&check),
        );
        let guest = Guest {
            text: text.to_owned(),
            address,
            answered: Answered::NotYet,
            check,
            task: tokio::spawn(watched).abort_handle(),
        };
        guests.insert(id.to_owned(), guest);
        Ok(())
    }

    /// A guest by its address.
    pub(super) fn find(&self, address: SocketAddr) -> Option<GuestAt> {
        let guests = self.0.lock();
        let found = guests.iter().find(|(_, guest)| guest.address == address);
        found.map(GuestAt::from)
    }

    /// Where a guest serves.
    pub(super) fn address(&self, id: &str) -> Option<String> {
        self.0.lock().get(id).map(|guest| guest.text.clone())
    }

    /// All guests of this member.
    pub(super) fn all(&self) -> Vec<GuestAt> {
        self.0.lock().iter().map(GuestAt::from).collect()
    }

    /// Pings a guest now.
    pub(super) fn check(&self, id: &str) {
        if let Some(guest) = self.0.lock().get(id) {
            guest.check.notify_one();
        }
    }

    /// Tells all guests that this one failed.
    pub(super) fn tell(&self, inside: &Arc<Inside>, failed: &str) {
        for (id, guest) in self.0.lock().iter() {
            let told = tell(
                Arc::clone(inside),
                id.clone(),
                guest.text.clone(),
                failed.to_owned(),
            );
            tokio::spawn(told);
        }
    }

    fn answered(&self, id: &str) {
        if let Some(guest) = self.0.lock().get_mut(id) {
            guest.answered = Answered::Yes;
        }
    }
}

/// Pings a guest until it fails.
async fn watch(inside: Arc<Inside>, id: String, text: String, check: Arc<Notify>) {
    let mut patience = START;
    let mut silent_since = None;
    loop {
        // It joined a moment ago and may not serve yet; who accuses it does not wait.
        let _at_once = tokio::time::timeout(INTERVAL, check.notified()).await;
        let Ok(agent) = inside.agent() else {
            return;
        };
        let now = agent.clock().now();
        drop(agent);
        inside.say(|| format!("Node {} pinging {text}...", inside.node));
        if inside.ping(&text, &id, PING_TIMEOUT).await {
            inside.say(|| "Node Alive, checked with Direct Ping".to_owned());
        } else {
            inside.say(|| format!("Node {text} did not respond, trying indirect probe..."));
            let proxies = proxies(&inside);
            let time = 2 * PING_TIMEOUT;
            if !inside
                .ping_through(&proxies, &inside.node, &text, time)
                .await
            {
                let since = *silent_since.get_or_insert(now);
                if now.since(since) >= patience {
                    break;
                }
                continue;
            }
            inside.say(|| "Indirect Ping was success, Node Alive".to_owned());
        }
        inside.guests.answered(&id);
        (patience, silent_since) = (SUSPICION, None);
    }
    give_up(&inside, &id, &text).await;
}

/// Live members to ask, in an order that nobody chose.
fn proxies(inside: &Inside) -> Vec<(String, String)> {
    let Ok(agent) = inside.agent() else {
        return Vec::new();
    };
    let members = agent.members();
    let others = members.members.iter();
    let others = others.filter(|member| !member.is_me && member.state.is_live());
    let named = others.filter_map(|member| {
        let id = NodeId::of(&member.name).to_owned();
        Some((inside.reach(member)?, id))
    });
    named.take(PROXIES_MAX).collect()
}

async fn give_up(inside: &Arc<Inside>, id: &str, text: &str) {
    if let Ok(agent) = inside.agent() {
        // Where it is not removed, the next guest with this id takes its place.
        let _kept = agent.set_metadata(&register::guest_key(id), None).await;
    }
    // The task that runs this belongs to the guest, so the guest goes last.
    let gone = inside.guests.0.lock().remove(id);
    inside.say(|| format!("Node {text} is marked as failed!"));
    tracing::info!(guest = %id, "a guest does not answer");
    inside.say(|| {
        let left = inside.membership().unwrap_or_default();
        sentences::removed(text, left.into_iter())
    });
    inside.guests.tell(inside, text);
    drop(gone);
}

/// Tells a guest of a failure, some times if need be.
async fn tell(inside: Arc<Inside>, id: String, text: String, failed: String) {
    for _ in 0..TELL_TRIES {
        let told = tokio::time::timeout(TELL_TIMEOUT, tell_once(&inside, &id, &text, &failed));
        if told.await == Ok(true) || inside.guests.address(&id).as_ref() != Some(&text) {
            return;
        }
        tokio::time::sleep(INTERVAL).await;
    }
    tracing::warn!(guest = %id, %failed, "a guest could not be told of a failure");
}

/// Where its ports follow the convention, a guest takes such news beside its detector; otherwise at
/// its address. Some have only the detector's call for it.
async fn tell_once(inside: &Inside, id: &str, text: &str, failed: &str) -> bool {
    inside.say(|| {
        let here = inside.detector(&inside.node);
        sentences::sends(here, "Disseminate", (Component::Dissemination, id))
    });
    let places = beside(text).into_iter().chain([text.to_owned()]);
    for place in places {
        let Some(channel) = connect(inside, &place).await else {
            continue;
        };
        let news = Request::new(DisseminationRequest {
            sender_id: inside.node.clone(),
            failed_node_id: failed.to_owned(),
        });
        if DisseminationClient::new(channel)
            .disseminate(news)
            .await
            .is_ok()
        {
            return true;
        }
    }
    let Some(channel) = connect(inside, text).await else {
        return false;
    };
    let news = Request::new(MembershipUpdateRequest {
        failed_node_id: failed.to_owned(),
    });
    let mut client = FailureDetectorClient::new(channel);
    client.update_membership(news).await.is_ok()
}

async fn connect(inside: &Inside, at: &str) -> Option<tonic::transport::Channel> {
    let endpoint = super::endpoint(inside.tls.as_ref(), at).ok()?;
    endpoint.connect().await.ok()
}

/// The port for dissemination, where that for detection follows the convention.
fn beside(text: &str) -> Option<String> {
    let (host, port) = text.rsplit_once(':')?;
    let port: u16 = port.parse().ok()?;
    let id = port.checked_sub(NodeId::DETECTOR_PORT)?;
    (1..=NodeId::MAX)
        .contains(&id)
        .then(|| format!("{host}:{}", NodeId::DISSEMINATION_PORT + id))
}

/// Programs that one member looks after: each costs it one call in a period.
const GUESTS_MAX: usize = 64;
const INTERVAL: Duration = Duration::from_secs(1);
/// How long a guest that answered before may be silent.
const SUSPICION: Duration = Duration::from_secs(4);
/// How long a guest has to begin to answer.
const START: Duration = Duration::from_secs(30);
const TELL_TRIES: usize = 3;
const TELL_TIMEOUT: Duration = Duration::from_secs(3);
pub(super) const ADDRESS_BYTES_MAX: usize = 260;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn news_goes_beside_a_detector_whose_port_follows_the_convention() {
        assert_eq!(beside("node6:50056").as_deref(), Some("node6:50066"));
        for text in ["node6:50061", "node6:50050", "node6:8080", "node6"] {
            assert_eq!(beside(text), None, "{text}");
        }
    }
}
