//! Address verification by a system of several processes: the front, which sees no user's files, has local recipients looked up and keeps
//! what is found in `data_directory`, where it may write.

use std::fs;
use std::os::unix::fs::MetadataExt;

use system_tests::lines::LineClient;
use system_tests::users::{self, Host, Kind, Scenario, Service};

const SCENARIO: &str = "\
scenario verification: local recipients are verified
set local_recipient_maps =
set smtpd_recipient_restrictions = reject_unverified_recipient
set unverified_recipient_reject_code = 550
set mynetworks = 127.0.0.9/32
";

#[test]
fn local_recipients_are_verified_by_a_front_without_rights() {
    if users::can_make_hosts() {
        users::run_in_host("verification::inside_the_host", "verification");
    }
}

/// The second test.
#[test]
#[ignore = "run by the other in a host of its own"]
fn inside_the_host() {
    if users::task().is_none() {
        return;
    }
    let host = Host::make();
    let scenario = Scenario::parse(SCENARIO).unwrap().remove(0);
    host.furnish(&scenario);
    let _service = Service::start(Kind::Yubin, &host, &scenario);
    let mut client = LineClient::connect(25);
    client.line();
    assert_eq!(client.smtp("HELO client.example"), "250 mail.sandbox.test");
    client.smtp("MAIL FROM:<sender@far.example>");
    assert_eq!(client.smtp("RCPT TO:<alice@sandbox.test>"), "250 2.1.5 Ok");
    assert_eq!(
        client.smtp("RCPT TO:<nobodyhere@sandbox.test>"),
        "550 5.1.1 <nobodyhere@sandbox.test>: Recipient address rejected: undeliverable address: unknown user: \"nobodyhere\""
    );
    let cache = fs::metadata("/var/lib/yubin/verify_cache.sqlite").unwrap();
    let directory = fs::metadata("/var/lib/yubin").unwrap();
    assert_ne!(cache.uid(), 0, "no role that is root has made it");
    assert_eq!(cache.uid(), directory.uid());
}
