//! SCRAM (RFC 5802, RFC 7677): both sides show that they know the password, and nothing that passes lets anybody else
//! do so. With -PLUS the proof holds for one TLS connection only.

mod client;
mod keys;
mod server;

pub(crate) use client::ScramClient;
pub use keys::Keys;
pub(crate) use server::ScramServer;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use sha2::{Digest, Sha256};

/// The hash under a SCRAM mechanism.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hash {
    /// SCRAM-SHA-1
    Sha1,
    /// SCRAM-SHA-256
    Sha256,
}

/// The fewest rounds that RFC 7677 §4 allows, and what stored passwords get when nothing is said.
pub const ROUNDS: u32 = 4096;
/// The most rounds that are worked through for a stored password or a server's challenge.
pub const ROUNDS_MAX: u32 = 10_000_000;

impl Hash {
    /// The name of the stored form.
    pub(crate) fn scheme(self) -> &'static str {
        match self {
            Hash::Sha1 => "SCRAM-SHA-1",
            Hash::Sha256 => "SCRAM-SHA-256",
        }
    }

    /// The length of a hash, in bytes.
    pub(crate) fn size(self) -> usize {
        match self {
            Hash::Sha1 => 20,
            Hash::Sha256 => 32,
        }
    }

    pub(crate) fn digest(self, bytes: &[u8]) -> Vec<u8> {
        match self {
            Hash::Sha1 => Sha1::digest(bytes).to_vec(),
            Hash::Sha256 => Sha256::digest(bytes).to_vec(),
        }
    }

    pub(crate) fn hmac(self, key: &[u8], parts: &[&[u8]]) -> Vec<u8> {
        fn run<M: Mac + KeyInit>(key: &[u8], parts: &[&[u8]]) -> Vec<u8> {
            let mut mac = <M as KeyInit>::new_from_slice(key).expect("HMAC takes keys of every length");
            parts.iter().for_each(|part| mac.update(part));
            mac.finalize().into_bytes().to_vec()
        }
        match self {
            Hash::Sha1 => run::<Hmac<Sha1>>(key, parts),
            Hash::Sha256 => run::<Hmac<Sha256>>(key, parts),
        }
    }

    pub(crate) fn pbkdf2(self, password: &[u8], salt: &[u8], rounds: u32) -> Vec<u8> {
        let mut out = vec![0; self.size()];
        match self {
            Hash::Sha1 => pbkdf2::pbkdf2_hmac::<Sha1>(password, salt, rounds, &mut out),
            Hash::Sha256 => pbkdf2::pbkdf2_hmac::<Sha256>(password, salt, rounds, &mut out),
        }
        out
    }
}

/// How a client stands to channel binding (`gs2-cbind-flag`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Binding {
    /// `n`: it cannot.
    Unsupported,
    /// `y`: it can, and thinks that we cannot.
    Unoffered,
    /// `p=`: it does, with data of this type.
    Used(String),
}

impl Binding {
    fn text(&self) -> String {
        match self {
            Binding::Unsupported => "n".to_owned(),
            Binding::Unoffered => "y".to_owned(),
            Binding::Used(kind) => format!("p={kind}"),
        }
    }
}

pub(crate) fn xor(one: &[u8], other: &[u8]) -> Vec<u8> {
    one.iter().zip(other).map(|(a, b)| a ^ b).collect()
}

pub(crate) fn base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

pub(crate) fn unbase64(text: &str) -> Option<Vec<u8>> {
    STANDARD.decode(text).ok()
}

/// A name as it stands in a message: `,` and `=` written otherwise (RFC 5802 §5.1).
pub(crate) fn quote(name: &str) -> String {
    name.replace('=', "=3D").replace(',', "=2C")
}

/// The name that [`quote`] wrote; `None` when an `=` stands for nothing.
pub(crate) fn unquote(text: &str) -> Option<String> {
    let mut parts = text.split('=');
    let mut name = parts.next()?.to_owned();
    for part in parts {
        let (code, rest) = part.split_at_checked(2)?;
        name.push(match code {
            "2C" => ',',
            "3D" => '=',
            _ => return None,
        });
        name.push_str(rest);
    }
    Some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_quoted() {
        for name in ["alice", "a,b=c", "=2C", ""] {
            assert_eq!(unquote(&quote(name)).as_deref(), Some(name));
        }
        assert_eq!(quote("a,b=c"), "a=2Cb=3Dc");
        for wrong in ["a=", "a=2", "a=41", "=é"] {
            assert_eq!(unquote(wrong), None, "{wrong}");
        }
    }
}
