//! The names by which a user calls folders: `%`, `%user`, `#`, `&`, `+name`, `~/name`, and files named after people.

/// What the names mean for one user.
pub(super) struct Places<'a> {
    /// The home directory.
    pub(super) home: &'a str,
    /// The system mailbox.
    pub(super) spool: &'a str,
    /// The user's mbox.
    pub(super) mbox: &'a str,
    /// The variable `folder`: where `+name` lies, below the home directory unless it starts with `/`.
    pub(super) folder: &'a str,
    /// The folder that was open before this one.
    pub(super) previous: Option<&'a str>,
    /// The system mailbox of another user; `None` when there is no such user.
    pub(super) mailbox_of: &'a dyn Fn(&str) -> Option<String>,
}

/// The file that a name means.
///
/// # Errors
/// What the user reads.
pub(super) fn file_of(name: &str, places: &Places<'_>) -> Result<String, String> {
    let home = places.home;
    match name {
        "&" => return Ok(places.mbox.to_owned()),
        "%" => return Ok(places.spool.to_owned()),
        "#" => {
            return places
                .previous
                .map(str::to_owned)
                .ok_or_else(|| "No previous file".to_owned());
        }
        "~" => return Ok(home.to_owned()),
        _ => {}
    }
    if let Some(rest) = name.strip_prefix("~/") {
        return Ok(format!("{home}/{rest}"));
    }
    if let Some(rest) = name.strip_prefix('+') {
        return Ok(format!("{}/{rest}", folder_directory(places)));
    }
    if let Some(user) = name.strip_prefix('%') {
        return (places.mailbox_of)(user).ok_or_else(|| format!("\"{user}\" is not a user of this system"));
    }
    Ok(name.to_owned())
}

fn folder_directory(places: &Places<'_>) -> String {
    let below = places.folder.strip_prefix("~/").unwrap_or(places.folder);
    let directory = match below.starts_with('/') {
        true => below.to_owned(),
        false => format!("{}/{below}", places.home),
    };
    directory.trim_end_matches('/').to_owned()
}

/// The file that `Save`, `Copy` and `Followup` name after the owner of an address; `+` before it when files of sent and
/// saved mail lie in the folder directory (`outfolder`).
///
/// # Errors
/// When the name would be another file than one of that name: it was written by a stranger.
pub(super) fn file_for(address: &str, is_in_folder: bool) -> Result<String, String> {
    let local = match address.rsplit_once('@') {
        Some((local, _)) => local,
        None => address,
    };
    let is_plain = |c: char| c.is_alphanumeric() || "._-+=".contains(c);
    if !local.starts_with(char::is_alphanumeric) || !local.chars().all(is_plain) {
        return Err(format!("cannot name a file after \"{address}\""));
    }
    Ok(match is_in_folder {
        true => format!("+{local}"),
        false => local.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_folders() {
        let mailbox_of = |user: &str| (user == "eve").then(|| "/var/mail/eve".to_owned());
        let mut places = Places {
            home: "/home/ann",
            spool: "/var/mail/ann",
            mbox: "/home/ann/mbox",
            folder: "Mail",
            previous: None,
            mailbox_of: &mailbox_of,
        };
        for (name, file) in [
            ("%", "/var/mail/ann"),
            ("%eve", "/var/mail/eve"),
            ("&", "/home/ann/mbox"),
            ("+x/y", "/home/ann/Mail/x/y"),
            ("~/x", "/home/ann/x"),
            ("~", "/home/ann"),
            ("x+y", "x+y"),
        ] {
            assert_eq!(file_of(name, &places).as_deref(), Ok(file), "{name}");
        }
        assert_eq!(file_of("#", &places).unwrap_err(), "No previous file");
        assert!(
            file_of("%nobody-here", &places)
                .unwrap_err()
                .contains("nobody-here")
        );
        (places.previous, places.folder) = (Some("before"), "/srv/mail/");
        assert_eq!(file_of("#", &places).as_deref(), Ok("before"));
        assert_eq!(file_of("+x", &places).as_deref(), Ok("/srv/mail/x"));
    }

    #[test]
    fn a_stranger_does_not_choose_the_file() {
        assert_eq!(file_for("ann.b@x", false).as_deref(), Ok("ann.b"));
        assert_eq!(file_for("ann@x", true).as_deref(), Ok("+ann"));
        for address in [
            ".bashrc@x",
            "/etc/passwd",
            "\"../x\"@y",
            "@x",
            "|cat@x",
            "+x@y",
            "a/b@x",
        ] {
            assert!(file_for(address, false).is_err(), "{address}");
        }
    }
}
