//! The Debian packages that tests use: the incumbents to compare with and the clients to serve.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::target_dir;

/// Package, and a file that proves it is there.
const PACKAGES: &[(&str, &str)] = &[
    ("postfix", "/usr/sbin/smtp-source"),
    ("postfix-cdb", "/usr/lib/postfix/postfix-cdb.so"),
    ("postfix-lmdb", "/usr/lib/postfix/postfix-lmdb.so"),
    ("postfix-pcre", "/usr/lib/postfix/postfix-pcre.so"),
    ("dovecot-imapd", "/usr/lib/dovecot/imap"),
    ("dovecot-pop3d", "/usr/lib/dovecot/pop3"),
    ("dovecot-lmtpd", "/usr/lib/dovecot/lmtp"),
    ("dovecot-sieve", "/usr/bin/sievec"),
    ("dovecot-managesieved", "/usr/lib/dovecot/managesieve"),
    (
        "dovecot-sqlite",
        "/usr/lib/dovecot/modules/auth/libdriver_sqlite.so",
    ),
    ("libpam-modules", "/usr/share/doc/libpam-modules"),
    ("sqlite3", "/usr/bin/sqlite3"),
    ("swaks", "/usr/bin/swaks"),
    ("libnet-ssleay-perl", "/usr/share/doc/libnet-ssleay-perl"),
    ("libio-socket-ssl-perl", "/usr/share/doc/libio-socket-ssl-perl"),
    ("msmtp", "/usr/bin/msmtp"),
    ("s-nail", "/usr/bin/s-nail"),
    ("curl", "/usr/bin/curl"),
    ("mutt", "/usr/bin/mutt"),
    ("isync", "/usr/bin/mbsync"),
    ("fetchmail", "/usr/bin/fetchmail"),
    ("getmail6", "/usr/bin/getmail"),
    ("pflogsumm", "/usr/sbin/pflogsumm"),
    ("fail2ban", "/usr/bin/fail2ban-regex"),
    ("opendkim", "/usr/sbin/opendkim"),
    ("rspamd", "/usr/bin/rspamd"),
    ("spamd", "/usr/sbin/spamd"),
    ("spamass-milter", "/usr/sbin/spamass-milter"),
    ("m4", "/usr/bin/m4"),
    ("liblockfile1", "/usr/share/doc/liblockfile1"),
    ("openssl", "/usr/bin/openssl"),
    ("python3", "/usr/bin/python3"),
    ("bsdutils", "/usr/bin/script"),
    ("util-linux", "/usr/bin/unshare"),
    ("iproute2", "/sbin/ip"),
];

/// Packages that would take Postfix's place: they are only unpacked. They use libraries of those above.
const UNPACKED: &[&str] = &["sendmail-bin", "sendmail-cf"];

/// Where those lie unpacked.
pub fn unpacked() -> PathBuf {
    target_dir().join("debian")
}

/// Whether packages may be installed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Install {
    /// When this is root on a system with apt-get.
    WhenAllowed,
    /// Use what is there.
    Never,
}

/// Installs what is missing where that is allowed; returns what is missing afterwards.
pub fn prepare(install: Install) -> Vec<&'static str> {
    let (gone, packed) = (missing(), packed());
    if gone.is_empty() && packed.is_empty() || install == Install::Never {
        return gone;
    }
    if !is_root() || !Path::new("/usr/bin/apt-get").exists() {
        println!("Not root on Debian: tests that need missing packages are skipped.");
        return gone;
    }
    apt(&["update"]);
    if !gone.is_empty() {
        println!("Installing Debian packages for the tests: {}", gone.join(" "));
        let mut arguments = vec!["install", "-y", "--no-install-recommends"];
        arguments.extend(&gone);
        apt(&arguments);
    }
    for name in packed {
        println!("Unpacking Debian package for the tests: {name}");
        if let Err(error) = unpack(name) {
            println!("cannot unpack {name}: {error}");
        }
    }
    missing()
}

fn missing() -> Vec<&'static str> {
    PACKAGES
        .iter()
        .filter(|(_, proof)| !Path::new(proof).exists())
        .map(|(name, _)| *name)
        .collect()
}

/// The packages that are not unpacked yet.
fn packed() -> Vec<&'static str> {
    let is_there = |name: &str| unpacked().join("usr/share/doc").join(name).exists();
    UNPACKED.iter().copied().filter(|name| !is_there(name)).collect()
}

/// A failure of a program shows in what is skipped afterwards.
fn unpack(name: &str) -> std::io::Result<()> {
    let directory = tempfile::tempdir()?;
    // apt-get lays the file into the directory where it stands, as a user of its own.
    let mut permissions = directory.path().metadata()?.permissions();
    permissions.set_mode(0o777);
    std::fs::set_permissions(directory.path(), permissions)?;
    must_succeed(apt_get(&["download", name]).current_dir(directory.path()))?;
    for entry in directory.path().read_dir()? {
        must_succeed(Command::new("dpkg").arg("-x").arg(entry?.path()).arg(unpacked()))?;
    }
    Ok(())
}

fn is_root() -> bool {
    let id = Command::new("id").arg("-u").output();
    id.is_ok_and(|output| output.stdout.starts_with(b"0\n"))
}

/// A failure shows in what is missing afterwards.
fn apt(arguments: &[&str]) {
    if let Err(error) = must_succeed(&mut apt_get(arguments)) {
        println!("{error}");
    }
}

fn apt_get(arguments: &[&str]) -> Command {
    let mut command = Command::new("apt-get");
    command
        .args(["-q", "-o", "Dpkg::Use-Pty=0", "-o", "DPkg::Lock::Timeout=300"])
        .args(arguments)
        .env("DEBIAN_FRONTEND", "noninteractive")
        .stdin(Stdio::null())
        .stdout(Stdio::null());
    command
}

fn must_succeed(command: &mut Command) -> std::io::Result<()> {
    match command.status()? {
        status if status.success() => Ok(()),
        status => Err(std::io::Error::other(format!("{command:?}: {status}"))),
    }
}
