//! `/v1/settings`: read, planned and changed.

use super::*;
use crate::registry::memory::Mood;
use serde_json::json;

const SHEET: &str = r#"{
    "groups": [{"name": "web", "labels": {"team": "x"},
        "targets": [{"id": "shop", "push": {"interval": "1s"}}]}],
    "targets": [{"id": "job", "push": {}}],
    "receivers": [{"name": "ops", "type": "log"}]
}"#;

#[tokio::test]
async fn a_setting_is_put_read_changed_on_condition_and_removed() {
    let bench = Bench::new();
    let path = "/v1/settings/groups/web";
    let body = r#"{"labels": {"team": "x"}}"#;
    let author = [("x-auscult-author", "ann")];
    let put = bench.ask(Method::PUT, path, &author, body).await;
    assert_eq!(put.status, StatusCode::CREATED, "{}", put.body);
    assert_eq!(put.header("location"), path);
    assert_eq!(put.header("etag"), "\"1\"");
    let json = put.json();
    assert_eq!(
        (&json["kind"], &json["name"], &json["author"]),
        (&json!("group"), &json!("web"), &json!("ann"))
    );
    assert_eq!(
        json["document"],
        json!({"name": "web", "labels": {"team": "x"}})
    );
    let again = bench.ask(Method::PUT, path, &[], body).await;
    assert_eq!(again.status, StatusCode::OK);
    assert_eq!(again.json()["revision"], 1, "and changes nothing");

    let yaml = [("content-type", "application/yaml"), ("if-match", "\"1\"")];
    let other = bench
        .ask(Method::PUT, path, &yaml, "labels: {team: y}\n")
        .await;
    assert_eq!(
        (other.status, other.header("etag")),
        (StatusCode::OK, "\"2\"")
    );
    let late = bench
        .ask(Method::PUT, path, &yaml, "labels: {team: z}\n")
        .await;
    let detail = late.problem(412, "changed");
    assert_eq!(
        detail,
        "group web should be at revision 1, but it is at revision 2"
    );
    let only_new = [("if-none-match", "*")];
    let there = bench.ask(Method::PUT, path, &only_new, body).await;
    there.problem(412, "changed");

    let target = r#"{"push": {}, "group": "web"}"#;
    bench
        .ask(Method::PUT, "/v1/settings/targets/a", &[], target)
        .await;
    let refused = bench.ask(Method::DELETE, path, &[], "").await;
    let detail = refused.problem(409, "refused");
    assert_eq!(detail, "group web cannot be deleted: target a refers to it");
    let watched = bench.get("/v1/targets/a").await.json();
    assert_eq!(watched["labels"]["team"], "y", "live at once");
    bench
        .ask(Method::DELETE, "/v1/settings/targets/a", &[], "")
        .await;
    let gone = bench.ask(Method::DELETE, path, &[], "").await.json();
    assert_eq!(
        (&gone["deleted"], &gone["revision"]),
        (&json!(1), &json!(5))
    );
    bench.get(path).await.problem(404, "unknown_setting");
    bench
        .get("/v1/targets/a")
        .await
        .problem(404, "unknown_target");
}

#[tokio::test]
async fn what_points_nowhere_or_is_misspelt_is_refused_with_the_reason() {
    let bench = Bench::new();
    let put = |path: &'static str, body: &'static str| {
        let bench = &bench;
        async move { bench.ask(Method::PUT, path, &[], body).await }
    };
    let nowhere = put(
        "/v1/settings/targets/a",
        r#"{"push": {}, "group": "nowhere"}"#,
    )
    .await;
    let detail = nowhere.problem(409, "refused");
    assert_eq!(
        detail,
        "target a refers to group nowhere, and there is none"
    );
    let typo = put("/v1/settings/targets/a", r#"{"puhs": {}}"#).await;
    typo.problem(422, "invalid");
    let hints: Vec<String> = typo.json()["errors"]
        .as_array()
        .expect("errors")
        .iter()
        .map(|error| error["hint"].to_string())
        .collect();
    assert!(
        hints.contains(&"\"did you mean `push`?\"".to_owned()),
        "{hints:?}"
    );
    put("/v1/settings/gruops/a", "{}")
        .await
        .problem(404, "unknown_route");
    bench
        .get("/v1/settings?kind=x")
        .await
        .problem(400, "malformed");
    let sheet = put(
        "/v1/settings/groups/g",
        r#"{"defaults": {"detector": {"down": 4}}}"#,
    )
    .await;
    assert_eq!(sheet.status, StatusCode::CREATED);
    let inherited = put(
        "/v1/settings/targets/a",
        r#"{"push": {}, "group": "g",
        "detector": {"late": 5}}"#,
    )
    .await;
    let detail = inherited.problem(422, "invalid");
    assert_eq!(detail, "target a has a fault", "with what it inherits");
    assert_eq!(bench.get("/v1/settings").await.json()["revision"], 1);
}

