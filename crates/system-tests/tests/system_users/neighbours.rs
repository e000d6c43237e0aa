//! Debian's Postfix and two of our hosts as neighbours, which find each other by MX and send mail both ways, with TLS too.

use std::path::Path;

use system_tests::incumbent::Postfix;
use system_tests::users::{self, Host};
use system_tests::{Sandbox, wait_for};
use testkit::DnsServer;

/// Ours are on 127.0.0.3 and 127.0.0.5, Postfix is on 127.0.0.4; nobody is on 127.0.0.9.
const ZONE: &str = "\
ours.test MX 20 second.ours.test
ours.test MX 10 first.ours.test
first.ours.test A 127.0.0.3
second.ours.test A 127.0.0.5
only.ours.test A 127.0.0.5
theirs.test MX 10 gone.theirs.test
theirs.test MX 20 mx.theirs.test
gone.theirs.test A 127.0.0.9
mx.theirs.test A 127.0.0.4
null.test MX 0 .
xn--bcher-kva.example MX 10 first.ours.test
xn--kse-qla.example MX 10 mx.theirs.test
later.ours.test SERVFAIL
later.theirs.test SERVFAIL
";

#[test]
fn postfix_and_ours_send_each_other_mail() {
    if !system_tests::has_program("/usr/sbin/postfix", "postfix") || !users::can_make_hosts() {
        return;
    }
    users::run_in_host("neighbours::inside_the_host", "all");
}

/// The second test: the neighbourhood.
#[test]
#[ignore = "run by postfix_and_ours_send_each_other_mail in a host of its own"]
fn inside_the_host() {
    if users::task().is_none() {
        return;
    }
    let _host = Host::make();
    // The embedded hosts are not root's.
    std::fs::write("/proc/sys/net/ipv4/ip_unprivileged_port_start", "25").unwrap();
    std::fs::write(
        "/etc/resolv.conf",
        "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n",
    )
    .unwrap();
    std::fs::write(
        "/etc/nsswitch.conf",
        "passwd: files\ngroup: files\nshadow: files\nhosts: files dns\n",
    )
    .unwrap();
    let dns = DnsServer::start_on("127.0.0.1:53".parse().unwrap(), ZONE);
    let mut first = ours("first.ours.test", "127.0.0.3", "ours.test, bücher.example");
    let second = ours(
        "second.ours.test",
        "127.0.0.5",
        "ours.test, only.ours.test, later.ours.test",
    );
    let theirs = theirs(&first);
    both_ways(&mut first, &theirs);
    names_in_other_characters(&first, &theirs);
    over_tls(&mut first, &theirs);
    reports(&first, &theirs);
    failover(&mut first, &second, &theirs);
    recovery(&second, &theirs, &dns);
}

/// One of our hosts: alice is at home there.
fn ours(name: &str, address: &str, domains: &str) -> Sandbox {
    let mut sandbox = Sandbox::start();
    sandbox.stop();
    for (name, value) in [
        ("myhostname", name),
        ("inet_protocols", "ipv4"),
        ("mydestination", &format!("$myhostname, localhost, {domains}")),
        ("smtp_tls_security_level", "may"),
        ("smtp_tls_loglevel", "1"),
        ("smtpd_tls_loglevel", "1"),
        ("minimal_backoff_time", "1s"),
        ("maximal_backoff_time", "1s"),
        ("queue_run_delay", "1s"),
    ] {
        sandbox.edit_main_cf(name, value);
    }
    sandbox.append_to("master.cf", &format!("{address}:25 inet n - n - - smtpd\n"));
    sandbox.launch();
    sandbox
}

/// Postfix, with the certificate of one of ours; alice is at home there too.
fn theirs(first: &Sandbox) -> Postfix {
    let key = first.config_directory().join("tls/key.pem");
    let certificate = first.ca_file();
    let main_cf = format!(
        "myhostname = mx.theirs.test\nmyorigin = theirs.test\nmydestination = theirs.test, käse.example, later.theirs.test, localhost\n\
         mynetworks = 127.0.0.1\nsmtp_tls_security_level = may\nsmtp_tls_loglevel = 1\n\
         smtpd_tls_security_level = may\nsmtpd_tls_loglevel = 1\nsmtpd_tls_cert_file = {}\nsmtpd_tls_key_file = {}\n\
         minimal_backoff_time = 1s\nmaximal_backoff_time = 1s\nqueue_run_delay = 1s\ndelay_warning_time = 1s\n",
        certificate.display(),
        key.display(),
    );
    Postfix::start_on("127.0.0.4:25".parse().unwrap(), &main_cf).unwrap()
}

/// A letter to the last of these arguments.
fn letter(arguments: &[&str], subject: &str) -> String {
    let to = arguments.last().unwrap_or(&"");
    format!("To: {to}\nSubject: {subject}\n\nhello\n")
}

#[track_caller]
fn send(sender: &Sandbox, arguments: &[&str], subject: &str) {
    sender
        .run(
            "sendmail",
            &[&["-f", "alice"], arguments].concat(),
            &letter(arguments, subject),
        )
        .success();
}

