//! Which configuration a command works with: `-c DIR`, `MAIL_CONFIG`, `/etc/yubin` when it is there, `/etc/postfix`.

use std::path::{Path, PathBuf};

/// Where main.cf lies when the user names no directory, in order of preference.
const DIRECTORIES: [&str; 2] = ["/etc/yubin", "/etc/postfix"];

/// The directory of main.cf. `named` is what an option says: the directory, or the file itself.
pub(crate) fn directory(named: Option<&str>) -> PathBuf {
    let from_environment = || std::env::var_os("MAIL_CONFIG").map(PathBuf::from);
    match named.map(PathBuf::from).or_else(from_environment) {
        Some(path) if path.is_file() => path.parent().unwrap_or(Path::new(".")).to_owned(),
        Some(path) => path,
        None => usual_directory(),
    }
}

fn usual_directory() -> PathBuf {
    let [preferred, fallback] = DIRECTORIES;
    let is_there = Path::new(preferred).join("main.cf").exists();
    PathBuf::from(if is_there { preferred } else { fallback })
}

/// Where dovecot.conf lies when the user names none: beside main.cf, else where Dovecot has it.
pub(crate) fn dovecot_file() -> PathBuf {
    let preferred = Path::new("/etc/yubin/dovecot.conf");
    match preferred.exists() {
        true => preferred.to_owned(),
        false => PathBuf::from("/etc/dovecot/dovecot.conf"),
    }
}

/// The file that `-c` names for a command that reads dovecot.conf: the file, or the directory in which it lies, as main.cf's `-c` takes
/// either too.
pub(crate) fn named_dovecot_file(named: impl Into<PathBuf>) -> PathBuf {
    let named = named.into();
    match named.is_dir() {
        true => named.join("dovecot.conf"),
        false => named,
    }
}

/// What `directory/main.cf` says, for a command that hands mail in.
///
/// # Errors
/// The first thing in the way of using it, in words. Without a main.cf mail would go into a queue that nobody looks at.
pub(crate) fn postfix(directory: &Path) -> Result<settings::Postfix, String> {
    let main_cf = directory.join("main.cf");
    if let Err(error) = os::files::open_text(&main_cf) {
        return Err(format!("open {}: {}", main_cf.display(), os::words(&error)));
    }
    Ok(load(directory).postfix)
}

/// What is wrong in `directory/main.cf` so that nothing could be started with it.
pub(crate) fn errors(directory: &Path) -> Vec<String> {
    let is_error =
        |problem: &&config::Problem| problem.severity == config::Severity::Error && problem.file == "main.cf";
    let problems = load(directory).problems;
    problems
        .iter()
        .filter(is_error)
        .map(ToString::to_string)
        .collect()
}

/// Whether `directory/main.cf` sets a parameter; what it does not set has its default.
pub(crate) fn sets(directory: &Path, parameter: &str) -> bool {
    load(directory).main.line_of(parameter) > 0
}

fn load(directory: &Path) -> config::Loaded {
    let options = config::Options {
        surroundings: config::this_machine(),
        dovecot: config::DovecotFile::Without,
        overrides: Vec::new(),
    };
    config::load(directory, &options)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_of_half_a_file_are_told() {
        let dir = tempfile::tempdir().expect("a directory");
        std::fs::write(dir.path().join("master.cf"), "").expect("written");
        let told = |text: &str| {
            std::fs::write(dir.path().join("main.cf"), text).expect("written");
            errors(dir.path())
        };
        assert_eq!(told("myhostname = a.example\nqueue_directory = /x\n"), [""; 0]);
        assert!(sets(dir.path(), "queue_directory"));
        let half = told("myhostname = a.example\nqueue_dir");
        assert!(!sets(dir.path(), "queue_directory"));
        assert!(half.len() == 1 && half[0].starts_with("main.cf:2: "), "{half:?}");
    }

    #[test]
    fn a_directory_stands_for_the_file_in_it() {
        let dir = tempfile::tempdir().expect("a directory");
        let file = dir.path().join("dovecot.conf");
        assert_eq!(named_dovecot_file(dir.path()), file);
        assert_eq!(named_dovecot_file(&file), file);
        let name = dir.path().to_string_lossy();
        assert_eq!(directory(Some(&name)), dir.path());
        std::fs::write(dir.path().join("main.cf"), "").expect("written");
        assert_eq!(directory(Some(&format!("{name}/main.cf"))), dir.path());
    }
}
