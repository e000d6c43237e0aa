//! `unix:passwd.byname` and `unix:group.byname`: the users and groups of the system.

use crate::{Error, Table, waiting};

/// One of the two.
#[derive(Debug)]
pub enum SystemUsers {
    /// A user's line as in passwd(5), without the password.
    Passwd,
    /// A group's line as in group(5).
    Group,
}

impl SystemUsers {
    pub(crate) fn new(name: &str) -> Result<SystemUsers, Error> {
        match name {
            "passwd.byname" => Ok(SystemUsers::Passwd),
            "group.byname" => Ok(SystemUsers::Group),
            other => Err(Error::Syntax {
                place: "unknown table".to_owned(),
                cause: format!("unix:{other}"),
            }),
        }
    }
}

impl Table for SystemUsers {
    fn lookup(&self, key: &str) -> Result<Option<String>, Error> {
        self.lookup_unfolded(&key.to_lowercase())
    }

    fn lookup_unfolded(&self, key: &str) -> Result<Option<String>, Error> {
        waiting::look("unix", || self.found(key))
    }
}

impl SystemUsers {
    fn found(&self, key: &str) -> Result<Option<String>, Error> {
        let failed = |table: &str, error: os::Error| Error::Lookup {
            table: table.to_owned(),
            cause: error.to_string(),
        };
        match self {
            SystemUsers::Passwd => {
                let user =
                    os::users::user_by_name(key).map_err(|error| failed("unix:passwd.byname", error))?;
                Ok(user.map(|user| {
                    let (home, shell) = (user.home.display(), user.shell.display());
                    format!(
                        "{}:x:{}:{}:{}:{home}:{shell}",
                        user.name, user.uid, user.gid, user.gecos
                    )
                }))
            }
            SystemUsers::Group => {
                let group =
                    os::users::group_by_name(key).map_err(|error| failed("unix:group.byname", error))?;
                Ok(group.map(|group| format!("{}:x:{}:{}", group.name, group.gid, group.members.join(","))))
            }
        }
    }
}
