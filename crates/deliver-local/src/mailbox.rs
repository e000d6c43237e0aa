//! Writing mailboxes and files: `home_mailbox` below the home directory, else a file named after the user in
//! `mail_spool_directory`; files that aliases name; virtual mailboxes. A name that ends in `/` is a Maildir, any other an mbox.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Read};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Component, Path, PathBuf};

use envelope::{Outcome, StatusCode};
use os::locks::Tries;
use settings::{MailboxLock, Postfix};
use store_maildir::maildirsize::{self, Amount};
use store_mbox::keeper::{Keeper, Spool};
use store_mbox::{LockKind, Locks, Owner};

use crate::Content;
use crate::outcomes::{bounced, deferred, diagnosed, misconfigured, sent};
use crate::task::Rights;

/// A place for mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// A Maildir.
    Maildir(PathBuf),
    /// An mbox file.
    Mbox(PathBuf),
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Place::Maildir(path) => write!(f, "{}/", path.display()),
            Place::Mbox(path) => write!(f, "{}", path.display()),
        }
    }
}

/// A message as it is written.
pub(crate) struct Letter<'a> {
    /// The `From ` line of mbox files, without its end.
    pub(crate) from_line: String,
    /// What stands above the message's own header.
    pub(crate) header: String,
    /// The message.
    pub(crate) content: &'a dyn Content,
}

impl Letter<'_> {
    fn size_bytes(&self) -> u64 {
        self.content.size_bytes() + self.header.len() as u64
    }

    fn reader(&self) -> impl Read + '_ {
        self.header.as_bytes().chain(self.content.reader())
    }
}

/// The mailbox of the user `name`.
///
/// # Errors
/// Why there is none now: the home directory is needed and not there.
pub fn place_of(name: &str, home: Option<&Path>, settings: &Postfix) -> Result<Place, String> {
    let home_mailbox = settings.home_mailbox.as_str();
    if home_mailbox.is_empty() {
        let spool = &settings.mail_spool_directory;
        let path = spool.join(name);
        // `mail_spool_directory = /var/mail/` with a slash at its end means a Maildir for each user.
        return Ok(if ends_in_slash(spool) {
            Place::Maildir(path)
        } else {
            Place::Mbox(path)
        });
    }
    let Some(home) = home else {
        return Err(format!(
            "user {name} has no home directory, but home_mailbox needs one"
        ));
    };
    if !home.is_dir() {
        return Err(format!(
            "home directory {} of user {name} is not there",
            home.display()
        ));
    }
    let path = home.join(home_mailbox.trim_end_matches('/'));
    Ok(if home_mailbox.ends_with('/') {
        Place::Maildir(path)
    } else {
        Place::Mbox(path)
    })
}

fn ends_in_slash(path: &Path) -> bool {
    path.as_os_str().as_bytes().ends_with(b"/")
}

/// `require_home_directory`: why delivery must wait, if it must.
fn home_is_missing(home: Option<&Path>, settings: &Postfix) -> Option<String> {
    if !settings.require_home_directory || home.is_some_and(Path::is_dir) {
        return None;
    }
    let home = home.unwrap_or(Path::new("none"));
    let why = match std::fs::metadata(home) {
        Ok(_) => "Not a directory".to_owned(),
        Err(error) => os::words(&error),
    };
    Some(format!("cannot access home directory {}: {why}", home.display()))
}

