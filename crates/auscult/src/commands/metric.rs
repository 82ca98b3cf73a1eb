//! `auscult metric`: publishes metrics of a peer over a monitor's REST or a member's gRPC, once or
//! again and again.

use std::fs;
use std::io::{self, Write as _};

use auscult_agent::grpc::{self, PublishRefused, Tls};
use auscult_core::peer_metric::{Reading, Validity};
use auscult_monitor::clock::Clock;
use hyper::Method;
use serde_json::json;
use tokio::time::MissedTickBehavior;

use super::interrupt::Interrupts;
use crate::args::{LogMetricArgs, MetricArgs, MetricCommand};
use crate::client::{Ask, Client, encode};
use crate::exit::{Exit, Stop};

/// Where Linux says what the machine is called.
const MACHINE_NAME: &str = "/proc/sys/kernel/hostname";

pub(crate) async fn run(args: &MetricArgs) -> Result<(), Stop> {
    let client = Client::new(&args.client.url)?;
    match &args.command {
        MetricCommand::Log(log) => publish(&client, log).await,
        MetricCommand::Forget { name, peer } => {
            let mut path = format!("/v1/metrics-log?peer={}", encode(peer));
            if let Some(name) = name {
                path = path + "&name=" + &encode(name);
            }
            client.ask(Ask::new(Method::DELETE, &path)).await?;
            Ok(())
        }
    }
}

async fn publish(client: &Client, log: &LogMetricArgs) -> Result<(), Stop> {
    let way = Way::open(client, log)?;
    let send = async || way.send(log).await;
    let Some(every) = log.every else {
        return send().await;
    };
    let mut interrupts = Interrupts::install()?;
    let mut ticks = tokio::time::interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut told = None;
    loop {
        tokio::select! {
            () = interrupts.next() => return Ok(()),
            _ = ticks.tick() => {}
        }
        match send().await {
            Ok(()) => told = None,
            Err(stop) if stop.is(Exit::Unreachable) => {
                // A monitor that restarts is told at the next tick; the same trouble is said once.
                let trouble = Some(stop.to_string());
                if trouble != told {
                    writeln!(io::stderr(), "auscult: {stop}")?;
                }
                told = trouble;
            }
            Err(stop) => return Err(stop),
        }
    }
}

/// Who is told.
enum Way<'a> {
    Monitor { client: &'a Client, body: String },
    Member { at: &'a str, tls: Option<Tls> },
}

impl<'a> Way<'a> {
    fn open(client: &'a Client, log: &'a LogMetricArgs) -> Result<Self, Stop> {
        if let Some(at) = &log.agent {
            let tls = log.tls.read()?;
            return Ok(Self::Member { at, tls });
        }
        let peer = match &log.peer {
            Some(peer) => peer.clone(),
            None => machine_name()?,
        };
        // Differs from run to run, so that the pause of a restart is no interval. One that
        // publishes once does not know of those before it.
        let started = Clock::new().wall_now().as_microsecond();
        let epoch = log.every.map(|_| u64::try_from(started).unwrap_or(0));
        let body = json!({
            "name": log.name,
            "peer": peer,
            "value": log.value,
            "ttl": log.ttl.as_secs_f64(),
            "valid": !log.invalid,
            "weight": log.weight,
            "epoch": epoch,
        });
        let body = body.to_string();
        Ok(Self::Monitor { client, body })
    }

    async fn send(&self, log: &LogMetricArgs) -> Result<(), Stop> {
        match self {
            Self::Monitor { client, body } => {
                let mut ask = Ask::new(Method::POST, "/v1/metrics-log");
                ask.body = Some(body.clone());
                client.ask(ask).await.map(drop)
            }
            Self::Member { at, tls } => {
                let reading = Reading {
                    metric: &log.name,
                    peer: log.peer.as_deref().unwrap_or_default(),
                    value: &log.value,
                    ttl: log.ttl,
                    valid: match log.invalid {
                        true => Validity::Invalid,
                        false => Validity::Valid,
                    },
                    weight: log.weight,
                    epoch: None,
                };
                let published = grpc::publish(at, tls.as_ref(), &reading).await;
                published.map_err(|error| {
                    let exit = match error {
                        PublishRefused::Silent(_) => Exit::Unreachable,
                        PublishRefused::Denied(_) => Exit::Refused,
                    };
                    Stop::new(exit, format!("cannot publish through {at}: {error}"))
                })
            }
        }
    }
}

fn machine_name() -> Result<String, Stop> {
    let name = fs::read_to_string(MACHINE_NAME).unwrap_or_default();
    match name.trim() {
        "" => {
            let message = "this machine does not tell its name: say --peer NAME";
            Err(Stop::new(Exit::Usage, message.to_owned()))
        }
        name => Ok(name.to_owned()),
    }
}
