//! `/v1/alerts`, `/v1/silences` and `/v1/receivers`.

use serde_json::json;

use super::*;

/// A monitor with a target that is down, and a rule whose receiver is the log.
async fn alerting() -> (Bench, String) {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("settings.yml");
    std::fs::write(&file, "receivers: [{name: journal, type: log}]\n").expect("a file");
    let bench = Bench::with_settings(Some(file));
    let body = r#"{"push": {"interval": "10ms"}, "labels": {"env": "prod"},
        "detector": {"kind": "deadline", "timeout": "30ms"}, "grace": "20ms"}"#;
    let answer = bench.ask(Method::PUT, "/v1/targets/web", &[], body).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.body);
    let waiting = async {
        loop {
            let page = bench.get("/v1/alerts?phase=firing").await.json();
            if let Some(id) = page["alerts"][0]["id"].as_str() {
                return id.to_owned();
            }
            tokio::task::yield_now().await;
        }
    };
    let waited = tokio::time::timeout(std::time::Duration::from_secs(20), waiting).await;
    let id = waited.expect("it should fire by now");
    (bench, id)
}

#[tokio::test]
async fn an_alert_is_listed_read_and_acknowledged() {
    let (bench, id) = alerting().await;
    let path = format!("/v1/alerts/{id}");
    let alert = bench.get(&path).await.json();
    for (field, expected) in [
        ("phase", json!("firing")),
        ("kind", json!("target")),
        ("subject", json!("web")),
        ("rule", json!("down")),
        ("severity", json!("critical")),
        ("labels", json!({ "env": "prod" })),
        ("episode", json!(1)),
        ("ended_at", json!(null)),
        ("suppressed", json!(null)),
    ] {
        assert_eq!(alert[field], expected, "{field}: {alert}");
    }
    let ack = format!("{path}/ack");
    let body = r#"{"by": "kim", "comment": "on it"}"#;
    let answer = bench.ask(Method::POST, &ack, &[], body).await;
    assert_eq!(answer.json()["acknowledged"]["by"], "kim");
    let answer = bench.ask(Method::DELETE, &ack, &[], "").await;
    assert_eq!(answer.status, StatusCode::NO_CONTENT);
    assert_eq!(bench.get(&path).await.json()["acknowledged"], json!(null));

    let answer = bench
        .ask(Method::POST, &ack, &[], r#"{"who": "kim"}"#)
        .await;
    answer.problem(422, "invalid");
    let none = "/v1/alerts/00000000000000000000000000000000";
    bench.get(none).await.problem(404, "unknown_alert");
    bench
        .get("/v1/alerts?phase=late")
        .await
        .problem(400, "malformed");
    assert_eq!(
        bench.get("/v1/alerts?subject=db").await.json()["alerts"],
        json!([])
    );
}

#[tokio::test]
async fn the_end_of_a_target_is_the_end_of_its_alert() {
    let (bench, id) = alerting().await;
    bench.ask(Method::DELETE, "/v1/targets/web", &[], "").await;
    let waiting = async {
        loop {
            let alert = bench.get(&format!("/v1/alerts/{id}")).await.json();
            if alert["phase"] == "resolved" {
                return alert["ending"].clone();
            }
            tokio::task::yield_now().await;
        }
    };
    let waited = tokio::time::timeout(std::time::Duration::from_secs(20), waiting).await;
    assert_eq!(waited.expect("it should be over"), "subject_gone");
}

#[tokio::test]
async fn silences_are_made_listed_and_ended() {
    let (bench, id) = alerting().await;
    let body = r#"{"name": "moving", "matchers": ["env=prod", "target=~w*"], "hours": 2,
        "by": "kim", "comment": "moving house"}"#;
    let answer = bench.ask(Method::POST, "/v1/silences", &[], body).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.body);
    let listed = bench.get("/v1/silences").await.json();
    let silence = &listed["silences"][0];
    assert_eq!(
        (&silence["active"], &silence["alerts"]),
        (&json!(true), &json!(1))
    );
    let alert = bench.get(&format!("/v1/alerts/{id}")).await.json();
    assert_eq!(
        alert["suppressed"],
        json!({ "by": "silence", "name": "moving" })
    );
    let answer = bench
        .ask(Method::DELETE, "/v1/silences/moving", &[], "")
        .await;
    assert_eq!(answer.status, StatusCode::NO_CONTENT);
    let answer = bench
        .ask(Method::DELETE, "/v1/silences/moving", &[], "")
        .await;
    answer.problem(404, "unknown_name");
    for wrong in [
        r#"{"matchers": [], "hours": 1, "by": "kim", "comment": ""}"#,
        r#"{"matchers": ["env"], "hours": 1, "by": "kim", "comment": ""}"#,
        r#"{"matchers": ["a=b"], "hours": -1, "by": "kim", "comment": ""}"#,
        r#"{"matchers": ["a=b"], "by": "kim", "comment": ""}"#,
        r#"{"matchers": ["a=b"], "until": "2001-01-01T00:00:00Z", "by": "kim", "comment": ""}"#,
        r#"{"matchers": ["a=b"], "until": "soon", "by": "kim", "comment": ""}"#,
    ] {
        let answer = bench.ask(Method::POST, "/v1/silences", &[], wrong).await;
        answer.problem(422, "invalid");
    }
}

#[tokio::test]
async fn receivers_are_listed_and_tried() {
    let (bench, _id) = alerting().await;
    let page = bench.get("/v1/receivers").await.json();
    assert_eq!(page["receivers"][0]["name"], "journal");
    assert_eq!(page["receivers"][0]["breaker"], "closed");
    let answer = bench
        .ask(Method::POST, "/v1/receivers/journal/test", &[], "")
        .await;
    let sent = answer.json()["sent"].as_str().map(str::to_owned);
    assert!(sent.is_some_and(|sent| sent.contains("this is a test")));
    let answer = bench
        .ask(Method::POST, "/v1/receivers/nobody/test", &[], "")
        .await;
    answer.problem(404, "unknown_name");
}
