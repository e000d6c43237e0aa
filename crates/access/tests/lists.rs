//! Whole requests against whole lists: who may send where, and what the others read.

use std::sync::Arc;
use std::time::Duration;

use access::policy::{Failure, Server};
use access::verification::{Answer, Finding, Status};
use access::{Access, Asked, Client, Gap, Memory, Note, Outcome, Outside, Request, Waiting, review};
use address::Address;
use dns::{Dns, Looking, Question};
use route::{Directory, Router};
use settings::{Postfix, Surroundings, TableRef};

struct Users(&'static [&'static str]);

impl Directory for Users {
    fn has_user(&self, name: &str) -> Result<bool, String> {
        if name == "broken" {
            return Err("the directory is away".to_owned());
        }
        Ok(self.0.contains(&name))
    }
}

fn settings(lists: &[(&str, &str)]) -> Postfix {
    let mut settings = Postfix::defaults(&Surroundings::default());
    settings.mydestination = vec!["example.com".to_owned()];
    settings.relay_domains = vec!["relayed.example".to_owned()];
    settings.mynetworks = "127.0.0.0/8".parse().expect("a network");
    settings.recipient_delimiter = "+".to_owned();
    settings.local_recipient_maps = vec![TableRef::new(route::recipients::USERDB, "all")];
    let words = |list: &str| list.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    for (stage, list) in lists {
        match *stage {
            "client" => settings.smtpd_client_restrictions = words(list),
            "helo" => settings.smtpd_helo_restrictions = words(list),
            "sender" => settings.smtpd_sender_restrictions = words(list),
            "relay" => settings.smtpd_relay_restrictions = words(list),
            _ => settings.smtpd_recipient_restrictions = words(list),
        }
    }
    settings
}

/// Nobody knows any name, policy services are away, and no time passes.
struct Nobody;

impl Dns for Nobody {
    fn look_up<'a>(&'a self, _: &'a Question) -> Looking<'a> {
        Box::pin(std::future::ready(Err(dns::Failure::NotFound)))
    }
}

impl Outside for Nobody {
    fn dns(&self) -> &dyn Dns {
        self
    }

    fn ask_policy<'a>(&'a self, _: &'a Server, _: &'a str) -> Waiting<'a, Result<String, Failure>> {
        let failure = Failure {
            is_unreachable: true,
            reason: "Connection refused".to_owned(),
        };
        Box::pin(std::future::ready(Err(failure)))
    }

    fn local_time(&self) -> String {
        "Nov 29 12:00:00".to_owned()
    }

    /// By the local part; who is called otherwise is waited for.
    fn verify<'a>(&'a self, address: &'a Address, _: Duration) -> Waiting<'a, Answer> {
        let local = address.local().to_string();
        let status = match local.as_str() {
            "good" => Some(Status::Deliverable),
            "bad" => Some(Status::Undeliverable),
            "late" => Some(Status::Deferred),
            _ => None,
        };
        let found = |status| {
            Answer::Found(Finding {
                status,
                text: "said the host".to_owned(),
            })
        };
        let answer = match local.as_str() {
            "rehearsed" => Answer::NotAsked,
            _ => status.map_or(Answer::InProgress, found),
        };
        Box::pin(std::future::ready(answer))
    }

    fn sleep(&self, _: Duration) -> Waiting<'_, ()> {
        Box::pin(std::future::ready(()))
    }
}

/// A client and what it says.
#[derive(Clone, Copy)]
struct Said<'a> {
    address: &'a str,
    helo: Option<&'a str>,
    sasl_user: Option<&'a str>,
    sender: &'a str,
    recipient: &'a str,
}

const STRANGER: Said<'static> = Said {
    address: "192.0.2.1",
    helo: Some("client"),
    sasl_user: None,
    sender: "sender@elsewhere.example",
    recipient: "alice@example.com",
};

