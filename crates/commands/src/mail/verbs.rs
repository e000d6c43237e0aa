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
    SaveBySender,
    Copy,
    CopyBySender,
    Write,
    ReplyAll,
    ReplySender,
    Followup,
    FollowupSender,
    Mail,
    File,
    Folders,
    Arrivals,
    Settings,
    Size,
    Command,
    Shell,
    Pipe,
    PipeAll,
    Edit,
    Visual,
    Directory,
    Source,
    If,
    Else,
    Endif,
    Version,
    List,
    Help,
    Quit,
    Exit,
}

impl Verb {
    /// Whether the command changes what the folder holds.
    pub(super) fn changes(self) -> bool {
        matches!(
            self,
            Verb::Delete | Verb::DeletePrint | Verb::Hold | Verb::ToMbox | Verb::Touch | Verb::Unread
        )
    }

    /// Whether the command would pull the folder or the letter away under a letter that is being written.
    pub(super) fn disturbs_writing(self) -> bool {
        matches!(
            self,
            Verb::File
                | Verb::Mail
                | Verb::ReplyAll
                | Verb::ReplySender
                | Verb::Followup
                | Verb::FollowupSender
                | Verb::Quit
                | Verb::Exit
        )
    }
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
    ("Save", 1, Verb::SaveBySender),
    ("copy", 1, Verb::Copy),
    ("Copy", 1, Verb::CopyBySender),
    ("write", 1, Verb::Write),
    ("reply", 1, Verb::ReplyAll),
    ("respond", 3, Verb::ReplyAll),
    ("replyall", 6, Verb::ReplyAll),
    ("Reply", 1, Verb::ReplySender),
    ("Respond", 3, Verb::ReplySender),
    ("replysender", 6, Verb::ReplySender),
    ("followup", 2, Verb::Followup),
    ("followupall", 9, Verb::Followup),
    ("Followup", 1, Verb::FollowupSender),
    ("followupsender", 9, Verb::FollowupSender),
    ("mail", 1, Verb::Mail),
    ("Mail", 4, Verb::Mail),
    ("file", 2, Verb::File),
    ("folder", 4, Verb::File),
    ("folders", 7, Verb::Folders),
    ("inc", 3, Verb::Arrivals),
    ("newmail", 4, Verb::Arrivals),
    ("size", 2, Verb::Size),
    ("!", 1, Verb::Command),
    ("shell", 2, Verb::Shell),
    ("|", 1, Verb::Pipe),
    ("pipe", 2, Verb::Pipe),
    ("Pipe", 2, Verb::PipeAll),
    ("edit", 1, Verb::Edit),
    ("visual", 1, Verb::Visual),
    ("cd", 2, Verb::Directory),
    ("chdir", 2, Verb::Directory),
    ("source", 2, Verb::Source),
    ("if", 2, Verb::If),
    ("else", 2, Verb::Else),
    ("endif", 2, Verb::Endif),
    ("version", 2, Verb::Version),
    ("list", 1, Verb::List),
    ("set", 2, Verb::Settings),
    ("unset", 3, Verb::Settings),
    ("alias", 1, Verb::Settings),
    ("group", 1, Verb::Settings),
    ("unalias", 3, Verb::Settings),
    ("ungroup", 3, Verb::Settings),
    ("alternates", 3, Verb::Settings),
    ("ignore", 2, Verb::Settings),
    ("discard", 2, Verb::Settings),
    ("unignore", 5, Verb::Settings),
    ("retain", 3, Verb::Settings),
    ("unretain", 5, Verb::Settings),
    ("echo", 2, Verb::Settings),
    ("?", 1, Verb::Help),
    ("help", 3, Verb::Help),
    ("quit", 1, Verb::Quit),
    ("exit", 2, Verb::Exit),
    ("xit", 1, Verb::Exit),
];

/// Columns of the listing of commands.
const LISTING_COLUMNS: usize = 70;

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
  S, C LIST         the same, the file is named after the sender
  r, fo LIST        answer everybody           R, F LIST   answer the senders
  m NAMES           write a letter             e, v LIST   edit with EDITOR, VISUAL
  fi FILE           another folder (% %user # & +name)     folders  those in the folder directory
  pi LIST COMMAND   through a command (also |) ! COMMAND   a command; sh: the shell
  si LIST           sizes                      inc         look for new mail
  cd DIRECTORY      change the directory       so FILE     do the commands in a file
  set, alias, alt   show or change settings    list        all commands;  ?  this
  q                 leave; deleted letters go  x           leave everything as it was
";

/// The command's word and what follows: words end before spaces, digits and the signs that lists are made of.
pub(super) fn split(line: &str) -> (&str, &str) {
    if let Some(first) = line.chars().next().filter(|c| "=?!|".contains(*c)) {
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

/// The names of all commands, with commas between them, in lines that fit a terminal.
pub(super) fn listing() -> String {
    let mut text = "Commands are:\n".to_owned();
    let mut column = 0;
    for (at, (name, ..)) in VERBS.iter().enumerate() {
        if column + name.len() > LISTING_COLUMNS {
            text.push('\n');
            column = 0;
        }
        let end = if at + 1 < VERBS.len() { ", " } else { "\n" };
        text.push_str(name);
        text.push_str(end);
        column += name.len() + end.len();
    }
    text
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
            ("fold +x", "fold", "+x", Verb::File),
            ("folders", "folders", "", Verb::Folders),
            ("fo", "fo", "", Verb::Followup),
            ("F 2", "F", "2", Verb::FollowupSender),
            ("f 2", "f", "2", Verb::From),
            ("!ls -l", "!", "ls -l", Verb::Command),
            ("|cat", "|", "cat", Verb::Pipe),
            ("pi 1 cat", "pi", "1 cat", Verb::Pipe),
            ("si", "si", "", Verb::Size),
            ("so x", "so", "x", Verb::Source),
            ("s 1 x", "s", "1 x", Verb::Save),
            ("S", "S", "", Verb::SaveBySender),
            ("e", "e", "", Verb::Edit),
            ("ec x", "ec", "x", Verb::Settings),
            ("alt", "alt", "", Verb::Settings),
            ("ch /", "ch", "/", Verb::Directory),
            ("ve", "ve", "", Verb::Version),
            ("v", "v", "", Verb::Visual),
            ("hel", "hel", "", Verb::Help),
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