#[tokio::test]
async fn a_name_in_a_path_that_cannot_be_one_is_refused_with_the_limit() {
    let bench = Bench::new();
    let long = "a".repeat(129);
    let limit = "a name has at most 128 bytes, this one has 129";
    let mut paths = vec![format!("/v1/targets/{long}")];
    for kind in [
        "targets",
        "groups",
        "receivers",
        "silences",
        "tokens",
        "values",
    ] {
        paths.push(format!("/v1/settings/{kind}/{long}"));
    }
    for path in paths {
        let detail = bench.ask(Method::PUT, &path, &[], "{}").await;
        let detail = detail.problem(400, "malformed");
        assert!(detail.ends_with(limit), "{path}: {detail}");
        assert!(detail.len() < 140, "{path}: {detail}");
    }
    let space = bench
        .ask(Method::PUT, "/v1/settings/groups/a%20b", &[], "{}")
        .await;
    let detail = space.problem(400, "malformed");
    assert!(
        detail.starts_with("\"a b\" cannot be a name: ' ' at byte 1"),
        "{detail}"
    );
    let key = format!("/keys/{long}/");
    let kept = bench
        .ask(Method::POST, &key, &[], r#"{"value": "aGk="}"#)
        .await;
    assert_eq!(kept.status, StatusCode::BAD_REQUEST);
    assert!(kept.body.contains(limit), "{}", kept.body);
    let fits = format!("/v1/settings/groups/{}", &long[..128]);
    let added = bench.ask(Method::PUT, &fits, &[], "{}").await;
    assert_eq!(added.status, StatusCode::CREATED);
}

#[tokio::test]
async fn a_file_is_planned_then_applied_whole_then_pruned() {
    let bench = Bench::new();
    let post =
        |path: &'static str, headers: &'static [(&'static str, &'static str)], body: &str| {
            let (bench, body) = (&bench, body.to_owned());
            async move { bench.ask(Method::POST, path, headers, &body).await }
        };
    let plan = post("/v1/settings?plan=true", &[], SHEET).await;
    let json = plan.json();
    assert_eq!(
        (&json["created"], &json["revision"]),
        (&json!(4), &json!(0))
    );
    assert_eq!(json["steps"][1]["after"]["id"], "job");
    assert_eq!(bench.get("/v1/settings").await.json()["matched"], 0);

    let matching = &[("if-match", "\"0\"")];
    let applied = post("/v1/settings", matching, SHEET).await.json();
    assert_eq!(
        (&applied["created"], &applied["revision"]),
        (&json!(4), &json!(1))
    );
    assert_eq!(bench.get("/v1/targets").await.json()["matched"], 2);
    post("/v1/settings", matching, SHEET)
        .await
        .problem(412, "changed");
    let again = post("/v1/settings", &[], SHEET).await.json();
    assert_eq!(
        (&again["unchanged"], &again["revision"]),
        (&json!(4), &json!(1))
    );

    let less = "targets:\n- {id: job, push: {interval: 1m}}\n";
    let yaml = &[("content-type", "application/yaml")];
    let kept = post("/v1/settings?plan=true", yaml, less).await.json();
    assert_eq!(
        (&kept["replaced"], &kept["deleted"]),
        (&json!(1), &json!(0))
    );
    let pruned = post("/v1/settings?prune=true&plan=true", yaml, less)
        .await
        .json();
    assert_eq!(pruned["deleted"], 1, "{pruned}");
    let steps = pruned["steps"].as_array().expect("steps");
    let gone = steps.iter().find(|step| step["action"] == "deleted");
    assert_eq!(gone.map(|step| &step["name"]), Some(&json!("shop")));
    post("/v1/settings?prune=true", yaml, less).await;
    assert_eq!(bench.get("/v1/targets").await.json()["matched"], 1);
    assert_eq!(
        bench.get("/v1/settings/receivers/ops").await.status,
        StatusCode::OK
    );
    let named = r#"{"delete": {"groups": ["web"], "receivers": ["nobody"]}}"#;
    let named = post("/v1/settings", &[], named).await.json();
    assert_eq!(named["deleted"], 1);

    let half =
        r#"{"targets": [{"id": "new", "push": {}}, {"id": "b", "push": {}, "group": "no"}]}"#;
    post("/v1/settings", &[], half)
        .await
        .problem(409, "refused");
    assert_eq!(
        bench.get("/v1/targets").await.json()["matched"],
        1,
        "all or nothing"
    );
}

#[tokio::test]
async fn the_history_says_who_changed_what_and_when() {
    let bench = Bench::new();
    for (author, path) in [
        ("ann", "targets/a"),
        ("bob", "targets/b"),
        ("eve", "targets/a"),
    ] {
        let body = format!(
            "{{\"push\": {{\"interval\": \"{}s\"}}}}",
            author.len() + author.as_bytes()[0] as usize
        );
        let path = format!("/v1/settings/{path}");
        bench
            .ask(Method::PUT, &path, &[("x-auscult-author", author)], &body)
            .await;
    }
    let all = bench.get("/v1/settings/history").await.json();
    let authors: Vec<_> = all["changes"]
        .as_array()
        .expect("changes")
        .iter()
        .map(|change| change["author"].as_str().unwrap_or_default())
        .collect();
    assert_eq!(authors, ["ann", "bob", "eve"]);
    let one = bench
        .get("/v1/settings/history?kind=target&name=a&after=1")
        .await
        .json();
    assert_eq!(one["changes"].as_array().map(Vec::len), Some(1));
    assert_eq!(one["changes"][0]["author"], "eve");
    assert_eq!(one["changes"][0]["edits"][0]["action"], "replaced");
    let at = one["changes"][0]["at"].as_str().unwrap_or_default();
    assert!(at.parse::<jiff::Timestamp>().is_ok(), "{at}");
    let first = bench.get("/v1/settings/history?limit=1").await.json();
    assert_eq!((&first["next"], &first["first"]), (&json!(1), &json!(1)));
}

#[tokio::test]
async fn pages_follow_each_other() {
    let bench = Bench::new();
    bench.ask(Method::POST, "/v1/settings", &[], SHEET).await;
    let mut path = "/v1/settings?limit=1".to_owned();
    let mut names = Vec::new();
    loop {
        let page = bench.get(&path).await.json();
        names.push(
            page["settings"][0]["name"]
                .as_str()
                .unwrap_or_default()
                .to_owned(),
        );
        match page["next"].as_str() {
            Some(next) => path = format!("/v1/settings?limit=1&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(names, ["web", "job", "shop", "ops"]);
    let targets = bench.get("/v1/settings/targets?limit=1").await.json();
    assert_eq!(
        (&targets["matched"], &targets["next"]),
        (&json!(2), &json!("target/job"))
    );
}

#[tokio::test]
async fn without_a_leader_nothing_is_half_done() {
    let bench = Bench::new();
    bench.add("a").await;
    bench.shared.set_mood(Mood::NoLeader);
    let body = r#"{"push": {"interval": "9s"}}"#;
    for (method, path, body) in [
        (Method::PUT, "/v1/settings/targets/b", body),
        (Method::PUT, "/v1/targets/b", body),
        (Method::POST, "/v1/settings", SHEET),
        (Method::DELETE, "/v1/settings/targets/a", ""),
        (Method::DELETE, "/v1/targets/a", ""),
        (Method::POST, "/v1/targets/a/pause", ""),
        (Method::GET, "/v1/settings?consistency=linearizable", ""),
    ] {
        let answer = bench.ask(method, path, &[], body).await;
        answer.problem(503, "no_leader");
        assert_eq!(answer.header("retry-after"), "1");
    }
    let seed = r#"{"id":10,"url":"http://127.0.0.1:9/"}"#;
    let answer = bench.ask(Method::PUT, "/config", &[], seed).await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(answer.json()["error"], "No leader available");
    let listed = bench.get("/v1/settings").await.json();
    assert_eq!(
        (&listed["matched"], &listed["revision"]),
        (&json!(1), &json!(1))
    );
    assert_eq!(
        bench.get("/v1/targets").await.json()["matched"],
        1,
        "watching goes on"
    );

    bench.shared.set_mood(Mood::Loses);
    let unclear = bench
        .ask(Method::PUT, "/v1/settings/targets/b", &[], body)
        .await;
    unclear.problem(503, "unclear");
    bench.shared.set_mood(Mood::Decides);
    let again = bench
        .ask(Method::PUT, "/v1/settings/targets/b", &[], body)
        .await;
    assert_eq!(again.json()["revision"], 2, "made once");

    // It was asked for again, and then nobody led: that says nothing of the first time.
    bench.shared.set_mood(Mood::LosesLast);
    let unclear = bench
        .ask(Method::PUT, "/v1/settings/targets/c", &[], body)
        .await;
    unclear.problem(503, "unclear");
    assert_eq!(bench.get("/v1/settings").await.json()["revision"], 3);
}

#[tokio::test]
async fn a_read_waits_for_a_revision_within_bounds() {
    let bench = Bench::new();
    let behind = bench.get("/v1/settings?after_revision=1&wait=1").await;
    behind.problem(503, "behind");
    let (waited, _) = tokio::join!(
        bench.get("/v1/settings?after_revision=1&wait=10000"),
        bench.add("a")
    );
    assert_eq!(waited.json()["revision"], 1);
    let fresh = bench
        .get("/v1/settings/targets/a?consistency=linearizable")
        .await;
    assert_eq!(fresh.json()["known"]["revision"], 1);
    bench
        .get("/v1/settings?consistency=maybe")
        .await
        .problem(400, "malformed");
}

#[tokio::test]
async fn a_document_that_is_not_understood_is_shown_and_stops_nothing() {
    use crate::shared::SettingsStore as _;
    use auscult_core::monitor::registry::{Change, Document, Edit, Expect, Key, Kind, WallMillis};
    let bench = Bench::new();
    let put = |kind, name: &str, body: &str| Edit::Put {
        key: Key::new(kind, name).expect("a name"),
        document: Document::new(body, []).expect("a document"),
        expect: Expect::Anything,
    };
    let change = Change {
        id: None,
        author: auscult_core::monitor::registry::Author::new("later"),
        at: WallMillis(0),
        edits: vec![
            put(Kind::Target, "a", r#"{"id":"a","push":{}}"#),
            put(Kind::Target, "b", r#"{"id":"b","telepathy":{}}"#),
            put(Kind::Group, "g", r#"{"quorum":5}"#),
        ],
    };
    bench.shared.change(change).await.expect("made");
    bench.add("c").await;
    assert_eq!(bench.get("/v1/targets").await.json()["matched"], 2);
    let shown = bench.get("/v1/settings/targets/b").await.json();
    let why = shown["unusable"].as_str().unwrap_or_default();
    assert!(why.contains("unknown key `telepathy`"), "{shown}");
    let listed = bench.get("/v1/settings/groups").await.json();
    assert!(listed["settings"][0]["unusable"].is_string(), "{listed}");
    let fixed = bench
        .ask(
            Method::PUT,
            "/v1/settings/targets/b",
            &[],
            r#"{"push": {}}"#,
        )
        .await;
    assert!(fixed.json()["unusable"].is_null());
    assert_eq!(bench.get("/v1/targets").await.json()["matched"], 3);
}

#[tokio::test]
async fn values_of_programs_are_kept_and_the_monitors_own_key_is_not_written() {
    let bench = Bench::new();
    let post = |path: &'static str, body: &'static str| {
        let bench = &bench;
        async move { bench.ask(Method::POST, path, &[], body).await }
    };
    let kept = post("/keys/greeting/", r#"{"value": "aGVsbG8="}"#).await;
    assert_eq!(
        (kept.status, kept.body.as_str()),
        (StatusCode::OK, "{\"value\":\"aGVsbG8=\"}\n")
    );
    assert_eq!(bench.get("/keys/greeting/").await.body, kept.body);
    bench
        .get("/keys/nothing/")
        .await
        .problem(404, "unknown_setting");
    for bad in ["{", "{}", r#"{"value": "?"}"#, "[]"] {
        assert_eq!(
            post("/keys/greeting/", bad).await.status,
            StatusCode::BAD_REQUEST,
            "{bad}"
        );
    }
    let own = post("/keys/config/", r#"{"value": "aGVsbG8="}"#).await;
    assert_eq!(
        (own.status, &own.json()["code"]),
        (StatusCode::CONFLICT, &json!("refused"))
    );
    bench.add("a").await;
    let config = bench.get("/keys/config/").await.json();
    let text = crate::base64::decode(config["value"].as_str().expect("a value")).expect("base64");
    let config: Value = serde_json::from_slice(&text).expect("JSON");
    assert_eq!(config, bench.get("/config").await.json());
    bench.shared.set_mood(Mood::NoLeader);
    let nobody = post("/keys/greeting/", r#"{"value": "aGk="}"#).await;
    assert_eq!(nobody.status, StatusCode::SERVICE_UNAVAILABLE);
    let error = nobody.json()["error"].to_string();
    assert!(
        error.contains("only leader can write to the storage"),
        "{error}"
    );
}
