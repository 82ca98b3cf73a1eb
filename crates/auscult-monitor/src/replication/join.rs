//! How a monitor comes to belong to a group of others.

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use openraft::ServerState;
use openraft::type_config::TypeConfigExt as _;

use super::contact::{Moment, now};
use super::identity::{BEGIN_AFTER, Identity, NoGroup, group_name};
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

/// What the settings file of a monitor is to its group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Founding {
    /// It has no group yet: it will join one, or begin one.
    Open,
    /// It began the group, and the file is what the group begins with.
    Owed,
    /// The group has settings without it.
    Settled,
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
            no_group: NoGroup::Wait,
            group: String::new(),
            owes_settings: false,
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

    /// What its settings file is to the group.
    #[must_use]
    pub fn founding(&self) -> Founding {
        let identity = self.0.identity.read();
        match (identity.group.as_str(), identity.owes_settings) {
            ("", _) => Founding::Open,
            (_, true) => Founding::Owed,
            (_, false) => Founding::Settled,
        }
    }

    /// Remembers that what its settings file says is shared.
    pub async fn settle_founding(&self) {
        let settled = {
            let mut identity = self.0.identity.write();
            identity.owes_settings = false;
            identity.clone()
        };
        self.remember(settled).await;
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
    let mut told_leader = Told::default();
    let mut asking = Asking::new();
    loop {
        Group::sleep(PAUSE).await;
        told_leader.look(&node);
        let identity = node.0.identity.read().clone();
        if identity.outside {
            continue;
        }
        node.end_change().await;
        if identity.group.is_empty() {
            be_invited(&node, &identity, &mut asking).await;
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
            be_taken_in(&node, &identity, &mut asking).await;
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

/// What was told in the log of who leads.
#[derive(Default)]
struct Told {
    leader: Option<u64>,
    /// Since when there is none, while that is not told.
    missing: Option<Moment>,
}

impl Told {
    /// Logs who leads whenever that has changed, and that nobody does when it lasts: between one
    /// leader and the next there always is a moment without.
    fn look(&mut self, node: &Node) {
        let leader = node.leader().filter(|_| !node.leads_alone());
        let term = node.raft().server_metrics().borrow().vote.leader_id().term;
        if leader != self.leader {
            self.leader = leader;
            self.missing = leader.is_none().then(now);
            if let Some(leader) = leader {
                let name = node.roster().remove(&leader).map(|monitor| monitor.name);
                tracing::info!(leader = name.as_deref().unwrap_or("?"), term, "leader");
            } else {
                tracing::info!(term, "the leader of the monitors' group is missed");
            }
        }
        if (self.missing).is_some_and(|since| now() - since > MISSED_FOR) {
            self.missing = None;
            tracing::warn!(
                term,
                "no leader of the monitors' group: changes are refused, watching goes on"
            );
        }
    }
}

/// How long a group may be without a leader before somebody should know: several times what it
/// takes to have another one.
const MISSED_FOR: Duration = Duration::from_secs(5);

fn told(outcome: &Result<(), String>) {
    if let Err(text) = outcome {
        tracing::debug!(%text, "not yet");
    }
}

/// Learns which group it is that it shall join, or begins one where there is none.
async fn be_invited(node: &Node, identity: &Identity, asking: &mut Asking) {
    let addresses = known_addresses(node, identity).await;
    let mut without = 0;
    for address in &addresses {
        let request = node.request(Ask::Invite);
        let answer = node.0.network.call(address, request, TIMEOUT).await;
        match answer {
            Ok(Reply::Invited { group, .. }) if group.is_empty() => without += 1,
            Ok(Reply::Invited { group, .. }) => {
                let invited = {
                    let mut identity = node.0.identity.write();
                    identity.group = group;
                    identity.clone()
                };
                node.remember(invited).await;
                return;
            }
            answer => asking.tell(|| tracing::warn!(%address, ?answer, "cannot join there yet")),
        }
    }
    let may_begin = match identity.no_group {
        NoGroup::Wait => false,
        NoGroup::Begin => {
            // A name that cannot be looked up is one that does not answer.
            let all_say_so = without == addresses.len() && without >= identity.join.len();
            all_say_so || now() - asking.since > BEGIN_AFTER
        }
    };
    if may_begin {
        begin(node).await;
    }
}

/// Begins a group.
async fn begin(node: &Node) {
    let begun = {
        let group = group_name(&mut node.0.rng.lock());
        let mut identity = node.0.identity.write();
        identity.group = group;
        identity.join.clear();
        identity.no_group = NoGroup::Wait;
        identity.owes_settings = true;
        identity.clone()
    };
    tracing::info!(group = %begun.group, "nobody has a group: it is begun");
    node.remember(begun).await;
    if let Err(error) = node.found().await {
        tracing::error!(%error, "the group cannot be begun");
    }
}

/// What was told in the log of asking others, each few tenths of a second, to be taken in.
struct Asking {
    since: Moment,
    told: Option<Moment>,
}

/// How often it is told that nobody has answered yet.
const TELL_EVERY: Duration = Duration::from_secs(10);

impl Asking {
    fn new() -> Self {
        Self {
            since: now(),
            told: None,
        }
    }

    /// Tells what stands in the way: at once, and again while it lasts.
    fn tell(&mut self, tell: impl FnOnce()) {
        if self.told.is_none_or(|told| now() - told > TELL_EVERY) {
            self.told = Some(now());
            tell();
        }
    }
}

/// Asks the leader of a group that does not know this monitor to take it in.
async fn be_taken_in(node: &Node, identity: &Identity, asking: &mut Asking) {
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
            Ok(Reply::Done) => {
                *node.0.refused.lock() = None;
                return;
            }
            Ok(Reply::Failed { text }) => {
                asking.tell(|| tracing::error!(%text, "the group does not take this monitor in"));
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
