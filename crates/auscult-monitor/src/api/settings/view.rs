//! Settings, plans and changes as JSON.

use std::ops::Bound;
use std::time::Duration;

use auscult_core::monitor::registry::{
    Document, Key, Kind as SettingKind, Outcome, Plan, Setting, Step, WallMillis,
};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::super::ApiState;
use super::super::extract::bad_value;
use super::super::problem::Problem;
use super::fresh::Fresh;
use crate::settings::documents::kind_of;

/// Steps of a plan that are shown with what they change; the others are counted.
const STEPS_MAX: usize = 10_000;

/// A page of settings.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::api) struct SettingPage {
    /// The last change that is known here.
    revision: u64,
    /// How long ago, in milliseconds, it was known that there is no later one; null where it was
    /// not since the start.
    #[schema(required)]
    age_ms: Option<f64>,
    /// The settings, by kind and name.
    settings: Vec<SettingView>,
    /// How many there are, on all pages.
    matched: usize,
    /// What to give as `cursor` for the next page; null on the last one.
    #[schema(required)]
    next: Option<String>,
}

/// A setting.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::api) struct SettingView {
    /// defaults, group, target, receiver, silence, token, pause or value.
    #[schema(example = "target")]
    kind: &'static str,
    /// Its name.
    name: String,
    /// Its last change: its ETag.
    revision: u64,
    /// The change that first made it.
    created: u64,
    /// Who made the last change.
    author: String,
    /// When.
    #[schema(example = "2026-05-01T12:00:00Z")]
    at: String,
    /// What it says. The hash of a token is not shown.
    #[schema(value_type = Object)]
    document: Value,
    /// Why it cannot be used on this monitor, if it cannot.
    #[serde(skip_serializing_if = "Option::is_none")]
    unusable: Option<String>,
    /// How fresh this is, where one setting was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    known: Option<FreshView>,
}

/// How fresh a read is.
#[derive(Debug, Serialize, ToSchema)]
struct FreshView {
    /// The last change of all settings that is known here.
    revision: u64,
    /// How long ago, in milliseconds, it was known that there is no later one.
    #[schema(required)]
    age_ms: Option<f64>,
}

/// A token that was made.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::api) struct TokenView {
    /// Its name.
    name: String,
    /// Its secret. It is shown this once; only its hash is kept.
    token: String,
}

/// What a change came to.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::api) struct ChangeView {
    /// The revision with it made.
    revision: u64,
    /// Settings that were not there.
    created: usize,
    /// Settings that say something else now.
    replaced: usize,
    /// Settings that are gone.
    deleted: usize,
    /// Settings that are as they were.
    unchanged: usize,
}

/// What would be done.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::api) struct PlanView {
    /// For which revision it was made: as `If-Match` it lets this plan be carried out, or nothing.
    revision: u64,
    /// What would be done, by kind and name.
    steps: Vec<StepView>,
    /// How many more steps there are than shown.
    more: usize,
    /// Settings that would not be there before.
    created: usize,
    /// Settings that would say something else.
    replaced: usize,
    /// Settings that would be gone.
    deleted: usize,
    /// Settings that are as wanted.
    unchanged: usize,
}

/// What would be done to one setting.
#[derive(Debug, Serialize, ToSchema)]
struct StepView {
    /// defaults, group, target, receiver, silence, token, pause or value.
    kind: &'static str,
    /// Its name.
    name: String,
    /// created, replaced or deleted.
    action: &'static str,
    /// What it says now.
    #[schema(value_type = Object)]
    #[serde(skip_serializing_if = "Option::is_none")]
    before: Option<Value>,
    /// What it would say.
    #[schema(value_type = Object)]
    #[serde(skip_serializing_if = "Option::is_none")]
    after: Option<Value>,
}

impl SettingView {
    pub(super) fn read(state: &ApiState, key: &Key, fresh: Fresh) -> Option<Self> {
        let mut view = None;
        state.registry().shared().read(&mut |shared, _| {
            view = shared.get(key).map(|setting| Self::of(key, setting));
        });
        let mut view = view?;
        let unusable = state.registry().unusable_for(key);
        view.unusable = unusable.map(|why| why.to_string());
        view.known = Some(FreshView {
            revision: fresh.revision,
            age_ms: fresh.age.map(millis),
        });
        Some(view)
    }

