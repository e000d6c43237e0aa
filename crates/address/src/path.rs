//! The paths of SMTP's MAIL and RCPT (RFC 5321 §4.1.2), as leniently as Postfix takes them.

use crate::{Address, Domain, Error};

/// The path at the start of `text` (what follows `FROM:` or `TO:`) and the parameters after it, trimmed.
///
/// `None` is the null path `<>`. Accepted beyond RFC 5321: spaces before the path, no angle brackets at all,
/// spaces inside the brackets, a source route (dropped, RFC 5321 §4.1.1.3), a local part without domain.
///
/// # Errors
/// [`Error::Syntax`], [`Error::TooLong`].
pub fn parse(text: &str) -> Result<(Option<Address>, &str), Error> {
    let text = text.trim_start_matches([' ', '\t']);
    let (path, rest) = match text.strip_prefix('<') {
        Some(inner) => {
            let end = unquoted(inner, |c| c == '>').ok_or(Error::Syntax("no closing angle bracket"))?;
            (inner[..end].trim(), &inner[end + 1..])
        }
        None => {
            let end = unquoted(text, |c| c == ' ' || c == '\t').unwrap_or(text.len());
            if end == 0 {
                return Err(Error::Syntax("no address"));
            }
            (&text[..end], &text[end..])
        }
    };
    if !rest.is_empty() && !rest.starts_with([' ', '\t']) {
        return Err(Error::Syntax("text after the closing angle bracket"));
    }
    let rest = rest.trim_matches([' ', '\t']);
    if path.is_empty() {
        return Ok((None, rest));
    }
    let address = Address::parse(strip_route(path)?)?;
    match address.domain() {
        Some(domain) if !is_mail_host(domain) => Err(Error::Syntax("not a host name or address literal")),
        _ => Ok((Some(address), rest)),
    }
}

/// Whether mail can be sent to a domain: a host name (in ASCII or not) or the literal of an IP address.
fn is_mail_host(domain: &Domain) -> bool {
    if domain.is_literal() {
        return domain.to_ip().is_some();
    }
    domain.is_hostname()
        || (!domain.as_str().is_ascii() && domain.to_ascii().is_ok_and(|ascii| ascii.is_hostname()))
}

/// The path in `text` and nothing else.
///
/// # Errors
/// As [`parse`], and when something follows the path.
pub fn parse_whole(text: &str) -> Result<Option<Address>, Error> {
    match parse(text)? {
        (path, "") => Ok(path),
        _ => Err(Error::Syntax("text after the address")),
    }
}

/// The path of an address as it stands in commands and logs: `<a@b>`, or `<>` for the null path.
pub fn display(address: Option<&Address>) -> String {
    match address {
        Some(address) => format!("<{address}>"),
        None => "<>".to_owned(),
    }
}

/// Drops `@a,@b:` in front of the address.
fn strip_route(path: &str) -> Result<&str, Error> {
    if !path.starts_with('@') {
        return Ok(path);
    }
    // A colon inside a literal ([IPv6:…]) does not end the route.
    let mut depth = 0usize;
    for (index, c) in path.char_indices() {
        match c {
            '[' => depth += 1,
            ']' => depth = depth.saturating_sub(1),
            ':' if depth == 0 => return Ok(path[index + 1..].trim_start()),
            _ => {}
        }
    }
    Err(Error::Syntax("source route without an address"))
}

/// Where the first character that `wanted` names is, outside quotes and not escaped.
fn unquoted(text: &str, wanted: impl Fn(char) -> bool) -> Option<usize> {
    let (mut quoted, mut escaped) = (false, false);
    for (index, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => quoted = !quoted,
            c if !quoted && wanted(c) => return Some(index),
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn paths_as_peers_write_them() {
        for (text, address, rest) in [
            ("<a@b>", Some("a@b"), ""),
            (
                "  <a@b> SIZE=1 BODY=8BITMIME",
                Some("a@b"),
                "SIZE=1 BODY=8BITMIME",
            ),
            ("<>", None, ""),
            ("<> RET=HDRS", None, "RET=HDRS"),
            ("<postmaster>", Some("postmaster"), ""),
            ("user@host", Some("user@host"), ""),
            ("user@host SIZE=3", Some("user@host"), "SIZE=3"),
            ("<@a,@b:u@d>", Some("u@d"), ""),
            ("<@[IPv6:::1]:u@d>", Some("u@d"), ""),
            ("<\"a>b\"@c> X", Some("\"a>b\"@c"), "X"),
            ("<u@[1.2.3.4]>", Some("u@[1.2.3.4]"), ""),
            ("< a@b >", Some("a@b"), ""),
            ("<a..b@c>", Some("\"a..b\"@c"), ""),
            ("<a@b_c.>", Some("a@b_c"), ""),
            ("<a:b!c@d>", Some("\"a:b!c\"@d"), ""),
            ("<あ@例え.jp>", Some("あ@例え.jp"), ""),
            ("<\"\"@c>", Some("\"\"@c"), ""),
        ] {
            let (path, left) = parse(text).unwrap_or_else(|e| panic!("{text}: {e}"));
            assert_eq!(
                (path.map(|a| a.to_string()).as_deref(), left),
                (address, rest),
                "{text}"
            );
        }
        for bad in [
            "", " ", "<a@b", "<a@b>x", "<@a,@b>", "<a b@c>", "<a@[x]>", "<a@-b>", "<a@b!c>", "<a,b@c>",
            "<a;b@c>", "<a@b..c>", "<a@>", "<a@b@>", "<\r\n>x",
        ] {
            assert!(parse(bad).is_err(), "{bad:?}");
        }
        assert!(parse_whole("<a@b> X").is_err());
    }

    proptest! {
        #[test]
        fn round_trip(local in "[a-z \"\\\\<>@]{1,10}") {
            let address = Address::new(&local, Some(Domain::parse("h.example").unwrap()));
            prop_assert_eq!(parse_whole(&display(Some(&address))), Ok(Some(address)));
        }

        #[test]
        fn never_panics(text in "[<>@,:\"\\\\\\[\\] a\u{3042}]{0,20}") {
            let _ = parse(&text);
        }
    }
}
