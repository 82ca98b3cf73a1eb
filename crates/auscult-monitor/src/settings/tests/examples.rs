//! The files in `examples/`, and the reference in `api/`.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use super::super::schema::{Kind, ROOT, Table};
use super::*;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn load(name: &str) -> Settings {
    let path = root().join("examples").join(name);
    Settings::load(&path).unwrap_or_else(|error| panic!("{error}"))
}

/// Every key of every table, with its table.
fn all_keys(table: &'static Table, into: &mut BTreeSet<(&'static str, &'static str)>) {
    for key in table.keys() {
        let new = into.insert((table.component, key.name));
        if let (true, Kind::Section(below) | Kind::List(below)) = (new, &key.kind) {
            all_keys(below, into);
        }
    }
}

#[test]
fn ten_lines_are_enough() {
    let text = fs::read_to_string(root().join("examples/auscult.yml")).unwrap();
    assert!(text.lines().count() <= 10);
    assert_eq!(load("auscult.yml").targets.len(), 3);
}

#[test]
fn the_full_example_has_every_key() {
    load("full.yml");
    let text = fs::read_to_string(root().join("examples/full.yml")).unwrap();
    let mut keys = BTreeSet::new();
    all_keys(&ROOT, &mut keys);
    for (table, key) in keys {
        assert!(
            text.contains(&format!("{key}: ")) || text.contains(&format!("{key}:\n")),
            "{table}.{key}"
        );
    }
}

#[test]
fn the_file_of_seed_000_means_what_it_meant() {
    let settings = load("servers.yml");
    let json = serde_json::to_value(&settings.targets).unwrap();
    let names = |key: &str| {
        json.as_array()
            .unwrap()
            .iter()
            .map(|t| t[key].clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(names("id"), ["1", "2", "server3"]);
    assert_eq!(names("server_name"), ["server1", "server2", "server3"]);
    let detector = |late: f64, down: f64| {
        json!({
            "kind": "phi", "distribution": "normal", "window": 200, "min_std_deviation": "500ms",
            "acceptable_pause": "0s", "first_heartbeat_estimate": "500ms", "late": late, "down": down,
        })
    };
    let judged = |index: usize| json[index]["signals"][0]["detector"].clone();
    assert_eq!(judged(0), detector(8.0, 16.0));
    assert_eq!(judged(1), detector(4.0, 8.0));
    assert_eq!(judged(2), detector(8.0, 16.0));
    assert_eq!(json[0]["signals"][0]["interval"], "1s");
}

#[test]
fn the_reference_says_what_the_program_takes() {
    let path = root().join("api/config.md");
    let said = reference();
    if std::env::var_os("UPDATE_API").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, &said).unwrap();
    }
    let written = fs::read_to_string(&path).unwrap_or_default();
    let how = "UPDATE_API=1 cargo test -p auscult-monitor writes it anew";
    assert!(
        written == said,
        "api/config.md is not what the tables say; {how}"
    );
    let start = said
        .split("```yaml\n")
        .nth(1)
        .unwrap()
        .split("```")
        .next()
        .unwrap();
    assert_eq!(settings(start).targets.len(), 3);
}

#[test]
fn what_the_pages_on_alerts_show_can_be_used() {
    let page = fs::read_to_string(root().join("docs/alerts.md")).unwrap();
    let blocks = page.split("```yaml\n").skip(1);
    let mut shown = 0;
    for block in blocks.filter_map(|block| block.split("```").next()) {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("discord.url"), "http://127.0.0.1:9/").unwrap();
        let mut text = block.to_owned();
        for name in ["pager", "mail"] {
            // Who is told stands elsewhere on the page.
            if block.contains("rules:") {
                let list = text.find("receivers:\n").is_none();
                text += if list && name == "pager" {
                    "receivers:\n"
                } else {
                    ""
                };
                text += &format!("  - {{name: {name}, type: log}}\n");
            }
        }
        let file = folder.path().join("shown.yml");
        fs::write(&file, &text).unwrap();
        Settings::load(&file).unwrap_or_else(|error| panic!("{error}\n{text}"));
        shown += 1;
    }
    assert!(shown >= 5, "{shown}");
}
