//! The parts of an account's name space: the namespaces of dovecot.conf, each with a store of its own; those of other users are opened when
//! somebody asks for them.

use std::path::PathBuf;
use std::sync::Arc;

use auth::Account;
use auth::variables::{Variables, expand};
use mailbox::{Error, MailboxName, NamespaceKind, Result, Store};
use settings::{Dovecot, Namespace};

use crate::location::{self, Location};

/// Opens the store at a location with a namespace's prefix and separator.
pub(crate) type Opener = Box<dyn Fn(&Location, &Namespace) -> Result<Arc<dyn Store>> + Send + Sync>;

/// A namespace as it is set.
pub(super) struct Space {
    pub(super) kind: NamespaceKind,
    /// What is set, with prefix and separator that are used. The prefix of other users' mail ends before `%%u`.
    pub(super) set: Namespace,
    pub(super) separator: char,
    /// Behind the prefix: the user's name, and this.
    user_suffix: Option<String>,
}

/// A store and the names that it holds.
pub(super) struct Part {
    pub(super) kind: NamespaceKind,
    pub(super) prefix: String,
    pub(super) separator: char,
    /// Whether INBOX is in it; elsewhere it is called as any other mailbox.
    pub(super) has_inbox: bool,
    /// Whose mail it is; nobody's in public namespaces.
    pub(super) owner: Option<String>,
    pub(super) keeps_subscriptions: bool,
    /// Where the list for new mailboxes without a parent is.
    pub(super) root: PathBuf,
    pub(super) store: Arc<dyn Store>,
}

impl Space {
    /// The namespaces that are used; the one with INBOX first.
    pub(super) fn all(settings: &Dovecot, usual_separator: char) -> Vec<Space> {
        let used = settings.namespaces.iter().filter(|namespace| !namespace.disabled);
        let mut spaces: Vec<Space> = used
            .map(|namespace| Space::of(namespace, usual_separator))
            .collect();
        spaces.sort_by_key(|space| !space.set.inbox);
        spaces
    }

    fn of(namespace: &Namespace, usual_separator: char) -> Space {
        let kind = match namespace.kind.as_str() {
            "shared" => NamespaceKind::OtherUsers,
            "public" => NamespaceKind::Shared,
            _ => NamespaceKind::Personal,
        };
        let separator = namespace.separator.chars().next().unwrap_or(usual_separator);
        let mut set = namespace.clone();
        let mut user_suffix = None;
        for word in ["%%u", "%%n", "%u"] {
            if kind == NamespaceKind::OtherUsers
                && let Some((before, after)) = namespace.prefix.split_once(word)
            {
                set.prefix = before.to_owned();
                user_suffix = Some(after.to_owned());
                break;
            }
        }
        Space {
            kind,
            set,
            separator,
            user_suffix,
        }
    }

    pub(super) fn is_of_users(&self) -> bool {
        self.user_suffix.is_some()
    }

    /// The user whose mailbox has this name, and the prefix of that user's mail.
    pub(super) fn user_of(&self, name: &str) -> Option<(String, String)> {
        let suffix = self.user_suffix.as_ref()?;
        let rest = name.strip_prefix(self.set.prefix.as_str())?;
        let user = rest.split(self.separator).next()?;
        let is_name = !user.is_empty() && !user.starts_with('.') && !user.contains(['/', '\0', '%', '~']);
        is_name.then(|| (user.to_owned(), format!("{}{user}{suffix}", self.set.prefix)))
    }

    /// The store of the namespace itself.
    pub(super) fn open(&self, account: &Account, open: &Opener) -> Result<Part> {
        let mut text = self.set.location.as_str();
        if text.is_empty() {
            text = account.mail_location.as_str();
        }
        let owner = (self.kind == NamespaceKind::Personal).then(|| account.user.clone());
        self.part(text, (&account.user, account.home.as_deref()), owner, open)
    }

