//! A store that refuses mail over the quota and keeps the sum of what it holds.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use mailbox::quota::{QuotaKind, QuotaResource, QuotaRoot};
use mailbox::store::Sought;
use mailbox::{
    Append, Appended, Body, Cache, Changes, Copied, Error, FlagChange, Flags, ListEntry, MailboxId,
    MailboxName, ModSeq, Namespace, Opened, Pop3Note, Result, SpecialUse, Status, Store, Stored, Uid, UidSet,
    Wake, Watch, mutf7,
};
use store_maildir::maildirsize::{self, Amount, Anew};

use super::rules::Limits;
use super::{Backend, By, Quota, Root};

/// The store of a user with a quota.
pub(super) struct Limited {
    inner: Arc<dyn Store>,
    guard: Arc<Guard>,
    /// The names of mailboxes that were opened here: rules speak of names.
    names: Mutex<HashMap<MailboxId, MailboxName>>,
}

/// What decides, for the store and for appends under way.
struct Guard {
    inner: Arc<dyn Store>,
    quota: Quota,
    by: By,
    /// In front of every name but INBOX; a rule may leave it out.
    prefix: String,
    separator: char,
}

/// Mail on its way in: octets as they lie on disk, and with CRLF lines.
#[derive(Debug, Clone, Copy, Default)]
struct Load {
    on_disk: i64,
    with_crlf: i64,
    messages: i64,
}

impl Load {
    fn amount(self, backend: &Backend) -> Amount {
        Amount {
            bytes: match backend {
                Backend::Maildir(_) => self.on_disk,
                Backend::Count => self.with_crlf,
            },
            messages: self.messages,
        }
    }
}

impl Limited {
    pub(super) fn new(inner: Arc<dyn Store>, quota: Quota, by: By) -> Limited {
        let personal = inner.namespaces().into_iter().next();
        let (prefix, separator) =
            personal.map_or((String::new(), '/'), |space| (space.prefix, space.separator));
        let guard = Guard {
            inner: Arc::clone(&inner),
            quota,
            by,
            prefix,
            separator,
        };
        Limited {
            inner,
            guard: Arc::new(guard),
            names: Mutex::default(),
        }
    }

    fn name_of(&self, mailbox: &MailboxId) -> MailboxName {
        let names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        names.get(mailbox).cloned().unwrap_or_else(MailboxName::inbox)
    }

    /// Sizes of messages; those that do not exist have none.
    fn loads(&self, mailbox: &MailboxId, uids: &UidSet) -> Result<HashMap<Uid, Load>> {
        let mut loads = HashMap::new();
        for message in self.inner.changes(mailbox, ModSeq::default())?.messages {
            if uids.contains(message.uid) {
                let bytes = i64::try_from(message.size_bytes).unwrap_or(i64::MAX);
                let load = Load {
                    on_disk: bytes,
                    with_crlf: bytes,
                    messages: 1,
                };
                loads.insert(message.uid, load);
            }
        }
        if self.guard.keeps_a_file()
            && let Some(names) = self.inner.storage_names(mailbox)?
        {
            for (uid, name) in names {
                if let (Some(load), Some(bytes)) = (loads.get_mut(&uid), maildirsize::size_in_name(&name)) {
                    load.on_disk = bytes;
                }
            }
        }
        Ok(loads)
    }
}

fn sum<'a>(loads: impl Iterator<Item = &'a Load>) -> Load {
    loads.fold(Load::default(), |sum, load| Load {
        on_disk: sum.on_disk.saturating_add(load.on_disk),
        with_crlf: sum.with_crlf.saturating_add(load.with_crlf),
        messages: sum.messages + load.messages,
    })
}

impl Guard {
    fn keeps_a_file(&self) -> bool {
        let mut roots = self.quota.roots.iter();
        roots.any(|root| matches!(root.backend, Backend::Maildir(_)))
    }

