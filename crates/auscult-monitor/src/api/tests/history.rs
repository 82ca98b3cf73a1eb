//! `/v1/targets/{id}/history`, `/availability` and `/arrivals`.

use auscult_core::history::{Resolution, Rollup};
use auscult_core::id::TargetId;
use serde_json::json;

use super::*;

/// A monitor with a history, and in it a target that was down for one minute an hour ago.
async fn remembering() -> (Bench, tempfile::TempDir) {
    let folder = tempfile::tempdir().expect("a folder");
    let bench = Bench::remembering(folder.path());
    bench.add("web").await;
    let history = bench.history.clone().expect("a history");
    let opened = async {
        while history.status().commits == 0 {
            tokio::task::yield_now().await;
        }
    };
    let opened = tokio::time::timeout(std::time::Duration::from_secs(20), opened).await;
    opened.expect("it should be open by now");
    let id = TargetId::new("old").expect("a name");
    let hour = Resolution::OneHour.floor(history.now_ms()) - 3_600_000;
    let rows: Vec<_> = (0..360_u64)
        .map(|n| {
            let down = (100..106).contains(&n);
            let mut row = Rollup::default();
            row.spans_ms[if down { 4 } else { 1 }] = 10_000;
            row.failures = u64::from(n == 100);
            row.recoveries = u64::from(n == 106);
            (hour + n * 10_000, id.clone(), row)
        })
        .collect();
    history.put(&rows).expect("room");
    (bench, folder)
}

