//! `postfix logrotate`: the file of `maillog_file` gets another name and is compressed; the mail system goes on with a new one.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use jiff::Zoned;
use rustix::process::{Pid, Signal, kill_process};
use settings::Postfix;

/// How long the mail system may take to open its log again.
const REOPEN_TIME_MAX: Duration = Duration::from_secs(10);
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Renames the log, has `process` (the mail system, when it runs) open it again, and compresses the old one.
///
/// # Errors
/// What could not be done, in words.
pub(crate) fn rotate(settings: &Postfix, process: Option<u32>, now: &Zoned) -> Result<(), String> {
    let file = &settings.maillog_file;
    match file.to_str() {
        Some("") => {
            return Err(
                "maillog_file is empty: the log goes to syslog, which rotates its files itself".to_owned(),
            );
        }
        Some("/dev/stdout") => {
            return Err("maillog_file is /dev/stdout: there is no file to rotate".to_owned());
        }
        _ => {}
    }
    let old = renamed(file, &settings.maillog_file_rotate_suffix, now)?;
    std::fs::rename(file, &old).map_err(|error| {
        format!(
            "cannot rename {} to {}: {}",
            file.display(),
            old.display(),
            os::words(&error)
        )
    })?;
    if let Some(process) = process {
        reopen(process, file)?;
    }
    compress(&settings.maillog_file_compressor, &old)
}

/// The old log's name; never that of a file that is there.
fn renamed(file: &Path, suffix: &str, now: &Zoned) -> Result<PathBuf, String> {
    let suffix = jiff::fmt::strtime::format(suffix, now)
        .map_err(|error| format!("maillog_file_rotate_suffix: \"{suffix}\" is no form of a date: {error}"))?;
    if suffix.is_empty() || suffix.contains('/') {
        return Err(format!(
            "maillog_file_rotate_suffix: \"{suffix}\" cannot end a file's name"
        ));
    }
    let old = PathBuf::from(format!("{}.{suffix}", file.display()));
    match old.exists() {
        true => Err(format!(
            "{} is there already: the log was rotated a moment ago",
            old.display()
        )),
        false => Ok(old),
    }
}

fn reopen(process: u32, file: &Path) -> Result<(), String> {
    let pid = i32::try_from(process).ok().and_then(Pid::from_raw);
    let pid = pid.ok_or_else(|| format!("{process} is no process"))?;
    kill_process(pid, Signal::USR1).map_err(|error| {
        format!(
            "cannot have process {process} open its log again: {}",
            os::words(&error.into())
        )
    })?;
    let since = Instant::now();
    while !file.exists() {
        if since.elapsed() > REOPEN_TIME_MAX {
            return Err(format!(
                "process {process} does not open {} again",
                file.display()
            ));
        }
        std::thread::sleep(LOOK_EVERY);
    }
    Ok(())
}

fn compress(program: &str, file: &Path) -> Result<(), String> {
    let mut words = program.split_whitespace();
    let Some(name) = words.next() else { return Ok(()) };
    let done = Command::new(name)
        .args(words)
        .arg(file)
        .stdin(Stdio::null())
        .status();
    match done {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("{program} {}: {status}", file.display())),
        Err(error) => Err(format!("cannot run {program}: {}", os::words(&error))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_is_renamed_and_compressed() {
        let dir = tempfile::tempdir().expect("a directory");
        let file = dir.path().join("mail.log");
        std::fs::write(&file, "a line\n").expect("written");
        let mut settings = Postfix::defaults(&settings::Surroundings::default());
        let now = jiff::civil::date(2026, 11, 28).at(1, 2, 3, 0);
        let now = now.to_zoned(jiff::tz::TimeZone::UTC).expect("a date");
        settings.maillog_file = PathBuf::new();
        assert!(
            rotate(&settings, None, &now)
                .expect_err("refused")
                .starts_with("maillog_file is empty")
        );
        settings.maillog_file = file.clone();
        settings.maillog_file_compressor = "cp --no-such-option".to_owned();
        assert!(rotate(&settings, None, &now).is_err());
        let old = dir.path().join("mail.log.20261128-010203");
        assert!(old.exists() && !file.exists());
        std::fs::write(&file, "more\n").expect("written");
        assert!(
            rotate(&settings, None, &now)
                .expect_err("refused")
                .contains("is there already")
        );
        assert!(file.exists());
        std::fs::remove_file(&old).expect("removed");
        settings.maillog_file_compressor = "gzip".to_owned();
        rotate(&settings, None, &now).expect("rotated");
        assert!(dir.path().join("mail.log.20261128-010203.gz").exists() && !old.exists());
    }
}
