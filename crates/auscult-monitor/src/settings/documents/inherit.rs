//! What targets inherit: the defaults of the monitor's own file, the shared ones over them, and
//! over those what the target's group says.

use std::collections::BTreeMap;

use super::super::node::Node;
use super::super::report::{At, Report};
use super::super::schema::{DEFAULTS, GROUP_DOCUMENT, TARGET, Table};
use super::super::section::Section;
use super::super::{Defaults, Problems, TargetSpec, load, resolve, walk};

/// What targets inherit, kept ready for many of them.
#[derive(Clone, Debug)]
pub struct Inheritance {
    file: Section,
    shared: Section,
    /// The shared ones over those of the file.
    defaults: Section,
    groups: BTreeMap<Box<str>, Group>,
}

#[derive(Clone, Debug)]
struct Group {
    own: Section,
    /// What a target of the group inherits.
    inherited: Section,
}

impl Inheritance {
    /// Only what a monitor's own file says.
    #[must_use]
    pub fn new(file: &Defaults) -> Self {
        Self {
            file: file.0.clone(),
            shared: Section::empty(&DEFAULTS),
            defaults: file.0.clone(),
            groups: BTreeMap::new(),
        }
    }

    /// The same with other defaults of the file.
    pub fn set_file(&mut self, file: &Defaults) {
        self.file = file.0.clone();
        self.lay_anew();
    }

    /// The same with these shared defaults, or none.
    ///
    /// # Errors
    /// What is wrong with the document. State: unchanged.
    pub fn set_defaults(&mut self, body: Option<&str>) -> Result<(), Problems> {
        self.shared = match body {
            Some(body) => stored(body, &DEFAULTS)?,
            None => Section::empty(&DEFAULTS),
        };
        self.lay_anew();
        Ok(())
    }

    /// The same with this group, or without it.
    ///
    /// # Errors
    /// What is wrong with the document. State: unchanged.
    pub fn set_group(&mut self, name: &str, body: Option<&str>) -> Result<(), Problems> {
        let Some(body) = body else {
            self.groups.remove(name);
            return Ok(());
        };
        let own = load::group_defaults(&stored(body, &GROUP_DOCUMENT)?);
        let inherited = own.over(&self.defaults);
        self.groups.insert(name.into(), Group { own, inherited });
        Ok(())
    }

    /// Whether a target of this group, or of none, inherits the same from both.
    #[must_use]
    pub fn gives_as(&self, other: &Self, group: Option<&str>) -> bool {
        self.inherited(group) == other.inherited(group)
    }

    /// How many monitors observe each shared target; `usize::MAX` for all of them.
    #[must_use]
    pub fn observers(&self) -> usize {
        let count = self.defaults.count("observers");
        count.map_or(usize::MAX, |count| {
            usize::try_from(count).unwrap_or(usize::MAX)
        })
    }

    /// The target that a document describes.
    ///
    /// # Errors
    /// What is wrong with it, by itself or with what it inherits.
    pub fn target(&self, body: &str) -> Result<TargetSpec, Problems> {
        let own = stored(body, &TARGET)?;
        let mut report = Report::of_body();
        let spec = self.resolve(&mut report, &own);
        report.finish(spec)
    }

    fn resolve(&self, report: &mut Report<'_>, own: &Section) -> Option<TargetSpec> {
        let group = own.text("group");
        let Some(inherited) = self.inherited(group.as_deref()) else {
            let message = format!("there is no group `{}`", group.unwrap_or_default());
            let hint = "add the group first, or in the same change".to_owned();
            report.value(own.at("group"), message, Some(hint));
            return None;
        };
        resolve::target(report, own, inherited, None)
    }

    /// What a target of this group inherits, or one of none; nothing where there is no such group.
    fn inherited(&self, group: Option<&str>) -> Option<&Section> {
        match group {
            None => Some(&self.defaults),
            Some(name) => self.groups.get(name).map(|group| &group.inherited),
        }
    }

    fn lay_anew(&mut self) {
        self.defaults = self.shared.over(&self.file);
        for group in self.groups.values_mut() {
            group.inherited = group.own.over(&self.defaults);
        }
    }
}

/// The section that a document holds.
pub(in super::super) fn stored(body: &str, table: &'static Table) -> Result<Section, Problems> {
    let mut report = Report::of_body();
    let section = match serde_json::from_str::<Node>(body) {
        Ok(node) => walk::section(&mut report, &node, table, At::root()),
        Err(error) => {
            report.push("", None, format!("this is not JSON: {error}"), None);
            None
        }
    };
    report.finish(section)
}
