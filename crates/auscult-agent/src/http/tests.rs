//! The routes of an agent, asked as a client asks them, over real agents on the loopback.

use std::time::Duration;

use auscult_core::swim::{EventKind, Label, MemberName, Params, State as MemberState};
use axum::body::Body;
use axum::http::{Method, Request, StatusCode};
use http_body_util::BodyExt as _;
use serde_json::Value;
use tower::ServiceExt as _;

use super::stop::Stopper;
use super::*;
use crate::events::Reading;
use crate::{Agent, AgentConfig};

const PATIENCE: Duration = Duration::from_secs(20);

/// An agent with its routes.
struct Bench {
    agent: AgentHandle,
    router: Router,
    _stopper: Stopper,
}

impl Bench {
    async fn start(name: &str, join: &[&Self]) -> Self {
        let label = Label::new("test").expect("a label");
        let name = MemberName::new(name).expect("a name");
        let bind = ([127, 0, 0, 1], 0).into();
        let config = AgentConfig::new(name, bind, Params::local(label));
        let agent = Agent::start(config).await.expect("an agent");
        let seeds: Vec<String> = join
            .iter()
            .map(|other| other.agent.address().to_string())
            .collect();
        for joined in agent.join(&seeds).await {
            joined.outcome.expect("it lets us in");
        }
        let company = match join {
            [] => Company::Unexpected,
            _ => Company::Expected,
        };
        let (stopper, stop) = Stop::channel();
        let state = AgentState::new(agent.clone(), company, stop);
        Self {
            agent,
            router: router(state),
            _stopper: stopper,
        }
    }

    async fn ask(&self, method: Method, path: &str) -> (StatusCode, String) {
        let request = Request::builder().method(method).uri(path);
        let request = request.body(Body::empty()).expect("a request");
        let response = self.router.clone().oneshot(request).await;
        let response = response.expect("an answer");
        let status = response.status();
        let body = response.into_body().collect().await.expect("a body");
        let text = String::from_utf8(body.to_bytes().to_vec()).expect("text");
        (status, text)
    }

    async fn get(&self, path: &str) -> Value {
        let (status, body) = self.ask(Method::GET, path).await;
        assert_eq!(status, StatusCode::OK, "{path}: {body}");
        serde_json::from_str(&body).expect("JSON")
    }

    /// Waits until this is said of a member.
    async fn hear_of(&self, member: &str, is: impl Fn(&EventKind) -> bool) {
        let mut reader = self.agent.events().read_after(0);
        let heard = async {
            loop {
                if let Reading::Event(logged) = reader.next().await
                    && let Some(event) = logged.event.of_member()
                    && event.member.as_str() == member
                    && is(&event.kind)
                {
                    return;
                }
            }
        };
        let heard = tokio::time::timeout(PATIENCE, heard).await;
        assert!(heard.is_ok(), "{:?}", self.agent.members());
    }
}

fn joined(kind: &EventKind) -> bool {
    matches!(kind, EventKind::Joined { .. })
}

#[tokio::test]
async fn members_are_listed_and_read_with_the_case_against_them() {
    let a = Bench::start("a", &[]).await;
    let b = Bench::start("b", &[&a]).await;
    a.hear_of("b", joined).await;
    let list = a.get("/v1/members").await;
    assert_eq!((&list["name"], &list["live"]), (&"a".into(), &2.into()));
    let members = list["members"].as_array().expect("members");
    let names: Vec<_> = members.iter().map(|member| &member["name"]).collect();
    assert_eq!(names, ["a", "b"]);
    assert_eq!(members[0]["me"], true);
    assert_eq!(members[1]["address"], b.agent.address().to_string());

    let member = a.get("/v1/members/b").await;
    assert_eq!(member["state"], "alive");
    assert_eq!(member["metadata"], serde_json::json!({}));
    assert_eq!(
        a.get("/v1/members?state=dead").await["members"][0],
        Value::Null
    );
    let (status, body) = a.ask(Method::GET, "/v1/members?state=well").await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert!(body.contains("alive, suspect, dead, left"), "{body}");
    let (status, body) = a.ask(Method::GET, "/v1/members/nobody").await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    assert!(
        body.contains("urn:auscult:problem:unknown_member"),
        "{body}"
    );

    b.agent.clone().shutdown().await;
    a.hear_of("b", |kind| matches!(kind, EventKind::Suspected(_)))
        .await;
    a.hear_of("b", |kind| matches!(kind, EventKind::Failed { .. }))
        .await;
    assert_eq!(a.get("/v1/members/b").await["state"], "dead");
    let events = a.get("/v1/events?target=b").await;
    let events = events["events"].as_array().expect("events");
    let suspected = events.iter().find(|event| event["kind"] == "suspected");
    let suspected = suspected.expect("it was suspected");
    let deadline = &suspected["case"]["deadline"];
    assert!(
        deadline["arithmetic"]
            .as_str()
            .is_some_and(|text| text.contains("agree")),
        "{suspected}"
    );
    assert_eq!(deadline["accusers"][0]["name"], "a", "{suspected}");
}

