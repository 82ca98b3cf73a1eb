//! Telling people: the shell around `auscult_core::alert`.
//!
//! A task follows the event log and tells the machine how each signal is ([`feed`]), and who tells
//! of it ([`office`]); what other monitors of the group are to know goes to them
//! ([`correspondence`]). The machine asks for writes, which go to a file of their own ([`record`]),
//! and for messages, which are sent by one task each ([`send`]). What came of both is told the
//! machine. Without a data folder nothing outlives the process, and writes count as made.

mod calendar;
mod correspondence;
mod feed;
mod office;
mod pulse;
mod receivers;
mod record;
mod send;
mod silences;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::{ArcSwap, ArcSwapOption};
use auscult_core::alert::{
    Alerts, Change, Duty, Input, Letter, Message, Output, Phase, Refusal, Subject, Write,
};
use auscult_core::id::{ReceiverName, TargetId};
use auscult_core::monitor::observers::MonitorName;
use auscult_core::time::Instant;
use jiff::Timestamp;
use parking_lot::Mutex;
use tokio::sync::futures::Notified;
use tokio::sync::{Notify, mpsc, oneshot, watch};
use tokio::time::timeout;

use crate::clock::Clock;
use crate::engine::Engine;
use crate::observers::Observatory;
use crate::registry::Registry;
use crate::settings::{AlertSettings, Pulse, SharedReceivers, Way, Window};
use crate::shared::SettingsStore;
use crate::store::{AlertStore, SavedTexts};
use auscult_agent::http::stop::Stop;
use feed::Feed;
use office::Office;
use send::Sender;

pub(crate) use office::Roll;
pub use pulse::Pulses;
pub use record::LetterRecord;
pub(crate) use send::templating;
pub use send::{SendError, Tested};
pub(crate) use silences::SilenceDocument;

/// Decides and does what people are told. Clones share one machine.
#[derive(Clone)]
pub struct AlertDesk(Arc<Shared>);

struct Shared {
    clock: AlertClock,
    machine: Mutex<Alerts>,
    place: Mutex<Place>,
    /// Texts that were on the disk and could not be read; they stay there.
    unreadable: usize,
    ways: ArcSwap<BTreeMap<ReceiverName, Way>>,
    /// What the monitor's own file says.
    file: ArcSwap<AlertSettings>,
    /// What the shared settings say.
    shared: ArcSwap<SharedReceivers>,
    sender: Sender,
    /// Changes when other rules hold: then everything that is not well is to be told anew.
    configured: watch::Sender<()>,
    pulse: ArcSwapOption<Pulse>,
    pulse_changed: Notify,
    windows: ArcSwap<Vec<Window>>,
    windows_changed: Notify,
    counting: pulse::Counting,
    /// The machine may want to be called earlier than the timer knows.
    changed: Notify,
    /// There may be something to say to other monitors.
    spoke: Notify,
    /// Who tells of what.
    office: Arc<Mutex<Office>>,
    /// Changes when alerts of peers are told of elsewhere, or of peers unknown here.
    handed: watch::Sender<()>,
    /// Peers of whose alerts other monitors told first.
    introduced: Mutex<BTreeSet<TargetId>>,
    /// Who wrote to the file does not any more.
    released: Notify,
    /// Asks the feed whether it still follows.
    calls: mpsc::Sender<Call>,
    /// What the feed is asked, until it runs.
    called: Mutex<Option<mpsc::Receiver<Call>>>,
}

/// A question that is answered by whoever follows what happens, and only while it does.
type Call = oneshot::Sender<()>;

/// How long the end waits for the disk: what is not written by then is found out anew, where it
/// can be.
const LAST_WRITE_MAX: Duration = Duration::from_secs(1);

/// Where alerts are written.
#[derive(Clone)]
enum Place {
    /// In a file.
    File(Arc<AlertStore>),
    /// Nowhere: what is to be written counts as written.
    Nowhere,
    /// The desk has ended: what is to be written stays to be written, and nobody is told of it.
    Closed,
}

