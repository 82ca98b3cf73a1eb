//! Scenarios as text, with what the machine says of them: see `tests/scenarios/*.txt`.
//!
//! A file is a script, a line `---`, and the events. The script's lines:
//! ```text
//! target web interval 1s [late 8] [down 16] [recovery 1] [grace 10s] [signals http,push]
//! remove web | pause web | resume web
//! beat web at 5s            # one arrival; web/push means the signal push of web
//! beat web at 0s..10s every 1s
//! fail web at 5s refused
//! run 30s                   # time goes on to 30 s, and all of the above up to then happens
//! stall 30s..60s [queued|lost]  # nobody calls; the beats meanwhile are fed, or not
//! ```
//! `AUSCULT_UPDATE_SCENARIOS=1 cargo test` writes the events anew.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use auscult_core::detector::{DetectorParams, PhiParams};
use auscult_core::id::TargetId;
use auscult_core::monitor::{
    Arrival, Change, Event, EventKind, Evidence, Failure, Input, Monitor, MonitorConfig, Output,
    SignalParams, Source,
};
use auscult_core::time::Instant;

use crate::drive::{at, params, signal, target_of};

#[test]
fn the_machine_says_of_each_scenario_what_its_file_says() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios");
    let mut files: Vec<_> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "txt"))
        .collect();
    files.sort();
    assert!(!files.is_empty(), "no scenarios in {}", folder.display());
    let update = std::env::var_os("AUSCULT_UPDATE_SCENARIOS").is_some();
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        let (script, expected) = text.split_once("---\n").unwrap_or((&text, ""));
        let found = Scenario::run(script);
        if update {
            std::fs::write(&file, format!("{script}---\n{found}")).unwrap();
        } else {
            assert_eq!(found, expected, "{}", file.display());
        }
    }
}

/// Something that the script wants to happen.
enum Deed {
    Beat(String),
    Fail(String, Failure),
}

struct Scenario {
    monitor: Monitor,
    now: Instant,
    /// In the order of their moments.
    deeds: Vec<(Instant, Deed)>,
    said: String,
}

impl Scenario {
    fn run(script: &str) -> String {
        let mut scenario = Self {
            monitor: Monitor::new(MonitorConfig::server(), 1, Instant::ORIGIN),
            now: Instant::ORIGIN,
            deeds: Vec::new(),
            said: String::new(),
        };
        for line in script.lines() {
            let words: Vec<&str> = line.split('#').next().unwrap().split_whitespace().collect();
            if !words.is_empty() {
                scenario.obey(&words);
            }
        }
        scenario.said
    }

    fn obey(&mut self, words: &[&str]) {
        match words {
            ["target", id, options @ ..] => self.put(id, options),
            ["remove", id] => self.apply(Change::Remove(TargetId::new(id).unwrap())),
            ["pause", id] => self.apply(Change::Pause(TargetId::new(id).unwrap())),
            ["resume", id] => self.apply(Change::Resume(TargetId::new(id).unwrap())),
            ["beat", id, "at", moment] => {
                self.plan(moment_of(moment), Deed::Beat((*id).to_owned()))
            }
            ["beat", id, "at", range, "every", step] => {
                let (mut moment, until) = range_of(range);
                while moment < until {
                    self.plan(moment, Deed::Beat((*id).to_owned()));
                    moment = moment.after(span_of(step));
                }
            }
            ["fail", id, "at", moment, code] => {
                let failure = failure_of(code);
                self.plan(moment_of(moment), Deed::Fail((*id).to_owned(), failure));
            }
            ["run", until] => self.run_until(moment_of(until)),
            ["stall", range, fate] => self.stall(range_of(range), fate),
            _ => panic!("{words:?} is no line of a scenario"),
        }
    }

    fn put(&mut self, id: &str, options: &[&str]) {
        let mut params = SignalParams { ..params() };
        let mut names = vec!["heartbeat"];
        for option in options.chunks(2) {
            match option {
                ["interval", span] => {
                    params.detector = DetectorParams::Phi(PhiParams {
                        first_heartbeat_estimate: span_of(span),
                        ..PhiParams::new()
                    });
                }
                ["late", level] => params.late = level.parse().unwrap(),
                ["down", level] => params.down = level.parse().unwrap(),
                ["recovery", count] => params.recovery_arrivals = count.parse().unwrap(),
                ["grace", span] => params.grace = span_of(span),
                ["signals", list] => names = list.split(',').collect(),
                _ => panic!("{option:?} is no option of a target"),
            }
        }
        let signals = names.into_iter().map(|name| signal(name, params.clone()));
        self.apply(Change::Put(target_of(id, signals.collect())));
    }

    fn apply(&mut self, change: Change) {
        self.monitor.apply(self.now, change).unwrap();
        self.listen();
    }

    fn plan(&mut self, moment: Instant, deed: Deed) {
        let place = self
            .deeds
            .partition_point(|&(planned, _)| planned <= moment);
        self.deeds.insert(place, (moment, deed));
    }

    fn run_until(&mut self, until: Instant) {
        loop {
            let deed = self.deeds.first().map(|&(moment, _)| moment);
            let wake = self.monitor.poll_timeout().map(|(moment, _)| moment);
            let Some(next) = deed
                .into_iter()
                .chain(wake)
                .min()
                .filter(|&next| next <= until)
            else {
                break;
            };
            self.now = next;
            self.monitor.handle(next, Input::Tick);
            if deed == Some(next) {
                let (_, deed) = self.deeds.remove(0);
                self.do_deed(next, deed);
            }
            self.listen();
        }
        self.now = until;
        self.monitor.handle(until, Input::Tick);
        self.listen();
    }

