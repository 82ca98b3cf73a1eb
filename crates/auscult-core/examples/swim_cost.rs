//! A group of members that all know each other, in one loop without a network: for counting what
//! the machine costs.
//!
//! ```text
//! cargo build --release -p auscult-core --example swim_cost
//! valgrind --tool=callgrind --collect-atstart=no --toggle-collect='*Swim::handle' \
//!     --callgrind-out-file=/dev/null target/release/examples/swim_cost 1000 20
//! ```
//!
//! News of the start is gone after some 30 periods. The instructions that more periods take, over
//! members and periods, are those of a member's period. The third argument is the limit of direct
//! heartbeats, 0 if it is left out.
#![expect(
    clippy::print_stdout,
    reason = "what an example counts is for who runs it"
)]

use std::collections::BTreeSet;
use std::error::Error;
use std::net::SocketAddr;
use std::time::Duration;

use auscult_core::swim::{
    Body, Config, Identity, Incarnation, Input, Label, MemberName, Output, Packet, Params, Swim,
    Update,
};
use auscult_core::time::Instant;

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1).map(|word| word.parse::<usize>());
    let mut next = |otherwise| args.next().unwrap_or(Ok(otherwise));
    let (members, periods, limit) = (next(100)?, next(10)?, next(0)?);
    let mut params = Params::lan(Label::new("cost")?);
    params.direct_limit = limit;
    // Not the comparisons of views, which come once in minutes.
    params.sync_interval = Duration::from_secs(3_600);
    // Each member has news of all others at the start. It is said seldom, and to nobody.
    params.retransmit_multiplier = 1;
    let mut group = Group::new(members, &params)?;
    group.run(Instant::from_secs(2 + periods as u64));
    let datagrams = group.datagrams as f64 / members as f64 / periods as f64;
    println!("{members} members, {periods} periods: {datagrams:.2} datagrams each");
    Ok(())
}

struct Group {
    swims: Vec<Swim>,
    wakes: BTreeSet<(Instant, usize)>,
    datagrams: u64,
}

impl Group {
    fn new(members: usize, params: &Params) -> Result<Self, Box<dyn Error>> {
        let mut swims = Vec::with_capacity(members);
        let names: Result<Vec<_>, _> = (0..members)
            .map(|at| MemberName::new(&format!("m{at}")))
            .collect();
        let names = names?;
        let alive = |at: usize| Update::Alive {
            name: names[at].clone(),
            address: address(at),
            incarnation: Incarnation::FIRST,
        };
        for at in 0..members {
            let identity = Identity {
                name: names[at].clone(),
                address: address(at),
                incarnation: Incarnation::FIRST,
            };
            let config = Config::new(params.clone()).map_err(|found| format!("{found:?}"))?;
            let phase = Duration::from_nanos(at as u64 * 1_000_000_000 / members as u64);
            let now = Instant::ORIGIN.after(phase);
            let mut swim = Swim::new(identity, config, at as u64, now);
            let updates = (0..members)
                .filter(|&other| other != at)
                .map(alive)
                .collect();
            let packet = Packet {
                label: params.label.tag(),
                from: names[(at + 1) % members].id(),
                body: Body::Gossip,
                updates,
                metadata: Vec::new(),
                broadcasts: Vec::new(),
            };
            let from = address((at + 1) % members);
            swim.handle(now, Input::Packet { from, packet });
            swims.push(swim);
        }
        let mut group = Self {
            swims,
            wakes: BTreeSet::new(),
            datagrams: 0,
        };
        group.forget_the_start();
        Ok(group)
    }

    /// What was said so far reaches nobody.
    fn forget_the_start(&mut self) {
        for (at, swim) in self.swims.iter_mut().enumerate() {
            while swim.poll_output().is_some() {}
            self.wakes
                .extend(swim.poll_timeout().map(|(wake, _)| (wake, at)));
        }
    }

    fn run(&mut self, until: Instant) {
        while let Some((now, at)) = self.wakes.pop_first() {
            if now > until {
                break;
            }
            self.feed(now, at, Input::Tick);
        }
    }

    fn feed(&mut self, now: Instant, at: usize, input: Input<'_>) {
        if let Some((wake, _)) = self.swims[at].poll_timeout() {
            self.wakes.remove(&(wake, at));
        }
        self.swims[at].handle(now, input);
        if let Some((wake, _)) = self.swims[at].poll_timeout() {
            self.wakes.insert((wake, at));
        }
        while let Some(output) = self.swims[at].poll_output() {
            if let Output::Send { to, mut packet } = output {
                self.datagrams += 1;
                packet.updates.clear();
                if packet.body == Body::Gossip {
                    continue;
                }
                let from = address(at);
                let to = usize::from(to.port());
                self.feed(now, to, Input::Packet { from, packet });
            }
        }
    }
}

fn address(at: usize) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], at as u16))
}
