//! How a monitor comes to belong to a group of others.

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use openraft::ServerState;
use openraft::type_config::TypeConfigExt as _;

use super::identity::Identity;
use super::journal::apart;
use super::node::{Node, StartError};
use super::rpc::{Ask, Reply};
use super::{Group, Journal};
use crate::shared::{ChangeError, Role, SettingsStore as _};

/// How long to wait before the next step is tried.
const PAUSE: Duration = Duration::from_millis(200);

/// How long another monitor may take to answer.
const TIMEOUT: Duration = Duration::from_secs(5);

/// How long one that was summoned may take to have a vote.
const SUMMON_TIMEOUT: Duration = Duration::from_secs(15);

/// Why a monitor does not join. State: nothing was changed.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum JoinError {
    /// It belongs to a group with others already.
    InGroup,
    /// It has settings of its own, which would be lost.
    HasSettings,
    /// It has no address at which the others would reach it.
    NoAddress,
    /// Its journal cannot be used.
    Start(StartError),
}

impl fmt::Display for JoinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InGroup => f.write_str(
                "this monitor belongs to a group with others: let it leave that one first, with \
                 'auscult cluster leave'",
            ),
            Self::HasSettings => f.write_str(
                "this monitor has settings of its own, which would be lost: start it with an \
                 empty data folder to join",
            ),
            Self::NoAddress => f.write_str(
                "this monitor has no address at which others reach it: start it with --raft-bind",
            ),
            Self::Start(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for JoinError {}

impl From<StartError> for JoinError {
    fn from(error: StartError) -> Self {
        Self::Start(error)
    }
}

/// What became of a journal before this start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Past {
    /// Whether anything was ever set.
    pub(super) has_settings: bool,
    /// Who has a vote.
    pub(super) voters: BTreeSet<u64>,
}

impl Node {
    /// Joins the group of the monitors at these addresses, and gives up its own: it must be alone
    /// and must not have any settings. Returns as soon as that is on the disk; it becomes a voter
    /// later, and goes on trying over restarts.
    ///
    /// # Errors
    /// What forbids it.
    pub async fn join(&self, addresses: Vec<String>) -> Result<(), JoinError> {
        let inner = &self.0;
        let _one_at_a_time = inner.changing.lock().await;
        let before = inner.identity.read().clone();
        if before.monitor.raft.is_empty() {
            return Err(JoinError::NoAddress);
        }
        let past = self.past().await?;
        before.may_join(&past)?;
        // From here on it answers nobody of its old group.
        let after = Identity {
            join: addresses,
            group: String::new(),
            outside: false,
            ..before
        };
        let _stopped = self.raft().shutdown().await;
        let written = apart(&inner.journal, move |journal| {
            journal.forget()?;
            after.keep(journal)?;
            Ok(after)
        });
        let after = written.await.map_err(|error| self.store_error(&error))?;
        *inner.identity.write() = after;
        inner.machine.forget();
        self.begin_again().await?;
        Ok(())
    }

    async fn past(&self) -> Result<Past, StartError> {
        let read = apart(&self.0.journal, Journal::past).await;
        read.map_err(|error| self.store_error(&error))
    }

    fn store_error(&self, error: &openraft::AnyError) -> StartError {
        match self.0.journal.trouble() {
            Some(trouble) => StartError::Store(trouble),
            None => StartError::Log(error.to_string()),
        }
    }

    /// Leaves the group. Afterwards this monitor goes on watching with the settings that it has,
    /// and takes no changes.
    ///
    /// # Errors
    /// Why not, in a sentence.
    pub async fn leave(&self) -> Result<(), String> {
        self.remove(self.id().0).await?;
        self.go_outside(true).await;
        Ok(())
    }

    /// Lets a monitor of the group go, be it alive or dead.
    ///
    /// # Errors
    /// Why not, in a sentence.
    pub async fn remove(&self, id: u64) -> Result<(), String> {
        if !self.roster().contains_key(&id) {
            return Err("there is no such monitor in the group".to_owned());
        }
        self.ask_done(Ask::Remove { id }).await
    }

    /// Has another monitor lead.
    ///
    /// # Errors
    /// Why not, in a sentence.
    pub async fn transfer(&self, to: u64) -> Result<(), String> {
        self.ask_done(Ask::Transfer { to }).await
    }

    /// Has the monitor at this address join this one's group, and waits until it has a vote there.
    ///
    /// # Errors
    /// Why not, in a sentence.
    pub async fn summon(&self, address: &str) -> Result<(), String> {
        let is_in = |node: &Self| {
            let status = node.status();
            let mut monitors = status.monitors.iter();
            monitors.any(|it| it.monitor.raft == address && it.role != Role::Learner)
        };
        if is_in(self) {
            return Ok(());
        }
        let roster = self.roster().into_values().map(|monitor| monitor.raft);
        let addresses: Vec<String> = roster.filter(|address| !address.is_empty()).collect();
        if addresses.is_empty() {
            return Err(JoinError::NoAddress.to_string());
        }
        let request = self.request(Ask::Summon { addresses });
        match self.0.network.call(address, request, TIMEOUT).await {
            Ok(Reply::Done) => {}
            Ok(Reply::Failed { text }) => return Err(text),
            Ok(_) => return Err("it answers something else".to_owned()),
            Err(error) => return Err(error.to_string()),
        }
        let joined = async {
            while !is_in(self) {
                Group::sleep(PAUSE / 4).await;
            }
        };
        let waited = Group::timeout(SUMMON_TIMEOUT, joined).await;
        waited.map_err(|_| "it has not caught up yet; it goes on trying".to_owned())
    }

