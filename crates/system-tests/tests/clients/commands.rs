//! Commands of the binary on the system that runs: postconf and doveconf read what it reads.

use system_tests::Sandbox;

#[test]
fn postconf_and_doveconf_show_the_embedded_configuration() {
    let sandbox = Sandbox::start();
    let directory = sandbox.directory().display().to_string();
    let said = sandbox
        .run("postconf", &["-h", "queue_directory", "home_mailbox"], "")
        .success();
    assert_eq!(said.stdout, format!("{directory}/spool\nMaildir/\n"));
    let said = sandbox.run("postconf", &["-n"], "").success();
    assert!(
        said.stdout.contains("\nmyhostname = localhost.localdomain\n"),
        "{said}"
    );
    assert!(!said.stdout.contains("message_size_limit"), "{said}");
    let said = sandbox
        .run("postconf", &["-d", "message_size_limit"], "")
        .success();
    assert_eq!(said.stdout, "message_size_limit = 10240000\n");
    let file = sandbox.config_directory().join("dovecot.conf");
    let file = file.to_string_lossy();
    let said = sandbox
        .run("doveconf", &["-c", &file, "-h", "mail_location"], "")
        .success();
    assert_eq!(said.stdout, "maildir:~/Maildir\n");
    let said = sandbox.run("doveconf", &["-c", &file, "-n"], "").success();
    assert!(said.stdout.contains("\nprotocols = imap pop3\n"), "{said}");
    assert_eq!(said.stderr, "");
}
