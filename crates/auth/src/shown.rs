//! `auth_verbose_passwords`: how a password that was refused is shown in the log, for finding programs with an old one.

use sha1::{Digest, Sha1};

/// How many characters are shown when the setting does not say.
const ALL: usize = usize::MAX;

/// The setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ShownPasswords {
    No,
    /// As it is, at most so many characters.
    Plain(usize),
    /// Its SHA-1 in hexadecimal, at most so many digits.
    Sha1(usize),
}

impl ShownPasswords {
    /// `no`, `plain`, `sha1`, `plain:4`, `sha1:6`.
    pub(crate) fn of(text: &str) -> ShownPasswords {
        let (word, most) = match text.split_once(':') {
            Some((word, number)) => (word, number.parse().unwrap_or(ALL)),
            None => (text, ALL),
        };
        match word {
            "plain" | "yes" => ShownPasswords::Plain(most),
            "sha1" => ShownPasswords::Sha1(most),
            _ => ShownPasswords::No,
        }
    }

    /// `given password: x`; nothing when passwords are not shown.
    pub(crate) fn of_password(self, password: &[u8]) -> Option<String> {
        match self {
            ShownPasswords::No => None,
            ShownPasswords::Plain(most) => {
                let text: String = String::from_utf8_lossy(password).chars().take(most).collect();
                Some(format!("given password: {}", text.escape_debug()))
            }
            ShownPasswords::Sha1(most) => {
                let digest = Sha1::digest(password);
                let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
                Some(format!("SHA1 of given password: {}", &hex[..most.min(hex.len())]))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As Debian's Dovecot writes them.
    #[test]
    fn forms() {
        let shown = |setting: &str| ShownPasswords::of(setting).of_password(b"pw");
        assert_eq!(shown("sha1:6").as_deref(), Some("SHA1 of given password: 1a91d6"));
        assert_eq!(shown("plain:1").as_deref(), Some("given password: p"));
        assert_eq!(shown("no"), None);
    }
}
