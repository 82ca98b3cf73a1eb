//! `GET /metrics`: gathers figures from everything that counts, and answers in the format asked
//! for.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use auscult_agent::http::metrics::{format_of, mark};
use auscult_core::detector::DetectorParams;
use auscult_core::monitor::{Monitor, Rejection, SignalKey, SignalView, Status, TargetView, Wake};
use auscult_core::time::Instant;
use axum::body::{Body, HttpBody};
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use hyper::body::{Frame, SizeHint};
use tokio::sync::OwnedSemaphorePermit;

use super::ApiState;
use super::blocking::blocking;
use super::problem::{Kind, Problem};
use crate::check::CheckRunner;
use crate::history::History;
use crate::ingest::RejectReason;
use crate::metrics::{
    AlertFigures, CheckFigures, DatagramFigures, Figures, HttpFigures, LabelText,
    MembershipFigures, ObserverFigures, PanelFigures, PeerFigures, RhythmFigures, SettingsFigures,
    SignalFigures, TargetFigures, VerdictFigures, render,
};
use crate::settings::TargetSpec;

/// Scrapes answered at a time: a few Prometheus servers, and somebody with curl.
pub(super) const SCRAPES_MAX: usize = 16;

/// Shows all figures, levels computed now.
///
/// OpenMetrics 1.0 where `Accept` asks for it, classic text otherwise. `api/metrics.md` lists the
/// families.
#[utoipa::path(get, path = "/metrics", tag = "operation",
    responses(
        (status = 200, description = "Figures", content(
        (String = "text/plain"), (String = "application/openmetrics-text"))),
        (status = 503, description = "Too many scrapes at once", body = Problem)))]
pub(super) async fn metrics(
    State(state): State<ApiState>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let format = format_of(&headers);
    let permit = Arc::clone(state.scrapes())
        .try_acquire_owned()
        .map_err(|_full| {
            Problem::new(Kind::Busy).detail(format!("{SCRAPES_MAX} scrapes are being answered"))
        })?;
    let text = blocking(move || render(&gather(&state), state.checks().metrics(), format)).await?;
    let held = Held {
        body: Body::from(text),
        _permit: permit,
    };
    let mut response = Body::new(held).into_response();
    mark(&mut response, format);
    Ok(response)
}

/// An answer that counts until it is read: with many targets it weighs ten megabytes.
struct Held {
    body: Body,
    _permit: OwnedSemaphorePermit,
}

impl HttpBody for Held {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

fn gather(state: &ApiState) -> Figures {
    let mut figures = Figures {
        verdicts: state.engine().read(|monitor, _| verdicts(monitor)),
        datagrams: datagrams(state),
        peers: PeerFigures::read(state.peer_metrics()),
        http: HttpFigures::read(state.connections(), state.requests(), state.streams()),
        settings: settings(state),
        membership: state.agent().map(MembershipFigures::read),
        cluster: Some(state.registry().shared().status()),
        alerts: AlertFigures::read(state.alerts()),
        history: state.history().map(History::status),
        observers: state.observatory().and_then(ObserverFigures::read),
        ..Figures::default()
    };
    figures.verdicts.events = state.events().appended();
    let mut keys = Vec::new();
    let epoch = state.clock().wall(Instant::ORIGIN);
    let origin_seconds = epoch.as_duration().as_secs_f64();
    state.for_each_target(|target, now| {
        figures.targets.push(target_figures(target, now));
        if target.rests() {
            return;
        }
        for signal in target.signals() {
            keys.push(signal.key());
            figures
                .signals
                .push(signal_figures(target, &signal, now, origin_seconds));
        }
    });
    for target in &mut figures.targets {
        let observatory = state.observatory();
        target.panel = observatory.and_then(|it| PanelFigures::read(it, &target.id));
        describe(target, state.registry().spec(&target.id).as_deref());
    }
    for (signal, key) in figures.signals.iter_mut().zip(keys) {
        signal.checks = check_figures(state.checks(), key);
    }
    figures
}

fn target_figures(target: &TargetView<'_>, now: Instant) -> TargetFigures {
    let id: &str = target.id();
    let is_phi = |signal: &SignalView<'_>| match signal.config().detector().params() {
        DetectorParams::Phi(_) => true,
        DetectorParams::Chen(_) | DetectorParams::Bertier(_) | DetectorParams::Deadline(_) => false,
    };
    let signals = target.signals();
    let watched_since = signals.map(|signal| signal.added_at()).min().unwrap_or(now);
    TargetFigures {
        id: id.into(),
        labels: LabelText::new(&[("target", id)]),
        // Only the description of a target tells them: see `describe`.
        info: LabelText::default(),
        server_name: LabelText::default(),
        status: target.status(),
        seen: !target.rests(),
        flapping: target.flapping(),
        transitions: target.transitions(),
        watched_seconds: now.since(watched_since).as_secs_f64(),
        phi: target
            .signals()
            .filter(|signal| !target.rests() && is_phi(signal))
            .map(|signal| signal.level(now).get())
            .reduce(f64::max),
        // Only the observatory tells it.
        panel: None,
    }
}

