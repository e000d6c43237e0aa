//! The joined namespaces as a [`Store`]: each call goes to the part that holds the mailbox, if the user has the rights for it.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use mailbox::quota::QuotaRoot;
use mailbox::rights::{AclEntry, Identifier, Rights, RightsChange};
use mailbox::store::Sought;
use mailbox::{
    Append, Appended, Body, Cache, Changes, Copied, Error, FlagChange, Flags, ListEntry, MailboxId,
    MailboxName, ModSeq, Namespace, NamespaceKind, Opened, Pop3Note, Result, SpecialUse, Status, Store,
    Stored, SystemFlags, Uid, UidSet, Wake, Watch,
};

use super::parts::Part;
use super::{Behind, Joined, acl_file, lock};

/// Flags that somebody may change.
fn permitted(flags: &Flags, rights: Rights) -> Flags {
    let mut system = SystemFlags::default();
    for (flag, _) in SystemFlags::ALL {
        if flags.system.contains(flag) && rights.has(letter_of(flag)) {
            system = system.union(flag);
        }
    }
    Flags {
        system,
        keywords: match rights.has(b'w') {
            true => flags.keywords.clone(),
            false => Vec::new(),
        },
    }
}

fn letter_of(flag: SystemFlags) -> u8 {
    match flag {
        SystemFlags::SEEN => b's',
        SystemFlags::DELETED => b't',
        _ => b'w',
    }
}

fn every_system_flag() -> Flags {
    Flags {
        system: SystemFlags::ALL
            .iter()
            .fold(SystemFlags::default(), |all, (flag, _)| all.union(*flag)),
        keywords: Vec::new(),
    }
}

/// Messages on their way into a mailbox in which not every flag may be set.
struct Appending {
    inner: Box<dyn Append>,
    rights: Rights,
}

impl Append for Appending {
    fn start(&mut self, flags: Flags, internal_date_secs: i64) -> Result<()> {
        self.inner
            .start(permitted(&flags, self.rights), internal_date_secs)
    }

    fn write(&mut self, content: &[u8]) -> Result<()> {
        self.inner.write(content)
    }

    fn commit(self: Box<Self>) -> Result<Appended> {
        self.inner.commit()
    }

    fn deliver(self: Box<Self>) -> Result<()> {
        self.inner.deliver()
    }

    fn would_take_one(&self) -> Result<()> {
        self.inner.would_take_one()
    }
}

impl Joined {
    /// Replaces flags where only some may be changed: those are, the others stay.
    fn set_permitted(
        (at, rights): (&Behind, Rights),
        uids: &UidSet,
        flags: &Flags,
        unchanged_since: Option<ModSeq>,
    ) -> Result<Stored> {
        let store = &at.part.store;
        let add = FlagChange::Add(permitted(flags, rights));
        let added = store.store_flags(&at.inner, uids, &add, unchanged_since)?;
        let mut less = permitted(&every_system_flag(), rights);
        if rights.has(b'w') {
            for message in &added.messages {
                for keyword in &message.flags.keywords {
                    if !flags.has_keyword(keyword) && !less.has_keyword(keyword) {
                        less.keywords.push(keyword.clone());
                    }
                }
            }
        }
        less.system = less.system.without(flags.system);
        let changed: UidSet = added.messages.iter().map(|message| message.uid).collect();
        let removed = store.store_flags(&at.inner, &changed, &FlagChange::Remove(less), None)?;
        Ok(Stored {
            messages: removed.messages,
            modified: added.modified,
        })
    }

