//! The demo's other monitors: processes of their own, so that one can be killed.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::net::{IpAddr, SocketAddr, TcpListener, UdpSocket};
use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use tokio::process::{Child, Command};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::exit::{self, Exit, Stop};

/// Variables that would make a monitor something else than the demo wants.
const VARIABLES: [&str; 10] = [
    "AUSCULT_CONFIG",
    "AUSCULT_MONITOR_NAME",
    "AUSCULT_SETTINGS",
    "BOOTSTRAP",
    "DATA_DIR",
    "HTTP_BIND",
    "JOIN",
    "RAFT_ADVERTISE",
    "RAFT_BIND",
    "UDP_BIND",
];

/// How long a monitor may take to end when it is told to.
const END_MAX: Duration = Duration::from_secs(6);

/// Where a monitor of the demo is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) name: String,
    pub(super) http: SocketAddr,
    /// Its process.
    pub(super) pid: u32,
}

/// What a monitor is started with.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) name: String,
    pub(super) http: SocketAddr,
    pub(super) raft: SocketAddr,
    pub(super) join: SocketAddr,
    /// The demo's folder.
    pub(super) folder: PathBuf,
}

impl Plan {
    fn data(&self) -> PathBuf {
        self.folder.join(&self.name)
    }

    /// The flags of its first start.
    fn flags(&self) -> Vec<OsString> {
        let mut flags: Vec<OsString> = vec!["serve".into()];
        for (flag, value) in [
            ("--name", self.name.clone()),
            ("--http-bind", self.http.to_string()),
            ("--raft-bind", self.raft.to_string()),
            ("--join", self.join.to_string()),
        ] {
            flags.extend([flag.into(), value.into()]);
        }
        flags.extend(["--datadir".into(), self.data().into()]);
        flags
    }

    /// How somebody starts it again: the rest is remembered.
    fn again(&self, program: &str) -> String {
        let (http, data) = (self.http, self.data());
        format!(
            "{program} serve --http-bind {http} --datadir {}",
            data.display()
        )
    }

    fn start(&self) -> Result<Child, Stop> {
        let failed = |error| {
            let error = exit::in_words(&error);
            Stop::new(Exit::Cannot, format!("cannot start {}: {error}", self.name))
        };
        let log = std::fs::File::create(self.folder.join(format!("{}.log", self.name)));
        let mut command = Command::new(std::env::current_exe().map_err(failed)?);
        command
            .args(self.flags())
            // It ends when we do, whatever ends us: the pipe breaks.
            .arg("--end-with-stdin")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(log.map_err(failed)?)
            .kill_on_drop(true);
        for variable in VARIABLES {
            command.env_remove(variable);
        }
        command.spawn().map_err(failed)
    }
}

/// The running ones.
pub(super) struct Others {
    running: JoinSet<Ended>,
    stop: watch::Sender<bool>,
    program: String,
}

/// One that has ended.
struct Ended {
    plan: Plan,
    status: Option<ExitStatus>,
}

impl Others {
    pub(super) fn start(plans: &[Plan], program: &str) -> Result<(Self, Vec<Place>), Stop> {
        let (stop, _) = watch::channel(false);
        let mut others = Self {
            running: JoinSet::new(),
            stop,
            program: program.to_owned(),
        };
        let mut places = Vec::new();
        for plan in plans {
            let child = plan.start()?;
            places.push(Place {
                name: plan.name.clone(),
                http: plan.http,
                pid: child.id().unwrap_or(0),
            });
            let (plan, stopped) = (plan.clone(), others.stop.subscribe());
            others.running.spawn(look_after(plan, child, stopped));
        }
        Ok((others, places))
    }

    /// Waits until one of them ends, and says so.
    pub(super) async fn next_loss(&mut self) -> String {
        match self.running.join_next().await {
            Some(Ok(Ended { plan, status })) => {
                let how = status.map_or_else(String::new, how);
                let name = &plan.name;
                let log = plan.folder.join(format!("{name}.log"));
                let again = plan.again(&self.program);
                let log = log.display();
                format!(
                    "{name} {how}: the other monitors watch on (its log: {log})\n    \
                     to start it again: {again}\n"
                )
            }
            Some(Err(_)) | None => std::future::pending().await,
        }
    }

    /// Has all of them end.
    pub(super) fn stop(&self) {
        self.stop.send_replace(true);
    }

    /// Waits until all of them have ended.
    pub(super) async fn ended(mut self) {
        self.stop();
        let all = async { while self.running.join_next().await.is_some() {} };
        // What is left is killed when it is dropped.
        let _ended = tokio::time::timeout(END_MAX, all).await;
    }
}

async fn look_after(plan: Plan, mut child: Child, mut stopped: watch::Receiver<bool>) -> Ended {
    let stdin = child.stdin.take();
    let status = tokio::select! {
        status = child.wait() => status,
        () = async { let _told = stopped.wait_for(|stopped| *stopped).await.is_ok(); } => {
            drop(stdin);
            child.wait().await
        }
    };
    let status = status.ok();
    Ended { plan, status }
}

fn how(status: ExitStatus) -> String {
    match (status.signal(), status.code()) {
        (Some(9), _) => "was killed".into(),
        (Some(signal), _) => format!("was ended by signal {signal}"),
        (None, Some(code)) => format!("ended with exit code {code}"),
        (None, None) => "ended".into(),
    }
}

/// Ports for monitors: those that are wanted, or else free ones.
pub(super) struct Ports<'a> {
    ip: IpAddr,
    given: BTreeSet<u16>,
    /// Those that were wanted and are in use.
    taken: &'a mut Vec<u16>,
}

impl<'a> Ports<'a> {
    pub(super) fn new(ip: IpAddr, taken: &'a mut Vec<u16>) -> Self {
        Self {
            ip,
            given: BTreeSet::new(),
            taken,
        }
    }

    /// The port that stands so far behind the first one, at which one can listen over TCP and UDP.
    pub(super) fn next(&mut self, first: u16, behind: u16) -> Result<SocketAddr, Stop> {
        let wanted = first.checked_add(behind).filter(|_| first != 0);
        if let Some(port) = wanted {
            if self.is_free(port) {
                return Ok(self.give(port));
            }
            self.taken.push(port);
        }
        let none = |why: &str| Stop::new(Exit::Cannot, format!("there is no free port: {why}"));
        // A port that is free over TCP is rarely taken over UDP, but it happens.
        for _ in 0..100 {
            let any = TcpListener::bind(SocketAddr::new(self.ip, 0));
            let found = any.and_then(|listener| listener.local_addr());
            let port = found.map_err(|error| none(&exit::in_words(&error)))?.port();
            if self.is_free(port) {
                return Ok(self.give(port));
            }
        }
        Err(none("a hundred of them are taken over UDP"))
    }

    fn give(&mut self, port: u16) -> SocketAddr {
        self.given.insert(port);
        SocketAddr::new(self.ip, port)
    }

    fn is_free(&self, port: u16) -> bool {
        let addr = SocketAddr::new(self.ip, port);
        let binds = || TcpListener::bind(addr).is_ok() && UdpSocket::bind(addr).is_ok();
        !self.given.contains(&port) && binds()
    }
}
