//! What services ask of the auth role: the chains of this process answer, or another process by the same trait.

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::completion::LOCAL_DELIVERY;
use crate::penalty::{Penalized, Penalty};
use crate::{Account, Auth, Request, Verdict};

/// Who asks, from where.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Asker {
    /// `smtp`, `imap`, `pop3`, `sieve`.
    pub service: String,
    /// The client's address.
    pub remote: Option<IpAddr>,
    /// Our address.
    pub local: Option<IpAddr>,
    /// The client's port.
    pub remote_port: Option<u16>,
    /// Our port.
    pub local_port: Option<u16>,
    /// The session as the log names it; empty where it has no name.
    pub session: String,
    /// Whether nobody can listen: TLS, or the same host.
    pub secured: bool,
    /// The TLS connection's channel binding data by type (`tls-exporter`, RFC 9266).
    pub bindings: Vec<(String, Vec<u8>)>,
    /// The client's certificate, if it has one that was verified.
    pub certificate: Option<Certificate>,
    /// The failures from there for which it has waited ([`Authority::penalty`]); `None` when nobody has asked: those there are now.
    pub failures_before: Option<u32>,
}

/// A client's verified certificate.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Certificate {
    /// The user name in it (`ssl_cert_username_field`), if there is one.
    pub user: Option<String>,
}

/// What proves to the supervisor that a login was verified: it is good once, and for a short while. Empty where the one
/// who verifies and the one who would ask are the same process.
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Ticket(pub String);

impl std::fmt::Debug for Ticket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Ticket(hidden)")
    }
}

/// What follows a client's response.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Progress {
    /// Send this (before base64) and go on.
    Challenge(Vec<u8>),
    /// The exchange is over.
    Done(Verdict),
}

/// A SASL exchange under way.
pub trait Exchange: Send {
    /// Takes the client's response; the first one is `None` when it sent no initial response. Blocks: it may hash.
    fn step(&mut self, response: Option<&[u8]>) -> Progress;
}

/// Whoever can tell who somebody is. Everything blocks: files are read and passwords hashed.
pub trait Authority: Send + Sync {
    /// Verifies a name and a password.
    fn verify(&self, request: &Request<'_>) -> Verdict;

    /// The mechanisms that are offered, in capitals. Those that need TLS (-PLUS) or a certificate (EXTERNAL) are among
    /// them. It may block.
    fn mechanisms(&self) -> Vec<String>;

    /// Begins an exchange by the mechanism of that name, in any case; `None` when there is no such mechanism, or not on
    /// such a connection.
    fn exchange(self: Arc<Self>, mechanism: &str, asker: &Asker) -> Option<Box<dyn Exchange>>;

    /// Who a mailbox user is, without a password (see [`Auth::lookup`]).
    ///
    /// # Errors
    /// When a database cannot be asked, or the account makes no sense; the text is for the log.
    fn lookup(&self, user: &str, service: &str) -> Result<Option<Account>, String>;

    /// Whether [`Authority::lookup`] can tell anything about anybody: a userdb is configured.
    fn has_userdb(&self) -> bool;

    /// All users that can be listed.
    ///
    /// # Errors
    /// When a database cannot be read, or none can list its users; the text is for the log.
    fn list(&self) -> Result<Vec<String>, String>;

    /// How long a login from there is to wait before it is looked at, because of failures before it (see [`crate::penalty`]).
    fn penalty(&self, _asker: &Asker) -> Penalty {
        Penalty::default()
    }

    /// Whose logins wait now ([`crate::penalty`]).
    fn penalties(&self) -> Vec<Penalized> {
        Vec::new()
    }

    /// Forgets what databases said of these users, of everybody when none is named; how many answers that were.
    fn flush_cache(&self, _users: &[String]) -> usize {
        0
    }

    /// Who gets mail by that name: a mailbox user, or else a user of the system.
    ///
    /// # Errors
    /// As [`Authority::lookup`].
    fn recipient(&self, name: &str) -> Result<Option<Recipient>, String> {
        let account = if self.has_userdb() {
            self.lookup(name, LOCAL_DELIVERY)?
        } else {
            None
        };
        let known_as = account.as_ref().map_or(name, |account| &account.user);
        let system = os::users::user_by_name(known_as).map_err(|error| error.to_string())?;
        Ok(match (account, system) {
            (Some(account), system) => Some(Recipient::of(account, system)),
            (None, Some(user)) => {
                let account = Account {
                    user: user.name.clone(),
                    uid: user.uid,
                    gid: user.gid,
                    home: Some(user.home.clone()),
                    mail_location: String::new(),
                    extra: std::collections::BTreeMap::new(),
                };
                Some(Recipient::of(account, Some(user)))
            }
            (None, None) => None,
        })
    }
}

/// Who gets mail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recipient {
    /// Name, rights and home.
    pub account: Account,
    /// What the system knows besides, if it is one of its users.
    pub login: Option<Login>,
}

/// A user of the system.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Login {
    /// Its name, by which its groups are found.
    pub name: String,
    /// Its shell.
    pub shell: PathBuf,
}

impl Recipient {
    /// `user` is the system's user of that name, if there is one; with another uid it is somebody else.
    fn of(account: Account, user: Option<os::User>) -> Recipient {
        let user = user.filter(|user| user.uid == account.uid);
        Recipient {
            account,
            login: user.map(|user| Login {
                name: user.name,
                shell: user.shell,
            }),
        }
    }
}

impl Authority for Auth {
    fn verify(&self, request: &Request<'_>) -> Verdict {
        Auth::verify(self, request)
    }

    fn mechanisms(&self) -> Vec<String> {
        self.sasl
            .mechanisms
            .iter()
            .map(|name| (*name).to_owned())
            .collect()
    }

    fn exchange(self: Arc<Self>, mechanism: &str, asker: &Asker) -> Option<Box<dyn Exchange>> {
        Auth::exchange(self, mechanism, asker)
    }

    fn lookup(&self, user: &str, service: &str) -> Result<Option<Account>, String> {
        Auth::lookup(self, user, service)
    }

    fn has_userdb(&self) -> bool {
        Auth::has_userdb(self)
    }

    fn list(&self) -> Result<Vec<String>, String> {
        Auth::list(self)
    }

    fn flush_cache(&self, users: &[String]) -> usize {
        Auth::flush_cache(self, users)
    }

    fn penalty(&self, asker: &Asker) -> Penalty {
        Auth::penalty(self, asker)
    }

    fn penalties(&self) -> Vec<Penalized> {
        Auth::penalties(self)
    }
}