    fn of(key: &Key, setting: &Setting) -> Self {
        Self {
            kind: key.kind().as_str(),
            name: key.name().to_owned(),
            revision: setting.revision.number(),
            created: setting.created.number(),
            author: setting.author.as_str().to_owned(),
            at: moment(setting.at),
            document: shown(key, &setting.document),
            unusable: None,
            known: None,
        }
    }

    pub(super) const fn revision(&self) -> u64 {
        self.revision
    }
}

impl TokenView {
    pub(super) fn new(key: &Key, token: String) -> Self {
        let name = key.name().to_owned();
        Self { name, token }
    }
}

impl ChangeView {
    pub(super) const fn of(outcome: Outcome, plan: &Plan) -> Self {
        let Outcome {
            revision,
            created,
            replaced,
            deleted,
            unchanged: _,
        } = outcome;
        Self {
            revision: revision.number(),
            created,
            replaced,
            deleted,
            unchanged: plan.unchanged,
        }
    }
}

impl PlanView {
    pub(super) fn of(plan: &Plan) -> Self {
        use auscult_core::monitor::registry::Action;
        let count = |action| {
            let steps = plan.steps.iter();
            steps.filter(|step| step.action == action).count()
        };
        Self {
            revision: plan.revision.number(),
            steps: plan
                .steps
                .iter()
                .take(STEPS_MAX)
                .map(StepView::of)
                .collect(),
            more: plan.steps.len().saturating_sub(STEPS_MAX),
            created: count(Action::Created),
            replaced: count(Action::Replaced),
            deleted: count(Action::Deleted),
            unchanged: plan.unchanged,
        }
    }

    pub(super) const fn revision(&self) -> u64 {
        self.revision
    }
}

impl StepView {
    fn of(step: &Step) -> Self {
        let document =
            |document: &Option<Document>| document.as_ref().map(|it| shown(&step.key, it));
        Self {
            kind: step.key.kind().as_str(),
            name: step.key.name().to_owned(),
            action: step.action.as_str(),
            before: document(&step.before),
            after: document(&step.after),
        }
    }
}

/// The settings after `cursor`.
pub(super) fn page(
    state: &ApiState,
    fresh: Fresh,
    kind: Option<SettingKind>,
    cursor: Option<&Key>,
    limit: usize,
) -> SettingPage {
    let (mut settings, mut matched, mut last) = (Vec::new(), 0, None);
    state.registry().shared().read(&mut |shared, _| {
        let of_kind = |key: &Key| kind.is_none_or(|kind| key.kind() == kind);
        matched = match kind {
            None => shared.len(),
            Some(kind) => shared.of_kind(kind).count(),
        };
        let from = cursor.map_or(Bound::Unbounded, Bound::Excluded);
        let first = kind.filter(|_| cursor.is_none());
        let mut after = shared
            .settings_from(first, from)
            .filter(|(key, _)| of_kind(key));
        let some = after.by_ref().take(limit);
        settings = some
            .map(|(key, setting)| (key.clone(), setting.clone()))
            .collect();
        last = after
            .next()
            .is_some()
            .then(|| settings.last().cloned())
            .flatten();
    });
    let unusable = state.registry().unusable();
    let view = |(key, setting): &(Key, Setting)| {
        let mut view = SettingView::of(key, setting);
        view.unusable = unusable.get(key).map(ToString::to_string);
        view
    };
    SettingPage {
        revision: fresh.revision,
        age_ms: fresh.age.map(millis),
        settings: settings.iter().map(view).collect(),
        matched,
        next: last.map(|(key, _)| format!("{}/{}", key.kind().as_str(), key.name())),
    }
}

/// The setting after which a page begins.
pub(super) fn read_cursor(text: &str) -> Result<Key, Problem> {
    let key = text.split_once('/').and_then(|(kind, name)| {
        let kind = kind_of(kind)?;
        Key::new(kind, name).ok()
    });
    key.ok_or_else(|| bad_value("cursor", "it is none of ours"))
}

/// A moment as people write it.
pub(super) fn moment(at: WallMillis) -> String {
    Timestamp::from_millisecond(at.0).map_or_else(|_| at.0.to_string(), |at| at.to_string())
}

/// A document as JSON, without what nobody need see.
fn shown(key: &Key, document: &Document) -> Value {
    let body = serde_json::from_str(document.body());
    let mut body: Value = body.unwrap_or_else(|_| document.body().into());
    if key.kind() == SettingKind::Token
        && let Some(fields) = body.as_object_mut()
    {
        fields.remove("sha256");
    }
    body
}

fn millis(span: Duration) -> f64 {
    (span.as_secs_f64() * 1e6).round() / 1e3
}
