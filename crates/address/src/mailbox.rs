//! `local@domain`: parse, quote, extensions.

use serde::{Deserialize, Serialize};

use crate::{Domain, Error, LOCAL_BYTES_MAX};

/// `local@domain`, or a local part alone (`root`, as local submission gives it).
///
/// The local part is kept unquoted; [`std::fmt::Display`] quotes it where RFC 5321 needs it. Never holds CR, LF
/// or NUL.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Address {
    #[serde(deserialize_with = "local_part")]
    local: String,
    domain: Option<Domain>,
}

/// A local part that another process wrote, held to the promise of [`Address`].
fn local_part<'de, D: serde::Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    let text = String::deserialize(from)?;
    Ok(Address::new(&text, None).local)
}

/// Local parts that never have an extension, as local(8) treats them.
const WITHOUT_EXTENSION: [&str; 3] = ["mailer-daemon", "double-bounce", "postmaster"];

impl Address {
    /// An address of its parts. `local` is unquoted; CR, LF and NUL in it, which no address can have, become `?`.
    pub fn new(local: &str, domain: Option<Domain>) -> Address {
        Address {
            local: local.replace(['\r', '\n', '\0'], "?"),
            domain,
        }
    }

    /// `local@domain` or `local`, the local part quoted, escaped, or neither (RFC 5321 `Mailbox`, RFC 5322
    /// `addr-spec` with `obs-local-part`). The last unquoted `@` divides.
    ///
    /// # Errors
    /// [`Error::Syntax`] and [`Error::TooLong`].
    pub fn parse(text: &str) -> Result<Address, Error> {
        let (local, at) = unquote_local(text)?;
        if local.len() > LOCAL_BYTES_MAX {
            return Err(Error::TooLong("local part"));
        }
        let domain = match at {
            Some(at) => Some(Domain::parse(&text[at + 1..])?),
            None => None,
        };
        if local.is_empty() && !text.starts_with('"') {
            return Err(Error::Syntax("empty local part"));
        }
        Ok(Address { local, domain })
    }

    /// The local part, unquoted.
    pub fn local(&self) -> &str {
        &self.local
    }

    /// The domain, if there is one.
    pub fn domain(&self) -> Option<&Domain> {
        self.domain.as_ref()
    }

    /// The same local part at another domain, or at none.
    pub fn at(&self, domain: Option<Domain>) -> Address {
        Address {
            local: self.local.clone(),
            domain,
        }
    }

    /// Whether a header or a command that carries this address needs SMTPUTF8 (RFC 6531).
    pub fn needs_smtputf8(&self) -> bool {
        !self.local.is_ascii() || self.domain.as_ref().is_some_and(|d| !d.as_str().is_ascii())
    }

    /// The address without its extension, and the extension: `user+list@host` with delimiters `+` is
    /// `user@host` and `list`. The first delimiter that is not at the start divides, as `recipient_delimiter`
    /// of postconf(5) says; `postmaster`, `mailer-daemon` and `double-bounce` have none, and with the delimiter
    /// `-` neither `owner-list` nor `list-request`.
    pub fn strip_extension(&self, delimiters: &str) -> Option<(Address, &str)> {
        let at = self
            .local
            .char_indices()
            .find(|&(at, c)| at > 0 && delimiters.contains(c))?;
        if WITHOUT_EXTENSION
            .iter()
            .any(|name| self.local.eq_ignore_ascii_case(name))
        {
            return None;
        }
        let lower = self.local.to_ascii_lowercase();
        if at.1 == '-' && (lower.starts_with("owner-") || lower.ends_with("-request")) {
            return None;
        }
        let base = Address {
            local: self.local[..at.0].to_owned(),
            domain: self.domain.clone(),
        };
        Some((base, &self.local[at.0 + at.1.len_utf8()..]))
    }
}

/// The unquoted local part at the start of `text`, and where the `@` after it is.
fn unquote_local(text: &str) -> Result<(String, Option<usize>), Error> {
    let mut local = String::new();
    let mut at = None;
    // How long `local` was where the last `@` was seen, which divides unless another one follows.
    let mut cut = 0;
    let mut quoted = false;
    let mut chars = text.char_indices();
    while let Some((index, c)) = chars.next() {
        match c {
            '\\' => {
                let (_, escaped) = chars.next().ok_or(Error::Syntax("nothing follows a backslash"))?;
                if matches!(escaped, '\r' | '\n' | '\0') {
                    return Err(Error::Syntax("control character"));
                }
                local.push(escaped);
            }
            '"' if at.is_none() || quoted => quoted = !quoted,
            '\r' | '\n' | '\0' => return Err(Error::Syntax("control character")),
            '@' if !quoted => {
                (at, cut) = (Some(index), local.len());
                local.push(c);
            }
            _ if quoted => local.push(c),
            c if c.is_whitespace() || c.is_control() => return Err(Error::Syntax("unquoted space")),
            // In a literal after the `@` the rest is for Domain::parse to judge.
            '<' | '>' | '(' | ')' | ',' | ';' if at.is_none() => {
                return Err(Error::Syntax("unquoted special character"));
            }
            c => local.push(c),
        }
    }
    if quoted {
        return Err(Error::Syntax("quoted string without its end"));
    }
    if at.is_some() {
        local.truncate(cut);
    }
    Ok((local, at))
}

