//! Addresses without a domain, or with half of one, are completed (`append_at_myorigin`, `append_dot_mydomain`).

use address::{Address, Domain};
use settings::Postfix;

use crate::address_fields::{self, Span};
use crate::{Context, Origin};

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

/// What incomplete addresses of a header are completed with.
#[derive(Debug, Clone)]
pub(crate) struct Completion {
    /// What a name alone is at; empty: it stays alone.
    origin: String,
    /// What stands behind a host without a dot; empty: nothing.
    domain: String,
    /// `myhostname`, which stays as it is.
    own: String,
}

impl Completion {
    /// For a message; `None` when its header is left as it is.
    pub(crate) fn of(context: &Context<'_>) -> Option<Completion> {
        let settings = context.settings;
        let remote = settings.remote_header_rewrite_domain.trim();
        match context.origin {
            origin if origin.is_local() => Some(Completion::local(settings)),
            Origin::Network(_) | Origin::Local { .. } if !remote.is_empty() => Some(Completion {
                origin: remote.to_owned(),
                domain: remote.to_owned(),
                own: String::new(),
            }),
            _ => None,
        }
    }

    fn local(settings: &Postfix) -> Completion {
        let when = |wanted: bool, text: &String| match wanted {
            true => text.clone(),
            false => String::new(),
        };
        Completion {
            origin: when(settings.append_at_myorigin, &settings.myorigin),
            domain: when(settings.append_dot_mydomain, &settings.mydomain),
            own: settings.myhostname.clone(),
        }
    }
}

/// The value of an address field with its addresses completed in place: names, comments, groups and folding stay as
/// they are. `None` when nothing is to be changed, and when it is not UTF-8.
pub(crate) fn field_value(value: &[u8], completion: &Completion) -> Option<String> {
    let value = std::str::from_utf8(value).ok()?;
    Some(complete_field(value, completion)).filter(|completed| completed != value)
}

/// What must follow a domain without a dot.
fn missing_domain(domain: &str, completion: &Completion) -> Option<String> {
    let is_short = !domain.is_empty() && !domain.contains('.') && !domain.starts_with('[');
    let is_own = [&completion.origin, &completion.own]
        .iter()
        .any(|own| domain.eq_ignore_ascii_case(own));
    (is_short && !is_own && !completion.domain.is_empty()).then(|| format!(".{}", completion.domain))
}

/// The body of an address field with the addresses in it completed in place.
fn complete_field(body: &str, completion: &Completion) -> String {
    let mut completed = String::with_capacity(body.len() + 24);
    let mut from = 0;
    for span in address_fields::spans(body) {
        if let Some(rest) = missing(body, &span, completion) {
            completed.push_str(&body[from..span.end]);
            completed.push_str(&rest);
            from = span.end;
        }
    }
    completed.push_str(&body[from..]);
    completed
}

/// What is to be put behind an address to complete it.
fn missing(body: &str, span: &Span, completion: &Completion) -> Option<String> {
    let origin = &completion.origin;
    match span.at {
        // Nobody's address, and no name to be completed.
        None if body.get(span.start..span.end) == Some("\"\"") => None,
        None if !origin.is_empty() => {
            let rest = missing_domain(origin, completion).unwrap_or_default();
            Some(format!("@{origin}{rest}"))
        }
        None => None,
        Some(at) => missing_domain(body.get(at + 1..span.end)?.trim(), completion),
    }
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
            (" \"\", y", " \"\", y@mx.example.com"),
            ("", ""),
        ] {
            assert_eq!(complete_field(body, &Completion::local(&settings)), expected);
        }
    }

    proptest! {
        #[test]
        fn never_panics_and_only_adds(body in "[a<>@,;:\"\\\\\\[\\]() é.]{0,40}") {
            let mut settings = settings();
            settings.append_dot_mydomain = true;
            let completed = complete_field(&body, &Completion::local(&settings));
            let mut rest = completed.chars();
            prop_assert!(body.chars().all(|c| rest.any(|r| r == c)));
        }
    }
}
