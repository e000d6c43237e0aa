//! Reads replies: octets become replies of several lines, cut where they are too long.
//!
//! What a peer says is kept as it said it. A line that is no line of a reply is passed over: what counts is the code of the
//! next one that is.

use crate::reply::{REPLY_LINE_OCTETS_MAX, REPLY_LINES_MAX, fits};
use envelope::StatusCode;
use std::collections::VecDeque;

/// How much of a reply is kept in all, in octets; the rest is read and dropped.
const REPLY_OCTETS_MAX: usize = 16 * 1024;
/// How much of a reply logs, lists and reports show, in octets.
const SHOWN_OCTETS_MAX: usize = 2048;

/// What the peer said to one command.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Said {
    /// The code of the last line, 0 to 999.
    pub(super) code: u16,
    /// The enhanced status code of the last line, if it fits the code (RFC 2034 §4).
    enhanced: Option<StatusCode>,
    /// The lines, as they may be shown; those that belong to no reply, too.
    lines: Vec<String>,
}

/// What the first digit of a code means (RFC 5321 §4.2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meaning {
    /// 2xx
    Done,
    /// 3xx
    GoOn,
    /// 4xx
    Later,
    /// 5xx
    Never,
    /// A digit that no command of ours may be answered with.
    Nonsense,
}

impl Said {
    pub(super) fn meaning(&self) -> Meaning {
        match self.code / 100 {
            2 => Meaning::Done,
            3 => Meaning::GoOn,
            4 => Meaning::Later,
            5 => Meaning::Never,
            _ => Meaning::Nonsense,
        }
    }

    pub(super) fn is_done(&self) -> bool {
        self.meaning() == Meaning::Done
    }

    /// The enhanced code, or the one that the first digit implies (`5.0.0`); 5.5.0 where the digit makes no sense.
    pub(super) fn status(&self) -> StatusCode {
        self.enhanced.unwrap_or(match self.meaning() {
            Meaning::Done => StatusCode::success(0, 0),
            Meaning::Later => StatusCode::temporary(0, 0),
            Meaning::Never => StatusCode::permanent(0, 0),
            Meaning::GoOn | Meaning::Nonsense => StatusCode::permanent(5, 0),
        })
    }

    /// The texts behind the codes.
    pub(super) fn texts(&self) -> impl Iterator<Item = &str> {
        self.lines
            .iter()
            .filter(|line| code_of(line.as_bytes()).is_some())
            .map(|line| line.get(4..).unwrap_or_default())
    }

    /// The lines as they came.
    pub(super) fn lines(&self) -> impl Iterator<Item = &str> {
        self.lines.iter().map(String::as_str)
    }

    /// The reply on one line, as logs, `mailq` and reports show a peer's words: its lines as they came, one behind the
    /// other: `550-5.1.1 first line 550 5.1.1 second line`.
    pub(super) fn in_one_line(&self) -> String {
        let mut text = self.lines.join(" ");
        text.truncate(text.floor_char_boundary(SHOWN_OCTETS_MAX));
        text.truncate(text.trim_end().len());
        text
    }

    /// Takes a line, and whether the reply is complete with it.
    fn add(&mut self, line: &[u8]) -> bool {
        let Some((code, is_last)) = code_of(line) else {
            self.keep(line);
            return false;
        };
        self.keep(line);
        // The last line counts, as everywhere.
        self.code = code;
        let text = line.get(4..).unwrap_or_default().trim_ascii_start();
        let word = text.split(u8::is_ascii_whitespace).next().unwrap_or_default();
        self.enhanced = std::str::from_utf8(word)
            .ok()
            .and_then(StatusCode::split)
            .filter(|(status, rest)| rest.is_empty() && fits(code, *status))
            .map(|(status, _)| status);
        is_last
    }

    fn keep(&mut self, line: &[u8]) {
        let kept: usize = self.lines.iter().map(String::len).sum();
        if self.lines.len() < REPLY_LINES_MAX && kept + line.len() <= REPLY_OCTETS_MAX {
            self.lines.push(shown(line));
        }
    }
}

/// The code of a line of a reply, and whether it is the last one.
fn code_of(line: &[u8]) -> Option<(u16, bool)> {
    let (digits, rest) = line.split_at_checked(3)?;
    let is_last = match rest.first() {
        None | Some(b' ') => true,
        Some(b'-') => false,
        Some(_) => return None,
    };
    if !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let code = std::str::from_utf8(digits).ok()?.parse().ok()?;
    Some((code, is_last))
}

/// A line as logs, lists and reports may have it: nothing in it moves a cursor, and what is not UTF-8 is a `?` for each octet.
fn shown(line: &[u8]) -> String {
    let mut text = String::with_capacity(line.len());
    for chunk in line.utf8_chunks() {
        let valid = chunk.valid().chars();
        text.extend(valid.map(|c| if c.is_control() { '?' } else { c }));
        text.extend(chunk.invalid().iter().map(|_| '?'));
    }
    text
}

/// Collects what the peer says.
#[derive(Debug, Default)]
pub(super) struct Replies {
    /// The line that is not complete yet; no more of it than is kept.
    line: Vec<u8>,
    /// Something was said since the last line end.
    inside_line: bool,
    /// The lines of the reply that is not complete yet.
    partial: Option<Said>,
    complete: VecDeque<Said>,
}

impl Replies {
    pub(super) fn feed(&mut self, mut input: &[u8]) {
        while let Some(at) = memchr::memchr(b'\n', input) {
            self.add_to_line(&input[..at]);
            input = &input[at + 1..];
            self.end_line();
        }
        if !input.is_empty() {
            self.inside_line = true;
            self.add_to_line(input);
        }
    }

