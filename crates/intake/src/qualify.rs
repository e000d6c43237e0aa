//! Addresses without a domain, or with half of one, are completed (`append_at_myorigin`, `append_dot_mydomain`).

use address::{Address, Domain};
use settings::Postfix;

/// The address completed. `myorigin` may be `$myhostname` or `$mydomain`, expanded.
pub fn qualify(address: Address, settings: &Postfix) -> Address {
    match address.domain() {
        None if settings.append_at_myorigin => match Domain::parse(&settings.myorigin) {
            Ok(origin) => address.at(Some(origin)),
            Err(_) => address,
        },
        Some(domain) if settings.append_dot_mydomain && is_single_label(domain) => {
            match Domain::parse(&format!("{}.{}", domain.as_str(), settings.mydomain)) {
                Ok(full) => address.at(Some(full)),
                Err(_) => address,
            }
        }
        _ => address,
    }
}

fn is_single_label(domain: &Domain) -> bool {
    !domain.is_literal() && !domain.as_str().contains('.')
}

/// The value of an address field with its addresses completed in place: names, comments, groups and folding stay as
/// they are. `None` when nothing is to be changed, and when it is not UTF-8.
pub(crate) fn field_value(value: &[u8], settings: &Postfix) -> Option<String> {
    let value = std::str::from_utf8(value).ok()?;
    Some(complete_field(value, settings)).filter(|completed| completed != value)
}

/// What must follow a domain without a dot.
fn missing_domain(domain: &str, settings: &Postfix) -> Option<String> {
    let is_short = !domain.is_empty() && !domain.contains('.') && !domain.starts_with('[');
    let is_own =
        domain.eq_ignore_ascii_case(&settings.myorigin) || domain.eq_ignore_ascii_case(&settings.myhostname);
    (settings.append_dot_mydomain && is_short && !is_own && !settings.mydomain.is_empty())
        .then(|| format!(".{}", settings.mydomain))
}

/// What stands between two commas.
#[derive(Default)]
struct Item {
    /// Words seen; more than one outside brackets is a name, not an address.
    words: usize,
    in_angle: bool,
    /// The address in brackets is done: the rest is passed over.
    done: bool,
    /// Where the `@` is.
    at: Option<usize>,
    /// Where the last word ended.
    end: usize,
}

/// The body of an address field with the addresses in it completed in place: names, comments and folding stay as
/// they are.
fn complete_field(body: &str, settings: &Postfix) -> String {
    let mut inserts: Vec<(usize, String)> = Vec::new();
    let mut item = Item::default();
    let bytes = body.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at] {
            b'(' => {
                at = skip_comment(bytes, at);
                continue;
            }
            b'"' | b'[' => {
                let close = if bytes[at] == b'"' { b'"' } else { b']' };
                let start = at;
                at = skip_quoted(bytes, at, close);
                item.word(start, at);
                continue;
            }
            b'<' => {
                item = Item {
                    in_angle: true,
                    done: item.done,
                    ..Item::default()
                }
            }
            b'>' if item.in_angle => {
                inserts.extend(item.insertion(body, settings));
                (item.in_angle, item.done) = (false, true);
            }
            b',' | b';' => {
                inserts.extend(item.insertion(body, settings));
                item = Item::default();
            }
            b':' => {
                item = Item {
                    in_angle: item.in_angle,
                    ..Item::default()
                }
            }
            b'@' => item.at = Some(at),
            b' ' | b'\t' | b'\r' | b'\n' => {}
            _ => {
                let start = at;
                while at < bytes.len() && !b" \t\r\n()<>@,;:\"[".contains(&bytes[at]) {
                    at += 1;
                }
                item.word(start, at.max(start + 1));
                at = at.max(start + 1);
                continue;
            }
        }
        at += 1;
    }
    inserts.extend(item.insertion(body, settings));
    let mut completed = String::with_capacity(body.len() + inserts.len() * 24);
    let mut from = 0;
    for (place, text) in inserts {
        completed.push_str(&body[from..place]);
        completed.push_str(&text);
        from = place;
    }
    completed.push_str(&body[from..]);
    completed
}

