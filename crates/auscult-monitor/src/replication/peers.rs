//! openraft's side of the network: its requests as ours.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "an answer to something else is the same error, whichever it is"
)]

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use openraft::error::{
    InstallSnapshotError, NetworkError, RPCError, RaftError, SnapshotMismatch, Unreachable,
};
use openraft::network::{Backoff, RPCOption, RaftNetwork, RaftNetworkFactory};
use openraft::raft::{
    AppendEntriesRequest, AppendEntriesResponse, InstallSnapshotRequest, InstallSnapshotResponse,
    VoteRequest, VoteResponse,
};
use openraft::{AnyError, SnapshotSegmentId};
use parking_lot::{Mutex, RwLock};

use super::contact::{Contact, now};
use super::identity::Identity;
use super::large::{self, Large, To};
use super::rpc::{Ask, CallError, Network, Reply, Request};
use super::{Group, Monitor};

/// How long a monitor that cannot be reached is left alone before it is tried again.
const BACKOFF: Duration = Duration::from_millis(200);

/// Makes clients for other monitors.
#[derive(Clone)]
pub(super) struct Peers {
    pub(super) me: u64,
    /// Its group becomes known while it joins.
    identity: Arc<RwLock<Identity>>,
    network: Arc<dyn Network>,
    contact: Arc<Mutex<Contact>>,
}

impl Peers {
    pub(super) fn new(
        identity: &Arc<RwLock<Identity>>,
        network: &Arc<dyn Network>,
        contact: &Arc<Mutex<Contact>>,
    ) -> Self {
        Self {
            me: identity.read().id,
            identity: Arc::clone(identity),
            network: Arc::clone(network),
            contact: Arc::clone(contact),
        }
    }
}

impl RaftNetworkFactory<Group> for Peers {
    type Network = Peer;

    async fn new_client(&mut self, target: u64, monitor: &Monitor) -> Peer {
        Peer {
            peers: self.clone(),
            target,
            large: Large::default(),
            address: monitor.raft.clone(),
        }
    }
}

/// A client of one other monitor.
pub(super) struct Peer {
    peers: Peers,
    target: u64,
    address: String,
    large: Large,
}

impl Peer {
    async fn call<E: Error>(&self, ask: Ask, option: &RPCOption) -> Result<Reply, Failed<E>> {
        let request = Request {
            group: self.peers.identity.read().group.clone(),
            from: self.peers.me,
            to: Some(self.target),
            ask,
        };
        let called = self
            .peers
            .network
            .call(&self.address, request, option.hard_ttl());
        self.read(called.await)
    }

    #[expect(clippy::result_large_err, reason = "openraft's own error")]
    fn read<E: Error>(&self, called: Result<Reply, CallError>) -> Result<Reply, Failed<E>> {
        match called {
            // It was another one that was heard.
            Ok(reply @ Reply::AnotherMonitor { .. }) => Err(unfit(&reply)),
            Ok(reply) => {
                self.peers.contact.lock().hear(self.target, now());
                Ok(reply)
            }
            Err(error @ CallError::Unreachable(_)) => {
                Err(RPCError::Unreachable(Unreachable::new(&error)))
            }
            Err(error @ CallError::Broken(_)) => Err(RPCError::Network(NetworkError::new(&error))),
        }
    }
}

type Failed<E> = RPCError<u64, Monitor, E>;

/// An answer that cannot be used. The one asked is left alone for a while.
fn unfit<E: Error>(reply: &Reply) -> Failed<E> {
    let text = match reply {
        Reply::OtherGroup { group } => format!("it is of the group {group}"),
        Reply::AnotherMonitor { id } => format!("another monitor ({id:012x}) is there now"),
        Reply::Failed { text } => text.clone(),
        _ => "it answers something else".to_owned(),
    };
    RPCError::Unreachable(Unreachable::new(&AnyError::error(text)))
}

impl RaftNetwork<Group> for Peer {
    async fn append_entries(
        &mut self,
        request: AppendEntriesRequest<Group>,
        option: RPCOption,
    ) -> Result<AppendEntriesResponse<u64>, Failed<RaftError<u64>>> {
        if large::is_large(&request.entries) {
            let to = To {
                network: Arc::clone(&self.peers.network),
                address: self.address.clone(),
                group: self.peers.identity.read().group.clone(),
                from: self.peers.me,
                target: self.target,
            };
            let (called, up_to) = self.large.send(to, request, option.hard_ttl()).await;
            return match (self.read(called)?, up_to) {
                (Reply::Append(AppendEntriesResponse::Success), Some(last)) => {
                    Ok(AppendEntriesResponse::PartialSuccess(Some(last)))
                }
                (Reply::Append(response), _) => Ok(response),
                (other, _) => Err(unfit(&other)),
            };
        }
        match self.call(Ask::Append(request), &option).await? {
            Reply::Append(response) => Ok(response),
            other => Err(unfit(&other)),
        }
    }

    async fn install_snapshot(
        &mut self,
        request: InstallSnapshotRequest<Group>,
        option: RPCOption,
    ) -> Result<InstallSnapshotResponse<u64>, Failed<RaftError<u64, InstallSnapshotError>>> {
        let segment = SnapshotSegmentId {
            id: request.meta.snapshot_id.clone(),
            offset: request.offset,
        };
        match self.call(Ask::Snapshot(request), &option).await? {
            Reply::Snapshot { vote } => Ok(InstallSnapshotResponse { vote }),
            Reply::SnapshotMismatch => {
                let mismatch = SnapshotMismatch {
                    expect: SnapshotSegmentId {
                        offset: 0,
                        ..segment.clone()
                    },
                    got: segment,
                };
                let error = RaftError::APIError(InstallSnapshotError::SnapshotMismatch(mismatch));
                Err(RPCError::RemoteError(openraft::error::RemoteError::new(
                    0, error,
                )))
            }
            other => Err(unfit(&other)),
        }
    }

    async fn vote(
        &mut self,
        request: VoteRequest<u64>,
        option: RPCOption,
    ) -> Result<VoteResponse<u64>, Failed<RaftError<u64>>> {
        match self.call(Ask::Vote(request), &option).await? {
            Reply::Vote(response) => Ok(response),
            other => Err(unfit(&other)),
        }
    }

    fn backoff(&self) -> Backoff {
        Backoff::new(std::iter::repeat(BACKOFF))
    }
}
