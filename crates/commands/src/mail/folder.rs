//! A folder in memory: the letters of an mbox file, what is known and decided about each, and what is written back.

use std::collections::{HashMap, VecDeque};

use message::mbox::{FromLine, Splitter};
use message::{encoded_word, header};

/// Header fields by which programs keep their notes; they do not tell one letter from another.
const NOTES: [&str; 6] = [
    "Status",
    "X-Status",
    "X-Keywords",
    "X-UID",
    "X-IMAPbase",
    "Content-Length",
];

/// What has been done with a letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Marks {
    /// It was shown, now or before.
    pub(super) read: bool,
    /// It was there when the folder was opened before.
    pub(super) old: bool,
    /// It was dealt with in this session.
    pub(super) touched: bool,
    /// It goes when the folder is left.
    pub(super) deleted: bool,
    /// It was saved in another folder.
    pub(super) saved: bool,
    /// It stays in the system mailbox whatever the variables say.
    pub(super) preserved: bool,
    /// It goes to the user's mbox when the folder is left.
    pub(super) boxed: bool,
    /// It was answered.
    pub(super) answered: bool,
    /// It is flagged.
    pub(super) flagged: bool,
}

/// A letter.
#[derive(Debug, Clone)]
pub(super) struct Letter {
    /// From its `From ` line to the empty line after it.
    bytes: Vec<u8>,
    /// Where the header starts.
    header_at: usize,
    /// Where the body starts.
    body_at: usize,
    pub(super) marks: Marks,
    /// The marks that lie in the file.
    stored: Marks,
    /// What told it from others before the user edited it: so it is found in the file.
    origin: Option<Vec<u8>>,
}

impl Letter {
    fn new(bytes: Vec<u8>) -> Letter {
        let header_at = bytes
            .iter()
            .position(|&b| b == b'\n')
            .map_or(bytes.len(), |at| at + 1);
        let body_at = header_at + header::length(&bytes[header_at..]);
        let letters_of = |name| {
            header::find(&bytes[header_at..body_at], name).map_or_else(String::new, |field| field.text())
        };
        let (status, more) = (letters_of("Status"), letters_of("X-Status"));
        let marks = Marks {
            read: status.contains('R'),
            old: status.contains('O'),
            answered: more.contains('A'),
            flagged: more.contains('F'),
            ..Marks::default()
        };
        Letter {
            header_at,
            body_at,
            marks,
            stored: marks,
            origin: None,
            bytes,
        }
    }

    /// Gives it another header and body.
    pub(super) fn replace(&mut self, content: &[u8]) {
        let origin = self.identity();
        let mut bytes = self.envelope_line().to_vec();
        let mut quoter = message::mbox::Quoter::new();
        // The empty line that ends the letter is the quoter's to write.
        let content = content
            .strip_suffix(b"\n")
            .filter(|text| text.ends_with(b"\n"))
            .unwrap_or(content);
        quoter.feed(content, &mut bytes);
        quoter.finish(b"\n", &mut bytes);
        *self = Letter {
            marks: self.marks,
            stored: self.stored,
            origin: Some(origin),
            ..Letter::new(bytes)
        };
    }

    /// Whether the user edited it.
    pub(super) fn is_edited(&self) -> bool {
        self.origin.is_some()
    }

    /// A letter whose marks do not stand in its header.
    pub(super) fn with_marks(bytes: Vec<u8>, marks: Marks) -> Letter {
        Letter {
            marks,
            stored: marks,
            ..Letter::new(bytes)
        }
    }

    /// Lines and octets, the `From ` line and the empty line at the end counted.
    pub(super) fn size(&self) -> (usize, usize) {
        let lines = self.bytes.iter().filter(|&&b| b == b'\n').count();
        (lines, self.bytes.len())
    }

    /// The `From ` line, its end included.
    pub(super) fn envelope_line(&self) -> &[u8] {
        &self.bytes[..self.header_at]
    }

    /// The header, the empty line after it included.
    pub(super) fn header(&self) -> &[u8] {
        &self.bytes[self.header_at..self.body_at]
    }

    /// The body, the empty line that ends the letter included.
    pub(super) fn body(&self) -> &[u8] {
        &self.bytes[self.body_at..]
    }

    /// Header and body.
    pub(super) fn content(&self) -> &[u8] {
        &self.bytes[self.header_at..]
    }

