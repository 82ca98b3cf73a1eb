//! Errors of the API as RFC 9457 problem documents: a stable kind, what was wrong, where, and what
//! to do.

use axum::http::header::{CONTENT_TYPE, HeaderName, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

/// What went wrong, as a stable code. Also the label of `auscult_http_problems_total`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The request cannot be read.
    Malformed,
    /// A page of another site asks for a change.
    ForeignOrigin,
    /// There is nothing at this address.
    UnknownRoute,
    /// There is no such target.
    UnknownTarget,
    /// The target has no such signal.
    UnknownSignal,
    /// There is no such member.
    UnknownMember,
    /// No alert has this id.
    UnknownAlert,
    /// No silence or receiver has this name.
    UnknownName,
    /// No past is kept here.
    NoHistory,
    /// The alert does not fire.
    NotFiring,
    /// This process is no member of a group.
    NoGroup,
    /// The address does not take this method.
    MethodNotAllowed,
    /// The body took too long to arrive.
    BodyTimeout,
    /// A heartbeat is not signed as it must be.
    Unsigned,
    /// The target exists already.
    TargetExists,
    /// The target is defined in the settings file.
    DefinedInFile,
    /// The target is a member of the group, which judges it.
    IsMember,
    /// A heartbeat is older than the last one.
    Stale,
    /// No more are taken.
    Full,
    /// The group of monitors does not do that.
    GroupRefuses,
    /// There is no such monitor in the group.
    UnknownMonitor,
    /// The agent has left its group.
    Stopped,
    /// The member cannot be watched.
    Unwatchable,
    /// Nobody said who asks.
    Unauthorized,
    /// Who asks may not do this.
    Forbidden,
    /// There is no such setting.
    UnknownSetting,
    /// The settings forbid the change.
    Refused,
    /// No monitor of the group decides now.
    NoLeader,
    /// It is not known whether the change was made.
    Unclear,
    /// What was asked for has not arrived here yet.
    Behind,
    /// What was to be changed has changed meanwhile.
    Changed,
    /// The body is too large.
    BodyTooLarge,
    /// The body is not JSON.
    UnsupportedMediaType,
    /// What was asked for is not valid.
    Invalid,
    /// There is no room for this now.
    Busy,
    /// The change could not be stored.
    Storage,
    /// The settings file cannot be read.
    Unreadable,
    /// The program failed.
    Internal,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 38] = [
        Self::Malformed,
        Self::ForeignOrigin,
        Self::UnknownRoute,
        Self::UnknownTarget,
        Self::UnknownSignal,
        Self::UnknownMember,
        Self::UnknownAlert,
        Self::UnknownName,
        Self::NoHistory,
        Self::NotFiring,
        Self::NoGroup,
        Self::MethodNotAllowed,
        Self::BodyTimeout,
        Self::Unsigned,
        Self::TargetExists,
        Self::DefinedInFile,
        Self::IsMember,
        Self::Stale,
        Self::Full,
        Self::GroupRefuses,
        Self::UnknownMonitor,
        Self::Stopped,
        Self::Unwatchable,
        Self::Unauthorized,
        Self::Forbidden,
        Self::UnknownSetting,
        Self::Refused,
        Self::NoLeader,
        Self::Unclear,
        Self::Behind,
        Self::Changed,
        Self::BodyTooLarge,
        Self::UnsupportedMediaType,
        Self::Invalid,
        Self::Busy,
        Self::Storage,
        Self::Unreadable,
        Self::Internal,
    ];

    /// The stable code.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::ForeignOrigin => "foreign_origin",
            Self::UnknownRoute => "unknown_route",
            Self::UnknownTarget => "unknown_target",
            Self::UnknownSignal => "unknown_signal",
            Self::UnknownMember => "unknown_member",
            Self::UnknownAlert => "unknown_alert",
            Self::UnknownName => "unknown_name",
            Self::NoHistory => "no_history",
            Self::NotFiring => "not_firing",
            Self::NoGroup => "no_group",
            Self::GroupRefuses => "group_refuses",
            Self::UnknownMonitor => "unknown_monitor",
            Self::Stopped => "stopped",
            Self::Unwatchable => "unwatchable",
            Self::Unauthorized => "unauthorized",
            Self::Forbidden => "forbidden",
            Self::UnknownSetting => "unknown_setting",
            Self::Refused => "refused",
            Self::NoLeader => "no_leader",
            Self::Unclear => "unclear",
            Self::Behind => "behind",
            Self::MethodNotAllowed => "method_not_allowed",
            Self::BodyTimeout => "body_timeout",
            Self::TargetExists => "target_exists",
            Self::DefinedInFile => "defined_in_file",
            Self::IsMember => "is_member",
            Self::Unsigned => "unsigned",
            Self::Stale => "stale",
            Self::Full => "full",
            Self::Changed => "changed",
            Self::BodyTooLarge => "body_too_large",
            Self::UnsupportedMediaType => "unsupported_media_type",
            Self::Invalid => "invalid",
            Self::Busy => "busy",
            Self::Storage => "storage",
            Self::Unreadable => "unreadable",
            Self::Internal => "internal",
        }
    }

    const fn title(self) -> &'static str {
        match self {
            Self::Malformed => "The request cannot be read",
            Self::ForeignOrigin => "Pages of other sites may not change anything here",
            Self::UnknownRoute => "There is nothing at this address",
            Self::UnknownTarget => "There is no such target",
            Self::UnknownSignal => "The target has no such signal",
            Self::UnknownMember => "There is no such member",
            Self::UnknownAlert => "There is no such alert",
            Self::UnknownName => "Nothing has this name",
            Self::NoHistory => "No past is kept here",
            Self::NotFiring => "The alert does not fire",
            Self::NoGroup => "This process is no member of a group",
            Self::GroupRefuses => "The group of monitors does not do that",
            Self::UnknownMonitor => "There is no such monitor in the group",
            Self::Stopped => "The agent has left its group",
            Self::Unwatchable => "The member cannot be watched",
            Self::Unauthorized => "Nobody said who asks",
            Self::Forbidden => "Who asks may not do this",
            Self::UnknownSetting => "There is no such setting",
            Self::Refused => "The settings forbid the change",
            Self::NoLeader => "No monitor of the group decides now",
            Self::Unclear => "It is not known whether the change was made",
            Self::Behind => "What was asked for has not arrived here yet",
            Self::MethodNotAllowed => "This address does not take this method",
            Self::BodyTimeout => "The body took too long to arrive",
            Self::TargetExists => "The target exists already",
            Self::DefinedInFile => "The target is defined in the settings file",
            Self::IsMember => "The target is a member of the group",
            Self::Unsigned => "The heartbeat is not signed as it must be",
            Self::Stale => "The heartbeat is older than the last one",
            Self::Full => "No more are taken",
            Self::Changed => "It has changed meanwhile",
            Self::BodyTooLarge => "The body is too large",
            Self::UnsupportedMediaType => "The body is not JSON",
            Self::Invalid => "What was asked for is not valid",
            Self::Busy => "There is no room for this now",
            Self::Storage => "The change could not be stored",
            Self::Unreadable => "The settings file cannot be read",
            Self::Internal => "The program failed",
        }
    }

    /// The HTTP status that goes with it.
    pub const fn status(self) -> StatusCode {
        match self {
            Self::Malformed => StatusCode::BAD_REQUEST,
            Self::Unauthorized => StatusCode::UNAUTHORIZED,
            Self::ForeignOrigin | Self::Forbidden => StatusCode::FORBIDDEN,
            Self::UnknownRoute
            | Self::UnknownTarget
            | Self::UnknownSignal
            | Self::UnknownMember
            | Self::UnknownMonitor
            | Self::UnknownSetting
            | Self::UnknownAlert
            | Self::UnknownName
            | Self::NoHistory
            | Self::NoGroup => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::BodyTimeout => StatusCode::REQUEST_TIMEOUT,
            Self::Unsigned => StatusCode::FORBIDDEN,
            Self::TargetExists
            | Self::DefinedInFile
            | Self::IsMember
            | Self::NotFiring
            | Self::Unwatchable
            | Self::GroupRefuses
            | Self::Stale
            | Self::Refused
            | Self::Full => StatusCode::CONFLICT,
            Self::Changed => StatusCode::PRECONDITION_FAILED,
            Self::BodyTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Invalid => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Busy | Self::Stopped | Self::NoLeader | Self::Unclear | Self::Behind => {
                StatusCode::SERVICE_UNAVAILABLE
            }
            Self::Storage | Self::Unreadable | Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

/// Why a request was not done (RFC 9457). State: nothing was changed, unless `detail` says
/// otherwise.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Problem {
    /// Stable identifier of the kind of problem: `urn:auscult:problem:` and a code.
    #[serde(rename = "type")]
    #[schema(example = "urn:auscult:problem:unknown_target")]
    kind: String,
    /// The kind in words.
    title: &'static str,
    /// The HTTP status.
    status: u16,
    /// What was wrong with this request.
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<String>,
    /// Every fault of the body, where there are several.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<Fault>,
    #[serde(skip)]
    code: Code,
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Code(Kind);

/// One fault of a body.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Fault {
    /// Where: a JSON pointer into the body, or the place in the settings file.
    #[schema(example = "/interval")]
    pub pointer: String,
    /// What is wrong there.
    pub detail: String,
    /// What was perhaps meant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

impl Problem {
    /// A problem of this kind.
    #[must_use]
    pub fn new(kind: Kind) -> Self {
        Self {
            kind: format!("urn:auscult:problem:{}", kind.as_str()),
            title: kind.title(),
            status: kind.status().as_u16(),
            detail: None,
            hint: None,
            errors: Vec::new(),
            code: Code(kind),
        }
    }

    /// Says what was wrong with this request.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    /// Says what to do about it.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Lists every fault of the body.
    #[must_use]
    pub fn errors(mut self, errors: Vec<Fault>) -> Self {
        self.errors = errors;
        self
    }

    /// What kind it is.
    #[must_use]
    pub const fn code(&self) -> Kind {
        self.code.0
    }

    /// Detail and faults in one line, for surfaces that have room for a sentence only.
    pub fn sentence(&self) -> String {
        let mut text = String::from(self.detail.as_deref().unwrap_or(self.title));
        for fault in &self.errors {
            text.push_str("; ");
            if !fault.pointer.is_empty() {
                text.push_str(&fault.pointer);
                text.push_str(": ");
            }
            text.push_str(&fault.detail);
            if let Some(hint) = &fault.hint {
                text.push_str(" (");
                text.push_str(hint);
                text.push(')');
            }
        }
        text
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let kind = self.code();
        let mut response = super::json::answer(kind.status(), &self);
        response.headers_mut().insert(
            CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        if kind == Kind::Unauthorized {
            // A browser then asks its user, whose password is the token.
            let scheme = HeaderValue::from_static("Basic realm=\"auscult\"");
            response.headers_mut().append(WWW_AUTHENTICATE, scheme);
            let scheme = HeaderValue::from_static("Bearer realm=\"auscult\"");
            response.headers_mut().append(WWW_AUTHENTICATE, scheme);
        }
        if [Kind::Busy, Kind::NoLeader, Kind::Unclear, Kind::Behind].contains(&kind) {
            let retry = HeaderValue::from_static("1");
            response
                .headers_mut()
                .insert(HeaderName::from_static("retry-after"), retry);
        }
        // The counting layer reads it there.
        response.extensions_mut().insert(kind);
        response
    }
}
