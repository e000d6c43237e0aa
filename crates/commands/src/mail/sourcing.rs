//! `source` and the conditions: commands that decide about other commands.

use super::conditions::Facts;
use super::session::{Next, Session};
use super::verbs::Verb;

/// How deep files of commands read others.
const SOURCE_DEPTH_MAX: usize = 20;

impl Session<'_> {
    /// `if`, `else`, `endif`.
    pub(super) fn decide(&mut self, verb: Verb, rest: &str) -> Result<(), String> {
        let facts = Facts {
            is_sending: false,
            is_terminal: self.outside.is_interactive(),
        };
        match verb {
            Verb::If => self.conditions.begin(rest.trim(), facts),
            Verb::Else => self.conditions.turn(),
            _ => self.conditions.end(),
        }
    }

    /// Does the commands in a file, up to the first that fails. Conditions end with the file they stand in.
    pub(super) fn source(&mut self, name: &str) -> Result<Next, String> {
        let name = name.trim();
        if name.is_empty() {
            return Err("Source what file?".to_owned());
        }
        if self.source_depth >= SOURCE_DEPTH_MAX {
            return Err(format!("{name}: too many files that source each other"));
        }
        let file = self.outside.file_of(name)?;
        let text = String::from_utf8_lossy(&self.outside.read(&file)?).into_owned();
        let outer = std::mem::take(&mut self.conditions);
        self.source_depth += 1;
        let done = self.commands(&file, &text);
        self.source_depth -= 1;
        self.conditions = outer;
        done
    }

    fn commands(&mut self, file: &str, text: &str) -> Result<Next, String> {
        let mut command = String::new();
        for (at, line) in text.lines().enumerate() {
            if let Some(part) = line.strip_suffix('\\') {
                command.push_str(part);
                command.push(' ');
                continue;
            }
            command.push_str(line);
            let command = std::mem::take(&mut command);
            // An empty line would show the next letter at the prompt.
            if command.trim().is_empty() {
                continue;
            }
            match self.obey(&command) {
                Ok(Next::Command) => {}
                Ok(leave) => return Ok(leave),
                Err(text) => return Err(format!("{file}:{}: {text}", at + 1)),
            }
        }
        Ok(Next::Command)
    }
}
