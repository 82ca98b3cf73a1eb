//! The project's own chores, run as `cargo run -p xtask -- tidy` and
//! `cargo run -p xtask -- regenerate`.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

mod regenerate;
mod tidy;

fn main() -> ExitCode {
    let chore = std::env::args().nth(1);
    let done = match chore.as_deref() {
        Some("tidy") => run_tidy(),
        Some("regenerate") => run_regenerate(),
        Some(other) => Err(anyhow::anyhow!(
            "there is no chore named {other}; there are: tidy, regenerate"
        )),
        None => Err(anyhow::anyhow!("which chore? There are: tidy, regenerate")),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nothing is left to say it to when standard error is closed.
            let _ = writeln!(std::io::stderr(), "error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run_tidy() -> anyhow::Result<()> {
    let report = tidy::check(&repository())?;
    let mut out = std::io::stdout().lock();
    for finding in &report.findings {
        writeln!(out, "{finding}")?;
    }
    let found = report.findings.len();
    anyhow::ensure!(found == 0, "tidy: {} files, {found} findings", report.files);
    writeln!(out, "tidy: {} files, nothing found", report.files)?;
    Ok(())
}

fn run_regenerate() -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    for name in regenerate::run(&repository())? {
        writeln!(out, "{name}")?;
    }
    Ok(())
}

/// The repository is where this crate's folder stands, wherever cargo was called from.
fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}
