//! What a user name may look like, and how it is changed before lookups.

use settings::Dovecot;

use crate::Reason;
use crate::variables::{Variables, expand};

/// The longest user name, in bytes.
pub const USER_BYTES_MAX: usize = 512;

/// The rules of the settings.
#[derive(Debug, Clone)]
pub(crate) struct Names {
    format: String,
    chars: String,
    /// Pairs: replace the first by the second.
    translation: Vec<char>,
    default_realm: String,
    /// `auth_master_user_separator`: `user*master`.
    separator: Option<char>,
}

/// Who is to be logged in by whose password.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Login {
    /// Oneself.
    Plain(String),
    /// Another user.
    Master {
        /// Who is logged in.
        user: String,
        /// Whose password it is.
        master: String,
    },
}

impl Names {
    pub(crate) fn of(settings: &Dovecot) -> Names {
        Names {
            format: settings.auth_username_format.clone(),
            chars: settings.auth_username_chars.clone(),
            translation: settings.auth_username_translation.chars().collect(),
            default_realm: settings.auth_default_realm.clone(),
            separator: settings.auth_master_user_separator.chars().next(),
        }
    }

    /// Who is to be logged in: by `authzid` (empty: nobody else), or by a name that holds the separator.
    pub(crate) fn login(&self, given: &str, authzid: &str) -> Result<Login, Reason> {
        let (user, master) = match self.separator.and_then(|separator| given.split_once(separator)) {
            Some((user, master)) if authzid.is_empty() && !user.is_empty() && !master.is_empty() => {
                (user, master)
            }
            _ => (authzid, given),
        };
        let master = self.normalise(master)?;
        if user.is_empty() {
            return Ok(Login::Plain(master));
        }
        let user = self.normalise(user)?;
        Ok(match user == master {
            true => Login::Plain(user),
            false => Login::Master { user, master },
        })
    }

    /// The name under which a user is looked up.
    pub(crate) fn normalise(&self, given: &str) -> Result<String, Reason> {
        if given.is_empty() {
            return Err(Reason::InvalidName("empty".into()));
        }
        if given.len() > USER_BYTES_MAX {
            return Err(Reason::InvalidName("too long".into()));
        }
        let mut user: String = given.chars().map(|c| self.translate(c)).collect();
        if !self.chars.is_empty() && !user.chars().all(|c| self.chars.contains(c)) {
            return Err(Reason::InvalidName(
                "Username character disallowed by auth_username_chars".into(),
            ));
        }
        // Whatever the setting says: a name becomes part of paths and of lines.
        if user.chars().any(|c| c.is_control() || c == '/')
            || user.split('@').any(|part| part == "." || part == "..")
        {
            return Err(Reason::InvalidName("control character, slash or dots".into()));
        }
        if !self.default_realm.is_empty() && !user.contains('@') {
            user = format!("{user}@{}", self.default_realm);
        }
        if self.format.is_empty() {
            return Ok(user);
        }
        let variables = Variables {
            user: &user,
            ..Variables::default()
        };
        let user = expand(&self.format, &variables)
            .map_err(|_| Reason::InvalidName("auth_username_format is wrong".into()))?;
        if user.is_empty() {
            Err(Reason::InvalidName("empty".into()))
        } else {
            Ok(user)
        }
    }

    fn translate(&self, c: char) -> char {
        self.translation
            .chunks_exact(2)
            .find(|pair| pair[0] == c)
            .map_or(c, |pair| pair[1])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn master_users_come_by_separator_or_by_authzid() {
        let mut settings = Dovecot::defaults();
        let master = |user: &str, master: &str| {
            Ok(Login::Master {
                user: user.to_owned(),
                master: master.to_owned(),
            })
        };
        let plain = |user: &str| Ok(Login::Plain(user.to_owned()));
        let names = Names::of(&settings);
        assert!(names.login("ann*boss", "").is_err());
        assert_eq!(names.login("boss", "Ann"), master("ann", "boss"));
        settings.auth_master_user_separator = "*".to_owned();
        let names = Names::of(&settings);
        assert_eq!(names.login("Ann*boss", ""), master("ann", "boss"));
        assert_eq!(names.login("ann*ann", ""), plain("ann"));
        assert_eq!(names.login("ann", "ANN"), plain("ann"));
        assert!(names.login("*boss", "").is_err() && names.login("ann*a*b", "").is_err());
    }

    #[test]
    fn names_are_normalised_and_checked() {
        let mut settings = Dovecot::defaults();
        let names = Names::of(&settings);
        assert_eq!(
            names.normalise("Alice@Example.TEST").as_deref(),
            Ok("alice@example.test")
        );
        for wrong in [
            "",
            "a/b",
            "a b",
            "../x",
            "..",
            "a@..",
            "a\0",
            "é",
            "a:b",
            &"x".repeat(USER_BYTES_MAX + 1),
        ] {
            assert!(
                matches!(names.normalise(wrong), Err(Reason::InvalidName(_))),
                "{wrong}"
            );
        }
        settings.auth_username_format = "%Ln".to_owned();
        settings.auth_username_translation = "#@".to_owned();
        assert_eq!(Names::of(&settings).normalise("Bob#x").as_deref(), Ok("bob"));
        settings.auth_username_format = "%u".to_owned();
        settings.auth_default_realm = "example.test".to_owned();
        assert_eq!(
            Names::of(&settings).normalise("Bob").as_deref(),
            Ok("Bob@example.test")
        );
        settings.auth_username_chars = String::new();
        assert!(Names::of(&settings).normalise("../x").is_err());
    }
}
