//! `/metrics`: figures gathered at the time of the scrape, written in the format that was asked
//! for.

mod alerts;
mod cluster;
mod document;
mod families;
mod history;
mod observers;
mod peers;
#[cfg(test)]
mod tests;

pub(crate) use alerts::AlertFigures;
pub(crate) use auscult_agent::http::exposition::{Format, LabelText};
pub(crate) use auscult_agent::http::figures::{Count, HttpFigures, MembershipFigures};
pub use document::markdown;
pub(crate) use observers::{ObserverFigures, PanelFigures};
pub(crate) use peers::PeerFigures;

use auscult_core::monitor::Status;

use auscult_agent::http::exposition::{Buckets, Exposition};
use auscult_agent::http::figures::{write_http, write_membership, write_process};

use self::families as family;
use crate::check::{CheckMetrics, Histogram};
use crate::history::HistoryStatus;
use crate::shared::StoreStatus;

/// Everything that a scrape shows, at one moment.
#[derive(Debug, Default)]
pub(crate) struct Figures {
    pub(crate) targets: Vec<TargetFigures>,
    pub(crate) signals: Vec<SignalFigures>,
    pub(crate) verdicts: VerdictFigures,
    pub(crate) datagrams: DatagramFigures,
    pub(crate) peers: PeerFigures,
    /// Where the monitor is a member of a group.
    pub(crate) membership: Option<MembershipFigures>,
    /// Where it observes together with others.
    pub(crate) observers: Option<ObserverFigures>,
    pub(crate) alerts: AlertFigures,
    pub(crate) http: HttpFigures,
    pub(crate) settings: SettingsFigures,
    /// Where the monitor takes part in a group of monitors.
    pub(crate) cluster: Option<StoreStatus>,
    /// Where the past is kept.
    pub(crate) history: Option<HistoryStatus>,
}

/// One target.
#[derive(Debug)]
pub(crate) struct TargetFigures {
    pub(crate) id: Box<str>,
    pub(crate) labels: LabelText,
    /// Beside `labels`: the group, and the labels that an operator gave.
    pub(crate) info: LabelText,
    pub(crate) server_name: LabelText,
    pub(crate) status: Status,
    /// Whether this monitor observes it.
    pub(crate) seen: bool,
    pub(crate) flapping: bool,
    pub(crate) transitions: u64,
    pub(crate) watched_seconds: f64,
    /// The largest level of its phi detectors.
    pub(crate) phi: Option<f64>,
    /// Where others observe it, too.
    pub(crate) panel: Option<PanelFigures>,
}

/// One signal.
#[derive(Debug)]
pub(crate) struct SignalFigures {
    pub(crate) labels: LabelText,
    pub(crate) level: f64,
    pub(crate) last_arrival: Option<f64>,
    pub(crate) arrivals: u64,
    pub(crate) rhythm: Option<RhythmFigures>,
    pub(crate) checks: Option<CheckFigures>,
}

/// What the detector of a signal has learnt.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RhythmFigures {
    pub(crate) mean_seconds: f64,
    pub(crate) deviation_seconds: f64,
}

/// The checks of one signal.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CheckFigures {
    pub(crate) count: u64,
    pub(crate) seconds: f64,
    pub(crate) failures: u64,
    pub(crate) tls_expires_at: Option<f64>,
}

/// The machine that judges.
#[derive(Debug, Default)]
pub(crate) struct VerdictFigures {
    pub(crate) arrivals: u64,
    pub(crate) rejected: Vec<Count>,
    pub(crate) transitions: Vec<(Status, Status, u64)>,
    pub(crate) wakeups: Vec<Count>,
    pub(crate) stalls: u64,
    pub(crate) suspicions: u64,
    pub(crate) relearnt: u64,
    pub(crate) clock_regressions: u64,
    pub(crate) suspects_itself: bool,
    pub(crate) events: u64,
}

/// The UDP socket.
#[derive(Debug, Default)]
pub(crate) struct DatagramFigures {
    pub(crate) received: u64,
    pub(crate) reads: u64,
    pub(crate) accepted: u64,
    pub(crate) queued_bytes: u64,
    pub(crate) rejected: Vec<Count>,
    pub(crate) dropped: u64,
}

/// The settings file, and the settings that monitors share.
#[derive(Debug, Default)]
pub(crate) struct SettingsFigures {
    pub(crate) live_revision: u64,
    pub(crate) unusable: usize,
    pub(crate) last_successful: bool,
    pub(crate) last_success_at: Option<f64>,
    pub(crate) reloads: u64,
    pub(crate) failures: u64,
}

