//! What an established session is, in the words of logs and Received: fields.

use rustls::{CipherSuite, CommonState, NamedGroup, ProtocolVersion};

/// Protocol, cipher and key exchange of one session. Shown as
/// `TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits)`, as OpenSSL's users know it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Description {
    /// `TLSv1.2` or `TLSv1.3`.
    pub protocol: &'static str,
    /// The cipher under OpenSSL's name.
    pub cipher: &'static str,
    /// The key length of the cipher.
    pub bits: u16,
    /// `X25519MLKEM768`, `X25519`, `ECDHE (P-256)` …; `None` when a TLS 1.2 session was resumed.
    pub key_exchange: Option<&'static str>,
}

impl Description {
    /// Describes a connection (either side: both dereference to [`CommonState`]) after its handshake.
    pub fn of(connection: &CommonState) -> Option<Description> {
        let protocol = match connection.protocol_version()? {
            ProtocolVersion::TLSv1_3 => "TLSv1.3",
            ProtocolVersion::TLSv1_2 => "TLSv1.2",
            _ => return None,
        };
        let (cipher, bits) = openssl_name(connection.negotiated_cipher_suite()?.suite());
        let key_exchange = connection
            .negotiated_key_exchange_group()
            .map(|group| group_name(group.name()));
        Some(Description {
            protocol,
            cipher,
            bits,
            key_exchange,
        })
    }
}

impl std::fmt::Display for Description {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{} with cipher {} ({}/{} bits)",
            self.protocol, self.cipher, self.bits, self.bits
        )
    }
}

fn openssl_name(suite: CipherSuite) -> (&'static str, u16) {
    match suite {
        CipherSuite::TLS13_AES_256_GCM_SHA384 => ("TLS_AES_256_GCM_SHA384", 256),
        CipherSuite::TLS13_AES_128_GCM_SHA256 => ("TLS_AES_128_GCM_SHA256", 128),
        CipherSuite::TLS13_CHACHA20_POLY1305_SHA256 => ("TLS_CHACHA20_POLY1305_SHA256", 256),
        CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384 => ("ECDHE-ECDSA-AES256-GCM-SHA384", 256),
        CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256 => ("ECDHE-ECDSA-AES128-GCM-SHA256", 128),
        CipherSuite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256 => ("ECDHE-ECDSA-CHACHA20-POLY1305", 256),
        CipherSuite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384 => ("ECDHE-RSA-AES256-GCM-SHA384", 256),
        CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256 => ("ECDHE-RSA-AES128-GCM-SHA256", 128),
        CipherSuite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256 => ("ECDHE-RSA-CHACHA20-POLY1305", 256),
        other => (other.as_str().unwrap_or("unknown"), 0),
    }
}

fn group_name(group: NamedGroup) -> &'static str {
    match group {
        NamedGroup::X25519 => "X25519",
        NamedGroup::X448 => "X448",
        NamedGroup::secp256r1 => "ECDHE (P-256)",
        NamedGroup::secp384r1 => "ECDHE (P-384)",
        NamedGroup::secp521r1 => "ECDHE (P-521)",
        NamedGroup::X25519MLKEM768 => "X25519MLKEM768",
        NamedGroup::secp256r1MLKEM768 => "SecP256r1MLKEM768",
        NamedGroup::MLKEM768 => "MLKEM768",
        other => other.as_str().unwrap_or("unknown"),
    }
}
