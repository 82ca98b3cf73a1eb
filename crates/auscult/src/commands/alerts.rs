//! `auscult alerts`: what people are told, read and changed over a monitor's REST.

use std::io::{self, Write as _};

use hyper::Method;
use serde_json::{Value, json};

use crate::args::{AlertsArgs, AlertsCommand, Output};
use crate::client::{Answer, Ask, Client, encode};
use crate::exit::Stop;
use crate::render::table::{self, Cell, Column};
use crate::render::time::{ago, moment};
use crate::render::{Ink, Screen, printable};

/// Alerts that are asked for at a time.
const PAGE: usize = 1000;

pub(crate) async fn run(args: &AlertsArgs) -> Result<(), Stop> {
    let alerts = Alerts {
        client: Client::new(&args.client.url)?,
        output: args.client.output,
        screen: Screen::stdout(),
    };
    match &args.command {
        AlertsCommand::List { all, subject } => {
            let phases = if *all { "" } else { "&phase=pending,firing" };
            alerts.list(phases, subject.as_deref()).await
        }
        AlertsCommand::Ack {
            ids,
            by,
            comment,
            withdraw,
        } => {
            let body = json!({ "by": by, "comment": comment });
            for id in ids {
                let path = format!("/v1/alerts/{}/ack", encode(id));
                if *withdraw {
                    alerts
                        .change(Method::DELETE, &path, None, "withdrawn", id)
                        .await?;
                } else {
                    let body = Some(&body);
                    alerts
                        .change(Method::POST, &path, body, "acknowledged", id)
                        .await?;
                }
            }
            Ok(())
        }
        AlertsCommand::Silence {
            matchers,
            hours,
            name,
            by,
            comment,
        } => {
            let body = json!({
                "matchers": matchers, "hours": hours, "name": name, "by": by, "comment": comment,
            });
            alerts.silence(&body).await
        }
        AlertsCommand::Silences => alerts.silences().await,
        AlertsCommand::Unsilence { names } => {
            for name in names {
                let path = format!("/v1/silences/{}", encode(name));
                alerts
                    .change(Method::DELETE, &path, None, "ended", name)
                    .await?;
            }
            Ok(())
        }
        AlertsCommand::Receivers => alerts.receivers().await,
        AlertsCommand::Test { receiver } => alerts.test(receiver).await,
    }
}

/// The alerts of a monitor, and how they are shown.
struct Alerts {
    client: Client,
    output: Output,
    screen: Screen,
}

impl Alerts {
    async fn list(&self, phases: &str, subject: Option<&str>) -> Result<(), Stop> {
        let mut query = format!("/v1/alerts?limit={PAGE}{phases}");
        if let Some(subject) = subject {
            query += &format!("&subject={}", encode(subject));
        }
        let answer = self.client.ask(Ask::new(Method::GET, &query)).await?;
        let mut list: Value = self.client.read(&answer)?;
        while let Some(next) = list["next"].as_str() {
            let more = format!("{query}&cursor={}", encode(next));
            let answer = self.client.ask(Ask::new(Method::GET, &more)).await?;
            let mut page: Value = self.client.read(&answer)?;
            if let (Some(all), Some(more)) =
                (list["alerts"].as_array_mut(), page["alerts"].as_array_mut())
            {
                all.append(more);
            }
            list["next"] = page["next"].take();
        }
        if self.output == Output::Json {
            return Ok(writeln!(io::stdout(), "{list}")?);
        }
        let now = moment(&list["now"]);
        let titles = [
            "ALERT", "PHASE", "FOR", "SEVERITY", "SUBJECT", "RULE", "WHY",
        ];
        let rows = rows(&list["alerts"], |alert| {
            let text = |name: &str| alert[name].as_str().unwrap_or_default().to_owned();
            let since = match alert["phase"].as_str() {
                Some("pending") => &alert["pending_since"],
                Some("resolved") => &alert["ended_at"],
                Some(_) | None => &alert["started_at"],
            };
            vec![
                Cell::new(text("id")),
                Cell::inked(ink(alert), word(alert)),
                Cell::new(ago(since, now).unwrap_or_default()),
                Cell::new(text("severity")),
                Cell::new(text("subject") + " " + &text("signal")),
                Cell::new(text("rule")),
                Cell::inked(Ink::Quiet, text("reason")),
            ]
        });
        self.table("no alerts", &titles, &rows)
    }

