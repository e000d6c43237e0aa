//! The passdb blocks: does the password fit, by the word of one database?

use std::net::IpAddr;
use std::path::PathBuf;

use sasl::scheme::{self, Scheme};
use settings::Network;

use crate::passwd_file::{Entry, Files};
use crate::variables::{Variables, expand};
use crate::{Error, Reason, Request};

/// What one database says of a login.
#[derive(Debug)]
pub(crate) enum Answer {
    /// The password fits.
    Match(Found),
    /// The user is there, the password or something else is not right.
    Refused(Reason),
    /// The user is not there.
    Unknown,
    /// The database cannot be asked.
    Unavailable(String),
}

/// What a database tells besides.
#[derive(Debug, Default, Clone)]
pub(crate) struct Found {
    /// The user's real name (`user=` field).
    pub(crate) user: Option<String>,
    /// `userdb_…` fields, for the prefetch userdb.
    pub(crate) userdb: Vec<(String, String)>,
}

/// A driver with its arguments.
#[derive(Debug)]
pub(crate) enum Driver {
    PasswdFile {
        path: String,
        username_format: String,
        scheme: Scheme,
    },
    Static {
        password: Option<String>,
        scheme: Scheme,
        fields: Vec<(String, String)>,
    },
    NotYet(String),
}

impl Driver {
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Driver::PasswdFile { .. } => "passwd-file",
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
        match block.driver.as_str() {
            "passwd-file" => {
                let default = block
                    .options
                    .get("default_password_scheme")
                    .map_or("CRYPT", String::as_str);
                let args = FileArgs::of(&block.args, &block.options).map_err(&wrong)?;
                let scheme = args.scheme.as_deref().unwrap_or(default).parse();
                let scheme = scheme.map_err(|error: sasl::Error| wrong(error.to_string()))?;
                Ok(Driver::PasswdFile {
                    path: args.path,
                    username_format: args.username_format,
                    scheme,
                })
            }
            "static" => {
                let mut fields = words(&block.args);
                fields.extend(block.options.iter().filter_map(|(name, value)| {
                    let name = if name == "password" {
                        "password"
                    } else {
                        name.strip_prefix("fields/")?
                    };
                    Some((name.to_owned(), value.clone()))
                }));
                let password = fields
                    .iter()
                    .find(|(key, _)| key == "password")
                    .map(|(_, value)| value.clone());
                if password.is_none() && !has_nopassword(&fields) {
                    return Err(wrong("password=… or nopassword=y wanted".to_owned()));
                }
                let scheme = "PLAIN"
                    .parse()
                    .map_err(|error: sasl::Error| wrong(error.to_string()))?;
                Ok(Driver::Static {
                    password,
                    scheme,
                    fields,
                })
            }
            "pam" | "shadow" | "passwd" | "bsdauth" | "sql" | "ldap" | "dict" | "checkpassword" | "imap"
            | "lua" | "oauth2" => Err(Error::NotYet {
                place,
                kind: "passdb",
                what: format!("driver {}", block.driver),
            }),
            other => Err(Error::UnknownDriver {
                place,
                kind: "passdb",
                driver: other.to_owned(),
            }),
        }
    }

    /// Whether the password fits.
    pub(crate) fn verify(&self, user: &str, request: &Request<'_>, files: &Files) -> Answer {
        match self {
            Driver::NotYet(text) => Answer::Unavailable(text.clone()),
            Driver::Static {
                password,
                scheme,
                fields,
            } => {
                let answer = check_fields(fields, request);
                let Some(password) = password else {
                    return answer;
                };
                after_password(
                    scheme::verify(request.password.bytes(), password, scheme),
                    answer,
                    "static",
                )
            }
            Driver::PasswdFile {
                path,
                username_format,
                scheme,
            } => {
                let users = match file_users(path, user, &request.asker.service, files) {
                    Ok(users) => users,
                    Err(text) => return Answer::Unavailable(text),
                };
                let name = match formatted(username_format, user) {
                    Ok(name) => name,
                    Err(text) => return Answer::Unavailable(text),
                };
                match users.find(&name) {
                    Some(entry) => verify_entry(entry, scheme, request),
                    None => {
                        // As costly as for a user who is there.
                        if let Some(stored) = users.any_password() {
                            let _ = scheme::verify(request.password.bytes(), stored, scheme);
                        }
                        Answer::Unknown
                    }
                }
            }
        }
    }

    /// Whether the user is there, without a password.
    ///
    /// # Errors
    /// When the database cannot be asked; the text is for the log.
    pub(crate) fn exists(&self, user: &str, files: &Files) -> Result<bool, String> {
        match self {
            Driver::NotYet(text) => Err(text.clone()),
            Driver::Static { .. } => Ok(true),
            Driver::PasswdFile {
                path,
                username_format,
                ..
            } => Ok(file_users(path, user, "", files)?
                .find(&formatted(username_format, user)?)
                .is_some()),
        }
    }

    /// All users, when the driver can list them.
    ///
    /// # Errors
    /// When the database cannot be asked; the text is for the log.
    pub(crate) fn list(&self, files: &Files) -> Option<Result<Vec<String>, String>> {
        match self {
            Driver::PasswdFile { path, .. } if !path.contains('%') => Some(
                files
                    .users(&PathBuf::from(path))
                    .map(|users| users.names().to_vec()),
            ),
            _ => None,
        }
    }
}

