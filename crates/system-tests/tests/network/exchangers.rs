//! Mail exchangers: preference, the second one, none, null, names that are not there, servers that fail and recover.

use system_tests::wait_for;

use super::{Network, has};

const ZONE: &str = "\
dest.test MX 20 c.dest.test
dest.test MX 10 b.dest.test
b.dest.test A 127.0.0.2
c.dest.test A 127.0.0.3
implicit.test CNAME c.dest.test
null.test MX 0 .
ill.test SERVFAIL
";

#[test]
fn the_best_exchanger_gets_the_mail_and_then_the_next() {
    let network = Network::start(ZONE);
    let domains = "dest.test, implicit.test, ill.test";
    let mut first = network.receiver("b.dest.test", "127.0.0.2", domains);
    let second = network.receiver("c.dest.test", "127.0.0.3", domains);
    let port = network.port;

    network.send("alice@dest.test", "best");
    network.wait_for(
        "alice@dest.test",
        &format!("relay=b.dest.test[127.0.0.2]:{port}, "),
    );
    wait_for("the mail at the best exchanger", || has(&first, "best"));

    first.stop();
    network.send("alice@dest.test", "next");
    network.wait_for(
        "alice@dest.test",
        &format!("relay=c.dest.test[127.0.0.3]:{port}, "),
    );
    wait_for("the mail at the next exchanger", || has(&second, "next"));
    let refused = format!(
        "smtp[{}]: connect to b.dest.test[127.0.0.2]:{port}: Connection refused",
        network.sender.pid()
    );
    network.sender.wait_for_log(&refused);

    network.send("alice@implicit.test", "implicit");
    network.wait_for("alice@implicit.test", "relay=implicit.test[127.0.0.3]");
    wait_for("the mail at the domain's own host", || has(&second, "implicit"));

    // What nobody can tell waits, says why, and goes out when somebody can.
    network.send("alice@ill.test", "patient");
    let why = "(Host or domain name not found. Name service error for name=ill.test type=MX: Host not found, try again)";
    network.wait_for("alice@ill.test", "relay=none, delay=");
    network.wait_for("alice@ill.test", &format!("dsn=4.4.3, status=deferred {why}"));
    wait_for("mailq to tell why", || {
        network
            .sender
            .run("mailq", &[], "")
            .success()
            .stdout
            .contains(why)
    });
    network
        .dns
        .set(&ZONE.replace("ill.test SERVFAIL", "ill.test MX 10 c.dest.test"));
    network.sender.run("postqueue", &["-f"], "").success();
    wait_for("the mail that waited", || has(&second, "patient"));
    wait_for("an empty queue", || {
        network.sender.run("mailq", &[], "").success().stdout == "Mail queue is empty\n"
    });
}

#[test]
fn mail_for_domains_that_take_none_comes_back() {
    let network = Network::start(ZONE);
    let not_found =
        "Host or domain name not found. Name service error for name=nowhere.test type=A: Host not found";
    for (domain, status, text) in [
        (
            "null.test",
            "5.1.0",
            "Domain null.test does not accept mail (nullMX)",
        ),
        ("nowhere.test", "5.4.4", not_found),
    ] {
        let recipient = format!("alice@{domain}");
        network.send(&recipient, domain);
        network.wait_for(&recipient, "relay=none, delay=");
        network.wait_for(&recipient, &format!("dsn={status}, status=bounced ({text})"));
        wait_for("the report to the sender", || {
            let reports = network.sender.maildir("bob", "Maildir");
            let texts = reports
                .iter()
                .map(|report| String::from_utf8_lossy(report).into_owned());
            texts.into_iter().any(|report| {
                report.contains(&format!("Final-Recipient: rfc822; {recipient}"))
                    && report.contains(&format!("Status: {status}"))
            })
        });
    }
}

#[test]
fn a_reload_asks_other_servers() {
    let mut network = Network::start("far.test SERVFAIL\n");
    let other = testkit::DnsServer::start("far.test MX 0 .\n");
    network.send("alice@far.test", "x");
    network.wait_for("alice@far.test", "status=deferred");
    let address = other.address().to_string();
    network.sender.edit_main_cf("yubin_dns_servers", &address);
    network.sender.reload();
    network.sender.run("postqueue", &["-f"], "").success();
    network.wait_for(
        "alice@far.test",
        "status=bounced (Domain far.test does not accept mail (nullMX))",
    );
}
