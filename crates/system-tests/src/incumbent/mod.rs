//! Debian's Postfix and Dovecot, each started privately: its own configuration, directories and ports, gone with the value.

mod dovecot;
pub mod mailboxes;
mod postfix;

use std::collections::BTreeSet;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

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

/// A port that is free now and was not given before: a service that starts later finds it free, too.
///
/// # Panics
/// When there is none.
pub fn free_port() -> u16 {
    static GIVEN: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());
    for _ in 0..1000 {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("there is a free port");
        let port = listener.local_addr().expect("it is bound").port();
        if GIVEN.lock().expect("no test panics in here").insert(port) {
            return port;
        }
    }
    panic!("every free port was given already");
}

/// The dialogue files of a crate of the workspace.
pub fn dialogues_of(protocol: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("..")
        .join(protocol)
        .join("dialogues")
}