/// What comes of RCPT.
fn outcome(settings: Postfix, said: Said<'_>) -> Outcome {
    let settings = Arc::new(settings);
    let (router, problems) = Router::new(
        Arc::clone(&settings),
        Vec::new(),
        Arc::new(Users(&["alice", "bob"])),
    );
    assert!(problems.is_empty());
    let tell: tables::Tell = Arc::new(|text: &str| panic!("a table says: {text}"));
    let (access, problems) = Access::new(settings, Arc::new(router), &tell);
    assert!(problems.is_empty());
    let client = Client {
        reverse_name: "unknown".to_owned(),
        name_is_pending: false,
        name: "unknown".to_owned(),
        address: said.address.parse().expect("an address"),
    };
    let sender = Address::parse(said.sender).expect("an address");
    let recipient = Address::parse(said.recipient).expect("an address");
    let request = Request {
        client: &client,
        client_port: None,
        server: "127.0.0.1:25".parse().expect("an address"),
        command: "RCPT",
        protocol: "ESMTP",
        helo: said.helo,
        sender: Some(Some(&sender)),
        sender_written: said.sender,
        recipient: Some(&recipient),
        recipient_written: said.recipient,
        recipients: 0,
        size_bytes: 0,
        queue_id: "",
        instance: "",
        etrn_domain: "",
        sasl_user: said.sasl_user,
        sasl_method: None,
        sasl_sender: None,
        tls: None,
        spoke_ahead: false,
    };
    let asked = Asked {
        request: &request,
        outside: &Nobody,
    };
    let mut memory = Memory::default();
    let executor = tokio::runtime::Builder::new_current_thread().build();
    let executor = executor.expect("an executor");
    executor.block_on(access.rcpt(&asked, &mut memory))
}

/// The reply, `Ok` when nothing refuses.
fn reply(settings: Postfix, said: Said<'_>) -> String {
    let refusal = outcome(settings, said).refusal;
    refusal.map_or_else(|| "Ok".to_owned(), |refusal| refusal.to_string())
}

/// The reply to RCPT for `recipient` from a client at `address`, `Ok` when it is accepted.
fn rcpt(lists: &[(&str, &str)], address: &str, sasl_user: Option<&str>, recipient: &str) -> String {
    let said = Said {
        address,
        sasl_user,
        recipient,
        ..STRANGER
    };
    reply(settings(lists), said)
}

const RELAY: &[(&str, &str)] = &[(
    "relay",
    "permit_mynetworks permit_sasl_authenticated reject_unauth_destination",
)];

#[test]
fn relaying_is_closed_but_for_friends() {
    let denied = "554 5.7.1 <x@other.example>: Relay access denied";
    assert_eq!(rcpt(RELAY, "192.0.2.1", None, "x@other.example"), denied);
    assert_eq!(rcpt(RELAY, "127.0.0.1", None, "x@other.example"), "Ok");
    assert_eq!(rcpt(RELAY, "192.0.2.1", Some("alice"), "x@other.example"), "Ok");
    assert_eq!(rcpt(RELAY, "192.0.2.1", None, "x@relayed.example"), "Ok");
    assert_eq!(rcpt(RELAY, "192.0.2.1", None, "x@sub.relayed.example"), "Ok");
}

#[test]
fn routed_recipients_do_not_open_the_relay() {
    for recipient in [
        "x%other.example@example.com",
        "\"x@other.example\"@example.com",
        "other!x@example.com",
    ] {
        assert!(
            rcpt(RELAY, "192.0.2.1", None, recipient).starts_with("554 5.7.1 "),
            "{recipient}"
        );
    }
}

#[test]
fn unknown_users_are_refused_and_lookup_failures_deferred() {
    let unknown =
        "550 5.1.1 <carol@example.com>: Recipient address rejected: User unknown in local recipient table";
    assert_eq!(rcpt(RELAY, "192.0.2.1", None, "carol@example.com"), unknown);
    for known in [
        "alice@example.com",
        "ALICE@Example.COM",
        "bob+lists@example.com",
        "postmaster@example.com",
    ] {
        assert_eq!(rcpt(RELAY, "192.0.2.1", None, known), "Ok", "{known}");
    }
    assert!(rcpt(RELAY, "192.0.2.1", None, "broken@example.com").starts_with("451 4.3.0 "));
}

#[test]
fn a_permit_ends_its_own_list_only() {
    let lists = [
        ("client", "permit"),
        ("relay", "permit_mynetworks reject_unauth_destination"),
        ("recipient", "reject"),
    ];
    let refused = "554 5.7.1 <alice@example.com>: Recipient address rejected: Access denied";
    assert_eq!(rcpt(&lists, "127.0.0.1", None, "alice@example.com"), refused);
}