    /// The text of a header field, empty when there is none.
    pub(super) fn field(&self, name: &str) -> String {
        header::find(self.header(), name).map_or_else(String::new, |field| field.text())
    }

    /// `Wed Dec 23 23:39` of the `From ` line.
    pub(super) fn date(&self) -> String {
        let line = self.envelope_line().trim_ascii_end();
        FromLine::parse(line).map_or_else(String::new, |from| from.date.asctime().chars().take(16).collect())
    }

    /// The address of the sender: of Reply-To if `replies`, of From, else of the `From ` line.
    pub(super) fn sender(&self, replies: bool) -> String {
        let names: &[&str] = if replies { &["Reply-To", "From"] } else { &["From"] };
        let named = names.iter().find_map(|name| {
            let field = header::find(self.header(), name)?;
            let entries = address::list::parse(field.body);
            let mailbox = address::list::mailboxes(&entries).next()?;
            mailbox.address().map(|address| address.to_string())
        });
        named.unwrap_or_else(|| {
            let from = FromLine::parse(self.envelope_line().trim_ascii_end());
            from.map_or_else(String::new, |from| {
                String::from_utf8_lossy(&from.sender).into_owned()
            })
        })
    }

    /// The sender's name, or the address when there is no name.
    pub(super) fn sender_name(&self) -> String {
        let name = header::find(self.header(), "From").and_then(|field| {
            let entries = address::list::parse(field.body);
            let mailbox = address::list::mailboxes(&entries).next()?;
            mailbox.name.clone()
        });
        match name.map(|name| encoded_word::decode(&name)) {
            Some(name) if !name.trim().is_empty() => name.trim().to_owned(),
            _ => self.sender(false),
        }
    }

    /// The letters of the Status field.
    pub(super) fn status(&self) -> &'static str {
        match (self.marks.read, self.marks.old) {
            (true, true) => "RO",
            (true, false) => "R",
            (false, true) => "O",
            (false, false) => "",
        }
    }

    /// The letter with its marks in its header.
    pub(super) fn written(&self) -> Vec<u8> {
        let answered = self.marks.answered != self.stored.answered;
        if (self.marks.read, self.marks.old) == (self.stored.read, self.stored.old) && !answered {
            return self.bytes.clone();
        }
        let block = self.header();
        let mut out = self.envelope_line().to_vec();
        for field in header::fields(block) {
            let is_ours = field.is("Status") || (answered && field.is("X-Status"));
            if !is_ours {
                out.extend_from_slice(field.raw);
            }
        }
        if !out.ends_with(b"\n") {
            out.push(b'\n');
        }
        if !self.status().is_empty() {
            out.extend_from_slice(format!("Status: {}\n", self.status()).as_bytes());
        }
        if answered {
            let kept: String = self.field("X-Status").chars().filter(|&c| c != 'A').collect();
            let now = if self.marks.answered { "A" } else { "" };
            out.extend_from_slice(format!("X-Status: {now}{kept}\n").as_bytes());
        }
        out.push(b'\n');
        out.extend_from_slice(self.body());
        out
    }

    /// What tells this letter from others, whatever notes programs add to it.
    pub(super) fn identity(&self) -> Vec<u8> {
        if let Some(origin) = &self.origin {
            return origin.clone();
        }
        let mut identity = self.envelope_line().to_vec();
        for field in header::fields(self.header()) {
            if !NOTES.iter().any(|name| field.is(name)) {
                identity.extend_from_slice(field.raw);
            }
        }
        identity.extend_from_slice(self.body().trim_ascii_end());
        identity
    }

    /// Whether something about it changes the file.
    fn is_changed(&self) -> bool {
        self.marks.deleted
            || self.is_edited()
            || self.marks.answered != self.stored.answered
            || !self.marks.old
            || self.marks.read != self.stored.read
    }
}

/// Splits an mbox file: what stands before the first letter, and the letters.
pub(super) fn split(bytes: &[u8]) -> (Vec<u8>, Vec<Letter>) {
    let mut splitter = Splitter::new(0);
    let mut starts = Vec::new();
    splitter.feed(bytes, &mut starts);
    let ends = starts
        .iter()
        .skip(1)
        .map(|start| start.offset)
        .chain([bytes.len() as u64]);
    let at = |offset: u64| usize::try_from(offset).unwrap_or(usize::MAX).min(bytes.len());
    let letters = starts
        .iter()
        .zip(ends)
        .map(|(start, end)| Letter::new(bytes[at(start.offset)..at(end)].to_vec()))
        .collect();
    let first = starts.first().map_or(bytes.len(), |start| at(start.offset));
    (bytes[..first].to_vec(), letters)
}

