//! Many settings in one file: what `auscult apply` takes.

use std::collections::{BTreeMap, BTreeSet};

use auscult_core::monitor::registry::{Document, Key, Kind};
use serde_json::{Map, Value as Json};

use super::super::load::stands_twice;
use super::super::report::{At, Report};
use super::super::schema::{DEFAULTS, GROUP_DOCUMENT, NAMED, SHARED, TARGET};
use super::super::section::{Entry, Section, Value};
use super::super::{Problems, seed, walk};
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
        let root = node.and_then(|node| walk::section(&mut report, &node, &SHARED, At::root()));
        let sheet = root.map(|root| {
            let mut reader = Reader {
                report: &mut report,
                sheet: Self::default(),
                first: BTreeMap::new(),
            };
            reader.read(&root);
            reader.sheet
        });
        report.finish(sheet)
    }

    /// The same as the body of `POST /v1/settings`.
    #[must_use]
    pub fn to_json(&self) -> Json {
        let mut body = Map::new();
        for kind in &self.listed {
            if *kind != Kind::Defaults {
                body.insert(plural(*kind).to_owned(), Json::Array(Vec::new()));
            }
        }
        for (key, document) in &self.put {
            // What we wrote ourselves is JSON.
            let document = serde_json::from_str(document.body()).unwrap_or(Json::Null);
            let entry = body.entry(plural(key.kind()));
            match entry.or_insert_with(|| document.clone()) {
                Json::Array(list) => list.push(document),
                Json::Null
                | Json::Bool(_)
                | Json::Number(_)
                | Json::String(_)
                | Json::Object(_) => {}
            }
        }
        let mut delete = Map::new();
        for key in &self.delete {
            let names = delete.entry(plural(key.kind()));
            if let Json::Array(names) = names.or_insert_with(|| Json::Array(Vec::new())) {
                names.push(key.name().into());
            }
        }
        if !delete.is_empty() {
            body.insert("delete".to_owned(), Json::Object(delete));
        }
        Json::Object(body)
    }
}

struct Reader<'r, 't> {
    report: &'r mut Report<'t>,
    sheet: Sheet,
    /// Where each setting stands.
    first: BTreeMap<Key, At>,
}

impl Reader<'_, '_> {
    fn read(&mut self, root: &Section) {
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
        for target in root.list("targets") {
            self.named(Kind::Target, "id", target);
        }
        for group in root.list("groups") {
            self.group(group);
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

    fn group(&mut self, group: &Section) {
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
        let Some(name) = group.text("name") else {
            return;
        };
        for target in group.list("targets") {
            let mut target = target.clone();
            match target.text("group") {
                Some(said) if said != name => {
                    let message =
                        format!("the group is `{said}`, but the target is listed in `{name}`");
                    let hint = Some("leave the key out".to_owned());
                    self.report.value(target.at("group"), message, hint);
                }
                Some(_) => {}
                None => target.entries.push(Entry {
                    name: "group",
                    at: target.at.clone(),
                    value: Value::Text(name.clone()),
                }),
            }
            debug_assert!(TARGET.key("group").is_some());
            self.named(Kind::Target, "id", &target);
        }
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
