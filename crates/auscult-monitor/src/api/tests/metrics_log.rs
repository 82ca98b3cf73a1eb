//! `/v1/metrics-log`, and what ipfs-cluster has in its place.

use std::time::Duration;

use auscult_core::peer_metric::Rejection;
use serde_json::json;

use super::*;

const SETTINGS: &str = "
receivers: [{name: journal, type: log}]
peer_metrics: {peers: [a, b], metrics: [{name: ping, grace: 1h}]}
";

const LOG: &str = "/v1/metrics-log";

fn watching(settings: &str) -> Bench {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("settings.yml");
    std::fs::write(&file, settings).expect("a file");
    Bench::with_settings(Some(file))
}

impl Bench {
    async fn publish(&self, body: &Value) -> Answer {
        self.ask(Method::POST, LOG, &[], &body.to_string()).await
    }

    /// Waits until an answer is as it should be.
    async fn until(&self, path: &str, holds: impl Fn(&Value) -> bool) -> Value {
        let waiting = async {
            loop {
                let answer = self.get(path).await.json();
                if holds(&answer) {
                    return answer;
                }
                tokio::task::yield_now().await;
            }
        };
        let waited = tokio::time::timeout(Duration::from_secs(20), waiting).await;
        waited.unwrap_or_else(|_| panic!("{path} should be otherwise by now"))
    }
}

/// From a reading that nobody repeats to an alert that fires, and is over when it comes again.
#[tokio::test]
async fn a_metric_that_expires_is_an_alert_until_it_is_heard_of_again() {
    let bench = watching(SETTINGS);
    let reading = json!({"name": "ping", "peer": "a", "value": "ok", "ttl": "150ms"});
    let answer = bench.publish(&reading).await;
    assert_eq!(
        (answer.status, answer.json()),
        (StatusCode::OK, json!({"taken": 1}))
    );
    let page = bench
        .until("/v1/alerts?phase=firing", |page| {
            page["alerts"][0].is_object()
        })
        .await;
    let alert = &page["alerts"][0];
    for (field, expected) in [
        ("kind", "peer"),
        ("subject", "a"),
        ("signal", "ping"),
        (
            "reason",
            "ping of a has failed: nothing came within its time to live, 150ms",
        ),
    ] {
        assert_eq!(alert[field], expected, "{alert}");
    }
    let page = bench.get(&format!("{LOG}/ping")).await.json();
    assert_eq!(page["metrics"], json!([]));
    let failing = &page["failing"][0];
    assert_eq!(
        (&failing["cause"], &failing["last"]["value"]),
        (&json!("expired"), &json!("ok"))
    );
    let seed = bench.get("/health/alerts").await.json();
    assert_eq!(
        (&seed[0]["name"], &seed[0]["peer"]),
        (&json!("ping"), &json!("a"))
    );
    assert!(seed[0]["triggered_at"].is_string(), "{seed}");

    let longer = json!({"name": "ping", "peer": "a", "value": "ok", "ttl": 3600});
    bench.publish(&longer).await;
    bench
        .until("/v1/alerts?phase=resolved", |page| {
            page["alerts"][0]["ending"] == "cleared"
        })
        .await;
    assert_eq!(
        bench.get("/v1/alerts?phase=firing").await.json()["alerts"],
        json!([])
    );
    let events = bench.get("/v1/events").await.json();
    let events = events["events"].as_array().expect("a list");
    let kinds: Vec<&Value> = events.iter().map(|event| &event["kind"]).collect();
    assert_eq!(kinds, ["metric_failed", "metric_recovered"]);
}

