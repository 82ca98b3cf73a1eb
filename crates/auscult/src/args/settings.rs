//! The flags of `auscult apply` and `auscult settings`.

use std::path::PathBuf;

use clap::{Subcommand, ValueEnum};

use super::ClientArgs;

const APPLY_EXAMPLES: &str = "\
Examples:
  auscult apply -f shared.yml --plan           what it would change
  auscult apply -f shared.yml                  change it: all of it, or nothing
  auscult apply -f shared.yml --prune --plan   and delete what its lists no longer name
  auscult apply -f shared.yml --revision 41    only what the plan for revision 41 showed";

/// `auscult apply`.
#[derive(Debug, clap::Args)]
#[command(after_help = APPLY_EXAMPLES)]
pub(crate) struct ApplyArgs {
    #[command(flatten)]
    pub(crate) client: ClientArgs,
    /// What the monitors shall share (YAML): defaults, groups, targets, receivers, silences; - is
    /// stdin
    #[arg(short, long, value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// Only show what would be created, replaced and deleted
    #[arg(long)]
    pub(crate) plan: bool,
    /// Delete what the lists of the file no longer name; lists that it has not are left alone
    #[arg(long)]
    pub(crate) prune: bool,
    /// Only if nothing was changed since this revision, which a plan tells
    #[arg(long, value_name = "NUMBER")]
    pub(crate) revision: Option<u64>,
}

/// `auscult settings`.
#[derive(Debug, clap::Args)]
pub(crate) struct SettingsArgs {
    #[command(flatten)]
    pub(crate) client: ClientArgs,
    #[command(subcommand)]
    pub(crate) command: SettingsCommand,
}

/// What to do with shared settings.
#[derive(Debug, Subcommand)]
pub(crate) enum SettingsCommand {
    /// List settings: all, or those of a kind
    #[command(visible_alias = "ls")]
    List {
        /// defaults, groups, targets, receivers, silences, tokens, pauses or values
        kind: Option<String>,
    },
    /// Read one setting, who changed it last, and when
    Get {
        /// groups, targets, receivers and so on
        kind: String,
        /// Its name
        name: String,
    },
    /// Delete settings
    Rm {
        /// groups, targets, receivers and so on
        kind: String,
        /// Their names
        #[arg(required = true)]
        names: Vec<String>,
    },
    /// Who changed what, and when: the oldest first
    History {
        /// Only changes of settings of this kind
        #[arg(long)]
        kind: Option<String>,
        /// Only changes of settings of this name
        #[arg(long)]
        name: Option<String>,
        /// Only changes after this revision
        #[arg(long, value_name = "NUMBER")]
        after: Option<u64>,
    },
    /// Make a token for the API and show its secret, this once; the first one must be an admin
    Token {
        /// The token's name
        name: String,
        /// What it allows
        #[arg(long, value_enum)]
        role: Role,
    },
}

/// What a token allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Role {
    /// To read
    Read,
    /// To change settings and to send heartbeats
    Write,
    /// To change tokens and the group of monitors as well
    Admin,
}

impl Role {
    /// The name that the API takes.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Admin => "admin",
        }
    }
}
