//! One monitor has no room on its disk.

use std::fs::{self, File};
use std::io::{ErrorKind, Write as _};
use std::path::PathBuf;
use std::process::Command;

use super::Group;
use super::pace::until;
use crate::http::ask;
use crate::process::auscult;

/// Enough for a monitor that starts.
const ROOM: &str = "size=24m";

/// So many of this length fill what a journal has left, and find room when there is some again.
const VALUES: usize = 60;
const VALUE_BYTES: usize = 40_000;

const JSON: &str = "Content-Type: application/json\r\n";

/// Mounts the folder in memory, seen by the program alone.
const MOUNT: &str = r#"mount -t tmpfs -o "$1" tmpfs "$2" && shift 2 && exec "$@""#;

#[test]
fn one_without_room_says_so_and_the_others_go_on() {
    if let Err(reason) = may_mount() {
        println!("skipped: {reason}");
        return;
    }
    let mut group = Group::start(2);
    group.add(in_memory);
    let full = 2;
    group.members[0].put_all("a", 1);
    let mut filler = Filler::beside(&group);
    // What cannot be written down makes it stop.
    let body = format!("{{\"value\":\"{}\"}}", "x".repeat(VALUE_BYTES));
    let mut number = 0;
    until("it says that there is no room", || {
        // A journal that is opened again gives back what it does not need.
        filler.take_all();
        if number < VALUES {
            number += 1;
            let path = format!("/keys/large{number}/");
            let answer = ask(&group.members[0].http, "POST", &path, JSON, &body).ok()?;
            assert_eq!(answer.status, 200, "the others go on: {answer:?}");
        }
        let view = group.members[full].cluster()?;
        let trouble = view["trouble"].as_str()?;
        trouble.contains("there is no room").then_some(())
    });
    let metrics = group.members[full].get("/metrics").unwrap().body;
    assert!(metrics.contains("\nauscult_cluster_stopped 1"), "{metrics}");
    let health = group.members[full].get("/-/healthy").unwrap();
    assert_eq!(health.status, 200, "watching goes on");
    group.members[1].put_all("b", 20);
    let shown = group.members[full].get("/v1/settings/targets/a0").unwrap();
    assert_eq!(shown.status, 200, "it shows what it had: {shown:?}");

    filler.give_back();
    until("it takes part again", || {
        let view = group.members[full].cluster()?;
        (view["role"] == "follower" && view["trouble"].is_null()).then_some(())
    });
    assert_eq!(group.until_agreed().len(), 21);
    group.members[full].put_all("c", 1);
}

pub(crate) fn may_mount() -> Result<(), String> {
    let tried = Command::new("unshare").args(["--mount", "true"]).output();
    let tried = tried.map_err(|error| format!("no unshare here ({error})"))?;
    if tried.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&tried.stderr);
    Err(said.lines().next().unwrap_or("it may not").to_owned())
}

/// The binary with its data folder in memory.
pub(crate) fn in_memory(args: Vec<String>) -> Command {
    let data = args.iter().position(|arg| arg == "--datadir").unwrap() + 1;
    fs::create_dir_all(&args[data]).unwrap();
    let mut command = Command::new("unshare");
    command.args(["--mount", "sh", "-c", MOUNT, "sh", ROOM, &args[data]]);
    let program = auscult(&args);
    command.arg(program.get_program()).args(program.get_args());
    for (name, _removed) in program.get_envs() {
        command.env_remove(name);
    }
    command
}

/// A file that takes all the room that there is where the last monitor keeps its data.
struct Filler {
    path: PathBuf,
    file: File,
}

impl Filler {
    fn beside(group: &Group) -> Self {
        let member = group.members.last().unwrap();
        let pid = member.process.as_ref().unwrap().pid();
        let data = member.folder.path().strip_prefix("/").unwrap();
        let root = PathBuf::from(format!("/proc/{pid}/root"));
        let path = root.join(data).join("filler");
        let file = File::create(&path).unwrap();
        Self { path, file }
    }

    fn take_all(&mut self) {
        let page = [0; 4096];
        let error = loop {
            if let Err(error) = self.file.write_all(&page) {
                break error;
            }
        };
        assert_eq!(error.kind(), ErrorKind::StorageFull, "{error}");
    }

    fn give_back(self) {
        fs::remove_file(self.path).unwrap();
    }
}
