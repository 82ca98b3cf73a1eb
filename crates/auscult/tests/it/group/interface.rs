//! What programs of phi-accrual-multi-monitor ask of a group, of any of its monitors.

use std::collections::BTreeMap;
use std::fs;

use serde_json::Value;
use tempfile::TempDir;

use super::pace::until;
use super::{Group, voters};
use crate::http::ask;
use crate::process::auscult;

/// As its README has it.
const TARGET: &str = r#"{"id":10,"url":"http://127.0.0.1:9/heartbeat","monitor":{"threshold":16.0,
"maxSampleSize":200,"minStdDeviationMillis":500,"acceptableHeartbeatPauseMillis":0,
"firstHeartbeatEstimateMillis":500}}"#;

/// As it has them, with a name in the form of a later version.
const SERVERS: &str = "
servers:
- {id: 1, url: 'http://127.0.0.1:9/heartbeat'}
- {name: two, url: 'http://127.0.0.1:9/heartbeat', monitor: {threshold: 8.0}}
";

const JSON: &str = "Content-Type: application/json\r\nAccept: application/json\r\n";

#[test]
fn a_monitor_is_taken_in_by_any_other_and_settings_are_changed_at_any() {
    let mut group = Group::start(2);
    let leader = group.until_led();
    let newcomer = alone(&group);
    let body = format!("{{\"address\":\"{}\"}}", newcomer.raft);
    // The one that does not lead is asked.
    let asked = &group.members[1 - leader].http;
    let answer = ask(asked, "POST", "/cluster/join/", JSON, &body).unwrap();
    assert_eq!(answer.status, 200, "{answer:?}");
    assert!(
        answer.body.contains("Successfully joined the cluster"),
        "{answer:?}"
    );
    group.members.push(newcomer);
    group.until_all_vote();
    let views = group.members.iter().map(|member| member.cluster().unwrap());
    let views: Vec<Value> = views.collect();
    for (which, view) in views.iter().enumerate() {
        assert_eq!(voters(view), 3, "{view}");
        assert_eq!(view["group"], views[0]["group"]);
        let all = view["monitors"].as_array().unwrap();
        let me: Vec<&Value> = all.iter().filter(|it| it["me"] == true).collect();
        assert_eq!(me.len(), 1, "{view}");
        assert_eq!(me[0]["raft"], group.members[which].raft.as_str());
        assert_eq!(me[0]["http"], group.members[which].http.as_str());
    }

    let follower = (group.until_led() + 1) % 3;
    let put = ask(
        &group.members[follower].http,
        "PUT",
        "/config",
        JSON,
        TARGET,
    );
    let put = put.unwrap();
    assert_eq!(put.status, 200, "{put:?}");
    assert!(put.body.contains("Config patched successfully"), "{put:?}");
    for member in &group.members {
        until("it is watched everywhere", || {
            let target = member.get("/v1/targets/10").ok()?;
            let config = member.get("/config").ok()?;
            let is_there = target.status == 200 && config.body.contains("/heartbeat");
            is_there.then_some(())
        });
    }
    let refused = ask(asked_of(&group, follower), "PUT", "/config", JSON, "{}").unwrap();
    assert_eq!(refused.status, 400, "{refused:?}");
}

/// The group of the README of phi-accrual-multi-monitor: one monitor has the file.
#[test]
fn a_group_begins_with_the_file_of_the_monitor_that_begins_it() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("servers.yml");
    fs::write(&file, SERVERS).unwrap();
    let with_file = |mut args: Vec<String>| {
        args.extend(["--config".to_owned(), file.display().to_string()]);
        auscult(args)
    };
    let mut group = Group::start(0);
    group.add(with_file);
    group.add(auscult);
    // Another one has the same file, as all have that are made of one template.
    group.add(with_file);
    let expected = BTreeMap::from([("1".to_owned(), 1), ("two".to_owned(), 1)]);
    until("all have what the file says", || {
        (group.until_agreed() == expected).then_some(())
    });
    for member in &group.members {
        until("it is watched everywhere", || {
            let metrics = member.get("/metrics").ok()?.body;
            let names = ["server1", "two"].map(|name| format!("server_name=\"{name}\""));
            names
                .iter()
                .all(|name| metrics.contains(name))
                .then_some(())
        });
    }

    // From now on the group's settings are changed, and not the file.
    let founder = group.members[0].http.clone();
    let deleted = ask(&founder, "DELETE", "/v1/targets/two", "", "").unwrap();
    assert_eq!(deleted.status, 204, "{deleted:?}");
    group.kill(0);
    let member = &mut group.members[0];
    let mut args = super::args(&member.folder, &member.http);
    args.push("--bootstrap".to_owned());
    let (process, ..) = super::launch(&mut with_file(args));
    member.process = Some(process);
    group.until_led();
    let left: Vec<String> = group.until_agreed().into_keys().collect();
    assert_eq!(left, ["1"]);
    until("it is watched by nobody", || {
        let gone = |member: &super::Member| {
            let answer = member.get("/v1/targets/two");
            answer.is_ok_and(|answer| answer.status == 404)
        };
        group.members.iter().all(gone).then_some(())
    });
}

fn asked_of(group: &Group, which: usize) -> &str {
    &group.members[which].http
}

/// A monitor that could be taken into the group.
fn alone(group: &Group) -> super::Member {
    let folder = TempDir::new().unwrap();
    let address = format!("{}:0", group.address);
    let mut args = super::args(&folder, &address);
    args.extend(["--bootstrap", "--name", "m3", "--raft-bind", &address].map(str::to_owned));
    let (process, http, raft) = super::launch(&mut auscult(args));
    super::Member {
        folder,
        process: Some(process),
        http,
        raft,
    }
}
