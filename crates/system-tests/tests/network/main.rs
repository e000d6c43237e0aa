//! A network of mail systems on addresses of loopback, with a DNS server of the test: which host gets the mail, and what
//! is said when none can.

#![allow(clippy::unwrap_used, reason = "a test fails by panic")]

mod clients;
mod exchangers;
mod reports;

use std::net::SocketAddr;

use system_tests::{Sandbox, wait_for};
use testkit::DnsServer;

/// One host that sends, and others on port `port` of their addresses; all ask the same DNS server.
struct Network {
    dns: DnsServer,
    sender: Sandbox,
    port: u16,
}

impl Network {
    /// A running sender, `sender.test`, which sends mail from bob.
    #[track_caller]
    fn start(zone: &str) -> Network {
        let dns = DnsServer::start(zone);
        let mut sender = Sandbox::start();
        sender.stop();
        let port = sender.ports().smtp;
        settle(&sender, "sender.test", dns.address(), port);
        sender.launch();
        Network { dns, sender, port }
    }

    /// A running receiver of mail for `domains` on an address.
    #[track_caller]
    fn receiver(&self, name: &str, address: &str, domains: &str) -> Sandbox {
        let mut receiver = Sandbox::start();
        receiver.stop();
        settle(&receiver, name, self.dns.address(), self.port);
        receiver.edit_main_cf("mydestination", &format!("$myhostname, localhost, {domains}"));
        let row = format!("{address}:{} inet n - n - - smtpd\n", self.port);
        receiver.append_to("master.cf", &row);
        receiver.launch();
        receiver
    }

    /// Queues a letter with this subject.
    #[track_caller]
    fn send(&self, recipient: &str, subject: &str) {
        let letter = format!("Subject: {subject}\n\nhello\n");
        self.sender
            .run("sendmail", &["-f", "bob", recipient], &letter)
            .success();
    }

    /// Waits until the sender's log says that of a recipient.
    #[track_caller]
    fn wait_for(&self, recipient: &str, said: &str) {
        let wanted = format!("to=<{recipient}>");
        wait_for(&format!("{said:?} of {recipient}"), || {
            let log = self.sender.log();
            log.lines()
                .any(|line| line.contains(&wanted) && line.contains(said))
        });
    }
}

fn settle(sandbox: &Sandbox, name: &str, dns: SocketAddr, port: u16) {
    sandbox.edit_main_cf("myhostname", name);
    sandbox.edit_main_cf("inet_protocols", "ipv4");
    sandbox.edit_main_cf("yubin_dns_servers", &dns.to_string());
    sandbox.edit_main_cf("smtp_tcp_port", &port.to_string());
}

/// Whether a message with this subject is in alice's mailbox.
fn has(sandbox: &Sandbox, subject: &str) -> bool {
    let wanted = format!("\nSubject: {subject}\n");
    let messages = sandbox.maildir("alice", "Maildir");
    messages
        .iter()
        .any(|message| String::from_utf8_lossy(message).contains(&wanted))
}