    fn add_to_line(&mut self, octets: &[u8]) {
        let room = REPLY_LINE_OCTETS_MAX.saturating_sub(self.line.len());
        self.line.extend_from_slice(&octets[..octets.len().min(room)]);
    }

    fn end_line(&mut self) {
        self.inside_line = false;
        let line = std::mem::take(&mut self.line);
        let line = line.strip_suffix(b"\r").unwrap_or(&line);
        if self.partial.get_or_insert_default().add(line) {
            self.complete.extend(self.partial.take());
        }
    }

    /// Whether octets are there that belong to no reply that was read.
    pub(super) fn has_unread(&self) -> bool {
        self.inside_line || self.partial.is_some() || !self.complete.is_empty()
    }

    /// The next reply, if it is complete.
    pub(super) fn next(&mut self) -> Option<Said> {
        self.complete.pop_front()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(input: &[u8]) -> Vec<(u16, String, String)> {
        let mut replies = Replies::default();
        replies.feed(input);
        std::iter::from_fn(|| replies.next())
            .map(|said| (said.code, said.status().to_string(), said.in_one_line()))
            .collect()
    }

    fn one(input: &[u8]) -> (u16, String, String) {
        let mut found = read(input);
        assert_eq!(found.len(), 1, "{input:?}");
        found.remove(0)
    }

    #[test]
    fn what_cannot_be_shown_is_not_passed_on() {
        assert_eq!(
            one(b"450 4.2.1 a\x07\x1b[2Jb\xe9\xff gr\xc3\xbc\r\n").2,
            "450 4.2.1 a??[2Jb?? gr\u{fc}"
        );
    }

    #[test]
    fn several_lines_are_one_reply() {
        let mut replies = Replies::default();
        replies.feed(b"250-mx\r\n250-SIZE 10\r\n250 DSN\r\n550-5.1.1 no\r\n550 5.1.1 such user\r\n250");
        let offers = replies.next().unwrap();
        assert_eq!(offers.texts().collect::<Vec<_>>(), ["mx", "SIZE 10", "DSN"]);
        assert_eq!(
            replies.next().unwrap().in_one_line(),
            "550-5.1.1 no 550 5.1.1 such user"
        );
        assert_eq!(replies.next(), None);
        assert!(replies.has_unread());
        replies.feed(b"\r\n");
        assert_eq!(replies.next().unwrap().in_one_line(), "250");
        assert!(!replies.has_unread());
        replies.feed(b"x\r\n");
        assert!(replies.has_unread());
    }

    #[test]
    fn the_last_line_says_what_it_is() {
        for (input, code, status, text) in [
            (
                &b"550-5.1.1 y\r\n550 z\r\n"[..],
                550,
                "5.0.0",
                "550-5.1.1 y 550 z",
            ),
            (b"250-x\r\n550   5.1.2 z\r\n", 550, "5.1.2", "250-x 550   5.1.2 z"),
            (b"550-5.1.1 y\r\n250 ok\r\n", 250, "2.0.0", "550-5.1.1 y 250 ok"),
            (b"450 5.1.1 x\r\n", 450, "4.0.0", "450 5.1.1 x"),
            (b"550 5.1.1\r\n", 550, "5.1.1", "550 5.1.1"),
            (b"550 5.1.1x x\r\n", 550, "5.0.0", "550 5.1.1x x"),
            (b"999 what\r\n", 999, "5.5.0", "999 what"),
            (b"354 5.1.1 go\r\n", 354, "5.5.0", "354 5.1.1 go"),
            (b"050 m\r\n", 50, "5.5.0", "050 m"),
        ] {
            let expected = (code, status.to_owned(), text.to_owned());
            assert_eq!(one(input), expected, "{}", input.escape_ascii());
        }
    }

    #[test]
    fn lines_that_are_none_are_passed_over() {
        for (input, text) in [
            (&b"abc\r\n250 ok\r\n"[..], "abc 250 ok"),
            (b"2\r\n250 ok\r\n", "2 250 ok"),
            (
                b"2500 x\r\n250x\r\n250\tx\r\n250 ok\r\n",
                "2500 x 250x 250?x 250 ok",
            ),
            (b"\r\n220-x\r\nabc\r\n220 y\r\n", " 220-x abc 220 y"),
        ] {
            assert_eq!(one(input).2, text);
        }
        assert!(read(b"hello\r\n\r\n250x\r\n").is_empty());
    }

    #[test]
    fn what_is_too_long_is_cut_and_its_code_counts() {
        let long = [b"250-", &[b'a'; 100_000][..], b"\r\n250 ok\r\n"].concat();
        let (code, status, text) = one(&long);
        assert_eq!(
            (code, status.as_str(), text.len()),
            (250, "2.0.0", SHOWN_OCTETS_MAX)
        );
        let long = [b"550 5.1.1 ", &[b'y'; 3000][..], b"\r\n"].concat();
        let (code, status, text) = one(&long);
        assert_eq!((code, status.as_str()), (550, "5.1.1"));
        assert!(text.starts_with("550 5.1.1 yyy") && text.len() == SHOWN_OCTETS_MAX);
        let mut replies = Replies::default();
        for _ in 0..100_000 {
            replies.feed(b"250-PIPELINING ");
            replies.feed(&[b'x'; 50]);
            replies.feed(b"\n");
        }
        let partial = replies.partial.as_ref().unwrap();
        let kept: usize = partial.lines().map(str::len).sum();
        assert!(kept <= REPLY_OCTETS_MAX && partial.lines.len() <= REPLY_LINES_MAX);
        replies.feed(b"250 y\n");
        assert_eq!(replies.next().unwrap().code, 250);
        for _ in 0..100_000 {
            replies.feed(&[b'x'; 100]);
        }
        assert!(replies.line.len() <= REPLY_LINE_OCTETS_MAX);
    }
}
