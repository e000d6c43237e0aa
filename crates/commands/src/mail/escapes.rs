//! Tilde escapes: what a person who writes a letter may do besides writing.

use super::collect::{Desk, attachments, bury_place, names_of, report};
use super::compose::Draft;
use super::interrupt::Input;
use super::list::{self, Applies};
use super::shell::Editor;
use super::show;

/// What a line did.
pub(super) enum Line {
    Taken,
    End,
    Cancelled,
    /// A command of the session is to be done.
    Command(String),
}

const ESCAPES: &str = "  ~~ TEXT    the text itself, with one tilde
  ~.         end of the letter
  ~! COMMAND runs a command of the shell
  ~: COMMAND runs a command of mail (also ~_)
  ~| COMMAND the text goes through a command
  ~< FILE    put a file in (also ~r); ~<!COMMAND what a command writes
  ~@ FILES   attach files
  ~a, ~A     put the signature in (the variable sign, Sign)
  ~b NAMES   more Bcc
  ~c NAMES   more Cc
  ~d         put dead.letter in
  ~e, ~v     edit the text with EDITOR, VISUAL
  ~f, ~m [MESSAGES]  put letters in; ~m indents them; ~F, ~M with all fields
  ~h         ask for To, Subject, Cc and Bcc
  ~i NAME    put the text of a variable in
  ~p         show the letter so far
  ~q         give up, keep the text in dead.letter
  ~s TEXT    the subject
  ~t NAMES   more To
  ~w FILE    write the text to a file
  ~x         give up, keep nothing
";

type Done = Result<(), String>;

