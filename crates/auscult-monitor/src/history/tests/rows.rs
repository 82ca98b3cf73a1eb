//! What happened is read as it was told.

use auscult_core::monitor::Status::{Down, Late, Unknown, Up};
use auscult_core::monitor::{Change, Labels, Signal, Target};

use super::*;

#[test]
fn an_outage_is_in_the_rows_and_among_the_changes() {
    let folder = tempfile::tempdir().unwrap();
    let mut stage = Stage::in_folder(folder.path());
    stage.tell("web", 0, EventKind::Added);
    stage.tell("web", 1_000, passes(Unknown, Up));
    stage.tell("web", 31_000, passes(Up, Late));
    stage.tell("web", 33_000, passes(Late, Down));
    stage.tell("web", 63_500, passes(Down, Up));
    stage.tell("web", 93_500, EventKind::Removed);
    stage.step();

    let sum = stage.all("web", 100_000);
    let spans = [Status::Paused, Up, Unknown, Late, Down].map(|status| sum.span_ms(status));
    assert_eq!(spans, [0, 60_000, 1_000, 2_000, 30_500]);
    let counts = (sum.transitions, sum.failures, sum.recoveries);
    assert_eq!(counts, (4, 1, 1));
    assert_eq!((sum.detection.count, sum.detection.max), (1, 32_500));

    let changes = stage
        .history
        .changes("web", Bookmark::default(), u64::MAX / 2_000_000, 10);
    let changes = changes.unwrap().rows;
    let told: Vec<_> = changes.iter().map(|it| (it.what.as_str(), it.to)).collect();
    let expected = [
        ("transition", Up),
        ("transition", Late),
        ("transition", Down),
        ("transition", Up),
        ("removed", Unknown),
    ];
    assert_eq!(told, expected);
    let down = &changes[2];
    assert_eq!(down.at_nanos / 1_000_000, stage.origin_ms() + 33_000);
    assert!(
        down.text.starts_with("web is down: nothing arrived"),
        "{}",
        down.text
    );
    let grounds = down.grounds.clone().unwrap();
    assert_eq!(
        (grounds.signal.as_str(), grounds.cause),
        ("http", "silence")
    );
    assert_eq!((grounds.level, grounds.thresholds), (16.0, (8.0, 16.0)));
    assert_eq!(
        grounds.last_arrival_ago,
        Some(Duration::from_millis(32_500))
    );
    assert_eq!(grounds.recent_intervals, evidence().recent_intervals);
    assert_eq!(grounds.last_failure.unwrap().text, "status 503");
}

#[test]
fn all_lengths_say_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let mut stage = Stage::in_folder(folder.path());
    stage.tell("web", 0, EventKind::Added);
    for n in 0..400_u64 {
        let (from, to) = if n % 2 == 0 { (Down, Up) } else { (Up, Down) };
        stage.tell("web", 7_000 + n * 19_377, passes(from, to));
        if n % 50 == 0 {
            stage.step();
        }
    }
    stage.tell("web", 8_000_000, EventKind::Removed);
    stage.step();
    let since = stage.origin_ms();
    let sums = Resolution::ALL.map(|length| {
        let rows = stage
            .history
            .rollups("web", length, (since, since + 8_000_000), 10_000);
        let mut sum = Rollup::default();
        rows.unwrap().rows.iter().for_each(|(_, row)| sum.add(row));
        sum
    });
    assert_eq!(sums[0].watched_ms(), 8_000_000);
    assert_eq!(sums[0], sums[1]);
    assert_eq!(sums[0], sums[2]);
    let segments = stage.history.cover(since, since + 8_000_000).unwrap();
    assert_eq!(stage.history.sum("web", &segments).unwrap(), sums[0]);
}

/// Each roll-up ends with a look at the target. A change soon after that closes it, so the look
/// must have been made by then.
#[test]
fn a_roll_up_has_a_level_though_the_next_one_begins_with_a_change() {
    let folder = tempfile::tempdir().unwrap();
    let mut stage = Stage::in_folder(folder.path());
    let signal = Signal {
        name: SignalName::new("http").unwrap(),
        config: evidence().config,
    };
    let target = Target {
        id: TargetId::new("web").unwrap(),
        labels: Labels::new(),
        signals: vec![signal],
    };
    stage.engine.apply(Change::Put(target)).unwrap();
    stage.step();
    stage.recorder.looked_ms = 0;
    stage.tell("web", 21_000, passes(Unknown, Up));
    stage.step();
    let since = stage.origin_ms();
    let rows = stage
        .history
        .rollups("web", Resolution::TenSeconds, (since, since + 30_000), 10);
    let rows = rows.unwrap().rows;
    assert!(rows.len() >= 2, "{rows:?}");
    assert_eq!(rows[0].1.level.count, 1, "{rows:?}");
}

