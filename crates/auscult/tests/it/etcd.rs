//! Monitors that share their settings over an etcd, where there is one (Debian: etcd-server).

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::http::{addr_in, get};
use crate::process::{PATIENCE, Process, auscult, run, stderr};

/// Killed when dropped.
struct Etcd {
    process: Child,
    url: String,
    _folder: TempDir,
}

impl Drop for Etcd {
    fn drop(&mut self) {
        let _gone = self.process.kill();
        let _reaped = self.process.wait();
    }
}

fn etcd() -> std::io::Result<Etcd> {
    let free = || {
        let any = TcpListener::bind("127.0.0.1:0").unwrap();
        format!("127.0.0.1:{}", any.local_addr().unwrap().port())
    };
    let (client, peer) = (free(), free());
    let (client_url, peer_url) = (format!("http://{client}"), format!("http://{peer}"));
    let folder = TempDir::new().unwrap();
    let process = Command::new("etcd")
        .arg("--data-dir")
        .arg(folder.path())
        .args(["--listen-client-urls", &client_url])
        .args(["--advertise-client-urls", &client_url])
        .args(["--listen-peer-urls", &peer_url])
        .args(["--initial-advertise-peer-urls", &peer_url])
        .args(["--initial-cluster", &format!("default={peer_url}")])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    Ok(Etcd {
        process,
        url: format!("etcd://{client}/auscult"),
        _folder: folder,
    })
}

fn monitor(etcd: &Etcd, folder: &TempDir) -> (Process, String) {
    let mut command = auscult(["serve", "--http-bind", "127.0.0.1:0", "--udp-bind", "none"]);
    command
        .args(["--settings", &etcd.url, "--datadir"])
        .arg(folder.path());
    let mut process = Process::spawn(&mut command);
    let http = addr_in(&process.line("page, API and metrics at "));
    (process, http)
}

fn until(what: &str, holds: impl Fn() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < end, "not in time: {what}");
        std::thread::yield_now();
    }
}

#[test]
fn a_target_that_one_monitor_is_given_is_watched_by_all() {
    let etcd = match etcd() {
        Ok(etcd) => etcd,
        Err(error) => {
            println!("skipped: etcd cannot be started ({error}); Debian has it in etcd-server");
            return;
        }
    };
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
    until("etcd", || add("first", &one_http).status.success());
    let watches = |http: &str, name: &str| get(http, &format!("/v1/targets/{name}")).status == 200;
    until("the other one", || watches(&two_http, "first"));
    let second = add("second", &two_http);
    assert!(second.status.success(), "{}", stderr(&second));
    let began = Instant::now();
    until("the one", || watches(&one_http, "second"));
    assert!(began.elapsed() < Duration::from_secs(2));

    // Whoever starts again, with an empty folder, has them all.
    one.signal("KILL");
    one.end();
    let (_again, http) = monitor(&etcd, &TempDir::new().unwrap());
    until("after a restart", || {
        watches(&http, "first") && watches(&http, "second")
    });
}
