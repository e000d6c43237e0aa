//! Deliveries into temporary directories: aliases, mailboxes of both kinds, loops, failures.

mod hands;

use std::collections::HashMap;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use address::{Address, Domain};
use deliver_local::spawn::SpawnRunner;
use deliver_local::task::{Client, Facts, Kind, Report, Rights, Stages, Task, UserMail, Work};
use deliver_local::{Content, Delivery, Directory, Hands, Job, Local, OwnHands, Transports, User};
use envelope::{DeliveryResult, Outcome, Recipient, StatusCode};
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

/// Whom the users of these tests share their files with: whoever runs the tests, or for root somebody who is not root.
fn own_uid() -> u32 {
    match os::Identity::current().uid {
        0 => 4711,
        uid => uid,
    }
}

/// Users with homes below a directory; `root` belongs to somebody else.
struct Host {
    homes: HashMap<&'static str, std::path::PathBuf>,
}

fn user(name: &str, home: &Path) -> User {
    User {
        name: name.to_owned(),
        login: Some(name.to_owned()),
        uid: own_uid(),
        gid: 1,
        home: Some(home.to_owned()),
        shell: Some("/bin/bash".into()),
    }
}

impl Directory for Host {
    fn user(&self, name: &str) -> Result<Option<User>, String> {
        match name {
            "broken" => Err("the directory is away".to_owned()),
            "root" => Ok(Some(User {
                uid: 0,
                ..user(name, Path::new("/root"))
            })),
            name => Ok(self.homes.get(name).map(|home| user(name, home))),
        }
    }

    fn is_local(&self, domain: &Domain) -> Result<bool, String> {
        Ok(domain.as_str() == "example.com")
    }

    fn system_user(&self, name: &str) -> Result<Option<User>, String> {
        Ok(Some(user(name, Path::new("/nonexistent"))))
    }

    fn owner(&self, _: u32) -> Result<Option<User>, String> {
        Ok(Some(user("keeper", Path::new("/nonexistent"))))
    }
}

/// Other transports: `busy` defers, every other one takes what it is given and says what that was.
struct Elsewhere;

impl Transports for Elsewhere {
    fn pass(&self, transport: &str, next_hop: &str, recipient: &Recipient) -> Outcome {
        let (result, status) = match transport {
            "busy" => (DeliveryResult::Deferred, StatusCode::temporary(4, 1)),
            _ => (DeliveryResult::Sent, StatusCode::success(0, 0)),
        };
        Outcome {
            result,
            status,
            text: format!("{transport} {next_hop} {}", recipient.address),
            relay: transport.to_owned(),
            detail: Default::default(),
        }
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
    let aliases = aliases.replace("@D@", &directory.path().to_string_lossy());
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
    let settings = Arc::new(settings);
    let hands = Hands::new(Arc::clone(&settings), Arc::new(SpawnRunner));
    let agents = Arc::new(OwnHands::new(hands, own_uid(), || 1_608_816_324));
    let (local, problems) = Local::new(settings, Arc::new(Host { homes }), agents);
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
        let client = Client {
            helo: "evil`id`".to_owned(),
            ..Client::default()
        };
        self.local.deliver(&Job {
            sender: Some(&sender),
            recipient: &recipient,
            content: &content,
            client: &client,
            transports: &Elsewhere,
        })
    }

