//! What a supervisor, an operator and Prometheus ask.

use super::*;

#[tokio::test]
async fn a_supervisor_is_told_alive_and_ready() {
    let bench = Bench::new();
    assert_eq!(bench.get("/-/healthy").await.body, "auscult is healthy.\n");
    assert_eq!(bench.get("/-/ready").await.body, "auscult is ready.\n");
    bench
        .get("/-/reload")
        .await
        .problem(405, "method_not_allowed");
    bench.add("a").await;
    let monitor = bench.get("/v1/monitor").await.json();
    assert_eq!(
        (&monitor["targets"], &monitor["signals"]),
        (&1.into(), &1.into())
    );
    assert_eq!(monitor["version"], env!("CARGO_PKG_VERSION"));
}

#[tokio::test]
async fn a_reload_takes_a_good_file_and_refuses_a_bad_one() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("auscult.yml");
    let write = |text: &str| std::fs::write(&file, text).expect("written");
    write("targets:\n  - id: a\n    push: {}\n  - id: b\n    push: {}\n");
    let bench = Bench::with_settings(Some(file.clone()));
    bench.get("/v1/heartbeats/a").await;
    let reload = || bench.ask(Method::POST, "/-/reload", &[], "");

    write("targets:\n  - id: a\n    pusch: {}\n");
    let answer = reload().await;
    answer.problem(422, "invalid");
    let error = answer.json()["errors"][0].clone();
    let pointer = error["pointer"].as_str().unwrap_or_default();
    assert!(pointer.ends_with("auscult.yml:3:5"), "{error}");
    assert!(
        error["hint"]
            .as_str()
            .is_some_and(|hint| hint.contains("push")),
        "{error}"
    );
    assert_eq!(
        bench.get("/v1/targets").await.json()["matched"],
        2,
        "nothing was changed"
    );
    assert!(
        scrape(&bench)
            .await
            .contains("\nauscult_config_last_reload_successful 0\n")
    );

    write("targets:\n  - id: a\n    push: {}\n  - id: c\n    push: {}\n");
    let expected = serde_json::json!({ "added": 1, "changed": 0, "removed": 1, "unchanged": 1 });
    assert_eq!(reload().await.json(), expected);
    let kept = bench.get("/v1/targets/a").await.json();
    assert_eq!(kept["signals"][0]["arrivals"], 1, "with its history");
    assert!(
        scrape(&bench)
            .await
            .contains("\nauscult_config_last_reload_successful 1\n")
    );

    std::fs::remove_file(&file).expect("removed");
    let detail = reload().await.problem(500, "unreadable");
    assert!(detail.contains("auscult.yml"), "{detail}");
    assert_eq!(bench.get("/v1/targets").await.json()["matched"], 2);
}

async fn scrape(bench: &Bench) -> String {
    bench.get("/metrics").await.body
}

#[tokio::test]
async fn metrics_come_in_the_format_asked_for_and_forget_removed_targets() {
    let bench = Bench::new();
    bench.add("odd/\u{e4}:1").await;
    let put = r#"{"id":10,"url":"http://127.0.0.1:9/"}"#;
    bench.ask(Method::PUT, "/config", &[], put).await;
    bench.get("/v1/heartbeats/odd%2F%C3%A4:1").await;
    bench.get("/nowhere").await;

    let classic = bench.get("/metrics").await;
    assert_eq!(
        classic.header("content-type"),
        "text/plain; version=0.0.4; charset=utf-8"
    );
    for line in [
        "auscult_targets{status=\"up\"} 1",
        "auscult_target_status{target=\"odd/ä:1\"} 1",
        "auscult_target_status{target=\"10\"} 2",
        "server_phivalue{server_name=\"server10\"} 0.0",
        "auscult_target_arrivals_total{target=\"odd/ä:1\",signal=\"heartbeat\"} 1",
        "auscult_http_problems_total{kind=\"unknown_route\"} 1",
        "auscult_http_problems_total{kind=\"internal\"} 0",
        "auscult_transitions_total{from=\"unknown\",to=\"up\"} 1",
        "auscult_arrivals_rejected_total{reason=\"stale\"} 0",
        "auscult_datagrams_rejected_total{reason=\"bad_mac\"} 0",
    ] {
        let found = classic.body.lines().any(|found| found == line);
        assert!(found, "{line}\nis not in\n{}", classic.body);
    }
    let accept = [("accept", "application/openmetrics-text;version=1.0.0")];
    let open = bench.ask(Method::GET, "/metrics", &accept, "").await;
    let expected = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    assert_eq!(open.header("content-type"), expected);
    assert!(open.body.ends_with("# EOF\n"));

    bench.ask(Method::DELETE, "/v1/targets/10", &[], "").await;
    assert!(!scrape(&bench).await.contains("server10"));
}

#[tokio::test]
async fn scrapes_are_bounded_until_their_answers_are_read() {
    let bench = Bench::new();
    let mut unread = Vec::new();
    for _ in 0..metrics::SCRAPES_MAX {
        unread.push(bench.open(Method::GET, "/metrics", &[], "").await);
    }
    bench.get("/metrics").await.problem(503, "busy");
    drop(unread);
    assert_eq!(bench.get("/metrics").await.status, StatusCode::OK);
}
