//! The header summary: one line a letter, laid out as Heirloom mailx does.

use super::folder::{Folder, Letter, Marks};

/// Columns of the sender.
const SENDER_COLUMNS: usize = 20;

/// The line of letter `index`, at most `columns` wide.
pub(super) fn line(folder: &Folder, index: usize, columns: usize, is_me: impl Fn(&str) -> bool) -> String {
    let letter = &folder.letters[index];
    let pointer = if index == folder.dot { '>' } else { ' ' };
    let (lines, octets) = letter.size();
    let sender = fitted(&correspondent(letter, is_me), SENDER_COLUMNS);
    let start = format!(
        "{pointer}{}{:3} {sender}  {:16} {lines:3}/{octets:<5}",
        mark(&letter.marks),
        index + 1,
        letter.date()
    );
    let subject = printable(&letter.field("Subject"));
    // A space before it, two quotes, and the last column stays free.
    let room = columns.saturating_sub(width(&start) + 4);
    if subject.is_empty() || room == 0 {
        return start.trim_end().to_owned();
    }
    format!("{start} \"{}\"", cut(&subject, room))
}

/// One letter for what has been done.
fn mark(marks: &Marks) -> char {
    match marks {
        Marks { deleted: true, .. } => 'D',
        Marks { saved: true, .. } => 'S',
        Marks { preserved: true, .. } => 'P',
        Marks { boxed: true, .. } => 'M',
        Marks { flagged: true, .. } => 'F',
        Marks { answered: true, .. } => 'A',
        Marks {
            read: false,
            old: false,
            ..
        } => 'N',
        Marks {
            read: false,
            old: true,
            ..
        } => 'U',
        Marks {
            read: true,
            old: false,
            ..
        } => 'R',
        Marks {
            read: true,
            old: true,
            ..
        } => 'O',
    }
}

/// The sender's name; for the user's own letters, to whom they went.
fn correspondent(letter: &Letter, is_me: impl Fn(&str) -> bool) -> String {
    let to = letter.field("To");
    let name = if is_me(&letter.sender(false)) && !to.is_empty() && !is_me(&to) {
        format!("To {to}")
    } else {
        letter.sender_name()
    };
    printable(&name)
}

/// The text on one line, without characters that do something to a terminal.
pub(super) fn printable(text: &str) -> String {
    let shown = |c: char| match c {
        '\t' | '\n' | '\r' => ' ',
        c if c.is_control() => '?',
        c => c,
    };
    text.chars().map(shown).collect()
}

/// How many columns a terminal uses for the text.
pub(super) fn width(text: &str) -> usize {
    text.chars().map(columns_of).sum()
}

/// Two for the scripts that are written in squares (Unicode's East Asian Width W and F, by blocks), none for marks that
/// combine with what is before them.
fn columns_of(c: char) -> usize {
    match u32::from(c) {
        0x0300..=0x036F | 0x200B..=0x200F | 0xFE00..=0xFE0F => 0,
        0x1100..=0x115F
        | 0x2E80..=0x303E
        | 0x3041..=0xA4CF
        | 0xA960..=0xA97F
        | 0xAC00..=0xD7A3
        | 0xF900..=0xFAFF
        | 0xFE30..=0xFE6F
        | 0xFF00..=0xFF60
        | 0xFFE0..=0xFFE6
        | 0x1F300..=0x1F64F
        | 0x1F900..=0x1F9FF
        | 0x20000..=0x3FFFD => 2,
        _ => 1,
    }
}

fn cut(text: &str, columns: usize) -> String {
    let mut used = 0;
    text.chars()
        .take_while(|&c| {
            used += columns_of(c);
            used <= columns
        })
        .collect()
}

/// The text in exactly so many columns.
fn fitted(text: &str, columns: usize) -> String {
    let mut text = cut(text, columns);
    text.push_str(&" ".repeat(columns - width(&text)));
    text
}

#[cfg(test)]
mod tests {
    use super::super::folder::split;
    use super::*;

    #[test]
    fn columns_hold_with_wide_characters_too() {
        let text = "From a@b  Wed Dec 23 23:39:48 2020\nFrom: =?UTF-8?B?5bGx55Sw5aSq6YOO44GV44KT44Go44Gq44GL44G+?= <a@b>\n\
            To: c@d\nSubject: =?UTF-8?B?44Oh44O844Or44Gu44OG44K544OI44Oh44O844Or44Gu44OG44K544OI?=\n\nx\n\n";
        let mut folder = Folder::new("box", split(text.as_bytes()).1);
        let shown = line(&folder, 0, 80, |_| false);
        assert_eq!(
            shown,
            ">N  1 山田太郎さんとなかま  Wed Dec 23 23:39   7/190   \"メールのテストメールの\""
        );
        assert!(width(&shown) < 80);
        folder.dot = 1;
        let mine = line(&folder, 0, 80, |address| address == "a@b");
        assert!(mine.starts_with(" N  1 To c@d                Wed"), "{mine}");
        assert_eq!(printable("a\x1b[1m\tb"), "a?[1m b");
    }
}
