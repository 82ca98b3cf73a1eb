//! Stories as text, each with the trace of its play below it: see `scenarios/*.txt` and the
//! module `script`. `AUSCULT_UPDATE_SCENARIOS=1 cargo test -p auscult-sim` writes the traces anew.

use std::path::{Path, PathBuf};

use auscult_sim::{Script, Wire, script};

fn files() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios");
    let entries = std::fs::read_dir(&folder).unwrap();
    let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "txt"));
    files.sort();
    assert!(files.len() >= 12, "too few in {}", folder.display());
    files
}

#[test]
fn each_story_goes_as_its_file_says() {
    let update = std::env::var_os("AUSCULT_UPDATE_SCENARIOS").is_some();
    for file in files() {
        let text = std::fs::read_to_string(&file).unwrap();
        let (story, expected) = script::split(&text);
        let name = file.display().to_string();
        let script = Script::parse(&name, &text).unwrap_or_else(|found| panic!("\n{found}"));
        let played = script.play(Wire::Typed, Vec::new());
        if update {
            std::fs::write(&file, format!("{story}---\n{}", played.trace)).unwrap();
        } else {
            assert_eq!(played.trace, expected, "{name}");
        }
        assert!(played.is_well(), "{name}: {:#?}", played.outcomes);
        assert!(!played.outcomes.is_empty(), "{name} expects nothing");
    }
}

/// A story is the same with messages as bytes, and when it was written and read again.
#[test]
fn each_story_goes_the_same_way_on_other_ways() {
    for file in files() {
        let text = std::fs::read_to_string(&file).unwrap();
        let name = file.display().to_string();
        let script = Script::parse(&name, &text).unwrap();
        let first = script.play(Wire::Typed, Vec::new());
        let bytes = script.play(Wire::Codec, Vec::new());
        assert!(
            first.trace == bytes.trace,
            "{name} differs with messages as bytes"
        );
        let written = script.to_string();
        let again = Script::parse("written", &written).unwrap_or_else(|found| panic!("\n{found}"));
        assert_eq!(again.to_string(), written, "{name}");
        assert!(
            first.trace == again.play(Wire::Typed, Vec::new()).trace,
            "{name}"
        );
    }
}
