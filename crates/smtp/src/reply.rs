//! A reply: code, enhanced status code, lines; how it is written and how it is read.

use envelope::{Class, StatusCode};

/// How many lines of a reply are kept when reading; a peer may send more, they are dropped.
pub const REPLY_LINES_MAX: usize = 100;
/// The longest line of a reply that is kept when reading, in octets; the rest of it is dropped.
pub const REPLY_LINE_OCTETS_MAX: usize = 2048;

/// What one side answers to a command: `250 2.1.5 Ok`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// 200 to 599.
    pub code: u16,
    /// The enhanced status code, repeated on every line (RFC 2034). Greetings and EHLO replies have none.
    pub enhanced: Option<StatusCode>,
    /// The text, one entry a line; no line ends inside. No entry at all is one empty line.
    pub lines: Vec<String>,
}

impl Reply {
    /// A reply of one line.
    pub fn new(code: u16, enhanced: StatusCode, text: impl Into<String>) -> Reply {
        Reply {
            code,
            enhanced: Some(enhanced),
            lines: vec![text.into()],
        }
    }

    /// A reply of one line without an enhanced status code.
    pub fn bare(code: u16, text: impl Into<String>) -> Reply {
        Reply {
            code,
            enhanced: None,
            lines: vec![text.into()],
        }
    }

    /// The reply that `text` spells: `554 5.7.1 <x@y>: Relay access denied`. The enhanced code may be missing.
    pub fn parse(text: &str) -> Option<Reply> {
        let (code, rest) = text.split_at_checked(3)?;
        let code = code.parse::<u16>().ok().filter(|c| (200..600).contains(c))?;
        let rest = rest.strip_prefix([' ', '-']).unwrap_or(rest);
        let (enhanced, line) = match StatusCode::split(rest) {
            Some((status, line)) if fits(code, status) => (Some(status), line),
            _ => (None, rest),
        };
        Some(Reply {
            code,
            enhanced,
            lines: vec![line.to_owned()],
        })
    }

    /// 2xx or 3xx.
    pub fn is_positive(&self) -> bool {
        self.code < 400
    }

    /// 4xx: to be tried again.
    pub fn is_temporary(&self) -> bool {
        (400..500).contains(&self.code)
    }

    /// 5xx: given up.
    pub fn is_permanent(&self) -> bool {
        self.code >= 500
    }

    /// The same as a reply for now, where it is one for good: 450 for 550, 4.1.1 for 5.1.1.
    pub fn softened(self) -> Reply {
        if !self.is_permanent() {
            return self;
        }
        let soft = |status: StatusCode| StatusCode::temporary(status.subject, status.detail);
        Reply {
            code: self.code - 100,
            enhanced: self.enhanced.map(soft),
            ..self
        }
    }

    /// 421 and 521 end the session (RFC 5321 §3.8, RFC 7504).
    pub fn closes(&self) -> bool {
        matches!(self.code, 421 | 521)
    }

    /// The enhanced code, or the one that the first digit implies (`5.0.0`).
    pub fn status(&self) -> StatusCode {
        self.enhanced.unwrap_or(match self.code {
            0..400 => StatusCode::success(0, 0),
            400..500 => StatusCode::temporary(0, 0),
            _ => StatusCode::permanent(0, 0),
        })
    }

    /// Writes the reply as it goes over the wire. Control characters in the text become `?`.
    pub fn write(&self, into: &mut Vec<u8>) {
        let empty = [String::new()];
        let lines: &[String] = if self.lines.is_empty() {
            &empty
        } else {
            &self.lines
        };
        let last = lines.len() - 1;
        let enhanced = self
            .enhanced
            .map(|status| format!("{status} "))
            .unwrap_or_default();
        for (index, line) in lines.iter().enumerate() {
            let separator = if index == last { ' ' } else { '-' };
            into.extend_from_slice(format!("{:03}{separator}{enhanced}", self.code).as_bytes());
            into.extend(line.bytes().map(|b| if b < b' ' || b == 0x7f { b'?' } else { b }));
            into.extend_from_slice(b"\r\n");
        }
    }

    /// The reply on one line, as logs, `mailq` and reports show a peer's words: its lines as they came, one behind the
    /// other: `550-5.1.1 first line 550 5.1.1 second line`.
    pub fn in_one_line(&self) -> String {
        let enhanced = self
            .enhanced
            .map(|status| format!("{status} "))
            .unwrap_or_default();
        let mut text = String::new();
        for (index, line) in self.lines.iter().enumerate() {
            let separator = if index + 1 < self.lines.len() { '-' } else { ' ' };
            text.push_str(if index == 0 { "" } else { " " });
            text.push_str(&format!("{:03}{separator}{enhanced}{line}", self.code));
        }
        if self.lines.is_empty() {
            text = format!("{:03}", self.code);
        }
        text.truncate(text.trim_end().len());
        text
    }
}

impl std::fmt::Display for Reply {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.in_one_line())
    }
}

/// Whether an enhanced code says the same as the reply code (RFC 2034 §4).
pub(crate) fn fits(code: u16, status: StatusCode) -> bool {
    match status.class {
        Class::Success => (200..400).contains(&code),
        Class::Temporary => (400..500).contains(&code),
        Class::Permanent => (500..600).contains(&code),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_for_good_can_be_softened() {
        let soft = |text: &str| Reply::parse(text).map(|reply| reply.softened().to_string());
        assert_eq!(soft("550 5.1.1 no").as_deref(), Some("450 4.1.1 no"));
        assert_eq!(soft("500 what").as_deref(), Some("400 what"));
        assert_eq!(soft("451 4.3.0 later").as_deref(), Some("451 4.3.0 later"));
        assert_eq!(soft("250 2.1.0 Ok").as_deref(), Some("250 2.1.0 Ok"));
    }

    #[test]
    fn every_line_has_the_codes() {
        let mut reply = Reply::new(554, StatusCode::permanent(7, 1), "<a@b>: Relay access denied");
        reply.lines.push("see\tyou\r\n250 Ok".to_owned());
        let mut out = Vec::new();
        reply.write(&mut out);
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "554-5.7.1 <a@b>: Relay access denied\r\n554 5.7.1 see?you??250 Ok\r\n"
        );
    }

    #[test]
    fn a_reply_is_read_from_its_text() {
        assert_eq!(
            Reply::parse("250 2.1.5 Ok"),
            Some(Reply::new(250, StatusCode::success(1, 5), "Ok"))
        );
        assert_eq!(Reply::parse("450 5.1.1 odd"), Some(Reply::bare(450, "5.1.1 odd")));
        assert_eq!(Reply::parse("421").map(|r| r.closes()), Some(true));
        assert_eq!(Reply::parse("99 x"), None);
        assert_eq!(Reply::parse("abc"), None);
        assert_eq!(Reply::parse("äö x"), None);
    }
}
