//! `auscult keys`: the keys of a whole cluster, through one of its members.

use std::io::{self, Read as _, Write};
use std::net::SocketAddr;
use std::sync::Arc;

use auscult_agent::keys::{
    ControlError, Key, KeyCommand, KeyId, KeyOutcome, KeyReport, KeyRing, KeyVerdict, SharedRing,
    control,
};
use auscult_core::swim::Label;
use serde_json::json;

use crate::args::{ClusterKeysArgs, KeysArgs, KeysCommand, Output};
use crate::exit::{Exit, Stop};
use crate::render::table::{self, Cell, Column};
use crate::render::{Ink, Screen};

pub(crate) async fn run(args: &KeysArgs) -> Result<(), Stop> {
    let (cluster, command) = match &args.command {
        KeysCommand::Generate => return generate(),
        KeysCommand::List { cluster } => (cluster, KeyCommand::List),
        KeysCommand::Install { file, cluster } => (cluster, KeyCommand::Install(read_key(file)?)),
        KeysCommand::Use { id, cluster } => (cluster, KeyCommand::Use(*id)),
        KeysCommand::Remove { id, cluster } => (cluster, KeyCommand::Remove(*id)),
    };
    let label = Label::new(&cluster.label)
        .map_err(|error| Stop::new(Exit::Usage, format!("--label: {error}")))?;
    let ring =
        KeyRing::load(&cluster.key_file).map_err(|error| Stop::new(Exit::No, error.to_string()))?;
    let ring = Arc::new(SharedRing::new(label, ring));
    let report = control(cluster.agent, ring, &command).await;
    let report = report.map_err(|error| unanswered(cluster.agent, error))?;
    print(cluster, &report)?;
    match told(&report) {
        None => Ok(()),
        Some(message) => Err(Stop::new(Exit::Refused, message)),
    }
}

fn generate() -> Result<(), Stop> {
    let key = Key::generate().map_err(|error| Stop::new(Exit::Cannot, error.to_string()))?;
    let mut out = io::stdout().lock();
    writeln!(out, "{}  # {}", *key.to_base64(), key.id())?;
    Ok(())
}

/// The first key in a file, or in what is typed.
fn read_key(file: &str) -> Result<Key, Stop> {
    let no_key = |error: String| Stop::new(Exit::No, error);
    if file != "-" {
        let ring = KeyRing::load(file.as_ref()).map_err(|error| no_key(error.to_string()))?;
        return Ok(ring.keys()[0].clone());
    }
    let mut text = String::new();
    let read = io::stdin()
        .lock()
        .take(INPUT_BYTES_MAX)
        .read_to_string(&mut text);
    read.map_err(|error| no_key(format!("cannot read the key: {error}")))?;
    let ring = KeyRing::parse(&text, "standard input".as_ref());
    let ring = ring.map_err(|error| no_key(error.to_string()))?;
    Ok(ring.keys()[0].clone())
}

fn unanswered(agent: SocketAddr, error: ControlError) -> Stop {
    let exit = match error {
        ControlError::Refused(_) => Exit::Refused,
        ControlError::Unreachable
        | ControlError::TimedOut
        | ControlError::Seal
        | ControlError::Malformed => Exit::Unreachable,
    };
    Stop::new(exit, format!("{agent}: {error}"))
}

fn print(cluster: &ClusterKeysArgs, report: &KeyReport) -> io::Result<()> {
    let mut out = io::stdout().lock();
    match cluster.output {
        Output::Json => writeln!(out, "{:#}", to_json(report)),
        Output::Table => {
            let columns = [
                "MEMBER",
                "ADDRESS",
                "STATE",
                "RESULT",
                "SEALS WITH",
                "ALSO OPENS",
            ];
            let rows: Vec<Vec<Cell>> = report.members.iter().map(row).collect();
            let screen = Screen::stdout();
            table::print(&mut out, screen, &columns.map(Column::left), &rows)
        }
    }
}

fn row(member: &auscult_agent::keys::MemberKeys) -> Vec<Cell> {
    let ink = match member.outcome {
        KeyOutcome::Done | KeyOutcome::Already => Ink::Plain,
        KeyOutcome::Absent | KeyOutcome::Withheld => Ink::Warning,
        KeyOutcome::Refused(_)
        | KeyOutcome::Unsaved
        | KeyOutcome::Unreachable
        | KeyOutcome::Keyless => Ink::Bad,
    };
    let ids: Vec<String> = member.ids.iter().map(KeyId::to_string).collect();
    let (seals, opens) = match ids.split_first() {
        Some((first, rest)) => (first.clone(), rest.join(" ")),
        None => Default::default(),
    };
    vec![
        Cell::new(member.name.as_str()),
        Cell::new(member.address.to_string()),
        Cell::new(member.state.as_str()),
        Cell::inked(ink, member.outcome.as_str()),
        Cell::new(seals),
        Cell::new(opens),
    ]
}

fn to_json(report: &KeyReport) -> serde_json::Value {
    let members: Vec<_> = report
        .members
        .iter()
        .map(|member| {
            let ids: Vec<String> = member.ids.iter().map(KeyId::to_string).collect();
            json!({
                "name": member.name.as_str(),
                "address": member.address.to_string(),
                "state": member.state.as_str(),
                "result": member.outcome.as_str(),
                "keys": ids,
            })
        })
        .collect();
    json!({ "verdict": report.verdict.as_str(), "members": members })
}

/// What stands in the way, and what to do; `None` when nothing does.
fn told(report: &KeyReport) -> Option<&'static str> {
    match report.verdict {
        KeyVerdict::Done => None,
        KeyVerdict::NotInstalled => {
            Some("nothing was changed: some members do not have the key yet. Install it first")
        }
        KeyVerdict::InUse => {
            Some("nothing was changed: some members still seal with the key. Use another one first")
        }
        KeyVerdict::Unknown => Some(
            "nothing was changed: some members could not be asked. Try again when they answer or \
             are dead",
        ),
        KeyVerdict::Incomplete => {
            Some("some members have not done it. Try again: what is done stays done")
        }
    }
}

/// A key and what may stand around it.
const INPUT_BYTES_MAX: u64 = 64 * 1024;