#[tokio::test]
async fn the_past_of_a_target_is_read_in_pages() {
    let (bench, _folder) = remembering().await;
    let (mut rows, mut cursor) = (Vec::new(), String::new());
    loop {
        let path = format!("/v1/targets/old/history?since=3h&resolution=10s&limit=100{cursor}");
        let page = bench.get(&path).await.json();
        let list = page["rollups"].as_array().expect("a list").clone();
        assert!(list.len() <= 100);
        rows.extend(list);
        match page["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(rows.len(), 360);
    let times: Vec<&str> = rows.iter().filter_map(|row| row["at"].as_str()).collect();
    assert!(times.is_sorted_by(|a, b| a < b), "each once, in order");
    let down: u64 = rows.iter().filter_map(|row| row["down_ms"].as_u64()).sum();
    assert_eq!(down, 60_000);

    let hours = bench
        .get("/v1/targets/old/history?since=3h&resolution=1h")
        .await
        .json();
    assert_eq!(hours["rollups"][0]["down_ms"], json!(60_000));
    assert_eq!(hours["next"], json!(null));
    // What is watched has a past, too, as soon as something happened.
    let web = bench.get("/v1/targets/web/history").await.json();
    assert_eq!(web["target"], "web");
}

#[tokio::test]
async fn availability_says_what_is_left_of_the_budget() {
    let (bench, _folder) = remembering().await;
    let found = bench
        .get("/v1/targets/old/availability?window=3h&slo=99")
        .await
        .json();
    for (field, expected) in [
        ("judged_seconds", json!(3_600.0)),
        ("down_seconds", json!(60.0)),
        ("outages", json!(1)),
        ("met", json!(false)),
        ("mean_to_recover_seconds", json!(60.0)),
        ("mean_between_failures_seconds", json!(3_540.0)),
        ("detection_mean_seconds", json!(null)),
    ] {
        assert_eq!(found[field], expected, "{field}: {found}");
    }
    let left = found["error_budget_left_seconds"]
        .as_f64()
        .expect("a number");
    assert!((left + 24.0).abs() < 1e-6, "{left}");
    let percent = found["availability_percent"].as_f64().expect("a number");
    assert!((percent - 98.333_333).abs() < 1e-4, "{percent}");
    let unwatched = found["unwatched_seconds"].as_f64().expect("a number");
    assert!((7_180.0..7_220.0).contains(&unwatched), "{unwatched}");
    let nothing = bench
        .get("/v1/targets/old/availability?window=10s")
        .await
        .json();
    assert_eq!(nothing["availability_percent"], json!(null));
}

#[tokio::test]
async fn the_past_is_a_table_for_whoever_asks_for_one() {
    let (bench, _folder) = remembering().await;
    let path = "/v1/targets/old/history?since=3h&resolution=5m";
    let csv = [("accept", "text/csv")];
    let answer = bench.ask(Method::GET, path, &csv, "").await;
    let media = answer.headers["content-type"].to_str().unwrap_or_default();
    assert!(media.starts_with("text/csv"), "{media}");
    let lines: Vec<&str> = answer.body.lines().collect();
    assert_eq!(lines.len(), 13);
    assert!(lines[0].starts_with("at,resolution,availability,up_ms"));
    let columns = lines[0].split(',').count();
    assert!(lines.iter().all(|line| line.split(',').count() == columns));
    let short = format!("{path}&format=csv&limit=2");
    let answer = bench.get(&short).await;
    assert_eq!(answer.body.lines().count(), 3);
    assert!(answer.headers.contains_key("x-auscult-next"));
    let transitions = bench
        .get("/v1/targets/old/history?format=csv&part=transitions")
        .await;
    assert!(
        transitions.body.starts_with("at,id,kind"),
        "{}",
        transitions.body
    );
}

#[tokio::test]
async fn what_cannot_be_asked_is_refused_with_the_reason() {
    let (bench, _folder) = remembering().await;
    for (query, reason) in [
        (
            "history?since=2026-01-02T00:00:00Z&until=2026-01-01T00:00:00Z",
            "before `until`",
        ),
        ("history?since=0s", "before `until`"),
        ("history?since=5000d", "ten years"),
        ("history?since=1900-01-01T00:00:00Z", "1970"),
        ("history?since=-1h", "neither a time"),
        ("history?since=99999999999999999999w", "neither a time"),
        ("history?until=tomorrow", "neither a time"),
        ("history?resolution=7s", "none of 10s, 5m, 1h"),
        ("history?limit=0", "1 to 10000"),
        ("history?limit=-5", "1 to 10000"),
        ("history?limit=100001", "1 to 10000"),
        ("history?cursor=x", "`next` of a page"),
        ("history?cursor=1.2.3,4", "`next` of a page"),
        ("history?format=xml", "`json` or `csv`"),
        ("history?part=all", "`transitions` or `rollups`"),
        ("history?from=1h", "unknown key"),
        ("availability?window=1", "no span"),
        ("availability?window=1s", "at least 10s"),
        ("availability?window=9999d", "ten years"),
        ("availability?slo=100", "above 0 and below 100"),
        ("availability?slo=0", "above 0 and below 100"),
        ("availability?slo=NaN", "above 0 and below 100"),
        ("availability?slo=much", "no percentage"),
        ("arrivals?since=-1", "whole number"),
        ("arrivals?limit=0", "1 to 10000"),
    ] {
        let answer = bench.get(&format!("/v1/targets/web/{query}")).await;
        assert_eq!(
            answer.status,
            StatusCode::BAD_REQUEST,
            "{query}: {}",
            answer.body
        );
        assert!(answer.body.contains(reason), "{query}: {}", answer.body);
    }
    for path in ["history", "availability", "arrivals"] {
        let answer = bench.get(&format!("/v1/targets/none/{path}")).await;
        answer.problem(404, "unknown_target");
    }
    // A cursor far outside gives nothing, and takes no time.
    let far = "/v1/targets/old/history?cursor=18446744073709551615.18446744073709551615,18446744073709551615";
    let page = bench.get(far).await.json();
    assert_eq!(
        (&page["rollups"], &page["transitions"]),
        (&json!([]), &json!([]))
    );
}

#[tokio::test]
async fn raw_arrivals_are_recorded_from_the_first_request_on() {
    let bench = Bench::new();
    bench.add("web").await;
    bench
        .get("/v1/targets/web/history")
        .await
        .problem(404, "no_history");
    bench
        .ask(Method::POST, "/v1/heartbeats/web?seq=1", &[], "")
        .await;
    let first = bench.get("/v1/targets/web/arrivals").await.json();
    assert_eq!(
        (&first["arrivals"], &first["next"]),
        (&json!([]), &json!(0))
    );
    assert_eq!(first["spec"]["id"], "web");
    assert!(
        first["remembered"][0]["last_arrival_ns"].is_u64(),
        "{first}"
    );
    for sequence in [2, 3, 3] {
        let path = format!("/v1/heartbeats/web?seq={sequence}");
        bench.ask(Method::POST, &path, &[], "").await;
    }
    let page = bench.get("/v1/targets/web/arrivals?since=0").await.json();
    let heard = page["arrivals"].as_array().expect("a list");
    let sequences: Vec<_> = heard.iter().map(|it| it["sequence"].as_u64()).collect();
    assert_eq!(
        sequences,
        [Some(2), Some(3), Some(3)],
        "raw: before anybody judges them"
    );
    assert_eq!((&page["next"], &page["missed"]), (&json!(3), &json!(0)));
}
