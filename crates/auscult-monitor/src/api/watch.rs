//! `auscult.v1.Monitor`: the event log for programs that speak gRPC.
//!
//! It stands among the routes of HTTP, so that what holds for them (who may ask, how many streams
//! there are, how it ends) holds for it as well. A reader that is slow holds up nobody: it reads
//! from the log at its own pace, and is told how much it missed.

use auscult_agent::events::{EventReader, Reading};
use auscult_agent::grpc::monitor::{
    Event as SentEvent, Lagged, Monitor, MonitorServer, WatchRequest, WatchResponse, What,
};
use auscult_core::monitor::Event;
use axum::Router;
use axum::body::Body;
use axum::extract::Request as HttpRequest;
use axum::http::StatusCode;
use axum::http::header::{CONTENT_TYPE, HeaderMap};
use axum::middleware::Next;
use axum::response::Response as HttpResponse;
use futures_util::StreamExt as _;
use futures_util::stream::{self, BoxStream};
use tokio::sync::OwnedSemaphorePermit;
use tonic::{Code, Request, Response, Status};

use super::ApiState;
use super::views::{EventView, code};
use crate::events::LoggedEvent;

/// The longest name of a target that is asked for.
const TARGET_BYTES_MAX: usize = 1_024;

/// The service, as a route.
pub(super) fn routes(state: &ApiState) -> Router<ApiState> {
    let service = MonitorServer::new(Watcher(state.clone()));
    Router::new().route_service("/auscult.v1.Monitor/Watch", service)
}

/// Tells callers of gRPC in their own way what HTTP refuses them: they look at no status of HTTP.
pub(super) async fn say_in_grpc(request: HttpRequest, next: Next) -> HttpResponse {
    let speaks_grpc = is_grpc(request.headers());
    let response = next.run(request).await;
    if !speaks_grpc || is_grpc(response.headers()) {
        return response;
    }
    let status = response.status();
    let text = match status {
        StatusCode::UNAUTHORIZED => "there are tokens: send `authorization: Bearer TOKEN`",
        other => other.canonical_reason().unwrap_or("it was refused"),
    };
    let code = match status {
        StatusCode::UNAUTHORIZED => Code::Unauthenticated,
        StatusCode::FORBIDDEN => Code::PermissionDenied,
        StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED => Code::Unimplemented,
        StatusCode::SERVICE_UNAVAILABLE => Code::Unavailable,
        _ => Code::Unknown,
    };
    Status::new(code, text).into_http::<Body>()
}

fn is_grpc(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).and_then(|it| it.to_str().ok());
    kind.is_some_and(|kind| kind.starts_with("application/grpc"))
}

struct Watcher(ApiState);

#[tonic::async_trait]
impl Monitor for Watcher {
    type WatchStream = BoxStream<'static, Result<WatchResponse, Status>>;

    async fn watch(
        &self,
        request: Request<WatchRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        let WatchRequest { after, target } = request.into_inner();
        if target.len() > TARGET_BYTES_MAX {
            return Err(Status::invalid_argument("no target has so long a name"));
        }
        let permit = self
            .0
            .streams()
            .admit()
            .map_err(Status::resource_exhausted)?;
        let events = self.0.events();
        let after = after.unwrap_or_else(|| events.newest_id());
        let follower = Follower {
            reader: events.read_after(after),
            state: self.0.clone(),
            target: (!target.is_empty()).then_some(target),
            _permit: permit,
        };
        let stream = stream::unfold(follower, |mut follower| async move {
            let response = follower.next().await?;
            Some((Ok(response), follower))
        });
        Ok(Response::new(stream.boxed()))
    }
}

/// One stream.
struct Follower {
    reader: EventReader<Event>,
    state: ApiState,
    target: Option<String>,
    _permit: OwnedSemaphorePermit,
}

impl Follower {
    async fn next(&mut self) -> Option<WatchResponse> {
        loop {
            let reading = tokio::select! {
                reading = self.reader.next() => reading,
                () = self.state.stop().clone().stopped() => return None,
            };
            let what = match reading {
                Reading::Event(logged) if self.wants(&logged) => What::Event(self.sent(&logged)),
                Reading::Event(_) => continue,
                Reading::Lagged(lost) => {
                    self.state.streams().note_missed(lost);
                    What::Lagged(Lagged { lost: Some(lost) })
                }
                Reading::OtherRun => What::Lagged(Lagged { lost: None }),
            };
            return Some(WatchResponse { what: Some(what) });
        }
    }

    fn wants(&self, logged: &LoggedEvent) -> bool {
        let wanted = self.target.as_deref();
        wanted.is_none() || logged.event.target.as_deref() == wanted
    }

    fn sent(&self, logged: &LoggedEvent) -> SentEvent {
        let view = EventView::new(self.state.clock(), logged);
        let (from, to) = view.change();
        SentEvent {
            id: logged.id,
            at_ms: logged.at.as_millisecond(),
            kind: code(&logged.event.kind).to_owned(),
            target: logged
                .event
                .target
                .as_deref()
                .unwrap_or_default()
                .to_owned(),
            text: logged.text.clone(),
            from: from.unwrap_or_default().to_owned(),
            to: to.unwrap_or_default().to_owned(),
            // What it consists of can always be written.
            json: serde_json::to_string(&view).unwrap_or_default(),
        }
    }
}
