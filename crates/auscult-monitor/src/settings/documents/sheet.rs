//! Many settings in one file: what `auscult apply` takes.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use auscult_core::monitor::registry::{Document, Key, Kind};

use super::super::load::{from_file, stands_twice};
use super::super::node::{self, Node};
use super::super::report::{At, Report};
use super::super::schema::{DEFAULTS, GROUP_DOCUMENT, NAMED, SHARED, TARGET};
use super::super::section::{Entry, Section, Value};
use super::super::{LoadError, Problems, seed, walk, yaml};
use super::{DEFAULTS_NAME, Written, keep, plural};

/// What a file says of the settings that monitors share.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sheet {
    /// What shall be there.
    pub put: BTreeMap<Key, Document>,
    /// What shall be gone.
    pub delete: BTreeSet<Key>,
    /// The kinds that the file lists: only of these may anything be missing that is there.
    pub listed: BTreeSet<Kind>,
}

impl Sheet {
    /// Reads a file.
    ///
    /// # Errors
    /// Everything that is wrong with it by itself; what it refers to outside is not looked at.
    pub fn read(written: Written<'_>) -> Result<Self, Problems> {
        let (mut report, node) = written.open();
        let sheet = node.and_then(|node| Self::of(&mut report, node));
        report.finish(sheet)
    }

    /// Reads what a monitor's own settings file says that others can share: what is watched, and
    /// what holds for it.
    ///
    /// # Errors
    /// The file cannot be read, or everything that is wrong with it.
    pub fn of_settings_file(path: &Path) -> Result<Self, LoadError> {
        from_file(path, |text, mut report| {
            let sheet = yaml::parse(text, &mut report).and_then(|mut node| {
                node.keep_entries(&WATCHED);
                Self::of(&mut report, node)
            });
            report.finish(sheet)
        })
    }

    fn of(report: &mut Report<'_>, mut node: Node) -> Option<Self> {
        let targets = Targets::take(&mut node);
        let root = walk::section(report, &node, &SHARED, At::root())?;
        let mut reader = Reader {
            report,
            sheet: Self::default(),
            first: BTreeMap::new(),
        };
        reader.read(&root, targets);
        Some(reader.sheet)
    }
}

/// The keys of a settings file that say what is watched, and what holds for it.
const WATCHED: [&str; 4] = ["defaults", "groups", "targets", "servers"];

/// The targets that a file lists. They are the most of a large one, so each is looked at for itself
/// and let go of before the next.
#[derive(Default)]
struct Targets {
    alone: Vec<Node>,
    /// By the place of their group in the file.
    of_groups: BTreeMap<usize, Vec<Node>>,
}

impl Targets {
    /// Takes them out of a file, which lists none then.
    fn take(root: &mut Node) -> Self {
        let alone = root.entry_mut("targets").and_then(take_items);
        let mut taken = Self {
            alone: alone.unwrap_or_default(),
            ..Self::default()
        };
        if let Some(Node {
            value: node::Value::List(groups),
            ..
        }) = root.entry_mut("groups")
        {
            for (index, group) in groups.iter_mut().enumerate() {
                let items = group.entry_mut("targets").and_then(take_items);
                taken.of_groups.extend(items.map(|items| (index, items)));
            }
        }
        taken
    }
}

fn take_items(list: &mut Node) -> Option<Vec<Node>> {
    match &mut list.value {
        node::Value::List(items) => Some(std::mem::take(items)),
        node::Value::Null | node::Value::Scalar(_) | node::Value::Map(_) => None,
    }
}

struct Reader<'r, 't> {
    report: &'r mut Report<'t>,
    sheet: Sheet,
    /// Where each setting stands.
    first: BTreeMap<Key, At>,
}

