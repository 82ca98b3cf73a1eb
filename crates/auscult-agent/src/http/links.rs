//! Who hears whom, in the whole group: each member knows only its own links, so they are asked.

use auscult_core::swim::Direction;
use axum::extract::State as Shared;
use serde::Serialize;
use utoipa::ToSchema;

use super::group::Group;
use super::json::Json;
use super::members::LinkView;
use super::problem::Problem;
use super::time::{Time, millis};
use crate::links::{LinkRow, PeerLink, collect};

/// Who hears whom: a row for each live member, from its own mouth.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Links {
    /// The clock of the member that asked.
    now: Time,
    /// The rows, by the observers' names.
    rows: Vec<RowView>,
    /// Directions that do not pass, though the way back does: by the one who does not hear.
    blocked: Vec<BlockedView>,
}

/// What one member says of its links.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct RowView {
    /// The member.
    #[schema(example = "web-1")]
    observer: String,
    /// How old its word is; none when it did not answer.
    #[schema(required)]
    age_ms: Option<f64>,
    /// Why it did not answer: unanswered, refused, malformed or unasked (there was no time left).
    #[schema(required)]
    error: Option<&'static str>,
    /// Its links to live members, by their names.
    links: Vec<PeerView>,
}

/// Both directions between two members.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct PeerView {
    /// The other member.
    #[schema(example = "web-2")]
    peer: String,
    #[serde(flatten)]
    link: LinkView,
}

/// A direction that does not pass.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, ToSchema)]
pub(super) struct BlockedView {
    /// Who does not hear.
    hearer: String,
    /// Whom.
    speaker: String,
}

/// Asks all live members who hears whom.
///
/// That A hears B and that B hears A are different facts. Each member is asked over a stream, all
/// at once; one that does not answer has a row that says so.
#[utoipa::path(get, path = "/v1/links", tag = "members",
    responses(
        (status = 200, description = "Who hears whom", body = Links),
        (status = 404, description = "This process is no member of a group", body = Problem),
    ))]
pub(super) async fn read(Shared(group): Shared<Group>) -> Result<Json<Links>, Problem> {
    let agent = group.agent()?;
    let rows = collect(agent).await;
    let clock = agent.clock();
    let now = clock.now();
    let mut blocked: Vec<BlockedView> = rows.iter().flat_map(blocked_of).collect();
    blocked.sort();
    blocked.dedup();
    Ok(Json(Links {
        now: Time::of(clock, now),
        rows: rows
            .iter()
            .map(|row| RowView {
                observer: row.observer.to_string(),
                age_ms: row.links.as_ref().ok().map(|_| millis(now.since(row.at))),
                error: row.links.as_ref().err().map(|error| error.as_str()),
                links: row.links.iter().flatten().map(peer).collect(),
            })
            .collect(),
        blocked,
    }))
}

fn peer(link: &PeerLink) -> PeerView {
    PeerView {
        peer: link.peer.to_string(),
        link: LinkView::new(link.link),
    }
}

/// Both who hears and who is heard may tell of a direction.
fn blocked_of(row: &LinkRow) -> Vec<BlockedView> {
    let mut blocked = Vec::new();
    let mut note = |direction, hearer: &str, speaker: &str| {
        if direction == Direction::Blocked {
            blocked.push(BlockedView {
                hearer: hearer.to_owned(),
                speaker: speaker.to_owned(),
            });
        }
    };
    for PeerLink { peer, link } in row.links.iter().flatten() {
        let (observer, peer) = (row.observer.as_str(), peer.as_str());
        note(link.hears, observer, peer);
        note(link.heard, peer, observer);
    }
    blocked
}
