//! hosts.allow and hosts.deny at the door of every service: the files are looked at for each client and read again when they
//! have changed. Without them everybody may come.

use std::io::Read;
use std::net::IpAddr;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use access::hosts_access::{self, Caller, FILE_BYTES_MAX, Included, Name, Rules, Verdict};
use maillog::lines::hosts_access::Refused;
use maillog::lines::problem::Problem;
use maillog::{Log, Severity, Tag};
use os::names::{self, Called};
use serve::Link;

/// A service as these files know it.
#[derive(Debug, Clone, Copy)]
pub struct Daemon {
    /// The names by which rules may call it, the log's own first.
    pub names: &'static [&'static str],
    /// Who speaks in the log.
    pub tag: Tag<'static>,
}

/// SMTP in every form.
pub const SMTP: Daemon = Daemon {
    names: &["smtpd", "sendmail", "postfix", "yubin"],
    tag: Tag::Mta("smtpd"),
};
/// IMAP.
pub const IMAP: Daemon = Daemon {
    names: &["imap-login", "imap", "imapd", "dovecot", "yubin"],
    tag: Tag::Mailbox("imap-login"),
};
/// LMTP.
pub const LMTP: Daemon = Daemon {
    names: &["lmtp", "lmtpd", "dovecot", "yubin"],
    tag: Tag::Mailbox("lmtp"),
};
/// POP3.
pub const POP3: Daemon = Daemon {
    names: &["pop3-login", "pop3", "pop3d", "ipop3d", "dovecot", "yubin"],
    tag: Tag::Mailbox("pop3-login"),
};

/// The two files, as they were read last.
pub struct HostsAccess {
    allow: PathBuf,
    deny: PathBuf,
    read: Mutex<Arc<Files>>,
}

/// What was read, and what of: each file's path and state.
#[derive(Default)]
struct Files {
    states: Vec<(PathBuf, Option<State>)>,
    allow: Rules,
    deny: Rules,
    /// A file that is there and cannot be read: nobody knows whom it refuses.
    unreadable: Option<String>,
}

/// Device, inode, size, time of change in nanoseconds.
type State = (u64, u64, u64, i64, i64);

impl Default for HostsAccess {
    fn default() -> HostsAccess {
        HostsAccess::below(Path::new("/etc"))
    }
}

impl HostsAccess {
    /// The files in `directory`.
    pub fn below(directory: &Path) -> HostsAccess {
        HostsAccess {
            allow: directory.join("hosts.allow"),
            deny: directory.join("hosts.deny"),
            read: Mutex::default(),
        }
    }

    /// Whether the client may speak to the service; the log is told when not.
    pub async fn admits(&self, daemon: Daemon, link: &Link, log: &Log) -> bool {
        self.admits_client(daemon, link.remote.ip(), link.local.ip(), log)
            .await
    }

    async fn admits_client(&self, daemon: Daemon, client: IpAddr, local: IpAddr, log: &Log) -> bool {
        let files = self.current(daemon, log);
        if let Some(why) = &files.unreadable {
            log.write(&Refused {
                tag: daemon.tag,
                name: None,
                address: client,
                place: why,
            });
            return false;
        }
        let called = if files.allow.need_names() || files.deny.need_names() {
            let asked = tokio::task::spawn_blocking(move || names::of_address(client));
            asked.await.unwrap_or(Called::Nothing)
        } else {
            Called::Nothing
        };
        let (name, shown) = match &called {
            Called::Verified(name) => (Name::Known(name), Some(name.as_str())),
            Called::Falsely(_) => (Name::Paranoid, None),
            Called::Nothing => (Name::Unknown, None),
        };
        let caller = Caller {
            daemons: daemon.names,
            address: client,
            name,
            local,
        };
        let (file, line) = match hosts_access::decide(&files.allow, &files.deny, &caller) {
            Verdict::Allowed => return true,
            Verdict::RefusedByAllow(line) => (&self.allow, line),
            Verdict::RefusedByDeny(line) => (&self.deny, line),
        };
        log.write(&Refused {
            tag: daemon.tag,
            name: shown,
            address: client,
            place: &format!("{}:{line}", file.display()),
        });
        false
    }

    fn current(&self, daemon: Daemon, log: &Log) -> Arc<Files> {
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        let is_known = !read.states.is_empty();
        if !is_known || read.states.iter().any(|(path, state)| *state != state_of(path)) {
            let tell = |text: &str| {
                log.write(&Problem {
                    tag: daemon.tag,
                    severity: Severity::Warning,
                    text,
                });
            };
            *read = Arc::new(Files::read(&self.allow, &self.deny, &tell));
        }
        Arc::clone(&read)
    }
}

