//! Disks that are full and directories that may not be written: the sender is told to come again, the log says why, and
//! what was accepted arrives when there is room again.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;

use system_tests::{Sandbox, program, skip, wait_for, wait_for_value};

const FULL: &str = "452 4.3.1 Error: insufficient system storage";

/// A small file system, mounted as long as this lives.
struct SmallDisk(PathBuf);

impl SmallDisk {
    /// `None` where nothing may be mounted.
    fn mount(directory: &Path, megabytes: usize) -> Option<SmallDisk> {
        fs::create_dir_all(directory).expect("the directory can be made");
        let owner = fs::metadata(directory).expect("it is there");
        let options = format!(
            "size={megabytes}m,mode=0755,uid={},gid={}",
            owner.uid(),
            owner.gid()
        );
        SmallDisk::mount_with(directory, &options)
    }

    fn mount_with(directory: &Path, options: &str) -> Option<SmallDisk> {
        fs::create_dir_all(directory).expect("the directory can be made");
        let mut command = Command::new("mount");
        command
            .args(["-t", "tmpfs", "-o", options, "yubin-test"])
            .arg(directory);
        if program::run(&mut command, b"").code != Some(0) {
            skip("root, to mount a small file system");
            return None;
        }
        Some(SmallDisk(directory.to_owned()))
    }

    /// Fills it up to the last octet.
    fn fill(&self) {
        let mut file = fs::File::create(self.ballast()).expect("a file can be made");
        let chunk = vec![0; 4096];
        while std::io::Write::write_all(&mut file, &chunk).is_ok() {}
    }

    fn free(&self) {
        fs::remove_file(self.ballast()).expect("it was made before");
    }

    fn ballast(&self) -> PathBuf {
        self.0.join("ballast")
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        program::run(Command::new("umount").arg("-l").arg(&self.0), b"");
    }
}

/// The postmaster, who is alice here, would hear of refused mail (`notify_classes`); these tests count her letters.
fn without_notices(sandbox: &mut Sandbox) {
    sandbox.edit_main_cf("notify_classes", "");
    sandbox.reload();
}

#[test]
fn a_full_queue_disk_refuses_and_loses_nothing() {
    let mut sandbox = Sandbox::prepare();
    let Some(disk) = SmallDisk::mount(sandbox.directory(), 64) else {
        return;
    };
    sandbox.launch();
    without_notices(&mut sandbox);
    assert!(super::offer(&sandbox, "before", 1000).starts_with("250 "));
    wait_for("the delivery", || sandbox.maildir("alice", "Maildir").len() == 1);
    disk.fill();
    let said = super::offer(&sandbox, "large, while full", 400_000);
    assert_eq!(said, FULL);
    // Small ones go into room that was made before, for as long as there is some.
    let mut accepted = 1;
    for number in 0..20 {
        let said = super::offer(&sandbox, &format!("small {number}"), 1000);
        match said.starts_with("250 ") {
            true => accepted += 1,
            false => assert_eq!(said, FULL),
        }
    }
    disk.free();
    assert!(super::offer(&sandbox, "large, after", 400_000).starts_with("250 "));
    sandbox.run("postqueue", &["-f"], "").success();
    wait_for("all that was accepted", || {
        sandbox.maildir("alice", "Maildir").len() == accepted + 1
    });
    wait_for("an empty queue", || super::queue_is_empty(&sandbox));
    sandbox.stop();
    drop(sandbox);
    drop(disk);
}

