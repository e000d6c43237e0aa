//! The mbox format: `From ` lines, quoting, splitting a file into messages.
//!
//! As Postfix's local(8) writes it (mboxo) and Dovecot reads it: a message starts at a `From ` line with a date in
//! it; `Content-Length` is not believed; `>From ` is not unquoted.

use memchr::memchr;

use crate::date::{self, Date};

/// How much of a line is kept to see whether it is a `From ` line.
pub const LINE_KEPT_MAX: usize = 1024;

/// A `From ` line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FromLine {
    /// The sender as it stands there.
    pub sender: Vec<u8>,
    /// When it was delivered. Without a zone in the line this is local time taken as UTC, with offset 0.
    pub date: Date,
}

impl FromLine {
    /// The line `From sender Thu Dec 24 22:25:24 2020`, without its end, if it is one. Zones before or after the
    /// year, a missing weekday's seconds and text after the date (`remote from x`) are taken.
    pub fn parse(line: &[u8]) -> Option<FromLine> {
        let rest = line.strip_prefix(b"From ")?;
        let rest = &rest[..rest.len().min(LINE_KEPT_MAX)];
        // The sender may hold anything, spaces too: the date is what tells where it ends.
        (0..rest.len())
            .filter(|&at| at == 0 || rest[at - 1] == b' ')
            .find_map(|at| {
                let date = date_at(&rest[at..])?;
                Some(FromLine {
                    sender: rest[..at].trim_ascii().to_vec(),
                    date,
                })
            })
    }

    /// The line as local(8) writes it, without its end; a null sender is MAILER-DAEMON. The date is shown in its
    /// own zone, as local time.
    pub fn display(sender: Option<&address::Address>, date: Date) -> String {
        let sender = sender.map_or_else(|| "MAILER-DAEMON".to_owned(), ToString::to_string);
        // Two spaces, as local(8) writes; the sender is quoted where it holds spaces.
        format!("From {sender}  {}", date.asctime())
    }
}

/// `Thu Dec 24 22:25:24 2020`, with a zone before or after the year.
fn date_at(text: &[u8]) -> Option<Date> {
    let mut words = text
        .split(|b| matches!(b, b' ' | b'\t'))
        .filter(|w| !w.is_empty());
    let mut word = || words.next().and_then(|w| std::str::from_utf8(w).ok());
    let weekday = word()?;
    if weekday.len() != 3 || !weekday.bytes().all(|b| b.is_ascii_alphabetic()) {
        return None;
    }
    let (month, day, time) = (word()?, word()?, word()?);
    date::month(month).filter(|_| month.len() == 3)?;
    time.contains(':').then_some(())?;
    let (fourth, fifth) = (word()?, word());
    let is_year = |w: &str| w.len() == 4 && w.bytes().all(|b| b.is_ascii_digit());
    let (year, zone) = if is_year(fourth) {
        (fourth, fifth)
    } else {
        (fifth.filter(|w| is_year(w))?, Some(fourth))
    };
    let zone = zone.filter(|z| *z != "remote").unwrap_or("");
    Date::parse(format!("{day} {month} {year} {time} {zone}").as_bytes()).ok()
}

/// Puts `>` before lines that start with `From `; fed in any pieces.
#[derive(Debug, Clone)]
pub struct Quoter {
    /// How many octets of `From ` the current line has matched; `None` after the first that does not.
    matched: Option<usize>,
    ends_line: bool,
}

const FROM: &[u8] = b"From ";

impl Default for Quoter {
    fn default() -> Quoter {
        Quoter {
            matched: Some(0),
            ends_line: true,
        }
    }
}

impl Quoter {
    /// At the start of a message.
    pub fn new() -> Quoter {
        Quoter::default()
    }

    /// Appends `input`, quoted. Up to four octets are held back.
    pub fn feed(&mut self, mut input: &[u8], output: &mut Vec<u8>) {
        output.reserve(input.len() + 8);
        while let Some(&first) = input.first() {
            match self.matched {
                Some(count) if FROM[count] == first => {
                    input = &input[1..];
                    self.ends_line = false;
                    self.matched = Some(count + 1);
                    if count + 1 == FROM.len() {
                        output.extend_from_slice(b">From ");
                        self.matched = None;
                    }
                }
                Some(count) => {
                    output.extend_from_slice(&FROM[..count]);
                    self.matched = None;
                }
                None => {
                    let end = memchr(b'\n', input).map(|at| at + 1);
                    let (piece, rest) = input.split_at(end.unwrap_or(input.len()));
                    output.extend_from_slice(piece);
                    input = rest;
                    self.ends_line = end.is_some();
                    self.matched = end.map(|_| 0);
                }
            }
        }
    }

