//! Rules about manifests: which crate may depend on which, and where versions are written.

use super::Finding;

/// Which of our own crates a crate may name. An arrow that is not here needs a page in
/// `docs/decisions/`.
const ARROWS: [(&str, &[&str]); 6] = [
    ("auscult-core", &[]),
    ("auscult-sim", &["auscult-core"]),
    ("auscult-agent", &["auscult-core"]),
    ("auscult-monitor", &["auscult-agent", "auscult-core"]),
    (
        "auscult",
        &[
            "auscult-agent",
            "auscult-core",
            "auscult-monitor",
            "auscult-sim",
        ],
    ),
    ("xtask", &[]),
];

/// The only crates that the core may name at all.
const CORE_DEPENDENCIES: [&str; 1] = ["libm"];

#[derive(Clone, Copy, PartialEq)]
enum Section {
    Dependencies,
    /// What only tests and build scripts see.
    Behind,
    Other,
}

/// Checks the manifest of a member of the workspace; others (the root, `fuzz`, `bench`) have no
/// rules.
pub(super) fn check(path: &str, text: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    let Some((_, own)) = ARROWS.iter().find(|(name, _)| {
        path == format!("crates/{name}/Cargo.toml") || path == format!("{name}/Cargo.toml")
    }) else {
        if path.starts_with("crates/") {
            let text = "a new crate: add its arrows to xtask/src/tidy/manifest.rs";
            findings.push(Finding::new(path, 1, text));
        }
        return findings;
    };

    let mut section = Section::Other;
    for (at, line) in text.lines().enumerate() {
        let line = line.trim();
        let mut find = |text: String| findings.push(Finding::new(path, at + 1, text));
        if line.starts_with('[') {
            section = section_of(line);
            if section != Section::Other && !line.ends_with("dependencies]") {
                find("write a dependency on one line of its section".into());
            }
            continue;
        }
        if section == Section::Other || line.is_empty() || line.starts_with('#') {
            continue;
        }
        let name = line.split(['.', '=', ' ']).next().unwrap_or_default();
        if !line.replace(' ', "").contains("workspace=true") {
            find(format!(
                "{name}: versions stand in the root Cargo.toml: workspace = true"
            ));
        }
        if section != Section::Dependencies {
            continue;
        }
        if name.starts_with("auscult") && !own.contains(&name) {
            find(format!(
                "the arrow to {name} points the wrong way (DESIGN section 3)"
            ));
        }
        if path == "crates/auscult-core/Cargo.toml" && !CORE_DEPENDENCIES.contains(&name) {
            find(format!("{name}: the core depends on libm alone"));
        }
    }
    findings
}

fn section_of(line: &str) -> Section {
    let name = line.trim_matches(['[', ']']);
    let is = |wanted: &str| name.split('.').any(|part| part == wanted);
    if is("dev-dependencies") || is("build-dependencies") {
        Section::Behind
    } else if is("dependencies") {
        Section::Dependencies
    } else {
        Section::Other
    }
}
