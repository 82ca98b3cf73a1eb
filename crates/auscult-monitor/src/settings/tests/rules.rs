//! Defaults, layers, and the rules between keys.

use std::time::Duration;

use auscult_core::monitor::MonitorConfig;
use proptest::prelude::*;

use super::super::schema::{Kind, Preset, ROOT, Table};
use super::super::section::{Section, Value};
use super::*;

#[test]
fn a_url_is_enough() {
    let target = first("targets: [{id: a, url: 'http://a/'}]");
    let expected = json!({
        "id": "a", "server_name": "a", "labels": {},
        "signals": [{
            "name": "http", "url": "http://a/", "interval": "1s", "timeout": "10s",
            "http": {
                "method": "GET", "headers": {}, "body": null, "expect_status": ["2xx"],
                "expect_body": null, "redirects": 5, "version": "auto", "connection": "reuse",
                "tls": {
                    "verify": true, "ca_file": null, "server_name": null, "expires_within": null,
                },
            },
            "detector": {
                "kind": "phi", "distribution": "normal", "window": 200,
                "min_std_deviation": "500ms", "acceptable_pause": "0s",
                "first_heartbeat_estimate": "500ms", "late": 8.0, "down": 16.0,
            },
            "grace": "10s", "recovery_arrivals": 1,
        }],
    });
    assert_eq!(target, expected);
}

#[test]
fn without_a_file_every_default_holds() {
    let settings = Settings::default();
    assert_eq!(settings, super::settings("targets: []"));
    assert_eq!(settings.observer, MonitorConfig::server());
    assert!(settings.targets.is_empty());
    assert!(!settings.heartbeats.create);
    assert_eq!(settings.heartbeats.targets_max, 1_000);
    assert_eq!(settings.heartbeats.key_file, None);
}

#[test]
fn every_preset_is_a_value_of_its_kind() {
    fn check(table: &'static Table) {
        let section = Section::empty(table);
        for key in table.keys() {
            let preset = section.value(key.name);
            let given = matches!(key.preset, Preset::Value(_));
            assert_eq!(
                preset != Value::Nothing,
                given,
                "{}.{}",
                table.title,
                key.name
            );
            if let Kind::Section(below) | Kind::List(below) = &key.kind {
                check(below);
            }
        }
    }
    check(&ROOT);
}

#[test]
fn nearer_layers_win_key_by_key() {
    let text = "
defaults:
  interval: 2s
  timeout: 3s
  labels: {site: berlin, team: ops, gone: x}
  http: {redirects: 1, headers: {a: '1', B: '2', c: '3'}, tls: {verify: false}}
  detector: {window: 50, distribution: lognormal}
groups:
  - name: web
    labels: {team: web}
    defaults: {timeout: 4s, detector: {decay: 10}}
    targets:
      - id: a
        labels: {team: shop, gone: null}
        http: {headers: {b: '4', C: null}, tls: {server_name: x}}
        detector: {late: 3}
        signals:
          - url: http://a/
            interval: 5s
            http: {method: POST}
";
    let target = first(text);
    let signal = &target["signals"][0];
    assert_eq!(target["group"], "web");
    assert_eq!(target["labels"], json!({"site": "berlin", "team": "shop"}));
    assert_eq!(
        (&signal["interval"], &signal["timeout"]),
        (&json!("5s"), &json!("4s"))
    );
    let http = &signal["http"];
    assert_eq!(
        (&http["redirects"], &http["method"]),
        (&json!(1), &json!("POST"))
    );
    assert_eq!(http["headers"], json!({"a": "1", "b": "4"}));
    assert_eq!(
        (&http["tls"]["verify"], &http["tls"]["server_name"]),
        (&json!(false), &json!("x"))
    );
    let detector = &signal["detector"];
    assert_eq!(
        (&detector["decay"], &detector["window"]),
        (&json!(10), &Json::Null)
    );
    assert_eq!(
        (&detector["distribution"], &detector["late"]),
        (&json!("lognormal"), &json!(3.0))
    );
}

#[test]
fn a_detector_of_another_kind_inherits_nothing() {
    let text = "
defaults: {detector: {window: 7, late: 1, down: 3}}
targets: [{id: a, push: {interval: 10s}, detector: {kind: deadline}}]
";
    let detector = json!({"kind": "deadline", "timeout": "30s", "late": 0.666, "down": 1.0});
    assert_eq!(first(text)["signals"][0]["detector"], detector);
}

