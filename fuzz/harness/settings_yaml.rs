//! What must hold for any settings file: reading it ends, says where it is wrong, and what it says
//! is right can be written out and read again.

use auscult_monitor::settings::{Defaults, Settings, TargetSpec};

/// Panics when a promise about the text in `bytes` is broken.
pub(crate) fn check(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    match Settings::from_yaml(text, "fuzz.yml") {
        Ok(settings) => {
            for target in &settings.targets {
                let watched = target.to_target();
                assert!(!watched.signals.is_empty(), "a target has a signal");
                let written = serde_json::to_value(target).expect("a target can be written");
                let read = TargetSpec::from_json(&written, &Defaults::builtin());
                let mut read = read.expect("what was written can be read");
                read.line = target.line;
                assert_eq!(&read, target, "what was written is read as it was");
            }
        }
        Err(problems) => {
            assert!(problems.count() > 0 && !problems.list.is_empty());
            assert!(!problems.to_string().is_empty());
            // A carriage return alone ends a line of YAML, too.
            let lines = text.split(['\n', '\r']).count();
            for problem in &problems.list {
                assert!(!problem.message.is_empty());
                // What is missing from the whole file has no place in it.
                let Some(span) = problem.span else {
                    assert_eq!(problem.path, "", "{problem:?} has no place");
                    continue;
                };
                assert!(
                    span.line >= 1 && span.column >= 1 && span.len >= 1,
                    "{problem:?}"
                );
                assert!(span.line <= lines, "{problem:?} is beyond {lines} lines");
            }
        }
    }
}
