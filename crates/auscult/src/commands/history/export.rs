//! `auscult history export`: roll-ups for a Prometheus, into a file or to a receiver.
//!
//! A receiver takes a request or refuses all of it. Samples go there in the order of time, and a
//! request that is refused is sent again in halves, the earlier one first, until what is refused is
//! single moments: so that a few samples that are too old do not take others with them.

use std::io::{self, Write as _};
use std::path::Path;
use std::time::Duration;

use super::remote::{self, Export, Sample};
use super::{read, write_file};
use crate::args::PastArgs;
use crate::client::{Client, Pushed};
use crate::exit::{Exit, Stop};

/// How often a receiver is tried that cannot answer now, and how long is waited before the second
/// time; each further wait is twice as long.
const ATTEMPTS_MAX: u32 = 4;
const AGAIN: Duration = Duration::from_millis(500);

pub(super) async fn run(targets: &[String], args: &PastArgs, to: &str) -> Result<(), Stop> {
    let client = Client::new(&args.url)?;
    let mut export = Export::default();
    for target in targets {
        let past = read(&client, target, args).await?;
        export.add(target, &past);
    }
    export.sort();
    let samples = export.samples();
    let mut sent = Sent::default();
    if to.contains("://") {
        let receiver = Client::to_receiver(to)?;
        for part in samples.chunks(remote::SAMPLES_AT_ONCE) {
            sent.part(&receiver, &export, part).await?;
        }
    } else {
        // One body, as a receiver would be sent it.
        write_file(Path::new(to), &export.body(samples))?;
        sent.samples = samples.len();
        sent.parts = 1;
    }
    sent.tell(to)
}

/// What became of the samples.
#[derive(Default)]
struct Sent {
    samples: usize,
    parts: usize,
    refused: usize,
    /// The moments of the first and the last sample that was refused.
    between: Option<(i64, i64)>,
    /// What the receiver said to the first one.
    why: String,
}

impl Sent {
    async fn part(
        &mut self,
        receiver: &Client,
        export: &Export,
        part: &[(Sample, usize)],
    ) -> Result<(), Stop> {
        let mut waiting = vec![part];
        while let Some(samples) = waiting.pop() {
            match push(receiver, &export.body(samples)).await? {
                Pushed::Taken => {
                    self.samples += samples.len();
                    self.parts += 1;
                }
                Pushed::Refused(why) => match remote::halves(samples) {
                    Some([earlier, later]) => waiting.extend([later, earlier]),
                    None => self.refuse(samples, why),
                },
                Pushed::Busy(why) => return Err(self.gave_up(&why)),
            }
        }
        Ok(())
    }

    fn refuse(&mut self, samples: &[(Sample, usize)], why: String) {
        if self.refused == 0 {
            self.why = why;
        }
        self.refused += samples.len();
        for (sample, _) in samples {
            let at = sample.timestamp;
            let (first, last) = self.between.unwrap_or((at, at));
            self.between = Some((first.min(at), last.max(at)));
        }
    }

    fn gave_up(&self, why: &str) -> Stop {
        let message = format!("{why}; {} samples were taken before", self.samples);
        Stop::new(Exit::Unreachable, message)
    }

    fn tell(&self, to: &str) -> Result<(), Stop> {
        let (samples, parts) = (self.samples, self.parts);
        let mut out = io::stdout();
        let parts = match parts {
            1 => "one part".to_owned(),
            parts => format!("{parts} parts"),
        };
        writeln!(out, "exported {samples} samples in {parts} to {to}")?;
        if samples == 0 && self.refused == 0 {
            writeln!(out, "no roll-up of the window is complete yet")?;
        }
        let Some((first, last)) = self.between else {
            return Ok(());
        };
        let (refused, first, last) = (self.refused, at(first), at(last));
        let message = format!(
            "{to} refused {refused} samples, from {first} to {last}: {}\n  (a Prometheus takes what \
             is older than its newest samples only with storage.tsdb.out_of_order_time_window)",
            self.why
        );
        Err(Stop::new(Exit::Refused, message))
    }
}

/// Sends a body, and again when the receiver cannot answer now.
async fn push(receiver: &Client, body: &[u8]) -> Result<Pushed, Stop> {
    let mut wait = AGAIN;
    for _ in 1..ATTEMPTS_MAX {
        match receiver.push(&remote::HEADERS, body.to_vec()).await? {
            Pushed::Busy(_) => tokio::time::sleep(wait).await,
            done @ (Pushed::Taken | Pushed::Refused(_)) => return Ok(done),
        }
        wait *= 2;
    }
    receiver.push(&remote::HEADERS, body.to_vec()).await
}

fn at(millis: i64) -> String {
    let moment = jiff::Timestamp::from_millisecond(millis);
    moment.map_or_else(|_| millis.to_string(), |moment| moment.to_string())
}
