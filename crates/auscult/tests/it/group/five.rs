//! Five monitors of which three observe each target: one is killed, comes back, stands still; and
//! whatever becomes of owners, each verdict is told once.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::pace::{holds, stays, until};
use super::{Group, PATIENCE};
use crate::http::{addr_in, ask_within};
use crate::process::Process;

const MONITORS: usize = 5;
const OBSERVERS: usize = 3;
const TARGETS: usize = 10;

/// How many of them go down together: too few for the monitors to suspect themselves.
const DYING: usize = 3;

/// How long a monitor stands still.
const STOPPED: Duration = Duration::from_secs(30);

/// How much longer taking over may take than finding out who died.
const TAKEOVER_MAX: Duration = Duration::from_secs(2);

#[test]
fn of_five_monitors_three_observe_each_target_and_no_verdict_is_lost_or_repeated() {
    let mut stage = Stage::start();
    for http in stage.running() {
        stage.told_everywhere("is up: ", TARGETS);
        let observers = stage.observers(&http, "t0");
        assert_eq!(observers.len(), OBSERVERS, "{observers:?}");
    }
    let before = stage.keys();

    killed_and_back(&mut stage, &before);
    stopped(&stage, &before);

    // A verdict is due at the moment at which its owner dies.
    let (owner, _) = stage.owner("t0");
    stage.logs_of_the_dead.push(stage.log(owner));
    stage.dying.signal("KILL");
    stage.group.kill(owner);
    stage.told_everywhere("is down: ", DYING);
    let after = stage.keys();
    let down = after.iter().filter(|key| key.ends_with(".down"));
    assert_eq!(down.count(), DYING, "each once: {after:?}");
    stage.check_that_each_is_told_once();
}

/// One of the observers dies: another one takes its place. When it comes back nothing is told.
#[expect(clippy::print_stdout, reason = "a figure is shown with --nocapture")]
fn killed_and_back(stage: &mut Stage, before: &BTreeSet<String>) {
    let (owner, name) = stage.owner("t0");
    stage.logs_of_the_dead.push(stage.log(owner));
    stage.group.kill(owner);
    let killed = Instant::now();
    let asked = stage.running()[0].clone();
    holds("it is found out", || live(&asked) == Some(MONITORS - 1));
    let detected = killed.elapsed();
    holds("its targets are taken over", || {
        let owned = (0..TARGETS).all(|target| {
            let target = stage.target(&asked, &format!("t{target}"));
            target["owner"].is_string() && target["owner"] != name.as_str()
        });
        let observers = stage.observers(&asked, "t0");
        owned && observers.len() == OBSERVERS && !observers.contains(&name)
    });
    let taken_over = killed.elapsed();
    println!("found out {detected:?} and taken over {taken_over:?} after kill -9");
    assert!(taken_over < detected + TAKEOVER_MAX, "{taken_over:?}");

    stage.group.restart(owner);
    for http in stage.running() {
        holds("all live", || live(&http) == Some(MONITORS));
    }
    holds("it observes again", || {
        stage.observers(&asked, "t0").contains(&name)
    });
    holds("it owns again", || stage.owner("t0").0 == owner);
    assert_eq!(stage.keys(), *before, "its return tells nothing");
    holds("three check each target", || {
        let running = stage.running();
        let watched: u64 = running.iter().map(|http| watches(http)).sum();
        watched == (TARGETS * OBSERVERS) as u64
    });
}

/// One stands still for half a minute: the others are not misled, and it tells nothing either.
fn stopped(stage: &Stage, before: &BTreeSet<String>) {
    let (owner, _) = stage.owner("t0");
    let process = stage.group.members[owner].process.as_ref().unwrap();
    process.signal("STOP");
    let others: Vec<String> = stage.running_but(owner);
    let others_tell = || {
        let told = others.iter().flat_map(|http| verdicts(http));
        told.map(|told| told.key).collect::<BTreeSet<_>>()
    };
    stays("nothing is told of it", STOPPED, || {
        others_tell().is_subset(before)
    });
    process.signal("CONT");
    for http in stage.running() {
        holds("all live", || live(&http) == Some(MONITORS));
    }
    holds("it owns again", || stage.owner("t0").0 == owner);
    assert_eq!(stage.keys(), *before, "nothing is told of it");
}

struct Stage {
    group: Group,
    dying: Process,
    _living: Process,
    /// What those told who were killed.
    logs_of_the_dead: Vec<Vec<Told>>,
}

/// A verdict in the log of one monitor.
#[derive(Clone, Debug)]
struct Told {
    key: String,
    text: String,
    here: bool,
}

