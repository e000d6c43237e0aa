//! The trait that every store implements, and the values it speaks in.
//!
//! A store is one account's mail. It is synchronous: callers run it on worker threads. This process is never
//! assumed to be the only writer: a session learns every change by asking for what is newer than a modseq.

use std::collections::HashMap;
use std::num::NonZeroI64;
use std::path::PathBuf;
use std::sync::Arc;

use crate::quota::QuotaRoot;
use crate::rights::{AclEntry, Identifier, Rights, RightsChange};
use crate::{Cache, FlagChange, Flags, MailboxName, ModSeq, Result, SpecialUse, Uid, UidSet, UidValidity};

/// A mailbox that was opened. Opaque to callers; survives a rename where the store can follow it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct MailboxId(pub Arc<str>);

/// A part of the name space (RFC 2342).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Namespace {
    /// Whose mailboxes are in it.
    pub kind: NamespaceKind,
    /// What every name in it starts with; may be empty.
    pub prefix: String,
    /// The hierarchy separator.
    pub separator: char,
    /// Whether NAMESPACE leaves it out.
    pub is_hidden: bool,
    /// Whether its mailboxes are listed also to who does not ask for names with its prefix.
    pub is_listed: bool,
}

impl Namespace {
    /// A user's own, listed as usual.
    pub fn personal(prefix: &str, separator: char) -> Namespace {
        Namespace {
            kind: NamespaceKind::Personal,
            prefix: prefix.to_owned(),
            separator,
            is_hidden: false,
            is_listed: true,
        }
    }
}

/// Whose mailboxes a namespace holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum NamespaceKind {
    Personal,
    OtherUsers,
    Shared,
}

/// A mailbox in a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListEntry {
    /// Its full name.
    pub name: MailboxName,
    /// Whether it can be selected; a mere node of the hierarchy cannot.
    pub selectable: bool,
    /// Whether no mailbox can be below it (`\NoInferiors`).
    pub no_inferiors: bool,
    /// Whether it is there itself: a name that others below it only imply is not (`\NonExistent`).
    pub exists: bool,
    /// What it is for.
    pub special_use: Vec<SpecialUse>,
}

/// What opening a mailbox tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opened {
    /// How the other calls name it.
    pub id: MailboxId,
    /// Its UIDVALIDITY.
    pub uid_validity: UidValidity,
    /// What it is called for good: renaming does not change it, and no other mailbox of the account gets it (RFC 8474 §4).
    pub object_id: u64,
    /// Whether changes will be refused with [`crate::Error::ReadOnly`].
    pub read_only: bool,
}

/// Counters of a mailbox (IMAP STATUS).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Status {
    /// Its UIDVALIDITY.
    pub uid_validity: UidValidity,
    /// What the next message will get at least.
    pub uid_next: Uid,
    /// The modseq of the newest change.
    pub highest_modseq: ModSeq,
    /// Messages.
    pub messages: u32,
    /// Messages that no session has claimed as recent.
    pub recent: u32,
    /// Messages without `\Seen`.
    pub unseen: u32,
    /// Messages with `\Deleted`.
    pub deleted: u32,
    /// Sum of the sizes, in octets as IMAP counts them (lines end in CRLF).
    pub size_bytes: u64,
}

/// A message as a listing of a mailbox knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageState {
    /// Its UID.
    pub uid: Uid,
    /// When it last changed.
    pub modseq: ModSeq,
    /// Its flags.
    pub flags: Flags,
    /// RFC822.SIZE: octets with every line ending in CRLF.
    pub size_bytes: u64,
    /// INTERNALDATE, seconds since the Unix epoch.
    pub internal_date_secs: i64,
    /// When it came into this mailbox, seconds since the Unix epoch (RFC 8514); `None` where nobody noted it.
    pub save_date_secs: Option<NonZeroI64>,
    /// What its content is called for good: copies have the same, in whichever mailbox of the account, and messages of other
    /// content another one (RFC 8474 §5.1).
    pub email_id: u64,
}

/// What happened to a mailbox after a modseq.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changes {
    /// Its UIDVALIDITY; when it differs from what the session knows, everything the session knows is void.
    pub uid_validity: UidValidity,
    /// What the next message will get at least.
    pub uid_next: Uid,
    /// Ask for changes after this one the next time.
    pub highest_modseq: ModSeq,
    /// Messages that are new or have changed, ascending by UID. After modseq 0: all.
    pub messages: Vec<MessageState>,
    /// UIDs that were expunged. May hold more than that (any UID below `uid_next` that is not a message), never
    /// fewer. After modseq 0: not filled.
    pub expunged: UidSet,
    /// Whether `expunged` holds just what was expunged after the modseq: it is known so far back.
    pub exact: bool,
}

/// Text that is looked for in whole messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sought<'a> {
    /// The text, as `i;unicode-casemap` compares it (`message::casemap`).
    pub text: &'a str,
    /// Whether headers count too.
    pub in_headers: bool,
}

