//! `/v1/targets`: read and changed.

use super::*;

#[tokio::test]
async fn a_target_is_added_read_replaced_and_removed() {
    let bench = Bench::new();
    let body = r#"{"id": "shop/web-1", "push": {"interval": "1s"}, "labels": {"team": "shop"}}"#;
    let curl = [("content-type", "application/x-www-form-urlencoded")];
    let added = bench.ask(Method::POST, "/v1/targets", &curl, body).await;
    assert_eq!(added.status, StatusCode::CREATED, "{}", added.body);
    let location = added.header("location").to_owned();
    assert_eq!(location, "/v1/targets/shop%2Fweb-1");
    let detail = bench.ask(Method::POST, "/v1/targets", &[], body).await;
    let detail = detail.problem(409, "target_exists");
    assert_eq!(detail, "there is a target named shop/web-1 already");

    let read = bench.get(&location).await;
    let json = read.json();
    assert_eq!(json["id"], "shop/web-1");
    assert_eq!(json["status"], "unknown");
    assert_eq!(json["labels"]["team"], "shop");
    assert_eq!(json["origin"]["kind"], "api");
    assert_eq!(json["signals"][0]["source"], "push");
    assert_eq!(
        json["thresholds"],
        serde_json::json!({ "late": 8.0, "down": 16.0 })
    );
    let why = json["why"].as_str().expect("a sentence");
    assert!(why.starts_with("not heard yet, down in "), "{why}");

    let tag = read.header("etag").to_owned();
    assert_eq!(added.header("etag"), tag);
    let settings = json["settings"].to_string();
    let same = bench
        .ask(Method::PUT, &location, &[("if-match", &tag)], &settings)
        .await;
    assert_eq!(
        same.status,
        StatusCode::OK,
        "what is read can be written: {}",
        same.body
    );
    assert_eq!(same.header("etag"), tag, "and changes nothing");
    let other = r#"{"push": {"interval": "2s"}}"#;
    let replaced = bench
        .ask(Method::PUT, &location, &[("if-match", &tag)], other)
        .await;
    assert_eq!(replaced.status, StatusCode::OK);
    assert_ne!(replaced.header("etag"), tag);
    for (method, headers) in [
        (Method::PUT, ("if-match", tag.as_str())),
        (Method::PUT, ("if-none-match", "*")),
        (Method::DELETE, ("if-match", tag.as_str())),
    ] {
        let answer = bench.ask(method, &location, &[headers], other).await;
        answer.problem(412, "changed");
    }
    let removed = bench.ask(Method::DELETE, &location, &[], "").await;
    assert_eq!(
        (removed.status, removed.body.as_str()),
        (StatusCode::NO_CONTENT, "")
    );
    bench.get(&location).await.problem(404, "unknown_target");
    let again = bench.ask(Method::DELETE, &location, &[], "").await;
    again.problem(404, "unknown_target");
}

#[tokio::test]
async fn a_target_is_paused_and_resumed() {
    let bench = Bench::new();
    bench.add("größe").await;
    let path = "/v1/targets/gr%C3%B6%C3%9Fe";
    let paused = bench
        .ask(Method::POST, &format!("{path}/pause"), &[], "")
        .await
        .json();
    assert_eq!(
        (&paused["status"], &paused["paused"]),
        (&"paused".into(), &true.into())
    );
    assert_eq!(paused["why"], "an operator paused it");
    let resumed = bench
        .ask(Method::POST, &format!("{path}/resume"), &[], "")
        .await
        .json();
    assert_eq!(resumed["paused"], false);
    let unknown = bench
        .ask(Method::POST, "/v1/targets/x/pause", &[], "")
        .await;
    unknown.problem(404, "unknown_target");
}

