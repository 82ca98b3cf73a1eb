//! Members of the group that this monitor belongs to, as targets: the group judges them, and its
//! word comes here.

use std::sync::Arc;
use std::time::Duration;

use auscult_core::detector::{DeadlineParams, DetectorParams};
use auscult_core::id::{SignalName, TargetId};
use auscult_core::monitor::{Event, EventKind, Labels, SignalConfig, SignalParams, Told};
use auscult_core::time::Instant;

use super::{Origin, Refused, Registry, Watched};
use crate::settings::{SignalSpec, SourceSpec, TargetSpec};

/// The group that members are shown in.
const GROUP: &str = "members";

/// The signal that carries the group's word.
const SIGNAL: &str = "membership";

/// What the group says of a member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberWord {
    /// Since when.
    pub at: Instant,
    /// How it is.
    pub verdict: Told,
    /// On what evidence, as a sentence.
    pub why: Arc<str>,
}

impl Registry {
    /// Watches a member, if it is not watched yet, and takes the group's word for how it is. Where
    /// a target of that name is watched in another way, that one stays, and the word is kept for
    /// when it goes.
    ///
    /// # Errors
    /// It cannot be watched. State: unchanged.
    pub fn tell_of_member(&self, id: &TargetId, word: MemberWord) -> Result<(), Refused> {
        let mut places = self.places.lock();
        let hidden = places.file.contains_key(id) || places.stored.contains_key(id);
        if let Some(spec) = places.members.get(id) {
            let before = self.words.lock().insert(id.clone(), word.clone());
            let same = |known: &MemberWord| known.verdict == word.verdict && known.why == word.why;
            if !before.as_ref().is_some_and(same) && !hidden {
                self.tell_again(spec);
            }
            return Ok(());
        }
        let limit = self.engine.config().targets_max;
        if !hidden && !places.created.contains_key(id) && places.all().len() >= limit {
            return Err(Refused::Full { limit });
        }
        let Some(spec) = member(id) else {
            return Ok(());
        };
        let watched = Watched {
            spec: Arc::new(spec),
            origin: Origin::Membership,
        };
        self.words.lock().insert(id.clone(), word);
        if !hidden {
            self.watch(&mut places, &watched)?;
        }
        places.members.insert(id.clone(), watched.spec);
        Ok(())
    }

    /// Logs what the group says that changes no status: of a member, or of this one.
    pub fn remark(&self, at: Instant, target: Option<TargetId>, code: &'static str, text: &str) {
        let kind = EventKind::Membership {
            code,
            text: text.into(),
        };
        self.engine.events().append(Event { at, target, kind });
    }

    /// Watches a member no longer: it left the group, or the group forgot it.
    pub fn forget_member(&self, id: &str) {
        let mut places = self.places.lock();
        let Some((id, _spec)) = places.members.remove_entry(id) else {
            return;
        };
        self.words.lock().remove(&id);
        match places.watched(&id) {
            None => self.forget(&mut places, &id),
            Some(
                watched @ Watched {
                    origin: Origin::Heartbeat,
                    ..
                },
            ) => {
                if let Err(error) = self.watch(&mut places, &watched) {
                    tracing::error!(%error, "a target that a heartbeat created cannot be watched");
                }
            }
            Some(_) => {}
        }
    }

    /// The present moment, by the clock of the machine.
    #[must_use]
    pub fn now(&self) -> Instant {
        self.engine.clock().now()
    }

    /// The names of the members that are known here.
    #[must_use]
    pub fn members(&self) -> Vec<TargetId> {
        self.places.lock().members.keys().cloned().collect()
    }

    /// Tells the machine the group's last word on a target, if the group judges it.
    pub(super) fn tell_again(&self, spec: &TargetSpec) {
        let judged = |signal: &&SignalSpec| signal.source == SourceSpec::Membership;
        let Some(signal) = spec.signals.iter().find(judged) else {
            return;
        };
        let word = self.words.lock().get(&spec.id).cloned();
        let key = self
            .engine
            .read(|monitor, _| monitor.signal(&spec.id, &signal.name));
        if let (Some(word), Some(key)) = (word, key) {
            self.engine.told(key, word.at, word.verdict, &word.why);
        }
    }
}

/// A member as a target.
fn member(id: &TargetId) -> Option<TargetSpec> {
    // The detector decides nothing here; its thresholds are the levels shown for late and down.
    let config = SignalConfig::new(SignalParams {
        detector: DetectorParams::Deadline(DeadlineParams {
            timeout: Duration::from_secs(1),
        }),
        late: 1.0,
        down: 2.0,
        grace: Duration::from_secs(60),
        recovery_arrivals: 1,
    });
    let signal = SignalSpec {
        name: SignalName::new(SIGNAL).ok()?,
        source: SourceSpec::Membership,
        config: config.ok()?,
    };
    Some(TargetSpec {
        server_name: id.as_str().into(),
        id: id.clone(),
        group: Some(GROUP.into()),
        labels: Labels::new(),
        signals: vec![signal],
        line: None,
    })
}
