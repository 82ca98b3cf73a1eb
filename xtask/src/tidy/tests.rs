//! The repository is tidy, and each rule of tidy notices a sample that breaks it.

use std::fmt::Write;

use super::source::Source;
use super::{check, links, manifest, rules};

#[test]
fn the_repository_is_tidy() {
    let report = check(&crate::repository()).expect("the repository can be read");
    assert!(report.files > 20, "only {} files were found", report.files);
    let mut text = String::new();
    for finding in &report.findings {
        writeln!(text, "{finding}").expect("a string can be written to");
    }
    assert!(report.findings.is_empty(), "tidy found:\n{text}");
}

/// What the rules say of one file; the line that `//!` asks for is added.
fn found(path: &str, body: &str) -> Vec<String> {
    let text = format!("//! Sample.\n{body}");
    let source = Source::parse(path, &text).expect("the sample is Rust");
    rules::check(&source)
        .iter()
        .map(ToString::to_string)
        .collect()
}

#[track_caller]
fn trips(path: &str, body: &str, at: usize, wanted: &str) {
    let found = found(path, body);
    let [only] = found.as_slice() else {
        panic!("one finding expected: {found:?}");
    };
    assert!(only.starts_with(&format!("{path}:{at}: ")), "{only}");
    assert!(only.contains(wanted), "{only}");
}

#[track_caller]
fn passes(path: &str, body: &str) {
    assert_eq!(found(path, body), [""; 0]);
}

const DETECTOR: &str = "crates/auscult-core/src/detector/phi.rs";
const SERVER: &str = "crates/auscult-monitor/src/engine.rs";

#[test]
fn a_file_without_a_first_line_of_purpose_is_found() {
    let source = Source::parse(SERVER, "struct A;\n").expect("the sample is Rust");
    assert_eq!(rules::check(&source).len(), 1);
}

#[test]
fn a_long_file_a_long_line_and_a_long_function_are_found() {
    trips(SERVER, &"\n".repeat(800), 801, "801 lines");
    let wide = format!("const A: &str = \"{}\";\n", "ä".repeat(105));
    trips(SERVER, &wide, 2, "124 columns");
    trips(
        SERVER,
        &format!("    // {}\n", "b".repeat(94)),
        2,
        "101 columns",
    );
    let long = |lines: usize| format!("fn f() {{\n{}}}\n", "    g();\n".repeat(lines - 2));
    trips(SERVER, &long(71), 2, "f has 71 lines");
    passes(SERVER, &long(70));
    let nested = format!(
        "impl A {{\n const fn x() where A: B<{{ 1 }}> {{}}\n{}}}\n",
        long(71)
    );
    trips(SERVER, &nested, 4, "f has 71 lines");
}

#[test]
fn a_brace_in_a_text_or_comment_ends_no_function() {
    let tail = "    g();\n".repeat(68);
    let body = format!("fn f() {{\n let a = \"}}\"; let b = '}}'; // }}\n{tail} r#\"}}\"#;\n}}\n");
    trips(SERVER, &body, 2, "f has 72 lines");
}

#[test]
fn a_clock_outside_the_clock_is_found() {
    let read = "fn f() { let t = std::time::Instant::now(); }\n";
    trips(SERVER, read, 2, "Instant::now");
    trips(
        SERVER,
        "fn f() { g(tokio::time::Instant::now) }\n",
        2,
        "Instant::now",
    );
    trips(
        SERVER,
        "fn f() { println!(\"{}\", SystemTime::now()) }\n",
        2,
        "SystemTime::now",
    );
    passes("crates/auscult-agent/src/clock.rs", read);
    passes("crates/auscult-monitor/examples/load.rs", read);
    passes("crates/auscult-monitor/tests/it/udp.rs", read);
    passes(SERVER, &format!("#[cfg(test)]\nmod tests {{ {read} }}\n"));
    let after = format!("#[cfg(test)]\nmod tests {{}}\n{read}");
    trips(SERVER, &after, 4, "Instant::now");
    let elsewhere = format!("#[cfg(test)]\nmod tests;\n{read}");
    trips(SERVER, &elsewhere, 4, "Instant::now");
}