    /// Appends what was held back and what the end of a message needs: its last line's end, if missing, and the
    /// empty line after it. `line_end` is LF or CRLF.
    pub fn finish(self, line_end: &[u8], output: &mut Vec<u8>) {
        if let Some(count) = self.matched {
            output.extend_from_slice(&FROM[..count]);
        }
        if !self.ends_line {
            output.extend_from_slice(line_end);
        }
        output.extend_from_slice(line_end);
    }
}

/// The start of a message in an mbox file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Start {
    /// Where its `From ` line is.
    pub offset: u64,
    /// Where the message begins: after that line.
    pub content: u64,
    /// Where the message before ends, without the empty line that divides them. 0 for the first.
    pub previous_end: u64,
    /// What the line says.
    pub from: FromLine,
}

/// Finds the messages of an mbox file that is fed in any pieces. Lines may end in LF or CRLF.
#[derive(Debug, Clone, Default)]
pub struct Splitter {
    /// Where the current line starts.
    offset: u64,
    /// Where the octets before it end when an empty line just before it is left out.
    end_before: u64,
    /// The kept start of a line of which the end has not come, and how long it is.
    partial: Vec<u8>,
    partial_bytes: u64,
}

impl Splitter {
    /// At the start of a file, or at any start of a line in it.
    pub fn new(offset: u64) -> Splitter {
        Splitter {
            offset,
            end_before: offset,
            ..Splitter::default()
        }
    }

    /// Takes the next octets; appends the messages that start in them.
    pub fn feed(&mut self, mut input: &[u8], found: &mut Vec<Start>) {
        while let Some(end) = memchr(b'\n', input) {
            let (piece, rest) = input.split_at(end + 1);
            input = rest;
            if self.partial_bytes == 0 {
                self.line(piece, piece.len() as u64, found);
            } else {
                self.keep(piece);
                let line = std::mem::take(&mut self.partial);
                let bytes = std::mem::take(&mut self.partial_bytes);
                self.line(&line, bytes, found);
            }
        }
        self.keep(input);
    }

    /// Where the last message ends, without an empty line after it.
    pub fn finish(self) -> u64 {
        if self.partial_bytes > 0 {
            self.offset + self.partial_bytes
        } else {
            self.end_before
        }
    }

    fn keep(&mut self, piece: &[u8]) {
        let room = LINE_KEPT_MAX.saturating_sub(self.partial.len());
        self.partial.extend_from_slice(&piece[..room.min(piece.len())]);
        self.partial_bytes += piece.len() as u64;
    }

