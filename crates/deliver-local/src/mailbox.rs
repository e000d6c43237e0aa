//! Which mailbox a user has, and writing it: `home_mailbox` below the home directory, else a file named after the
//! user in `mail_spool_directory`. A name that ends in `/` is a Maildir, any other an mbox.

use std::io::{ErrorKind, Read};
use std::path::PathBuf;

use envelope::{Outcome, StatusCode};
use message::date::Date;
use message::mbox::FromLine;
use os::locks::Tries;
use settings::{MailboxLock, Postfix};
use store_mbox::{LockKind, Locks};

use crate::{Job, User, bounced, deferred, sent};

/// A place for mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// A Maildir.
    Maildir(PathBuf),
    /// An mbox file.
    Mbox(PathBuf),
}

/// The mailbox of `user`.
///
/// # Errors
/// Why there is none now: the home directory is needed and not there.
pub fn place_of(user: &User, settings: &Postfix) -> Result<Place, String> {
    let home_mailbox = settings.home_mailbox.as_str();
    if home_mailbox.is_empty() {
        let spool = &settings.mail_spool_directory;
        // `mail_spool_directory = /var/mail/` with a slash at its end means a Maildir for each user.
        let is_maildir = spool.as_os_str().as_encoded_bytes().ends_with(b"/");
        let path = spool.join(&user.name);
        return Ok(if is_maildir {
            Place::Maildir(path)
        } else {
            Place::Mbox(path)
        });
    }
    let Some(home) = &user.home else {
        return Err(format!(
            "user {} has no home directory, but home_mailbox needs one",
            user.name
        ));
    };
    if !home.is_dir() {
        return Err(format!(
            "home directory {} of user {} is not there",
            home.display(),
            user.name
        ));
    }
    let path = home.join(home_mailbox.trim_end_matches('/'));
    Ok(if home_mailbox.ends_with('/') {
        Place::Maildir(path)
    } else {
        Place::Mbox(path)
    })
}

/// `require_home_directory`: why delivery must wait, if it must.
fn home_is_missing(user: &User, settings: &Postfix) -> Option<String> {
    if !settings.require_home_directory || user.home.as_ref().is_some_and(|home| home.is_dir()) {
        return None;
    }
    let home = user.home.as_deref().unwrap_or(std::path::Path::new("none"));
    Some(format!(
        "cannot find home directory {} of user {}",
        home.display(),
        user.name
    ))
}

/// Writes the message with `header` on top into the mailbox of `user`.
pub(crate) fn deliver(job: &Job<'_>, user: &User, settings: &Postfix, header: &str) -> Outcome {
    if let Some(why) = home_is_missing(user, settings) {
        return deferred(StatusCode::temporary(2, 0), why);
    }
    let place = match place_of(user, settings) {
        Ok(place) => place,
        Err(why) => return deferred(StatusCode::temporary(2, 0), why),
    };
    let size = job.content.size_bytes() + header.len() as u64;
    let limit = settings.mailbox_size_limit;
    let mut content = header.as_bytes().chain(job.content.reader());
    match place {
        Place::Maildir(_) if limit > 0 && size > limit => too_large(user),
        Place::Maildir(path) => match store_maildir::deliver(&path, &mut content, &settings.myhostname) {
            Ok(_) => sent("delivered to maildir"),
            Err(error) => not_written(&path, user, &error),
        },
        Place::Mbox(path) => {
            let before = std::fs::metadata(&path).map_or(0, |file| file.len());
            if limit > 0 && before + size > limit {
                return too_large(user);
            }
            let date = Date {
                secs: job.now_secs,
                offset_secs: local_offset_secs(job.now_secs),
            };
            let from_line = FromLine::display(job.sender, date);
            match store_mbox::deliver(&path, &from_line, &mut content, &locks(settings)) {
                Ok(()) => sent("delivered to mailbox"),
                Err(store_mbox::Error::NotAMailbox(_, why)) => not_a_mailbox(&path, user, why),
                Err(error) if error.io_kind() == Some(ErrorKind::IsADirectory) => {
                    not_a_mailbox(&path, user, "cannot open file: Is a directory")
                }
                Err(error) => not_written(&path, user, &error),
            }
        }
    }
}

/// Mail is never written there, as long as the file is what it is.
fn not_a_mailbox(path: &std::path::Path, user: &User, why: &str) -> Outcome {
    let text = format!(
        "cannot update mailbox {} for user {}. {why}",
        path.display(),
        user.name
    );
    bounced(StatusCode::permanent(2, 0), text)
}

/// `mailbox_delivery_lock` and its patience.
fn locks(settings: &Postfix) -> Locks {
    let kinds = settings.mailbox_delivery_lock.iter().map(|lock| match lock {
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

/// Seconds east of Greenwich, here and then.
fn local_offset_secs(now_secs: i64) -> i32 {
    let moment = jiff::Timestamp::from_second(now_secs).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    jiff::tz::TimeZone::system().to_offset(moment).seconds()
}

fn too_large(user: &User) -> Outcome {
    bounced(
        StatusCode::permanent(2, 2),
        format!("mailbox of user {} would be over mailbox_size_limit", user.name),
    )
}

fn not_written(path: &std::path::Path, user: &User, error: &dyn std::fmt::Display) -> Outcome {
    let text = format!(
        "cannot update mailbox {} for user {}. {error}",
        path.display(),
        user.name
    );
    deferred(StatusCode::temporary(2, 0), text)
}