/// Writes a message into the mailbox of the user `name`.
pub(crate) fn deliver(
    letter: &Letter<'_>,
    (name, rights): (&str, &Rights),
    (settings, keeper): (&Postfix, &dyn Keeper),
) -> Written {
    let home = rights.home.as_deref();
    // A name is one file in the spool, and nothing above it.
    let is_name = matches!(
        Path::new(name).components().collect::<Vec<_>>()[..],
        [Component::Normal(_)]
    );
    if !is_name {
        let outcome = bounced(StatusCode::permanent(1, 1), format!("unknown user: \"{name}\""));
        return (outcome, Vec::new());
    }
    if let Some(why) = home_is_missing(home, settings) {
        return (deferred(StatusCode::temporary(3, 0), why), Vec::new());
    }
    let place = match place_of(name, home, settings) {
        Ok(place) => place,
        Err(why) => return (deferred(StatusCode::temporary(2, 0), why), Vec::new()),
    };
    let whose = Whose {
        kind: Business::User(name),
        rights,
    };
    match place {
        Place::Maildir(path) => write_maildir(letter, &path, (&whose, settings.mailbox_size_limit), settings),
        Place::Mbox(path) => {
            let spool = settings
                .home_mailbox
                .is_empty()
                .then_some(Spool { keeper, user: name });
            let strict = settings.strict_mailbox_ownership;
            let owner = if strict { Owner::Ourselves } else { Owner::Anybody };
            let locks = locks(&settings.mailbox_delivery_lock, settings);
            let place = store_mbox::Place {
                path: &path,
                locks: &locks,
                owner,
                spool,
            };
            write_mbox(letter, &place, (&whose, settings.mailbox_size_limit))
        }
    }
}

/// Writes a message to `/file/name` of an alias or a `.forward`.
pub(crate) fn deliver_file(
    letter: &Letter<'_>,
    (path, rights): (&Path, &Rights),
    settings: &Postfix,
) -> Written {
    let limit = settings.mailbox_size_limit;
    let whose = Whose {
        kind: Business::File,
        rights,
    };
    if ends_in_slash(path) {
        return write_maildir(letter, path, (&whose, limit), settings);
    }
    // What can be run would be given mail to run.
    let is_program = |meta: &std::fs::Metadata| meta.is_file() && meta.permissions().mode() & 0o111 != 0;
    if std::fs::metadata(path).is_ok_and(|meta| is_program(&meta)) {
        let text = format!("{}file is executable", cannot(path, &whose));
        return (bounced(StatusCode::permanent(7, 1), text), Vec::new());
    }
    // /dev/null and its like hold no mailbox.
    if std::fs::metadata(path).is_ok_and(|meta| meta.file_type().is_char_device()) {
        let written = OpenOptions::new()
            .append(true)
            .open(path)
            .and_then(|mut device| std::io::copy(&mut letter.reader(), &mut device));
        return match written {
            Ok(_) => (sent(format!("delivered to file: {}", path.display())), Vec::new()),
            Err(error) => (
                not_written((path, &whose), Some(error.kind()), &os::words(&error)),
                Vec::new(),
            ),
        };
    }
    let locks = locks(&settings.mailbox_delivery_lock, settings);
    let place = store_mbox::Place {
        path,
        locks: &locks,
        owner: Owner::Anybody,
        spool: None,
    };
    write_mbox(letter, &place, (&whose, limit))
}

/// The virtual mailbox `name` below `virtual_mailbox_base`.
pub(crate) fn virtual_place(name: &Path, settings: &Postfix) -> PathBuf {
    let base = &settings.virtual_mailbox_base;
    let relative = name.strip_prefix("/").unwrap_or(name);
    match base.as_os_str().is_empty() {
        true => name.to_owned(),
        false => base.join(relative),
    }
}

/// Writes a message to the virtual mailbox `name` below `virtual_mailbox_base` (virtual(8)).
pub(crate) fn deliver_virtual(
    letter: &Letter<'_>,
    (name, rights): (&Path, &Rights),
    settings: &Postfix,
) -> Written {
    let whose = Whose {
        kind: Business::Virtual,
        rights,
    };
    // Never above the base, whatever a table says.
    let is_below = name
        .components()
        .all(|part| !matches!(part, Component::ParentDir));
    let path = virtual_place(name, settings);
    let (mut outcome, warnings) = if !is_below || !path.is_absolute() {
        (misconfigured(), Vec::new())
    } else if ends_in_slash(name) {
        write_maildir(letter, &path, (&whose, settings.virtual_mailbox_limit), settings)
    } else {
        let locks = locks(&settings.virtual_mailbox_lock, settings);
        let strict = settings.strict_mailbox_ownership;
        let owner = if strict { Owner::Ourselves } else { Owner::Anybody };
        let place = store_mbox::Place {
            path: &path,
            locks: &locks,
            owner,
            spool: None,
        };
        write_mbox(letter, &place, (&whose, settings.virtual_mailbox_limit))
    };
    outcome.relay = "virtual".to_owned();
    (outcome, warnings)
}