impl Files {
    fn read(allow: &Path, deny: &Path, tell: &dyn Fn(&str)) -> Files {
        let mut files = Files::default();
        files.allow = files.read_one(allow, tell);
        files.deny = files.read_one(deny, tell);
        files
    }

    fn read_one(&mut self, path: &Path, tell: &dyn Fn(&str)) -> Rules {
        // Before it is read: a change in between is seen the next time.
        let state = state_of(path);
        self.states.push((path.to_owned(), state));
        if state.is_none() {
            return Rules::default();
        }
        let text = match text_of(path) {
            Ok(text) => text,
            Err(why) => {
                self.unreadable = Some(format!(
                    "cannot read {}: {why}: everybody is refused until mail_owner can read it, or it is gone",
                    path.display()
                ));
                return Rules::default();
            }
        };
        let mut include = |name: &str| {
            let path = PathBuf::from(name);
            let state = state_of(&path);
            self.states.push((path.clone(), state));
            match (state, text_of(&path)) {
                (None, _) => Included::Missing,
                (_, Ok(text)) => Included::Text(text),
                (_, Err(why)) => Included::Unreadable(why),
            }
        };
        let (rules, problems) = hosts_access::parse(&text, &mut include);
        for problem in problems {
            tell(&format!("{}:{}: {}", path.display(), problem.line, problem.text));
        }
        rules
    }
}

fn state_of(path: &Path) -> Option<State> {
    match tables::files::metadata(path) {
        Ok(found) => Some((
            found.dev(),
            found.ino(),
            found.size(),
            found.ctime(),
            found.ctime_nsec(),
        )),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        // It is there, and its reading will say what is wrong.
        Err(_) => Some((0, 0, 0, 0, 0)),
    }
}

fn text_of(path: &Path) -> Result<String, String> {
    let mut text = Vec::new();
    tables::files::open(path)
        .and_then(|file| file.take(FILE_BYTES_MAX + 1).read_to_end(&mut text))
        .map_err(|error| os::words(&error))?;
    if text.len() as u64 > FILE_BYTES_MAX {
        return Err(format!("it is larger than {FILE_BYTES_MAX} octets"));
    }
    Ok(String::from_utf8_lossy(&text).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    async fn admits(hosts: &HostsAccess, daemon: Daemon, client: &str, log: &Log) -> bool {
        let client = client.parse().expect("an address");
        hosts
            .admits_client(daemon, client, IpAddr::from([192, 0, 2, 1]), log)
            .await
    }

    #[tokio::test]
    async fn the_files_are_heeded_as_soon_as_they_change() {
        let directory = tempfile::tempdir().expect("a directory");
        let (log, captured) = Log::to_memory();
        let hosts = HostsAccess::below(directory.path());
        assert!(admits(&hosts, SMTP, "192.0.2.9", &log).await);
        let deny = directory.path().join("hosts.deny");
        fs::write(&deny, "# all but one\nsmtpd : ALL : spawn /bin/true\n").expect("written");
        assert!(!admits(&hosts, SMTP, "192.0.2.9", &log).await);
        assert!(admits(&hosts, IMAP, "192.0.2.9", &log).await);
        fs::write(directory.path().join("hosts.allow"), "sendmail: 192.0.2.9\n").expect("written");
        assert!(admits(&hosts, SMTP, "192.0.2.9", &log).await);
        assert!(!admits(&hosts, SMTP, "192.0.2.10", &log).await);
        fs::remove_file(&deny).expect("removed");
        assert!(admits(&hosts, SMTP, "192.0.2.10", &log).await);
        let said = captured.lines().join("\n");
        assert!(
            said.contains("hosts.deny:2: spawn: the command is not run"),
            "{said}"
        );
        assert!(
            said.contains("refused connect from unknown (192.0.2.9): "),
            "{said}"
        );
        assert!(said.contains("hosts.deny:2"), "{said}");
    }

    #[tokio::test]
    async fn a_file_that_cannot_be_read_refuses_everybody() {
        let directory = tempfile::tempdir().expect("a directory");
        let (log, captured) = Log::to_memory();
        let hosts = HostsAccess::below(directory.path());
        let deny = directory.path().join("hosts.deny");
        fs::create_dir(&deny).expect("made");
        assert!(!admits(&hosts, POP3, "192.0.2.9", &log).await);
        assert!(
            captured.lines().join("\n").contains("cannot read "),
            "{:?}",
            captured.lines()
        );
        fs::remove_dir(&deny).expect("removed");
        assert!(admits(&hosts, POP3, "192.0.2.9", &log).await);
    }
}
