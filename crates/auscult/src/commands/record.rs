//! `auscult record`: writes down the raw arrivals of targets, to be judged again.
//!
//! The file has one JSON object a line. The first says what it is and how each target is judged;
//! `docs/operating.md` describes all of them.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::time::Duration;

use auscult_monitor::trace::FORMAT;
use hyper::Method;
use serde_json::{Value, json};

use super::Interrupts;
use crate::args::RecordArgs;
use crate::client::{Ask, Client, encode};
use crate::exit::{Exit, Stop, in_words};

/// How often the monitor is asked. It keeps 16,384 arrivals of a target meanwhile.
const PACE: Duration = Duration::from_millis(500);

/// Arrivals that are asked for at a time.
const PAGE: usize = 10_000;

pub(crate) async fn run(args: &RecordArgs) -> Result<(), Stop> {
    let span = args.span.as_deref().map(span).transpose()?;
    let client = Client::new(&args.url)?;
    let mut targets = Vec::new();
    let mut specs = Vec::new();
    let mut began_ns = u64::MAX;
    let mut began_at = Value::Null;
    for name in &args.targets {
        let page = ask(&client, name, None).await?;
        let now_ns = page["now_ns"].as_u64().unwrap_or(0);
        if now_ns < began_ns {
            began_ns = now_ns;
            began_at = page["now"].clone();
        }
        specs.push(json!({
            "spec": page["spec"], "now_ns": now_ns, "remembered": page["remembered"],
        }));
        targets.push((name.as_str(), page["next"].as_u64().unwrap_or(0)));
    }
    let file = File::create(&args.out).map_err(|error| cannot(args, &error))?;
    let mut trace = Trace {
        args,
        out: BufWriter::new(file),
        lines: 0,
        missed: 0,
        end_ns: began_ns,
    };
    trace.line(&json!({
        "auscult_trace": FORMAT, "recorded_at": began_at, "begin_ns": began_ns, "targets": specs,
    }))?;
    let mut interrupts = Interrupts::install()?;
    let end = async {
        match span {
            Some(span) => tokio::time::sleep(span).await,
            None => std::future::pending().await,
        }
    };
    tokio::pin!(end);
    loop {
        let over = tokio::select! {
            () = tokio::time::sleep(PACE) => false,
            () = &mut end => true,
            () = interrupts.next() => true,
        };
        trace.take_all(&client, &mut targets).await?;
        trace.flush()?;
        if over {
            break;
        }
    }
    trace.end()?;
    let (lines, missed) = (trace.lines, trace.missed);
    let out = args.out.display();
    let lost = match missed {
        0 => String::new(),
        missed => format!(", and missed {missed}"),
    };
    Ok(writeln!(
        io::stdout(),
        "recorded {lines} arrivals in {out}{lost}"
    )?)
}

struct Trace<'a> {
    args: &'a RecordArgs,
    out: BufWriter<File>,
    lines: u64,
    missed: u64,
    end_ns: u64,
}

impl Trace<'_> {
    /// Writes what has arrived of all targets since the last time. Where that cannot be had, the
    /// recording ends with what there is.
    async fn take_all(&mut self, client: &Client, targets: &mut [(&str, u64)]) -> Result<(), Stop> {
        for (name, next) in targets {
            if let Err(stop) = self.take(client, name, next).await {
                self.end()?;
                return Err(stop);
            }
        }
        Ok(())
    }

    /// Writes what has arrived of a target since the last time.
    async fn take(&mut self, client: &Client, name: &str, next: &mut u64) -> Result<(), Stop> {
        loop {
            let page = ask(client, name, Some(*next)).await?;
            let now_ns = page["now_ns"].as_u64().unwrap_or(0);
            if now_ns < self.end_ns {
                let out = self.args.out.display();
                let message =
                    format!("the monitor began anew, so the recording in {out} ends there");
                return Err(Stop::new(Exit::Unreachable, message));
            }
            let missed = page["missed"].as_u64().unwrap_or(0);
            if missed > 0 {
                self.missed += missed;
                self.line(&json!({ "target": name, "missed": missed }))?;
            }
            let arrivals = page["arrivals"].as_array();
            let arrivals = arrivals.map_or(&[] as &[Value], Vec::as_slice);
            for arrival in arrivals {
                let mut line = json!({
                    "at_ns": arrival["at_ns"], "target": name, "signal": arrival["signal"],
                });
                for field in ["sequence", "failure"] {
                    if !arrival[field].is_null() {
                        line[field] = arrival[field].clone();
                    }
                }
                self.line(&line)?;
                self.lines += 1;
            }
            self.end_ns = now_ns;
            *next = page["next"].as_u64().unwrap_or(*next);
            if arrivals.len() < PAGE {
                return Ok(());
            }
        }
    }

    fn line(&mut self, line: &Value) -> Result<(), Stop> {
        writeln!(self.out, "{line}").map_err(|error| cannot(self.args, &error))
    }

    fn end(&mut self) -> Result<(), Stop> {
        let end_ns = self.end_ns;
        self.line(&json!({ "end_ns": end_ns }))?;
        self.flush()
    }

    fn flush(&mut self) -> Result<(), Stop> {
        self.out.flush().map_err(|error| cannot(self.args, &error))
    }
}

async fn ask(client: &Client, name: &str, since: Option<u64>) -> Result<Value, Stop> {
    let mut path = format!("/v1/targets/{}/arrivals?limit={PAGE}", encode(name));
    if let Some(since) = since {
        path += &format!("&since={since}");
    }
    let answer = client.ask(Ask::new(Method::GET, &path)).await?;
    client.read(&answer)
}

fn cannot(args: &RecordArgs, error: &io::Error) -> Stop {
    let path = args.out.display();
    Stop::new(
        Exit::Cannot,
        format!("{path} cannot be written: {}", in_words(error)),
    )
}

/// A span such as `60s` or `5m`.
fn span(text: &str) -> Result<Duration, Stop> {
    let wrong = || {
        let message = format!("--for {text}: it is no span, such as 60s, 5m or 2h");
        Stop::new(Exit::Usage, message)
    };
    let digits = text.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().map_err(|_| wrong())?;
    let seconds = match unit {
        "ms" => return Ok(Duration::from_millis(number)),
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => return Err(wrong()),
    };
    Ok(Duration::from_secs(number.saturating_mul(seconds)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_have_a_unit() {
        for (text, millis) in [("60s", 60_000), ("250ms", 250), ("2h", 7_200_000)] {
            assert_eq!(span(text).unwrap(), Duration::from_millis(millis), "{text}");
        }
        for text in ["", "60", "s", "1y", "-1s", "1.5s"] {
            assert!(span(text).is_err(), "{text}");
        }
    }
}
