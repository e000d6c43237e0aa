//! The addresses in a header field, found where they stand, so that they are changed in place: names, comments, groups and
//! folding stay as they are.

use address::Address;

/// Whose addresses a field has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whose {
    /// Who wrote or sent the message, or gets answers.
    Sender,
    /// Who gets it.
    Recipient,
}

/// Whose addresses the field of that name has; `None`: it is no field of addresses.
pub fn whose(name: &[u8]) -> Option<Whose> {
    const SENDERS: [&str; 11] = [
        "From",
        "Sender",
        "Reply-To",
        "Errors-To",
        "Return-Receipt-To",
        "Disposition-Notification-To",
        "Mail-Followup-To",
        "Return-Path",
        "Resent-From",
        "Resent-Sender",
        "Resent-Reply-To",
    ];
    const RECIPIENTS: [&str; 7] = [
        "To",
        "Cc",
        "Bcc",
        "Resent-To",
        "Resent-Cc",
        "Resent-Bcc",
        "Apparently-To",
    ];
    let is = |other: &&str| name.eq_ignore_ascii_case(other.as_bytes());
    if SENDERS.iter().any(is) {
        Some(Whose::Sender)
    } else if RECIPIENTS.iter().any(is) {
        Some(Whose::Recipient)
    } else {
        None
    }
}

/// Where an address stands in a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) start: usize,
    /// Where its `@` is.
    pub(crate) at: Option<usize>,
    pub(crate) end: usize,
}

/// The value with its addresses as `change` has them; `None` when nothing is to be changed, and when it is not UTF-8.
///
/// # Errors
/// That of `change`.
pub fn changed<E>(
    value: &[u8],
    mut change: impl FnMut(&Address) -> Result<Option<Address>, E>,
) -> Result<Option<String>, E> {
    let Ok(value) = std::str::from_utf8(value) else {
        return Ok(None);
    };
    let (mut out, mut from) = (String::new(), 0);
    for span in spans(value) {
        let Ok(address) = Address::parse(value[span.start..span.end].trim()) else {
            continue;
        };
        if let Some(other) = change(&address)?.filter(|other| *other != address) {
            out.push_str(&value[from..span.start]);
            out.push_str(&other.to_string());
            from = span.end;
        }
    }
    if from == 0 {
        return Ok(None);
    }
    out.push_str(&value[from..]);
    Ok(Some(out))
}

/// How long a line with several addresses gets, in octets.
const LINE_BYTES: usize = 70;

/// A field with such a value, folded behind commas so that lines stay short.
pub fn folded(name: &str, value: &str) -> String {
    let mut lines = vec![format!("{name}:")];
    let mut rest = value;
    while !rest.is_empty() {
        let (item, behind) = rest.split_at(item_length(rest));
        rest = behind;
        let item = item.trim();
        match lines.last_mut() {
            Some(line) if lines_fit(line, item, name) => {
                line.push(' ');
                line.push_str(item);
            }
            _ => lines.push(item.to_owned()),
        }
    }
    lines.join("\n\t")
}

/// Whether there is room for one more address; for the first one behind the name there always is.
fn lines_fit(line: &str, item: &str, name: &str) -> bool {
    line.len() == name.len() + 1 || line.len() + 1 + item.len() < LINE_BYTES
}

/// The length of the first item with its comma, if it has one.
fn item_length(value: &str) -> usize {
    let bytes = value.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at] {
            b'(' => at = skip_comment(bytes, at),
            b'"' => at = skip_quoted(bytes, at, b'"'),
            b'[' => at = skip_quoted(bytes, at, b']'),
            b',' => return at + 1,
            _ => at += 1,
        }
    }
    bytes.len()
}

/// What stands between two commas.
#[derive(Default)]
struct Item {
    /// Words seen; more than one outside brackets is a name, not an address.
    words: usize,
    in_angle: bool,
    /// The address in brackets is done: the rest is passed over.
    done: bool,
    /// Where the first word began.
    start: usize,
    /// Where the `@` is.
    at: Option<usize>,
    /// Where the last word ended.
    end: usize,
}

/// The addresses of a field's body, in order.
pub(crate) fn spans(body: &str) -> Vec<Span> {
    let mut spans = Vec::new();
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
                spans.extend(item.span());
                (item.in_angle, item.done) = (false, true);
            }
            b',' | b';' => {
                spans.extend(item.span());
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
    spans.extend(item.span());
    spans
}

impl Item {
    fn word(&mut self, start: usize, end: usize) {
        if self.words == 0 {
            self.start = start;
        }
        // A word right behind another (`"a".b`) goes on with it.
        if self.words == 0 || start > self.end {
            self.words += 1;
        }
        self.end = end;
    }

    /// The address, if it is one.
    fn span(&self) -> Option<Span> {
        let is_name = self.at.is_none() && self.words != 1;
        (!self.done && self.words > 0 && !is_name).then_some(Span {
            start: self.start,
            at: self.at,
            end: self.end,
        })
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

    #[test]
    fn fields_are_folded_behind_commas() {
        assert_eq!(folded("To", "a@b,\n\tc@d"), "To: a@b, c@d");
        let long = "franklin@outside.test, franklin@outside.test, hidden@outside.test, \"a, b\" <c@d>";
        assert_eq!(
            folded("Cc", long),
            "Cc: franklin@outside.test, franklin@outside.test,\n\thidden@outside.test, \"a, b\" <c@d>"
        );
    }

    #[test]
    fn addresses_are_changed_where_they_stand() {
        let change = |address: &Address| -> Result<_, ()> {
            let is_one = address.local() == "a b" || address.local() == "a";
            Ok(is_one.then(|| Address::parse("new@x.test").expect("an address")))
        };
        for (body, expected) in [
            ("a@b", Some("new@x.test")),
            ("\"a b\"@c,\n\tx@y", Some("new@x.test,\n\tx@y")),
            ("Name <a@b> (note)", Some("Name <new@x.test> (note)")),
            ("a@b (Name)", Some("new@x.test (Name)")),
            ("g: x@y, a@b;", Some("g: x@y, new@x.test;")),
            ("a (c)", Some("new@x.test (c)")),
            ("x@y", None),
            ("Full Name", None),
        ] {
            assert_eq!(
                changed(body.as_bytes(), change).expect("no error").as_deref(),
                expected
            );
        }
    }
}