    /// Copies within one part or from one to another.
    fn transfer(&self, from: &Behind, uids: &UidSet, to: &Behind, rights: Rights) -> Result<Copied> {
        if Arc::ptr_eq(&from.part, &to.part) && rights == Rights::ALL {
            return from.part.store.copy(&from.inner, uids, &to.inner);
        }
        let messages = from.part.store.changes(&from.inner, 0)?.messages;
        let messages: Vec<_> = messages
            .iter()
            .filter(|message| uids.contains(message.uid))
            .collect();
        let mut append = to.part.store.append(&to.inner)?;
        let mut piece = vec![0; 32 * 1024];
        for message in &messages {
            append.start(permitted(&message.flags, rights), message.internal_date_secs)?;
            let body = from.part.store.body(&from.inner, message.uid)?;
            let mut offset = 0;
            loop {
                let count = body.read_at(offset, &mut piece)?;
                if count == 0 {
                    break;
                }
                append.write(&piece[..count])?;
                offset += count as u64;
            }
        }
        let appended = append.commit()?;
        let sources = messages.iter().map(|message| message.uid);
        Ok(Copied {
            uid_validity: appended.uid_validity,
            pairs: sources.zip(appended.uids).collect(),
        })
    }

    /// The part in whose file a subscription is noted.
    fn subscriptions_of(&self, name: &MailboxName) -> Result<Arc<Part>> {
        let (part, _) = self.part_of(name)?;
        if part.keeps_subscriptions {
            return Ok(part);
        }
        let parts = lock(&self.parts);
        let keeping = parts
            .iter()
            .filter(|other| other.keeps_subscriptions && name.as_str().starts_with(&other.prefix));
        let keeping = keeping.max_by_key(|other| other.prefix.len()).cloned();
        keeping.ok_or_else(|| Error::InvalidName(name.to_string(), "no namespace keeps its subscription"))
    }
}

impl Store for Joined {
    fn namespaces(&self) -> Vec<Namespace> {
        let spaces = self
            .spaces
            .iter()
            .filter(|space| space.set.alias_for.is_empty() || !space.set.hidden);
        let namespace = |space: &super::parts::Space| Namespace {
            kind: space.kind,
            prefix: space.set.prefix.clone(),
            separator: space.separator,
            is_hidden: space.set.hidden,
            is_listed: space.set.list != "no",
        };
        spaces.map(namespace).collect()
    }

    fn list(&self) -> Result<Vec<ListEntry>> {
        let node = |name: MailboxName| ListEntry {
            name,
            selectable: false,
            no_inferiors: false,
            exists: false,
            special_use: Vec::new(),
        };
        let mut all: Vec<ListEntry> = Vec::new();
        let parts: Vec<Arc<Part>> = lock(&self.parts).clone();
        let is_of_user = |part: &Part| part.kind == NamespaceKind::OtherUsers && part.owner.is_some();
        for part in parts.iter().filter(|part| !is_of_user(part)) {
            let entries = self.listed(part)?;
            let set = self.spaces.iter().find(|space| space.set.prefix == part.prefix);
            let is_shown = !entries.is_empty() || set.is_some_and(|space| space.set.list == "yes");
            let root = part.root_name();
            let is_root = |entry: &ListEntry| entry.name == root;
            if !part.prefix.is_empty() && is_shown && !root.is_inbox() && !entries.iter().any(is_root) {
                all.push(node(root));
            }
            all.extend(entries);
        }
        for space in self.spaces.iter().filter(|space| space.is_of_users()) {
            let before = all.len();
            for user in self.sharers()? {
                let Some((_, prefix)) = space.user_of(&format!("{}{user}", space.set.prefix)) else {
                    continue;
                };
                let part = match self.part_of_user(space, &user, &prefix) {
                    Err(Error::NoSuchMailbox(_)) => continue,
                    part => part?,
                };
                let entries = self.listed(&part)?;
                let root = part.root_name();
                if !entries.is_empty() && !entries.iter().any(|entry| entry.name == root) {
                    all.push(node(root));
                }
                all.extend(entries);
            }
            let prefix = space.set.prefix.strip_suffix(space.separator).unwrap_or_default();
            if !prefix.is_empty() && (all.len() > before || space.set.list == "yes") {
                all.push(node(MailboxName::new(prefix, space.separator)));
            }
        }
        all.sort_by(|a, b| (!a.name.is_inbox(), &a.name).cmp(&(!b.name.is_inbox(), &b.name)));
        all.dedup_by(|a, b| a.name == b.name);
        Ok(all)
    }

