//! Whose mail a command works on, and with whose rights.

use std::path::Path;

use auth::Account;
use auth::variables::{Variables, expand};
use os::identity::Identity;
use settings::Dovecot;

/// Why nobody's mail can be worked on.
#[derive(Debug)]
pub(crate) enum Refused {
    /// The user is root.
    Root(String),
    /// It is another user's, and this process is not root.
    NoRight(String),
    /// The system does not say who the user is.
    Unknown(String),
}

/// Whom this process must become to work on the mail of `account`; nobody when it is that user.
///
/// # Errors
/// When it may not, or cannot.
pub(crate) fn identity_of(account: &Account) -> Result<Option<Identity>, Refused> {
    let user = &account.user;
    if account.uid == 0 {
        return Err(Refused::Root(format!(
            "user {user} is root: mail is never written as root"
        )));
    }
    if account.uid == Identity::current().uid {
        return Ok(None);
    }
    if !os::is_root() {
        return Err(Refused::NoRight(format!(
            "cannot use the mail of {user}: it is another user's. Call the command as root or as that user"
        )));
    }
    let unknown = |error: os::Error| Refused::Unknown(error.to_string());
    let system = os::users::user_by_name(user).map_err(unknown)?;
    let groups = match system.filter(|system| system.uid == account.uid) {
        Some(system) => os::users::groups_of(&system).map_err(unknown)?,
        None => vec![account.gid],
    };
    Ok(Some(Identity {
        uid: account.uid,
        gid: account.gid,
        groups,
    }))
}

/// Who calls, as its environment says.
///
/// # Errors
/// Why that is nobody whose mail can be worked on.
pub(crate) fn own_account(settings: &Dovecot, service: &str) -> Result<Account, String> {
    let own = Identity::current();
    if own.uid == 0 {
        return Err("root must say whose mail it is. Mail is never written as root".to_owned());
    }
    let system = os::users::user_by_uid(own.uid).map_err(|error| error.to_string())?;
    let text_of = |name: &str| std::env::var(name).ok().filter(|text| !text.is_empty());
    let user = text_of("USER").or_else(|| system.as_ref().map(|user| user.name.clone()));
    let home = text_of("HOME").map(std::path::PathBuf::from);
    let home = home.or_else(|| system.map(|user| user.home));
    let user = user.ok_or("cannot tell whose mail it is: USER is not set")?;
    let home_text = home.as_deref().map(Path::to_string_lossy).unwrap_or_default();
    let variables = Variables {
        user: &user,
        home: &home_text,
        service,
        uid: Some(own.uid),
        gid: Some(own.gid),
        ..Variables::default()
    };
    let mail_location =
        expand(&settings.mail_location, &variables).map_err(|error| format!("mail_location: {error}"))?;
    Ok(Account {
        mail_location,
        uid: own.uid,
        gid: own.gid,
        home,
        extra: std::collections::BTreeMap::new(),
        user,
    })
}
