//! `auscult pulser`: simulated servers, until told to stop.

use std::io::{self, Write as _};
use std::net::SocketAddr;

use tokio::task::JoinSet;

use super::interrupt::Interrupts;
use crate::args::PulserArgs;
use crate::exit::{self, Exit, Stop};
use crate::logging;
use crate::pulser::{Behaviour, Pulser};

pub(crate) async fn run(args: &PulserArgs) -> Result<(), Stop> {
    let behaviour = Behaviour::new(args.delay, args.status, args.drop)
        .map_err(|message| Stop::new(Exit::Usage, format!("--{message}")))?;
    let mut interrupts = Interrupts::install()?;
    logging::start(&args.log, "info")?;
    let mut pulsers = JoinSet::new();
    let mut out = io::stdout();
    for addr in addrs(args)? {
        let pulser = Pulser::bind(addr, behaviour).await.map_err(|error| {
            let error = exit::in_words(&error);
            let hint = "say --first-port 0 for free ones";
            Stop::new(
                Exit::Cannot,
                format!("cannot listen at {addr}: {error}; {hint}"),
            )
        })?;
        writeln!(out, "http://{}/heartbeat", pulser.addr())?;
        pulsers.spawn(pulser.serve());
    }
    out.flush()?;
    interrupts.next().await;
    Ok(())
}

fn addrs(args: &PulserArgs) -> Result<Vec<SocketAddr>, Stop> {
    let port = |index: u16| match args.first_port {
        0 => Some(0),
        first => first.checked_add(index),
    };
    (0..args.count)
        .map(|index| port(index).map(|port| SocketAddr::new(args.bind, port)))
        .collect::<Option<Vec<_>>>()
        .ok_or_else(|| {
            let (count, first) = (args.count, args.first_port);
            let message = format!("there are no {count} ports from {first} on");
            Stop::new(Exit::Usage, message)
        })
}