/// A folder that is open.
#[derive(Debug, Clone, Default)]
pub(super) struct Folder {
    /// As the user knows it.
    pub(super) name: String,
    /// It is the system mailbox of the user, not a file that was asked for by name.
    pub(super) is_spool: bool,
    /// Nothing is written back.
    pub(super) is_read_only: bool,
    pub(super) letters: Vec<Letter>,
    /// The letter that commands without a list mean.
    pub(super) dot: usize,
}

/// Where a letter goes when the folder is left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// It stays.
    Stays,
    /// It goes to the user's mbox.
    ToMbox,
    /// It is dropped.
    Goes,
}

/// What the variables say about leaving the system mailbox.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Habits {
    /// `hold`: letters that were read stay in the system mailbox.
    pub(super) hold: bool,
    /// `keepsave`: so do letters that were saved elsewhere.
    pub(super) keepsave: bool,
}

impl Folder {
    /// A folder with these letters; the first new one is current, else the first unread one, else the first.
    pub(super) fn new(name: &str, letters: Vec<Letter>) -> Folder {
        let first = |wanted: fn(&Marks) -> bool| letters.iter().position(|letter| wanted(&letter.marks));
        let dot = first(|marks| !marks.read && !marks.old).or_else(|| first(|marks| !marks.read));
        Folder {
            name: name.to_owned(),
            dot: dot.unwrap_or(0),
            letters,
            ..Folder::default()
        }
    }

    /// `"/var/mail/ann": 3 messages 1 new 2 unread`: what is new is unread too, unless nothing else is.
    pub(super) fn summary(&self) -> String {
        let count =
            |wanted: fn(&Marks) -> bool| self.letters.iter().filter(|letter| wanted(&letter.marks)).count();
        let new = count(|marks| !marks.read && !marks.old);
        let unread = count(|marks| !marks.read);
        let deleted = count(|marks| marks.deleted);
        let mut text = match self.letters.len() {
            1 => format!("\"{}\": 1 message", self.name),
            total => format!("\"{}\": {total} messages", self.name),
        };
        if new > 0 {
            text.push_str(&format!(" {new} new"));
        }
        if unread > new {
            text.push_str(&format!(" {unread} unread"));
        }
        if deleted > 0 {
            text.push_str(&format!(" {deleted} deleted"));
        }
        if self.is_read_only {
            text.push_str(" [Read only]");
        }
        text
    }

    /// What becomes of each letter when the folder is left.
    pub(super) fn fates(&self, habits: Habits) -> Vec<Fate> {
        let fate = |letter: &Letter| match letter.marks {
            Marks { deleted: true, .. } => Fate::Goes,
            _ if !self.is_spool => Fate::Stays,
            Marks { preserved: true, .. } => Fate::Stays,
            Marks { boxed: true, .. } => Fate::ToMbox,
            Marks { saved: true, .. } if !habits.keepsave => Fate::Goes,
            Marks {
                read: true,
                touched: true,
                ..
            } if !habits.hold => Fate::ToMbox,
            _ => Fate::Stays,
        };
        self.letters.iter().map(fate).collect()
    }

    /// Whether leaving writes anything.
    pub(super) fn is_changed(&self, fates: &[Fate]) -> bool {
        !self.is_read_only
            && (self.letters.iter().any(Letter::is_changed) || fates.iter().any(|fate| *fate != Fate::Stays))
    }

    /// The letters of `found` that are not in this folder.
    pub(super) fn unknown(&self, found: Vec<Letter>) -> Vec<Letter> {
        let mut known: HashMap<Vec<u8>, usize> = HashMap::new();
        for letter in &self.letters {
            *known.entry(letter.identity()).or_default() += 1;
        }
        let mut is_new = |letter: &Letter| match known.get_mut(&letter.identity()) {
            Some(left @ 1..) => {
                *left -= 1;
                false
            }
            _ => true,
        };
        found.into_iter().filter(|letter| is_new(letter)).collect()
    }

    /// Every letter has been seen to be there.
    pub(super) fn grow_old(&mut self) {
        for letter in &mut self.letters {
            letter.marks.old = true;
        }
    }

