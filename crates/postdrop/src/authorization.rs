//! `authorized_submit_users`: who may leave mail. Without the tables, which are no matter for a small program.

use std::path::Path;

use crate::configuration::{text_of, words};

/// How deep files may name files.
const DEPTH_MAX: usize = 10;

/// The name of the user `uid` when the list does not have it; `unknown` where the system has none.
///
/// # Errors
/// In words, when it cannot be told: nobody may then.
pub(crate) fn stranger(list: &[String], uid: u32) -> Result<Option<String>, String> {
    // The usual case does not depend on the name service.
    if list == ["static:anyone"] {
        return Ok(None);
    }
    let user = os::users::user_by_uid(uid).map_err(|error| error.to_string())?;
    let name = user.map_or_else(|| "unknown".to_owned(), |user| user.name);
    let is_listed = find(list, &name, DEPTH_MAX)?.unwrap_or(false);
    Ok((!is_listed).then_some(name))
}

/// Whether the first entry that matches says yes or no; `None` when none matches.
fn find(list: &[String], name: &str, depth_left: usize) -> Result<Option<bool>, String> {
    for entry in list {
        let bare = entry.trim_start_matches('!');
        let is_negated = (entry.len() - bare.len()) % 2 == 1;
        let found = if bare.starts_with('/') {
            let depth_left = depth_left
                .checked_sub(1)
                .ok_or_else(|| format!("authorized_submit_users: {bare}: files name each other"))?;
            find(&entries_of(bare)?, name, depth_left)?
        } else if bare.starts_with("static:") {
            Some(true)
        } else if bare.contains(':') {
            return Err(format!(
                "authorized_submit_users: {bare} cannot be asked while the mail system is down: only names, files and static: can"
            ));
        } else {
            bare.eq_ignore_ascii_case(name).then_some(true)
        };
        if let Some(found) = found {
            return Ok(Some(found != is_negated));
        }
    }
    Ok(None)
}

fn entries_of(file: &str) -> Result<Vec<String>, String> {
    let text = text_of(Path::new(file)).map_err(|why| format!("authorized_submit_users: {why}"))?;
    let lines = text.lines().filter(|line| !line.trim_start().starts_with('#'));
    Ok(lines.flat_map(words).map(str::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn has(entries: &str, name: &str) -> Result<Option<bool>, String> {
        let list: Vec<String> = words(entries).map(str::to_owned).collect();
        find(&list, name, DEPTH_MAX)
    }

    #[test]
    fn the_first_match_decides() {
        assert_eq!(has("static:anyone", "alice"), Ok(Some(true)));
        assert_eq!(has("!bob, static:anyone", "BOB"), Ok(Some(false)));
        assert_eq!(has("root alice", "bob"), Ok(None));
        assert!(
            has("hash:/etc/users", "bob")
                .unwrap_err()
                .contains("hash:/etc/users")
        );
        assert_eq!(has("bob hash:/etc/users", "bob"), Ok(Some(true)));
        assert_eq!(stranger(&["static:anyone".to_owned()], 4_000_000_000), Ok(None));
        assert_eq!(
            stranger(&["root".to_owned()], 4_000_000_000),
            Ok(Some("unknown".to_owned()))
        );
        assert_eq!(stranger(&["root".to_owned()], 0), Ok(None));
    }

    #[test]
    fn files_are_read_and_do_not_go_round() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("users");
        let named = file.display().to_string();
        std::fs::write(&file, "# carl\nann, !bob\ndora\n").unwrap();
        assert_eq!(has(&named, "dora"), Ok(Some(true)));
        assert_eq!(has(&named, "bob"), Ok(Some(false)));
        assert_eq!(has(&named, "carl"), Ok(None));
        assert_eq!(has(&format!("!{named} static:anyone"), "ann"), Ok(Some(false)));
        std::fs::write(&file, &named).unwrap();
        assert!(has(&named, "ann").unwrap_err().contains("name each other"));
        assert!(has("/no/such/file", "ann").unwrap_err().contains("No such file"));
    }
}
