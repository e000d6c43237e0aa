//! Where an account's mail is: `mail_location` (`maildir:~/Maildir`, `mbox:~/mail:INBOX=/var/mail/alice`).

use std::path::{Path, PathBuf};

/// A parsed location.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Location {
    /// A Maildir++ directory.
    Maildir {
        /// The maildir of INBOX.
        root: PathBuf,
    },
    /// mbox files below a directory, with INBOX in a file of its own.
    Mbox {
        /// Where the folders are.
        root: PathBuf,
        /// The file of INBOX.
        inbox: PathBuf,
    },
}

impl Location {
    /// The separator where no setting says another one.
    pub fn usual_separator(&self) -> char {
        match self {
            Location::Maildir { .. } => '.',
            Location::Mbox { .. } => '/',
        }
    }
}

/// Why a location cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// `~` without a home directory.
    #[error("mail_location {0}: the user has no home directory")]
    NoHome(String),
    /// A format that is not there.
    #[error("mail_location {0}: the format \"{1}\" is not there; write maildir: or mbox:")]
    Format(String, String),
    /// An option that changes where things are and is not there yet.
    #[error("mail_location {0}: {1} is not there yet")]
    NotYet(String, String),
    /// Nothing is configured and nothing was found.
    #[error("mail_location is not set and user {0} has no mail in the usual places")]
    Nowhere(String),
}

/// Reads a location; `~` is `home`. An empty text looks in the places where Dovecot looks.
///
/// # Errors
/// The [`Error`] says what to write instead.
pub fn parse(text: &str, user: &str, home: Option<&Path>) -> Result<Location, Error> {
    if text.is_empty() || text == "auto" {
        return detect(user, home);
    }
    let whole = || text.to_owned();
    let (format, rest) = text
        .split_once(':')
        .ok_or_else(|| Error::Format(whole(), whole()))?;
    let mut parts = rest.split(':');
    let expand = |path: &str| in_home(path, home).ok_or_else(|| Error::NoHome(whole()));
    let root = expand(parts.next().unwrap_or_default())?;
    let mut inbox = None;
    for part in parts {
        match part.split_once('=') {
            Some(("INBOX", path)) => inbox = Some(expand(path)?),
            Some(("LAYOUT", "maildir++" | "Maildir++")) if format == "maildir" => {}
            Some(("LAYOUT", "fs")) if format == "mbox" => {}
            // Where indexes lie changes nothing of the mail; ours lie beside it.
            Some(("INDEX" | "INDEXPVT" | "CONTROL", _)) => {}
            _ => return Err(Error::NotYet(whole(), part.to_owned())),
        }
    }
    match format {
        "maildir" => match inbox {
            Some(inbox) if inbox != root => Err(Error::NotYet(whole(), "INBOX=".to_owned())),
            _ => Ok(Location::Maildir { root }),
        },
        "mbox" => Ok(Location::Mbox {
            inbox: inbox.unwrap_or_else(|| root.join("inbox")),
            root,
        }),
        format => Err(Error::Format(whole(), format.to_owned())),
    }
}

fn in_home(path: &str, home: Option<&Path>) -> Option<PathBuf> {
    match path.strip_prefix('~') {
        None => Some(PathBuf::from(path)),
        Some(rest) => home.map(|home| home.join(rest.trim_start_matches('/'))),
    }
}

/// `~/Maildir`, then `~/mail` with `/var/mail/USER`.
fn detect(user: &str, home: Option<&Path>) -> Result<Location, Error> {
    let home = home.ok_or_else(|| Error::Nowhere(user.to_owned()))?;
    let maildir = home.join("Maildir");
    if maildir.is_dir() {
        return Ok(Location::Maildir { root: maildir });
    }
    let (folders, inbox) = (home.join("mail"), Path::new("/var/mail").join(user));
    if folders.is_dir() || inbox.is_file() {
        return Ok(Location::Mbox { root: folders, inbox });
    }
    Err(Error::Nowhere(user.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locations_are_read() {
        let home = Some(Path::new("/home/a"));
        let maildir = parse("maildir:~/Maildir", "a", home);
        assert_eq!(
            maildir,
            Ok(Location::Maildir {
                root: "/home/a/Maildir".into()
            })
        );
        let mbox = parse("mbox:~/mail:INBOX=/var/mail/a:INDEX=/x", "a", home);
        assert_eq!(
            mbox,
            Ok(Location::Mbox {
                root: "/home/a/mail".into(),
                inbox: "/var/mail/a".into()
            })
        );
        assert!(matches!(parse("mdbox:~/m", "a", home), Err(Error::Format(..))));
        assert!(matches!(
            parse("maildir:~/m:LAYOUT=fs", "a", home),
            Err(Error::NotYet(..))
        ));
        assert!(matches!(parse("maildir:~/m", "a", None), Err(Error::NoHome(_))));
    }
}
