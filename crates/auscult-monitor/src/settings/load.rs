//! From a file to settings.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::{fmt, str};

use auscult_core::monitor::MonitorConfig;

use super::problem::{Problems, Span};
use super::report::{At, Report};
use super::schema::{
    CREATED, DEFAULTS, HEARTBEATS, HISTORY, MEMBERSHIP, OBSERVER, PEER_METRICS, PUSH, ROOT,
};
use super::section::Section;
use super::{
    AlertSettings, Defaults, HeartbeatSettings, HistorySettings, MembershipSettings,
    PeerMetricSettings, Settings, TargetSpec, Template,
};
use super::{judge, resolve, seed, walk, yaml};

/// Why a settings file gives no settings. Nothing was changed.
#[derive(Debug)]
pub enum LoadError {
    /// It could not be read.
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It says something that is wrong.
    Problems(Problems),
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io { path, .. } => write!(f, "cannot read the settings file {}", path.display()),
            Self::Problems(problems) => fmt::Display::fmt(problems, f),
        }
    }
}

impl std::error::Error for LoadError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io { source, .. } => Some(source),
            Self::Problems(_) => None,
        }
    }
}

impl Settings {
    /// Reads a settings file. Files that it names are looked for beside it, and must be there.
    ///
    /// # Errors
    /// The file cannot be read, or everything that is wrong with it.
    pub fn load(path: &Path) -> Result<Self, LoadError> {
        from_file(path, settings)
    }
}

