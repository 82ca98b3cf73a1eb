//! Silences are settings that all monitors share: this monitor's machine is told of them whenever
//! they change.

use std::collections::BTreeMap;
use std::sync::Arc;

use auscult_agent::http::stop::Stop;
use auscult_core::alert::{Change, Matcher, Origin, Silence};
use auscult_core::id::SilenceName;
use auscult_core::monitor::registry::Kind;
use auscult_core::time::Instant;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{AlertClock, AlertDesk};
use crate::registry::Registry;

/// A silence, as it stands in the shared settings.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct SilenceDocument {
    pub(crate) matchers: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) from: Option<String>,
    pub(crate) until: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) author: Option<Box<str>>,
    pub(crate) comment: Box<str>,
}

impl SilenceDocument {
    /// When it ends; none where that is no time.
    pub(crate) fn ends(&self) -> Option<Timestamp> {
        self.until.parse().ok()
    }

    fn into_silence(self, clock: &AlertClock, name: &str) -> Option<Silence> {
        let matchers = self.matchers.iter().map(|text| Matcher::parse(text).ok());
        let until = self.ends()?;
        let from = match &self.from {
            Some(text) => clock.moment(text.parse().ok()?),
            None => Instant::ORIGIN,
        };
        Some(Silence {
            name: SilenceName::new(name).ok()?,
            matchers: matchers.collect::<Option<_>>()?,
            from,
            until: clock.moment(until),
            origin: Origin::Request,
            by: self.author.unwrap_or_default(),
            comment: self.comment,
        })
    }
}

/// Takes the silences of the shared settings until `stop`.
pub(super) async fn follow(desk: AlertDesk, registry: Arc<Registry>, stop: Stop) {
    let mut revisions = registry.shared().revisions();
    loop {
        revisions.mark_unchanged();
        desk.take_silences(&registry);
        tokio::select! {
            changed = revisions.changed() => {
                if changed.is_err() {
                    return;
                }
            }
            () = stop.clone().stopped() => return,
        }
    }
}

impl AlertDesk {
    /// Makes the silences of this monitor those of the shared settings.
    pub(crate) fn take_silences(&self, registry: &Registry) {
        let now = self.clock().now();
        let mut shared: BTreeMap<SilenceName, Silence> = BTreeMap::new();
        registry.shared().read(&mut |settings, _| {
            for (key, setting) in settings.of_kind(Kind::Silence) {
                let body = serde_json::from_str::<SilenceDocument>(setting.document.body());
                let silence = body
                    .ok()
                    .and_then(|it| it.into_silence(self.clock(), key.name()));
                match silence {
                    Some(silence) if silence.until > now => {
                        shared.insert(silence.name.clone(), silence);
                    }
                    Some(_over) => {}
                    None => tracing::error!(silence = key.name(), "a silence cannot be used here"),
                }
            }
        });
        let known: Vec<Silence> = self.read(|alerts, _| {
            let silences = alerts.silences().filter(|it| it.origin == Origin::Request);
            silences.cloned().collect()
        });
        for silence in known {
            match shared.remove(&silence.name) {
                Some(same) if same == silence => {}
                Some(other) => self.put_silence(other),
                None => {
                    let _over_by_now = self.apply(Change::EndSilence(silence.name));
                }
            }
        }
        for silence in shared.into_values() {
            self.put_silence(silence);
        }
    }

    fn put_silence(&self, silence: Silence) {
        let name = silence.name.clone();
        if let Err(refusal) = self.apply(Change::Silence(silence)) {
            tracing::error!(silence = %name, "it does not hold: {refusal}");
        }
    }
}
