//! Claims about roll-ups, each against a twin that is slow and plain.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use proptest::prelude::*;

use super::*;
use crate::monitor::Status;

/// The window in which the twins count: two hours from a moment that is no whole multiple.
const START: u64 = 1_700_000_003_123;
const END: u64 = START + 7_200_000;

type Rows = BTreeMap<u64, Rollup>;

fn statuses() -> impl Strategy<Value = Vec<(u64, Status)>> {
    let one = (0..7_200_000_u64, 0..Status::ALL.len());
    prop::collection::vec(one, 0..40).prop_map(|mut list| {
        list.sort_unstable();
        list.dedup_by_key(|(at, _)| *at);
        let status = |(at, index): (u64, usize)| (START + at, Status::ALL[index]);
        list.into_iter().map(status).collect()
    })
}

fn rows(changes: &[(u64, Status)], length: Resolution, flush_every: usize) -> Rows {
    let mut rows = Rows::new();
    let mut keep = |start: u64, rollup: Rollup| rows.entry(start).or_default().add(&rollup);
    let mut course = Course::new(START, Status::Unknown);
    for (n, &(at, to)) in changes.iter().enumerate() {
        course.pass(at, to, length, &mut keep);
        course.saw_level(at % 7_919);
        if n % flush_every == 0 {
            course.flush(at, length, &mut keep);
        }
    }
    course.finish(END, length, &mut keep);
    rows
}

/// Milliseconds with each status in a row, by looking at every stretch of the whole.
fn twin(changes: &[(u64, Status)], from: u64, until: u64) -> [u64; 5] {
    let mut spans = [0; 5];
    let mut edges: Vec<(u64, Status)> = alloc::vec![(START, Status::Unknown)];
    edges.extend(changes);
    for (n, &(at, status)) in edges.iter().enumerate() {
        let end = edges.get(n + 1).map_or(END, |next| next.0);
        let (low, high) = (at.max(from), end.min(until));
        spans[usize::from(status.severity())] += high.saturating_sub(low);
    }
    spans
}

proptest! {
    #[test]
    fn rows_say_what_a_count_of_every_stretch_says(changes in statuses(), every in 1..9_usize) {
        for length in Resolution::ALL {
            let rows = rows(&changes, length, every);
            for (&start, row) in &rows {
                prop_assert_eq!(start % length.millis(), 0);
                prop_assert_eq!(row.spans_ms, twin(&changes, start, start + length.millis()));
            }
            let watched: u64 = rows.values().map(Rollup::watched_ms).sum();
            prop_assert_eq!(watched, END - START, "nothing is lost, nothing is told twice");
        }
    }

    #[test]
    fn a_rollup_of_rollups_is_the_rollup_of_the_raw(changes in statuses(), every in 1..9_usize) {
        let fine = rows(&changes, Resolution::TenSeconds, 1_000);
        for length in [Resolution::FiveMinutes, Resolution::OneHour] {
            let mut joined = Rows::new();
            for (&start, row) in &fine {
                joined.entry(length.floor(start)).or_default().add(row);
            }
            prop_assert_eq!(&joined, &rows(&changes, length, every));
        }
    }

    #[test]
    fn a_row_is_read_as_it_was_written(numbers in prop::array::uniform18(any::<u32>())) {
        let n = |at: usize| u64::from(numbers[at]);
        let figure = |at: usize| Figure { count: n(at), max: n(at + 1), sum: n(at + 2) << 20 };
        let rollup = Rollup {
            spans_ms: [n(0), n(1), n(2), n(3), n(4)],
            transitions: n(5),
            failures: n(6),
            recoveries: n(7),
            arrivals: n(8),
            level: figure(9),
            latency: figure(12),
            detection: figure(15),
        };
        prop_assert_eq!(Rollup::from_bytes(&rollup.to_bytes()), rollup);
    }

    #[test]
    fn a_cover_has_the_window_and_no_more_than_it_must(
        since in 0..4_000_000_000_u64, span in 1..3_000_000_000_u64,
        kept in prop::array::uniform3(0..4_000_000_000_u64), all in any::<bool>(),
    ) {
        let mut kept = if all { [0; 3] } else { kept };
        kept.sort_unstable_by(|a, b| b.cmp(a));
        let until = since + span;
        let segments = cover(since, until, kept);
        let mut at = segments[0].since_ms;
        prop_assert!(at <= since);
        for segment in &segments {
            let Segment { resolution, since_ms, until_ms } = *segment;
            prop_assert_eq!(since_ms, at, "no gap, no overlap");
            prop_assert!(until_ms > since_ms);
            prop_assert_eq!(since_ms % resolution.millis(), 0);
            prop_assert_eq!(until_ms % resolution.millis(), 0);
            let there = kept[resolution as usize] <= since_ms;
            prop_assert!(there || resolution == Resolution::OneHour, "{segment:?} of {kept:?}");
            at = until_ms;
        }
        prop_assert!(at >= until);
        if all {
            prop_assert!(since - segments[0].since_ms < 10_000 && at - until < 10_000);
            let edges = segments.iter().filter(|one| one.resolution != Resolution::OneHour);
            prop_assert!(edges.map(Segment::rows).sum::<u64>() <= 2 * (29 + 11));
        }
    }

    #[test]
    fn retention_ends_below_the_limit_and_takes_no_more_than_it_must(
        bytes in prop::array::uniform4(0..4_000_u64), limit in 100..8_000_u64,
    ) {
        let gives = gives(bytes, limit);
        let total: u64 = bytes.iter().sum();
        let given: u64 = gives.iter().sum();
        if total <= limit {
            prop_assert_eq!(given, 0);
            return Ok(());
        }
        let left = total - given;
        prop_assert!(left <= limit && left + 4 >= limit - limit / 10, "{left} of {limit}");
        for (kind, percent) in Kind::ALL.into_iter().zip([30, 30, 20, 20]) {
            let (held, gives) = (bytes[kind as usize], gives[kind as usize]);
            prop_assert!(gives <= held);
            let share = (limit - limit / 10) * percent / 100;
            prop_assert!(gives == 0 || held - gives + 1 >= share, "{kind:?} keeps its share");
        }
    }
}