/// The machine's time: nanoseconds since the Unix epoch, by the wall clock at the start and the
/// monotonic one since then. So its moments mean the same after a restart, and nothing that is done
/// to the wall clock moves them.
#[derive(Clone, Debug)]
pub struct AlertClock {
    clock: Clock,
    origin_nanos: u64,
}

impl AlertClock {
    fn new(clock: Clock) -> Self {
        let wall = u64::try_from(clock.wall_now().as_nanosecond()).unwrap_or(0);
        let origin_nanos = wall.saturating_sub(clock.now().as_nanos());
        Self {
            clock,
            origin_nanos,
        }
    }

    /// The present moment.
    #[must_use]
    pub fn now(&self) -> Instant {
        self.of(self.clock.now())
    }

    /// A moment of the monitor's machine.
    #[must_use]
    pub fn of(&self, at: Instant) -> Instant {
        Instant::from_nanos(self.origin_nanos.saturating_add(at.as_nanos()))
    }

    /// A moment as people write it.
    #[must_use]
    pub fn wall(&self, at: Instant) -> Timestamp {
        Self::wall_of(at)
    }

    /// A moment as people write it: its origin is the same for all.
    fn wall_of(at: Instant) -> Timestamp {
        Timestamp::from_nanosecond(i128::from(at.as_nanos())).unwrap_or(Timestamp::MAX)
    }

    /// A moment that people wrote. What was before 1970 counts as then.
    #[must_use]
    pub fn moment(&self, at: Timestamp) -> Instant {
        Instant::from_nanos(u64::try_from(at.as_nanosecond()).unwrap_or(0))
    }

    fn sleep_until(&self, at: Instant) -> std::time::Instant {
        let own = at.as_nanos().saturating_sub(self.origin_nanos);
        self.clock.std(Instant::from_nanos(own))
    }
}

impl AlertDesk {
    /// A desk that knows what an earlier process wrote. It does nothing before it is started.
    #[must_use]
    pub fn new(
        clock: Clock,
        settings: &AlertSettings,
        store: Option<(AlertStore, SavedTexts)>,
    ) -> Self {
        Self::with(clock, settings, SharedReceivers::default(), store)
    }

    /// The same with what monitors share as far as it is known: without its receivers, alerts that
    /// an earlier process told them of would be over.
    #[must_use]
    pub fn sharing(
        clock: Clock,
        settings: &AlertSettings,
        shared: &dyn SettingsStore,
        store: Option<(AlertStore, SavedTexts)>,
    ) -> Self {
        Self::with(clock, settings, receivers::read(shared), store)
    }

    fn with(
        clock: Clock,
        file: &AlertSettings,
        shared: SharedReceivers,
        store: Option<(AlertStore, SavedTexts)>,
    ) -> Self {
        let settings = receivers::over(&shared, file);
        let clock = AlertClock::new(clock);
        let (place, texts) = match store {
            Some((store, texts)) => (Place::File(Arc::new(store)), texts),
            None => (Place::Nowhere, SavedTexts::default()),
        };
        let (saved, unreadable) = record::saved(&texts);
        let now = clock.now();
        // One at a time.
        let (calls, called) = mpsc::channel(1);
        // Without their rules, the alerts of an earlier process would be over.
        let machine = Alerts::new(settings.config.clone(), now.as_nanos(), now, saved);
        Self(Arc::new(Shared {
            machine: Mutex::new(machine),
            clock,
            place: Mutex::new(place),
            unreadable,
            ways: ArcSwap::from_pointee(settings.ways),
            file: ArcSwap::from_pointee(file.clone()),
            shared: ArcSwap::from_pointee(shared),
            sender: Sender::new(),
            configured: watch::Sender::new(()),
            pulse: ArcSwapOption::from_pointee(settings.pulse),
            pulse_changed: Notify::new(),
            windows: ArcSwap::from_pointee(settings.windows),
            windows_changed: Notify::new(),
            counting: pulse::Counting::default(),
            changed: Notify::new(),
            spoke: Notify::new(),
            office: Arc::default(),
            handed: watch::Sender::new(()),
            introduced: Mutex::default(),
            released: Notify::new(),
            calls,
            called: Mutex::new(Some(called)),
        }))
    }

