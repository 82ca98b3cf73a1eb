//! Who checks what: the public face of checking.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use auscult_core::monitor::SignalKey;
use parking_lot::Mutex;
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::{Semaphore, oneshot};

use super::Sink;
use super::context::Context;
use super::metrics::{CheckMetrics, SignalMetrics};
use super::plan::Plan;
use super::report::CheckReport;
use super::resolve::Names;
use super::spec::{CheckSpec, InvalidCheck};
use super::task::{self, Signal};
use super::tls::TlsConfigs;
use crate::clock::Clock;

/// How much of the machine checking may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RunnerConfig {
    /// Threads that make checks, at least 1. Each has its own event loop, so that a busy server
    /// never makes a check late.
    pub threads: usize,
    /// Sockets in use at once, at least 1, by checks in flight and kept connections together.
    pub sockets_max: usize,
}

impl RunnerConfig {
    /// One thread per core, and the process's limit of open files less what the rest of it needs.
    #[must_use]
    pub fn detect() -> Self {
        let files = open_files_max().unwrap_or(OPEN_FILES_ASSUMED);
        let others = (files / 8).clamp(OTHER_FILES_MIN, OTHER_FILES_MAX);
        Self {
            threads: thread::available_parallelism().map_or(1, usize::from),
            sockets_max: files.saturating_sub(others).max(1),
        }
    }
}

/// Makes checks, on threads of its own.
pub struct CheckRunner {
    metrics: Arc<CheckMetrics>,
    loops: Vec<EventLoop>,
    signals: Mutex<HashMap<SignalKey, Arc<Signal>>>,
    /// The number of signals ever set; each gets the next place in the spread of first checks.
    places: AtomicU32,
    tls_configs: Arc<TlsConfigs>,
}

/// A check that can be made. Cheap to clone.
#[derive(Clone)]
pub struct Prepared(Arc<Plan>);

struct EventLoop {
    handle: Handle,
    context: Arc<Context>,
    /// Signals whose checks are about to begin.
    new: Arc<Mutex<Vec<Arc<Signal>>>>,
    /// Empty once the loop was ended.
    running: Mutex<Option<Running>>,
}

struct Running {
    /// Dropping it ends the loop.
    stop: oneshot::Sender<()>,
    ended: oneshot::Receiver<()>,
    thread: JoinHandle<()>,
}

impl CheckRunner {
    /// Starts to check what [`set`](Self::set) will say.
    ///
    /// # Errors
    /// When a thread or its event loop could not be made. State: nothing runs.
    pub fn start(sink: impl Sink, clock: Clock, config: RunnerConfig) -> io::Result<Self> {
        let sink: Arc<dyn Sink> = Arc::new(sink);
        let sockets_max = config.sockets_max.clamp(1, Semaphore::MAX_PERMITS);
        let sockets = Arc::new(Semaphore::new(sockets_max));
        let metrics = Arc::new(CheckMetrics::new(Arc::clone(&sockets)));
        let context = |clock: Clock| Context {
            names: Names::new(clock.clone()),
            clock,
            sink: Arc::clone(&sink),
            metrics: Arc::clone(&metrics),
            sockets: Arc::clone(&sockets),
            sockets_reserve: (sockets_max / 10).max(1),
        };
        let loops = (0..config.threads.max(1))
            .map(|number| EventLoop::start(number, || context(clock.clone())))
            .collect::<io::Result<_>>()?;
        Ok(Self {
            metrics,
            loops,
            signals: Mutex::new(HashMap::new()),
            places: AtomicU32::new(0),
            tls_configs: Arc::default(),
        })
    }

    /// Makes a check ready, without making it.
    ///
    /// # Errors
    /// When it is no check. State: unchanged.
    pub fn prepare(&self, spec: CheckSpec) -> Result<Prepared, InvalidCheck> {
        Ok(Prepared(Arc::new(Plan::new(spec, &self.tls_configs)?)))
    }

    /// Checks a signal from now on, or checks it differently. The first check falls within the
    /// first interval. A connection is kept over a change unless it leads elsewhere now.
    ///
    /// # Errors
    /// When this is no check. State: the signal is checked as before.
    pub fn set(&self, key: SignalKey, spec: CheckSpec) -> Result<(), InvalidCheck> {
        let prepared = self.prepare(spec)?;
        self.take(key, &prepared);
        Ok(())
    }

    /// As [`set`](Self::set), with a check that was made ready before.
    pub fn take(&self, key: SignalKey, Prepared(plan): &Prepared) {
        let mut signals = self.signals.lock();
        if let Some(known) = signals.get(&key) {
            if known.plan().spec != plan.spec {
                known.replace(Arc::clone(plan));
            }
            return;
        }
        let plan = Arc::clone(plan);
        let place = self.places.fetch_add(1, Ordering::Relaxed);
        let signal = Arc::new(Signal::new(key, place, plan));
        let host = &self.loops[place as usize % self.loops.len()];
        host.begin(Arc::clone(&signal));
        signals.insert(key, signal);
    }

