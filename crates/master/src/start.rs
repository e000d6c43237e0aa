//! What is to be run, and what its configuration says: read here for both profiles.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use config::{DovecotFile, Loaded};
use serve::handover::Protocol;
use settings::Postfix;

use crate::complaints;
use crate::listeners::{self, Bound, Purpose, Wanted};
use crate::running::Scale;

/// How many descriptors are asked for: two for each connection and a reserve.
pub(crate) const DESCRIPTORS_WANTED: u64 = 65_536;

/// What to run.
#[derive(Debug, Clone)]
pub struct Start {
    /// How large.
    pub scale: Scale,
    /// Where main.cf and master.cf are; `None` serves mailboxes only.
    pub config_directory: Option<PathBuf>,
    /// Where dovecot.conf is.
    pub dovecot: DovecotFile,
}

/// What a port offers, as a person would say it, and whether TLS begins with the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Offer {
    Smtp { tls: bool },
    Submission { tls: bool },
    Imap { tls: bool },
    Pop3 { tls: bool },
    Lmtp { tls: bool },
}

impl Offer {
    pub(crate) fn of(purpose: &Purpose, loaded: &Loaded) -> Offer {
        match purpose {
            Purpose::Login(Protocol::Imap, tls) => Offer::Imap { tls: *tls },
            Purpose::Login(Protocol::Pop3, tls) => Offer::Pop3 { tls: *tls },
            Purpose::Lmtp(tls) => Offer::Lmtp { tls: *tls },
            Purpose::Smtpd(name) => {
                let service = loaded.services.iter().find(|service| service.name == *name);
                let tls = service.is_some_and(|service| service.settings.smtpd_tls_wrappermode);
                // By its custom, a service that users submit to says so in its log name.
                match service.is_some_and(|service| service.settings.syslog_name.contains("/submission")) {
                    true => Offer::Submission { tls },
                    false => Offer::Smtp { tls },
                }
            }
        }
    }
}

/// Reads the configuration of `start`.
pub fn load(start: &Start) -> Loaded {
    let directory = start.config_directory.clone().unwrap_or_default();
    let options = config::Options {
        surroundings: config::this_machine(),
        dovecot: start.dovecot.clone(),
        overrides: Vec::new(),
    };
    match (&start.config_directory, &start.dovecot) {
        (None, DovecotFile::At(file)) => {
            let (dovecot, problems) = config::load_dovecot(file);
            let surroundings = &options.surroundings;
            Loaded {
                main: config::main_cf::MainCf::default(),
                postfix: Postfix::defaults(surroundings),
                values: settings::Values::new(surroundings),
                services: Vec::new(),
                dovecot: Some(dovecot),
                problems,
            }
        }
        _ => {
            let mut loaded = config::load(&directory, &options);
            loaded.problems.extend(complaints::of(&loaded));
            sort(&mut loaded.problems);
            loaded
        }
    }
}

/// By file, in the order in which they are read, and line.
fn sort(problems: &mut [config::Problem]) {
    let files: Vec<String> = problems.iter().map(|problem| problem.file.clone()).collect();
    problems.sort_by_key(|problem| {
        let rank = files.iter().position(|file| *file == problem.file);
        (rank, problem.line)
    });
}

/// Where the mailbox services have what concerns the running process, if there are any.
pub(crate) fn base_dir(loaded: &Loaded) -> Option<&Path> {
    loaded
        .dovecot
        .as_ref()
        .map(|dovecot| Path::new(&dovecot.base_dir))
}

/// The ports that are bound, each once, with what it is for.
pub(crate) fn ports(bound: &[Bound], loaded: &Loaded) -> Vec<(Offer, u16)> {
    let mut ports: Vec<(Offer, u16)> = Vec::new();
    for (bound, address) in bound
        .iter()
        .filter_map(|bound| Some((bound, bound.address.inet()?)))
    {
        let port = (Offer::of(&bound.purpose, loaded), address.port());
        if !ports.contains(&port) {
            ports.push(port);
        }
    }
    ports
}

/// Reads the configuration of `start` and prepares the process for it; what is to be listened on comes back too. Problems of the
/// configuration are told to `tell`, all of them.
///
/// # Errors
/// When the configuration has errors, or names nothing to listen on.
pub(crate) fn begin(start: &Start, tell: &mut dyn FnMut(&str)) -> Result<(Loaded, Vec<Wanted>)> {
    let loaded = load(start);
    loaded
        .problems
        .iter()
        .for_each(|problem| tell(&problem.to_string()));
    if loaded.has_errors() {
        bail!("the configuration has errors: nothing was started");
    }
    // More descriptors than the limit allows are a wish, not a need.
    let _ = os::limits::raise_open_files(DESCRIPTORS_WANTED);
    os::signals::ignore_sigpipe();
    let wanted = listeners::wanted(&loaded.postfix, &loaded.services, loaded.dovecot.as_ref())?;
    if wanted.is_empty() {
        bail!("the configuration names no port to listen on: there is nothing to do");
    }
    Ok((loaded, wanted))
}
