//! Keeping letters elsewhere: `save`, `copy`, `write`, and `Save`, `Copy` into a file named after the sender.

use super::session::{Done, Session};
use super::show;

/// Whether letters that were kept elsewhere go from the folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Saved {
    /// They are marked as saved, and go when the system mailbox is left.
    Marked,
    /// Nothing is noted.
    Copied,
}

impl Session<'_> {
    /// The letters and the file that `save`, `copy` and `write` name: the last word is the file.
    fn destination(&mut self, mut words: Vec<String>) -> Result<(Vec<usize>, String), String> {
        let name = words.pop().unwrap_or_else(|| "&".to_owned());
        let chosen = self.select(&words)?;
        Ok((chosen, self.outside.file_of(&name)?))
    }

    pub(super) fn save(&mut self, words: Vec<String>, saved: Saved) -> Done {
        let (chosen, file) = self.destination(words)?;
        self.keep(&chosen, &file, saved)
    }

    pub(super) fn save_by_sender(&mut self, words: &[String], saved: Saved) -> Done {
        let chosen = self.select(words)?;
        let name = self.file_for(&self.folder.letters[chosen[0]].sender(false))?;
        let file = self.outside.file_of(&name)?;
        self.keep(&chosen, &file, saved)
    }

    fn keep(&mut self, chosen: &[usize], file: &str, saved: Saved) -> Done {
        let content: Vec<u8> = chosen
            .iter()
            .flat_map(|&index| self.folder.letters[index].written())
            .collect();
        self.append(file, &content)?;
        for &index in chosen {
            self.folder.dot = index;
            let marks = &mut self.folder.letters[index].marks;
            marks.touched = true;
            marks.saved |= saved == Saved::Marked;
        }
        Ok(())
    }

    pub(super) fn write_text(&mut self, words: Vec<String>) -> Done {
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
}
