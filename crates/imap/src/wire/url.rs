//! IMAP URLs (RFC 5092), with authorisation (RFC 4467) and partial ranges (RFC 5550 §4.1): from text to what they name.

use super::date;

/// The longest URL, in octets.
pub const URL_BYTES_MAX: usize = 8 * 1024;
/// The shortest token, in octets of hexadecimal digits: 128 bits (RFC 4467 §3).
pub const TOKEN_DIGITS_MIN: usize = 32;

/// What reading a URL gives; the error is what is wrong with it.
pub type Result<T> = std::result::Result<T, String>;

/// A URL.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Url {
    /// Where it points; none in a relative URL.
    pub server: Option<Server>,
    /// Whether the path begins with a slash.
    pub is_rooted: bool,
    /// The mailbox in UTF-8; none where the path has none.
    pub mailbox: Option<String>,
    /// Which UIDVALIDITY it must have.
    pub uid_validity: Option<u32>,
    /// The message.
    pub uid: Option<u32>,
    /// The section of it, as FETCH would have it within brackets.
    pub section: Option<Vec<u8>>,
    /// The first octet, and how many (all that follow where that is not said).
    pub partial: Option<(u64, Option<u64>)>,
    /// When it becomes void, seconds since the Unix epoch.
    pub expires_secs: Option<i64>,
    /// Who may use it; none where no authorisation is spoken of.
    pub access: Option<Access>,
    /// How many octets of the text stand before mechanism and token.
    pub rump_bytes: usize,
    /// The mechanism and its token, in digits, where they are there.
    pub token: Option<(String, String)>,
}

/// The server of a URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// The user, if one is named.
    pub user: Option<String>,
    /// The host, as written.
    pub host: String,
    /// The port; 143 where none is named.
    pub port: u16,
}

/// Who may use a URL with authorisation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Access {
    /// Anybody.
    Anonymous,
    /// Any user of this server.
    AuthUser,
    /// `application+user`: `user`, `submit` …
    User(String, String),
}

impl Url {
    /// Reads a URL.
    ///
    /// # Errors
    /// What is wrong with it, in Dovecot's words.
    pub fn parse(text: &[u8]) -> Result<Url> {
        let text = std::str::from_utf8(text)
            .ok()
            .filter(|text| {
                text.len() <= URL_BYTES_MAX && text.bytes().all(|octet| octet > b' ' && octet < 0x7f)
            })
            .ok_or("Invalid character in URL")?;
        let mut url = Url::default();
        let path = match scheme(text) {
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("imap") => {
                let rest = rest
                    .strip_prefix("//")
                    .ok_or("Absolute IMAP URL requires `//' after `imap:'")?;
                let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
                url.server = Some(Server::parse(authority)?);
                path
            }
            Some(_) => return Err("Not an IMAP URL".to_owned()),
            None => text
                .strip_prefix("//")
                .map_or(Ok(text), |_| Err("Not an IMAP URL"))?,
        };
        let path = url.take_authorisation(text, path)?;
        url.take_path(path)?;
        Ok(url)
    }