/// `scheme=… username_format=… /path`
pub(crate) struct FileArgs {
    pub(crate) path: String,
    pub(crate) username_format: String,
    pub(crate) scheme: Option<String>,
}

impl FileArgs {
    pub(crate) fn of(
        args: &str,
        options: &std::collections::BTreeMap<String, String>,
    ) -> Result<FileArgs, String> {
        let mut found = FileArgs {
            path: String::new(),
            username_format: String::new(),
            scheme: None,
        };
        let mut rest = args.trim();
        while !rest.starts_with('/') && !rest.starts_with('%') && !rest.is_empty() {
            let (word, after) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
            match word.split_once('=') {
                Some(("scheme", scheme)) => found.scheme = Some(scheme.to_owned()),
                Some(("username_format", format)) => found.username_format = format.to_owned(),
                Some((key, _)) => return Err(format!("\"{key}\" is not known (scheme, username_format)")),
                None => break,
            }
            rest = after.trim_start();
        }
        found.path = rest.to_owned();
        if let Some(path) = options.get("passwd_file_path") {
            found.path = path.clone();
        }
        if let Some(format) = options
            .get("auth_username_format")
            .or(options.get("username_format"))
        {
            found.username_format = format.clone();
        }
        if found.path.is_empty() {
            Err("the path of the file is missing".to_owned())
        } else {
            Ok(found)
        }
    }
}

/// `key=value` words; one without `=` has the value `yes`.
pub(crate) fn words(text: &str) -> Vec<(String, String)> {
    let pairs = text
        .split_ascii_whitespace()
        .map(|word| word.split_once('=').unwrap_or((word, "yes")));
    pairs
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect()
}

pub(crate) fn file_users(
    path: &str,
    user: &str,
    service: &str,
    files: &Files,
) -> Result<std::sync::Arc<crate::passwd_file::Users>, String> {
    let variables = Variables {
        user,
        service,
        ..Variables::default()
    };
    let path = expand(path, &variables).map_err(|error| format!("passwd-file {path}: {error}"))?;
    files.users(&PathBuf::from(path))
}

pub(crate) fn formatted(username_format: &str, user: &str) -> Result<String, String> {
    match username_format {
        "" => Ok(user.to_owned()),
        format => expand(
            format,
            &Variables {
                user,
                ..Variables::default()
            },
        )
        .map_err(|error| format!("username_format={format}: {error}")),
    }
}

fn verify_entry(entry: &Entry, scheme: &Scheme, request: &Request<'_>) -> Answer {
    let answer = check_fields(&entry.extra, request);
    if entry.password.is_empty() {
        return if has_nopassword(&entry.extra) {
            answer
        } else {
            Answer::Refused(Reason::EmptyPassword)
        };
    }
    after_password(
        scheme::verify(request.password.bytes(), &entry.password, scheme),
        answer,
        "passwd-file",
    )
}

fn has_nopassword(fields: &[(String, String)]) -> bool {
    fields
        .iter()
        .any(|(key, value)| key == "nopassword" && value != "no" && value != "n")
}

/// The password comes first: without it, nothing else is told.
fn after_password(fits: Result<bool, sasl::Error>, answer: Answer, database: &str) -> Answer {
    match fits {
        Ok(true) => answer,
        Ok(false) => Answer::Refused(Reason::PasswordMismatch),
        Err(error) => Answer::Unavailable(format!("{database}: {error}")),
    }
}

/// `allow_nets`, `nologin`, `user` and `userdb_…` fields.
fn check_fields(fields: &[(String, String)], request: &Request<'_>) -> Answer {
    let mut found = Found::default();
    for (key, value) in fields {
        match key.as_str() {
            "allow_nets" if !allows(value, request.asker.remote) => return Answer::Refused(Reason::Network),
            "nologin" if value != "no" => return Answer::Refused(Reason::NoLogin),
            "user" => found.user = Some(value.clone()),
            key => {
                if let Some(name) = key.strip_prefix("userdb_") {
                    found.userdb.push((name.to_owned(), value.clone()));
                }
            }
        }
    }
    Answer::Match(found)
}

/// A comma-separated list of networks; `local` stands for no address.
fn allows(networks: &str, remote: Option<IpAddr>) -> bool {
    networks.split(',').map(str::trim).any(|network| match remote {
        None => network == "local",
        Some(remote) => network
            .parse::<Network>()
            .is_ok_and(|network| network.contains(remote)),
    })
}
