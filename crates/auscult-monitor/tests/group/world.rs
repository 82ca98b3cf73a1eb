//! One seed's story: a group, its clients, what befalls it, and that it comes to rest afterwards.

use std::sync::Arc;
use std::time::Duration;

use auscult_core::monitor::registry::{Action, Revision};
use auscult_core::rng::{Rng, mix};
use auscult_monitor::replication::{Journal, Monitor, Node, NodeConfig, Timing};
use auscult_monitor::shared::{MonitorId, Role, SettingsStore as _};
use parking_lot::Mutex;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::client;
use crate::disk::{Boot, End, Habit, Platter};
use crate::fate;
use crate::history::{Event, Final, History, Trace, pass};
use crate::network::{Air, Manner};
use crate::site::{Running, Site};

/// How long clients ask and things befall the group.
const STORY: Duration = Duration::from_secs(20);

/// By when a group that is whole again has to have come to rest.
const REST: Duration = Duration::from_secs(30);

/// How many clients ask at the same time.
pub(crate) const CLIENTS: u64 = 4;

/// What is broken on purpose, so that a check has something to find.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mutant {
    None,
    Disk(Habit),
    Network(Manner),
    /// A client reads without asking whether what is there is all.
    SkipsTheBarrier,
    /// A client that asks again does so as if for the first time.
    ForgetsWhatItAsked,
    /// A client takes it that what is unclear is not done.
    SaysNoInDoubt,
    /// The network is never whole again.
    NeverHeals,
}

/// What all tasks of a story share.
#[derive(Clone)]
pub(crate) struct World {
    pub(crate) sites: Arc<Vec<Site>>,
    pub(crate) air: Air,
    pub(crate) history: Arc<Mutex<History>>,
    pub(crate) trace: Trace,
    pub(crate) mutant: Mutant,
    seed: u64,
}

/// A story and all that was written of it.
pub(crate) struct Told {
    pub(crate) history: History,
    pub(crate) trace: String,
}

/// Tells the story of a seed: the same one each time.
pub(crate) fn tell(seed: u64, mutant: Mutant) -> Told {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(async {
        let world = World::new(seed, mutant);
        world.run().await;
        let history = std::mem::take(&mut *world.history.lock());
        let trace = world.trace.text();
        Told { history, trace }
    })
}

impl World {
    fn new(seed: u64, mutant: Mutant) -> Self {
        let mut rng = Rng::new(mix(seed));
        let count = if rng.below(3) == 0 { 5 } else { 3 };
        let habit = if let Mutant::Disk(habit) = mutant {
            habit
        } else {
            Habit::Honest
        };
        let manner = if let Mutant::Network(manner) = mutant {
            manner
        } else {
            Manner::Plain
        };
        let sites: Vec<Site> = (0..count)
            .map(|number| {
                let platter = Platter::new(&format!("m{number}"), habit, rng.next_u64());
                Site::new(number, platter)
            })
            .collect();
        let sites = Arc::new(sites);
        let trace = Trace::new();
        let air = Air::new(Arc::clone(&sites), manner, rng.next_u64(), trace.clone());
        Self {
            sites,
            air,
            history: Arc::default(),
            trace,
            mutant,
            seed: rng.next_u64(),
        }
    }

    /// Chance for one purpose, the same in each telling.
    pub(crate) fn rng(&self, purpose: u64) -> Rng {
        Rng::new(mix(self.seed ^ mix(purpose)))
    }

    pub(crate) fn record(&self, event: Event) {
        self.trace.note(|| format!("{event:?}"));
        self.history.lock().events.push(event);
    }

    /// Something that happens to the group.
    pub(crate) fn tell_fate(&self, text: &str) {
        self.trace.note(|| text.to_owned());
    }

    async fn run(&self) {
        let mut tasks = JoinSet::new();
        tasks.spawn(self.air.clone().carry());
        for site in 0..self.sites.len() {
            tasks.spawn(self.clone().live(site));
        }
        if !self.gather().await {
            self.unsettled("the monitors never became a group");
            return;
        }
        let until = Instant::now() + STORY;
        let mut clients = JoinSet::new();
        for number in 0..CLIENTS {
            clients.spawn(client::run(self.clone(), number, until));
        }
        let befalls = tokio::spawn(fate::run(self.clone(), until));
        while clients.join_next().await.is_some() {}
        befalls.await.unwrap();
        self.settle().await;
        tasks.shutdown().await;
    }

    /// Waits until all monitors vote.
    async fn gather(&self) -> bool {
        let count = self.sites.len();
        self.within(REST, || {
            let voters = self.sites[0].running().map(|running| {
                let status = running.node.status();
                let voters = status
                    .monitors
                    .iter()
                    .filter(|monitor| monitor.role != Role::Learner);
                voters.count()
            });
            voters == Some(count)
        })
        .await
    }

    async fn within(&self, span: Duration, holds: impl Fn() -> bool) -> bool {
        let deadline = Instant::now() + span;
        while !holds() {
            if Instant::now() > deadline {
                return false;
            }
            pass(Duration::from_millis(50)).await;
        }
        true
    }

