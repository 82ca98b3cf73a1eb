//! Who this monitor is, kept in the journal over restarts.

use std::net::SocketAddr;
use std::time::Duration;

use auscult_core::rng::Rng;
use serde::{Deserialize, Serialize};

use super::join::JoinError;
use super::journal::{self, Item, Journal};
use super::node::StartError;
use super::{Monitor, NodeConfig};
use crate::store::StoreError;

/// Ids are 48 bits, which every reader of JSON takes as a number.
const ID_BITS: u32 = 48;

/// What a monitor does that finds no group where it shall join one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NoGroup {
    /// It goes on asking.
    #[default]
    Wait,
    /// It begins one: as soon as all whom it shall join say that they have none, or after
    /// [`BEGIN_AFTER`] where some of them do not answer.
    Begin,
}

/// How long monitors that do not answer are waited for before a group is begun without them: longer
/// than it takes several that are started together to listen.
pub const BEGIN_AFTER: Duration = Duration::from_secs(10);

/// What a monitor remembers of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Identity {
    /// Never given to another monitor, and never changed.
    pub(super) id: u64,
    /// Its group; empty before it has one.
    pub(super) group: String,
    /// Its name and addresses as it told the others last.
    pub(super) monitor: Monitor,
    /// Where it listens for the others.
    #[serde(default)]
    pub(super) bind: Option<SocketAddr>,
    /// Whom it was told to join, for as long as it is not known to have joined.
    #[serde(default)]
    pub(super) join: Vec<String>,
    /// What it does where none of them has a group.
    #[serde(default)]
    pub(super) no_group: NoGroup,
    /// It began its group, and what its settings file says is not known to be shared yet.
    #[serde(default)]
    pub(super) owes_settings: bool,
    /// It left its group, or was removed.
    #[serde(default)]
    pub(super) outside: bool,
}

impl Identity {
    /// What the journal says, with the addresses of today; a new one where it says nothing.
    pub(super) fn take(journal: &Journal, config: &NodeConfig) -> Result<Self, StartError> {
        let known: Option<Self> = journal.item(Item::Identity)?;
        let identity = match &known {
            None => Self::new(config),
            Some(known) if known.shall_join(journal, config)? => {
                journal.forget()?;
                Self::new(config)
            }
            Some(known) => known.again(config),
        };
        if known.as_ref() != Some(&identity) {
            identity.keep(journal)?;
        }
        Ok(identity)
    }

    pub(super) fn keep(&self, journal: &Journal) -> Result<(), StoreError> {
        journal.write(|transaction| journal::put(transaction, Item::Identity, self))
    }

    fn new(config: &NodeConfig) -> Self {
        let mut rng = Rng::new(config.seed);
        let id = (rng.next_u64() >> (u64::BITS - ID_BITS)).max(1);
        let group = if config.join.is_empty() {
            group_name(&mut rng)
        } else {
            String::new()
        };
        Self {
            id: config.id.map_or(id, |id| id.0),
            group,
            monitor: named(config.monitor.clone()),
            bind: config.raft_bind,
            join: config.join.clone(),
            no_group: config.no_group,
            owes_settings: config.join.is_empty(),
            outside: false,
        }
    }

    /// Whether it is told to join others, and has neither joined them before nor anything to lose.
    fn shall_join(&self, journal: &Journal, config: &NodeConfig) -> Result<bool, StartError> {
        if config.join.is_empty() {
            return Ok(false);
        }
        if self.outside {
            return Ok(true);
        }
        // The group that it began, it is told to begin at each start.
        if config.no_group == NoGroup::Begin && !self.group.is_empty() {
            return Ok(false);
        }
        match self.may_join(&journal.past()?) {
            Ok(()) => Ok(true),
            Err(JoinError::HasSettings) => Err(StartError::HasSettings(journal.path().to_owned())),
            // It is started again with the same flags.
            Err(_) => Ok(false),
        }
    }

    /// A restart: what is not said again stays.
    fn again(&self, config: &NodeConfig) -> Self {
        let or = |now: &str, before: &str| match now {
            "" => before.to_owned(),
            now => now.to_owned(),
        };
        let (now, before) = (&config.monitor, &self.monitor);
        Self {
            bind: config.raft_bind.or(self.bind),
            monitor: Monitor {
                name: or(&now.name, &before.name),
                raft: or(&now.raft, &before.raft),
                http: or(&now.http, &before.http),
                agent: or(&now.agent, &before.agent),
            },
            ..self.clone()
        }
    }
}

/// What stands for a new group.
pub(super) fn group_name(rng: &mut Rng) -> String {
    format!("{:016x}", rng.next_u64())
}

/// One without a name is called as it is reached.
fn named(mut monitor: Monitor) -> Monitor {
    if monitor.name.is_empty() {
        let address = match monitor.raft.as_str() {
            "" => &monitor.http,
            raft => raft,
        };
        monitor.name = address.to_owned();
    }
    monitor
}
