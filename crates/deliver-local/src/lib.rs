//! Delivery into mailboxes of this host, like local(8) and virtual(8), and to commands of transports, like pipe(8).
//!
//! In charge of what becomes of a recipient of this host. Two halves: [`Local`] has no rights; it expands aliases and
//! decides the order of local(8)'s methods. [`Hands`] act with the rights of one user: `.forward`, `:include:`, commands,
//! files, mailboxes. Between them go [`task::Task`] and [`task::Report`], through [`task::Agents`].
//! Not in charge of queueing: what must be queued anew is given back as [`Delivery::forwards`]; nor of who may become whom.
//!
//! Entry: [`Local::deliver`], [`Hands::perform`]. Sources: local(8), virtual(8), aliases(5), sysexits.h, RFC 5321 §4.4.
//! Limits: [`expansion::DEPTH_MAX`], [`expansion::TARGETS_MAX`], [`lists::LIST_BYTES_MAX`], [`command::OUTPUT_BYTES_MAX`].

mod again;
pub mod command;
pub mod delivered_to;
mod dotforward;
pub mod expansion;
pub mod hands;
pub mod lists;
mod local;
pub mod mailbox;
mod outcomes;
pub mod pipe;
pub mod spawn;
pub mod task;
mod virtual_mailbox;

use std::io::Read;
use std::os::fd::OwnedFd;
use std::path::PathBuf;

use address::{Address, Domain};
use envelope::{Outcome, Recipient};
use settings::Postfix;

pub use expansion::AliasKind;
pub use hands::{Hands, OwnHands};
pub use local::Local;
pub use outcomes::interrupted;

/// A user whose mailbox can be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// The name of the mailbox.
    pub name: String,
    /// The name by which the system knows the user; `None` where only a userdb does.
    pub login: Option<String>,
    /// Whose files these are.
    pub uid: u32,
    /// Their group.
    pub gid: u32,
    /// Where `home_mailbox` and `.forward` are.
    pub home: Option<PathBuf>,
    /// The login shell, for the environment of commands.
    pub shell: Option<PathBuf>,
}

impl Delivery {
    /// A delivery that came to one outcome.
    pub(crate) fn of(recipient: &Address, outcome: Outcome) -> Delivery {
        Delivery {
            outcome,
            recipient: recipient.clone(),
            told: Vec::new(),
            forwards: Vec::new(),
            warnings: Vec::new(),
            alias: None,
        }
    }
}

impl From<os::User> for User {
    fn from(user: os::User) -> User {
        User {
            login: Some(user.name.clone()),
            name: user.name,
            uid: user.uid,
            gid: user.gid,
            home: Some(user.home),
            shell: Some(user.shell),
        }
    }
}

/// What the delivery must know about this host. The answers come from `auth` and `route`.
pub trait Directory: Send + Sync {
    /// The user of that name.
    ///
    /// # Errors
    /// Why it cannot be told now; the recipient is deferred.
    fn user(&self, name: &str) -> Result<Option<User>, String>;

    /// Whether addresses in `domain` are this host's users.
    ///
    /// # Errors
    /// Why it cannot be told now; the recipient is deferred.
    fn is_local(&self, domain: &Domain) -> Result<bool, String>;

    /// A user of the system (`default_privs`).
    ///
    /// # Errors
    /// Why it cannot be told now; the recipient is deferred.
    fn system_user(&self, name: &str) -> Result<Option<User>, String> {
        let user = os::users::user_by_name(name).map_err(|error| error.to_string())?;
        Ok(user.map(User::from))
    }

    /// The user of the system that owns files of `uid` (alias tables, include files).
    ///
    /// # Errors
    /// Why it cannot be told now; the recipient is deferred.
    fn owner(&self, uid: u32) -> Result<Option<User>, String> {
        let user = os::users::user_by_uid(uid).map_err(|error| error.to_string())?;
        Ok(user.map(User::from))
    }
}

/// Whoever hands mail to another transport (`mailbox_transport`, `fallback_transport`).
pub trait Transports: Send + Sync {
    /// Delivers by `transport` to `next_hop` (may be empty); blocks.
    fn pass(&self, transport: &str, next_hop: &str, recipient: &Recipient) -> Outcome;
}

