//! How addresses are written: members know each other by numbers, people by names.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use parking_lot::RwLock;

/// Texts for addresses. Clones share what they know.
#[derive(Clone, Debug, Default)]
pub(crate) struct Spelling(Arc<RwLock<BTreeMap<SocketAddr, String>>>);

impl Spelling {
    /// The text for an address; its digits when nobody wrote another one.
    pub(crate) fn of(&self, address: SocketAddr) -> String {
        let known = self.0.read().get(&address).cloned();
        known.unwrap_or_else(|| address.to_string())
    }

    /// The addresses that are written so.
    pub(super) fn knows(&self, text: &str) -> Option<SocketAddr> {
        let known = self.0.read();
        let mut written = known.iter().filter(|(_, as_text)| *as_text == text);
        written.next().map(|(&address, _)| address)
    }

    /// Resolves these, forgetting what was known before.
    pub(super) async fn learn(&self, texts: &[String]) {
        let found = texts.iter().map(|text| super::node::resolve(text));
        let found = futures_util::future::join_all(found).await;
        let pairs = found.into_iter().zip(texts);
        let known = pairs.filter_map(|(address, text)| Some((address?, text.clone())));
        let known: BTreeMap<SocketAddr, String> = known.collect();
        if !known.is_empty() {
            *self.0.write() = known;
        }
    }
}
