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

/// What Debian's makemap 8.17 said to the same (its package cannot be installed beside Postfix).
#[test]
fn makemap_says_what_sendmails_said() {
    let side = Side::new(true);
    let take = |command: &'static str, input: &'static str| {
        let finished = side.take(&Step::of(command, input));
        (finished.code.unwrap(), finished.stdout, finished.stderr)
    };
    const LINES: &str = "Key1 value one  \n# c\n\nkey2\tv2 %1\nkey1 dup\nnoval\nnoval2 \n  lead x\n";
    let said = |code: i32, stdout: &str, stderr: &str| (code, stdout.to_owned(), stderr.to_owned());
    let wrong = "makemap: x: line 6: no RHS for LHS noval\nmakemap: x: line 7: no RHS for LHS noval2\n\
                 makemap: x: line 8: syntax error (leading space)\n";
    let duplicate = "makemap: x: line 5: key key1: duplicate key\n";
    assert_eq!(
        take("makemap hash x", LINES),
        said(65, "", &format!("{duplicate}{wrong}"))
    );
    assert_eq!(
        take("makemap -u hash x", ""),
        said(0, "key1\tvalue one  \nkey2\tv2 %1\n", "")
    );
    assert_eq!(take("makemap -r hash x", LINES), said(65, "", wrong));
    assert_eq!(
        take("makemap -u hash x", ""),
        said(0, "key1\tdup\nkey2\tv2 %1\n", "")
    );
    let leading = "makemap: x: line 8: syntax error (leading space)\n";
    assert_eq!(take("makemap -e -f hash x", LINES), said(65, "", leading));
    assert_eq!(
        take("makemap -u hash x", ""),
        said(
            0,
            "Key1\tvalue one  \nkey2\tv2 %1\nkey1\tdup\nnoval\t\nnoval2\t\n",
            ""
        )
    );
    assert_eq!(take("makemap -o hash x", "k3 z\nk1 q\n"), said(0, "", ""));
    assert_eq!(take("postmap -q k3 hash:x", ""), said(0, "z\n", ""));
    assert_eq!(take("makemap -d btree b", "k1 a\nk1 b\nk2 c\n"), said(0, "", ""));
    assert_eq!(
        take("makemap -u btree b", ""),
        said(0, "k1\ta\nk1\tb\nk2\tc\n", "")
    );
    assert_eq!(
        take("makemap -t : -D ; hash t", "a b:c d\n;x:y\n#q:r\n"),
        said(0, "", "")
    );
    assert_eq!(take("makemap -u -t : hash t", ""), said(0, "a b:c d\n#q:r\n", ""));
    assert_eq!(
        take("makemap -v hash v", "k1 a\nk1 b\n"),
        said(
            65,
            "key=`k1', val=`a'\nkey=`k1', val=`b'\n",
            "makemap: v: line 2: key k1: duplicate key\n"
        )
    );
    let unknown = "makemap: error opening type foo map x: Unknown database type\n";
    assert_eq!(take("makemap foo x", ""), said(73, "", unknown));
    let missing = "makemap: error opening type hash map nosuch: No such file or directory\n";
    assert_eq!(take("makemap -u hash nosuch", ""), said(73, "", missing));
    let nowhere = "makemap: error opening type hash map nodir/x: No such file or directory\n";
    assert_eq!(take("makemap hash nodir/x", "a b\n"), said(73, "", nowhere));
    assert_eq!(take("makemap hash x.db", "a b\n"), said(0, "", ""));
    assert_eq!(take("makemap -u hash x", ""), said(0, "a\tb\n", ""));
    assert_eq!(take("makemap implicit i", "nonl v"), said(0, "", ""));
    assert_eq!(take("makemap -u implicit i.db", ""), said(0, "nonl\tv\n", ""));
    assert_eq!(
        take("makemap -C /nonexistent hash x", ""),
        said(66, "", "makemap: /nonexistent: No such file or directory\n")
    );
    assert_eq!(take("makemap hash", "").0, 64);
    assert_eq!(take("makemap -Z hash x", "").0, 64);
    assert_eq!(take("makemap text plain", "k v w\n"), said(0, "", ""));
    assert_eq!(take("postmap -q k texthash:plain", ""), said(0, "v w\n", ""));
    take("postalias hash:aliases", "");
    assert_eq!(
        take("praliases -f aliases root zz", ""),
        said(0, "root:a, b\nzz: No such key\n", "")
    );
}
