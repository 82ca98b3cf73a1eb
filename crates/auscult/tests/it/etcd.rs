//! Monitors that share their settings over an etcd, where there is one (Debian: etcd-server).

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use crate::group::pace::{holds, until};
use crate::http::{addr_in, ask, get};
use crate::process::{Process, auscult, run, stderr, stdout};

/// Killed when dropped.
pub(crate) struct Etcd {
    process: Option<Child>,
    client: String,
    peer: String,
    url: String,
    folder: TempDir,
}

impl Drop for Etcd {
    fn drop(&mut self) {
        self.kill();
    }
}

impl Etcd {
    /// `None` where none is installed; the reason is printed.
    #[expect(clippy::print_stdout, reason = "a test that is skipped says so")]
    pub(crate) fn start() -> Option<Self> {
        let free = || {
            let any = TcpListener::bind("127.0.0.1:0").unwrap();
            format!("127.0.0.1:{}", any.local_addr().unwrap().port())
        };
        let (client, peer) = (free(), free());
        let mut etcd = Self {
            process: None,
            url: format!("etcd://{client}/auscult"),
            client,
            peer,
            folder: TempDir::new().unwrap(),
        };
        match etcd.run() {
            Ok(()) => Some(etcd),
            Err(error) => {
                println!("skipped: etcd cannot be started ({error}); Debian has it in etcd-server");
                None
            }
        }
    }

    fn run(&mut self) -> std::io::Result<()> {
        let (client, peer) = (
            format!("http://{}", self.client),
            format!("http://{}", self.peer),
        );
        let process = Command::new("etcd")
            .arg("--data-dir")
            .arg(self.folder.path())
            .args(["--listen-client-urls", &client])
            .args(["--advertise-client-urls", &client])
            .args(["--listen-peer-urls", &peer])
            .args(["--initial-advertise-peer-urls", &peer])
            .args(["--initial-cluster", &format!("default={peer}")])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        self.process = Some(process);
        Ok(())
    }

    fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _gone = process.kill();
            let _reaped = process.wait();
        }
    }
}

fn monitor(etcd: &Etcd, folder: &TempDir) -> (Process, String) {
    let mut command = command(etcd, folder);
    let mut process = Process::spawn(&mut command);
    let http = addr_in(&process.line("page, API and metrics at "));
    (process, http)
}

fn command(etcd: &Etcd, folder: &TempDir) -> Command {
    let mut command = auscult(["serve", "--http-bind", "127.0.0.1:0", "--udp-bind", "none"]);
    command
        .args(["--settings", &etcd.url, "--datadir"])
        .arg(folder.path());
    command
}

/// One that the others know by a name.
pub(crate) fn named(etcd: &Etcd, folder: &TempDir, name: &str) -> (Process, String) {
    let mut command = command(etcd, folder);
    command.args(["--name", name]);
    let mut process = Process::spawn(&mut command);
    let http = addr_in(&process.line("page, API and metrics at "));
    (process, http)
}

#[test]
fn whoever_finds_no_settings_brings_those_of_its_file() {
    let Some(etcd) = Etcd::start() else { return };
    let folders = [(); 2].map(|()| TempDir::new().unwrap());
    let with_file = |folder: &TempDir, targets: &str| {
        let file = folder.path().join("settings.yml");
        std::fs::write(&file, format!("targets: [{targets}]\n")).unwrap();
        let mut command = command(&etcd, folder);
        command.arg("--config").arg(file);
        let mut process = Process::spawn(&mut command);
        let http = addr_in(&process.line("page, API and metrics at "));
        (process, http)
    };
    let (one, one_http) = with_file(&folders[0], "{id: shop, push: {}}");
    until("it is shared", || {
        let answer = get(&one_http, "/v1/targets/shop");
        (answer.status == 200).then_some(())
    });
    let (_two, two_http) = with_file(&folders[1], "{id: other, push: {}}");
    until("the second watches what the first brought", || {
        let answer = get(&two_http, "/v1/targets/shop");
        (answer.status == 200).then_some(())
    });
    let other = get(&two_http, "/v1/targets/other");
    assert_eq!(other.status, 404, "{other:?}");
    // What was deleted stays so, whatever the file says.
    let deleted = ask(&one_http, "DELETE", "/v1/targets/shop", "", "").unwrap();
    assert_eq!(deleted.status, 204, "{deleted:?}");
    drop(one);
    let (_one, one_http) = with_file(&folders[0], "{id: shop, push: {}}");
    until("it knows that the target is gone", || {
        let page = get(&one_http, "/v1/settings/targets?consistency=linearizable");
        let gone = get(&one_http, "/v1/targets/shop");
        (page.status == 200 && gone.status == 404).then_some(())
    });
}

