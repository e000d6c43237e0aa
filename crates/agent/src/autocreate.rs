//! `mailbox NAME { auto = create }`: mailboxes that are there without anybody having made them.

use mailbox::{Error, MailboxName, Store};
use settings::{Dovecot, MailboxAuto};

/// Makes the mailboxes that the configuration asks for and that are not there; those with `auto = subscribe` are
/// subscribed to, once: who unsubscribes later stays so. Gives back what could not be made.
pub(crate) fn make_missing(store: &dyn Store, settings: &Dovecot) -> Vec<Error> {
    let wanted: Vec<(MailboxName, MailboxAuto)> = wanted(store, settings);
    if wanted.is_empty() {
        return Vec::new();
    }
    let existing = match store.list() {
        Ok(list) => list,
        Err(error) => return vec![error],
    };
    let mut failed = Vec::new();
    for (name, auto) in wanted {
        if existing
            .iter()
            .any(|entry| entry.name == name && entry.selectable)
        {
            continue;
        }
        // Its special use is known from the configuration: nothing need be stored with the mailbox.
        let made = match store.create(&name, None) {
            // Another session was faster.
            Err(Error::MailboxExists(_)) => continue,
            made => made,
        };
        let done = made.and_then(|()| match auto {
            MailboxAuto::Subscribe => store.subscribe(&name, true),
            MailboxAuto::Create | MailboxAuto::No => Ok(()),
        });
        failed.extend(done.err());
    }
    failed
}

fn wanted(store: &dyn Store, settings: &Dovecot) -> Vec<(MailboxName, MailboxAuto)> {
    let separator = store
        .namespaces()
        .first()
        .map_or('/', |namespace| namespace.separator);
    let namespaces = settings
        .namespaces
        .iter()
        .filter(|namespace| namespace.kind == "private" && !namespace.disabled);
    let mailboxes = namespaces.flat_map(|namespace| {
        let mailboxes = namespace.mailboxes.iter();
        mailboxes.map(move |mailbox| (format!("{}{}", namespace.prefix, mailbox.name), mailbox.auto))
    });
    mailboxes
        .filter(|(name, auto)| *auto != MailboxAuto::No && !name.contains(['*', '?']))
        .map(|(name, auto)| (MailboxName::new(&name, separator), auto))
        .filter(|(name, _)| !name.is_inbox())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use settings::MailboxSetting;
    use store_maildir::{MaildirStore, Options};

    #[test]
    fn what_is_missing_is_made_once() {
        let dir = tempfile::tempdir().expect("a directory");
        let store = MaildirStore::new(dir.path(), Options::default());
        let mut settings = Dovecot::defaults();
        for (name, auto) in [
            ("Sent", MailboxAuto::Subscribe),
            ("Trash", MailboxAuto::Create),
            ("Junk", MailboxAuto::No),
        ] {
            let mailbox = MailboxSetting {
                auto,
                ..MailboxSetting::named(name)
            };
            settings.namespaces[0].mailboxes.push(mailbox);
        }
        let names = |store: &MaildirStore| {
            let mut names: Vec<String> = store
                .list()
                .expect("a list")
                .into_iter()
                .map(|entry| entry.name.as_str().to_owned())
                .collect();
            names.sort();
            names
        };
        assert!(make_missing(&store, &settings).is_empty());
        assert_eq!(names(&store), ["INBOX", "Sent", "Trash"]);
        let sent = MailboxName::new("Sent", '/');
        assert_eq!(
            store.subscriptions().expect("a list"),
            std::slice::from_ref(&sent)
        );
        store.subscribe(&sent, false).expect("possible");
        assert!(make_missing(&store, &settings).is_empty());
        assert_eq!(store.subscriptions().expect("a list"), []);
    }
}
