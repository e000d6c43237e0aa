//! HMAC-MD5 from its two contexts, the form in which Dovecot stores passwords for CRAM-MD5: the state of MD5 after the
//! outer and after the inner key block (RFC 2104 §4 describes the precomputation).

use md5::block_api::compress;
use md5::{Digest, Md5};

const BLOCK: usize = 64;
/// MD5's initial state (RFC 1321 §3.3).
const INITIAL: [u32; 4] = [0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476];

/// The key of an HMAC-MD5, worked in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Contexts {
    outer: [u32; 4],
    inner: [u32; 4],
}

impl Contexts {
    /// Those of a password.
    pub(crate) fn of_password(password: &[u8]) -> Contexts {
        let mut key = [0; BLOCK];
        if password.len() > BLOCK {
            key[..16].copy_from_slice(&Md5::digest(password));
        } else {
            key[..password.len()].copy_from_slice(password);
        }
        let after = |pad: u8| {
            let mut state = INITIAL;
            compress(&mut state, &[key.map(|byte| byte ^ pad)]);
            state
        };
        Contexts {
            outer: after(0x5c),
            inner: after(0x36),
        }
    }

    /// Those of a stored text, 32 bytes.
    pub(crate) fn of_bytes(bytes: &[u8; 32]) -> Contexts {
        let mut words = [0; 8];
        for (word, chunk) in words.iter_mut().zip(bytes.chunks_exact(4)) {
            *word = u32::from_le_bytes([chunk[0], chunk[1], chunk[2], chunk[3]]);
        }
        let [a, b, c, d, e, f, g, h] = words;
        Contexts {
            outer: [a, b, c, d],
            inner: [e, f, g, h],
        }
    }

    /// As they are stored.
    pub(crate) fn bytes(&self) -> [u8; 32] {
        let mut bytes = [0; 32];
        for (chunk, word) in bytes
            .chunks_exact_mut(4)
            .zip(self.outer.iter().chain(&self.inner))
        {
            chunk.copy_from_slice(&word.to_le_bytes());
        }
        bytes
    }

    /// The code of a message.
    pub(crate) fn code(&self, message: &[u8]) -> [u8; 16] {
        finish(self.outer, &finish(self.inner, message))
    }
}

/// MD5 from a state after one block.
fn finish(mut state: [u32; 4], message: &[u8]) -> [u8; 16] {
    let mut padded = message.to_vec();
    padded.push(0x80);
    while padded.len() % BLOCK != BLOCK - 8 {
        padded.push(0);
    }
    let bits = ((message.len() + BLOCK) as u64).wrapping_mul(8);
    padded.extend_from_slice(&bits.to_le_bytes());
    for chunk in padded.chunks_exact(BLOCK) {
        let mut block = [0; BLOCK];
        block.copy_from_slice(chunk);
        compress(&mut state, &[block]);
    }
    let mut out = [0; 16];
    for (chunk, word) in out.chunks_exact_mut(4).zip(&state) {
        chunk.copy_from_slice(&word.to_le_bytes());
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use hmac::{Hmac, KeyInit, Mac};

    #[test]
    fn the_contexts_make_the_same_code_as_the_key() {
        for key in [&b"secret"[..], b"", &[b'k'; 64], &[b'k'; 200]] {
            for length in [0, 1, 55, 56, 63, 64, 65, 200] {
                let message = vec![b'm'; length];
                let mut mac = Hmac::<Md5>::new_from_slice(key).unwrap();
                mac.update(&message);
                let contexts = Contexts::of_password(key);
                assert_eq!(contexts.code(&message), mac.finalize().into_bytes().as_slice());
                assert_eq!(Contexts::of_bytes(&contexts.bytes()), contexts);
            }
        }
    }
}