#[track_caller]
fn send_theirs(sender: &Postfix, arguments: &[&str], subject: &str) {
    let own: Vec<&str> = ["-f", "alice@theirs.test"]
        .into_iter()
        .chain(arguments.iter().copied())
        .collect();
    sender.sendmail(&own, &letter(arguments, subject)).success();
}

#[track_caller]
fn wait_for_letter(sandbox: &Sandbox, text: &str) {
    wait_for(&format!("{text:?} at ours"), || {
        let letters = sandbox.maildir("alice", "Maildir");
        letters
            .iter()
            .any(|letter| String::from_utf8_lossy(letter).contains(text))
    });
}

#[track_caller]
fn wait_for_their_letter(text: &str) {
    wait_for(&format!("{text:?} at theirs"), || {
        std::fs::read(Path::new("/var/mail/alice"))
            .is_ok_and(|mailbox| String::from_utf8_lossy(&mailbox).contains(text))
    });
}

#[track_caller]
fn wait_for_lines(what: &str, log: impl Fn() -> String, parts: &[&str]) {
    wait_for(&format!("{parts:?} in the log of {what}"), || {
        log()
            .lines()
            .any(|line| parts.iter().all(|part| line.contains(part)))
    });
}

fn both_ways(first: &mut Sandbox, theirs: &Postfix) {
    send(first, &["alice@theirs.test"], "to theirs");
    wait_for_their_letter("\nSubject: to theirs\n");
    first.wait_for_log("connect to gone.theirs.test[127.0.0.9]:25: Connection refused");
    first.wait_for_log(
        "Untrusted TLS connection established to mx.theirs.test[127.0.0.4]:25: TLSv1.3 with cipher ",
    );
    wait_for_lines(
        "ours",
        || first.log(),
        &[
            "to=<alice@theirs.test>",
            "relay=mx.theirs.test[127.0.0.4]:25",
            "dsn=2.0.0, status=sent (250 2.0.0 Ok: queued as ",
        ],
    );
    wait_for_lines(
        "theirs",
        || theirs.log(),
        &[
            "Anonymous TLS connection established from ",
            ": TLSv1.3 with cipher ",
        ],
    );

    send_theirs(theirs, &["alice@ours.test"], "to ours");
    wait_for_letter(first, "\nSubject: to ours\n");
    wait_for_lines(
        "theirs",
        || theirs.log(),
        &["Untrusted TLS connection established to first.ours.test[127.0.0.3]:25: TLSv1.3 with cipher "],
    );
    wait_for_lines(
        "theirs",
        || theirs.log(),
        &[
            "to=<alice@ours.test>",
            "relay=first.ours.test[127.0.0.3]:25",
            "status=sent (250 2.0.0 Ok: queued as ",
        ],
    );
    wait_for_lines(
        "ours",
        || first.log(),
        &[
            "Anonymous TLS connection established from ",
            ": TLSv1.3 with cipher ",
        ],
    );
}

/// `encrypt`, and a table of policies, which lets one neighbour be reached without.
fn over_tls(first: &mut Sandbox, theirs: &Postfix) {
    first.edit_main_cf("smtp_tls_security_level", "encrypt");
    first.reload();
    send(first, &["alice@theirs.test"], "encrypted");
    wait_for_their_letter("\nSubject: encrypted\n");
    theirs.edit("smtpd_tls_security_level=none");
    send(first, &["alice@theirs.test"], "never in the clear");
    wait_for_lines(
        "ours",
        || first.log(),
        &[
            "to=<alice@theirs.test>",
            "dsn=4.7.4, status=deferred (TLS is required, but was not offered by host mx.theirs.test[127.0.0.4])",
        ],
    );
    let policy = first.config_directory().join("policy");
    std::fs::write(&policy, "theirs.test none\n").unwrap();
    first.edit_main_cf("smtp_tls_policy_maps", &format!("texthash:{}", policy.display()));
    first.reload();
    wait_for_their_letter("\nSubject: never in the clear\n");
    let mailbox = std::fs::read_to_string("/var/mail/alice").unwrap();
    let clear = mailbox
        .split("\nFrom ")
        .find(|letter| letter.contains("never in the clear"))
        .unwrap();
    assert!(!clear.contains("(using TLS"), "{clear}");

    theirs.edit("smtp_tls_security_level=encrypt");
    send_theirs(theirs, &["alice@ours.test"], "their encrypted");
    wait_for_letter(first, "\nSubject: their encrypted\n");
}

