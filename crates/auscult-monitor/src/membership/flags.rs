//! The command line's word on the group, beside the settings' `membership`.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use auscult_core::swim::{Label, MemberName};

use crate::settings::{MembershipSettings, Profile};

/// What is said at the start. Each goes before what the settings say of the same; without any, a
/// monitor is a member where its settings have `membership`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MembershipFlags {
    /// Its name.
    pub name: Option<MemberName>,
    /// Where to listen, over UDP and TCP.
    pub bind: Option<SocketAddr>,
    /// Members to join through, as `host:port`; empty for what the settings say.
    pub join: Vec<String>,
    /// The group's label.
    pub label: Option<Label>,
    /// A file with the group's keys.
    pub key_file: Option<PathBuf>,
    /// Members up to which all exchange direct heartbeats.
    pub direct_limit: Option<usize>,
}

impl MembershipFlags {
    /// What both say together.
    #[must_use]
    pub fn over(self, settings: Option<MembershipSettings>) -> Option<MembershipSettings> {
        if self == Self::default() {
            return settings;
        }
        let mut group = settings.or_else(unsaid)?;
        if let Some(label) = self.label {
            group.label = label;
        }
        if let Some(bind) = self.bind {
            group.bind = bind;
        }
        if !self.join.is_empty() {
            group.join = self.join;
        }
        group.name = self.name.or(group.name);
        group.key_file = self.key_file.or(group.key_file);
        group.direct_limit = self.direct_limit.or(group.direct_limit);
        Some(group)
    }
}

/// What holds where nothing is said, as for `auscult agent`.
fn unsaid() -> Option<MembershipSettings> {
    Some(MembershipSettings {
        name: None,
        bind: BIND,
        advertise: None,
        join: Vec::new(),
        label: Label::new("default").ok()?,
        key_file: None,
        direct_limit: None,
        snapshot: None,
        profile: Profile::Lan,
    })
}

const BIND: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 7946);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_go_before_settings_and_stand_alone() {
        assert_eq!(MembershipFlags::default().over(None), None);
        let alone = MembershipFlags {
            direct_limit: Some(7),
            ..MembershipFlags::default()
        };
        let settings = alone.over(None).unwrap();
        assert_eq!((settings.bind, settings.direct_limit), (BIND, Some(7)));
        assert_eq!(settings.label.as_str(), "default");
        let bind = Some(([127, 0, 0, 1], 9).into());
        let flags = MembershipFlags {
            bind,
            ..MembershipFlags::default()
        };
        let expected = MembershipSettings {
            bind: ([127, 0, 0, 1], 9).into(),
            ..settings.clone()
        };
        assert_eq!(flags.over(Some(settings)), Some(expected));
    }
}
