//! Users who hand mail in while the system is down, and what hostile ones leave in the maildrop. Needs root: other users, a
//! set-group-ID file, and a mount namespace in which `/etc/yubin` is the test's.

use std::fs::{self, Permissions};
use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use system_tests::{Finished, Sandbox, program, skip, wait_for};

/// Uids that have no name.
const STRANGER: u32 = 54_321;
const OTHER: u32 = 54_322;
/// A group that every system has, to which the maildrop is open.
const GROUP: &str = "daemon";

/// In a mount namespace: the test's `/etc`, then the user, then the program.
const AS_USER: &str = "mount --bind \"$1\" /etc && mount --bind \"$2\" /etc/yubin || exit 99
    user=$3; shift 3; exec setpriv --reuid \"$user\" --regid \"$user\" --clear-groups \"$@\"";

/// A host whose system was started once, and is down.
struct Host {
    sandbox: Sandbox,
}

impl Host {
    /// `None`, with a note, where this cannot be tested.
    fn prepare() -> Option<Host> {
        let can_mount = || {
            let tried = Command::new("unshare")
                .args(["-m", "true"])
                .stderr(Stdio::null())
                .status();
            tried.is_ok_and(|status| status.success())
        };
        if !rustix::process::geteuid().is_root() || !can_mount() {
            skip("root, and mount namespaces");
            return None;
        }
        let mut sandbox = Sandbox::start();
        sandbox.stop();
        let flags = rustix::fs::statvfs(sandbox.scratch()).unwrap().f_flag;
        if flags.contains(rustix::fs::StatVfsMountFlags::NOSUID) {
            skip("a directory for temporary files on a file system with set-group-ID files");
            return None;
        }
        let mut host = Host { sandbox };
        let etc = host.sandbox.config_directory();
        for directory in [host.sandbox.directory(), &etc, &host.queue()] {
            fs::set_permissions(directory, Permissions::from_mode(0o711)).unwrap();
        }
        for file in ["main.cf", "master.cf"] {
            fs::set_permissions(etc.join(file), Permissions::from_mode(0o644)).unwrap();
        }
        host.install();
        // The maildrop gets its group at a start.
        host.launch();
        host.sandbox.stop();
        Some(host)
    }

    /// The program and the files of `/etc`.
    fn install(&self) {
        let bin = self.scratch("sbin");
        fs::create_dir(&bin).unwrap();
        let built = PathBuf::from(self.sandbox.command("sendmail", &[]).get_program());
        let built = built.with_file_name("postdrop");
        assert!(
            built.exists(),
            "postdrop is not built: run `cargo build -p postdrop`"
        );
        let postdrop = bin.join("postdrop");
        fs::copy(built, &postdrop).unwrap();
        let groups = fs::read_to_string("/etc/group").unwrap();
        let line = groups.lines().find(|line| line.starts_with(&format!("{GROUP}:")));
        let gid = line.unwrap().split(':').nth(2).unwrap().parse().unwrap();
        chown(&postdrop, Some(0), Some(gid)).unwrap();
        fs::set_permissions(&postdrop, Permissions::from_mode(0o2755)).unwrap();
        self.sandbox
            .edit_main_cf("command_directory", &bin.display().to_string());
        self.sandbox.edit_main_cf("setgid_group", GROUP);
        let owner = self.queue().metadata().unwrap().uid();
        let users = fs::read_to_string("/etc/passwd").unwrap();
        let line = users
            .lines()
            .find(|line| line.split(':').nth(2) == Some(&owner.to_string()));
        let (name, _) = line.unwrap().split_once(':').unwrap();
        self.sandbox.edit_main_cf("mail_owner", name);
        let etc = self.scratch("etc");
        fs::create_dir_all(etc.join("yubin")).unwrap();
        for file in ["passwd", "group", "nsswitch.conf", "ld.so.cache"] {
            // Some systems do without one of them.
            let _ = fs::copy(Path::new("/etc").join(file), etc.join(file));
        }
    }

