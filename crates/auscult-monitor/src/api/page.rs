//! The page at `/`: three files, embedded.

use axum::Router;
use axum::extract::Request;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, HeaderName, IF_NONE_MATCH,
    REFERRER_POLICY,
};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use super::ApiState;

/// Nothing from elsewhere, nothing inline, in nobody's frame.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
    img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// A file of the page.
struct File {
    path: &'static str,
    media_type: &'static str,
    text: &'static str,
}

static FILES: [File; 3] = [
    File {
        path: "/",
        media_type: "text/html; charset=utf-8",
        text: include_str!("../../../../dashboard/index.html"),
    },
    File {
        path: "/assets/auscult.js",
        media_type: "text/javascript; charset=utf-8",
        text: include_str!("../../../../dashboard/auscult.js"),
    },
    File {
        path: "/assets/auscult.css",
        media_type: "text/css; charset=utf-8",
        text: include_str!("../../../../dashboard/auscult.css"),
    },
];

/// The routes of the page. They are no part of the API.
pub(super) fn routes() -> Router<ApiState> {
    let route = |router: Router<ApiState>, file: &'static File| {
        let answer = move |request: Request| std::future::ready(file.answer(request.headers()));
        router.route(file.path, get(answer))
    };
    FILES.iter().fold(Router::new(), route)
}

impl File {
    fn answer(&self, headers: &HeaderMap) -> Response {
        let tag = format!("\"{:016x}\"", fingerprint(self.text.as_bytes()));
        let known = headers
            .get_all(IF_NONE_MATCH)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .any(|value| value == "*" || value.contains(&tag));
        let mut response = if known {
            StatusCode::NOT_MODIFIED.into_response()
        } else {
            self.text.into_response()
        };
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(self.media_type));
        // Asked for every time, answered with 304 most times: a new version is seen at once.
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
        headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
        headers.insert(
            HeaderName::from_static("cross-origin-opener-policy"),
            HeaderValue::from_static("same-origin"),
        );
        if let Ok(tag) = HeaderValue::try_from(tag) {
            headers.insert(ETAG, tag);
        }
        response
    }
}

/// FNV-1a: tells two texts apart, and proves nothing.
pub(super) fn fingerprint(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, &byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}
