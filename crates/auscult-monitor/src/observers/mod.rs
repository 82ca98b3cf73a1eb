//! Observing targets together with the other monitors of the group: the shell around
//! `auscult_core::monitor::observers`.
//!
//! What this monitor sees is taken from the event log, where every change of a status stands, so
//! the way of a heartbeat knows nothing of it. What others see comes in messages over the group's
//! own network ([`Post`]), one at a time to each other monitor, so that a slow one holds up nobody
//! but itself. Who belongs to the group and lives is asked for ([`Group`]). Verdicts go into the
//! event log.
//!
//! Targets of the shared settings, and those that a heartbeat created, are observed together; those
//! of a settings file, and members, are this monitor's own affair.

mod follow;
mod forward;
mod group;
mod post;
mod site;
mod talk;
#[cfg(test)]
mod tests;
pub mod wire;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use auscult_agent::http::stop::Stop;
use auscult_core::id::TargetId;
use auscult_core::monitor::observers::{
    Batch, Health, Lineup, MonitorName, Observers, ObserversConfig, ObserversCounters, Output,
    PanelView, rendezvous,
};
use auscult_core::monitor::{Event, EventKind};
use parking_lot::Mutex;
use tokio::sync::Notify;

pub use forward::{Forwarder, HeartbeatCounters};
pub use group::{Circle, Group};
pub use post::{GroupPost, Post, PostError};
pub use site::{Site, agent_addr, observe};

use crate::alerts::LetterRecord;
use crate::engine::Engine;
use crate::events::Company;
use crate::ingest::Admission;
use crate::peer_metrics::ReadingsRecord;
use crate::registry::{Handed, Origin, Registry};
use crate::replication::Colleague;
use wire::{Answer, Letter};

impl Colleague for Observatory {
    fn take(&self, from: &str, letter: Letter) -> Answer {
        Self::take(self, from, letter)
    }
}

/// How often time passes for the machine.
const TICK: Duration = Duration::from_millis(200);

/// Targets that are taken over, or let go of, before others have their turn.
const HANDED_AT_ONCE: usize = 200;

/// What is watched, and where it comes from.
pub trait Targets: Admission {
    /// The names of all targets.
    fn names(&self) -> Vec<TargetId>;

    /// Whether settings are being followed that say what is watched.
    fn are_followed(&self) -> bool;

    /// Where a target comes from; none when it is not watched.
    fn origin(&self, target: &str) -> Option<Origin>;

    /// How many monitors observe each target, as the settings say; `usize::MAX` for all.
    fn observers(&self) -> usize;

    /// Notes who observes which target; nobody else where there is no lineup.
    fn set_lineup(&self, lineup: Option<Lineup>);

    /// Takes a target, or lets go of it, as the lineup says, and has it checked at the moments that
    /// are this monitor's.
    fn hand(&self, target: &str) -> Handed;
}

/// What a monitor does with a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// It alone observes it.
    Alone,
    /// It observes it with others, at this fraction of the interval of checks, of 2^32.
    Among(u32),
    /// Others observe it.
    None,
}

/// What the monitor of a lineup does with a target.
#[must_use]
pub fn part(lineup: &Lineup, target: &str) -> Part {
    match lineup.rank(target) {
        None => Part::None,
        Some((_, 1)) => Part::Alone,
        Some((rank, of)) => Part::Among(fraction(target, rank, of)),
    }
}

impl Targets for Registry {
    fn names(&self) -> Vec<TargetId> {
        Self::names(self)
    }

    fn are_followed(&self) -> bool {
        self.is_following()
    }

    fn origin(&self, target: &str) -> Option<Origin> {
        Self::origin(self, target)
    }

    fn observers(&self) -> usize {
        Self::observers(self)
    }

    fn set_lineup(&self, lineup: Option<Lineup>) {
        Self::set_lineup(self, lineup);
    }

    fn hand(&self, target: &str) -> Handed {
        Self::hand(self, target)
    }
}

/// What a monitor needs to observe together with others.
pub struct Parts {
    /// How.
    pub config: ObserversConfig,
    /// This monitor, as the group knows it.
    pub name: MonitorName,
    /// What judges here.
    pub engine: Engine,
    /// What is watched.
    pub targets: Arc<dyn Targets>,
    /// Who else is there.
    pub group: Arc<dyn Group>,
    /// Carries letters to them.
    pub post: Arc<dyn Post>,
    /// Ends it.
    pub stop: Stop,
}

/// Observes together with others. Clones are the same one.
#[derive(Clone)]
pub struct Observatory(Arc<Shared>);

