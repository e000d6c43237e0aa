//! Writing a letter: its text up to the end of input or a lone dot, what happens when it is given up or cannot be sent.

use super::compose::{Attachment, Draft};
use super::delivery;
use super::escapes::Line;
use super::folder::Folder;
use super::interrupt::{Input, Patience};
use super::outside::Outside;
use super::variables::Variables;

/// The longest text that is taken, in octets.
const TEXT_BYTES_MAX: usize = 1 << 30;

/// How writing ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Written {
    /// To be sent.
    Whole,
    /// Given up.
    Cancelled,
    /// Given up by the interrupt key, or because the terminal is gone; the text is in dead.letter.
    Killed,
    /// `~:`: this command is to be done, then writing goes on.
    Command(String),
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

impl Desk<'_> {
    /// Takes the text of `draft`, after what is in it already.
    pub(super) fn write(&mut self, draft: &mut Draft) -> Written {
        if !self.outside.is_interactive() && !self.escapes {
            draft.body.extend_from_slice(&self.outside.rest());
            return Written::Whole;
        }
        let mut patience = Patience::default();
        while draft.body.len() < TEXT_BYTES_MAX {
            let line = match self.outside.ask("") {
                Input::Line(line) => line,
                Input::Interrupt => match patience.interrupt(self.variables) {
                    Some(said) => {
                        self.outside.say(said);
                        continue;
                    }
                    None => return self.killed(draft),
                },
                Input::Hangup => return self.killed(draft),
                Input::End if patience.passes_over_end(self.variables, self.outside.is_interactive()) => {
                    self.outside.say("Use \".\" to terminate letter\n");
                    continue;
                }
                Input::End => break,
            };
            patience.restore();
            match self.line(draft, &line) {
                Line::Taken => {}
                Line::End => break,
                Line::Cancelled => return Written::Cancelled,
                Line::Command(command) => return Written::Command(command),
            }
        }
        if self.outside.is_interactive() && !self.ending(draft) {
            return self.killed(draft);
        }
        Written::Whole
    }

    fn killed(&mut self, draft: &Draft) -> Written {
        bury(self.outside, self.variables, &draft.body);
        Written::Killed
    }

    /// Asks for copies. `false` when the person interrupts.
    fn ending(&mut self, draft: &mut Draft) -> bool {
        let (askcc, askbcc) = (self.variables.is_set("askcc"), self.variables.is_set("askbcc"));
        for (asks, prompt, names) in [(askcc, "Cc: ", &mut draft.cc), (askbcc, "Bcc: ", &mut draft.bcc)] {
            if asks && names.is_empty() {
                match self.ask_names(prompt) {
                    Some(said) => *names = said,
                    None => return false,
                }
            }
        }
        if !askcc && !askbcc {
            self.outside.say("EOT\n");
        }
        true
    }

    fn line(&mut self, draft: &mut Draft, line: &[u8]) -> Line {
        if line == b"." && self.outside.is_interactive() && self.variables.is_set("dot") {
            return Line::End;
        }
        let escape = self.variables.text("escape").and_then(|text| text.chars().next());
        let escape = escape.unwrap_or('~').to_string();
        if let Some(rest) = line.strip_prefix(escape.as_bytes()).filter(|_| self.escapes) {
            if !rest.starts_with(escape.as_bytes()) {
                return self.escape(draft, &String::from_utf8_lossy(rest));
            }
            draft.body.extend_from_slice(rest);
        } else {
            draft.body.extend_from_slice(line);
        }
        draft.body.push(b'\n');
        Line::Taken
    }
}

/// The subject, asked for; `None` when the person interrupts.
pub(super) fn ask_subject(outside: &mut dyn Outside) -> Option<Option<String>> {
    match outside.ask("Subject: ") {
        Input::Line(line) => {
            let subject = String::from_utf8_lossy(&line).trim().to_owned();
            Some(Some(subject).filter(|text| !text.is_empty()))
        }
        Input::End => Some(None),
        Input::Interrupt | Input::Hangup => None,
    }
}

/// The addresses that words of the user mean: aliases expanded, commas and spaces between names.
pub(super) fn names_of(variables: &Variables, words: &[String]) -> Vec<String> {
    let mut names = Vec::new();
    for word in words {
        // Names with spaces in them are written with brackets, quotes or comments; a command has what it has.
        let is_plain = !word.contains(['<', '"', '(']) && !word.trim_start().starts_with('|');
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
    let (draft, targets) = match delivery::parted(variables, draft) {
        Ok(parted) => parted,
        Err(text) => return unsent(outside, variables, &text, &draft.body),
    };
    let message = match outside.message(&draft) {
        Ok(message) => message,
        Err(text) => return unsent(outside, variables, &text, &draft.body),
    };
    let is_mail = !(draft.to.is_empty() && draft.cc.is_empty() && draft.bcc.is_empty());
    let all_have_it = delivery::deliver(outside, &targets, &message);
    if is_mail && let Err(text) = outside.hand_in(&draft, &message) {
        return unsent(outside, variables, &text, &message);
    }
    if let Some(record) = variables.text("record").filter(|name| !name.is_empty()) {
        keep(outside, record, &message);
    }
    if !all_have_it {
        bury(outside, variables, &message);
    }
    all_have_it
}

fn unsent(outside: &mut dyn Outside, variables: &Variables, text: &str, content: &[u8]) -> bool {
    outside.complain(text);
    bury(outside, variables, content);
    outside.complain(". . . message not sent.");
    false
}

/// Keeps a copy of what was sent.
fn keep(outside: &mut dyn Outside, record: &str, message: &[u8]) {
    let letter = as_letter(&outside.own_from_line(), message);
    let done = outside
        .file_of(record)
        .and_then(|file| outside.append(&file, &letter));
    if let Err(text) = done {
        outside.complain(&text);
    }
}

/// What could not be sent goes to dead.letter.
pub(super) fn bury(outside: &mut dyn Outside, variables: &Variables, message: &[u8]) {
    if !variables.is_set("save") || message.is_empty() {
        return;
    }
    match bury_place(outside, variables) {
        Ok(file) => {
            let letter = as_letter(&outside.own_from_line(), message);
            report(outside, &file, &letter);
        }
        Err(text) => outside.complain(&text),
    }
}

/// The file dead.letter.
pub(super) fn bury_place(outside: &dyn Outside, variables: &Variables) -> Result<String, String> {
    let name = variables.text("DEAD").filter(|name| !name.is_empty());
    outside.file_of(name.unwrap_or("~/dead.letter"))
}

/// A message as a letter of an mbox file.
pub(super) fn as_letter(from_line: &str, message: &[u8]) -> Vec<u8> {
    let mut letter = from_line.as_bytes().to_vec();
    let mut quoter = message::mbox::Quoter::new();
    quoter.feed(message, &mut letter);
    quoter.finish(b"\n", &mut letter);
    letter
}

pub(super) fn report(outside: &mut dyn Outside, file: &str, content: &[u8]) {
    let lines = content.iter().filter(|&&b| b == b'\n').count();
    match outside.append(file, content) {
        Ok(_) => outside.say(&format!("\"{file}\" {lines}/{}\n", content.len())),
        Err(text) => outside.complain(&text),
    }
}

/// The files that `-a` names.
pub(super) fn attachments(outside: &mut dyn Outside, names: &[String]) -> Result<Vec<Attachment>, String> {
    let attach = |name: &String| {
        let file = outside.file_of(name)?;
        Ok(Attachment {
            name: file.rsplit('/').next().unwrap_or(&file).to_owned(),
            content: outside.read(&file)?,
        })
    };
    names.iter().map(attach).collect()
}
