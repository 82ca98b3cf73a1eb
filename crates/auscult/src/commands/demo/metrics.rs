//! `auscult demo metrics`: what every monitor says of the simulated servers, side by side.

use std::io::{self, Write as _};

use hyper::Method;
use serde_json::json;

use crate::args::{DemoMetricsArgs, Output};
use crate::client::{Ask, Client};
use crate::exit::{Exit, Stop};
use crate::render::table::{self, Cell, Column};
use crate::render::{Ink, Screen};

const COLUMNS: [Column; 3] = [
    Column::left("MONITOR"),
    Column::right("VALUE"),
    Column::left("METRIC"),
];

/// One sample, as a monitor exports it.
#[derive(Debug, PartialEq)]
struct Sample {
    /// Name and labels.
    series: String,
    value: String,
}

pub(super) async fn run(args: &DemoMetricsArgs) -> Result<(), Stop> {
    let mut told = Vec::new();
    let mut silent = Vec::new();
    for url in &args.url {
        let client = Client::new(url)?;
        match client.ask(Ask::new(Method::GET, "/metrics")).await {
            Ok(answer) => {
                let text = String::from_utf8_lossy(&answer.body);
                told.push((url, samples(&text, args.server.as_deref())));
            }
            Err(Stop::ReaderGone) => return Err(Stop::ReaderGone),
            // A monitor that was killed is what the demo is about.
            Err(stop) => silent.push((url, stop)),
        }
    }
    if told.is_empty() {
        return Err(silent.remove(0).1);
    }
    print(args.output, &told, &silent)?;
    match &args.server {
        Some(server) if told.iter().all(|(_, samples)| samples.is_empty()) => {
            let message = format!("no monitor watches {server}");
            Err(Stop::new(Exit::No, message))
        }
        _ => Ok(()),
    }
}

fn print(
    output: Output,
    told: &[(&String, Vec<Sample>)],
    silent: &[(&String, Stop)],
) -> Result<(), Stop> {
    let mut out = io::stdout().lock();
    match output {
        Output::Json => {
            for (url, samples) in told {
                for Sample { series, value } in samples {
                    let line = json!({ "monitor": url, "series": series, "value": value });
                    writeln!(out, "{line}")?;
                }
            }
            for (url, _) in silent {
                writeln!(out, "{}", json!({ "monitor": url, "answers": false }))?;
            }
        }
        Output::Table => {
            let mut rows = Vec::new();
            for (url, samples) in told {
                for Sample { series, value } in samples {
                    rows.push(vec![Cell::new(url), Cell::new(value), Cell::new(series)]);
                }
            }
            for (url, _) in silent {
                let why = Cell::inked(Ink::Quiet, "does not answer");
                rows.push(vec![Cell::new(url), Cell::new("-"), why]);
            }
            table::print(&mut out, Screen::stdout(), &COLUMNS, &rows)?;
        }
    }
    Ok(())
}

/// What is shown: of one server its state, of all of them phi.
fn samples(text: &str, server: Option<&str>) -> Vec<Sample> {
    let of_one = |series: &str, server: &str| {
        let of = |label: &str| series.contains(&format!("{label}=\"{server}\""));
        (series.starts_with("server_") && of("server_name"))
            || (series.starts_with("auscult_target_") && of("target"))
    };
    let is_shown = |series: &str| match server {
        Some(server) => of_one(series, server),
        None => series.starts_with("server_phivalue{"),
    };
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines
        .filter_map(|line| line.rsplit_once(' '))
        .filter(|(series, _)| is_shown(series))
        .map(|(series, value)| Sample {
            series: series.to_owned(),
            value: value.to_owned(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"# HELP server_phivalue Largest phi.
# TYPE server_phivalue gauge
server_phivalue{server_name="server1"} 0.1
server_phivalue{server_name="server2"} 0.5
server_runtime_seconds{server_name="server2"} 12
auscult_target_status{target="server2"} 1
auscult_targets{status="up"} 2
"#;

    #[test]
    fn of_one_server_everything_and_of_all_phi() {
        let shown = |server| {
            let samples = samples(TEXT, server).into_iter();
            samples.map(|sample| sample.value).collect::<Vec<_>>()
        };
        assert_eq!(shown(Some("server2")), ["0.5", "12", "1"]);
        assert_eq!(shown(None), ["0.1", "0.5"]);
        assert!(shown(Some("server")).is_empty());
    }
}
