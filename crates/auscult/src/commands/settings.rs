//! `auscult settings`: what the monitors share, read one by one, and who changed it.

use std::io::{self, Write};

use hyper::Method;
use serde_json::{Value, json};

use crate::args::{Output, SettingsArgs, SettingsCommand};
use crate::client::{Answer, Ask, Client, encode};
use crate::exit::{Exit, Stop};
use crate::render::table::{self, Cell, Column};
use crate::render::{Ink, Screen, printable};

/// Settings and changes that are asked for at a time.
const PAGE: usize = 1000;

pub(crate) async fn run(args: &SettingsArgs) -> Result<(), Stop> {
    let settings = Settings {
        client: Client::new(&args.client.url)?,
        output: args.client.output,
        screen: Screen::stdout(),
    };
    match &args.command {
        SettingsCommand::List { kind } => settings.list(kind.as_deref()).await,
        SettingsCommand::Get { kind, name } => settings.get(kind, name).await,
        SettingsCommand::Rm { kind, names } => settings.remove(kind, names).await,
        SettingsCommand::History { kind, name, after } => {
            let (kind, name) = (kind.as_deref(), name.as_deref());
            settings.history(kind, name, *after).await
        }
        SettingsCommand::Token { name, role } => settings.token(name, role.as_str()).await,
    }
}

/// The shared settings of a monitor, and how they are shown.
struct Settings {
    client: Client,
    output: Output,
    screen: Screen,
}

impl Settings {
    async fn list(&self, kind: Option<&str>) -> Result<(), Stop> {
        let mut query = format!("/v1/settings?limit={PAGE}");
        if let Some(kind) = kind {
            query = query + "&kind=" + &encode(kind);
        }
        let all = self.all(&query, "cursor", "settings").await?;
        if self.output == Output::Json {
            return Ok(writeln!(io::stdout(), "{all}")?);
        }
        let row = |setting: &Value| {
            let text = |name: &str| setting[name].as_str().unwrap_or_default();
            let said = match setting["unusable"].as_str() {
                Some(why) => Cell::inked(Ink::Bad, format!("cannot be used here: {why}")),
                None => Cell::inked(Ink::Quiet, setting["document"].to_string()),
            };
            vec![
                Cell::new(text("kind")),
                Cell::new(text("name")),
                Cell::new(setting["revision"].to_string()),
                Cell::new(text("at")),
                Cell::new(text("author")),
                said,
            ]
        };
        let titles = ["KIND", "NAME", "REVISION", "CHANGED", "BY", "SAYS"];
        self.table(&titles, &all["settings"], row, "no settings")
    }

    async fn get(&self, kind: &str, name: &str) -> Result<(), Stop> {
        let path = format!("/v1/settings/{}/{}", encode(kind), encode(name));
        let answer = self.client.ask(Ask::new(Method::GET, &path)).await?;
        if self.output == Output::Json {
            return print_document(&answer);
        }
        let setting: Value = self.client.read(&answer)?;
        let text = |name: &str| printable(setting[name].as_str().unwrap_or_default());
        let out = &mut io::stdout().lock();
        let head = format!("{} {}", text("kind"), text("name"));
        writeln!(out, "{}", self.screen.paint(Ink::Strong, &head))?;
        let (author, at) = (text("author"), text("at"));
        let revision = &setting["revision"];
        writeln!(out, "revision {revision}, by {author}, {at}")?;
        if let Some(why) = setting["unusable"].as_str() {
            let why = format!("cannot be used here: {}", printable(why));
            writeln!(out, "{}", self.screen.paint(Ink::Bad, &why))?;
        }
        let document = serde_json::to_string_pretty(&setting["document"]).unwrap_or_default();
        for line in document.lines() {
            writeln!(out, "{}", printable(line))?;
        }
        Ok(())
    }

    async fn remove(&self, kind: &str, names: &[String]) -> Result<(), Stop> {
        for name in names {
            let path = format!("/v1/settings/{}/{}", encode(kind), encode(name));
            let answer = self.client.ask(Ask::new(Method::DELETE, &path)).await?;
            if self.output == Output::Json {
                print_document(&answer)?;
                continue;
            }
            let change: Value = self.client.read(&answer)?;
            if change["deleted"] == 0 {
                let message = format!("there is no {kind} {name:?}");
                return Err(Stop::new(Exit::No, message));
            }
            let done = self.screen.paint(Ink::Good, "deleted");
            writeln!(io::stdout(), "{done} {}", printable(name))?;
        }
        Ok(())
    }

