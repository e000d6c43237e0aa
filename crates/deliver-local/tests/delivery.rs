//! Deliveries into temporary directories: aliases, mailboxes of both kinds, loops, failures.

use std::collections::HashMap;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use address::{Address, Domain};
use deliver_local::{Content, Delivery, Directory, Job, Local, User};
use envelope::{DeliveryResult, Recipient};
use settings::{Postfix, Surroundings, TableRef};

struct Message(&'static str);

impl Content for Message {
    fn size_bytes(&self) -> u64 {
        self.0.len() as u64
    }

    fn reader(&self) -> Box<dyn Read + '_> {
        Box::new(self.0.as_bytes())
    }
}

/// Users with homes below a directory; `root` belongs to somebody else.
struct Host {
    homes: HashMap<&'static str, std::path::PathBuf>,
}

impl Directory for Host {
    fn user(&self, name: &str) -> Result<Option<User>, String> {
        let user = |home: &Path| User {
            name: name.to_owned(),
            uid: 1,
            gid: 1,
            home: Some(home.to_owned()),
        };
        match name {
            "broken" => Err("the directory is away".to_owned()),
            "root" => Ok(Some(User {
                uid: 0,
                ..user(Path::new("/root"))
            })),
            name => Ok(self.homes.get(name).map(|home| user(home))),
        }
    }

    fn is_local(&self, domain: &Domain) -> Result<bool, String> {
        Ok(domain.as_str() == "example.com")
    }

    fn may_become(&self, uid: u32) -> bool {
        uid == 1
    }
}

struct Setup {
    directory: tempfile::TempDir,
    local: Local,
}

fn setup(aliases: &str, change: impl FnOnce(&mut Postfix)) -> Setup {
    let directory = tempfile::tempdir().expect("a directory");
    let mut homes = HashMap::new();
    for name in ["alice", "bob"] {
        let home = directory.path().join(name);
        std::fs::create_dir(&home).expect("a home");
        homes.insert(name, home);
    }
    let file = directory.path().join("aliases");
    std::fs::write(&file, aliases).expect("written");
    let mut settings = Postfix::defaults(&Surroundings::default());
    settings.myhostname = "mail.example.com".to_owned();
    settings.alias_maps = vec![TableRef::new("hash", &file.to_string_lossy())];
    settings.home_mailbox = "Maildir/".to_owned();
    settings.recipient_delimiter = "+".to_owned();
    settings.mail_spool_directory = directory.path().join("spool");
    std::fs::create_dir(&settings.mail_spool_directory).expect("a spool");
    change(&mut settings);
    let options = tables::build::Options::of(tables::source::Syntax::Aliases);
    settings
        .alias_maps
        .iter()
        .for_each(|table| drop(tables::build::build(table, options).expect("built")));
    let (local, problems) = Local::new(Arc::new(settings), Arc::new(Host { homes }));
    assert!(problems.is_empty());
    Setup { directory, local }
}

const MESSAGE: &str = "From: a@b\nSubject: hi\n\nFrom here on\n";

impl Setup {
    fn deliver_message(&self, to: &str, message: &'static str) -> Delivery {
        let sender = Address::parse("sender@elsewhere.example").expect("an address");
        let address = Address::parse(to).expect("an address");
        let recipient = Recipient::new(address);
        let content = Message(message);
        self.local.deliver(&Job {
            sender: Some(&sender),
            recipient: &recipient,
            content: &content,
            now_secs: 1_608_816_324,
        })
    }

    fn deliver(&self, to: &str) -> Delivery {
        self.deliver_message(to, MESSAGE)
    }

    /// The messages in a user's Maildir.
    fn mail_of(&self, name: &str) -> Vec<String> {
        let Ok(entries) = std::fs::read_dir(self.directory.path().join(name).join("Maildir/new")) else {
            return Vec::new();
        };
        entries
            .map(|entry| std::fs::read_to_string(entry.expect("an entry").path()).expect("text"))
            .collect()
    }
}

#[test]
fn a_user_gets_the_message_with_the_header_of_delivery() {
    let setup = setup("", |_| {});
    let delivery = setup.deliver("alice+list@example.com");
    assert_eq!(
        (delivery.outcome.result, delivery.outcome.text.as_str()),
        (DeliveryResult::Sent, "delivered to maildir")
    );
    let header = "Return-Path: <sender@elsewhere.example>\nX-Original-To: alice+list@example.com\nDelivered-To: alice+list@example.com\n";
    assert_eq!(setup.mail_of("alice"), [format!("{header}{MESSAGE}")]);
}

