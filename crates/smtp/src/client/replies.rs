//! Reads replies: lines become replies of several lines, bounded.

use crate::Reply;
use crate::reply::{REPLY_LINE_OCTETS_MAX, REPLY_LINES_MAX};
use envelope::StatusCode;
use machine::lines::{Line, Lines};

/// Collects what the peer says.
#[derive(Debug, Default)]
pub(super) struct Replies {
    lines: Lines,
    partial: Option<Reply>,
    /// How many lines of the partial reply were read, kept or not.
    count: usize,
}

/// What cannot be understood.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Garbage(pub(super) String);

impl Replies {
    pub(super) fn feed(&mut self, input: &[u8]) {
        self.lines.feed(input);
    }

    /// Whether octets are there that belong to no reply that was read.
    pub(super) fn has_unread(&self) -> bool {
        !self.lines.unread().is_empty() || self.partial.is_some()
    }

    /// The next reply, if it is complete.
    pub(super) fn next(&mut self) -> Result<Option<Reply>, Garbage> {
        while let Some(line) = self.lines.next_line(REPLY_LINE_OCTETS_MAX) {
            let Line::Complete(line) = line else {
                return Err(Garbage("an overlong line".to_owned()));
            };
            // What a peer says is shown in logs, lists and reports: nothing in it may move a cursor.
            let text = String::from_utf8_lossy(&line);
            let text: String = text
                .chars()
                .map(|c| if c.is_control() { '?' } else { c })
                .collect();
            let is_last = text.as_bytes().get(3) != Some(&b'-');
            let Some(reply) =
                Reply::parse(&text).filter(|_| matches!(text.as_bytes().get(3), None | Some(b' ' | b'-')))
            else {
                return Err(Garbage(text));
            };
            self.count += 1;
            if self.count > REPLY_LINES_MAX * 10 {
                return Err(Garbage("too many lines".to_owned()));
            }
            self.add(reply);
            if is_last {
                self.count = 0;
                return Ok(self.partial.take());
            }
        }
        Ok(None)
    }

    /// The last line's code counts, as everywhere; the enhanced code is taken off every line that has it.
    fn add(&mut self, line: Reply) {
        match &mut self.partial {
            None => self.partial = Some(line),
            Some(whole) => {
                whole.code = line.code;
                let text: Option<StatusCode> = line.enhanced.filter(|status| Some(*status) != whole.enhanced);
                if whole.lines.len() < REPLY_LINES_MAX {
                    let prefix = text.map(|status| format!("{status} ")).unwrap_or_default();
                    whole
                        .lines
                        .extend(line.lines.iter().map(|line| format!("{prefix}{line}")));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_are_not_passed_on() {
        let mut replies = Replies::default();
        replies.feed(b"450 4.2.1 a\x07\x1b[2Jb\r\n");
        let reply = replies.next().unwrap().unwrap();
        assert_eq!(reply.in_one_line(), "450 4.2.1 a??[2Jb");
    }

    #[test]
    fn several_lines_are_one_reply() {
        let mut replies = Replies::default();
        replies.feed(b"250-mx\r\n250-SIZE 10\r\n250 DSN\r\n550-5.1.1 no\r\n550 5.1.1 such user\r\n250");
        assert_eq!(replies.next().unwrap().unwrap().lines, ["mx", "SIZE 10", "DSN"]);
        assert_eq!(
            replies.next().unwrap().unwrap().in_one_line(),
            "550-5.1.1 no 550 5.1.1 such user"
        );
        assert_eq!(replies.next(), Ok(None));
        assert!(replies.has_unread());
        replies.feed(b"\r\n");
        assert_eq!(replies.next().unwrap().unwrap(), Reply::bare(250, ""));
        assert!(!replies.has_unread());
    }

    #[test]
    fn garbage_and_floods_end() {
        for garbage in [&b"hello\r\n"[..], b"999 x\r\n", b"2500\r\n", b"\r\n"] {
            let mut replies = Replies::default();
            replies.feed(garbage);
            assert!(replies.next().is_err(), "{garbage:?}");
        }
        let mut replies = Replies::default();
        replies.feed(&b"250-x\r\n".repeat(500));
        assert_eq!(replies.next(), Ok(None));
        replies.feed(b"250 y\r\n");
        assert_eq!(replies.next().unwrap().unwrap().lines.len(), REPLY_LINES_MAX);
        let mut replies = Replies::default();
        replies.feed(&b"250-x\r\n".repeat(5000));
        assert!(replies.next().is_err());
    }
}
