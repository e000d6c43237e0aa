//! `doveadm log`: where the logs are, a line of each kind into them, and opening them again.

use std::collections::VecDeque;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use maillog::lines::problem::Problem;
use maillog::{Destination, Destinations, Log, Severity, Tag};
use rustix::process::Signal;
use settings::Dovecot;

use super::master::Master;
use super::{Call, fatal, settings_with, usage};
use crate::{eprint_line, print_line};

const USAGE_TEXT: &str = "usage: doveadm [-Dv] [-f <formatter>] log <command> [<args>]
  find         [<dir>]
  reopen       
  test         ";
/// Where syslog daemons write.
const SYSLOG_DIRECTORY: &str = "/var/log";
/// The kinds in the order in which they are shown: the word, and how grave.
const KINDS: [(&str, Severity); 5] = [
    ("Debug", Severity::Debug),
    ("Info", Severity::Info),
    ("Warning", Severity::Warning),
    ("Error", Severity::Error),
    ("Fatal", Severity::Fatal),
];
/// How long syslog may take to write a line.
const SYSLOG_PATIENCE: Duration = Duration::from_secs(2);
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// The most files that are looked into.
const FILES_MAX: usize = 1000;
/// How much of the end of each, in octets.
const TAIL_BYTES: u64 = 256 * 1024;

/// Runs the command.
pub(super) fn run(call: &Call) -> ExitCode {
    let words: Vec<&str> = call.args.iter().map(String::as_str).collect();
    let task: fn(&Dovecot, &Path) -> Result<(), String> = match words.as_slice() {
        ["find"] | ["find", _] => find,
        ["test"] => |settings, _| test(settings, now()),
        ["reopen"] => |settings, _| Master::of(settings).signal(Signal::USR1).map(drop),
        _ => return usage(USAGE_TEXT),
    };
    let directory = words.get(1).copied().unwrap_or(SYSLOG_DIRECTORY);
    let done = settings_with(&call.config_file, &call.overrides)
        .and_then(|settings| task(&settings, Path::new(directory)));
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(text) => fatal(&text),
    }
}

fn now() -> i64 {
    jiff::Timestamp::now().as_second()
}

/// Where the lines of a kind go, as `log_path` and its kin say it.
fn path_of(settings: &Dovecot, severity: Severity) -> &Path {
    let (log, info, debug) = (
        &settings.log_path,
        &settings.info_log_path,
        &settings.debug_log_path,
    );
    let info = if info.as_os_str().is_empty() { log } else { info };
    match severity {
        Severity::Debug if !debug.as_os_str().is_empty() => debug,
        Severity::Debug | Severity::Info => info,
        _ => log,
    }
}

fn is_syslog(path: &Path) -> bool {
    path.as_os_str().is_empty() || path == Path::new("syslog")
}

fn text(word: &str, stamp: i64) -> String {
    format!("This is Dovecot's {} log ({stamp})", word.to_lowercase())
}

fn find(settings: &Dovecot, directory: &Path) -> Result<(), String> {
    let in_syslog = KINDS.map(|(_, severity)| is_syslog(path_of(settings, severity)));
    let mut found: [Option<PathBuf>; 5] = Default::default();
    if in_syslog.contains(&true) {
        print_line(&format!("Looking for log files from {}", directory.display()));
        let stamp = now();
        test(settings, stamp)?;
        found = found_in(directory, stamp, in_syslog);
    }
    for ((word, severity), found) in KINDS.into_iter().zip(found) {
        let path = path_of(settings, severity);
        let shown = match (is_syslog(path), found) {
            (false, _) => path.display().to_string(),
            (true, Some(file)) => file.display().to_string(),
            (true, None) => "Not found".to_owned(),
        };
        print_line(&format!("{word}: {shown}"));
    }
    Ok(())
}

/// The files into which syslog wrote the lines of [`test`].
fn found_in(directory: &Path, stamp: i64, wanted: [bool; 5]) -> [Option<PathBuf>; 5] {
    let mut found: [Option<PathBuf>; 5] = Default::default();
    let since = Instant::now();
    loop {
        for file in files_below(directory) {
            let tail = tail_of(&file);
            for (at, (word, _)) in KINDS.iter().enumerate() {
                if wanted[at] && found[at].is_none() && contains(&tail, text(word, stamp).as_bytes()) {
                    found[at] = Some(file.clone());
                }
            }
        }
        let is_complete = found
            .iter()
            .zip(wanted)
            .all(|(found, wanted)| found.is_some() || !wanted);
        if is_complete || since.elapsed() > SYSLOG_PATIENCE || !Path::new("/dev/log").exists() {
            return found;
        }
        std::thread::sleep(LOOK_EVERY);
    }
}

