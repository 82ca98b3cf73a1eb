//! The receivers that monitors share, laid over what a monitor's own file says.
//!
//! One that no shared group names is told whatever the file's rules tell to all. One that a group
//! names in its `receivers` is told that a target of such a group is down, and nothing else.

use std::collections::{BTreeMap, BTreeSet};

use auscult_core::alert::{AlertConfig, AlertParams, Matcher, Receiver, Rule};
use auscult_core::id::{ReceiverName, RuleName};

use super::Problems;
use super::alerts::{AlertSettings, Way, receiver};
use super::documents::stored;
use super::schema::{GROUP_DOCUMENT, RECEIVER};

/// The receivers that monitors share, and the groups that name some.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct SharedReceivers {
    known: BTreeMap<ReceiverName, (Receiver, Way)>,
    groups: BTreeMap<Box<str>, Vec<ReceiverName>>,
}

impl SharedReceivers {
    /// Takes the document of a receiver.
    ///
    /// # Errors
    /// Why it cannot be used here: it may be of a later version. State: unchanged.
    pub(crate) fn add(&mut self, body: &str) -> Result<(), Problems> {
        let section = stored(body, &RECEIVER)?;
        if let Some((receiver, way)) = receiver(&section) {
            self.known.insert(receiver.name.clone(), (receiver, way));
        }
        Ok(())
    }

    /// Takes the document of a group.
    ///
    /// # Errors
    /// What is wrong with it. State: unchanged.
    pub(crate) fn add_group(&mut self, name: &str, body: &str) -> Result<(), Problems> {
        let section = stored(body, &GROUP_DOCUMENT)?;
        let names = section.names("receivers").iter();
        let names: Vec<ReceiverName> = names.filter_map(|it| ReceiverName::new(it).ok()).collect();
        if !names.is_empty() {
            self.groups.insert(name.into(), names);
        }
        Ok(())
    }

    /// What holds with them and a file. A receiver of the file goes before one of the same name.
    ///
    /// # Errors
    /// What is wrong with both together: there may be too many. The file's own holds then.
    pub(crate) fn over(&self, file: &AlertSettings) -> Result<AlertSettings, String> {
        if self.known.is_empty() && self.groups.is_empty() {
            return Ok(file.clone());
        }
        let mut ways = file.ways.clone();
        let mut receivers: Vec<Receiver> = file.config.receivers().cloned().collect();
        for (name, (receiver, way)) in &self.known {
            if !ways.contains_key(name) {
                receivers.push(receiver.clone());
                ways.insert(name.clone(), way.clone());
            }
        }
        let params = AlertParams {
            rules: self.rules(file, &ways),
            receivers,
            ..AlertParams::new()
        };
        let config = AlertConfig::new(params).map_err(|faults| {
            let faults: Vec<String> = faults.iter().map(ToString::to_string).collect();
            faults.join("; ")
        })?;
        Ok(AlertSettings {
            config,
            ways,
            told_all: file.told_all.clone(),
            told_shared: file.told_shared.clone(),
            windows: file.windows.clone(),
            pulse: file.pulse.clone(),
        })
    }

    /// The shared receivers that rules of a file name and that there are not.
    pub(crate) fn missing<'a>(&self, file: &'a AlertSettings) -> BTreeSet<&'a ReceiverName> {
        let named = file.told_shared.iter().flat_map(|(_, names)| names);
        named
            .filter(|name| !self.known.contains_key(*name))
            .collect()
    }

    fn rules(&self, file: &AlertSettings, ways: &BTreeMap<ReceiverName, Way>) -> Vec<Rule> {
        let of_groups: BTreeSet<&ReceiverName> = self.groups.values().flatten().collect();
        let for_all = self.known.keys().filter(|name| !of_groups.contains(name));
        let for_all: Vec<&ReceiverName> = for_all.collect();
        let mut rules: Vec<Rule> = file.config.rules().cloned().collect();
        for name in &file.told_all {
            if rules.iter().all(|rule| rule.name != *name) {
                rules.push(Rule::new(name.clone(), Vec::new()));
            }
        }
        for rule in rules
            .iter_mut()
            .filter(|rule| file.told_all.contains(&rule.name))
        {
            for name in &for_all {
                if !rule.receivers.contains(name) {
                    rule.receivers.push((*name).clone());
                }
            }
        }
        for (rule, names) in &file.told_shared {
            let known = names.iter().filter(|name| self.known.contains_key(*name));
            let mut rule = rule.clone();
            rule.receivers.extend(known.cloned());
            rules.retain(|other| other.name != rule.name);
            if !rule.receivers.is_empty() {
                rules.push(rule);
            }
        }
        rules.retain(|rule| !rule.receivers.is_empty() || !file.told_all.contains(&rule.name));
        for (group, names) in &self.groups {
            let there = names.iter().filter(|name| ways.contains_key(*name));
            let there: Vec<ReceiverName> = there.cloned().collect();
            let rule = RuleName::new(&format!("{group}:down")).ok();
            let matcher = Matcher::parse(&format!("group={group}")).ok();
            if let (Some(name), Some(matcher), false) = (rule, matcher, there.is_empty()) {
                rules.push(Rule {
                    matchers: vec![matcher],
                    ..Rule::new(name, there)
                });
            }
        }
        rules
    }
}

