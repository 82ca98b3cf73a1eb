//! A number over a sequence of texts and numbers, the same in every process.

use super::super::hash::HashKey;

#[derive(Clone, Copy)]
pub(super) struct Digest {
    key: HashKey,
    sum: u64,
}

impl Digest {
    pub(super) const fn new() -> Self {
        let key = HashKey::new(0);
        Self { key, sum: 0 }
    }

    pub(super) fn number(self, number: u64) -> Self {
        let pair = (u128::from(self.sum) << 64) | u128::from(number);
        let sum = self.key.hash(&pair.to_le_bytes());
        Self { sum, ..self }
    }

    pub(super) fn text(self, text: &str) -> Self {
        self.number(self.key.hash(text.as_bytes()))
    }

    pub(super) const fn value(self) -> u64 {
        self.sum
    }
}