impl Stage {
    fn start() -> Self {
        let group = Group::start(MONITORS);
        let pulsers = |count: usize| {
            let count = count.to_string();
            let args = ["pulser", "--first-port", "0", "--count", &count];
            Process::start(args)
        };
        let (mut dying, mut living) = (pulsers(DYING), pulsers(TARGETS - DYING));
        for number in 0..TARGETS {
            let pulsers = if number < DYING {
                &mut dying
            } else {
                &mut living
            };
            let url = format!("http://{}/heartbeat", addr_in(&pulsers.line("http://")));
            let body = format!(
                r#"{{"signals":[{{"name":"http","url":"{url}","interval":"500ms","timeout":"400ms"}}]}}"#
            );
            let path = format!("PUT /v1/targets/t{number}");
            let http = &group.members[number % MONITORS].http;
            let json = "Content-Type: application/json\r\n";
            let answer = ask_within(PATIENCE, http, &path, json, &body).unwrap();
            assert!(answer.status < 300, "{answer:?}");
        }
        for member in &group.members {
            holds("all live", || live(&member.http) == Some(MONITORS));
        }
        Self {
            group,
            dying,
            _living: living,
            logs_of_the_dead: Vec::new(),
        }
    }

    /// Where those are reached that run.
    fn running(&self) -> Vec<String> {
        self.running_but(usize::MAX)
    }

    fn running_but(&self, left_out: usize) -> Vec<String> {
        let members = self.group.members.iter().enumerate();
        let running = members.filter(|(number, it)| it.runs() && *number != left_out);
        running.map(|(_, it)| it.http.clone()).collect()
    }

    fn target(&self, http: &str, id: &str) -> Value {
        get(http, &format!("/v1/targets/{id}"))
    }

    fn observers(&self, http: &str, id: &str) -> BTreeSet<String> {
        let target = self.target(http, id);
        let observers = target["observers"].as_array().cloned().unwrap_or_default();
        let names = observers.iter().filter_map(|it| it["monitor"].as_str());
        names.map(str::to_owned).collect()
    }

    /// Who owns a target: which member, by which name.
    fn owner(&self, id: &str) -> (usize, String) {
        let http = self.running()[0].clone();
        until("somebody owns it", || {
            let target = self.target(&http, id);
            let name = target["owner"].as_str()?;
            let number: usize = name.strip_prefix('m')?.parse().ok()?;
            Some((number - 1, name.to_owned()))
        })
    }

    fn log(&self, member: usize) -> Vec<Told> {
        verdicts(&self.group.members[member].http)
    }

    /// Waits until every monitor that runs told so many verdicts of this kind.
    fn told_everywhere(&self, part: &str, count: usize) {
        for http in self.running() {
            holds(part, || {
                let told = verdicts(&http);
                told.iter().filter(|it| it.text.contains(part)).count() >= count
            });
        }
    }

    /// The keys of all verdicts that anybody told, be it alive or dead.
    fn keys(&self) -> BTreeSet<String> {
        let told = self.running().into_iter().flat_map(|http| verdicts(&http));
        let dead = self.logs_of_the_dead.iter().flatten().cloned();
        told.chain(dead).map(|told| told.key).collect()
    }

    /// In no log twice, under one text each, and one notifies of it.
    fn check_that_each_is_told_once(&self) {
        let mut logs = self.logs_of_the_dead.clone();
        logs.extend(self.running().iter().map(|http| verdicts(http)));
        let mut texts: BTreeMap<&str, (&str, usize)> = BTreeMap::new();
        for log in &logs {
            let mut seen = BTreeSet::new();
            for told in log {
                assert!(seen.insert(&told.key), "twice in a log: {told:?}");
                let entry = texts.entry(&told.key).or_insert((&told.text, 0));
                assert_eq!(entry.0, told.text, "one key, one verdict");
                entry.1 += usize::from(told.here);
            }
        }
        for (key, (text, tellers)) in texts {
            assert!(tellers <= 1, "{tellers} notify of {key}: {text}");
        }
    }
}

/// What a monitor answers; null as long as it does not.
fn get(http: &str, path: &str) -> Value {
    let answer = ask_within(PATIENCE, http, &format!("GET {path}"), "", "");
    let answer = answer.ok().filter(|answer| answer.status == 200);
    answer.map_or(Value::Null, |it| {
        serde_json::from_str(&it.body).unwrap_or_default()
    })
}

fn verdicts(http: &str) -> Vec<Told> {
    let page = until("its events", || {
        let page = get(http, "/v1/events?since=0&limit=1000");
        page["events"].as_array().cloned()
    });
    let verdicts = page.iter().filter(|event| event["kind"] == "verdict");
    let told = verdicts.map(|event| Told {
        key: event["key"].as_str().unwrap().to_owned(),
        text: event["text"].as_str().unwrap().to_owned(),
        here: event["teller"] == "here",
    });
    told.collect()
}

fn metric(http: &str, name: &str) -> Vec<f64> {
    let answer = ask_within(PATIENCE, http, "GET /metrics", "", "");
    let text = answer.map_or_else(|_| String::new(), |answer| answer.body);
    let lines = text.lines().filter(|line| line.starts_with(name));
    let values = lines.filter_map(|line| line.rsplit(' ').next()?.parse().ok());
    values.collect()
}

/// How many monitors live, as this one knows.
fn live(http: &str) -> Option<usize> {
    let values = metric(http, "auscult_observers{state=\"live\"}");
    values.first().map(|value| *value as usize)
}

/// How many targets a monitor checks itself: those of which it has a level.
fn watches(http: &str) -> u64 {
    metric(http, "auscult_target_level{").len() as u64
}