    /// The store of another user's mail; there is none unless its directory is there.
    pub(super) fn open_user(
        &self,
        user: &str,
        prefix: &str,
        (me, open): (&Account, &Opener),
    ) -> Result<Part> {
        // Twice: `%u` is the one who asks, `%%u` whose mail it is.
        let location = expanded(&self.set.location, &me.user, me.home.as_deref())
            .map_err(|error| Error::Damaged(format!("namespace {prefix}: {error}")))?;
        let space = Space {
            kind: self.kind,
            set: Namespace {
                prefix: prefix.to_owned(),
                inbox: false,
                ..self.set.clone()
            },
            separator: self.separator,
            user_suffix: None,
        };
        let part = space.part(&location, (user, None), Some(user.to_owned()), open)?;
        match part.root.is_dir() {
            true => Ok(part),
            false => Err(Error::NoSuchMailbox(prefix.to_owned())),
        }
    }

    fn part(
        &self,
        text: &str,
        (user, home): (&str, Option<&std::path::Path>),
        owner: Option<String>,
        open: &Opener,
    ) -> Result<Part> {
        let wrong = |error: String| Error::Damaged(format!("namespace {}: {error}", self.set.prefix));
        let text = expanded(text, user, home).map_err(wrong)?;
        let location = location::parse(&text, user, home).map_err(|error| wrong(error.to_string()))?;
        let (Location::Maildir { root } | Location::Mbox { root, .. }) = &location;
        if owner.as_deref() != Some(user)
            || self.set.inbox
            || root.is_dir()
            || self.kind == NamespaceKind::Personal
        {
            return Ok(Part {
                kind: self.kind,
                prefix: self.set.prefix.clone(),
                separator: self.separator,
                has_inbox: self.set.inbox,
                owner,
                keeps_subscriptions: self.set.subscriptions,
                root: root.clone(),
                store: open(&location, &self.set)?,
            });
        }
        Err(Error::NoSuchMailbox(self.set.prefix.clone()))
    }
}

/// A location with its variables replaced. What says where indexes go is left out: ours lie beside the mail.
pub(super) fn expanded(
    text: &str,
    user: &str,
    home: Option<&std::path::Path>,
) -> std::result::Result<String, String> {
    let home = home
        .map(|home| home.to_string_lossy().into_owned())
        .unwrap_or_default();
    let variables = Variables {
        user,
        home: &home,
        ..Variables::default()
    };
    let only = text.split_once(':').map_or(text.to_owned(), |(driver, rest)| {
        let words = rest.split(':').filter(|word| !word.starts_with("INDEX"));
        format!("{driver}:{}", words.collect::<Vec<_>>().join(":"))
    });
    expand(&only, &variables).map_err(|error| error.to_string())
}

impl Part {
    /// What the part's store calls a mailbox.
    pub(super) fn inner(&self, name: &MailboxName) -> MailboxName {
        let rest = name.as_str().strip_prefix(self.prefix.as_str());
        let is_root = self.prefix.strip_suffix(self.separator) == Some(name.as_str());
        let is_inbox = is_root || rest.is_some_and(|rest| rest.eq_ignore_ascii_case("INBOX"));
        match is_inbox && !self.has_inbox {
            true => MailboxName::inbox(),
            false => name.clone(),
        }
    }

    /// What clients call it.
    pub(super) fn outer(&self, name: &MailboxName) -> MailboxName {
        match name.is_inbox() && !self.has_inbox {
            true => self.root_name(),
            false => name.clone(),
        }
    }

    /// The prefix as a name.
    pub(super) fn root_name(&self) -> MailboxName {
        let prefix = self.prefix.strip_suffix(self.separator).unwrap_or(&self.prefix);
        MailboxName::new(prefix, self.separator)
    }

    /// Whether there is such a mailbox: INBOX of a store is made when it is opened, and here it need not be.
    pub(super) fn is_there(&self, inner: &MailboxName) -> Result<bool> {
        if self.has_inbox || !inner.is_inbox() {
            return Ok(true);
        }
        // Nobody's INBOX is in there.
        if self.kind != NamespaceKind::OtherUsers {
            return Ok(false);
        }
        let directory = self.store.directory(inner)?;
        Ok(directory.is_some_and(|directory| directory.join("cur").is_dir()))
    }
}