#[test]
fn a_target_that_comes_back_goes_on_with_its_past() {
    let folder = tempfile::tempdir().unwrap();
    let mut stage = Stage::in_folder(folder.path());
    stage.tell("web", 0, EventKind::Added);
    stage.tell("web", 0, passes(Unknown, Up));
    stage.tell("web", 20_000, EventKind::Removed);
    stage.tell("web", 50_000, EventKind::Added);
    stage.tell("web", 50_000, passes(Unknown, Down));
    stage.tell("web", 60_000, EventKind::Removed);
    stage.step();
    let sum = stage.all("web", 70_000);
    assert_eq!((sum.span_ms(Up), sum.span_ms(Down)), (20_000, 10_000));
    assert_eq!(sum.watched_ms(), 30_000, "nobody watched it in between");
}

#[test]
fn a_verdict_of_several_counts_and_a_report_to_them_does_not() {
    use auscult_core::monitor::observers::{MonitorName, Ruling, Teller, Turn, Verdict};
    let ruling = |from, verdict| EventKind::Verdict {
        ruling: Box::new(Ruling {
            turn: Turn::default(),
            from,
            verdict,
            owner: MonitorName::new("m1").unwrap(),
            at: Instant::ORIGIN,
            text: "up for 3 of 3".into(),
            told: true,
        }),
        teller: Teller::Elsewhere,
    };
    let folder = tempfile::tempdir().unwrap();
    let mut stage = Stage::in_folder(folder.path());
    stage.tell("web", 0, EventKind::Added);
    stage.tell("web", 0, ruling(Verdict::Unknown, Verdict::Up));
    let seen = EventKind::Observed {
        from: Up,
        to: Down,
        evidence: Box::new(evidence()),
    };
    stage.tell("web", 10_000, seen);
    stage.tell(
        "web",
        30_000,
        ruling(Verdict::Up, Verdict::PartiallyReachable),
    );
    stage.tell("web", 40_000, EventKind::Removed);
    stage.step();
    let sum = stage.all("web", 50_000);
    assert_eq!((sum.span_ms(Up), sum.span_ms(Late)), (30_000, 10_000));
    assert_eq!(sum.span_ms(Down), 0, "what one monitor sees is no verdict");
    let changes = stage
        .history
        .changes("web", Bookmark::default(), u64::MAX / 2_000_000, 10);
    let kinds: Vec<_> = changes
        .unwrap()
        .rows
        .iter()
        .map(|it| it.what.as_str())
        .collect();
    assert_eq!(kinds, ["verdict", "observed", "verdict", "removed"]);
}

#[test]
fn pages_join_without_a_gap() {
    let folder = tempfile::tempdir().unwrap();
    let mut stage = Stage::in_folder(folder.path());
    stage.tell("other", 0, EventKind::Added);
    for n in 0..25_u64 {
        // Several at one moment, and another target's between them.
        stage.tell("web", n / 4 * 1_000, passes(Unknown, Up));
        stage.tell("other", n * 250, passes(Unknown, Up));
    }
    stage.step();
    let (mut after, mut seen) = (Bookmark::default(), Vec::new());
    loop {
        let page = stage
            .history
            .changes("web", after, u64::MAX / 2_000_000, 4)
            .unwrap();
        let last = page.rows.last().unwrap();
        after = Bookmark {
            at_nanos: last.at_nanos,
            id: last.id,
        };
        seen.extend(page.rows.iter().map(|row| row.id));
        if !page.more {
            break;
        }
    }
    assert_eq!(seen.len(), 25);
    assert!(seen.is_sorted());
}

#[test]
fn a_restart_goes_on_with_the_row_of_the_hour() {
    let folder = tempfile::tempdir().unwrap();
    for _ in 0..3 {
        let mut stage = Stage::in_folder(folder.path());
        stage.tell("web", 0, EventKind::Added);
        stage.tell("web", 0, passes(Unknown, Up));
        stage.tell("web", 1, EventKind::Removed);
        stage.step();
        stage.recorder.finish(&stage.settings);
    }
    let mut stage = Stage::in_folder(folder.path());
    stage.step();
    let now = stage.history.now_ms();
    let rows = stage
        .history
        .rollups("web", Resolution::OneHour, (now - 3_600_000, now), 10);
    let up: u64 = rows
        .unwrap()
        .rows
        .iter()
        .map(|(_, row)| row.span_ms(Up))
        .sum();
    assert_eq!(up, 3);
}
