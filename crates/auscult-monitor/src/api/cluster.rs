//! The monitors that share settings: who they are, who leads, and how that is changed.

use std::time::Duration;

use axum::extract::{Request, State};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::ApiState;
use super::extract::Named;
use super::json::{self, Json};
use super::problem::{Kind, Problem};
use super::views::Time;
use crate::replication::Node;
use crate::shared::{MonitorId, MonitorStatus, Role, SettingsStore as _, StoreStatus};

/// Some addresses.
const BODY_BYTES_MAX: usize = 16 * 1024;

/// The group, as this monitor knows it.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ClusterView {
    /// This monitor's clock.
    now: Time,
    /// What stands for the group; empty before this monitor belongs to one.
    #[schema(example = "3f1c09b2a7d4e568")]
    group: String,
    /// This monitor.
    #[schema(example = "5d41402abc4b")]
    id: String,
    /// leader, follower, candidate, learner, outside or stopped.
    #[schema(example = "leader")]
    role: &'static str,
    /// How many elections there were.
    term: u64,
    /// The id of who leads. A leader that reaches too few of the others is none.
    #[schema(required)]
    leader: Option<String>,
    /// The last change of the settings that is made here.
    revision: u64,
    /// How long ago it was known that this is the last change anywhere.
    #[schema(required)]
    age_ms: Option<f64>,
    /// The log of changes.
    log: LogView,
    /// What is wrong, in a sentence.
    #[schema(required)]
    trouble: Option<String>,
    /// The monitors, by id.
    monitors: Vec<MonitorView>,
}

/// How far the log of changes is.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct LogView {
    /// The last entry that is here.
    last: u64,
    /// The last entry that is made here.
    applied: u64,
}

/// One monitor of the group.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct MonitorView {
    /// Which one, for good.
    #[schema(example = "5d41402abc4b")]
    id: String,
    /// Its name.
    #[schema(example = "m1")]
    name: String,
    /// Whether it is the one that answers.
    me: bool,
    /// leader, follower, or learner: one that has no vote (yet).
    #[schema(example = "follower")]
    role: &'static str,
    /// Where the others reach it.
    #[schema(example = "10.0.0.2:7000")]
    raft: String,
    /// Where clients reach it.
    #[schema(example = "10.0.0.2:8000")]
    http: String,
    /// Where its agent is reached; empty where it runs none.
    #[schema(example = "10.0.0.2:7100")]
    agent: String,
    /// How many entries of the log it lacks. The leader alone knows.
    #[schema(required)]
    lag: Option<u64>,
    /// How long ago it was heard. The leader knows of all, the others of the leader.
    #[schema(required)]
    heard_ms: Option<f64>,
}

/// What was done.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct DoneView {
    status: &'static str,
}

/// Shows the group, as this monitor knows it. Answered whether there is a leader or not.
#[utoipa::path(get, path = "/v1/cluster", tag = "cluster",
    responses(
        (status = 200, description = "The group", body = ClusterView),
    ))]
pub(super) async fn read(State(state): State<ApiState>) -> Json<ClusterView> {
    let status = state.registry().shared().status();
    let now = state.engine().read(|_, now| now);
    Json(ClusterView::new(Time::of(state.clock(), now), status))
}

/// Has this monitor join the group of others. It must be alone and have no settings.
///
/// The body is `{"addresses": ["10.0.0.1:7000"]}`: monitors of that group, where others of it reach
/// them or where clients do. It is answered as soon as it is written down; `GET /v1/cluster` shows
/// what becomes of it.
#[utoipa::path(post, path = "/v1/cluster/join", tag = "cluster", request_body = Object,
    responses(
        (status = 200, description = "It joins", body = DoneView),
        (status = 400, description = "No such body", body = Problem),
        (status = 404, description = "This monitor takes part in no group", body = Problem),
        (status = 409, description = "It cannot join; nothing was changed", body = Problem),
    ))]
pub(super) async fn join(
    State(state): State<ApiState>,
    request: Request,
) -> Result<Json<DoneView>, Problem> {
    let body = json::read_json(request, BODY_BYTES_MAX).await?;
    let addresses = body["addresses"].as_array().map_or(&[][..], Vec::as_slice);
    let texts: Option<Vec<String>> = addresses.iter().map(text).collect();
    let texts = texts.filter(|texts| !texts.is_empty()).ok_or_else(|| {
        Problem::new(Kind::Malformed)
            .detail("the body names no addresses")
            .hint(r#"for example {"addresses": ["10.0.0.1:7000"]}"#)
    })?;
    let joined = node(&state)?.join(texts).await;
    joined.map_err(|error| refused(&error.to_string()))?;
    Ok(Json(DoneView { status: "joining" }))
}

/// Has this monitor leave its group. It goes on watching with the settings that it has.
#[utoipa::path(post, path = "/v1/cluster/leave", tag = "cluster",
    responses(
        (status = 200, description = "It left", body = DoneView),
        (status = 404, description = "This monitor takes part in no group", body = Problem),
        (status = 409, description = "It did not leave", body = Problem),
    ))]
