//! The lines of a message as keys of a table: what `postmap -h`, `-b` and `-m` ask for, as header_checks(5) would.

use std::ops::Range;

use message::structure::{Part, Structure};

/// Which lines are keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct MessageKeys {
    /// Fields of the header, folded lines with their line ends (`-h`).
    pub(crate) headers: bool,
    /// Lines of the body (`-b`).
    pub(crate) body: bool,
    /// The headers of MIME parts and of messages inside are headers, not body (`-m`).
    pub(crate) mime: bool,
}

impl MessageKeys {
    /// The keys of a message, in order.
    pub(crate) fn of(self, message: &[u8]) -> Vec<String> {
        // The structure counts lines that end in CRLF.
        let message = message::lines::to_crlf(message);
        let first = 0..first_header(&message);
        let mut headers = vec![first];
        if self.mime {
            let structure = Structure::parse(&message);
            let nested = structure.root.walk().filter(|part| is_with_header(part));
            headers.extend(nested.map(|part| bytes(&part.header)));
        }
        headers.sort_by_key(|header| header.start);
        let (mut keys, mut at) = (Vec::new(), 0);
        for line in message.split_inclusive(|&byte| byte == b'\n') {
            let text = line.strip_suffix(b"\n").unwrap_or(line);
            let text = String::from_utf8_lossy(text.strip_suffix(b"\r").unwrap_or(text)).into_owned();
            let inside = headers.iter().find(|header| header.contains(&at));
            // The empty line behind a header counts as body.
            let is_header = inside.is_some() && !text.is_empty();
            let is_folded =
                is_header && inside.is_some_and(|header| header.start < at) && text.starts_with([' ', '\t']);
            match keys.last_mut() {
                Some(last) if is_folded && self.headers => *last = format!("{last}\n{text}"),
                _ if is_header && self.headers || !is_header && self.body => keys.push(text),
                _ => {}
            }
            at += line.len();
        }
        keys
    }
}

/// Whether a part has a header of its own inside the message.
fn is_with_header(part: &Part) -> bool {
    part.header.end > part.header.start
}

fn bytes(range: &Range<u64>) -> Range<usize> {
    let at = |offset| usize::try_from(offset).unwrap_or(usize::MAX);
    at(range.start)..at(range.end)
}

/// The length of the header at the start: up to the first line that is none of it.
fn first_header(message: &[u8]) -> usize {
    let mut end = 0;
    for line in message.split_inclusive(|&byte| byte == b'\n') {
        let is_folded = end > 0 && line.starts_with(b" ") || line.starts_with(b"\t");
        let colon = line.iter().position(|&byte| byte == b':');
        let is_field = colon.is_some_and(|colon| message::header::is_name(line[..colon].trim_ascii_end()));
        if !(is_folded || is_field) {
            break;
        }
        end += line.len();
    }
    end
}

#[cfg(test)]
mod tests {
    use super::*;

    const MESSAGE: &[u8] = b"Received: from a\n  by b\nSubject: x\nMIME-Version: 1.0\n\
        Content-Type: multipart/mixed; boundary=foo\n\n--foo\nContent-Type: text/plain\n\nhi there\n--foo--\n";

    fn keys(headers: bool, body: bool, mime: bool) -> Vec<String> {
        let wanted = MessageKeys { headers, body, mime };
        wanted.of(MESSAGE)
    }

    #[test]
    fn headers_and_bodies_are_told_apart_as_postfix_does() {
        let top = [
            "Received: from a\n  by b",
            "Subject: x",
            "MIME-Version: 1.0",
            "Content-Type: multipart/mixed; boundary=foo",
        ];
        assert_eq!(keys(true, false, false), top);
        let with_part: Vec<&str> = top.into_iter().chain(["Content-Type: text/plain"]).collect();
        assert_eq!(keys(true, false, true), with_part);
        let body = ["", "--foo", "Content-Type: text/plain", "", "hi there", "--foo--"];
        assert_eq!(keys(false, true, false), body);
        assert_eq!(keys(false, true, true), ["", "--foo", "", "hi there", "--foo--"]);
    }
}
