//! Targets as JSON: read as from a file, and written so that they are read back the same.

use proptest::prelude::*;

use super::*;

fn read(json: &Json) -> Result<TargetSpec, Problems> {
    TargetSpec::from_json(json, &Defaults::builtin())
}

#[test]
fn a_body_means_what_a_file_means() {
    let body = json!({
        "id": "a", "url": "https://a/x", "interval": "5s", "labels": {"team": "x", "port": 8080},
        "http": {"expect_status": [200, "3xx"], "headers": {"A": "b"}}, "detector": {"window": 10},
    });
    let text = format!("targets: [{body}]");
    assert_eq!(read(&body).unwrap(), settings(&text).targets[0]);
}

#[test]
fn problems_of_a_body_have_pointers() {
    let body = json!({
        "id": "a b", "ulr": "http://a/", "labels": {"a/b": "x"},
        "signals": [{"url": "http://a/", "interval": 5}, {"push": {"interval": "1x"}}, 7],
    });
    let problems = read(&body).unwrap_err();
    let paths: Vec<_> = problems
        .list
        .iter()
        .map(|problem| problem.path.as_str())
        .collect();
    for path in [
        "/id",
        "/ulr",
        "/labels/a~1b",
        "/signals/0/interval",
        "/signals/1/push/interval",
        "/signals/2",
    ] {
        assert!(paths.contains(&path), "{path} is not among {paths:?}");
    }
    assert!(problems.list.iter().all(|problem| problem.span.is_none()));
    let text = problems.to_string();
    assert!(
        text.contains("/ulr: unknown key `ulr`\n  = help: did you mean `url`?\n"),
        "{text}"
    );
    let json = serde_json::to_value(&problems.list[0]).unwrap();
    assert_eq!(
        json.as_object().unwrap().keys().collect::<Vec<_>>(),
        ["message", "path"]
    );
}

#[test]
fn a_body_that_is_no_mapping_is_refused() {
    for body in [json!(null), json!([]), json!("x"), json!(5), json!({})] {
        assert!(read(&body).is_err(), "{body}");
    }
}

#[test]
fn the_body_of_seed_000_has_defaults() {
    let read = |json: &Json| TargetSpec::from_seed_json(json, &Defaults::builtin());
    let full = json!({
        "id": 10, "url": "http://10.1.0.110:8080/heartbeat",
        "monitor": {
            "threshold": 16.0, "maxSampleSize": 200, "minStdDeviationMillis": 500,
            "acceptableHeartbeatPauseMillis": 0, "firstHeartbeatEstimateMillis": 500,
        },
    });
    let short = json!({"id": 10, "url": "http://10.1.0.110:8080/heartbeat"});
    let spec = read(&full).unwrap();
    assert_eq!(spec, read(&short).unwrap());
    assert_eq!((spec.id.as_str(), &*spec.server_name), ("10", "server10"));
    let named = read(&json!({"name": "server10", "url": "http://a/"})).unwrap();
    assert_eq!(
        (named.id.as_str(), &*named.server_name),
        ("server10", "server10")
    );
    assert!(read(&json!({"name": "x"})).is_err());
    assert!(read(&json!({"id": 10, "url": "http://a/", "monitor": {"threshold": 0}})).is_err());
}

#[test]
fn what_was_taken_away_stays_away_whatever_the_defaults() {
    let defaults = settings(
        "defaults: {http: {method: POST, body: x, expect_body: y, tls: {server_name: z}}, grace: 1h}",
    )
    .defaults;
    let spec = read(&json!({"id": "a", "url": "http://a/"})).unwrap();
    let written = serde_json::to_value(&spec).unwrap();
    assert_eq!(TargetSpec::from_json(&written, &defaults).unwrap(), spec);
}

#[test]
fn the_schema_names_everything_it_refers_to() {
    use utoipa::{PartialSchema, ToSchema};
    let mut schemas = vec![(TargetSpec::name().into_owned(), TargetSpec::schema())];
    TargetSpec::schemas(&mut schemas);
    let text = serde_json::to_string(&schemas).unwrap();
    let references: Vec<_> = text.split("#/components/schemas/").skip(1).collect();
    assert!(references.len() >= 6);
    for reference in references {
        let name = reference.split('"').next().unwrap();
        assert!(schemas.iter().any(|(known, _)| known == name), "{name}");
    }
}

fn duration_text() -> impl Strategy<Value = String> {
    (10..100_000_000_u64).prop_map(|millis| format!("{millis}ms"))
}

