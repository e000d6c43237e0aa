//! A letter as it stands on the screen: the header without the fields the user does not want, text parts decoded.

use message::structure::{Kind, Part};
use message::{Structure, header, text};

use super::folder::Letter;

/// The most parts of one letter that are shown.
const PARTS_MAX: usize = 1000;

/// Which header fields are left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Unwanted {
    /// Left out, in lower case.
    pub(super) ignored: Vec<String>,
    /// When there are any, only these are shown.
    pub(super) retained: Vec<String>,
}

impl Default for Unwanted {
    fn default() -> Unwanted {
        let ignored = [
            "received",
            "in-reply-to",
            "message-id",
            "references",
            "mime-version",
            "content-transfer-encoding",
        ];
        Unwanted {
            ignored: ignored.map(str::to_owned).to_vec(),
            retained: Vec::new(),
        }
    }
}

impl Unwanted {
    /// Everything is shown.
    pub(super) fn nothing() -> Unwanted {
        Unwanted {
            ignored: Vec::new(),
            retained: Vec::new(),
        }
    }

    fn shows(&self, name: &str) -> bool {
        let name = name.to_ascii_lowercase();
        if self.retained.is_empty() {
            !self.ignored.contains(&name)
        } else {
            self.retained.contains(&name)
        }
    }
}

/// The letter: its `From ` line, its header with the marks it has now, its text.
pub(super) fn letter(letter: &Letter, unwanted: &Unwanted) -> String {
    let mut out = plain(letter.envelope_line());
    for field in header::fields(letter.header()) {
        let name = String::from_utf8_lossy(field.name);
        if !field.is("Status") && unwanted.shows(&name) {
            out.push_str(&field_text(&field));
        }
    }
    if !letter.status().is_empty() && unwanted.shows("status") {
        out.push_str(&format!("Status: {}\n", letter.status()));
    }
    out.push('\n');
    out.push_str(&body(letter));
    out
}

/// The text of a letter without its header.
pub(super) fn body(letter: &Letter) -> String {
    // Offsets of parts are those of the message with its lines ending in CRLF.
    let content = &message::lines::to_crlf(letter.content());
    let structure = Structure::parse(content);
    match structure.root.kind {
        Kind::Leaf if structure.root.content_type.is_kind("text") => {
            // Not `Part::body`: the empty line that ends the letter belongs to the screen.
            sober(&text::decoded(&structure.root, letter.body()))
        }
        Kind::Leaf => plain(letter.body()),
        Kind::Multipart | Kind::Message => {
            let mut out = String::new();
            let mut left = PARTS_MAX;
            parts(content, &structure.root, "", &mut left, &mut out);
            out
        }
    }
}

/// The parts below `part`, each under its number. Of alternatives the plain one is enough.
fn parts(content: &[u8], part: &Part, path: &str, left: &mut usize, out: &mut String) {
    let plain_one = part
        .children
        .iter()
        .position(|child| child.content_type.is("text", "plain"));
    let is_choice = part.content_type.is("multipart", "alternative");
    for (index, child) in part.children.iter().enumerate() {
        if *left == 0 || is_choice && plain_one.is_some_and(|plain| plain != index) {
            continue;
        }
        *left -= 1;
        let number = if path.is_empty() {
            format!("{}", index + 1)
        } else {
            format!("{path}.{}", index + 1)
        };
        let range = |range: &std::ops::Range<u64>| {
            let at = |offset: u64| usize::try_from(offset).unwrap_or(usize::MAX).min(content.len());
            &content[at(range.start)..at(range.end)]
        };
        if !is_choice || part.children.len() == 1 {
            out.push_str(&format!("Part {number}:\n"));
            for field in header::fields(range(&child.header)) {
                if field.is("Content-Type") || field.is("Content-Disposition") || child.kind == Kind::Message
                {
                    out.push_str(&field_text(&field));
                }
            }
            out.push('\n');
        }
        match child.kind {
            Kind::Leaf if child.content_type.is_kind("text") => {
                out.push_str(&sober(&text::decoded(child, range(&child.body))));
                out.push_str(if out.ends_with('\n') { "\n" } else { "\n\n" });
            }
            Kind::Leaf => {}
            Kind::Multipart | Kind::Message => parts(content, child, &number, left, out),
        }
    }
}

fn field_text(field: &header::Field<'_>) -> String {
    if has_encoded_word(field.raw) {
        let name = String::from_utf8_lossy(field.name).into_owned();
        return format!("{name}: {}\n", super::headline::printable(&field.text()));
    }
    plain(field.raw)
}

fn has_encoded_word(raw: &[u8]) -> bool {
    raw.windows(2).any(|pair| pair == b"=?")
}

/// Octets whose charset nobody named.
fn plain(bytes: &[u8]) -> String {
    sober(&message::charset::guess(bytes))
}

/// The text without what would do something to a terminal.
fn sober(text: &str) -> String {
    let text = text.replace("\r\n", "\n");
    let shown = |c: char| match c {
        '\n' | '\t' => c,
        c if c.is_control() => '?',
        c => c,
    };
    text.chars().map(shown).collect()
}

#[cfg(test)]
mod tests {
    use super::super::folder::split;
    use super::*;

    fn shown(content: &str) -> String {
        let text = format!("From a  Wed Dec 23 23:39:48 2020\n{content}\n");
        letter(&split(text.as_bytes()).1[0], &Unwanted::default())
    }

    #[test]
    fn charsets_and_encodings_are_undone() {
        let screen = shown(
            "Subject: =?ISO-2022-JP?B?GyRCJTYlOSVIGyhC?=\nMime-Version: 1.0\nContent-Type: text/plain; charset=ISO-2022-JP\n\n\
            \u{1b}$B%F%9%H\u{1b}(B\n",
        );
        assert!(screen.ends_with("\n\nテスト\n\n"), "{screen}");
        assert!(screen.contains("Subject: ザスト\nContent-Type"), "{screen}");
        let coded =
            shown("Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: base64\n\n44GC\n");
        assert!(coded.contains("\n\nあ"), "{coded}");
    }

    #[test]
    fn nothing_reaches_the_terminal_as_an_order() {
        let screen = shown("Subject: a\x1b[2Jb\n\nx\x1b]0;y\x07\u{9b}z\n");
        assert!(!screen.contains(['\x1b', '\x07', '\u{9b}']), "{screen:?}");
    }

    #[test]
    fn parts_of_a_multipart() {
        let screen = shown(
            "Content-Type: multipart/mixed; boundary=b\n\npreamble\n--b\n\nfirst\n--b\nContent-Type: image/png\n\nzzz\n--b--\n",
        );
        assert!(
            screen.ends_with("\n\nPart 1:\n\nfirst\n\nPart 2:\nContent-Type: image/png\n\n"),
            "{screen}"
        );
        let choice = shown(
            "Content-Type: multipart/alternative; boundary=b\n\n--b\nContent-Type: text/plain\n\nplain\n--b\nContent-Type: text/html\n\n<p>\n--b--\n",
        );
        assert!(
            choice.ends_with("\n\nplain\n\n") && !choice.contains("<p>"),
            "{choice}"
        );
    }
}
