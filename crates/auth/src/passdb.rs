//! The passdb blocks: one database's word about a user and a password.

use sasl::scheme::{self, Scheme};

use crate::driver::{Fields, FileArgs, Record, Uids, block_fields, is_set, literal, system_users, words};
use crate::pam::Pam;
use crate::passwd_file::Files;
use crate::sql::Sql;
use crate::variables::{Variables, expand};
use crate::{Error, Reason};

/// What one database says of a login.
#[derive(Debug)]
pub(crate) enum Answer {
    /// The password fits; the fields are what the database tells besides.
    Match(Fields),
    /// The user is there, the password or something else is not right.
    Refused(Reason),
    /// The user is not there.
    Unknown,
    /// The database cannot be asked.
    Unavailable(String),
}

/// A driver with its arguments.
#[derive(Debug)]
pub(crate) enum Driver {
    Pam(Pam),
    PasswdFile {
        file: FileArgs,
        scheme: Scheme,
    },
    Sql(Sql),
    Shadow {
        scheme: Scheme,
    },
    Passwd {
        scheme: Scheme,
    },
    Static {
        password: Option<String>,
        scheme: Scheme,
        fields: Fields,
    },
    NotYet(String),
}

/// Drivers that Dovecot has and Yubin does not.
const LATER: [&str; 8] = [
    "bsdauth",
    "ldap",
    "dict",
    "checkpassword",
    "imap",
    "lua",
    "oauth2",
    "vpopmail",
];

impl Driver {
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Driver::Pam(_) => "pam",
            Driver::PasswdFile { .. } => "passwd-file",
            Driver::Sql(_) => "sql",
            Driver::Shadow { .. } => "shadow",
            Driver::Passwd { .. } => "passwd",
            Driver::Static { .. } => "static",
            Driver::NotYet(_) => "auth",
        }
    }

    /// Reads a block's driver and arguments.
    pub(crate) fn of(block: &settings::Passdb) -> Result<Driver, Error> {
        let place = format!("{}:{}", block.place.0, block.place.1);
        let wrong = |cause: String| Error::Args {
            place: place.clone(),
            kind: "passdb",
            driver: block.driver.clone(),
            cause,
        };
        let scheme_of = |name: &str| {
            let parsed = name.parse::<Scheme>();
            parsed.map_err(|error| wrong(error.to_string()))
        };
        let default_scheme = |otherwise: &'static str| {
            let set = block.options.get("default_password_scheme");
            scheme_of(set.map_or(otherwise, String::as_str))
        };
        match block.driver.as_str() {
            "pam" => Pam::of(&block.args).map(Driver::Pam).map_err(wrong),
            "passwd-file" => {
                let file = FileArgs::of(&block.args, &block.options).map_err(&wrong)?;
                let scheme = match &file.scheme {
                    Some(name) => scheme_of(name)?,
                    None => default_scheme("CRYPT")?,
                };
                Ok(Driver::PasswdFile { file, scheme })
            }
            "sql" => match block.options.get("sql/driver").map(String::as_str) {
                Some(other @ ("mysql" | "pgsql" | "cassandra")) => Err(Error::NotYet {
                    place,
                    kind: "passdb",
                    what: format!("driver sql by {other}"),
                }),
                _ => Sql::of(&block.options, "PLAIN").map(Driver::Sql).map_err(wrong),
            },
            "shadow" => Ok(Driver::Shadow {
                scheme: default_scheme("CRYPT")?,
            }),
            "passwd" => Ok(Driver::Passwd {
                scheme: default_scheme("CRYPT")?,
            }),
            "static" => {
                let mut fields = words(&block.args);
                fields.extend(
                    block
                        .options
                        .get("password")
                        .map(|text| ("password".to_owned(), text.clone())),
                );
                fields.extend(block_fields(&block.options));
                let password = fields
                    .iter()
                    .find(|(key, _)| key == "password")
                    .map(|(_, value)| value.clone());
                if password.is_none() && !is_set(&fields, "nopassword") {
                    return Err(wrong("password=… or nopassword=y wanted".to_owned()));
                }
                fields.retain(|(key, _)| key != "password");
                Ok(Driver::Static {
                    password,
                    scheme: default_scheme("PLAIN")?,
                    fields,
                })
            }
            other if LATER.contains(&other) => Err(Error::NotYet {
                place,
                kind: "passdb",
                what: format!("driver {other}"),
            }),
            other => Err(Error::UnknownDriver {
                place,
                kind: "passdb",
                driver: other.to_owned(),
            }),
        }
    }

    /// What is looked up is the same for equal keys; `None` where nothing is gained by keeping it.
    pub(crate) fn cache_key(&self, variables: &Variables<'_>) -> Option<String> {
        match self {
            Driver::Sql(sql) => sql.password_query(variables).ok(),
            Driver::Shadow { .. } | Driver::Passwd { .. } => Some(variables.user.to_owned()),
            Driver::Pam(pam) => expand(pam.cache_key.as_deref()?, variables).ok(),
            Driver::PasswdFile { .. } | Driver::Static { .. } | Driver::NotYet(_) => None,
        }
    }

    /// What the database holds of a user. PAM holds nothing that can be shown: it can only be asked with a password.
    ///
    /// # Errors
    /// When the database cannot be asked; the text is for the log.
    pub(crate) fn record(&self, variables: &Variables<'_>, files: &Files) -> Result<Option<Record>, String> {
        match self {
            Driver::NotYet(text) => Err(text.clone()),
            Driver::Pam(_) => Err("pam: it can only be asked with a password".to_owned()),
            Driver::Static {
                password,
                scheme,
                fields,
            } => {
                let password = password.as_ref().map(|text| expand(text, variables));
                Ok(Some(Record {
                    password: password.transpose().map_err(|error| format!("static: {error}"))?,
                    scheme: scheme.clone(),
                    fields: fields.clone(),
                }))
            }
            Driver::PasswdFile { file, scheme } => {
                let users = file.users(variables, files)?;
                let found = users.find(&file.name(variables)?);
                Ok(found.map(|entry| Record {
                    password: Some(entry.password.clone()),
                    scheme: scheme.clone(),
                    fields: entry.extra.clone(),
                }))
            }
            Driver::Sql(sql) => sql.passdb_record(variables),
            Driver::Shadow { scheme } => {
                let found =
                    os::shadow::shadow_by_name(variables.user).map_err(|error| format!("shadow: {error}"))?;
                Ok(found.map(|entry| hashed(entry.password, scheme)))
            }
            Driver::Passwd { scheme } => {
                let found =
                    os::shadow::passwd_field(variables.user).map_err(|error| format!("passwd: {error}"))?;
                Ok(found.map(|field| hashed(field, scheme)))
            }
        }
    }

    /// Spends as much on an unknown user as a wrong password costs, so that the time does not tell who is there.
    pub(crate) fn waste_time(&self, variables: &Variables<'_>, files: &Files) {
        if let Driver::PasswdFile { file, scheme } = self
            && let Ok(users) = file.users(variables, files)
            && let Some(stored) = users.any_password()
        {
            let password = variables.password.as_bytes();
            let _ = scheme::verify_of(Some(variables.user), password, stored, scheme);
        }
    }

    fn is_of_system(&self) -> bool {
        matches!(self, Driver::Shadow { .. } | Driver::Passwd { .. })
    }

    /// Whether a stored password is the system's way of saying that nobody logs in by it.
    pub(crate) fn is_locked(&self, stored: &str) -> bool {
        self.is_of_system() && stored.starts_with(['*', '!'])
    }

    /// All users, when the driver can list them.
    ///
    /// # Errors
    /// When the database cannot be asked; the text is for the log.
    pub(crate) fn list(&self, files: &Files, uids: Uids) -> Option<Result<Vec<String>, String>> {
        match self {
            Driver::PasswdFile { file, .. } => file.list(files),
            Driver::Sql(sql) => sql.list(),
            Driver::Shadow { .. } | Driver::Passwd { .. } => Some(system_users(uids)),
            _ => None,
        }
    }
}

