//! Metrics that programs publish through the member beside them.

use std::time::Duration;

use auscult_core::peer_metric::{Reading, Validity, message};

use super::{config, group, until};
use crate::grpc::{PublishRefused, publish};
use crate::keys::{Key, KeyRing};
use crate::{Agent, MetricReject};

fn ping<'a>(metric: &'a str, peer: &'a str) -> Reading<'a> {
    Reading {
        metric,
        peer,
        value: "ok",
        ttl: Duration::from_secs(30),
        valid: Validity::Valid,
        weight: 7,
        epoch: None,
    }
}

#[tokio::test]
async fn a_metric_is_published_as_that_of_the_member_that_is_called() {
    let [first, second] = group(["node1", "node2"]).await;
    let at = first.served().detector.unwrap().to_string();
    publish(&at, None, &ping("free", "")).await.unwrap();
    publish(&at, None, &ping("load", "node1")).await.unwrap();
    let heard = || second.broadcasts().since(0, 10).events;
    until("both are heard", || heard().len() == 2).await;
    for logged in heard() {
        let broadcast = &logged.event;
        assert_eq!(broadcast.from.as_str(), "node1");
        let metric = message::metric_of(broadcast.key.as_ref().unwrap().as_str()).unwrap();
        let reading = message::decode(metric, "node1", &broadcast.payload).unwrap();
        assert_eq!((reading.value, reading.weight), ("ok", 7));
        assert!(reading.epoch.is_some());
    }

    for (metric, peer, reason, why) in [
        (
            "free",
            "node2",
            MetricReject::ForeignPeer,
            "a member speaks for itself only",
        ),
        ("a b", "", MetricReject::Name, "the name of the metric"),
    ] {
        let refused = publish(&at, None, &ping(metric, peer)).await.unwrap_err();
        assert!(
            matches!(&refused, PublishRefused::Denied(text) if text.contains(why)),
            "{refused}"
        );
        assert_eq!(first.metrics_rejected(reason), 1);
    }
    let long = "x".repeat(4_000);
    let refused = publish(
        &at,
        None,
        &Reading {
            value: &long,
            ..ping("free", "")
        },
    )
    .await;
    let refused = refused.unwrap_err().to_string();
    assert!(refused.contains("a broadcast has at most"), "{refused}");
    assert_eq!(first.metrics_rejected(MetricReject::Value), 1);
    let huge = "x".repeat(10 << 20);
    let refused = publish(
        &at,
        None,
        &Reading {
            value: &huge,
            ..ping("free", "")
        },
    )
    .await;
    assert!(matches!(
        refused,
        Err(PublishRefused::Denied(_) | PublishRefused::Silent(_))
    ));
    assert_eq!(first.metrics_rejected(MetricReject::Malformed), 1);
    let brief = Reading {
        ttl: Duration::ZERO,
        ..ping("free", "")
    };
    publish(&at, None, &brief).await.unwrap_err();
    assert_eq!(first.metrics_rejected(MetricReject::Ttl), 1);
    assert_eq!((heard().len(), first.metrics_published()), (2, 2));
}

#[tokio::test]
async fn where_members_seal_what_they_say_callers_show_a_certificate() {
    let mut config = config("node1");
    config.keys = Some(KeyRing::new(Key::generate().unwrap()));
    let agent = Agent::start(config).await.unwrap();
    let at = agent.served().dissemination.unwrap().to_string();
    let refused = publish(&at, None, &ping("free", "")).await;
    assert!(
        matches!(refused, Err(PublishRefused::Denied(_))),
        "{refused:?}"
    );
    assert_eq!(agent.metrics_rejected(MetricReject::Certificate), 1);
    agent.shutdown().await;
}