#[tokio::test]
async fn what_was_published_is_read_newest_first_and_by_peer() {
    let bench = watching(SETTINGS);
    let many = json!([
        {"name": "free", "peer": "b", "value": 12.5, "ttl": 60, "weight": -3},
        {"name": "free", "peer": "a", "value": "1", "ttl": "1m"},
        {"name": "free", "peer": "a", "value": true, "ttl": "1m"},
        {"name": "ping", "peer": "a", "value": null, "ttl": "1m", "valid": false},
    ]);
    let answer = bench.publish(&many).await;
    assert_eq!(answer.json(), json!({"taken": 4}), "{}", answer.body);
    let page = bench.get(&format!("{LOG}/free?history=1")).await.json();
    assert_eq!(page["decision"], "ttl");
    let metrics = page["metrics"].as_array().expect("a list");
    let shown = |metric: &Value| (metric["peer"].clone(), metric["value"].clone());
    assert_eq!(shown(&metrics[0]), (json!("a"), json!("true")));
    assert_eq!(shown(&metrics[1]), (json!("b"), json!("12.5")));
    assert_eq!(
        (&metrics[1]["weight"], &metrics[1]["ttl_ms"]),
        (&json!(-3), &json!(60_000.0))
    );
    let history = metrics[0]["history"].as_array().expect("a list");
    let values: Vec<&Value> = history.iter().map(|reading| &reading["value"]).collect();
    assert_eq!(values, ["true", "1"]);

    let first = bench.get(&format!("{LOG}/free?limit=1")).await.json();
    assert_eq!(
        (&first["metrics"][0]["peer"], &first["next"]),
        (&json!("a"), &json!("a"))
    );
    let second = bench
        .get(&format!("{LOG}/free?limit=1&cursor=a"))
        .await
        .json();
    assert_eq!(
        (&second["metrics"][0]["peer"], &second["next"]),
        (&json!("b"), &json!(null))
    );
    let of_b = bench.get(&format!("{LOG}/free?peer=b")).await.json();
    assert_eq!(of_b["metrics"].as_array().map(Vec::len), Some(1));

    let names = bench.get(LOG).await.json();
    let summary = json!({"name": "free", "decision": "ttl", "peers": 2, "good": 2, "failing": 0});
    assert_eq!(names["metrics"][0], summary);
    // Without a value it is no metric to be had, but the peer lives.
    assert_eq!(names["metrics"][1]["good"], 0);
    assert_eq!(
        bench.get("/monitor/metrics").await.json(),
        json!(["free", "ping"])
    );
    let seed = bench.get("/monitor/metrics/free").await.json();
    let seed = &seed[0];
    assert_eq!(
        (&seed["name"], &seed["peer"], &seed["valid"]),
        (&json!("free"), &json!("a"), &json!(true))
    );
    let span = seed["expire"].as_i64().zip(seed["received_at"].as_i64());
    assert_eq!(
        span.map(|(expire, received)| expire - received),
        Some(60_000_000_000)
    );
    assert_eq!(bench.get("/monitor/metrics/none").await.json(), json!([]));
    bench
        .get(&format!("{LOG}/none"))
        .await
        .problem(404, "unknown_name");
    bench
        .get(&format!("{LOG}/free?history=yes"))
        .await
        .problem(400, "malformed");
}

/// Whatever is sent is refused with a reason and counted, and changes nothing.
#[tokio::test]
async fn hostile_readings_are_refused_and_counted() {
    let bench = watching(SETTINGS);
    let good = json!({"name": "ping", "peer": "a", "value": "ok", "ttl": "1h"});
    assert_eq!(bench.publish(&good).await.status, StatusCode::OK);
    let with = |field: &str, value: Value| {
        let mut reading = good.clone();
        reading[field] = value;
        reading
    };
    let long = "x".repeat(5_000);
    for (reading, status, kind, reason) in [
        (with("ttl", json!(-1)), 422, "invalid", Rejection::Ttl),
        (with("ttl", json!("-1s")), 422, "invalid", Rejection::Ttl),
        (with("ttl", json!("NaN")), 422, "invalid", Rejection::Ttl),
        (with("ttl", json!(0)), 422, "invalid", Rejection::Ttl),
        (with("ttl", json!(1e300)), 422, "invalid", Rejection::Ttl),
        (with("ttl", json!("400d")), 422, "invalid", Rejection::Ttl),
        (with("ttl", json!(null)), 422, "invalid", Rejection::Ttl),
        (with("name", json!("a b")), 422, "invalid", Rejection::Name),
        (with("peer", json!("")), 422, "invalid", Rejection::Name),
        (
            with("peer", json!("stranger")),
            404,
            "unknown_name",
            Rejection::UnknownPeer,
        ),
        (with("value", json!(long)), 422, "invalid", Rejection::Value),
        (
            with("value", json!([1])),
            400,
            "malformed",
            Rejection::Malformed,
        ),
        (
            with("weight", json!(0.5)),
            400,
            "malformed",
            Rejection::Malformed,
        ),
        (
            with("epoch", json!(-1)),
            400,
            "malformed",
            Rejection::Malformed,
        ),
        (
            with("valid", json!("yes")),
            400,
            "malformed",
            Rejection::Malformed,
        ),
        (
            with("expire", json!(1)),
            400,
            "malformed",
            Rejection::Malformed,
        ),
        (json!("ping"), 400, "malformed", Rejection::Malformed),
    ] {
        let count = |bench: &Bench| bench.peers.read(|log, _| log.counters().rejections(reason));
        let before = count(&bench);
        bench.publish(&reading).await.problem(status, kind);
        assert_eq!(count(&bench), before + 1, "{reading}");
    }
}

