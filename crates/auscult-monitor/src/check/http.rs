//! One HTTP check: request, redirects, status, certificate, body.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use auscult_core::monitor::Failure;
use hyper::Method;
use jiff::Timestamp;
use tokio::sync::OwnedSemaphorePermit;

use super::connection::{HttpConnection, Kept, Reply};
use super::context::Context;
use super::dial::dial;
use super::failure;
use super::http1::BodyUse;
use super::plan::{HttpPlan, Request};
use super::progress::Progress;
use super::report::{Answer, CheckError};
use super::spec::Expected;
use crate::settings::{Connection, Pattern};

/// Makes one check. `permit` is for a socket, and is there unless a kept connection will do.
pub(super) async fn check(
    plan: &HttpPlan,
    permit: Option<OwnedSemaphorePermit>,
    kept: &mut Kept,
    context: &Context,
    progress: &mut Progress,
) -> Result<Answer, CheckError> {
    let mut asking = Asking {
        plan,
        permit,
        kept,
        context,
        progress,
        tls_expires_at: None,
    };
    let mut reply = asking.ask(&plan.first).await?;
    if let Some(location) = redirect(plan, &reply) {
        reply = Box::pin(asking.follow(location, reply.status)).await?;
    }
    let tls_expires_at = asking.tls_expires_at;
    if !plan.expect_status.contains(reply.status) {
        let text = format!(
            "status {}, expected {}",
            reply.status,
            Expected(&plan.expect_status)
        );
        return Err(CheckError::new(Failure::Status(reply.status), text));
    }
    if let Some(pattern) = &plan.expect_body {
        match_body(pattern, reply.body).await?;
    }
    Ok(Answer {
        status: Some(reply.status),
        http_version: Some(reply.version),
        tls_expires_at,
    })
}

/// Where to go on, unless the redirect itself is what is expected, or none is followed.
fn redirect(plan: &HttpPlan, reply: &Reply) -> Option<String> {
    let moved = matches!(reply.status, 301 | 302 | 303 | 307 | 308);
    if !moved || plan.redirects == 0 || plan.expect_status.contains(reply.status) {
        return None;
    }
    reply.location.clone()
}

async fn match_body(pattern: &Pattern, body: Vec<u8>) -> Result<(), CheckError> {
    if body.len() <= BODY_MATCHED_AT_ONCE_BYTES {
        return compare(pattern, &body);
    }
    let pattern = pattern.clone();
    let compared = tokio::task::spawn_blocking(move || compare(&pattern, &body)).await;
    compared.unwrap_or_else(|error| {
        let text = format!("the body could not be matched: {error}");
        Err(CheckError::new(Failure::Local, text))
    })
}

/// A long body takes milliseconds to match, in which no other check would go on.
const BODY_MATCHED_AT_ONCE_BYTES: usize = 16 << 10;

fn compare(pattern: &Pattern, body: &[u8]) -> Result<(), CheckError> {
    let body = String::from_utf8_lossy(body);
    if pattern.is_match(&body) {
        return Ok(());
    }
    let beginning: String = body.chars().take(BODY_SHOWN_CHARACTERS).collect();
    let more = if beginning.len() < body.len() {
        "..."
    } else {
        ""
    };
    let pattern = pattern.as_str();
    let text = format!("the body does not match {pattern:?}: it begins with {beginning:?}{more}");
    Err(CheckError::new(Failure::Body, text))
}

const BODY_SHOWN_CHARACTERS: usize = 60;

/// A check on its way through requests.
struct Asking<'a> {
    plan: &'a HttpPlan,
    permit: Option<OwnedSemaphorePermit>,
    kept: &'a mut Kept,
    context: &'a Context,
    progress: &'a mut Progress,
    /// The earliest of the certificates seen.
    tls_expires_at: Option<Timestamp>,
}

/// What came of a request on a kept connection.
enum Again {
    Answered(Result<Reply, CheckError>),
    /// The server had closed the connection; its socket is free for a new one.
    Stale(OwnedSemaphorePermit),
}