    /// Writes a file of a user's; what others could have written is not believed, whatever the umask is.
    fn write(&self, name: &str, text: &str) {
        use std::os::unix::fs::PermissionsExt;
        let path = self.directory.path().join(name);
        let text = text.replace("@D@", &self.directory.path().to_string_lossy());
        std::fs::write(&path, text).expect("written");
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o644)).expect("its own");
    }

    /// What is in a file below the directory; empty when there is none.
    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.directory.path().join(name)).unwrap_or_default()
    }

    /// The outcome as a log shows it.
    fn told(&self, to: &str) -> String {
        let outcome = self.deliver(to).outcome;
        format!("{:?} {} {}", outcome.result, outcome.status, outcome.text)
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

/// Who is queued for, in order.
fn forwards(delivery: &Delivery) -> Vec<String> {
    let recipients = delivery.forwards.iter().flat_map(|forward| &forward.recipients);
    recipients.map(ToString::to_string).collect()
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
    assert_eq!(forwards(&delivery), ["far@elsewhere.example"]);
    assert_eq!(delivery.forwards[0].header, "Delivered-To: team@example.com\n");
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
        (DeliveryResult::Bounced, 0)
    );
    // Who is in the circle has the mail, and the sender is told of the circle.
    let told = delivery
        .told
        .iter()
        .map(|(to, outcome)| format!("{to} {}", outcome.status));
    let told: Vec<String> = told.collect();
    assert!(
        told.contains(&"alice@localhost.localdomain 2.0.0".to_owned()),
        "{told:?}"
    );
    let targets = delivery.outcome.detail.targets.iter();
    assert!(targets.clone().count() > 0 && targets.clone().all(|(_, of)| of.status.to_string() == "5.4.6"));
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
    assert_eq!(outcome(), refused("file has 2 hard links"));
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
    assert_eq!(setup.mail_of("alice").len(), 1);
    let [later] = &forwards(&delivery)[..] else {
        panic!("{delivery:?}")
    };
    assert!(later.contains("=two"), "{later}");
    // He is tried again, and nobody else.
    let delivery = setup.deliver(later);
    let outcome = &delivery.outcome;
    assert_eq!(
        (outcome.result, outcome.text.as_str()),
        (DeliveryResult::Deferred, "the directory is away")
    );
    assert_eq!((setup.mail_of("alice").len(), delivery.forwards.len()), (1, 0));
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
    let setup = setup("prog: |/bin/true\n", |settings| {
        settings.allow_mail_to_commands = Vec::new()
    });
    let of = |to: &str| {
        let outcome = setup.deliver(to).outcome;
        format!("{:?} {} {}", outcome.result, outcome.status, outcome.text)
    };
    assert_eq!(of("carol@example.com"), "Bounced 5.1.1 unknown user: \"carol\"");
    assert_eq!(of("broken@example.com"), "Deferred 4.3.0 the directory is away");
    assert!(of("root@example.com").starts_with("Deferred 4.3.5 mail for root waits for an alias"));
    assert_eq!(
        of("prog@example.com"),
        "Bounced 5.7.1 mail to command is restricted"
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
    assert_eq!(verified("alice+x@example.com"), sent("delivers to maildir"));
    let team = "alice: delivers to maildir; eve@far.example: forwards to eve@far.example";
    assert_eq!(verified("team@example.com"), sent(team));
    let bounced = |text: &str| (DeliveryResult::Bounced, text.to_owned());
    assert_eq!(verified("eve@example.com"), bounced("unknown user: \"eve\""));
    let probed = |to: &str| setup.local.probe(&Address::parse(to).expect("an address")).text;
    assert_eq!(probed("worse+x@example.com"), "aliased to bob, nobody1");
    assert_eq!(probed("eve@example.com"), "unknown user: \"eve\"");
    let worse = "bob: delivers to maildir; nobody1: unknown user: \"nobody1\"";
    assert_eq!(verified("worse@example.com"), bounced(worse));
    assert!(setup.mail_of("alice").is_empty());
}

#[test]
fn a_forward_file_is_obeyed_with_every_kind_of_target() {
    let setup = setup("", |_| {});
    setup.write("list", "# members\ncarol@far.example, \"|cat > @D@/never\"\n");
    let forward = "# a comment\n\\alice, \"|cat > @D@/piped; echo $EXTENSION $USER $HOME $CLIENT_HELO >> @D@/piped\"\n\
                   @D@/file, bob@example.com, eve@far.example\n:include:@D@/list\n";
    setup.write("alice/.forward", forward);
    let delivery = setup.deliver("alice+List@example.com");
    // What an include file may not have makes the sender hear of it; the others have it.
    let outcome = &delivery.outcome;
    assert_eq!(
        (outcome.result, outcome.text.as_str()),
        (DeliveryResult::Bounced, "mail to command is restricted")
    );
    assert_eq!(
        forwards(&delivery),
        ["bob@example.com", "eve@far.example", "carol@far.example"]
    );
    assert_eq!(setup.mail_of("alice").len(), 1);
    let piped = setup.read("piped");
    let home = setup.directory.path().join("alice");
    assert!(
        piped.starts_with("From sender@elsewhere.example  Thu Dec 24 "),
        "{piped}"
    );
    assert!(
        piped.contains("\nDelivered-To: alice+List@example.com\nFrom: a@b\n"),
        "{piped}"
    );
    assert!(
        piped.ends_with(&format!(
            "\nFrom here on\nlist alice {} evil_id_\n",
            home.display()
        )),
        "{piped}"
    );
    assert!(setup.read("file").ends_with("\n>From here on\n\n"));
    assert_eq!(setup.read("never"), "");
}

#[test]
fn the_idiom_of_procmail_runs_and_defers() {
    let setup = setup("", |_| {});
    setup.write(
        "alice/.forward",
        "\"|IFS=' ' && exec @D@/none -f- || exit 75 #alice\"\n",
    );
    setup.write(
        "bob/.forward",
        "\"|IFS=' ' && exec /bin/cat >@D@/bob/got || exit 75 #bob\"\n",
    );
    // A shell ends where exec fails; others go on to the `exit 75`.
    let told = setup.told("alice@example.com");
    assert!(
        told.starts_with("Deferred 4.3.0 temporary failure") || told.contains("status 127"),
        "{told}"
    );
    setup.write("alice/.forward", "\"|exit 75\"");
    assert_eq!(
        setup.told("alice@example.com"),
        "Deferred 4.3.0 temporary failure"
    );
    assert!(
        setup
            .told("bob@example.com")
            .starts_with("Sent 2.0.0 delivered to command: IFS=' ' && exec /bin/cat")
    );
    assert!(setup.read("bob/got").contains("Delivered-To: bob@example.com\n"));
    assert!(setup.mail_of("alice").is_empty() && setup.mail_of("bob").is_empty());
}

#[test]
fn a_forward_file_that_others_may_write_is_ignored_and_told() {
    use std::os::unix::fs::PermissionsExt;
    let setup = setup("", |_| {});
    setup.write("alice/.forward", "eve@far.example\n");
    let path = setup.directory.path().join("alice/.forward");
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o666)).expect("its own");
    let delivery = setup.deliver("alice@example.com");
    assert_eq!(delivery.outcome.text, "delivered to maildir");
    assert_eq!(
        delivery.warnings,
        [format!("file {} is world writable", path.display())]
    );
    // Of two files the one for the extension is obeyed; one that names nobody is none.
    setup.write("alice/.forward", "# nobody\n");
    setup.write("alice/.forward+x", "eve@far.example\n");
    assert_eq!(
        setup.deliver("alice@example.com").outcome.text,
        "delivered to maildir"
    );
    assert_eq!(
        forwards(&setup.deliver("alice+x@example.com")),
        ["eve@far.example"]
    );
    assert_eq!(
        setup.deliver("alice+y@example.com").outcome.text,
        "delivered to maildir"
    );
    assert_eq!(setup.mail_of("alice").len(), 3);
}