#[tokio::test]
async fn bodies_that_cannot_be_read_are_refused_and_counted() {
    let bench = watching(SETTINGS);
    let malformed = || {
        let reason = Rejection::Malformed;
        bench.peers.read(|log, _| log.counters().rejections(reason))
    };
    let good = json!({"name": "ping", "peer": "a", "value": "ok", "ttl": "1h"});
    let large = format!(r#"{{"name": "ping", "value": "{}"}}"#, "x".repeat(10 << 20));
    for body in [&*large, "{\"ttl\": NaN}", "{\"ttl\": 1e999}", "[", ""] {
        let before = malformed();
        let answer = bench.ask(Method::POST, LOG, &[], body).await;
        assert!(answer.status.is_client_error(), "{}", answer.body);
        assert_eq!(malformed(), before + 1);
    }
    let many: Vec<&Value> = vec![&good; 1_001];
    bench
        .publish(&json!(many))
        .await
        .problem(413, "body_too_large");

    let mut negative = good.clone();
    negative["ttl"] = json!(-1);
    let mut stranger = good.clone();
    stranger["peer"] = json!("x");
    let mixed = json!([good, negative, good, stranger]);
    let answer = bench.publish(&mixed).await;
    let detail = answer.problem(422, "invalid");
    assert_eq!(detail, "2 of 4 readings are wrong, and 2 were taken");
    let pointers = answer.json()["errors"].clone();
    assert_eq!(
        (&pointers[0]["pointer"], &pointers[1]["pointer"]),
        (&json!("/1/ttl"), &json!("/3/peer"))
    );
    bench.peers.read(|log, _| log.check_invariants());
}

#[tokio::test]
async fn a_token_that_is_bound_to_a_peer_speaks_for_that_one_alone() {
    let bench = watching(SETTINGS);
    let make = async |name: &str, role: &str, peer: Option<&str>, who: &str| {
        let body = json!({"name": name, "role": role, "peer": peer}).to_string();
        let headers = [("authorization", who)];
        let headers = if who.is_empty() { &[] } else { &headers[..] };
        let answer = bench
            .ask(Method::POST, "/v1/settings/tokens", headers, &body)
            .await;
        assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.body);
        format!(
            "Bearer {}",
            answer.json()["token"].as_str().expect("a secret")
        )
    };
    let root = make("root", "admin", None, "").await;
    let of_a = make("a", "read", Some("a"), &root).await;
    let writer = make("any", "write", None, &root).await;
    let reader = make("page", "read", None, &root).await;
    let publish = async |who: &str, peer: Option<&str>| {
        let body = json!({"name": "ping", "peer": peer, "value": "ok", "ttl": "1h"}).to_string();
        bench
            .ask(Method::POST, LOG, &[("authorization", who)], &body)
            .await
    };
    assert_eq!(publish(&of_a, Some("a")).await.status, StatusCode::OK);
    assert_eq!(publish(&of_a, None).await.status, StatusCode::OK);
    publish(&of_a, Some("b")).await.problem(403, "forbidden");
    publish(&reader, Some("a")).await.problem(403, "forbidden");
    assert_eq!(publish(&writer, Some("b")).await.status, StatusCode::OK);
    bench.publish(&json!({})).await.problem(401, "unauthorized");
    let delete = [("authorization", of_a.as_str())];
    let path = format!("{LOG}?peer=a");
    bench
        .ask(Method::DELETE, &path, &delete, "")
        .await
        .problem(403, "forbidden");
    let foreign = bench
        .peers
        .read(|log, _| log.counters().rejections(Rejection::ForeignPeer));
    assert_eq!(foreign, 1);
}

