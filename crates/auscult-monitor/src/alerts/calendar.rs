//! Maintenance windows as silences: the one that is open, or the next one.

use std::collections::BTreeSet;
use std::time::Duration;

use auscult_agent::http::stop::Stop;
use auscult_core::alert::{Change, Origin, Silence};
use auscult_core::id::SilenceName;

use super::AlertDesk;

/// How often the calendar is looked at, at least: the wall clock may be set.
const LOOK_EVERY: Duration = Duration::from_secs(60);

/// Opens and closes windows until `stop`.
pub(super) async fn keep(desk: AlertDesk, stop: Stop) {
    loop {
        let changed = desk.windows_changed();
        tokio::pin!(changed);
        changed.as_mut().enable();
        desk.open_windows();
        tokio::select! {
            () = tokio::time::sleep(LOOK_EVERY) => {}
            () = changed => {}
            () = stop.clone().stopped() => return,
        }
    }
}

impl AlertDesk {
    /// Makes the silences of maintenance windows what the settings and the calendar say.
    pub(super) fn open_windows(&self) {
        let windows = self.windows();
        let now = self.clock().wall(self.clock().now());
        let known: BTreeSet<SilenceName> = self.read(|alerts, _| {
            let silences = alerts
                .silences()
                .filter(|it| it.origin == Origin::Maintenance);
            silences.map(|it| it.name.clone()).collect()
        });
        let named: BTreeSet<&SilenceName> = windows.iter().map(|it| &it.name).collect();
        for name in known.iter().filter(|name| !named.contains(name)) {
            let _over_by_now = self.apply(Change::EndSilence(name.clone()));
        }
        for window in windows.iter() {
            let Some((from, until)) = window.next(now) else {
                continue;
            };
            let silence = Silence {
                name: window.name.clone(),
                matchers: window.matchers.clone(),
                from: self.clock().moment(from),
                until: self.clock().moment(until),
                origin: Origin::Maintenance,
                by: "settings".into(),
                comment: window.comment.clone(),
            };
            let is_known = self.read(|alerts, _| alerts.silences().any(|it| *it == silence));
            if is_known {
                continue;
            }
            if let Err(refusal) = self.apply(Change::Silence(silence)) {
                tracing::error!(window = %window.name, "no maintenance window: {refusal}");
            }
        }
    }
}
