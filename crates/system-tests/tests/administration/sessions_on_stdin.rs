//! One mailbox session on standard input: for a client that inetd accepted, and for the user who calls the command.

use std::net::{Ipv4Addr, TcpListener};
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use system_tests::lines::LineClient;
use system_tests::{Sandbox, program};

/// The command, as the user to whom the sandbox belongs: nobody is root there.
fn session(sandbox: &Sandbox, name: &str, words: &[&str]) -> Command {
    let file = sandbox.config_directory().join("dovecot.conf");
    let mut command = sandbox.command(name, &["-c", &file.to_string_lossy()]);
    command.args(words);
    if rustix::process::geteuid().is_root() {
        let owner = sandbox.directory().metadata().expect("it is there");
        command.uid(owner.uid()).gid(owner.gid());
    }
    command
}

#[test]
fn a_client_that_inetd_accepted_logs_in_and_reads() {
    let sandbox = super::stopped_system();
    sandbox.put_message("alice", "1.a", b"Subject: one\n\ntext\n");
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let port = listener.local_addr().expect("its address").port();
    let mut client = LineClient::connect(port);
    let (socket, _) = listener.accept().expect("accepted");
    let give = || Stdio::from(OwnedFd::from(socket.try_clone().expect("copied")));
    let mut command = session(&sandbox, "imap", &[]);
    let mut child = command
        .stdin(give())
        .stdout(give())
        .stderr(give())
        .spawn()
        .expect("started");
    drop(socket);
    assert!(client.line().starts_with("* OK [CAPABILITY "));
    let login = format!("LOGIN alice {}", sandbox.password("alice"));
    assert!(
        client
            .imap("a", "LOGIN alice wrong")
            .last()
            .is_some_and(|line| line.starts_with("a NO "))
    );
    assert!(
        client
            .imap("b", &login)
            .last()
            .is_some_and(|line| line.starts_with("b OK "))
    );
    let selected = client.imap("c", "SELECT INBOX");
    assert!(selected.iter().any(|line| line == "* 1 EXISTS"), "{selected:?}");
    client.imap("d", "LOGOUT");
    assert_eq!(client.try_line().expect("closed"), None);
    assert!(child.wait().expect("our own child").success());
    assert!(
        sandbox
            .mailbox_log()
            .contains("imap-login: Info: Login: user=<alice>")
    );
}

#[test]
fn a_client_that_inetd_accepted_may_go_without_a_login() {
    let sandbox = super::stopped_system();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let mut client = LineClient::connect(listener.local_addr().expect("its address").port());
    let (socket, _) = listener.accept().expect("accepted");
    let mut command = session(&sandbox, "pop3", &[]);
    let mut child = command
        .stdin(OwnedFd::from(socket))
        .stdout(Stdio::null())
        .spawn()
        .expect("started");
    assert!(client.line().starts_with("+OK "));
    client.say("QUIT");
    assert!(client.line().starts_with("+OK"));
    assert!(child.wait().expect("our own child").success());
}

#[test]
fn whoever_calls_the_command_is_logged_in() {
    let mut sandbox = super::stopped_system();
    let owner = sandbox.directory().metadata().expect("it is there").uid();
    let names = std::fs::read_to_string("/etc/passwd").expect("readable");
    let name = names.lines().find_map(|line| {
        let fields: Vec<&str> = line.split(':').collect();
        (fields.get(2).and_then(|uid| uid.parse().ok()) == Some(owner)).then(|| fields[0].to_owned())
    });
    let Some(name) = name else {
        return system_tests::skip("a user with a name");
    };
    sandbox.add_account(&name, "x");
    sandbox.put_message(&name, "1.a", b"Subject: one\n\ntext\n");
    let said = program::run(
        &mut session(&sandbox, "imap", &[]),
        b"a SELECT INBOX\r\nb LOGOUT\r\n",
    )
    .success();
    assert!(
        said.stdout.starts_with("* PREAUTH [CAPABILITY IMAP4rev1 "),
        "{said}"
    );
    assert!(
        said.stdout.contains(&format!("] Logged in as {name}\r\n")),
        "{said}"
    );
    assert!(
        said.stdout.contains("* 1 EXISTS\r\n") && said.stdout.ends_with("b OK Logout completed.\r\n"),
        "{said}"
    );
    let said = program::run(&mut session(&sandbox, "pop3", &[]), b"STAT\r\nQUIT\r\n").success();
    assert!(said.stdout.starts_with("+OK Logged in.\r\n+OK 1 "), "{said}");
}
