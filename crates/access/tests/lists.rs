//! Whole requests against whole lists: who may send where, and what the others read.

use std::sync::Arc;

use access::{Access, Client, Gap, Request, review};
use address::Address;
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

/// The reply to RCPT for `recipient` from a client at `address`, `Ok` when it is accepted.
fn rcpt(lists: &[(&str, &str)], address: &str, sasl_user: Option<&str>, recipient: &str) -> String {
    let settings = Arc::new(settings(lists));
    let (router, problems) = Router::new(
        Arc::clone(&settings),
        Vec::new(),
        Arc::new(Users(&["alice", "bob"])),
    );
    assert!(problems.is_empty());
    let access = Access::new(settings, Arc::new(router));
    let client = Client {
        reverse_name: "unknown".to_owned(),
        name_is_pending: false,
        name: "unknown".to_owned(),
        address: address.parse().expect("an address"),
    };
    let sender = Address::parse("sender@elsewhere.example").expect("an address");
    let recipient = Address::parse(recipient).expect("an address");
    let request = Request {
        client: &client,
        helo: Some("client"),
        sender: Some(Some(&sender)),
        recipient: Some(&recipient),
        sasl_user,
    };
    access
        .rcpt(&request)
        .map_or_else(|| "Ok".to_owned(), |refusal| refusal.to_string())
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
fn names_that_are_not_there_are_told_from_mistakes() {
    let lists = [
        (
            "client",
            "check_client_access hash:/x check_policy_service { inet:127.0.0.1:9, timeout=10 } sleep 1 permit",
        ),
        ("relay", "reject_unauth_destination reject_rbl_clinet"),
    ];
    let not_yet = |name: &str| ("smtpd_client_restrictions", Gap::NotYet(name.to_owned()));
    let wanted = [
        not_yet("check_client_access"),
        not_yet("check_policy_service"),
        not_yet("sleep"),
        (
            "smtpd_relay_restrictions",
            Gap::Unknown("reject_rbl_clinet".to_owned()),
        ),
    ];
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
        let settings = Arc::new(settings);
        let (router, _) = Router::new(Arc::clone(&settings), Vec::new(), Arc::new(Users(&["alice"])));
        let access = Access::new(settings, Arc::new(router));
        let client = Client {
            reverse_name: "unknown".to_owned(),
            name_is_pending: false,
            name: "unknown".to_owned(),
            address: "127.0.0.1".parse().expect("an address"),
        };
        let sender = Address::parse(sender).expect("an address");
        let recipient = Address::parse("alice@example.com").expect("an address");
        let request = Request {
            client: &client,
            helo: Some("client"),
            sender: Some(Some(&sender)),
            recipient: Some(&recipient),
            sasl_user: None,
        };
        access.rcpt(&request).map(|refusal| refusal.to_string())
    };
    let wanted = |settings: &mut Postfix| settings.smtpd_reject_unlisted_sender = true;
    let reticent = |settings: &mut Postfix| {
        settings.smtpd_sender_restrictions = vec!["reject_unlisted_sender".to_owned()];
        settings.show_user_unknown_table_name = false;
    };
    assert_eq!(ask(&|_| {}, "nobody@example.com"), None);
    assert_eq!(
        ask(&wanted, "nobody@example.com").as_deref(),
        Some(
            "550 5.1.0 <nobody@example.com>: Sender address rejected: User unknown in local recipient table"
        )
    );
    assert_eq!(
        ask(&reticent, "nobody@example.com").as_deref(),
        Some("550 5.1.0 <nobody@example.com>: Sender address rejected: User unknown")
    );
    assert_eq!(ask(&wanted, "alice@example.com"), None);
    assert_eq!(ask(&wanted, "nobody@elsewhere.example"), None);
}

#[test]
fn lists_of_ones_own_stand_for_what_is_in_them() {
    let mut settings = settings(&[(
        "sender",
        "own warn_if_reject reject reject_rbl_client bl.example permit",
    )]);
    settings.smtpd_restriction_classes = vec!["own".to_owned(), "inner".to_owned()];
    let mut put = |name: &str, text: &str| settings.others.insert(name.to_owned(), text.to_owned());
    put("own", "permit_mynetworks, inner, check_sender_access hash:/x");
    put("inner", "reject_non_fqdn_sender, inner");
    let own = |name: &str| ("smtpd_sender_restrictions", Gap::NotYet(name.to_owned()));
    let endless = ("smtpd_sender_restrictions", Gap::Class("inner".to_owned()));
    assert_eq!(
        review::gaps(&settings),
        [endless, own("check_sender_access"), own("reject_rbl_client")]
    );
    let settings = Arc::new(settings);
    let (router, _) = Router::new(Arc::clone(&settings), Vec::new(), Arc::new(Users(&["alice"])));
    let access = Access::new(settings, Arc::new(router));
    let ask = |address: &str, sender: &str| {
        let client = Client {
            reverse_name: "unknown".to_owned(),
            name_is_pending: false,
            name: "unknown".to_owned(),
            address: address.parse().expect("an address"),
        };
        let sender = Address::parse(sender).expect("an address");
        let recipient = Address::parse("alice@example.com").expect("an address");
        let request = Request {
            client: &client,
            helo: None,
            sender: Some(Some(&sender)),
            recipient: Some(&recipient),
            sasl_user: None,
        };
        access.rcpt(&request).is_some()
    };
    assert!(ask("192.0.2.1", "short@host"), "the inner list refuses");
    assert!(!ask("127.0.0.1", "short@host"), "the outer one permits before it");
    assert!(
        !ask("192.0.2.1", "x@full.example"),
        "warn_if_reject refuses nobody"
    );
}