    fn unsettled(&self, what: &str) {
        self.trace.note(|| what.to_owned());
        self.history.lock().unsettled.push(what.to_owned());
    }

    /// Makes everything whole, waits until all monitors say the same, and writes down what.
    async fn settle(&self) {
        self.trace.note(|| "everything is whole again".to_owned());
        if self.mutant != Mutant::NeverHeals {
            self.air.heal();
        }
        for site in self.sites.iter() {
            site.platter.make_room();
        }
        let are_there = || self.sites.iter().all(|site| site.running().is_some());
        if !self.within(REST, are_there).await {
            self.unsettled("a monitor did not come back");
        }
        let settled = tokio::time::timeout(REST, self.confirm_all()).await;
        if settled.is_err() {
            self.unsettled("the monitors did not agree in time");
        }
        let finals = self.sites.iter().filter_map(|site| site.running());
        let finals: Vec<Final> = finals.map(|running| read_all(&running.node)).collect();
        self.history.lock().finals = finals;
    }

    async fn confirm_all(&self) {
        for site in self.sites.iter() {
            while !confirmed(site).await {
                pass(Duration::from_millis(100)).await;
            }
        }
    }

    /// A monitor's life: whenever its process ends, another one is started.
    async fn live(self, number: usize) {
        let mut rng = self.rng(100 + number as u64);
        loop {
            let boot = self.sites[number].platter.boot();
            if let Some(running) = self.start(number, boot, rng.next_u64()).await {
                self.tell_fate(&format!("m{number} starts"));
                let running = Arc::new(running);
                self.sites[number].set(Some(Arc::clone(&running)));
                let watch = tokio::spawn(self.clone().watch(number, Arc::clone(&running)));
                running.boot.ended().await;
                self.tell_fate(&format!("m{number} ends"));
                if self.sites[number].platter.last_end() == Some(End::PowerCut) {
                    self.record(Event::PowerWent { monitor: number });
                }
                self.sites[number].set(None);
                watch.abort();
                // What is left of it can neither write nor send.
                tokio::spawn(async move { running.node.stop().await });
            }
            pass(Duration::from_millis(50 + rng.below(3_000))).await;
        }
    }

    async fn start(&self, number: usize, boot: Boot, seed: u64) -> Option<Running> {
        let site = &self.sites[number];
        let config = NodeConfig {
            id: Some(MonitorId(number as u64 + 1)),
            join: if number == 0 {
                Vec::new()
            } else {
                vec![self.sites[0].address.clone()]
            },
            snapshot_after: 20,
            timing: Timing {
                heartbeat: Duration::from_millis(100),
                lease: Duration::from_millis(500),
                stagger: Duration::from_millis(300),
                patience: Duration::from_secs(2),
                change: Duration::from_secs(5),
            },
            ..NodeConfig::new(monitor(site), seed)
        };
        let journal = Journal::on(Box::new(boot.clone()));
        let failed = match journal {
            Ok(journal) => {
                let port = self.air.port(number, boot.clone());
                match Node::start(config, journal, Arc::new(port)).await {
                    Ok(node) => return Some(Running { node, boot }),
                    Err(error) => error.to_string(),
                }
            }
            Err(error) => error.to_string(),
        };
        // The power may go while it starts, and it may have no room to.
        if boot.is_on() {
            if !failed.contains("no room") {
                let monitor = number;
                let text = failed;
                self.record(Event::Torn { monitor, text });
            }
            site.platter.end(End::Kill);
        }
        None
    }

    /// Writes down whatever can be read at a monitor.
    async fn watch(self, number: usize, running: Arc<Running>) {
        let mut revisions = running.node.revisions();
        while running.boot.is_on() {
            let (revision, digest) = look(&running.node);
            self.record(Event::Seen {
                monitor: number,
                revision,
                digest,
            });
            if revisions.changed().await.is_err() {
                return;
            }
        }
    }
}

async fn confirmed(site: &Site) -> bool {
    match site.running() {
        Some(running) => running.node.confirm().await.is_ok(),
        None => false,
    }
}

/// The revision and the digest that can be read there.
pub(crate) fn look(node: &Node) -> (u64, u64) {
    let mut found = (0, 0);
    node.read(&mut |registry, _| found = (registry.revision().number(), registry.digest()));
    found
}

fn read_all(node: &Node) -> Final {
    let mut found = None;
    node.read(&mut |registry, _| {
        let changes = registry.history(Revision::NONE).map(|entry| {
            let edits = entry.edits.iter();
            let edits = edits.map(|(key, action)| (key.clone(), *action != Action::Deleted));
            (entry.author.as_str().to_owned(), edits.collect())
        });
        let settings = registry.settings();
        found = Some(Final {
            revision: registry.revision().number(),
            digest: registry.digest(),
            changes: changes.collect(),
            settings: settings
                .map(|(key, setting)| (key.clone(), setting.revision.number()))
                .collect(),
        });
    });
    found.unwrap()
}

fn monitor(site: &Site) -> Monitor {
    Monitor {
        name: site.name.clone(),
        raft: site.address.clone(),
        http: String::new(),
        agent: String::new(),
    }
}
