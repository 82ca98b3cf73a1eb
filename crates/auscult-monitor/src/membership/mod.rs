//! A monitor that is a member of a group: it runs an agent, and every member is a target whose
//! verdict is the group's.
//!
//! The targets follow the snapshot of the members, not the single events, so that nothing can be
//! missed. One that leaves, or is forgotten after it failed, is watched no longer.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use auscult_agent::http::members::arithmetic;
use auscult_agent::http::stop::Stop;
use auscult_agent::keys::{KeyFileError, KeyRing};
use auscult_agent::{Agent, AgentConfig, AgentHandle, Member, StartError};
use auscult_core::id::{IdError, TargetId};
use auscult_core::monitor::Told;
use auscult_core::swim::{Accuser, EventKind, MemberName, State};

use crate::registry::{MemberWord, Registry};
use crate::settings::MembershipSettings;

/// Why a monitor cannot become a member. State: it is none, and listens nowhere for it.
#[derive(Debug)]
#[non_exhaustive]
pub enum MembershipError {
    /// The agent cannot start.
    Start(StartError),
    /// The key file gives no ring.
    Keys(KeyFileError),
    /// The name of the machine is no name of a member.
    Name(String, IdError),
}

impl fmt::Display for MembershipError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Start(error) => write!(f, "membership: {error}"),
            Self::Keys(error) => write!(f, "membership: {error}"),
            Self::Name(name, error) => write!(
                f,
                "membership: the name of this machine, {name:?}, is no name of a member ({error}); \
                 set membership.name"
            ),
        }
    }
}

impl std::error::Error for MembershipError {}

/// Becomes a member.
///
/// # Errors
/// Why not. State: it is no member.
pub async fn start(settings: &MembershipSettings) -> Result<AgentHandle, MembershipError> {
    let name = match &settings.name {
        Some(name) => name.clone(),
        None => machine_name()?,
    };
    let mut config = AgentConfig::new(name, settings.bind, settings.params());
    config.advertise = settings.advertise;
    config.join.clone_from(&settings.join);
    config.snapshot.clone_from(&settings.snapshot);
    if let Some(path) = &settings.key_file {
        config.keys = Some(KeyRing::load(path).map_err(MembershipError::Keys)?);
    }
    Agent::start(config).await.map_err(MembershipError::Start)
}

fn machine_name() -> Result<MemberName, MembershipError> {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let name = name.trim();
    MemberName::new(name).map_err(|error| MembershipError::Name(name.to_owned(), error))
}

/// Keeps the targets as the members are, until `stop`.
pub async fn follow(agent: AgentHandle, registry: Arc<Registry>, stop: Stop) {
    let mut changed = agent.events().subscribe();
    loop {
        changed.mark_unchanged();
        let (told, from) = (Arc::clone(&registry), agent.clone());
        // The registry may wait for a lock that is held over a write to the disk.
        let done = tokio::task::spawn_blocking(move || tell_all(&from, &told)).await;
        if let Err(error) = done {
            tracing::error!(%error, "the members could not be made targets");
        }
        tokio::select! {
            more = changed.changed() => {
                if more.is_err() {
                    return;
                }
            }
            () = stop.clone().stopped() => return,
        }
    }
}

fn tell_all(agent: &AgentHandle, registry: &Registry) {
    let members = agent.members();
    let mut there = BTreeSet::new();
    for member in &members.members {
        let Ok(id) = TargetId::new(member.name.as_str()) else {
            continue;
        };
        let Some(word) = word(agent, registry, member) else {
            continue;
        };
        if let Err(error) = registry.tell_of_member(&id, word) {
            tracing::error!(%error, member = %id, "a member cannot be watched");
        }
        there.insert(id);
    }
    let gone = registry.members().into_iter();
    for id in gone.filter(|id| !there.contains(id)) {
        registry.forget_member(&id);
    }
}

/// What the group says of a member; nothing of one that left.
fn word(agent: &AgentHandle, registry: &Registry, member: &Member) -> Option<MemberWord> {
    let verdict = match member.state {
        State::Alive => Told::Up,
        State::Suspect => Told::Late,
        State::Dead => Told::Down,
        State::Left => return None,
    };
    let why = match member.state {
        State::Alive if member.is_me => "this monitor itself".to_owned(),
        State::Alive => format!("alive at {}", member.address),
        State::Suspect => suspected(member),
        State::Dead | State::Left => convicted(agent, member),
    };
    // The agent has a clock of its own; the two agree on how long ago something was.
    let age = agent.clock().now().since(member.since);
    Some(MemberWord {
        at: registry.now().before(age),
        verdict,
        why: why.into(),
    })
}

fn suspected(member: &Member) -> String {
    let accusers = names(&member.accusers);
    match &member.deadline {
        Some(deadline) => format!(
            "suspected by {accusers}; its time to contradict: {}",
            arithmetic(deadline)
        ),
        None => format!("suspected by {accusers}"),
    }
}

/// The case of a member that failed, as the last event of it tells.
fn convicted(agent: &AgentHandle, member: &Member) -> String {
    let page = agent.events().since(0, usize::MAX);
    let failed = page.events.iter().rev().find_map(|logged| {
        if let Some(event) = logged.event.of_member()
            && let EventKind::Failed { by, accusation } = &event.kind
            && event.member == member.name
        {
            return Some((by, accusation));
        }
        None
    });
    let Some((by, accusation)) = failed else {
        return "dead, as others say".to_owned();
    };
    let by = names(std::slice::from_ref(by));
    match accusation.accusers.as_slice() {
        [] => format!("convicted by {by}"),
        accusers => format!(
            "convicted by {by}, as it did not contradict the suspicion of {}",
            names(accusers)
        ),
    }
}

fn names(accusers: &[Accuser]) -> String {
    let name = |accuser: &Accuser| match &accuser.name {
        Some(name) => name.to_string(),
        None => format!("{:?}", accuser.id),
    };
    let names: Vec<String> = accusers.iter().map(name).collect();
    names.join(", ")
}
