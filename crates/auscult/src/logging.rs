//! Logs on stderr: time, level, message and fields, as text or as JSON lines.

use std::fmt;
use std::io;

use auscult_monitor::clock::Clock;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::FormatTime;

use crate::args::{LogArgs, LogFormat};
use crate::exit::{Exit, Stop};
use crate::render::Screen;

/// openraft tells of every change of leader as of a mistake, and several times for each heartbeat
/// to a monitor that is away. What somebody has to know of it, the monitor says itself.
const QUIET: &str = "openraft=off";

/// Starts logging. `default` is the filter when `RUST_LOG` is not set.
pub(crate) fn start(args: &LogArgs, default: &str) -> Result<(), Stop> {
    let filter = match std::env::var("RUST_LOG") {
        Ok(text) if !text.trim().is_empty() => {
            EnvFilter::try_new(quiet(&text)).map_err(|error| {
                let message = format!("RUST_LOG={text:?} is not a log filter: {error}");
                Stop::new(Exit::Usage, message)
            })?
        }
        _ => EnvFilter::new(default),
    };
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_timer(WallClock(Clock::new()))
        .with_target(false)
        .with_ansi(Screen::stderr().colour());
    // A logger that is there already stays: only tests start two.
    let _ = match args.log_format {
        LogFormat::Text => builder.compact().try_init(),
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    };
    Ok(())
}

/// Leaves openraft out, where the filter does not name it.
fn quiet(filter: &str) -> String {
    if filter.contains("openraft") {
        filter.to_owned()
    } else {
        format!("{filter},{QUIET}")
    }
}

/// Milliseconds are what people compare with the event log, which has them too.
struct WallClock(Clock);

impl FormatTime for WallClock {
    fn format_time(&self, w: &mut Writer<'_>) -> fmt::Result {
        write!(w, "{:.3}", self.0.wall_now())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn openraft_is_heard_where_it_is_asked_for() {
        assert_eq!(quiet("warn"), "warn,openraft=off");
        assert_eq!(quiet("info,openraft=debug"), "info,openraft=debug");
    }
}
