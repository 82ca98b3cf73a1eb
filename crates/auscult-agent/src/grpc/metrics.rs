//! `auscult.v1.Metrics`: programs publish metrics of the member beside them, and the caller's side
//! of that.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use auscult_core::peer_metric::{Reading, Validity};
use futures_util::StreamExt as _;
use futures_util::stream::{self, BoxStream};
use tonic::{Code, Request, Response, Status, Streaming};

use super::Tls;
use super::generated::auscult_v1::metrics_client::MetricsClient;
use super::generated::auscult_v1::metrics_server::{Metrics, SERVICE_NAME};
use super::generated::auscult_v1::{PublishRequest, PublishResponse};
use super::inside::Inside;
use crate::handle::{AgentHandle, Refused};
use crate::metric::MetricReject;

/// The service.
#[derive(Clone, Debug)]
pub(super) struct Publisher(pub(super) Arc<Inside>);

impl Publisher {
    pub(super) const NAME: &str = SERVICE_NAME;
}

#[tonic::async_trait]
impl Metrics for Publisher {
    type PublishStream = BoxStream<'static, Result<PublishResponse, Status>>;

    async fn publish(
        &self,
        request: Request<Streaming<PublishRequest>>,
    ) -> Result<Response<Self::PublishStream>, Status> {
        if let Err(status) = self.0.check_access() {
            count(&self.0, MetricReject::Certificate);
            return Err(status);
        }
        let asked = request.into_inner();
        // One at a time: whoever sends faster than members tell each other waits.
        let answers = stream::unfold(Some((asked, Arc::clone(&self.0))), |open| async {
            let (mut asked, inside) = open?;
            let answer = match asked.message().await {
                Ok(Some(request)) => take(&inside, request).await,
                Ok(None) => return None,
                Err(status) => {
                    // Other codes are those of a caller that went away.
                    if let Code::Internal | Code::OutOfRange | Code::Unimplemented = status.code() {
                        count(&inside, MetricReject::Malformed);
                    }
                    Err(status)
                }
            };
            // An error is the end.
            let open = answer.is_ok().then_some((asked, inside));
            Some((answer, open))
        });
        Ok(Response::new(answers.boxed()))
    }
}

fn count(inside: &Inside, reason: MetricReject) {
    if let Some(agent) = inside.agent.upgrade() {
        agent.metric_counters().reject(reason);
    }
}

async fn take(inside: &Inside, request: PublishRequest) -> Result<PublishResponse, Status> {
    let agent = inside.agent()?;
    match publish_as(&agent, &request).await {
        Ok(()) => Ok(PublishResponse {
            taken: true,
            reason: String::new(),
        }),
        Err(Refused::Refused(refusal)) => Ok(PublishResponse {
            taken: false,
            reason: refusal.to_string(),
        }),
        Err(Refused::Stopped) => Err(Status::unavailable("the member has stopped")),
    }
}

async fn publish_as(
    agent: &AgentHandle,
    request: &PublishRequest,
) -> Result<(), Refused<crate::MetricRefusal>> {
    let peer = match request.peer.as_str() {
        "" => agent.name().as_str(),
        peer => peer,
    };
    let valid = match request.invalid {
        true => Validity::Invalid,
        false => Validity::Valid,
    };
    let reading = Reading {
        metric: &request.name,
        peer,
        value: &request.value,
        ttl: Duration::from_millis(request.ttl_ms),
        valid,
        weight: request.weight,
        epoch: None,
    };
    agent.log_metric(&reading).await
}

/// Why a metric was not published through a member. State: it may have been, where the answer got
/// lost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PublishRefused {
    /// Nobody answers there, or not in time.
    Silent(String),
    /// The member does not take it.
    Denied(String),
}

impl fmt::Display for PublishRefused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Silent(why) => write!(f, "no answer: {why}"),
            Self::Denied(why) => write!(f, "refused: {why}"),
        }
    }
}

impl std::error::Error for PublishRefused {}

/// Publishes a metric through the member that serves `auscult.v1.Metrics` there, as `HOST:PORT`.
/// Its epoch is the member's own; an empty peer stands for that member.
///
/// # Errors
/// Why not. State: see [`PublishRefused`].
pub async fn publish(
    at: &str,
    tls: Option<&Tls>,
    reading: &Reading<'_>,
) -> Result<(), PublishRefused> {
    let silent = |error: tonic::transport::Error| {
        let source = std::error::Error::source(&error).map(ToString::to_string);
        PublishRefused::Silent(source.unwrap_or_else(|| error.to_string()))
    };
    let endpoint = super::endpoint(tls, at).map_err(silent)?;
    let channel = endpoint.connect().await.map_err(silent)?;
    let message = PublishRequest {
        name: reading.metric.to_owned(),
        peer: reading.peer.to_owned(),
        value: reading.value.to_owned(),
        ttl_ms: u64::try_from(reading.ttl.as_millis()).unwrap_or(u64::MAX),
        invalid: reading.valid == Validity::Invalid,
        weight: reading.weight,
    };
    let mut request = Request::new(stream::iter([message]));
    request.set_timeout(PUBLISH_TIMEOUT);
    let answer = async {
        let mut answers = MetricsClient::new(channel)
            .publish(request)
            .await?
            .into_inner();
        answers.message().await
    };
    match answer.await {
        Ok(Some(answer)) if answer.taken => Ok(()),
        Ok(Some(answer)) => Err(PublishRefused::Denied(answer.reason)),
        Ok(None) => Err(PublishRefused::Silent("it hung up".into())),
        Err(status) => {
            let why = status.message().to_owned();
            let lost = [Code::Unavailable, Code::DeadlineExceeded, Code::Cancelled];
            Err(match lost.contains(&status.code()) {
                true => PublishRefused::Silent(why),
                false => PublishRefused::Denied(why),
            })
        }
    }
}

const PUBLISH_TIMEOUT: Duration = Duration::from_secs(5);
