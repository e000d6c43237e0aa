//! What a server keeps of a password for SCRAM: `rounds,salt,stored key,server key`, as Dovecot writes it.

use super::{Hash, ROUNDS_MAX, base64, unbase64};

/// A stored password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keys {
    /// How often the password was hashed.
    pub rounds: u32,
    /// The salt.
    pub salt: Vec<u8>,
    /// The hash of the client's key.
    pub stored_key: Vec<u8>,
    /// The server's key.
    pub server_key: Vec<u8>,
}

impl Keys {
    /// Those of a password. `rounds` times an HMAC.
    pub fn of_password(hash: Hash, password: &[u8], salt: &[u8], rounds: u32) -> Keys {
        let salted = hash.pbkdf2(password, salt, rounds);
        Keys {
            rounds,
            salt: salt.to_vec(),
            stored_key: hash.digest(&hash.hmac(&salted, &[b"Client Key"])),
            server_key: hash.hmac(&salted, &[b"Server Key"]),
        }
    }

    /// Those of a stored text; `None` when it is not one.
    pub fn parse(hash: Hash, text: &str) -> Option<Keys> {
        let parts: Vec<&str> = text.split(',').collect();
        let [rounds, salt, stored_key, server_key] = parts[..] else {
            return None;
        };
        let keys = Keys {
            rounds: rounds.parse().ok()?,
            salt: unbase64(salt)?,
            stored_key: unbase64(stored_key)?,
            server_key: unbase64(server_key)?,
        };
        let fits = (1..=ROUNDS_MAX).contains(&keys.rounds)
            && keys.stored_key.len() == hash.size()
            && keys.server_key.len() == hash.size();
        fits.then_some(keys)
    }
}

impl std::fmt::Display for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let [salt, stored, server] =
            [&self.salt, &self.stored_key, &self.server_key].map(|part| base64(part));
        write!(f, "{},{salt},{stored},{server}", self.rounds)
    }
}
