//! Documents: read, refused with their reasons, and written in one way.

use serde_json::json;

use super::*;
use crate::settings::Defaults;

fn one(kind: Kind, body: &Json) -> Result<(Key, Document), Problems> {
    document(kind, None, Written::Json(body))
}

fn sheet(text: &str) -> Result<Sheet, Problems> {
    let file = "shared.yml";
    Sheet::read(Written::Yaml { text, file })
}

fn key(kind: Kind, name: &str) -> Key {
    Key::new(kind, name).unwrap()
}

#[test]
fn a_document_is_written_in_one_way() {
    let (key, first) = one(
        Kind::Target,
        &json!({"url": "HTTP://shop/", "interval": "1000ms", "id": "shop", "group": "web",
            "labels": {"team": "x", "gone": null}, "http": {"expect_status": [201, 200, "2xx"]}}),
    )
    .unwrap();
    assert_eq!(key.to_string(), "target shop");
    assert_eq!(
        first.body(),
        concat!(
            r#"{"group":"web","http":{"expect_status":["2xx"]},"id":"shop","interval":"1s","#,
            r#""labels":{"gone":null,"team":"x"},"url":"http://shop/"}"#
        )
    );
    assert_eq!(first.refers(), [self::key(Kind::Group, "web")]);
    let (_, again) = one(Kind::Target, &serde_json::from_str(first.body()).unwrap()).unwrap();
    assert_eq!(again, first);
    let yaml = "id: shop\nurl: http://shop/\ninterval: 1s\ngroup: web\nlabels: {team: x, gone: }\n\
                http: {expect_status: 2xx}\n";
    let written = Written::Yaml {
        text: yaml,
        file: "-",
    };
    assert_eq!(document(Kind::Target, None, written).unwrap().1, first);
}

#[test]
fn every_kind_is_read_back_as_it_was_written() {
    let bodies = [
        (
            Kind::Defaults,
            "defaults",
            json!({"interval": "5s", "detector": {"kind": "deadline"}}),
        ),
        (
            Kind::Group,
            "web",
            json!({"receivers": ["ops"], "labels": {"a": "b"}, "defaults": {"grace": "1m"}}),
        ),
        (
            Kind::Target,
            "t",
            json!({"signals": [{"url": "tcp://[::1]:5"}, {"push": {"interval": "1d"}}]}),
        ),
        (
            Kind::Receiver,
            "ops",
            json!({"type": "email", "smarthost": "m:25", "from": "a@b", "to": ["c@d"]}),
        ),
        (
            Kind::Silence,
            "s",
            json!({"matchers": ["group=~we*"], "comment": "why",
                "from": "2026-05-01T14:00:00+02:00", "until": "2026-05-02T00:00:00Z"}),
        ),
        (
            Kind::Token,
            "ci",
            json!({"role": "write", "sha256": "ab".repeat(32)}),
        ),
        (Kind::Pause, "t", json!({"reason": "moving"})),
        (Kind::Value, "v", json!({"value": "Zm9v"})),
    ];
    for (kind, name, body) in bodies {
        let (key, first) = document(kind, Some(name), Written::Json(&body))
            .unwrap_or_else(|problems| panic!("{kind:?}: {problems}"));
        assert_eq!((key.kind(), key.name()), (kind, name));
        let body = serde_json::from_str(first.body()).unwrap();
        let (_, again) = document(kind, Some(name), Written::Json(&body)).unwrap();
        assert_eq!(again, first, "{kind:?}");
    }
}

#[test]
fn what_is_wrong_is_told_with_its_place() {
    for (kind, body, expected) in wrong() {
        let name = (kind == Kind::Value).then_some("v");
        let problems = document(kind, name, Written::Json(&body)).unwrap_err();
        let text = problems.to_string();
        assert!(text.contains(expected), "{body}: {text}");
    }
    let other = json!({"id": "b", "push": {}});
    let problems = document(Kind::Target, Some("a"), Written::Json(&other)).unwrap_err();
    let text = problems.to_string();
    assert!(
        text.contains("/id: the id is the text \"b\", not `a`"),
        "{text}"
    );
    let second = document(Kind::Defaults, Some("second"), Written::Json(&json!({})));
    assert!(second.is_err());
}

