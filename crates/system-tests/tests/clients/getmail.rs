//! getmail6: fetches by POP3, in the clear and with TLS; what it has it does not fetch again.

use std::fs;
use std::path::Path;
use std::process::Command;

use system_tests::{Finished, Sandbox, has_program, program};

use crate::deliver;

fn getmail(sandbox: &Sandbox, retriever: &str, options: &str) -> Finished {
    let own = sandbox.scratch().join("getmail");
    fs::create_dir_all(&own).unwrap();
    let rc = format!(
        "[retriever]\n{retriever}server = localhost\nusername = alice\npassword = {}\n[destination]\ntype = MDA_external\n\
         path = /bin/sh\narguments = (\"-c\", \"cat >>{}/got\")\nallow_root_commands = true\n[options]\nverbose = 1\n{options}",
        sandbox.password("alice"),
        own.display()
    );
    fs::write(own.join("getmailrc"), rc).unwrap();
    let mut command = Command::new("/usr/bin/getmail");
    command.arg("--getmaildir").arg(&own).env("HOME", &own);
    program::run(&mut command, b"").success()
}

/// How many messages were got, each of which has a last line.
fn count(got: &Path) -> usize {
    fs::read_to_string(got)
        .unwrap()
        .matches("The last line of")
        .count()
}

#[test]
fn getmail_fetches() {
    if !has_program("/usr/bin/getmail", "getmail6") {
        return;
    }
    let sandbox = Sandbox::start();
    let ports = sandbox.ports();
    deliver(&sandbox, "alice", "one");
    deliver(&sandbox, "alice", "two");
    let got = sandbox.scratch().join("getmail/got");
    let plain = format!("type = SimplePOP3Retriever\nport = {}\n", ports.pop3);
    getmail(&sandbox, &plain, "read_all = false\n");
    assert_eq!(count(&got), 2);
    getmail(&sandbox, &plain, "read_all = false\n");
    assert_eq!(count(&got), 2, "by UIDL nothing is fetched twice");
    deliver(&sandbox, "alice", "three");
    let ca = sandbox.ca_file();
    let tls = format!(
        "type = SimplePOP3SSLRetriever\nport = {}\nca_certs = {}\n",
        ports.pop3s,
        ca.display()
    );
    getmail(&sandbox, &tls, "read_all = true\ndelete = true\n");
    assert_eq!(count(&got), 5);
    assert_eq!(sandbox.maildir("alice", "Maildir").len(), 0);
}
