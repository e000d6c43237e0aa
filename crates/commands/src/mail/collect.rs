//! Writing a letter: its text up to the end of input or a lone dot, tilde escapes, what happens when it cannot be sent.

use super::compose::{Attachment, Draft};
use super::folder::Folder;
use super::list::{self, Applies};
use super::outside::Outside;
use super::show;
use super::variables::Variables;

/// The longest text that is taken, in octets.
const TEXT_BYTES_MAX: usize = 1 << 30;

/// How writing ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Written {
    /// To be sent.
    Whole,
    /// Given up.
    Cancelled,
}

/// What a line did.
enum Line {
    Taken,
    End,
    Cancelled,
}

/// Where a letter is written.
pub(super) struct Desk<'a> {
    pub(super) outside: &'a mut dyn Outside,
    pub(super) variables: &'a Variables,
    /// The open folder, for `~m` and `~f`.
    pub(super) folder: Option<&'a Folder>,
    /// Tilde escapes are honoured.
    pub(super) escapes: bool,
}

const ESCAPES: &str = "  ~~ TEXT    the text itself, with one tilde
  ~.         end of the letter
  ~b NAMES   more Bcc
  ~c NAMES   more Cc
  ~e, ~v     edit the text
  ~f, ~m [MESSAGES]  put letters in; ~m indents them
  ~h         ask for To, Subject, Cc and Bcc
  ~p         show the letter so far
  ~q         give up, keep the text in dead.letter
  ~r FILE    put a file in
  ~s TEXT    the subject
  ~t NAMES   more To
  ~w FILE    write the text to a file
  ~x         give up, keep nothing
";

impl Desk<'_> {
    /// Takes the text of `draft`, after what is in it already.
    pub(super) fn write(&mut self, draft: &mut Draft) -> Written {
        if !self.outside.is_interactive() && !self.escapes {
            draft.body.extend_from_slice(&self.outside.rest());
            return Written::Whole;
        }
        while draft.body.len() < TEXT_BYTES_MAX {
            let Some(line) = self.outside.ask("") else {
                break;
            };
            match self.line(draft, &line) {
                Line::Taken => {}
                Line::End => break,
                Line::Cancelled => return Written::Cancelled,
            }
        }
        if self.outside.is_interactive() {
            self.ending(draft);
        }
        Written::Whole
    }

    fn ending(&mut self, draft: &mut Draft) {
        let (askcc, askbcc) = (self.variables.is_set("askcc"), self.variables.is_set("askbcc"));
        if askcc && draft.cc.is_empty() {
            draft.cc = self.ask_names("Cc: ");
        }
        if askbcc && draft.bcc.is_empty() {
            draft.bcc = self.ask_names("Bcc: ");
        }
        if !askcc && !askbcc {
            self.outside.say("EOT\n");
        }
    }

    fn ask_text(&mut self, prompt: &str) -> String {
        let line = self.outside.ask(prompt).unwrap_or_default();
        String::from_utf8_lossy(&line).trim().to_owned()
    }

    fn ask_names(&mut self, prompt: &str) -> Vec<String> {
        let text = self.ask_text(prompt);
        names_of(self.variables, &[text])
    }

    fn line(&mut self, draft: &mut Draft, line: &[u8]) -> Line {
        if line == b"." && self.outside.is_interactive() && self.variables.is_set("dot") {
            return Line::End;
        }
        if let Some(rest) = line.strip_prefix(b"~").filter(|_| self.escapes) {
            if !rest.starts_with(b"~") {
                return self.escape(draft, &String::from_utf8_lossy(rest));
            }
            draft.body.extend_from_slice(rest);
        } else {
            draft.body.extend_from_slice(line);
        }
        draft.body.push(b'\n');
        Line::Taken
    }

    fn escape(&mut self, draft: &mut Draft, text: &str) -> Line {
        let mut rest = text.chars();
        let (letter, argument) = (rest.next(), rest.as_str().trim());
        let words = [argument.to_owned()];
        match letter {
            Some('.') => return Line::End,
            Some('x') => return Line::Cancelled,
            Some('q') => {
                bury(self.outside, self.variables, &draft.body);
                return Line::Cancelled;
            }
            Some('s') => draft.subject = Some(argument.to_owned()),
            Some('t') => draft.to.extend(names_of(self.variables, &words)),
            Some('c') => draft.cc.extend(names_of(self.variables, &words)),
            Some('b') => draft.bcc.extend(names_of(self.variables, &words)),
            Some('h') => self.ask_header(draft),
            Some('r' | '<') => self.insert_file(draft, argument),
            Some('w') => {
                let file = self.outside.file_of(argument);
                report(self.outside, &file, &draft.body.clone());
            }
            Some('p') => self.outside.page(&preview(draft)),
            Some('e' | 'v') => match self.outside.edit(&draft.body) {
                Ok(body) => draft.body = body,
                Err(text) => self.outside.complain(&text),
            },
            Some(letter @ ('m' | 'M' | 'f' | 'F')) => self.insert_letters(draft, argument, letter),
            Some('?') => self.outside.say(ESCAPES),
            _ => self.outside.say("Unknown tilde escape.\n"),
        }
        if matches!(letter, Some('e' | 'v' | 'h' | 'p')) {
            self.outside.say("(continue)\n");
        }
        Line::Taken
    }

    fn ask_header(&mut self, draft: &mut Draft) {
        for (prompt, names) in [
            ("To: ", &mut draft.to),
            ("Cc: ", &mut draft.cc),
            ("Bcc: ", &mut draft.bcc),
        ] {
            let said = self.ask_names(&format!("{prompt}{} ", names.join(", ")));
            names.extend(said);
        }
        let subject = self.ask_text(&format!(
            "Subject: {} ",
            draft.subject.as_deref().unwrap_or_default()
        ));
        if !subject.is_empty() {
            draft.subject = Some(subject);
        }
    }

    fn insert_file(&mut self, draft: &mut Draft, name: &str) {
        if name.is_empty() {
            self.outside.say("Interpolate what file?\n");
            return;
        }
        let file = self.outside.file_of(name);
        match self.outside.read(&file) {
            Ok(content) => {
                let lines = content.iter().filter(|&&b| b == b'\n').count();
                self.outside
                    .say(&format!("\"{file}\" {lines}/{}\n", content.len()));
                draft.body.extend_from_slice(&content);
            }
            Err(text) => self.outside.complain(&text),
        }
    }

    fn insert_letters(&mut self, draft: &mut Draft, argument: &str, letter: char) {
        let Some(folder) = self.folder else {
            self.outside.say("No messages to send from ~_m/~_f\n");
            return;
        };
        let chosen = match list::select(folder, &list::words(argument), Applies::Present) {
            Ok(chosen) => chosen,
            Err(text) => return self.outside.say(&format!("{text}\n")),
        };
        let indent = match letter {
            'm' | 'M' => self.variables.text("indentprefix").unwrap_or("> "),
            _ => "",
        };
        let numbers: Vec<String> = chosen.iter().map(|index| (index + 1).to_string()).collect();
        self.outside
            .say(&format!("Interpolating: {}\n", numbers.join(" ")));
        for index in chosen {
            let text = show::letter(&folder.letters[index], &self.variables.unwanted);
            for line in text.lines() {
                draft
                    .body
                    .extend_from_slice(format!("{indent}{line}\n").as_bytes());
            }
        }
        self.outside.say("(continue)\n");
    }
}

