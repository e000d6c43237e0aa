//! Debian's Dovecot with virtual accounts on Maildir, all owned by nobody.

use std::fs;
use std::net::Ipv4Addr;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::free_port;
use crate::program::{self, Finished};

/// `nobody` and `nogroup`.
const OWNER: (u32, u32) = (65_534, 65_534);

/// A running Dovecot.
pub struct Dovecot {
    root: tempfile::TempDir,
    /// Where it speaks IMAP.
    pub imap: u16,
    /// Where it speaks POP3.
    pub pop3: u16,
}

impl Dovecot {
    /// Starts Dovecot with these accounts (name and password) and further lines of dovecot.conf; `None` where it is not
    /// installed or cannot be started (it needs root).
    ///
    /// # Panics
    /// When it does not start.
    #[track_caller]
    pub fn start(accounts: &[(&str, &str)], dovecot_conf: &str) -> Option<Dovecot> {
        let root = super::directory("/usr/lib/dovecot/imap", "dovecot-imapd")?;
        if !crate::has_program("/usr/lib/dovecot/pop3", "dovecot-pop3d") {
            return None;
        }
        let dovecot = Dovecot {
            root,
            imap: free_port(),
            pop3: free_port(),
        };
        let mut users = String::new();
        for (name, password) in accounts {
            let (uid, gid) = OWNER;
            let home = dovecot.home(name.split('@').next().unwrap_or(name));
            let home = home.display();
            users.push_str(&format!("{name}:{{PLAIN}}{password}:{uid}:{gid}::{home}::\n"));
            dovecot.make_home(name);
        }
        fs::write(dovecot.path("users"), users).expect("it can be written");
        fs::write(dovecot.path("dovecot.conf"), dovecot.configuration(dovecot_conf))
            .expect("it can be written");
        for made in ["run", "state"] {
            fs::create_dir(dovecot.path(made)).expect("it can be made");
        }
        dovecot.make_certificate();
        let conf = dovecot.path("dovecot.conf");
        // It keeps what it is given as standard error: a pipe would never end.
        let mut command = Command::new("/usr/sbin/dovecot");
        command.arg("-c").arg(conf).stdin(Stdio::null());
        let started = command.stdout(Stdio::null()).stderr(Stdio::null()).status();
        assert!(
            started.is_ok_and(|status| status.success()),
            "Debian's Dovecot does not start"
        );
        super::wait_until_open((Ipv4Addr::LOCALHOST, dovecot.imap).into());
        super::wait_until_open((Ipv4Addr::LOCALHOST, dovecot.pop3).into());
        Some(dovecot)
    }

    fn configuration(&self, more: &str) -> String {
        let (own, imap, pop3) = (self.root.path().display(), self.imap, self.pop3);
        format!(
            "base_dir = {own}/run\nstate_dir = {own}/state\nlog_path = {own}/log\nprotocols = imap pop3\n\
             listen = 127.0.0.1\nssl_cert = <{own}/cert.pem\nssl_key = <{own}/key.pem\nssl_dh =\ndisable_plaintext_auth = no\nauth_mechanisms = plain login\n\
             first_valid_uid = 1\nmail_location = maildir:~/Maildir\nauth_failure_delay = 0\n\
             namespace inbox {{\n  inbox = yes\n}}\n\
             passdb {{\n  driver = passwd-file\n  args = {own}/users\n}}\n\
             userdb {{\n  driver = passwd-file\n  args = {own}/users\n}}\n\
             service imap-login {{\n  inet_listener imap {{\n    port = {imap}\n  }}\n  inet_listener imaps {{\n    port = 0\n  }}\n}}\n\
             service pop3-login {{\n  inet_listener pop3 {{\n    port = {pop3}\n  }}\n  inet_listener pop3s {{\n    port = 0\n  }}\n}}\n\
             service anvil {{\n  unix_listener anvil-auth-penalty {{\n    mode = 0\n  }}\n}}\n{more}"
        )
    }

    /// The home of an account.
    pub fn home(&self, user: &str) -> PathBuf {
        self.path("home").join(user)
    }

    /// Its log so far.
    pub fn log(&self) -> String {
        let log = fs::read(self.path("log")).unwrap_or_default();
        String::from_utf8_lossy(&log).into_owned()
    }

    /// Puts a message into the inbox of an account.
    ///
    /// # Panics
    /// When it cannot be written.
    pub fn put_message(&self, user: &str, name: &str, content: &[u8]) {
        let maildir = self.home(user).join("Maildir");
        for folder in ["", "tmp", "cur", "new"] {
            let folder = maildir.join(folder);
            if !folder.exists() {
                fs::create_dir(&folder).expect("it can be made");
                own(&folder);
            }
        }
        let file = maildir.join("new").join(name);
        fs::write(&file, content).expect("it can be written");
        own(&file);
    }

    /// A directory of the test's own, which others may look into.
    pub fn directory(&self) -> &Path {
        self.root.path()
    }

    /// Runs `doveadm` as root.
    pub fn doveadm(&self, arguments: &[String], input: &[u8]) -> Finished {
        let mut command = Command::new("/usr/bin/doveadm");
        command.arg("-c").arg(self.path("dovecot.conf")).args(arguments);
        program::run(&mut command, input)
    }

    fn make_certificate(&self) {
        let mut command = Command::new("openssl");
        command.args([
            "req",
            "-x509",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-days",
            "2",
            "-subj",
            "/CN=localhost",
        ]);
        command
            .arg("-keyout")
            .arg(self.path("key.pem"))
            .arg("-out")
            .arg(self.path("cert.pem"));
        program::run(&mut command, b"").success();
    }

    fn make_home(&self, user: &str) {
        let home = self.home(user);
        fs::create_dir_all(&home).expect("it can be made");
        own(&home);
        // What users share lies beside their homes.
        own(&self.path("home"));
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    fn stop(&self) -> Finished {
        let conf = self.path("dovecot.conf");
        program::run(
            Command::new("/usr/bin/doveadm").arg("-c").arg(conf).arg("stop"),
            b"",
        )
    }
}

impl Drop for Dovecot {
    fn drop(&mut self) {
        self.stop();
    }
}

fn own(path: &Path) {
    chown(path, Some(OWNER.0), Some(OWNER.1)).expect("root may");
}
