//! What goes wrong around the real binary: it is killed, its disk fills up, its queue cannot be written, its configuration
//! is broken, it is started twice. Nothing that was answered with 250 is lost, and each case says clearly what it is.

#![allow(clippy::unwrap_used, reason = "a test fails by panic")]

mod killed;
mod killed_at_each_step;
mod refusals;
mod silent_table;
mod storage;

use system_tests::Sandbox;
use system_tests::lines::LineClient;

/// Puts a message with a body of `octets` to alice into the queue; the last reply of the server.
fn offer(sandbox: &Sandbox, subject: &str, octets: usize) -> String {
    let mut smtp = LineClient::connect(sandbox.ports().smtp);
    smtp.smtp("");
    smtp.smtp("HELO client.example.org");
    for command in [
        "MAIL FROM:<sender@example.org>",
        "RCPT TO:<alice@localhost>",
        "DATA",
    ] {
        let said = smtp.smtp(command);
        if !said.starts_with(['2', '3']) {
            return said;
        }
    }
    let line = "x".repeat(72);
    let lines = vec![line.as_str(); octets / 74 + 1].join("\r\n");
    smtp.smtp(&format!("Subject: {subject}\r\n\r\n{lines}\r\n."))
}

/// Whether the queue is empty.
fn queue_is_empty(sandbox: &Sandbox) -> bool {
    sandbox.run("mailq", &[], "").stdout == "Mail queue is empty\n"
}
