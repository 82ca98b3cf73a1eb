//! `auscult health`: the metrics that peers publish, and which failed, read over a monitor's REST.

use std::io::{self, Write as _};

use hyper::Method;
use jiff::Timestamp;
use serde_json::Value;

use crate::args::{HealthArgs, HealthCommand, Output};
use crate::client::{Ask, Client, encode};
use crate::exit::Stop;
use crate::render::table::{self, Cell, Column};
use crate::render::time::{ago, moment, span};
use crate::render::{Ink, Screen, printable};

pub(crate) async fn run(args: &HealthArgs) -> Result<(), Stop> {
    let health = Health {
        client: Client::new(&args.client.url)?,
        output: args.client.output,
        screen: Screen::stdout(),
    };
    match &args.command {
        HealthCommand::Metrics { name: None, .. } => health.names().await,
        HealthCommand::Metrics {
            name: Some(name),
            history,
            peer,
        } => {
            let mut query = format!("/v1/metrics-log/{}?limit={PAGE}", encode(name));
            if *history {
                query += "&history=1";
            }
            if let Some(peer) = peer {
                query = query + "&peer=" + &encode(peer);
            }
            health.metric(&query).await
        }
        HealthCommand::Alerts => health.alerts().await,
    }
}

/// Peers that are asked for at a time.
const PAGE: usize = 10_000;

/// A monitor, and how its answers are shown.
struct Health {
    client: Client,
    output: Output,
    screen: Screen,
}

impl Health {
    async fn get(&self, path: &str) -> Result<Value, Stop> {
        let answer = self.client.ask(Ask::new(Method::GET, path)).await?;
        self.client.read(&answer)
    }

    async fn names(&self) -> Result<(), Stop> {
        let list = self.get("/v1/metrics-log").await?;
        if self.output == Output::Json {
            return Ok(writeln!(io::stdout(), "{list}")?);
        }
        let rows = rows(&list["metrics"], |metric| {
            let failing = metric["failing"].as_u64().unwrap_or(0);
            let ink = if failing == 0 { Ink::Good } else { Ink::Bad };
            vec![
                Cell::new(text(metric, "name")),
                Cell::new(text(metric, "decision")),
                Cell::new(metric["peers"].to_string()),
                Cell::new(metric["good"].to_string()),
                Cell::inked(ink, failing.to_string()),
            ]
        });
        let titles = ["METRIC", "DECIDED BY", "PEERS", "GOOD", "FAILING"];
        self.table("no metrics", &titles, &rows)
    }

    async fn metric(&self, query: &str) -> Result<(), Stop> {
        let mut page = self.get(query).await?;
        while let Some(next) = page["next"].as_str() {
            let mut more = self
                .get(&format!("{query}&cursor={}", encode(next)))
                .await?;
            for list in ["metrics", "failing"] {
                if let (Some(all), Some(more)) =
                    (page[list].as_array_mut(), more[list].as_array_mut())
                {
                    all.append(more);
                }
            }
            page["next"] = more["next"].take();
        }
        if self.output == Output::Json {
            return Ok(writeln!(io::stdout(), "{page}")?);
        }
        let now = moment(&page["now"]);
        let mut all = Vec::new();
        for metric in page["failing"].as_array().into_iter().flatten() {
            let since = ago(&metric["since"], now).unwrap_or_default();
            let state = format!("{} for {since}", text(metric, "cause"));
            all.extend(readings(
                metric,
                &metric["last"],
                Cell::inked(Ink::Bad, state),
                now,
            ));
        }
        for metric in page["metrics"].as_array().into_iter().flatten() {
            let expires = moment(&metric["expires_at"]).zip(now);
            let left = expires.map(|(at, now)| at.duration_since(now));
            let left = left.map_or_else(String::new, |left| match left.try_into() {
                Ok(left) => format!("good for {}", span(left)),
                // Where its rhythm decides, it is good beyond its time to live.
                Err(_) => metric["level"].as_f64().map_or_else(
                    || "good".to_owned(),
                    |level| format!("good at level {level:.1}"),
                ),
            });
            all.extend(readings(metric, metric, Cell::inked(Ink::Good, left), now));
        }
        let titles = ["PEER", "STATE", "RECEIVED", "WEIGHT", "VALUE"];
        self.table("no peer has this metric now", &titles, &all)
    }

    /// In the words of ipfs-cluster-ctl, for those who read them already.
    async fn alerts(&self) -> Result<(), Stop> {
        let list = self.get("/health/alerts").await?;
        if self.output == Output::Json {
            return Ok(writeln!(io::stdout(), "{list}")?);
        }
        let mut out = io::stdout().lock();
        for alert in list.as_array().into_iter().flatten() {
            let nanos = alert["expire"].as_i64().unwrap_or(0);
            let expired = Timestamp::from_nanosecond(nanos.into()).unwrap_or_default();
            let (peer, name) = (text(alert, "peer"), text(alert, "name"));
            let (peer, name) = (printable(&peer), printable(&name));
            let triggered = text(alert, "triggered_at");
            writeln!(
                out,
                "{peer}: {name}. Expired at: {expired:.3}. Triggered at: {triggered}."
            )?;
        }
        Ok(())
    }

    fn table(&self, none: &str, titles: &[&'static str], rows: &[Vec<Cell>]) -> Result<(), Stop> {
        if rows.is_empty() {
            return Ok(writeln!(io::stdout(), "{none}")?);
        }
        let columns: Vec<Column> = titles.iter().map(|title| Column::left(title)).collect();
        let out = &mut io::stdout();
        Ok(table::print(out, self.screen, &columns, rows)?)
    }
}

/// The rows of a peer: its last reading, and those before it where they were asked for.
fn readings(metric: &Value, last: &Value, state: Cell, now: Option<Timestamp>) -> Vec<Vec<Cell>> {
    let row = |peer: String, state: Cell, reading: &Value| {
        let value = match reading["valid"].as_bool() {
            Some(false) => Cell::inked(Ink::Quiet, "(no value)"),
            Some(true) | None => Cell::new(text(reading, "value")),
        };
        vec![
            Cell::new(peer),
            state,
            Cell::new(ago(&reading["received_at"], now).unwrap_or_default()),
            Cell::new(reading["weight"].as_i64().unwrap_or(0).to_string()),
            value,
        ]
    };
    let earlier = metric["history"].as_array().into_iter().flatten().skip(1);
    let mut rows = vec![row(text(metric, "peer"), state, last)];
    rows.extend(earlier.map(|reading| row(String::new(), Cell::new(""), reading)));
    rows
}

fn rows(list: &Value, row: impl Fn(&Value) -> Vec<Cell>) -> Vec<Vec<Cell>> {
    list.as_array().into_iter().flatten().map(row).collect()
}

fn text(of: &Value, field: &str) -> String {
    of[field].as_str().unwrap_or_default().to_owned()
}