#[test]
fn a_test_that_sleeps_is_found() {
    let sleep = "async fn f() { tokio::time::sleep(d).await }\n";
    passes(SERVER, sleep);
    trips(
        "crates/auscult/tests/it/demo.rs",
        sleep,
        2,
        "waits for a condition",
    );
    trips(
        SERVER,
        &format!("#[tokio::test]\n{sleep}"),
        3,
        "waits for a condition",
    );
    let imported = "#[cfg(test)]\nmod tests { use std::thread::{self, sleep}; }\n";
    trips(SERVER, imported, 3, "waits for a condition");
}

#[test]
fn words_that_a_finished_line_does_not_have_are_found() {
    trips(SERVER, "// TODO: later\n", 2, "open an issue");
    trips(SERVER, "// FIXME\n", 2, "open an issue");
    trips(SERVER, "fn f() { dbg!(1); }\n", 2, "remove it");
    trips(
        SERVER,
        "#[test]\n#[ignore = \"slow\"]\nfn f() {}\n",
        3,
        "make it run",
    );
    trips(SERVER, "#[allow(dead_code)]\nfn f() {}\n", 2, "expect");
    trips(SERVER, "#![allow(dead_code)]\n", 2, "expect");
}

#[test]
fn a_vague_module_is_found() {
    trips(SERVER, "mod util;\n", 2, "what it holds");
    trips(
        SERVER,
        "mod inner { pub(super) mod helpers {} }\n",
        2,
        "what it holds",
    );
}

#[test]
fn an_import_against_the_arrows_is_found_however_it_is_written() {
    passes(
        DETECTOR,
        "use crate::time::Instant;\nuse super::Level;\nuse crate::bounds;\n",
    );
    for import in [
        "use crate::monitor::Status;\n",
        "use crate::{time::Instant, monitor::{self, Status as S}};\n",
        "use super::super::monitor;\n",
        "use super::super::{wire::Datagram};\n",
        "fn f() { crate::monitor::Monitor::new() }\n",
        "mod inner { use super::super::super::monitor::*; }\n",
    ] {
        let found = found(DETECTOR, import);
        assert!(
            !found.is_empty() && found.iter().all(|f| f.contains("may not name")),
            "{import}"
        );
    }
    let machine = "crates/auscult-core/src/monitor/machine.rs";
    trips(
        machine,
        "use crate::wire::heartbeat;\n",
        2,
        "may not name crate::wire",
    );
    trips(
        DETECTOR,
        "use std::time::Duration;\n",
        2,
        "std stands only in",
    );
    trips(SERVER, "use axum::Router;\n", 2, "axum stands only in");
    passes(
        "crates/auscult-monitor/src/api/mod.rs",
        "use axum::Router;\n",
    );
}

#[test]
fn a_manifest_with_a_wrong_arrow_or_its_own_version_is_found() {
    let check = |path: &str, text: &str| manifest::check(path, text);
    let core = "crates/auscult-core/Cargo.toml";
    let good = "[package]\nname = \"x\"\n[dependencies]\nlibm.workspace = true\n";
    assert_eq!(check(core, good), []);
    let serde = format!("{good}serde = {{ workspace = true }}\n");
    assert!(check(core, &serde)[0].to_string().contains("libm alone"));
    let arrow = "[dependencies]\nauscult.workspace = true\n";
    let monitor = "crates/auscult-monitor/Cargo.toml";
    assert!(check(monitor, arrow)[0].to_string().contains("wrong way"));
    let version = "[dev-dependencies]\nproptest = \"1\"\n";
    assert!(
        check(core, version)[0]
            .to_string()
            .contains("workspace = true")
    );
    let table = "[dependencies.serde]\nworkspace = true\n";
    assert_eq!(check(monitor, table).len(), 1);
    assert_eq!(check("crates/new/Cargo.toml", good).len(), 1);
    assert_eq!(check("fuzz/Cargo.toml", version), []);
}

#[test]
fn a_link_to_nowhere_is_found() {
    let root = crate::repository();
    let link = |to: &str| format!("[x]({to})");
    let good = [link("../Cargo.toml#x"), link("https://example.org")].concat();
    let text = format!("{good}\n{}\n", link("missing.md"));
    let found = links::check(&root, "xtask/sample.md", &text);
    assert_eq!(found.len(), 1);
    assert_eq!(
        found[0].to_string(),
        "xtask/sample.md:2: no file at missing.md"
    );
}
