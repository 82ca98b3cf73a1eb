//! `api/metrics.md`, written from the table of families.

use std::fmt::Write;

use auscult_agent::http::families::Kind;

use super::families::SECTIONS;

const HEAD: &str = "\
# Metrics

Written from the tables in `crates/auscult-monitor/src/metrics/families.rs` and
`crates/auscult-agent/src/http/families.rs`; a test compares them. An agent alone answers with the
sections Membership, The HTTP server and The process.

`GET /metrics` answers OpenMetrics 1.0 when the scraper's `Accept` asks for it, as Prometheus does,
and the classic text format 0.0.4 otherwise. Levels are computed at the time of the scrape. The
series of a removed target are gone with the next scrape.
";

/// The whole document.
#[must_use]
pub fn markdown() -> String {
    let mut text = String::from(HEAD);
    for section in SECTIONS {
        let _written = write!(text, "\n## {}\n\n", section.title);
        if !section.intro.is_empty() {
            let _written = write!(text, "{}\n\n", section.intro);
        }
        text.push_str("| name | type | labels | meaning |\n|---|---|---|---|\n");
        for family in section.families {
            let kind = match family.kind {
                Kind::Counter => "counter",
                Kind::Gauge => "gauge",
                Kind::Histogram => "histogram",
                Kind::Summary => "summary",
                Kind::Info => "info",
            };
            let labels: Vec<_> = family.labels.iter().map(|l| format!("`{l}`")).collect();
            let _written = writeln!(
                text,
                "| `{}` | {kind} | {} | {} |",
                family.name,
                labels.join(", "),
                family.help
            );
        }
    }
    text
}
