//! Tidy: the rules of the house that neither the compiler nor clippy keeps, each with a self-test
//! that shows a sample which trips it.

use std::fmt;
use std::fs;
use std::path::Path;

use anyhow::Context;

mod links;
mod manifest;
mod rules;
mod source;
#[cfg(test)]
mod tests;

use source::Source;

/// What a whole check found.
#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) findings: Vec<Finding>,
    /// Files that were read.
    pub(crate) files: usize,
}

/// One place that breaks a rule.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Finding {
    path: String,
    line: usize,
    text: String,
}

impl Finding {
    fn new(path: &str, line: usize, text: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            line,
            text: text.into(),
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.path, self.line, self.text)
    }
}

/// Folders that hold our own files. What is built or fetched stands elsewhere or is passed over.
const FOLDERS: [&str; 9] = [
    ".ci",
    "api",
    "bench",
    "crates",
    "dashboard",
    "deploy",
    "docs",
    "fuzz",
    "xtask",
];
const PASSED_OVER: [&str; 3] = ["target", "corpus", "artifacts"];
/// Whose style is a generator's: a test of `regenerate` compares it, and nobody edits it.
const GENERATED: [&str; 1] = [crate::regenerate::GENERATED];

/// Reads the repository and applies every rule.
pub(crate) fn check(root: &Path) -> anyhow::Result<Report> {
    let mut files = Vec::new();
    for entry in sorted_entries(root)? {
        let path = root.join(&entry);
        if path.is_dir() && FOLDERS.contains(&entry.as_str()) {
            collect(root, &entry, &mut files)?;
        } else if path.is_file() {
            files.push(entry);
        }
    }

    let mut findings = Vec::new();
    let mut sources = Vec::new();
    for path in &files {
        if path.ends_with(".rs") {
            let text = read(root, path)?;
            match Source::parse(path, &text) {
                Ok(source) => sources.push(source),
                Err(error) => findings.push(Finding::new(path, 1, error)),
            }
        } else if path.ends_with("Cargo.toml") {
            findings.extend(manifest::check(path, &read(root, path)?));
        } else if path.ends_with(".md") {
            findings.extend(links::check(root, path, &read(root, path)?));
        }
    }
    for source in &sources {
        findings.extend(rules::check(source));
    }
    findings.extend(rules::check_exceptions(&sources));
    findings.sort();
    Ok(Report {
        findings,
        files: files.len(),
    })
}

fn collect(root: &Path, folder: &str, files: &mut Vec<String>) -> anyhow::Result<()> {
    for name in sorted_entries(&root.join(folder))? {
        let path = format!("{folder}/{name}");
        if root.join(&path).is_file() {
            files.push(path);
        } else if !PASSED_OVER.contains(&name.as_str()) && !GENERATED.contains(&path.as_str()) {
            collect(root, &path, files)?;
        }
    }
    Ok(())
}

fn sorted_entries(folder: &Path) -> anyhow::Result<Vec<String>> {
    let show = || folder.display().to_string();
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).with_context(show)? {
        names.push(
            entry
                .with_context(show)?
                .file_name()
                .to_string_lossy()
                .into_owned(),
        );
    }
    names.sort();
    Ok(names)
}

fn read(root: &Path, path: &str) -> anyhow::Result<String> {
    fs::read_to_string(root.join(path)).with_context(|| path.to_owned())
}
