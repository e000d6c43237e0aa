//! Reads `main.cf`, `master.cf` and `dovecot.conf` (2.3 and 2.4 dialects) into [`settings`].
//!
//! In charge of the files' syntax and of telling, in one run, everything that is wrong in all of them, with file
//! and line. Not in charge of what a parameter means (that is `settings`), nor of writing files.
//!
//! Entry: [`load`] for a directory; [`load_dovecot`] for a `dovecot.conf` alone; [`main_cf::read`],
//! [`master_cf::read`] and [`dovecot_conf::read`] for the printing commands.
//! Sources: postconf(5), master(5), doveconf(1) and the Dovecot 2.3 and 2.4 manuals.
//! Limits: [`FILE_BYTES_MAX`], [`dovecot_conf::INCLUDE_DEPTH_MAX`], [`dovecot_conf::NESTING_MAX`].

mod bounce_template_file;
pub mod doveconf;
pub mod dovecot_conf;
mod dovecot_groups;
mod dovecot_lower;
mod dovecot_names;
mod dovecot_obsolete;
mod lines;
mod machine;
pub mod main_cf;
pub mod main_cf_edit;
mod main_checks;
pub mod master_cf;
pub mod master_cf_edit;
mod pattern_files;
mod ports;
pub mod postconf;
pub mod postconf_master;
mod problem;
mod sendmail_directory;
pub mod written;

use std::io::Read;
use std::path::{Path, PathBuf};

use settings::{Dovecot, Postfix, Service, Surroundings, Values};

pub use bounce_template_file::bounce_templates;
pub use machine::this_machine;
pub use problem::{Problem, Severity};

/// The largest configuration file that is read, in bytes.
pub const FILE_BYTES_MAX: u64 = 16 << 20;

/// Why a file could not be read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The system refused.
    #[error("cannot read {}: {}", path.display(), reason(source))]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The system refused to write.
    #[error("cannot write {}: {}", path.display(), reason(source))]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Over [`FILE_BYTES_MAX`].
    #[error("cannot read {}: it is larger than {FILE_BYTES_MAX} bytes", .0.display())]
    TooLarge(PathBuf),
    /// What is asked for cannot be done in the file.
    #[error("{0}")]
    Edit(String),
    /// Not UTF-8.
    #[error("cannot read {}: it is not UTF-8 text", .0.display())]
    NotText(PathBuf),
}

/// Which dovecot.conf belongs to a main.cf.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum DovecotFile {
    /// The one beside main.cf, when there is one.
    #[default]
    Beside,
    /// None.
    Without,
    /// This one; it must be there.
    At(PathBuf),
}

/// How to load.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// The machine.
    pub surroundings: Surroundings,
    /// Where dovecot.conf is.
    pub dovecot: DovecotFile,
    /// `-o name=value` of the command line: they win over main.cf.
    pub overrides: Vec<(String, String)>,
}

/// What a directory of configuration says.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// main.cf as written, for the lines of its settings.
    pub main: main_cf::MainCf,
    /// main.cf.
    pub postfix: Postfix,
    /// The texts behind it, for `postconf` and for expanding other texts.
    pub values: Values,
    /// master.cf, each row with the settings that hold for it.
    pub services: Vec<Service>,
    /// dovecot.conf, if there is one.
    pub dovecot: Option<Dovecot>,
    /// Everything that is to be told, file by file and line by line.
    pub problems: Vec<Problem>,
}

impl Loaded {
    /// Whether the system must not start with this.
    pub fn has_errors(&self) -> bool {
        self.problems
            .iter()
            .any(|problem| problem.severity == Severity::Error)
    }
}

/// Reads `dir/main.cf`, `dir/master.cf` and the dovecot.conf that belongs to them.
///
/// A file that cannot be read is a problem like others; its settings are the defaults then.
pub fn load(dir: &Path, options: &Options) -> Loaded {
    let mut problems = Vec::new();
    let surroundings = Surroundings {
        config_directory: dir.to_owned(),
        ..options.surroundings.clone()
    };
    let main = main_cf::read(&dir.join("main.cf"), &mut problems);
    let rows = master_cf::read(&dir.join("master.cf"), &mut problems);
    let mut values = main.values(&surroundings);
    for (name, text) in &options.overrides {
        values.set(name, text);
    }
    let postfix = main_cf::lower(&main, &values, &rows, &mut problems);
    let services = master_cf::lower(rows, &values, &postfix, &mut problems);
    let dovecot = match &options.dovecot {
        DovecotFile::Without => None,
        DovecotFile::At(file) => Some(load_dovecot_into(file, &mut problems)),
        DovecotFile::Beside => {
            let file = dir.join("dovecot.conf");
            file.exists().then(|| load_dovecot_into(&file, &mut problems))
        }
    };
    Loaded {
        main,
        postfix,
        values,
        services,
        dovecot,
        problems,
    }
}