impl Reader<'_, '_> {
    fn read(&mut self, root: &Section, mut targets: Targets) {
        if root.says("defaults") {
            let defaults = root.section("defaults", &DEFAULTS);
            self.sheet.listed.insert(Kind::Defaults);
            self.put(Kind::Defaults, DEFAULTS_NAME, &defaults, &defaults.at);
        }
        for (kind, keys) in [
            (Kind::Group, &["groups"][..]),
            (Kind::Target, &["targets", "groups", "servers"]),
            (Kind::Receiver, &["receivers"]),
            (Kind::Silence, &["silences"]),
        ] {
            if keys.iter().any(|key| root.entry(key).is_some()) {
                self.sheet.listed.insert(kind);
            }
        }
        self.targets(targets.alone, root.at("targets"), None);
        for group in root.list("groups") {
            let place = group.at.place();
            let listed = place.and_then(|place| targets.of_groups.remove(&place));
            self.group(group, listed.unwrap_or_default());
        }
        for server in root.list("servers") {
            if let Some(own) = seed::native(self.report, server) {
                self.named(Kind::Target, "id", &own);
            }
        }
        for receiver in root.list("receivers") {
            self.named(Kind::Receiver, "name", receiver);
        }
        for silence in root.list("silences") {
            self.named(Kind::Silence, "name", silence);
        }
        let gone = root.section("delete", &NAMED);
        for kind in [Kind::Group, Kind::Target, Kind::Receiver, Kind::Silence] {
            for name in gone.names(plural(kind)) {
                self.delete(kind, name, gone.at(plural(kind)));
            }
        }
    }

    fn group(&mut self, group: &Section, targets: Vec<Node>) {
        let own = Section {
            table: &GROUP_DOCUMENT,
            at: group.at.clone(),
            entries: group
                .entries
                .iter()
                .filter(|entry| entry.name != "targets")
                .cloned()
                .collect(),
        };
        self.named(Kind::Group, "name", &own);
        if let Some(name) = group.text("name") {
            self.targets(targets, group.at("targets"), Some(&name));
        }
    }

    fn targets(&mut self, targets: Vec<Node>, at: &At, group: Option<&str>) {
        for (index, node) in targets.into_iter().enumerate() {
            let at = at.item(index, node.span);
            let Some(mut target) = walk::section(self.report, &node, &TARGET, at) else {
                continue;
            };
            if let Some(group) = group {
                self.belongs_to(&mut target, group);
            }
            self.named(Kind::Target, "id", &target);
        }
    }

    /// Says in a target which group lists it.
    fn belongs_to(&mut self, target: &mut Section, group: &str) {
        match target.text("group") {
            Some(said) if *said != *group => {
                let message =
                    format!("the group is `{said}`, but the target is listed in `{group}`");
                let hint = Some("leave the key out".to_owned());
                self.report.value(target.at("group"), message, hint);
            }
            Some(_) => {}
            None => target.entries.push(Entry {
                name: "group",
                at: target.at.clone(),
                value: Value::Text(group.into()),
            }),
        }
        debug_assert!(TARGET.key("group").is_some());
    }

    fn named(&mut self, kind: Kind, key: &str, section: &Section) {
        // A name that is missing or wrong was reported.
        if let Some(name) = section.text(key) {
            self.put(kind, &name, section, section.at(key));
        }
    }

    fn put(&mut self, kind: Kind, name: &str, section: &Section, at: &At) {
        let Some((key, document)) = keep(self.report, kind, name, section) else {
            return;
        };
        match self.first.get(&key) {
            Some(first) => stands_twice(self.report, kind.as_str(), name, at, first),
            None => {
                self.first.insert(key.clone(), at.clone());
                self.sheet.put.insert(key, document);
            }
        }
    }

    fn delete(&mut self, kind: Kind, name: &str, at: &At) {
        let Ok(key) = Key::new(kind, name) else {
            return;
        };
        if let Some(first) = self.first.get(&key) {
            let message = format!("{key} shall be there{} and be gone", first.in_line());
            self.report.value(at, message, None);
        }
        self.sheet.delete.insert(key);
    }
}
