//! Bodies of settings: JSON, or YAML for whoever sends a file as it is.

use axum::extract::Request;
use axum::http::header::CONTENT_TYPE;
use serde_json::Value;

use super::super::json;
use super::super::problem::{Kind, Problem};
use crate::settings::documents::Written;

/// A body that was read.
pub(super) enum Body {
    Json(Value),
    Yaml(Vec<u8>),
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
            true => Ok(Self::Yaml(bytes.to_vec())),
            false => json::parse(&bytes).map(Self::Json),
        }
    }

    pub(super) fn written(&self) -> Result<Written<'_>, Problem> {
        match self {
            Self::Json(json) => Ok(Written::Json(json)),
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