impl Asking<'_> {
    async fn follow(&mut self, location: String, status: u16) -> Result<Reply, CheckError> {
        let wrong = |text| CheckError::new(Failure::Protocol, text);
        let mut request = self
            .plan
            .first
            .redirected(status, &location)
            .map_err(wrong)?;
        for _ in 1..self.plan.redirects {
            let reply = self.ask(&request).await?;
            match redirect(self.plan, &reply) {
                None => return Ok(reply),
                Some(location) => {
                    request = request.redirected(reply.status, &location).map_err(wrong)?;
                }
            }
        }
        let reply = self.ask(&request).await?;
        if redirect(self.plan, &reply).is_some() {
            let text = format!("redirected more than {} times", self.plan.redirects);
            return Err(CheckError::new(Failure::Status(reply.status), text));
        }
        Ok(reply)
    }

    /// One request, on a kept connection if there is one. When the server has closed that
    /// meanwhile, the request is sent once more on a new one: the settings ask for it to be
    /// repeated all the time, so once more does no harm, whatever its method.
    async fn ask(&mut self, request: &Request) -> Result<Reply, CheckError> {
        if let Some(connection) = self.kept.take(&request.origin) {
            if connection.is_young(self.context.clock.now()) {
                match self.ask_again(connection, request).await {
                    Again::Answered(result) => return result,
                    Again::Stale(permit) => self.permit = Some(permit),
                }
            } else {
                self.permit = Some(connection.permit);
            }
        }
        self.progress.restart();
        let mut connection = self.connect(request).await?;
        let body_use = self.body_use(request);
        let asked = connection.exchange(request, body_use, self.context, self.progress);
        let reply = asked.await.map_err(|interrupted| interrupted.error)?;
        self.finish(connection, reply)
    }

    async fn ask_again(&mut self, mut connection: HttpConnection, request: &Request) -> Again {
        self.progress.restart();
        let body_use = self.body_use(request);
        let asked = connection.exchange(request, body_use, self.context, self.progress);
        match asked.await {
            Ok(reply) => Again::Answered(self.finish(connection, reply)),
            Err(interrupted) if interrupted.before_answer => {
                let stale = &self.context.metrics.connections_stale;
                stale.fetch_add(1, Ordering::Relaxed);
                Again::Stale(connection.permit)
            }
            Err(interrupted) => Again::Answered(Err(interrupted.error)),
        }
    }

    async fn connect(&mut self, request: &Request) -> Result<HttpConnection, CheckError> {
        let sockets = &self.context.sockets;
        let permit = match self.permit.take() {
            Some(permit) => permit,
            None => Arc::clone(sockets).try_acquire_owned().map_err(|_| {
                CheckError::new(Failure::Local, "all sockets that checks may use are in use")
            })?,
        };
        let dialled = dial(
            &request.origin,
            &self.plan.connecting,
            permit,
            &mut self.kept.addresses,
            self.context,
            self.progress,
        )
        .await?;
        HttpConnection::start(dialled, request.origin.clone(), &self.context.clock).await
    }

    fn body_use(&self, request: &Request) -> BodyUse {
        match (&self.plan.expect_body, &request.method) {
            (_, &Method::HEAD) => BodyUse::Absent,
            (Some(_), _) => BodyUse::Keep,
            (None, _) => BodyUse::Drain,
        }
    }

    /// Looks at the certificate, and keeps the connection for the next check.
    fn finish(&mut self, connection: HttpConnection, reply: Reply) -> Result<Reply, CheckError> {
        let connecting = &self.plan.connecting;
        if let Some(end) = connection.tls_expires_at {
            self.tls_expires_at = Some(self.tls_expires_at.map_or(end, |other| other.min(end)));
            if let Some(least) = connecting.expires_within {
                let now = self.context.clock.wall_now();
                let left = end.as_second().saturating_sub(now.as_second());
                if left < i64::try_from(least.as_secs()).unwrap_or(i64::MAX) {
                    return Err(CheckError::new(Failure::Tls, failure::expiry(end, now)));
                }
            }
        }
        if connecting.connection == Connection::Reuse {
            self.kept.put(connection, self.context);
        }
        Ok(reply)
    }
}
