//! Where an installation puts things, and which command is linked where.

use std::path::{Path, PathBuf};

use crate::COMMANDS;

/// Commands that make sense only as words after `yubin`.
pub(crate) const INNER: [&str; 10] = [
    "check",
    "explain",
    "imap",
    "import",
    "install",
    "links",
    "pop3",
    "serve",
    "status",
    "uninstall",
];
/// Commands that everybody uses, in `bin`; the administrators' are in `sbin`. As Debian's packages have it.
const IN_BIN: [&str; 7] = [
    "Mail",
    "doveadm",
    "doveconf",
    "mail",
    "mailq",
    "mailx",
    "newaliases",
];
/// Where systemd looks for units below a prefix.
const UNIT_PREFIXES: [&str; 2] = ["/usr", "/usr/local"];

/// The directories of an installation. All are as the installed system sees them; [`Places::real`] is where they are now.
#[derive(Debug, Clone)]
pub(crate) struct Places {
    /// `/usr`.
    pub(crate) prefix: PathBuf,
    /// What lies there for the time being, like `DESTDIR`: `/` for this system.
    pub(crate) root: PathBuf,
    /// Where main.cf is.
    pub(crate) config: PathBuf,
}

impl Places {
    /// Where `path` of the installed system is now.
    pub(crate) fn real(&self, path: &Path) -> PathBuf {
        self.root.join(path.strip_prefix("/").unwrap_or(path))
    }

    /// Whether it is this system that is installed into.
    pub(crate) fn is_here(&self) -> bool {
        self.root == Path::new("/")
    }

    /// Where the programs are.
    pub(crate) fn programs(&self) -> PathBuf {
        self.prefix.join("lib/yubin")
    }

    /// The program.
    pub(crate) fn program(&self) -> PathBuf {
        self.programs().join("yubin")
    }

    /// What was installed.
    pub(crate) fn manifest(&self) -> PathBuf {
        self.programs().join("manifest")
    }

    /// Where units are.
    pub(crate) fn units(&self) -> PathBuf {
        match UNIT_PREFIXES.iter().any(|known| self.prefix == Path::new(known)) {
            true => self.prefix.join("lib/systemd/system"),
            false => PathBuf::from("/etc/systemd/system"),
        }
    }

    /// Each link with the program that it leads to.
    pub(crate) fn links(&self) -> Vec<(PathBuf, PathBuf)> {
        let (program, sbin, bin) = (self.program(), self.prefix.join("sbin"), self.prefix.join("bin"));
        let commands = COMMANDS
            .iter()
            .map(|command| command.name)
            .filter(|name| !INNER.contains(name));
        let of_commands = commands.map(|name| {
            let directory = if IN_BIN.contains(&name) { &bin } else { &sbin };
            (directory.join(name), program.clone())
        });
        let mut links = vec![
            (sbin.join("yubin"), program.clone()),
            (sbin.join("postdrop"), self.programs().join("postdrop")),
            // Where programs from before 1990 look for it.
            (self.prefix.join("lib/sendmail"), program.clone()),
        ];
        links.extend(of_commands);
        links
    }
}
/// The path that an option names; it must be one from the root, as what is written down must hold from anywhere.
///
/// # Errors
/// When it is missing or relative.
pub(super) fn absolute(option: &str, value: Option<String>) -> anyhow::Result<PathBuf> {
    match value.map(PathBuf::from) {
        Some(path) if path.is_absolute() => Ok(path),
        Some(path) => anyhow::bail!("{option} needs a path from /, not {}", path.display()),
        None => anyhow::bail!("{option} needs a value"),
    }
}