    /// Follows what happens until `stop`.
    pub fn start(
        &self,
        engine: Engine,
        registry: Arc<Registry>,
        observatory: Option<Observatory>,
        stop: Stop,
    ) {
        receivers::complain(self.0.ways.load().as_ref().clone());
        // Before anybody is told of anything.
        self.open_windows();
        self.take_silences(&registry);
        tokio::spawn(silences::follow(
            self.clone(),
            Arc::clone(&registry),
            stop.clone(),
        ));
        let settings = Arc::clone(registry.shared());
        let feed = Arc::new(Feed {
            desk: self.clone(),
            engine,
            registry,
            observatory: observatory.clone(),
            office: Arc::clone(&self.0.office),
        });
        // Before anybody is told of anything, it must be known who tells.
        feed.look();
        if let Some(observatory) = observatory {
            observatory.set_correspondent(Box::new(correspondence::Desk(Arc::clone(&feed))));
            let letters = correspondence::correspond(Arc::clone(&feed), observatory, stop.clone());
            tokio::spawn(letters);
        }
        if let Some(called) = self.0.called.lock().take() {
            tokio::spawn(feed::follow(feed, called, stop.clone()));
        }
        tokio::spawn(pulse::beat(self.clone(), settings, stop.clone()));
        tokio::spawn(calendar::keep(self.clone(), stop.clone()));
        tokio::spawn(self.clone().run_timer(stop));
    }

    /// Ends: what happened is written, unless the disk takes too long, and then the file is closed.
    /// What was not told yet is told by the next process.
    pub async fn stop(&self) {
        if timeout(LAST_WRITE_MAX, self.all_written()).await.is_err() {
            tracing::warn!("the disk did not take the last alerts in time");
        }
        let place = std::mem::replace(&mut *self.0.place.lock(), Place::Closed);
        if let Place::File(store) = place
            && timeout(LAST_WRITE_MAX, self.released(&store))
                .await
                .is_err()
        {
            tracing::warn!("the disk still takes alerts, and is left alone with them");
        }
    }

    /// Waits until nobody else writes to the file: who does has a clone of it.
    async fn released(&self, store: &Arc<AlertStore>) {
        loop {
            let released = self.0.released.notified();
            tokio::pin!(released);
            released.as_mut().enable();
            if Arc::strong_count(store) == 1 {
                return;
            }
            released.await;
        }
    }

    async fn all_written(&self) {
        loop {
            let spoke = self.spoke();
            if !self.read(|alerts, _| alerts.has_unwritten()) {
                return;
            }
            spoke.await;
        }
    }

    /// The machine's time.
    #[must_use]
    pub fn clock(&self) -> &AlertClock {
        &self.0.clock
    }

    /// Alerts and silences on the disk that this version cannot read.
    #[must_use]
    pub fn unreadable(&self) -> usize {
        self.0.unreadable
    }

    /// Reads the machine. Nothing else happens meanwhile.
    pub fn read<R>(&self, read: impl FnOnce(&Alerts, Instant) -> R) -> R {
        read(&self.0.machine.lock(), self.0.clock.now())
    }

    /// Does what an operator asks for.
    ///
    /// # Errors
    /// Why not. State: unchanged.
    pub fn apply(&self, change: Change) -> Result<(), Refusal> {
        self.drive(|machine, now| machine.apply(now, change))
    }

    /// Sends a message that says it is a test, at once and past the queue.
    ///
    /// # Errors
    /// Why nothing could be sent: there is no such receiver, or its template cannot be filled.
    pub async fn test(&self, receiver: &str) -> Result<Tested, SendError> {
        let ways = self.0.ways.load_full();
        let known = ways.iter().find(|(name, _)| name.as_str() == receiver);
        let (name, way) = known.ok_or(SendError::UnknownReceiver)?;
        self.0.sender.test(&self.0.clock, name, way).await
    }

