//! How much of the disk and of memory it takes.

use std::fs;

use auscult_core::history::Limits;
use auscult_core::monitor::Status::{Unknown, Up};

use super::*;

/// A store that is written to for longer than it may keep.
#[test]
fn the_file_stays_below_its_limit_however_much_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("history.redb");
    let mut stage = Stage::in_folder(folder.path());
    stage.step();
    let bytes_max = 17 << 20;
    let limits = Limits {
        age_max_ms: 3_650 * 86_400_000,
        bytes_max,
    };
    let start = Resolution::OneHour.floor(1_700_000_000_000);
    let names: Vec<TargetId> = (0..200)
        .map(|n| TargetId::new(&format!("target-{n}")).unwrap())
        .collect();
    let mut rollup = Rollup::default();
    rollup.spans_ms[1] = 10_000;
    let mut longest = 0;
    // 3 h of 200 targets: 216,000 rows of 10 s, some 40 MB if all were kept.
    let rows = 1_080_u64;
    for n in 0..rows {
        let at = start + n * 10_000;
        let batch: Vec<_> = names.iter().map(|id| (at, id.clone(), rollup)).collect();
        stage.history.put(&batch).unwrap();
        if n % 30 == 29 {
            while stage.history.0.store.discard(limits, at).unwrap().more {}
        }
        longest = longest.max(fs::metadata(&path).unwrap().len());
    }
    assert!(longest <= bytes_max, "{longest}");
    let end = start + rows * 10_000;
    let hours = stage
        .history
        .rollups("target-7", Resolution::OneHour, (start, end), 100);
    assert_eq!(
        hours.unwrap().rows.len(),
        3,
        "the coarse ones outlast the fine ones"
    );
    let fine = stage
        .history
        .rollups("target-7", Resolution::TenSeconds, (start, end), 10_000);
    let fine = fine.unwrap().rows;
    assert!(fine.len() > 50 && fine.len() < 1_000, "{}", fine.len());
    assert_eq!(fine.last().unwrap().0, end - 10_000, "the newest are there");
}

#[test]
fn a_file_that_is_longer_than_it_may_be_becomes_shorter() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("history.redb");
    let mut stage = Stage::in_folder(folder.path());
    stage.tell("web", 0, EventKind::Added);
    for n in 0..100_000 {
        stage.tell("web", n, passes(Unknown, Up));
    }
    stage.step();
    let before = fs::metadata(&path).unwrap().len();
    assert!(before > 32 << 20, "{before}");
    stage.settings.size_mib = 16;
    for _ in 0..20 {
        stage.recorder.discarded_at = 0;
        stage.step();
    }
    let after = fs::metadata(&path).unwrap().len();
    assert!(after < 17 << 20, "{after} of {before}");
    let left = stage
        .history
        .changes("web", Bookmark::default(), u64::MAX / 2_000_000, 100_000);
    let left = left.unwrap().rows;
    assert!(left.len() > 10_000, "{}", left.len());
    assert_eq!(
        left.last().unwrap().at_nanos / 1_000_000,
        stage.origin_ms() + 99_999
    );
}

#[test]
fn what_is_too_old_goes_with_the_name_of_its_target() {
    let folder = tempfile::tempdir().unwrap();
    let mut stage = Stage::in_folder(folder.path());
    stage.step();
    let now = stage.history.now_ms();
    let old = Resolution::OneHour.floor(now - 40 * 86_400_000);
    let id = TargetId::new("old").unwrap();
    let rollup = Rollup {
        spans_ms: [0, 10_000, 0, 0, 0],
        ..Rollup::default()
    };
    stage.history.put(&[(old, id, rollup)]).unwrap();
    assert!(stage.history.knows("old"));
    stage.recorder.discarded_at = 0;
    stage.step();
    let rows = stage
        .history
        .rollups("old", Resolution::OneHour, (old, now), 10);
    assert_eq!(rows.unwrap().rows, []);
    let store = &stage.history.0.store;
    // A name is looked at once before it can be forgotten: something may still be to be written.
    store.note_watched(&|_| false, now, now).unwrap();
    store.note_watched(&|_| false, now, now + 1).unwrap();
    assert!(!stage.history.knows("old"));
}
