//! Which messages a query finds: mailbox by mailbox.

use std::collections::HashMap;

use imap::outside::{self, Finder, Letter};
use imap::wire::search::Key;
use mailbox::store::MessageState;
use mailbox::{MailboxName, Uid, UidSet};
use message::date::Date;
use message::header;

use super::query::{Moment, Query};
use super::session::UserMail;

/// A mailbox with messages that were found.
pub(in crate::doveadm) struct Found {
    pub(in crate::doveadm) name: MailboxName,
    pub(in crate::doveadm) finder: Finder,
    /// Those that were found.
    pub(in crate::doveadm) uids: UidSet,
    names: Option<HashMap<Uid, String>>,
}

impl Found {
    /// The messages with their sequence numbers and whether they are recent.
    pub(in crate::doveadm) fn messages(&self) -> impl Iterator<Item = (usize, &MessageState, bool)> {
        let all = self.finder.messages().enumerate();
        all.map(|(at, (state, is_recent))| (at + 1, state, is_recent))
            .filter(|(_, state, _)| self.uids.contains(state.uid))
    }
}

/// Goes through the mailboxes in which a query may find something. What cannot be searched is told by `wrong`, which gets the name.
pub(in crate::doveadm) fn each(
    mail: &mut UserMail,
    query: &Query,
    wrong: fn(&str) -> String,
    mut visit: impl FnMut(&mut UserMail, Found),
) {
    let names = match names(mail, query) {
        Ok(names) => names,
        Err(error) => return mail.failed("Failed to iterate mailboxes", &error),
    };
    for name in names {
        match search(mail, query, &name) {
            Ok(found) if found.uids.is_empty() => {}
            Ok(found) => visit(mail, found),
            Err(outside::Error::Store(error)) => mail.failed(&wrong(name.as_str()), &error),
            Err(outside::Error::Key(text)) => {
                mail.error(super::TEMPORARY, &format!("Mailbox {name}: {text}"));
            }
        }
    }
}

/// The mailboxes; a name without wildcards is among them whether it exists or not.
fn names(mail: &UserMail, query: &Query) -> mailbox::Result<Vec<MailboxName>> {
    let patterns = query.mailboxes();
    let patterns = patterns.unwrap_or_else(|| vec!["*"]);
    let selectable = mail.store.list()?.into_iter().filter(|entry| entry.selectable);
    let mut names: Vec<MailboxName> = selectable
        .map(|entry| entry.name)
        .filter(|name| patterns.iter().any(|pattern| fits(pattern, name, mail)))
        .collect();
    for pattern in patterns
        .iter()
        .filter(|pattern| !pattern.contains(['*', '%', '?']))
    {
        let name = mail.name(pattern);
        if !names.contains(&name) {
            names.push(name);
        }
    }
    Ok(names)
}

/// Whether a name fits a pattern with `*`, `?` and `%`, which is anything but the separator.
pub(in crate::doveadm) fn fits(pattern: &str, name: &MailboxName, mail: &UserMail) -> bool {
    let separator = mail.separator();
    let pattern = mail.name(pattern);
    let (pattern, text) = (pattern.as_str().as_bytes(), name.as_str().as_bytes());
    // Which positions of the pattern can be reached; both are short.
    let mut at = vec![false; pattern.len() + 1];
    at[0] = true;
    let skip = |at: &mut Vec<bool>| {
        for index in 0..pattern.len() {
            at[index + 1] |= at[index] && matches!(pattern[index], b'*' | b'%');
        }
    };
    skip(&mut at);
    for &octet in text {
        let is_separator = octet == separator as u8;
        let mut next = vec![false; pattern.len() + 1];
        for (index, &wanted) in pattern.iter().enumerate().filter(|(index, _)| at[*index]) {
            match wanted {
                b'*' => next[index] = true,
                b'%' => next[index] |= !is_separator,
                b'?' => next[index + 1] = true,
                wanted => next[index + 1] |= wanted == octet,
            }
        }
        at = next;
        skip(&mut at);
    }
    at[pattern.len()]
}

fn search(mail: &UserMail, query: &Query, name: &MailboxName) -> Result<Found, outside::Error> {
    let finder = Finder::open(&mail.store, name)?;
    let all: UidSet = finder.messages().map(|(state, _)| state.uid).collect();
    let mut found = Found {
        name: name.clone(),
        finder,
        uids: UidSet::new(),
        names: None,
    };
    let mut asking = Asking {
        mail,
        found: &mut found,
        now_secs: super::now_secs(),
    };
    let uids = asking.ask(query, &all)?;
    found.uids = uids;
    Ok(found)
}

struct Asking<'a> {
    mail: &'a UserMail,
    found: &'a mut Found,
    now_secs: i64,
}