    /// Takes other rules, receivers and ways to them.
    pub(crate) fn configure(&self, settings: &AlertSettings) {
        self.0.file.store(Arc::new(settings.clone()));
        self.adopt();
    }

    /// Takes what the file and the shared settings say together.
    fn adopt(&self) {
        let settings = &receivers::over(&self.0.shared.load(), &self.0.file.load());
        if **self.0.ways.load() != settings.ways {
            self.0.ways.store(Arc::new(settings.ways.clone()));
            receivers::complain(settings.ways.clone());
        }
        self.0.windows.store(Arc::new(settings.windows.clone()));
        self.0.windows_changed.notify_waiters();
        if self.0.pulse.load().as_deref() != settings.pulse.as_ref() {
            self.0.pulse.store(settings.pulse.clone().map(Arc::new));
            self.0.pulse_changed.notify_waiters();
        }
        let config = settings.config.clone();
        self.drive(|machine, now| machine.configure(now, config));
        self.0.configured.send_replace(());
    }

    /// Something to wait on: it changes whenever other rules hold.
    pub(crate) fn configured(&self) -> watch::Receiver<()> {
        self.0.configured.subscribe()
    }

    /// Something to wait on: it changes whenever [`duty_of_peer`](Self::duty_of_peer) may have, or
    /// another monitor told of an alert of a peer first.
    pub(crate) fn handed(&self) -> watch::Receiver<()> {
        self.0.handed.subscribe()
    }

    fn say_handed(&self) {
        self.0.handed.send_replace(());
    }

    fn introduce_peer(&self, peer: &TargetId) {
        self.0.introduced.lock().insert(peer.clone());
        self.say_handed();
    }

    /// The peers of whose alerts other monitors told first, since this was asked last.
    pub(crate) fn introduced(&self) -> BTreeSet<TargetId> {
        std::mem::take(&mut *self.0.introduced.lock())
    }

    /// Who tells of the alerts of a peer; none where this monitor is alone with them.
    pub(crate) fn duty_of_peer(&self, peer: &TargetId) -> Option<Duty> {
        let office = self.0.office.lock();
        let is_shared = office.is_shared();
        is_shared.then(|| office.duty_of(&Subject::Peer(peer.clone())))
    }

    /// Notes which peers a monitor judges; none that it is gone.
    pub(crate) fn note_roll(&self, of: &MonitorName, roll: Option<Roll>) {
        if self.0.office.lock().note_roll(of, roll) {
            self.say_handed();
        }
    }

    /// Notes which peers this monitor judges.
    pub(crate) fn note_own_roll(&self, roll: Option<Roll>) {
        if self.0.office.lock().note_own_roll(roll) {
            self.say_handed();
        }
    }

    /// The other monitors that live.
    pub(crate) fn colleagues(&self) -> Vec<MonitorName> {
        self.0.office.lock().colleagues()
    }

    /// Tells this process from those before it, for other monitors.
    pub(crate) fn session(&self) -> u64 {
        self.read(|alerts, _| alerts.session())
    }

    /// What was counted of heartbeats to the outside; none where there are none.
    #[must_use]
    pub fn pulses(&self) -> Option<Pulses> {
        let counted = self.0.counting.read();
        let is_known = self.0.pulse.load().is_some() || counted != Pulses::default();
        is_known.then_some(counted)
    }

    fn windows(&self) -> Arc<Vec<Window>> {
        self.0.windows.load_full()
    }

