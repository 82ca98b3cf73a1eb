//! Heartbeats over HTTP.

use super::*;
use crate::ingest::Key;

const SECRET: &str = "a key of twenty bytes and more";

#[tokio::test]
async fn a_heartbeat_needs_nothing_but_an_address() {
    let bench = Bench::new();
    bench.add("shop/cron").await;
    let path = "/v1/heartbeats/shop%2Fcron";
    let answer = bench.get(path).await;
    assert_eq!(
        (answer.status, answer.body.as_str()),
        (StatusCode::OK, "OK\n")
    );
    assert_eq!(answer.header("cache-control"), "no-store");
    assert_eq!(
        bench.get("/v1/targets/shop%2Fcron").await.json()["status"],
        "up"
    );

    let json = [("accept", "application/json")];
    let foreign = [
        ("accept", "application/json"),
        ("origin", "http://elsewhere"),
    ];
    for (headers, body) in [
        (&json[..], ""),
        (&json, r#"{"signal": "heartbeat", "interval": "1m"}"#),
        (&json, "the output of a job\nof two lines"),
        (&foreign, ""),
    ] {
        let answer = bench.ask(Method::POST, path, headers, body).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
        assert_eq!(answer.json()["target"], "shop/cron");
        assert_eq!(answer.json()["duplicate"], false);
    }
    let arrivals = bench.get("/v1/targets/shop%2Fcron").await.json();
    assert_eq!(arrivals["signals"][0]["arrivals"], 5);
}

#[tokio::test]
async fn numbers_tell_repetitions_from_news() {
    let bench = Bench::new();
    bench.add("cron").await;
    let json = [("accept", "application/json")];
    let beat = |seq: u64| {
        let path = format!("/v1/heartbeats/cron?seq={seq}");
        let bench = &bench;
        async move { bench.ask(Method::POST, &path, &json, "").await }
    };
    assert_eq!(beat(7).await.json()["duplicate"], false);
    assert_eq!(
        beat(7).await.json()["duplicate"],
        true,
        "sent again by curl --retry"
    );
    beat(3).await.problem(409, "stale");
    assert_eq!(beat(8).await.json()["duplicate"], false);
}

#[tokio::test]
async fn what_is_no_heartbeat_is_refused_with_a_reason() {
    let bench = Bench::new();
    bench.add("cron").await;
    for (path, status, kind, detail) in [
        (
            "nobody",
            404,
            "unknown_target",
            "there is no target named \"nobody\"",
        ),
        (
            "a%20b%0Ac",
            404,
            "unknown_target",
            "there is no target named \"a b\\nc\"",
        ),
        (
            "cron?signal=x",
            404,
            "unknown_signal",
            "cron has no signal named \"x\"",
        ),
        (
            "cron?seq=-1",
            400,
            "malformed",
            "the heartbeat cannot be read: a number that is none, or not in its shortest form",
        ),
        (
            "cron?interval=5",
            400,
            "malformed",
            "the heartbeat cannot be read: an interval is 1ms to 49d, with its unit",
        ),
        (
            "cron?signal=a%20seq=3",
            400,
            "malformed",
            "the heartbeat cannot be read: signal is empty or has blanks in it",
        ),
        (
            "cron?sequence=3",
            400,
            "malformed",
            "the query has an unknown key: sequence",
        ),
    ] {
        let answer = bench.get(&format!("/v1/heartbeats/{path}")).await;
        assert_eq!(answer.problem(status, kind), detail);
    }
}

#[tokio::test]
async fn a_body_that_is_no_heartbeat_is_refused_with_a_reason() {
    let bench = Bench::new();
    bench.add("cron").await;
    for (body, detail) in [
        (
            "{\"seq\": tru}",
            "the body is not valid JSON: expected ident at line 1 column 12",
        ),
        (
            r#"{"seq": true}"#,
            "the heartbeat cannot be read: seq must be a text or a number",
        ),
        (
            r#"{"sequence": 1}"#,
            "the heartbeat cannot be read: the heartbeat has no field sequence",
        ),
    ] {
        let answer = bench
            .ask(Method::POST, "/v1/heartbeats/cron", &[], body)
            .await;
        assert_eq!(answer.problem(400, "malformed"), detail);
    }
    let long = "x".repeat(70_000);
    let answer = bench
        .ask(Method::POST, "/v1/heartbeats/cron", &[], &long)
        .await;
    answer.problem(413, "body_too_large");
    assert_eq!(
        bench.get("/v1/targets/cron").await.json()["signals"][0]["arrivals"],
        0
    );
}

#[tokio::test]
async fn the_settings_say_whether_heartbeats_create_targets_and_must_be_signed() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("auscult.yml");
    let key = folder.path().join("key");
    std::fs::write(&key, SECRET).expect("written");
    std::fs::write(&file, "heartbeats:\n  create: true\n  targets_max: 1\n").expect("written");
    let bench = Bench::with_settings(Some(file.clone()));
    assert_eq!(bench.get("/v1/heartbeats/new").await.status, StatusCode::OK);
    let json = bench.get("/v1/targets/new").await.json();
    assert_eq!(
        (&json["origin"]["kind"], &json["status"]),
        (&"heartbeat".into(), &"up".into())
    );
    bench.get("/v1/heartbeats/newer").await.problem(409, "full");

    let text = "heartbeats:\n  create: true\n  key_file: key\n";
    std::fs::write(&file, text).expect("written");
    bench.ask(Method::POST, "/-/reload", &[], "").await;
    let beat = |query: &'static str| {
        let path = format!("/v1/heartbeats/web?{query}");
        let bench = &bench;
        async move { bench.get(&path).await }
    };
    for query in [
        "seq=17",
        "seq=17&mac=00",
        "seq=18&mac=dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd",
    ] {
        let answer = beat(query).await;
        assert!(!answer.status.is_success(), "{query}: {}", answer.body);
    }
    let code = Key::new(SECRET.as_bytes())
        .expect("a key")
        .sign(b"web seq=17");
    let mac: String = code.iter().map(|byte| format!("{byte:02x}")).collect();
    let answer = bench
        .get(&format!("/v1/heartbeats/web?seq=17&mac={mac}"))
        .await;
    assert_eq!(answer.body, "OK\n");
}
