//! The routes of the seeds, as the seeds write them.

use super::*;

#[tokio::test]
async fn the_status_of_all_and_one_is_json() {
    let bench = Bench::new();
    bench.add("127.0.0.1:9005").await;
    bench.add("127.0.0.1:9006").await;
    bench.get("/v1/heartbeats/127.0.0.1:9005").await;
    let all = bench.get("/status/all").await.json();
    let alive = &all["127.0.0.1:9005"];
    assert_eq!(alive["Id"], "127.0.0.1:9005");
    assert_eq!(
        (&alive["State"], &alive["StateName"]),
        (&0.into(), &"Alive".into())
    );
    assert!(
        alive["LastConnected"].is_string() && alive["RTT"].is_null(),
        "{alive}"
    );
    let one = bench.get("/status/127.0.0.1:9006").await.json();
    assert_eq!(one, all["127.0.0.1:9006"]);
    assert_eq!(
        (&one["State"], &one["LastConnected"]),
        (&2.into(), &Value::Null)
    );
    bench
        .get("/status/127.0.0.1:9007")
        .await
        .problem(404, "unknown_target");
}

#[tokio::test]
async fn the_seeds_body_adds_and_replaces_a_target() {
    let bench = Bench::new();
    let body = r#"{"id":10,"url":"http://127.0.0.1:9/heartbeat","monitor":{"threshold":16.0,
        "maxSampleSize":200,"minStdDeviationMillis":500,"acceptableHeartbeatPauseMillis":0,
        "firstHeartbeatEstimateMillis":500}}"#;
    for body in [body, r#"{"id":10,"url":"http://127.0.0.1:9/other"}"#] {
        let answer = bench.ask(Method::PUT, "/config", &[], body).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
        assert_eq!(
            answer.body,
            "{\"status\":\"Config patched successfully\"}\n"
        );
    }
    let config = bench.get("/config").await.json();
    let targets = config["targets"].as_array().expect("targets");
    assert_eq!(targets.len(), 1);
    assert_eq!(targets[0]["signals"][0]["url"], "http://127.0.0.1:9/other");
    assert_eq!(targets[0]["signals"][0]["detector"]["down"], 16.0);
    for body in [
        "{",
        r#"{"id":10}"#,
        r#"{"id":11,"url":"nowhere","monitor":{"treshold":1}}"#,
    ] {
        let answer = bench.ask(Method::PUT, "/config", &[], body).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{}", answer.body);
        assert_eq!(answer.json()["error"], "Invalid request");
        assert!(
            answer.json()["detail"]
                .as_str()
                .is_some_and(|text| text.len() > 10)
        );
    }
    assert_eq!(bench.get("/config").await.json(), config, "unchanged");
}

#[tokio::test]
async fn all_targets_are_replaced_or_none() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("auscult.yml");
    std::fs::write(&file, "targets:\n  - id: file\n    push: {}\n").expect("written");
    let bench = Bench::with_settings(Some(file));
    bench.add("a").await;
    bench.add("b").await;
    let before = bench.get("/config").await.json();
    let post = |body: String| {
        let bench = &bench;
        async move { bench.ask(Method::POST, "/config", &[], &body).await }
    };
    let names = |config: &Value| -> Vec<String> {
        let targets = config["targets"].as_array().expect("targets");
        targets
            .iter()
            .map(|t| t["id"].as_str().unwrap_or_default().to_owned())
            .collect()
    };
    assert_eq!(names(&before), ["a", "b", "file"]);
    for bad in [
        r#"{"targets": [{"id": "c", "push": {}}, {"id": "d", "url": "x", "intervall": 1}]}"#,
        r#"{"targets": [{"id": "c", "push": {}}, {"id": "c", "push": {}}]}"#,
        r#"{"targets": [{"id": "file", "push": {"interval": "7s"}}]}"#,
        r#"{"config": "AAAA"}"#,
        "[]",
    ] {
        let answer = post(bad.to_owned()).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{}", answer.body);
        assert_eq!(bench.get("/config").await.json(), before, "{bad}");
    }
    let same = post(before.to_string()).await;
    assert_eq!(
        same.body, "{\"status\":\"Config updated\"}\n",
        "what is read can be written"
    );
    assert_eq!(bench.get("/config").await.json(), before);

    post(
        r#"{"targets": [{"id": "b", "push": {"interval": "9s"}}, {"id": "c", "push": {}}]}"#.into(),
    )
    .await;
    assert_eq!(
        names(&bench.get("/config").await.json()),
        ["b", "c", "file"]
    );
    let seed = r#"{"servers": [{"name": "s", "url": "http://127.0.0.1:9/"}]}"#;
    assert_eq!(post(seed.into()).await.status, StatusCode::OK);
    assert_eq!(names(&bench.get("/config").await.json()), ["file", "s"]);
    bench
        .get("/v1/targets/b")
        .await
        .problem(404, "unknown_target");
}