/// The defaults of phi for a signal that is heard every `interval`.
fn phi(source: &str) -> (String, String, String) {
    let target = first(&format!("targets: [{{id: a, {source}}}]"));
    let signal = &target["signals"][0];
    let text = |json: &Json| json.as_str().unwrap().to_owned();
    (
        text(&signal["detector"]["min_std_deviation"]),
        text(&signal["detector"]["first_heartbeat_estimate"]),
        text(&signal["grace"]),
    )
}

#[test]
fn defaults_of_phi_follow_the_interval() {
    for (source, deviation, estimate, grace) in [
        ("url: 'http://a/'", "500ms", "500ms", "10s"),
        ("url: 'http://a/', interval: 100ms", "500ms", "500ms", "10s"),
        ("url: 'tcp://a:1', interval: 5s", "500ms", "5s", "15s"),
        ("url: 'tcp://a:1', interval: 10s", "500ms", "10s", "30s"),
        ("push: {interval: 1m}", "3s", "1m", "3m"),
        ("push: {interval: 1d}", "1h12m", "1d", "3d"),
        ("push: {}", "500ms", "10s", "10s"),
    ] {
        let expected = (deviation.into(), estimate.into(), grace.into());
        assert_eq!(phi(source), expected, "{source}");
    }
}

#[test]
fn numbers_and_words_can_be_names_and_labels() {
    let target = first("targets: [{id: 10, url: 'http://a/', labels: {port: 80, country: no}}]");
    assert_eq!(
        (&target["id"], &target["server_name"]),
        (&json!("10"), &json!("10"))
    );
    assert_eq!(target["labels"], json!({"port": "80", "country": "no"}));
}

#[test]
fn anchors_and_merge_keys_work() {
    let text = "
x-base: &base {url: 'http://a/', interval: 5s, timeout: 1s}
targets:
  - {<<: *base, id: a, timeout: 2s}
  - {<<: [*base, {grace: 1h}], id: b}
  - {id: c, url: 'http://a/', labels: &l {a: b}}
  - {id: d, url: 'http://a/', labels: *l}
";
    let targets = settings(text).targets;
    let json = serde_json::to_value(&targets).unwrap();
    let value = |target: usize, key: &str| json[target]["signals"][0][key].clone();
    assert_eq!(
        (value(0, "interval"), value(0, "timeout")),
        (json!("5s"), json!("2s"))
    );
    assert_eq!(
        (value(1, "timeout"), value(1, "grace")),
        (json!("1s"), json!("1h"))
    );
    assert_eq!(targets[2].labels, targets[3].labels);
    assert_eq!(targets[0].line, Some(4));
}

#[test]
fn a_moved_target_is_unchanged_and_an_edited_one_is_not() {
    let before = settings("targets:\n- {id: a, url: 'http://a/'}\n- {id: b, url: 'http://b/'}");
    let after = settings(
        "# new\ntargets:\n- {id: b, url: 'http://b/', interval: 2s}\n- {id: a, url: 'http://a'}",
    );
    assert_eq!(before.targets[0], after.targets[1]);
    assert_ne!(before.targets[0].line, after.targets[1].line);
    assert_ne!(before.targets[1], after.targets[0]);
}

#[test]
fn one_fault_in_shared_defaults_is_told_once() {
    let text = "
defaults: {detector: {late: 20}}
targets: [{id: a, url: 'http://a/'}, {id: b, url: 'http://b/'}]
";
    let problems = Settings::from_yaml(text, "test.yml").unwrap_err();
    assert_eq!(problems.list.len(), 1);
    assert_eq!(problems.list[0].path, "/defaults/detector/late");
    let unused = Settings::from_yaml("defaults: {detector: {late: 20}}", "test.yml").unwrap_err();
    assert_eq!(unused.list[0].message, problems.list[0].message);
}

#[test]
fn heartbeats_create_targets_by_their_template() {
    let text = "
defaults: {labels: {site: x}, interval: 7s}
heartbeats:
  create: true
  defaults: {labels: {made: 'yes'}, push: {interval: 20s}, detector: {down: 9}}
";
    let heartbeats = settings(text).heartbeats;
    let id = TargetId::new("new").unwrap();
    let make =
        |interval| serde_json::to_value(heartbeats.target(id.clone(), None, interval)).unwrap();
    let hinted = make(Some(Duration::from_secs(60)));
    let silent = make(None);
    assert_eq!(hinted["labels"], json!({"site": "x", "made": "yes"}));
    assert_eq!(hinted["signals"][0]["push"]["interval"], "1m");
    assert_eq!(hinted["signals"][0]["detector"]["min_std_deviation"], "3s");
    assert_eq!(silent["signals"][0]["push"]["interval"], "20s");
    assert_eq!(silent["signals"][0]["detector"]["down"], 9.0);
    let signal = SignalName::new("jobs").unwrap();
    assert_eq!(
        heartbeats
            .target(id.clone(), Some(signal.clone()), None)
            .signals[0]
            .name,
        signal
    );
}