    /// As a host's system, which gives up root for the owner of the queue.
    fn launch(&mut self) {
        let log = self.sandbox.directory().join("log/mail.log");
        let started = move || {
            let log = fs::read_to_string(&log).unwrap_or_default();
            log.matches("daemon started").count()
        };
        let (before, etc) = (started(), self.sandbox.config_directory());
        let words = ["serve", "--single", "-c", &etc.display().to_string()];
        self.sandbox.launch_with(&words, |_| started() > before);
    }

    fn scratch(&self, name: &str) -> PathBuf {
        self.sandbox.scratch().join(name)
    }

    fn queue(&self) -> PathBuf {
        self.sandbox.directory().join("spool")
    }

    fn maildrop(&self) -> PathBuf {
        self.queue().join("maildrop")
    }

    /// What lies in the maildrop.
    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.maildrop()).unwrap();
        entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect()
    }

    /// A program as a user, who sees the test's `/etc`.
    fn as_user(&self, uid: u32, words: &[&str]) -> Command {
        let mut command = Command::new("unshare");
        command
            .args(["-m", "--propagation", "private", "sh", "-c", AS_USER, "sh"])
            .arg(self.scratch("etc"))
            .arg(self.sandbox.config_directory())
            .arg(uid.to_string())
            .args(words)
            .current_dir("/")
            .env_remove("MAIL_CONFIG");
        command
    }

    fn yubin(&self) -> String {
        let command = self.sandbox.command("sendmail", &[]);
        command.get_program().to_string_lossy().into_owned()
    }

    fn sendmail(&self, uid: u32, arguments: &[&str], input: &[u8]) -> Finished {
        let yubin = self.yubin();
        let words: Vec<&str> = [yubin.as_str(), "sendmail"]
            .into_iter()
            .chain(arguments.iter().copied())
            .collect();
        program::run(&mut self.as_user(uid, &words), input)
    }

    fn postdrop(&self, uid: u32, arguments: &[&str]) -> Command {
        let postdrop = self.scratch("sbin/postdrop").display().to_string();
        let words: Vec<&str> = [postdrop.as_str()]
            .into_iter()
            .chain(arguments.iter().copied())
            .collect();
        self.as_user(uid, &words)
    }

    /// What sendmail would write to postdrop, for alice, with a claim about the uid.
    fn input(&self, content: &str) -> String {
        let left = self.sendmail(STRANGER, &["alice"], content.as_bytes());
        left.success();
        let names = self.names();
        let [name] = names.as_slice() else {
            panic!("one file was expected: {names:?}");
        };
        let path = self.maildrop().join(name);
        let text = fs::read_to_string(&path).unwrap();
        fs::remove_file(path).unwrap();
        text.replace(&format!("uid: {STRANGER}\n"), "uid: 0\n")
    }

    fn mail_of_alice(&self) -> Vec<String> {
        let messages = self.sandbox.maildir("alice", "Maildir");
        messages
            .iter()
            .map(|message| String::from_utf8_lossy(message).into_owned())
            .collect()
    }
}

const MESSAGE: &[u8] = b"Subject: test\n\nA line of a stranger.\n";

#[test]
fn mail_left_while_the_system_is_down_is_delivered_when_it_starts() {
    let Some(mut host) = Host::prepare() else { return };
    let found = host.maildrop().metadata().unwrap();
    assert_eq!(found.mode() & 0o7777, 0o1730);
    host.sendmail(STRANGER, &["-f", "stranger@example.org", "alice"], MESSAGE)
        .success();
    let names = host.names();
    assert_eq!(names.len(), 1, "{names:?}");
    let left = host.maildrop().join(&names[0]).metadata().unwrap();
    assert_eq!((left.uid(), left.mode() & 0o7777), (STRANGER, 0o744));
    // Without anything to speak into, from a shell that closed what it could, with a signal mask of its own.
    let yubin = host.yubin();
    let words = [
        "sh",
        "-c",
        "exec \"$@\" >&- 2>&- 5<&0",
        "sh",
        &yubin,
        "sendmail",
        "alice",
    ];
    program::run(&mut host.as_user(OTHER, &words), MESSAGE).success();
    host.launch();
    wait_for("both deliveries", || host.mail_of_alice().len() == 2);
    host.sandbox
        .wait_for_log(&format!(": uid={STRANGER} from=<stranger@example.org>\n"));
    host.sandbox
        .wait_for_log(&format!(": uid={OTHER} from=<{OTHER}@"));
    assert_eq!(host.names(), [""; 0]);
}

