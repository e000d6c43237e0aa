//! The userdb blocks: who is a user, by the word of one database?

use crate::Error;
use crate::driver::{Fields, FileArgs, Uids, block_fields, is_set, literal, system_users, words};
use crate::passwd_file::Files;
use crate::sql::Sql;
use crate::variables::Variables;

/// A driver with its arguments. What it finds are fields under their userdb names (`uid`, `gid`, `home`, `mail`, others),
/// whose variables are expanded when the account is made.
#[derive(Debug)]
pub(crate) enum Driver {
    PasswdFile(FileArgs),
    Sql(Sql),
    Static { fields: Fields, allow_all_users: bool },
    Passwd,
    Prefetch,
    NotYet(String),
}

impl Driver {
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Driver::PasswdFile(_) => "passwd-file",
            Driver::Sql(_) => "sql",
            Driver::Static { .. } => "static",
            Driver::Passwd => "passwd",
            Driver::Prefetch => "prefetch",
            Driver::NotYet(_) => "auth",
        }
    }

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
                let file = FileArgs::of(&block.args, &block.options).map_err(wrong)?;
                Ok(Driver::PasswdFile(file))
            }
            "static" => {
                let mut fields = words(&block.args);
                fields.extend(block_fields(&block.options));
                let allow_all_users = is_set(&fields, "allow_all_users")
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
            "sql" => match block.options.get("sql/driver").map(String::as_str) {
                Some(other @ ("mysql" | "pgsql" | "cassandra")) => Err(Error::NotYet {
                    place,
                    kind: "userdb",
                    what: format!("driver sql by {other}"),
                }),
                _ => Sql::of(&block.options, "PLAIN").map(Driver::Sql).map_err(wrong),
            },
            // Both ask the name service of the system.
            "passwd" | "nss" => Ok(Driver::Passwd),
            "prefetch" => Ok(Driver::Prefetch),
            "ldap" | "dict" | "checkpassword" | "lua" | "vpopmail" => Err(Error::NotYet {
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

    /// What is looked up is the same for equal keys; `None` where nothing is gained by keeping it.
    pub(crate) fn cache_key(&self, variables: &Variables<'_>) -> Option<String> {
        match self {
            Driver::Sql(sql) => sql.user_query(variables).ok(),
            Driver::Passwd => Some(variables.user.to_owned()),
            _ => None,
        }
    }

    /// What the database says of a user; `None` when it is not there. `prefetched` are the passdb's `userdb_` fields.
    ///
    /// # Errors
    /// When the database cannot be asked; the text is for the log.
    pub(crate) fn find(
        &self,
        variables: &Variables<'_>,
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
            Driver::Sql(sql) => sql.userdb_fields(variables),
            Driver::Passwd => {
                let found = os::users::user_by_name(variables.user)
                    .map_err(|error| format!("userdb passwd: {error}"))?;
                Ok(found.map(|user| {
                    let pairs = [
                        ("system_groups_user", literal(&user.name)),
                        ("uid", user.uid.to_string()),
                        ("gid", user.gid.to_string()),
                        ("home", literal(&user.home.to_string_lossy())),
                    ];
                    pairs
                        .into_iter()
                        .map(|(key, value)| (key.to_owned(), value))
                        .collect()
                }))
            }
            Driver::PasswdFile(file) => {
                let users = file.users(variables, files)?;
                let Some(entry) = users.find(&file.name(variables)?) else {
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
    pub(crate) fn list(&self, files: &Files, uids: Uids) -> Option<Result<Vec<String>, String>> {
        match self {
            Driver::PasswdFile(file) => file.list(files),
            Driver::Sql(sql) => sql.list(),
            Driver::Passwd => Some(system_users(uids)),
            _ => None,
        }
    }
}
