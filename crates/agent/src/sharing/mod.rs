//! Several namespaces as one store, and who may do what in them: the user's own mail, that of other users, and what is everybody's
//! (`namespace` blocks; the plugin `acl` with `dovecot-acl` files and `acl_shared_dict`).

mod acl_file;
pub(crate) mod dict;
mod parts;
mod store;

use std::collections::{BTreeSet, HashMap};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use auth::Account;
use mailbox::rights::{AclEntry, Identifier, Rights, RightsChange};
use mailbox::{Error, ListEntry, MailboxId, MailboxName, NamespaceKind, Result};
use settings::Dovecot;

use dict::Dict;
pub(crate) use parts::Opener;
use parts::{Part, Space};

/// Where other users' shared mailboxes stand in `acl_shared_dict`.
const SHARED: &str = "shared/shared-boxes";

/// The stores of an account's namespaces as one.
pub(crate) struct Joined {
    account: Account,
    me: String,
    groups: Vec<String>,
    spaces: Vec<Space>,
    opener: Opener,
    /// Parts that were opened; a mailbox's id begins with the part's number.
    parts: Mutex<Vec<Arc<Part>>>,
    /// Whether lists of rights count.
    acl: Option<Acl>,
    /// The mailboxes behind ids.
    opened: Mutex<HashMap<MailboxId, Behind>>,
}

/// The plugin `acl`.
#[derive(Debug, Clone, Default)]
struct Acl {
    shared: Option<Dict>,
}

/// What an id stands for.
#[derive(Clone)]
struct Behind {
    part: Arc<Part>,
    inner: MailboxId,
    name: MailboxName,
}

/// Whether the settings need more than one plain store.
pub(crate) fn is_wanted(settings: &Dovecot) -> bool {
    let used = settings.namespaces.iter().filter(|namespace| !namespace.disabled);
    has_acl(settings) || used.count() > 1
}