#[test]
fn postdrop_believes_nobody() {
    let Some(mut host) = Host::prepare() else { return };
    let input = host.input("Subject: test\n\nNot by root.\n");
    assert!(input.contains("\nuid: 0\n"), "{input}");
    program::run(&mut host.postdrop(STRANGER, &["-r"]), input.as_bytes()).success();
    let evil = host.scratch("evil");
    fs::create_dir(&evil).unwrap();
    fs::write(
        evil.join("main.cf"),
        "queue_directory = /tmp\nauthorized_submit_users = static:anyone\n",
    )
    .unwrap();
    let evil = evil.display().to_string();
    for (arguments, variable) in [(vec!["-r", "-c", &evil], None), (vec!["-r"], Some(&evil))] {
        let mut command = host.postdrop(STRANGER, &arguments);
        command.envs(variable.map(|value| ("MAIL_CONFIG", value)));
        let refused = program::run(&mut command, input.as_bytes());
        assert_eq!(refused.code, Some(1), "{refused}");
        let told = format!("postdrop: fatal: unauthorized configuration directory name: {evil}");
        assert!(refused.stderr.starts_with(&told), "{refused}");
    }
    for (wrong, why) in [
        (input.replace("\nend\n", "\nen"), "unexpected end of input"),
        (format!("{input}more"), "malformed input"),
        (input.replace("yubin-maildrop", "postfix"), "malformed input"),
        (String::new(), "malformed input"),
    ] {
        let refused = program::run(&mut host.postdrop(STRANGER, &["-r"]), wrong.as_bytes());
        assert_eq!(refused.code, Some(1), "{refused}");
        assert_eq!(
            refused.stderr,
            format!("postdrop: fatal: uid={STRANGER}: {why}\n")
        );
    }
    let refused = host.sendmail(STRANGER, &["-f", "a\nb@c", "alice"], MESSAGE);
    assert_eq!(refused.code, Some(75), "{refused}");
    assert!(refused.stderr.contains("-f with a line break"), "{refused}");
    assert_eq!(host.names().len(), 1, "{:?}", host.names());
    host.launch();
    host.sandbox.wait_for_log(&format!(": uid={STRANGER} from=<"));
    wait_for("the delivery", || host.mail_of_alice().len() == 1);
    assert!(!host.sandbox.log().contains(": uid=0 "));
}

#[test]
fn who_may_submit_is_asked_of_sendmail_postdrop_and_the_running_system() {
    let Some(mut host) = Host::prepare() else { return };
    let input = host.input("Subject: test\n\nx\n");
    host.sandbox
        .edit_main_cf("authorized_submit_users", "!unknown, root");
    let told = format!("User unknown({STRANGER}) is not allowed to submit mail\n");
    let refused = host.sendmail(STRANGER, &["alice"], MESSAGE);
    assert_eq!(refused.code, Some(75), "{refused}");
    assert_eq!(refused.stderr, format!("sendmail: fatal: {told}"));
    let refused = program::run(&mut host.postdrop(STRANGER, &["-r"]), input.as_bytes());
    assert_eq!(
        (refused.code, refused.stderr),
        (Some(1), format!("postdrop: fatal: {told}"))
    );
    program::run(&mut host.postdrop(0, &["-r"]), input.as_bytes()).success();
    // A main.cf of the user's own, which names the queue of the running system.
    let own = host.scratch("own");
    fs::create_dir(&own).unwrap();
    fs::set_permissions(&own, Permissions::from_mode(0o755)).unwrap();
    fs::write(
        own.join("main.cf"),
        format!("queue_directory = {}\n", host.queue().display()),
    )
    .unwrap();
    host.launch();
    let mut command = Command::new(host.yubin());
    command
        .args(["sendmail", "alice"])
        .env("MAIL_CONFIG", &own)
        .uid(STRANGER)
        .gid(STRANGER)
        .current_dir("/");
    let refused = program::run(&mut command, MESSAGE);
    assert_eq!(refused.code, Some(75), "{refused}");
    assert!(refused.stderr.ends_with(&told), "{refused}");
    wait_for("root's mail", || host.mail_of_alice().len() == 1);
}