#[test]
fn mbox_is_quoted_and_closed_to_others() {
    use std::os::unix::fs::MetadataExt;
    let setup = setup("", |settings| settings.home_mailbox = String::new());
    assert_eq!(
        setup.deliver("bob@example.com").outcome.text,
        "delivered to mailbox"
    );
    let file = setup.directory.path().join("spool/bob");
    let text = std::fs::read_to_string(&file).expect("text");
    assert!(
        text.starts_with("From sender@elsewhere.example  Thu Dec 24 ")
            || text.starts_with("From sender@elsewhere.example Thu Dec 24 "),
        "{text}"
    );
    assert!(text.ends_with("Subject: hi\n\n>From here on\n\n"), "{text}");
    assert_eq!(std::fs::metadata(&file).expect("there").mode() & 0o077, 0);
}

#[test]
fn aliases_are_followed_and_come_to_an_end() {
    let aliases = "team: alice, bob@example.com, alice, far@elsewhere.example\nloop: pool\npool: loop, bob\nalice: \\alice\n";
    let setup = setup(aliases, |_| {});
    let delivery = setup.deliver("team@example.com");
    assert_eq!(delivery.outcome.result, DeliveryResult::Sent);
    assert_eq!(
        delivery.forwards,
        [Address::parse("far@elsewhere.example").expect("an address")]
    );
    assert_eq!(delivery.forward_header, "Delivered-To: team@example.com\n");
    assert_eq!((setup.mail_of("alice").len(), setup.mail_of("bob").len()), (1, 1));
    assert!(
        setup.mail_of("alice")[0]
            .contains("X-Original-To: team@example.com\nDelivered-To: team@example.com\n")
    );
}

#[test]
fn an_alias_that_leads_nowhere_but_back_is_a_loop() {
    let aliases = "loop: pool\npool: loop\nmany: some, other\nsome: both\nother: both, many\nboth: alice\nbob: bob, alice\n";
    let setup = setup(aliases, |_| {});
    let outcome = setup.deliver("loop@example.com").outcome;
    assert_eq!(
        (outcome.result, outcome.status.to_string(), outcome.text.as_str()),
        (
            DeliveryResult::Bounced,
            "5.4.6".to_owned(),
            "alias database loop for pool"
        )
    );
    let delivery = setup.deliver("many@example.com");
    assert_eq!(
        (delivery.outcome.result, delivery.forwards.len()),
        (DeliveryResult::Sent, 0)
    );
    assert_eq!(setup.mail_of("alice").len(), 1);
    setup.deliver("bob@example.com");
    assert_eq!((setup.mail_of("alice").len(), setup.mail_of("bob").len()), (2, 1));
}

#[test]
fn what_is_no_mailbox_file_is_not_written() {
    let setup = setup("", |settings| settings.home_mailbox = String::new());
    let spool = setup.directory.path().join("spool");
    let outcome = || {
        let outcome = setup.deliver("alice@example.com").outcome;
        (outcome.result, outcome.status.to_string(), outcome.text)
    };
    let mailbox = spool.join("alice");
    let refused = |why: &str| {
        let text = format!(
            "cannot update mailbox {} for user alice. {why}",
            mailbox.display()
        );
        (DeliveryResult::Bounced, "5.2.0".to_owned(), text)
    };
    std::fs::create_dir(&mailbox).expect("a directory");
    assert_eq!(outcome(), refused("cannot open file: Is a directory"));
    std::fs::remove_dir(&mailbox).expect("removed");
    std::fs::write(spool.join("other"), "").expect("written");
    std::fs::hard_link(spool.join("other"), &mailbox).expect("linked");
    assert_eq!(outcome(), refused("file has several hard links"));
    std::fs::remove_file(&mailbox).expect("removed");
    std::os::unix::fs::symlink(spool.join("other"), &mailbox).expect("linked");
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(&spool, std::fs::Permissions::from_mode(0o777)).expect("opened to all");
    assert_eq!(outcome(), refused("file is a symbolic link"));
    assert_eq!(std::fs::read(spool.join("other")).expect("there"), b"");
}