    /// Says when in its interval a signal is checked, as a fraction of 2^32 by the wall clock:
    /// several monitors that check it take different ones. Nothing for one that is not checked.
    pub fn set_phase(&self, key: SignalKey, fraction: u32) {
        if let Some(signal) = self.signal_of(key) {
            signal.set_phase(fraction);
        }
    }

    /// Checks a signal no longer. A check in flight is given up.
    pub fn remove(&self, key: SignalKey) {
        if let Some(signal) = self.signals.lock().remove(&key) {
            signal.end();
        }
    }

    /// The last check of a signal.
    #[must_use]
    pub fn last(&self, key: SignalKey) -> Option<Arc<CheckReport>> {
        let signal = self.signal_of(key)?;
        let last = signal.last.lock().clone();
        last.map(Arc::new)
    }

    /// Figures over all checks.
    #[must_use]
    pub fn metrics(&self) -> &CheckMetrics {
        &self.metrics
    }

    /// Reads the figures about one signal's checks.
    pub fn signal<R>(&self, key: SignalKey, read: impl FnOnce(&SignalMetrics) -> R) -> Option<R> {
        self.signal_of(key).map(|signal| read(&signal.metrics))
    }

    /// How many signals are checked.
    #[must_use]
    pub fn signals(&self) -> usize {
        self.signals.lock().len()
    }

    /// Ends all checks at once, for good; those in flight are given up.
    pub async fn shutdown(&self) {
        let ending: Vec<_> = self.loops.iter().filter_map(EventLoop::stop).collect();
        for (ended, thread) in ending {
            // Either way the loop is gone.
            let _ = ended.await;
            let _ = thread.join();
        }
    }

    fn signal_of(&self, key: SignalKey) -> Option<Arc<Signal>> {
        let signals = self.signals.lock();
        signals.get(&key).map(Arc::clone)
    }
}

impl EventLoop {
    fn start(number: usize, context: impl FnOnce() -> Context) -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let context = {
            let _entered = handle.enter();
            Arc::new(context())
        };
        let (stop, stopped) = oneshot::channel();
        let (end, ended) = oneshot::channel();
        let thread = thread::Builder::new()
            .name(format!("checks-{number}"))
            .spawn(move || {
                turn(&runtime, stopped);
                drop(runtime);
                // Nobody waits when the runner was dropped without a shutdown.
                let _ = end.send(());
            })?;
        Ok(Self {
            handle,
            context,
            new: Arc::default(),
            running: Mutex::new(Some(Running {
                stop,
                ended,
                thread,
            })),
        })
    }

    /// Begins to check a signal. To wake the loop takes longer than everything else here, so of
    /// many new signals the first one does it.
    fn begin(&self, signal: Arc<Signal>) {
        let mut new = self.new.lock();
        new.push(signal);
        if new.len() == 1 {
            let (new, context) = (Arc::clone(&self.new), Arc::clone(&self.context));
            self.handle.spawn(begin_all(new, context));
        }
    }

    fn stop(&self) -> Option<(oneshot::Receiver<()>, JoinHandle<()>)> {
        let running = self.running.lock().take()?;
        drop(running.stop);
        Some((running.ended, running.thread))
    }
}

/// Begins to check what is new, after a moment in which more may come.
async fn begin_all(new: Arc<Mutex<Vec<Arc<Signal>>>>, context: Arc<Context>) {
    tokio::time::sleep(GATHER).await;
    let signals = std::mem::take(&mut *new.lock());
    for signal in signals {
        tokio::spawn(task::run(signal, Arc::clone(&context)));
    }
}

/// How long new signals are gathered.
const GATHER: Duration = Duration::from_millis(1);

fn turn(runtime: &Runtime, stopped: oneshot::Receiver<()>) {
    // The sender is never used, only dropped.
    let _ = runtime.block_on(stopped);
}

/// Where the process's limit is not to be found.
const OPEN_FILES_ASSUMED: usize = 1_024;
/// The server's own sockets and files.
const OTHER_FILES_MIN: usize = 64;
const OTHER_FILES_MAX: usize = 1_024;

fn open_files_max() -> Option<usize> {
    let limits = std::fs::read_to_string("/proc/self/limits").ok()?;
    let line = limits
        .lines()
        .find_map(|line| line.strip_prefix("Max open files"))?;
    match line.split_whitespace().next()? {
        "unlimited" => Some(Semaphore::MAX_PERMITS),
        number => number.parse().ok(),
    }
}