/// Adds what only the description tells. It is missing for a target that is just being removed.
fn describe(target: &mut TargetFigures, spec: Option<&TargetSpec>) {
    let server_name = spec.map_or(&*target.id, |spec| &spec.server_name);
    target.server_name = LabelText::new(&[("server_name", server_name)]);
    let group = spec
        .and_then(|spec| spec.group.as_deref())
        .unwrap_or_default();
    target.info = LabelText::new(&[("target", &target.id), ("group", group)]);
    let Some(spec) = spec else {
        return;
    };
    let mut names: Vec<String> = Vec::with_capacity(spec.labels.len());
    for (name, value) in &spec.labels {
        let mut label = label_name(name);
        // Two names may become one; a series must not have a label twice.
        while names.contains(&label) {
            label.push('_');
        }
        target.info.push(&label, value);
        names.push(label);
    }
}

fn label_name(name: &str) -> String {
    let allowed = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
    "label_".chars().chain(name.chars().map(allowed)).collect()
}

fn signal_figures(
    target: &TargetView<'_>,
    signal: &SignalView<'_>,
    now: Instant,
    origin_seconds: f64,
) -> SignalFigures {
    let statistics = signal.statistics();
    let unix = |at: Instant| origin_seconds + at.since(Instant::ORIGIN).as_secs_f64();
    SignalFigures {
        labels: LabelText::new(&[("target", target.id()), ("signal", signal.name())]),
        level: signal.level(now).get(),
        // Nanoseconds would only be noise in a double.
        last_arrival: signal
            .last_arrival()
            .map(|at| (unix(at) * 1_000.0).round() / 1_000.0),
        arrivals: signal.arrivals(),
        // Before the first arrival there is no rhythm, and 0 would be one.
        rhythm: signal.last_arrival().map(|_| RhythmFigures {
            mean_seconds: statistics.mean.as_secs_f64(),
            deviation_seconds: statistics.std_deviation.as_secs_f64(),
        }),
        checks: None,
    }
}

fn check_figures(checks: &CheckRunner, key: SignalKey) -> Option<CheckFigures> {
    let mut figures = checks.signal(key, |metrics| CheckFigures {
        count: metrics.checks(),
        seconds: metrics.duration_sum().as_secs_f64(),
        failures: metrics.failures().map(|(_, count)| count).sum(),
        tls_expires_at: None,
    })?;
    let answer = checks
        .last(key)
        .and_then(|report| report.outcome.as_ref().ok().copied());
    let expires_at = answer.and_then(|answer| answer.tls_expires_at);
    figures.tls_expires_at = expires_at.map(|at| at.as_duration().as_secs_f64());
    Some(figures)
}

fn verdicts(monitor: &Monitor) -> VerdictFigures {
    let counters = monitor.counters();
    let transitions = Status::ALL.iter().flat_map(|&from| {
        let others = Status::ALL.iter().filter(move |&&to| to != from);
        others.map(move |&to| (from, to, counters.transitions(from, to)))
    });
    VerdictFigures {
        arrivals: counters.arrivals,
        rejected: Rejection::ALL
            .iter()
            .map(|&reason| (reason.as_str(), counters.rejections(reason)))
            .collect(),
        transitions: transitions.collect(),
        wakeups: Wake::ALL
            .iter()
            .map(|&reason| (reason.as_str(), counters.wakes(reason)))
            .collect(),
        stalls: counters.stalls,
        suspicions: counters.mass_guards,
        relearnt: counters.relearnt,
        clock_regressions: counters.clock_regressions,
        suspects_itself: monitor.observer_suspects_itself(),
        events: 0,
    }
}

fn datagrams(state: &ApiState) -> DatagramFigures {
    let Some(udp) = state.udp() else {
        return DatagramFigures {
            rejected: RejectReason::ALL
                .iter()
                .map(|reason| (reason.as_str(), 0))
                .collect(),
            ..DatagramFigures::default()
        };
    };
    let metrics = udp.metrics();
    let queue = udp.kernel_queue();
    DatagramFigures {
        received: metrics.datagrams(),
        reads: metrics.reads(),
        accepted: metrics.accepted(),
        rejected: RejectReason::ALL
            .iter()
            .map(|&reason| (reason.as_str(), metrics.rejected(reason)))
            .collect(),
        dropped: queue.map_or(0, |queue| queue.dropped),
        queued_bytes: queue.map_or(0, |queue| queue.queued_bytes),
    }
}

fn settings(state: &ApiState) -> SettingsFigures {
    let status = state.registry().reload_status();
    let reached = state.registry().reached();
    SettingsFigures {
        live_revision: reached.revision.number(),
        unusable: reached.unusable,
        last_successful: status.last_succeeded,
        last_success_at: status.last_success.map(|at| at.as_duration().as_secs_f64()),
        reloads: status.succeeded + status.failed,
        failures: status.failed,
    }
}