#[test]
fn only_what_failed_of_a_forward_file_is_tried_again() {
    let setup = setup("friend: bob\n", |_| {});
    setup.write(
        "alice/.forward",
        "alice@example.com, friend, \"|test -e @D@/open && cat > @D@/got || exit 75\"\n",
    );
    let delivery = setup.deliver("alice@example.com");
    assert_eq!(delivery.outcome.result, DeliveryResult::Sent);
    let [bob, again] = &forwards(&delivery)[..] else {
        panic!("{delivery:?}")
    };
    // An alias is followed at once, and its user gets a message of his own.
    assert_eq!(bob.split('@').next(), Some("bob"));
    assert_eq!((setup.mail_of("alice").len(), setup.mail_of("bob").len()), (1, 0));
    assert_eq!(setup.deliver(again).outcome.result, DeliveryResult::Deferred);
    setup.write("open", "");
    let delivery = setup.deliver(again);
    assert_eq!(
        (delivery.outcome.result, delivery.forwards.len()),
        (DeliveryResult::Sent, 0)
    );
    assert!(
        setup.read("got").contains("Delivered-To: alice@example.com\n"),
        "{}",
        setup.read("got")
    );
    assert_eq!(setup.mail_of("alice").len(), 1);
    // Nobody from outside reaches anything that is not named there.
    let forged = again.replace("=alice", "=bob");
    assert!(
        setup.told(&forged).contains("no longer names"),
        "{}",
        setup.told(&forged)
    );
}

