//! The life of one signal's checks: wait, check, report, again.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context as TaskContext, Poll, ready};
use std::time::Duration;

use auscult_core::monitor::SignalKey;
use auscult_core::time::{Instant, nanos};
use futures_util::task::AtomicWaker;
use parking_lot::Mutex;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Sleep;

use super::connection::Kept;
use super::context::Context;
use super::metrics::{CheckMetrics, SignalMetrics, reason_index};
use super::plan::{Plan, Work};
use super::progress::Progress;
use super::report::{Answer, CheckError, CheckReport};
use super::schedule::Schedule;
use super::{dial, http};

/// What the runner and the task of one signal share.
pub(super) struct Signal {
    pub(super) key: SignalKey,
    /// Decides when in its interval it is checked.
    pub(super) place: u32,
    pub(super) metrics: SignalMetrics,
    pub(super) last: Mutex<Option<CheckReport>>,
    plan: Mutex<Arc<Plan>>,
    /// Its fraction of the interval among several monitors that check it, above a bit that says
    /// that there are several.
    phase: AtomicU64,
    /// Counts the plans, and the end.
    revision: AtomicU64,
    ended: AtomicBool,
    waker: AtomicWaker,
}

impl Signal {
    pub(super) fn new(key: SignalKey, place: u32, plan: Arc<Plan>) -> Self {
        Self {
            key,
            place,
            metrics: SignalMetrics::default(),
            last: Mutex::new(None),
            plan: Mutex::new(plan),
            phase: AtomicU64::new(ALONE),
            revision: AtomicU64::new(0),
            ended: AtomicBool::new(false),
            waker: AtomicWaker::new(),
        }
    }

    pub(super) fn plan(&self) -> Arc<Plan> {
        Arc::clone(&self.plan.lock())
    }

    /// Says when in the interval it is checked, as a fraction of 2^32, among other monitors that
    /// check it. From the next check but one on, so that none is left out.
    pub(super) fn set_phase(&self, fraction: u32) {
        let phase = SEVERAL | u64::from(fraction);
        self.phase.store(phase, Ordering::Relaxed);
    }

    /// Gives the task another plan; a check in flight is given up.
    pub(super) fn replace(&self, plan: Arc<Plan>) {
        *self.plan.lock() = plan;
        self.turn_over();
    }

    /// Ends the task; a check in flight is given up.
    pub(super) fn end(&self) {
        self.ended.store(true, Ordering::Relaxed);
        self.turn_over();
    }

    fn turn_over(&self) {
        self.revision.fetch_add(1, Ordering::Release);
        self.waker.wake();
    }
}

/// No other monitor checks the signal.
const ALONE: u64 = 0;

/// Others do.
const SEVERAL: u64 = 1 << 32;

/// Checks a signal until that is [ended](Signal::end).
pub(super) async fn run(signal: Arc<Signal>, context: Arc<Context>) {
    let plan = signal.plan();
    let now = context.clock.now();
    let schedule = Schedule::new(now, plan.spec.interval(), signal.place);
    let timer = pin!(tokio::time::sleep_until(context.clock.std(now).into()));
    let task = Task {
        revision: signal.revision.load(Ordering::Acquire),
        plan,
        schedule,
        phase: ALONE,
        kept: Kept::default(),
        timer,
        signal: &signal,
        context: &context,
    };
    task.run().await;
}

struct Task<'a> {
    signal: &'a Signal,
    context: &'a Context,
    plan: Arc<Plan>,
    revision: u64,
    schedule: Schedule,
    /// The phase that the schedule was made for.
    phase: u64,
    kept: Kept,
    /// One timer for both waits: for the next check, and for the end of its time.
    timer: Pin<&'a mut Sleep>,
}

/// The signal has another plan; what was being waited for does not matter any more.
struct Replaced;