#[test]
fn a_file_becomes_documents() {
    let text = "\
x-fast: &fast {interval: 100ms}
defaults: {interval: 5s}
groups:
- name: web
  receivers: [ops]
  targets:
  - {id: shop, url: \"http://shop/\", <<: *fast}
targets:
- {id: job, push: {}, group: batch}
servers:
- {id: 10, url: \"http://ten/\", monitor: {threshold: 8.0}}
receivers:
- {name: ops, type: log}
delete: {targets: [old]}
";
    let sheet = sheet(text).unwrap();
    let keys: Vec<String> = sheet.put.keys().map(Key::to_string).collect();
    assert_eq!(
        keys,
        [
            "defaults defaults",
            "group web",
            "target 10",
            "target job",
            "target shop",
            "receiver ops"
        ]
    );
    let shop = &sheet.put[&key(Kind::Target, "shop")];
    assert_eq!(
        shop.body(),
        r#"{"group":"web","id":"shop","interval":"100ms","url":"http://shop/"}"#
    );
    assert_eq!(sheet.delete, [key(Kind::Target, "old")].into());
    assert!(!sheet.listed.contains(&Kind::Silence));
    let body = json!({
        "defaults": {"interval": "5s"},
        "groups": [{"name": "web", "receivers": ["ops"], "targets": [
            {"id": "shop", "url": "http://shop/", "interval": "100ms"},
        ]}],
        "targets": [{"id": "job", "push": {}, "group": "batch"}],
        "servers": [{"id": 10, "url": "http://ten/", "monitor": {"threshold": 8.0}}],
        "receivers": [{"name": "ops", "type": "log"}],
        "delete": {"targets": ["old"]},
    });
    assert_eq!(Sheet::read(Written::Json(&body)).unwrap(), sheet);
    let parsed = serde_json::from_str(&body.to_string()).unwrap();
    assert_eq!(Sheet::read(Written::Parsed(parsed)).unwrap(), sheet);
}

#[test]
fn a_file_is_refused_with_line_and_caret() {
    for (text, expected) in [
        (
            "targets:\n- {id: a, push: {}}\nobserver: {}\n",
            "shared.yml:3:1: unknown key `observer`\n   |\n 3 | observer: {}\n   | ^^^^^^^^\n  \
             = help: it concerns one monitor",
        ),
        (
            "groups:\n- name: web\n  targts: []\n",
            "shared.yml:3:3: unknown key `targts`\n   |\n 3 |   targts: []\n   |   ^^^^^^\n  \
             = help: did you mean `targets`?",
        ),
        (
            "targets:\n- {id: a, push: {}}\n- {id: a, push: {}}\n",
            "shared.yml:3:8: the target `a` stands twice: first in line 2",
        ),
        (
            "targets:\n- {id: a, push: {}}\ndelete: {targets: [a]}\n",
            "target a shall be there in line 2 and be gone",
        ),
        (
            "groups:\n- {name: g, targets: [{id: a, push: {}, group: h}]}\n",
            "the group is `h`, but the target is listed in `g`",
        ),
    ] {
        let found = sheet(text).unwrap_err().to_string();
        assert!(found.contains(expected), "{text}\n{found}");
    }
    let own = crate::settings::Settings::from_yaml("silences: []\n", "own.yml").unwrap_err();
    assert!(own.to_string().contains("auscult apply -f FILE"), "{own}");
}

#[test]
fn a_target_inherits_from_its_group_and_that_from_the_defaults() {
    let file = crate::settings::Settings::from_yaml(
        "defaults: {timeout: 7s, interval: 9s, labels: {from: file}}\n",
        "own.yml",
    );
    let mut inheritance = Inheritance::new(&file.unwrap().defaults);
    inheritance
        .set_defaults(Some(r#"{"interval":"5s"}"#))
        .unwrap();
    inheritance
        .set_group(
            "web",
            Some(r#"{"name":"web","labels":{"team":"x"},"defaults":{"grace":"1m"}}"#),
        )
        .unwrap();
    let target = |body: &str| {
        let spec = inheritance.target(body).unwrap();
        serde_json::to_value(&spec).unwrap()
    };
    let shop = target(r#"{"id":"shop","url":"http://shop/","group":"web"}"#);
    let signal = &shop["signals"][0];
    assert_eq!(
        (&signal["interval"], &signal["timeout"], &signal["grace"]),
        (&json!("5s"), &json!("7s"), &json!("1m"))
    );
    assert_eq!(shop["labels"], json!({"from": "file", "team": "x"}));
    let nowhere = inheritance.target(r#"{"id":"a","push":{},"group":"none"}"#);
    assert!(
        nowhere
            .unwrap_err()
            .to_string()
            .contains("there is no group `none`")
    );
    let future = inheritance.target(r#"{"id":"a","push":{},"quorum":3}"#);
    assert!(future.is_err());
    inheritance.set_group("web", Some("{}")).unwrap_err();
    inheritance.set_defaults(None).unwrap();
    let shop = inheritance.target(r#"{"id":"shop","url":"http://shop/","group":"web"}"#);
    assert_eq!(
        shop.unwrap().signals[0]
            .source
            .interval()
            .unwrap()
            .as_secs(),
        9
    );
    let builtin = Inheritance::new(&Defaults::builtin());
    assert!(builtin.target(r#"{"id":"a","push":{}}"#).is_ok());
}

#[test]
fn the_form_of_seed_000_becomes_a_target() {
    let body = json!({"id": 10, "url": "http://a/heartbeat", "monitor": {"threshold": 8.0}});
    let (key, document) = seed_document(&body).unwrap();
    assert_eq!(key.to_string(), "target 10");
    let mut inheritance = Inheritance::new(&Defaults::builtin());
    let direct = crate::settings::TargetSpec::from_seed_json(&body, &Defaults::builtin());
    assert_eq!(
        inheritance.target(document.body()).unwrap(),
        direct.unwrap()
    );
    let chen = r#"{"detector":{"kind":"chen","margin":"1s"}}"#;
    inheritance.set_defaults(Some(chen)).unwrap();
    let spec = inheritance.target(document.body()).unwrap();
    assert_eq!(spec.signals[0].config.down().get(), 8.0);
}

/// Bodies, and what is told of them.
fn wrong() -> Vec<(Kind, Json, &'static str)> {
    let mut wrong = wrong_targets();
    wrong.extend(vec![
        (
            Kind::Receiver,
            json!({"name": "r", "type": "pager"}),
            "`pager` is not known here",
        ),
        (
            Kind::Receiver,
            json!({"name": "r", "type": "webhook"}),
            "a receiver of type `webhook` needs `url` or `url_file`",
        ),
        (
            Kind::Receiver,
            json!({"name": "r", "type": "log", "url": "http://a/"}),
            "`url` is not for a receiver of type `log`",
        ),
        (
            Kind::Receiver,
            json!({"name": "r", "type": "alertmanager", "url": "tcp://a:1"}),
            "news is sent over http or https",
        ),
        (
            Kind::Receiver,
            json!({"name": "r", "type": "email", "smarthost": "m", "from": "a@b", "to": ["c@d"]}),
            "`m` is no mail server",
        ),
        (
            Kind::Silence,
            json!({"name": "s", "matchers": [], "until": "2026-01-01T00:00:00Z", "comment": "c"}),
            "without a matcher it would hold for everything",
        ),
        (
            Kind::Silence,
            json!({"name": "s", "matchers": ["a=b"],
                "from": "2026-01-02T00:00:00Z", "until": "2026-01-01T00:00:00Z", "comment": "c"}),
            "it would end (2026-01-01T00:00:00Z) before it begins",
        ),
        (
            Kind::Silence,
            json!({"name": "s", "until": "tomorrow", "comment": "c"}),
            "`tomorrow` is no time",
        ),
        (
            Kind::Token,
            json!({"name": "t", "role": "root", "sha256": "12"}),
            "`root` is not known here",
        ),
        (
            Kind::Value,
            json!({"value": "?"}),
            "the value is not base64",
        ),
    ]);
    wrong
}

fn wrong_targets() -> Vec<(Kind, Json, &'static str)> {
    vec![
        (
            Kind::Target,
            json!({"id": "a", "ulr": "http://a/"}),
            "/ulr: unknown key `ulr`\n  = help: did you mean `url`?",
        ),
        (
            Kind::Target,
            json!({"id": "a"}),
            "nothing says where arrivals come from",
        ),
        (Kind::Target, json!({"url": "http://a/"}), "`id` is missing"),
    ]
}
