//! What a session under NOTIFY knows of mailboxes that are not selected, and what it says when that changed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use mailbox::store::{MailboxId, NamespaceKind, Status, Wake, Watch};
use mailbox::{MailboxName, Store, mutf7};

use super::arguments::{Events, Set, Which};
use crate::extensions::namespace::push_separator;
use crate::wire::encode;

/// The most mailboxes that one session watches. A client that wants more is told NOTIFICATIONOVERFLOW.
const MAILBOXES_MAX: usize = 1000;

/// Too many mailboxes to watch, for us or for the system.
pub(super) struct Overflow;

/// The mailboxes that are watched.
pub(super) struct Watching {
    groups: Vec<(Which, Events)>,
    /// By their names; those whose messages are watched, and with MailboxName all.
    mailboxes: BTreeMap<MailboxName, Watched>,
    subscriptions: BTreeSet<MailboxName>,
    /// Mailboxes may have come or gone.
    names: Option<(Arc<AtomicBool>, Watch)>,
}

struct Watched {
    events: Events,
    id: MailboxId,
    object_id: u64,
    status: Status,
    messages: Option<(Arc<AtomicBool>, Watch)>,
}

/// How a STATUS is told.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Told {
    /// Of a mailbox that the client has heard nothing of: with its UIDVALIDITY.
    First,
    Messages,
    /// Nothing came or went.
    Flags,
}

impl Watching {
    /// Looks at the mailboxes; says their states if that is wanted.
    pub(super) fn start(
        store: &dyn Store,
        set: &Set,
        (selected, wake): (Option<&MailboxName>, &Wake),
        out: &mut Vec<u8>,
    ) -> mailbox::Result<Result<Watching, Overflow>> {
        let mut watching = Watching {
            groups: set.groups.clone(),
            mailboxes: BTreeMap::new(),
            subscriptions: BTreeSet::new(),
            names: None,
        };
        if set.groups.is_empty() {
            return Ok(Ok(watching));
        }
        let Some(watch) = flagged(wake, |wake| store.watch_names(wake)) else {
            return Ok(Err(Overflow));
        };
        watching.names = Some(watch);
        watching.subscriptions = store.subscriptions()?.into_iter().collect();
        for name in names(store)? {
            let events = watching.events_of(store, &name);
            if events == Events::default() {
                continue;
            }
            if watching.mailboxes.len() == MAILBOXES_MAX {
                return Ok(Err(Overflow));
            }
            let Some(watched) = Watched::look(store, &name, events)? else {
                continue;
            };
            let Ok(watched) = watched.watched(store, wake) else {
                return Ok(Err(Overflow));
            };
            if set.status && events.has(Events::MESSAGES) && selected != Some(&name) {
                watched.tell(&name, Told::First, out);
            }
            watching.mailboxes.insert(name, watched);
        }
        Ok(Ok(watching))
    }

    /// Says what changed since the last time. Of the selected mailbox, nothing is said here.
    pub(super) fn tell(
        &mut self,
        store: &dyn Store,
        (selected, wake): (Option<&MailboxName>, &Wake),
        out: &mut Vec<u8>,
    ) -> mailbox::Result<Result<(), Overflow>> {
        if let Some((woken, _)) = &self.names
            && woken.swap(false, Ordering::AcqRel)
            && self.tell_names(store, wake, out)?.is_err()
        {
            return Ok(Err(Overflow));
        }
        for (name, watched) in &mut self.mailboxes {
            let woken = watched
                .messages
                .as_ref()
                .is_some_and(|(woken, _)| woken.swap(false, Ordering::AcqRel));
            if !woken {
                continue;
            }
            // One that is gone is told of by its name.
            let Ok(status) = store.status(&watched.id) else {
                continue;
            };
            let before = std::mem::replace(&mut watched.status, status);
            if selected != Some(name) && watched.is_told(&before) {
                let flags_only = before.uid_next == status.uid_next && before.messages == status.messages;
                let told = if flags_only { Told::Flags } else { Told::Messages };
                watched.tell(name, told, out);
            }
        }
        Ok(Ok(()))
    }