#[tokio::test]
async fn an_agent_says_what_it_is_and_whether_it_has_company() {
    let a = Bench::start("a", &[]).await;
    assert_eq!(a.ask(Method::GET, "/-/healthy").await.0, StatusCode::OK);
    assert_eq!(a.ask(Method::GET, "/-/ready").await.0, StatusCode::OK);
    let status = a.get("/v1/status").await;
    assert_eq!(status["label"], "test");
    assert_eq!(status["address"], a.agent.address().to_string());
    assert_eq!((&status["live"], &status["known"]), (&1.into(), &1.into()));

    let b = Bench::start("b", &[&a]).await;
    assert_eq!(b.ask(Method::GET, "/-/ready").await.0, StatusCode::OK);
    a.agent.clone().leave().await;
    b.hear_of("a", |kind| matches!(kind, EventKind::Left)).await;
    let (status, body) = b.ask(Method::GET, "/-/ready").await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "{body}");
    let (status, body) = a.ask(Method::GET, "/v1/status").await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "{body}");
}

#[tokio::test]
async fn figures_count_members_by_state() {
    let a = Bench::start("a", &[]).await;
    let _b = Bench::start("b", &[&a]).await;
    a.hear_of("b", joined).await;
    let (status, text) = a.ask(Method::GET, "/metrics").await;
    assert_eq!(status, StatusCode::OK);
    let alive = MemberState::Alive.as_str();
    for line in [
        format!("auscult_members{{state=\"{alive}\"}} 2"),
        "auscult_swim_rejected_total{layer=\"machine\",reason=\"label\"} 0".to_owned(),
        "# TYPE auscult_swim_lateness_seconds summary".to_owned(),
    ] {
        assert!(text.lines().any(|found| found == line), "{line} in {text}");
    }
}

#[tokio::test]
async fn routes_of_pulse_show_the_others() {
    let a = Bench::start("a", &[]).await;
    let _b = Bench::start("b", &[&a]).await;
    a.hear_of("b", joined).await;
    let all = a.get("/status/all").await;
    let names: Vec<_> = all.as_object().expect("a map").keys().collect();
    assert_eq!(names, ["b"]);
    let one = a.get("/status/b").await;
    assert_eq!(one["Id"], "b");
    assert!(["Alive", "Pending"].contains(&one["StateName"].as_str().unwrap_or_default()));
    assert_eq!(
        a.ask(Method::GET, "/status/c").await.0,
        StatusCode::NOT_FOUND
    );
}

#[tokio::test]
async fn what_is_none_of_ours_is_a_problem() {
    let a = Bench::start("a", &[]).await;
    let (status, body) = a.ask(Method::GET, "/v1/nothing").await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    assert!(body.contains("unknown_route"), "{body}");
    let (status, _) = a.ask(Method::DELETE, "/v1/members").await;
    assert_eq!(status, StatusCode::METHOD_NOT_ALLOWED);
}

#[test]
fn the_document_is_written_from_the_routes() {
    promise("openapi-agent.json", &openapi_json());
}

/// Compares a file of `api/` with what the code says, or writes it when `UPDATE_API` is set.
fn promise(name: &str, expected: &str) {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../api")
        .join(name);
    if std::env::var_os("UPDATE_API").is_some() {
        std::fs::write(&path, expected).expect("api/ can be written");
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        found == expected,
        "api/{name} does not say what the code does; \
         UPDATE_API=1 cargo test -p auscult-agent --features http writes it anew"
    );
}
