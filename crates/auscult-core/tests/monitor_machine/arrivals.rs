//! What is taken, what is rejected, and by which name.

use auscult_core::id::TargetId;
use auscult_core::monitor::{Arrival, Change, Input, Rejection, SignalKey, Source, Status};
use auscult_core::time::Instant;

use crate::drive::{Shell, arrival, at, params, signal, target, target_of, unguarded};

#[test]
fn what_is_not_taken_is_rejected_with_its_reason_and_changes_nothing() {
    let mut shell = Shell::new(unguarded());
    shell.put(Instant::ORIGIN, target("web"));
    let key = shell.monitor.signal("web", "heartbeat").unwrap();
    let numbered = |sequence, millis| Arrival {
        sequence: Some(sequence),
        ..arrival("web", at(millis))
    };
    shell.call(
        at(1_000),
        Input::Arrivals(&[numbered(7, 1_000), numbered(8, 2_000)]),
    );
    shell.call(at(2_000), Input::Arrivals(&[numbered(9, 2_000)]));
    let before = format!(
        "{:?}",
        shell
            .monitor
            .target("web")
            .unwrap()
            .signals()
            .next()
            .unwrap()
            .statistics()
    );
    let unknown_signal = Source::Name {
        target: "web",
        signal: Some("http"),
    };
    let stale_key = Source::Key(SignalKey::from_bits(key.to_bits() + 1));
    let batch = [
        numbered(9, 2_500),
        numbered(5, 2_500),
        arrival("web", at(1_500)),
        arrival("mail", at(2_500)),
        Arrival {
            source: unknown_signal,
            ..arrival("", at(2_500))
        },
        Arrival {
            source: stale_key,
            ..arrival("", at(2_500))
        },
    ];
    shell.call(at(2_500), Input::Arrivals(&batch));
    let expected = [
        Rejection::Duplicate,
        Rejection::Stale,
        Rejection::Stale,
        Rejection::UnknownTarget,
        Rejection::UnknownSignal,
        Rejection::StaleKey,
    ];
    assert_eq!(shell.rejections, expected);
    let view = shell.monitor.target("web").unwrap();
    let signal = view.signals().next().unwrap();
    assert_eq!(format!("{:?}", signal.statistics()), before);
    assert_eq!(signal.arrivals(), 3);
    assert_eq!(signal.last_arrival(), Some(at(2_000)));
    let counters = shell.monitor.counters();
    assert_eq!(counters.arrivals, 3);
    assert_eq!(counters.rejections(Rejection::Stale), 2);
    assert_eq!(counters.rejections(Rejection::StaleKey), 1);
}

#[test]
fn a_key_stands_for_its_signal_only_as_long_as_that_is_watched() {
    let mut shell = Shell::new(unguarded());
    shell.put(Instant::ORIGIN, target("one"));
    let old = shell.monitor.signal("one", "heartbeat").unwrap();
    let id = TargetId::new("one").unwrap();
    shell.monitor.apply(at(1), Change::Remove(id)).unwrap();
    shell.put(at(1), target("two"));
    let new = shell.monitor.signal("two", "heartbeat").unwrap();
    assert_ne!(old, new);
    let by = |key| Arrival {
        source: Source::Key(key),
        ..arrival("", at(1_000))
    };
    shell.call(at(1_000), Input::Arrivals(&[by(old), by(new)]));
    assert_eq!(shell.rejections, [Rejection::StaleKey]);
    assert_eq!(shell.status("two"), Status::Up);
}

#[test]
fn without_a_signal_the_first_one_is_meant() {
    let mut shell = Shell::new(unguarded());
    let signals = vec![signal("http", params()), signal("heartbeat", params())];
    shell.put(Instant::ORIGIN, target_of("web", signals));
    shell.arrive("web", at(1_000));
    let view = shell.monitor.target("web").unwrap();
    let arrivals: Vec<_> = view.signals().map(|signal| signal.arrivals()).collect();
    assert_eq!(arrivals, [1, 0]);
}

/// A large batch goes through in chunks and passes; one by one must be the same.
#[test]
fn a_batch_does_what_its_arrivals_do_one_by_one() {
    let names: Vec<String> = (0..300).map(|n| format!("target-{n}")).collect();
    let batches: Vec<Vec<Arrival<'_>>> = (1..=20_u64)
        .map(|second| {
            let of = |n: usize| Arrival {
                sequence: Some(second / 3),
                ..arrival(&names[(n * 7) % 300], at(second * 1_000 + n as u64))
            };
            (0..300 + second as usize).map(of).collect()
        })
        .collect();
    let run = |size: usize| {
        let mut shell = Shell::new(unguarded());
        for name in &names {
            shell.put(Instant::ORIGIN, target(name));
        }
        for batch in &batches {
            for part in batch.chunks(size) {
                shell.call(batch.last().unwrap().received_at, Input::Arrivals(part));
            }
        }
        (shell.events, shell.rejections)
    };
    let whole = run(usize::MAX);
    assert!(!whole.1.is_empty());
    for size in [1, 63, 65] {
        assert!(format!("{whole:?}") == format!("{:?}", run(size)), "{size}");
    }
}

#[test]
fn time_that_goes_backwards_counts_as_the_last_one_seen() {
    let mut shell = Shell::new(unguarded());
    shell.put(at(50_000), target("web"));
    shell.arrive("web", at(1_000));
    assert_eq!(shell.monitor.counters().clock_regressions, 1);
    let view = shell.monitor.target("web").unwrap();
    assert_eq!(
        view.signals().next().unwrap().last_arrival(),
        Some(at(1_000))
    );
    // An arrival from the future counts as one of now.
    let now = at(51_000);
    shell.call(now, Input::Arrivals(&[arrival("web", at(99_000))]));
    let view = shell.monitor.target("web").unwrap();
    assert_eq!(view.signals().next().unwrap().last_arrival(), Some(now));
}
