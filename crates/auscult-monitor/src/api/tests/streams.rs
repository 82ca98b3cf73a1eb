//! Events: pages, and a stream that resumes, lags and ends.

use std::time::Duration;

use auscult_core::id::TargetId;
use auscult_core::monitor::{Event, EventKind};
use auscult_core::time::Instant;

use super::*;

fn added(target: &str) -> Event {
    Event {
        at: Instant::from_secs(1),
        target: Some(TargetId::new(target).expect("a name")),
        kind: EventKind::Added,
    }
}

/// A stream of events, read frame by frame.
struct Reader {
    body: Body,
    text: String,
}

impl Reader {
    async fn open(bench: &Bench, path: &str, headers: &[(&str, &str)]) -> Self {
        let response = bench.open(Method::GET, path, headers, "").await;
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Self {
            body: response.into_body(),
            text: String::new(),
        }
    }

    /// The next event, or none when the stream ended.
    async fn next(&mut self) -> Option<String> {
        loop {
            if let Some((event, rest)) = self.text.split_once("\n\n") {
                let event = event.to_owned();
                self.text = rest.to_owned();
                return Some(event);
            }
            let frame = tokio::time::timeout(Duration::from_secs(10), self.body.frame());
            let frame = frame
                .await
                .expect("a frame in time")?
                .expect("a whole frame");
            let data = frame.into_data().expect("data");
            self.text
                .push_str(std::str::from_utf8(&data).expect("text"));
        }
    }

    async fn fields(&mut self) -> (String, String, Value) {
        let event = self.next().await.expect("an event");
        let field = |name: &str| {
            let found = event.lines().find_map(|line| line.strip_prefix(name));
            found.map_or_else(String::new, |value| value.trim().to_owned())
        };
        let data = serde_json::from_str(&field("data:")).expect("JSON");
        (field("event:"), field("id:"), data)
    }
}

#[tokio::test]
async fn a_stream_resumes_after_the_event_seen_last() {
    let bench = Bench::new();
    for name in ["a", "b", "c"] {
        bench.events.append(added(name));
    }
    let first = bench.events.oldest_id().expect("events");
    let seen = first.to_string();
    let mut reader = Reader::open(&bench, "/v1/events/stream", &[("last-event-id", &seen)]).await;
    for (step, name) in [(1, "b"), (2, "c")] {
        let (kind, id, data) = reader.fields().await;
        assert_eq!((kind.as_str(), id), ("added", (first + step).to_string()));
        assert_eq!(
            (&data["target"], &data["id"]),
            (&name.into(), &(first + step).into())
        );
    }
    bench.events.append(added("d"));
    assert_eq!(reader.fields().await.2["target"], "d", "and it goes on");
    bench.stopper.stop();
    assert_eq!(reader.next().await, None, "until the server ends");
}

#[tokio::test]
async fn a_stream_without_a_number_begins_with_what_happens_next() {
    let bench = Bench::new();
    bench.events.append(added("old"));
    let accept = [("accept", "text/event-stream")];
    let mut reader = Reader::open(&bench, "/v1/events?target=b", &accept).await;
    bench.events.append(added("a"));
    bench.events.append(added("b"));
    assert_eq!(
        reader.fields().await.2["target"],
        "b",
        "of the target asked for"
    );
}

#[tokio::test]
async fn a_slow_reader_is_told_how_much_it_missed() {
    let bench = Bench::new();
    for name in 0..20 {
        bench.events.append(added(&name.to_string()));
    }
    let oldest = bench.events.oldest_id().expect("events");
    let path = format!("/v1/events/stream?since={}", oldest - 6);
    let mut reader = Reader::open(&bench, &path, &[]).await;
    let (kind, id, data) = reader.fields().await;
    assert_eq!(
        (kind.as_str(), id.as_str(), &data["lost"]),
        ("lagged", "", &5.into())
    );
    assert_eq!(reader.fields().await.1, oldest.to_string());

    let mut reader = Reader::open(&bench, "/v1/events/stream", &[("last-event-id", "x")]).await;
    let (kind, _, data) = reader.fields().await;
    assert_eq!(
        (kind.as_str(), &data["lost"]),
        ("lagged", &Value::Null),
        "nobody knows"
    );
}

#[tokio::test]
async fn streams_are_bounded_and_give_their_place_back() {
    let bench = Bench::new();
    let mut readers = Vec::new();
    for _ in 0..log::STREAMS_MAX {
        readers.push(Reader::open(&bench, "/v1/events/stream", &[]).await);
    }
    bench.get("/v1/events/stream").await.problem(503, "busy");
    readers.pop();
    Reader::open(&bench, "/v1/events/stream", &[]).await;
}

#[tokio::test]
async fn pages_go_from_one_to_the_next() {
    let bench = Bench::new();
    for name in ["a", "b", "a", "c"] {
        bench.events.append(added(name));
    }
    let oldest = bench.events.oldest_id().expect("events");
    let names = |page: &Value| -> Vec<String> {
        let events = page["events"].as_array().expect("events");
        events
            .iter()
            .map(|e| e["target"].as_str().unwrap_or("").to_owned())
            .collect()
    };
    let page = bench.get("/v1/events?limit=3").await.json();
    assert_eq!(names(&page), ["b", "a", "c"], "the newest, oldest first");
    assert_eq!(
        (&page["next"], &page["missed"]),
        (&(oldest + 3).into(), &0.into())
    );

    let page = bench
        .get("/v1/events?since=0&limit=1&target=a")
        .await
        .json();
    assert_eq!(
        (names(&page), &page["next"]),
        (vec!["a".into()], &oldest.into())
    );
    let page = bench
        .get(&format!("/v1/events?since={oldest}&target=a"))
        .await
        .json();
    assert_eq!(
        (names(&page), &page["next"]),
        (vec!["a".into()], &(oldest + 3).into())
    );
    let page = bench.get("/v1/events?since=7").await.json();
    assert_eq!(
        (names(&page).len(), &page["missed"]),
        (4, &Value::Null),
        "of another run"
    );
    for (query, detail) in [
        (
            "since=x",
            "since: \"x\" must be a whole number from 0 to 18446744073709551615",
        ),
        (
            "limit=0",
            "limit: \"0\" must be a whole number from 1 to 1000",
        ),
        ("sinc=1", "the query has an unknown key: sinc"),
    ] {
        let answer = bench.get(&format!("/v1/events?{query}")).await;
        assert_eq!(answer.problem(400, "malformed"), detail);
    }
}