/// What one target adds to the text, roughly: reserving it once saves copying ten megabytes about.
const BYTES_PER_TARGET: usize = 1_400;

/// Writes everything.
pub(crate) fn render(figures: &Figures, checks: &CheckMetrics, format: Format) -> String {
    let bytes = 16_384 + figures.targets.len() * BYTES_PER_TARGET;
    let mut out = Exposition::new(format, bytes);
    write_totals(&mut out, figures);
    write_targets(&mut out, &figures.targets);
    write_signals(&mut out, &figures.targets, &figures.signals);
    write_signal_checks(&mut out, &figures.signals);
    write_names_of_old(&mut out, &figures.targets);
    write_verdicts(&mut out, &figures.verdicts);
    if let Some(observers) = &figures.observers {
        observers::write_observers(&mut out, observers);
    }
    write_datagrams(&mut out, &figures.datagrams);
    peers::write_peers(&mut out, &figures.peers);
    write_checks(&mut out, checks);
    if let Some(membership) = &figures.membership {
        write_membership(&mut out, membership);
    }
    write_http(&mut out, &figures.http);
    if let Some(history) = &figures.history {
        history::write_history(&mut out, history);
    }
    write_settings(&mut out, &figures.settings);
    alerts::write_alerts(&mut out, &figures.alerts);
    if let Some(cluster) = &figures.cluster {
        cluster::write_cluster(&mut out, cluster);
    }
    write_process(&mut out, env!("CARGO_PKG_VERSION"));
    out.finish()
}

fn write_totals(out: &mut Exposition, figures: &Figures) {
    let mut totals = [0_u64; Status::ALL.len()];
    for target in &figures.targets {
        totals[usize::from(target.status.severity())] += 1;
    }
    let by_status = Status::ALL.iter().map(|status| {
        let total = totals[usize::from(status.severity())];
        (status.as_str(), total)
    });
    out.by(&family::TARGETS, by_status);
    out.single(&family::SIGNALS, figures.signals.len());
}

fn write_targets(out: &mut Exposition, targets: &[TargetFigures]) {
    out.family(&family::TARGET_INFO);
    for target in targets {
        out.sample(&target.info, 1_u64);
    }
    out.family(&family::TARGET_STATUS);
    for target in targets.iter().filter(|target| target.seen) {
        out.sample(&target.labels, u64::from(target.status.severity()));
    }
    out.family(&family::TARGET_FLAPPING);
    for target in targets {
        out.sample(&target.labels, u64::from(target.flapping));
    }
    out.family(&family::TARGET_TRANSITIONS);
    for target in targets {
        out.sample(&target.labels, target.transitions);
    }
}

fn write_signals(out: &mut Exposition, targets: &[TargetFigures], signals: &[SignalFigures]) {
    out.family(&family::TARGET_LEVEL);
    for signal in signals {
        out.sample(&signal.labels, signal.level);
    }
    let panels = targets.iter();
    observers::write_panels(
        out,
        panels.filter_map(|target| Some((&target.labels, target.panel?))),
    );
    out.family(&family::TARGET_LAST_ARRIVAL);
    for signal in signals {
        if let Some(at) = signal.last_arrival {
            out.sample(&signal.labels, at);
        }
    }
    out.family(&family::TARGET_ARRIVALS);
    for signal in signals {
        out.sample(&signal.labels, signal.arrivals);
    }
    let heard = || {
        signals
            .iter()
            .filter_map(|signal| Some((&signal.labels, signal.rhythm?)))
    };
    out.family(&family::INTERVAL_MEAN);
    for (labels, rhythm) in heard() {
        out.sample(labels, rhythm.mean_seconds);
    }
    out.family(&family::INTERVAL_DEVIATION);
    for (labels, rhythm) in heard() {
        out.sample(labels, rhythm.deviation_seconds);
    }
}

fn write_signal_checks(out: &mut Exposition, signals: &[SignalFigures]) {
    let checked = || {
        signals
            .iter()
            .filter_map(|signal| Some((&signal.labels, signal.checks?)))
    };
    out.family(&family::TARGET_CHECK_DURATION);
    for (labels, checks) in checked() {
        out.summary(labels, checks.seconds, checks.count);
    }
    out.family(&family::TARGET_CHECK_FAILURES);
    for (labels, checks) in checked() {
        out.sample(labels, checks.failures);
    }
    out.family(&family::TARGET_TLS_EXPIRY);
    for (labels, checks) in checked() {
        if let Some(at) = checks.tls_expires_at {
            out.sample(labels, at);
        }
    }
}

