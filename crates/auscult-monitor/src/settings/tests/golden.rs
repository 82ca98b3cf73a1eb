//! Every text in `bad/` is refused with the words beside it. `UPDATE_GOLDEN=1` writes them anew.

use std::fs;
use std::path::Path;

use super::super::Settings;

#[test]
fn bad_files_are_refused_with_these_words() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/settings/tests/bad");
    let mut seen = 0;
    for entry in fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "yml") {
            continue;
        }
        seen += 1;
        let name = path.file_name().unwrap().to_str().unwrap();
        let text = fs::read_to_string(&path).unwrap();
        let found = match Settings::from_yaml(&text, name) {
            Ok(_) => panic!("{name} is taken"),
            Err(problems) => problems.to_string(),
        };
        let golden = path.with_extension("txt");
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            fs::write(&golden, &found).unwrap();
        }
        let expected = fs::read_to_string(&golden).unwrap_or_default();
        assert_eq!(found, expected, "{name}: UPDATE_GOLDEN=1 writes it anew");
    }
    assert!(seen > 30, "only {seen} files in {}", folder.display());
}
