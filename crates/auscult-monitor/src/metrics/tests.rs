//! What `/metrics` says, judged by the programs that will read it.

use std::io::Write;
use std::process::{Command, Stdio};

use super::families::SECTIONS;
use std::time::Duration;

use auscult_core::monitor::registry::Revision;

use super::*;
use crate::check::{CheckRunner, RunnerConfig, Sink};
use crate::clock::Clock;
use crate::shared::{Age, Monitor, MonitorId, MonitorStatus, Role, StoreCounters};
use auscult_core::monitor::Failure;
use auscult_core::time::Instant;

struct Nowhere;

impl Sink for Nowhere {
    fn arrival(&self, _key: crate::check::SignalKey, _at: Instant) {}
    fn failed(&self, _key: crate::check::SignalKey, _at: Instant, _failure: Failure) {}
}

fn name(number: usize) -> String {
    match number {
        0 => "größe/\"x\\y\"".to_owned(),
        _ => format!("shop/web-{number}"),
    }
}

fn example(targets: usize) -> Figures {
    let (targets, signals) = (0..targets)
        .map(name)
        .map(|id| {
            let target = TargetFigures {
                id: id.as_str().into(),
                labels: LabelText::new(&[("target", &id)]),
                info: LabelText::new(&[("target", &id), ("group", ""), ("label_team", "shop")]),
                server_name: LabelText::new(&[("server_name", &id)]),
                seen: true,
                status: Status::Late,
                flapping: false,
                transitions: 3,
                watched_seconds: 17.25,
                phi: Some(9.123_456_789),
                panel: Some(PanelFigures {
                    status: Status::Down,
                    dissent: 1,
                    owned: true,
                }),
            };
            let signal = SignalFigures {
                labels: LabelText::new(&[("target", &id), ("signal", "http")]),
                level: 9.123_456_789,
                last_arrival: Some(1_795_251_313.123),
                arrivals: 1_234,
                rhythm: Some(RhythmFigures {
                    mean_seconds: 1.000_25,
                    deviation_seconds: 0.5,
                }),
                checks: Some(CheckFigures {
                    count: 1_236,
                    seconds: 1.234_567,
                    failures: 2,
                    tls_expires_at: Some(1.8e9),
                }),
            };
            (target, signal)
        })
        .unzip();
    Figures {
        targets,
        signals,
        verdicts: VerdictFigures {
            rejected: vec![("duplicate", 1)],
            transitions: vec![(Status::Up, Status::Late, 7)],
            wakeups: vec![("deadline", 8)],
            ..VerdictFigures::default()
        },
        peers: PeerFigures::default(),
        datagrams: DatagramFigures {
            rejected: vec![("malformed", 0)],
            ..DatagramFigures::default()
        },
        membership: Some(membership()),
        observers: Some(observers()),
        http: http(),
        alerts: AlertFigures::example(),
        settings: settings(),
        cluster: Some(cluster()),
        history: Some(history()),
    }
}

fn membership() -> MembershipFigures {
    MembershipFigures {
        round_trips: vec![(LabelText::new(&[("member", "b")]), 0.000_3)],
        ..MembershipFigures::default()
    }
}

fn history() -> HistoryStatus {
    HistoryStatus {
        oldest_ms: [Some(1_790_000_000_000); 4],
        ..HistoryStatus::default()
    }
}

fn settings() -> SettingsFigures {
    SettingsFigures {
        last_successful: true,
        last_success_at: Some(1.79e9),
        ..SettingsFigures::default()
    }
}