struct Shared {
    engine: Engine,
    targets: Arc<dyn Targets>,
    group: Arc<dyn Group>,
    post: Arc<dyn Post>,
    machine: Mutex<Observers>,
    /// Something may be to be sent.
    changed: Notify,
    forwarder: Arc<Forwarder>,
    letters_refused: AtomicU64,
    /// Takes what other monitors say of alerts.
    alerts: OnceLock<Box<dyn Correspondent>>,
    /// Takes what peers published to other monitors.
    readings: OnceLock<Box<dyn Hearer>>,
}

/// Takes what peers published to other monitors.
pub trait Hearer: Send + Sync {
    /// Takes a letter of the monitor of that name, and answers it. Soon: it is called on an event
    /// loop.
    fn take(&self, from: &MonitorName, letter: ReadingsRecord) -> Answer;
}

/// Takes what other monitors say of alerts.
pub trait Correspondent: Send + Sync {
    /// Takes a letter of the monitor of that name, and answers it. Soon: it is called on an event
    /// loop.
    fn take(&self, from: &MonitorName, letter: LetterRecord) -> Answer;
}

impl Observatory {
    /// Begins to observe, until `stop`.
    #[must_use]
    pub fn start(parts: Parts) -> Self {
        let Parts {
            config,
            name,
            engine,
            targets,
            group,
            post,
            stop,
        } = parts;
        let clock = engine.clock().clone();
        let origin = clock.wall(auscult_core::time::Instant::ORIGIN);
        let epoch = u64::try_from(origin.as_millisecond()).unwrap_or(0);
        let machine = Observers::new(config, name, epoch, clock.now());
        let shared = Arc::new(Shared {
            engine,
            targets,
            group,
            post,
            machine: Mutex::new(machine),
            changed: Notify::new(),
            forwarder: Arc::new(Forwarder::new(clock)),
            letters_refused: AtomicU64::new(0),
            alerts: OnceLock::new(),
            readings: OnceLock::new(),
        });
        shared.engine.set_forwarder(&shared.forwarder);
        let observatory = Self(shared);
        // Who asks is to know from the beginning whether there is company.
        // Targets are handed out as they are found.
        let _changed = observatory.tick();
        tokio::spawn(follow::follow(observatory.clone(), stop.clone()));
        tokio::spawn(talk::keep_time(observatory.clone(), stop));
        observatory
    }

    /// What is known of a target; none where this monitor observes it alone.
    #[must_use]
    pub fn view(&self, target: &str) -> Option<PanelView> {
        self.0.machine.lock().view(target)
    }

    /// As [`view`](Self::view), for targets that this monitor has in its own settings and that
    /// are not its own affair alone.
    #[must_use]
    pub fn view_of_watched(&self, target: &str) -> Option<PanelView> {
        let machine = self.0.machine.lock();
        machine.view(target).filter(|_| machine.watches(target))
    }

    /// Reads the machine. Reports wait meanwhile, so look and be gone.
    pub fn read<R>(&self, look: impl FnOnce(&Observers) -> R) -> R {
        look(&self.0.machine.lock())
    }

    /// What was counted.
    #[must_use]
    pub fn counters(&self) -> ObserversCounters {
        *self.0.machine.lock().counters()
    }

    /// Letters that were not taken: from a monitor that is not of the group, or malformed.
    #[must_use]
    pub fn letters_refused(&self) -> u64 {
        self.0.letters_refused.load(Ordering::Relaxed)
    }

    /// Where heartbeats go that others are to have, too.
    #[must_use]
    pub fn forwarder(&self) -> &Arc<Forwarder> {
        &self.0.forwarder
    }

    /// Takes a letter of another monitor, and answers it.
    #[must_use]
    pub fn take(&self, from: &str, letter: Letter) -> Answer {
        let shared = &self.0;
        let refuse = |text: String| {
            shared.letters_refused.fetch_add(1, Ordering::Relaxed);
            Answer::Refused { text }
        };
        let Ok(from) = MonitorName::new(from) else {
            return refuse(format!("{from:?} is no name of a monitor"));
        };
        match letter {
            Letter::Batch(record) => match Batch::try_from(record) {
                Ok(batch) => {
                    let now = shared.engine.clock().now();
                    let reply = shared.machine.lock().take_batch(now, &from, batch);
                    self.say();
                    Answer::Reply(reply.into())
                }
                Err(error) => refuse(error.to_string()),
            },
            Letter::Heartbeats(heartbeats) => {
                let taken = forward::take(&shared.engine, &*shared.targets, &heartbeats);
                shared.forwarder.count_taken(taken);
                Answer::HeartbeatsTaken
            }
            Letter::Alerts(letter) => match shared.alerts.get() {
                Some(alerts) => alerts.take(&from, letter),
                None => refuse("this monitor does not tell of alerts yet".to_owned()),
            },
            Letter::Readings(letter) => match shared.readings.get() {
                Some(readings) => readings.take(&from, letter),
                None => refuse("this monitor does not judge peers yet".to_owned()),
            },
        }
    }