    /// The name as rules have it.
    fn short<'a>(&self, name: &'a MailboxName) -> &'a str {
        let text = name.as_str();
        text.strip_prefix(self.prefix.as_str()).unwrap_or(text)
    }

    /// Whether so much more may go into a mailbox.
    fn admit(&self, mailbox: &MailboxName, load: Load) -> Result<()> {
        let largest = self.quota.mail_bytes_max;
        if largest > 0 && load.messages == 1 && load.with_crlf > largest {
            return Err(Error::OverLimit(
                "Requested allocation size is too large".to_owned(),
            ));
        }
        for root in self.quota.roots.iter().filter(|root| root.enforced) {
            if !self.fits(root, mailbox, load)? {
                return Err(Error::OverLimit(self.quota.exceeded.clone()));
            }
        }
        Ok(())
    }

    fn fits(&self, root: &Root, mailbox: &MailboxName, load: Load) -> Result<bool> {
        let Some(limits) = root.limits(self.short(mailbox)) else {
            return Ok(true);
        };
        if limits.bytes == 0 && limits.messages == 0 {
            return Ok(true);
        }
        let more = load.amount(&root.backend);
        let fits = |used: Amount| {
            let room = match self.by {
                By::Delivery if used.bytes < limits.bytes => limits.bytes.saturating_add(root.grace),
                _ => limits.bytes,
            };
            (limits.bytes == 0 || used.bytes.saturating_add(more.bytes) <= room)
                && (limits.messages == 0 || used.messages + more.messages <= limits.messages)
        };
        if fits(self.used(root, Anew::IfNeeded)?) {
            return Ok(true);
        }
        match root.backend {
            // What others removed without a note is found by counting.
            Backend::Maildir(_) => Ok(fits(self.used(root, Anew::Surely)?)),
            Backend::Count => Ok(false),
        }
    }

    /// How much counts now.
    fn used(&self, root: &Root, anew: Anew) -> Result<Amount> {
        match &root.backend {
            Backend::Maildir(maildir) => {
                let limits = root.defaults();
                let limit = Amount {
                    bytes: limits.bytes,
                    messages: limits.messages,
                };
                let counts = |directory: &str| root.limits(&self.name_of_directory(directory)).is_some();
                maildirsize::usage(maildir, limit, anew, &counts).map_err(|source| Error::Io {
                    what: format!("cannot count the mail in {}", maildir.display()),
                    source,
                })
            }
            Backend::Count => self.counted(root),
        }
    }

    /// The root as clients are told of it.
    fn told(&self, root: &Root) -> Result<QuotaRoot> {
        let limits = root.defaults();
        let used = match limits == Limits::default() {
            true => Amount::default(),
            false => self.used(root, Anew::IfNeeded)?,
        };
        let resource = |kind, used: i64, limit: i64| QuotaResource {
            kind,
            used: u64::try_from(used).unwrap_or(0),
            limit: u64::try_from(limit).unwrap_or(0),
        };
        let resources = [
            resource(QuotaKind::Storage, used.bytes, limits.bytes),
            resource(QuotaKind::Message, used.messages, limits.messages),
        ];
        Ok(QuotaRoot {
            name: root.name.clone(),
            hidden: root.hidden,
            resources: resources
                .into_iter()
                .filter(|resource| resource.limit > 0)
                .collect(),
        })
    }

    fn name_of_directory(&self, directory: &str) -> String {
        if directory.is_empty() {
            return "INBOX".to_owned();
        }
        let encoded = directory.trim_start_matches('.');
        let name = mutf7::decode(encoded.as_bytes()).unwrap_or_else(|| encoded.to_owned());
        name.replace('.', &self.separator.to_string())
    }

    fn counted(&self, root: &Root) -> Result<Amount> {
        let mut amount = Amount::default();
        for entry in self.inner.list()? {
            if !entry.selectable || root.limits(self.short(&entry.name)).is_none() {
                continue;
            }
            let id = match self.inner.open(&entry.name) {
                Ok(opened) => opened.id,
                // Another session was faster.
                Err(Error::NoSuchMailbox(_)) => continue,
                Err(error) => return Err(error),
            };
            let status = self.inner.status(&id)?;
            let bytes = i64::try_from(status.size_bytes).unwrap_or(i64::MAX);
            amount.bytes = amount.bytes.saturating_add(bytes);
            amount.messages += i64::from(status.messages);
        }
        Ok(amount)
    }

    /// Notes what came into a mailbox or, with a `sign` of -1, went.
    fn note(&self, mailbox: &MailboxName, load: Load, sign: i64) {
        for (root, maildir) in self.files() {
            if root.limits(self.short(mailbox)).is_some() && load.messages > 0 {
                let amount = load.amount(&root.backend);
                let change = Amount {
                    bytes: sign * amount.bytes,
                    messages: sign * amount.messages,
                };
                maildirsize::add(maildir, change);
            }
        }
    }

    /// The next one who asks counts anew.
    fn forget(&self) {
        self.files().for_each(|(_, maildir)| maildirsize::forget(maildir));
    }

    fn files(&self) -> impl Iterator<Item = (&Root, &Path)> {
        self.quota.roots.iter().filter_map(|root| match &root.backend {
            Backend::Maildir(maildir) => Some((root, maildir.as_path())),
            Backend::Count => None,
        })
    }

    /// Whether mail in both mailboxes counts alike.
    fn is_same(&self, from: &MailboxName, to: &MailboxName) -> bool {
        let counts = |root: &Root, name| root.limits(self.short(name)).is_some();
        self.quota
            .roots
            .iter()
            .all(|root| counts(root, from) == counts(root, to))
    }
}