#[tokio::test]
async fn a_peer_that_is_forgotten_has_no_alert_any_more() {
    let bench = watching(SETTINGS);
    bench
        .publish(&json!({"name": "free", "peer": "a", "value": 1, "ttl": "100ms"}))
        .await;
    bench
        .until("/v1/alerts?phase=firing", |page| {
            page["alerts"][0].is_object()
        })
        .await;
    let answer = bench
        .ask(Method::DELETE, &format!("{LOG}?peer=a&name=free"), &[], "")
        .await;
    assert_eq!(answer.status, StatusCode::NO_CONTENT);
    bench
        .until("/v1/alerts?phase=resolved", |page| {
            page["alerts"][0].is_object()
        })
        .await;
    for query in ["?peer=a&name=free", "?peer=nobody"] {
        let answer = bench
            .ask(Method::DELETE, &format!("{LOG}{query}"), &[], "")
            .await;
        answer.problem(404, "unknown_name");
    }
    bench
        .ask(Method::DELETE, LOG, &[], "")
        .await
        .problem(400, "malformed");
}

#[tokio::test]
async fn whoever_publishes_is_a_peer_where_that_is_wanted() {
    let bench = watching("peer_metrics: {create: true, peers_max: 1}");
    let of = |peer: &str| json!({"name": "ping", "peer": peer, "value": "ok", "ttl": "1h"});
    assert_eq!(bench.publish(&of("new")).await.status, StatusCode::OK);
    bench.publish(&of("newer")).await.problem(409, "full");
}

/// A thousand peers fall silent within a second, and the receiver never answers: all of them fire
/// at once, and are over when they are heard of again.
#[tokio::test]
async fn a_thousand_peers_that_expire_fire_at_once_whatever_the_receiver_does() {
    const PEERS: usize = 1_000;
    let silent = tokio::net::TcpListener::bind(("127.0.0.1", 0))
        .await
        .expect("a socket");
    let addr = silent.local_addr().expect("an address");
    let settings = format!(
        "peer_metrics: {{create: true}}
receivers: [{{name: hook, type: webhook, url: \"http://{addr}/\", group_wait: 0s}}]"
    );
    let bench = watching(&settings);
    let names: Vec<String> = (0..PEERS).map(|n| format!("peer-{n:04}")).collect();
    let publish = async |ttl: &dyn Fn(usize) -> u64| {
        let reading = |(n, peer): (usize, &String)| {
            let ttl = format!("{}ms", ttl(n));
            json!({"name": "ping", "peer": peer, "value": "ok", "ttl": ttl})
        };
        let all: Vec<Value> = names.iter().enumerate().map(reading).collect();
        assert_eq!(bench.publish(&json!(all)).await.json()["taken"], PEERS);
    };
    publish(&|n| 1_000 + n as u64).await;
    let last = bench
        .peers
        .clock()
        .now()
        .after(Duration::from_millis(1_999));
    let count = |page: &Value| page["alerts"].as_array().map_or(0, Vec::len);
    let firing = "/v1/alerts?phase=firing&limit=1000";
    bench.until(firing, |page| count(page) == PEERS).await;
    let late = bench.peers.clock().now().since(last);
    assert!(
        late < Duration::from_secs(5),
        "all fire {late:?} after the last one expired"
    );
    let failures = bench.get("/health/alerts").await.json();
    assert_eq!(failures.as_array().map(Vec::len), Some(PEERS), "each once");

    publish(&|_| 3_600_000).await;
    bench
        .until("/v1/alerts?phase=resolved&limit=1000", |page| {
            count(page) == PEERS
        })
        .await;
    assert_eq!(count(&bench.get(firing).await.json()), 0);
    bench.peers.read(|log, _| log.check_invariants());
}
