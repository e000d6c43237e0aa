//! The words of `mail`'s commands and their abbreviations.

/// What a command does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verb {
    Next,
    Previous,
    Print,
    PrintAll,
    Top,
    Headers,
    Screen,
    From,
    Number,
    Delete,
    DeletePrint,
    Undelete,
    Unread,
    Touch,
    Hold,
    ToMbox,
    Save,
    Copy,
    Write,
    ReplyAll,
    ReplySender,
    Mail,
    File,
    Settings,
    Help,
    Quit,
    Exit,
}

/// Name, length of the shortest abbreviation, meaning.
const VERBS: &[(&str, usize, Verb)] = &[
    ("next", 1, Verb::Next),
    ("+", 1, Verb::Next),
    ("-", 1, Verb::Previous),
    ("print", 1, Verb::Print),
    ("type", 1, Verb::Print),
    ("more", 2, Verb::Print),
    ("page", 2, Verb::Print),
    ("Print", 1, Verb::PrintAll),
    ("Type", 1, Verb::PrintAll),
    ("top", 2, Verb::Top),
    ("headers", 1, Verb::Headers),
    ("z", 1, Verb::Screen),
    ("from", 1, Verb::From),
    ("=", 1, Verb::Number),
    ("delete", 1, Verb::Delete),
    ("dp", 2, Verb::DeletePrint),
    ("dt", 2, Verb::DeletePrint),
    ("undelete", 1, Verb::Undelete),
    ("unread", 3, Verb::Unread),
    ("Unread", 1, Verb::Unread),
    ("new", 3, Verb::Unread),
    ("touch", 3, Verb::Touch),
    ("hold", 2, Verb::Hold),
    ("preserve", 3, Verb::Hold),
    ("mbox", 2, Verb::ToMbox),
    ("save", 1, Verb::Save),
    ("copy", 1, Verb::Copy),
    ("write", 1, Verb::Write),
    ("reply", 1, Verb::ReplyAll),
    ("respond", 3, Verb::ReplyAll),
    ("replyall", 6, Verb::ReplyAll),
    ("Reply", 1, Verb::ReplySender),
    ("Respond", 3, Verb::ReplySender),
    ("replysender", 6, Verb::ReplySender),
    ("mail", 1, Verb::Mail),
    ("file", 2, Verb::File),
    ("folder", 2, Verb::File),
    ("set", 2, Verb::Settings),
    ("unset", 3, Verb::Settings),
    ("alias", 1, Verb::Settings),
    ("group", 1, Verb::Settings),
    ("unalias", 3, Verb::Settings),
    ("ignore", 2, Verb::Settings),
    ("discard", 2, Verb::Settings),
    ("unignore", 5, Verb::Settings),
    ("retain", 3, Verb::Settings),
    ("echo", 2, Verb::Settings),
    ("?", 1, Verb::Help),
    ("help", 3, Verb::Help),
    ("quit", 1, Verb::Quit),
    ("exit", 2, Verb::Exit),
    ("xit", 1, Verb::Exit),
];

pub(super) const HELP: &str =
    "Commands; LIST is letters: 3, 2-5, *, $, :u (unread), /word (of the subject), a sender
  (Enter)           the next letter            NUMBER   this letter
  p, t LIST         show (P, T: all fields)    n        the next one
  h LIST            header lines               f LIST   header lines of these
  z, z-             next, last screen of them  =        the current number
  d LIST            delete                     u LIST   undelete
  dp                delete, show the next one  un LIST  undelete; unr LIST: unread
  s LIST FILE       save (and mark as saved)   c LIST FILE  copy
  w LIST FILE       write the text only        ho LIST  keep in the system mailbox
  r LIST            answer everybody           R LIST   answer the sender
  m NAMES           write a letter             fi FILE  another folder (% & +name)
  set, alias        show or change settings    ?        this
  q                 leave; deleted letters go  x        leave everything as it was
";

/// The command's word and what follows: words end before spaces, digits and the signs that lists are made of.
pub(super) fn split(line: &str) -> (&str, &str) {
    if let Some(first) = line.chars().next().filter(|c| "=?".contains(*c)) {
        return line.split_at(first.len_utf8());
    }
    if matches!(line, "+" | "-") {
        return (line, "");
    }
    let ends = |c: char| c.is_whitespace() || c.is_ascii_digit() || "$^.:/-+*'\",".contains(c);
    let end = line.find(ends).unwrap_or(line.len());
    let (word, rest) = line.split_at(end);
    match word {
        "" if rest.is_empty() => ("next", ""),
        "" => ("print", rest),
        word => (word, rest.trim_start()),
    }
}

/// The command that a word or its beginning names: its whole name and what it does.
pub(super) fn find(word: &str) -> Option<(&'static str, Verb)> {
    let fits = |(name, shortest, _): &&(&str, usize, Verb)| name.starts_with(word) && word.len() >= *shortest;
    VERBS.iter().find(fits).map(|(name, _, verb)| (*name, *verb))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_abbreviations() {
        for (line, word, rest, verb) in [
            ("", "next", "", Verb::Next),
            ("1", "print", "1", Verb::Print),
            ("1-3 :u", "print", "1-3 :u", Verb::Print),
            ("d3", "d", "3", Verb::Delete),
            ("d *", "d", "*", Verb::Delete),
            ("unr 2", "unr", "2", Verb::Unread),
            ("u", "u", "", Verb::Undelete),
            ("z-", "z", "-", Verb::Screen),
            ("-", "-", "", Verb::Previous),
            ("R", "R", "", Verb::ReplySender),
            ("fo +x", "fo", "+x", Verb::File),
            ("x", "x", "", Verb::Exit),
            ("ex", "ex", "", Verb::Exit),
            ("?", "?", "", Verb::Help),
            ("=", "=", "", Verb::Number),
        ] {
            assert_eq!(split(line), (word, rest), "{line}");
            assert_eq!(find(word).map(|(_, verb)| verb), Some(verb), "{line}");
        }
        assert_eq!(find("frobnicate"), None);
    }
}
