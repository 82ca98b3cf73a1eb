//! CRC-32C (Castagnoli), which finds every error of up to three bits in a datagram of ours (of up
//! to five in one of up to 650 bytes), and every burst of up to 32 bits. It keeps out accidents,
//! not people.

/// The checksum of `bytes`: reflected polynomial `82F63B78`, begun with and closed by all ones, as
/// in iSCSI, SCTP and ext4.
pub(crate) const fn crc32c(bytes: &[u8]) -> u32 {
    let mut crc = u32::MAX;
    let mut at = 0;
    // Four bytes at a time through four tables: the long datagrams of a change take a quarter of
    // the time, and the tables stay in the nearest cache.
    while at + 4 <= bytes.len() {
        let word =
            crc ^ u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
        crc = TABLES[3][(word & 0xFF) as usize]
            ^ TABLES[2][(word >> 8 & 0xFF) as usize]
            ^ TABLES[1][(word >> 16 & 0xFF) as usize]
            ^ TABLES[0][(word >> 24) as usize];
        at += 4;
    }
    while at < bytes.len() {
        crc = crc >> 8 ^ TABLES[0][((crc ^ bytes[at] as u32) & 0xFF) as usize];
        at += 1;
    }
    !crc
}

/// What a byte does to the checksum when 0, 1, 2 or 3 bytes follow it.
const TABLES: [[u32; 256]; 4] = tables();

const fn tables() -> [[u32; 256]; 4] {
    let mut tables = [[0; 256]; 4];
    let mut byte = 0;
    while byte < 256 {
        let mut crc = byte as u32;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 1 == 1 {
                crc >> 1 ^ POLYNOMIAL
            } else {
                crc >> 1
            };
            bit += 1;
        }
        tables[0][byte] = crc;
        byte += 1;
    }
    let mut table = 1;
    while table < 4 {
        let mut byte = 0;
        while byte < 256 {
            let before = tables[table - 1][byte];
            tables[table][byte] = before >> 8 ^ tables[0][(before & 0xFF) as usize];
            byte += 1;
        }
        table += 1;
    }
    tables
}

const POLYNOMIAL: u32 = 0x82F6_3B78;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Bit by bit, as the definition says.
    fn twin(bytes: &[u8]) -> u32 {
        let mut crc = u32::MAX;
        for &byte in bytes {
            crc ^= u32::from(byte);
            for _ in 0..8 {
                crc = (crc >> 1) ^ (POLYNOMIAL * (crc & 1));
            }
        }
        !crc
    }

    #[test]
    fn the_vectors_of_rfc_3720_hold() {
        assert_eq!(crc32c(b"123456789"), 0xE306_9283);
        assert_eq!(crc32c(&[0; 32]), 0x8A91_36AA);
        assert_eq!(crc32c(&[0xFF; 32]), 0x62A8_AB43);
        assert_eq!(crc32c(b""), 0);
    }

    proptest! {
        #[test]
        fn tables_give_what_the_definition_gives(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            prop_assert_eq!(crc32c(&bytes), twin(&bytes));
        }
    }
}