    fn directory(&self, name: &MailboxName) -> Result<Option<PathBuf>> {
        let (part, inner) = self.part_of(name)?;
        part.store.directory(&inner)
    }

    fn open(&self, name: &MailboxName) -> Result<Opened> {
        let (part, inner, rights) = self.known(name)?;
        if !rights.has_any("lrip") || !part.is_there(&inner)? {
            return Err(Error::NoSuchMailbox(name.to_string()));
        }
        let mut opened = part.store.open(&inner).map_err(|error| match error {
            Error::NoSuchMailbox(_) => Error::NoSuchMailbox(name.to_string()),
            error => error,
        })?;
        let outer = MailboxId(format!("{}\0{}", part.prefix, opened.id.0).into());
        let behind = Behind {
            part,
            inner: std::mem::replace(&mut opened.id, outer.clone()),
            name: inner,
        };
        lock(&self.opened).insert(outer, behind);
        opened.read_only |= !rights.has_any("ipewts");
        Ok(opened)
    }

    fn create(&self, name: &MailboxName, special_use: Option<SpecialUse>) -> Result<()> {
        let (part, inner) = self.part_of(name)?;
        if inner.is_inbox() {
            return Err(Error::MailboxExists(name.to_string()));
        }
        let above = self.may_create(&part, name, &inner)?;
        part.store.create(&inner, special_use)?;
        match (above, part.store.directory(&inner)?) {
            (Some(above), Some(directory)) => acl_file::inherit(&above, &directory),
            _ => Ok(()),
        }
    }

    fn create_node(&self, name: &MailboxName) -> Result<()> {
        let (part, inner) = self.part_of(name)?;
        if inner.is_inbox() {
            // The namespace is there.
            return Ok(());
        }
        self.may_create(&part, name, &inner)?;
        part.store.create_node(&inner)
    }

    fn delete(&self, name: &MailboxName) -> Result<()> {
        let (part, inner) = self.allowed(name, "x")?;
        if inner.is_inbox() && !part.has_inbox {
            return Err(Error::NoPermission(name.to_string()));
        }
        part.store.delete(&inner)?;
        match part.owner.as_deref() == Some(self.me.as_str()) {
            true => self.note_sharing(),
            false => Ok(()),
        }
    }

    fn rename(&self, from: &MailboxName, to: &MailboxName) -> Result<()> {
        let (part, inner) = self.allowed(from, "x")?;
        let (target, inner_to) = self.part_of(to)?;
        if !Arc::ptr_eq(&part, &target) {
            part.store.open(&inner)?;
            return Err(Error::InvalidName(
                to.to_string(),
                "Renaming not supported across namespaces",
            ));
        }
        self.may_create(&target, to, &inner_to)?;
        part.store.rename(&inner, &inner_to)
    }

    fn subscriptions(&self) -> Result<Vec<MailboxName>> {
        let mut names = Vec::new();
        let parts: Vec<Arc<Part>> = lock(&self.parts).clone();
        let mine = parts.iter().filter(|part| part.keeps_subscriptions);
        for part in mine.filter(|part| !(part.kind == NamespaceKind::OtherUsers && part.owner.is_some())) {
            names.extend(part.store.subscriptions()?);
        }
        names.sort();
        names.dedup();
        Ok(names)
    }

    fn subscribe(&self, name: &MailboxName, subscribed: bool) -> Result<()> {
        self.subscriptions_of(name)?.store.subscribe(name, subscribed)
    }

    fn my_rights(&self, name: &MailboxName) -> Result<Rights> {
        let (_, _, rights) = self.known(name)?;
        Ok(rights)
    }