    fn windows_changed(&self) -> Notified<'_> {
        self.0.windows_changed.notified()
    }

    fn pulse(&self) -> Option<Arc<Pulse>> {
        self.0.pulse.load_full()
    }

    fn pulse_changed(&self) -> Notified<'_> {
        self.0.pulse_changed.notified()
    }

    fn counting(&self) -> &pulse::Counting {
        &self.0.counting
    }

    /// Waits until what follows the targets answers, which takes the machines of targets and of
    /// alerts: so it never comes back while one of them hangs.
    async fn answers(&self) {
        let (call, answer) = oneshot::channel();
        if self.0.calls.send(call).await.is_err() || answer.await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// How many alerts fire.
    fn firing(&self) -> usize {
        self.read(|alerts, _| alerts.alerts().filter(|it| it.record().fires()).count())
    }

    async fn push(&self, pulse: &Pulse, body: String) -> Result<(), SendError> {
        self.0.sender.push(pulse, body).await
    }

    /// Says which other monitors are to know what is told here.
    fn set_colleagues(&self, names: &[MonitorName]) {
        self.drive(|machine, now| machine.set_colleagues(now, names));
    }

    /// The next letter to another monitor.
    fn poll_letter(&self, to: &MonitorName) -> Option<Letter> {
        let now = self.0.clock.now();
        self.0.machine.lock().poll_letter(now, to)
    }

    /// When the machine was called next.
    fn spoke(&self) -> Notified<'_> {
        self.0.spoke.notified()
    }

    pub(crate) fn handle(&self, input: Input<'_>) {
        self.drive(|machine, now| machine.handle(now, input));
    }

    /// Calls the machine and does what it asks for.
    fn drive<R>(&self, work: impl FnOnce(&mut Alerts, Instant) -> R) -> R {
        let mut outputs = Vec::new();
        let result = {
            let mut machine = self.0.machine.lock();
            let result = work(&mut machine, self.0.clock.now());
            outputs.extend(std::iter::from_fn(|| machine.poll_output()));
            result
        };
        self.0.changed.notify_one();
        self.0.spoke.notify_waiters();
        for output in outputs {
            match output {
                Output::Write(write) => self.write(write),
                Output::Send(message) => self.send(message),
                Output::Moved { key, to, .. } => {
                    let (subject, signal, rule) = (key.subject.name(), &key.signal, &key.rule);
                    match to {
                        Phase::Firing => {
                            tracing::warn!(%subject, %signal, %rule, "alert fires");
                        }
                        Phase::Pending | Phase::Resolved => {
                            tracing::info!(%subject, %signal, %rule, "alert is over");
                        }
                    }
                }
                Output::Full(key) => {
                    let subject = key.subject.name();
                    tracing::error!(%subject, "there are too many alerts, this one is not made");
                }
            }
        }
        result
    }

    fn write(&self, write: Write) {
        let desk = self.clone();
        let store = match self.0.place.lock().clone() {
            Place::File(store) => store,
            Place::Nowhere => {
                // In a task, as the machine may want to be called again for a long time.
                tokio::spawn(async move { desk.handle(Input::Written(write.number)) });
                return;
            }
            Place::Closed => return,
        };
        tokio::task::spawn_blocking(move || {
            let number = write.number;
            let written = store.write(&record::texts(&write));
            drop(store);
            desk.0.released.notify_waiters();
            match written {
                Ok(()) => desk.handle(Input::Written(number)),
                Err(error) => {
                    tracing::error!("alerts cannot be written and go out all the same: {error}");
                    desk.handle(Input::NotWritten(number));
                }
            }
        });
    }

    fn send(&self, message: Message) {
        let desk = self.clone();
        let way = self.0.ways.load().get(&message.receiver).cloned();
        tokio::spawn(async move {
            let number = message.number;
            let result = match way {
                Some(way) => desk.0.sender.send(&desk.0.clock, &message, &way).await,
                None => Err(SendError::UnknownReceiver),
            };
            if let Err(error) = &result {
                tracing::warn!(receiver = %message.receiver, "not told: {error}");
            }
            let outcome = send::outcome(&result);
            desk.handle(Input::Sent {
                message: number,
                outcome,
            });
        });
    }

    /// Calls the machine when it wants to be called.
    async fn run_timer(self, stop: Stop) {
        let stopped = stop.stopped();
        tokio::pin!(stopped);
        loop {
            let next = self.0.machine.lock().poll_timeout().map(|(at, _)| at);
            let sleep = async {
                match next {
                    Some(at) => {
                        tokio::time::sleep_until(self.0.clock.sleep_until(at).into()).await;
                    }
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = sleep => self.handle(Input::Tick),
                () = self.0.changed.notified() => {}
                () = &mut stopped => return,
            }
        }
    }
}
