//! Who may ask: the tokens among the shared settings. Only hashes of their secrets are known.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use ring::digest::{SHA256, digest};
use serde_json::Value as Json;

use crate::settings::Problems;
use crate::settings::documents::{Written, document};
use auscult_core::monitor::registry::Kind;

/// What a token allows; each allows what those before it do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// To read.
    Read,
    /// To change settings, and to send heartbeats.
    Write,
    /// To change tokens and the group of monitors.
    Admin,
}

impl Role {
    /// Every role.
    pub const ALL: [Self; 3] = [Self::Read, Self::Write, Self::Admin];

    /// The name used in every interface.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Admin => "admin",
        }
    }

    /// The role of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == name)
    }
}

/// Whoever showed a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bearer {
    /// The token's name.
    pub name: Arc<str>,
    /// What it allows.
    pub role: Role,
    /// The peer for which it may publish metrics, and for no other, if it is bound to one.
    pub peer: Option<Arc<str>>,
}

/// The tokens that are in force.
#[derive(Clone, Debug, Default)]
pub struct Tokens {
    /// By name; nothing for one that cannot be used here, which nobody can show.
    known: BTreeMap<Arc<str>, Option<Token>>,
}

#[derive(Clone, Debug)]
struct Token {
    /// Of its secret.
    hash: String,
    role: Role,
    peer: Option<Arc<str>>,
}

impl Tokens {
    /// Whether there is any: without one, everybody may do everything.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.known.is_empty()
    }

    /// Who has this secret.
    #[must_use]
    pub fn bearer(&self, secret: &str) -> Option<Bearer> {
        // What is compared are hashes, so the time it takes tells nothing of a secret.
        let hash = hash(secret);
        let mut known = self.known.iter();
        known.find_map(|(name, token)| {
            let token = token.as_ref().filter(|token| token.hash == hash)?;
            Some(Bearer {
                name: Arc::clone(name),
                role: token.role,
                peer: token.peer.clone(),
            })
        })
    }

    pub(super) fn set(&mut self, name: &str, body: Option<&str>) -> Result<(), Problems> {
        let Some(body) = body else {
            self.known.remove(name);
            return Ok(());
        };
        self.known.insert(name.into(), None);
        let json: Json = serde_json::from_str(body).unwrap_or_default();
        document(Kind::Token, Some(name), Written::Json(&json))?;
        let text = |key: &str| json[key].as_str().unwrap_or_default();
        let hash = text("sha256").to_ascii_lowercase();
        let peer = json["peer"].as_str().map(Arc::from);
        let token = Role::from_name(text("role")).map(|role| Token { hash, role, peer });
        self.known.insert(name.into(), token);
        Ok(())
    }
}

/// The SHA-256 of a secret, in hexadecimal digits.
#[must_use]
pub fn hash(secret: &str) -> String {
    let mut text = String::with_capacity(64);
    for byte in digest(&SHA256, secret.as_bytes()).as_ref() {
        // Writing to a text cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_secret_finds_its_bearer_until_the_token_goes() {
        let mut tokens = Tokens::default();
        let body = |role: &str, secret: &str| {
            json!({"name": "ci", "role": role, "sha256": hash(secret)}).to_string()
        };
        tokens.set("ci", Some(&body("write", "one"))).unwrap();
        assert_eq!(tokens.bearer("one").map(|it| it.role), Some(Role::Write));
        assert_eq!(tokens.bearer("two"), None);
        tokens.set("ci", Some(&body("read", "two"))).unwrap();
        assert_eq!(tokens.bearer("one"), None);
        assert_eq!(tokens.bearer("two").map(|it| it.role), Some(Role::Read));
        tokens.set("ci", Some(&body("emperor", "two"))).unwrap_err();
        assert_eq!(tokens.bearer("two"), None);
        assert!(!tokens.is_empty(), "what is not understood opens nothing");
        tokens.set("ci", None).unwrap();
        assert!(tokens.is_empty());
    }

    #[test]
    fn the_hash_is_that_of_sha256sum() {
        let known = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";
        assert_eq!(hash("hello"), known);
    }
}
