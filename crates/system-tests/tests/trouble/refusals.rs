//! A start that cannot be: a second daemon on one spool, a configuration with mistakes.

use std::fs;

use system_tests::{Sandbox, wait_for};

#[test]
fn two_daemons_do_not_share_a_spool() {
    let sandbox = Sandbox::start();
    let again = sandbox.launch_in_vain();
    let in_use = format!(
        "queue directory {} is in use by process {}\n",
        sandbox.directory().join("spool").display(),
        sandbox.pid()
    );
    assert!(again.stderr.ends_with(&in_use), "{again}");
    // Not from a configuration of its own either.
    let mut other = Sandbox::start();
    other.stop();
    other.edit_main_cf(
        "queue_directory",
        &sandbox.directory().join("spool").to_string_lossy(),
    );
    let refused = other.launch_in_vain();
    assert!(refused.stderr.ends_with(&in_use), "{refused}");
    assert!(super::offer(&sandbox, "still there", 100).starts_with("250 "));
    wait_for("the delivery", || sandbox.maildir("alice", "Maildir").len() == 1);
}

#[test]
fn all_mistakes_of_all_files_are_told_in_one_run() {
    let mut sandbox = Sandbox::start();
    sandbox.stop();
    sandbox.append_to(
        "main.cf",
        "mynetworks = 10.0.0.0/33\nmesage_size_limit = 1\nmyorigin = $myorigin\n",
    );
    sandbox.append_to("master.cf", "smtp inet n - n - -\n2526 inet n - n - x smtpd\n");
    sandbox.append_to(
        "dovecot.conf",
        "ssl = perhaps\nmail_locaton = maildir:~/Maildir\n",
    );
    let refused = sandbox.launch_in_vain();
    let line_of = |file: &str, start: &str| {
        let text = fs::read_to_string(sandbox.config_directory().join(file)).expect("it is there");
        let place = text.lines().position(|line| line.starts_with(start));
        format!("{file}:{}: ", place.expect("the line was added") + 1)
    };
    for (file, start, said) in [
        (
            "main.cf",
            "mynetworks = 10.",
            "mynetworks: \"10.0.0.0/33\" is not a network",
        ),
        (
            "main.cf",
            "mesage_",
            "mesage_size_limit: there is no such parameter. Did you mean message_size_limit?",
        ),
        ("main.cf", "myorigin = $", "myorigin"),
        ("master.cf", "smtp inet n - n - -", ""),
        ("master.cf", "2526 ", ""),
        ("dovecot.conf", "ssl = perhaps", "ssl"),
        ("dovecot.conf", "mail_locaton", "mail_locaton"),
    ] {
        let wanted = format!("{}{said}", line_of(file, start));
        assert!(
            refused.stderr.contains(&wanted),
            "{wanted} is not among\n{refused}"
        );
    }
    // Mistakes elsewhere do not keep anybody from looking at the queue.
    let said = sandbox.run("mailq", &[], "").success();
    assert_eq!(said.stdout, "Mail queue is empty\n");
}
