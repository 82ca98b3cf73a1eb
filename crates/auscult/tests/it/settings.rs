//! `auscult apply` and `auscult settings` against a running monitor.

use std::process::Output;

use crate::process::{auscult, run_with_input, stderr, stdout};
use crate::serve::{Monitor, Server};

const FILE: &str = "\
groups:
- name: web
  labels: {team: x}
  targets:
  - {id: shop, url: \"http://127.0.0.1:9/\", interval: 1h}
targets:
- {id: job, push: {interval: 1d}}
";

struct Session {
    _monitor: Monitor,
    _server: Server,
    url: String,
}

impl Session {
    fn start() -> Self {
        let monitor = Monitor::new();
        let server = monitor.start(&[]);
        Self {
            url: format!("http://{}", server.http),
            _monitor: monitor,
            _server: server,
        }
    }

    fn run(&self, words: &str, input: &str) -> Output {
        let words = words.split(' ').map(str::to_owned);
        let args: Vec<String> = words.chain(["--url".into(), self.url.clone()]).collect();
        run_with_input(args, input)
    }

    fn says(&self, words: &str, input: &str, expected: &str) {
        let output = self.run(words, input);
        assert_eq!(
            (stdout(&output), stderr(&output)),
            (expected.to_owned(), String::new())
        );
        assert_eq!(output.status.code(), Some(0));
    }

    fn fails(&self, words: &str, input: &str, code: i32, part: &str) {
        let output = self.run(words, input);
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(code), "{words}: {said}");
        assert!(said.contains(part), "{words}: {said}");
        assert_eq!(stdout(&output), "");
    }
}

#[test]
fn a_file_is_planned_applied_and_pruned() {
    let session = Session::start();
    let plan = "\
+ group web (created)
    + labels.team: \"x\"
    + name: \"web\"
+ target job (created)
    + id: \"job\"
    + push.interval: \"1d\"
+ target shop (created)
    + group: \"web\"
    + id: \"shop\"
    + interval: \"1h\"
    + url: \"http://127.0.0.1:9/\"
plan for revision 0: 3 to create, 0 to replace, 0 to delete, 0 unchanged
";
    session.says("apply -f - --plan", FILE, plan);
    let done = "revision 1: 3 created, 0 replaced, 0 deleted, 0 unchanged\n";
    session.says("apply -f - --revision 0", FILE, done);
    session.fails("apply -f - --revision 0", FILE, 4, "changed meanwhile");
    let nothing = "nothing to do: 3 settings are as the file has them, revision 1\n";
    session.says("apply -f -", FILE, nothing);

    let less = FILE.replace(
        "- {id: job, push: {interval: 1d}}\n",
        "- {id: db, push: {}}\n",
    );
    let kept = "\
+ target db (created)
    + id: \"db\"
plan for revision 1: 1 to create, 0 to replace, 0 to delete, 2 unchanged
";
    let kept = kept.replace("    + id: \"db\"\n", "    + id: \"db\"\n    + push: {}\n");
    session.says("apply -f - --plan", &less, &kept);
    let pruned = "revision 2: 1 created, 0 replaced, 1 deleted, 2 unchanged\n";
    session.says("apply -f - --prune", &less, pruned);
    let history = stdout(&session.run("settings history --kind target --name job", ""));
    assert_eq!(history.lines().count(), 3, "{history}");
    assert!(history.contains("deleted target job"), "{history}");
    session.says("settings rm target db", "", "deleted db\n");
    session.fails("settings rm target db", "", 1, "there is no target");
    let shop = stdout(&session.run("settings get targets shop", ""));
    assert!(shop.starts_with("target shop\nrevision 1, by "), "{shop}");
    session.fails("settings get targets job", "", 1, "there is no target job");
}

#[test]
fn mistakes_are_told_where_they_stand_and_change_nothing() {
    let session = Session::start();
    let typo = "targets:\n- {id: a, puhs: {}}\n";
    let caret = "\n 2 | - {id: a, puhs: {}}\n   |           ^^^^\n  = help: did you mean `push`?";
    session.fails("apply -f -", typo, 1, caret);
    session.fails("apply -f no/such/file", "", 1, "cannot read no/such/file");
    let nowhere = "targets:\n- {id: a, push: {}, group: nowhere}\n";
    let reason = "target a refers to group nowhere, and there is none";
    session.fails("apply -f -", nowhere, 4, reason);
    session.fails("apply -f - --plan", nowhere, 4, reason);
    session.says("settings list", "", "no settings\n");
}

#[test]
fn a_token_closes_the_api_and_opens_it_to_whoever_shows_it() {
    let session = Session::start();
    session.fails(
        "settings token ci --role write",
        "",
        4,
        "no token with the role admin",
    );
    let made = session.run("settings token root --role admin", "");
    let secret = stdout(&made).trim().to_owned();
    assert!(
        secret.starts_with("auscult_") && secret.len() > 60,
        "{secret}"
    );
    assert!(stderr(&made).contains("shown this once"));
    session.fails("targets list", "", 4, "AUSCULT_TOKEN");
    let mut shown = auscult(["targets", "list", "--url", &session.url]);
    let shown = shown.env("AUSCULT_TOKEN", &secret).output().unwrap();
    assert_eq!(stdout(&shown), "no targets\n", "{}", stderr(&shown));
}
