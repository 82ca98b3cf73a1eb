//! SipHash-1-3: a keyed hash, so that nobody who does not know the seed can choose names that
//! collide.

/// The key of a hash.
#[derive(Clone, Copy, Debug)]
pub(super) struct HashKey {
    low: u64,
    high: u64,
}

impl HashKey {
    /// Spreads a seed over a key.
    pub(super) const fn new(seed: u64) -> Self {
        let low = mix(seed.wrapping_add(GOLDEN));
        let high = mix(seed.wrapping_add(GOLDEN).wrapping_add(GOLDEN));
        Self { low, high }
    }

    /// The hash of `bytes`.
    #[inline]
    pub(super) fn hash(self, bytes: &[u8]) -> u64 {
        let mut state = [
            self.low ^ 0x736f_6d65_7073_6575,
            self.high ^ 0x646f_7261_6e64_6f6d,
            self.low ^ 0x6c79_6765_6e65_7261,
            self.high ^ 0x7465_6462_7974_6573,
        ];
        let (words, tail) = bytes.as_chunks::<8>();
        for word in words {
            absorb(&mut state, u64::from_le_bytes(*word));
        }
        let mut last = [0; 8];
        last[..tail.len()].copy_from_slice(tail);
        last[7] = bytes.len() as u8;
        absorb(&mut state, u64::from_le_bytes(last));
        state[2] ^= 0xff;
        for _ in 0..3 {
            round(&mut state);
        }
        state[0] ^ state[1] ^ state[2] ^ state[3]
    }
}

#[inline]
const fn absorb(state: &mut [u64; 4], word: u64) {
    state[3] ^= word;
    round(state);
    state[0] ^= word;
}

#[inline]
const fn round(state: &mut [u64; 4]) {
    let [mut a, mut b, mut c, mut d] = *state;
    a = a.wrapping_add(b);
    b = b.rotate_left(13) ^ a;
    a = a.rotate_left(32);
    c = c.wrapping_add(d);
    d = d.rotate_left(16) ^ c;
    a = a.wrapping_add(d);
    d = d.rotate_left(21) ^ a;
    c = c.wrapping_add(b);
    b = b.rotate_left(17) ^ c;
    c = c.rotate_left(32);
    *state = [a, b, c, d];
}

/// The finaliser of SplitMix64.
pub(super) const fn mix(mut value: u64) -> u64 {
    value = (value ^ value >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    value = (value ^ value >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ value >> 31
}

const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    /// Against an independent implementation with the same key: the first values that CPython's and
    /// Rust's SipHash-1-3 give for the key 00 01 .. 0f and the messages "", 00, 00 01, ...
    #[test]
    fn agrees_with_the_reference_vectors() {
        let key = HashKey {
            low: u64::from_le_bytes([0, 1, 2, 3, 4, 5, 6, 7]),
            high: u64::from_le_bytes([8, 9, 10, 11, 12, 13, 14, 15]),
        };
        let message: Vec<u8> = (0..64).collect();
        let expected = [
            0xabac_0158_050f_c4dc_u64,
            0xc9f4_9bf3_7d57_ca93,
            0x82cb_9b02_4dc7_d44d,
            0x8bf8_0ab8_e7dd_f7fb,
        ];
        for (length, expected) in expected.into_iter().enumerate() {
            assert_eq!(key.hash(&message[..length]), expected, "{length}");
        }
        assert_eq!(key.hash(&message[..8]), 0x3690_9511_8d29_9a8e);
        assert_eq!(key.hash(&message[..15]), 0xd320_d86d_2a51_9956);
    }

    #[test]
    fn another_seed_hashes_differently() {
        assert_ne!(HashKey::new(1).hash(b"web"), HashKey::new(2).hash(b"web"));
    }
}