#[test]
fn what_can_be_no_mail_is_told_and_holds_nothing_up() {
    let Some(mut host) = Host::prepare() else { return };
    let good = host.input("Subject: test\n\nGood mail.\n");
    let big = host.input(&format!("Subject: test\n\n{}", "A line.\n".repeat(1000)));
    let maildrop = host.maildrop();
    let leave = |name: &str, content: &str, uid: u32, mode: u32| {
        let path = maildrop.join(name);
        fs::write(&path, content).unwrap();
        chown(&path, Some(uid), Some(uid)).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
    };
    rustix::fs::mkfifoat(
        rustix::fs::CWD,
        maildrop.join("AAAAAA1"),
        rustix::fs::Mode::from_raw_mode(0o744),
    )
    .unwrap();
    fs::create_dir(maildrop.join("AAAAAA2")).unwrap();
    symlink("/etc/shadow", maildrop.join("AAAAAA3")).unwrap();
    leave("AAAAAA4", &good, STRANGER, 0o744);
    fs::hard_link(maildrop.join("AAAAAA4"), maildrop.join("AAAAAA5")).unwrap();
    leave("AAAAAA6", "garbage\n", STRANGER, 0o744);
    leave("AAAAAA7", "", STRANGER, 0o744);
    leave("AAAAAA8", &good, STRANGER, 0o600);
    leave("AAAAAA9", &good, STRANGER, 0o700);
    leave("AAAAAB1", &good[..good.len() - 7], STRANGER, 0o744);
    let huge = good.replace("envelope: ", &format!("envelope: {}", "00".repeat(9 << 20)));
    leave("AAAAAB2", &huge, STRANGER, 0o744);
    let grown = format!("{good}more");
    leave("AAAAAB3", &grown, STRANGER, 0o744);
    leave("AAAAAB4", &big, STRANGER, 0o744);
    host.sandbox.edit_main_cf("message_size_limit", "5000");
    leave("odd\nname", &good, STRANGER, 0o744);
    leave("ZZZZZZ9", &good, STRANGER, 0o744);
    host.launch();
    wait_for("the good mail", || host.mail_of_alice().len() == 1);
    for told in [
        "maildrop/AAAAAA1: uid 0: not a regular file",
        "maildrop/AAAAAA2: uid 0: not a regular file",
        "maildrop/AAAAAA3: uid 0: not a regular file",
        "maildrop/AAAAAA4: uid 54321: file has 2 links",
        "maildrop/AAAAAA5: uid 54321: file has 2 links",
        "maildrop/AAAAAA6: uid=54321: unexpected or malformed record: moved to corrupt/AAAAAA6",
        "maildrop/AAAAAA7: uid=54321: unexpected or malformed record: moved to corrupt/AAAAAA7",
        "spool/maildrop/AAAAAA8: Permission denied",
        "spool/maildrop/AAAAAA9: Permission denied",
        "maildrop/AAAAAB1: uid=54321: unexpected or malformed record: moved to corrupt/AAAAAB1",
        "maildrop/AAAAAB2: uid=54321: unexpected or malformed record: moved to corrupt/AAAAAB2",
        "maildrop/AAAAAB3: uid=54321: unexpected or malformed record: moved to corrupt/AAAAAB3",
        "maildrop/AAAAAB4: uid=54321: message file too big: moved to corrupt/AAAAAB4",
        "bogus file name: maildrop/odd\\nname",
    ] {
        host.sandbox.wait_for_log(told);
    }
    // Another look says nothing twice.
    host.sendmail(STRANGER, &["alice"], MESSAGE).success();
    host.sandbox
        .run("sendmail", &["alice"], "Subject: x\n\nx\n")
        .success();
    wait_for("two more", || host.mail_of_alice().len() == 3);
    assert_eq!(host.sandbox.log().matches("maildrop/AAAAAA1").count(), 1);
    let mut names = host.names();
    names.sort();
    assert_eq!(
        names,
        [
            "AAAAAA1",
            "AAAAAA2",
            "AAAAAA3",
            "AAAAAA4",
            "AAAAAA5",
            "AAAAAA8",
            "AAAAAA9",
            "odd\nname"
        ]
    );
}

