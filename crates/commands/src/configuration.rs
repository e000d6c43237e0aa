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

/// What `directory/main.cf` says, for a command that hands mail in.
///
/// # Errors
/// The first thing in the way of using it, in words. Without a main.cf mail would go into a queue that nobody looks at.
pub(crate) fn postfix(directory: &Path) -> Result<settings::Postfix, String> {
    let main_cf = directory.join("main.cf");
    if let Err(error) = os::files::open_text(&main_cf) {
        return Err(format!("open {}: {}", main_cf.display(), os::words(&error)));
    }
    let options = config::Options {
        surroundings: config::this_machine(),
        dovecot: config::DovecotFile::Without,
        overrides: Vec::new(),
    };
    Ok(config::load(directory, &options).postfix)
}
