//! Tells the desk of alerts which metrics of peers have failed, and logs it among the events.
//!
//! A metric of a peer is a signal of the peer, down while it has failed and up else. The desk is
//! told of every change, and of everything anew when it takes other rules or changes were missed.

use std::collections::BTreeSet;
use std::sync::{Arc, LazyLock};

use auscult_agent::events::{LoggedEvent, Reading};
use auscult_agent::http::stop::Stop;
use auscult_core::alert::{Concern, Duty, Input, Observation, Subject};
use auscult_core::id::{SignalName, TargetId};
use auscult_core::monitor::{Labels, Status};
use auscult_core::peer_metric::Standing;
use auscult_core::time::Instant;

use super::{PeerEvent, PeerMonitor, failed};
use crate::alerts::AlertDesk;
use crate::registry::Registry;

/// Peers have no labels: what there is to choose by is the metric and the peer's name.
static LABELS: LazyLock<Arc<Labels>> = LazyLock::new(Arc::default);

/// What an earlier process told of, so that its alerts stay until there is something new to say.
/// The peers that it was about.
pub(crate) fn remember(monitor: &PeerMonitor, desk: &AlertDesk) -> BTreeSet<TargetId> {
    let known = alerting(desk);
    for (peer, metric) in &known {
        monitor.failed_before(peer, metric);
    }
    known.into_iter().map(|(peer, _)| peer).collect()
}

/// Tells the desk, until `stop`.
pub(crate) async fn follow(
    monitor: PeerMonitor,
    desk: AlertDesk,
    registry: Arc<Registry>,
    stop: Stop,
) {
    let mut configured = desk.configured();
    let mut handed = desk.handed();
    let mut reader = monitor.alerts();
    tell_all(&monitor, &desk);
    let stopped = stop.stopped();
    tokio::pin!(stopped);
    loop {
        tokio::select! {
            // Other rules come first: what they say about an event holds for it.
            biased;
            () = &mut stopped => return,
            changed = configured.changed() => {
                if changed.is_err() {
                    return;
                }
                tell_all(&monitor, &desk);
            }
            changed = handed.changed() => {
                if changed.is_err() {
                    return;
                }
                take_over(&monitor, &desk);
            }
            reading = reader.next() => match reading {
                Reading::Event(logged) => {
                    remark(&registry, &logged);
                    tell(&monitor, &desk, &logged.event);
                }
                Reading::Lagged(_) | Reading::OtherRun => tell_all(&monitor, &desk),
            },
        }
    }
}

/// Logs what failed and what is heard of again; how the rest came to be is logged elsewhere.
fn remark(registry: &Registry, logged: &LoggedEvent<PeerEvent>) {
    let (at, code) = match &logged.event {
        PeerEvent::Failed { at, .. } => (*at, "metric_failed"),
        PeerEvent::Recovered { at, .. } => (*at, "metric_recovered"),
        PeerEvent::Released { .. } | PeerEvent::Departed { .. } => return,
    };
    registry.remark(at, None, code, &logged.text);
}

fn tell(monitor: &PeerMonitor, desk: &AlertDesk, event: &PeerEvent) {
    match event {
        PeerEvent::Failed {
            peer,
            metric,
            at,
            cause,
            ..
        } => {
            let reason = failed(peer, metric, *cause);
            observe(desk, peer, metric, *at, Status::Down, &reason);
        }
        PeerEvent::Recovered { peer, metric, at } => {
            observe(desk, peer, metric, *at, Status::Up, "it is heard of again");
        }
        PeerEvent::Released { peer, metric } => {
            let now = monitor.clock().now();
            let reason = "it is not judged any more";
            observe(desk, peer, metric, now, Status::Paused, reason);
        }
        PeerEvent::Departed { peer } => gone(monitor, desk, peer),
    }
}