/// An outcome, and what the administrator is told.
pub(crate) type Written = (Outcome, Vec<String>);

/// Whose mailbox it is, for the words of an outcome.
struct Whose<'a> {
    kind: Business<'a>,
    rights: &'a Rights,
}

enum Business<'a> {
    User(&'a str),
    File,
    Virtual,
}

fn write_maildir(
    letter: &Letter<'_>,
    path: &Path,
    (whose, limit): (&Whose<'_>, u64),
    settings: &Postfix,
) -> Written {
    let size = letter.size_bytes();
    if limit > 0 && size > limit {
        return (too_large(path, whose), Vec::new());
    }
    match maildirsize::has_room(path, size) {
        Ok(true) => {}
        Ok(false) => return (over_quota(path, whose), Vec::new()),
        Err(error) => {
            let outcome = not_written((path, whose), Some(error.kind()), &os::words(&error));
            return (outcome, Vec::new());
        }
    }
    match store_maildir::deliver(path, &mut letter.reader(), &settings.myhostname) {
        Ok(delivered) => {
            let came = Amount {
                bytes: i64::try_from(delivered.file_bytes).unwrap_or(i64::MAX),
                messages: 1,
            };
            maildirsize::add(path, came);
            (sent("delivered to maildir"), Vec::new())
        }
        Err(error) => maildir_failed((path, whose), &error),
    }
}

fn maildir_failed((path, whose): (&Path, &Whose<'_>), error: &::mailbox::Error) -> Written {
    let ::mailbox::Error::Io { source, .. } = error else {
        return (not_written((path, whose), None, error), Vec::new());
    };
    let directory = path.display().to_string();
    let directory = directory.trim_end_matches('/');
    let why = format!("create maildir file {directory}/tmp/: {}", os::words(source));
    let kind = source.kind();
    let outcome = given_up_or_kept(whose, kind, format!("maildir delivery failed: {why}"));
    let warnings = match kind {
        ErrorKind::PermissionDenied => vec![
            format!(
                "maildir access problem for UID/GID={}/{}: {why}",
                whose.rights.uid, whose.rights.gid
            ),
            "perhaps you need to create the maildirs in advance".to_owned(),
        ],
        _ => Vec::new(),
    };
    (outcome, warnings)
}

fn write_mbox(
    letter: &Letter<'_>,
    place: &store_mbox::Place<'_>,
    (whose, limit): (&Whose<'_>, u64),
) -> Written {
    let path = place.path;
    let before = std::fs::metadata(path).map_or(0, |file| file.len());
    if limit > 0 && before + letter.size_bytes() > limit {
        return (too_large(path, whose), Vec::new());
    }
    match store_mbox::append(place, &letter.from_line, &mut letter.reader()) {
        Ok(()) => {
            let text = match whose.kind {
                Business::File => format!("delivered to file: {}", path.display()),
                _ => "delivered to mailbox".to_owned(),
            };
            (sent(text), Vec::new())
        }
        Err(error) => mbox_failed((place, whose), &error),
    }
}

fn mbox_failed((place, whose): (&store_mbox::Place<'_>, &Whose<'_>), error: &store_mbox::Error) -> Written {
    use store_mbox::Error;
    let path = place.path;
    let said = |why: &str| format!("{}{why}", cannot(path, whose));
    let lock = format!("unable to create lock file {}.lock", path.display());
    let not_owned = || {
        let text = said(&Error::NotOwned(path.to_owned()).to_string());
        let hint = "specify \"strict_mailbox_ownership = no\" to ignore mailbox ownership mismatch";
        (deferred(StatusCode::temporary(2, 0), text), vec![hint.to_owned()])
    };
    match error {
        Error::NotAMailbox(_, why) => (bounced(StatusCode::permanent(2, 0), said(why)), Vec::new()),
        Error::HardLinks(_, _) => {
            let text = said(&error.to_string());
            (bounced(StatusCode::permanent(2, 0), text), Vec::new())
        }
        Error::NotOwned(_) => not_owned(),
        Error::Locked(_) => {
            let text = said(&format!("{lock}: File exists"));
            (deferred(StatusCode::temporary(2, 0), text), Vec::new())
        }
        Error::Io { what, source } => {
            let (kind, words) = (source.kind(), os::words(source));
            let is_there = path.symlink_metadata().is_ok();
            if kind == ErrorKind::PermissionDenied
                && is_there
                && place.owner == Owner::Ourselves
                && is_others(path)
            {
                return not_owned();
            }
            if kind == ErrorKind::IsADirectory || is_there && kind == ErrorKind::PermissionDenied {
                let text = said(&format!("cannot open file: {words}"));
                return (bounced(StatusCode::permanent(2, 0), text), Vec::new());
            }
            let is_missing = !is_there && what.starts_with("create ");
            match (is_missing, &whose.kind) {
                (true, Business::File) => {
                    let outcome = given_up_or_kept(
                        whose,
                        kind,
                        said(&format!("cannot create file exclusively: {words}")),
                    );
                    (outcome, vec![format!("{lock}: {words}")])
                }
                (true, _) => (
                    given_up_or_kept(whose, kind, said(&format!("{lock}: {words}"))),
                    Vec::new(),
                ),
                (false, _) => (
                    given_up_or_kept(whose, kind, said(&format!("cannot {what}: {words}"))),
                    Vec::new(),
                ),
            }
        }
        Error::Replaced(_) => (not_written((path, whose), None, error), Vec::new()),
    }
}

/// Whether a file is another user's, not looking through links.
fn is_others(path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let own = os::Identity::current().uid;
    path.symlink_metadata()
        .is_ok_and(|meta| !meta.is_symlink() && meta.uid() != own)
}

/// A lock's kinds and its patience.
fn locks(kinds: &[MailboxLock], settings: &Postfix) -> Locks {
    let kinds = kinds.iter().map(|lock| match lock {
        MailboxLock::Fcntl => LockKind::Fcntl,
        MailboxLock::Flock => LockKind::Flock,
        MailboxLock::Dotlock => LockKind::Dotlock,
    });
    let attempts = u32::try_from(settings.deliver_lock_attempts).unwrap_or(u32::MAX);
    Locks {
        kinds: kinds.collect(),
        for_reading: Vec::new(),
        tries: Tries {
            attempts,
            pause: settings.deliver_lock_delay,
        },
        stale_after: settings.stale_lock_time,
    }
}

/// What could not be done, up to the reason.
fn cannot(path: &Path, whose: &Whose<'_>) -> String {
    match whose.kind {
        Business::User(name) => format!("cannot update mailbox {} for user {name}. ", path.display()),
        Business::Virtual => format!("delivery failed to mailbox {}: ", path.display()),
        Business::File => format!("cannot append message to file {}: ", path.display()),
    }
}

fn too_large(path: &Path, whose: &Whose<'_>) -> Outcome {
    let text = format!("{}error writing message: File too large", cannot(path, whose));
    diagnosed(bounced(StatusCode::permanent(2, 2), text), "input/output error")
}

fn over_quota(path: &Path, whose: &Whose<'_>) -> Outcome {
    let text = match whose.kind {
        Business::User(name) => format!("mailbox of user {name} is full: quota exceeded"),
        Business::Virtual => "mailbox is full: quota exceeded".to_owned(),
        Business::File => format!("maildir {} is full: quota exceeded", path.display()),
    };
    bounced(StatusCode::permanent(2, 2), text)
}

fn not_written(
    (path, whose): (&Path, &Whose<'_>),
    kind: Option<ErrorKind>,
    error: &dyn std::fmt::Display,
) -> Outcome {
    let text = format!("{}{error}", cannot(path, whose));
    given_up_or_kept(whose, kind.unwrap_or(ErrorKind::Other), text)
}

/// What an alias or a `.forward` names is for its writer to mend; nobody waits for that. A mailbox that is not there may come
/// back.
fn given_up_or_kept(whose: &Whose<'_>, kind: ErrorKind, text: String) -> Outcome {
    let is_theirs = matches!(
        kind,
        ErrorKind::NotFound
            | ErrorKind::NotADirectory
            | ErrorKind::PermissionDenied
            | ErrorKind::InvalidInput
    );
    match whose.kind {
        Business::File if is_theirs => bounced(StatusCode::permanent(2, 0), text),
        _ => deferred(StatusCode::temporary(2, 0), text),
    }
}
