//! `auscult demo`: ten simulated servers and three monitors that watch them together, and what
//! happens as it happens.

mod banner;
mod metrics;
mod others;
mod servers;
mod stage;

use std::future;
use std::io::{self, Write as _};
use std::time::Duration;

use auscult_core::monitor::{EventKind, Monitor, TargetView};
use auscult_core::time::Instant;
use auscult_monitor::engine::Engine;
use auscult_monitor::events::LoggedEvent;
use jiff::tz::TimeZone;
use tokio::task::JoinSet;

use super::interrupt::Interrupts;
use super::server::{self, Hangups};
use crate::args::{DemoArgs, DemoCommand};
use crate::exit::Stop;
use crate::logging;
use crate::render::Screen;
use crate::render::event::{EventLine, Moment};
use crate::render::pulse::{self, Pulse};

use others::Others;
use stage::Stage;

/// How often the last line is drawn again: smooth enough to see a level rise.
const REDRAW: Duration = Duration::from_millis(200);

/// What went wrong. That a monitor which was killed is not reached is no such thing here.
const LOG_FILTER: &str = "warn,openraft=off,auscult_monitor::replication=off";

/// Events read from the log at a time.
const PAGE: usize = 64;

pub(crate) async fn run(args: &DemoArgs) -> Result<(), Stop> {
    match &args.command {
        None => play(args).await,
        Some(DemoCommand::Metrics(args)) => metrics::run(args).await,
    }
}

async fn play(args: &DemoArgs) -> Result<(), Stop> {
    let mut interrupts = Interrupts::install()?;
    let mut hangups = Hangups::install()?;
    logging::start(&args.log, LOG_FILTER)?;
    let stage = tokio::select! {
        stage = Stage::set_up(args) => stage?,
        () = interrupts.next() => return Ok(()),
    };
    let Stage {
        pulsers,
        monitor,
        mut others,
        folder,
        places,
    } = stage;
    let mut serving = JoinSet::new();
    for (_, pulser) in pulsers {
        serving.spawn(pulser.serve());
    }
    let screen = Screen::stdout();
    let banner = places.banner(screen);
    let first = places.monitors[0].http;
    let show = Show::new(monitor.engine().clone(), screen);
    let reload = monitor.reload_handle();
    let mut outcome = Ok(());
    // Waited for when everything runs, so what the banner names is there.
    let shutdown = async {
        let shown = async {
            servers::watch(first, &places.servers).await?;
            tokio::select! {
                shown = show.run(&banner, &mut others) => shown,
                () = end_of(args.time) => Ok(()),
            }
        };
        tokio::select! {
            shown = shown => outcome = shown,
            never = hangups.reload_each(&reload) => match never {},
            () = interrupts.next() => {}
        }
        interrupts.then_exit_at_once();
        others.stop();
    };
    let ended = monitor.run(shutdown).await;
    others.ended().await;
    show.clear()?;
    drop(folder);
    ended.map_err(|error| server::stop(&error))?;
    outcome
}

async fn end_of(time: Option<Duration>) {
    match time {
        Some(time) => tokio::time::sleep(time).await,
        None => future::pending().await,
    }
}

/// What is shown after the banner.
struct Show {
    engine: Engine,
    /// The number of the newest event before anything was watched.
    begin: u64,
    screen: Screen,
    zone: TimeZone,
}

impl Show {
    fn new(engine: Engine, screen: Screen) -> Self {
        Self {
            begin: engine.events().newest_id(),
            engine,
            screen,
            zone: TimeZone::system(),
        }
    }

    /// Prints the banner, and then events as they come, until the output is gone.
    async fn run(&self, banner: &str, others: &mut Others) -> Result<(), Stop> {
        io::stdout().write_all(banner.as_bytes())?;
        let log = self.engine.events();
        // That the servers are watched is what the banner says.
        let told = log.newest_id();
        let mut changed = log.subscribe();
        let mut seen = self.begin;
        let mut redraw = tokio::time::interval(REDRAW);
        let mut lost = String::new();
        loop {
            let mut lines = std::mem::take(&mut lost);
            loop {
                let page = log.since(seen, PAGE);
                let Some(last) = page.events.last() else {
                    break;
                };
                seen = last.id;
                for event in &page.events {
                    if event.id <= told && event.event.kind == EventKind::Added {
                        continue;
                    }
                    lines = lines + &self.line(event) + "\n";
                }
            }
            self.draw(&lines)?;
            tokio::select! {
                _ = changed.changed() => {}
                said = others.next_loss() => lost = said,
                _ = redraw.tick(), if self.is_live() => {}
            }
        }
    }

    fn line(&self, event: &LoggedEvent) -> String {
        EventLine::of(event).render(self.screen, &self.zone, Moment::TimeOfDay)
    }

    /// Whether the last line is drawn at all.
    fn is_live(&self) -> bool {
        self.screen.width.is_some()
    }

    fn draw(&self, lines: &str) -> Result<(), Stop> {
        if !self.is_live() {
            return Ok(io::stdout().write_all(lines.as_bytes())?);
        }
        let pulses = self.engine.read(pulses);
        let last = pulse::line(self.screen, &pulses);
        let mut out = io::stdout().lock();
        write!(out, "\r\x1b[2K{lines}{last}")?;
        Ok(out.flush()?)
    }

    /// Takes the last line away.
    fn clear(&self) -> Result<(), Stop> {
        if self.is_live() {
            write!(io::stdout(), "\r\x1b[2K")?;
        }
        Ok(())
    }
}

fn pulses(monitor: &Monitor, now: Instant) -> Vec<Pulse> {
    let mut pulses: Vec<Pulse> = monitor
        .targets()
        .map(|target| pulse_of(&target, now))
        .collect();
    // Shorter names first, so that server10 stands after server9.
    pulses.sort_by(|one, other| (one.id.len(), &one.id).cmp(&(other.id.len(), &other.id)));
    pulses
}

fn pulse_of(target: &TargetView<'_>, now: Instant) -> Pulse {
    let worst = target
        .signals()
        .max_by(|one, other| one.level(now).cmp(&other.level(now)));
    Pulse {
        id: target.id().to_string(),
        status: target.status(),
        level: worst.as_ref().map_or(0.0, |signal| signal.level(now).get()),
        down: worst
            .as_ref()
            .map_or(1.0, |signal| signal.config().down().get()),
        silent_for: worst
            .and_then(|signal| signal.last_arrival())
            .map(|last| now.since(last)),
    }
}
