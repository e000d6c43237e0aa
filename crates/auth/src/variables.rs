//! `%u`-like variables in paths, queries and locations: Dovecot 2.3's letters, names and modifiers, and 2.4's
//! `%{user | lower}`.

use std::net::IpAddr;

use crate::filters;

/// The longest text that expansion may give, in bytes.
pub const EXPANDED_BYTES_MAX: usize = 64 * 1024;
/// How deep `%{if;…}` and defaults may hold variables themselves.
const DEPTH_MAX: usize = 4;

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
    /// `%b`, `%{rport}`
    pub remote_port: Option<u16>,
    /// `%a`, `%{lport}`
    pub local_port: Option<u16>,
    /// `%{uid}`
    pub uid: Option<u32>,
    /// `%{gid}`
    pub gid: Option<u32>,
    /// `%w`: the password as it was given; empty where there is none.
    pub password: &'a str,
    /// `%m`: the mechanism.
    pub mechanism: &'a str,
    /// `%c`: whether nobody can listen.
    pub is_secured: bool,
    /// `%{session}`
    pub session: &'a str,
    /// `%{master_user}`; empty: nobody's.
    pub master_user: &'a str,
    /// `%{orig_user}`: the name as the client gave it; empty: as `user`.
    pub original_user: &'a str,
    /// `%{passdb:NAME}`: what the passdbs told so far.
    pub passdb: &'a [(String, String)],
    /// `%{userdb:NAME}`: what the userdbs told so far.
    pub userdb: &'a [(String, String)],
}

/// A variable that is not known, or not closed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// There is no such variable.
    #[error("unknown variable %{0}")]
    Unknown(String),
    /// There is no such filter, or not with these arguments.
    #[error("unknown filter {0}")]
    Filter(String),
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
    expand_escaped(text, variables, &str::to_owned)
}

/// As [`expand`], each value passed through `escape` before it is put in (a query quotes them).
///
/// # Errors
/// As [`expand`].
pub fn expand_escaped(
    text: &str,
    variables: &Variables<'_>,
    escape: &dyn Fn(&str) -> String,
) -> Result<String, Error> {
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
        let (value, after) = one(rest, variables, text, 0)?;
        out.push_str(&escape(&value));
        if out.len() > EXPANDED_BYTES_MAX {
            return Err(Error::TooLong);
        }
        rest = after;
    }
    out.push_str(rest);
    Ok(out)
}

/// The part of a text within a variable, with the variables it holds.
pub(crate) fn inner(text: &str, variables: &Variables<'_>, depth: usize) -> Result<String, Error> {
    if depth >= DEPTH_MAX {
        return Err(Error::TooLong);
    }
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('%') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix('%') {
            out.push('%');
            rest = after;
            continue;
        }
        let (value, after) = one(rest, variables, text, depth + 1)?;
        out.push_str(&value);
        rest = after;
    }
    out.push_str(rest);
    Ok(out)
}

/// One variable after its `%`: its value, and the text behind it.
fn one<'t>(
    text: &'t str,
    variables: &Variables<'_>,
    whole: &str,
    depth: usize,
) -> Result<(String, &'t str), Error> {
    let unfinished = || Error::Unfinished(whole.to_owned());
    let (offset_width, rest) = text.split_at(
        text.find(|c: char| !c.is_ascii_digit() && c != '.' && c != '-')
            .unwrap_or(text.len()),
    );
    let is_modifier = |c: char| "LUEXRHNMDT".contains(c);
    let modifiers_end = rest.find(|c| !is_modifier(c)).unwrap_or(rest.len());
    let (modifiers, rest) = rest.split_at(modifiers_end);
    let (value, rest) = if rest.starts_with('{') {
        let end = closing(rest).ok_or_else(unfinished)?;
        (named(&rest[1..end], variables, depth)?, &rest[end + 1..])
    } else {
        let letter = rest.chars().next().ok_or_else(unfinished)?;
        (lettered(letter, variables)?, &rest[letter.len_utf8()..])
    };
    // 2.3 takes offset and width before a hash modifier (`%2.256N`) as its own.
    if modifiers.ends_with(['H', 'N']) {
        let (before, hash) = modifiers.split_at(modifiers.len() - 1);
        let value = before.chars().fold(value, filters::modified);
        return Ok((filters::old_hash(&value, hash == "N", offset_width), rest));
    }
    let value = modifiers.chars().fold(value, filters::modified);
    Ok((cut(&value, offset_width), rest))
}

