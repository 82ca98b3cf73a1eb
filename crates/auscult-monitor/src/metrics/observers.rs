//! Figures of a monitor that observes together with others.

use auscult_agent::http::exposition::{Exposition, LabelText};
use auscult_agent::http::figures::Count;
use auscult_core::monitor::Status;
use auscult_core::monitor::observers::Liveness;

use super::families as family;
use crate::observers::Observatory;

/// What is shown of it.
#[derive(Debug, Default)]
pub(crate) struct ObserverFigures {
    pub(crate) observers: Vec<Count>,
    pub(crate) isolated: bool,
    pub(crate) at_fault: bool,
    pub(crate) serving: bool,
    pub(crate) owned: usize,
    pub(crate) taken_over: u64,
    pub(crate) told: u64,
    pub(crate) refused: u64,
    pub(crate) batches: Vec<Count>,
    pub(crate) items: Vec<Count>,
    pub(crate) resyncs: u64,
    pub(crate) over_limit: u64,
    pub(crate) heartbeats: Vec<Count>,
}

/// What several monitors find of one target.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PanelFigures {
    pub(crate) status: Status,
    pub(crate) dissent: usize,
    pub(crate) owned: bool,
}

impl ObserverFigures {
    /// Reads them; none for a monitor alone.
    pub(crate) fn read(observatory: &Observatory) -> Option<Self> {
        let letters_refused = observatory.letters_refused();
        let heartbeats = observatory.forwarder().counters();
        observatory.read(|machine| {
            if !machine.has_company() {
                return None;
            }
            let roster = machine.roster();
            let count = |liveness| {
                let such = roster.iter().filter(|seat| seat.liveness == liveness);
                such.count() as u64
            };
            let counters = machine.counters();
            Some(Self {
                observers: vec![
                    ("live", count(Liveness::Live)),
                    ("gone", count(Liveness::Gone)),
                ],
                isolated: machine.is_isolated(),
                at_fault: machine.is_at_fault(),
                serving: machine.is_serving_now(),
                owned: machine.owned(),
                taken_over: counters.taken_over,
                told: counters.told,
                refused: counters.refused,
                batches: vec![
                    ("sent", counters.batches_sent),
                    ("taken", counters.batches_taken),
                    ("old", counters.batches_old),
                    ("lost", counters.batches_lost),
                    ("refused", letters_refused),
                ],
                items: vec![
                    ("sent", counters.items_sent),
                    ("taken", counters.items_taken),
                ],
                resyncs: counters.resyncs,
                over_limit: counters.over_limit,
                heartbeats: vec![
                    ("queued", heartbeats.queued),
                    ("dropped", heartbeats.dropped),
                    ("sent", heartbeats.sent),
                    ("lost", heartbeats.lost),
                    ("taken", heartbeats.taken),
                ],
            })
        })
    }
}

impl PanelFigures {
    /// Reads what is found of a target; none where this monitor observes it alone.
    pub(crate) fn read(observatory: &Observatory, target: &str) -> Option<Self> {
        let view = observatory.view_of_watched(target)?;
        Some(Self {
            status: view.verdict.status(),
            dissent: view.dissent,
            owned: view.is_owned,
        })
    }
}

/// Writes what is found of each target.
pub(super) fn write_panels<'a>(
    out: &mut Exposition,
    panels: impl Iterator<Item = (&'a LabelText, PanelFigures)> + Clone,
) {
    out.family(&family::TARGET_VERDICT);
    for (labels, panel) in panels.clone() {
        out.sample(labels, u64::from(panel.status.severity()));
    }
    out.family(&family::TARGET_DISSENT);
    for (labels, panel) in panels.clone() {
        out.sample(labels, panel.dissent as u64);
    }
    out.family(&family::TARGET_OWNED);
    for (labels, panel) in panels {
        out.sample(labels, u64::from(panel.owned));
    }
}

/// Writes the figures of the observers themselves.
pub(super) fn write_observers(out: &mut Exposition, figures: &ObserverFigures) {
    out.by(&family::OBSERVERS, figures.observers.iter().copied());
    out.single(&family::OBSERVER_ISOLATED, u64::from(figures.isolated));
    out.single(&family::OBSERVER_AT_FAULT, u64::from(figures.at_fault));
    out.single(&family::OBSERVER_SERVING, u64::from(figures.serving));
    out.single(&family::OWNED_TARGETS, figures.owned);
    out.single(&family::TAKEOVERS, figures.taken_over);
    out.single(&family::RULINGS_TOLD, figures.told);
    out.single(&family::RULINGS_REFUSED, figures.refused);
    out.by(&family::REPORT_BATCHES, figures.batches.iter().copied());
    out.by(&family::REPORT_ITEMS, figures.items.iter().copied());
    out.single(&family::REPORT_RESYNCS, figures.resyncs);
    out.single(&family::REPORT_OVER_LIMIT, figures.over_limit);
    out.by(&family::FORWARDED, figures.heartbeats.iter().copied());
}
