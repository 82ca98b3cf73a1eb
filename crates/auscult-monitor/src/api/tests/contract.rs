//! What is promised to other programs: the OpenAPI document, and that it is all there is.

use std::collections::BTreeSet;

use super::*;

#[test]
fn the_description_is_written_from_the_code() {
    promise("openapi.json", &openapi_json());
}

#[tokio::test]
async fn every_described_route_answers_and_is_served_as_described() {
    let bench = Bench::new();
    let document: Value = serde_json::from_str(&openapi_json()).expect("JSON");
    assert!(
        document["openapi"]
            .as_str()
            .is_some_and(|version| version.starts_with("3.1"))
    );
    let paths = document["paths"].as_object().expect("paths");
    let methods = [
        Method::GET,
        Method::POST,
        Method::PUT,
        Method::DELETE,
        Method::PATCH,
    ];
    for (path, item) in paths {
        let concrete = path
            .replace("{id}", "x")
            .replace("{target}", "x")
            .replace("{key}", "x")
            .replace("{kind}", "tokens")
            .replace("{name}", "x");
        // This monitor is no member of a group.
        let missing = match path.split('/').nth(2) {
            Some("members" | "links" | "cluster") => "no_group",
            Some("settings" | "{key}") => "unknown_setting",
            Some("alerts") => "unknown_alert",
            Some("silences" | "receivers" | "metrics-log") => "unknown_name",
            // Nor does it keep a history.
            Some("targets") if path.ends_with("/history") || path.ends_with("/availability") => {
                "no_history"
            }
            _ => "unknown_target",
        };
        for method in &methods {
            let described = item.get(method.as_str().to_lowercase()).is_some();
            // Read as a stream it would not end.
            let response = bench.open(method.clone(), &concrete, &[], "").await;
            let status = response.status();
            let served = status != StatusCode::METHOD_NOT_ALLOWED;
            assert_eq!(served, described, "{method} {path}");
            if status == StatusCode::NOT_FOUND {
                let answer = Answer::read(response).await;
                answer.problem(404, missing);
            }
        }
    }
}

#[test]
fn every_description_is_complete() {
    let document: Value = serde_json::from_str(&openapi_json()).expect("JSON");
    let schemas = document["components"]["schemas"]
        .as_object()
        .expect("schemas");
    let mut used = BTreeSet::new();
    references(&document, &mut used);
    for name in &used {
        assert!(
            schemas.contains_key(name),
            "{name} is used and not described"
        );
    }
    for (path, item) in document["paths"].as_object().expect("paths") {
        for (method, operation) in item.as_object().expect("operations") {
            for field in ["summary", "tags", "responses"] {
                assert!(
                    !operation[field].is_null(),
                    "{method} {path} has no {field}"
                );
            }
        }
    }
}

fn references(value: &Value, used: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            if let Some(Value::String(reference)) = fields.get("$ref") {
                let name = reference.rsplit('/').next().unwrap_or_default();
                used.insert(name.to_owned());
            }
            fields.values().for_each(|field| references(field, used));
        }
        Value::Array(items) => items.iter().for_each(|item| references(item, used)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
