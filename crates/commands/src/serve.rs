//! `yubin serve`: the mail system in the foreground, embedded or from a configuration directory.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use config::DovecotFile;
use master::embedded::{self, Owner, PORT_BASE, Ports, Prepared};
use master::identity;
use master::running::Scale;
use master::single::prepare;
use master::start::{self, Offer, Start};
use master::supervisor;

use crate::{Invocation, configuration, eprint_line, print_line};

const HELP: &str = "\
usage: yubin serve [--dir DIR] [--port-base N]     the embedded mail system below DIR (./yubin-data)
       yubin serve -c DIR [--dovecot FILE]         the mail system of DIR/main.cf, DIR/master.cf and FILE (else
                                                   DIR/dovecot.conf, when it is there)
       yubin serve --mailboxes -c FILE             only the mailbox services of a dovecot.conf

The embedded system needs no root and no configuration: it writes one on its first start and runs from it. Its ports
on loopback are N (2000) plus 525 SMTP, 587 submission, 465 submission with TLS, 143 and 993 IMAP, 110 and 995 POP3.
Ctrl-C stops it. Started by root, it gives up root before it reads from the network.

  --detached   leave the terminal (what `postfix start` uses)
  --single     all roles in one process under one uid. Without it, and started by root with -c, each role is a process of its
               own with the rights that it needs";

/// What the arguments ask for.
#[derive(Debug, Default)]
struct Wanted {
    directory: Option<PathBuf>,
    port_base: Option<u16>,
    config: Option<PathBuf>,
    dovecot: Option<PathBuf>,
    mailboxes_only: bool,
    detached: bool,
    single: bool,
}

/// Runs the command.
pub(crate) fn run(invocation: &Invocation) -> ExitCode {
    if invocation.wants_help() {
        print_line(HELP);
        return ExitCode::SUCCESS;
    }
    match parse(&invocation.args) {
        Ok(wanted) => match serve(&wanted) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprint_line(&format!("yubin: {}", os::with_causes(error.as_ref())));
                ExitCode::FAILURE
            }
        },
        Err(error) => {
            eprint_line(&format!("yubin serve: {}", os::with_causes(error.as_ref())));
            ExitCode::from(64)
        }
    }
}

fn parse(args: &[String]) -> Result<Wanted> {
    let mut wanted = Wanted::default();
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        let mut value = || args.next().with_context(|| format!("{arg} needs a value"));
        match arg.as_str() {
            "--dir" => wanted.directory = Some(value()?.into()),
            "--port-base" => wanted.port_base = Some(value()?.parse().context("--port-base needs a number")?),
            "-c" | "--config" => wanted.config = Some(value()?.into()),
            "--dovecot" => wanted.dovecot = Some(value()?.into()),
            "--mailboxes" => wanted.mailboxes_only = true,
            "--detached" => wanted.detached = true,
            "--single" => wanted.single = true,
            other => bail!("there is no option \"{other}\" (see yubin serve --help)"),
        }
    }
    match (
        &wanted.config,
        wanted.mailboxes_only,
        wanted.directory.is_some() || wanted.port_base.is_some(),
    ) {
        (Some(_), _, true) => bail!("-c and --dir or --port-base exclude each other"),
        (None, true, _) => bail!("--mailboxes needs -c FILE"),
        (Some(file), true, _) => {
            wanted.config = Some(configuration::named_dovecot_file(file));
            Ok(wanted)
        }
        _ => Ok(wanted),
    }
}

fn serve(wanted: &Wanted) -> Result<()> {
    // Before memory is used; without it the system runs as well, only larger.
    let _ = os::limits::use_small_pages();
    if wanted.detached {
        os::process::leave_terminal().context("cannot leave the terminal")?;
    }
    match &wanted.config {
        Some(file) if wanted.mailboxes_only => {
            let start = Start {
                scale: Scale::Host,
                config_directory: None,
                dovecot: DovecotFile::At(file.clone()),
            };
            run_system(start, wanted.single)
        }
        Some(directory) => {
            let start = Start {
                scale: Scale::Host,
                config_directory: Some(directory.clone()),
                dovecot: wanted
                    .dovecot
                    .clone()
                    .map_or(DovecotFile::Beside, DovecotFile::At),
            };
            run_system(start, wanted.single)
        }
        None => {
            let directory = wanted
                .directory
                .clone()
                .unwrap_or_else(|| PathBuf::from("yubin-data"));
            serve_embedded(&directory, wanted.port_base)
        }
    }
}

/// By processes of their own where root starts them, else in this one.
fn run_system(start: Start, single: bool) -> Result<()> {
    let mut tell = |line: &str| eprint_line(line);
    let serves_mta = start.config_directory.is_some();
    let may_part = || identity::missing_default_user(&start::load(&start), serves_mta).is_none();
    if os::is_root() && !single && may_part() {
        supervisor::prepare(start, &mut tell)?.run()
    } else {
        prepare(start, &mut tell)?.run()
    }
}