fn cluster() -> StoreStatus {
    let monitor = |number: u64, role, lag| MonitorStatus {
        id: MonitorId(number),
        monitor: Monitor {
            name: format!("m{number}"),
            ..Monitor::default()
        },
        role,
        lag,
        heard: None,
    };
    StoreStatus {
        group: "g".to_owned(),
        id: MonitorId(1),
        role: Role::Leader,
        term: 3,
        leader: Some(MonitorId(1)),
        revision: Revision::new(12),
        age: Age(Some(Duration::from_millis(20))),
        log_last: 20,
        log_applied: 20,
        monitors: vec![
            monitor(1, Role::Leader, Some(0)),
            monitor(2, Role::Learner, Some(7)),
        ],
        trouble: None,
        counters: StoreCounters::default(),
    }
}

fn http() -> HttpFigures {
    HttpFigures {
        responses: vec![("2xx", 5)],
        problems: vec![("malformed", 0)],
        ..HttpFigures::default()
    }
}

fn observers() -> ObserverFigures {
    ObserverFigures {
        observers: vec![("live", 3)],
        batches: vec![("sent", 4)],
        items: vec![("sent", 5)],
        heartbeats: vec![("queued", 6)],
        ..ObserverFigures::default()
    }
}

fn text(format: Format) -> String {
    let config = RunnerConfig {
        threads: 1,
        sockets_max: 8,
    };
    let runner = CheckRunner::start(Nowhere, Clock::new(), config).expect("a runner");
    render(&example(2), runner.metrics(), format)
}

#[test]
fn every_family_of_the_table_has_a_sample_and_no_other_has() {
    let text = text(Format::Classic);
    let mut heads = text.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    for family in SECTIONS.iter().flat_map(|section| section.families) {
        let head = heads.next().unwrap_or_default();
        assert_eq!(head.split(' ').next(), Some(family.name), "in this order");
        let sample = |line: &str| line.starts_with(family.name);
        assert!(text.lines().any(sample), "{} has no sample", family.name);
    }
    assert_eq!(heads.next(), None);
}

#[test]
fn labels_are_those_of_the_table() {
    for line in text(Format::Classic)
        .lines()
        .filter(|line| !line.starts_with('#'))
    {
        let (name, rest) = line.split_at(line.find(['{', ' ']).expect("a value"));
        let family = SECTIONS
            .iter()
            .flat_map(|section| section.families)
            .find(|family| name.starts_with(family.name))
            .expect("a family");
        let labels = rest.split("\",").filter(|part| part.contains("=\""));
        for label in labels {
            let label = label
                .trim_start_matches('{')
                .split('=')
                .next()
                .unwrap_or_default();
            let known = family.labels.contains(&label)
                || label == "le"
                || (label.starts_with("label_") && family.labels.contains(&"label_*"));
            assert!(known, "{line}: {label}");
        }
    }
}

#[test]
fn promtool_finds_nothing_to_say() {
    judge("promtool", &["check", "metrics"], &text(Format::Classic));
}

/// The reference parser of OpenMetrics: `pip install prometheus-client`.
const STRICT: &str = "
import sys
try:
    from prometheus_client.openmetrics.parser import text_string_to_metric_families
except ImportError:
    print('skipped: no prometheus_client'); sys.exit(0)
families = list(text_string_to_metric_families(sys.stdin.read()))
assert len(families) > 40, len(families)
";

#[test]
fn the_strict_parser_of_open_metrics_takes_it() {
    judge("python3", &["-c", STRICT], &text(Format::OpenMetrics));
}

/// Pipes `input` through a program, which must find no fault; says so aloud when it is not there.
fn judge(program: &str, arguments: &[&str], input: &str) {
    let spawned = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let Ok(mut child) = spawned else {
        println!("skipped: no {program}");
        return;
    };
    let mut stdin = child.stdin.take().expect("piped");
    stdin.write_all(input.as_bytes()).expect("it reads");
    drop(stdin);
    let output = child.wait_with_output().expect("it ends");
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    if said.starts_with("skipped:") {
        println!("{said}");
        return;
    }
    assert!(
        output.status.success() && said.is_empty(),
        "{program}: {said}"
    );
}

#[test]
fn the_document_is_written_from_the_table() {
    crate::api::promise("metrics.md", &markdown());
}
