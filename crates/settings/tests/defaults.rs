//! Every default of the table can be read, and is the value that the incumbents document.

use std::net::IpAddr;
use std::time::Duration;

use settings::kinds::{self, Kind};
use settings::{
    BareNewline, Dovecot, MailboxLock, Networks, Postfix, Surroundings, TlsLevel, Values, params,
};

#[test]
fn an_empty_main_cf_is_readable() {
    let (postfix, wrong) = Postfix::from_values(&Values::new(&Surroundings::default()));
    assert_eq!(wrong, []);
    assert_eq!(postfix.myhostname, "localhost.localdomain");
    assert_eq!(postfix.mydomain, "localdomain");
    assert_eq!(postfix.myorigin, "localhost.localdomain");
    assert_eq!(postfix.smtpd_banner, "localhost.localdomain ESMTP Postfix");
    assert_eq!(
        postfix.mydestination,
        ["localhost.localdomain", "localhost.localdomain", "localhost"]
    );
    assert_eq!(postfix.smtpd_timeout, Duration::from_secs(300));
    assert_eq!(postfix.maximal_queue_lifetime, Duration::from_secs(5 * 86_400));
    assert_eq!(postfix.smtpd_hard_error_limit, 20);
    assert_eq!(postfix.smtpd_forbid_bare_newline, BareNewline::Normalize);
    assert_eq!(postfix.smtpd_tls_security_level, TlsLevel::Unset);
    assert_eq!(
        postfix.mailbox_delivery_lock,
        [MailboxLock::Fcntl, MailboxLock::Dotlock]
    );
    assert_eq!(postfix.smtpd_relay_restrictions[2], "reject_unauth_destination");
    assert!(postfix.mynetworks.contains(IpAddr::from([127, 0, 0, 1])));
    // compatibility_level = 0 trusts the subnets of the interfaces, as Postfix does; newer levels this host alone.
    assert!(postfix.mynetworks.contains(IpAddr::from([127, 0, 0, 2])));
    let mut newer = Values::new(&Surroundings::default());
    newer.set("compatibility_level", "3.6");
    let (postfix, _) = Postfix::from_values(&newer);
    assert!(!postfix.mynetworks.contains(IpAddr::from([127, 0, 0, 2])));
}

#[test]
fn relaying_is_closed_at_every_level() {
    for level in ["0", "1", "3.6"] {
        let mut values = Values::new(&Surroundings::default());
        values.set("compatibility_level", level);
        let (postfix, _) = Postfix::from_values(&values);
        let closing = match level {
            // Of a time in which nobody was put off.
            "0" => "reject_unauth_destination",
            _ => "defer_unauth_destination",
        };
        assert_eq!(postfix.smtpd_relay_restrictions[2], closing);
        assert_eq!(postfix.smtputf8_enable, level != "0");
        assert_eq!(postfix.relay_domains.is_empty(), level == "3.6");
    }
}

#[test]
fn an_empty_dovecot_conf_is_readable() {
    let mut dovecot = Dovecot::defaults();
    for parameter in params::dovecot_all() {
        dovecot
            .set(parameter.name, parameter.default)
            .unwrap_or_else(|error| panic!("{}: {error}", parameter.name));
    }
    assert!(dovecot.disable_plaintext_auth);
    assert_eq!(dovecot.auth_failure_delay, Duration::from_secs(2));
    assert_eq!(dovecot.imap_max_line_length, 65_536);
    assert_eq!(dovecot.services["imap-login"].inet_listeners["imaps"].port, 993);
}

#[test]
fn no_name_stands_twice() {
    for all in [params::postfix_all(), params::dovecot_all()] {
        for pair in all.windows(2) {
            assert!(pair[0].name < pair[1].name, "{} stands twice", pair[0].name);
        }
    }
}

#[test]
fn names_nearby_are_found() {
    let names = || params::postfix_all().iter().map(|parameter| parameter.name);
    assert_eq!(params::nearest("mydestinatoin", names()), Some("mydestination"));
    assert_eq!(
        params::nearest("smtpd_recipient_restriction", names()),
        Some("smtpd_recipient_restrictions")
    );
    assert_eq!(params::nearest("zzzzzzzz", names()), None);
}

#[test]
fn networks() {
    let list: Networks = "!10.1.0.0/16, 10.0.0.0/8 [::ffff:127.0.0.0]/104 fd00::/8"
        .parse()
        .expect("valid");
    let holds = |text: &str| list.contains(text.parse().expect("an address"));
    assert!(holds("10.2.3.4") && holds("127.0.0.9") && holds("fd00::1") && holds("::ffff:10.2.0.1"));
    assert!(!holds("10.1.2.3") && !holds("11.0.0.1") && !holds("fe80::1"));
    let complaint = |text: &str| text.parse::<Networks>().expect_err("wrong").to_string();
    assert_eq!(
        complaint("10.0.0.0/33"),
        "\"10.0.0.0/33\" is not a network: the prefix must be 0..32"
    );
    assert_eq!(
        complaint("10.0.0.1/8"),
        "\"10.0.0.1/8\" is not a network: bits behind the prefix are not zero; did you mean 10.0.0.0/8?"
    );
}

#[test]
fn times_and_sizes() {
    assert_eq!(kinds::time("2h", 's'), Ok(Duration::from_secs(7200)));
    assert_eq!(kinds::time("5", 'd'), Ok(Duration::from_secs(432_000)));
    assert!(
        kinds::time("5y", 's').is_err()
            && kinds::time("", 's').is_err()
            && kinds::time("99999999w", 's').is_err()
    );
    assert_eq!(kinds::interval("2 mins", "secs"), Ok(Duration::from_secs(120)));
    assert_eq!(kinds::interval("1w", "secs"), Ok(Duration::from_secs(604_800)));
    assert_eq!(kinds::size("10 M"), Ok(10 << 20));
    assert!(kinds::size("10 X").is_err());
    assert_eq!(
        kinds::Tables::read("hash:/a, proxy:unix:passwd.byname").map(|tables| tables.len()),
        Ok(2)
    );
    assert!(kinds::Tables::read("/etc/aliases").is_err());
    assert_eq!(kinds::words("a, { b c } d"), ["a", "{ b c }", "d"]);
}
