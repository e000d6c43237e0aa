//! Debian's Postfix and Dovecot, each started privately: its own configuration, directories and ports, gone with the value.

mod dovecot;
pub mod mailboxes;
mod postfix;

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU16, Ordering};

use crate::wait::wait_for;

pub use dovecot::Dovecot;
pub use postfix::{Postfix, Smtpd};

/// A directory for a program that Debian's `package` brings; `None`, with a note, where it is not installed or cannot be
/// started.
fn directory(program: &str, package: &str) -> Option<tempfile::TempDir> {
    if !crate::has_program(program, package) {
        return None;
    }
    if !rustix::process::geteuid().is_root() {
        crate::skip(&format!("root, to start Debian's {package}"));
        return None;
    }
    let root = tempfile::Builder::new().prefix("yubin-incumbent-").tempdir();
    let root = root.expect("a temporary directory can be made");
    fs::set_permissions(root.path(), fs::Permissions::from_mode(0o755)).expect("it is ours");
    Some(root)
}

/// Waits until somebody listens there.
///
/// # Panics
/// When nobody does for long.
pub fn wait_until_open(address: SocketAddr) {
    wait_for("the incumbent to listen", || TcpStream::connect(address).is_ok());
}

/// A port that is free now and was not given before, and that no connection gets by itself (those have 32768 to 60999): a
/// service that starts later finds it free, too.
///
/// # Panics
/// When there is none.
pub fn free_port() -> u16 {
    const FIRST: u16 = 61_000;
    const COUNT: u16 = 4_500;
    static GIVEN: AtomicU16 = AtomicU16::new(0);
    // Other processes begin elsewhere.
    let start = (std::process::id() % u32::from(COUNT)) as u16;
    loop {
        let given = GIVEN.fetch_add(1, Ordering::Relaxed);
        assert!(given < COUNT, "every free port was given already");
        let port = FIRST + (start + given) % COUNT;
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return port;
        }
    }
}

/// The dialogue files of a crate of the workspace.
pub fn dialogues_of(protocol: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("..")
        .join(protocol)
        .join("dialogues")
}
