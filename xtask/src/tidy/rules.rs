//! Rules about Rust files: sizes, words, and which module may name which.

use super::Finding;
use super::source::{Name, Place, Source};

const FILE_LINES_MAX: usize = 800;
const FUNCTION_LINES_MAX: usize = 70;
/// Comments; rustfmt keeps code to the same width.
const COMMENT_COLUMNS_MAX: usize = 100;
/// What rustfmt leaves wider: texts, and what macros are given.
const COLUMNS_MAX: usize = 120;

/// A function that is longer than the rest, and why it is better so.
struct LongFunction {
    path: &'static str,
    name: &'static str,
    reason: &'static str,
}

const LONG_FUNCTIONS: [LongFunction; 0] = [];

/// The one file that reads clocks.
const CLOCK: &str = "crates/auscult-agent/src/clock.rs";

/// Types whose `now` reads a clock.
const CLOCKS: [&str; 4] = ["Instant", "SystemTime", "Timestamp", "Zoned"];

/// Text that a finished line does not have, and what to write instead.
const WORDS: [(&str, &str); 6] = [
    ("TODO", "finish it, or open an issue"),
    ("FIXME", "finish it, or open an issue"),
    ("dbg!", "a trace of an afternoon; remove it"),
    (
        "#[ignore",
        "a test that does not run proves nothing; make it run",
    ),
    (
        "#[allow(",
        "write #[expect(.., reason = \"..\")]: it tells when it is no longer needed",
    ),
    (
        "#![allow(",
        "write #![expect(.., reason = \"..\")]: it tells when it is no longer needed",
    ),
];

/// Where tests may sleep after all, and why.
const SLEEPS: [(&str, &str); 2] = [
    (
        "crates/auscult/tests/it/group/pace.rs",
        "a writer has a rhythm, and monitors are asked again and again over HTTP",
    ),
    (
        "crates/auscult-monitor/src/check/tests/server.rs",
        "a server that answers slowly is what is tested",
    ),
];

/// This folder names the words in order to find them.
const WORDS_EXEMPT: &str = "xtask/src/tidy/";

/// Names behind which anything may hide.
const VAGUE: [&str; 6] = ["util", "utils", "common", "helpers", "helper", "misc"];

/// A folder (or file) of a crate, and the modules of its own crate that it may name.
struct Boundary {
    within: &'static str,
    may_name: &'static [&'static str],
}

const BOUNDARIES: [Boundary; 7] = [
    Boundary {
        within: "crates/auscult-core/src/history/",
        may_name: &["history", "monitor"],
    },
    Boundary {
        within: "crates/auscult-core/src/peer_metric/",
        may_name: &["bounds", "detector", "id", "monitor", "peer_metric", "time"],
    },
    Boundary {
        within: "crates/auscult-core/src/alert/",
        may_name: &["alert", "bounds", "id", "monitor", "rng", "time"],
    },
    Boundary {
        within: "crates/auscult-core/src/detector/",
        may_name: &["bounds", "detector", "time"],
    },
    Boundary {
        within: "crates/auscult-core/src/monitor/",
        may_name: &["bounds", "detector", "id", "monitor", "time"],
    },
    Boundary {
        within: "crates/auscult-core/src/swim/",
        may_name: &["bounds", "detector", "id", "rng", "swim", "time"],
    },
    Boundary {
        within: "crates/auscult-core/src/wire/",
        may_name: &["bounds", "id", "swim", "time", "wire"],
    },
];

/// A library that stands only in some places of a crate, so that it can be replaced there.
struct Confined {
    library: &'static str,
    within: &'static str,
    only: &'static [&'static str],
}

const CONFINED: [Confined; 8] = [
    Confined {
        library: "axum",
        within: "crates/auscult-agent/src/",
        only: &["http/"],
    },
    Confined {
        library: "tonic",
        within: "crates/auscult-agent/src/",
        only: &["grpc/", "config.rs"],
    },
    Confined {
        library: "axum",
        within: "crates/auscult-monitor/src/",
        only: &["api/", "replication/http/"],
    },
    Confined {
        library: "tonic",
        within: "crates/auscult-monitor/src/",
        only: &["api/"],
    },
    Confined {
        library: "openraft",
        within: "crates/auscult-monitor/src/",
        only: &["replication/"],
    },
    Confined {
        library: "redb",
        within: "crates/auscult-monitor/src/",
        only: &["history/store/", "replication/", "store.rs", "store/"],
    },
    Confined {
        library: "saphyr_parser",
        within: "crates/auscult-monitor/src/",
        only: &["settings/"],
    },
    Confined {
        library: "std",
        within: "crates/auscult-core/src/",
        only: &[],
    },
];

/// Applies every rule to one file.
pub(super) fn check(source: &Source) -> Vec<Finding> {
    let mut findings = Vec::new();
    check_lines(source, &mut findings);
    check_functions(source, &mut findings);
    check_modules(source, &mut findings);
    for name in &source.names {
        let rules = [check_clock, check_sleep, check_boundary, check_confined];
        for text in rules.iter().filter_map(|rule| rule(source, name)) {
            findings.push(Finding::new(&source.path, name.line, text));
        }
    }
    findings
}

