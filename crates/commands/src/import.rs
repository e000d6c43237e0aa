//! `yubin import sendmail DIR`: a `sendmail.mc` as settings of main.cf, with a line about every statement of it.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use sendmail_files::import::{Import, import};

use crate::{EX_USAGE, Invocation, eprint_line, print_bytes, print_line};

const HELP: &str = "\
usage: yubin import sendmail [-o DIR] [DIR]

Translates DIR/sendmail.mc (default: /etc/mail; a file may be named, too) into settings of main.cf. The settings are printed, and
on the standard error a line about every statement: the setting that it is, or why it is none. The tables in DIR (access,
mailertable, virtusertable and others) are used where they are, by the setting yubin_sendmail_directory.

  -o DIR    writes DIR/main.cf, which must not be there, and DIR/master.cf unless it is there, and prints the report";

const EX_NOINPUT: u8 = 66;
const EX_CANTCREAT: u8 = 73;

/// Runs the command.
pub(crate) fn run(invocation: &Invocation) -> ExitCode {
    let (mut into, mut words) = (None, Vec::new());
    let mut args = invocation.args.iter();
    while let Some(arg) = args.next() {
        match (arg.as_str(), arg.strip_prefix("-o")) {
            ("--help", _) => {
                print_line(HELP);
                return ExitCode::SUCCESS;
            }
            (_, Some("")) => into = args.next().cloned(),
            (_, Some(directory)) => into = Some(directory.to_owned()),
            (option, None) if option.starts_with('-') => return usage(),
            (word, None) => words.push(word),
        }
    }
    let from = match words[..] {
        ["sendmail"] => "/etc/mail",
        ["sendmail", directory] => directory,
        _ => return usage(),
    };
    let (file, imported) = match read(Path::new(from)) {
        Ok(found) => found,
        Err(text) => {
            invocation.complain(text);
            return ExitCode::from(EX_NOINPUT);
        }
    };
    let name = file
        .file_name()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default();
    let text = format!(
        "# Made of {} by yubin import sendmail.\n{}",
        file.display(),
        imported.main_cf(&name)
    );
    let mut report = imported.report(&name);
    report.push(format!(
        "{name}: {} statements, {} not taken",
        imported.reports.iter().filter(|report| report.line > 0).count(),
        imported.not_taken()
    ));
    match into {
        None => {
            report.iter().for_each(|line| eprint_line(line));
            print_bytes(text.as_bytes());
            ExitCode::SUCCESS
        }
        Some(directory) => match write(Path::new(&directory), &text, &imported.services) {
            Ok(()) => {
                report.iter().for_each(|line| print_line(line));
                told(Path::new(&directory))
            }
            Err(text) => {
                invocation.complain(text);
                ExitCode::from(EX_CANTCREAT)
            }
        },
    }
}

fn usage() -> ExitCode {
    eprint_line(HELP);
    ExitCode::from(EX_USAGE)
}

/// The file that is meant, and what it says.
fn read(from: &Path) -> Result<(PathBuf, Import), String> {
    let file = match from.is_dir() {
        true => from.join("sendmail.mc"),
        false => from.to_owned(),
    };
    let cannot = |error: &std::io::Error| format!("cannot read {}: {}", file.display(), os::words(error));
    let absolute = std::path::absolute(&file).map_err(|error| cannot(&error))?;
    let opened = os::files::open_text(&file).map_err(|error| cannot(&error))?;
    let mut bytes = Vec::new();
    let mut limited = std::io::Read::take(opened, config::FILE_BYTES_MAX);
    std::io::Read::read_to_end(&mut limited, &mut bytes).map_err(|error| cannot(&error))?;
    let directory = absolute
        .parent()
        .unwrap_or(Path::new("/etc/mail"))
        .display()
        .to_string();
    let names = std::fs::read_to_string(Path::new(&directory).join("local-host-names"));
    let names = sendmail_files::class_file::words(&names.unwrap_or_default());
    let imported = import(&String::from_utf8_lossy(&bytes), &directory, &names);
    Ok((file, imported))
}

fn write(directory: &Path, text: &str, rows: &[String]) -> Result<(), String> {
    let file = directory.join("main.cf");
    let cannot = |error: std::io::Error| format!("cannot write {}: {}", file.display(), os::words(&error));
    std::fs::create_dir_all(directory).map_err(cannot)?;
    let made = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(&file);
    let mut made = made.map_err(cannot)?;
    made.write_all(text.as_bytes()).map_err(cannot)?;
    made.sync_all().map_err(cannot)?;
    let services = directory.join("master.cf");
    match services.exists() {
        true => Ok(()),
        false => std::fs::write(&services, master_cf(rows))
            .map_err(|error| format!("cannot write {}: {}", services.display(), os::words(&error))),
    }
}

/// The usual rows, without those of submission, which Sendmail has only where it is told so, and with these.
fn master_cf(rows: &[String]) -> String {
    let mut text = String::new();
    let mut is_left_out = false;
    for line in include_str!("install/files/master.cf").lines() {
        if !line.starts_with([' ', '\t']) {
            is_left_out = line.starts_with("submission");
        }
        if !is_left_out {
            text.push_str(&format!("{line}\n"));
        }
    }
    rows.iter().for_each(|row| text.push_str(&format!("{row}\n")));
    text
}

/// What is wrong with what was written, as `yubin check` tells it.
fn told(directory: &Path) -> ExitCode {
    let options = config::Options {
        surroundings: config::this_machine(),
        dovecot: config::DovecotFile::Without,
        overrides: Vec::new(),
    };
    let loaded = config::load(directory, &options);
    let of_main = loaded.problems.iter().filter(|problem| problem.file == "main.cf");
    of_main.for_each(|problem| eprint_line(&problem.to_string()));
    ExitCode::SUCCESS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_written_once() {
        let dir = tempfile::tempdir().expect("a directory");
        std::fs::write(
            dir.path().join("sendmail.mc"),
            "define(`confDOMAIN_NAME', `a.example')dnl\n",
        )
        .expect("written");
        let (file, imported) = read(dir.path()).expect("it is there");
        assert!(file.ends_with("sendmail.mc"));
        assert_eq!(imported.not_taken(), 0);
        let into = dir.path().join("etc");
        write(
            &into,
            "myhostname = a.example\n",
            &["587 inet n - n - - smtpd".to_owned()],
        )
        .expect("written");
        let rows = std::fs::read_to_string(into.join("master.cf")).expect("written");
        assert!(rows.contains("\n587 inet") && !rows.contains("submission") && !rows.contains("wrappermode"));
        assert!(rows.contains("\nsmtp ") && rows.contains("\npickup "), "{rows}");
        let again = write(&into, "", &[]).expect_err("it is there");
        assert!(
            again.starts_with("cannot write ") && again.ends_with(": File exists"),
            "{again}"
        );
        assert!(read(&into).is_err());
    }
}
