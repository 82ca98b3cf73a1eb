//! Changing the keys of a whole cluster while it runs, without losing a message.
//!
//! A rotation has three steps, each of which every member takes before anybody takes the next one:
//! *install* the new key, which then opens; *use* it, so that it seals; *remove* the old one.
//! Before the second and the third step all living members are asked whether they are ready, and if
//! one is not, or cannot be asked, nobody is told to take it.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use auscult_core::swim::{MemberName, Refusal, State};
use futures_util::stream::{self, StreamExt as _};
use tokio::sync::Mutex;
use tokio::time::timeout;

use super::message::{
    KeyCommand, KeyOutcome, KeyReport, KeyVerdict, MemberKeys, Scope, decode_answer, decode_report,
    decode_request, encode_answer, encode_report, encode_request,
};
use super::ring::{Changed, Key, KeyId, KeyRing, RingRefusal};
use super::shared::SharedRing;
use crate::carrier::Dialler;
use crate::handle::Shared;
use crate::stream::{Broken, Opener};

/// The keys of a running agent, and through it those of its cluster.
#[derive(Debug)]
pub struct Keys {
    ring: Arc<SharedRing>,
    /// Held while the ring changes and is written.
    changing: Mutex<()>,
    shared: Arc<Shared>,
    opener: Opener,
}

/// Members that are asked at a time.
const ASKED_MAX: usize = 16;
/// How long a member may take to answer: it writes a file.
const ANSWER_TIME: Duration = Duration::from_secs(5);
/// How long a command for all members may take: they are asked twice, some at a time.
pub(crate) const EVERYWHERE_TIME: Duration = Duration::from_secs(120);

/// A member, as it is asked.
struct Asked {
    name: MemberName,
    address: SocketAddr,
    state: State,
    is_me: bool,
}

impl Keys {
    /// The keys of an agent that has some.
    pub(crate) fn of(opener: &Opener, shared: &Arc<Shared>) -> Option<Arc<Self>> {
        let ring = opener.ring()?;
        Some(Arc::new(Self {
            ring: Arc::clone(ring),
            changing: Mutex::new(()),
            shared: Arc::clone(shared),
            opener: opener.clone(),
        }))
    }

    /// The ring of this agent.
    #[must_use]
    pub fn ring(&self) -> KeyRing {
        self.ring.ring()
    }

    /// Which keys every member has, and which one it seals with.
    pub async fn status(&self) -> KeyReport {
        self.everywhere(KeyCommand::List).await
    }

    /// Gives every member a key that opens.
    pub async fn install(&self, key: Key) -> KeyReport {
        self.everywhere(KeyCommand::Install(key)).await
    }

    /// Has every member seal with a key, once every living member has it.
    pub async fn promote(&self, id: KeyId) -> KeyReport {
        self.everywhere(KeyCommand::Use(id)).await
    }

    /// Takes a key from every member, once no living member seals with it.
    pub async fn remove(&self, id: KeyId) -> KeyReport {
        self.everywhere(KeyCommand::Remove(id)).await
    }

    /// Does what a message that came over a sealed stream says, and gives what is answered; none,
    /// when it is no such message.
    pub(crate) async fn answer(&self, bytes: &[u8]) -> Option<Vec<u8>> {
        let (scope, command) = decode_request(bytes).ok()?;
        let mut out = Vec::new();
        match scope {
            Scope::Here => {
                let (outcome, ids) = self.here(command).await;
                encode_answer(outcome, &ids, &mut out);
            }
            Scope::Everywhere => encode_report(&self.everywhere(command).await, &mut out),
        }
        Some(out)
    }

    /// Does it in this process: first in the key file, so that a restart changes nothing.
    async fn here(&self, command: KeyCommand) -> (KeyOutcome, Vec<KeyId>) {
        let _one_at_a_time = self.changing.lock().await;
        let mut ring = self.ring.ring();
        let said = format!("{command:?}");
        let before = ring.ids().collect::<Vec<_>>();
        let result = apply(&mut ring, command);
        if result != Ok(Changed::Done) || ring.ids().eq(before.iter().copied()) {
            return (result.into(), before);
        }
        let saved = tokio::task::spawn_blocking(move || ring.save().map(|()| ring));
        match saved
            .await
            .unwrap_or_else(|error| Err(io::Error::other(error)))
        {
            Ok(ring) => {
                let ids = ring.ids().collect();
                tracing::info!(command = said, primary = %ring.primary(), "the key ring changed");
                self.ring.replace(ring);
                (KeyOutcome::Done, ids)
            }
            Err(error) => {
                tracing::error!(command = said, "cannot write the key file: {error}");
                (KeyOutcome::Unsaved, before)
            }
        }
    }

    async fn everywhere(&self, command: KeyCommand) -> KeyReport {
        let report = match &command {
            KeyCommand::List | KeyCommand::Install(_) => None,
            KeyCommand::Use(id) => {
                let ready = self.ask_all(KeyCommand::List).await;
                withheld(ready, KeyVerdict::NotInstalled, |keys| {
                    keys.ids.contains(id)
                })
            }
            KeyCommand::Remove(id) => {
                let ready = self.ask_all(KeyCommand::List).await;
                withheld(ready, KeyVerdict::InUse, |keys| {
                    keys.ids.first() != Some(id)
                })
            }
        };
        match report {
            Some(report) => report,
            None => {
                let members = self.ask_all(command).await;
                let verdict = match members.iter().all(has_done) {
                    true => KeyVerdict::Done,
                    false => KeyVerdict::Incomplete,
                };
                KeyReport { verdict, members }
            }
        }
    }