fn write_names_of_old(out: &mut Exposition, targets: &[TargetFigures]) {
    out.family(&family::PHI_VALUE);
    for target in targets {
        if let Some(phi) = target.phi {
            out.sample(&target.server_name, phi);
        }
    }
    out.family(&family::RUNTIME);
    for target in targets {
        out.sample(&target.server_name, target.watched_seconds);
    }
}

fn write_verdicts(out: &mut Exposition, verdicts: &VerdictFigures) {
    out.single(&family::ARRIVALS, verdicts.arrivals);
    out.by(
        &family::ARRIVALS_REJECTED,
        verdicts.rejected.iter().copied(),
    );
    out.family(&family::TRANSITIONS);
    for &(from, to, count) in &verdicts.transitions {
        let labels = LabelText::new(&[("from", from.as_str()), ("to", to.as_str())]);
        out.sample(&labels, count);
    }
    out.by(&family::WAKEUPS, verdicts.wakeups.iter().copied());
    out.single(&family::STALLS, verdicts.stalls);
    out.single(&family::CLOCK_REGRESSIONS, verdicts.clock_regressions);
    out.single(&family::RELEARNT, verdicts.relearnt);
    out.single(&family::SUSPICIONS, verdicts.suspicions);
    out.single(
        &family::SUSPECTS_ITSELF,
        u64::from(verdicts.suspects_itself),
    );
    out.single(&family::EVENTS, verdicts.events);
}

fn write_datagrams(out: &mut Exposition, datagrams: &DatagramFigures) {
    out.single(&family::DATAGRAMS_RECEIVED, datagrams.received);
    out.single(&family::DATAGRAM_READS, datagrams.reads);
    out.single(&family::DATAGRAMS_ACCEPTED, datagrams.accepted);
    out.by(
        &family::DATAGRAMS_REJECTED,
        datagrams.rejected.iter().copied(),
    );
    out.single(&family::DATAGRAMS_DROPPED, datagrams.dropped);
    out.single(&family::DATAGRAMS_QUEUED, datagrams.queued_bytes);
}

fn write_checks(out: &mut Exposition, checks: &CheckMetrics) {
    out.family(&family::CHECK_DURATION);
    write_histogram(
        out,
        &LabelText::new(&[("kind", "http")]),
        &checks.http_duration,
    );
    write_histogram(
        out,
        &LabelText::new(&[("kind", "tcp")]),
        &checks.tcp_duration,
    );
    out.family(&family::CHECK_LATENESS);
    write_histogram(out, &LabelText::default(), &checks.lateness);
    out.by(&family::CHECK_FAILURES, checks.failures());
    out.single(&family::CHECKS_IN_FLIGHT, checks.in_flight());
    out.single(&family::CHECKS_SKIPPED, checks.skipped());
    out.single(&family::CHECKS_DELAYED, checks.delayed());
    out.single(&family::CHECK_CONNECTIONS, checks.connections_opened());
    out.single(&family::CHECK_CONNECTIONS_STALE, checks.connections_stale());
    out.single(&family::CHECK_SOCKETS, checks.sockets());
    out.single(&family::CHECK_SOCKETS_MAX, checks.sockets_max());
}

fn write_histogram(out: &mut Exposition, labels: &LabelText, histogram: &Histogram) {
    let snapshot = histogram.snapshot();
    let buckets = Buckets {
        counts: &snapshot.buckets,
        above: snapshot.above,
        sum: snapshot.sum_seconds,
    };
    out.histogram(labels, &buckets);
}

fn write_settings(out: &mut Exposition, settings: &SettingsFigures) {
    out.single(
        &family::RELOAD_SUCCESSFUL,
        u64::from(settings.last_successful),
    );
    out.family(&family::RELOAD_TIMESTAMP);
    if let Some(at) = settings.last_success_at {
        out.sample(&LabelText::default(), at);
    }
    out.single(&family::RELOADS, settings.reloads);
    out.single(&family::RELOAD_FAILURES, settings.failures);
    out.single(&family::SETTINGS_REVISION, settings.live_revision);
    out.single(&family::SETTINGS_UNUSABLE, settings.unusable);
}