    fn do_deed(&mut self, moment: Instant, deed: Deed) {
        match deed {
            Deed::Beat(id) => {
                let (target, signal) = match id.split_once('/') {
                    Some((target, signal)) => (target, Some(signal)),
                    None => (&*id, None),
                };
                let arrival = Arrival {
                    source: Source::Name { target, signal },
                    received_at: moment,
                    sequence: None,
                    interval_hint: None,
                };
                self.monitor.handle(self.now, Input::Arrivals(&[arrival]));
            }
            Deed::Fail(id, failure) => {
                let view = self.monitor.target(&id).unwrap();
                let signal = view.signals().next().unwrap().key();
                let failed = Input::Failed {
                    signal,
                    at: moment,
                    failure,
                };
                self.monitor.handle(self.now, failed);
            }
        }
    }

    /// Nobody calls the machine; the deeds meanwhile are queued behind, or lost.
    fn stall(&mut self, (from, until): (Instant, Instant), fate: &str) {
        self.run_until(from);
        let count = self.deeds.partition_point(|&(moment, _)| moment <= until);
        let mut queued: Vec<_> = self.deeds.drain(..count).collect();
        match fate {
            "queued" => {}
            "lost" => queued.clear(),
            _ => panic!("{fate} is no fate"),
        }
        self.now = until;
        self.monitor.handle(until, Input::Tick);
        self.listen();
        for (moment, deed) in queued {
            self.do_deed(moment, deed);
        }
        self.monitor.handle(until, Input::Drained);
        self.listen();
    }

    fn listen(&mut self) {
        while let Some(output) = self.monitor.poll_output() {
            // Writing to a String cannot fail.
            let _ = match output {
                Output::Event(event) => writeln!(self.said, "{}", sentence(&event)),
                Output::Rejected(reason) => {
                    let now = seconds(self.now);
                    writeln!(self.said, "{now} rejected: {}", reason.as_str())
                }
                Output::Drain => writeln!(self.said, "{} drain", seconds(self.now)),
            };
        }
        self.monitor.check_invariants();
    }
}

fn sentence(event: &Event) -> String {
    let at = seconds(event.at);
    let who = event.target.as_ref().map_or("observer", |id| id.as_str());
    let what = match &event.kind {
        EventKind::Added => "added".to_owned(),
        EventKind::Replaced => "replaced".to_owned(),
        EventKind::Removed => "removed".to_owned(),
        EventKind::Transition { from, to, evidence } => {
            format!("{from} -> {to} {}", reason(evidence))
        }
        EventKind::SignalTransition { from, to, evidence } => {
            format!("({} {from} -> {to}) {}", evidence.signal, reason(evidence))
        }
        EventKind::Observed { .. }
        | EventKind::Verdict { .. }
        | EventKind::Isolated { .. }
        | EventKind::Rejoined { .. }
        | EventKind::ObserverIsolated { .. }
        | EventKind::ObserverRejoined { .. } => panic!("a monitor alone has no company"),
        EventKind::FlappingStarted { score } => format!("flapping {score:.3}"),
        EventKind::FlappingStopped { score } => format!("steady {score:.3}"),
        EventKind::Relearnt { interval, .. } => format!("relearnt {}", interval.as_secs_f64()),
        EventKind::ObserverSuspectsItself { overdue, judged } => {
            format!("suspects itself: {overdue} of {judged} overdue")
        }
        EventKind::ObserverTrustsItself { overdue, judged } => {
            format!("trusts itself: {overdue} of {judged} overdue")
        }
        EventKind::Stalled { since, span } => {
            format!(
                "stalled since {} for {:.3}s",
                seconds(*since),
                span.as_secs_f64()
            )
        }
        EventKind::Membership { code, .. } => (*code).to_owned(),
    };
    format!("{at} {who}: {what}")
}

fn reason(evidence: &Evidence) -> String {
    let mut text = format!(
        "({}, silent {:.3}s, level {:.3}, threshold {}",
        evidence.cause.as_str(),
        evidence.silence.as_secs_f64(),
        evidence.level.get(),
        evidence.threshold,
    );
    if let Some((moment, failure)) = evidence.last_failure {
        let _ = write!(text, ", {failure} at {}", seconds(moment));
    }
    text + ")"
}

fn seconds(moment: Instant) -> String {
    format!("{:.3}s", moment.as_nanos() as f64 / 1e9)
}

fn moment_of(text: &str) -> Instant {
    Instant::ORIGIN.after(span_of(text))
}

fn range_of(text: &str) -> (Instant, Instant) {
    let (from, until) = text.split_once("..").unwrap();
    (moment_of(from), moment_of(until))
}

/// `5s`, `250ms`, `2m`.
fn span_of(text: &str) -> Duration {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap();
    let (number, unit) = text.split_at(digits);
    let number = number.parse().unwrap();
    match unit {
        "ms" => at(number).since(Instant::ORIGIN),
        "s" => Duration::from_secs(number),
        "m" => Duration::from_secs(number * 60),
        _ => panic!("{unit} is no unit"),
    }
}

fn failure_of(code: &str) -> Failure {
    match code {
        "refused" => Failure::Refused,
        "timeout" => Failure::Timeout,
        "local" => Failure::Local,
        _ => panic!("{code} is no failure"),
    }
}
