//! `swim.Dissemination`: who says that a member failed, who wants to join, and the caller's side of
//! joining.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tonic::{Code, Request, Response, Status};

use super::detector::shown;
use super::generated::swim::dissemination_client::DisseminationClient;
use super::generated::swim::dissemination_server::Dissemination;
use super::generated::swim::{
    DisseminationRequest, DisseminationResponse, JoinRequest, JoinResponse,
};
use super::inside::{Found, Inside};
use super::link::remote;
use super::sentences::{self, Component};
use super::{CONNECT_TIMEOUT, Speech, Tls};

/// The service.
#[derive(Debug)]
pub(super) struct Disseminator(pub(super) Arc<Inside>);

#[tonic::async_trait]
impl Dissemination for Disseminator {
    async fn disseminate(
        &self,
        request: Request<DisseminationRequest>,
    ) -> Result<Response<DisseminationResponse>, Status> {
        let from = remote(&request)?;
        let DisseminationRequest {
            sender_id,
            failed_node_id,
        } = request.into_inner();
        self.hear("Disseminate", Component::FailureDetector, &sender_id);
        self.0.say(|| {
            let failed = shown(&failed_node_id);
            format!("Node {} detected failure of node {failed}", self.0.node)
        });
        let success = self.0.accuse(&sender_id, &failed_node_id, from).await?;
        Ok(Response::new(DisseminationResponse { success }))
    }

    async fn join(&self, request: Request<JoinRequest>) -> Result<Response<JoinResponse>, Status> {
        let JoinRequest {
            new_node_id,
            new_node_address,
        } = request.into_inner();
        self.hear("Join", Component::NewNode, &new_node_id);
        self.0.check_access()?;
        // A member that asks is told, and stays what it is.
        if !matches!(self.0.find(&new_node_address).await?, Found::Member(_)) {
            self.0
                .guests
                .admit(&self.0, &new_node_id, &new_node_address)
                .await?;
        }
        let membership = self.0.membership()?;
        Ok(Response::new(JoinResponse { membership }))
    }
}

impl Disseminator {
    fn hear(&self, call: &str, caller: Component, sender: &str) {
        self.0.say(|| {
            let here = (Component::Dissemination, self.0.node.as_str());
            sentences::runs(here, call, (caller, &shown(sender)))
        });
    }
}

/// Who wants to join, and through whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Newcomer {
    /// What others are to call it.
    pub id: String,
    /// Where it serves `swim.FailureDetector`, as `HOST:PORT`.
    pub address: String,
    /// Where a member serves `swim.Dissemination`, as `HOST:PORT`.
    pub bootstrap_address: String,
    /// What that member is called in the log.
    pub bootstrap_id: String,
}

/// Why there is no list of members. State: the newcomer may have been let in when the answer got
/// lost.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum JoinRefused {
    /// Nobody answers there, or not in time.
    Silent(String),
    /// The member does not let anybody in this way.
    Denied(String),
    /// The answer is an error.
    Failed(String),
}

impl fmt::Display for JoinRefused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Silent(why) => write!(f, "no answer: {why}"),
            Self::Denied(why) => write!(f, "refused: {why}"),
            Self::Failed(why) => write!(f, "failed: {why}"),
        }
    }
}

impl std::error::Error for JoinRefused {}

/// Asks a member to let a program in, and returns the addresses of all members.
///
/// # Errors
/// Why there is no list. State: see [`JoinRefused`].
pub async fn join(
    newcomer: &Newcomer,
    tls: Option<&Tls>,
    speech: Speech,
) -> Result<Vec<String>, JoinRefused> {
    if speech == Speech::Spoken {
        let from = (Component::NewNode, newcomer.id.as_str());
        let to = (Component::Dissemination, newcomer.bootstrap_id.as_str());
        tracing::info!("{}", sentences::sends(from, "Join", to));
    }
    let silent = |error: tonic::transport::Error| {
        let source = std::error::Error::source(&error).map(ToString::to_string);
        JoinRefused::Silent(source.unwrap_or_else(|| error.to_string()))
    };
    let endpoint = super::endpoint(tls, &newcomer.bootstrap_address).map_err(silent)?;
    let channel = endpoint.connect().await.map_err(silent)?;
    let mut request = Request::new(JoinRequest {
        new_node_id: newcomer.id.clone(),
        new_node_address: newcomer.address.clone(),
    });
    request.set_timeout(JOIN_TIMEOUT);
    let answer = DisseminationClient::new(channel).join(request).await;
    let silent = [Code::Unavailable, Code::DeadlineExceeded, Code::Cancelled];
    let refused = |status: Status| {
        let why = status.message().to_owned();
        let code = status.code();
        if code == Code::PermissionDenied {
            JoinRefused::Denied(why)
        } else if silent.contains(&code) {
            JoinRefused::Silent(why)
        } else {
            JoinRefused::Failed(format!("{code}: {why}"))
        }
    };
    Ok(answer.map_err(refused)?.into_inner().membership)
}

const JOIN_TIMEOUT: Duration = Duration::from_secs(5);
const _: () = assert!(CONNECT_TIMEOUT.as_secs() < JOIN_TIMEOUT.as_secs());
