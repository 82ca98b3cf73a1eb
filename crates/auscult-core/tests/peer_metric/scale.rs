//! Many metrics: nothing is looked at periodically, and all that is due is said at once.

use std::time::Duration;

use auscult_core::peer_metric::{MetricLogParams, Reading};

use crate::shell::{Shell, ms, ping};

fn names(count: usize) -> Vec<String> {
    (0..count).map(|n| format!("peer-{n:06}")).collect()
}

/// A hundred thousand that are heard of in time: between two readings nobody is called but to note
/// deadlines that have moved on.
#[test]
fn a_hundred_thousand_metrics_cost_nothing_at_rest() {
    const PEERS: usize = 50_000;
    let mut shell = Shell::new(MetricLogParams::new());
    let names = names(PEERS);
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    shell.peers(&names);
    let ttl = Duration::from_secs(3_600);
    for name in &names {
        shell.publish(Reading { ttl, ..ping(name) }).unwrap();
        shell
            .publish(Reading {
                ttl,
                metric: "free",
                ..ping(name)
            })
            .unwrap();
    }
    assert_eq!(shell.log.counters().series, 100_000);
    shell.run_to(ms(3_599_000));
    assert!(shell.wakes < 50, "{} wakes in an hour", shell.wakes);
    assert!(shell.said.is_empty());
}

#[test]
fn a_thousand_that_expire_are_said_at_the_moment_they_are_due() {
    let mut shell = Shell::new(MetricLogParams::new());
    let names = names(1_000);
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    shell.peers(&names);
    for (n, name) in names.iter().enumerate() {
        shell.run_to(ms(n as u64));
        shell.publish(ping(name)).unwrap();
    }
    shell.run_to(ms(2_000));
    let expected: Vec<String> = names
        .iter()
        .enumerate()
        .map(|(n, name)| format!("{} {name} ping expired", 1_000 + n))
        .collect();
    assert_eq!(shell.said, expected);
    assert_eq!(shell.log.counters().failing, 1_000);
    shell.log.check_invariants();
}