impl Desk<'_> {
    /// Does what the escape says, its tilde left out.
    pub(super) fn escape(&mut self, draft: &mut Draft, text: &str) -> Line {
        let mut rest = text.chars();
        let (letter, argument) = (rest.next(), rest.as_str().trim());
        match letter {
            Some('.') => return Line::End,
            Some('x') => return Line::Cancelled,
            Some('q') => {
                super::collect::bury(self.outside, self.variables, &draft.body);
                return Line::Cancelled;
            }
            Some(':' | '_') => return Line::Command(argument.to_owned()),
            _ => {}
        }
        if let Err(text) = self.change(draft, letter, argument) {
            self.outside.complain(&text);
        }
        if matches!(letter, Some('e' | 'v' | 'h' | 'p' | '|')) {
            self.outside.say("(continue)\n");
        }
        Line::Taken
    }

    fn change(&mut self, draft: &mut Draft, letter: Option<char>, argument: &str) -> Done {
        let words = [argument.to_owned()];
        match letter {
            Some('s') => draft.subject = Some(argument.to_owned()),
            Some('t') => draft.to.extend(names_of(self.variables, &words)),
            Some('c') => draft.cc.extend(names_of(self.variables, &words)),
            Some('b') => draft.bcc.extend(names_of(self.variables, &words)),
            Some('h') => self.ask_header(draft),
            Some('r' | '<') => self.insert_file(draft, argument)?,
            Some('d') => {
                let file = bury_place(self.outside, self.variables)?;
                self.insert(draft, &file)?;
            }
            Some('@') => draft
                .attachments
                .extend(attachments(self.outside, &list::words(argument))?),
            Some('a') => self.insert_variable(draft, "sign"),
            Some('A') => self.insert_variable(draft, "Sign"),
            Some('i') => self.insert_variable(draft, argument),
            Some('w') if argument.is_empty() => return Err("Write to what file?".to_owned()),
            Some('w') => {
                let file = self.outside.file_of(argument)?;
                report(self.outside, &file, &draft.body);
            }
            Some('p') => self.outside.page(&preview(draft)),
            Some('e') => draft.body = self.outside.edit(&draft.body, Editor::Line)?,
            Some('v') => draft.body = self.outside.edit(&draft.body, Editor::Screen)?,
            Some('!') => {
                self.outside.run(argument, None)?;
                self.outside.say("!\n");
            }
            Some('|') => self.filter(draft, argument)?,
            Some(letter @ ('m' | 'M' | 'f' | 'F')) => self.insert_letters(draft, argument, letter),
            Some('?') => self.outside.say(ESCAPES),
            _ => self.outside.say("Unknown tilde escape.\n"),
        }
        Ok(())
    }

    fn ask_header(&mut self, draft: &mut Draft) {
        for (prompt, names) in [
            ("To: ", &mut draft.to),
            ("Cc: ", &mut draft.cc),
            ("Bcc: ", &mut draft.bcc),
        ] {
            match self.ask_names(&format!("{prompt}{} ", names.join(", "))) {
                Some(said) => names.extend(said),
                None => return,
            }
        }
        let subject = self.ask_text(&format!(
            "Subject: {} ",
            draft.subject.as_deref().unwrap_or_default()
        ));
        if let Some(subject) = subject.filter(|subject| !subject.is_empty()) {
            draft.subject = Some(subject);
        }
    }

    /// A line that is asked for; `None` when the person interrupts.
    pub(super) fn ask_text(&mut self, prompt: &str) -> Option<String> {
        match self.outside.ask(prompt) {
            Input::Line(line) => Some(String::from_utf8_lossy(&line).trim().to_owned()),
            Input::End => Some(String::new()),
            Input::Interrupt | Input::Hangup => None,
        }
    }

    pub(super) fn ask_names(&mut self, prompt: &str) -> Option<Vec<String>> {
        let text = self.ask_text(prompt)?;
        Some(names_of(self.variables, &[text]))
    }

    fn insert_file(&mut self, draft: &mut Draft, name: &str) -> Done {
        if let Some(command) = name.strip_prefix('!') {
            let content = self.outside.output_of(command.trim(), b"")?;
            self.insert_text(draft, command.trim(), &content);
            return Ok(());
        }
        if name.is_empty() {
            return Err("Interpolate what file?".to_owned());
        }
        let file = self.outside.file_of(name)?;
        self.insert(draft, &file)
    }

    fn insert(&mut self, draft: &mut Draft, file: &str) -> Done {
        let content = self.outside.read(file)?;
        self.insert_text(draft, file, &content);
        Ok(())
    }

    fn insert_text(&mut self, draft: &mut Draft, origin: &str, content: &[u8]) {
        let lines = content.iter().filter(|&&b| b == b'\n').count();
        self.outside
            .say(&format!("\"{origin}\" {lines}/{}\n", content.len()));
        draft.body.extend_from_slice(content);
    }

    /// The text of a variable, as a line; `\t` and `\n` in it mean a tab and a line's end.
    fn insert_variable(&mut self, draft: &mut Draft, name: &str) {
        if let Some(text) = self.variables.text(name).filter(|text| !text.is_empty()) {
            let text = text.replace("\\t", "\t").replace("\\n", "\n");
            draft.body.extend_from_slice(text.as_bytes());
            draft.body.push(b'\n');
        }
    }

    fn filter(&mut self, draft: &mut Draft, command: &str) -> Done {
        if command.is_empty() {
            return Err("Through what command?".to_owned());
        }
        let text = self.outside.output_of(command, &draft.body)?;
        if text.is_empty() {
            return Err(format!("No bytes from \"{command}\": the text stays as it was"));
        }
        let lines = text.iter().filter(|&&b| b == b'\n').count();
        self.outside
            .say(&format!("\"{command}\" {lines}/{}\n", text.len()));
        draft.body = text;
        Ok(())
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
        let everything = show::Unwanted::nothing();
        let unwanted = match letter {
            'M' | 'F' => &everything,
            _ => &self.variables.unwanted,
        };
        let numbers: Vec<String> = chosen.iter().map(|index| (index + 1).to_string()).collect();
        self.outside
            .say(&format!("Interpolating: {}\n", numbers.join(" ")));
        for index in chosen {
            let text = show::letter(&folder.letters[index], unwanted);
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