    async fn ask_done(&self, ask: Ask) -> Result<(), String> {
        match self.ask_leader(ask).await {
            Ok(Reply::Done) => Ok(()),
            Ok(Reply::Failed { text }) => Err(text),
            Ok(_) | Err(ChangeError::Unclear) => {
                Err("no answer came in time; it may be done yet: look again".to_owned())
            }
            Err(error) => Err(error.to_string()),
        }
    }

    /// Remembers that it belongs to its group no more, or does again.
    pub(super) async fn go_outside(&self, outside: bool) {
        let identity = {
            let mut identity = self.0.identity.write();
            if identity.outside == outside {
                return;
            }
            identity.outside = outside;
            identity.clone()
        };
        tracing::info!(outside, "of the monitors' group");
        self.remember(identity).await;
    }

    async fn remember(&self, identity: Identity) {
        let kept = apart(&self.0.journal, move |journal| identity.keep(journal)).await;
        if let Err(error) = kept {
            // It is found out anew after a restart.
            tracing::warn!(%error, "what this monitor is in its group was not written down");
        }
    }
}

/// Sees to it that the group knows this monitor as it is: takes the steps of joining that are left,
/// and tells new addresses. Ends with the task.
pub(super) async fn run(node: Node) {
    let mut leader = None;
    loop {
        Group::sleep(PAUSE).await;
        tell_leader(&node, &mut leader);
        let identity = node.0.identity.read().clone();
        if identity.outside {
            continue;
        }
        node.end_change().await;
        if identity.group.is_empty() {
            be_invited(&node, &identity).await;
            continue;
        }
        let (state, known) = {
            let metrics = node.raft().metrics();
            let metrics = metrics.borrow();
            let membership = metrics.membership_config.membership();
            let known = membership.get_node(&identity.id).cloned();
            (metrics.state, known)
        };
        let Some(known) = known else {
            be_taken_in(&node, &identity).await;
            continue;
        };
        if known != identity.monitor {
            let ask = Ask::Join {
                id: identity.id,
                monitor: identity.monitor.clone(),
            };
            told(&node.ask_done(ask).await);
        } else if state == ServerState::Learner {
            if !identity.join.is_empty() {
                told(&node.ask_done(Ask::Promote { id: identity.id }).await);
            }
        } else if !identity.join.is_empty() && state != ServerState::Shutdown {
            tracing::info!(group = %identity.group, "joined");
            let joined = {
                let mut identity = node.0.identity.write();
                identity.join.clear();
                identity.clone()
            };
            node.remember(joined).await;
        }
    }
}

/// Logs who leads whenever that has changed.
fn tell_leader(node: &Node, told: &mut Option<u64>) {
    let leader = node.leader().filter(|_| !node.leads_alone());
    if leader == *told {
        return;
    }
    *told = leader;
    let term = node.raft().server_metrics().borrow().vote.leader_id().term;
    match leader {
        Some(leader) => {
            let name = node.roster().remove(&leader).map(|monitor| monitor.name);
            tracing::info!(leader = name.as_deref().unwrap_or("?"), term, "leader");
        }
        None => tracing::warn!(term, "no leader of the monitors' group"),
    }
}

fn told(outcome: &Result<(), String>) {
    if let Err(text) = outcome {
        tracing::debug!(%text, "not yet");
    }
}

/// Learns which group it is that it shall join.
async fn be_invited(node: &Node, identity: &Identity) {
    for address in known_addresses(node, identity).await {
        let request = node.request(Ask::Invite);
        let answer = node.0.network.call(&address, request, TIMEOUT).await;
        let Ok(Reply::Invited { group, .. }) = answer else {
            tracing::warn!(%address, ?answer, "cannot join there yet");
            continue;
        };
        if group.is_empty() {
            continue;
        }
        let invited = {
            let mut identity = node.0.identity.write();
            identity.group = group;
            identity.clone()
        };
        node.remember(invited).await;
        return;
    }
}

/// Asks the leader of a group that does not know this monitor to take it in.
async fn be_taken_in(node: &Node, identity: &Identity) {
    let ask = Ask::Join {
        id: identity.id,
        monitor: identity.monitor.clone(),
    };
    for address in known_addresses(node, identity).await {
        let invited = node.request(Ask::Invite);
        let invited = node.0.network.call(&address, invited, TIMEOUT).await;
        let Ok(Reply::Invited { leader, .. }) = invited else {
            continue;
        };
        let leader = leader.unwrap_or(address);
        let asked = node
            .0
            .network
            .call(&leader, node.request(ask.clone()), TIMEOUT);
        match asked.await {
            Ok(Reply::Done) => return,
            Ok(Reply::Failed { text }) => {
                tracing::error!(%text, "the group does not take this monitor in");
                *node.0.refused.lock() = Some(text);
            }
            answer => tracing::debug!(?answer, "not taken in yet"),
        }
    }
}

async fn known_addresses(node: &Node, identity: &Identity) -> Vec<String> {
    let mut all = Vec::new();
    for address in &identity.join {
        for found in node.0.network.lookup(address).await {
            if found != identity.monitor.raft && !all.contains(&found) {
                all.push(found);
            }
        }
    }
    all
}

impl Identity {
    /// Whether it can join another group and lose nothing.
    pub(super) fn may_join(&self, past: &Past) -> Result<(), JoinError> {
        if past.voters.iter().any(|voter| *voter != self.id) || !self.join.is_empty() {
            return Err(JoinError::InGroup);
        }
        if past.has_settings {
            return Err(JoinError::HasSettings);
        }
        Ok(())
    }
}