fn has_acl(settings: &Dovecot) -> bool {
    settings.mail_plugins.iter().any(|word| word == "acl")
        && settings.plugin.get("acl").is_some_and(|acl| !acl.is_empty())
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Joined {
    /// The stores of the account's namespaces.
    ///
    /// # Errors
    /// When the one that holds INBOX cannot be opened.
    pub(crate) fn new(
        account: &Account,
        settings: &Dovecot,
        usual_separator: char,
        opener: Opener,
    ) -> Result<Joined> {
        let spaces = Space::all(settings, usual_separator);
        let mut parts = Vec::new();
        for space in spaces.iter().filter(|space| !space.is_of_users()) {
            match space.open(account, &opener) {
                Ok(part) => parts.push(Arc::new(part)),
                Err(_) if space.set.ignore_on_failure && !space.set.inbox => {}
                Err(error) => return Err(error),
            }
        }
        let groups = account
            .extra
            .get("acl_groups")
            .map(String::as_str)
            .unwrap_or_default();
        let shared = settings
            .plugin
            .get("acl_shared_dict")
            .map(String::as_str)
            .unwrap_or_default();
        let shared = parts::expanded(shared, &account.user, account.home.as_deref());
        let shared = shared.map_err(|error| Error::Damaged(format!("acl_shared_dict: {error}")))?;
        let acl = has_acl(settings).then(|| Acl {
            shared: Dict::named(&shared),
        });
        Ok(Joined {
            account: account.clone(),
            me: account.extra.get("acl_user").unwrap_or(&account.user).clone(),
            groups: groups
                .split(',')
                .filter(|group| !group.is_empty())
                .map(str::to_owned)
                .collect(),
            spaces,
            opener,
            parts: Mutex::new(parts),
            acl,
            opened: Mutex::default(),
        })
    }

    /// The part that holds a name, and what its store calls the mailbox.
    fn part_of(&self, name: &MailboxName) -> Result<(Arc<Part>, MailboxName)> {
        let text = name.as_str();
        let holds = |prefix: &str, separator| {
            text.starts_with(prefix) || prefix.strip_suffix(separator) == Some(text)
        };
        let static_parts: Vec<Arc<Part>> = lock(&self.parts).clone();
        let best = match name.is_inbox() {
            true => static_parts.iter().find(|part| part.has_inbox),
            false => static_parts
                .iter()
                .rev()
                .filter(|part| holds(&part.prefix, part.separator))
                .max_by_key(|part| part.prefix.len()),
        };
        let length = best.map_or(0, |part| part.prefix.len());
        let of_users = self.spaces.iter().filter(|space| space.is_of_users());
        let dynamic =
            of_users.filter(|space| space.set.prefix.len() > length && text.starts_with(&space.set.prefix));
        if let Some(space) = dynamic.max_by_key(|space| space.set.prefix.len()) {
            let no_such = || Error::NoSuchMailbox(name.to_string());
            let (user, prefix) = space.user_of(text).ok_or_else(no_such)?;
            let part = self
                .part_of_user(space, &user, &prefix)
                .map_err(|error| match error {
                    Error::NoSuchMailbox(_) => no_such(),
                    error => error,
                })?;
            let inner = part.inner(name);
            return Ok((part, inner));
        }
        match best {
            Some(part) => Ok((Arc::clone(part), part.inner(name))),
            None => Err(Error::NoSuchMailbox(name.to_string())),
        }
    }

    fn part_of_user(&self, space: &Space, user: &str, prefix: &str) -> Result<Arc<Part>> {
        let mut parts = lock(&self.parts);
        if let Some(part) = parts.iter().find(|part| part.prefix == prefix) {
            return Ok(Arc::clone(part));
        }
        let part = Arc::new(space.open_user(user, prefix, (&self.account, &self.opener))?);
        parts.push(Arc::clone(&part));
        Ok(part)
    }

    /// The mailbox behind an id.
    fn behind(&self, id: &MailboxId) -> Result<Behind> {
        let opened = lock(&self.opened);
        opened
            .get(id)
            .cloned()
            .ok_or_else(|| Error::NoSuchMailbox(id.0.to_string()))
    }

    /// What may be done with a mailbox of a part, which need not exist.
    fn rights_in(&self, part: &Part, inner: &MailboxName) -> Result<Rights> {
        if self.acl.is_none() {
            return Ok(Rights::ALL);
        }
        let entries = match part.store.directory(inner) {
            Ok(Some(directory)) => acl_file::read(&directory)?,
            Ok(None) | Err(Error::InvalidName(..)) => Vec::new(),
            Err(error) => return Err(error),
        };
        let is_owner = part.owner.as_deref() == Some(self.me.as_str());
        Ok(acl_file::rights(&entries, &self.me, &self.groups, is_owner))
    }

    /// A mailbox that the user may know of, with the rights there.
    fn known(&self, name: &MailboxName) -> Result<(Arc<Part>, MailboxName, Rights)> {
        let (part, inner) = self.part_of(name)?;
        let rights = self.rights_in(&part, &inner)?;
        match rights.is_empty() {
            true => Err(Error::NoSuchMailbox(name.to_string())),
            false => Ok((part, inner, rights)),
        }
    }

    /// As [`Joined::known`], with one of these rights.
    fn allowed(&self, name: &MailboxName, letters: &str) -> Result<(Arc<Part>, MailboxName)> {
        let (part, inner, rights) = self.known(name)?;
        if rights.has_any(letters) {
            return Ok((part, inner));
        }
        match rights.has(b'l') {
            true => Err(Error::NoPermission(name.to_string())),
            false => Err(Error::NoSuchMailbox(name.to_string())),
        }
    }

    /// The mailbox behind an id, with the rights there.
    fn at(&self, id: &MailboxId) -> Result<(Behind, Rights)> {
        let behind = self.behind(id)?;
        let rights = self.rights_in(&behind.part, &behind.name)?;
        Ok((behind, rights))
    }

    /// The mailbox behind an id, with one of these rights.
    fn with(&self, id: &MailboxId, letters: &str) -> Result<Behind> {
        let (behind, rights) = self.at(id)?;
        match rights.has_any(letters) {
            true => Ok(behind),
            false => Err(Error::NoPermission(behind.name.to_string())),
        }
    }

    /// Whether the user may make mailboxes below the one that is above `inner`; where the list of that lies.
    fn may_create(&self, part: &Part, name: &MailboxName, inner: &MailboxName) -> Result<Option<PathBuf>> {
        if self.acl.is_none() {
            return Ok(None);
        }
        let own = inner
            .as_str()
            .strip_prefix(part.prefix.as_str())
            .unwrap_or_default();
        let (directory, rights) = match own.rfind(part.separator) {
            Some(at) => {
                let parent = MailboxName::new(&format!("{}{}", part.prefix, &own[..at]), part.separator);
                (part.store.directory(&parent)?, self.rights_in(part, &parent)?)
            }
            None if part.owner.as_deref() == Some(self.me.as_str()) => (None, Rights::ALL),
            None => {
                let entries = acl_file::read(&part.root)?;
                let rights = acl_file::rights(&entries, &self.me, &self.groups, false);
                (Some(part.root.clone()), rights)
            }
        };
        match rights.has(b'k') {
            true => Ok(directory),
            false => Err(Error::NoPermission(name.to_string())),
        }
    }

    /// The mailboxes of a part that the user may know of.
    fn listed(&self, part: &Part) -> Result<Vec<ListEntry>> {
        let mut entries = Vec::new();
        for mut entry in part.store.list()? {
            if !part.is_there(&entry.name)? || !self.rights_in(part, &entry.name)?.has(b'l') {
                continue;
            }
            entry.name = part.outer(&entry.name);
            entries.push(entry);
        }
        Ok(entries)
    }

    /// Those who share something with the user, by `acl_shared_dict`.
    fn sharers(&self) -> Result<BTreeSet<String>> {
        let Some(dict) = self.acl.as_ref().and_then(|acl| acl.shared.as_ref()) else {
            return Ok(BTreeSet::new());
        };
        let mut prefixes = vec![format!("{SHARED}/anyone/"), format!("{SHARED}/user/{}/", self.me)];
        prefixes.extend(self.groups.iter().map(|group| format!("{SHARED}/group/{group}/")));
        let entries = dict.read()?;
        let owners = entries.keys().filter_map(|key| {
            let owner = prefixes
                .iter()
                .find_map(|prefix| key.strip_prefix(prefix.as_str()))?;
            (owner != self.me).then(|| owner.to_owned())
        });
        Ok(owners.collect())
    }

    /// Notes in `acl_shared_dict` with whom the user's mailboxes are shared.
    fn note_sharing(&self) -> Result<()> {
        let Some(dict) = self.acl.as_ref().and_then(|acl| acl.shared.as_ref()) else {
            return Ok(());
        };
        let mut now = BTreeSet::new();
        let parts: Vec<Arc<Part>> = lock(&self.parts).clone();
        for part in parts.iter().filter(|part| part.kind == NamespaceKind::Personal) {
            for entry in part.store.list()? {
                let Some(directory) = part.store.directory(&entry.name)? else {
                    continue;
                };
                let entries = acl_file::read(&directory)?;
                now.extend(entries.iter().filter_map(|entry| self.shared_key(entry)));
            }
        }
        let end = format!("/{}", self.me);
        dict.change(|entries| {
            entries.retain(|key, _| !(key.starts_with(SHARED) && key.ends_with(&end)) || now.contains(key));
            entries.extend(now.iter().map(|key| (key.clone(), "1".to_owned())));
        })
    }

    /// The key that says that an entry shares something.
    fn shared_key(&self, entry: &AclEntry) -> Option<String> {
        if entry.is_negative || !entry.rights().has(b'l') {
            return None;
        }
        let me = &self.me;
        match &entry.identifier {
            Identifier::Anyone | Identifier::Authenticated => Some(format!("{SHARED}/anyone/{me}")),
            Identifier::Group(group) | Identifier::GroupOverride(group) => {
                Some(format!("{SHARED}/group/{group}/{me}"))
            }
            Identifier::User(user) => Some(format!("{SHARED}/user/{user}/{me}")),
            Identifier::Owner => None,
        }
    }

    fn change_acl(&self, name: &MailboxName, whom: (&Identifier, bool), change: RightsChange) -> Result<()> {
        let (part, inner) = self.allowed(name, "a")?;
        part.store.open(&inner)?;
        let Some(directory) = part.store.directory(&inner)? else {
            return Err(Error::ReadOnly(name.to_string()));
        };
        acl_file::change(&directory, whom, change)?;
        match part.owner.as_deref() == Some(self.me.as_str()) {
            true => self.note_sharing(),
            false => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
