//! What messages are called for good (RFC 8474): numbers made of names, the same in every version of this program.

/// The number for a message that its store calls by this name, which no other content in the account has; never 0.
pub fn email_id(name: &[u8]) -> u64 {
    // 64-bit FNV-1a.
    let hash = name.iter().fold(0xcbf2_9ce4_8422_2325, |hash: u64, &octet| {
        (hash ^ u64::from(octet)).wrapping_mul(0x0100_0000_01b3)
    });
    mixed(hash)
}

/// Spreads numbers that differ little over all 64 bits (the finaliser of splitmix64), each to one of its own; never 0.
pub(crate) fn mixed(number: u64) -> u64 {
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (number ^ (number >> 31)).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stay_what_they_were() {
        assert_eq!(
            email_id(b"1700000000.M1P1.host"),
            email_id(b"1700000000.M1P1.host")
        );
        assert_ne!(
            email_id(b"1700000000.M1P1.host"),
            email_id(b"1700000000.M1P2.host")
        );
        assert_eq!(mixed(1), 0x5692_161d_100b_05e5);
        assert_eq!(mixed(0), 1);
    }
}
