//! The sockets of `service auth` in dovecot.conf, by which other programs ask who somebody is; and whom our own SMTP services
//! ask.

use std::fs::File;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use auth::Authority;
use auth::socket::{Bound, Client, Kind, Place, Report, Tell};
use maillog::Log;
use rustix::fs::{AtFlags, Gid, Mode, OFlags, Uid};
use settings::{Dovecot, Postfix, UnixListener as Listener};

/// The sockets that this process has bound. It holds them while the role that answers is started anew.
#[derive(Debug, Default)]
pub(crate) struct AuthSockets {
    bound: Vec<Bound>,
}

impl AuthSockets {
    /// Binds what dovecot.conf names and is not bound yet, gives each its rights, and lets go of the others. A socket that
    /// cannot be made is told, and the others serve. It takes root where their owners are others.
    pub(crate) fn bind(&mut self, dovecot: Option<&Dovecot>, log: &Log) {
        let wanted = wanted(dovecot);
        self.bound.retain(|bound| {
            let stays = wanted.iter().any(|(path, _, _)| *path == bound.path) && bound.path.exists();
            if !stays {
                // It is gone already, or its directory is not ours any more: nobody listens there in any case.
                let _ = std::fs::remove_file(&bound.path);
            }
            stays
        });
        for (path, kind, listener) in wanted {
            let is_there = self.bound.iter().any(|bound| bound.path == path);
            let done = if is_there {
                give_rights(&path, listener)
            } else {
                bind_one(&path, listener).map(|listener| self.bound.push(Bound { path, kind, listener }))
            };
            if let Err(error) = done {
                log.mailbox_error("auth", &os::with_causes(error.as_ref()));
            }
        }
    }

    /// All of them once more, for whoever answers.
    pub(crate) fn to_pass(&self) -> Vec<Bound> {
        let copies = self.bound.iter().filter_map(|bound| {
            Some(Bound {
                path: bound.path.clone(),
                kind: bound.kind,
                listener: bound.listener.try_clone().ok()?,
            })
        });
        copies.collect()
    }
}

/// Looks at the users and groups that the sockets are to belong to.
///
/// # Errors
/// The first that is not there.
pub(crate) fn check(dovecot: Option<&Dovecot>) -> Result<()> {
    for (_, _, listener) in wanted(dovecot) {
        uid_of(&listener.user)?;
        gid_of(&listener.group)?;
    }
    Ok(())
}

/// Where what happens on the sockets is told.
pub(crate) fn teller(dovecot: Option<&Dovecot>, log: &Log) -> Tell {
    let verbose = dovecot.is_some_and(|dovecot| dovecot.auth_verbose);
    let log = log.clone();
    Arc::new(move |report| tell(&log, &report, verbose))
}

/// Path, use and rights of each socket.
fn wanted(dovecot: Option<&Dovecot>) -> Vec<(PathBuf, Kind, &Listener)> {
    let service = dovecot.and_then(|dovecot| Some((dovecot, dovecot.services.get("auth")?)));
    let Some((dovecot, service)) = service else {
        return Vec::new();
    };
    let listeners = service
        .unix_listeners
        .iter()
        .filter(|(_, listener)| listener.mode != 0);
    listeners
        .map(|(name, listener)| (Path::new(&dovecot.base_dir).join(name), Kind::of(name), listener))
        .collect()
}

fn bind_one(path: &Path, listener: &Listener) -> Result<UnixListener> {
    let shown = path.display();
    let failed = || format!("cannot make the auth socket {shown}");
    if UnixStream::connect(path).is_ok() {
        bail!(
            "cannot make the auth socket {shown}: another program listens there. Stop it, or name another path"
        );
    }
    match std::fs::symlink_metadata(path) {
        // Left by a process that is gone.
        Ok(found) if found.file_type().is_socket() => {
            std::fs::remove_file(path).with_context(failed)?;
        }
        Ok(_) => bail!("cannot make the auth socket {shown}: a file of that name is there"),
        Err(_) => {}
    }
    // With the usual umask nobody but the owner can connect before the rights are set.
    let socket = UnixListener::bind(path).with_context(failed)?;
    give_rights(path, listener)?;
    Ok(socket)
}

/// Gives a socket its owner, group and mode. Who may write into its directory could put a symbolic link there: what is
/// changed is the file that was looked at.
fn give_rights(path: &Path, listener: &Listener) -> Result<()> {
    let (uid, gid) = (uid_of(&listener.user)?, gid_of(&listener.group)?);
    let failed = || {
        let shown = path.display();
        format!("cannot give the auth socket {shown} its owner and mode")
    };
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let place = File::from(rustix::fs::open(path, flags, Mode::empty()).with_context(failed)?);
    if !place.metadata().with_context(failed)?.file_type().is_socket() {
        bail!("{}: it is no socket any more", failed());
    }
    let (owner, group) = (uid.map(Uid::from_raw), gid.map(Gid::from_raw));
    rustix::fs::chownat(&place, "", owner, group, AtFlags::EMPTY_PATH).with_context(failed)?;
    let itself = format!("/proc/self/fd/{}", place.as_raw_fd());
    let rights = std::fs::Permissions::from_mode(listener.mode & 0o777);
    std::fs::set_permissions(itself, rights).with_context(failed)
}

fn uid_of(name: &str) -> Result<Option<u32>> {
    if name.is_empty() || name.starts_with('$') {
        return Ok(None);
    }
    match name.parse() {
        Ok(uid) => Ok(Some(uid)),
        Err(_) => match os::users::user_by_name(name)? {
            Some(user) => Ok(Some(user.uid)),
            None => bail!("service auth: unix_listener: there is no user {name} on this system"),
        },
    }
}