#[test]
fn what_is_told_too_late_is_never_counted_twice() {
    let mut rows = Rows::new();
    let mut keep = |start: u64, rollup: Rollup| rows.entry(start).or_default().add(&rollup);
    let mut course = Course::new(20_000, Status::Up);
    course.advance(40_000, Resolution::TenSeconds, &mut keep);
    // A verdict for a moment in a row that was given away already.
    course.pass(35_000, Status::Down, Resolution::TenSeconds, &mut keep);
    course.finish(50_000, Resolution::TenSeconds, &mut keep);
    let down: Vec<u64> = rows.values().map(|row| row.span_ms(Status::Down)).collect();
    assert_eq!(down, [0, 0, 10_000]);
    assert_eq!(rows[&40_000].failures, 1);
}

#[test]
fn availability_leaves_out_what_nobody_can_judge() {
    let mut window = Rollup {
        spans_ms: [500_000, 900_000, 1_000_000, 90_000, 10_000],
        failures: 2,
        recoveries: 1,
        ..Rollup::default()
    };
    window.detection.add(&Figure::of(400));
    window.detection.add(&Figure::of(600));
    let objective = Objective::from_percent(99.9).unwrap();
    let found = Availability::of(&window, objective);
    assert_eq!((found.judged_ms, found.down_ms), (1_000_000, 10_000));
    assert_eq!(found.ratio, Some(0.99));
    assert!((found.budget_ms - 1_000.0).abs() < 1e-6);
    assert!((found.budget_left_ms + 9_000.0).abs() < 1e-6);
    assert_eq!(found.between_failures_ms, Some(495_000.0));
    assert_eq!(found.to_recover_ms, Some(5_000.0));
    assert_eq!(
        (found.detection_ms, found.detection_max_ms),
        (Some(500.0), Some(600))
    );

    let nothing = Availability::of(&Rollup::default(), objective);
    assert_eq!((nothing.ratio, nothing.outages), (None, 0));
    assert_eq!(nothing.between_failures_ms, None);
}

#[test]
fn an_outage_that_began_before_the_window_is_one() {
    let window = Rollup {
        spans_ms: [0, 0, 0, 0, 60_000],
        ..Rollup::default()
    };
    let objective = Objective::from_percent(99.0).unwrap();
    assert_eq!(Availability::of(&window, objective).outages, 1);
}

#[test]
fn an_objective_is_a_share_that_leaves_something() {
    for percent in [0.0, 100.0, -1.0, 101.0, f64::NAN, f64::INFINITY] {
        assert_eq!(Objective::from_percent(percent), None, "{percent}");
    }
    assert_eq!(
        Objective::from_percent(99.9).map(|it| it.percent().round()),
        Some(100.0)
    );
}

#[test]
fn what_was_never_there_is_not_gone() {
    let (hour, none) = (3_600_000, u64::MAX);
    // Begun at ten past one, and nothing given up since.
    let begun = [hour + 600_000, hour + 600_000, hour];
    assert_eq!(kept_since(begun), [0, 0, 0]);
    // The first 10 s are gone; then the first 5 min, too.
    let fine_gone = [2 * hour, hour + 600_000, hour];
    assert_eq!(kept_since(fine_gone), [2 * hour, 0, 0]);
    let both_gone = [2 * hour + 10_000, 2 * hour, hour];
    assert_eq!(kept_since(both_gone), [2 * hour, 2 * hour, 0]);
    // Nobody wanted any of 10 s.
    assert_eq!(kept_since([none, hour, hour]), [none, 0, 0]);
    assert_eq!(kept_since([none; 3]), [0; 3]);
}

#[test]
fn a_month_is_few_rows() {
    let since = 1_700_000_123_456;
    let segments = cover(since, since + 30 * 86_400_000, [0; 3]);
    assert!(segments.iter().map(Segment::rows).sum::<u64>() <= 719 + 80);
}