#[tokio::test]
async fn a_bad_body_is_told_with_all_its_faults() {
    let bench = Bench::new();
    let put = |body: &'static str| bench.ask(Method::PUT, "/v1/targets/web", &[], body);
    let answer = put(r#"{"urll": "http://a/", "interval": "5x", "push": {}}"#).await;
    answer.problem(422, "invalid");
    let errors = answer.json()["errors"].clone();
    let pointers: Vec<_> = errors
        .as_array()
        .expect("errors")
        .iter()
        .map(|error| error["pointer"].as_str().unwrap_or_default().to_owned())
        .collect();
    assert!(pointers.contains(&"/urll".to_owned()), "{errors}");
    assert!(pointers.contains(&"/interval".to_owned()), "{errors}");

    assert_eq!(put("").await.problem(400, "malformed"), "the body is empty");
    let detail = put("{\"url\":}").await.problem(400, "malformed");
    assert!(detail.contains("line 1 column 8"), "{detail}");
    put("[1]").await.problem(422, "invalid");
    put(r#"{"id": "other", "push": {}}"#)
        .await
        .problem(422, "invalid");
    let xml = [("content-type", "text/xml")];
    let answer = bench
        .ask(Method::PUT, "/v1/targets/web", &xml, "<a/>")
        .await;
    answer.problem(415, "unsupported_media_type");
    let huge = format!("{{\"url\": \"{}\"}}", "x".repeat(300_000));
    let answer = bench.ask(Method::PUT, "/v1/targets/web", &[], &huge).await;
    let detail = answer.problem(413, "body_too_large");
    assert_eq!(detail, "the body may have at most 262144 bytes");
    bench.get("/v1/targets/%FF").await.problem(400, "malformed");
    assert_eq!(
        bench.get("/v1/targets").await.json()["matched"],
        0,
        "and nothing was changed"
    );
}

/// Five targets in a group, one of them up and one paused, and a sixth.
async fn six() -> Bench {
    let bench = Bench::new();
    for number in 0..5 {
        let team = number % 2;
        let body = format!(
            r#"{{"id": "web-{number}", "push": {{}}, "group": "front", "labels": {{"team": "T{team}"}}}}"#
        );
        let answer = bench.ask(Method::POST, "/v1/targets", &[], &body).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.body);
    }
    bench.add("odd/+:~").await;
    bench
        .ask(Method::POST, "/v1/targets/web-3/pause", &[], "")
        .await;
    bench.get("/v1/heartbeats/web-1").await;
    bench
}

async fn list(bench: &Bench, query: &str) -> (Vec<String>, Value) {
    let page = bench.get(&format!("/v1/targets?{query}")).await.json();
    let targets = page["targets"].as_array().expect("targets");
    let id = |target: &Value| target["id"].as_str().unwrap_or_default().to_owned();
    (targets.iter().map(id).collect(), page)
}

#[tokio::test]
async fn lists_come_worst_first_and_are_filtered() {
    let bench = six().await;
    let (ids, page) = list(&bench, "").await;
    let expected = ["odd/+:~", "web-4", "web-2", "web-0", "web-1", "web-3"];
    assert_eq!(ids, expected);
    let counts = serde_json::json!({ "down": 0, "late": 0, "paused": 1, "unknown": 4, "up": 1 });
    assert_eq!((&page["counts"], &page["matched"]), (&counts, &6.into()));
    assert_eq!(
        (&page["next"], &page["observer_suspects_itself"]),
        (&Value::Null, &false.into())
    );

    let (ids, page) = list(&bench, "status=up,paused").await;
    assert_eq!(ids, ["web-1", "web-3"]);
    assert_eq!(
        page["counts"], counts,
        "the other statuses are counted all the same"
    );
    for (query, expected) in [
        ("label=team:T1&sort=id", &["web-1", "web-3"][..]),
        ("label=team&q=WEB-4", &["web-4"]),
        (
            "group=front&label=team:T0&sort=id",
            &["web-0", "web-2", "web-4"],
        ),
        ("group=back", &[]),
    ] {
        assert_eq!(list(&bench, query).await.0, expected, "{query}");
    }
}

#[tokio::test]
async fn lists_are_paged() {
    let bench = six().await;
    let (ids, page) = list(&bench, "sort=id&limit=4").await;
    assert_eq!(ids, ["odd/+:~", "web-0", "web-1", "web-2"]);
    let cursor = targets::encode(page["next"].as_str().expect("a next page"));
    let (ids, page) = list(&bench, &format!("sort=id&limit=4&cursor={cursor}")).await;
    assert_eq!(
        (ids, &page["next"]),
        (vec!["web-3".into(), "web-4".into()], &Value::Null)
    );
    let bad = [
        "status=upp",
        "sort=best",
        "limit=0",
        "limit=1001",
        "cursor=x",
        "page=2",
    ];
    for query in bad {
        let answer = bench.get(&format!("/v1/targets?{query}")).await;
        answer.problem(400, "malformed");
    }
}

#[tokio::test]
async fn a_target_of_the_file_is_changed_there_only() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("auscult.yml");
    std::fs::write(&file, "targets:\n  - id: web\n    push: {}\n").expect("written");
    let bench = Bench::with_settings(Some(file));
    let json = bench.get("/v1/targets/web").await.json();
    assert_eq!(
        json["origin"],
        serde_json::json!({ "kind": "file", "line": 2 })
    );
    for (method, body) in [(Method::PUT, r#"{"push": {}}"#), (Method::DELETE, "")] {
        let answer = bench.ask(method, "/v1/targets/web", &[], body).await;
        let detail = answer.problem(409, "defined_in_file");
        assert!(detail.contains("auscult.yml, line 2"), "{detail}");
    }
}
