//! The file `dovecot-keywords`: which letter of a file name stands for which keyword.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use mailbox::{Keyword, Result};

use crate::paths;

/// Letters `a` to `z`; keywords beyond that are only in the index.
const LETTERS: usize = 26;

/// The largest file that is read, in bytes.
const FILE_BYTES_MAX: u64 = 64 * 1024;

/// The letters of one mailbox.
#[derive(Debug, Default)]
pub(crate) struct Letters {
    path: PathBuf,
    names: [Option<Keyword>; LETTERS],
    read_at: Option<SystemTime>,
}

impl Letters {
    pub(crate) fn of(directory: &Path) -> Letters {
        Letters {
            path: directory.join("dovecot-keywords"),
            ..Letters::default()
        }
    }

    /// Reads the file again when it has changed. A missing one means no letters.
    pub(crate) fn refresh(&mut self) -> Result<()> {
        let Ok(meta) = std::fs::metadata(&self.path) else {
            self.names = Default::default();
            return Ok(());
        };
        let changed = meta.modified().ok();
        if changed.is_some() && changed == self.read_at || meta.len() > FILE_BYTES_MAX {
            return Ok(());
        }
        let text = std::fs::read_to_string(&self.path).map_err(paths::failed("read", &self.path))?;
        self.names = Default::default();
        for line in text.lines() {
            let Some((number, name)) = line.split_once(' ') else {
                continue;
            };
            if let Some(slot) = number.parse::<usize>().ok().and_then(|n| self.names.get_mut(n)) {
                *slot = Some(Keyword::new(name));
            }
        }
        self.read_at = changed;
        Ok(())
    }

    /// The keywords behind the letters of a name (bit 0: `a`).
    pub(crate) fn keywords(&self, letters: u32) -> Vec<Keyword> {
        let set = |number: &usize| letters & 1 << number != 0;
        (0..LETTERS)
            .filter(set)
            .filter_map(|number| self.names[number].clone())
            .collect()
    }

    /// Whether a keyword has a letter.
    pub(crate) fn has(&self, keyword: &Keyword) -> bool {
        self.names.iter().flatten().any(|known| known == keyword)
    }

    /// The letters of keywords; those without one get one, as long as there are letters, and the file is written.
    pub(crate) fn letters(&mut self, keywords: &[Keyword]) -> Result<u32> {
        if keywords.is_empty() {
            return Ok(0);
        }
        self.refresh()?;
        let (mut letters, mut new) = (0, false);
        for keyword in keywords {
            let known = self.names.iter().position(|name| name.as_ref() == Some(keyword));
            let free = || self.names.iter().position(Option::is_none);
            let Some(number) = known.or_else(free) else {
                continue;
            };
            if known.is_none() {
                self.names[number] = Some(keyword.clone());
                new = true;
            }
            letters |= 1 << number;
        }
        if new {
            let named = self.names.iter().enumerate();
            let text: String = named
                .filter_map(|(number, name)| Some(format!("{number} {}\n", name.as_ref()?.as_str())))
                .collect();
            paths::replace_file(&self.path, text.as_bytes())?;
            self.read_at = std::fs::metadata(&self.path)
                .and_then(|meta| meta.modified())
                .ok();
        }
        Ok(letters)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_are_given_once_and_shared() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("dovecot-keywords"), "0 $Label\n2 foo\n").unwrap();
        let mut letters = Letters::of(dir.path());
        assert_eq!(
            letters
                .letters(&[Keyword::new("FOO"), Keyword::new("bar")])
                .unwrap(),
            0b110
        );
        let mut again = Letters::of(dir.path());
        again.refresh().unwrap();
        assert_eq!(again.keywords(0b111), ["$Label", "bar", "foo"].map(Keyword::new));
        let many: Vec<Keyword> = (0..40).map(|n| Keyword::new(&format!("k{n}"))).collect();
        assert_eq!(again.letters(&many).unwrap().count_ones(), 23);
        assert!(again.has(&many[22]) && !again.has(&many[23]));
    }
}
