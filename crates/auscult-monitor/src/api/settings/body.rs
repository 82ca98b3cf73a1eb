//! Bodies of settings: JSON, or YAML for whoever sends a file as it is.

use axum::body::Bytes;
use axum::extract::Request;
use axum::http::header::CONTENT_TYPE;

use super::super::json;
use super::super::problem::{Kind, Problem};
use crate::settings::documents::{Parsed, Written};

/// A body that was received.
pub(super) enum Body {
    Json(Bytes),
    Yaml(Bytes),
}

impl Body {
    pub(super) async fn read(request: Request, bytes_max: usize) -> Result<Self, Problem> {
        let said = request.headers().get(CONTENT_TYPE);
        let said = said.and_then(|value| value.to_str().ok());
        let essence = said.unwrap_or_default().split(';').next();
        let yaml = essence.is_some_and(|it| it.trim().to_ascii_lowercase().ends_with("yaml"));
        if !yaml {
            json::check_media_type(request.headers())?;
        }
        let bytes = json::read_body(request, bytes_max).await?;
        match yaml {
            true => Ok(Self::Yaml(bytes)),
            false => Ok(Self::Json(bytes)),
        }
    }

    pub(super) fn written(&self) -> Result<Written<'_>, Problem> {
        match self {
            Self::Json(bytes) => json::parse::<Parsed>(bytes).map(Written::Parsed),
            Self::Yaml(bytes) => {
                let text = std::str::from_utf8(bytes).map_err(|error| {
                    Problem::new(Kind::Malformed).detail(format!("the body is not UTF-8: {error}"))
                })?;
                let file = "body";
                Ok(Written::Yaml { text, file })
            }
        }
    }
}
