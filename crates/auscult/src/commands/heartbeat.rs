//! `auscult heartbeat`: says 'I am here' for a target, once or again and again.

use std::io::{self, Write as _};
use std::time::Duration;

use auscult_core::wire::heartbeat::Heartbeat;
use auscult_monitor::clock::Clock;
use hyper::Method;
use tokio::net::UdpSocket;
use tokio::time::MissedTickBehavior;

use super::interrupt::Interrupts;
use crate::args::HeartbeatArgs;
use crate::client::{Ask, Client, encode};
use crate::exit::{self, Exit, Stop};

/// What is waited for the word that nobody listens: a round trip in one building.
const REFUSAL_WAIT: Duration = Duration::from_millis(20);

pub(crate) async fn run(args: &HeartbeatArgs) -> Result<(), Stop> {
    let way = Way::open(args).await?;
    let Some(every) = args.every else {
        return way.send(args, 0).await;
    };
    let mut interrupts = Interrupts::install()?;
    let mut ticks = tokio::time::interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    // Larger than any number of an earlier run, so that a restarted sender is not taken for a late
    // one; from here on it only grows, whatever is done to the clock.
    let started = Clock::new().wall_now().as_microsecond();
    let mut sequence = u64::try_from(started).unwrap_or(0);
    let mut told = None;
    loop {
        tokio::select! {
            () = interrupts.next() => return Ok(()),
            _ = ticks.tick() => {}
        }
        sequence += 1;
        match way.send(args, sequence).await {
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

/// How the monitor is told.
enum Way {
    Http(Client),
    Udp(UdpSocket),
}

impl Way {
    async fn open(args: &HeartbeatArgs) -> Result<Self, Stop> {
        let Some(to) = &args.udp else {
            return Ok(Self::Http(Client::new(&args.url)?));
        };
        let failed = |error: io::Error| {
            let error = exit::in_words(&error);
            let message = format!("cannot send to {to} over UDP: {error}");
            Stop::new(Exit::Unreachable, message)
        };
        let found = tokio::net::lookup_host(to).await.map_err(failed)?.next();
        let addr = found.ok_or_else(|| failed(io::ErrorKind::NotFound.into()))?;
        let local = if addr.is_ipv4() {
            "0.0.0.0:0"
        } else {
            "[::]:0"
        };
        let socket = UdpSocket::bind(local).await.map_err(failed)?;
        socket.connect(addr).await.map_err(failed)?;
        Ok(Self::Udp(socket))
    }

    async fn send(&self, args: &HeartbeatArgs, sequence: u64) -> Result<(), Stop> {
        match self {
            Self::Http(client) => {
                let mut path = format!("/v1/heartbeats/{}", encode(&args.id));
                if let Some(signal) = &args.signal {
                    path = path + "?signal=" + &encode(signal);
                }
                client.ask(Ask::new(Method::POST, &path)).await?;
            }
            Self::Udp(socket) => {
                let datagram = datagram(args, sequence)?;
                tell(socket, &datagram).await.map_err(|error| {
                    let to = args.udp.as_deref().unwrap_or_default();
                    let message = format!("no monitor takes heartbeats at {to} over UDP ({error})");
                    Stop::new(Exit::Unreachable, message)
                })?;
            }
        }
        Ok(())
    }
}

/// Sends a datagram. Where nobody listens, the system says so at once on this host and perhaps a
/// little later from another, so that is waited for a moment; no word is no answer.
async fn tell(socket: &UdpSocket, datagram: &[u8]) -> Result<(), &'static str> {
    let refused = "nobody listens there";
    socket.send(datagram).await.map_err(|_| refused)?;
    match tokio::time::timeout(REFUSAL_WAIT, socket.recv(&mut [0])).await {
        Ok(Err(error)) if error.kind() == io::ErrorKind::ConnectionRefused => Err(refused),
        _ => Ok(()),
    }
}

fn datagram(args: &HeartbeatArgs, sequence: u64) -> Result<Vec<u8>, Stop> {
    let whole_millis = |every: Duration| Duration::from_millis(every.as_millis() as u64);
    let heartbeat = Heartbeat {
        target: &args.id,
        signal: args.signal.as_deref(),
        sequence: args.every.map(|_| sequence),
        interval_hint: args.every.map(whole_millis),
    };
    let mut datagram = Vec::new();
    heartbeat
        .encode(&mut datagram)
        .map_err(|error| Stop::new(Exit::Usage, format!("cannot say that: {error:?}")))?;
    Ok(datagram)
}