/// Messages on their way into one mailbox.
struct LimitedAppend {
    inner: Box<dyn Append>,
    guard: Arc<Guard>,
    mailbox: MailboxName,
    load: Load,
    after_cr: bool,
}

impl LimitedAppend {
    /// Puts the messages into the mailbox if there is room for them.
    fn put<T>(self, put: impl FnOnce(Box<dyn Append>) -> Result<T>) -> Result<T> {
        self.guard.admit(&self.mailbox, self.load)?;
        let done = put(self.inner)?;
        self.guard.note(&self.mailbox, self.load, 1);
        Ok(done)
    }
}

impl Append for LimitedAppend {
    fn start(&mut self, flags: Flags, internal_date_secs: i64) -> Result<()> {
        self.load.messages += 1;
        self.after_cr = false;
        self.inner.start(flags, internal_date_secs)
    }

    fn write(&mut self, content: &[u8]) -> Result<()> {
        for &octet in content {
            match (octet, self.after_cr) {
                // The CR before it was counted for both.
                (b'\n', true) => self.load.with_crlf += 1,
                (b'\n', false) => {
                    self.load.with_crlf += 2;
                    self.load.on_disk += 1;
                }
                _ => {
                    self.load.with_crlf += 1;
                    self.load.on_disk += 1;
                }
            }
            self.after_cr = octet == b'\r';
        }
        self.inner.write(content)
    }

    fn would_take_one(&self) -> Result<()> {
        let one = Load {
            on_disk: 1,
            with_crlf: 1,
            messages: 1,
        };
        self.guard.admit(&self.mailbox, one)
    }

    fn commit(self: Box<Self>) -> Result<Appended> {
        self.put(Append::commit)
    }

    fn deliver(self: Box<Self>) -> Result<()> {
        self.put(Append::deliver)
    }
}

impl Store for Limited {
    fn namespaces(&self) -> Vec<Namespace> {
        self.inner.namespaces()
    }

    fn list(&self) -> Result<Vec<ListEntry>> {
        self.inner.list()
    }

    fn open(&self, name: &MailboxName) -> Result<Opened> {
        let opened = self.inner.open(name)?;
        let mut names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        names.insert(opened.id.clone(), name.clone());
        Ok(opened)
    }

    fn create(&self, name: &MailboxName, special_use: Option<SpecialUse>) -> Result<()> {
        self.inner.create(name, special_use)
    }

    fn create_node(&self, name: &MailboxName) -> Result<()> {
        self.inner.create_node(name)
    }

    fn delete(&self, name: &MailboxName) -> Result<()> {
        self.inner.delete(name)?;
        self.guard.forget();
        Ok(())
    }

    fn rename(&self, from: &MailboxName, to: &MailboxName) -> Result<()> {
        self.inner.rename(from, to)?;
        if !self.guard.is_same(from, to) {
            self.guard.forget();
        }
        Ok(())
    }

    fn subscriptions(&self) -> Result<Vec<MailboxName>> {
        self.inner.subscriptions()
    }

    fn subscribe(&self, name: &MailboxName, subscribed: bool) -> Result<()> {
        self.inner.subscribe(name, subscribed)
    }

    fn directory(&self, name: &MailboxName) -> Result<Option<PathBuf>> {
        self.inner.directory(name)
    }

    fn quota_roots(&self, _mailbox: Option<&MailboxName>) -> Result<Vec<QuotaRoot>> {
        let roots = self.guard.quota.roots.iter();
        roots.map(|root| self.guard.told(root)).collect()
    }