    async fn ask_all(&self, command: KeyCommand) -> Vec<MemberKeys> {
        let members = self.shared.members();
        let mut asked: Vec<Asked> = members
            .members
            .iter()
            .filter(|member| member.state != State::Left)
            .map(|member| Asked {
                name: member.name.clone(),
                address: member.address,
                state: member.state,
                is_me: member.is_me,
            })
            .collect();
        asked.sort_by(|one, other| one.name.as_str().cmp(other.name.as_str()));
        let answers = asked
            .into_iter()
            .map(|member| self.ask(member, command.clone()));
        stream::iter(answers).buffered(ASKED_MAX).collect().await
    }

    async fn ask(&self, member: Asked, command: KeyCommand) -> MemberKeys {
        let (outcome, ids) = match member.state {
            _ if member.is_me => self.here(command).await,
            State::Dead | State::Left => (KeyOutcome::Absent, Vec::new()),
            State::Alive | State::Suspect => {
                let asked = self.ask_member(member.address, &command);
                match timeout(ANSWER_TIME, asked).await {
                    Ok(Ok(answer)) => answer,
                    Ok(Err(Broken::Refused(Refusal::Plain))) => (KeyOutcome::Keyless, Vec::new()),
                    Ok(Err(_)) | Err(_) => (KeyOutcome::Unreachable, Vec::new()),
                }
            }
        };
        MemberKeys {
            name: member.name,
            address: member.address,
            state: member.state,
            outcome,
            ids,
        }
    }

    async fn ask_member(
        &self,
        address: SocketAddr,
        command: &KeyCommand,
    ) -> Result<(KeyOutcome, Vec<KeyId>), Broken> {
        let mut request = Vec::new();
        encode_request(Scope::Here, command, &mut request);
        let mut wire = self.opener.open_sealed(address).await?;
        wire.write(&request).await?;
        let answer = wire.read().await?;
        decode_answer(&answer.bytes).map_err(|_| Broken::Malformed)
    }
}

fn apply(ring: &mut KeyRing, command: KeyCommand) -> Result<Changed, RingRefusal> {
    match command {
        KeyCommand::List => Ok(Changed::Done),
        KeyCommand::Install(key) => ring.install(key),
        KeyCommand::Use(id) => ring.promote(id),
        KeyCommand::Remove(id) => ring.remove(id),
    }
}

fn has_done(member: &MemberKeys) -> bool {
    match member.outcome {
        KeyOutcome::Done | KeyOutcome::Already | KeyOutcome::Absent => true,
        KeyOutcome::Refused(_)
        | KeyOutcome::Unsaved
        | KeyOutcome::Unreachable
        | KeyOutcome::Withheld
        | KeyOutcome::Keyless => false,
    }
}

/// Why nobody is told to take the next step, if some living member is not ready for it.
fn withheld(
    mut members: Vec<MemberKeys>,
    verdict: KeyVerdict,
    is_ready: impl Fn(&MemberKeys) -> bool,
) -> Option<KeyReport> {
    let living = || {
        members
            .iter()
            .filter(|one| one.outcome != KeyOutcome::Absent)
    };
    let verdict = match living().find(|one| !has_done(one)) {
        Some(_silent) => KeyVerdict::Unknown,
        None if living().all(&is_ready) => return None,
        None => verdict,
    };
    for member in &mut members {
        if member.outcome == KeyOutcome::Done {
            member.outcome = KeyOutcome::Withheld;
        }
    }
    Some(KeyReport { verdict, members })
}

/// Why an agent did not do what it was asked about keys. State: unknown, where it may have been
/// asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ControlError {
    /// Nobody listens there, or the connection broke.
    Unreachable,
    /// It did not answer in time.
    TimedOut,
    /// It says no: it has no keys, or not this one.
    Refused(Refusal),
    /// It has another label, or another key whose id is the same.
    Seal,
    /// What it answered is not understood.
    Malformed,
}

impl fmt::Display for ControlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreachable => write!(
                f,
                "no agent answers there, or it closed the connection: is the label right?"
            ),
            Self::TimedOut => write!(f, "the agent did not answer in time"),
            Self::Refused(refusal) => write!(f, "{refusal}"),
            Self::Seal => write!(f, "what the agent answers cannot be opened"),
            Self::Malformed => write!(f, "what answers is no agent, or one of another version"),
        }
    }
}

impl std::error::Error for ControlError {}

/// Has an agent do something with the keys of all members, as someone who has a key of the cluster
/// and knows its label: over a sealed stream to the address of the member.
///
/// # Errors
/// Why it did not. State: unknown, when it was asked and did not answer.
pub async fn control(
    agent: SocketAddr,
    ring: Arc<SharedRing>,
    command: &KeyCommand,
) -> Result<KeyReport, ControlError> {
    let dialler = Dialler::Sockets { source: None };
    let opener = Opener::new(dialler, Some(ring));
    let asked = async {
        let mut request = Vec::new();
        encode_request(Scope::Everywhere, command, &mut request);
        let mut wire = opener.open_sealed(agent).await?;
        wire.write(&request).await?;
        let answer = wire.read().await?;
        decode_report(&answer.bytes).map_err(|_| Broken::Malformed)
    };
    match timeout(EVERYWHERE_TIME, asked).await {
        Ok(Ok(report)) => Ok(report),
        Ok(Err(Broken::Unreachable)) => Err(ControlError::Unreachable),
        Ok(Err(Broken::TimedOut)) | Err(_) => Err(ControlError::TimedOut),
        Ok(Err(Broken::Refused(refusal))) => Err(ControlError::Refused(refusal)),
        Ok(Err(Broken::Layer(_))) => Err(ControlError::Seal),
        Ok(Err(Broken::Malformed)) => Err(ControlError::Malformed),
    }
}