fn serve_embedded(directory: &Path, port_base: Option<u16>) -> Result<()> {
    let ports = Ports::above(port_base.unwrap_or(PORT_BASE)).context("the port base is too large")?;
    let user = os::identity::is_root()
        .then(|| identity::embedded_user(directory))
        .transpose()?;
    if let Some(user) = &user
        && let Some(closed) = identity::closed_on_the_way(directory, user)?
    {
        bail!(
            "{} is closed to {}, as whom the mail system runs when root starts it: choose another place with --dir, \
             such as /var/lib/yubin",
            closed.display(),
            user.name
        );
    }
    let own = os::identity::Identity::current();
    let owner = user.as_ref().map_or(
        Owner {
            uid: own.uid,
            gid: own.gid,
        },
        |user| Owner {
            uid: user.uid,
            gid: user.gid,
        },
    );
    let prepared = embedded::prepare(directory, ports, owner)?;
    if let Some(user) = &user {
        let handed = os::ownership::give_tree(directory, user.uid, user.gid);
        handed.with_context(|| format!("cannot give {} to {}", directory.display(), user.name))?;
        identity::become_user(user)?;
    }
    let start = Start {
        scale: Scale::Embedded,
        config_directory: Some(prepared.config_directory.clone()),
        dovecot: DovecotFile::Beside,
    };
    let ready = prepare(start, &mut |line| eprint_line(line))?;
    let served = ready.ports();
    if port_base.is_some() && !served.iter().any(|(_, port)| *port == ports.smtp) {
        eprint_line(&format!(
            "yubin: --port-base has no effect: the ports are in master.cf and dovecot.conf in {}/etc by now",
            directory.display()
        ));
    }
    ready.run_and_tell(|| show(directory, &prepared, &served))?;
    print_line("Stopped.");
    Ok(())
}

/// The screen: where everything is, and three lines to try it.
fn show(directory: &Path, prepared: &Prepared, ports: &[(Offer, u16)]) {
    let program =
        std::env::current_exe().map_or_else(|_| "yubin".to_owned(), |path| path.display().to_string());
    let config = prepared.config_directory.display();
    print_line(&format!(
        "Yubin serves mail below {} on 127.0.0.1 and ::1. Ctrl-C stops it.",
        directory.display()
    ));
    print_line("");
    for line in port_lines(ports) {
        print_line(&format!("  {line}"));
    }
    print_line("");
    for (name, password) in &prepared.new_accounts {
        print_line(&format!("  account {name:<6} password {password}"));
    }
    if prepared.new_accounts.is_empty() {
        print_line(&format!(
            "  Accounts: {config}/users (passwords were shown on the first start; `doveadm pw` makes new ones)"
        ));
    }
    let password = prepared
        .new_accounts
        .first()
        .map_or("PASSWORD", |(_, password)| password.as_str());
    print_line("");
    print_line("Send a mail:");
    print_line(&format!(
        "  echo Hello | MAIL_CONFIG={config} {program} mail -s test alice"
    ));
    print_line("See the queue:");
    print_line(&format!("  MAIL_CONFIG={config} {program} mailq"));
    if let Some((_, imaps)) = ports
        .iter()
        .find(|(offer, _)| *offer == Offer::Imap { tls: true })
    {
        print_line("Read it:");
        print_line(&format!(
            "  curl -sk --user alice:{password} 'imaps://127.0.0.1:{imaps}/INBOX;MAILINDEX=1'"
        ));
    }
}

/// `SMTP 2525   submission 2587, 2465 (TLS)` and `IMAP 2143, 2993 (TLS)   POP3 2110, 2995 (TLS)`
fn port_lines(ports: &[(Offer, u16)]) -> [String; 2] {
    let offered = |name: &str, kind: fn(Offer) -> Option<bool>| {
        let numbers: Vec<String> = ports
            .iter()
            .filter_map(|(offer, port)| {
                Some(match kind(*offer)? {
                    true => format!("{port} (TLS)"),
                    false => port.to_string(),
                })
            })
            .collect();
        match numbers.is_empty() {
            true => format!("no {name}"),
            false => format!("{name} {}", numbers.join(", ")),
        }
    };
    let smtp = offered("SMTP", |offer| match offer {
        Offer::Smtp { tls } => Some(tls),
        _ => None,
    });
    let submission = offered("submission", |offer| match offer {
        Offer::Submission { tls } => Some(tls),
        _ => None,
    });
    let imap = offered("IMAP", |offer| match offer {
        Offer::Imap { tls } => Some(tls),
        _ => None,
    });
    let pop3 = offered("POP3", |offer| match offer {
        Offer::Pop3 { tls } => Some(tls),
        _ => None,
    });
    [format!("{smtp}   {submission}"), format!("{imap}   {pop3}")]
}
