//! Reading mail: the commands of `mail` on an open folder.

use super::collect::{self, Desk, Written};
use super::compose::{Draft, bare_address};
use super::conditions::Conditions;
use super::folder::{Fate, Folder, Habits};
use super::interrupt::{Input, Patience};
use super::list::{self, Applies};
use super::outside::Outside;
use super::reply::{Copy, To};
use super::saving::Saved;
use super::shell::Editor;
use super::variables::Variables;
use super::verbs::{self, Verb};
use super::{headline, show};

/// Rows of the screen that are no header lines.
const ROWS_TAKEN: usize = 4;

/// What comes after a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    Command,
    /// Leave, and write the folder back.
    Quit,
    /// Leave everything as it is.
    Exit,
}

/// A user at an open folder.
pub(super) struct Session<'a> {
    pub(super) outside: &'a mut dyn Outside,
    pub(super) variables: Variables,
    pub(super) folder: Folder,
    /// The current letter was shown: Enter shows the next one.
    has_shown: bool,
    /// A letter is being written: `~:` brought the command here.
    is_writing: bool,
    pub(super) conditions: Conditions,
    /// How many files are being sourced.
    pub(super) source_depth: usize,
    /// The last command of the shell, for `bang`.
    pub(super) last_command: String,
}

pub(super) type Done = Result<(), String>;