impl Task<'_> {
    async fn run(mut self) {
        // Whoever ends it counts that as another plan, so no end is waited past.
        while !self.signal.ended.load(Ordering::Relaxed) {
            if self.turn().await.is_err() {
                self.take_plan();
            }
        }
    }

    /// One slot: wait, check, report.
    async fn turn(&mut self) -> Result<(), Replaced> {
        self.rest().await?;
        let permit = self.permit().await?;
        let started_at = self.context.clock.now();
        let lateness = started_at.since(self.schedule.due());
        let timeout = self.plan.spec.timeout();
        let mut progress = Progress::new(started_at, timeout);
        self.timer
            .as_mut()
            .reset(self.context.clock.std(progress.deadline).into());
        let outcome = self.check(permit, &mut progress, timeout).await?;
        let finished_at = match &outcome {
            Ok(_) => progress.reached_at(),
            Err(_) => self.context.clock.now(),
        };
        self.report(CheckReport {
            started_at,
            finished_at,
            lateness,
            phases: progress.phases,
            outcome,
        });
        let skipped = self.schedule.advance(finished_at);
        self.take_phase(finished_at);
        if skipped > 0 {
            self.signal
                .metrics
                .skipped
                .fetch_add(skipped, Ordering::Relaxed);
            self.context
                .metrics
                .skipped
                .fetch_add(skipped, Ordering::Relaxed);
        }
        Ok(())
    }

    /// Waits until the next check is due, and lets go of kept connections that end meanwhile.
    async fn rest(&mut self) -> Result<(), Replaced> {
        let due = self.context.clock.std(self.schedule.due());
        self.timer.as_mut().reset(due.into());
        let (timer, kept) = (&mut self.timer, &mut self.kept);
        unless_replaced(self.signal, self.revision, |task| {
            kept.watch(task);
            timer.as_mut().poll(task)
        })
        .await
    }

    /// A permit for a socket, unless a kept connection will do. Waiting for it makes the check late
    /// and does not count against the target.
    async fn permit(&self) -> Result<Option<OwnedSemaphorePermit>, Replaced> {
        if let Work::Http(plan) = &self.plan.work
            && self.kept.has(&plan.first.origin)
        {
            return Ok(None);
        }
        let sockets = &self.context.sockets;
        if let Ok(permit) = Arc::clone(sockets).try_acquire_owned() {
            return Ok(Some(permit));
        }
        if self.context.metrics.delayed.fetch_add(1, Ordering::Relaxed) == 0 {
            tracing::warn!(
                sockets_max = self.context.metrics.sockets_max(),
                "all sockets that checks may use are in use: checks wait; raise the limit of open files"
            );
        }
        let mut acquired = pin!(Arc::clone(sockets).acquire_owned());
        let permit = unless_replaced(self.signal, self.revision, |task| {
            acquired.as_mut().poll(task)
        });
        Ok(permit.await?.ok())
    }

    async fn check(
        &mut self,
        permit: Option<OwnedSemaphorePermit>,
        progress: &mut Progress,
        timeout: Duration,
    ) -> Result<Result<Answer, CheckError>, Replaced> {
        let _in_flight = InFlight::enter(&self.context.metrics);
        let finished = {
            // Most of the time a task waits, and a check that is made is ten times its size.
            let mut check = Box::pin(make(
                &self.plan,
                permit,
                &mut self.kept,
                self.context,
                progress,
            ));
            let timer = &mut self.timer;
            unless_replaced(self.signal, self.revision, |task| {
                if let Poll::Ready(outcome) = check.as_mut().poll(task) {
                    return Poll::Ready(Some(outcome));
                }
                ready!(timer.as_mut().poll(task));
                Poll::Ready(None)
            })
            .await?
        };
        Ok(finished.unwrap_or_else(|| Err(progress.timed_out(timeout))))
    }

    fn report(&self, report: CheckReport) {
        let (signal, metrics) = (self.signal, &self.context.metrics);
        let took = report.duration();
        metrics.lateness.record(report.lateness);
        match &self.plan.work {
            Work::Http(_) => metrics.http_duration.record(took),
            Work::Tcp(_) => metrics.tcp_duration.record(took),
        }
        signal.metrics.checks.fetch_add(1, Ordering::Relaxed);
        signal
            .metrics
            .duration_nanos
            .fetch_add(nanos(took), Ordering::Relaxed);
        let (at, failure) = (
            report.finished_at,
            report.outcome.as_ref().err().map(|e| e.failure),
        );
        // First the report, then the news of it: whoever hears the news may want to read the
        // report.
        *signal.last.lock() = Some(report);
        match failure {
            None => self.context.sink.arrival(signal.key, at),
            Some(failure) => {
                let reason = reason_index(failure);
                signal.metrics.failures[reason].fetch_add(1, Ordering::Relaxed);
                metrics.failures[reason].fetch_add(1, Ordering::Relaxed);
                self.context.sink.failed(signal.key, at, failure);
            }
        }
    }

    /// Takes another place among the monitors that check the signal. The next check comes early
    /// rather than late.
    fn take_phase(&mut self, now: Instant) {
        let phase = self.signal.phase.load(Ordering::Relaxed);
        if phase != self.phase {
            self.phase = phase;
            let interval = self.schedule.interval();
            let wall = self.context.clock.wall(now).as_duration().unsigned_abs();
            let fraction = (phase & !SEVERAL) as u32;
            let place = self.signal.place;
            self.schedule = Schedule::shared(now, wall, interval, fraction, place);
        }
    }

    fn take_plan(&mut self) {
        self.revision = self.signal.revision.load(Ordering::Acquire);
        let plan = self.signal.plan();
        if !plan.same_endpoint(&self.plan) {
            self.kept.clear();
        }
        let (now, interval) = (self.context.clock.now(), plan.spec.interval());
        if interval == self.schedule.interval() {
            // A check that was given up has had its slot.
            if self.schedule.due() < now {
                self.schedule.advance(now);
            }
        } else {
            self.schedule = Schedule::new(now, interval, self.signal.place);
            self.phase = ALONE;
        }
        self.plan = plan;
    }
}

async fn make(
    plan: &Plan,
    permit: Option<OwnedSemaphorePermit>,
    kept: &mut Kept,
    context: &Context,
    progress: &mut Progress,
) -> Result<Answer, CheckError> {
    match &plan.work {
        Work::Http(http) => http::check(http, permit, kept, context, progress).await,
        Work::Tcp(origin) => {
            dial::touch(origin, &mut kept.addresses, context, progress).await?;
            Ok(Answer::default())
        }
    }
}

/// Waits for `poll`, or for another plan.
async fn unless_replaced<T>(
    signal: &Signal,
    revision: u64,
    mut poll: impl FnMut(&mut TaskContext<'_>) -> Poll<T>,
) -> Result<T, Replaced> {
    poll_fn(|task| {
        if let Poll::Ready(output) = poll(task) {
            return Poll::Ready(Ok(output));
        }
        signal.waker.register(task.waker());
        if signal.revision.load(Ordering::Acquire) == revision {
            Poll::Pending
        } else {
            Poll::Ready(Err(Replaced))
        }
    })
    .await
}

/// Counts a check in flight for as long as it lives, however it ends.
struct InFlight<'a>(&'a CheckMetrics);

impl<'a> InFlight<'a> {
    fn enter(metrics: &'a CheckMetrics) -> Self {
        metrics.in_flight.fetch_add(1, Ordering::Relaxed);
        Self(metrics)
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}
