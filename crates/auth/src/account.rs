//! A user as the services need to know it.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// What a userdb says about a user, completed by `mail_uid`, `mail_gid`, `mail_home` and `mail_location`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// The name by which everything of the user is called.
    pub user: String,
    /// Whose rights its mail is handled with.
    pub uid: u32,
    /// The primary group.
    pub gid: u32,
    /// The home directory, if there is one.
    pub home: Option<PathBuf>,
    /// Where its mail is, variables expanded; empty when nothing says so.
    pub mail_location: String,
    /// Other fields, such as `quota_rule`, without the `userdb_` before them.
    pub extra: BTreeMap<String, String>,
}

impl Account {
    /// Somebody of whom nothing but the name is known: nothing of it may be opened (the uid is the one that means nobody).
    pub(crate) fn of_name(user: String) -> Account {
        Account {
            user,
            uid: u32::MAX,
            gid: u32::MAX,
            home: None,
            mail_location: String::new(),
            extra: BTreeMap::new(),
        }
    }
}
