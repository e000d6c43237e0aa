//! `sendmail -bv` and `-v`, forced expiry, and recipients that look like options, on the running system.

use system_tests::lines::LineClient;
use system_tests::{Sandbox, wait_for, wait_for_value};

/// The reports of a kind in an account's inbox.
fn reports(sandbox: &Sandbox, user: &str, subject: &str) -> Vec<String> {
    let texts = sandbox.maildir(user, "Maildir").into_iter();
    texts
        .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        .filter(|text| text.contains(&format!("\nSubject: {subject}\n")))
        .collect()
}

fn report(sandbox: &Sandbox, user: &str, subject: &str) -> String {
    wait_for_value("the report", || reports(sandbox, user, subject).pop())
}

const STATUS: &str = "Mail Delivery Status Report";

#[test]
fn the_first_attempt_is_reported_or_only_pretended() {
    let mut sandbox = super::stopped_system();
    sandbox.add_account("ann", "secret");
    sandbox.add_account("bob", "secret");
    sandbox.launch();
    let args = ["-f", "ann", "-bv", "bob", "nosuch", "eve@far.example"];
    let said = sandbox.run("sendmail", &args, "").success();
    assert_eq!(
        said.stdout,
        "Mail Delivery Status Report will be mailed to <ann>.\n"
    );
    let text = report(&sandbox, "ann", STATUS);
    for part in [
        "\nAction: deliverable\nStatus: 2.0.0\nDiagnostic-Code: X-Postfix; delivery via local: delivers to maildir\n",
        "\nAction: undeliverable\nStatus: 5.1.1\n",
        "\nAction: undeliverable\nStatus: 4.4.1\n",
        "\nSubject: probe\n",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    sandbox.wait_for_log("status=deliverable (delivers to maildir)");
    sandbox.wait_for_log("status=undeliverable (unknown user: ");
    assert!(sandbox.maildir("bob", "Maildir").is_empty());
    wait_for("the end", || {
        sandbox.run("mailq", &[], "").success().stdout == "Mail queue is empty\n"
    });

    let letter = "Subject: x\n\nhello\n";
    sandbox
        .run("sendmail", &["-f", "bob", "-v", "ann"], letter)
        .success();
    let text = report(&sandbox, "bob", STATUS);
    assert!(text.contains("\nAction: delivered\nStatus: 2.0.0\n"), "{text}");
}

#[test]
fn forced_expiry_returns_a_message_with_its_reason() {
    let mut sandbox = super::stopped_system();
    sandbox.add_account("ann", "secret");
    sandbox.launch();
    let letter = "Subject: x\n\nhello\n";
    sandbox
        .run("sendmail", &["-f", "ann", "eve@far.example"], letter)
        .success();
    let id = wait_for_value("the delivery to be put off", || {
        let listed = sandbox.run("mailq", &[], "").success().stdout;
        let is_put_off = listed.contains("Connection refused");
        let line = listed.lines().nth(1)?.to_owned();
        is_put_off.then(|| line.split(' ').next().map(str::to_owned))?
    });
    sandbox.run("postsuper", &["-h", &id], "").success();
    let said = sandbox.run("postsuper", &["-e", &id], "").success().stderr;
    assert_eq!(
        said,
        format!("postsuper: {id}: expired\npostsuper: Force-expired: 1 message\n")
    );
    // It survives a restart.
    sandbox.restart();
    let listed = sandbox.run("mailq", &[], "").success().stdout;
    assert!(listed.contains(&format!("\n{id}!# ")), "{listed}");
    let json = sandbox.run("postqueue", &["-j"], "").success().stdout;
    assert!(json.contains("\"forced_expire\": true"), "{json}");
    let said = sandbox
        .run("postsuper", &["-f", "-"], &format!("{id}\n"))
        .success()
        .stderr;
    let wanted = format!(
        "postsuper: {id}: released from hold\npostsuper: Force-expired: 0 messages\npostsuper: Released from hold: 1 message\n"
    );
    assert_eq!(said, wanted);
    let text = report(&sandbox, "ann", "Undelivered Mail Returned to Sender");
    assert!(text.contains("Connection refused"), "{text}");
    sandbox.wait_for_log(&format!("{id}: from=<ann@"));
    sandbox.wait_for_log(", status=force-expired, returned to sender\n");
}

#[test]
fn recipients_that_look_like_options_are_refused() {
    let mut sandbox = super::stopped_system();
    sandbox.add_account("ann", "secret");
    sandbox.launch();
    let letter = "Subject: x\n\nhello\n";
    // Behind the first recipient there are no options.
    sandbox
        .run("sendmail", &["-f", "ann", "ann", "-v"], letter)
        .success();
    let text = report(&sandbox, "ann", "Undelivered Mail Returned to Sender");
    assert!(text.contains("bad address syntax"), "{text}");
    let mut smtp = LineClient::connect(sandbox.ports().smtp);
    smtp.line();
    smtp.smtp("EHLO client.example");
    let sender = smtp.smtp("MAIL FROM:<-x@far.example>");
    assert_eq!(sender.trim_end(), "501 5.1.7 Bad sender address syntax");
    smtp.smtp("MAIL FROM:<x@far.example>");
    for recipient in ["-ann", "\"-ann\"@localhost"] {
        let answer = smtp.smtp(&format!("RCPT TO:<{recipient}>"));
        assert_eq!(
            answer.trim_end(),
            "501 5.1.3 Bad recipient address syntax",
            "{recipient}"
        );
    }
}
