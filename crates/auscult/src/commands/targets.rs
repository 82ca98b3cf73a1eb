//! `auscult targets`: what a running monitor watches, read and changed over its REST.

mod detail;
mod list;
mod observers;

use std::collections::BTreeMap;
use std::io::{self, Read as _, Write as _};
use std::path::Path;

use hyper::{Method, StatusCode};
use serde_json::{Value, json};

use crate::args::{AddArgs, ListArgs, Output, TargetsArgs, TargetsCommand};
use crate::client::{Answer, Ask, Client, encode};
use crate::exit::{self, Exit, Stop};
use crate::render::{Ink, Screen, printable};

/// Targets that are asked for at a time.
const PAGE: usize = 1000;

pub(crate) async fn run(args: &TargetsArgs) -> Result<(), Stop> {
    let targets = Targets {
        client: Client::new(&args.client.url)?,
        output: args.client.output,
        screen: Screen::stdout(),
    };
    match &args.command {
        TargetsCommand::List(args) => targets.list(args).await,
        TargetsCommand::Get { id } => targets.get(id).await,
        TargetsCommand::Add(args) => targets.add(args).await,
        TargetsCommand::Rm { ids } => targets.each(ids, Method::DELETE, "", "removed").await,
        TargetsCommand::Pause { ids } => targets.each(ids, Method::POST, "/pause", "paused").await,
        TargetsCommand::Resume { ids } => {
            targets.each(ids, Method::POST, "/resume", "resumed").await
        }
    }
}

/// The targets of a monitor, and how they are shown.
struct Targets {
    client: Client,
    output: Output,
    screen: Screen,
}

impl Targets {
    async fn get(&self, id: &str) -> Result<(), Stop> {
        let answer = self.client.ask(Ask::new(Method::GET, &path(id))).await?;
        match self.output {
            Output::Json => print_document(&answer),
            Output::Table => {
                let target: Value = self.client.read(&answer)?;
                Ok(detail::print(&mut io::stdout(), self.screen, &target)?)
            }
        }
    }

    async fn list(&self, args: &ListArgs) -> Result<(), Stop> {
        let query = query(args);
        let answer = self.client.ask(Ask::new(Method::GET, &query)).await?;
        let mut list: Value = self.client.read(&answer)?;
        let mut pages = 1;
        while let Some(next) = list["next"].as_str() {
            let more = format!("{query}&cursor={}", encode(next));
            let answer = self.client.ask(Ask::new(Method::GET, &more)).await?;
            let mut page: Value = self.client.read(&answer)?;
            if let (Some(all), Some(more)) = (
                list["targets"].as_array_mut(),
                page["targets"].as_array_mut(),
            ) {
                all.append(more);
            }
            list["next"] = page["next"].take();
            pages += 1;
        }
        match self.output {
            Output::Json if pages == 1 => print_document(&answer),
            Output::Json => Ok(writeln!(io::stdout(), "{list}")?),
            Output::Table => Ok(list::print(&mut io::stdout(), self.screen, &list)?),
        }
    }

    async fn add(&self, args: &AddArgs) -> Result<(), Stop> {
        let id = &args.id;
        let replaced = path(id);
        let mut ask = if args.replace {
            Ask::new(Method::PUT, &replaced)
        } else {
            Ask::new(Method::POST, "/v1/targets")
        };
        ask.body = Some(body(args)?.to_string());
        let answer = self.client.ask(ask).await?;
        match self.output {
            Output::Json => print_document(&answer),
            Output::Table if answer.status == StatusCode::CREATED => self.say("added", id),
            Output::Table => self.say("replaced", id),
        }
    }

    /// Does the same to several targets, and goes on after one that is refused, so that what is
    /// done does not depend on their order. The first refusal decides how it ends.
    async fn each(
        &self,
        ids: &[String],
        method: Method,
        action: &str,
        done: &str,
    ) -> Result<(), Stop> {
        let mut outcome = Ok(());
        for id in ids {
            let path = path(id) + action;
            match self.client.ask(Ask::new(method.clone(), &path)).await {
                Ok(answer) => match self.output {
                    Output::Json => print_document(&answer)?,
                    Output::Table => self.say(done, id)?,
                },
                Err(stop) if stop.is(Exit::Unreachable) => return Err(stop),
                Err(stop) if outcome.is_ok() => outcome = Err(stop),
                Err(stop) => writeln!(io::stderr(), "auscult: {stop}")?,
            }
        }
        outcome
    }