fn detector() -> impl Strategy<Value = Json> {
    let levels = (0.001..1_000.0_f64, 0.001..1_000.0_f64);
    let phi = (
        levels.clone(),
        1..65_536_u32,
        duration_text(),
        any::<bool>(),
    )
        .prop_map(|((late, more), window, span, decay)| {
            let history = if decay { "decay" } else { "window" };
            json!({
                "kind": "phi", "late": late, "down": late + more, history: window + 1,
                "min_std_deviation": span, "distribution": "lognormal",
            })
        });
    let chen = (levels.clone(), duration_text(), duration_text()).prop_map(
        |((late, more), interval, margin)| {
            json!({"kind": "chen", "interval": interval, "margin": margin, "late": late, "down": late + more})
        },
    );
    let bertier = (levels, duration_text(), 0.0..10.0_f64, 0.0001..1.0_f64).prop_map(
        |((late, more), interval, phi, gamma)| {
            json!({
                "kind": "bertier", "interval": interval, "phi": phi, "gamma": gamma,
                "late": late, "down": late + more,
            })
        },
    );
    let deadline = (1..1_000_u64)
        .prop_map(|days| json!({"kind": "deadline", "timeout": format!("{}d", days + 400)}));
    prop_oneof![phi, chen, bertier, deadline]
}

fn source() -> impl Strategy<Value = Json> {
    let http = (
        ("[a-z]{1,8}", "[a-zA-Z0-9/?=&%]{0,12}"),
        (duration_text(), duration_text()),
        prop::collection::btree_map("[a-zA-Z-]{1,8}x", "[ -~]{0,12}", 0..4),
        prop::option::of("[a-z \"\\\\]{0,10}"),
        prop::collection::vec((100..600_u16, 0..300_u16), 1..5),
        prop::option::of("[a-z.*]{0,8}"),
        any::<bool>(),
        prop::option::of(duration_text()),
    );
    let http = http.prop_map(
        |((host, path), (interval, timeout), headers, body, statuses, _, verify, expires)| {
            let mut names = std::collections::BTreeSet::new();
            let headers: serde_json::Map<_, _> = headers
                .into_iter()
                .filter(|(name, _)| names.insert(name.to_lowercase()))
                .map(|(name, text)| (name, json!(text)))
                .collect();
            let status = |(first, more): (u16, u16)| format!("{first}-{}", (first + more).min(599));
            json!({
                "url": format!("https://{host}.example/{}", path.replace('%', "")),
                "interval": interval, "timeout": timeout,
                "http": {
                    "method": "POST", "headers": headers, "body": body,
                    "expect_status": statuses.into_iter().map(status).collect::<Vec<_>>(),
                    "connection": "fresh", "version": "http2", "redirects": 0,
                    "tls": {"verify": verify, "expires_within": expires, "ca_file": "/etc/ca.pem"},
                },
            })
        },
    );
    let tcp = (1..65_535_u16, any::<bool>()).prop_map(|(port, six)| {
        let host = if six { "[fe80::1]" } else { "db.example" };
        json!({"url": format!("tcp://{host}:{port}")})
    });
    let push = prop::option::of(duration_text())
        .prop_map(|interval| json!({"push": {"interval": interval}}));
    prop_oneof![http, tcp, push]
}

proptest! {
    #[test]
    fn what_is_written_is_read_back_the_same(
        id in "[a-zA-Z0-9_.:@/~+-]{1,20}",
        group in prop::option::of("[a-z]{1,8}"),
        labels in prop::collection::btree_map("[a-z]{1,3}_[a-z]{1,3}", "\\PC{0,12}", 0..5),
        signals in prop::collection::vec((source(), detector(), prop::option::of(duration_text())), 1..4),
    ) {
        let mut body = json!({"id": id, "labels": labels, "signals": []});
        if let Some(group) = group {
            body["group"] = json!(group);
        }
        for (index, (source, detector, grace)) in signals.into_iter().enumerate() {
            let mut signal = source;
            signal["name"] = json!(format!("s{index}"));
            signal["detector"] = detector;
            if let Some(grace) = grace {
                signal["grace"] = json!(grace);
            }
            body["signals"].as_array_mut().unwrap().push(signal);
        }
        let spec = read(&body).map_err(|problems| TestCaseError::fail(format!("{problems}\n{body}")))?;
        let written = serde_json::to_string(&spec).unwrap();
        let again = read(&serde_json::from_str(&written).unwrap());
        prop_assert_eq!(again.as_ref(), Ok(&spec), "{}", written);
        let other = settings(
            "defaults: {interval: 3s, grace: 1h, detector: {window: 9}, \
             http: {body: x, method: PUT, redirects: 3}}",
        );
        prop_assert_eq!(TargetSpec::from_json(&serde_json::to_value(&spec).unwrap(), &other.defaults), Ok(spec));
    }
}