/// Others tell of peers now, or this monitor does: says who, and how everything is.
fn take_over(monitor: &PeerMonitor, desk: &AlertDesk) {
    let introduced = desk.introduced();
    for (peer, metric) in alerting(desk) {
        // Another monitor found it failed, and nothing of it ever came here.
        let unheard =
            || monitor.read(|log, _| log.is_present(&peer) && log.series(&metric, &peer).is_none());
        if introduced.contains(&peer) && unheard() {
            monitor.failed_before(&peer, &metric);
        }
    }
    let is_peer = |subject: &&Subject| matches!(subject, Subject::Peer(_));
    let subjects: Vec<Subject> = desk.read(|alerts, _| {
        let subjects = alerts.subjects().filter(is_peer);
        subjects.cloned().collect()
    });
    for subject in &subjects {
        say_duty(desk, subject);
    }
    tell_all(monitor, desk);
}

/// Says who tells of a peer: this monitor, where it is alone with it.
fn say_duty(desk: &AlertDesk, subject: &Subject) {
    let duty = desk.duty_of_peer(subject.name()).unwrap_or(Duty::Here);
    let duty = &duty;
    desk.handle(Input::Duty { subject, duty });
}

/// Its alerts are over, unless another monitor still judges it and so tells of it from now on.
fn gone(monitor: &PeerMonitor, desk: &AlertDesk, peer: &TargetId) {
    desk.note_own_roll(monitor.roll());
    let subject = Subject::Peer(peer.clone());
    say_duty(desk, &subject);
    desk.handle(Input::Gone(&subject));
}

/// Tells of everything that has failed, and of everything that has an alert and has not.
fn tell_all(monitor: &PeerMonitor, desk: &AlertDesk) {
    let alerting = alerting(desk);
    let (failing, present) = monitor.read(|log, _| {
        let mut failing = Vec::new();
        for view in log.failing() {
            if let Standing::Failed { at, cause } = view.standing() {
                failing.push((view.peer().clone(), view.metric().clone(), at, cause));
            }
        }
        let is_present = |(peer, _): &&(TargetId, SignalName)| log.is_present(peer);
        let present: BTreeSet<_> = alerting.iter().filter(is_present).cloned().collect();
        (failing, present)
    });
    let mut told = BTreeSet::new();
    for (peer, metric, at, cause) in failing {
        let reason = failed(&peer, &metric, cause);
        observe(desk, &peer, &metric, at, Status::Down, &reason);
        told.insert((peer, metric));
    }
    let now = monitor.clock().now();
    for known in alerting.difference(&told) {
        let (peer, metric) = known;
        if present.contains(known) {
            observe(desk, peer, metric, now, Status::Up, "it has not failed");
        } else {
            gone(monitor, desk, peer);
        }
    }
}

fn observe(
    desk: &AlertDesk,
    peer: &TargetId,
    signal: &SignalName,
    at: Instant,
    status: Status,
    reason: &str,
) {
    // When a target of that name has an alert itself, its metrics are no news.
    let parents: Arc<[TargetId]> = Arc::from([peer.clone()]);
    let duty = desk.duty_of_peer(peer);
    desk.handle(Input::Observed(Observation {
        subject: &Subject::Peer(peer.clone()),
        signal,
        concern: match &duty {
            Some(duty) => Concern::Unruled { duty },
            None => Concern::Own,
        },
        at: desk.clock().of(at),
        status,
        labels: &LABELS,
        parents: &parents,
        reason,
    }));
}

/// The metrics of peers that have an alert, or had one lately.
fn alerting(desk: &AlertDesk) -> BTreeSet<(TargetId, SignalName)> {
    desk.read(|alerts, _| {
        let active = alerts.alerts().filter(|alert| alert.record().fires());
        let keys = active.map(|alert| &alert.record().key);
        keys.filter_map(|key| match &key.subject {
            Subject::Peer(peer) => Some((peer.clone(), key.signal.clone())),
            Subject::Target(_) => None,
        })
        .collect()
    })
}