    fn status(&self, mailbox: &MailboxId) -> Result<Status> {
        self.inner.status(mailbox)
    }

    fn changes(&self, mailbox: &MailboxId, since: ModSeq) -> Result<Changes> {
        self.inner.changes(mailbox, since)
    }

    fn claim_recent(&self, mailbox: &MailboxId) -> Result<UidSet> {
        self.inner.claim_recent(mailbox)
    }

    fn append(&self, mailbox: &MailboxId) -> Result<Box<dyn Append>> {
        Ok(Box::new(LimitedAppend {
            inner: self.inner.append(mailbox)?,
            guard: Arc::clone(&self.guard),
            mailbox: self.name_of(mailbox),
            load: Load::default(),
            after_cr: false,
        }))
    }

    fn copy(&self, from: &MailboxId, uids: &UidSet, to: &MailboxId) -> Result<Copied> {
        let loads = self.loads(from, uids)?;
        let name = self.name_of(to);
        self.guard.admit(&name, sum(loads.values()))?;
        let copied = self.inner.copy(from, uids, to)?;
        let came = copied.pairs.iter().filter_map(|(source, _)| loads.get(source));
        self.guard.note(&name, sum(came), 1);
        Ok(copied)
    }

    fn move_messages(&self, from: &MailboxId, uids: &UidSet, to: &MailboxId) -> Result<Copied> {
        let (source, target) = (self.name_of(from), self.name_of(to));
        if self.guard.is_same(&source, &target) {
            return self.inner.move_messages(from, uids, to);
        }
        let loads = self.loads(from, uids)?;
        self.guard.admit(&target, sum(loads.values()))?;
        let moved = self.inner.move_messages(from, uids, to)?;
        let load = sum(moved.pairs.iter().filter_map(|(uid, _)| loads.get(uid)));
        self.guard.note(&source, load, -1);
        self.guard.note(&target, load, 1);
        Ok(moved)
    }

    fn store_flags(
        &self,
        mailbox: &MailboxId,
        uids: &UidSet,
        change: &FlagChange,
        unchanged_since: Option<ModSeq>,
    ) -> Result<Stored> {
        self.inner.store_flags(mailbox, uids, change, unchanged_since)
    }

    fn expunge(&self, mailbox: &MailboxId, uids: &UidSet) -> Result<UidSet> {
        if !self.guard.keeps_a_file() {
            return self.inner.expunge(mailbox, uids);
        }
        let loads = self.loads(mailbox, uids)?;
        let gone = self.inner.expunge(mailbox, uids)?;
        let load = sum(gone.iter().filter_map(|uid| loads.get(&uid)));
        self.guard.note(&self.name_of(mailbox), load, -1);
        Ok(gone)
    }

    fn body(&self, mailbox: &MailboxId, uid: Uid) -> Result<Arc<dyn Body>> {
        self.inner.body(mailbox, uid)
    }

    fn candidates(&self, mailbox: &MailboxId, sought: &Sought<'_>) -> Result<Option<UidSet>> {
        self.inner.candidates(mailbox, sought)
    }

    fn storage_names(&self, mailbox: &MailboxId) -> Result<Option<HashMap<Uid, String>>> {
        self.inner.storage_names(mailbox)
    }

    fn pop3_notes(&self, mailbox: &MailboxId) -> Result<HashMap<Uid, Pop3Note>> {
        self.inner.pop3_notes(mailbox)
    }

    fn save_uidls(&self, mailbox: &MailboxId, uidls: &[(Uid, String)]) -> Result<()> {
        self.inner.save_uidls(mailbox, uidls)
    }

    fn guid(&self, mailbox: &MailboxId) -> Result<Option<[u8; 16]>> {
        self.inner.guid(mailbox)
    }

    fn rescan(&self, mailbox: &MailboxId) -> Result<()> {
        self.inner.rescan(mailbox)
    }

    fn cache(&self, mailbox: &MailboxId) -> Option<Arc<dyn Cache>> {
        self.inner.cache(mailbox)
    }

    fn watch(&self, mailbox: &MailboxId, wake: Wake) -> Result<Watch> {
        self.inner.watch(mailbox, wake)
    }

    fn watch_names(&self, wake: Wake) -> Result<Watch> {
        self.inner.watch_names(wake)
    }
}

