//! `auscult cluster`: the monitors that share settings.

use std::io::{self, Write};

use hyper::Method;
use serde_json::{Value, json};

use crate::args::{ClusterArgs, ClusterCommand, Output};
use crate::client::{Ask, Client, encode};
use crate::exit::Stop;
use crate::render::table::{self, Cell, Column};
use crate::render::time::span_ms;
use crate::render::{Ink, Screen};

pub(crate) async fn run(args: &ClusterArgs) -> Result<(), Stop> {
    let client = Client::new(&args.client.url)?;
    let change = |path, body: Value| {
        let mut ask = Ask::new(Method::POST, path);
        ask.body = Some(body.to_string());
        ask
    };
    let (ask, said) = match &args.command {
        ClusterCommand::Status => return look(&client, args.client.output, status).await,
        ClusterCommand::Members => return look(&client, args.client.output, members).await,
        ClusterCommand::Transfer { to } => (
            change("/v1/cluster/transfer", json!({ "to": to })),
            format!("{to} leads"),
        ),
        ClusterCommand::Leave => (
            change("/v1/cluster/leave", json!({})),
            "left; it goes on watching with the settings that it has".to_owned(),
        ),
        ClusterCommand::Join { addresses } => (
            change("/v1/cluster/join", json!({ "addresses": addresses })),
            "joining; 'auscult cluster status' shows what becomes of it".to_owned(),
        ),
        ClusterCommand::Remove { monitor } => {
            let path = format!("/v1/cluster/monitors/{}", encode(monitor));
            let answer = client.ask(Ask::new(Method::DELETE, &path)).await?;
            let said = format!("{monitor} is removed");
            return tell(args.client.output, &answer.body, &said);
        }
    };
    let answer = client.ask(ask).await?;
    tell(args.client.output, &answer.body, &said)
}

fn tell(output: Output, body: &[u8], said: &str) -> Result<(), Stop> {
    let mut out = io::stdout().lock();
    match output {
        Output::Json => out.write_all(body)?,
        Output::Table => writeln!(out, "{said}")?,
    }
    Ok(out.flush()?)
}

/// How an answer is printed for people.
type Print = fn(&mut dyn Write, Screen, &Value) -> io::Result<()>;

async fn look(client: &Client, output: Output, print: Print) -> Result<(), Stop> {
    let answer = client.ask(Ask::new(Method::GET, "/v1/cluster")).await?;
    let mut out = io::stdout().lock();
    match output {
        Output::Json => out.write_all(&answer.body)?,
        Output::Table => print(&mut out, Screen::stdout(), &client.read(&answer)?)?,
    }
    Ok(out.flush()?)
}

fn text<'a>(of: &'a Value, name: &str) -> &'a str {
    of[name].as_str().unwrap_or_default()
}

fn monitors(group: &Value) -> &[Value] {
    group["monitors"].as_array().map_or(&[][..], Vec::as_slice)
}

/// The name of the monitor with this id, if it is known.
fn name<'a>(group: &'a Value, id: &'a str) -> &'a str {
    let named = monitors(group).iter().find(|it| text(it, "id") == id);
    named.map_or(id, |it| text(it, "name"))
}

fn status(out: &mut dyn Write, screen: Screen, group: &Value) -> io::Result<()> {
    let all = monitors(group);
    let voters = all
        .iter()
        .filter(|it| text(it, "role") != "learner")
        .count();
    let leader = match group["leader"].as_str() {
        Some(id) => name(group, id).to_owned(),
        None => screen.paint(Ink::Bad, "none"),
    };
    let age = match group["age_ms"].as_f64() {
        Some(age) => format!("current {} ago", span_ms(age)),
        None => "not known to be current".to_owned(),
    };
    let me = name(group, text(group, "id"));
    writeln!(out, "group     {}", text(group, "group"))?;
    writeln!(out, "monitor   {me}, {}", text(group, "role"))?;
    writeln!(out, "leader    {leader}, term {}", group["term"])?;
    writeln!(out, "monitors  {}, {voters} with a vote", all.len())?;
    writeln!(out, "settings  revision {}, {age}", group["revision"])?;
    if let Some(trouble) = group["trouble"].as_str() {
        writeln!(out, "trouble   {}", screen.paint(Ink::Bad, trouble))?;
    }
    Ok(())
}