/// What a flag change did.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Stored {
    /// The messages that exist and were asked for, with their flags and modseq now, ascending by UID.
    pub messages: Vec<MessageState>,
    /// Messages left alone because they changed after `unchanged_since` (RFC 7162 §3.1.3).
    pub modified: UidSet,
}

/// The UIDs that appended messages got, in the order in which they were appended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Appended {
    /// UIDVALIDITY of the mailbox.
    pub uid_validity: UidValidity,
    /// One UID a message.
    pub uids: Vec<Uid>,
}

/// What a copy or a move did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Copied {
    /// UIDVALIDITY of the destination.
    pub uid_validity: UidValidity,
    /// Source and destination UID of each message, ascending by source.
    pub pairs: Vec<(Uid, Uid)>,
}

/// Messages on their way into a mailbox: all of them get there at [`Append::commit`], or none. Dropping it
/// forgets them.
pub trait Append: Send {
    /// Starts the next message. `internal_date_secs` is now where the caller knows none.
    fn start(&mut self, flags: Flags, internal_date_secs: i64) -> Result<()>;

    /// Adds content to the message started last. Lines may end in CRLF or LF, and may be cut anywhere.
    fn write(&mut self, content: &[u8]) -> Result<()>;

    /// Puts all messages into the mailbox. When this returns, they are on disk.
    fn commit(self: Box<Self>) -> Result<Appended>;

    /// As [`Append::commit`], for mail that nobody asks the UIDs of: the messages are on disk when this returns, their
    /// UIDs only when somebody looks into the mailbox. A store for which that is no less work need not tell the two apart.
    fn deliver(self: Box<Self>) -> Result<()> {
        self.commit().map(drop)
    }

    /// Whether one more message would be taken; nothing is put anywhere. A store without limits takes any.
    ///
    /// # Errors
    /// [`crate::Error::OverLimit`] when there is no room for even an empty one.
    fn would_take_one(&self) -> Result<()> {
        Ok(())
    }
}

/// The content of a message, every line ending in CRLF.
pub trait Body: Send + Sync {
    /// How many octets there are: RFC822.SIZE.
    fn size_bytes(&self) -> u64;

    /// Reads octets from `offset` on into `into`; returns how many, 0 at the end. Reading onwards from where
    /// the last call ended is cheap; elsewhere it may cost a pass over the message.
    fn read_at(&self, offset: u64, into: &mut [u8]) -> Result<usize>;
}

/// What POP3 servers noted of a message, so that its clients do not download it again.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Pop3Note {
    /// The unique identifier (UIDL) that clients know it by: graphic ASCII characters.
    pub uidl: Option<String>,
    /// Its place among the messages that have one; those come before the others.
    pub order: Option<u32>,
}

/// Called, on any thread and as often as it likes, when a watched mailbox may have changed.
pub type Wake = Arc<dyn Fn() + Send + Sync>;

/// Told what the administrator should read of a mailbox: what was found damaged, and what became of it.
pub type Report = Arc<dyn Fn(&str) + Send + Sync>;

/// Keeps a watch alive; dropping it ends the watch.
pub struct Watch(pub Box<dyn Send + Sync>);

impl std::fmt::Debug for Watch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Watch")
    }
}

/// One account's mail.
///
/// Every method that changes something returns when the change is on disk.
pub trait Store: Send + Sync {
    /// The namespaces; the first is the personal one, where INBOX is.
    fn namespaces(&self) -> Vec<Namespace>;

    /// All mailboxes, INBOX first, then by name. Nodes that only have children are in it too.
    fn list(&self) -> Result<Vec<ListEntry>>;

    /// Opens a mailbox. INBOX is created when it is missing.
    fn open(&self, name: &MailboxName) -> Result<Opened>;

    /// Creates a mailbox and the nodes above it. What it is for is kept with it.
    fn create(&self, name: &MailboxName, special_use: Option<SpecialUse>) -> Result<()>;

    /// Creates a node that is to hold mailboxes (RFC 3501 §6.3.3: a name that ends in the separator). Where any mailbox can
    /// have others below it, that is a mailbox.
    fn create_node(&self, name: &MailboxName) -> Result<()> {
        self.create(name, None)
    }

    /// Deletes a mailbox with its messages; its children stay. INBOX cannot be deleted.
    fn delete(&self, name: &MailboxName) -> Result<()>;

    /// Renames a mailbox and its children. Of INBOX, the messages move to a new mailbox (RFC 9051 §6.3.6).
    fn rename(&self, from: &MailboxName, to: &MailboxName) -> Result<()>;

    /// The subscribed names, in order of name; they need not exist.
    fn subscriptions(&self) -> Result<Vec<MailboxName>>;

    /// Adds a name to the subscriptions or takes it away; doing so twice is no error.
    fn subscribe(&self, name: &MailboxName, subscribed: bool) -> Result<()>;

    /// The directory where files about a mailbox lie, whether it exists or not; `None` where there are no files.
    fn directory(&self, name: &MailboxName) -> Result<Option<PathBuf>> {
        let _ = name;
        Ok(None)
    }

