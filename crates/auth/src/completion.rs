//! From the fields of a userdb to an account: defaults of the settings, variables, bounds.

use std::collections::BTreeMap;
use std::path::PathBuf;

use settings::Dovecot;

use crate::Account;
use crate::driver::Fields;
use crate::variables::{Variables, expand};

/// The service that asks for Postfix's local delivery (see [`crate::Authority::recipient`]).
pub(crate) const LOCAL_DELIVERY: &str = "local";

/// What completes an account, and the bounds it must keep.
#[derive(Debug)]
pub(crate) struct Completion {
    mail_uid: String,
    mail_gid: String,
    mail_home: String,
    mail_location: String,
    pub(crate) uids: (usize, usize),
    gids: (usize, usize),
}

impl Completion {
    pub(crate) fn of(settings: &Dovecot) -> Completion {
        Completion {
            mail_uid: settings.mail_uid.clone(),
            mail_gid: settings.mail_gid.clone(),
            mail_home: settings.mail_home.clone(),
            mail_location: settings.mail_location.clone(),
            uids: (settings.first_valid_uid, settings.last_valid_uid),
            gids: (settings.first_valid_gid, settings.last_valid_gid),
        }
    }

    /// The account of a user's fields, whose variables are still to be expanded; the last of equal names counts.
    pub(crate) fn account(&self, asked: &Variables<'_>, fields: Fields) -> Result<Account, String> {
        let mut extra: BTreeMap<String, String> = fields.into_iter().collect();
        self.take_mail_path(&mut extra);
        let asked_user = asked.user;
        let failed = |cause: String| format!("user {asked_user}: {cause}");
        let mut take = |name: &str, default: &str, variables: &Variables<'_>| {
            let text = extra
                .remove(name)
                .filter(|text| !text.is_empty())
                .unwrap_or_else(|| default.to_owned());
            expand(&text, variables).map_err(|error| failed(format!("{name}={text}: {error}")))
        };
        let user = take("user", "%u", asked)?;
        let variables = Variables {
            user: &user,
            ..*asked
        };
        let uid = uid_of(&take("uid", &self.mail_uid, &variables)?).map_err(failed)?;
        let gid = gid_of(&take("gid", &self.mail_gid, &variables)?).map_err(failed)?;
        // Postfix's local(8) never asked Dovecot who may read mail: www-data and others below first_valid_uid get theirs.
        if asked.service != LOCAL_DELIVERY {
            in_bounds("UID", "uid", uid, self.uids).map_err(failed)?;
            in_bounds("GID", "gid", gid, self.gids).map_err(failed)?;
        }
        let variables = Variables {
            uid: Some(uid),
            gid: Some(gid),
            ..variables
        };
        let home = take("home", &self.mail_home, &variables)?;
        let variables = Variables {
            home: &home,
            ..variables
        };
        let mail_location = take("mail", &self.mail_location, &variables)?;
        for (name, value) in &mut extra {
            *value = expand(value, &variables).map_err(|error| failed(format!("{name}={value}: {error}")))?;
        }
        let home = Some(home.clone())
            .filter(|home| !home.is_empty())
            .map(PathBuf::from);
        Ok(Account {
            user,
            uid,
            gid,
            home,
            mail_location,
            extra,
        })
    }
}

impl Completion {
    /// 2.4's `mail_path` and `mail_driver` are one `mail`; the driver of the settings counts when the user has none.
    fn take_mail_path(&self, extra: &mut BTreeMap<String, String>) {
        let Some(path) = extra.remove("mail_path") else {
            return;
        };
        let of_settings = self
            .mail_location
            .split_once(':')
            .map_or("maildir", |(driver, _)| driver);
        let driver = extra
            .remove("mail_driver")
            .unwrap_or_else(|| of_settings.to_owned());
        extra
            .entry("mail".to_owned())
            .or_insert_with(|| format!("{driver}:{path}"));
    }
}

fn uid_of(text: &str) -> Result<u32, String> {
    if text.is_empty() {
        return Err("the userdb gives no uid (see mail_uid)".to_owned());
    }
    match text.parse() {
        Ok(uid) => Ok(uid),
        Err(_) => match os::users::user_by_name(text) {
            Ok(Some(user)) => Ok(user.uid),
            Ok(None) => Err(format!("uid={text}: there is no such user of the system")),
            Err(error) => Err(format!("uid={text}: {error}")),
        },
    }
}

fn gid_of(text: &str) -> Result<u32, String> {
    if text.is_empty() {
        return Err("the userdb gives no gid (see mail_gid)".to_owned());
    }
    match text.parse() {
        Ok(gid) => Ok(gid),
        Err(_) => match os::users::group_by_name(text) {
            Ok(Some(group)) => Ok(group.gid),
            Ok(None) => Err(format!("gid={text}: there is no such group of the system")),
            Err(error) => Err(format!("gid={text}: {error}")),
        },
    }
}

/// `first_valid_uid` and its like; a last one of 0 means any.
fn in_bounds(shown: &str, name: &str, id: u32, (first, last): (usize, usize)) -> Result<(), String> {
    let number = id as usize;
    if number >= first && (last == 0 || number <= last) {
        return Ok(());
    }
    Err(format!(
        "Mail access for users with {shown} {id} not permitted (see first_valid_{name} in config file)"
    ))
}
