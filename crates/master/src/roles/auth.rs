//! The auth role: verifies passwords, looks users up, issues tickets and redeems them.

use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Instant;

use anyhow::Result;
use auth::memory::Memory;
use auth::socket::{Bound, Sockets};
use auth::tickets::Tickets;
use auth::{Account, Auth, Authority};
use ipc::channel::Inbox;
use ipc::roles::{AuthSocket, Message, Order};
use maillog::Log;
use settings::Dovecot;

use super::line::Line;
use super::{Begun, Slice};
use crate::auth_sockets;

type Current = Arc<RwLock<Arc<dyn Authority>>>;

pub(super) fn run(begun: Begun, mut inbox: Inbox, line: Line) -> Result<()> {
    let (log, tickets) = (begun.log, Arc::new(Tickets::default()));
    let sockets = Sockets::default();
    let mut memory = Memory::default();
    let first = chains(&begun.slice, &sockets, (&log, &mut memory));
    let current: Current = Arc::new(RwLock::new(first));
    line.tell(&Message::Up, Vec::new());
    while let Some((order, mut descriptors)) = inbox.receive::<Order>()? {
        match order {
            Order::Asker(_) => {
                for socket in descriptors.drain(..) {
                    answer(UnixStream::from(socket), &current, &tickets, &log);
                }
            }
            Order::Redeem { number, ticket } => {
                let account = tickets.redeem(&ticket, Instant::now());
                let line = line.clone();
                // The look-up of a user may wait for a directory elsewhere.
                std::thread::spawn(move || {
                    let account = account.map(with_login_name);
                    line.tell(&Message::Redeemed { number, account }, Vec::new());
                });
            }
            Order::Reconfigure(_) => match super::open_slice(&mut descriptors) {
                Ok(slice) => {
                    let new = chains(&slice, &sockets, (&log, &mut memory));
                    *current.write().unwrap_or_else(PoisonError::into_inner) = new;
                }
                Err(error) => super::tell_unreadable(&line, &error),
            },
            Order::AuthSockets(named) => {
                let bound = named.into_iter().zip(descriptors.drain(..));
                let bound = bound.map(|(AuthSocket { path, kind }, socket)| Bound {
                    path,
                    kind,
                    listener: UnixListener::from(socket),
                });
                sockets.listen(bound.collect());
            }
            Order::LogFiles => super::replace_log_files(&log, &begun.slice, descriptors),
            Order::Answer { number, answer } => line.answered(number, answer, descriptors),
            Order::Stop(_) => break,
            Order::Begin(_) | Order::Client(_) | Order::Session(_) | Order::MakeRoom => {}
        }
    }
    log.flush();
    Ok(())
}

/// The chains of a configuration, with what those before it remember; from now on they decide on the sockets too.
fn chains(slice: &Slice, sockets: &Sockets, (log, memory): (&Log, &mut Memory)) -> Arc<dyn Authority> {
    let defaults = Dovecot::defaults();
    let (auth, problems) = Auth::new(slice.snapshot.dovecot.as_ref().unwrap_or(&defaults));
    let problems = problems.iter().map(ToString::to_string);
    problems.for_each(|problem| log.mailbox_error("auth", &problem));
    let authority: Arc<dyn Authority> = Arc::new(
        auth.remembering(memory)
            .telling(crate::auth_notes::to(log.clone())),
    );
    let tell = auth_sockets::teller(slice.snapshot.dovecot.as_ref(), log);
    sockets.decided_by(Arc::clone(&authority), tell);
    authority
}

/// Answers one front, in threads of its own.
fn answer(socket: UnixStream, current: &Current, tickets: &Arc<Tickets>, log: &Log) {
    let (current, tickets, log) = (Arc::clone(current), Arc::clone(tickets), log.clone());
    std::thread::spawn(move || {
        let authority = move || Arc::clone(&current.read().unwrap_or_else(PoisonError::into_inner));
        let issue = move |account: &Account| tickets.issue(account, Instant::now());
        if let Err(error) = ipc::logins::answer(socket, authority, issue) {
            log.mailbox_error("auth", &format!("the front speaks another language: {error}"));
        }
    });
}

/// The login name, if the account is a user of the system with that uid: its agent then has that user's groups.
fn with_login_name(account: Account) -> (Account, Option<String>) {
    let user = os::users::user_by_name(&account.user).ok().flatten();
    let name = user.filter(|user| user.uid == account.uid).map(|user| user.name);
    (account, name)
}
