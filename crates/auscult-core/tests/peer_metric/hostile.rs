//! What a peer may send and must not do.

use std::time::Duration;

use auscult_core::peer_metric::{
    Input, MetricLogConfig, MetricLogParams, Reading, Rejection, Sender, message, ttl_of_seconds,
};
use proptest::prelude::*;

use crate::shell::{Shell, ms, ping};

#[test]
fn a_peer_speaks_for_itself_only() {
    let mut shell = Shell::new(MetricLogParams::new());
    shell.peers(&["a", "dead"]);
    shell.publish(ping("dead")).unwrap();
    shell.run_to(ms(500));
    let forged = shell.publish_as(Sender::Peer("a"), ping("dead"));
    assert_eq!(forged, Err(Rejection::ForeignPeer));
    shell.run_to(ms(1_500));
    assert_eq!(
        shell.said,
        ["1000 dead ping expired"],
        "nobody keeps a dead peer alive"
    );
    assert_eq!(shell.publish_as(Sender::Trusted, ping("dead")), Ok(()));
    assert_eq!(shell.log.counters().rejections(Rejection::ForeignPeer), 1);
}

#[test]
fn what_makes_no_sense_is_refused_with_a_reason_and_changes_nothing() {
    let mut shell = Shell::new(MetricLogParams::new());
    shell.peers(&["a"]);
    shell.publish(ping("a")).unwrap();
    let before: Vec<_> = shell.last("ping");
    let huge = "x".repeat(10_000_000);
    let long_name = "n".repeat(129);
    for (reading, reason) in [
        (
            Reading {
                value: &huge,
                ..ping("a")
            },
            Rejection::Value,
        ),
        (
            Reading {
                ttl: Duration::ZERO,
                ..ping("a")
            },
            Rejection::Ttl,
        ),
        (
            Reading {
                ttl: Duration::MAX,
                ..ping("a")
            },
            Rejection::Ttl,
        ),
        (
            Reading {
                metric: "",
                ..ping("a")
            },
            Rejection::Name,
        ),
        (
            Reading {
                metric: "a\nb",
                ..ping("a")
            },
            Rejection::Name,
        ),
        (
            Reading {
                metric: &long_name,
                ..ping("a")
            },
            Rejection::Name,
        ),
        (ping("nobody"), Rejection::UnknownPeer),
        (ping("\u{202e}a"), Rejection::Name),
    ] {
        assert_eq!(shell.publish(reading), Err(reason));
        assert!(shell.log.counters().rejections(reason) > 0);
    }
    assert_eq!(
        (shell.last("ping"), shell.log.counters().taken),
        (before, 1)
    );
    shell.log.check_invariants();
    for seconds in [-1.0, f64::NAN, f64::INFINITY, 1e300, -0.1] {
        assert_eq!(ttl_of_seconds(seconds), Err(Rejection::Ttl), "{seconds}");
    }
    assert_eq!(ttl_of_seconds(1.5), Ok(Duration::from_millis(1_500)));
}

/// Its own clock may be wrong by anything: it is never asked for.
#[test]
fn what_arrives_with_an_impossible_time_counts_from_now() {
    let mut shell = Shell::new(MetricLogParams::new());
    shell.peers(&["a"]);
    shell.now = ms(1_000);
    shell.handle(Input::Published {
        sender: Sender::Trusted,
        received_at: ms(61_000),
        reading: ping("a"),
    });
    shell.run_to(ms(10_000));
    assert_eq!(shell.said, ["2000 a ping expired"]);
    shell.handle(Input::Published {
        sender: Sender::Trusted,
        received_at: ms(500),
        reading: ping("a"),
    });
    assert_eq!(shell.rejected, [Rejection::Stale]);
}