    /// Mailboxes that came, went or have another name; subscriptions.
    fn tell_names(
        &mut self,
        store: &dyn Store,
        wake: &Wake,
        out: &mut Vec<u8>,
    ) -> mailbox::Result<Result<(), Overflow>> {
        let separator = store
            .namespaces()
            .first()
            .map_or('/', |namespace| namespace.separator);
        let now: BTreeSet<MailboxName> = names(store)?.into_iter().collect();
        let subscriptions: BTreeSet<MailboxName> = store.subscriptions()?.into_iter().collect();
        let before = std::mem::replace(&mut self.subscriptions, subscriptions);
        let gone: Vec<MailboxName> = self
            .mailboxes
            .keys()
            .filter(|name| !now.contains(*name))
            .cloned()
            .collect();
        let mut gone: BTreeMap<u64, (MailboxName, Watched)> = gone
            .into_iter()
            .filter_map(|name| {
                self.mailboxes
                    .remove(&name)
                    .map(|watched| (watched.object_id, (name, watched)))
            })
            .collect();
        for name in &now {
            if self.mailboxes.contains_key(name) {
                continue;
            }
            let events = self.events_of(store, name);
            if events == Events::default() {
                continue;
            }
            if self.mailboxes.len() == MAILBOXES_MAX {
                return Ok(Err(Overflow));
            }
            let Some(watched) = Watched::look(store, name, events)? else {
                continue;
            };
            let Ok(watched) = watched.watched(store, wake) else {
                return Ok(Err(Overflow));
            };
            let old = gone.remove(&watched.object_id);
            if events.has(Events::NAMES) {
                list_line(out, (name, separator), "", old.as_ref().map(|(name, _)| name));
            }
            if events.has(Events::MESSAGES) && old.is_none() && watched.status.messages > 0 {
                watched.tell(name, Told::First, out);
            }
            self.mailboxes.insert(name.clone(), watched);
        }
        for (name, watched) in gone.into_values() {
            if watched.events.has(Events::NAMES) {
                list_line(out, (&name, separator), "\\NonExistent", None);
            }
        }
        for name in before.symmetric_difference(&self.subscriptions) {
            if self.events_of(store, name).has(Events::SUBSCRIPTIONS) {
                let attribute = if before.contains(name) { "" } else { "\\Subscribed" };
                list_line(out, (name, separator), attribute, None);
            }
        }
        Ok(Ok(()))
    }

    /// What a mailbox is watched for: by every group that it is in.
    fn events_of(&self, store: &dyn Store, name: &MailboxName) -> Events {
        let groups = self
            .groups
            .iter()
            .filter(|(which, _)| self.is_in(store, name, which));
        groups.fold(Events::default(), |all, (_, events)| all.with(*events))
    }

    fn is_in(&self, store: &dyn Store, name: &MailboxName, which: &Which) -> bool {
        let namespaces = store.namespaces();
        let separator = namespaces.first().map_or('/', |namespace| namespace.separator);
        let named = |raw: &Vec<u8>| mutf7::decode(raw).map(|text| MailboxName::new(&text, separator));
        match which {
            Which::Inboxes | Which::Personal => {
                let of_others = namespaces
                    .iter()
                    .filter(|space| space.kind != NamespaceKind::Personal);
                !of_others
                    .into_iter()
                    .any(|space| name.as_str().starts_with(&space.prefix))
            }
            Which::Subscribed => self.subscriptions.contains(name),
            Which::Mailboxes(names) => names.iter().filter_map(named).any(|listed| listed == *name),
            Which::Subtree(names) => names.iter().filter_map(named).any(|root| {
                let rest = name.as_str().strip_prefix(root.as_str());
                rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(separator))
            }),
        }
    }
}

