//! Links in documents: a relative one leads to a file that is there.

use std::path::Path;

use super::Finding;

/// Checks the links of one document.
pub(super) fn check(root: &Path, path: &str, text: &str) -> Vec<Finding> {
    let folder = Path::new(path).parent().unwrap_or_else(|| Path::new(""));
    let mut findings = Vec::new();
    for (at, line) in text.lines().enumerate() {
        for link in relative_links(line) {
            if !root.join(folder).join(link).exists() {
                findings.push(Finding::new(path, at + 1, format!("no file at {link}")));
            }
        }
    }
    findings
}

fn relative_links(line: &str) -> impl Iterator<Item = &str> {
    line.split("](").skip(1).filter_map(|rest| {
        let link = rest.split([')', '#', ' ']).next()?;
        let elsewhere = link.is_empty() || link.contains("://") || link.starts_with("mailto:");
        (!elsewhere).then_some(link)
    })
}
