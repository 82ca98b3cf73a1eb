//! The group of members that a monitor belongs to.

use std::net::SocketAddr;
use std::path::PathBuf;

use auscult_core::swim::{Label, MemberName, Params};

use super::report::Report;
use super::section::Section;

/// `membership`: who the monitor is in its group.
#[derive(Clone, Debug, PartialEq)]
pub struct MembershipSettings {
    /// Its name; none for the name of the machine.
    pub name: Option<MemberName>,
    /// Where to listen, over UDP and TCP.
    pub bind: SocketAddr,
    /// Where others reach it; none for where it listens.
    pub advertise: Option<SocketAddr>,
    /// Members to join through, as `host:port`.
    pub join: Vec<String>,
    /// The group's label.
    pub label: Label,
    /// A file with the group's keys.
    pub key_file: Option<PathBuf>,
    /// Members up to which all exchange direct heartbeats; none for what the profile says.
    pub direct_limit: Option<usize>,
    /// A file that keeps the incarnation and the addresses of others.
    pub snapshot: Option<PathBuf>,
    /// How far members are from each other.
    pub profile: Profile,
}

/// How far members of a group are from each other, which decides intervals and time-outs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Profile {
    /// One machine.
    Local,
    /// One network.
    Lan,
    /// Several sites.
    Wan,
}

impl MembershipSettings {
    pub(super) fn read(report: &mut Report<'_>, section: &Section) -> Option<Self> {
        let mut address = |key: &str| {
            let text = section.text(key)?;
            let address = text.parse::<SocketAddr>().ok();
            if address.is_none() {
                let message = format!("`{text}` is no address with a port");
                let hint = "for example 10.0.0.7:7946";
                report.value(section.at(key), message, Some(hint.to_owned()));
            }
            address
        };
        let (bind, advertise) = (address("bind"), address("advertise"));
        let join = section.text("join").unwrap_or_default();
        let seeds = join.split(',').map(str::trim);
        Some(Self {
            name: match section.text("name") {
                Some(name) => Some(MemberName::new(&name).ok()?),
                None => None,
            },
            bind: bind?,
            advertise,
            join: seeds
                .filter(|seed| !seed.is_empty())
                .map(str::to_owned)
                .collect(),
            label: Label::new(&section.text("label")?).ok()?,
            key_file: section.path("key_file"),
            direct_limit: section
                .count("direct_limit")
                .and_then(|limit| usize::try_from(limit).ok()),
            snapshot: section.text("snapshot").map(|path| PathBuf::from(&*path)),
            profile: match section.word("profile") {
                "local" => Profile::Local,
                "wan" => Profile::Wan,
                _ => Profile::Lan,
            },
        })
    }

    /// How the machine behaves.
    #[must_use]
    pub fn params(&self) -> Params {
        let label = self.label.clone();
        let mut params = match self.profile {
            Profile::Local => Params::local(label),
            Profile::Lan => Params::lan(label),
            Profile::Wan => Params::wan(label),
        };
        if let Some(limit) = self.direct_limit {
            params.direct_limit = limit;
        }
        params
    }
}