/// More than one run takes; in front of it a user's files that are none.
#[test]
fn a_flood_is_taken_in_by_and_by() {
    let Some(mut host) = Host::prepare() else { return };
    let good = host.input("Subject: test\n\nOne of many.\n");
    let many = 1050;
    for at in 0..many {
        let path = host.maildrop().join(format!("F{at:06}"));
        fs::write(&path, &good).unwrap();
        chown(&path, Some(STRANGER), None).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o744)).unwrap();
        symlink("/etc/passwd", host.maildrop().join(format!("A{at:06}"))).unwrap();
    }
    host.launch();
    wait_for("the flood in the queue", || {
        !host.names().iter().any(|name| name.starts_with('F'))
    });
    let log = || host.sandbox.log();
    wait_for("the deliveries", || log().matches("status=sent").count() == many);
    assert_eq!(log().matches(&format!(": uid={STRANGER} from=<")).count(), many);
}

/// Starts postdrop and gives it a part of its input, which it may or may not have read when this returns.
fn begin(host: &Host, input: &[u8]) -> Child {
    let mut child = host
        .postdrop(STRANGER, &["-r"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    child.stdin.as_mut().unwrap().write_all(input).unwrap();
    child
}

#[test]
fn whatever_ends_postdrop_leaves_nothing_half() {
    let Some(mut host) = Host::prepare() else { return };
    let content = format!("Subject: test\n\n{}The end.\n", "A line.\n".repeat(2000));
    let input = host.input(&content);
    // A signal that it can hear of: not even a leaving stays.
    let mut child = begin(&host, &input.as_bytes()[..12_000]);
    wait_for("the unfinished file", || {
        host.names().iter().any(|name| name.starts_with('.'))
    });
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    assert!(!child.wait().unwrap().success());
    assert_eq!(host.names(), [""; 0]);
    // One that it cannot: at each place something else is under way.
    let mut acknowledged = 0;
    for at in 1..=24 {
        let part = &input.as_bytes()[..input.len() * at / 24];
        let mut child = begin(&host, part);
        if at % 3 == 0 {
            wait_for("the unfinished file or the end", || {
                !host.names().is_empty() || child.try_wait().unwrap().is_some()
            });
        }
        if at == 24 {
            drop(child.stdin.take());
        }
        // Fails when it has ended by itself.
        let _ = child.kill();
        let status = child.wait().unwrap();
        acknowledged += usize::from(status.success());
        for name in host.names().iter().filter(|name| name.starts_with('.')) {
            fs::remove_file(host.maildrop().join(name)).unwrap();
        }
    }
    let whole = host.names().len();
    assert!(acknowledged <= whole && whole <= 1, "{:?}", host.names());
    // A limit that the user set, and a disk that is full for this user.
    let yubin = host.yubin();
    let words = [
        "sh",
        "-c",
        "ulimit -f 8; exec \"$@\"",
        "sh",
        &yubin,
        "sendmail",
        "alice",
    ];
    let refused = program::run(&mut host.as_user(STRANGER, &words), content.as_bytes());
    assert_eq!(refused.code, Some(75), "{refused}");
    assert!(refused.stderr.contains("queue file write error"), "{refused}");
    assert_eq!(host.names().len(), whole);
    host.sendmail(STRANGER, &["alice"], content.as_bytes()).success();
    host.launch();
    wait_for("what is whole", || host.mail_of_alice().len() == whole + 1);
    for message in host.mail_of_alice() {
        assert!(
            message.ends_with("A line.\nThe end.\n"),
            "{} octets",
            message.len()
        );
    }
}
