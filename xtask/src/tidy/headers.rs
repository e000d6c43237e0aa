//! Every source file opens with one to five `//!` lines (a `lib.rs` with up to forty).

use super::workspace::Source;

const LINES_MAX: usize = 5;
const LIB_LINES_MAX: usize = 40;

/// Counts the `//!` lines at the top.
pub fn check(sources: &[Source]) -> Vec<String> {
    sources.iter().filter_map(complaint).collect()
}

fn complaint(source: &Source) -> Option<String> {
    let count = source
        .text
        .lines()
        .take_while(|line| line.starts_with("//!"))
        .count();
    let is_face = source
        .path
        .file_name()
        .is_some_and(|name| name == "lib.rs" || name == "mod.rs" || name == "main.rs");
    // A header that lists what can be on disk is the one place for it, however long.
    let allowed = if is_face { LIB_LINES_MAX } else { LINES_MAX };
    match count {
        0 => Some(format!(
            "{}: no `//!` header that says what the file is in charge of",
            source.path.display()
        )),
        n if n > allowed => Some(format!(
            "{}: the header has {n} lines, {allowed} are allowed",
            source.path.display()
        )),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_has_one_to_five_lines() {
        let source = |text: &str| Source {
            path: "a/b.rs".into(),
            text: text.to_owned(),
        };
        assert!(complaint(&source("fn main() {}")).is_some());
        assert!(complaint(&source("//! One.\nfn main() {}")).is_none());
        assert!(complaint(&source(&"//! x\n".repeat(6))).is_some());
    }
}
