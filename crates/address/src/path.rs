//! The paths of SMTP's MAIL and RCPT (RFC 5321 §4.1.2), as leniently as Postfix takes them.

use crate::{Address, Domain, Error};

/// A path and what stands around it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Path<'a> {
    /// `None` is the null path `<>`.
    pub address: Option<Address>,
    /// The address as the peer wrote it, unquoted, without route and comments: what replies show.
    pub written: String,
    /// What follows, trimmed.
    pub rest: &'a str,
    /// Written otherwise than RFC 5321 has it: without angle brackets, or with comments.
    pub is_sloppy: bool,
}

/// The path at the start of `text` (what follows `FROM:` or `TO:`) and the parameters after it, trimmed.
///
/// `None` is the null path `<>`. As [`read`].
///
/// # Errors
/// [`Error::Syntax`], [`Error::TooLong`].
pub fn parse(text: &str) -> Result<(Option<Address>, &str), Error> {
    read(text).map(|path| (path.address, path.rest))
}

/// Reads the path at the start of `text`. Accepted beyond RFC 5321: spaces before the path, no angle brackets at all
/// or too many, spaces inside the brackets and around `@` and `.`, comments, a literal without its end, a source
/// route (dropped, RFC 5321 §4.1.1.3), a local part without domain.
///
/// # Errors
/// [`Error::Syntax`], [`Error::TooLong`].
pub fn read(text: &str) -> Result<Path<'_>, Error> {
    let text = text.trim_start_matches([' ', '\t']);
    let start = &text[comment_length(text)?..];
    let opened = start.len() - start.trim_start_matches('<').len();
    let (path, rest) = if opened > 0 {
        let inner = &start[opened..];
        let end = unquoted(inner, |c| c == '>').ok_or(Error::Syntax("no closing angle bracket"))?;
        let rest = inner[end..].trim_start_matches('>');
        if inner.len() - end - rest.len() < opened {
            return Err(Error::Syntax("too few closing angle brackets"));
        }
        (inner[..end].trim(), rest)
    } else {
        let end = unquoted(start, |c| c == ' ' || c == '\t').unwrap_or(start.len());
        let path = start[..end].trim_end_matches('>');
        if path.is_empty() {
            return Err(Error::Syntax("no address"));
        }
        (path, &start[end..])
    };
    if !rest.is_empty() && !rest.starts_with([' ', '\t']) {
        return Err(Error::Syntax("text after the closing angle bracket"));
    }
    let rest = rest.trim_matches([' ', '\t']);
    let cleaned = cleaned(path)?;
    let is_sloppy = opened == 0 || start.len() < text.len() || cleaned.contains_comment;
    let (address, written) = match cleaned.text.as_str() {
        "" => (None, String::new()),
        path => {
            let path = strip_route(path)?;
            let address = checked(path)?;
            let domain = address.domain().and_then(|_| path.rsplit_once('@'));
            let domain = domain.map(|(_, domain)| format!("@{domain}")).unwrap_or_default();
            let written = format!("{}{domain}", address.local());
            (Some(address), written)
        }
    };
    Ok(Path {
        address,
        written,
        rest,
        is_sloppy,
    })
}

/// The address that `path` is, if mail can be sent to it or come from it.
fn checked(path: &str) -> Result<Address, Error> {
    if has_misplaced_quote(path) {
        return Err(Error::Syntax("a quoted text beside other text"));
    }
    let address = Address::parse(path)?;
    if address.domain().is_none() && address.local().is_empty() {
        return Err(Error::Syntax("no address"));
    }
    // `"a@b"` alone will be taken for a route: `b` must be a host too.
    let route = address
        .local()
        .rsplit_once('@')
        .filter(|_| address.domain().is_none());
    let is_good = match (address.domain(), route) {
        (Some(domain), _) => is_mail_host(domain),
        (None, Some((_, host))) => Domain::parse(host).is_ok_and(|host| is_mail_host(&host)),
        (None, None) => true,
    };
    if is_good {
        Ok(address)
    } else {
        Err(Error::Syntax("not a host name or address literal"))
    }
}

/// Whether a quoted text stands right beside other text: `a"b"@c`.
fn has_misplaced_quote(path: &str) -> bool {
    let (mut quoted, mut escaped, mut before) = (false, false, '.');
    let mut closed = false;
    for c in path.chars() {
        if escaped {
            escaped = false;
        } else if c == '\\' {
            escaped = true;
        } else if c == '"' {
            if !quoted && before != '.' {
                return true;
            }
            closed = quoted;
            quoted = !quoted;
            before = c;
            continue;
        }
        if closed && !matches!(c, '.' | '@') {
            return true;
        }
        closed = false;
        before = c;
    }
    false
}

/// A path without its comments and without the spaces around `@` and `.`.
struct Cleaned {
    text: String,
    contains_comment: bool,
}