#[test]
fn a_target_that_one_monitor_is_given_is_watched_by_all() {
    let Some(etcd) = Etcd::start() else { return };
    let (one_folder, two_folder) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let (one, one_http) = monitor(&etcd, &one_folder);
    let (_two, two_http) = monitor(&etcd, &two_folder);
    let add = |name: &str, http: &str| {
        run([
            "targets",
            "add",
            name,
            "--push",
            "1h",
            "--url",
            &format!("http://{http}"),
        ])
    };
    // Until etcd is there, changes are refused and everything else is served.
    assert_eq!(get(&one_http, "/-/healthy").status, 200);
    holds("etcd", || add("first", &one_http).status.success());
    let watches = |http: &str, name: &str| get(http, &format!("/v1/targets/{name}")).status == 200;
    holds("the other one", || watches(&two_http, "first"));
    let second = add("second", &two_http);
    assert!(second.status.success(), "{}", stderr(&second));
    let began = Instant::now();
    holds("the one", || watches(&one_http, "second"));
    assert!(began.elapsed() < Duration::from_secs(2));

    // Whoever starts again, with an empty folder, has them all.
    one.signal("KILL");
    one.end();
    let (_again, http) = monitor(&etcd, &TempDir::new().unwrap());
    holds("after a restart", || {
        watches(&http, "first") && watches(&http, "second")
    });
}

