//! `yubin check`, and `postfix check`: everything that is wrong with the configuration and with what it names, each with what
//! to do. It reads and looks; it changes nothing.

mod certificates;
mod files;
mod tables;
mod writers;

use std::path::Path;
use std::process::ExitCode;

use config::{DovecotFile, Loaded, Severity};
use master::running::Scale;
use master::start::{self, Start};
use settings::TableRef;

use crate::{EX_USAGE, Invocation, configuration, print_line};

const HELP: &str = "\
usage: yubin check [-c DIR]

Says what is wrong with the configuration in DIR, with owners and modes of the queue and of the programs, with users and groups,
alias databases and certificates, and who besides root can write what the system believes or read its keys. Ends with 1 when there
is an error, with 0 when there are only warnings and notes.

  -c DIR    the directory (MAIL_CONFIG does the same); default: /etc/yubin when it is there, /etc/postfix";

/// What is wrong, or would be good to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Finding {
    pub(crate) severity: Severity,
    /// What, where, and what to do.
    pub(crate) text: String,
}

impl Finding {
    fn error(text: String) -> Finding {
        Finding {
            severity: Severity::Error,
            text,
        }
    }

    fn warning(text: String) -> Finding {
        Finding {
            severity: Severity::Warning,
            text,
        }
    }

    fn note(text: String) -> Finding {
        Finding {
            severity: Severity::Note,
            text,
        }
    }

    /// The word before its text.
    pub(crate) fn word(&self) -> &'static str {
        match self.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Note => "note",
        }
    }
}

/// Runs the command.
pub(crate) fn run(invocation: &Invocation) -> ExitCode {
    if invocation.wants_help() {
        print_line(HELP);
        return ExitCode::SUCCESS;
    }
    let named = match invocation.args.as_slice() {
        [] => None,
        [option, directory] if option == "-c" => Some(directory.as_str()),
        _ => {
            invocation.complain("one directory, after -c, please (see --help)");
            return ExitCode::from(EX_USAGE);
        }
    };
    let findings = findings(&configuration::directory(named));
    for finding in &findings {
        print_line(&format!("{}: {}", finding.word(), finding.text));
    }
    if findings.is_empty() {
        print_line("nothing is wrong");
    }
    exit_code(&findings)
}

/// Whether an error is among them.
pub(crate) fn exit_code(findings: &[Finding]) -> ExitCode {
    match findings.iter().any(|finding| finding.severity == Severity::Error) {
        true => ExitCode::FAILURE,
        false => ExitCode::SUCCESS,
    }
}

/// Everything: what a start would tell of the configuration in `directory`, then what it names.
pub(crate) fn findings(directory: &Path) -> Vec<Finding> {
    let loaded = start::load(&Start {
        scale: Scale::Host,
        config_directory: Some(directory.to_owned()),
        dovecot: DovecotFile::Beside,
    });
    let mut findings: Vec<Finding> = loaded
        .problems
        .iter()
        .map(|problem| Finding {
            severity: problem.severity,
            text: problem.to_string(),
        })
        .collect();
    findings.extend(ports(&loaded));
    findings.extend(aliases(&loaded));
    findings.extend(tables::of(&loaded));
    // Whoever is no other user has no owners and modes to check.
    if os::is_root() {
        findings.extend(files::of(&loaded));
        findings.extend(writers::of(&loaded, directory));
    }
    findings.extend(certificates::of(&loaded, jiff::Timestamp::now().as_second()));
    findings
}

/// Whether a table has a database that is missing, or older than its text.
pub(crate) fn is_old(table: &TableRef) -> bool {
    let Some(database) = database_of(table) else {
        return false;
    };
    let changed = |path: &str| Path::new(path).metadata().and_then(|found| found.modified()).ok();
    match (changed(&table.name), changed(&database)) {
        (Some(text), Some(database)) => text > database,
        (text, _) => text.is_some(),
    }
}

fn database_of(table: &TableRef) -> Option<String> {
    ::tables::build::database_name(table)
}

/// Why a start would have nothing to do, or could not tell what.
fn ports(loaded: &Loaded) -> Option<Finding> {
    match master::listeners::wanted(&loaded.postfix, &loaded.services, loaded.dovecot.as_ref()) {
        Ok(wanted) if wanted.is_empty() => Some(Finding::error(
            "master.cf, dovecot.conf: they name no port to listen on: a start refuses".to_owned(),
        )),
        Ok(_) => None,
        Err(error) => Some(Finding::error(os::with_causes(error.as_ref()))),
    }
}

fn aliases(loaded: &Loaded) -> Vec<Finding> {
    let settings = &loaded.postfix;
    let old = settings.alias_database.iter().filter(|table| is_old(table));
    let found = old.map(|table| {
        let has_one = database_of(table).is_some_and(|database| Path::new(&database).exists());
        let what = match has_one {
            true => "it has changed since its database was built",
            false => "its database is not built yet",
        };
        Finding::warning(format!("{}: {what}: run newaliases", table.name))
    });
    found
        .chain(master::root_alias::complaint(loaded).map(Finding::warning))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(directory: &Path, severity: Severity) -> Vec<String> {
        let found = findings(directory).into_iter();
        found
            .filter(|finding| finding.severity == severity)
            .map(|finding| finding.text)
            .collect()
    }

    #[test]
    fn everything_is_told_with_its_place() {
        let dir = tempfile::tempdir().expect("a directory");
        let place = dir.path().display();
        std::fs::write(
            dir.path().join("main.cf"),
            format!(
                "mynetworks = 10.0.0.0/33\nno_such_name = 1\nsmtpd_client_restrictions = check_client_access ldap:/x\n\
                 alias_database = hash:{place}/aliases\nalias_maps = texthash:{place}/aliases\nqueue_directory = {place}/spool\n"
            ),
        )
        .expect("written");
        std::fs::write(dir.path().join("master.cf"), "smtp inet n - n - - smtpd\n").expect("written");
        std::fs::write(dir.path().join("aliases"), "a: b\n").expect("written");
        let errors = texts(dir.path(), Severity::Error);
        assert!(
            errors
                .iter()
                .any(|text| text.starts_with("main.cf:1: mynetworks: ")),
            "{errors:?}"
        );
        let warnings = texts(dir.path(), Severity::Warning);
        let has = |start: &str| warnings.iter().any(|text| text.starts_with(start));
        assert!(has("main.cf:2: no_such_name"), "{warnings:?}");
        assert!(has(
            "main.cf:3: smtpd_client_restrictions: table ldap:/x: type ldap is not there yet"
        ));
        assert!(
            has(&format!(
                "{place}/aliases: its database is not built yet: run newaliases"
            )),
            "{warnings:?}"
        );
        assert!(has("alias_maps: root has no alias"), "{warnings:?}");
        std::fs::write(dir.path().join("aliases.db"), "").expect("written");
        let newaliases = || {
            let told = texts(dir.path(), Severity::Warning);
            told.into_iter().find(|text| text.contains("aliases: it"))
        };
        assert_eq!(newaliases(), None);
        let long_ago = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000_000);
        let database = std::fs::File::options()
            .write(true)
            .open(dir.path().join("aliases.db"));
        database.expect("there").set_modified(long_ago).expect("set");
        let old = newaliases().expect("it is older");
        assert!(
            old.contains("aliases: it has changed since its database was built"),
            "{old}"
        );
    }
}
