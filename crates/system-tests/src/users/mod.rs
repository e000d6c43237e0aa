//! A host of its own for tests with real system users: private mounts, network, processes and host name, in which nothing of
//! the machine is changed.
//!
//! A test calls [`run_in_host`], which starts the test's own executable again under `unshare`, where a second test (marked
//! `#[ignore]`) finds that it [`is_inside`], makes the [`Host`] and works in it as root: users of its own, an empty /home,
//! /var/mail and /var/spool, ports of its own. It tells what it found on standard output between [`print_block`]s. What it
//! starts ends with it, by the kernel.

mod account;
mod differences;
mod host;
mod landing;
mod outcome;
mod scenario;
mod service;

use std::collections::BTreeMap;
use std::process::{Command, Stdio};

pub use account::{Account, SENDER, accounts};
pub use differences::Differences;
pub use host::Host;
pub use landing::{Snapshot, compare};
pub use scenario::{Mail, Scenario, Way};
pub use service::{Kind, Service};

/// Names to the second test what it shall do; its presence says that the process is in a host of its own.
const TASK: &str = "YUBIN_TEST_HOST_TASK";
/// Starts and ends a block of what is told to the first test.
const BLOCK: &str = "@@@ block ";
const BLOCK_END: &str = "@@@ end";
/// The program, and the package that brings it, that make a host.
const MAKERS: &[(&str, &str)] = &[
    ("/usr/bin/unshare", "util-linux"),
    ("/usr/bin/setpriv", "util-linux"),
    ("/bin/mount", "mount"),
    ("/sbin/ip", "iproute2"),
];

/// What a test in a host of its own has told, by the names of its blocks.
pub type Told = BTreeMap<String, String>;

/// Whether a host can be made here; notes the skipped test when not.
pub fn can_make_hosts() -> bool {
    if !rustix::process::geteuid().is_root() {
        crate::skip("root, to make a host with users of its own");
        return false;
    }
    if !MAKERS
        .iter()
        .all(|(path, package)| crate::has_program(path, package))
    {
        return false;
    }
    let possible = unshare().arg("/bin/true").stderr(Stdio::null()).status();
    let possible = possible.is_ok_and(|status| status.success());
    if !possible {
        crate::skip("the right to make mount, network and process namespaces");
    }
    possible
}

/// Runs the ignored test `name` of this executable in a host of its own with this task, to its end.
///
/// # Panics
/// When it fails, with all that it said.
#[track_caller]
pub fn run_in_host(name: &str, task: &str) -> Told {
    let own = std::env::current_exe().expect("a process knows its executable");
    let mut command = unshare();
    command
        .arg(own)
        .args(["--exact", name, "--ignored", "--nocapture", "--test-threads=1"]);
    // The bound on its time is that of the things that it waits for.
    let done = command
        .env(TASK, task)
        .env("YUBIN_BINARY", crate::sandbox::binary())
        .stdin(Stdio::null())
        .output()
        .expect("unshare can be started");
    let said = String::from_utf8_lossy(&done.stdout).into_owned();
    let complained = String::from_utf8_lossy(&done.stderr);
    assert!(
        done.status.success() && said.contains("1 passed"),
        "{name} ({task}) failed in its host:\n{said}\n{complained}"
    );
    blocks(&said)
}

/// What the first test wants, in a host of its own; `None` elsewhere.
pub fn task() -> Option<String> {
    std::env::var(TASK).ok()
}

/// Tells the first test something.
#[allow(clippy::print_stdout, reason = "the first test reads it there")]
pub fn print_block(name: &str, text: &str) {
    println!("{BLOCK}{name}\n{}\n{BLOCK_END}", text.trim_end_matches('\n'));
}

fn unshare() -> Command {
    let mut command = Command::new("/usr/bin/unshare");
    command.args(["--mount", "--net", "--pid", "--ipc", "--uts"]);
    command.args(["--fork", "--kill-child", "--mount-proc"]);
    command
}

fn blocks(said: &str) -> Told {
    let mut told = Told::new();
    let mut open: Option<(&str, String)> = None;
    for line in said.lines() {
        match &mut open {
            // The test harness may have left its own words on the line.
            None => {
                if let Some((_, name)) = line.split_once(BLOCK) {
                    open = Some((name, String::new()));
                }
            }
            Some((name, text)) if line == BLOCK_END => {
                told.insert((*name).to_owned(), std::mem::take(text));
                open = None;
            }
            Some((_, text)) => {
                text.push_str(line);
                text.push('\n');
            }
        }
    }
    told
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_read_between_the_words_of_the_harness() {
        let said = "running 1 test\ntest inside ... @@@ block a\none\ntwo\n@@@ end\nnoise\n@@@ block b\n\n@@@ end\nok\n";
        let told = blocks(said);
        assert_eq!(told.len(), 2);
        assert_eq!(told["a"], "one\ntwo\n");
        assert_eq!(told["b"], "\n");
    }
}
