//! Debian's filters at our SMTP service: OpenDKIM signs, Rspamd and SpamAssassin refuse what is made to be refused.

use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use system_tests::incumbent::free_port;
use system_tests::lines::LineClient;
use system_tests::{Sandbox, has_program, wait_for};

/// The text that every spam filter knows as spam (https://spamassassin.apache.org/gtube).
const GTUBE: &str = "XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X";
/// The SHA-256 of the body `Hello` and its line end, as DKIM writes it.
const HELLO_HASH: &str = "bh=Ba3gj8+xBPQLJTahTfzW6RbWQ/XPgESxkCi2B66PSQg=;";

/// A program that goes with the test.
struct Program(Child);

impl Program {
    fn start(command: &mut Command, directory: &Path) -> Program {
        let child = command
            .current_dir(directory)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        Program(child.expect("it is installed"))
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It may have children, which it ends itself on SIGTERM.
        let pid = rustix::process::Pid::from_child(&self.0);
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        self.0.wait().expect("it is our own child");
    }
}

fn wait_for_port(port: u16) {
    wait_for("the filter to listen", || {
        TcpStream::connect(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).is_ok()
    });
}

/// A mail system whose SMTP service asks the filter on this port.
fn with_filter(port: u16) -> Sandbox {
    let mut sandbox = Sandbox::start();
    sandbox.edit_main_cf("smtpd_milters", &format!("inet:127.0.0.1:{port}"));
    sandbox.reload();
    sandbox
}

/// Sends a message with this body to alice; the last reply.
fn send(sandbox: &Sandbox, body: &str) -> String {
    let mut client = LineClient::connect(sandbox.ports().smtp);
    client.line();
    client.smtp("EHLO client.example");
    client.smtp("MAIL FROM:<s@example.test>");
    client.smtp("RCPT TO:<alice>");
    client.smtp("DATA");
    client.say(
        "From: s@example.test\r\nTo: alice@example.test\r\nDate: Sun, 29 Nov 2026 09:00:00 +0000\r\n\
         Message-ID: <x.1@example.test>\r\nSubject: hi\r\n",
    );
    client.say(body);
    let said = client.smtp(".");
    client.smtp("QUIT");
    said
}

fn only_mail(sandbox: &Sandbox) -> String {
    wait_for("the mail", || sandbox.maildir("alice", "Maildir").len() == 1);
    String::from_utf8_lossy(&sandbox.maildir("alice", "Maildir")[0]).into_owned()
}

#[test]
fn opendkim_signs_the_body_that_is_delivered() {
    if !has_program("/usr/sbin/opendkim", "opendkim") || !has_program("/usr/bin/openssl", "openssl") {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let here = directory.path();
    let made = Command::new("/usr/bin/openssl")
        .args(["genrsa", "-out", "key.pem", "2048"])
        .current_dir(here)
        .stderr(Stdio::null())
        .status();
    assert!(made.unwrap().success());
    let port = free_port();
    std::fs::write(here.join("hosts"), "127.0.0.1\n").unwrap();
    let own = here.display();
    let conf = format!(
        "Domain example.test\nSelector sel\nKeyFile {own}/key.pem\nSocket inet:{port}@127.0.0.1\nMode s\n\
         Canonicalization simple/simple\nInternalHosts {own}/hosts\nRequireSafeKeys no\nSyslog no\nBackground no\n"
    );
    std::fs::write(here.join("conf"), conf).unwrap();
    let mut command = Command::new("/usr/sbin/opendkim");
    let _filter = Program::start(command.args(["-f", "-x", "conf"]), here);
    wait_for_port(port);
    let sandbox = with_filter(port);
    let said = send(&sandbox, "Hello");
    assert!(said.starts_with("250 2.0.0 Ok: queued as "), "{said}");
    let mail = only_mail(&sandbox);
    assert!(mail.contains("\nDKIM-Signature: v=1; a=rsa-sha256;"), "{mail}");
    assert!(mail.contains(HELLO_HASH), "{mail}");
}

#[test]
fn rspamd_refuses_what_is_made_to_be_refused() {
    if !has_program("/usr/bin/rspamd", "rspamd") {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let here = directory.path();
    let port = free_port();
    let own = here.display();
    let conf = format!(
        "options {{ pidfile = \"{own}/pid\"; tempdir = \"{own}\"; dns {{ nameserver = [\"127.0.0.1:9\"]; timeout = 1s; \
         retransmits = 1; }} }}\nlogging {{ type = \"file\"; filename = \"{own}/log\"; }}\n\
         worker \"rspamd_proxy\" {{ bind_socket = \"127.0.0.1:{port}\"; milter = yes; count = 1; \
         upstream \"local\" {{ default = yes; self_scan = yes; }} }}\nactions {{ reject = 15; add_header = 6; }}\n"
    );
    std::fs::write(here.join("conf"), conf).unwrap();
    let mut command = Command::new("/usr/bin/rspamd");
    let conf = format!("{own}/conf");
    command.args(["-f", "-i", "-c", &conf]);
    if rustix::process::geteuid().is_root() {
        command.args(["-u", "root", "-g", "root"]);
    }
    let _filter = Program::start(&mut command, here);
    wait_for_port(port);
    let sandbox = with_filter(port);
    let said = send(&sandbox, "Hello");
    assert!(said.starts_with("250 2.0.0 Ok: queued as "), "{said}");
    assert_eq!(send(&sandbox, GTUBE), "554 5.7.1 Gtube pattern");
    sandbox.wait_for_log(": milter-reject: END-OF-MESSAGE from localhost[127.0.0.1]: 5.7.1 Gtube pattern;");
}

#[test]
fn spamassassin_refuses_what_is_made_to_be_refused() {
    if !has_program("/usr/sbin/spamass-milter", "spamass-milter") || !has_program("/usr/sbin/spamd", "spamd")
    {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let here = directory.path();
    let (checker, port) = (free_port().to_string(), free_port());
    let mut command = Command::new("/usr/sbin/spamd");
    command.args([
        "-L",
        "-x",
        "-m",
        "1",
        "-p",
        &checker,
        "-i",
        "127.0.0.1",
        "-s",
        "null",
    ]);
    if rustix::process::geteuid().is_root() {
        command.args(["-u", "nobody"]);
    }
    let _checker = Program::start(&mut command, here);
    wait_for_port(checker.parse().unwrap());
    let socket = format!("inet:{port}@127.0.0.1");
    let mut command = Command::new("/usr/sbin/spamass-milter");
    command.args(["-p", &socket, "-r", "15", "--", "-d", "127.0.0.1", "-p", &checker]);
    let _filter = Program::start(&mut command, here);
    wait_for_port(port);
    let sandbox = with_filter(port);
    let said = send(&sandbox, "Hello");
    assert!(said.starts_with("250 2.0.0 Ok: queued as "), "{said}");
    let mail = only_mail(&sandbox);
    assert!(mail.contains("\nX-Spam-Status: No, "), "{mail}");
    assert_eq!(send(&sandbox, GTUBE), "550 5.7.1 Blocked by SpamAssassin");
}
