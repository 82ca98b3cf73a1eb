//! Help, completions, usage errors: what is the same for every command.

use std::process::Stdio;

use crate::process::{auscult, run, stderr, stdout};

#[test]
fn help_documents_exit_codes_defaults_and_variables() {
    let help = stdout(&run(["help"]));
    for part in [
        "Exit codes:",
        "3  no monitor or agent answers",
        "AUSCULT_URL",
        "NO_COLOR",
        "auscult demo",
    ] {
        assert!(help.contains(part), "{part} in {help}");
    }
    let serve = stdout(&run(["serve", "--help"]));
    for part in [
        "[env: HTTP_BIND=]",
        "[default: 127.0.0.1:8000]",
        "[env: DATA_DIR=]",
        "SIGHUP",
    ] {
        assert!(serve.contains(part), "{part} in {serve}");
    }
}

#[test]
fn a_wrong_command_line_is_code_2_with_a_suggestion() {
    let check = |args: &[&str], part: &str| {
        let output = run(args);
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains(part), "{said}");
    };
    check(&["serv"], "'serve'");
    check(&["serve", "--http-bind", "8000"], "say 127.0.0.1:8000");
    check(&["targets", "add", "web"], "ADDRESS");
    check(
        &["heartbeat", "web", "--url", "ftp://a"],
        "must be http or https",
    );
    check(
        &["heartbeat", "web", "--every", "1"],
        "not a time such as 500ms",
    );
}

#[test]
fn every_shell_gets_completions() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let output = run(["completions", shell]);
        assert!(output.status.success());
        assert!(stdout(&output).contains("check-config"), "{shell}");
    }
}

#[test]
fn a_reader_that_leaves_is_no_failure() {
    let mut child = auscult(["completions", "bash"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(
        (output.status.code(), stderr(&output)),
        (Some(0), String::new())
    );
}
