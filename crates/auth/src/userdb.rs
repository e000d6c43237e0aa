//! The userdb blocks: who is a user, by the word of one database?

use std::path::PathBuf;

use crate::Error;
use crate::passdb::{FileArgs, file_users, formatted, words};
use crate::passwd_file::Files;

/// What a database says of a user: fields under their userdb names (`uid`, `gid`, `home`, `mail`, others). Variables
/// in them are expanded when the account is made.
pub(crate) type Fields = Vec<(String, String)>;

/// A driver with its arguments.
#[derive(Debug)]
pub(crate) enum Driver {
    PasswdFile { path: String, username_format: String },
    Static { fields: Fields, allow_all_users: bool },
    Passwd,
    Prefetch,
    NotYet(String),
}

impl Driver {
    /// Reads a block's driver and arguments.
    pub(crate) fn of(block: &settings::Userdb) -> Result<Driver, Error> {
        let place = format!("{}:{}", block.place.0, block.place.1);
        let wrong = |cause: String| Error::Args {
            place: place.clone(),
            kind: "userdb",
            driver: block.driver.clone(),
            cause,
        };
        match block.driver.as_str() {
            "passwd-file" => {
                let args = FileArgs::of(&block.args, &block.options).map_err(wrong)?;
                Ok(Driver::PasswdFile {
                    path: args.path,
                    username_format: args.username_format,
                })
            }
            "static" => {
                let mut fields = words(&block.args);
                fields.extend(block.options.iter().filter_map(|(name, value)| {
                    Some((name.strip_prefix("fields/")?.to_owned(), value.clone()))
                }));
                let allow_all_users = fields
                    .iter()
                    .any(|(key, value)| key == "allow_all_users" && value == "yes")
                    || block
                        .options
                        .get("static_allow_all_users")
                        .is_some_and(|value| value == "yes");
                fields.retain(|(key, _)| key != "allow_all_users");
                Ok(Driver::Static {
                    fields,
                    allow_all_users,
                })
            }
            "passwd" => Ok(Driver::Passwd),
            "prefetch" => Ok(Driver::Prefetch),
            "sql" | "ldap" | "dict" | "checkpassword" | "lua" | "nss" => Err(Error::NotYet {
                place,
                kind: "userdb",
                what: format!("driver {}", block.driver),
            }),
            other => Err(Error::UnknownDriver {
                place,
                kind: "userdb",
                driver: other.to_owned(),
            }),
        }
    }

    /// Whether finding a user here proves nothing (a static block knows everybody).
    pub(crate) fn needs_proof(&self) -> bool {
        matches!(
            self,
            Driver::Static {
                allow_all_users: false,
                ..
            }
        )
    }

    /// What the database says of a user; `None` when it is not there. `prefetched` are the passdb's `userdb_` fields.
    ///
    /// # Errors
    /// When the database cannot be asked; the text is for the log.
    pub(crate) fn find(
        &self,
        user: &str,
        service: &str,
        prefetched: &[(String, String)],
        files: &Files,
    ) -> Result<Option<Fields>, String> {
        match self {
            Driver::NotYet(text) => Err(text.clone()),
            Driver::Prefetch => {
                let is_complete = prefetched.iter().any(|(key, _)| key == "uid" || key == "home");
                Ok(is_complete.then(|| prefetched.to_vec()))
            }
            Driver::Static { fields, .. } => Ok(Some(fields.clone())),
            Driver::Passwd => {
                let found =
                    os::users::user_by_name(user).map_err(|error| format!("userdb passwd: {error}"))?;
                Ok(found.map(|user| {
                    let home = literal(&user.home.to_string_lossy());
                    let pairs = [
                        ("uid", user.uid.to_string()),
                        ("gid", user.gid.to_string()),
                        ("home", home),
                    ];
                    pairs
                        .into_iter()
                        .map(|(key, value)| (key.to_owned(), value))
                        .collect()
                }))
            }
            Driver::PasswdFile {
                path,
                username_format,
            } => {
                let users = file_users(path, user, service, files)?;
                let Some(entry) = users.find(&formatted(username_format, user)?) else {
                    return Ok(None);
                };
                let mut fields = vec![
                    ("uid".to_owned(), entry.uid.clone()),
                    ("gid".to_owned(), entry.gid.clone()),
                    ("home".to_owned(), literal(&entry.home)),
                ];
                fields.retain(|(_, value)| !value.is_empty());
                let prefixed = entry
                    .extra
                    .iter()
                    .filter_map(|(key, value)| Some((key.strip_prefix("userdb_")?, value)));
                fields.extend(prefixed.map(|(key, value)| (key.to_owned(), value.clone())));
                Ok(Some(fields))
            }
        }
    }

    /// All users, when the driver can list them.
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

/// A text of a database in which a percent sign means itself.
fn literal(text: &str) -> String {
    text.replace('%', "%%")
}
