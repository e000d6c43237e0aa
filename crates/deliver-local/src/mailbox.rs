//! Writing mailboxes and files: `home_mailbox` below the home directory, else a file named after the user in
//! `mail_spool_directory`; files that aliases name; virtual mailboxes. A name that ends in `/` is a Maildir, any other an mbox.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Read};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileTypeExt;
use std::path::{Component, Path, PathBuf};

use envelope::{DeliveryResult, Outcome, StatusCode};
use os::locks::Tries;
use settings::{MailboxLock, Postfix};
use store_maildir::maildirsize::{self, Amount};
use store_mbox::keeper::{Keeper, Spool};
use store_mbox::{LockKind, Locks, Owner};

use crate::Content;
use crate::outcomes::{bounced, deferred, misconfigured, sent};
use crate::task::Rights;

/// A place for mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// A Maildir.
    Maildir(PathBuf),
    /// An mbox file.
    Mbox(PathBuf),
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
fn home_is_missing(name: &str, home: Option<&Path>, settings: &Postfix) -> Option<String> {
    if !settings.require_home_directory || home.is_some_and(Path::is_dir) {
        return None;
    }
    let home = home.unwrap_or(Path::new("none"));
    Some(format!(
        "cannot find home directory {} of user {name}",
        home.display()
    ))
}