    /// Takes `;EXPIRE=…;URLAUTH=…` from the end; returns what stands before it.
    fn take_authorisation<'a>(&mut self, text: &str, path: &'a str) -> Result<&'a str> {
        let message = find(path, ";UID=").map_or("", |at| &path[at..]);
        let Some(at) = find(message, ";URLAUTH=").map(|at| path.len() - message.len() + at) else {
            return match find(message, ";EXPIRE=") {
                Some(_) => Err("`;EXPIRE=' without `;URLAUTH='".to_owned()),
                None => Ok(path),
            };
        };
        let value = &path[at + ";URLAUTH=".len()..];
        let mut words = value.splitn(3, ':');
        let access = words.next().unwrap_or_default();
        self.access = Some(Access::parse(access)?);
        self.rump_bytes = text.len() - value.len() + access.len();
        match (words.next(), words.next()) {
            (Some(mechanism), Some(token)) if !mechanism.is_empty() => {
                if !token.bytes().all(|digit| digit.is_ascii_hexdigit()) {
                    return Err("Invalid URLAUTH token".to_owned());
                }
                if token.len() < TOKEN_DIGITS_MIN {
                    return Err("Too short URLAUTH token".to_owned());
                }
                self.token = Some((mechanism.to_owned(), token.to_owned()));
            }
            (None, _) => {}
            _ => return Err("Invalid URLAUTH verifier".to_owned()),
        }
        let before = &path[..at];
        let Some(at) = find(before, ";EXPIRE=") else {
            return Ok(before);
        };
        let time = &before[at + ";EXPIRE=".len()..];
        self.expires_secs = Some(date::decode_internet_time(time).ok_or("Invalid time in `;EXPIRE='")?);
        Ok(&before[..at])
    }

    /// Reads mailbox, message, section and range.
    fn take_path(&mut self, path: &str) -> Result<()> {
        let end = match find(path, "/;UID=") {
            Some(at) => at,
            None if starts_with(path, ";UID=") => 0,
            None => path.len(),
        };
        let (mailbox, message) = path.split_at(end);
        self.is_rooted = path.starts_with('/');
        self.take_mailbox(mailbox.strip_prefix('/').unwrap_or(mailbox))?;
        for part in message.split('/').filter(|part| !part.is_empty()) {
            self.take_part(part)?;
        }
        Ok(())
    }

    fn take_mailbox(&mut self, text: &str) -> Result<()> {
        let (name, parameters) = text.split_at(text.find(';').unwrap_or(text.len()));
        if !parameters.is_empty() {
            let value = parameters
                .get(..";UIDVALIDITY=".len())
                .filter(|start| start.eq_ignore_ascii_case(";UIDVALIDITY="));
            let value = value.map(|start| &parameters[start.len()..]);
            let value = value.ok_or("Encountered stray ';' in mailbox reference")?;
            self.uid_validity = Some(number(value, "UIDVALIDITY")?);
        }
        let name = name.strip_suffix('/').unwrap_or(name);
        if !name.is_empty() {
            let name = String::from_utf8(decoded(name)?);
            self.mailbox = Some(name.map_err(|_| "Mailbox name is not UTF-8")?);
        }
        Ok(())
    }

    fn take_part(&mut self, part: &str) -> Result<()> {
        let value = |name: &str| starts_with(part, name).then(|| &part[name.len()..]);
        let is_first = self.uid.is_none();
        if let Some(uid) = value(";UID=").filter(|_| is_first) {
            self.uid = Some(number(uid, "UID")?);
        } else if let Some(section) = value(";SECTION=").filter(|_| self.section.is_none()) {
            if section.is_empty() {
                return Err("Empty section".to_owned());
            }
            self.section = Some(decoded(section)?);
        } else if let Some(range) = value(";PARTIAL=").filter(|_| self.partial.is_none()) {
            self.partial = Some(partial(range)?);
        } else {
            return Err("Unexpected part of the path behind `;UID='".to_owned());
        }
        Ok(())
    }
}

impl Server {
    fn parse(authority: &str) -> Result<Server> {
        let (user, place) = match authority.rsplit_once('@') {
            Some((user, place)) => (Some(user), place),
            None => (None, authority),
        };
        let user = match user {
            Some(user) => {
                let (name, _mechanism) = user.split_at(find(user, ";AUTH=").unwrap_or(user.len()));
                let name = String::from_utf8(decoded(name)?).map_err(|_| "User name is not UTF-8")?;
                Some(name).filter(|name| !name.is_empty())
            }
            None => None,
        };
        let (host, port) = match place.rsplit_once(':') {
            Some((host, port)) if !port.is_empty() && !port.contains(']') => {
                (host, port.parse().map_err(|_| "Invalid port number")?)
            }
            _ => (place.strip_suffix(':').unwrap_or(place), 143),
        };
        if host.is_empty() {
            return Err("Missing host name".to_owned());
        }
        Ok(Server {
            user,
            host: host.to_owned(),
            port,
        })
    }
}

impl Access {
    fn parse(text: &str) -> Result<Access> {
        if text.eq_ignore_ascii_case("anonymous") {
            return Ok(Access::Anonymous);
        }
        if text.eq_ignore_ascii_case("authuser") {
            return Ok(Access::AuthUser);
        }
        let (application, user) = text
            .split_once('+')
            .ok_or_else(|| format!("Unknown URLAUTH access `{text}'"))?;
        let user = String::from_utf8(decoded(user)?).map_err(|_| "URLAUTH access user is not UTF-8")?;
        if user.is_empty() {
            return Err(format!(
                "Empty URLAUTH access user for `{application}' application"
            ));
        }
        Ok(Access::User(application.to_ascii_lowercase(), user))
    }
}

/// `scheme:` and what follows, where there is one.
fn scheme(text: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = text.split_once(':')?;
    let is_scheme = scheme.starts_with(|letter: char| letter.is_ascii_alphabetic())
        && scheme
            .bytes()
            .all(|octet| octet.is_ascii_alphanumeric() || b"+-.".contains(&octet));
    is_scheme.then_some((scheme, rest))
}

/// Where a word in capitals stands first, in any case.
fn find(text: &str, word: &str) -> Option<usize> {
    let mut windows = text.as_bytes().windows(word.len());
    windows.position(|window| window.eq_ignore_ascii_case(word.as_bytes()))
}

fn starts_with(text: &str, word: &str) -> bool {
    find(text, word) == Some(0)
}

