//! The flags of `auscult serve`.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use auscult_monitor::etcd;
use auscult_monitor::replication::NoGroup;

use super::{LogArgs, MemberArgs, socket_addr};

const SERVE_EXAMPLES: &str = "\
Examples:
  auscult serve --config servers.yml
  auscult serve --config servers.yml --http-bind 0.0.0.0:8000 --datadir /var/lib/auscult
  RUST_LOG=debug auscult serve -c servers.yml --log-format json
  auscult serve -c servers.yml --bootstrap --raft-bind 10.0.0.1:7000 --http-bind 10.0.0.1:8000
  auscult serve --join 10.0.0.1:7000 --raft-bind 10.0.0.2:7000 --http-bind 10.0.0.2:8000

Signals:
  SIGHUP           reads the configuration file again; a bad one changes nothing
  SIGTERM, SIGINT  stop in order within 5 s (exit code 0); a second one stops at once";

/// `auscult serve`.
#[derive(Debug, clap::Args)]
#[command(after_help = SERVE_EXAMPLES)]
pub(crate) struct ServeArgs {
    /// What to watch (YAML); without it only what was added over the API is watched. Of several
    /// monitors the first one's becomes what all of them watch, once
    #[arg(short, long, value_name = "FILE", env = "AUSCULT_CONFIG")]
    pub(crate) config: Option<PathBuf>,
    /// Where the page, the API and the metrics are served
    #[arg(
        long,
        value_name = "ADDR:PORT",
        env = "HTTP_BIND",
        default_value = "127.0.0.1:8000",
        value_parser = socket_addr
    )]
    pub(crate) http_bind: SocketAddr,
    /// Where heartbeats are taken over UDP, or 'none' [default: the address and port of HTTP]
    #[arg(long, value_name = "ADDR:PORT", env = "UDP_BIND", value_parser = udp_bind)]
    pub(crate) udp_bind: Option<UdpBind>,
    /// Where settings made over the API are kept
    #[arg(
        long,
        alias = "data-dir",
        value_name = "DIR",
        env = "DATA_DIR",
        default_value = "auscult-data"
    )]
    pub(crate) datadir: PathBuf,
    /// End when standard input does: for whoever starts monitors and may be killed
    #[arg(long, hide = true)]
    pub(crate) end_with_stdin: bool,
    #[command(flatten)]
    pub(crate) group: GroupArgs,
    #[command(flatten)]
    pub(crate) member: MemberArgs,
    #[command(flatten)]
    pub(crate) log: LogArgs,
}

/// How a monitor takes part in a group of several.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Several monitors")]
pub(crate) struct GroupArgs {
    /// What the other monitors call this one [default: its address in the group]
    #[arg(long, env = "AUSCULT_MONITOR_NAME")]
    pub(crate) name: Option<String>,
    /// Where the other monitors reach this one [default: as before, or nowhere; 127.0.0.1:7000
    /// with --bootstrap and --join]
    #[arg(long, value_name = "ADDR:PORT", env = "RAFT_BIND", value_parser = socket_addr)]
    pub(crate) raft_bind: Option<SocketAddr>,
    /// That address as the others have to call it, where it is another one
    #[arg(long, value_name = "HOST:PORT", env = "RAFT_ADVERTISE")]
    pub(crate) raft_advertise: Option<String>,
    /// Begin a group that others can join, where there is none in the data folder yet; with --join,
    /// where none of those is of a group either
    #[arg(
        long,
        env = "BOOTSTRAP",
        value_parser = clap::builder::FalseyValueParser::new(),
    )]
    pub(crate) bootstrap: bool,
    /// Join the group of these monitors, if this one belongs to none yet: their --raft-bind or
    /// --http-bind. If the first is this one itself, begin the group where none of them has one
    #[arg(long, value_name = "HOST:PORT", env = "JOIN", value_delimiter = ',')]
    pub(crate) join: Vec<String>,
    /// Keep what is shared in an etcd that runs already: etcd://HOST:PORT[,HOST:PORT..][/PREFIX],
    /// or etcds:// for TLS.
    /// The other monitors are found there; --raft-bind then is any free port if it is not named
    #[arg(
        long,
        value_name = "URL",
        env = "AUSCULT_SETTINGS",
        conflicts_with_all = ["bootstrap", "join"]
    )]
    // Read later: what is wrong here may be a password, which clap would repeat.
    pub(crate) settings: Option<String>,
    #[command(flatten)]
    pub(crate) etcd: Box<EtcdArgs>,
}

