//! From host names to addresses, by our own resolver: the C library's would block a thread per name and
//! is missing in a static binary.

use std::net::IpAddr;
use std::time::Duration;

use auscult_core::monitor::Failure;
use auscult_core::time::Instant;
use hickory_resolver::TokioResolver;
use hickory_resolver::config::LookupIpStrategy;
use hickory_resolver::net::NetError;

use super::report::CheckError;
use crate::clock::Clock;

/// Finds addresses. Belongs to one event loop.
pub(super) struct Names {
    clock: Clock,
    resolver: Result<TokioResolver, String>,
}

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
        Self {
            clock,
            resolver: resolver().map_err(|error| error.to_string()),
        }
    }

    pub(super) async fn find(&self, name: &str) -> Result<Addresses, CheckError> {
        let failed = |text: String| CheckError::new(Failure::Dns, text);
        let resolver = match &self.resolver {
            Ok(resolver) => resolver,
            Err(error) => return Err(failed(format!("no DNS resolver here: {error}"))),
        };
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

/// Even a record that promises to hold for a day is asked for again after this, as people move services.
const HOLDS_MAX: Duration = Duration::from_secs(300);

/// A name that did not exist is asked for again after this, whatever its zone says: somebody may be
/// watching our page for it to appear.
const ABSENCE_HOLDS_MAX: Duration = Duration::from_secs(5);

const NAMES_CACHED: u64 = 32_768;

fn resolver() -> Result<TokioResolver, NetError> {
    let mut builder = TokioResolver::builder_tokio()?;
    let options = builder.options_mut();
    // Both are asked for at once; IPv4 is tried first, because a host without IPv6 is still the commoner
    // misfortune than one without IPv4.
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
