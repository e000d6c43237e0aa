//! `%u`-like variables in paths and locations: Dovecot 2.3's letters and names, and 2.4's `%{user | lower}`.

use std::net::IpAddr;

/// The longest text that expansion may give, in bytes.
pub const EXPANDED_BYTES_MAX: usize = 64 * 1024;
/// The most filters after one 2.4 variable.
const FILTERS_MAX: usize = 8;

/// What variables stand for.
#[derive(Debug, Clone, Copy, Default)]
pub struct Variables<'a> {
    /// `%u`: the full user name; `%n` and `%d` are its parts before and after the `@`.
    pub user: &'a str,
    /// `%h`
    pub home: &'a str,
    /// `%s`
    pub service: &'a str,
    /// `%r`
    pub remote: Option<IpAddr>,
    /// `%l`
    pub local: Option<IpAddr>,
    /// `%{uid}`
    pub uid: Option<u32>,
    /// `%{gid}`
    pub gid: Option<u32>,
}

/// A variable that is not known, or not closed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// There is no such variable.
    #[error("unknown variable %{0}")]
    Unknown(String),
    /// `%{` without `}`, or `%` at the end.
    #[error("\"{0}\" ends within a variable")]
    Unfinished(String),
    /// The result is longer than [`EXPANDED_BYTES_MAX`].
    #[error("the expanded text is too long")]
    TooLong,
}

/// `text` with its variables replaced. `%%` is a percent sign; `%Ln` is `%n` in lower case; `%1n` is its first
/// character, `%1.2n` two characters after the first.
///
/// # Errors
/// [`Error`]; nothing is left unexpanded in silence.
pub fn expand(text: &str, variables: &Variables<'_>) -> Result<String, Error> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('%') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix('%') {
            out.push('%');
            rest = after;
            continue;
        }
        let (value, after) = one(rest, variables, text)?;
        out.push_str(&value);
        if out.len() > EXPANDED_BYTES_MAX {
            return Err(Error::TooLong);
        }
        rest = after;
    }
    out.push_str(rest);
    Ok(out)
}

/// One variable after its `%`: its value, and the text behind it.
fn one<'t>(text: &'t str, variables: &Variables<'_>, whole: &str) -> Result<(String, &'t str), Error> {
    let unfinished = || Error::Unfinished(whole.to_owned());
    let (offset_width, rest) = text.split_at(
        text.find(|c: char| !c.is_ascii_digit() && c != '.')
            .unwrap_or(text.len()),
    );
    let modifiers_end = rest.find(|c| !matches!(c, 'L' | 'U' | 'T')).unwrap_or(rest.len());
    let (modifiers, rest) = rest.split_at(modifiers_end);
    let (value, rest) = if let Some(inner) = rest.strip_prefix('{') {
        let (name, after) = inner.split_once('}').ok_or_else(unfinished)?;
        (named(name, variables)?, after)
    } else {
        let letter = rest.chars().next().ok_or_else(unfinished)?;
        (lettered(letter, variables)?, &rest[letter.len_utf8()..])
    };
    let value = modifiers.chars().fold(value, |value, modifier| match modifier {
        'L' => value.to_lowercase(),
        'U' => value.to_uppercase(),
        _ => value.trim_end().to_owned(),
    });
    Ok((cut(&value, offset_width), rest))
}

/// `%width`, `%offset.width`.
fn cut(value: &str, offset_width: &str) -> String {
    if offset_width.is_empty() {
        return value.to_owned();
    }
    let (offset, width) = offset_width.split_once('.').unwrap_or(("0", offset_width));
    let (offset, width) = (offset.parse().unwrap_or(0), width.parse().unwrap_or(usize::MAX));
    value.chars().skip(offset).take(width).collect()
}

fn lettered(letter: char, variables: &Variables<'_>) -> Result<String, Error> {
    let name = match letter {
        'u' => "user",
        'n' => "username",
        'd' => "domain",
        'h' => "home",
        's' => "service",
        'r' => "rip",
        'l' => "lip",
        'i' => "uid",
        other => return Err(Error::Unknown(other.to_string())),
    };
    plain(name, variables)
}

/// A name with 2.4's filters: `user | username | lower`.
fn named(text: &str, variables: &Variables<'_>) -> Result<String, Error> {
    let mut parts = text.split('|').map(str::trim).take(FILTERS_MAX);
    let mut value = plain(parts.next().unwrap_or(""), variables)?;
    for filter in parts {
        value = match filter {
            "lower" => value.to_lowercase(),
            "upper" => value.to_uppercase(),
            "username" => local_part(&value).to_owned(),
            "domain" => domain_part(&value).to_owned(),
            other => return Err(Error::Unknown(format!("{{{other}}}"))),
        };
    }
    Ok(value)
}

fn plain(name: &str, variables: &Variables<'_>) -> Result<String, Error> {
    let number = |value: Option<u32>| value.map(|value| value.to_string()).unwrap_or_default();
    let address = |value: Option<IpAddr>| value.map(|value| value.to_string()).unwrap_or_default();
    Ok(match name {
        "user" | "login_user" | "owner_user" => variables.user.to_owned(),
        "username" | "owner_username" => local_part(variables.user).to_owned(),
        "domain" | "owner_domain" => domain_part(variables.user).to_owned(),
        "home" | "owner_home" => variables.home.to_owned(),
        "service" | "protocol" => variables.service.to_owned(),
        "rip" | "remote_ip" => address(variables.remote),
        "lip" | "local_ip" => address(variables.local),
        "hostname" => os::hostname::hostname(),
        "pid" => std::process::id().to_string(),
        "uid" => number(variables.uid),
        "gid" => number(variables.gid),
        other => return Err(Error::Unknown(format!("{{{other}}}"))),
    })
}

/// Before the first `@`, as Dovecot divides names.
fn local_part(user: &str) -> &str {
    user.split('@').next().unwrap_or(user)
}

fn domain_part(user: &str) -> &str {
    user.split_once('@').map_or("", |(_, domain)| domain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_of_both_dialects() {
        let variables = Variables {
            user: "Alice@Example.test",
            home: "/home/a",
            service: "imap",
            remote: Some("127.0.0.1".parse().unwrap()),
            uid: Some(1000),
            ..Variables::default()
        };
        for (text, expected) in [
            ("/v/%d/%n", "/v/Example.test/Alice"),
            ("%Lu %Un", "alice@example.test ALICE"),
            ("%h/Maildir", "/home/a/Maildir"),
            ("%1n/%1.2n/%u", "A/li/Alice@Example.test"),
            ("100%% %s %r %l", "100% imap 127.0.0.1 "),
            (
                "%{user} %{uid} %L{domain}",
                "Alice@Example.test 1000 example.test",
            ),
            ("%{user | username | lower}", "alice"),
            ("plain", "plain"),
        ] {
            assert_eq!(expand(text, &variables).as_deref(), Ok(expected), "{text}");
        }
        assert_eq!(expand("%", &variables), Err(Error::Unfinished("%".to_owned())));
        assert_eq!(
            expand("%{user", &variables),
            Err(Error::Unfinished("%{user".to_owned()))
        );
        assert_eq!(
            expand("%{nothing}", &variables),
            Err(Error::Unknown("{nothing}".to_owned()))
        );
        assert_eq!(expand("%é", &variables), Err(Error::Unknown("é".to_owned())));
        assert_eq!(expand(&"%u".repeat(10_000), &variables), Err(Error::TooLong));
    }
}