    /// Says who takes what other monitors say of alerts. The first one does; before, it is refused.
    pub fn set_correspondent(&self, correspondent: Box<dyn Correspondent>) {
        // A second one would be a mistake of the program, and changes nothing.
        let _taken = self.0.alerts.set(correspondent);
    }

    /// Says who takes what peers published to other monitors. The first one does; before, it is
    /// refused.
    pub fn set_hearer(&self, hearer: Box<dyn Hearer>) {
        // A second one would be a mistake of the program, and changes nothing.
        let _taken = self.0.readings.set(hearer);
    }

    /// Has another monitor answer a letter.
    ///
    /// # Errors
    /// Why there is no answer. State: it may have taken the letter.
    pub async fn send(
        &self,
        to: &MonitorName,
        letter: Letter,
        timeout: Duration,
    ) -> Result<Answer, PostError> {
        self.0.post.send(to, letter, timeout).await
    }

    /// Says what the machine has to say, and wakes those who send.
    fn say(&self) {
        let shared = &self.0;
        let mut machine = shared.machine.lock();
        while let Some(output) = machine.poll_output() {
            shared.engine.events().append(event(output, &shared.engine));
        }
        drop(machine);
        shared.changed.notify_waiters();
    }

    /// Takes every target that is this monitor's to observe now, and lets go of the others.
    async fn hand_all(&self) {
        for some in self.read(Observers::watched).chunks(HANDED_AT_ONCE) {
            for target in some {
                match self.0.targets.hand(target) {
                    Handed::Over => self.look(target),
                    Handed::AsBefore => {}
                }
            }
            self.say();
            tokio::task::yield_now().await;
        }
    }

    /// Notes who is there and how this monitor is, and lets time pass. Tells whether targets may be
    /// to be handed over.
    fn tick(&self) -> bool {
        let shared = &self.0;
        let seats = shared.group.seats();
        let suspects =
            |monitor: &auscult_core::monitor::Monitor| monitor.observer_suspects_itself();
        let health = match shared.engine.read(|monitor, _| suspects(monitor)) {
            true => Health::AtFault,
            false => Health::Well,
        };
        let observers = shared.targets.observers();
        let (lineup, company, isolated) = {
            let now = shared.engine.clock().now();
            let mut machine = shared.machine.lock();
            machine.set_roster(now, &seats);
            machine.set_observers(now, observers);
            machine.set_health(now, health);
            machine.tick(now);
            let company = match machine.has_company() {
                true => Company::Several,
                false => Company::Alone,
            };
            (machine.lineup(), company, machine.is_isolated())
        };
        shared.engine.events().set_company(company);
        // One that hears nobody knows nothing of who is there, and takes nothing over.
        let changed = !isolated && shared.forwarder.set_lineup(company, lineup.clone());
        if changed {
            shared.targets.set_lineup(match company {
                Company::Several => Some(lineup),
                Company::Alone => None,
            });
        }
        self.say();
        changed
    }
}

/// The checks of a target begin anywhere in the interval, so that not all targets are checked at
/// once, and those of its observers follow each other at equal distances.
fn fraction(target: &str, rank: usize, of: usize) -> u32 {
    let begin = rendezvous::weight(target, "") >> 32;
    let shift = (rank as u64) * (1 << 32) / (of as u64);
    (begin + shift) as u32
}

fn event(output: Output, engine: &Engine) -> Event {
    let now = engine.clock().now();
    let of_itself = |kind| Event {
        at: now,
        target: None,
        kind,
    };
    match output {
        Output::Told {
            target,
            ruling,
            teller,
        } => Event {
            at: ruling.at,
            target: Some(target),
            kind: EventKind::Verdict {
                ruling: Box::new(ruling),
                teller,
            },
        },
        Output::Isolated { heard, of } => of_itself(EventKind::Isolated { heard, of }),
        Output::Rejoined { heard, of } => of_itself(EventKind::Rejoined { heard, of }),
        Output::ObserverIsolated {
            observer,
            down,
            reached,
        } => of_itself(EventKind::ObserverIsolated {
            observer,
            down,
            reached,
        }),
        Output::ObserverRejoined { observer } => {
            of_itself(EventKind::ObserverRejoined { observer })
        }
    }
}