/// Where the brace that the text begins with is closed.
fn closing(text: &str) -> Option<usize> {
    let (mut depth, mut quote, mut is_escaped) = (0_usize, None, false);
    for (at, c) in text.char_indices() {
        if std::mem::take(&mut is_escaped) {
            continue;
        }
        match (quote, c) {
            (_, '\\') => is_escaped = true,
            (Some(open), c) if c == open => quote = None,
            (Some(_), _) => {}
            // 2.3 has no quotes; they are its users' own only outside of filters.
            (None, '\'' | '"') if text[..at].contains(['|', '(']) => quote = Some(c),
            (None, '{') => depth += 1,
            (None, '}') => {
                depth -= 1;
                if depth == 0 {
                    return Some(at);
                }
            }
            (None, _) => {}
        }
    }
    None
}

/// `%width`, `%offset.width`; a negative offset counts from the end.
fn cut(value: &str, offset_width: &str) -> String {
    if offset_width.is_empty() {
        return value.to_owned();
    }
    let (offset, width) = offset_width.split_once('.').unwrap_or(("0", offset_width));
    let length = value.chars().count();
    let offset: i64 = offset.parse().unwrap_or(0);
    let start = if offset < 0 {
        length.saturating_sub(usize::try_from(-offset).unwrap_or(usize::MAX))
    } else {
        usize::try_from(offset).unwrap_or(usize::MAX)
    };
    let width: i64 = width.parse().unwrap_or(i64::MAX);
    let end = if width < 0 {
        length.saturating_sub(usize::try_from(-width).unwrap_or(usize::MAX))
    } else {
        start.saturating_add(usize::try_from(width).unwrap_or(usize::MAX))
    };
    value.chars().take(end).skip(start).collect()
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
        'a' => "lport",
        'b' => "rport",
        'i' => "uid",
        'p' => "pid",
        'c' => "secured",
        'm' => "mech",
        'w' => "password",
        'k' => "cert",
        other => return Err(Error::Unknown(other.to_string())),
    };
    plain(name, variables)
}

/// A name, perhaps one of 2.3's functions (`if;…`, `sha256:user`), perhaps with 2.4's filters.
fn named(text: &str, variables: &Variables<'_>, depth: usize) -> Result<String, Error> {
    if let Some(arguments) = text.strip_prefix("if;") {
        return filters::if_of_2_3(arguments, variables, depth);
    }
    let mut parts = filters::pieces(text).into_iter();
    let name = parts.next().unwrap_or_default();
    if name.trim_start().starts_with("literal(") {
        let value = filters::apply(Ok(String::new()), name.trim(), variables, depth);
        return parts.fold(value, |value, filter| {
            filters::apply(value, filter.trim(), variables, depth)
        });
    }
    // What is not there is a failure only when no `default` follows.
    let mut value =
        plain(name.trim(), variables).or_else(|error| match filters::old_function(&name, variables) {
            Some(value) => value,
            None => Err(error),
        });
    for filter in parts {
        value = filters::apply(value, filter.trim(), variables, depth);
    }
    value
}

pub(crate) fn plain(name: &str, variables: &Variables<'_>) -> Result<String, Error> {
    let number = |value: Option<u32>| value.map(|value| value.to_string()).unwrap_or_default();
    let port = |value: Option<u16>| value.map(|value| value.to_string()).unwrap_or_default();
    let address = |value: Option<IpAddr>| value.map(|value| value.to_string()).unwrap_or_default();
    let original = match variables.original_user {
        "" => variables.user,
        original => original,
    };
    // Without a master user, who logs in and who is logged in as are the same.
    let login = match variables.master_user {
        "" => variables.user,
        master => master,
    };
    Ok(match name {
        "user" | "login_user" | "owner_user" => variables.user.to_owned(),
        "username" | "login_username" | "owner_username" => local_part(variables.user).to_owned(),
        "domain" | "login_domain" | "owner_domain" => domain_part(variables.user).to_owned(),
        "auth_user" => login.to_owned(),
        "auth_username" => local_part(login).to_owned(),
        "auth_domain" => domain_part(login).to_owned(),
        "orig_user" | "original_user" => original.to_owned(),
        "orig_username" | "original_username" => local_part(original).to_owned(),
        "orig_domain" | "original_domain" => domain_part(original).to_owned(),
        "master_user" | "master" => variables.master_user.to_owned(),
        "home" | "owner_home" => variables.home.to_owned(),
        "service" | "protocol" => variables.service.to_owned(),
        "rip" | "remote_ip" | "real_rip" | "real_remote_ip" => address(variables.remote),
        "lip" | "local_ip" | "real_lip" | "real_local_ip" => address(variables.local),
        "rport" | "remote_port" | "real_rport" | "real_remote_port" => port(variables.remote_port),
        "lport" | "local_port" | "real_lport" | "real_local_port" => port(variables.local_port),
        "session" | "session_pid" => variables.session.to_owned(),
        "mech" | "mechanism" => variables.mechanism.to_owned(),
        "password" => variables.password.to_owned(),
        "secured" => if variables.is_secured { "secured" } else { "" }.to_owned(),
        "cert" | "local_name" | "client_id" => String::new(),
        "hostname" | "system:hostname" => os::hostname::hostname(),
        "pid" | "process:pid" => std::process::id().to_string(),
        "uid" | "process:uid" => number(variables.uid),
        "gid" | "process:gid" => number(variables.gid),
        other => return fielded(other, variables),
    })
}

