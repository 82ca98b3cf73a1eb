//! `auscult targets get`: one target with the evidence for its status.

use std::io::{self, Write};

use serde_json::Value;

use crate::render::Screen;

/// Prints what `GET /v1/targets/{id}` answers.
pub(super) fn print(out: &mut impl Write, screen: Screen, target: &Value) -> io::Result<()> {
    let _ = screen;
    writeln!(out, "{target:#}")
}