fn cleaned(path: &str) -> Result<Cleaned, Error> {
    let mut text = String::with_capacity(path.len());
    let mut contains_comment = false;
    // Spaces that count only between two words.
    let mut space = false;
    let mut rest = path;
    while let Some(c) = rest.chars().next() {
        let length = match c {
            '(' => {
                contains_comment = true;
                comment_length(rest)?
            }
            '"' => 1 + unquoted_end(&rest[1..]).ok_or(Error::Syntax("quoted string without its end"))?,
            '\\' => 1 + rest[1..].chars().next().map_or(0, char::len_utf8),
            c => c.len_utf8(),
        };
        let (word, behind) = rest.split_at(length);
        rest = behind;
        match c {
            '(' => {}
            ' ' | '\t' => space = true,
            _ => {
                let joins = text.is_empty() || text.ends_with(['@', '.']) || matches!(c, '@' | '.');
                if std::mem::take(&mut space) && !joins {
                    text.push(' ');
                }
                text.push_str(word);
            }
        }
    }
    let is_open = text
        .rsplit_once("@[")
        .is_some_and(|(_, literal)| !literal.contains([']', '"', '@']));
    if is_open {
        text.push(']');
    }
    Ok(Cleaned {
        text,
        contains_comment,
    })
}

/// How long the comment at the start of `text` is; 0 when there is none.
fn comment_length(text: &str) -> Result<usize, Error> {
    let (mut depth, mut escaped) = (0usize, false);
    for (index, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth == 0 {
            return Ok(if index == 0 { 0 } else { index + c.len_utf8() });
        }
    }
    match depth {
        0 => Ok(0),
        _ => Err(Error::Syntax("comment without its end")),
    }
}

/// Where the quoted text that `text` is the inside of ends, its quote included.
fn unquoted_end(text: &str) -> Option<usize> {
    let mut escaped = false;
    for (index, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return Some(index + 1),
            _ => {}
        }
    }
    None
}

/// Whether mail can be sent to a domain: a host name (in ASCII or not) or the literal of an IP address.
fn is_mail_host(domain: &Domain) -> bool {
    if domain.is_literal() {
        return domain.to_ip().is_some();
    }
    // All figures would be an address without its brackets.
    let is_number = domain.as_str().bytes().all(|b| b.is_ascii_digit() || b == b'.');
    (domain.is_hostname() && !is_number)
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
            ("a@b>", Some("a@b"), ""),
            ("<<a@b>> X", Some("a@b"), "X"),
            ("<a@b>>", Some("a@b"), ""),
            ("(c)<a@b>", Some("a@b"), ""),
            ("<a(c (d))@b (e)>", Some("a@b"), ""),
            ("<a @ b>", Some("a@b"), ""),
            ("<a. b@c>", Some("a.b@c"), ""),
            ("<a@[1.2.3.4>", Some("a@[1.2.3.4]"), ""),
            ("<x.\"b\"@c>", Some("x.b@c"), ""),
            ("<a\\@b@c>", Some("\"a@b\"@c"), ""),
            ("<<>>", None, ""),
        ] {
            let (path, left) = parse(text).unwrap_or_else(|e| panic!("{text}: {e}"));
            assert_eq!(
                (path.map(|a| a.to_string()).as_deref(), left),
                (address, rest),
                "{text}"
            );
        }
        for bad in [
            "",
            " ",
            "<a@b",
            "<a@b>x",
            "<@a,@b>",
            "<a b@c>",
            "<a@[x]>",
            "<a@-b>",
            "<a@b!c>",
            "<a,b@c>",
            "<a;b@c>",
            "<a@b..c>",
            "<a@>",
            "<a@b@>",
            "<\r\n>x",
            "<<a@b>",
            "<a@1.2.3.4>",
            "<a@123>",
            "<a\"b\"@c>",
            "<\"b\"a@c>",
            "\"<a@b>\"",
            "<\"\">",
            "<a(@b>",
            "<@b>",
            ">",
        ] {
            assert!(parse(bad).is_err(), "{bad:?}");
        }
        assert!(parse_whole("<a@b> X").is_err());
    }

    #[test]
    fn what_was_written_is_kept() {
        for (text, written, is_sloppy) in [
            ("<x@Nowhere.test.>", "x@Nowhere.test.", false),
            ("<\"x y\"@b>", "x y@b", false),
            ("<x@a@b>", "x@a@b", false),
            ("<@c:x@b>", "x@b", false),
            ("<postmaster>", "postmaster", false),
            ("<>", "", false),
            ("a@b", "a@b", true),
            ("<a(c)@b>", "a@b", true),
            ("(c)<a@b>", "a@b", true),
        ] {
            let path = read(text).unwrap();
            assert_eq!(
                (path.written.as_str(), path.is_sloppy),
                (written, is_sloppy),
                "{text}"
            );
        }
    }

    proptest! {
        #[test]
        fn round_trip(local in "[a-z \"\\\\<>@]{1,10}") {
            let address = Address::new(&local, Some(Domain::parse("h.example").unwrap()));
            prop_assert_eq!(parse_whole(&display(Some(&address))), Ok(Some(address)));
        }

        #[test]
        fn never_panics(text in "[<>@,:()\"\\\\\\[\\] a\u{3042}]{0,20}") {
            let _ = parse(&text);
        }
    }
}