    fn acl(&self, name: &MailboxName) -> Result<Vec<AclEntry>> {
        let (part, inner) = self.allowed(name, "a")?;
        part.store.open(&inner)?;
        let mut entries = match part.store.directory(&inner)? {
            Some(directory) => acl_file::read(&directory)?,
            None => Vec::new(),
        };
        let has_owner = entries.iter().any(|entry| entry.identifier == Identifier::Owner);
        // Only owners are told what they may without a word about it.
        let owner = part.owner.as_ref().filter(|owner| **owner == self.me);
        if let (Some(owner), false) = (owner, has_owner) {
            entries.push(AclEntry {
                identifier: Identifier::User(owner.clone()),
                is_negative: false,
                letters: Rights::ALL.to_string(),
            });
        }
        for entry in &mut entries {
            if let (Identifier::Owner, Some(owner)) = (&entry.identifier, &part.owner) {
                entry.identifier = Identifier::User(owner.clone());
            }
        }
        Ok(entries)
    }

    fn set_acl(&self, name: &MailboxName, whom: (&Identifier, bool), change: RightsChange) -> Result<()> {
        let (part, _) = self.part_of(name)?;
        let is_owner = match whom.0 {
            Identifier::User(user) => part.owner.as_ref() == Some(user),
            Identifier::Owner => true,
            _ => false,
        };
        match (is_owner, change) {
            // Who owns a mailbox never loses it.
            (true, RightsChange::Set(rights)) if !whom.1 => {
                let rights = rights.union(Rights::letters("a"));
                self.change_acl(name, (&Identifier::Owner, false), RightsChange::Set(rights))
            }
            (true, change) => self.change_acl(name, (&Identifier::Owner, whom.1), change),
            (false, change) => self.change_acl(name, whom, change),
        }
    }

    fn quota_roots(&self, mailbox: Option<&MailboxName>) -> Result<Vec<QuotaRoot>> {
        let part = match mailbox {
            Some(name) => match self.part_of(name) {
                Ok((part, _)) => Some(part),
                Err(Error::NoSuchMailbox(_)) => None,
                Err(error) => return Err(error),
            },
            None => lock(&self.parts).first().cloned(),
        };
        // What is not the user's own counts for nothing here.
        match part.filter(|part| part.kind == NamespaceKind::Personal) {
            Some(part) => part.store.quota_roots(mailbox),
            None => Ok(Vec::new()),
        }
    }

    fn status(&self, mailbox: &MailboxId) -> Result<Status> {
        let at = self.with(mailbox, "r")?;
        at.part.store.status(&at.inner)
    }

    fn changes(&self, mailbox: &MailboxId, since: ModSeq) -> Result<Changes> {
        let at = self.with(mailbox, "r")?;
        at.part.store.changes(&at.inner, since)
    }

    fn claim_recent(&self, mailbox: &MailboxId) -> Result<UidSet> {
        let at = self.behind(mailbox)?;
        at.part.store.claim_recent(&at.inner)
    }

    fn append(&self, mailbox: &MailboxId) -> Result<Box<dyn Append>> {
        let (at, rights) = self.at(mailbox)?;
        if !rights.has_any("ip") {
            return Err(Error::NoPermission(at.name.to_string()));
        }
        let inner = at.part.store.append(&at.inner)?;
        Ok(Box::new(Appending { inner, rights }))
    }

    fn copy(&self, from: &MailboxId, uids: &UidSet, to: &MailboxId) -> Result<Copied> {
        let source = self.with(from, "r")?;
        let (target, rights) = self.at(to)?;
        match rights.has(b'i') {
            true => self.transfer(&source, uids, &target, rights),
            false => Err(Error::NoPermission(target.name.to_string())),
        }
    }

