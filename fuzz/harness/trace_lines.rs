//! What must hold for any file that is given to `auscult replay`.

use std::time::Duration;

use auscult_monitor::trace::{Ending, Replay, Thresholds, Trace};

/// Panics when a file is judged to more than it says, or not the same twice.
pub(crate) fn check(bytes: &[u8]) {
    let Ok(trace) = Trace::read(bytes, Thresholds::default()) else {
        return;
    };
    let lines = bytes.split(|&byte| byte == b'\n').count() as u64;
    let Ok(replay) = Replay::of(&trace) else {
        return;
    };
    assert!(
        replay.arrivals() + replay.undescribed() <= lines,
        "more than it says"
    );
    let (recalled, signals) = replay.recalled();
    assert!(recalled <= signals);
    // What a detector is said to remember may have been due before the recording began.
    let remembers = bytes.windows(6).any(|part| part == b"learnt");
    let mut before = Duration::ZERO;
    for verdict in replay.verdicts() {
        assert!(
            remembers || verdict.after >= before,
            "verdicts fall in their order"
        );
        assert!(
            verdict.level.get() >= 0.0,
            "a level is a number, at least 0"
        );
        before = verdict.after;
    }
    let again = Trace::read(bytes, Thresholds::default()).expect("it could be read before");
    let again = Replay::of(&again).expect("it could be judged before");
    assert_eq!(replay.verdicts(), again.verdicts(), "judged otherwise");
    // Whoever cuts a file takes verdicts from its end, and changes none.
    if trace.ending() == Ending::Whole {
        return;
    }
    let more = [bytes, b"\n{\"end_ns\":18446744073709551615}\n"].concat();
    if let Ok(longer) = Trace::read(&*more, Thresholds::default()) {
        let longer = Replay::of(&longer).expect("it could be judged before");
        assert!(
            longer.verdicts().starts_with(replay.verdicts()),
            "the end changed the past"
        );
    }
}