#[test]
fn aliases_have_commands_files_and_lists() {
    let aliases = "prog: \"|id -u > @D@/prog; env >> @D@/prog\"\nfile: @D@/box\nnull: /dev/null\ndir: @D@/md/\n\
                   list: :include:@D@/list\nopen: :include:@D@/open\ngone: :include:@D@/gone\nfails: alice, \"|exit 67\"\n\
                   later: alice, \"|test -e @D@/now && exit 0 || exit 75\"\n";
    let setup = setup(aliases, |settings| {
        settings.allow_mail_to_commands = vec!["alias".to_owned(), "include".to_owned()];
    });
    assert!(
        setup
            .told("prog@example.com")
            .starts_with("Sent 2.0.0 delivered to command: id -u")
    );
    let prog = setup.read("prog");
    for line in [
        "USER=prog",
        "RECIPIENT=prog@example.com",
        "SENDER=sender@elsewhere.example",
        "PATH=/usr/bin:/bin",
    ] {
        assert!(prog.lines().any(|found| found == line), "{line}: {prog}");
    }
    assert_eq!(
        setup.told("file@example.com"),
        format!(
            "Sent 2.0.0 delivered to file: {}/box",
            setup.directory.path().display()
        )
    );
    assert!(setup.read("box").starts_with("From sender@"));
    assert_eq!(
        setup.told("null@example.com"),
        "Sent 2.0.0 delivered to file: /dev/null"
    );
    assert_eq!(setup.told("dir@example.com"), "Sent 2.0.0 delivered to maildir");
    setup.write("list", "alice\n\"|cat > @D@/listed\"\n@D@/restricted\n");
    let told = setup.told("list@example.com");
    assert_eq!(told, "Bounced 5.7.1 mail to file is restricted");
    assert!(setup.read("listed").contains("Delivered-To: list@example.com"));
    assert_eq!(setup.read("restricted"), "");
    setup.write("open", "alice\n");
    std::fs::set_permissions(
        setup.directory.path().join("open"),
        std::os::unix::fs::PermissionsExt::from_mode(0o666),
    )
    .expect("its own");
    for name in ["open", "gone"] {
        let delivery = setup.deliver(&format!("{name}@example.com"));
        assert_eq!(delivery.outcome.text, "mail system configuration error");
        assert!(
            delivery.warnings[0].contains(":include: file"),
            "{:?}",
            delivery.warnings
        );
    }
    let before = setup.mail_of("alice").len();
    assert_eq!(setup.told("fails@example.com"), "Bounced 5.1.1 user unknown");
    let again = forwards(&setup.deliver("later@example.com"));
    assert_eq!(setup.mail_of("alice").len(), before + 2);
    setup.write("now", "");
    assert!(
        setup
            .told(&again[0])
            .starts_with("Sent 2.0.0 delivered to command")
    );
    assert_eq!(setup.mail_of("alice").len(), before + 2);
}

