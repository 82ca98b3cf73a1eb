//! Who changed what, and when.

use auscult_core::monitor::registry::{Entry, Revision};
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use super::super::ApiState;
use super::super::blocking::blocking;
use super::super::extract::{Params, bad_value, whole_number};
use super::super::json::Json;
use super::super::problem::Problem;
use super::fresh::Options;
use super::view::moment;
use super::{PAGE, PAGE_MAX, unknown_kind};
use crate::settings::documents::kind_of;

/// A page of changes, the oldest first.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::api) struct HistoryPage {
    /// The last change that is known here.
    revision: u64,
    /// The first change that is still remembered; null where there is none.
    #[schema(required)]
    first: Option<u64>,
    /// The changes.
    changes: Vec<ChangeEntry>,
    /// What to give as `after` for the next page; null on the last one.
    #[schema(required)]
    next: Option<u64>,
}

/// One change.
#[derive(Debug, Serialize, ToSchema)]
struct ChangeEntry {
    /// Its number.
    revision: u64,
    /// Who made it.
    author: String,
    /// When.
    #[schema(example = "2026-05-01T12:00:00Z")]
    at: String,
    /// What became of which setting: the first hundred by kind and name.
    edits: Vec<EditEntry>,
    /// How many more there were.
    more: usize,
}

/// What became of one setting.
#[derive(Debug, Serialize, ToSchema)]
struct EditEntry {
    /// defaults, group, target, receiver, silence, token, pause or value.
    kind: &'static str,
    /// Its name.
    name: String,
    /// created, replaced or deleted.
    action: &'static str,
}

/// Lists changes, the oldest first.
#[utoipa::path(get, path = "/v1/settings/history", tag = "settings",
    params(
        ("after" = Option<u64>, Query, description = "Only changes after this revision"),
        ("kind" = Option<String>, Query, description = "Only changes of settings of this kind"),
        ("name" = Option<String>, Query, description = "Only changes of settings of this name"),
        ("limit" = Option<u64>, Query, description = "Changes at most: 1 to 1000, default 100"),
        ("consistency" = Option<String>, Query, description = "`linearizable` or `local`"),
        ("after_revision" = Option<u64>, Query, description = "As for all settings"),
        ("wait" = Option<String>, Query, description = "As for all settings"),
    ),
    responses(
        (status = 200, description = "Changes", body = HistoryPage),
        (status = 400, description = "The query cannot be used", body = Problem),
        (status = 503, description = "No leader, or not known here in time", body = Problem),
    ))]
pub(in crate::api) async fn history(
    State(state): State<ApiState>,
    params: Params,
) -> Result<Json<HistoryPage>, Problem> {
    let (options, rest) = Options::take(params.known(&[
        "after",
        "kind",
        "name",
        "limit",
        "consistency",
        "after_revision",
        "wait",
    ])?)?;
    let (mut after, mut kind, mut name, mut limit) = (Revision::NONE, None, None, PAGE);
    for (key, value) in rest {
        match key.as_str() {
            "after" => after = Revision::new(whole_number("after", &value, 0..=u64::MAX)?),
            "kind" => {
                let known = kind_of(&value);
                kind = Some(known.ok_or_else(|| bad_value("kind", unknown_kind(&value)))?);
            }
            "name" => name = Some(value),
            _ => limit = whole_number("limit", &value, 1..=PAGE_MAX)?,
        }
    }
    let fresh = options.reached(&state).await?;
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    blocking(move || {
        let concerns = |entry: &&Entry| {
            let named = |key: &auscult_core::monitor::registry::Key| {
                kind.is_none_or(|kind| key.kind() == kind)
                    && name.as_deref().is_none_or(|name| key.name() == name)
            };
            (kind.is_none() && name.is_none()) || entry.edits.iter().any(|(key, _)| named(key))
        };
        let mut page = HistoryPage {
            revision: fresh.revision,
            first: None,
            changes: Vec::new(),
            next: None,
        };
        state.registry().shared().read(&mut |shared, _| {
            let first = shared.history(Revision::NONE).next();
            page.first = first.map(|entry| entry.revision.number());
            let mut entries = shared.history(after).filter(concerns);
            page.changes = entries.by_ref().take(limit).map(ChangeEntry::of).collect();
            let more = entries.next().is_some();
            let last = page.changes.last().map(|change| change.revision);
            page.next = last.filter(|_| more);
        });
        Json(page)
    })
    .await
}

impl ChangeEntry {
    fn of(entry: &Entry) -> Self {
        let edit = |(key, action): &(_, auscult_core::monitor::registry::Action)| {
            let key: &auscult_core::monitor::registry::Key = key;
            EditEntry {
                kind: key.kind().as_str(),
                name: key.name().to_owned(),
                action: action.as_str(),
            }
        };
        Self {
            revision: entry.revision.number(),
            author: entry.author.as_str().to_owned(),
            at: moment(entry.at),
            edits: entry.edits.iter().map(edit).collect(),
            more: entry.more,
        }
    }
}