/// `passdb:NAME`, `userdb:NAME:DEFAULT`, `env:NAME` and their 2.4 kin.
fn fielded(name: &str, variables: &Variables<'_>) -> Result<String, Error> {
    let unknown = || Error::Unknown(format!("{{{name}}}"));
    let (provider, field) = name.split_once(':').ok_or_else(unknown)?;
    let (field, default) = match field.split_once(':') {
        Some((field, default)) => (field, Some(default)),
        None => (field, None),
    };
    let fields = match provider {
        "passdb" | "sql" | "passwd_file" | "static" => variables.passdb,
        "userdb" => variables.userdb,
        "env" => return Ok(std::env::var(field).unwrap_or_else(|_| default.unwrap_or_default().to_owned())),
        _ => return Err(unknown()),
    };
    // A database's block in 2.4 (`%{sql:…}`) may stand in a userdb as well.
    let others = if matches!(provider, "passdb" | "userdb") {
        &[]
    } else {
        variables.userdb
    };
    let found = fields.iter().chain(others).rev().find(|(key, _)| key == field);
    Ok(found
        .map_or(default.unwrap_or_default(), |(_, value)| value)
        .to_owned())
}

/// Before the first `@`, as Dovecot divides names.
pub(crate) fn local_part(user: &str) -> &str {
    user.split('@').next().unwrap_or(user)
}

pub(crate) fn domain_part(user: &str) -> &str {
    user.split_once('@').map_or("", |(_, domain)| domain)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alice() -> Variables<'static> {
        Variables {
            user: "Alice@Example.test",
            home: "/home/a",
            service: "imap",
            remote: Some([127, 0, 0, 1].into()),
            uid: Some(1000),
            ..Variables::default()
        }
    }

    #[test]
    fn variables_of_both_dialects() {
        let variables = alice();
        for (text, expected) in [
            ("/v/%d/%n", "/v/Example.test/Alice"),
            ("%Lu %Un", "alice@example.test ALICE"),
            ("%h/Maildir", "/home/a/Maildir"),
            ("%1n/%1.2n/%u", "A/li/Alice@Example.test"),
            ("%-2.2n", "ce"),
            ("100%% %s %r %l", "100% imap 127.0.0.1 "),
            (
                "%{user} %{uid} %L{domain}",
                "Alice@Example.test 1000 example.test",
            ),
            ("%{user | username | lower}", "alice"),
            (
                "%{auth_user}%{orig_user}%{master_user}%{rport}",
                "Alice@Example.testAlice@Example.test",
            ),
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

    #[test]
    fn modifiers_of_2_3() {
        let variables = Variables {
            user: "o'brien@example.test",
            ..Variables::default()
        };
        for (text, expected) in [
            ("%En", "o\\'brien"),
            ("%Rn", "neirb'o"),
            ("%Dd", "example,dc=test"),
        ] {
            assert_eq!(expand(text, &variables).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn fields_and_conditions() {
        let fields = [("quota".to_owned(), "5".to_owned())];
        let variables = Variables {
            passdb: &fields,
            ..alice()
        };
        for (text, expected) in [
            ("%{passdb:quota}", "5"),
            ("%{passdb:none:7}", "7"),
            ("%{userdb:quota}", ""),
            ("%{if;%s;eq;imap;yes;no}", "yes"),
            ("%{if;%{passdb:quota};>;10;big;small}", "small"),
            ("%{if;%u;*;*@Example.test;in;out}", "in"),
            ("%{if;%{passdb:quota};==;5;%n;%d}", "Alice"),
        ] {
            assert_eq!(expand(text, &variables).as_deref(), Ok(expected), "{text}");
        }
        assert!(expand("%{if;a;nope;b;c;d}", &variables).is_err());
        let deep = "%{if;%{if;%{if;%{if;%{if;a;eq;a;b;c};eq;b;c;d};eq;c;d;e};eq;d;e;f};eq;e;f;g}";
        assert_eq!(expand(deep, &variables), Err(Error::TooLong));
    }

    #[test]
    fn quoting_is_for_values_only() {
        let quote = |value: &str| value.replace('\'', "''");
        let variables = Variables {
            user: "o'brien' OR '1'='1",
            ..Variables::default()
        };
        assert_eq!(
            expand_escaped("WHERE u = '%u'", &variables, &quote).as_deref(),
            Ok("WHERE u = 'o''brien'' OR ''1''=''1'")
        );
    }
}