/// The files of a directory and of its directories, those written last first.
fn files_below(directory: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut directories = VecDeque::from([(directory.to_owned(), 0)]);
    while let Some((directory, depth)) = directories.pop_front() {
        for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
            match entry.metadata() {
                Ok(what) if what.is_dir() && depth == 0 => directories.push_back((entry.path(), 1)),
                Ok(what) if what.is_file() && files.len() < FILES_MAX => {
                    files.push((what.modified().ok(), entry.path()));
                }
                _ => {}
            }
        }
    }
    files.sort();
    files.into_iter().rev().map(|(_, path)| path).collect()
}

/// The end of a file; nothing when it cannot be read.
fn tail_of(path: &Path) -> Vec<u8> {
    let read = || -> std::io::Result<Vec<u8>> {
        let file = File::open(path)?;
        let size = file.metadata()?.len();
        let mut bytes = vec![0; usize::try_from(size.min(TAIL_BYTES)).unwrap_or(0)];
        let read = file.read_at(&mut bytes, size.saturating_sub(TAIL_BYTES))?;
        bytes.truncate(read);
        Ok(bytes)
    };
    read().unwrap_or_default()
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

/// Writes a line of each kind to where such lines go.
fn test(settings: &Dovecot, stamp: i64) -> Result<(), String> {
    for (word, severity) in KINDS {
        let path = path_of(settings, severity).to_string_lossy();
        let opened = Destination::of_log_path(&path, &settings.syslog_facility).and_then(|to| {
            Log::open(&maillog::Options {
                to: Destinations::all(to),
                hostname: String::new(),
                syslog_name: String::new(),
                instance_name: settings.instance_name.clone(),
                debug: true,
            })
        });
        match opened {
            Ok(log) => {
                log.write(&Problem {
                    tag: Tag::Mailbox("doveadm"),
                    severity,
                    text: &text(word, stamp),
                });
                log.flush();
            }
            Err(error) => eprint_line(&format!("Error: {error}")),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doveadm::settings_of;

    fn settings(dir: &Path, lines: &str) -> Dovecot {
        let file = dir.join("dovecot.conf");
        std::fs::write(&file, lines).expect("written");
        settings_of(&file).expect("valid")
    }

    #[test]
    fn each_kind_goes_to_its_file() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().display();
        let lines =
            format!("log_path = {path}/e.log\ninfo_log_path = {path}/i.log\ndebug_log_path = {path}/d.log\n");
        let settings = settings(dir.path(), &lines);
        test(&settings, 7).expect("written");
        let texts = |name: &str| -> Vec<String> {
            let log = std::fs::read_to_string(dir.path().join(name)).expect("there");
            // Without the date.
            log.lines().map(|line| line[16..].to_owned()).collect()
        };
        assert_eq!(
            texts("d.log"),
            ["doveadm: Debug: This is Dovecot's debug log (7)"]
        );
        assert_eq!(texts("i.log"), ["doveadm: Info: This is Dovecot's info log (7)"]);
        assert_eq!(
            texts("e.log"),
            [
                "doveadm: Warning: This is Dovecot's warning log (7)",
                "doveadm: Error: This is Dovecot's error log (7)",
                "doveadm: Fatal: This is Dovecot's fatal log (7)",
            ]
        );
        let all = [true; 5];
        let found = found_in(dir.path(), 7, all).map(|file| {
            let file = file.expect("found");
            file.file_name().expect("a name").to_owned()
        });
        assert_eq!(found, ["d.log", "i.log", "e.log", "e.log", "e.log"]);
    }

    #[test]
    fn an_empty_path_is_that_of_the_next_kind() {
        let dir = tempfile::tempdir().expect("a directory");
        let settings = settings(dir.path(), "log_path = /l\n");
        assert!(
            KINDS
                .iter()
                .all(|(_, severity)| path_of(&settings, *severity) == Path::new("/l"))
        );
        let settings = self::settings(dir.path(), "info_log_path = /i\n");
        assert_eq!(path_of(&settings, Severity::Debug), Path::new("/i"));
        assert!(is_syslog(path_of(&settings, Severity::Error)));
    }
}