const COLUMNS: [Column; 7] = [
    Column::left("MONITOR"),
    Column::left("ROLE"),
    Column::left("RAFT"),
    Column::left("HTTP"),
    Column::right("LAG"),
    Column::right("HEARD"),
    Column::left("ID"),
];

fn members(out: &mut dyn Write, screen: Screen, group: &Value) -> io::Result<()> {
    // Ids are random: by them, the list would stand in another order in every group.
    let mut all: Vec<&Value> = monitors(group).iter().collect();
    all.sort_by_key(|monitor| text(monitor, "name"));
    let rows: Vec<Vec<Cell>> = all.into_iter().map(row).collect();
    if rows.is_empty() {
        return writeln!(out, "no monitors");
    }
    table::print(&mut &mut *out, screen, &COLUMNS, &rows)
}

fn row(monitor: &Value) -> Vec<Cell> {
    let role = text(monitor, "role");
    let ink = match role {
        "leader" => Ink::Good,
        "learner" => Ink::Warning,
        _ => Ink::Plain,
    };
    let heard = match monitor["heard_ms"].as_f64() {
        _ if monitor["me"] == true => "this one".to_owned(),
        Some(heard) => span_ms(heard) + " ago",
        None => "-".to_owned(),
    };
    let lag = monitor["lag"].as_u64();
    vec![
        Cell::new(text(monitor, "name")),
        Cell::inked(ink, role),
        Cell::new(text(monitor, "raft")),
        Cell::new(text(monitor, "http")),
        Cell::new(lag.map_or_else(|| "-".to_owned(), |lag| lag.to_string())),
        Cell::new(heard),
        Cell::inked(Ink::Quiet, text(monitor, "id")),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group() -> Value {
        json!({
            "group": "3f1c", "id": "0a", "role": "follower", "term": 3, "leader": "0b",
            "revision": 12, "age_ms": 40.0, "trouble": null,
            "monitors": [
                {"id": "0a", "name": "m1", "me": true, "role": "follower", "raft": "a:1",
                 "http": "a:2", "lag": null, "heard_ms": 0.0},
                {"id": "0b", "name": "m2", "me": false, "role": "leader", "raft": "b:1",
                 "http": "b:2", "lag": null, "heard_ms": 31.0},
                {"id": "0c", "name": "m3", "me": false, "role": "learner", "raft": "c:1",
                 "http": "c:2", "lag": 7, "heard_ms": null},
            ],
        })
    }

    fn printed(print: Print, group: &Value) -> String {
        let mut out = Vec::new();
        print(&mut out, Screen::PIPE, group).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn the_status_says_who_leads_and_what_is_wrong() {
        let told = printed(status, &group());
        assert!(told.contains("leader    m2, term 3\n"), "{told}");
        assert!(told.contains("monitors  3, 2 with a vote\n"), "{told}");
        let mut lost = group();
        lost["leader"] = Value::Null;
        lost["trouble"] = "no leader is known".into();
        let told = printed(status, &lost);
        assert!(told.contains("leader    none"), "{told}");
        assert!(told.contains("trouble   no leader is known"), "{told}");
    }

    #[test]
    fn the_list_is_in_the_order_of_names() {
        let mut group = group();
        group["monitors"].as_array_mut().unwrap().reverse();
        let told = printed(members, &group);
        let names: Vec<&str> = told.lines().filter_map(|line| line.get(..2)).collect();
        assert_eq!(names, ["MO", "m1", "m2", "m3"], "{told}");
    }

    #[test]
    fn the_list_says_who_is_behind() {
        let told = printed(members, &group());
        let line = |name: &str| told.lines().find(|line| line.starts_with(name)).unwrap();
        assert!(line("m1").contains("this one"), "{told}");
        assert!(
            line("m3").contains("learner") && line("m3").contains('7'),
            "{told}"
        );
    }
}
