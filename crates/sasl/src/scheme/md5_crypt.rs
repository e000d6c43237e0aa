//! The `$1$` hash of crypt(3): a thousand rounds of MD5 (FreeBSD 1994). Weak by now; kept for the passwords that exist.

use md5::{Digest, Md5};

/// crypt(3)'s own base 64, least significant digit first.
const DIGITS: &[u8; 64] = b"./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/// The longest salt that counts.
pub(super) const SALT_BYTES_MAX: usize = 8;

/// `$1$salt$hash` for a password. Only the first [`SALT_BYTES_MAX`] bytes of the salt count.
pub(super) fn hash(password: &[u8], salt: &str) -> String {
    let salt: String = salt.chars().take(SALT_BYTES_MAX).collect();
    let digest = digest(password, salt.as_bytes());
    let mut out = format!("$1${salt}$");
    for [a, b, c] in [[0, 6, 12], [1, 7, 13], [2, 8, 14], [3, 9, 15], [4, 10, 5]] {
        let value = u32::from(digest[a]) << 16 | u32::from(digest[b]) << 8 | u32::from(digest[c]);
        push_digits(&mut out, value, 4);
    }
    push_digits(&mut out, u32::from(digest[11]), 2);
    out
}

fn digest(password: &[u8], salt: &[u8]) -> [u8; 16] {
    let inner = Md5::new()
        .chain_update(password)
        .chain_update(salt)
        .chain_update(password)
        .finalize();
    let mut outer = Md5::new()
        .chain_update(password)
        .chain_update(b"$1$")
        .chain_update(salt);
    for start in (0..password.len()).step_by(16) {
        outer.update(&inner[..16.min(password.len() - start)]);
    }
    // For each bit of the length, from the lowest: a zero byte for a one, the password's first byte for a zero.
    let mut bits = password.len();
    while bits > 0 {
        outer.update(if bits & 1 == 1 { &[0] } else { &password[..1] });
        bits >>= 1;
    }
    let mut current: [u8; 16] = outer.finalize().into();
    for round in 0..1000 {
        let mut next = Md5::new();
        if round % 2 == 1 {
            next.update(password)
        } else {
            next.update(current)
        }
        if round % 3 != 0 {
            next.update(salt);
        }
        if round % 7 != 0 {
            next.update(password);
        }
        if round % 2 == 1 {
            next.update(current)
        } else {
            next.update(password)
        }
        current = next.finalize().into();
    }
    current
}

fn push_digits(out: &mut String, mut value: u32, count: usize) {
    for _ in 0..count {
        out.push(char::from(DIGITS[(value & 63) as usize]));
        value >>= 6;
    }
}

/// Random bytes as salt characters.
pub(super) fn salt(random: &[u8]) -> String {
    random
        .iter()
        .map(|byte| char::from(DIGITS[usize::from(byte & 63)]))
        .collect()
}
