//! The Debian packages that tests use: the incumbents to compare with and the clients to serve.

use std::process::{Command, Stdio};

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
    ("pflogsumm", "/usr/sbin/pflogsumm"),
    ("fail2ban", "/usr/bin/fail2ban-regex"),
    ("opendkim", "/usr/sbin/opendkim"),
    ("rspamd", "/usr/bin/rspamd"),
    ("spamd", "/usr/sbin/spamd"),
    ("spamass-milter", "/usr/sbin/spamass-milter"),
    ("openssl", "/usr/bin/openssl"),
    ("python3", "/usr/bin/python3"),
    ("bsdutils", "/usr/bin/script"),
    ("util-linux", "/usr/bin/unshare"),
    ("iproute2", "/sbin/ip"),
];

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
    let gone = missing();
    if gone.is_empty() || install == Install::Never {
        return gone;
    }
    if !is_root() || !std::path::Path::new("/usr/bin/apt-get").exists() {
        println!("Not root on Debian: tests that need missing packages are skipped.");
        return gone;
    }
    println!("Installing Debian packages for the tests: {}", gone.join(" "));
    apt(&["update"]);
    let mut arguments = vec!["install", "-y", "--no-install-recommends"];
    arguments.extend(&gone);
    apt(&arguments);
    missing()
}

fn missing() -> Vec<&'static str> {
    PACKAGES
        .iter()
        .filter(|(_, proof)| !std::path::Path::new(proof).exists())
        .map(|(name, _)| *name)
        .collect()
}

fn is_root() -> bool {
    let id = Command::new("id").arg("-u").output();
    id.is_ok_and(|output| output.stdout.starts_with(b"0\n"))
}

/// A failure shows in what is missing afterwards.
fn apt(arguments: &[&str]) {
    let status = Command::new("apt-get")
        .args(["-q", "-o", "Dpkg::Use-Pty=0", "-o", "DPkg::Lock::Timeout=300"])
        .args(arguments)
        .env("DEBIAN_FRONTEND", "noninteractive")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .status();
    if !status.is_ok_and(|status| status.success()) {
        println!("apt-get {} did not succeed", arguments.join(" "));
    }
}
