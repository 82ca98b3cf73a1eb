//! Several monitors that share settings, as processes of their own: killed, stopped, cut off,
//! without room on the disk, started again and joined by others.

pub(crate) mod disk;
mod five;
mod interface;
mod leader;
mod membership;
pub(crate) mod pace;
mod partition;
mod peers;
mod writer;

use std::collections::BTreeMap;
use std::io;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use crate::http::{Answer, addr_in, ask_within};
use crate::process::{Process, auscult};

use pace::until;

/// How long a monitor may take to answer: longer than it waits for a leader.
const PATIENCE: Duration = Duration::from_secs(5);

/// Monitors on an address of the loopback device that nobody else uses, so that each finds its
/// ports free again when it is started again.
struct Group {
    address: String,
    members: Vec<Member>,
}

struct Member {
    folder: TempDir,
    process: Option<Process>,
    http: String,
    raft: String,
}

impl Group {
    /// So many monitors, all of which vote.
    fn start(count: usize) -> Self {
        static GROUPS: AtomicU32 = AtomicU32::new(0);
        let number = GROUPS.fetch_add(1, Ordering::Relaxed);
        let pid = std::process::id();
        let [.., high, low] = pid.to_be_bytes();
        let address = format!("127.{}.{low}.{}", 64 + high % 128, 1 + number % 250);
        let members = Vec::new();
        let mut group = Self { address, members };
        for _ in 0..count {
            group.add(auscult);
        }
        group
    }

    /// Starts one more with a command of its own, and waits until all vote.
    fn add(&mut self, command: impl FnOnce(Vec<String>) -> Command) {
        let number = self.members.len();
        let folder = TempDir::new().unwrap();
        let address = format!("{}:0", self.address);
        let mut args = args(&folder, &address);
        args.extend(["--name".to_owned(), format!("m{}", number + 1)]);
        args.extend(["--raft-bind".to_owned(), address]);
        match self.members.first() {
            None => args.push("--bootstrap".to_owned()),
            Some(first) => args.extend(["--join".to_owned(), first.raft.clone()]),
        }
        let (process, http, raft) = launch(&mut command(args));
        self.members.push(Member {
            folder,
            process: Some(process),
            http,
            raft,
        });
        self.until_all_vote();
    }

    fn until_all_vote(&self) {
        let count = self.members.len();
        until("all vote", || {
            let all = self.members.iter().filter(|member| member.runs());
            let voters = all.map(|member| member.cluster().map_or(0, |view| voters(&view)));
            voters
                .into_iter()
                .all(|voters| voters == count)
                .then_some(())
        });
    }

    fn kill(&mut self, which: usize) {
        let process = self.members[which].process.take().unwrap();
        process.signal("KILL");
        let _ended = process.end();
    }

    /// Starts one again that does not run, and is told nothing of its group.
    fn restart(&mut self, which: usize) {
        let member = &mut self.members[which];
        let mut command = auscult(args(&member.folder, &member.http));
        let (process, http, raft) = launch(&mut command);
        assert_eq!((&http, &raft), (&member.http, &member.raft));
        member.process = Some(process);
    }

    /// Who leads and can decide, as it says itself.
    fn leader(&self) -> Option<usize> {
        self.members.iter().position(|member| {
            let view = member.runs().then(|| member.cluster()).flatten();
            view.is_some_and(|view| view["role"] == "leader" && view["leader"] == view["id"])
        })
    }

    fn until_led(&self) -> usize {
        until("one leads", || self.leader())
    }

    /// The settings with their revisions, which are the same at all that run.
    fn until_agreed(&self) -> BTreeMap<String, u64> {
        let all = until("all show what is acknowledged", || {
            let running = self.members.iter().filter(|member| member.runs());
            let all: Option<Vec<_>> = running.map(Member::settings).collect();
            all
        });
        for settings in &all {
            assert_eq!(settings, &all[0], "all have the same");
        }
        all.into_iter().next().unwrap()
    }
}

/// What they say is shown where a test fails.
impl Drop for Group {
    #[expect(clippy::print_stdout, reason = "only a test that fails prints it")]
    fn drop(&mut self) {
        if !std::thread::panicking() {
            return;
        }
        for member in &self.members {
            println!("{}: {:#?}", member.http, member.cluster());
            if let Some(process) = &member.process {
                println!("{}", process.log_so_far());
            }
        }
    }
}

impl Member {
    const fn runs(&self) -> bool {
        self.process.is_some()
    }

    fn process(&mut self) -> &mut Process {
        self.process.as_mut().unwrap()
    }

    fn get(&self, path: &str) -> io::Result<Answer> {
        ask_within(PATIENCE, &self.http, &format!("GET {path}"), "", "")
    }

    /// What it says of the group.
    fn cluster(&self) -> Option<Value> {
        let answer = self.get("/v1/cluster").ok()?;
        serde_json::from_str(&answer.body).ok()
    }

    fn put(&self, name: &str) -> io::Result<Answer> {
        put(&self.http, name)
    }

    /// Puts so many settings, named with what they begin with.
    fn put_all(&self, prefix: &str, count: usize) {
        for number in 0..count {
            let answer = self.put(&format!("{prefix}{number}")).unwrap();
            assert!(answer.status < 300, "{answer:?}");
        }
    }

    /// All targets that were acknowledged by now, with their revisions.
    fn settings(&self) -> Option<BTreeMap<String, u64>> {
        let mut all = BTreeMap::new();
        let first = "/v1/settings/targets?limit=1000&consistency=linearizable";
        let mut path = first.to_owned();
        loop {
            let answer = self.get(&path).ok().filter(|answer| answer.status == 200)?;
            let page: Value = serde_json::from_str(&answer.body).ok()?;
            for setting in page["settings"].as_array()? {
                let name = setting["name"].as_str()?.to_owned();
                all.insert(name, setting["revision"].as_u64()?);
            }
            let Some(next) = page["next"].as_str() else {
                return Some(all);
            };
            path = format!("{first}&cursor={next}");
        }
    }
}

/// Puts a target that is never checked.
fn put(http: &str, name: &str) -> io::Result<Answer> {
    let what = format!("PUT /v1/settings/targets/{name}");
    ask_within(PATIENCE, http, &what, "", r#"{"push":{"interval":"1d"}}"#)
}

/// How many vote, as this view has it.
fn voters(view: &Value) -> usize {
    let monitors = view["monitors"].as_array().map_or(&[][..], Vec::as_slice);
    let voters = monitors
        .iter()
        .filter(|monitor| monitor["role"] != "learner");
    voters.count()
}

fn args(folder: &TempDir, http: &str) -> Vec<String> {
    let data = folder.path().display().to_string();
    [
        "serve",
        "--udp-bind",
        "none",
        "--http-bind",
        http,
        "--datadir",
        &data,
    ]
    .map(str::to_owned)
    .into()
}

/// Starts a monitor, and tells where it is reached by clients and by the others.
fn launch(command: &mut Command) -> (Process, String, String) {
    let mut process = Process::spawn(command);
    let http = addr_in(&process.line("http://"));
    let line = process.line("reach it at ");
    let raft = line.split("reach it at ").nth(1).unwrap();
    let raft = raft.split(';').next().unwrap().to_owned();
    (process, http, raft)
}
