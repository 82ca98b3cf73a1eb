//! Tokens: made, shown once, and needed from then on.

use super::*;
use serde_json::json;

/// Somebody who asks.
type Who = Vec<(&'static str, String)>;

impl Bench {
    async fn make_token(&self, name: &str, role: &str, who: &Who) -> Answer {
        let body = json!({"name": name, "role": role}).to_string();
        let headers: Vec<_> = who.iter().map(|(n, v)| (*n, v.as_str())).collect();
        let path = "/v1/settings/tokens";
        self.ask(Method::POST, path, &headers, &body).await
    }

    async fn ask_as(&self, who: &Who, method: Method, path: &str) -> Answer {
        let headers: Vec<_> = who.iter().map(|(n, v)| (*n, v.as_str())).collect();
        self.ask(method, path, &headers, r#"{"push": {}}"#).await
    }
}

fn bearer(answer: &Answer) -> Who {
    let json = answer.json();
    let secret = json["token"].as_str().expect("a secret");
    vec![("authorization", format!("Bearer {secret}"))]
}

#[tokio::test]
async fn the_first_token_is_an_admin_and_closes_the_door() {
    let bench = Bench::new();
    let nobody = Who::new();
    let early = bench.make_token("ci", "write", &nobody).await;
    early.problem(409, "refused");
    let root = bench.make_token("root", "admin", &nobody).await;
    assert_eq!(root.status, StatusCode::CREATED, "{}", root.body);
    let root = bearer(&root);
    let late = bench.make_token("ci", "write", &nobody).await;
    late.problem(401, "unauthorized");
    let closed = bench.get("/v1/targets").await;
    assert!(closed.header("www-authenticate").starts_with("Basic"));
    closed.problem(401, "unauthorized");
    let stranger = vec![("authorization", "Bearer auscult_0".to_owned())];
    let stranger = bench.ask_as(&stranger, Method::GET, "/v1/targets").await;
    stranger.problem(401, "unauthorized");
    for open in ["/-/healthy", "/metrics", "/"] {
        assert_eq!(bench.get(open).await.status, StatusCode::OK, "{open}");
    }
    let path = "/v1/settings/tokens/root";
    bench.make_token("ci", "write", &root).await;
    let last = bench.ask_as(&root, Method::DELETE, path).await;
    last.problem(409, "refused");
    for path in ["/v1/settings/tokens/ci", path] {
        let gone = bench.ask_as(&root, Method::DELETE, path).await;
        assert_eq!(gone.status, StatusCode::OK, "{}", gone.body);
    }
    let open = bench.get("/v1/targets").await;
    assert_eq!(open.status, StatusCode::OK, "open again");
}

#[tokio::test]
async fn a_token_allows_what_its_role_says() {
    let bench = Bench::new();
    bench.add("a").await;
    let root = bearer(&bench.make_token("root", "admin", &Who::new()).await);
    let ci = bearer(&bench.make_token("ci", "write", &root).await);
    let reader = bearer(&bench.make_token("page", "read", &root).await);
    let read = bench.ask_as(&reader, Method::GET, "/v1/targets").await;
    assert_eq!(read.status, StatusCode::OK);
    for (method, path) in [
        (Method::PUT, "/v1/targets/b"),
        (Method::GET, "/v1/heartbeats/a"),
        (Method::POST, "/-/reload"),
    ] {
        let refused = bench.ask_as(&reader, method, path).await;
        refused.problem(403, "forbidden");
    }
    let added = bench.ask_as(&ci, Method::PUT, "/v1/targets/b").await;
    assert_eq!(added.status, StatusCode::CREATED);
    let changed = bench
        .ask_as(&ci, Method::GET, "/v1/settings/targets/b")
        .await;
    assert_eq!(changed.json()["author"], "ci");
    for path in ["/v1/settings/tokens/page", "/v1/settings/%74okens/page"] {
        let refused = bench.ask_as(&ci, Method::DELETE, path).await;
        refused.problem(403, "forbidden");
    }
    let listed = bench
        .ask_as(&reader, Method::GET, "/v1/settings/tokens")
        .await;
    assert_eq!(listed.json()["matched"], 3);
    assert!(!listed.body.contains("sha256"), "{}", listed.body);
    let secret = &root[0].1["Bearer ".len()..];
    let password = crate::base64::encode(format!("ann:{secret}").as_bytes());
    let browser = vec![("authorization", format!("Basic {password}"))];
    let page = bench.ask_as(&browser, Method::GET, "/v1/targets").await;
    assert_eq!(page.status, StatusCode::OK);
}