#[test]
fn a_list_with_an_owner_gets_mail_from_him() {
    let aliases = "owner-list: alice\nlist: bob, alice, eve@far.example\nplain: bob\n";
    let setup = setup(aliases, |_| {});
    let delivery = setup.deliver("list@example.com");
    assert_eq!(setup.mail_of("bob").len(), 0, "bob gets a message of his own");
    let [forward] = &delivery.forwards[..] else {
        panic!("{delivery:?}")
    };
    let sender = forward.sender.as_ref().expect("the owner").to_string();
    assert!(
        sender.starts_with("owner-list@") && !forward.keeps_original,
        "{forward:?}"
    );
    assert_eq!(forward.recipients.len(), 3);
    assert!(setup.deliver("plain@example.com").forwards.is_empty());
}

#[test]
fn mail_is_passed_to_the_transports_that_are_set() {
    let setup = setup("", |settings| {
        settings.mailbox_transport = "lmtp:unix:/x".to_owned();
        settings.fallback_transport = "busy".to_owned();
    });
    assert_eq!(
        setup.told("alice@example.com"),
        "Sent 2.0.0 lmtp unix:/x alice@example.com"
    );
    assert_eq!(
        setup.told("nobody1@example.com"),
        "Sent 2.0.0 lmtp unix:/x nobody1@example.com"
    );
    setup.write("alice/.forward", "eve@far.example, \\alice");
    let delivery = setup.deliver("alice@example.com");
    assert_eq!(delivery.outcome.text, "lmtp unix:/x alice@example.com");
    assert_eq!(forwards(&delivery), ["eve@far.example"]);
}

#[test]
fn who_is_nobody_is_caught_by_what_is_set() {
    let fallback = setup("", |settings| settings.fallback_transport = "busy:hop".to_owned());
    assert_eq!(
        fallback.told("nobody1@example.com"),
        "Deferred 4.4.1 busy hop nobody1@example.com"
    );
    assert_eq!(
        fallback.told("alice@example.com"),
        "Sent 2.0.0 delivered to maildir"
    );
    let relay = setup("", |settings| {
        settings.luser_relay = "$user+caught@far.example".to_owned()
    });
    assert_eq!(
        forwards(&relay.deliver("nobody1@example.com")),
        ["nobody1+caught@far.example"]
    );
    let caught = setup("team: bob, carol\n", |settings| {
        settings.luser_relay = "$extension".to_owned();
    });
    caught.deliver("nobody1+alice@example.com");
    let mail = caught.mail_of("alice");
    let header = "X-Original-To: nobody1+alice@example.com\nDelivered-To: nobody1+alice@example.com\n";
    assert!(mail[0].contains(header), "{mail:?}");
    let unknown = |name: &str| format!("Bounced 5.1.1 unknown user: \"{name}\"");
    assert_eq!(caught.told("nobody1+nobody2@example.com"), unknown("nobody2"));
    assert_eq!(caught.told("nobody1+team@example.com"), unknown("carol"));
    assert_eq!(caught.mail_of("bob").len(), 1);
    let nobody = setup("", |_| {});
    assert!(
        nobody
            .told("postmaster@example.com")
            .starts_with("Sent 2.0.0 discarded")
    );
}

#[test]
fn a_mailbox_command_takes_users_mail() {
    let setup = setup("", |settings| {
        settings.mailbox_command = "cat > \"$HOME/cmd-$EXTENSION\"".to_owned();
    });
    assert!(
        setup
            .told("alice+a@example.com")
            .starts_with("Sent 2.0.0 delivered to command: cat")
    );
    assert!(
        setup
            .read("alice/cmd-a")
            .contains("Delivered-To: alice+a@example.com\n")
    );
    // Nothing of an address is shell syntax.
    setup.told("\"alice+$(touch x);\"@example.com");
    assert!(setup.read("alice/cmd-__touch_x__").contains("Delivered-To: "));
}