    async fn silence(&self, body: &Value) -> Result<(), Stop> {
        let mut ask = Ask::new(Method::POST, "/v1/silences");
        ask.body = Some(body.to_string());
        let answer = self.client.ask(ask).await?;
        if self.output == Output::Json {
            return print(&answer);
        }
        let silence: Value = self.client.read(&answer)?;
        let name = silence["name"].as_str().unwrap_or_default();
        let alerts = silence["alerts"].as_u64().unwrap_or(0);
        let done = self.screen.paint(Ink::Good, "silenced");
        let until = silence["until"].as_str().unwrap_or_default();
        let name = printable(name);
        let mut out = io::stdout().lock();
        let alerts = match alerts {
            1 => "1 alert that fires by now".to_owned(),
            alerts => format!("{alerts} alerts that fire by now"),
        };
        writeln!(out, "{done} {name} until {until}: {alerts}")?;
        let matchers = body["matchers"].as_array().into_iter().flatten();
        if let Some(meant) = matchers.filter_map(Value::as_str).find_map(meant_as_shape) {
            let meant = printable(&meant);
            writeln!(
                out,
                "a * is a letter like others there; for a shape write '{meant}'"
            )?;
        }
        Ok(())
    }

    async fn silences(&self) -> Result<(), Stop> {
        let answer = self
            .client
            .ask(Ask::new(Method::GET, "/v1/silences"))
            .await?;
        if self.output == Output::Json {
            return print(&answer);
        }
        let list: Value = self.client.read(&answer)?;
        let titles = [
            "SILENCE",
            "FROM",
            "UNTIL",
            "ALERTS",
            "BY",
            "CONDITIONS",
            "WHY",
        ];
        let rows = rows(&list["silences"], |silence| {
            let text = |name: &str| silence[name].as_str().unwrap_or_default().to_owned();
            let matchers = silence["matchers"].as_array().into_iter().flatten();
            let matchers: Vec<&str> = matchers.filter_map(Value::as_str).collect();
            vec![
                Cell::new(text("name")),
                Cell::new(text("from")),
                Cell::new(text("until")),
                Cell::new(silence["alerts"].to_string()),
                Cell::new(text("by")),
                Cell::new(matchers.join(" ")),
                Cell::inked(Ink::Quiet, text("comment")),
            ]
        });
        self.table("no silences", &titles, &rows)
    }

    async fn receivers(&self) -> Result<(), Stop> {
        let answer = self
            .client
            .ask(Ask::new(Method::GET, "/v1/receivers"))
            .await?;
        if self.output == Output::Json {
            return print(&answer);
        }
        let list: Value = self.client.read(&answer)?;
        let titles = ["RECEIVER", "WAITING", "ON THE WAY", "FAILURES", "BREAKER"];
        let rows = rows(&list["receivers"], |receiver| {
            let text = |name: &str| receiver[name].as_str().unwrap_or_default().to_owned();
            let closed = receiver["breaker"] == "closed";
            vec![
                Cell::new(text("name")),
                Cell::new(receiver["queued"].to_string()),
                Cell::new(receiver["in_flight"].to_string()),
                Cell::new(receiver["failures"].to_string()),
                Cell::inked(if closed { Ink::Good } else { Ink::Bad }, text("breaker")),
            ]
        });
        self.table("no receivers", &titles, &rows)
    }

