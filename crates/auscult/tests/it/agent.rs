//! Members as processes: they join, freeze, die and leave.

use std::time::Duration;

use serde_json::Value;

use crate::process::Process;

#[test]
fn members_join_freeze_and_leave() {
    let mut first = start("first", &[]);
    let up = first.line("member first is up at ");
    let (_, address) = up.rsplit_once(' ').unwrap();
    let join = ["--join", address];
    let mut second = start("second", &join);
    let mut third = start("third", &join);
    // Each sees two others, in any order.
    for process in [&mut first, &mut second, &mut third] {
        process.line(" joined 127.0.0.1:");
        process.line(" joined 127.0.0.1:");
    }

    second.signal("STOP");
    for process in [&mut first, &mut third] {
        process.line("member second failed");
    }
    second.signal("CONT");
    for process in [&mut first, &mut third] {
        process.line("member second joined ");
    }
    // It was away, and says nothing of the others: they ran.
    second.signal("TERM");
    let (status, lines, _) = second.end();
    assert!(status.success());
    assert!(!lines.contains("failed"), "{lines}");
    for process in [&mut first, &mut third] {
        process.line_within("member second left", Duration::from_secs(5));
    }
}

/// Its port changes, too: nobody takes the second run for the first one.
#[test]
fn a_member_that_is_killed_and_started_again_at_once_takes_the_place_of_the_old_one() {
    let folder = tempfile::tempdir().unwrap();
    let snapshot = folder.path().join("second");
    let snapshot = snapshot.to_str().unwrap();
    let mut first = start("first", &[]);
    let address = address_in(&first.line("member first is up at "));
    let remembers = ["--join", &address, "--snapshot", snapshot];
    let mut incarnations = Vec::new();
    for _ in 0..3 {
        let mut second = start("second", &remembers);
        let at = address_in(&second.line("member second is up at "));
        // Dead before it said anything more than where it is.
        first.line(&format!(" {at}"));
        second.signal("KILL");
        second.end();
        let kept = std::fs::read_to_string(snapshot).unwrap();
        let kept = kept
            .lines()
            .find_map(|line| line.strip_prefix("incarnation "));
        incarnations.push(kept.unwrap().parse::<u64>().unwrap());
    }
    assert!(incarnations.is_sorted_by(|a, b| a < b), "{incarnations:?}");
}

/// Or an operator learns of a mistake when all the others are gone.
#[test]
fn a_seed_that_nobody_answers_is_named_although_another_one_does() {
    let mut first = start("first", &[]);
    let address = address_in(&first.line("member first is up at "));
    let nobody = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let nobody = nobody.local_addr().unwrap().to_string();
    let mut second = start("second", &["--join", &address, "--join", &nobody]);
    let said = second.log("another one let us in");
    assert!(said.contains(&nobody), "{said}");
}

#[test]
fn lines_can_be_objects() {
    let mut first = start("first", &["--log-format", "json"]);
    let up: Value = serde_json::from_str(&first.line("is up at")).unwrap();
    assert_eq!(
        (&up["event"], &up["member"]),
        (&"up".into(), &"first".into())
    );
    let (_, address) = up["text"].as_str().unwrap().rsplit_once(' ').unwrap();
    let _second = start("second", &["--join", address]);
    let joined: Value = serde_json::from_str(&first.line("second")).unwrap();
    assert_eq!(joined["event"], "joined");
    assert!(joined["id"].is_u64() && joined["at"].is_string());
}

fn start(name: &str, args: &[&str]) -> Process {
    let own = ["agent", "--name", name, "--bind", "127.0.0.1:0"];
    Process::start(own.iter().chain(args))
}

fn address_in(line: &str) -> String {
    line.rsplit(' ').next().unwrap().to_owned()
}
