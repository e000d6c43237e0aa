//! `mailto:` URIs (RFC 6068) as notification methods (RFC 5436).

use crate::parts;

/// What such a URI says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Mailto {
    pub(crate) to: Vec<String>,
    pub(crate) cc: Vec<String>,
    pub(crate) subject: Option<String>,
    pub(crate) body: Option<String>,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) warnings: Vec<String>,
}

/// How many recipients a notification has. `sieve_notify_mailto_max_recipients`.
const RECIPIENTS_MAX: usize = 8;
/// How many header fields a URI sets.
const HEADERS_MAX: usize = 16;
/// Fields that a URI must not set.
const FORBIDDEN: [&str; 11] = [
    "auto-submitted",
    "received",
    "message-id",
    "date",
    "bcc",
    "in-reply-to",
    "references",
    "resent-date",
    "resent-message-id",
    "from",
    "reply-to",
];

/// What follows `mailto:`.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn parse(rest: &str) -> Result<Mailto, String> {
    let mut mailto = Mailto::default();
    let (to, headers) = match rest.split_once('?') {
        Some((to, headers)) => (to, Some(headers)),
        None => (rest, None),
    };
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_.!~*'()$&+:@%=".contains(&b);
    if let Some(wrong) = to.bytes().find(|&b| !plain(b)) {
        return Err(format!("invalid character '{}' in 'to' part", wrong as char));
    }
    let to = decode(to)?;
    add_recipients(&mut mailto.to, &to)?;
    for field in headers.into_iter().flat_map(|headers| headers.split('&')) {
        let Some((name, value)) = field.split_once('=') else {
            // As with Pigeonhole, what has no value says nothing.
            decode(field)?;
            continue;
        };
        let (name, value) = (decode(name)?, decode(value)?);
        mailto.take(&name, value)?;
    }
    let count = mailto.to.len() + mailto.cc.len();
    if count > RECIPIENTS_MAX {
        return Err(format!(
            "more than the maximum of {RECIPIENTS_MAX} recipients are specified"
        ));
    }
    if count == 0 {
        mailto
            .warnings
            .push("notification URI specifies no recipients".to_owned());
    }
    Ok(mailto)
}

impl Mailto {
    fn take(&mut self, name: &str, value: String) -> Result<(), String> {
        let lower = name.to_ascii_lowercase();
        match lower.as_str() {
            "to" => add_recipients(&mut self.to, &value)?,
            "cc" => add_recipients(&mut self.cc, &value)?,
            "subject" if self.subject.is_some() => {
                self.warnings.push("ignored duplicate subject field".to_owned())
            }
            "body" if self.body.is_some() => self.warnings.push("ignored duplicate body field".to_owned()),
            "subject" => self.subject = Some(value),
            "body" => self.body = Some(value),
            _ if !message::header::is_name(name.as_bytes()) => {
                return Err(format!("invalid header field name '{name}'"));
            }
            forbidden if FORBIDDEN.contains(&forbidden) || forbidden.starts_with("content-") => {
                self.warnings
                    .push(format!("ignored reserved header field '{name}'"));
            }
            _ if self.headers.len() < HEADERS_MAX => self.headers.push((name.to_owned(), value)),
            _ => {
                return Err(format!(
                    "more than the maximum of {HEADERS_MAX} headers are specified"
                ));
            }
        }
        Ok(())
    }
}

fn add_recipients(list: &mut Vec<String>, text: &str) -> Result<(), String> {
    for word in text.split(',').map(str::trim).filter(|word| !word.is_empty()) {
        let address = parts::single(word).map_err(|why| format!("invalid recipient '{word}': {why}"))?;
        if !list.contains(&address.whole()) {
            list.push(address.whole());
        }
    }
    Ok(())
}

/// Undoes `%40`.
fn decode(text: &str) -> Result<String, String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, behind)) = rest.split_first() {
        rest = behind;
        if first != b'%' {
            bytes.push(first);
            continue;
        }
        let digits = behind
            .get(..2)
            .and_then(|digits| std::str::from_utf8(digits).ok());
        let byte = digits
            .filter(|d| d.bytes().all(|b| b.is_ascii_hexdigit()))
            .and_then(|d| u8::from_str_radix(d, 16).ok());
        match byte {
            Some(byte) if byte != 0 => {
                bytes.push(byte);
                rest = &behind[2..];
            }
            _ => return Err("invalid % encoding".to_owned()),
        }
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uris_are_read() {
        let mailto = parse("a@b.c%2Cd%40e.f?cc=g@h.i&subject=Foo%20bar&X-Foo=bar&bcc=q@q.q").unwrap();
        assert_eq!(mailto.to, ["a@b.c", "d@e.f"]);
        assert_eq!(mailto.cc, ["g@h.i"]);
        assert_eq!(mailto.subject.as_deref(), Some("Foo bar"));
        assert_eq!(mailto.headers, [("X-Foo".to_owned(), "bar".to_owned())]);
        assert_eq!(mailto.warnings.len(), 1);
        for (text, why) in [
            ("a@b.c,d@e.f", "invalid character ',' in 'to' part"),
            ("a@b.c?subject=%zz", "invalid % encoding"),
            (
                "xxx",
                "invalid recipient 'xxx': invalid or lonely local part 'xxx' (expecting '@')",
            ),
        ] {
            assert_eq!(parse(text), Err(why.to_owned()), "{text}");
        }
    }
}
