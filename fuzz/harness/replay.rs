//! Replays a corpus without a fuzzer.

use std::fs;
use std::path::Path;

/// Gives every file of a corpus to a check, and names the one that fails it. For the tests of a
/// crate in `crates/`.
pub(crate) fn replay(corpus: &str, check: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../fuzz/corpus")
        .join(corpus);
    let files = fs::read_dir(&folder).expect("the corpus is there");
    let mut replayed = 0;
    for file in files {
        let path = file.expect("the corpus can be listed").path();
        let bytes = fs::read(&path).expect("the corpus can be read");
        let outcome = std::panic::catch_unwind(|| check(&bytes));
        assert!(
            outcome.is_ok(),
            "{} fails, for the reason above",
            path.display()
        );
        replayed += 1;
    }
    assert!(
        replayed > 10,
        "only {replayed} files in {}",
        folder.display()
    );
}