/// Reads a file, and what its text says. Files that it names are looked for beside it.
pub(super) fn from_file<T>(
    path: &Path,
    say: impl FnOnce(&str, Report<'_>) -> Result<T, Problems>,
) -> Result<T, LoadError> {
    let bytes = read(path).map_err(|source| LoadError::Io {
        path: path.to_owned(),
        source,
    })?;
    let name = path.display().to_string();
    let text = match str::from_utf8(&bytes) {
        Ok(text) => text,
        Err(error) => {
            let problems = not_utf8(&name, &bytes, error.valid_up_to());
            return Err(LoadError::Problems(problems));
        }
    };
    let folder = path.parent().unwrap_or(Path::new(""));
    let report = Report::of_file(&name, text).with_folder(folder);
    say(text, report).map_err(LoadError::Problems)
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    let file = File::open(path)?;
    if file.metadata()?.is_dir() {
        let what = "it is a directory; name the file in it";
        return Err(io::Error::new(io::ErrorKind::IsADirectory, what));
    }
    let mut bytes = Vec::new();
    // One byte more than allowed is enough to be refused for its size.
    file.take(yaml::TEXT_BYTES_MAX as u64 + 1)
        .read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn not_utf8(name: &str, bytes: &[u8], at: usize) -> Problems {
    let before = String::from_utf8_lossy(&bytes[..at]).into_owned();
    let line_start = before.rfind('\n').map_or(0, |end| end + 1);
    let rest: &[u8] = bytes[at..].split(|b| *b == b'\n').next().unwrap_or(&[]);
    let line = before.matches('\n').count() + 1;
    let column = before[line_start..].chars().count() + 1;
    // The report needs the line in question only.
    let mut text = "\n".repeat(line - 1);
    text.push_str(&before[line_start..]);
    text.push_str(&String::from_utf8_lossy(rest));
    let mut report = Report::of_file(name, &text);
    let span = Span {
        line,
        column,
        len: 1,
    };
    let found = bytes[at];
    let message = format!("the file is not UTF-8: byte {found:#04x}");
    let hint = "save it as UTF-8";
    report.push("", Some(span), message, Some(hint.to_owned()));
    match report.finish(None::<()>) {
        Err(problems) => problems,
        Ok(()) => unreachable!("nothing was given to finish with"),
    }
}

/// The settings that `text` describes.
pub(super) fn settings(text: &str, mut report: Report<'_>) -> Result<Settings, Problems> {
    let settings = yaml::parse(text, &mut report).and_then(|node| {
        let root = walk::section(&mut report, &node, &ROOT, At::root())?;
        from_root(&mut report, &root)
    });
    report.finish(settings)
}

/// The settings of an empty root.
pub(super) fn without_file() -> Settings {
    let mut report = Report::of_body();
    let settings = from_root(&mut report, &Section::empty(&ROOT));
    settings.expect("the presets alone are settings, as a test shows")
}

fn from_root(report: &mut Report<'_>, root: &Section) -> Option<Settings> {
    let defaults = root.section("defaults", &DEFAULTS);
    let targets = targets(report, root, &defaults);
    if !has_targets(root) {
        // Defaults that no target uses are looked at all the same.
        let interval = defaults.duration("interval");
        let _ = judge::signal_config(report, &defaults, interval);
    }
    let heartbeats = heartbeats(report, &root.section("heartbeats", &HEARTBEATS), &defaults)?;
    let observer = observer(&root.section("observer", &OBSERVER))?;
    let history = HistorySettings::read(&root.section("history", &HISTORY))?;
    let membership = match root.says("membership") {
        true => {
            let section = root.section("membership", &MEMBERSHIP);
            Some(MembershipSettings::read(report, &section)?)
        }
        false => None,
    };
    let alerts = AlertSettings::read(report, root);
    let peer_metrics = root.section("peer_metrics", &PEER_METRICS);
    let peer_metrics = PeerMetricSettings::read(report, &peer_metrics)?;
    Some(Settings {
        alerts,
        peer_metrics,
        targets,
        defaults: Defaults(defaults),
        heartbeats,
        observer,
        membership,
        history,
    })
}

fn has_targets(root: &Section) -> bool {
    let lists = [root.list("targets"), root.list("servers")];
    lists.iter().any(|list| !list.is_empty()) || !root.list("groups").is_empty()
}

fn targets(report: &mut Report<'_>, root: &Section, defaults: &Section) -> Vec<TargetSpec> {
    let mut targets = Vec::new();
    let mut ids = BTreeMap::new();
    let mut keep = |report: &mut Report<'_>, section: &Section, spec: Option<TargetSpec>| {
        let by_name = section.table.key("name").is_some() && !section.says("id");
        let key = if by_name { "name" } else { "id" };
        // An id that stands twice is told even if the rest of a target is wrong.
        if let Some(id) = section.text(key) {
            let at = section.at(key);
            match ids.get(&id) {
                None => {
                    ids.insert(id, at.clone());
                }
                Some(first) => stands_twice(report, "target", &id, at, first),
            }
        }
        targets.extend(spec);
    };
    for section in root.list("targets") {
        let spec = resolve::target(report, section, defaults, None);
        keep(report, section, spec);
    }
    let mut groups = BTreeMap::new();
    for group in root.list("groups") {
        let name = group.text("name").unwrap_or_default();
        let at = group.at("name");
        match groups.get(&name) {
            Some(first) => stands_twice(report, "group", &name, at, first),
            None if name.is_empty() => {}
            None => {
                groups.insert(name.clone(), at.clone());
            }
        }
        let inherited = group_defaults(group).over(defaults);
        for section in group.list("targets") {
            let spec = resolve::target(report, section, &inherited, Some(&name));
            keep(report, section, spec);
        }
    }
    for section in root.list("servers") {
        let spec = seed::server(report, section, defaults);
        keep(report, section, spec);
    }
    targets
}

/// What a group says for its targets: its own labels lie over those of its defaults.
pub(super) fn group_defaults(group: &Section) -> Section {
    let labelled = Section {
        table: &DEFAULTS,
        at: group.at.clone(),
        entries: group.entry("labels").into_iter().cloned().collect(),
    };
    labelled.over(&group.section("defaults", &DEFAULTS))
}

pub(super) fn stands_twice(report: &mut Report<'_>, what: &str, name: &str, at: &At, first: &At) {
    let message = format!("the {what} `{name}` stands twice: first{}", first.in_line());
    let hint = match what {
        "target" => "every target needs an id of its own",
        _ => "join them, or rename one",
    };
    report.value(at, message, Some(hint.to_owned()));
}

fn heartbeats(
    report: &mut Report<'_>,
    heartbeats: &Section,
    defaults: &Section,
) -> Option<HeartbeatSettings> {
    let mut section = heartbeats.section("defaults", &CREATED).over(defaults);
    let interval = section.section("push", &PUSH).duration("interval");
    let create = heartbeats.flag("create");
    let config = if create || heartbeats.says("defaults") {
        judge::signal_config(report, &section, interval)?
    } else {
        // Defaults meant for checks may lack an interval here, which is no fault while nothing is
        // created.
        let unheard = &mut Report::of_body();
        judge::signal_config(unheard, &section, interval).or_else(|| {
            section.entries.retain(|entry| entry.name != "detector");
            judge::signal_config(unheard, &section, interval)
        })?
    };
    let template = Template {
        labels: resolve::labels(report, &section),
        interval,
        config,
        section,
    };
    Some(HeartbeatSettings {
        create,
        targets_max: size(heartbeats, "targets_max")?,
        key_file: heartbeats.path("key_file"),
        template,
    })
}

fn observer(observer: &Section) -> Option<MonitorConfig> {
    Some(MonitorConfig {
        targets_max: size(observer, "targets_max")?,
        stall_tolerance: observer.duration("stall_tolerance")?,
        mass_fraction: observer.number("mass_fraction")?,
        mass_targets_min: size(observer, "mass_targets_min")?,
        mass_hold: observer.duration("mass_hold")?,
    })
}

fn size(section: &Section, name: &str) -> Option<usize> {
    usize::try_from(section.count(name)?).ok()
}