#[test]
fn lists_of_earlier_stages_are_asked_at_rcpt() {
    let client = [("client", "permit_sasl_authenticated reject")];
    let refused = "554 5.7.1 <unknown[192.0.2.1]>: Client host rejected: Access denied";
    assert_eq!(rcpt(&client, "192.0.2.1", None, "alice@example.com"), refused);
    let helo = [("helo", "reject_non_fqdn_helo_hostname"), RELAY[0]];
    let refused = "504 5.5.2 <client>: Helo command rejected: need fully-qualified hostname";
    assert_eq!(rcpt(&helo, "192.0.2.1", None, "alice@example.com"), refused);
}

#[test]
fn names_that_are_no_restriction_are_found() {
    let lists = [
        (
            "client",
            "check_ccert_access hash:/x check_policy_service { inet:127.0.0.1:9, timeout=10 } sleep 1 permit",
        ),
        ("relay", "reject_unauth_destination reject_rbl_clinet"),
    ];
    let wanted = [(
        "smtpd_relay_restrictions",
        Gap::Unknown("reject_rbl_clinet".to_owned()),
    )];
    assert_eq!(review::gaps(&settings(&lists)), wanted);
}

#[test]
fn lists_that_let_strangers_relay_are_found() {
    let is_closed = |relay: &str, recipient: &str| {
        review::is_closed(&settings(&[("relay", relay), ("recipient", recipient)]))
    };
    assert!(is_closed("permit_mynetworks reject_unauth_destination", ""));
    assert!(is_closed("", "permit_mynetworks defer_unauth_destination"));
    assert!(is_closed("permit_sasl_authenticated reject", "permit"));
    assert!(is_closed("check_policy_service { inet:x, timeout=1 } reject", ""));
    for (relay, recipient) in [
        ("", ""),
        ("permit", ""),
        ("permit_mynetworks", "permit_sasl_authenticated"),
        ("permit reject_unauth_destination", ""),
        ("warn_if_reject reject_unauth_destination", ""),
        ("check_client_access reject", ""),
    ] {
        assert!(!is_closed(relay, recipient), "{relay:?} {recipient:?}");
    }
}

#[test]
fn unknown_senders_of_our_own_are_refused_where_that_is_wanted() {
    let ask = |change: &dyn Fn(&mut Postfix), sender: &str| {
        let mut settings = settings(&[]);
        change(&mut settings);
        let said = Said {
            address: "127.0.0.1",
            sender,
            ..STRANGER
        };
        reply(settings, said)
    };
    let wanted = |settings: &mut Postfix| settings.smtpd_reject_unlisted_sender = true;
    let reticent = |settings: &mut Postfix| {
        settings.smtpd_sender_restrictions = vec!["reject_unlisted_sender".to_owned()];
        settings.show_user_unknown_table_name = false;
    };
    assert_eq!(ask(&|_| {}, "nobody@example.com"), "Ok");
    assert_eq!(
        ask(&wanted, "nobody@example.com"),
        "550 5.1.0 <nobody@example.com>: Sender address rejected: User unknown in local recipient table"
    );
    assert_eq!(
        ask(&reticent, "nobody@example.com"),
        "550 5.1.0 <nobody@example.com>: Sender address rejected: User unknown"
    );
    assert_eq!(ask(&wanted, "alice@example.com"), "Ok");
    assert_eq!(ask(&wanted, "nobody@elsewhere.example"), "Ok");
}

#[test]
fn lists_of_ones_own_stand_for_what_is_in_them() {
    let own = || {
        let mut settings = settings(&[("sender", "own warn_if_reject reject permit")]);
        settings.smtpd_restriction_classes = vec!["own".to_owned(), "inner".to_owned()];
        let mut put = |name: &str, text: &str| settings.others.insert(name.to_owned(), text.to_owned());
        put(
            "own",
            "permit_mynetworks, inner, check_ccert_access inline:{x=OK}",
        );
        put("inner", "reject_non_fqdn_sender");
        settings
    };
    let mut endless = own();
    endless
        .others
        .insert("inner".to_owned(), "reject_non_fqdn_sender, inner".to_owned());
    let class = ("smtpd_sender_restrictions", Gap::Class("inner".to_owned()));
    assert_eq!(review::gaps(&own()), []);
    assert_eq!(review::gaps(&endless), [class]);

    let ask = |settings: Postfix, address: &str, sender: &str| {
        let said = Said {
            address,
            sender,
            ..STRANGER
        };
        reply(settings, said)
    };
    let refused = "504 5.5.2 <short@host>: Sender address rejected: need fully-qualified address";
    assert_eq!(
        ask(own(), "192.0.2.1", "short@host"),
        refused,
        "the inner list refuses"
    );
    assert_eq!(
        ask(own(), "127.0.0.1", "short@host"),
        "Ok",
        "the outer one permits before it"
    );
    assert_eq!(
        ask(own(), "192.0.2.1", "x@full.example"),
        "Ok",
        "warn_if_reject refuses nobody, and nothing else does"
    );
    assert_eq!(
        ask(endless, "192.0.2.1", "x@full.example"),
        "451 4.3.5 Server configuration error"
    );
}

