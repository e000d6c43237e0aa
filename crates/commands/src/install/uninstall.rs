//! `yubin uninstall`: removes what `yubin install` made.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};

use super::accounts::Accounts;
use super::hands::Mode;
use super::manifest::{Made, Manifest};
use super::places::{Places, absolute};
use crate::mail_queue::{Answer, MailQueue};
use crate::{EX_USAGE, Invocation, print_line};

const HELP: &str = "\
usage: yubin uninstall [--prefix DIR] [--root DIR] [--purge] [--dry-run]

Removes what `yubin install` made, and moves back what it moved aside. Configuration, queue, logs, users and groups stay.

  --prefix DIR  what was installed there (/usr)
  --root DIR    below DIR
  --purge       configuration, queue, logs, users and groups too. Mail in mailboxes stays
  --dry-run     only says what it would do";

/// How much goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Extent {
    /// Programs, links and units.
    Programs,
    /// What they worked with as well.
    Everything,
}

/// Runs the command.
pub(crate) fn run(invocation: &Invocation) -> ExitCode {
    if invocation.wants_help() {
        print_line(HELP);
        return ExitCode::SUCCESS;
    }
    let (places, extent, mode) = match wanted_of(&invocation.args) {
        Ok(wanted) => wanted,
        Err(error) => {
            invocation.complain(os::with_causes(error.as_ref()));
            return ExitCode::from(EX_USAGE);
        }
    };
    let done = refuse_while_it_runs(&places, mode).and_then(|()| remove(&places, extent, mode));
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            invocation.complain(os::with_causes(error.as_ref()));
            ExitCode::FAILURE
        }
    }
}

fn wanted_of(args: &[String]) -> Result<(Places, Extent, Mode)> {
    let mut places = Places {
        prefix: "/usr".into(),
        root: "/".into(),
        config: PathBuf::new(),
    };
    let (mut extent, mut mode) = (Extent::Programs, Mode::Do);
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        let (name, joined) = match arg.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (arg.as_str(), None),
        };
        let mut path = || absolute(name, joined.clone().or_else(|| args.next().cloned()));
        match name {
            "--prefix" => places.prefix = path()?,
            "--root" => places.root = path()?,
            "--purge" => extent = Extent::Everything,
            "--dry-run" => mode = Mode::Tell,
            other => bail!("there is no option \"{other}\" (see --help)"),
        }
    }
    Ok((places, extent, mode))
}

fn refuse_while_it_runs(places: &Places, mode: Mode) -> Result<()> {
    if !places.is_here() || mode == Mode::Tell {
        return Ok(());
    }
    if !os::is_root() {
        bail!("only root can remove what belongs to this system");
    }
    // Without a configuration nothing runs.
    let Ok(queue) = MailQueue::of(None) else {
        return Ok(());
    };
    match queue.ask(&ipc::control::Request::Status) {
        Ok(Answer::Up(_)) => bail!("the mail system is running: stop it first (postfix stop)"),
        _ => Ok(()),
    }
}

/// Removes what the manifest names.
///
/// # Errors
/// The first thing that cannot be removed; what went is gone, and the rest can be tried again.
pub(super) fn remove(places: &Places, extent: Extent, mode: Mode) -> Result<()> {
    let path = places.real(&places.manifest());
    let manifest = Manifest::read(&path)?;
    if manifest.is_empty() {
        bail!("there is no installation: {} is not there", path.display());
    }
    let accounts = Accounts::of(places);
    for made in manifest
        .leaves_first()
        .filter(|made| !matches!(made, Made::Directory(_) | Made::Mailboxes(_)))
    {
        remove_one(places, &accounts, made, (extent, mode))?;
    }
    if mode == Mode::Do {
        match extent {
            // What stays is known to the next installation, which can purge it.
            Extent::Programs => fs::write(&path, manifest.lasting().to_text())
                .with_context(|| format!("cannot write {}", path.display()))?,
            Extent::Everything => remove_file(&path)?,
        }
    }
    for made in manifest
        .leaves_first()
        .filter(|made| matches!(made, Made::Directory(_) | Made::Mailboxes(_)))
    {
        remove_one(places, &accounts, made, (extent, mode))?;
    }
    if extent == Extent::Programs {
        print_line(&format!(
            "Configuration, queue, logs, users and groups stay; {} names them for --purge",
            path.display()
        ));
    }
    Ok(())
}

fn remove_one(
    places: &Places,
    accounts: &Accounts<'_>,
    made: &Made,
    (extent, mode): (Extent, Mode),
) -> Result<()> {
    let say = |what: String| {
        let would = if mode == Mode::Tell { "would " } else { "" };
        print_line(&format!("{would}{what}"));
    };
    let is_kept = extent == Extent::Programs;
    let does = mode == Mode::Do;
    match made {
        Made::Configuration(_) | Made::Data(_) | Made::Mailboxes(_) | Made::User(_) | Made::Group(_)
            if is_kept => {}
        Made::File(path) | Made::Configuration(path) => {
            let real = places.real(path);
            if fs::symlink_metadata(&real).is_ok() {
                say(format!("remove {}", real.display()));
                if does {
                    remove_file(&real)?;
                }
            }
        }
        Made::Link(path, target) => {
            let real = places.real(path);
            if fs::read_link(&real).is_ok_and(|there| there == *target) {
                say(format!("remove {}", real.display()));
                if does {
                    remove_file(&real)?;
                }
            }
        }
        Made::Moved(path, aside) => {
            let (real, from) = (places.real(path), places.real(aside));
            let is_free = fs::symlink_metadata(&real).is_err() || mode == Mode::Tell;
            if is_free && fs::symlink_metadata(&from).is_ok() {
                say(format!("move {} back to {}", from.display(), real.display()));
                if does {
                    fs::rename(&from, &real)
                        .with_context(|| format!("cannot move {} back", from.display()))?;
                }
            }
        }
        Made::Data(path) => {
            let real = places.real(path);
            // Never through a link, which may lead anywhere.
            if fs::symlink_metadata(&real).is_ok_and(|found| found.is_dir()) {
                say(format!("remove {} and all below it", real.display()));
                if does {
                    fs::remove_dir_all(&real).with_context(|| format!("cannot remove {}", real.display()))?;
                }
            }
        }
        Made::Directory(path) | Made::Mailboxes(path) => {
            let real = places.real(path);
            let is_empty = fs::read_dir(&real).is_ok_and(|mut entries| entries.next().is_none());
            if is_empty {
                say(format!("remove {}", real.display()));
                if does {
                    fs::remove_dir(&real).with_context(|| format!("cannot remove {}", real.display()))?;
                }
            }
        }
        Made::User(name) if accounts.user(name)?.is_some() => {
            say(format!("remove user {name}"));
            if does {
                accounts.remove_user(name)?;
            }
        }
        Made::Group(name) if accounts.group(name)?.is_some() => {
            say(format!("remove group {name}"));
            if does {
                accounts.remove_group(name)?;
            }
        }
        Made::User(_) | Made::Group(_) => {}
    }
    Ok(())
}

fn remove_file(real: &Path) -> Result<()> {
    match fs::remove_file(real) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", real.display()))
        }
        _ => Ok(()),
    }
}