impl Asking<'_> {
    /// Those of `among` that the query finds. Recursion is bounded by the parser.
    fn ask(&mut self, query: &Query, among: &UidSet) -> Result<UidSet, outside::Error> {
        if among.is_empty() {
            return Ok(UidSet::new());
        }
        let all_or_none = |holds: bool| if holds { among.clone() } else { UidSet::new() };
        Ok(match query {
            Query::Mailbox(pattern) => all_or_none(fits(pattern, &self.found.name, self.mail)),
            Query::MailboxGuid(guid) => {
                all_or_none(guid.eq_ignore_ascii_case(&guid_of(self.mail, &self.found.finder)))
            }
            Query::Guid(guid) => self.with_guid(guid, among)?,
            Query::When(moment, from, to) => self.when(*moment, (*from, *to), among)?,
            Query::Key(Key::Uid(set)) => {
                let last = self
                    .found
                    .finder
                    .messages()
                    .last()
                    .map_or(0, |(state, _)| state.uid);
                set.resolved(last).intersection(among)
            }
            Query::Key(Key::Sequence(set)) => {
                let count = self.found.finder.messages().len();
                let numbers = set.resolved(u32::try_from(count).unwrap_or(u32::MAX));
                let messages = (1..).zip(self.found.finder.messages());
                let uids = messages.filter(|(number, _)| numbers.contains(*number));
                let uids: UidSet = uids.map(|(_, (state, _))| state.uid).collect();
                uids.intersection(among)
            }
            Query::Key(key) => self.found.finder.find(key, among, self.now_secs)?,
            Query::Not(inner) => among.difference(&self.ask(inner, among)?),
            Query::And(all) => {
                let mut left = among.clone();
                for query in cheap_first(all) {
                    left = self.ask(query, &left)?;
                }
                left
            }
            Query::Or(all) => {
                let mut left = among.clone();
                for query in cheap_first(all) {
                    left = left.difference(&self.ask(query, &left)?);
                }
                among.difference(&left)
            }
        })
    }

    fn with_guid(&mut self, guid: &str, among: &UidSet) -> mailbox::Result<UidSet> {
        if self.found.names.is_none() {
            self.found.names = self.mail.store.storage_names(self.found.finder.id())?;
        }
        let names = self.found.names.iter().flatten();
        let uids = names.filter(|(uid, name)| among.contains(**uid) && name.as_str() == guid);
        let mut uids: Vec<Uid> = uids.map(|(uid, _)| *uid).collect();
        uids.sort_unstable();
        Ok(uids.into_iter().collect())
    }

    fn when(&self, moment: Moment, (from, to): (i64, i64), among: &UidSet) -> mailbox::Result<UidSet> {
        let mut uids = UidSet::new();
        for (state, _) in self.found.finder.messages() {
            if !among.contains(state.uid) {
                continue;
            }
            let secs = match moment {
                Moment::Received => Some(state.internal_date_secs),
                Moment::Saved => Some(saved_secs(state)),
                Moment::Sent => match self.sent(state.uid) {
                    Err(mailbox::Error::NoSuchMessage(_)) => None,
                    sent => Some(sent?),
                },
            };
            if secs.is_some_and(|secs| from <= secs && secs < to) {
                uids.insert(state.uid);
            }
        }
        Ok(uids)
    }

    /// Without a date that can be read a message was sent at the beginning of time, as with Dovecot.
    fn sent(&self, uid: Uid) -> mailbox::Result<i64> {
        let body = self.mail.store.body(self.found.finder.id(), uid)?;
        Ok(sent_date(&mut Letter::new(body))?.map_or(0, |date| date.secs))
    }
}

/// When a message came into its mailbox; where nobody noted it, when it was received.
pub(in crate::doveadm) fn saved_secs(state: &MessageState) -> i64 {
    let saved = state.save_date_secs;
    saved.map_or(state.internal_date_secs, std::num::NonZeroI64::get)
}

/// The moment that the Date field names.
pub(in crate::doveadm) fn sent_date(letter: &mut Letter) -> mailbox::Result<Option<Date>> {
    let field = header::find(letter.header()?, "date");
    Ok(field.and_then(|field| Date::parse(&field.unfolded()).ok()))
}

/// Keys for which messages must be read come last.
fn cheap_first(all: &[Query]) -> impl Iterator<Item = &Query> {
    let is_costly = |query: &&Query| {
        !matches!(
            query,
            Query::Mailbox(_)
                | Query::MailboxGuid(_)
                | Query::When(Moment::Received | Moment::Saved, ..)
                | Query::Key(Key::Uid(_) | Key::Sequence(_) | Key::Flag(_) | Key::Keyword(_) | Key::All)
        )
    };
    let cheap = all.iter().filter(move |query| !is_costly(query));
    cheap.chain(all.iter().filter(is_costly))
}

/// The GUID of a mailbox: Dovecot's, where it had one, else one that is made of what the mailbox is called for good.
pub(in crate::doveadm) fn guid_of(mail: &UserMail, finder: &Finder) -> String {
    let own = mail.store.guid(finder.id()).ok().flatten();
    let own = own.unwrap_or_else(|| {
        let mut octets = [0; 16];
        octets[..8].copy_from_slice(&finder.object_id().to_be_bytes());
        octets[8..].copy_from_slice(b"yubinbox");
        octets
    });
    own.iter().map(|octet| format!("{octet:02x}")).collect()
}
