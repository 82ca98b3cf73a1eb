//! What must hold for any body that describes a target, in our form and in the older one: reading
//! it ends, and what it says is right can be written out and read again.

use auscult_monitor::settings::{Defaults, Problems, TargetSpec};

/// Panics when a promise about the JSON in `bytes` is broken.
pub(crate) fn check(bytes: &[u8]) {
    let Ok(json) = serde_json::from_slice(bytes) else {
        return;
    };
    let defaults = Defaults::builtin();
    check_read(TargetSpec::from_json(&json, &defaults), &defaults);
    check_read(TargetSpec::from_seed_json(&json, &defaults), &defaults);
}

fn check_read(read: Result<TargetSpec, Problems>, defaults: &Defaults) {
    match read {
        Ok(target) => {
            assert!(
                !target.to_target().signals.is_empty(),
                "a target has a signal"
            );
            let written = serde_json::to_value(&target).expect("a target can be written");
            let again = TargetSpec::from_json(&written, defaults);
            assert_eq!(
                again.as_ref(),
                Ok(&target),
                "what was written is read as it was"
            );
        }
        Err(problems) => {
            assert!(problems.count() > 0 && !problems.to_string().is_empty());
        }
    }
}