/// Whether a local part can be written without quotes: a dot-atom of RFC 5322 with RFC 6531's UTF-8.
fn is_dot_atom(local: &str) -> bool {
    let atom = |c: char| {
        c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~".contains(c) || (!c.is_ascii() && !is_odd(c))
    };
    !local.is_empty()
        && local
            .split('.')
            .all(|label| !label.is_empty() && label.chars().all(atom))
}

fn is_odd(c: char) -> bool {
    c.is_control() || c.is_whitespace()
}

impl std::fmt::Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if is_dot_atom(&self.local) {
            f.write_str(&self.local)?;
        } else {
            f.write_str("\"")?;
            for c in self.local.chars() {
                if c == '"' || c == '\\' {
                    f.write_str("\\")?;
                }
                write!(f, "{c}")?;
            }
            f.write_str("\"")?;
        }
        match &self.domain {
            Some(domain) => write!(f, "@{domain}"),
            None => Ok(()),
        }
    }
}

impl std::str::FromStr for Address {
    type Err = Error;
    fn from_str(text: &str) -> Result<Address, Error> {
        Address::parse(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn locals_are_unquoted_and_quoted_when_needed() {
        for (text, local, domain, shown) in [
            (
                "user@example.com",
                "user",
                Some("example.com"),
                "user@example.com",
            ),
            ("root", "root", None, "root"),
            ("\"a b\"@h", "a b", Some("h"), "\"a b\"@h"),
            ("\"plain\"@h", "plain", Some("h"), "plain@h"),
            ("a\\ b@h", "a b", Some("h"), "\"a b\"@h"),
            ("a@b@c", "a@b", Some("c"), "\"a@b\"@c"),
            ("\"\"@h", "", Some("h"), "\"\"@h"),
            ("a..b@h", "a..b", Some("h"), "\"a..b\"@h"),
            ("x.\"y z\"@h", "x.y z", Some("h"), "\"x.y z\"@h"),
            ("用户@例子", "用户", Some("例子"), "用户@例子"),
            ("u@[IPv6:::1]", "u", Some("[IPv6:::1]"), "u@[IPv6:::1]"),
            ("\"q\\\"\\\\\"@h", "q\"\\", Some("h"), "\"q\\\"\\\\\"@h"),
        ] {
            let address = Address::parse(text).unwrap_or_else(|e| panic!("{text}: {e}"));
            assert_eq!(address.local(), local);
            assert_eq!(address.domain().map(Domain::as_str), domain);
            assert_eq!(address.to_string(), shown);
        }
        for bad in [
            "", "@h", "a@", "a b@h", "\"a@h", "a\r\nb@h", "a<b@h", "a@b c", "a\\", "a@[1.2",
        ] {
            assert!(Address::parse(bad).is_err(), "{bad:?}");
        }
        assert_eq!(
            Address::parse(&format!("{}@h", "x".repeat(600))),
            Err(Error::TooLong("local part"))
        );
    }

    #[test]
    fn extensions_are_stripped() {
        let strip = |text: &str, set: &str| {
            Address::parse(text)
                .unwrap()
                .strip_extension(set)
                .map(|(a, e)| (a.to_string(), e.to_owned()))
        };
        let some = |a: &str, e: &str| Some((a.to_owned(), e.to_owned()));
        assert_eq!(strip("u+x@h", "+"), some("u@h", "x"));
        assert_eq!(strip("u+x-y@h", "+-"), some("u@h", "x-y"));
        assert_eq!(strip("u-x+y@h", "+-"), some("u@h", "x+y"));
        assert_eq!(strip("+x@h", "+"), None);
        assert_eq!(strip("u@h", "+"), None);
        assert_eq!(strip("u+x@h", ""), None);
        assert_eq!(strip("mailer-daemon@h", "-"), None);
        assert_eq!(strip("owner-list@h", "-"), None);
        assert_eq!(strip("list-request@h", "+-"), None);
    }

    proptest! {
        #[test]
        fn round_trip(local in "[^\r\n\0]{0,20}", domain in proptest::option::of("[a-z]{1,5}(\\.[a-z0-9]{1,5}){0,2}")) {
            let address = Address::new(&local, domain.map(|d| Domain::parse(&d).unwrap()));
            prop_assert_eq!(Address::parse(&address.to_string()), Ok(address));
        }

        #[test]
        fn never_panics(text in "\\PC{0,40}", odd in "[\"\\\\@<>\\[\\]. \r\n\0a]{0,20}") {
            for text in [text, odd] {
                if let Ok(address) = Address::parse(&text) {
                    let _ = address.strip_extension("+-");
                    prop_assert_eq!(Address::parse(&address.to_string()), Ok(address));
                }
            }
        }
    }
}