#[test]
fn a_name_that_is_no_restriction_defers() {
    let lists = [("client", "reject_rbl_clinet bl.example")];
    let outcome = outcome(settings(&lists), STRANGER);
    assert_eq!(
        outcome.refusal.map(|refusal| refusal.to_string()).as_deref(),
        Some("451 4.3.5 Server configuration error")
    );
    assert_eq!(
        outcome.notes,
        [Note::Warning(
            "unknown smtpd restriction: \"reject_rbl_clinet\"".to_owned()
        )]
    );
}

/// What Debian's sendmail 8.17.1 decides with the same table, by `check_rcpt`, `check_mail` and `check_relay`.
mod sendmail {
    use super::*;

    const TABLE: &str = "localhost.localdomain RELAY\nlocalhost RELAY\n127.0.0.1 RELAY\n192.168.0 RELAY\n10.1 REJECT\n10.1.2 OK\n\
        10.1.2.3 ERROR:5.7.1:550 go away\nspam.test REJECT\ngood.spam.test OK\nConnect:bad.test REJECT\nFrom:evil@x.test REJECT\n\
        From:evil.test DISCARD\nTo:out.test RELAY\nout2.test RELAY\nTo:blocked@here.test ERROR:5.2.1:550 mailbox disabled\n\
        user@ REJECT\nFrom:frm@ 550 no frm\nConnect:172.16 SKIP\n172.16.5 REJECT\n172 REJECT\nown.test 551 5.7.8 own text here\n\
        err.test ERROR:450 later please\nerr2.test ERROR:plain words\nerr3.test something else\nquar.test QUARANTINE:looks bad\nTo:okto.test OK\nIPv6:2001:db8 REJECT\n\
        To:skip@here.test SKIP\nplus@here.test OK\n.dot.test REJECT\nx@full.test OK\nfull.test REJECT\n";
    const CASES: &str = include_str!("sendmail_access.cases");

    #[test]
    fn the_same_is_decided() {
        let directory = tempfile::tempdir().expect("a directory");
        let file = directory.path().join("access");
        std::fs::write(&file, TABLE).expect("written");
        let mut settings = Postfix::defaults(&Surroundings::default());
        settings.mydestination = vec!["here.test".to_owned()];
        settings.relay_domains = vec!["relay.test".to_owned()];
        settings.mynetworks = "127.0.0.0/8".parse().expect("a network");
        settings.local_recipient_maps = Vec::new();
        let relay = "permit_mynetworks reject_unauth_destination";
        settings.smtpd_relay_restrictions = relay.split(' ').map(str::to_owned).collect();
        settings.recipient_delimiter = "+".to_owned();
        settings.sendmail.access = Some(TableRef::new("sendmail", &file.to_string_lossy()));
        settings.sendmail.relay_domains = vec!["relay.test".to_owned()];
        let settings = Arc::new(settings);
        let (router, problems) = Router::new(Arc::clone(&settings), Vec::new(), Arc::new(Users(&[])));
        assert_eq!(problems, []);
        let (access, problems) = Access::new(
            Arc::clone(&settings),
            Arc::new(router),
            &(Arc::new(|_: &str| {}) as _),
        );
        assert_eq!(problems, []);
        let mut asked = 0;
        for line in CASES
            .lines()
            .filter(|line| !line.starts_with('#') && !line.is_empty())
        {
            let (question, answer) = line.split_once(" => ").expect("a case");
            assert_eq!(decided(&access, question), answer, "{question}");
            asked += 1;
        }
        assert!(asked >= 60, "{asked} cases");
    }

