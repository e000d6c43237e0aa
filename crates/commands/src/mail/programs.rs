//! Commands that leave the session for another program: `!`, `shell`, `pipe`, `edit`, `visual`, `cd`.

use super::session::{Done, Session};
use super::shell::Editor;
use super::show;

impl Session<'_> {
    /// `!command`. With the variable `bang`, `!` in the command is the command before.
    pub(super) fn run_command(&mut self, command: &str) -> Done {
        let mut command = command.trim().to_owned();
        if self.variables.is_set("bang") {
            command = with_last(&command, &self.last_command);
        }
        if command.is_empty() {
            return Err("Run what command?".to_owned());
        }
        self.last_command.clone_from(&command);
        self.outside.run(&command, None)?;
        self.outside.say("!\n");
        Ok(())
    }

    /// `shell`
    pub(super) fn run_shell(&mut self) -> Done {
        self.outside.run("", None)?;
        self.outside.say("\n");
        Ok(())
    }

    /// `pipe [LIST] COMMAND`: the last word is the command; without one the variable `cmd`.
    pub(super) fn pipe(&mut self, mut words: Vec<String>, everything: bool) -> Done {
        let own = self.variables.text("cmd").filter(|text| !text.is_empty());
        let command = words.pop().or_else(|| own.map(str::to_owned));
        let command = command.ok_or("Pipe to what command? The variable \"cmd\" is not set")?;
        let nothing = show::Unwanted::nothing();
        let unwanted = if everything {
            &nothing
        } else {
            &self.variables.unwanted
        };
        let chosen = self.select(&words)?;
        let mut text = String::new();
        for &index in &chosen {
            let marks = &mut self.folder.letters[index].marks;
            (marks.read, marks.touched) = (true, true);
            text.push_str(&show::letter(&self.folder.letters[index], unwanted));
            if self.variables.is_set("page") {
                text.push('\x0c');
            }
        }
        self.folder.dot = chosen[chosen.len() - 1];
        self.outside.say(&format!("Pipe to: \"{command}\"\n"));
        self.outside.run(&command, Some(text.as_bytes()))?;
        let lines = text.lines().count();
        self.outside
            .say(&format!("\"{command}\" {lines}/{}\n", text.len()));
        Ok(())
    }

    /// `edit`, `visual`: header and text of each letter; what was changed is in the folder when it is left.
    pub(super) fn edit(&mut self, words: &[String], editor: Editor) -> Done {
        for index in self.select(words)? {
            self.folder.dot = index;
            let letter = &mut self.folder.letters[index];
            letter.marks.touched = true;
            let before = letter.content().to_vec();
            let after = self.outside.edit(&before, editor)?;
            if after == before {
                continue;
            }
            if self.folder.is_read_only {
                return Err(format!(
                    "Message {} was not changed: the message file is read only",
                    index + 1
                ));
            }
            self.folder.letters[index].replace(&after);
        }
        Ok(())
    }

    /// `cd [DIRECTORY]`
    pub(super) fn change_directory(&mut self, words: &[String]) -> Done {
        let name = match words {
            [] => "~",
            [name] => name,
            _ => return Err("Change to what directory? One is enough".to_owned()),
        };
        let directory = self.outside.file_of(name)?;
        self.outside.change_directory(&directory)
    }
}

/// `!` stands for the last command, `\!` for itself.
fn with_last(command: &str, last: &str) -> String {
    let mut out = String::new();
    let mut rest = command.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '\\' if rest.next_if_eq(&'!').is_some() => out.push('!'),
            '!' => out.push_str(last),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    #[test]
    fn bang_repeats() {
        assert_eq!(super::with_last("! -l | grep \\!", "ls"), "ls -l | grep !");
    }
}
