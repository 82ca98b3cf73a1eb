//! What members tell each other of gRPC, in their metadata: where they serve it, where that is not
//! where they listen, and who their guests are. So every member lists all guests, pings them for
//! others, and takes over those of a member that failed.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use super::detector::shown;
use super::guests::ADDRESS_BYTES_MAX;
use crate::members::Member;

/// Under this key a member says where it serves `swim.FailureDetector`.
pub(super) const DETECTOR_KEY: &str = "swim.detector";
/// Under this and the guest's id it says where a guest does.
const GUEST_KEY: &str = "swim.guest.";

/// The key for a guest.
pub(super) fn guest_key(id: &str) -> String {
    format!("{GUEST_KEY}{id}")
}

/// Where a member says that it serves `swim.FailureDetector`.
pub(super) fn detector(member: &Member) -> Option<SocketAddr> {
    let mut items = member.metadata.iter();
    let (_, value) = items.find(|(key, _)| key == DETECTOR_KEY)?;
    text(value)?.parse().ok()
}

/// The guests of a member, and where they serve.
pub(super) fn guests(member: &Member) -> BTreeMap<String, String> {
    let guest = |(key, value): &(String, Vec<u8>)| {
        let id = key.strip_prefix(GUEST_KEY)?;
        Some((id.to_owned(), text(value)?.to_owned()))
    };
    member.metadata.iter().filter_map(guest).collect()
}

/// Another member wrote it, perhaps not a well one.
fn text(value: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(value).ok()?;
    (text.len() <= ADDRESS_BYTES_MAX && shown(text) == text).then_some(text)
}