/// Reads a dovecot.conf alone.
pub fn load_dovecot(file: &Path) -> (Dovecot, Vec<Problem>) {
    let mut problems = Vec::new();
    let dovecot = load_dovecot_into(file, &mut problems);
    (dovecot, problems)
}

/// As [`load_dovecot`], with settings that hold in spite of the file (`doveadm -o name=value`).
pub fn load_dovecot_with(file: &Path, overrides: &[(String, String)]) -> (Dovecot, Vec<Problem>) {
    let mut problems = Vec::new();
    let mut tree = dovecot_conf::read(file, &mut problems);
    tree.entries.extend(overrides.iter().map(|(name, text)| {
        dovecot_conf::Entry::Setting(dovecot_conf::Setting {
            name: name.clone(),
            text: text.clone(),
            shown: text.clone(),
            place: ("-o".to_owned(), 0),
        })
    }));
    let dovecot = dovecot_lower::lower(&tree, &mut problems);
    (dovecot, problems)
}

fn load_dovecot_into(file: &Path, problems: &mut Vec<Problem>) -> Dovecot {
    let tree = dovecot_conf::read(file, problems);
    dovecot_lower::lower(&tree, problems)
}

/// The text of a file.
///
/// # Errors
/// [`Error`].
pub(crate) fn text_of(path: &Path) -> Result<String, Error> {
    String::from_utf8(bytes_of(path)?).map_err(|_| Error::NotText(path.to_owned()))
}

/// The text of a configuration file. Comments in an older character set are no reason not to start: what is not UTF-8
/// becomes [`char::REPLACEMENT_CHARACTER`].
///
/// # Errors
/// [`Error`].
pub(crate) fn lossy_text_of(path: &Path) -> Result<String, Error> {
    Ok(String::from_utf8_lossy(&bytes_of(path)?).into_owned())
}

/// What is in a file.
///
/// # Errors
/// [`Error`].
pub(crate) fn bytes_of(path: &Path) -> Result<Vec<u8>, Error> {
    let read = |source| Error::Read {
        path: path.to_owned(),
        source,
    };
    let file = os::files::open_text(path).map_err(read)?;
    let mut bytes = Vec::new();
    file.take(FILE_BYTES_MAX + 1)
        .read_to_end(&mut bytes)
        .map_err(read)?;
    match bytes.len() as u64 > FILE_BYTES_MAX {
        true => Err(Error::TooLarge(path.to_owned())),
        false => Ok(bytes),
    }
}

fn reason(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::NotFound => "no such file".to_owned(),
        std::io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        std::io::ErrorKind::IsADirectory => "it is a directory".to_owned(),
        _ => os::words(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_no_end_is_no_configuration() {
        let dir = tempfile::tempdir().expect("a directory");
        let at = |name: &str| dir.path().join(name);
        for name in ["main.cf", "dovecot.conf"] {
            std::os::unix::fs::symlink("/dev/zero", at(name)).expect("a link");
        }
        // People name it where they have nothing to say.
        std::os::unix::fs::symlink("/dev/null", at("master.cf")).expect("a link");
        let problems = load(dir.path(), &Options::default()).problems;
        let told: Vec<String> = problems.iter().map(ToString::to_string).collect();
        for (file, name) in [("main.cf", "main.cf"), ("dovecot.conf", "dovecot.conf")] {
            let wrong = format!(
                "{file}: cannot read {}: it is not a regular file",
                at(name).display()
            );
            assert!(told.contains(&wrong), "{wrong}: {told:?}");
        }
        assert!(!told.iter().any(|text| text.contains("master.cf")), "{told:?}");
        std::fs::write(at("main.cf"), "").expect("a file");
        std::fs::remove_file(at("dovecot.conf")).expect("it was there");
        std::fs::write(at("dovecot.conf"), "!include /dev/zero\n").expect("a file");
        let (_, problems) = load_dovecot(&at("dovecot.conf"));
        assert!(
            problems[0]
                .to_string()
                .contains("/dev/zero: it is not a regular file"),
            "{problems:?}"
        );
    }
}