    fn say(&self, done: &str, id: &str) -> Result<(), Stop> {
        let done = self.screen.paint(Ink::Good, done);
        Ok(writeln!(io::stdout(), "{done} {}", printable(id))?)
    }
}

fn path(id: &str) -> String {
    format!("/v1/targets/{}", encode(id))
}

/// The first page of the list that is asked for.
fn query(args: &ListArgs) -> String {
    let mut query = format!("/v1/targets?sort=worst&limit={PAGE}");
    let labels = args
        .label
        .iter()
        .map(|label| ("label", label.replacen('=', ":", 1)));
    let statuses = args.status.iter().map(|status| ("status", status.clone()));
    let group = args.group.iter().map(|group| ("group", group.clone()));
    let text = args.query.iter().map(|text| ("q", text.clone()));
    for (name, value) in labels.chain(statuses).chain(group).chain(text) {
        query = query + "&" + name + "=" + &encode(&value);
    }
    query
}

/// The API's own words: one document, one line.
fn print_document(answer: &Answer) -> Result<(), Stop> {
    let mut out = io::stdout().lock();
    out.write_all(&answer.body)?;
    if !answer.body.is_empty() && !answer.body.ends_with(b"\n") {
        out.write_all(b"\n")?;
    }
    Ok(())
}

/// The settings of a new target, as the API takes them.
fn body(args: &AddArgs) -> Result<Value, Stop> {
    if let Some(file) = &args.file {
        return read_body(file, &args.id);
    }
    let mut body = json!({ "id": args.id });
    let mut set = |name: &str, value: &Option<String>| {
        if let Some(value) = value {
            body[name] = json!(value);
        }
    };
    set("url", &args.address);
    set("interval", &args.interval);
    set("timeout", &args.timeout);
    set("group", &args.group);
    match args.push.as_deref() {
        Some("") => body["push"] = json!({}),
        Some(interval) => body["push"] = json!({ "interval": interval }),
        None => {}
    }
    if !args.label.is_empty() {
        let labels: BTreeMap<_, _> = args.label.iter().cloned().collect();
        body["labels"] = json!(labels);
    }
    Ok(body)
}

fn read_body(file: &Path, id: &str) -> Result<Value, Stop> {
    let name = file.display();
    let bad = |why: String| Stop::new(Exit::No, format!("{name}: {why}"));
    let mut text = String::new();
    let read = if file == Path::new("-") {
        io::stdin().read_to_string(&mut text)
    } else {
        std::fs::File::open(file).and_then(|mut file| file.read_to_string(&mut text))
    };
    read.map_err(|error| bad(format!("cannot be read: {}", exit::in_words(&error))))?;
    let mut body: Value =
        serde_json::from_str(&text).map_err(|error| bad(format!("not JSON: {error}")))?;
    let Some(fields) = body.as_object_mut() else {
        return Err(bad(
            "must be an object such as {\"url\":\"http://host/\"}".into()
        ));
    };
    match fields.insert("id".into(), json!(id)) {
        Some(other) if other != json!(id) => Err(bad(format!("its id is {other}, not {id:?}"))),
        _ => Ok(body),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::{Args, Command};
    use clap::Parser as _;

    #[test]
    fn flags_become_settings() {
        check("web http://a/", json!({ "id": "web", "url": "http://a/" }));
        check("job --push", json!({ "id": "job", "push": {} }));
        check(
            "job --push 24h",
            json!({ "id": "job", "push": { "interval": "24h" } }),
        );
        check(
            "db tcp://db:5432 --interval 5s --timeout 1s --group data --label a=1 --label b=x=y",
            json!({
                "id": "db", "url": "tcp://db:5432", "interval": "5s", "timeout": "1s",
                "group": "data", "labels": { "a": "1", "b": "x=y" },
            }),
        );
    }

    fn check(flags: &str, expected: Value) {
        let words = ["auscult", "targets", "add"]
            .into_iter()
            .chain(flags.split(' '));
        let Command::Targets(args) = Args::parse_from(words).command else {
            panic!("another command");
        };
        let TargetsCommand::Add(args) = args.command else {
            panic!("another command");
        };
        assert_eq!(body(&args).unwrap(), expected);
    }
}