impl<'a> Session<'a> {
    pub(super) fn new(outside: &'a mut dyn Outside, variables: Variables, folder: Folder) -> Session<'a> {
        Session {
            outside,
            variables,
            folder,
            has_shown: false,
            is_writing: false,
            conditions: Conditions::default(),
            source_depth: 0,
            last_command: String::new(),
        }
    }

    /// Banner, what is in the folder, the first screen of headers.
    pub(super) fn greet(&mut self, with_headers: bool) {
        if !self.variables.is_set("quiet") {
            self.outside.say(super::BANNER);
        }
        self.announce(with_headers);
    }

    fn announce(&mut self, with_headers: bool) {
        self.outside.say(&format!("{}\n", self.folder.summary()));
        if with_headers && !self.folder.letters.is_empty() {
            self.headers();
        }
    }

    /// Takes commands until the user leaves. Whether the folder was written back as it had to be.
    pub(super) fn run(&mut self) -> bool {
        let mut patience = Patience::default();
        loop {
            let prompt = self.variables.text("prompt").unwrap_or("& ").to_owned();
            let line = match self.outside.ask(&prompt) {
                Input::Line(line) => line,
                Input::Interrupt => {
                    self.outside.say("\nInterrupt\n");
                    continue;
                }
                // Nobody is there who could mean it: everything stays as it was.
                Input::Hangup => return false,
                Input::End if patience.passes_over_end(&self.variables, self.outside.is_interactive()) => {
                    self.outside.say("Use \"quit\" to quit.\n");
                    continue;
                }
                Input::End => return self.leave(),
            };
            patience.restore();
            match self.command(&String::from_utf8_lossy(&line)) {
                Next::Command => {}
                Next::Quit => return self.leave(),
                Next::Exit => return true,
            }
        }
    }

    /// Does what a line says, and says what was in the way.
    pub(super) fn command(&mut self, line: &str) -> Next {
        self.obey(line).unwrap_or_else(|text| {
            self.outside.say(&format!("{text}\n"));
            Next::Command
        })
    }

    /// Does what a line says.
    ///
    /// # Errors
    /// What the user reads.
    pub(super) fn obey(&mut self, line: &str) -> Result<Next, String> {
        let line = line.trim();
        if line.starts_with('#') {
            return Ok(Next::Command);
        }
        let (word, rest) = verbs::split(line);
        let found = verbs::find(word);
        if let Some((_, verb @ (Verb::If | Verb::Else | Verb::Endif))) = found {
            return self.decide(verb, rest).map(|()| Next::Command);
        }
        if !self.conditions.hold() {
            return Ok(Next::Command);
        }
        let (name, verb) = found.ok_or_else(|| format!("Unknown command: \"{word}\""))?;
        if self.is_writing && verb.disturbs_writing() {
            return Err(format!("\"{name}\" has to wait until the letter is written"));
        }
        if self.folder.is_read_only && verb.changes() {
            return Err(format!("May not execute \"{name}\" -- message file is read only"));
        }
        match verb {
            Verb::Quit => Ok(Next::Quit),
            Verb::Exit => Ok(Next::Exit),
            Verb::Source => self.source(rest),
            _ => self.perform(verb, name, rest).map(|()| Next::Command),
        }
    }

    fn perform(&mut self, verb: Verb, word: &str, rest: &str) -> Done {
        let words = list::words(rest);
        match verb {
            Verb::Next => self.next(&words),
            Verb::Previous => self.previous(),
            Verb::Print => self.print(&words, false),
            Verb::PrintAll => self.print(&words, true),
            Verb::Top => self.top(&words),
            Verb::Headers => self.headers_at(&words),
            Verb::Screen => self.screen(rest),
            Verb::From => self.from(&words),
            Verb::Number => self.say_number(),
            Verb::Delete => self.delete(&words),
            Verb::DeletePrint => self.delete_and_show(&words),
            Verb::Undelete => self.undelete(&words),
            Verb::Unread => self.mark(&words, |marks| (marks.read, marks.touched) = (false, true)),
            Verb::Touch => self.mark(&words, |marks| (marks.read, marks.touched) = (true, true)),
            Verb::Hold => self.hold(&words, word),
            Verb::ToMbox => self.mark(&words, |marks| marks.boxed = true),
            Verb::Save => self.save(words, Saved::Marked),
            Verb::SaveBySender => self.save_by_sender(&words, Saved::Marked),
            Verb::Copy => self.save(words, Saved::Copied),
            Verb::CopyBySender => self.save_by_sender(&words, Saved::Copied),
            Verb::Write => self.write_text(words),
            Verb::ReplyAll => self.reply(&words, To::All, Copy::AsUsual),
            Verb::ReplySender => self.reply(&words, To::Senders, Copy::AsUsual),
            Verb::Followup => self.reply(&words, To::All, Copy::ByName),
            Verb::FollowupSender => self.reply(&words, To::Senders, Copy::ByName),
            Verb::Mail => self.mail(&words),
            Verb::File => self.change_folder(&words),
            Verb::Folders => self.folders(),
            Verb::Arrivals => self.look_for_new(),
            Verb::Settings => self.settings(word, &words),
            Verb::Size => self.sizes(&words),
            Verb::Command => self.run_command(rest),
            Verb::Shell => self.run_shell(),
            Verb::Pipe => self.pipe(words, false),
            Verb::PipeAll => self.pipe(words, true),
            Verb::Edit => self.edit(&words, Editor::Line),
            Verb::Visual => self.edit(&words, Editor::Screen),
            Verb::Directory => self.change_directory(&words),
            Verb::Version => self.tell(&format!("{}\n", super::VERSION)),
            Verb::List => self.tell(&verbs::listing()),
            Verb::Help => self.tell(verbs::HELP),
            // Done where commands are read.
            Verb::Source | Verb::If | Verb::Else | Verb::Endif | Verb::Quit | Verb::Exit => Ok(()),
        }
    }

    fn tell(&mut self, text: &str) -> Done {
        self.outside.say(text);
        Ok(())
    }

    pub(super) fn select(&self, words: &[String]) -> Result<Vec<usize>, String> {
        list::select(&self.folder, words, Applies::Present)
    }

    fn is_present(&self, index: usize) -> bool {
        !self.folder.letters[index].marks.deleted
    }

    // Showing.

    fn next(&mut self, words: &[String]) -> Done {
        if !words.is_empty() {
            let chosen = self.select(words)?;
            let after = chosen.iter().find(|&&index| index > self.folder.dot);
            return self.show(after.copied().unwrap_or(chosen[0]), false);
        }
        let total = self.folder.letters.len();
        let start = self.folder.dot + usize::from(self.has_shown);
        match (start..total).find(|&index| self.is_present(index)) {
            Some(index) => self.show(index, false),
            None => Err("At EOF".to_owned()),
        }
    }

    fn previous(&mut self) -> Done {
        let found = (0..self.folder.dot).rev().find(|&index| self.is_present(index));
        self.show(found.ok_or("Referencing before 1")?, false)
    }

    fn print(&mut self, words: &[String], everything: bool) -> Done {
        for index in self.select(words)? {
            self.show(index, everything)?;
            if self.outside.interrupted() {
                return Err("\nInterrupt".to_owned());
            }
        }
        Ok(())
    }

    fn show(&mut self, index: usize, everything: bool) -> Done {
        self.folder.dot = index;
        self.has_shown = true;
        let letter = &mut self.folder.letters[index];
        (letter.marks.read, letter.marks.touched) = (true, true);
        let nothing = show::Unwanted::nothing();
        let unwanted = if everything {
            &nothing
        } else {
            &self.variables.unwanted
        };
        let text = format!("Message {:2}:\n{}", index + 1, show::letter(letter, unwanted));
        if self.variables.is_set("crt") {
            self.outside.page(&text);
        } else {
            self.outside.say(&text);
        }
        Ok(())
    }

    fn top(&mut self, words: &[String]) -> Done {
        let count = self
            .variables
            .text("toplines")
            .and_then(|text| text.parse().ok())
            .unwrap_or(5);
        for index in self.select(words)? {
            let text = show::letter(&self.folder.letters[index], &self.variables.unwanted);
            let first: Vec<&str> = text.lines().take(count).collect();
            self.outside
                .say(&format!("Message {:2}:\n{}\n", index + 1, first.join("\n")));
            self.folder.dot = index;
        }
        Ok(())
    }

    fn line(&self, index: usize) -> String {
        let user = self.outside.user();
        let is_me = |address: &str| {
            let local = bare_address(address).map(|address| address.local().to_owned());
            local.is_some_and(|local| local == user)
        };
        headline::line(&self.folder, index, self.outside.screen().0, is_me) + "\n"
    }

    fn present(&self) -> Vec<usize> {
        (0..self.folder.letters.len())
            .filter(|&index| self.is_present(index))
            .collect()
    }

    fn page_rows(&self) -> usize {
        let rows = self.outside.screen().1.saturating_sub(ROWS_TAKEN);
        let wanted = self.variables.text("screen").and_then(|text| text.parse().ok());
        wanted.unwrap_or(rows).max(1)
    }

    /// The screen of header lines that the current letter is on.
    fn headers(&mut self) {
        let present = self.present();
        let rows = self.page_rows();
        let place = present
            .iter()
            .position(|&index| index >= self.folder.dot)
            .unwrap_or(present.len().saturating_sub(1));
        let page = present.chunks(rows).nth(place / rows).unwrap_or_default();
        let text: String = page.iter().map(|&index| self.line(index)).collect();
        self.outside.say(&text);
    }

    fn headers_at(&mut self, words: &[String]) -> Done {
        if !words.is_empty() || self.present().is_empty() {
            self.folder.dot = self.select(words)?[0];
        }
        self.headers();
        Ok(())
    }

    /// `z`, `z-`: the next or the last screen.
    fn screen(&mut self, rest: &str) -> Done {
        let (present, rows) = (self.present(), self.page_rows());
        let place = present
            .iter()
            .position(|&index| index >= self.folder.dot)
            .unwrap_or(0);
        let page = match rest.trim() {
            "-" => (place / rows)
                .checked_sub(1)
                .ok_or("On first screenful of messages")?,
            _ => place / rows + 1,
        };
        let first = present.get(page * rows).ok_or("On last screenful of messages")?;
        self.folder.dot = *first;
        self.has_shown = false;
        self.headers();
        Ok(())
    }

    fn from(&mut self, words: &[String]) -> Done {
        let chosen = self.select(words)?;
        let text: String = chosen.iter().map(|&index| self.line(index)).collect();
        self.outside.say(&text);
        self.folder.dot = chosen[chosen.len() - 1];
        Ok(())
    }

    fn say_number(&mut self) -> Done {
        let number = if self.folder.letters.is_empty() {
            0
        } else {
            self.folder.dot + 1
        };
        self.outside.say(&format!("{number}\n"));
        Ok(())
    }

    // Marking.

    fn mark(&mut self, words: &[String], mark: impl Fn(&mut super::folder::Marks)) -> Done {
        for index in self.select(words)? {
            mark(&mut self.folder.letters[index].marks);
            self.folder.dot = index;
        }
        Ok(())
    }

    fn delete(&mut self, words: &[String]) -> Done {
        let chosen = self.select(words)?;
        for &index in &chosen {
            let marks = &mut self.folder.letters[index].marks;
            (marks.deleted, marks.touched) = (true, true);
        }
        let last = chosen[chosen.len() - 1];
        let total = self.folder.letters.len();
        let after = (last..total).find(|&index| self.is_present(index));
        let before = || (0..last).rev().find(|&index| self.is_present(index));
        self.folder.dot = after.or_else(before).unwrap_or(0);
        self.has_shown = after.is_none();
        Ok(())
    }

    fn delete_and_show(&mut self, words: &[String]) -> Done {
        self.delete(words)?;
        if self.has_shown {
            return Err("At EOF".to_owned());
        }
        self.show(self.folder.dot, false)
    }

    fn undelete(&mut self, words: &[String]) -> Done {
        for index in list::select(&self.folder, words, Applies::Deleted)? {
            self.folder.letters[index].marks.deleted = false;
            self.folder.dot = index;
        }
        self.has_shown = false;
        Ok(())
    }

    fn hold(&mut self, words: &[String], word: &str) -> Done {
        if !self.folder.is_spool {
            return Err(format!("Cannot \"{word}\" in edit mode"));
        }
        self.mark(words, |marks| (marks.preserved, marks.boxed) = (true, false))
    }

    // Writing letters.

    fn mail(&mut self, words: &[String]) -> Done {
        if words.is_empty() {
            return Err("No recipients specified".to_owned());
        }
        let mut draft = Draft {
            to: collect::names_of(&self.variables, words),
            ..Draft::default()
        };
        if self.outside.is_interactive() && self.variables.is_set("ask") {
            match collect::ask_subject(self.outside) {
                Some(subject) => draft.subject = subject,
                None => return Err("\nInterrupt".to_owned()),
            }
        }
        self.compose(draft, None).map(drop)
    }

    /// Takes the text and sends; a copy goes to the file `record`, or where the variable says. Whether it was sent.
    pub(super) fn compose(&mut self, mut draft: Draft, record: Option<String>) -> Result<bool, String> {
        draft.from = self.variables.text("from").map(str::to_owned);
        self.is_writing = true;
        let written = self.write(&mut draft);
        self.is_writing = false;
        if written != Written::Whole {
            return Ok(false);
        }
        let mut variables = self.variables.clone();
        if let Some(name) = record {
            variables.assign(&format!("record={name}"));
        }
        Ok(collect::send(self.outside, &variables, &draft))
    }

    fn write(&mut self, draft: &mut Draft) -> Written {
        loop {
            let mut desk = Desk {
                outside: self.outside,
                variables: &self.variables,
                folder: Some(&self.folder),
                escapes: true,
            };
            let command = match desk.write(draft) {
                Written::Command(command) => command,
                written => return written,
            };
            self.command(&command);
            self.outside.say("(continue)\n");
        }
    }

    // Folders and settings.

    fn change_folder(&mut self, words: &[String]) -> Done {
        let Some(name) = words.first() else {
            let text = self.folder.summary();
            return self.tell(&format!("{text}\n"));
        };
        // Before the present one is left: a name that means nothing changes nothing.
        let file = self.outside.file_of(name)?;
        self.leave();
        self.folder = self.outside.load(&file)?;
        self.has_shown = false;
        let with_headers = self.variables.is_set("header");
        self.announce(with_headers);
        Ok(())
    }

    /// `folders`: what lies in the folder directory.
    fn folders(&mut self) -> Done {
        let directory = self.outside.file_of("+")?;
        let names = self.outside.list(&directory)?;
        let text: String = names.iter().map(|name| format!("{name}\n")).collect();
        self.tell(&text)
    }

    /// `inc`: letters that came since the folder was opened.
    fn look_for_new(&mut self) -> Done {
        let arrived = self.outside.arrivals(&self.folder)?;
        if arrived.is_empty() {
            return self.tell("No new mail.\n");
        }
        let first = self.folder.letters.len();
        self.folder.letters.extend(arrived);
        self.folder.dot = first;
        self.has_shown = false;
        self.outside.say("New mail has arrived.\n");
        let with_headers = self.variables.is_set("header");
        self.announce(with_headers);
        Ok(())
    }

    fn sizes(&mut self, words: &[String]) -> Done {
        let mut text = String::new();
        for index in self.select(words)? {
            let (lines, octets) = self.folder.letters[index].size();
            text.push_str(&format!("{}: {lines}/{octets}\n", index + 1));
            self.folder.dot = index;
        }
        self.tell(&text)
    }

    fn settings(&mut self, verb: &str, words: &[String]) -> Done {
        let text = match (verb, words) {
            ("set", []) => self.variables.listing(),
            ("alias" | "group", []) => self.variables.alias_listing(None),
            ("alternates", []) => self.variables.alternates().join(" ") + "\n",
            ("alias" | "group", [name]) => self.variables.alias_listing(Some(name)),
            ("echo", words) => words.join(" ") + "\n",
            _ => {
                self.variables.order(verb, words);
                self.outside.heed(&self.variables);
                return Ok(());
            }
        };
        self.outside.say(&text);
        Ok(())
    }

    /// Writes the folder back and says what became of it. `false` when that failed; nothing is lost then.
    pub(super) fn leave(&mut self) -> bool {
        let habits = Habits {
            hold: self.variables.is_set("hold"),
            keepsave: self.variables.is_set("keepsave"),
        };
        let fates = self.folder.fates(habits);
        let is_changed = self.folder.is_changed(&fates);
        self.folder.grow_old();
        let done = self.keep_boxed(&fates).and_then(|()| match is_changed {
            true => self.outside.store(&self.folder, &fates),
            false => Ok(0),
        });
        match done {
            Ok(arrived) => {
                if arrived > 0 {
                    self.outside.say("New mail has arrived.\n");
                }
                self.farewell(&fates, is_changed);
                true
            }
            Err(text) => {
                self.outside.complain(&text);
                self.outside
                    .complain(&format!("\"{}\" was left as it was", self.folder.name));
                false
            }
        }
    }

    /// Letters for the user's mbox are there before they are taken from the system mailbox.
    fn keep_boxed(&mut self, fates: &[Fate]) -> Result<(), String> {
        let boxed = self
            .folder
            .letters
            .iter()
            .zip(fates)
            .filter(|(_, fate)| **fate == Fate::ToMbox);
        let content: Vec<u8> = boxed.flat_map(|(letter, _)| letter.written()).collect();
        if content.is_empty() || self.folder.is_read_only {
            return Ok(());
        }
        let file = self.outside.file_of("&")?;
        self.outside.append(&file, &content).map(drop)
    }

    fn farewell(&mut self, fates: &[Fate], is_changed: bool) {
        let name = self.folder.name.clone();
        // Nothing became of it.
        if self.folder.is_read_only {
            return;
        }
        if !self.folder.is_spool {
            if is_changed {
                self.outside.say(&format!("\"{name}\" complete\n"));
            }
            return;
        }
        let count = |wanted: Fate| fates.iter().filter(|fate| **fate == wanted).count();
        let plural = |count: usize| match count {
            1 => "1 message".to_owned(),
            more => format!("{more} messages"),
        };
        let (boxed, held) = (count(Fate::ToMbox), count(Fate::Stays));
        if boxed > 0
            && let Ok(mbox) = self.outside.file_of("&")
        {
            self.outside.say(&format!("Saved {} in {mbox}\n", plural(boxed)));
        }
        if held > 0 {
            self.outside.say(&format!("Held {} in {name}\n", plural(held)));
        }
    }
}