    /// Sends a test, and shows what was sent.
    async fn test(&self, receiver: &str) -> Result<(), Stop> {
        let path = format!("/v1/receivers/{}/test", encode(receiver));
        let answer = self.client.ask(Ask::new(Method::POST, &path)).await?;
        if self.output == Output::Json {
            return print(&answer);
        }
        let tested: Value = self.client.read(&answer)?;
        let mut out = io::stdout().lock();
        let done = self.screen.paint(Ink::Good, "delivered to");
        writeln!(out, "{done} {}:", printable(receiver))?;
        if let Some(subject) = tested["subject"].as_str() {
            writeln!(out, "Subject: {}", printable(subject))?;
        }
        for line in tested["sent"].as_str().unwrap_or_default().lines() {
            writeln!(out, "{}", printable(line))?;
        }
        Ok(())
    }

    /// Makes a change, and says so.
    async fn change(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
        done: &str,
        name: &str,
    ) -> Result<(), Stop> {
        let mut ask = Ask::new(method, path);
        ask.body = body.map(Value::to_string);
        let answer = self.client.ask(ask).await?;
        if self.output == Output::Json {
            return print(&answer);
        }
        let done = self.screen.paint(Ink::Good, done);
        Ok(writeln!(io::stdout(), "{done} {}", printable(name))?)
    }

    fn table(&self, none: &str, titles: &[&'static str], rows: &[Vec<Cell>]) -> Result<(), Stop> {
        if rows.is_empty() {
            return Ok(writeln!(io::stdout(), "{none}")?);
        }
        let columns: Vec<Column> = titles.iter().copied().map(Column::left).collect();
        Ok(table::print(
            &mut io::stdout(),
            self.screen,
            &columns,
            rows,
        )?)
    }
}

/// A condition with a `*` that asks for that very letter, as what was probably meant.
fn meant_as_shape(matcher: &str) -> Option<String> {
    let (label, text) = matcher.split_once('=')?;
    (text.contains('*') && !text.starts_with('~')).then(|| format!("{label}=~{text}"))
}

fn rows(list: &Value, row: impl Fn(&Value) -> Vec<Cell>) -> Vec<Vec<Cell>> {
    list.as_array().into_iter().flatten().map(row).collect()
}

/// How far an alert is, and what keeps people from being told.
fn word(alert: &Value) -> String {
    let phase = alert["phase"].as_str().unwrap_or_default();
    if alert["phase"] != "firing" {
        return phase.to_owned();
    }
    if let Some(by) = alert["acknowledged"]["by"].as_str() {
        return format!("acknowledged by {by}");
    }
    match (
        alert["suppressed"]["by"].as_str(),
        alert["suppressed"]["name"].as_str(),
    ) {
        (Some("silence"), Some(name)) => format!("silenced by {name}"),
        (Some(_), Some(name)) => format!("inhibited by {name}"),
        (_, _) => phase.to_owned(),
    }
}

fn ink(alert: &Value) -> Ink {
    match alert["phase"].as_str() {
        Some("firing") if alert["acknowledged"].is_null() => Ink::Bad,
        Some("firing" | "pending") => Ink::Warning,
        Some(_) | None => Ink::Good,
    }
}

fn print(answer: &Answer) -> Result<(), Stop> {
    let mut out = io::stdout().lock();
    out.write_all(&answer.body)?;
    if !answer.body.is_empty() && !answer.body.ends_with(b"\n") {
        out.write_all(b"\n")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_phase_says_who_looks_after_it_and_what_holds_it_back() {
        for (alert, expected) in [
            (json!({ "phase": "pending" }), "pending"),
            (json!({ "phase": "firing" }), "firing"),
            (
                json!({ "phase": "firing", "acknowledged": { "by": "kim" } }),
                "acknowledged by kim",
            ),
            (
                json!({ "phase": "firing", "suppressed": { "by": "silence", "name": "s" } }),
                "silenced by s",
            ),
            (
                json!({ "phase": "firing", "suppressed": { "by": "parent", "name": "gw" } }),
                "inhibited by gw",
            ),
        ] {
            assert_eq!(word(&alert), expected);
        }
    }
}