#[cfg(test)]
mod tests {
    use super::super::Settings;
    use super::*;

    /// The rules that hold, each with who is told.
    fn told(file: &str, receivers: &[&str], groups: &[(&str, &str)]) -> Vec<String> {
        let file = Settings::from_yaml(file, "test.yml").unwrap().alerts;
        let mut shared = SharedReceivers::default();
        for name in receivers {
            let body = format!("{{\"name\": \"{name}\", \"type\": \"log\"}}");
            shared.add(&body).unwrap();
        }
        for (name, receivers) in groups {
            let body = format!("{{\"name\": \"{name}\", \"receivers\": [{receivers}]}}");
            shared.add_group(name, &body).unwrap();
        }
        let both = shared.over(&file).unwrap();
        assert_eq!(both.ways.len(), both.config.receivers().count());
        let rules = both.config.rules().map(|rule| {
            let names: Vec<&str> = rule.receivers.iter().map(|name| name.as_str()).collect();
            format!(
                "{}{:?} {}",
                rule.name,
                rule.matchers
                    .iter()
                    .map(ToString::to_string)
                    .collect::<Vec<_>>(),
                names.join(",")
            )
        });
        rules.collect()
    }

    #[test]
    fn shared_receivers_are_told_what_all_are_told_and_their_groups() {
        let own = "receivers: [{name: own, type: log}]\n";
        let rules = "rules: [{name: all}, {name: some, receivers: [own]}]\n";
        assert_eq!(told("{}", &[], &[]), [""; 0]);
        assert_eq!(told("{}", &["a", "b"], &[]), ["down[] a,b"]);
        assert_eq!(told(own, &["a"], &[]), ["down[] own,a"]);
        let both = format!("{own}{rules}");
        assert_eq!(told(&both, &["a"], &[]), ["all[] own,a", "some[] own"]);
        assert_eq!(
            told(own, &["a", "shop"], &[("web", "\"shop\", \"own\"")]),
            ["down[] own,a", "web:down[\"group=web\"] shop,own"]
        );
        let named =
            format!("{own}rules: [{{name: some, receivers: [own, \"shared:a\", \"shared:b\"]}}]\n");
        assert_eq!(told(&named, &["a"], &[]), ["some[] own,a"]);
        assert_eq!(told(&named, &[], &[]), ["some[] own"]);
        let only = "rules: [{name: some, receivers: [\"shared:a\"]}]\n";
        assert_eq!(told(only, &["a", "b"], &[]), ["some[] a"]);
        assert_eq!(told(only, &[], &[]), [""; 0]);
        // One that is gone, or of a later version, keeps nobody else from being told.
        assert_eq!(told("{}", &["a"], &[("web", "\"gone\"")]), ["down[] a"]);
        assert_eq!(
            told(own, &["own"], &[]),
            ["down[] own"],
            "the file goes before"
        );
    }

    #[test]
    fn a_document_that_cannot_be_used_here_is_refused() {
        let mut shared = SharedReceivers::default();
        for body in [
            r#"{"name": "a", "type": "pigeon"}"#,
            r#"{"name": "a", "type": "log", "pager": "a"}"#,
            "{",
        ] {
            assert!(shared.add(body).is_err(), "{body}");
        }
        assert_eq!(shared, SharedReceivers::default());
    }
}
