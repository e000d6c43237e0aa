//! One mailbox session on standard input, in the manner of inetd(8) and of `ssh HOST imap`: with a client of the network that
//! must log in first, or with the user who starts it.

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, Shutdown, SocketAddr};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use auth::{Account, Auth, Authority, Ticket};
use maillog::lines::login::session_id;
use maillog::{Destination, Destinations, Facility, Log, Options};
use serve::Link;
use serve::handover::{Handover, Protocol};
use settings::{Dovecot, Postfix};

use crate::certificates::Certificates;
use crate::generation::{Generation, Kept};
use crate::glue::Here;
use crate::log_files;
use crate::running::Running;
use crate::snapshot::Snapshot;
use crate::start::{Start, load};
use crate::supervisor;

pub use ipc::roles::Purpose;

/// How much is carried at once between standard input and the session, in octets.
const PIECE_BYTES: usize = 32 * 1024;

/// Serves a client of the network until its session ends. Started by root, the roles are processes of their own and none
/// that hears the client is root; started by a user, it serves that user's mailboxes.
///
/// # Errors
/// What makes it impossible.
pub fn serve(start: Start, purpose: Purpose, socket: OwnedFd) -> Result<()> {
    if os::is_root() {
        return supervisor::serve_one(start, purpose, socket);
    }
    os::signals::ignore_sigpipe();
    let loaded = load(&start);
    if loaded.has_errors() {
        bail!("the configuration has errors (see doveconf -n)");
    }
    let log = users_log(&loaded.postfix, loaded.dovecot.as_ref())?;
    let snapshot = Snapshot::of(&loaded)?;
    let certificates = Certificates::of(&snapshot.keys)?;
    let kept = Kept {
        queue: None,
        log: log.clone(),
        anvil: Arc::default(),
        verifications: Arc::default(),
        connections: Arc::default(),
        hosts: Arc::default(),
    };
    let agents = Here::default();
    let done = runtime()?.block_on(async {
        let doors = agents.doors(&snapshot, &log);
        let generation = Generation::build(&snapshot, &kept, doors, &certificates)?;
        Running::new(generation, kept)
            .converse_with(&purpose, socket)
            .await;
        agents.open.closed().await;
        Ok(())
    });
    log.flush();
    done
}

/// The log's files are seldom open to users: then syslog has the lines.
fn users_log(postfix: &Postfix, dovecot: Option<&Dovecot>) -> Result<Log> {
    let options = log_files::options(postfix, dovecot)?;
    Log::open(&options).or_else(|_| {
        Ok(Log::open(&Options {
            to: Destinations::all(Destination::Syslog(Facility::MAIL)),
            ..options
        })?)
    })
}

fn runtime() -> Result<tokio::runtime::Runtime> {
    tables::waiting::go_through(serve::waiting::step_aside);
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .context("cannot start the runtime")
}

/// Serves the user who starts this, on `input` and `output`, without a login (RFC 3501 §7.1.4: PREAUTH).
///
/// # Errors
/// What makes it impossible: among it that this is root, or that the userdb gives the user another uid.
pub fn serve_user(
    start: &Start,
    protocol: Protocol,
    input: impl Read + Send + 'static,
    output: impl Write + Send + 'static,
) -> Result<()> {
    let loaded = load(start);
    let Some(dovecot) = loaded.dovecot.clone().filter(|_| !loaded.has_errors()) else {
        bail!("the configuration has errors (see doveconf -n)");
    };
    let account = own_account(&dovecot)?;
    let log = users_log(&loaded.postfix, Some(&dovecot))?;
    let (near, far) = UnixStream::pair().context("cannot make a socket")?;
    let carried = carry(near, input, output)?;
    let sessions = agent::Sessions {
        settings: Arc::new(dovecot),
        log: log.clone(),
        stores: Arc::default(),
        farewell: Arc::default(),
    };
    runtime()?.block_on(async {
        let nobody = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
        let mut link = Link::handed(far.into(), nobody, nobody)?;
        link.send(greeting(protocol, &account, &sessions.settings).as_bytes())
            .await?;
        let handover = Handover {
            protocol,
            link,
            unread: Vec::new(),
            account,
            ticket: Ticket::default(),
            session: session_id(serve::clock::now(), 0, nobody.ip()),
            hold: Box::new(()),
        };
        tokio::spawn(async move { sessions.run(handover).await }).await?;
        anyhow::Ok(())
    })?;
    log.flush();
    // What the session said last is to be written.
    carried
        .join()
        .map_err(|_| anyhow::anyhow!("the output ended early"))
}

fn greeting(protocol: Protocol, account: &Account, dovecot: &Dovecot) -> String {
    match protocol {
        Protocol::Imap => {
            let capabilities = imap::extensions::capabilities(&agent::offered(dovecot));
            format!(
                "* PREAUTH [CAPABILITY {capabilities}] Logged in as {}\r\n",
                account.user
            )
        }
        Protocol::Pop3 => "+OK Logged in.\r\n".to_owned(),
    }
}

fn own_account(dovecot: &Dovecot) -> Result<Account> {
    let uid = os::identity::Identity::current().uid;
    if uid == 0 {
        bail!("root has no mail session of its own: mail is never handled as root");
    }
    let user = os::users::user_by_uid(uid)?.with_context(|| format!("user id {uid} has no name"))?;
    let (auth, _) = Auth::new(dovecot);
    let recipient = auth
        .recipient(&user.name)
        .map_err(|why| anyhow::anyhow!("cannot look up user {}: {why}", user.name))?;
    let account = recipient
        .with_context(|| format!("user {} has no mail here", user.name))?
        .account;
    if account.uid != uid {
        bail!(
            "the mail of user {} belongs to user id {}, and this is {uid}",
            user.name,
            account.uid
        );
    }
    Ok(account)
}

/// Carries between the session's socket and the program's input and output. The thread that it gives ends when the session has
/// said its last word.
fn carry(
    near: UnixStream,
    mut input: impl Read + Send + 'static,
    mut output: impl Write + Send + 'static,
) -> Result<std::thread::JoinHandle<()>> {
    let mut inward = near.try_clone().context("cannot make a socket")?;
    std::thread::spawn(move || {
        pass(&mut input, &mut inward);
        // The session hears that nothing more comes.
        let _ = inward.shutdown(Shutdown::Write);
    });
    let mut outward = near;
    Ok(std::thread::spawn(move || pass(&mut outward, &mut output)))
}

/// Until either end is closed; whoever is at the other one learns it.
fn pass(from: &mut impl Read, to: &mut impl Write) {
    let mut piece = vec![0; PIECE_BYTES];
    loop {
        match from.read(&mut piece) {
            Ok(0) => return,
            Ok(length) => {
                if to.write_all(&piece[..length]).and_then(|()| to.flush()).is_err() {
                    return;
                }
            }
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(_) => return,
        }
    }
}