    /// The file's new content, `current` being what it holds now, and how many letters are in it that this session does
    /// not know: they came meanwhile and are kept as they are.
    pub(super) fn merged(&self, current: &[u8], fates: &[Fate]) -> (Vec<u8>, usize) {
        let mut known: HashMap<Vec<u8>, VecDeque<(&Letter, Fate)>> = HashMap::new();
        for (letter, fate) in self.letters.iter().zip(fates) {
            known
                .entry(letter.identity())
                .or_default()
                .push_back((letter, *fate));
        }
        let (mut content, letters) = split(current);
        let mut unknown = 0;
        for found in &letters {
            match known.get_mut(&found.identity()).and_then(VecDeque::pop_front) {
                Some((letter, Fate::Stays)) => {
                    let mut now = if letter.is_edited() {
                        (*letter).clone()
                    } else {
                        found.clone()
                    };
                    now.marks = Marks {
                        // Another program may have shown it meanwhile.
                        read: if letter.marks.read == letter.stored.read {
                            found.marks.read
                        } else {
                            letter.marks.read
                        },
                        ..letter.marks
                    };
                    content.extend_from_slice(&now.written());
                }
                Some(_) => {}
                None => {
                    unknown += 1;
                    content.extend_from_slice(&found.bytes);
                }
            }
        }
        (content, unknown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn letter(number: u32, status: &str) -> String {
        format!(
            "From root@here  Wed Dec 23 23:39:48 2020\nSubject: test{number}\nFrom: root@here (Root R.)\n{status}\nHello.\n\n"
        )
    }

    fn folder() -> (String, Folder) {
        let text = [letter(1, ""), letter(2, "Status: O\n"), letter(3, "Status: RO\n")].concat();
        let folder = Folder::new("box", split(text.as_bytes()).1);
        (text, folder)
    }

    #[test]
    fn letters_know_their_marks_and_sizes() {
        let (_, folder) = folder();
        assert_eq!(folder.summary(), "\"box\": 3 messages 1 new 2 unread");
        assert_eq!(folder.dot, 0);
        assert_eq!(folder.letters[1].size(), (7, letter(2, "Status: O\n").len()));
        assert_eq!(folder.letters[0].sender_name(), "Root R.");
        assert_eq!(folder.letters[0].sender(true), "root@here");
        assert_eq!(folder.letters[0].date(), "Wed Dec 23 23:39");
    }

    #[test]
    fn what_came_meanwhile_stays_whatever_was_deleted() {
        let (text, mut folder) = folder();
        folder.letters[1].marks.deleted = true;
        folder.letters[0].marks.read = true;
        folder.grow_old();
        let fates = folder.fates(Habits::default());
        let late = letter(4, "");
        let (content, unknown) = folder.merged(format!("{text}{late}").as_bytes(), &fates);
        let expected = [letter(1, "Status: RO\n"), letter(3, "Status: RO\n"), late].concat();
        assert_eq!(String::from_utf8(content).unwrap(), expected);
        assert_eq!(unknown, 1);
        // Another program has changed notes and taken a letter away.
        let (content, unknown) = folder.merged(letter(2, "Status: RO\nX-UID: 7\n").as_bytes(), &fates);
        assert_eq!((content, unknown), (Vec::new(), 0));
    }

    #[test]
    fn an_unchanged_folder_is_written_back_octet_by_octet() {
        for text in [
            "",
            "no mbox at all\n",
            "From a Mon\n",
            "From a  Wed Dec 23 23:39:48 2020\nx",
        ] {
            let folder = Folder::new("box", split(text.as_bytes()).1);
            let fates = folder.fates(Habits::default());
            assert_eq!(
                folder.merged(text.as_bytes(), &fates).0,
                text.as_bytes(),
                "{text:?}"
            );
        }
        let (text, folder) = folder();
        let fates = folder.fates(Habits::default());
        assert_eq!(folder.merged(text.as_bytes(), &fates).0, text.as_bytes());
    }

    #[test]
    fn fates_of_the_system_mailbox() {
        let (_, mut folder) = folder();
        folder.is_spool = true;
        folder.letters[0].marks.saved = true;
        folder.letters[2].marks.touched = true;
        let keepsave = Habits {
            hold: true,
            keepsave: true,
        };
        assert_eq!(
            folder.fates(Habits::default()),
            [Fate::Goes, Fate::Stays, Fate::ToMbox]
        );
        assert_eq!(folder.fates(keepsave), [Fate::Stays; 3]);
    }
}