#[test]
fn a_full_maildir_is_a_bounce() {
    let setup = setup("", |_| {});
    setup.told("alice@example.com");
    setup.write("alice/Maildir/maildirsize", "0S,1C\n100 1\n");
    assert_eq!(
        setup.told("alice@example.com"),
        "Bounced 5.2.2 mailbox of user alice is full: quota exceeded"
    );
    assert_eq!(setup.mail_of("alice").len(), 1);
}

#[test]
fn virtual_mailboxes_are_below_their_base_and_nobody_is_root() {
    let setup = setup("", |settings| {
        let inline = |text: &str| vec![TableRef::new("inline", text)];
        settings.virtual_mailbox_base = settings.mail_spool_directory.clone();
        let maps = "{ { a@v.example = v/a/ }, { b@v.example = v/b }, { up@v.example = ../up }, { @all.example = all/ } }";
        settings.virtual_mailbox_maps = inline(maps);
        let uid = format!(
            "{{ {{ a@v.example = {0} }}, {{ b@v.example = 0 }}, {{ @all.example = {0} }} }}",
            own_uid()
        );
        settings.virtual_uid_maps = inline(&uid);
        settings.virtual_gid_maps = vec![TableRef::new("static", "1")];
        settings.virtual_minimum_uid = 1;
    });
    let of = |to: &str| {
        let recipient = Recipient::new(Address::parse(to).expect("an address"));
        let delivery = setup.local.deliver_virtual(&Job {
            sender: None,
            recipient: &recipient,
            content: &Message(MESSAGE),
            client: &Client::default(),
            transports: &Elsewhere,
        });
        let outcome = delivery.outcome;
        assert_eq!(outcome.relay, "virtual");
        format!("{:?} {} {}", outcome.result, outcome.status, outcome.text)
    };
    assert_eq!(of("A+x@v.example"), "Sent 2.0.0 delivered to maildir");
    assert_eq!(of("any@all.example"), "Sent 2.0.0 delivered to maildir");
    let new = setup.directory.path().join("spool/v/a/new");
    let file = std::fs::read_dir(new)
        .expect("a maildir")
        .next()
        .expect("a message")
        .expect("an entry");
    let text = std::fs::read_to_string(file.path()).expect("text");
    assert!(
        text.starts_with("Return-Path: <>\nX-Original-To: A+x@v.example\nDelivered-To: A+x@v.example\n"),
        "{text}"
    );
    assert_eq!(of("c@v.example"), "Bounced 5.1.1 unknown user: \"c@v.example\"");
    for wrong in ["b@v.example", "up@v.example"] {
        assert_eq!(of(wrong), "Deferred 4.3.5 mail system configuration error");
    }
}

/// Rights over a user's mail are none to run what an alias table names, nor the other way round.
/// What the log tells of a delivery.
fn lines(delivery: &Delivery) -> Vec<String> {
    let told = delivery.told.iter();
    told.map(|(to, outcome)| format!("{to} {} {}", outcome.status, outcome.text))
        .collect()
}

#[test]
fn each_target_has_its_line_and_the_sender_hears_of_the_failed_ones() {
    let setup = setup("staff: alice, nobody+x BOB\n", |_| {});
    let delivery = setup.deliver("staff@example.com");
    let unknown = "nobody+x@localhost.localdomain 5.1.1 unknown user: \"nobody\"";
    let sent = |name: &str| format!("{name}@localhost.localdomain 2.0.0 delivered to maildir");
    assert_eq!(lines(&delivery), [sent("alice"), unknown.to_owned(), sent("BOB")]);
    let targets = &delivery.outcome.detail.targets;
    assert_eq!(targets.len(), 1);
    assert_eq!(targets[0].0.to_string(), "nobody+x@localhost.localdomain");
    // The recipient's own failure needs no such list.
    let own = setup.deliver("nobody@example.com");
    assert!(own.outcome.detail.targets.is_empty(), "{own:?}");
}
