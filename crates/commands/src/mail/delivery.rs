//! Recipients that are no addresses: files (`/path`, `+folder`) and commands (`|command`).

use super::collect::as_letter;
use super::compose::Draft;
use super::outside::Outside;
use super::variables::Variables;

/// Where a copy of a letter goes besides the mail system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Target {
    /// Added to the end of the file that the name means.
    File(String),
    /// Given to a command of the shell.
    Command(String),
}

/// What a name means that is no address (POSIX, mailx): `|command`, `+folder`, a path with a slash in it and no `@`.
pub(super) fn target(name: &str) -> Option<Target> {
    let name = name.trim();
    if let Some(command) = name.strip_prefix('|') {
        return Some(Target::Command(command.trim().to_owned()));
    }
    let is_path = name.starts_with('+')
        || name
            .find(['/', '!', '%'])
            .is_some_and(|at| name[at..].starts_with('/'));
    (is_path && name.len() > 1 && !name.contains('@')).then(|| Target::File(name.to_owned()))
}

/// A stranger's text must not choose a file or a command of the user.
///
/// # Errors
/// What the user reads.
pub(super) fn refuse_targets<'a>(names: impl IntoIterator<Item = &'a String>) -> Result<(), String> {
    match names.into_iter().find(|name| target(name).is_some()) {
        Some(name) => Err(format!(
            "\"{name}\" is not an address: a letter may not name a file or a command as its recipient"
        )),
        None => Ok(()),
    }
}

/// The draft as it goes to the mail system, and the other places that its names mean. There are none unless the variable
/// `expandaddr` is set: a script may take its names from strangers.
///
/// # Errors
/// The first name that means such a place and may not.
pub(super) fn parted(variables: &Variables, draft: &Draft) -> Result<(Draft, Vec<Target>), String> {
    let mut draft = draft.clone();
    let mut targets = Vec::new();
    for names in [&mut draft.to, &mut draft.cc, &mut draft.bcc] {
        for name in std::mem::take(names) {
            match target(&name) {
                None => names.push(name),
                Some(found) if variables.is_set("expandaddr") => targets.push(found),
                Some(_) => {
                    return Err(format!(
                        "\"{name}\" is not an address: files and commands are recipients only with expandaddr set"
                    ));
                }
            }
        }
    }
    Ok((draft, targets))
}

/// Brings the letter to these places. Whether all have it.
pub(super) fn deliver(outside: &mut dyn Outside, targets: &[Target], message: &[u8]) -> bool {
    let mut all = true;
    if targets.is_empty() {
        return all;
    }
    let letter = as_letter(&outside.own_from_line(), message);
    for target in targets {
        let done = match target {
            Target::File(name) => {
                let file = outside.file_of(name);
                file.and_then(|file| outside.append(&file, &letter).map(drop))
            }
            Target::Command(command) => outside.run(command, Some(&letter)),
        };
        if let Err(text) = done {
            outside.complain(&text);
            all = false;
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_and_commands_are_told_from_addresses() {
        let file = |name: &str| Some(Target::File(name.to_owned()));
        for (name, meant) in [
            ("/tmp/x", file("/tmp/x")),
            ("./x", file("./x")),
            ("+sent", file("+sent")),
            ("| cat >x", Some(Target::Command("cat >x".to_owned()))),
            ("ann", None),
            ("ann@x/y", None),
            ("/S=ann/@x", None),
            ("+49@x", None),
            ("host!ann/x", None),
            ("ann%host/x", None),
            ("+", None),
        ] {
            assert_eq!(target(name), meant, "{name}");
        }
        assert!(refuse_targets(&["a@b".to_owned()]).is_ok());
        assert!(refuse_targets(&["a@b".to_owned(), "/etc/x".to_owned()]).is_err());
    }
}
