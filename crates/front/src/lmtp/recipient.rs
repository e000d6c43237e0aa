//! Which user a recipient of LMTP is, and with whose rights its mail is written.

use address::Address;
use auth::variables::{Variables, expand};
use auth::{Account, Authority};
use deliver_local::task::{Kind, Rights};
use settings::Dovecot;

/// A recipient that was accepted.
#[derive(Debug, Clone)]
pub(super) struct Recipient {
    /// As the reply shows it.
    pub(super) shown: String,
    /// What ORCPT said, without its type.
    pub(super) original: Option<String>,
    /// The user.
    pub(super) account: Account,
    /// What stands behind the `recipient_delimiter`.
    pub(super) detail: Option<String>,
    /// With whose rights.
    pub(super) rights: Rights,
    /// The session's name in the log.
    pub(super) session: String,
}

/// Why a recipient is not accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Refusal {
    /// There is no such user; the name that was asked for.
    Unknown(String),
    /// It cannot be told now: the text is for the log.
    Later(String),
}

/// User and detail of an address: `alice+box@example.test` is the user `alice@example.test`.
pub(super) fn user_and_detail(address: &Address, delimiters: &str) -> (String, Option<String>) {
    let local = address.local();
    let cut = local
        .char_indices()
        .find(|(at, octet)| *at > 0 && delimiters.contains(*octet));
    let (user, detail) = match cut {
        Some((at, octet)) => (&local[..at], Some(local[at + octet.len_utf8()..].to_owned())),
        None => (local, None),
    };
    let user = match address.domain() {
        Some(domain) => format!("{user}@{}", domain.as_str()),
        None => user.to_owned(),
    };
    (user, detail)
}

/// Looks a user up; blocks.
pub(super) fn look_up(
    authority: &dyn Authority,
    user: &str,
    (settings, all): (&Dovecot, &Dovecot),
) -> Result<(Account, Rights), Refusal> {
    let unknown = || Refusal::Unknown(user.to_owned());
    // A format of `protocol lmtp`; the general one is the auth service's own to apply.
    let name = if settings.auth_username_format == all.auth_username_format {
        user.to_owned()
    } else {
        let variables = Variables {
            user,
            service: "lmtp",
            ..Variables::default()
        };
        expand(&settings.auth_username_format, &variables)
            .map_err(|error| Refusal::Later(error.to_string()))?
    };
    let account = authority
        .lookup(&name, "lmtp")
        .map_err(Refusal::Later)?
        .ok_or_else(unknown)?;
    let rights = rights_for(&account).map_err(Refusal::Later)?;
    Ok((account, rights))
}

/// The rights that the mail of an account needs. With another uid, the system's user of that name is somebody else.
fn rights_for(account: &Account) -> Result<Rights, String> {
    let system = os::users::user_by_name(&account.user).map_err(|error| error.to_string())?;
    let system = system.filter(|user| user.uid == account.uid);
    Ok(Rights {
        uid: account.uid,
        gid: account.gid,
        kind: if system.is_some() {
            Kind::User
        } else {
            Kind::Virtual
        },
        user: system.map(|user| user.name),
        // One agent serves all users of a uid: what is of one user goes with each task.
        home: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_detail_is_cut_off() {
        let cut = |text: &str, delimiters: &str| {
            user_and_detail(&Address::parse(text).expect("an address"), delimiters)
        };
        let expected = |user: &str, detail: Option<&str>| (user.to_owned(), detail.map(str::to_owned));
        assert_eq!(cut("a+b+c@x.test", "+"), expected("a@x.test", Some("b+c")));
        assert_eq!(cut("a-b@x.test", "+-"), expected("a@x.test", Some("b")));
        assert_eq!(cut("+a@x.test", "+"), expected("+a@x.test", None));
        assert_eq!(cut("a+b@x.test", ""), expected("a+b@x.test", None));
    }
}
