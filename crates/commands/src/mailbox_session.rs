//! `imap` and `pop3` on standard input: for a client that inetd(8) accepted, which must log in, or for the user who calls it
//! (`ssh HOST yubin imap`).

use std::fs::{File, OpenOptions};
use std::os::fd::{AsFd, OwnedFd};
use std::process::ExitCode;

use config::DovecotFile;
use ipc::roles::Protocol;
use master::inetd::{self, Purpose};
use master::running::Scale;
use master::start::Start;
use rustix::net::{AddressFamily, sockopt};

use crate::{EX_USAGE, Invocation, configuration, print_line};

const HELP: &str = "\
usage: imap [-c FILE] [--tls]     (pop3 likewise)

Serves one mailbox session on standard input and output. When that is a connection of the network, as inetd and xinetd give it,
the client must log in; started by root it is served by processes that are not. Else the session is that of the user who calls
the command, without a login: ssh HOST yubin imap

  -c FILE   reads FILE, or the dovecot.conf in the directory FILE, instead of /etc/yubin/dovecot.conf or /etc/dovecot/dovecot.conf
  --tls     TLS begins with the connection (imaps, pop3s)";

/// Runs the command.
pub(crate) fn run(invocation: &Invocation) -> ExitCode {
    if invocation.wants_help() {
        print_line(HELP);
        return ExitCode::SUCCESS;
    }
    let protocol = match invocation.name.as_str() {
        "pop3" => Protocol::Pop3,
        _ => Protocol::Imap,
    };
    let (mut file, mut tls) = (None, false);
    let mut args = invocation.args.iter();
    while let Some(arg) = args.next() {
        match (arg.as_str(), args.as_slice().first()) {
            ("--tls", _) => tls = true,
            ("-c", Some(named)) => {
                file = Some(configuration::named_dovecot_file(named));
                args.next();
            }
            _ => {
                invocation.complain(format!("there is no option \"{arg}\" (see --help)"));
                return ExitCode::from(EX_USAGE);
            }
        }
    }
    let start = Start {
        scale: Scale::Host,
        config_directory: None,
        dovecot: DovecotFile::At(file.unwrap_or_else(configuration::dovecot_file)),
    };
    let done = if is_network(std::io::stdin()) {
        take_socket().and_then(|socket| inetd::serve(start, Purpose::Login(protocol, tls), socket))
    } else {
        inetd::serve_user(&start, protocol, std::io::stdin(), std::io::stdout())
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            invocation.complain(os::with_causes(error.as_ref()));
            ExitCode::FAILURE
        }
    }
}

fn is_network(descriptor: impl AsFd) -> bool {
    let family = sockopt::socket_domain(descriptor);
    family.is_ok_and(|family| family == AddressFamily::INET || family == AddressFamily::INET6)
}

/// The client's socket, which inetd has put on all three standard descriptors: nobody but the session may speak to the client,
/// and the connection ends with it.
fn take_socket() -> anyhow::Result<OwnedFd> {
    let socket = std::io::stdin().as_fd().try_clone_to_owned()?;
    rustix::stdio::dup2_stdin(File::open("/dev/null")?)?;
    let nothing = OpenOptions::new().write(true).open("/dev/null")?;
    if is_network(std::io::stdout()) {
        rustix::stdio::dup2_stdout(&nothing)?;
    }
    if is_network(std::io::stderr()) {
        rustix::stdio::dup2_stderr(&nothing)?;
    }
    Ok(socket)
}
