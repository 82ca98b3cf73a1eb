//! From host names to addresses, by our own resolver: the C library's would block a thread per name
//! and is missing in a static binary.

use std::net::IpAddr;
use std::time::{Duration, SystemTime};

use auscult_core::monitor::Failure;
use auscult_core::time::Instant;
use hickory_resolver::TokioResolver;
use hickory_resolver::config::{LookupIpStrategy, ResolverConfig};
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use parking_lot::Mutex;

use super::report::CheckError;
use crate::clock::Clock;

/// Finds addresses. Belongs to one event loop.
pub(super) struct Names {
    clock: Clock,
    system: Mutex<System>,
}

/// A resolver, and when the files that it was set up from were last changed: a laptop that joins
/// another network, or a new line in `/etc/hosts`, must not need a restart.
struct System {
    changed_at: [Option<SystemTime>; SYSTEM_FILES.len()],
    resolver: Result<TokioResolver, String>,
}

const SYSTEM_FILES: [&str; 2] = ["/etc/resolv.conf", "/etc/hosts"];

/// Addresses of a name, for a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Addresses {
    /// In the order in which they are tried; at least one.
    pub(super) list: Vec<IpAddr>,
    /// Until when the answer holds.
    pub(super) valid_until: Instant,
}

impl Names {
    /// Reads `/etc/resolv.conf` and `/etc/hosts`. Must be called on the event loop.
    pub(super) fn new(clock: Clock) -> Self {
        let system = Mutex::new(System::read());
        Self { clock, system }
    }

    fn resolver(&self) -> Result<TokioResolver, String> {
        let mut system = self.system.lock();
        if system.changed_at != changes() {
            *system = System::read();
        }
        system.resolver.clone()
    }

    pub(super) async fn find(&self, name: &str) -> Result<Addresses, CheckError> {
        let failed = |text: String| CheckError::new(Failure::Dns, text);
        let resolver = self
            .resolver()
            .map_err(|error| failed(format!("no DNS resolver here: {error}")))?;
        let found = resolver
            .lookup_ip(name)
            .await
            .map_err(|error| failed(explain(name, &error)))?;
        let list: Vec<IpAddr> = found.iter().collect();
        if list.is_empty() {
            return Err(failed(format!("{name} has no address")));
        }
        let now = self.clock.now();
        let holds = found
            .valid_until()
            .saturating_duration_since(self.clock.std(now))
            .min(HOLDS_MAX);
        Ok(Addresses {
            list,
            valid_until: now.after(holds),
        })
    }
}

/// Even a record that promises to hold for a day is asked for again after this, as people move
/// services.
const HOLDS_MAX: Duration = Duration::from_secs(300);

/// A name that did not exist is asked for again after this, whatever its zone says: somebody may be
/// watching our page for it to appear.
const ABSENCE_HOLDS_MAX: Duration = Duration::from_secs(5);

const NAMES_CACHED: u64 = 32_768;

impl System {
    fn read() -> Self {
        Self {
            changed_at: changes(),
            resolver: resolver().map_err(|error| error.to_string()),
        }
    }
}

fn changes() -> [Option<SystemTime>; SYSTEM_FILES.len()] {
    SYSTEM_FILES.map(|file| {
        std::fs::metadata(file)
            .and_then(|data| data.modified())
            .ok()
    })
}

fn resolver() -> Result<TokioResolver, NetError> {
    // Without a configuration (a container from scratch) there are still /etc/hosts and localhost.
    let mut builder = TokioResolver::builder_tokio().unwrap_or_else(|_| {
        let runtime = TokioRuntimeProvider::default();
        TokioResolver::builder_with_config(ResolverConfig::default(), runtime)
    });
    let options = builder.options_mut();
    // Both are asked for at once; IPv4 is tried first, because a host without IPv6 is still the
    // commoner misfortune than one without IPv4.
    options.ip_strategy = LookupIpStrategy::Ipv4AndIpv6;
    options.positive_max_ttl = Some(HOLDS_MAX);
    options.negative_max_ttl = Some(ABSENCE_HOLDS_MAX);
    options.cache_size = NAMES_CACHED;
    builder.build()
}

fn explain(name: &str, error: &NetError) -> String {
    if error.is_nx_domain() {
        format!("{name} does not exist")
    } else if error.is_no_records_found() {
        format!("{name} has no address")
    } else {
        format!("could not resolve {name}: {error}")
    }
}