    /// What the user may do with a mailbox, which need not exist.
    fn my_rights(&self, name: &MailboxName) -> Result<Rights> {
        let _ = name;
        Ok(Rights::ALL)
    }

    /// Who may do what with a mailbox, in the order in which it counts; the owner is told by name.
    fn acl(&self, name: &MailboxName) -> Result<Vec<AclEntry>> {
        let _ = name;
        Ok(Vec::new())
    }

    /// Changes what somebody may do with a mailbox (or, of a negative entry, may not).
    fn set_acl(&self, name: &MailboxName, whom: (&Identifier, bool), change: RightsChange) -> Result<()> {
        let _ = (whom, change);
        Err(crate::Error::NoPermission(name.to_string()))
    }

    /// The quota roots that a mailbox counts for, or all of them. A mailbox need not exist. None where nothing is limited.
    fn quota_roots(&self, mailbox: Option<&MailboxName>) -> Result<Vec<QuotaRoot>> {
        let _ = mailbox;
        Ok(Vec::new())
    }

    /// The counters of a mailbox, after looking for what other programs did to it.
    fn status(&self, mailbox: &MailboxId) -> Result<Status>;

    /// What happened after modseq `since` (0: everything there is), after looking for what other programs did.
    fn changes(&self, mailbox: &MailboxId, since: ModSeq) -> Result<Changes>;

    /// The messages that no session has been told are recent; from now on they are this session's.
    fn claim_recent(&self, mailbox: &MailboxId) -> Result<UidSet>;

    /// Begins to append messages.
    fn append(&self, mailbox: &MailboxId) -> Result<Box<dyn Append>>;

    /// Copies messages with their flags and dates, all or none. UIDs that do not exist are passed over.
    fn copy(&self, from: &MailboxId, uids: &UidSet, to: &MailboxId) -> Result<Copied>;

    /// Moves messages with their flags and dates; each is in exactly one of the two mailboxes, whenever the
    /// process dies (at worst in both, never in none).
    fn move_messages(&self, from: &MailboxId, uids: &UidSet, to: &MailboxId) -> Result<Copied>;

    /// Changes flags. With `unchanged_since`, messages that changed after it are left alone.
    fn store_flags(
        &self,
        mailbox: &MailboxId,
        uids: &UidSet,
        change: &FlagChange,
        unchanged_since: Option<ModSeq>,
    ) -> Result<Stored>;

    /// Removes those of the messages that have `\Deleted`; returns the UIDs that were removed.
    fn expunge(&self, mailbox: &MailboxId, uids: &UidSet) -> Result<UidSet>;

    /// The content of a message.
    fn body(&self, mailbox: &MailboxId, uid: Uid) -> Result<Arc<dyn Body>>;

    /// The messages that may hold a text, from a full-text index: all that do, and perhaps others. Messages that the index
    /// does not know yet are among them. `None` where there is no index.
    fn candidates(&self, mailbox: &MailboxId, sought: &Sought<'_>) -> Result<Option<UidSet>> {
        let _ = (mailbox, sought);
        Ok(None)
    }

    /// What messages are called where they lie: for each a name that it keeps while it lives and no other message has (in a
    /// Maildir, the file's name without flags). `None` where messages have none.
    fn storage_names(&self, mailbox: &MailboxId) -> Result<Option<HashMap<Uid, String>>> {
        let _ = mailbox;
        Ok(None)
    }

    /// What POP3 servers noted of messages, this one ([`Store::save_uidls`]) or those that had the mailbox before.
    fn pop3_notes(&self, mailbox: &MailboxId) -> Result<HashMap<Uid, Pop3Note>> {
        let _ = mailbox;
        Ok(HashMap::new())
    }

    /// Notes unique identifiers (UIDL) that messages keep while they live. UIDs that do not exist are passed over. A store
    /// with no place for them forgets them.
    fn save_uidls(&self, mailbox: &MailboxId, uidls: &[(Uid, String)]) -> Result<()> {
        let _ = (mailbox, uidls);
        Ok(())
    }

    /// What other programs call the mailbox for good, where it came from such (the GUID in `dovecot-uidlist`).
    fn guid(&self, mailbox: &MailboxId) -> Result<Option<[u8; 16]>> {
        let _ = mailbox;
        Ok(None)
    }

    /// Looks at every message again, whatever is known of what others did to the mailbox.
    fn rescan(&self, mailbox: &MailboxId) -> Result<()> {
        self.status(mailbox).map(drop)
    }

    /// What is kept of the messages beside them; `None` where nothing is.
    fn cache(&self, mailbox: &MailboxId) -> Option<Arc<dyn Cache>> {
        let _ = mailbox;
        None
    }

    /// Calls `wake` when the mailbox may have changed, by this process or another program.
    fn watch(&self, mailbox: &MailboxId, wake: Wake) -> Result<Watch>;

    /// Calls `wake` when mailboxes may have come, gone or been renamed, or subscriptions changed, by this process or another
    /// program.
    fn watch_names(&self, wake: Wake) -> Result<Watch>;
}
