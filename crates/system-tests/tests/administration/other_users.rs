//! Users to whom the queue does not belong: they hand mail in through the running system, under their own uid.

use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;

use system_tests::{Sandbox, program, skip, wait_for};

/// A system whose settings everybody may read, as those of a host; nothing else is opened.
fn open_to_look_at() -> Sandbox {
    let sandbox = Sandbox::start();
    let open = |path: &Path, mode: u32| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).expect("root may");
    };
    let etc = sandbox.config_directory();
    open(sandbox.directory(), 0o711);
    open(&etc, 0o711);
    open(&sandbox.directory().join("spool"), 0o711);
    open(&etc.join("main.cf"), 0o644);
    open(&etc.join("master.cf"), 0o644);
    sandbox
}

/// A uid that has no name.
const STRANGER: u32 = 54_321;

#[test]
fn anybody_may_hand_mail_in_while_the_system_runs() {
    if !rustix::process::geteuid().is_root() {
        return skip("root, to become another user");
    }
    let mut sandbox = open_to_look_at();
    let sendmail = |sandbox: &Sandbox, input: &[u8]| {
        let mut command = sandbox.command("sendmail", &["-f", "stranger@example.org", "alice"]);
        command.uid(STRANGER).gid(STRANGER);
        program::run(&mut command, input)
    };
    sendmail(&sandbox, b"Subject: test\n\nA line of a stranger.\n").success();
    wait_for("the delivery", || sandbox.maildir("alice", "Maildir").len() == 1);
    let message = sandbox.maildir("alice", "Maildir").remove(0);
    let text = String::from_utf8_lossy(&message);
    assert!(text.contains(&format!("from userid {STRANGER})\n")), "{text}");
    sandbox.wait_for_log(&format!(": uid={STRANGER} from=<stranger@example.org>\n"));
    sandbox.edit_main_cf("message_size_limit", "20000");
    sandbox.reload();
    let refused = sendmail(&sandbox, &vec![b'x'; 30_000]);
    assert_eq!(refused.code, Some(75), "{refused}");
    assert!(refused.stderr.contains("message file too big"), "{refused}");
    sandbox.stop();
    let refused = sendmail(&sandbox, b"Subject: test\n\nA line of a stranger.\n");
    assert_eq!(refused.code, Some(75), "{refused}");
    assert!(refused.stderr.contains("the mail system is down"), "{refused}");
}

/// Who may look and flush is decided anew by a reload.
#[test]
fn a_reload_changes_who_may_look_at_the_queue() {
    if !rustix::process::geteuid().is_root() {
        return skip("root, to become another user");
    }
    let mut sandbox = open_to_look_at();
    let mailq = |sandbox: &Sandbox| {
        let mut command = sandbox.command("mailq", &[]);
        command.uid(STRANGER).gid(STRANGER);
        program::run(&mut command, b"")
    };
    mailq(&sandbox).success();
    sandbox.edit_main_cf("authorized_mailq_users", "nobody");
    sandbox.reload();
    let refused = mailq(&sandbox);
    assert_eq!(refused.code, Some(69), "{refused}");
    assert!(
        refused.stderr.contains("is not allowed to view the mail queue"),
        "{refused}"
    );
}