/// A message as delivery reads it: lines end in LF.
pub trait Content: Sync {
    /// Its size in octets.
    fn size_bytes(&self) -> u64;

    /// A reader from its beginning.
    fn reader(&self) -> Box<dyn Read + '_>;

    /// All of it in a file in memory that nobody can change, for another process. Who is asked more often may give the same
    /// file again.
    ///
    /// # Errors
    /// When it cannot be read, or memory is short.
    fn sealed(&self) -> std::io::Result<OwnedFd> {
        Ok(os::descriptors::sealed(&mut self.reader())?.into())
    }
}

/// One message for one recipient.
pub struct Job<'a> {
    /// The return path; `None` is the null sender.
    pub sender: Option<&'a Address>,
    /// To whom.
    pub recipient: &'a Recipient,
    /// The message.
    pub content: &'a dyn Content,
    /// Where it came from.
    pub client: &'a task::Client,
    /// The other transports.
    pub transports: &'a dyn Transports,
}

/// What became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// The recipient's outcome. It holds only once `forwards` are in the queue.
    pub outcome: Outcome,
    /// The recipient as the log shows it: without the mark of another try.
    pub recipient: Address,
    /// What became of each address that the recipient stands for, as the log tells it: local(8) has a line for each.
    /// Without any the recipient's outcome is all that there is to tell, or what it is forwarded as.
    pub told: Vec<(Address, Outcome)>,
    /// What must be queued anew.
    pub forwards: Vec<Forward>,
    /// What the administrator should see in the log.
    pub warnings: Vec<String>,
    /// The recipient is an alias; of which kind.
    pub alias: Option<AliasKind>,
}

/// One of the places where mail for a recipient would end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ending {
    /// A user, an address, `|command`, a file.
    pub target: String,
    /// What a delivery would come to.
    pub outcome: Outcome,
    /// The mailbox, where it is one: a Maildir ends in a slash.
    pub place: Option<String>,
}

/// A message to be queued anew.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Forward {
    /// Its return path, where that is not the message's own: the owner of a list.
    pub sender: Option<Address>,
    /// To whom.
    pub recipients: Vec<Address>,
    /// What goes on top: `Delivered-To:` of this recipient, which stops the loop when a forward comes back. Empty for
    /// what is only tried again.
    pub header: String,
    /// Whether the recipients take over who was written to and what reports were asked for.
    pub keeps_original: bool,
}

/// The address with a domain: names alone are of `myorigin`.
pub(crate) fn qualified(address: &Address, settings: &Postfix) -> Address {
    match address.domain() {
        Some(_) => address.clone(),
        None => address.at(Domain::parse(&settings.myorigin).ok()),
    }
}

/// The address with an extension that goes along to it (`propagate_unmatched_extensions`).
pub(crate) fn with_extension(address: Address, extension: Option<&str>, settings: &Postfix) -> Address {
    let delimiter = settings.recipient_delimiter.chars().next();
    match extension.zip(delimiter) {
        Some((extension, delimiter)) => {
            let local = format!("{}{delimiter}{extension}", address.local());
            Address::new(&local, address.domain().cloned())
        }
        None => address,
    }
}

/// What commands are told of the recipient `address`; of the message, `facts`.
pub(crate) fn facts_of(
    address: &Address,
    (facts, settings): (&task::Facts, &Postfix),
    directory: &dyn Directory,
) -> task::Facts {
    let local = address.local().to_lowercase();
    let local = local.strip_prefix('\\').unwrap_or(&local);
    let plain = Address::new(local, None);
    let known = |name: &str| matches!(directory.user(name), Ok(Some(_)));
    // A user whose name has the delimiter in it has no extension.
    let cut = plain
        .strip_extension(&settings.recipient_delimiter)
        .filter(|_| !known(local));
    let (user, extension) = match cut {
        Some((plain, extension)) => (plain.local().to_owned(), Some(extension.to_owned())),
        None => (local.to_owned(), None),
    };
    let full = qualified(&Address::new(local, address.domain().cloned()), settings);
    task::Facts {
        recipient: full.to_string(),
        local: local.to_owned(),
        user,
        extension,
        domain: full
            .domain()
            .map(|domain| domain.as_str().to_owned())
            .unwrap_or_default(),
        ..facts.clone()
    }
}
