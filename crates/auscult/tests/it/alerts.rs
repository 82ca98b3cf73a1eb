//! `auscult alerts`, as somebody who is on call uses it.

use crate::group::pace::until;
use crate::process::{run, stderr, stdout};
use crate::serve::{Monitor, Server};

/// A job that is never heard of, and two receivers: one that is there and one that is not.
const SETTINGS: &str = "
targets:
- {id: backup, push: {interval: 200ms}, grace: 1s, labels: {env: prod}}
receivers:
- {name: journal, type: log, group_wait: 0s}
- {name: pager, type: webhook, url: \"http://127.0.0.1:9/\", group_wait: 0s, timeout: 1s}
";

struct Session {
    url: String,
    _monitor: Monitor,
    _server: Server,
}

impl Session {
    fn start() -> Self {
        let monitor = Monitor::new();
        let settings = monitor.settings(SETTINGS).display().to_string();
        let server = monitor.start(&["-c", &settings]);
        Self {
            url: format!("http://{}", server.http),
            _monitor: monitor,
            _server: server,
        }
    }

    /// The exit code and what was said on both outputs.
    fn alerts(&self, words: &[&str]) -> (i32, String, String) {
        let command = [&["alerts"], words, &["--url", &self.url]].concat();
        let output = run(command);
        let code = output.status.code().unwrap();
        (code, stdout(&output), stderr(&output))
    }

    /// What is said when all is well.
    fn said(&self, words: &[&str]) -> String {
        let (code, said, complained) = self.alerts(words);
        assert_eq!(code, 0, "{words:?}: {complained}");
        said
    }

    fn firing(&self) -> String {
        until("it fires", || {
            let list = self.said(&["list"]);
            let line = list.lines().find(|line| line.contains("backup"))?;
            line.contains("firing").then(|| line.to_owned())
        })
    }
}

#[test]
fn an_alert_is_listed_acknowledged_silenced_and_gone_on_with() {
    let session = Session::start();
    let line = session.firing();
    assert!(line.contains("never heard within its grace"), "{line}");
    let id = line.split(' ').next().unwrap();

    let said = session.said(&["ack", id, "--comment", "looking"]);
    assert!(said.contains(id), "{said}");
    let list = session.said(&["list"]);
    assert!(list.contains("acknowledged by"), "{list}");
    let (code, _, complained) = session.alerts(&["ack", &"0".repeat(32)]);
    assert_eq!(code, 1, "{complained}");

    let said = session.said(&["silence", "target=back*", "--comment", "x"]);
    let hints = said.contains("0 alerts") && said.contains("target=~back*");
    assert!(hints, "{said}");
    let silence = [
        "silence",
        "env=prod",
        "--hours",
        "2",
        "--comment",
        "moving",
        "--name",
        "mine",
    ];
    let said = session.said(&silence);
    assert!(said.contains("mine") && said.contains("1 alert"), "{said}");
    let list = session.said(&["silences"]);
    assert!(
        list.contains("moving") && list.contains("env=prod"),
        "{list}"
    );
    session.said(&["unsilence", "mine"]);
    let list = session.said(&["silences"]);
    assert!(!list.contains("moving"), "{list}");
}

#[test]
fn a_receiver_is_tried_and_it_is_said_what_was_sent_or_why_not() {
    let session = Session::start();
    let said = session.said(&["test", "journal"]);
    assert!(said.starts_with("delivered to journal:"), "{said}");
    assert!(said.contains("this is a test of the receiver"), "{said}");

    let (code, _, complained) = session.alerts(&["test", "pager"]);
    assert_eq!(code, 4, "{complained}");
    assert!(complained.contains("Connection refused"), "{complained}");

    let (code, _, complained) = session.alerts(&["test", "pagr"]);
    assert_eq!(code, 1, "{complained}");
    let known = complained.contains("journal, pager");
    assert!(known && complained.contains("\"pagr\""), "{complained}");

    session.firing();
    until("the one that is down is shown", || {
        let list = session.said(&["receivers"]);
        let line = list.lines().find(|line| line.starts_with("pager"))?;
        let failures: u32 = line.split_whitespace().nth(3)?.parse().ok()?;
        (failures > 0).then_some(())
    });
}
