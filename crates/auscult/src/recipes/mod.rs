//! Whether `deploy/` says what the program understands: its command lines go through the argument
//! parser, its variables are those of flags, its settings and metrics exist.

mod compose;
mod kubernetes;
mod yaml;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use clap::{CommandFactory as _, Parser as _};

use crate::args::Args;

/// Variables of containers and units that no flag stands for.
const OTHER_VARIABLES: [&str; 3] = ["RUST_LOG", "POD_NAME", "POD_IP"];

/// One start of the program.
#[derive(Debug)]
struct Start {
    /// Where it stands.
    place: String,
    words: Vec<String>,
    variables: Vec<(String, String)>,
}

impl Start {
    /// Lets the argument parser read it, with variables as the flags that they stand for.
    fn check(&self) {
        let mut words = self.words.clone();
        let spoken: Vec<&str> = words.iter().map(|word| flag_of(word)).collect();
        let command = Args::command();
        let command = command.find_subcommand(&words[1]);
        let command = command.unwrap_or_else(|| panic!("{}: no command {words:?}", self.place));
        let mut meant = Vec::new();
        for (name, value) in &self.variables {
            let mut flags = command.get_arguments();
            let flag = flags.find(|flag| flag.get_env().is_some_and(|env| env == name.as_str()));
            let Some(flag) = flag else {
                let place = &self.place;
                assert!(
                    OTHER_VARIABLES.contains(&name.as_str()) || in_any_command(name),
                    "{place}: no flag has the variable {name}"
                );
                continue;
            };
            let long = format!("--{}", flag.get_long().unwrap());
            if !spoken.contains(&long.as_str()) {
                meant.push(long);
                if flag.get_action().takes_values() {
                    meant.push(value.clone());
                }
            }
        }
        words.extend(meant);
        if let Err(error) = Args::try_parse_from(&words) {
            panic!("{}: {words:?}\n{error}", self.place);
        }
    }
}

fn flag_of(word: &str) -> &str {
    word.split_once('=').map_or(word, |(flag, _)| flag)
}

/// The image sets variables for whatever command it runs.
fn in_any_command(name: &str) -> bool {
    let all = Args::command();
    let mut commands = all.get_subcommands();
    commands.any(|command| {
        let mut flags = command.get_arguments();
        flags.any(|flag| flag.get_env().is_some_and(|env| env == name))
    })
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The files of `deploy/` whose name ends so.
fn files(ending: &str) -> Vec<String> {
    let mut folders = vec![PathBuf::from("deploy")];
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(root().join(&folder)).unwrap() {
            let path = folder.join(entry.unwrap().file_name());
            if root().join(&path).is_dir() {
                folders.push(path);
            } else if path.to_str().unwrap().ends_with(ending) {
                found.push(path.to_str().unwrap().to_owned());
            }
        }
    }
    found.sort();
    assert!(!found.is_empty(), "no {ending} in deploy/");
    found
}

/// The variables that the image sets.
fn variables_of_the_image() -> Vec<(String, String)> {
    let text = read("deploy/Dockerfile");
    let lines = text.lines().filter_map(|line| line.strip_prefix("ENV "));
    let pairs = lines.flat_map(|line| line.split(' '));
    pairs.map(variable).collect()
}

fn variable(text: &str) -> (String, String) {
    let (name, value) = text.split_once('=').unwrap();
    (name.to_owned(), value.to_owned())
}

fn words(program: &str, rest: impl IntoIterator<Item = String>) -> Vec<String> {
    std::iter::once(program.to_owned()).chain(rest).collect()
}

#[test]
fn every_file_of_yaml_can_be_read() {
    for file in files(".yml") {
        assert!(!yaml::documents(&file, &read(&file)).is_empty(), "{file}");
    }
}

#[test]
fn the_image_starts_the_program() {
    let text = read("deploy/Dockerfile");
    let list = |name: &str| {
        let mut lines = text.lines().filter_map(|line| line.strip_prefix(name));
        let list = yaml::documents(name, lines.next().unwrap()).remove(0);
        list.texts()
    };
    assert_eq!(list("ENTRYPOINT "), ["/auscult"]);
    let start = Start {
        place: "deploy/Dockerfile".into(),
        words: words("/auscult", list("CMD ")),
        variables: variables_of_the_image(),
    };
    start.check();
}

#[test]
fn units_start_the_program() {
    for file in files(".service") {
        let text = read(&file);
        let mut variables = Vec::new();
        let mut starts = Vec::new();
        for line in text.lines() {
            if let Some(set) = line.strip_prefix("Environment=") {
                variables.push(variable(set));
            } else if let Some(command) = line.strip_prefix("ExecStart=") {
                starts.push(command.split(' ').map(str::to_owned).collect::<Vec<_>>());
            }
        }
        assert_eq!(starts.len(), 1, "{file}");
        let (place, words) = (file, starts.remove(0));
        let start = Start {
            place,
            words,
            variables,
        };
        start.check();
    }
}

#[test]
fn a_flag_or_a_variable_that_does_not_exist_is_found() {
    let start = |words: &[&str], variable: Option<&str>| Start {
        place: "here".into(),
        words: words.iter().map(|&word| word.to_owned()).collect(),
        variables: variable.into_iter().map(self::variable).collect(),
    };
    start(&["auscult", "serve"], Some("HTTP_BIND=127.0.0.1:0")).check();
    for wrong in [
        start(&["auscult", "serve", "--no-such-flag"], None),
        start(&["auscult", "watch"], None),
        start(&["auscult", "serve"], Some("NO_SUCH_VARIABLE=1")),
        start(&["auscult", "serve"], Some("HTTP_BIND=nowhere")),
    ] {
        assert!(std::panic::catch_unwind(|| wrong.check()).is_err());
    }
}

#[test]
fn metrics_in_the_rules_exist() {
    let known = read("api/metrics.md");
    let known: BTreeSet<&str> = known.split('`').skip(1).step_by(2).collect();
    let exists = |name: &str| {
        let mut parts = ["_bucket", "_sum", "_count"].iter();
        known.contains(name)
            || parts
                .any(|part| (name.strip_suffix(part)).is_some_and(|whole| known.contains(whole)))
    };
    let is_word = |byte: char| byte.is_ascii_alphanumeric() || byte == '_' || byte == ':';
    let mut seen = 0;
    for file in files(".yml") {
        if !file.contains("prometheus/") {
            continue;
        }
        for (number, line) in read(&file).lines().enumerate() {
            let words = line.split(|byte: char| !is_word(byte));
            // What has a colon is made by the rules themselves; promtool finds those.
            for word in words.filter(|word| word.starts_with("auscult_") && !word.contains(':')) {
                seen += 1;
                assert!(exists(word), "{file}:{}: no metric {word}", number + 1);
            }
        }
    }
    assert!(seen > 20, "{seen} metrics in the rules");
}