#[test]
fn a_small_queue_disk_forgets_no_delivery() {
    let mut sandbox = Sandbox::start();
    sandbox.stop();
    let spool = sandbox.directory().join("spool");
    let Some(disk) = SmallDisk::mount(&spool, 2) else {
        return;
    };
    sandbox.launch();
    without_notices(&mut sandbox);
    sandbox.edit_main_cf("defer_transports", "local");
    sandbox.reload();
    let mut accepted = 0;
    while super::offer(&sandbox, "waits", 20_000).starts_with("250 ") {
        accepted += 1;
    }
    assert!(
        accepted > 40,
        "only {accepted} messages of 20 kB on a disk of 2 MB"
    );
    wait_for("the reason in the log", || {
        sandbox.log().contains("queue file system full: ") && sandbox.log().contains(" octets, there are ")
    });
    disk.fill();
    sandbox.edit_main_cf("defer_transports", "");
    sandbox.reload();
    sandbox.run("postqueue", &["-f"], "").success();
    wait_for("the deliveries", || {
        sandbox.maildir("alice", "Maildir").len() == accepted
    });
    wait_for("an empty queue", || super::queue_is_empty(&sandbox));
    for _ in 0..3 {
        sandbox.restart();
        assert!(
            super::queue_is_empty(&sandbox),
            "{}",
            sandbox.run("mailq", &[], "")
        );
    }
    assert!(super::offer(&sandbox, "after", 20_000).starts_with("250 "));
    wait_for("one more", || {
        sandbox.maildir("alice", "Maildir").len() == accepted + 1
    });
    assert!(
        !sandbox.log().contains("did not stop cleanly"),
        "{}",
        sandbox.log()
    );
    sandbox.stop();
    drop(disk);
}

#[test]
fn mail_waits_while_the_mailbox_disk_is_full() {
    let mut sandbox = Sandbox::start();
    sandbox.stop();
    let Some(disk) = SmallDisk::mount(&sandbox.home("alice"), 1) else {
        return;
    };
    disk.fill();
    sandbox.launch();
    assert!(super::offer(&sandbox, "waits", 20_000).starts_with("250 "));
    let reason = wait_for_value("the reason in the queue", || {
        let listing = sandbox.run("mailq", &[], "").stdout;
        listing
            .lines()
            .find(|line| line.trim().starts_with('('))
            .map(str::to_owned)
    });
    assert!(reason.contains("No space left on device"), "{reason}");
    disk.free();
    sandbox.run("postqueue", &["-f"], "").success();
    wait_for("the delivery", || sandbox.maildir("alice", "Maildir").len() == 1);
    sandbox.stop();
    drop(disk);
}

#[test]
fn a_queue_that_cannot_be_written_refuses() {
    if !rustix::process::geteuid().is_root() {
        return skip("root, to take a directory away from the program's user");
    }
    let mut sandbox = Sandbox::start();
    without_notices(&mut sandbox);
    let large = sandbox.directory().join("spool/large");
    let owner = fs::metadata(&large).expect("it is there");
    std::os::unix::fs::chown(&large, Some(0), Some(0)).expect("root may");
    fs::set_permissions(&large, fs::Permissions::from_mode(0o555)).expect("root may");
    let said = super::offer(&sandbox, "large", 400_000);
    assert!(said.starts_with("451 4.3.0 "), "{said}");
    wait_for("the reason in the log", || {
        sandbox.log().contains("spool/large") && sandbox.log().contains("Permission denied")
    });
    assert!(super::offer(&sandbox, "small", 1000).starts_with("250 "));
    sandbox.stop();
    // Not at the start either.
    let spool = sandbox.directory().join("spool");
    let away = sandbox.directory().join("spool.away");
    fs::rename(&spool, &away).expect("root may");
    let Some(disk) = SmallDisk::mount_with(&spool, "size=1m,ro") else {
        return;
    };
    let refused = sandbox.launch_in_vain();
    let wanted = "Read-only file system";
    assert!(
        refused.stderr.contains("/spool") && refused.stderr.contains(wanted),
        "{refused}"
    );
    drop(disk);
    fs::remove_dir(&spool).expect("it is empty");
    fs::rename(&away, &spool).expect("root may");
    std::os::unix::fs::chown(&large, Some(owner.uid()), Some(owner.gid())).expect("root may");
    fs::set_permissions(&large, fs::Permissions::from_mode(0o755)).expect("root may");
    sandbox.launch();
    wait_for("the small one", || sandbox.maildir("alice", "Maildir").len() == 1);
}
