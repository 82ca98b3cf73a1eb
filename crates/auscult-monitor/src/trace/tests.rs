//! What a file of a recording may be, and what is judged of it.

use std::fmt::Write as _;

use auscult_core::monitor::Status;
use serde_json::{Value, json};

use super::{Ending, Replay, Thresholds, Trace, TraceError};

fn head() -> Value {
    let spec = json!({ "id": "job", "push": { "interval": "1s" },
        "detector": { "kind": "deadline", "timeout": "3s" } });
    json!({ "auscult_trace": 1, "begin_ns": 0, "targets": [{ "spec": spec, "now_ns": 0 }] })
}

/// A recording of heartbeats at these seconds.
fn recording(seconds: &[u64]) -> String {
    let mut text = format!("{}\n", head());
    for second in seconds {
        let line =
            json!({ "at_ns": second * 1_000_000_000, "target": "job", "signal": "heartbeat" });
        writeln!(text, "{line}").unwrap();
    }
    text
}

fn read(text: &str) -> Result<Trace, TraceError> {
    Trace::read(text.as_bytes(), Thresholds::default())
}

fn told(text: &str) -> Vec<(u64, Status)> {
    let replay = Replay::of(&read(text).unwrap()).unwrap();
    let verdicts = replay.verdicts().iter();
    verdicts.map(|it| (it.after.as_secs(), it.to)).collect()
}

#[test]
fn a_recording_is_judged_to_its_end() {
    let text = recording(&[1, 2, 3]) + "{\"end_ns\": 60000000000}\n";
    assert_eq!(read(&text).unwrap().ending(), Ending::Whole);
    let fell = [(1, Status::Up), (4, Status::Late), (6, Status::Down)];
    assert_eq!(told(&text), fell);
    // Without an end nobody knows how long it was silent.
    let open = recording(&[1, 2, 3]);
    assert_eq!(read(&open).unwrap().ending(), Ending::Open);
    assert_eq!(told(&open), [(1, Status::Up)]);
}

/// Wherever it is cut, the lines that are whole are judged, and it is told that there was more.
#[test]
fn a_recording_that_breaks_off_is_judged_up_to_there() {
    let text = recording(&[1, 2, 9, 10]) + "{\"end_ns\": 10000000000}\n";
    let whole = told(&text);
    let first = text.find('\n').unwrap() + 1;
    for length in first..text.len() - 1 {
        let trace = read(&text[..length]).unwrap();
        assert_ne!(trace.ending(), Ending::Whole, "{length}");
        let part = told(&text[..length]);
        assert!(whole.starts_with(&part), "{length}: {part:?}");
    }
    for length in 0..first - 1 {
        let wrong = read(&text[..length]).unwrap_err();
        assert!(matches!(wrong, TraceError::Foreign), "{length}: {wrong}");
    }
}

#[test]
fn what_is_no_recording_is_refused_with_its_line() {
    for text in [
        "",
        "\n",
        "targets: []\n",
        "{}\n",
        "[]",
        "{\"auscult_trace\": 2}\n",
    ] {
        let wrong = read(text).unwrap_err();
        assert!(matches!(wrong, TraceError::Foreign), "{text}: {wrong}");
    }
    let good = recording(&[1]);
    for line in [
        "nonsense",
        "",
        "{\"at_ns\": -1, \"target\": \"job\", \"signal\": \"heartbeat\"}",
        "{\"at_ns\": NaN, \"target\": \"job\", \"signal\": \"heartbeat\"}",
        "{\"at_ns\": 1, \"target\": \"job\"}",
        "{\"at_ns\": 1, \"target\": \"job\", \"signal\": \"heartbeat\", \"failure\": \"bored\"}",
        "\u{0}\u{1}",
    ] {
        let wrong = read(&format!("{good}{line}\n")).unwrap_err();
        assert!(
            matches!(wrong, TraceError::Line { line: 3, .. }),
            "{line}: {wrong}"
        );
    }
    let behind = good + "{\"end_ns\": 5}\n{\"missed\": 1}\n";
    let wrong = read(&behind).unwrap_err();
    assert!(matches!(wrong, TraceError::Line { line: 4, .. }), "{wrong}");
    let no_target = json!({ "auscult_trace": 1, "targets": [{ "spec": { "id": "a b" } }] });
    let wrong = read(&format!("{no_target}\n")).unwrap_err();
    assert!(matches!(wrong, TraceError::Line { line: 1, .. }), "{wrong}");
}

/// A file without an end of line, such as a device, is given up before it fills the memory.
#[test]
fn a_line_has_a_bound() {
    let endless = std::io::BufReader::new(std::io::repeat(b' '));
    let head = format!("{}\n", head());
    let wrong = Trace::read(
        std::io::Read::chain(head.as_bytes(), endless),
        Thresholds::default(),
    );
    let wrong = wrong.unwrap_err().to_string();
    assert!(wrong.contains("line 2: it has more than"), "{wrong}");
}

#[test]
fn what_the_recording_does_not_describe_is_counted_and_changes_nothing() {
    let known = recording(&[1, 2]);
    let stranger = json!({ "at_ns": 3, "target": "other", "signal": "heartbeat" });
    let text = format!("{known}{stranger}\n");
    let replay = Replay::of(&read(&text).unwrap()).unwrap();
    assert_eq!((replay.arrivals(), replay.undescribed()), (2, 1));
    assert_eq!(told(&text), told(&known));
}

/// Targets join a recording one after the other: what was heard of the first one meanwhile is
/// judged in its time.
#[test]
fn each_target_goes_on_from_its_own_moment() {
    let mut head = head();
    let mut second = head["targets"][0].clone();
    second["spec"]["id"] = json!("second");
    second["now_ns"] = json!(20_000_000_000_u64);
    head["targets"].as_array_mut().unwrap().push(second);
    let mut text = format!("{head}\n");
    for (second, target) in [(1, "job"), (2, "second"), (21, "second"), (22, "job")] {
        let at_ns: u64 = second * 1_000_000_000;
        let line = json!({ "at_ns": at_ns, "target": target, "signal": "heartbeat" });
        writeln!(text, "{line}").unwrap();
    }
    let (up, late, down) = (Status::Up, Status::Late, Status::Down);
    assert_eq!(
        told(&text),
        [(1, up), (2, late), (4, down), (21, up), (22, up)]
    );
    let replay = Replay::of(&read(&text).unwrap()).unwrap();
    assert_eq!(replay.undescribed(), 0);
}

#[test]
fn thresholds_that_do_not_go_together_are_named_and_not_a_line() {
    let thresholds = Thresholds {
        late: Some(9.0),
        down: Some(3.0),
    };
    let wrong = Trace::read(recording(&[1]).as_bytes(), thresholds).unwrap_err();
    assert!(matches!(wrong, TraceError::Thresholds { .. }), "{wrong}");
    assert!(wrong.to_string().contains("job"), "{wrong}");
}
