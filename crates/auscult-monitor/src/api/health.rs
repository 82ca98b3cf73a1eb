//! What a supervisor asks: alive, and ready.

/// Tells that the process runs and answers.
#[utoipa::path(get, path = "/-/healthy", tag = "operation",
    responses((status = 200, description = "The process runs and answers", body = String)))]
pub(super) async fn healthy() -> &'static str {
    "auscult is healthy.\n"
}