    fn line(&mut self, line: &[u8], bytes: u64, found: &mut Vec<Start>) {
        let next = self.offset + bytes;
        if line.starts_with(FROM)
            && let Some(from) = FromLine::parse(line.trim_ascii_end())
        {
            found.push(Start {
                offset: self.offset,
                content: next,
                previous_end: self.end_before,
                from,
            });
            self.end_before = next;
        } else {
            let is_empty = matches!(line, b"\n" | b"\r\n");
            self.end_before = if is_empty { self.offset } else { next };
        }
        self.offset = next;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn from_lines_are_read_and_written() {
        let parse = |line: &str| {
            FromLine::parse(line.as_bytes()).map(|f| (String::from_utf8(f.sender).unwrap(), f.date.secs))
        };
        let some = |sender: &str, secs| Some((sender.to_owned(), secs));
        assert_eq!(
            parse("From a@b Thu Dec 24 22:25:24 2020"),
            some("a@b", 1_608_848_724)
        );
        assert_eq!(
            parse("From a@b  Fri Dec  4 22:25:24 2020"),
            some("a@b", 1_607_120_724)
        );
        assert_eq!(
            parse("From \"a b\"@c Thu Dec 24 22:25:24 2020"),
            some("\"a b\"@c", 1_608_848_724)
        );
        assert_eq!(
            parse("From a Thu Dec 24 22:25:24 JST 2020"),
            some("a", 1_608_816_324)
        );
        assert_eq!(
            parse("From a Thu Dec 24 22:25:24 2020 +0900"),
            some("a", 1_608_816_324)
        );
        assert_eq!(
            parse("From a Thu Dec 24 22:25 2020 remote from x"),
            some("a", 1_608_848_700)
        );
        assert_eq!(parse("From Thu Dec 24 22:25:24 2020"), some("", 1_608_848_724));
        for bad in [
            "From me to you",
            "From a@b Thu Dec 24",
            ">From a Thu Dec 24 22:25:24 2020",
            "From ",
            "From a Thu Foo 24 22:25:24 2020",
        ] {
            assert_eq!(parse(bad), None, "{bad}");
        }
        let date = Date {
            secs: 1_608_816_324,
            offset_secs: 32_400,
        };
        assert_eq!(
            FromLine::display(None, date),
            "From MAILER-DAEMON  Thu Dec 24 22:25:24 2020"
        );
    }

    fn quoted(text: &str, piece: usize) -> String {
        let (mut output, mut quoter) = (Vec::new(), Quoter::new());
        text.as_bytes()
            .chunks(piece)
            .for_each(|p| quoter.feed(p, &mut output));
        quoter.finish(b"\n", &mut output);
        String::from_utf8(output).unwrap()
    }

    #[test]
    fn lines_are_quoted() {
        for piece in 1..9 {
            assert_eq!(
                quoted("From x\nFrom\n From y\nFrFrom \n>From z\nFrom here", piece),
                ">From x\nFrom\n From y\nFrFrom \n>From z\n>From here\n\n"
            );
            assert_eq!(quoted("a\n", piece), "a\n\n");
            assert_eq!(quoted("Fro", piece), "Fro\n\n");
        }
        assert_eq!(quoted("", 1), "\n");
    }

    #[test]
    fn a_file_is_split() {
        let file = b"From a Thu Dec 24 22:25:24 2020\nContent-Length: 9999\n\none\n\nFrom b Thu Dec 24 22:25:25 2020\r\nS: x\r\n\r\nFrom me to you\r\n\r\n\r\nFrom c Thu Dec 24 22:25:26 2020\nlast";
        let mut found = Vec::new();
        let mut splitter = Splitter::new(0);
        splitter.feed(file, &mut found);
        let end = splitter.finish();
        let ends = found.iter().skip(1).map(|s| s.previous_end).chain([end]);
        let texts: Vec<_> = found
            .iter()
            .zip(ends)
            .map(|(s, e)| String::from_utf8_lossy(&file[s.content as usize..e as usize]).into_owned())
            .collect();
        assert_eq!(
            texts,
            [
                "Content-Length: 9999\n\none\n",
                "S: x\r\n\r\nFrom me to you\r\n\r\n",
                "last"
            ]
        );
        assert!(
            found
                .iter()
                .all(|s| file[s.offset as usize..].starts_with(b"From "))
        );
    }

    proptest! {
        #[test]
        fn cuts_do_not_matter(pieces in proptest::collection::vec(prop_oneof![Just("From a Thu Dec 24 22:25:24 2020\n"), Just("\n"), Just("\r\n"), Just("x"), Just("From y\n")], 0..20), piece in 1usize..40) {
            let file = pieces.concat();
            let split = |piece: usize| {
                let (mut found, mut splitter) = (Vec::new(), Splitter::new(0));
                file.as_bytes().chunks(piece).for_each(|p| splitter.feed(p, &mut found));
                (found, splitter.finish())
            };
            prop_assert_eq!(split(piece), split(file.len().max(1)));
            prop_assert_eq!(quoted(&file, piece), quoted(&file, file.len().max(1)));
        }

        #[test]
        fn what_is_quoted_stays_one_message(text in "(From |a|\n){0,30}") {
            let file = format!("From a Thu Dec 24 22:25:24 2020\n{}", quoted(&text, 7));
            let (mut found, mut splitter) = (Vec::new(), Splitter::new(0));
            splitter.feed(file.as_bytes(), &mut found);
            prop_assert_eq!(found.len(), 1);
            let _ = splitter.finish();
        }

        #[test]
        fn from_line_never_panics(line in proptest::collection::vec(any::<u8>(), 0..80)) {
            let _ = FromLine::parse(&[b"From ".as_slice(), &line].concat());
        }
    }
}