impl Watched {
    /// `None`: it is gone by now.
    fn look(store: &dyn Store, name: &MailboxName, events: Events) -> mailbox::Result<Option<Watched>> {
        let opened = match store.open(name) {
            Ok(opened) => opened,
            Err(mailbox::Error::NoSuchMailbox(_) | mailbox::Error::NotSelectable(_)) => return Ok(None),
            Err(error) => return Err(error),
        };
        let status = store.status(&opened.id)?;
        Ok(Some(Watched {
            events,
            id: opened.id,
            object_id: opened.object_id,
            status,
            messages: None,
        }))
    }

    /// The same, with its messages watched if they are to be.
    fn watched(mut self, store: &dyn Store, wake: &Wake) -> Result<Watched, Overflow> {
        if self.events.has(Events::MESSAGES) {
            let watch = flagged(wake, |wake| store.watch(&self.id, wake));
            self.messages = Some(watch.ok_or(Overflow)?);
            // What happened before the watch began.
            if let Ok(status) = store.status(&self.id) {
                self.status = status;
            }
        }
        Ok(self)
    }

    /// Whether what happened since is what the client wants to hear of.
    fn is_told(&self, before: &Status) -> bool {
        let now = &self.status;
        let came = now.uid_next != before.uid_next;
        let went = now.messages
            != before
                .messages
                .wrapping_add(now.uid_next.wrapping_sub(before.uid_next));
        let flags = now.highest_modseq != before.highest_modseq;
        (came && self.events.has(Events::NEW))
            || (went && self.events.has(Events::EXPUNGE))
            || (flags && self.events.has(Events::FLAGS))
    }

    /// Writes STATUS (RFC 5465 §5.1-5.3); Dovecot's choice of items.
    fn tell(&self, name: &MailboxName, told: Told, out: &mut Vec<u8>) {
        let status = &self.status;
        out.extend_from_slice(b"* STATUS ");
        encode::astring(out, mutf7::encode(name.as_str()).as_bytes());
        let mut items = String::from(" (");
        if told != Told::Flags {
            items.push_str(&format!(
                "MESSAGES {} UIDNEXT {} ",
                status.messages, status.uid_next
            ));
        }
        if told == Told::First {
            items.push_str(&format!("UIDVALIDITY {} ", status.uid_validity));
        }
        items.push_str(&format!("UNSEEN {}", status.unseen));
        if self.events.has(Events::FLAGS) {
            items.push_str(&format!(" HIGHESTMODSEQ {}", status.highest_modseq));
        }
        out.extend_from_slice(items.as_bytes());
        out.extend_from_slice(b")\r\n");
    }
}

/// The mailboxes that can be selected.
fn names(store: &dyn Store) -> mailbox::Result<Vec<MailboxName>> {
    let entries = store.list()?.into_iter();
    Ok(entries
        .filter(|entry| entry.selectable)
        .map(|entry| entry.name)
        .collect())
}

/// A watch that leaves its mark before it wakes.
fn flagged(
    wake: &Wake,
    watch: impl FnOnce(Wake) -> mailbox::Result<Watch>,
) -> Option<(Arc<AtomicBool>, Watch)> {
    let woken = Arc::new(AtomicBool::new(false));
    let (mark, wake) = (Arc::clone(&woken), Arc::clone(wake));
    let marking: Wake = Arc::new(move || {
        mark.store(true, Ordering::Release);
        wake();
    });
    Some((woken, watch(marking).ok()?))
}

/// Writes LIST (RFC 5465 §5.4, §5.5), with the name from before in the words of RFC 5258.
fn list_line(
    out: &mut Vec<u8>,
    (name, separator): (&MailboxName, char),
    attribute: &str,
    old: Option<&MailboxName>,
) {
    out.extend_from_slice(format!("* LIST ({attribute}) ").as_bytes());
    push_separator(out, separator);
    out.push(b' ');
    encode::astring(out, mutf7::encode(name.as_str()).as_bytes());
    if let Some(old) = old {
        out.extend_from_slice(b" (\"OLDNAME\" (");
        encode::astring(out, mutf7::encode(old.as_str()).as_bytes());
        out.extend_from_slice(b"))");
    }
    out.extend_from_slice(b"\r\n");
}
