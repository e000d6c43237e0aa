//! Reading mail: the commands of `mail` on an open folder.

use super::collect::{self, Desk, Written};
use super::compose::{Draft, bare_address};
use super::folder::{Fate, Folder, Habits};
use super::list::{self, Applies};
use super::outside::Outside;
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
}

type Done = Result<(), String>;

impl<'a> Session<'a> {
    pub(super) fn new(outside: &'a mut dyn Outside, variables: Variables, folder: Folder) -> Session<'a> {
        Session {
            outside,
            variables,
            folder,
            has_shown: false,
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
        let prompt = self.variables.text("prompt").unwrap_or("& ").to_owned();
        loop {
            let Some(line) = self.outside.ask(&prompt) else {
                return self.leave();
            };
            match self.command(&String::from_utf8_lossy(&line)) {
                Next::Command => {}
                Next::Quit => return self.leave(),
                Next::Exit => return true,
            }
        }
    }

    /// Does what a line says.
    pub(super) fn command(&mut self, line: &str) -> Next {
        let line = line.trim();
        if line.starts_with('#') {
            return Next::Command;
        }
        let (word, rest) = verbs::split(line);
        let Some((name, verb)) = verbs::find(word) else {
            self.outside.say(&format!("Unknown command: \"{word}\"\n"));
            return Next::Command;
        };
        match verb {
            Verb::Quit => return Next::Quit,
            Verb::Exit => return Next::Exit,
            _ => {}
        }
        if let Err(text) = self.perform(verb, name, rest) {
            self.outside.say(&format!("{text}\n"));
        }
        Next::Command
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
            Verb::Save => self.save(words, true),
            Verb::Copy => self.save(words, false),
            Verb::Write => self.write(words),
            Verb::ReplyAll => self.reply(&words, true),
            Verb::ReplySender => self.reply(&words, false),
            Verb::Mail => self.mail(&words),
            Verb::File => self.change_folder(rest),
            Verb::Settings => self.settings(word, &words),
            Verb::Help => {
                self.outside.say(verbs::HELP);
                Ok(())
            }
            Verb::Quit | Verb::Exit => Ok(()),
        }
    }

    fn select(&self, words: &[String]) -> Result<Vec<usize>, String> {
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

    // Keeping.

    /// The letters and the file that `save`, `copy` and `write` name: the last word is the file.
    fn destination(&mut self, mut words: Vec<String>) -> Result<(Vec<usize>, String), String> {
        let name = words.pop().unwrap_or_else(|| "&".to_owned());
        let chosen = self.select(&words)?;
        Ok((chosen, self.outside.file_of(&name)))
    }

    fn save(&mut self, words: Vec<String>, marks: bool) -> Done {
        let (chosen, file) = self.destination(words)?;
        let content: Vec<u8> = chosen
            .iter()
            .flat_map(|&index| self.folder.letters[index].written())
            .collect();
        self.append(&file, &content)?;
        for index in chosen {
            self.folder.dot = index;
            let letter = &mut self.folder.letters[index].marks;
            letter.touched = true;
            letter.saved |= marks;
        }
        Ok(())
    }

    fn write(&mut self, words: Vec<String>) -> Done {
        if words.is_empty() {
            return Err("No file specified.".to_owned());
        }
        let (chosen, file) = self.destination(words)?;
        let text: String = chosen
            .iter()
            .map(|&index| show::body(&self.folder.letters[index]))
            .collect();
        self.append(&file, text.as_bytes())?;
        for index in chosen {
            let marks = &mut self.folder.letters[index].marks;
            (marks.saved, marks.touched) = (true, true);
        }
        Ok(())
    }

    fn append(&mut self, file: &str, content: &[u8]) -> Done {
        let was_there = self.outside.append(file, content)?;
        let lines = content.iter().filter(|&&b| b == b'\n').count();
        let what = if was_there { "[Appended]" } else { "[New file]" };
        self.outside
            .say(&format!("\"{file}\" {what} {lines}/{}\n", content.len()));
        Ok(())
    }

    // Writing letters.

    fn reply(&mut self, words: &[String], to_all: bool) -> Done {
        let index = self.select(words)?[0];
        let letter = &self.folder.letters[index];
        let mut draft = Draft {
            to: vec![letter.sender(true)],
            subject: Some(reply_subject(&letter.field("Subject"))),
            ..Draft::default()
        };
        let id = letter.field("Message-ID");
        if !id.is_empty() {
            draft.references = Some(format!("{} {id}", letter.field("References")).trim().to_owned());
            draft.in_reply_to = Some(id);
        }
        if to_all {
            let user = self.outside.user().to_owned();
            add_others(&mut draft, letter, &user);
        }
        let mut head = format!("To: {}\n", draft.to.join(", "));
        if !draft.cc.is_empty() {
            head.push_str(&format!("Cc: {}\n", draft.cc.join(", ")));
        }
        head.push_str(&format!(
            "Subject: {}\n\n",
            draft.subject.as_deref().unwrap_or_default()
        ));
        self.outside.say(&headline_safe(&head));
        if self.compose(draft)? {
            let marks = &mut self.folder.letters[index].marks;
            marks.touched = true;
            marks.answered |= self.variables.is_set("markanswered");
        }
        Ok(())
    }

    fn mail(&mut self, words: &[String]) -> Done {
        if words.is_empty() {
            return Err("No recipients specified".to_owned());
        }
        let mut draft = Draft {
            to: collect::names_of(&self.variables, words),
            ..Draft::default()
        };
        if self.outside.is_interactive() && self.variables.is_set("ask") {
            let subject = self.outside.ask("Subject: ").unwrap_or_default();
            draft.subject =
                Some(String::from_utf8_lossy(&subject).trim().to_owned()).filter(|text| !text.is_empty());
        }
        self.compose(draft).map(drop)
    }

    /// Takes the text and sends. Whether it was sent.
    fn compose(&mut self, mut draft: Draft) -> Result<bool, String> {
        draft.from = self.variables.text("from").map(str::to_owned);
        let mut desk = Desk {
            outside: self.outside,
            variables: &self.variables,
            folder: Some(&self.folder),
            escapes: true,
        };
        match desk.write(&mut draft) {
            Written::Whole => Ok(collect::send(self.outside, &self.variables, &draft)),
            Written::Cancelled => Ok(false),
        }
    }

    // Folders and settings.

    fn change_folder(&mut self, name: &str) -> Done {
        if name.trim().is_empty() {
            let text = self.folder.summary();
            self.outside.say(&format!("{text}\n"));
            return Ok(());
        }
        self.leave();
        self.folder = self.outside.load(name.trim())?;
        self.has_shown = false;
        let with_headers = self.variables.is_set("header");
        self.announce(with_headers);
        Ok(())
    }

    fn settings(&mut self, verb: &str, words: &[String]) -> Done {
        let text = match (verb, words) {
            ("set", []) => self.variables.listing(),
            ("alias" | "group", []) => self.variables.alias_listing(None),
            ("alias" | "group", [name]) => self.variables.alias_listing(Some(name)),
            ("echo", words) => words.join(" ") + "\n",
            _ => {
                self.variables.order(verb, words);
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
        let file = self.outside.file_of("&");
        self.outside.append(&file, &content).map(drop)
    }

    fn farewell(&mut self, fates: &[Fate], is_changed: bool) {
        let name = self.folder.name.clone();
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
        if boxed > 0 {
            let mbox = self.outside.file_of("&");
            self.outside.say(&format!("Saved {} in {mbox}\n", plural(boxed)));
        }
        if held > 0 {
            self.outside.say(&format!("Held {} in {name}\n", plural(held)));
        }
    }
}

fn headline_safe(text: &str) -> String {
    text.lines()
        .map(|line| headline::printable(line) + "\n")
        .collect()
}

fn reply_subject(subject: &str) -> String {
    let starts = subject
        .get(..3)
        .is_some_and(|start| start.eq_ignore_ascii_case("re:"));
    if starts {
        subject.to_owned()
    } else {
        format!("Re: {subject}")
    }
}

/// Everybody else whom the letter went to.
fn add_others(draft: &mut Draft, letter: &super::folder::Letter, user: &str) {
    let sender = bare_address(&draft.to[0]);
    for (name, is_to) in [("To", true), ("Cc", false)] {
        for field in message::header::find_all(letter.header(), name) {
            let entries = address::list::parse(field.body);
            for other in address::list::mailboxes(&entries).filter_map(address::list::Mailbox::address) {
                let names = if is_to { &mut draft.to } else { &mut draft.cc };
                if other.local() != user
                    && Some(&other) != sender.as_ref()
                    && !names.contains(&other.to_string())
                {
                    names.push(other.to_string());
                }
            }
        }
    }
}