impl Item {
    fn word(&mut self, start: usize, end: usize) {
        // A word right behind another (`"a".b`) goes on with it.
        if self.words == 0 || start > self.end {
            self.words += 1;
        }
        self.end = end;
    }

    /// What is to be put where to complete this address.
    fn insertion(&self, body: &str, settings: &Postfix) -> Option<(usize, String)> {
        if self.done || self.words == 0 {
            return None;
        }
        match self.at {
            None if self.words == 1 && settings.append_at_myorigin && !settings.myorigin.is_empty() => {
                let rest = missing_domain(&settings.myorigin, settings).unwrap_or_default();
                Some((self.end, format!("@{}{rest}", settings.myorigin)))
            }
            None => None,
            Some(at) => {
                let domain = body.get(at + 1..self.end)?.trim();
                missing_domain(domain, settings).map(|rest| (self.end, rest))
            }
        }
    }
}

fn skip_comment(bytes: &[u8], start: usize) -> usize {
    let mut depth = 0usize;
    let mut at = start;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 1,
            b'(' => depth += 1,
            b')' => depth -= 1,
            _ => {}
        }
        at += 1;
        if depth == 0 {
            break;
        }
    }
    at.min(bytes.len())
}

fn skip_quoted(bytes: &[u8], start: usize, close: u8) -> usize {
    let mut at = start + 1;
    while at < bytes.len() && bytes[at] != close {
        at += if bytes[at] == b'\\' { 2 } else { 1 };
    }
    (at + 1).min(bytes.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use settings::Surroundings;

    fn settings() -> Postfix {
        let mut settings = Postfix::defaults(&Surroundings::default());
        settings.myhostname = "mx.example.com".into();
        settings.mydomain = "example.com".into();
        settings.myorigin = "mx.example.com".into();
        settings.append_at_myorigin = true;
        settings.append_dot_mydomain = false;
        settings
    }

    #[test]
    fn envelope_addresses_are_completed() {
        let mut settings = settings();
        let complete =
            |text: &str, settings: &Postfix| qualify(Address::parse(text).unwrap(), settings).to_string();
        assert_eq!(complete("root", &settings), "root@mx.example.com");
        assert_eq!(complete("root@pc", &settings), "root@pc");
        settings.append_dot_mydomain = true;
        assert_eq!(complete("root@pc", &settings), "root@pc.example.com");
        assert_eq!(complete("root@[::1]", &settings), "root@[::1]");
    }

    #[test]
    fn header_addresses_are_completed_in_place() {
        let settings = settings();
        for (body, expected) in [
            (" x", " x@mx.example.com"),
            (
                " root (Cron Daemon), b@c",
                " root@mx.example.com (Cron Daemon), b@c",
            ),
            (
                " Full Name <root>,\r\n y",
                " Full Name <root@mx.example.com>,\r\n y@mx.example.com",
            ),
            (
                " \"a, b\" <c@d>, \"quoted x\"",
                " \"a, b\" <c@d>, \"quoted x\"@mx.example.com",
            ),
            (
                " group: a, b@c;, d",
                " group: a@mx.example.com, b@c;, d@mx.example.com",
            ),
            (" undisclosed-recipients:;", " undisclosed-recipients:;"),
            (" Full Name", " Full Name"),
            (" <>", " <>"),
            ("", ""),
        ] {
            assert_eq!(complete_field(body, &settings), expected);
        }
    }

    proptest! {
        #[test]
        fn never_panics_and_only_adds(body in "[a<>@,;:\"\\\\\\[\\]() é.]{0,40}") {
            let mut settings = settings();
            settings.append_dot_mydomain = true;
            let completed = complete_field(&body, &settings);
            let mut rest = completed.chars();
            prop_assert!(body.chars().all(|c| rest.any(|r| r == c)));
        }
    }
}