/// Writes a message into the mailbox of the user `name`.
pub(crate) fn deliver(
    letter: &Letter<'_>,
    (name, rights): (&str, &Rights),
    (settings, keeper): (&Postfix, &dyn Keeper),
) -> Outcome {
    let home = rights.home.as_deref();
    // A name is one file in the spool, and nothing above it.
    let is_name = matches!(
        Path::new(name).components().collect::<Vec<_>>()[..],
        [Component::Normal(_)]
    );
    if !is_name {
        return bounced(StatusCode::permanent(1, 1), format!("unknown user: \"{name}\""));
    }
    if let Some(why) = home_is_missing(name, home, settings) {
        return deferred(StatusCode::temporary(2, 0), why);
    }
    let place = match place_of(name, home, settings) {
        Ok(place) => place,
        Err(why) => return deferred(StatusCode::temporary(2, 0), why),
    };
    let whose = Whose::User(name);
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
pub(crate) fn deliver_file(letter: &Letter<'_>, path: &Path, settings: &Postfix) -> Outcome {
    let limit = settings.mailbox_size_limit;
    if ends_in_slash(path) {
        return write_maildir(letter, path, (&Whose::File, limit), settings);
    }
    // /dev/null and its like hold no mailbox.
    if std::fs::metadata(path).is_ok_and(|meta| meta.file_type().is_char_device()) {
        let written = OpenOptions::new()
            .append(true)
            .open(path)
            .and_then(|mut device| std::io::copy(&mut letter.reader(), &mut device));
        return match written {
            Ok(_) => sent(format!("delivered to file: {}", path.display())),
            Err(error) => not_written((path, &Whose::File), Some(error.kind()), &os::words(&error)),
        };
    }
    let locks = locks(&settings.mailbox_delivery_lock, settings);
    let place = store_mbox::Place {
        path,
        locks: &locks,
        owner: Owner::Anybody,
        spool: None,
    };
    write_mbox(letter, &place, (&Whose::File, limit))
}

/// Writes a message to the virtual mailbox `name` below `virtual_mailbox_base` (virtual(8)).
pub(crate) fn deliver_virtual(letter: &Letter<'_>, name: &Path, settings: &Postfix) -> Outcome {
    // Never above the base, whatever a table says.
    let is_below = name
        .components()
        .all(|part| !matches!(part, Component::ParentDir));
    let base = &settings.virtual_mailbox_base;
    let relative = name.strip_prefix("/").unwrap_or(name);
    let path = if base.as_os_str().is_empty() {
        name.to_owned()
    } else {
        base.join(relative)
    };
    let mut outcome = if !is_below || !path.is_absolute() {
        misconfigured()
    } else if ends_in_slash(name) {
        write_maildir(
            letter,
            &path,
            (&Whose::Virtual, settings.virtual_mailbox_limit),
            settings,
        )
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
        write_mbox(letter, &place, (&Whose::Virtual, settings.virtual_mailbox_limit))
    };
    outcome.relay = "virtual".to_owned();
    outcome
}

/// Whose mailbox it is, for the words of an outcome.
enum Whose<'a> {
    User(&'a str),
    File,
    Virtual,
}

fn write_maildir(
    letter: &Letter<'_>,
    path: &Path,
    (whose, limit): (&Whose<'_>, u64),
    settings: &Postfix,
) -> Outcome {
    let size = letter.size_bytes();
    if limit > 0 && size > limit {
        return too_large(path, whose);
    }
    match maildirsize::has_room(path, size) {
        Ok(true) => {}
        Ok(false) => return over_quota(path, whose),
        Err(error) => return not_written((path, whose), Some(error.kind()), &os::words(&error)),
    }
    match store_maildir::deliver(path, &mut letter.reader(), &settings.myhostname) {
        Ok(delivered) => {
            let taken = std::fs::metadata(&delivered.path).map_or(size, |meta| meta.len());
            let came = Amount {
                bytes: i64::try_from(taken).unwrap_or(i64::MAX),
                messages: 1,
            };
            maildirsize::add(path, came);
            sent("delivered to maildir")
        }
        Err(error) => {
            let kind = match &error {
                ::mailbox::Error::Io { source, .. } => Some(source.kind()),
                _ => None,
            };
            not_written((path, whose), kind, &error)
        }
    }
}

fn write_mbox(
    letter: &Letter<'_>,
    place: &store_mbox::Place<'_>,
    (whose, limit): (&Whose<'_>, u64),
) -> Outcome {
    let path = place.path;
    let before = std::fs::metadata(path).map_or(0, |file| file.len());
    if limit > 0 && before + letter.size_bytes() > limit {
        return too_large(path, whose);
    }
    match store_mbox::append(place, &letter.from_line, &mut letter.reader()) {
        Ok(()) => sent(match whose {
            Whose::File => format!("delivered to file: {}", path.display()),
            _ => "delivered to mailbox".to_owned(),
        }),
        Err(store_mbox::Error::NotAMailbox(_, why)) => {
            let text = format!("{}. {why}", cannot(path, whose));
            bounced(StatusCode::permanent(2, 0), text)
        }
        Err(error) if error.io_kind() == Some(ErrorKind::IsADirectory) => {
            let text = format!("{}. cannot open file: Is a directory", cannot(path, whose));
            bounced(StatusCode::permanent(2, 0), text)
        }
        Err(error) => not_written((path, whose), error.io_kind(), &error),
    }
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

fn cannot(path: &Path, whose: &Whose<'_>) -> String {
    match whose {
        Whose::User(name) => format!("cannot update mailbox {} for user {name}", path.display()),
        Whose::Virtual => format!("cannot update mailbox {}", path.display()),
        Whose::File => format!("cannot append message to file {}", path.display()),
    }
}

fn too_large(path: &Path, whose: &Whose<'_>) -> Outcome {
    let text = match whose {
        Whose::User(name) => format!("mailbox of user {name} would be over mailbox_size_limit"),
        Whose::Virtual => "mailbox would be over virtual_mailbox_limit".to_owned(),
        Whose::File => format!("file {} would be over mailbox_size_limit", path.display()),
    };
    bounced(StatusCode::permanent(2, 2), text)
}

fn over_quota(path: &Path, whose: &Whose<'_>) -> Outcome {
    let text = match whose {
        Whose::User(name) => format!("mailbox of user {name} is full: quota exceeded"),
        Whose::Virtual => "mailbox is full: quota exceeded".to_owned(),
        Whose::File => format!("maildir {} is full: quota exceeded", path.display()),
    };
    bounced(StatusCode::permanent(2, 2), text)
}

fn not_written(
    (path, whose): (&Path, &Whose<'_>),
    kind: Option<ErrorKind>,
    error: &dyn std::fmt::Display,
) -> Outcome {
    let text = format!("{}. {error}", cannot(path, whose));
    // What an alias or a .forward names is for its writer to mend; nobody waits for that.
    let is_theirs = matches!(
        kind,
        Some(
            ErrorKind::NotFound
                | ErrorKind::NotADirectory
                | ErrorKind::PermissionDenied
                | ErrorKind::InvalidInput
        )
    );
    let result = match whose {
        Whose::File if is_theirs => bounced(StatusCode::permanent(2, 0), text),
        _ => deferred(StatusCode::temporary(2, 0), text),
    };
    debug_assert!(result.result != DeliveryResult::Sent);
    result
}
