//! The file `subscriptions` in Dovecot's format: version 2 (levels parted by tabs), version 1 read too.

use std::path::{Path, PathBuf};

use mailbox::{Error, MailboxName, Result, mutf7};

use crate::names::Naming;
use crate::paths;

/// How many names may be subscribed.
pub const NAMES_MAX: usize = 10_000;

const VERSION_2: &str = "V\t2\n\n";

fn path(root: &Path) -> PathBuf {
    root.join("subscriptions")
}

/// The subscribed names in order; lines that cannot be names are passed over.
pub(crate) fn read(root: &Path, naming: &Naming) -> Result<Vec<MailboxName>> {
    let mut names: Vec<MailboxName> = lines(root)?
        .iter()
        .filter_map(|levels| {
            let own = levels
                .iter()
                .map(|level| mutf7::decode(level.as_bytes()))
                .collect::<Option<Vec<_>>>()?;
            let own = own.join(naming.separator.to_string().as_str());
            let prefix = if own.eq_ignore_ascii_case("INBOX") {
                ""
            } else {
                naming.prefix.as_str()
            };
            Some(MailboxName::new(&format!("{prefix}{own}"), naming.separator))
        })
        .collect();
    names.sort();
    names.dedup();
    Ok(names)
}

/// Adds a name or takes it away.
pub(crate) fn change(root: &Path, naming: &Naming, name: &MailboxName, subscribed: bool) -> Result<()> {
    naming.directory(name)?;
    let own = if name.is_inbox() {
        "INBOX"
    } else {
        &name.as_str()[naming.prefix.len()..]
    };
    let levels: Vec<String> = own.split(naming.separator).map(mutf7::encode).collect();
    let lock_path = root.join("yubin.subscriptions.lock");
    let lock = os::files::open_like_directory(&lock_path).map_err(paths::failed("open", &lock_path))?;
    paths::wait_for_lock(&lock, &lock_path)?;
    let mut lines = lines(root)?;
    if lines.contains(&levels) == subscribed {
        return Ok(());
    }
    match subscribed {
        true if lines.len() >= NAMES_MAX => {
            return Err(Error::OverLimit(format!(
                "At most {NAMES_MAX} mailboxes can be subscribed"
            )));
        }
        true => lines.push(levels),
        false => lines.retain(|line| *line != levels),
    }
    let text: String = lines.iter().map(|levels| levels.join("\t") + "\n").collect();
    paths::replace_file(&path(root), format!("{VERSION_2}{text}").as_bytes())
}

/// Each line as the levels of a name, still in modified UTF-7.
fn lines(root: &Path) -> Result<Vec<Vec<String>>> {
    let path = path(root);
    let content = match std::fs::read(&path) {
        Ok(content) => String::from_utf8_lossy(&content).into_owned(),
        Err(error) if paths::is_missing(&error) => return Ok(Vec::new()),
        Err(error) => return Err(paths::failed("read", &path)(error)),
    };
    let (names, between) = match content.strip_prefix(VERSION_2) {
        Some(names) => (names, '\t'),
        None => (content.as_str(), '.'),
    };
    let lines = names.lines().filter(|line| !line.is_empty());
    Ok(lines
        .take(NAMES_MAX)
        .map(|line| line.split(between).map(str::to_owned).collect())
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_is_dovecots() {
        let dir = tempfile::tempdir().unwrap();
        let naming = Naming {
            prefix: String::new(),
            separator: '.',
        };
        let name = |text| MailboxName::new(text, '.');
        std::fs::write(dir.path().join("subscriptions"), "V\t2\n\nSub\tFolder\n").unwrap();
        change(dir.path(), &naming, &name("Grün"), true).unwrap();
        change(dir.path(), &naming, &name("Grün"), true).unwrap();
        change(dir.path(), &naming, &name("INBOX"), true).unwrap();
        assert_eq!(
            std::fs::read_to_string(dir.path().join("subscriptions")).unwrap(),
            "V\t2\n\nSub\tFolder\nGr&APw-n\nINBOX\n"
        );
        assert_eq!(
            read(dir.path(), &naming).unwrap(),
            ["Grün", "INBOX", "Sub.Folder"].map(name)
        );
        change(dir.path(), &naming, &name("Sub.Folder"), false).unwrap();
        assert_eq!(read(dir.path(), &naming).unwrap(), ["Grün", "INBOX"].map(name));
        std::fs::write(dir.path().join("subscriptions"), "Sub.Folder\n").unwrap();
        assert_eq!(read(dir.path(), &naming).unwrap(), ["Sub.Folder"].map(name));
    }
}