#[test]
fn who_cannot_be_reached_now_is_queued_for_himself() {
    let setup = setup("two: alice, broken\n", |_| {});
    let delivery = setup.deliver("two@example.com");
    assert_eq!(delivery.outcome.result, DeliveryResult::Sent);
    let later = "\"\\\\broken\"@example.com";
    assert_eq!(delivery.forwards, [Address::parse(later).expect("an address")]);
    assert_eq!(setup.mail_of("alice").len(), 1);
}

/// What comes back for a mailbox that could not be written goes there, past the aliases, and is no loop.
#[test]
fn a_mailbox_that_waited_is_written_past_its_aliases() {
    let setup = setup("alice: alice, bob\n", |_| {});
    let again = "Delivered-To: alice@example.com\nSubject: x\n\nagain\n";
    let delivery = setup.deliver_message("\"\\\\alice\"@example.com", again);
    assert_eq!(
        delivery.outcome.result,
        DeliveryResult::Sent,
        "{:?}",
        delivery.outcome
    );
    assert!(delivery.forwards.is_empty());
    assert_eq!((setup.mail_of("alice").len(), setup.mail_of("bob").len()), (1, 0));
}

#[test]
fn failures_are_permanent_or_temporary() {
    let setup = setup("prog: |/bin/true\n", |_| {});
    let of = |to: &str| {
        let outcome = setup.deliver(to).outcome;
        format!("{:?} {} {}", outcome.result, outcome.status, outcome.text)
    };
    assert_eq!(of("carol@example.com"), "Bounced 5.1.1 unknown user: \"carol\"");
    assert_eq!(of("broken@example.com"), "Deferred 4.3.0 the directory is away");
    assert!(of("root@example.com").starts_with("Deferred 4.3.5 cannot write the mail of root"));
    assert!(
        of("prog@example.com").starts_with("Deferred 4.3.5 the alias of prog@example.com names the command")
    );
    let looped = setup
        .deliver_message(
            "alice@example.com",
            "Subject: x\nDelivered-To: Alice@example.com\n\nagain\n",
        )
        .outcome;
    assert_eq!(
        format!("{} {}", looped.status, looped.text),
        "5.4.6 mail forwarding loop for alice@example.com"
    );
    assert!(setup.mail_of("alice").is_empty());
}

#[test]
fn a_missing_home_defers() {
    let setup = setup("", |_| {});
    std::fs::remove_dir(setup.directory.path().join("bob")).expect("was there");
    let outcome = setup.deliver("bob@example.com").outcome;
    assert_eq!(outcome.result, DeliveryResult::Deferred);
    assert!(outcome.text.contains("is not there"), "{}", outcome.text);
}

#[test]
fn a_missing_home_is_waited_for_where_that_is_wanted() {
    for (wanted, result) in [(false, DeliveryResult::Sent), (true, DeliveryResult::Deferred)] {
        let setup = setup("", |settings| {
            settings.home_mailbox = String::new();
            settings.require_home_directory = wanted;
        });
        std::fs::remove_dir(setup.directory.path().join("bob")).expect("removed");
        assert_eq!(setup.deliver("bob@example.com").outcome.result, result);
        assert_eq!(
            setup.deliver("alice@example.com").outcome.result,
            DeliveryResult::Sent
        );
    }
}

#[test]
fn a_verification_tells_what_would_be_done_and_does_nothing() {
    let setup = setup("team: alice, eve@far.example\nworse: bob, nobody1\n", |_| {});
    let verified = |to: &str| {
        let outcome = setup.local.verify(&Address::parse(to).expect("an address"));
        (outcome.result, outcome.text)
    };
    let sent = |text: &str| (DeliveryResult::Sent, text.to_owned());
    assert_eq!(verified("alice+x@example.com"), sent("delivers to mailbox"));
    let team = "alice: delivers to mailbox; eve@far.example: forwards to eve@far.example";
    assert_eq!(verified("team@example.com"), sent(team));
    let bounced = |text: &str| (DeliveryResult::Bounced, text.to_owned());
    assert_eq!(verified("eve@example.com"), bounced("unknown user: \"eve\""));
    let worse = "bob: delivers to mailbox; nobody1: unknown user: \"nobody1\"";
    assert_eq!(verified("worse@example.com"), bounced(worse));
    assert!(setup.mail_of("alice").is_empty());
}