#[cfg(test)]
mod tests {
    use super::super::around;
    use super::*;
    use crate::location::Location;
    use auth::Account;
    use settings::Dovecot;
    use store_maildir::{MaildirStore, Options};

    fn limited(root: &Path, rules: &[(&str, &str)], by: By) -> Arc<dyn Store> {
        let mut settings = Dovecot::defaults();
        settings.mail_plugins = vec!["quota".to_owned()];
        let rules = rules
            .iter()
            .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()));
        settings.plugin.extend(rules);
        let account = Account {
            user: "alice".to_owned(),
            uid: 1000,
            gid: 1000,
            home: None,
            mail_location: String::new(),
            extra: std::collections::BTreeMap::new(),
        };
        let location = Location::Maildir {
            root: root.to_owned(),
        };
        let store: Arc<dyn Store> = Arc::new(MaildirStore::new(root, Options::default()));
        around(store, (&account, &location), (&settings, by), &|text| {
            panic!("{text}")
        })
    }

    fn add(store: &dyn Store, mailbox: &MailboxId, octets: usize) -> Result<Uid> {
        let mut append = store.append(mailbox)?;
        append.start(Flags::default(), 0)?;
        append.write(&vec![b'x'; octets - 2])?;
        append.write(b"\r\n")?;
        Ok(append.commit()?.uids[0])
    }

    fn set(uids: &[Uid]) -> UidSet {
        let mut set = UidSet::new();
        uids.iter().for_each(|uid| set.insert(*uid));
        set
    }

    #[test]
    fn what_is_full_takes_nothing_until_something_goes() {
        for backend in ["maildir", "count"] {
            let dir = tempfile::tempdir().expect("a directory");
            let backend_text = format!("{backend}:User quota");
            let rules = [
                ("quota", backend_text.as_str()),
                ("quota_rule", "*:bytes=1000:messages=3"),
                ("quota_rule2", "Junk:ignore"),
            ];
            let store = limited(dir.path(), &rules, By::Session);
            let inbox = store.open(&MailboxName::inbox()).expect("it is made").id;
            let junk = MailboxName::new("Junk", '.');
            store.create(&junk, None).expect("possible");
            let junk = store.open(&junk).expect("it is there").id;
            let first = add(&*store, &inbox, 600).expect("there is room");
            let full = |result: Result<()>| matches!(result, Err(Error::OverLimit(text)) if text == super::super::EXCEEDED);
            assert!(full(add(&*store, &inbox, 600).map(drop)), "{backend}");
            assert!(
                full(store.copy(&inbox, &set(&[first]), &inbox).map(drop)),
                "{backend}"
            );
            let ignored = add(&*store, &junk, 5000).expect("it does not count");
            assert!(
                full(store.move_messages(&junk, &set(&[ignored]), &inbox).map(drop)),
                "{backend}"
            );
            store
                .move_messages(&inbox, &set(&[first]), &junk)
                .expect("there is room");
            for _ in 0..3 {
                add(&*store, &inbox, 100).expect("there is room again");
            }
            assert!(
                full(add(&*store, &inbox, 100).map(drop)),
                "{backend}: three messages"
            );
            let one = set(&[store.changes(&inbox, 0).expect("readable").messages[0].uid]);
            let deleted = FlagChange::Add(Flags::system(mailbox::SystemFlags::DELETED));
            store.store_flags(&inbox, &one, &deleted, None).expect("possible");
            store.expunge(&inbox, &one).expect("possible");
            add(&*store, &inbox, 100).expect("there is room again");
        }
    }

    #[test]
    fn the_last_delivery_may_go_a_little_over() {
        let dir = tempfile::tempdir().expect("a directory");
        let rules = [("quota", "maildir:User quota"), ("quota_rule", "*:bytes=1000")];
        let session = limited(dir.path(), &rules, By::Session);
        let delivery = limited(dir.path(), &rules, By::Delivery);
        let inbox = session.open(&MailboxName::inbox()).expect("it is made").id;
        add(&*session, &inbox, 950).expect("there is room");
        assert!(add(&*session, &inbox, 100).is_err());
        add(&*delivery, &inbox, 100).expect("within the grace of 10%");
        assert!(add(&*delivery, &inbox, 10).is_err(), "it was the last one");
        let file = std::fs::read_to_string(dir.path().join("maildirsize")).expect("it is kept");
        assert!(file.starts_with("1000S\n"), "{file}");
    }
}
