//! Stored passwords for mechanisms that never see a password: what the passdbs have in a form that serves.

use sasl::scheme::{self, Scheme, Weak};
use settings::Dovecot;

use crate::Reason;
use crate::driver::{Record, is_set};
use crate::passdb::{Answer, Driver};
use crate::passwd_file::Files;
use crate::variables::Variables;

/// What one database has for a mechanism.
#[derive(Debug)]
pub(crate) struct Stored {
    /// Whether the user is there and may log in.
    pub(crate) answer: Answer,
    /// The stored password with its `{SCHEME}`, when it serves.
    pub(crate) stored: Option<String>,
    /// One that the dialogue may go on with to its end, when it is to fail: it costs the same then.
    pub(crate) decoy: Option<String>,
}

impl From<Answer> for Stored {
    fn from(answer: Answer) -> Stored {
        Stored {
            answer,
            stored: None,
            decoy: None,
        }
    }
}

impl Stored {
    /// The same, of a user who may not log in.
    pub(crate) fn refused(self, reason: Reason) -> Stored {
        Stored {
            answer: Answer::Refused(reason),
            decoy: self.stored.or(self.decoy),
            stored: None,
        }
    }
}

/// Whether a passdb believes weak schemes: by the setting in its block (2.4), else by the one outside.
pub(crate) fn weak(settings: &Dovecot, block: &settings::Passdb) -> Weak {
    let own = block
        .options
        .get("auth_allow_weak_schemes")
        .map(|text| text == "yes");
    if own.unwrap_or(settings.auth_allow_weak_schemes) {
        Weak::Allowed
    } else {
        Weak::Refused
    }
}

impl Driver {
    /// The same driver, with weak schemes believed or not.
    pub(crate) fn with_weak(self, weak: Weak) -> Driver {
        match self {
            Driver::PasswdFile { file, scheme } => Driver::PasswdFile {
                file,
                scheme: scheme.with_weak(weak),
            },
            Driver::Static {
                password,
                scheme,
                fields,
            } => Driver::Static {
                password,
                scheme: scheme.with_weak(weak),
                fields,
            },
            Driver::Sql(sql) => Driver::Sql(sql.with_weak(weak)),
            Driver::Shadow { scheme } => Driver::Shadow {
                scheme: scheme.with_weak(weak),
            },
            Driver::Passwd { scheme } => Driver::Passwd {
                scheme: scheme.with_weak(weak),
            },
            other @ (Driver::Pam(_) | Driver::NotYet(_)) => other,
        }
    }

    /// Another user's stored password, for a user who is not there.
    pub(crate) fn decoy(&self, variables: &Variables<'_>, files: &Files) -> Option<String> {
        let Driver::PasswdFile { file, scheme } = self else {
            return None;
        };
        let users = file.users(variables, files).ok()?;
        users.any_password().map(|stored| with_scheme(stored, scheme))
    }
}

/// What a user's record has for a mechanism that can use `schemes`. Says nothing yet of the other fields.
pub(crate) fn fit(record: &Record, schemes: &[&str], driver: &Driver) -> Stored {
    let Some(stored) = record.password.as_deref().filter(|stored| !stored.is_empty()) else {
        // Without a password there is nothing to prove; a block before this one may have one.
        return if is_set(&record.fields, "nopassword") {
            Answer::Match(record.fields.clone()).into()
        } else {
            Answer::Refused(Reason::EmptyPassword).into()
        };
    };
    if driver.is_locked(stored) {
        return Answer::Refused(Reason::Disabled).into();
    }
    let stored = with_scheme(stored, &record.scheme);
    match scheme::serves(&stored, schemes) {
        Ok(()) => Stored {
            answer: Answer::Match(record.fields.clone()),
            stored: Some(stored),
            decoy: None,
        },
        Err(sasl::Error::Unfit(scheme)) => Answer::Refused(Reason::Scheme {
            wanted: schemes.first().copied().unwrap_or_default().to_owned().into(),
            stored: scheme.into(),
        })
        .into(),
        Err(error) => Answer::Unavailable(format!("{}: {error}", driver.name())).into(),
    }
}

/// A stored password, as the default scheme of its database completes it.
fn with_scheme(stored: &str, default: &Scheme) -> String {
    match stored.starts_with('{') {
        true => stored.to_owned(),
        false => format!("{{{}}}{stored}", default.name()),
    }
}