#[test]
fn an_interval_that_breaks_the_template_is_not_believed() {
    let text = "heartbeats: {defaults: {detector: {kind: deadline, timeout: 5s}}}";
    let heartbeats = settings(text).heartbeats;
    let id = TargetId::new("new").unwrap();
    let target = heartbeats.target(id, None, Some(Duration::from_secs(60)));
    assert_eq!(
        target.signals[0].source,
        SourceSpec::Push { interval: None }
    );
}

#[test]
fn defaults_for_checks_need_not_suit_heartbeats_that_create_nothing() {
    for kind in ["chen", "bertier", "deadline"] {
        let text = format!("defaults: {{detector: {{kind: {kind}}}}}");
        settings(&format!("{text}\ntargets: [{{id: a, url: 'http://a/'}}]"));
        settings(&text);
        let created = format!("{text}\nheartbeats: {{create: true");
        assert!(Settings::from_yaml(&format!("{created}}}"), "test.yml").is_err());
        settings(&format!(
            "{created}, defaults: {{push: {{interval: 1s}}}}}}"
        ));
    }
}

#[test]
fn files_are_found_beside_the_settings_and_must_be_there() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("auscult.yml");
    std::fs::write(folder.path().join("key"), "secret").unwrap();
    std::fs::write(&file, "heartbeats: {key_file: key}").unwrap();
    let settings = Settings::load(&file).unwrap();
    assert_eq!(
        settings.heartbeats.key_file,
        Some(folder.path().join("key"))
    );
    std::fs::write(&file, "heartbeats: {key_file: other}").unwrap();
    let error = Settings::load(&file).unwrap_err().to_string();
    assert!(error.contains(":1:24: key_file: cannot read"), "{error}");
}

#[test]
fn what_cannot_be_read_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let load = |path: &std::path::Path| Settings::load(path).unwrap_err();
    let source = |error: LoadError| std::error::Error::source(&error).unwrap().to_string();
    assert!(source(load(folder.path())).contains("directory"));
    assert!(matches!(
        load(&folder.path().join("none")),
        LoadError::Io { .. }
    ));
    let file = folder.path().join("latin1.yml");
    std::fs::write(&file, b"targets:\n  - id: caf\xe9\n").unwrap();
    let error = load(&file).to_string();
    assert!(
        error.contains(":2:12: the file is not UTF-8: byte 0xe9"),
        "{error}"
    );
    assert!(error.contains("           ^\n"), "{error}");
}

#[test]
fn a_byte_order_mark_is_no_fault() {
    assert_eq!(
        settings("\u{feff}targets: [{id: a, url: 'http://a/'}]\r\n")
            .targets
            .len(),
        1
    );
}

const SEEDS: [&str; 3] = [
    include_str!("../../../../../examples/full.yml"),
    include_str!("../../../../../examples/servers.yml"),
    include_str!("bad/rules.yml"),
];

/// Words that a text is likely to break at.
const WORDS: [&str; 24] = [
    "\n",
    "  ",
    "\t",
    ":",
    "- ",
    "[",
    "]",
    "{",
    "}",
    "'",
    "\"",
    "&a ",
    "*a",
    "<<: ",
    "!t ",
    "|\n",
    "#",
    "---\n",
    "null",
    "-1",
    "1e999",
    "\u{feff}",
    "é",
    "99999999999999999999s",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn no_mutation_of_a_text_makes_it_fail(
        seed in 0..SEEDS.len(),
        edits in prop::collection::vec((any::<prop::sample::Index>(), 0..40_usize, 0..WORDS.len()), 1..6),
    ) {
        let mut text = SEEDS[seed].to_owned();
        for (place, removed, word) in edits {
            let mut at = place.index(text.len());
            while !text.is_char_boundary(at) {
                at -= 1;
            }
            let mut end = (at + removed).min(text.len());
            while !text.is_char_boundary(end) {
                end += 1;
            }
            text.replace_range(at..end, WORDS[word]);
        }
        if let Err(problems) = Settings::from_yaml(&text, "mutated.yml") {
            prop_assert!(!problems.to_string().is_empty());
            prop_assert!(problems.count() > 0);
        }
    }

    #[test]
    fn no_text_at_all_makes_it_fail(text in "\\PC{0,200}") {
        let _ = Settings::from_yaml(&text, "any.yml");
    }
}