/// An exception that nothing needs any more is itself a finding.
pub(super) fn check_exceptions(sources: &[Source]) -> Vec<Finding> {
    let needed = |exception: &LongFunction| {
        sources
            .iter()
            .filter(|source| source.path == exception.path)
            .flat_map(|source| &source.functions)
            .any(|f| f.name == exception.name && f.lines > FUNCTION_LINES_MAX)
    };
    LONG_FUNCTIONS
        .iter()
        .filter(|exception| !needed(exception) || exception.reason.is_empty())
        .map(|exception| {
            let text = format!("the exception for {} is not needed", exception.name);
            Finding::new(exception.path, 1, text)
        })
        .collect()
}

fn check_lines(source: &Source, findings: &mut Vec<Finding>) {
    let mut find = |line: usize, text: String| {
        findings.push(Finding::new(&source.path, line, text));
    };
    if !source
        .lines
        .first()
        .is_some_and(|line| line.starts_with("//!"))
    {
        find(
            1,
            "the first line says with //! what the file is for".into(),
        );
    }
    let lines = source.lines.len();
    if lines > FILE_LINES_MAX {
        let text = format!("{lines} lines, more than {FILE_LINES_MAX}: split it by concern");
        find(FILE_LINES_MAX + 1, text);
    }
    for (at, line) in source.lines.iter().enumerate() {
        let columns = line.chars().count();
        let comment = line.trim_start().starts_with("//");
        let columns_max = if comment {
            COMMENT_COLUMNS_MAX
        } else {
            COLUMNS_MAX
        };
        if columns > columns_max {
            find(
                at + 1,
                format!("{columns} columns, more than {columns_max}"),
            );
        }
        if source.path.starts_with(WORDS_EXEMPT) {
            continue;
        }
        for (word, instead) in WORDS.iter().filter(|(word, _)| line.contains(word)) {
            find(at + 1, format!("{word}: {instead}"));
        }
    }
}

fn check_functions(source: &Source, findings: &mut Vec<Finding>) {
    for function in &source.functions {
        let excepted = LONG_FUNCTIONS
            .iter()
            .any(|f| f.path == source.path && f.name == function.name);
        if function.lines > FUNCTION_LINES_MAX && !excepted {
            let text = format!(
                "{} has {} lines, more than {FUNCTION_LINES_MAX}: \
                 extract a leaf with a name of its own",
                function.name, function.lines
            );
            findings.push(Finding::new(&source.path, function.line, text));
        }
    }
}

fn check_modules(source: &Source, findings: &mut Vec<Finding>) {
    for module in &source.modules {
        if VAGUE.contains(&module.name.as_str()) {
            let text = format!("{}: name the module after what it holds", module.name);
            findings.push(Finding::new(&source.path, module.line, text));
        }
    }
}

/// Examples and benches measure, and tests wait with a deadline; everything else is told the time.
fn check_clock(source: &Source, name: &Name) -> Option<String> {
    let [.., kind, now] = name.segments.as_slice() else {
        return None;
    };
    if now != "now" || !CLOCKS.contains(&kind.as_str()) {
        return None;
    }
    let exempt = name.place == Place::Test
        || source.path == CLOCK
        || source.path.starts_with("bench/")
        || source.path.contains("/examples/")
        || source.path.contains("/benches/");
    (!exempt).then(|| format!("{kind}::now: only {CLOCK} reads clocks; take `now` as an argument"))
}

fn check_sleep(source: &Source, name: &Name) -> Option<String> {
    if SLEEPS.iter().any(|(path, _)| *path == source.path) {
        return None;
    }
    let [.., module, function] = name.segments.as_slice() else {
        return None;
    };
    let sleeps = function == "sleep" && (module == "thread" || module == "time");
    (sleeps && name.place == Place::Test)
        .then(|| "a test waits for a condition, with a deadline, and not for a time".into())
}

fn check_boundary(source: &Source, name: &Name) -> Option<String> {
    let boundary = BOUNDARIES
        .iter()
        .find(|boundary| source.path.starts_with(boundary.within))?;
    let [root, module, ..] = name.segments.as_slice() else {
        return None;
    };
    (root == "crate" && !boundary.may_name.contains(&module.as_str()))
        .then(|| format!("{} may not name crate::{module}", boundary.within))
}

fn check_confined(source: &Source, name: &Name) -> Option<String> {
    if name.place == Place::Test {
        return None;
    }
    CONFINED.iter().find_map(|rule| {
        let inside = source.path.strip_prefix(rule.within)?;
        let library = name.segments.first()?;
        let allowed = rule.only.iter().any(|only| inside.starts_with(only));
        (library == rule.library && !allowed).then(|| {
            format!(
                "{library} stands only in {:?} of {}",
                rule.only, rule.within
            )
        })
    })
}