/// How the etcd of `--settings` is entered.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct EtcdArgs {
    /// Authorities that may vouch for the etcd of etcds:// (PEM) [default: those of the system]
    #[arg(
        long,
        value_name = "FILE",
        env = "AUSCULT_SETTINGS_CA",
        requires = "settings"
    )]
    pub(crate) settings_ca: Option<PathBuf>,
    /// The certificate that this monitor shows to etcd (PEM)
    #[arg(
        long,
        value_name = "FILE",
        env = "AUSCULT_SETTINGS_CERT",
        requires_all = ["settings", "settings_key"]
    )]
    pub(crate) settings_cert: Option<PathBuf>,
    /// The private key of that certificate (PEM)
    #[arg(
        long,
        value_name = "FILE",
        env = "AUSCULT_SETTINGS_KEY",
        requires = "settings_cert"
    )]
    pub(crate) settings_key: Option<PathBuf>,
    /// Whom to log in to etcd as; the password stands in a file, or in AUSCULT_SETTINGS_PASSWORD
    #[arg(
        long,
        value_name = "NAME",
        env = "AUSCULT_SETTINGS_USER",
        requires = "settings"
    )]
    pub(crate) settings_user: Option<String>,
    /// The file with that password, read again at every login
    #[arg(
        long,
        value_name = "FILE",
        env = "AUSCULT_SETTINGS_PASSWORD_FILE",
        requires = "settings_user"
    )]
    pub(crate) settings_password_file: Option<PathBuf>,
}

impl EtcdArgs {
    /// What is needed to enter; why not, where something is missing. `password` is that of the
    /// environment.
    pub(crate) fn access(&self, password: Option<String>) -> Result<etcd::Access, String> {
        let pair = self.settings_cert.clone().zip(self.settings_key.clone());
        let certificate = pair.map(|(chain, key)| etcd::ClientCertificate { chain, key });
        let login = match (&self.settings_user, &self.settings_password_file, password) {
            (None, _, _) => None,
            (Some(user), Some(file), _) => Some((user, etcd::Password::File(file.clone()))),
            (Some(user), None, Some(text)) => Some((user, etcd::Password::Text(text))),
            (Some(user), None, None) => {
                return Err(format!(
                    "there is no password to log in to etcd as {user:?}: name its file with \
                     --settings-password-file, or set AUSCULT_SETTINGS_PASSWORD"
                ));
            }
        };
        let login = login.map(|(user, password)| etcd::Login {
            user: user.clone(),
            password,
        });
        Ok(etcd::Access {
            ca: self.settings_ca.clone(),
            certificate,
            login,
        })
    }
}

impl GroupArgs {
    /// Whom to join. A variable that is set to nothing names nobody.
    pub(crate) fn join(&self) -> Vec<String> {
        let own = self.own();
        let others = self
            .named()
            .filter(|address| Some(*address) != own.as_ref());
        others.cloned().collect()
    }

    /// The monitor that is named first begins the group that the others join: so all of them can be
    /// started alike. Where it has lost its disk, the others have one, and it joins like them.
    pub(crate) fn no_group(&self) -> NoGroup {
        let own = self.own();
        if self.bootstrap || (own.is_some() && self.named().next() == own.as_ref()) {
            NoGroup::Begin
        } else {
            NoGroup::Wait
        }
    }

    fn named(&self) -> impl Iterator<Item = &String> {
        self.join.iter().filter(|address| !address.is_empty())
    }

    /// What the others call this one.
    fn own(&self) -> Option<String> {
        match (&self.raft_advertise, self.raft_bind) {
            (Some(name), _) => Some(name.clone()),
            (None, bind) => bind.map(|addr| addr.to_string()),
        }
    }

    /// Where to listen, if that is said.
    pub(crate) fn raft_bind(&self) -> Option<SocketAddr> {
        let usual = || (self.bootstrap || !self.join().is_empty()).then_some(RAFT_BIND);
        self.raft_bind.or_else(usual)
    }
}

/// Where the seed's monitors listen for each other.
const RAFT_BIND: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 7_000);

/// Whether and where heartbeats are taken over UDP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum UdpBind {
    At(SocketAddr),
    Nowhere,
}

fn udp_bind(text: &str) -> Result<UdpBind, String> {
    if text == "none" {
        return Ok(UdpBind::Nowhere);
    }
    socket_addr(text).map(UdpBind::At)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn monitors_that_are_started_alike_make_one_group() {
        let both = "one:7000,two:7000";
        check(both, "one:7000", &["two:7000"], NoGroup::Begin);
        check(both, "two:7000", &["one:7000"], NoGroup::Wait);
        check(both, "three:7000", &["one:7000", "two:7000"], NoGroup::Wait);
        check("", "one:7000", &[], NoGroup::Wait);
    }

    fn check(join: &str, own: &str, expected: &[&str], no_group: NoGroup) {
        let args = GroupArgs {
            name: None,
            raft_bind: None,
            raft_advertise: Some(own.into()),
            bootstrap: false,
            settings: None,
            etcd: Box::default(),
            join: join.split(',').map(str::to_owned).collect(),
        };
        assert_eq!(args.join(), expected, "{join} at {own}");
        assert_eq!(args.no_group(), no_group, "{join} at {own}");
    }
}