    fn move_messages(&self, from: &MailboxId, uids: &UidSet, to: &MailboxId) -> Result<Copied> {
        let (source, may) = self.at(from)?;
        let (target, rights) = self.at(to)?;
        if !(may.has(b'r') && may.has(b't') && may.has(b'e') && rights.has(b'i')) {
            return Err(Error::NoPermission(source.name.to_string()));
        }
        if Arc::ptr_eq(&source.part, &target.part) && rights == Rights::ALL {
            return source
                .part
                .store
                .move_messages(&source.inner, uids, &target.inner);
        }
        let copied = self.transfer(&source, uids, &target, rights)?;
        let gone: UidSet = copied.pairs.iter().map(|pair| pair.0).collect();
        let deleted = FlagChange::Add(Flags {
            system: SystemFlags::DELETED,
            keywords: Vec::new(),
        });
        let store = &source.part.store;
        store.store_flags(&source.inner, &gone, &deleted, None)?;
        store.expunge(&source.inner, &gone)?;
        Ok(copied)
    }

    fn store_flags(
        &self,
        mailbox: &MailboxId,
        uids: &UidSet,
        change: &FlagChange,
        unchanged_since: Option<ModSeq>,
    ) -> Result<Stored> {
        let (at, rights) = self.at(mailbox)?;
        let change = match change {
            FlagChange::Add(flags) => FlagChange::Add(permitted(flags, rights)),
            FlagChange::Remove(flags) => FlagChange::Remove(permitted(flags, rights)),
            FlagChange::Set(flags) if !(rights.has(b's') && rights.has(b't') && rights.has(b'w')) => {
                return Joined::set_permitted((&at, rights), uids, flags, unchanged_since);
            }
            FlagChange::Set(flags) => FlagChange::Set(flags.clone()),
        };
        at.part
            .store
            .store_flags(&at.inner, uids, &change, unchanged_since)
    }

    fn expunge(&self, mailbox: &MailboxId, uids: &UidSet) -> Result<UidSet> {
        let (at, rights) = self.at(mailbox)?;
        match rights.has(b'e') {
            true => at.part.store.expunge(&at.inner, uids),
            // As Dovecot: nothing happens, and nothing is said.
            false => Ok(UidSet::new()),
        }
    }

    fn body(&self, mailbox: &MailboxId, uid: Uid) -> Result<Arc<dyn Body>> {
        let at = self.behind(mailbox)?;
        at.part.store.body(&at.inner, uid)
    }

    fn storage_names(&self, mailbox: &MailboxId) -> Result<Option<HashMap<Uid, String>>> {
        let at = self.behind(mailbox)?;
        at.part.store.storage_names(&at.inner)
    }

    fn guid(&self, mailbox: &MailboxId) -> Result<Option<[u8; 16]>> {
        let at = self.behind(mailbox)?;
        at.part.store.guid(&at.inner)
    }

    fn rescan(&self, mailbox: &MailboxId) -> Result<()> {
        let at = self.behind(mailbox)?;
        at.part.store.rescan(&at.inner)
    }

    fn pop3_notes(&self, mailbox: &MailboxId) -> Result<HashMap<Uid, Pop3Note>> {
        let at = self.behind(mailbox)?;
        at.part.store.pop3_notes(&at.inner)
    }

    fn save_uidls(&self, mailbox: &MailboxId, uidls: &[(Uid, String)]) -> Result<()> {
        let at = self.behind(mailbox)?;
        at.part.store.save_uidls(&at.inner, uidls)
    }

    fn candidates(&self, mailbox: &MailboxId, sought: &Sought<'_>) -> Result<Option<UidSet>> {
        let at = self.behind(mailbox)?;
        at.part.store.candidates(&at.inner, sought)
    }

    fn cache(&self, mailbox: &MailboxId) -> Option<Arc<dyn Cache>> {
        let at = self.behind(mailbox).ok()?;
        at.part.store.cache(&at.inner)
    }

    fn watch(&self, mailbox: &MailboxId, wake: Wake) -> Result<Watch> {
        let at = self.behind(mailbox)?;
        at.part.store.watch(&at.inner, wake)
    }

    fn watch_names(&self, wake: Wake) -> Result<Watch> {
        let parts: Vec<Arc<Part>> = lock(&self.parts).clone();
        let watches = parts.iter().map(|part| part.store.watch_names(Arc::clone(&wake)));
        Ok(Watch(Box::new(watches.collect::<Result<Vec<_>>>()?)))
    }
}
