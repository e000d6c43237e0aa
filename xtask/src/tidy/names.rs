//! Names that say nothing are refused for crates, modules and functions.

use super::workspace::{Crate, Source};

const FORBIDDEN: &[&str] = &[
    "common", "util", "utils", "global", "globals", "core", "misc", "helper", "helpers", "types", "manager",
];

/// Checks crate names, file names and `get_` functions.
pub fn check(crates: &[Crate], sources: &[Source]) -> Vec<String> {
    let mut complaints = Vec::new();
    for krate in crates
        .iter()
        .filter(|krate| FORBIDDEN.contains(&krate.name.as_str()))
    {
        complaints.push(format!(
            "{}: this name says nothing about a crate's subject",
            krate.name
        ));
    }
    for source in sources {
        complaints.extend(file_name(source));
        complaints.extend(functions(source));
    }
    complaints
}

fn file_name(source: &Source) -> Option<String> {
    let path = &source.path;
    let folder_allowed = |name: &str| name == "types" && path.to_string_lossy().contains("tables/src/types");
    let parts = path
        .iter()
        .filter_map(|part| part.to_str())
        .map(|part| part.trim_end_matches(".rs"));
    let bad = parts
        .into_iter()
        .find(|part| FORBIDDEN.contains(part) && !folder_allowed(part))?;
    Some(format!(
        "{}: \"{bad}\" says nothing about a subject",
        path.display()
    ))
}

fn functions(source: &Source) -> Vec<String> {
    let getter =
        |line: &str| line.trim_start().starts_with("pub fn get_") || line.trim_start().starts_with("fn get_");
    let found = source.text.lines().enumerate().filter(|(_, line)| getter(line));
    found
        .map(|(index, _)| format!("{}:{}: no get_ in names", source.path.display(), index + 1))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_words_are_refused() {
        let source = |path: &str, text: &str| Source {
            path: path.into(),
            text: text.to_owned(),
        };
        assert!(file_name(&source("crates/imap/src/utils.rs", "")).is_some());
        assert!(file_name(&source("crates/tables/src/types/hash.rs", "")).is_none());
        assert!(file_name(&source("crates/imap/src/types/hash.rs", "")).is_some());
        assert_eq!(functions(&source("a.rs", "    pub fn get_name() {}\n")).len(), 1);
    }
}
