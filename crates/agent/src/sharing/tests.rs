//! Namespaces over Maildirs in a directory: what is everybody's, another user's, and under another name.

use std::path::Path;
use std::sync::Arc;

use auth::Account;
use mailbox::rights::{Identifier, Rights, RightsChange};
use mailbox::{Error, Flags, MailboxName, Store};
use settings::{Dovecot, Namespace};

use crate::quota::By;
use crate::stores::Stores;

fn namespace(kind: &str, prefix: &str, location: &str) -> Namespace {
    Namespace {
        kind: kind.to_owned(),
        prefix: prefix.to_owned(),
        separator: "/".to_owned(),
        location: location.to_owned(),
        subscriptions: false,
        list: if kind == "shared" { "children" } else { "yes" }.to_owned(),
        ..Namespace::named(prefix)
    }
}

fn settings(root: &Path) -> Dovecot {
    let mut settings = Dovecot::defaults();
    let inbox = Namespace {
        separator: "/".to_owned(),
        ..Namespace::inbox()
    };
    let at = |rest: &str| format!("maildir:{}/{rest}", root.display());
    settings.namespaces = vec![
        inbox,
        namespace("shared", "users/%%u/", &at("%%u/Maildir")),
        namespace("public", "Public/", &at("public")),
    ];
    settings.mail_plugins = vec!["acl".to_owned()];
    settings.plugin.insert("acl".to_owned(), "vfile".to_owned());
    let dict = format!("file:{}/shared-mailboxes", root.display());
    settings.plugin.insert("acl_shared_dict".to_owned(), dict);
    settings
}

fn store_of(root: &Path, user: &str, settings: &Dovecot) -> Arc<dyn Store> {
    let account = Account {
        user: user.to_owned(),
        uid: 0,
        gid: 0,
        home: Some(root.join(user)),
        mail_location: format!("maildir:{}/{user}/Maildir", root.display()),
        extra: Default::default(),
    };
    std::fs::create_dir_all(root.join(user)).unwrap();
    let stores = Stores::default();
    stores
        .of(&account, (settings, By::Session), Arc::new(|_| {}))
        .unwrap()
}

fn name(text: &str) -> MailboxName {
    MailboxName::new(text, '/')
}

fn names(store: &dyn Store) -> Vec<String> {
    let entries = store.list().unwrap();
    entries.iter().map(|entry| entry.name.to_string()).collect()
}

#[test]
fn what_is_everybodys_needs_a_list() {
    let dir = tempfile::tempdir().unwrap();
    let settings = settings(dir.path());
    let public = dir.path().join("public");
    for part in [".news/cur", ".news/new", ".news/tmp", ".secret/cur"] {
        std::fs::create_dir_all(public.join(part)).unwrap();
    }
    std::fs::write(public.join(".news/dovecot-acl"), "authenticated lrs\n").unwrap();
    std::fs::write(public.join("dovecot-acl"), "user=bob lrk\n").unwrap();
    let (alice, bob) = (
        store_of(dir.path(), "alice", &settings),
        store_of(dir.path(), "bob", &settings),
    );
    assert_eq!(names(&*alice), ["INBOX", "Public", "Public/news"]);
    let refused = alice.create(&name("Public/mine"), None);
    assert!(matches!(refused, Err(Error::NoPermission(_))), "{refused:?}");
    assert!(matches!(
        alice.open(&name("Public/secret")),
        Err(Error::NoSuchMailbox(_))
    ));
    bob.create(&name("Public/bobs"), None).unwrap();
    assert_eq!(
        bob.my_rights(&name("Public/bobs")).unwrap().to_string(),
        "lrk",
        "the list of the namespace is taken over"
    );
    bob.subscribe(&name("Public/news"), true).unwrap();
    assert_eq!(bob.subscriptions().unwrap(), [name("Public/news")]);
    assert!(dir.path().join("bob/Maildir/subscriptions").exists());
    assert!(matches!(
        bob.delete(&name("Public")),
        Err(Error::NoSuchMailbox(_) | Error::NoPermission(_))
    ));
}

#[test]
fn another_users_mail_is_copied_with_the_flags_that_may_be_set() {
    let dir = tempfile::tempdir().unwrap();
    let settings = settings(dir.path());
    let (alice, bob) = (
        store_of(dir.path(), "alice", &settings),
        store_of(dir.path(), "bob", &settings),
    );
    alice.create(&name("work"), None).unwrap();
    let work = alice.open(&name("work")).unwrap();
    let mut append = alice.append(&work.id).unwrap();
    let flags = Flags::system(mailbox::SystemFlags::SEEN.union(mailbox::SystemFlags::FLAGGED));
    append.start(flags, 1).unwrap();
    append.write(b"Subject: x\r\n\r\ny\r\n").unwrap();
    append.commit().unwrap();
    let who = (&Identifier::User("bob".to_owned()), false);
    alice
        .set_acl(&name("work"), who, RightsChange::Set(Rights::letters("lri")))
        .unwrap();
    assert_eq!(
        names(&*bob),
        ["INBOX", "Public", "users", "users/alice", "users/alice/work"]
    );
    let shared = bob.open(&name("users/alice/work")).unwrap();
    let inbox = bob.open(&name("INBOX")).unwrap();
    let mut all = mailbox::UidSet::new();
    all.insert_range(1, 9);
    assert_eq!(bob.copy(&shared.id, &all, &inbox.id).unwrap().pairs, [(1, 1)]);
    let copied = bob.changes(&inbox.id, 0).unwrap().messages;
    assert!(copied[0].flags.system.contains(mailbox::SystemFlags::FLAGGED));
    bob.copy(&inbox.id, &all, &shared.id).unwrap();
    let back = bob.changes(&shared.id, 0).unwrap().messages;
    assert_eq!(back[1].flags, Flags::default(), "neither w nor s");
    assert!(matches!(
        bob.move_messages(&shared.id, &all, &inbox.id),
        Err(Error::NoPermission(_))
    ));
    alice
        .set_acl(&name("work"), who, RightsChange::Set(Rights::letters("lrte")))
        .unwrap();
    assert_eq!(
        bob.move_messages(&shared.id, &all, &inbox.id)
            .unwrap()
            .pairs
            .len(),
        2
    );
    assert!(alice.changes(&work.id, 0).unwrap().messages.is_empty());
    alice.set_acl(&name("work"), who, RightsChange::Delete).unwrap();
    assert!(matches!(bob.status(&shared.id), Err(Error::NoPermission(_))));
    assert_eq!(names(&*bob), ["INBOX", "Public"]);
}

#[test]
fn names_of_users_lead_nowhere_else() {
    let dir = tempfile::tempdir().unwrap();
    let settings = settings(dir.path());
    let bob = store_of(dir.path(), "bob", &settings);
    for wrong in [
        "users/../bob/INBOX",
        "users//x",
        "users/nobody/x",
        "users/%u/x",
        "users/~/x",
        "users/.x/y",
    ] {
        let opened = bob.open(&name(wrong));
        assert!(
            matches!(opened, Err(Error::NoSuchMailbox(_))),
            "{wrong}: {opened:?}"
        );
    }
}
