//! A minority that is cut off: it refuses changes, goes on showing what it knows, and catches up.

use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

use super::pace::until;
use crate::lab::net::{Net, address};
use crate::process::Process;

const MONITORS: usize = 3;

#[test]
fn a_minority_refuses_changes_and_catches_up() {
    if let Err(reason) = Net::new(1) {
        println!("skipped: {reason}");
        return;
    }
    let stage = Stage::start();
    until("it is made", || stage.put(1, "before").made());
    let leader = stage.leader();
    // Once the one that leads, and once one that does not.
    stage.is_cut_off(leader, "first");
    let follower = (stage.leader() + 1) % MONITORS;
    stage.is_cut_off(follower, "second");
}

struct Stage {
    net: Net,
    _monitors: Vec<Process>,
    _folders: Vec<TempDir>,
}

/// What curl printed: head and body.
struct Told(String);

impl Told {
    fn is(&self, status: &str) -> bool {
        self.0.starts_with(&format!("HTTP/1.1 {status}"))
    }

    fn made(&self) -> Option<()> {
        (self.is("200") || self.is("201")).then_some(())
    }

    fn json(&self) -> Value {
        let body = self.0.split_once("\r\n\r\n").map_or("", |(_, body)| body);
        serde_json::from_str(body).unwrap_or_default()
    }
}

impl Stage {
    fn start() -> Self {
        let net = Net::new(MONITORS).unwrap();
        let folders: Vec<_> = (0..MONITORS).map(|_| TempDir::new().unwrap()).collect();
        let mut monitors = Vec::new();
        for (host, folder) in folders.iter().enumerate() {
            let mut command = net.command(host, env!("CARGO_BIN_EXE_auscult"));
            command.args(["serve", "--name", &format!("m{}", host + 1)]);
            command.args(["--raft-bind", &format!("{}:7000", address(host))]);
            command.args(["--http-bind", "127.0.0.1:8000", "--udp-bind", "none"]);
            command.arg("--datadir").arg(folder.path());
            // All are started alike.
            let join = format!("{}:7000,{}:7000", address(0), address(1));
            command.args(["--join", &join]);
            monitors.push(Process::spawn(&mut command));
        }
        for monitor in &mut monitors {
            monitor.line("127.0.0.1:8000");
        }
        let stage = Self {
            net,
            _monitors: monitors,
            _folders: folders,
        };
        until("all vote", || {
            let voters = |host| super::voters(&stage.cluster(host));
            (0..MONITORS)
                .all(|host| voters(host) == MONITORS)
                .then_some(())
        });
        stage
    }

    /// One host is cut off, and the settings named so are changed at the others meanwhile.
    fn is_cut_off(&self, alone: usize, name: &str) {
        let other = (alone + 1) % MONITORS;
        self.net.cut_off(alone);
        until("it knows that it is alone", || {
            self.cluster(alone)["leader"].is_null().then_some(())
        });
        let refused = self.put(alone, &format!("{name}-refused"));
        assert!(refused.is("503"), "{}", refused.0);
        let head = refused.0.to_ascii_lowercase();
        assert!(head.contains("\r\nretry-after: "), "{head}");
        let kind = refused.json()["type"].clone();
        assert_eq!(kind, "urn:auscult:problem:no_leader", "{}", refused.0);
        until("the others go on", || self.put(other, name).made());
        let behind = self.get(alone, &format!("/v1/settings/targets/{name}"));
        assert!(behind.is("404"), "{}", behind.0);
        let unconfirmed = "/v1/settings/targets/before?consistency=linearizable";
        let unconfirmed = self.get(alone, unconfirmed);
        assert!(unconfirmed.is("503"), "{}", unconfirmed.0);
        let known = self.get(alone, "/v1/settings/targets/before");
        assert!(known.is("200"), "{}", known.0);

        self.net.heal();
        until("it catches up", || {
            let found = self.get(alone, &format!("/v1/settings/targets/{name}"));
            found.is("200").then_some(())
        });
        until("it decides again", || {
            self.put(alone, &format!("{name}-after")).made()
        });
        for host in 0..MONITORS {
            let path = format!("/v1/settings/targets/{name}-refused?consistency=linearizable");
            let found = self.get(host, &path);
            assert!(
                found.is("404"),
                "what was refused is not there: {}",
                found.0
            );
        }
    }

    fn leader(&self) -> usize {
        until("one leads", || {
            (0..MONITORS).find(|&host| {
                let view = self.cluster(host);
                view["role"] == "leader" && view["leader"] == view["id"]
            })
        })
    }

    fn cluster(&self, host: usize) -> Value {
        self.get(host, "/v1/cluster").json()
    }

    fn get(&self, host: usize, path: &str) -> Told {
        self.curl(host, &[], path)
    }

    fn put(&self, host: usize, name: &str) -> Told {
        let body = r#"{"push":{"interval":"1d"}}"#;
        let path = format!("/v1/settings/targets/{name}");
        self.curl(host, &["-X", "PUT", "-d", body], &path)
    }

    fn curl(&self, host: usize, args: &[&str], path: &str) -> Told {
        let mut command: Command = self.net.command(host, "curl");
        let url = format!("http://127.0.0.1:8000{path}");
        let output = command
            .args(["-s", "-i", "-m", "5"])
            .args(args)
            .arg(url)
            .output();
        Told(String::from_utf8(output.unwrap().stdout).unwrap())
    }
}