pub(super) async fn leave(State(state): State<ApiState>) -> Result<Json<DoneView>, Problem> {
    let left = node(&state)?.leave().await;
    left.map_err(|text| refused(&text))?;
    Ok(Json(DoneView { status: "left" }))
}

/// Has another monitor lead.
///
/// The body is `{"to": "m2"}`: its name or id.
#[utoipa::path(post, path = "/v1/cluster/transfer", tag = "cluster", request_body = Object,
    responses(
        (status = 200, description = "It leads", body = DoneView),
        (status = 400, description = "No such body", body = Problem),
        (status = 404, description = "There is no such monitor", body = Problem),
        (status = 409, description = "It cannot lead", body = Problem),
    ))]
pub(super) async fn transfer(
    State(state): State<ApiState>,
    request: Request,
) -> Result<Json<DoneView>, Problem> {
    let body = json::read_json(request, BODY_BYTES_MAX).await?;
    let to = text(&body["to"]).ok_or_else(|| {
        Problem::new(Kind::Malformed)
            .detail("the body does not say which monitor shall lead")
            .hint(r#"for example {"to": "m2"}"#)
    })?;
    let node = node(&state)?;
    let moved = node.transfer(find(node, &to)?.0).await;
    moved.map_err(|text| refused(&text))?;
    Ok(Json(DoneView { status: "leads" }))
}

/// Lets a monitor of the group go, be it alive or dead: its name or id.
#[utoipa::path(delete, path = "/v1/cluster/monitors/{id}", tag = "cluster",
    params(("id" = String, Path, description = "Its name or id")),
    responses(
        (status = 200, description = "It is gone", body = DoneView),
        (status = 404, description = "There is no such monitor", body = Problem),
        (status = 409, description = "It cannot be removed", body = Problem),
    ))]
pub(super) async fn remove(
    State(state): State<ApiState>,
    Named(id): Named,
) -> Result<Json<DoneView>, Problem> {
    let node = node(&state)?;
    let gone = find(node, &id)?;
    let removed = if gone == node.id() {
        node.leave().await
    } else {
        node.remove(gone.0).await
    };
    removed.map_err(|text| refused(&text))?;
    Ok(Json(DoneView { status: "removed" }))
}

pub(super) fn node(state: &ApiState) -> Result<&Node, Problem> {
    let none = || {
        let text = "this monitor takes part in no group that could be changed: its settings are in \
                    etcd, where monitors come and go by themselves";
        Problem::new(Kind::NoGroup).detail(text)
    };
    state.node().ok_or_else(none)
}

/// The monitor of this name or id.
fn find(node: &Node, wanted: &str) -> Result<MonitorId, Problem> {
    let monitors = node.status().monitors;
    let by_name = monitors.iter().find(|it| it.monitor.name == wanted);
    let by_id = || monitors.iter().find(|it| it.id.to_string() == wanted);
    let found = by_name.or_else(by_id).map(|it| it.id);
    found.ok_or_else(|| {
        let names: Vec<&str> = monitors.iter().map(|it| it.monitor.name.as_str()).collect();
        Problem::new(Kind::UnknownMonitor)
            .detail(format!("there is no monitor {wanted} in the group"))
            .hint(format!("there are {}", names.join(", ")))
    })
}

fn refused(text: &str) -> Problem {
    Problem::new(Kind::GroupRefuses).detail(text)
}

fn text(value: &Value) -> Option<String> {
    let text = value.as_str().filter(|text| !text.is_empty());
    text.map(str::to_owned)
}

fn millis(span: Option<Duration>) -> Option<f64> {
    span.map(|span| span.as_secs_f64() * 1_000.0)
}

impl ClusterView {
    fn new(now: Time, status: StoreStatus) -> Self {
        let me = status.id;
        let monitors = status.monitors.into_iter();
        Self {
            now,
            group: status.group,
            id: me.to_string(),
            role: status.role.as_str(),
            term: status.term,
            leader: status.leader.map(|id| id.to_string()),
            revision: status.revision.number(),
            age_ms: millis(status.age.0),
            log: LogView {
                last: status.log_last,
                applied: status.log_applied,
            },
            trouble: status.trouble,
            monitors: monitors.map(|it| MonitorView::new(it, me)).collect(),
        }
    }
}

impl MonitorView {
    fn new(status: MonitorStatus, me: MonitorId) -> Self {
        let MonitorStatus {
            id,
            monitor,
            role,
            lag,
            heard,
        } = status;
        Self {
            id: id.to_string(),
            name: monitor.name,
            me: id == me,
            role: Role::as_str(role),
            raft: monitor.raft,
            http: monitor.http,
            agent: monitor.agent,
            lag,
            heard_ms: millis(heard),
        }
    }
}
