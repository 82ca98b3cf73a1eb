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

    /// Resolves these, forgetting what was known before. One after the other: each name that is
    /// looked up occupies a thread, and its memory.
    pub(super) async fn learn(&self, texts: &[String]) {
        let mut known = BTreeMap::new();
        for text in texts {
            if let Some(address) = super::node::resolve(text).await {
                known.insert(address, text.clone());
            }
        }
        if !known.is_empty() {
            *self.0.write() = known;
        }
    }
}
