//! Flags that make a monitor a member of a group.

use std::net::SocketAddr;
use std::path::PathBuf;

use auscult_core::swim::{Label, MemberName};
use auscult_monitor::membership::MembershipFlags;

use crate::commands::{bind_addr, seed};

/// Flags of `auscult serve` about its group: each goes before what the settings say.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Membership (beside `membership` in the settings)")]
pub(crate) struct MemberArgs {
    /// Be a member of the group with this label: its members become targets [default: default, when
    /// another flag of these is given]
    #[arg(long, value_name = "LABEL", value_parser = label)]
    member_label: Option<Label>,
    /// The name of this member, unique in its group [default: the name of the machine]
    #[arg(long, value_name = "NAME", value_parser = name)]
    member_name: Option<MemberName>,
    /// Where to listen for members, over UDP and TCP [default: 127.0.0.1:7946]
    #[arg(long, value_name = "ADDR[:PORT]", value_parser = bind_addr)]
    member_bind: Option<SocketAddr>,
    /// A member to join through; may be repeated
    #[arg(long, value_name = "HOST[:PORT]", value_delimiter = ',', value_parser = seed)]
    member_join: Vec<String>,
    /// The keys of the group
    #[arg(long, value_name = "FILE")]
    member_key_file: Option<PathBuf>,
    /// Members up to which all exchange direct heartbeats; 0: never [default: as the profile says]
    #[arg(long, value_name = "MEMBERS")]
    direct_limit: Option<usize>,
}

impl MemberArgs {
    pub(crate) fn flags(&self) -> MembershipFlags {
        MembershipFlags {
            name: self.member_name.clone(),
            bind: self.member_bind,
            join: self.member_join.clone(),
            label: self.member_label.clone(),
            key_file: self.member_key_file.clone(),
            direct_limit: self.direct_limit,
        }
    }
}

fn label(text: &str) -> Result<Label, String> {
    Label::new(text).map_err(|error| error.to_string())
}

fn name(text: &str) -> Result<MemberName, String> {
    MemberName::new(text).map_err(|error| error.to_string())
}