fn preview(draft: &Draft) -> String {
    let mut text = "-------\nMessage contains:\n".to_owned();
    for (name, names) in [("To", &draft.to), ("Cc", &draft.cc), ("Bcc", &draft.bcc)] {
        if !names.is_empty() {
            text.push_str(&format!("{name}: {}\n", names.join(", ")));
        }
    }
    if let Some(subject) = &draft.subject {
        text.push_str(&format!("Subject: {subject}\n"));
    }
    text + "\n" + &String::from_utf8_lossy(&draft.body)
}

/// The addresses that words of the user mean: aliases expanded, commas and spaces between names.
pub(super) fn names_of(variables: &Variables, words: &[String]) -> Vec<String> {
    let mut names = Vec::new();
    for word in words {
        // Names with spaces in them are written with brackets, quotes or comments.
        let is_plain = !word.contains(['<', '"', '(']);
        let single: Vec<&str> = if is_plain {
            word.split([',', ' ', '\t'])
                .filter(|name| !name.is_empty())
                .collect()
        } else {
            vec![word.trim()]
        };
        for name in single {
            names.extend(variables.expand(name));
        }
    }
    names
}

/// Sends what was written; when that fails, it is kept in dead.letter. Whether it was sent.
pub(super) fn send(outside: &mut dyn Outside, variables: &Variables, draft: &Draft) -> bool {
    if draft.to.is_empty() && draft.cc.is_empty() && draft.bcc.is_empty() {
        outside.complain("No recipients specified");
        bury(outside, variables, &draft.body);
        return false;
    }
    match outside.send(draft) {
        Ok(message) => {
            if let Some(record) = variables.text("record").filter(|name| !name.is_empty()) {
                keep(outside, record, &message);
            }
            true
        }
        Err((message, text)) => {
            outside.complain(&text);
            bury(outside, variables, &message);
            outside.complain(". . . message not sent.");
            false
        }
    }
}

/// Keeps a copy of what was sent.
fn keep(outside: &mut dyn Outside, record: &str, message: &[u8]) {
    let file = outside.file_of(record);
    let letter = as_letter(&outside.own_from_line(), message);
    if let Err(text) = outside.append(&file, &letter) {
        outside.complain(&text);
    }
}

/// What could not be sent goes to dead.letter.
pub(super) fn bury(outside: &mut dyn Outside, variables: &Variables, message: &[u8]) {
    if !variables.is_set("save") || message.is_empty() {
        return;
    }
    let name = variables
        .text("DEAD")
        .filter(|name| !name.is_empty())
        .unwrap_or("~/dead.letter");
    let file = outside.file_of(name);
    let letter = as_letter(&outside.own_from_line(), message);
    report(outside, &file, &letter);
}

fn as_letter(from_line: &str, message: &[u8]) -> Vec<u8> {
    let mut letter = from_line.as_bytes().to_vec();
    let mut quoter = message::mbox::Quoter::new();
    quoter.feed(message, &mut letter);
    quoter.finish(b"\n", &mut letter);
    letter
}

fn report(outside: &mut dyn Outside, file: &str, content: &[u8]) {
    let lines = content.iter().filter(|&&b| b == b'\n').count();
    match outside.append(file, content) {
        Ok(_) => outside.say(&format!("\"{file}\" {lines}/{}\n", content.len())),
        Err(text) => outside.complain(&text),
    }
}

/// The files that `-a` names.
pub(super) fn attachments(outside: &mut dyn Outside, names: &[String]) -> Result<Vec<Attachment>, String> {
    let attach = |name: &String| {
        let file = outside.file_of(name);
        Ok(Attachment {
            name: file.rsplit('/').next().unwrap_or(&file).to_owned(),
            content: outside.read(&file)?,
        })
    };
    names.iter().map(attach).collect()
}
