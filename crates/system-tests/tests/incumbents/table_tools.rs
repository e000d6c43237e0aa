//! `postmap`, `postalias` and `postconf` beside Debian's: the same files, the same command lines, the same output and exit codes.
//!
//! A script is a list of steps that both sides take in directories of their own. What differs on purpose has its row in
//! `conformance/differences.tsv`, which the step names.

use std::collections::HashSet;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use system_tests::program::{Finished, run};
use system_tests::{binary, has_program, skip};

use crate::table_scripts::{FILES, SCRIPTS, Step, odd_files};

/// Where a side takes its steps.
struct Side {
    directory: tempfile::TempDir,
    is_ours: bool,
}

impl Side {
    fn new(is_ours: bool) -> Side {
        let directory = tempfile::tempdir().unwrap();
        for (name, content) in FILES {
            std::fs::write(directory.path().join(name), content).unwrap();
        }
        for (name, content) in odd_files() {
            std::fs::write(directory.path().join(name), content).unwrap();
        }
        Side { directory, is_ours }
    }

    fn take(&self, step: &Step) -> Finished {
        let words: Vec<&str> = step.command.split(' ').collect();
        let (name, arguments) = words.split_first().unwrap();
        let mut command = match self.is_ours {
            true => {
                let mut command = Command::new(binary());
                command.arg(name);
                command
            }
            false => Command::new(Path::new("/usr/sbin").join(name)),
        };
        command
            // `~` in a word is a blank, `''` nothing.
            .args(
                arguments
                    .iter()
                    .map(|word| word.replace('~', " ").replace("''", "")),
            )
            .current_dir(self.directory.path())
            .env("MAIL_CONFIG", self.directory.path())
            .env_remove("RUST_BACKTRACE");
        run(&mut command, step.input.as_bytes())
    }

    /// What a step said, without what depends on the order of a hash or on the hour.
    fn said(&self, step: &Step) -> String {
        let finished = self.take(step);
        let place = self.directory.path().display().to_string();
        let mut lines: Vec<String> = finished
            .stdout
            .lines()
            .filter(|line| {
                !["YP_LAST_MODIFIED:", "YP_MASTER_NAME:", "@:\t@"]
                    .iter()
                    .any(|own| line.starts_with(own))
            })
            .map(|line| line.replace(&place, "DIR"))
            .collect();
        if step.command.contains(" -s ") {
            lines.sort();
        }
        let mut text = format!("exit {:?}\n{}\n--\n", finished.code, lines.join("\n"));
        let mut seen = HashSet::new();
        // Postfix opens a table several times, and says the same each time.
        for line in finished
            .stderr
            .lines()
            .filter(|line| seen.insert((*line).to_owned()))
        {
            let line = line.strip_prefix("/usr/sbin/").unwrap_or(line);
            writeln!(text, "{}", line.replace(&place, "DIR")).unwrap();
        }
        text
    }
}

/// The types of tables that Debian's Postfix has here: some are packages of their own.
fn types_of_postfix() -> Vec<String> {
    let listed = Command::new("/usr/sbin/postconf").arg("-m").output().unwrap();
    let text = String::from_utf8(listed.stdout).unwrap();
    text.lines().map(str::to_owned).collect()
}

fn differences() -> String {
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../conformance/differences.tsv");
    std::fs::read_to_string(file).unwrap()
}

#[test]
fn tables_are_built_asked_and_shown_as_by_postfix() {
    if !has_program("/usr/sbin/postmap", "postfix") {
        return;
    }
    let (types, rows) = (types_of_postfix(), differences());
    let found: Vec<Found> = std::thread::scope(|scope| {
        let running: Vec<_> = SCRIPTS
            .iter()
            .map(|(name, steps)| scope.spawn(|| script(name, steps, (&types, &rows))))
            .collect();
        running.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let left: HashSet<&str> = found
        .iter()
        .flat_map(|found| found.left.iter().copied())
        .collect();
    for kind in left {
        skip(&format!("Debian's package postfix-{kind}, for some of the steps"));
    }
    let taken: usize = found.iter().map(|found| found.taken).sum();
    let failures: Vec<String> = found.into_iter().flat_map(|found| found.failures).collect();
    assert!(
        failures.is_empty(),
        "{} of {taken}:\n{}",
        failures.len(),
        failures.join("\n\n")
    );
    assert!(taken >= 80, "only {taken} cases");
}

/// What a script found.
#[derive(Default)]
struct Found {
    taken: usize,
    failures: Vec<String>,
    /// Types that Debian's Postfix does not have here.
    left: HashSet<&'static str>,
}

fn script(name: &str, steps: &[Step], (types, rows): (&[String], &str)) -> Found {
    let (ours, postfix) = (Side::new(true), Side::new(false));
    let mut found = Found::default();
    for step in steps {
        if let Some(kind) = step.needs.filter(|kind| !types.iter().any(|known| known == kind)) {
            found.left.insert(kind);
            continue;
        }
        found.taken += 1;
        let (ours, postfix) = (ours.said(step), postfix.said(step));
        let has_row = |row: &str| rows.lines().any(|line| line.split('\t').next() == Some(row));
        let failure = match step.differs {
            None if ours != postfix => format!("ours: {ours}\nPostfix: {postfix}"),
            Some(row) if !has_row(row) => format!("differences.tsv has no row \"{row}\""),
            Some(_) if ours == postfix => "the difference is gone".to_owned(),
            _ => continue,
        };
        found
            .failures
            .push(format!("{name}: {}: {failure}", step.command));
    }
    found
}