/// Reports of success and of failure, both ways.
fn reports(first: &Sandbox, theirs: &Postfix) {
    // They have DSN: who delivers reports.
    send(first, &["-N", "success", "alice@theirs.test"], "tell me");
    wait_for_letter(first, "Final-Recipient: rfc822; alice@theirs.test\n");
    wait_for_letter(first, "\nAction: delivered\n");
    // The report of a host that is told to hide DSN is made by the one that relays to it.
    theirs.edit("smtpd_discard_ehlo_keywords=dsn");
    send(first, &["-N", "success", "bob@theirs.test"], "tell me more");
    wait_for_letter(first, "Final-Recipient: rfc822; bob@theirs.test\n");
    wait_for_letter(first, "\nAction: relayed\n");
    wait_for_letter(first, "\nRemote-MTA: dns; mx.theirs.test\n");
    send_theirs(theirs, &["-N", "success", "alice@ours.test"], "tell us");
    wait_for_their_letter("\nFinal-Recipient: rfc822; alice@ours.test\n");
    wait_for_their_letter("\nAction: delivered\n");

    send(first, &["nobody.here@theirs.test"], "to nobody");
    wait_for_letter(first, "\nFinal-Recipient: rfc822; nobody.here@theirs.test\n");
    wait_for_letter(first, "\nStatus: 5.1.1\n");
    send_theirs(theirs, &["nobody.here@ours.test"], "to nobody");
    wait_for_their_letter("\nFinal-Recipient: rfc822; nobody.here@ours.test\n");
    wait_for_lines(
        "theirs",
        || theirs.log(),
        &[
            "to=<nobody.here@ours.test>",
            "dsn=5.1.1, status=bounced",
            "said: 550 5.1.1 <nobody.here@ours.test>: Recipient address rejected: User unknown",
        ],
    );
}

/// Mail with SMTPUTF8 to domains that DNS knows by their A-labels.
fn names_in_other_characters(first: &Sandbox, theirs: &Postfix) {
    send(first, &["alice@käse.example"], "mit Umlaut");
    wait_for_their_letter("\nTo: alice@käse.example\nSubject: mit Umlaut\n");
    wait_for_lines(
        "ours",
        || first.log(),
        &[
            "to=<alice@käse.example>, relay=mx.theirs.test[127.0.0.4]:25",
            "status=sent (250 2.0.0 Ok: queued as ",
        ],
    );
    send_theirs(theirs, &["alice@bücher.example"], "mit anderem Umlaut");
    wait_for_letter(first, "\nTo: alice@bücher.example\nSubject: mit anderem Umlaut\n");
    wait_for_lines(
        "theirs",
        || theirs.log(),
        &[
            "to=<alice@bücher.example>, relay=first.ours.test[127.0.0.3]:25",
            "status=sent (250 2.0.0 Ok: queued as ",
        ],
    );
    // Nobody is there, and that is told in the same characters.
    send(first, &["jörg@käse.example"], "an niemanden");
    wait_for_letter(first, "\nContent-Type: message/global-delivery-status\n");
    wait_for_letter(first, "\nFinal-Recipient: utf-8; jörg@käse.example\n");
    send_theirs(theirs, &["jörg@bücher.example"], "an niemanden");
    wait_for_their_letter("\nFinal-Recipient: utf-8; jörg@bücher.example\n");
}

/// The second exchanger, the domain's own host, and nobody at all.
fn failover(first: &mut Sandbox, second: &Sandbox, theirs: &Postfix) {
    first.stop();
    send_theirs(theirs, &["alice@ours.test"], "next");
    wait_for_letter(second, "\nSubject: next\n");
    send_theirs(theirs, &["alice@only.ours.test"], "implicit");
    wait_for_letter(second, "\nSubject: implicit\n");
    for (log, sent) in [
        ("theirs", send_theirs(theirs, &["alice@null.test"], "null")),
        ("ours", send(second, &["alice@null.test"], "null")),
    ] {
        let () = sent;
        let read = || if log == "ours" { second.log() } else { theirs.log() };
        wait_for_lines(
            log,
            read,
            &[
                "to=<alice@null.test>",
                "dsn=5.1.0, status=bounced (Domain null.test does not accept mail (nullMX))",
            ],
        );
    }
}

/// What nobody can tell waits, its sender is warned, and it goes out later.
fn recovery(second: &Sandbox, theirs: &Postfix, dns: &DnsServer) {
    second.edit_main_cf("delay_warning_time", "1s");
    let reload = second.run("postfix", &["reload"], "");
    reload.success();
    send_theirs(theirs, &["alice@later.ours.test"], "patience");
    send(second, &["alice@later.theirs.test"], "patience");
    wait_for_their_letter("\nAction: delayed\n");
    wait_for_letter(second, "\nAction: delayed\n");
    wait_for_letter(second, "\nSubject: Delayed Mail (still being retried)\n");
    let recovered = ZONE.replace(
        "later.ours.test SERVFAIL",
        "later.ours.test MX 10 second.ours.test",
    );
    dns.set(&recovered.replace(
        "later.theirs.test SERVFAIL",
        "later.theirs.test MX 10 mx.theirs.test",
    ));
    wait_for_letter(second, "\nTo: alice@later.ours.test\nSubject: patience\n");
    wait_for_their_letter("\nTo: alice@later.theirs.test\nSubject: patience\n");
}