    async fn history(
        &self,
        kind: Option<&str>,
        name: Option<&str>,
        after: Option<u64>,
    ) -> Result<(), Stop> {
        let mut query = format!("/v1/settings/history?limit={PAGE}");
        for (key, value) in [("kind", kind), ("name", name)] {
            if let Some(value) = value {
                query = query + "&" + key + "=" + &encode(value);
            }
        }
        if let Some(after) = after {
            query = query + "&after=" + &after.to_string();
        }
        let all = self.all(&query, "after", "changes").await?;
        if self.output == Output::Json {
            return Ok(writeln!(io::stdout(), "{all}")?);
        }
        let row = |change: &Value| {
            vec![
                Cell::new(change["revision"].to_string()),
                Cell::new(change["at"].as_str().unwrap_or_default()),
                Cell::new(change["author"].as_str().unwrap_or_default()),
                Cell::new(edits(change)),
            ]
        };
        let titles = ["REVISION", "AT", "BY", "WHAT"];
        self.table(&titles, &all["changes"], row, "no changes")
    }

    async fn token(&self, name: &str, role: &str) -> Result<(), Stop> {
        let ask = Ask {
            body: Some(json!({ "name": name, "role": role }).to_string()),
            ..Ask::new(Method::POST, "/v1/settings/tokens")
        };
        let answer = self.client.ask(ask).await?;
        if self.output == Output::Json {
            return print_document(&answer);
        }
        let token: Value = self.client.read(&answer)?;
        let secret = token["token"].as_str().unwrap_or_default();
        writeln!(io::stdout(), "{}", printable(secret))?;
        // A script takes the secret from stdout and nothing else.
        writeln!(
            io::stderr(),
            "auscult: the secret of {} is shown this once; client commands take it from \
             AUSCULT_TOKEN",
            printable(name)
        )?;
        Ok(())
    }

    /// Every page of a list, as one.
    async fn all(&self, query: &str, cursor: &str, list: &str) -> Result<Value, Stop> {
        let answer = self.client.ask(Ask::new(Method::GET, query)).await?;
        let mut all: Value = self.client.read(&answer)?;
        loop {
            let next = match &all["next"] {
                Value::String(next) => encode(next),
                Value::Number(next) => next.to_string(),
                Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => break,
            };
            let kept = query.split('&').filter(|pair| {
                let name = pair.split('=').next();
                name != Some(cursor)
            });
            let more = format!("{}&{cursor}={next}", kept.collect::<Vec<_>>().join("&"));
            let answer = self.client.ask(Ask::new(Method::GET, &more)).await?;
            let mut page: Value = self.client.read(&answer)?;
            if let (Some(all), Some(more)) = (all[list].as_array_mut(), page[list].as_array_mut()) {
                all.append(more);
            }
            all["next"] = page["next"].take();
        }
        Ok(all)
    }

    fn table(
        &self,
        titles: &[&'static str],
        list: &Value,
        row: impl Fn(&Value) -> Vec<Cell>,
        none: &str,
    ) -> Result<(), Stop> {
        let columns: Vec<Column> = titles.iter().copied().map(Column::left).collect();
        let rows: Vec<Vec<Cell>> = list.as_array().into_iter().flatten().map(row).collect();
        let out = &mut io::stdout().lock();
        match rows.is_empty() {
            true => Ok(writeln!(out, "{none}")?),
            false => Ok(table::print(out, self.screen, &columns, &rows)?),
        }
    }
}

/// What a change did, in a line: the first settings by name, the others counted.
fn edits(change: &Value) -> String {
    const NAMED: usize = 3;
    let edits = change["edits"].as_array().map_or(&[][..], Vec::as_slice);
    let named = edits.iter().take(NAMED).map(|edit| {
        let text = |name: &str| edit[name].as_str().unwrap_or_default();
        format!("{} {} {}", text("action"), text("kind"), text("name"))
    });
    let text = named.collect::<Vec<_>>().join(", ");
    let hidden = edits.len().saturating_sub(NAMED) as u64;
    match hidden + change["more"].as_u64().unwrap_or_default() {
        0 => text,
        more => format!("{text} and {more} more"),
    }
}

fn print_document(answer: &Answer) -> Result<(), Stop> {
    let mut out = io::stdout().lock();
    out.write_all(&answer.body)?;
    if !answer.body.is_empty() && !answer.body.ends_with(b"\n") {
        out.write_all(b"\n")?;
    }
    Ok(())
}