fn gid_of(name: &str) -> Result<Option<u32>> {
    if name.is_empty() || name.starts_with('$') {
        return Ok(None);
    }
    match name.parse() {
        Ok(gid) => Ok(Some(gid)),
        Err(_) => match os::users::group_by_name(name)? {
            Some(group) => Ok(Some(group.gid)),
            None => bail!("service auth: unix_listener: there is no group {name} on this system"),
        },
    }
}

fn tell(log: &Log, report: &Report, verbose: bool) {
    match report {
        Report::Error(text) => log.mailbox_error("auth", text),
        Report::Refused { asker, failure } if verbose => {
            let reason = failure.reason.to_string();
            log.write(&maillog::lines::auth::Refused {
                database: &failure.database,
                user: &failure.user,
                remote: asker.remote,
                session: &asker.session,
                reason: &reason,
                severity: maillog::Severity::Info,
            });
        }
        Report::Refused { .. } => {}
    }
}

/// The other program that an SMTP service asks about log-ins: `smtpd_sasl_path` where `smtpd_sasl_type = dovecot` and the
/// path is not a socket of ours.
pub(crate) fn asked_by(settings: &Postfix, dovecot: Option<&Dovecot>) -> Option<Arc<dyn Authority>> {
    let place = foreign(settings, dovecot)?;
    Some(Arc::new(Client::new(place)))
}

/// Where the other program listens.
pub(crate) fn foreign(settings: &Postfix, dovecot: Option<&Dovecot>) -> Option<Place> {
    let path = settings.smtpd_sasl_path.as_str();
    if settings.smtpd_sasl_type != "dovecot" {
        return None;
    }
    if let Some(address) = path.strip_prefix("inet:") {
        return Some(Place::Inet(address.to_owned()));
    }
    let path = path.strip_prefix("unix:").unwrap_or(path);
    let path = settings.queue_directory.join(path);
    let is_ours = wanted(dovecot).iter().any(|(own, _, _)| *own == path);
    // The default, `smtpd`, is a path of nobody: whoever has a dovecot.conf beside main.cf means that.
    let is_default = dovecot.is_some() && settings.smtpd_sasl_path == "smtpd";
    (!is_ours && !is_default).then_some(Place::Path(path))
}

#[cfg(test)]
mod tests {
    use super::*;
    use settings::{ListenerService, Surroundings};

    fn dovecot(path: &Path) -> Dovecot {
        let mut dovecot = Dovecot::defaults();
        dovecot.base_dir = path.parent().expect("a directory").into();
        let listener = Listener {
            mode: 0o640,
            ..Listener::default()
        };
        let switched_off = Listener::default();
        let name = path.display().to_string();
        let unix_listeners = [(name, listener), ("auth-userdb".to_owned(), switched_off)].into();
        let service = ListenerService {
            unix_listeners,
            ..ListenerService::default()
        };
        dovecot.services.insert("auth".to_owned(), service);
        dovecot
    }

    #[test]
    fn sockets_have_the_rights_that_the_file_says_and_replace_dead_ones() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("auth");
        let dovecot = dovecot(&path);
        let sockets = wanted(Some(&dovecot));
        let [(found, Kind::Client, listener)] = &sockets[..] else {
            panic!("one socket is wanted: {sockets:?}");
        };
        assert_eq!(*found, path);
        let first = bind_one(&path, listener).expect("it can be made");
        let mode = std::fs::metadata(&path)
            .expect("it is there")
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o640);
        let told = bind_one(&path, listener)
            .expect_err("somebody listens")
            .to_string();
        assert!(told.contains("another program listens there"), "{told}");
        drop(first);
        bind_one(&path, listener).expect("the dead one is replaced");
        let strange = Listener {
            user: "nobody-of-that-name".to_owned(),
            mode: 0o600,
            ..Listener::default()
        };
        let told = bind_one(&directory.path().join("other"), &strange)
            .expect_err("no such user")
            .to_string();
        assert!(told.contains("there is no user nobody-of-that-name"), "{told}");
        let file = directory.path().join("file");
        std::fs::write(&file, "").expect("a file");
        assert!(bind_one(&file, listener).is_err() && file.is_file());
    }

    #[test]
    fn who_is_asked() {
        let mut settings = Postfix::defaults(&Surroundings::default());
        settings.queue_directory = "/var/spool/postfix".into();
        let own = dovecot(Path::new("/var/spool/postfix/private/auth"));
        let asked = |settings: &Postfix, dovecot| foreign(settings, dovecot).map(|place| place.to_string());
        assert_eq!(asked(&settings, None), None);
        settings.smtpd_sasl_type = "dovecot".to_owned();
        assert_eq!(asked(&settings, Some(&own)), None);
        for (path, with_own, without) in [
            ("private/auth", None, Some("/var/spool/postfix/private/auth")),
            ("unix:private/auth", None, Some("/var/spool/postfix/private/auth")),
            (
                "private/other",
                Some("/var/spool/postfix/private/other"),
                Some("/var/spool/postfix/private/other"),
            ),
            ("/run/auth", Some("/run/auth"), Some("/run/auth")),
            (
                "inet:127.0.0.1:12345",
                Some("127.0.0.1:12345"),
                Some("127.0.0.1:12345"),
            ),
        ] {
            settings.smtpd_sasl_path = path.to_owned();
            assert_eq!(asked(&settings, Some(&own)).as_deref(), with_own, "{path}");
            assert_eq!(asked(&settings, None).as_deref(), without, "{path}");
        }
    }
}