/// As monitors of a Raft group do: they find each other in etcd, tell each other what they see, and
/// come to one verdict, which one of them tells. etcd may be away meanwhile.
#[test]
fn three_monitors_that_find_each_other_in_etcd_come_to_one_verdict() {
    let Some(mut etcd) = Etcd::start() else {
        return;
    };
    let folders: Vec<TempDir> = (0..3).map(|_| TempDir::new().unwrap()).collect();
    let mut monitors: Vec<(Process, String)> = Vec::new();
    for (number, folder) in folders.iter().enumerate() {
        monitors.push(named(&etcd, folder, &format!("m{}", number + 1)));
    }
    let https: Vec<String> = monitors.iter().map(|(_, http)| http.clone()).collect();
    for http in &https {
        holds("all live", || {
            counts(http, "auscult_observers{state=\"live\"} 3")
        });
    }
    let mut pulser = Process::start(["pulser", "--first-port", "0", "--bind", "127.0.0.1"]);
    let url = format!("http://{}", addr_in(&pulser.line("http://")));
    let body =
        format!(r#"{{"signals":[{{"name":"http","url":"{url}/heartbeat","interval":"500ms"}}]}}"#);
    holds("it is watched", || {
        let json = "Content-Type: application/json\r\n";
        let answer = ask(&https[0], "PUT", "/v1/targets/web", json, &body);
        answer.is_ok_and(|answer| answer.status < 300)
    });
    let up = keys_told(&https, "web is up: ");
    assert_eq!(up.len(), 1, "all tell the same: {up:?}");
    for http in &https {
        let text = get(http, "/v1/targets/web").body;
        let target: Value = serde_json::from_str(&text).unwrap();
        let observers = target["observers"].as_array().unwrap();
        assert_eq!(observers.len(), 3, "each shows every observer: {text}");
    }
    let members = run([
        "cluster",
        "members",
        "--url",
        &format!("http://{}", https[2]),
    ]);
    for name in ["m1", "m2", "m3"] {
        assert!(stdout(&members).contains(name), "{}", stdout(&members));
    }

    // What they tell each other does not go over etcd.
    etcd.kill();
    pulser.signal("KILL");
    let down = keys_told(&https, "web is down: ");
    assert_eq!(down.len(), 1, "all tell the same: {down:?}");
    let tellers = https.iter().filter(|http| {
        let told = verdicts(http);
        let here = |event: &&Value| event["teller"] == "here" && event["key"] == down[0].as_str();
        told.iter().any(|event| here(&event))
    });
    assert_eq!(tellers.count(), 1, "one notifies");
    etcd.run().unwrap();

    the_next_one_owns_it_when_its_owner_dies(&monitors, &down[0]);
}

fn the_next_one_owns_it_when_its_owner_dies(monitors: &[(Process, String)], key: &str) {
    let https: Vec<&str> = monitors.iter().map(|(_, http)| http.as_str()).collect();
    let text = get(https[0], "/v1/targets/web").body;
    let target: Value = serde_json::from_str(&text).unwrap();
    let owner = target["owner"].as_str().unwrap().to_owned();
    let owns: usize = owner.trim_start_matches('m').parse().unwrap();
    monitors[owns - 1].0.signal("KILL");
    let left = https.iter().enumerate().filter(|(it, _)| it + 1 != owns);
    for http in left.map(|(_, http)| *http) {
        holds("it is taken over", || {
            let target: Value = serde_json::from_str(&get(http, "/v1/targets/web").body).unwrap();
            target["owner"].is_string() && target["owner"] != owner.as_str()
        });
        let again = verdicts(http);
        let down = again.iter().filter(|it| it["key"] == key);
        assert_eq!(down.count(), 1, "told once");
    }
}

#[test]
fn a_monitor_that_starts_while_etcd_is_away_watches_what_it_knew_and_says_so() {
    let Some(mut etcd) = Etcd::start() else {
        return;
    };
    let folder = TempDir::new().unwrap();
    let (one, http) = named(&etcd, &folder, "m1");
    let url = |http: &str| format!("http://{http}");
    holds("etcd", || {
        let added = run([
            "targets",
            "add",
            "job",
            "--push",
            "1h",
            "--url",
            &url(&http),
        ]);
        added.status.success()
    });
    holds("it is kept", || {
        let kept = std::fs::read_to_string(folder.path().join("etcd-settings"));
        kept.is_ok_and(|text| text.contains("job"))
    });
    one.signal("KILL");
    one.end();
    etcd.kill();
    let (_again, http) = named(&etcd, &folder, "m1");
    holds("it watches", || get(&http, "/v1/targets/job").status == 200);
    let said = until("it says so", || {
        let status = stdout(&run(["cluster", "status", "--url", &url(&http)]));
        status.contains("knew before").then_some(status)
    });
    assert!(said.contains("revision 1, "), "{said}");
    let refused = run([
        "targets",
        "add",
        "other",
        "--push",
        "1h",
        "--url",
        &url(&http),
    ]);
    assert!(!refused.status.success());
    etcd.run().unwrap();
    holds("it is as before", || {
        let added = run([
            "targets",
            "add",
            "other",
            "--push",
            "1h",
            "--url",
            &url(&http),
        ]);
        added.status.success()
    });
}

#[test]
fn a_password_in_the_address_is_refused_and_not_repeated() {
    let refused = run([
        "serve",
        "--settings",
        "etcd://me:not-to-be-seen@127.0.0.1:1",
    ]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(stderr(&refused).contains("--settings-password-file"));
    assert!(!stderr(&refused).contains("not-to-be-seen"));
}

pub(crate) fn counts(http: &str, line: &str) -> bool {
    get(http, "/metrics").body.contains(line)
}

/// The verdicts in a monitor's log.
fn verdicts(http: &str) -> Vec<Value> {
    let text = get(http, "/v1/events?since=0&limit=1000").body;
    let page: Value = serde_json::from_str(&text).unwrap();
    let events = page["events"].as_array().cloned().unwrap_or_default();
    let verdicts = events
        .into_iter()
        .filter(|event| event["kind"] == "verdict");
    verdicts.collect()
}

/// The keys under which all of them tell of something that begins so, each once.
fn keys_told(https: &[String], begin: &str) -> Vec<String> {
    let mut keys: Vec<String> = Vec::new();
    for http in https {
        let key = until(begin, || {
            let told = verdicts(http);
            let mut told = told.iter().filter(|it| {
                let text = it["text"].as_str();
                text.is_some_and(|text| text.starts_with(begin))
            });
            told.next().map(|it| it["key"].as_str().unwrap().to_owned())
        });
        keys.push(key);
    }
    keys.sort();
    keys.dedup();
    keys
}