fn number(text: &str, what: &str) -> Result<u32> {
    let digits = !text.is_empty() && text.bytes().all(|octet| octet.is_ascii_digit());
    match text.parse::<u32>().ok().filter(|_| digits) {
        Some(0) => Err(format!("{what} cannot be zero")),
        Some(number) => Ok(number),
        None => Err(format!("Value '{text}' is not a valid IMAP number")),
    }
}

fn partial(text: &str) -> Result<(u64, Option<u64>)> {
    let number = |text: &str| {
        let digits = !text.is_empty() && text.bytes().all(|octet| octet.is_ascii_digit());
        let number = if digits { text.parse::<u64>().ok() } else { None };
        number.ok_or_else(|| format!("Value '{text}' is not a valid IMAP number"))
    };
    match text.split_once('.') {
        Some((offset, count)) => match number(count)? {
            0 => Err("Partial range of no octets".to_owned()),
            count => Ok((number(offset)?, Some(count))),
        },
        None => Ok((number(text)?, None)),
    }
}

/// Undoes percent-encoding.
fn decoded(text: &str) -> Result<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len());
    let mut letters = text.chars();
    let octet = |letters: &mut std::str::Chars<'_>| {
        let mut value = 0;
        for _ in 0..2 {
            let letter = letters.next();
            match letter.and_then(|letter| letter.to_digit(16)) {
                Some(digit) => value = value << 4 | digit as u8,
                None => {
                    let found = letter.map_or("the end".to_owned(), |letter| format!("'{letter}'"));
                    return Err(format!("Expecting hex digit after '%', but found {found}"));
                }
            }
        }
        match value {
            0 => Err("URL encodes a NUL".to_owned()),
            octet => Ok(octet),
        }
    };
    while let Some(letter) = letters.next() {
        match letter {
            '%' => out.push(octet(&mut letters)?),
            letter => out.push(letter as u8),
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn relative_urls_name_messages() {
        let url = Url::parse(b"/Sent%20mail;UIDVALIDITY=3/;uid=7/;SECTION=1.MIME/;PARTIAL=3.4").unwrap();
        assert_eq!(url.mailbox.as_deref(), Some("Sent mail"));
        assert_eq!(
            (url.uid_validity, url.uid, url.partial),
            (Some(3), Some(7), Some((3, Some(4))))
        );
        assert_eq!(url.section.as_deref(), Some(&b"1.MIME"[..]));
        let url = Url::parse(b";UID=7").unwrap();
        assert!(url.mailbox.is_none() && !url.is_rooted && url.server.is_none());
        assert_eq!(
            Url::parse(b"/a/b/;UID=7").unwrap().mailbox.as_deref(),
            Some("a/b")
        );
    }

    #[test]
    fn a_rump_ends_before_the_mechanism() {
        let rump = "imap://joe@example.com:14300/INBOX/;uid=20/;section=1.2;expire=2006-11-02T22:29:34Z;urlauth=submit+fred";
        let text = format!("{rump}:internal:91354a473744909de610943775f92038");
        let url = Url::parse(text.as_bytes()).unwrap();
        assert_eq!(&text[..url.rump_bytes], rump);
        assert_eq!(url.server.as_ref().map(|server| server.port), Some(14300));
        assert_eq!(url.access, Some(Access::User("submit".into(), "fred".into())));
        assert_eq!(url.expires_secs, Some(1_162_506_574));
        assert_eq!(url.token.unwrap().0, "internal");
        assert!(Url::parse(rump.as_bytes()).unwrap().token.is_none());
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (text, error) in [
            ("http://x/INBOX/;UID=1", "Not an IMAP URL"),
            ("/INBOX/;UID=x", "Value 'x' is not a valid IMAP number"),
            ("%zz", "Expecting hex digit after '%', but found 'z'"),
            (
                "/INBOX;urlauth=user+",
                "Encountered stray ';' in mailbox reference",
            ),
            (
                "/INBOX/;UID=1;urlauth=user+",
                "Empty URLAUTH access user for `user' application",
            ),
            ("/INBOX;x=3", "Encountered stray ';' in mailbox reference"),
            (
                "/INBOX/;UID=1;URLAUTH=anonymous:internal:00",
                "Too short URLAUTH token",
            ),
        ] {
            assert_eq!(Url::parse(text.as_bytes()).unwrap_err(), error, "{text}");
        }
    }

    proptest! {
        #[test]
        fn never_panics(text in "(imap:|//|/|;UID=|;SECTION=|;PARTIAL=|;EXPIRE=|;URLAUTH=|anonymous|user\\+|:internal:|@|%|41|é|\\.|[a-c]){0,12}") {
            if let Ok(url) = Url::parse(text.as_bytes()) {
                prop_assert!(url.rump_bytes <= text.len());
            }
        }
    }
}