/// A record of the system: a hash that begins with `*` or `!` fits nothing.
fn hashed(password: String, scheme: &Scheme) -> Record {
    Record {
        password: Some(password),
        scheme: scheme.clone(),
        fields: Vec::new(),
    }
}

/// Whether the password fits what was stored. Says nothing yet of the other fields.
pub(crate) fn judge(record: &Record, variables: &Variables<'_>, driver: &Driver) -> Answer {
    let database = driver.name();
    let Some(stored) = record.password.as_deref().filter(|stored| !stored.is_empty()) else {
        return if is_set(&record.fields, "nopassword") {
            Answer::Match(record.fields.clone())
        } else {
            Answer::Refused(Reason::EmptyPassword)
        };
    };
    if driver.is_locked(stored) {
        return Answer::Refused(Reason::Disabled);
    }
    let password = variables.password.as_bytes();
    match scheme::verify_of(Some(variables.user), password, stored, &record.scheme) {
        Ok(true) => Answer::Match(record.fields.clone()),
        Ok(false) => Answer::Refused(Reason::PasswordMismatch),
        Err(error @ sasl::Error::WeakScheme(_)) => Answer::Unavailable(format!("{database}: {error}")),
        // In a system's file, whatever is no hash is a way of saying that nobody can log in by it.
        Err(_) if driver.is_of_system() => Answer::Refused(Reason::PasswordMismatch),
        Err(error) => Answer::Unavailable(format!("{database}: {error}")),
    }
}

/// What a passdb without a stored password knows once the password was right.
pub(crate) fn renamed(user: &str, asked: &str) -> Fields {
    if user == asked {
        Vec::new()
    } else {
        vec![("user".to_owned(), literal(user))]
    }
}
