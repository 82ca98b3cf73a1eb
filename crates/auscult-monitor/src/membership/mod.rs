//! A monitor that is a member of a group: it runs an agent, and every member is a target whose
//! verdict is the group's.
//!
//! The targets follow the snapshot of the members, not the single events, so that nothing can be
//! missed. One that leaves, or is forgotten after it failed, is watched no longer.

mod flags;
mod isolation;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use auscult_agent::events::{EventReader, Reading};
use auscult_agent::http::members::arithmetic;
use auscult_agent::http::stop::Stop;
use auscult_agent::keys::{KeyFileError, KeyRing};
use auscult_agent::{Agent, AgentConfig, AgentEvent, AgentHandle, Ending, Member, StartError};
use auscult_core::id::{IdError, TargetId};
use auscult_core::monitor::Told;
use auscult_core::swim::{Accuser, EventKind, MemberName, State};

pub use self::flags::MembershipFlags;
use self::isolation::{Isolation, Turn};
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

/// Keeps the targets as the members are, until `stop`, and logs what else the agent tells.
pub async fn follow(agent: AgentHandle, registry: Arc<Registry>, stop: Stop) {
    let interval = agent.view(|swim, _| swim.config().params().probe_interval);
    let interval = interval.await.unwrap_or_default();
    let mut follower = Follower {
        reader: agent.events().read_from_start(),
        isolation: Isolation::new(interval),
        ending: None,
        agent,
        registry,
    };
    let mut changed = follower.agent.events().subscribe();
    loop {
        changed.mark_unchanged();
        // The registry may wait for a lock that is held over a write to the disk.
        let done = tokio::task::spawn_blocking(move || {
            follower.tell_all();
            follower
        });
        follower = match done.await {
            Ok(follower) => follower,
            Err(error) => {
                tracing::error!(%error, "the members are no longer made targets");
                return;
            }
        };
        let agent = follower.agent.clone();
        tokio::select! {
            more = changed.changed() => {
                if more.is_err() {
                    return;
                }
            }
            () = tokio::time::sleep(LOOK_AGAIN), if !follower.isolation.is_over() => {}
            ending = agent.stopped(), if follower.ending.is_none() => follower.stopped(ending),
            () = stop.clone().stopped() => return,
        }
    }
}

/// Follows one agent.
struct Follower {
    agent: AgentHandle,
    registry: Arc<Registry>,
    reader: EventReader<AgentEvent>,
    isolation: Isolation,
    /// Why the agent stopped, when it did.
    ending: Option<Ending>,
}

impl Follower {
    fn stopped(&mut self, ending: Ending) {
        let why = match &ending {
            Ending::Left => "it left the group",
            Ending::Shutdown => "it was shut down",
            Ending::NameLost(_) => "another process runs with its name",
            Ending::Fault(text) => text,
        };
        let text = format!("this monitor is no member any more: {why}; members are unknown");
        let now = self.registry.now();
        self.registry.remark(now, None, "agent_stopped", &text);
        self.ending = Some(ending);
    }

    fn tell_all(&mut self) {
        let members = self.agent.members();
        let turn = self.isolation.look(self.agent.clock().now(), &members);
        if let Some(turn) = turn {
            self.turn(turn);
        }
        self.tell_remarks();
        let registry = Arc::clone(&self.registry);
        let mut there = BTreeSet::new();
        for member in &members.members {
            let Ok(id) = TargetId::new(member.name.as_str()) else {
                continue;
            };
            let Some(word) = self.word(member) else {
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

    fn turn(&self, turn: Turn) {
        let (code, text) = match turn {
            Turn::Isolated(others) => (
                "isolated",
                format!(
                    "this monitor hears none of {others} members any more, so the fault is \
                     likelier here; they are unknown meanwhile"
                ),
            ),
            Turn::Back => (
                "reconnected",
                "this monitor hears members again; those that stay silent are down in a minute"
                    .to_owned(),
            ),
        };
        self.registry.remark(self.registry.now(), None, code, &text);
    }

    /// Logs what is no change of a status and still worth knowing.
    fn tell_remarks(&mut self) {
        while let Some(reading) = self.reader.try_next() {
            let Reading::Event(logged) = reading else {
                continue;
            };
            let about = logged.event.of_member();
            let worth = about.is_none_or(|event| {
                matches!(
                    event.kind,
                    EventKind::Refuted { .. }
                        | EventKind::LinkChanged { .. }
                        | EventKind::NameConflict { .. }
                )
            });
            if worth {
                let target = about.and_then(|event| TargetId::new(event.member.as_str()).ok());
                let (now, code) = (self.registry.now(), logged.event.as_str());
                self.registry.remark(now, target, code, &logged.text);
            }
        }
    }

    /// What the group says of a member; nothing of one that left.
    fn word(&self, member: &Member) -> Option<MemberWord> {
        let doubt = match &self.ending {
            Some(_) => Some("this monitor is no member any more"),
            None if self.isolation.doubts(member) => {
                Some("this monitor hears nobody, so the fault is likelier here")
            }
            None => None,
        };
        let (verdict, why) = match (member.state, doubt) {
            (State::Left, _) => return None,
            (State::Alive | State::Suspect | State::Dead, Some(why)) => {
                (Told::Unknown, why.to_owned())
            }
            (State::Alive, None) if member.is_me => (Told::Up, "this monitor itself".to_owned()),
            (State::Alive, None) => (Told::Up, format!("alive at {}", member.address)),
            (State::Suspect, None) => (Told::Late, suspected(member)),
            (State::Dead, None) => (Told::Down, convicted(&self.agent, member)),
        };
        // The agent has a clock of its own; the two agree on how long ago something was.
        let age = match verdict {
            Told::Unknown => Duration::ZERO,
            Told::Up | Told::Late | Told::Down => self.agent.clock().now().since(member.since),
        };
        Some(MemberWord {
            at: self.registry.now().before(age),
            verdict,
            why: why.into(),
        })
    }
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

/// How often it is looked whether a monitor that was deaf hears again.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