    fn decided(access: &Access, question: &str) -> String {
        let words: Vec<&str> = question.split_whitespace().collect();
        let [name, ip, sender, recipient] = words[..] else {
            panic!("four words: {question}");
        };
        let client = Client {
            name: name.to_owned(),
            reverse_name: name.to_owned(),
            name_is_pending: false,
            address: ip.parse().expect("an address"),
        };
        let (from, to) = (
            Address::parse(sender).ok(),
            Address::parse(recipient).expect("an address"),
        );
        let request = Request {
            client: &client,
            helo: Some("x.test"),
            sender: Some(from.as_ref()),
            sender_written: sender,
            recipient: Some(&to),
            recipient_written: recipient,
            client_port: None,
            server: "127.0.0.1:25".parse().expect("an address"),
            command: "RCPT",
            protocol: "ESMTP",
            recipients: 0,
            size_bytes: 0,
            queue_id: "",
            instance: "",
            etrn_domain: "",
            sasl_user: None,
            sasl_method: None,
            sasl_sender: None,
            tls: None,
            spoke_ahead: false,
        };
        let mut memory = Memory::default();
        let asked = Asked {
            request: &request,
            outside: &Nobody,
        };
        let executor = tokio::runtime::Builder::new_current_thread().build();
        let executor = executor.expect("an executor");
        let outcome = executor.block_on(access.rcpt(&asked, &mut memory));
        match outcome.refusal {
            Some(refusal) => format!(
                "{} {}",
                refusal.code,
                refusal.text.rsplit(": ").next().unwrap_or_default()
            ),
            None if memory.actions.discard => "discard".to_owned(),
            None if memory.actions.hold => "hold".to_owned(),
            None => "ok".to_owned(),
        }
    }
}

#[test]
fn what_probes_show_decides_of_senders_and_recipients() {
    let told = |change: fn(&mut Postfix), sender: &str, recipient: &str| {
        let mut settings = settings(&[
            ("sender", "reject_unverified_sender"),
            ("recipient", "reject_unverified_recipient"),
        ]);
        settings.smtpd_reject_unlisted_recipient = false;
        change(&mut settings);
        let (sender, recipient) = (
            format!("{sender}@elsewhere.example"),
            format!("{recipient}@example.com"),
        );
        let said = Said {
            sender: &sender,
            recipient: &recipient,
            ..STRANGER
        };
        let outcome = outcome(settings, said);
        outcome
            .refusal
            .map_or("Ok".to_owned(), |refusal| refusal.to_string())
    };
    let plain = |_: &mut Postfix| {};
    let strict = |settings: &mut Postfix| {
        settings.unverified_recipient_reject_code = 550;
        settings.unverified_recipient_reject_reason = "no".to_owned();
        settings.unverified_sender_reject_code = 553;
    };
    let lax = |settings: &mut Postfix| {
        settings.unverified_recipient_reject_code = 250;
        settings.unverified_recipient_defer_code = 250;
    };
    let stubborn = |settings: &mut Postfix| {
        settings.smtpd_recipient_restrictions.push("reject".to_owned());
    };
    let hasty = |settings: &mut Postfix| {
        settings.smtpd_recipient_restrictions.push("reject".to_owned());
        settings.unverified_recipient_tempfail_action = "defer".to_owned();
    };
    let about = |text: &str| format!("<{text}@example.com>: Recipient address rejected: un");
    assert_eq!(told(plain, "good", "good"), "Ok");
    assert_eq!(
        told(plain, "good", "bad"),
        format!("450 4.1.1 {}verified address: said the host", about("bad"))
    );
    assert_eq!(
        told(plain, "good", "late"),
        format!("450 4.1.1 {}verified address: said the host", about("late"))
    );
    assert_eq!(
        told(plain, "good", "alice"),
        format!(
            "450 4.1.1 {}verified address: Address verification in progress",
            about("alice")
        )
    );
    assert_eq!(told(plain, "good", "rehearsed"), "Ok");
    assert_eq!(
        told(strict, "good", "bad"),
        format!("550 5.1.1 {}deliverable address: no", about("bad"))
    );
    assert_eq!(
        told(strict, "bad", "good"),
        "553 5.1.7 <bad@elsewhere.example>: Sender address rejected: undeliverable address: said the host"
    );
    for recipient in ["bad", "late", "alice"] {
        assert_eq!(told(lax, "good", recipient), "Ok");
    }
    let denied = "554 5.7.1 <bad@example.com>: Recipient address rejected: Access denied";
    assert_eq!(told(stubborn, "good", "bad"), denied);
    assert_eq!(
        told(hasty, "good", "bad"),
        format!("450 4.1.1 {}verified address: said the host", about("bad"))
    );
}