/// A sender's clock can show in its epochs alone, and those are only told apart.
#[test]
fn a_clock_that_is_a_minute_off_leads_to_the_same_verdicts() {
    let verdicts = |epochs: [u64; 3]| {
        let mut shell = Shell::new(MetricLogParams::new());
        shell.peers(&["a"]);
        for (at, epoch) in [0, 700, 9_000].into_iter().zip(epochs) {
            shell.run_to(ms(at));
            let epoch = Some(epoch);
            shell.publish(Reading { epoch, ..ping("a") }).unwrap();
        }
        shell.run_to(ms(60_000));
        shell.said
    };
    let good = verdicts([1_795_252_500, 1_795_252_501, 1_795_252_509]);
    assert_eq!(
        good,
        [
            "1700 a ping expired",
            "9000 a ping recovered",
            "10000 a ping expired"
        ]
    );
    for off in [
        [1_795_252_500, 1_795_252_441, 1_795_252_449],
        [1_795_252_560, 1_795_252_501, 1_795_252_569],
        [0, u64::MAX, 1],
    ] {
        assert_eq!(verdicts(off), good, "{off:?}");
    }
}

#[test]
fn nobody_makes_it_grow_beyond_its_limits() {
    let params = MetricLogParams {
        names_max: 10,
        series_max: 12,
        values_bytes_max: 1_000,
        ..MetricLogParams::new()
    };
    let mut shell = Shell::new(params);
    shell.peers(&["a", "b"]);
    for n in 0..1_000 {
        let name = format!("m{n}");
        let _refused = shell.publish(Reading {
            metric: &name,
            value: "v",
            ..ping("a")
        });
    }
    assert_eq!(
        shell.log.counters().rejections(Rejection::TooManyNames),
        990
    );
    for n in 0..10 {
        let name = format!("m{n}");
        let _refused = shell.publish(Reading {
            metric: &name,
            value: "v",
            ..ping("b")
        });
    }
    assert_eq!(shell.log.counters().rejections(Rejection::TooManySeries), 8);
    // When the values weigh too much, whoever is there can go on, with a shorter window.
    let value = "v".repeat(300);
    for _ in 0..100 {
        shell
            .publish(Reading {
                metric: "m0",
                value: &value,
                ..ping("a")
            })
            .unwrap();
    }
    let window = shell.log.series("m0", "a").unwrap().readings().count();
    assert_eq!(window, 3);
    let refused = shell.publish(Reading {
        metric: "m1",
        value: &value,
        ..ping("b")
    });
    assert_eq!(refused, Err(Rejection::TooManyBytes));
    let counters = *shell.log.counters();
    assert!(counters.values_bytes <= 1_000 && counters.series <= 12);
    shell.log.check_invariants();
}

#[test]
fn every_wrong_parameter_is_told() {
    let violations = MetricLogConfig::new(MetricLogParams {
        window: 0,
        peers_max: 1 << 40,
        ttl_min: Duration::ZERO,
        ttl_max: Duration::ZERO,
        ..MetricLogParams::new()
    });
    let fields: Vec<&str> = violations.unwrap_err().iter().map(|v| v.field).collect();
    assert_eq!(fields, ["window", "peers_max", "ttl_min"]);
}

proptest! {
    /// Nothing that a broadcast can carry is believed unread, and nothing makes the reader panic.
    #[test]
    fn any_bytes_of_a_broadcast_are_a_reading_or_nothing(
        bytes in prop::collection::vec(any::<u8>(), 0..64),
        start in prop_oneof![Just(None), any::<bool>().prop_map(Some)],
    ) {
        let mut bytes = bytes;
        if let (Some(valid), [version, flag, ..]) = (start, bytes.as_mut_slice()) {
            (*version, *flag) = (message::VERSION, u8::from(valid));
        }
        if let Some(reading) = message::decode("ping", "a", &bytes) {
            prop_assert_eq!(&message::encode(&reading), &bytes);
            let mut shell = Shell::new(MetricLogParams::new());
            shell.peers(&["a"]);
            let limits = Duration::from_millis(100)..=Duration::from_secs(7 * 86_400);
            let taken = shell.publish(reading);
            prop_assert_eq!(taken.is_ok(), limits.contains(&reading.ttl), "{:?}", reading);
            shell.run_to(ms(1_000));
            shell.log.check_invariants();
        }
    }
}
