//! Mailbox sessions: the machine of the protocol over the account's store, pumped until it ends.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use auth::{Account, Ticket};
use maillog::Log;
use maillog::lines::problem::Problem;
use maillog::lines::session::{ImapCounts, ImapDisconnected, Pop3Disconnected, Who};
use maillog::{Severity, Tag};
use pop3::logout::{Counts, LogoutFormat};
use serve::Link;
use serve::clock::now;
use serve::handover::{Handover, Protocol};
use serve::pump::{End, Host, Step, Work, pump};
use settings::{Connection, Dovecot};
use tokio::sync::Notify;

use crate::autocreate::make_missing;
use crate::crew::{Helpers, SLICE_BYTES};
use crate::farewell::{Farewell, Parting};
use crate::pop3_settings;
use crate::quota::By;
use crate::stores::{self, Stores};

/// How long a POP3 session waits for another one of its account to end (`pop3_lock_session`), as Dovecot does.
const LOCK_WAIT_MAX: Duration = Duration::from_secs(10);
const LOCKED: &[u8] = b"-ERR [IN-USE] Mailbox is locked by another POP3 session.\r\n";

/// What every session of an agent shares.
#[derive(Clone)]
pub struct Sessions {
    /// dovecot.conf.
    pub settings: Arc<Dovecot>,
    /// The log.
    pub log: Log,
    /// Open stores.
    pub stores: Arc<Stores>,
    /// How sessions learn that the system stops.
    pub farewell: Arc<Farewell>,
}

/// What a client hears that has logged in and gets no session.
pub fn sorry(protocol: Protocol) -> &'static [u8] {
    match protocol {
        Protocol::Imap => b"* BYE Internal error occurred. Refer to server log for more information.\r\n",
        Protocol::Pop3 => {
            b"-ERR [SYS/TEMP] Internal error occurred. Refer to server log for more information.\r\n"
        }
    }
}

/// What IMAP sessions offer by these settings.
pub fn offered(settings: &Dovecot) -> imap::extensions::Offered {
    imap::extensions::Offered::by(imap::extensions::Wanted {
        plugins: &settings.mail_plugins,
        literal_minus: settings.imap_literal_minus,
        capability: &settings.imap_capability,
        acl_anyone: settings.plugin.get("acl_anyone").map_or("", String::as_str),
    })
}

impl Sessions {
    /// Runs a session until it ends, by the settings that the filters `local`, `remote` and `protocol` make for it.
    pub async fn run(&self, handover: Handover<Account, Ticket>) {
        if self.settings.filters.is_empty() {
            return self.run_here(handover).await;
        }
        let settings = self.settings.for_connection(Connection {
            protocol: handover.protocol.name(),
            local: Some(handover.link.local.ip()),
            remote: Some(handover.link.remote.ip()),
            local_name: "",
        });
        let sessions = Sessions {
            settings: Arc::new(settings),
            ..self.clone()
        };
        sessions.run_here(handover).await;
    }

    async fn run_here(&self, handover: Handover<Account, Ticket>) {
        let Handover {
            protocol,
            mut link,
            unread,
            account,
            ticket: _,
            session,
            hold: _hold,
        } = handover;
        let name = ServiceName {
            protocol,
            user: account.user.clone(),
            session,
        };
        let store = match self.open(&account, &name) {
            Ok(store) => store,
            Err(error) => {
                self.problem(&name, &error.to_string());
                let sorry = sorry(protocol);
                // A peer that is gone already needs no excuse.
                let _ = link.send(sorry).await;
                link.close().await;
                return;
            }
        };
        let alone = match protocol {
            Protocol::Pop3 if self.settings.pop3_lock_session => match self.alone(&account).await {
                Some(alone) => Some(alone),
                None => {
                    self.log_lost(&name, "Mailbox is locked by another POP3 session.");
                    // A peer that is gone already needs no excuse.
                    let _ = link.send(LOCKED).await;
                    return link.close().await;
                }
            },
            _ => None,
        };
        if protocol == Protocol::Imap {
            let failed = tokio::task::block_in_place(|| make_missing(store.as_ref(), &self.settings));
            for error in failed {
                self.problem(&name, &format!("Failed to autocreate mailbox: {error}"));
            }
        }
        let notify = Arc::new(Notify::new());
        // Held until the link is closed: the farewell waits for it.
        let present = (protocol == Protocol::Imap).then(|| self.farewell.listen());
        let mut host = SessionHost {
            sessions: self,
            name: &name,
            ended: false,
        };
        let end = match protocol {
            Protocol::Imap => {
                let waker = Arc::clone(&notify);
                let settings = self.imap_settings();
                let wake: mailbox::Wake = Arc::new(move || waker.notify_one());
                let mut leaving = self.farewell.listen();
                let mut machine = Parting {
                    session: imap::session::Session::new(store, wake, settings, now()),
                    leaving: leaving.clone(),
                };
                feed(&mut machine, &unread);
                let told = async {
                    // The sender outlives the sessions.
                    let _ = leaving.wait_for(|leaving| *leaving).await;
                    notify.notify_one();
                    std::future::pending().await
                };
                tokio::select! {
                    end = pump(&mut machine, &mut host, &mut link, Work::Blocking, &notify) => end,
                    never = told => never,
                }
            }
            Protocol::Pop3 => {
                let settings = pop3_settings::of(&self.settings, |text| self.problem(&name, text));
                let mut machine = pop3::session::Session::new(store, settings, now());
                feed(&mut machine, &unread);
                pump(&mut machine, &mut host, &mut link, Work::Blocking, &notify).await
            }
        };
        if let (End::Broken(_), false) = (end, host.ended) {
            self.log_lost(&name, "Connection closed");
        }
        drop(alone);
        link.close().await;
        drop(present);
    }

    fn open(&self, account: &Account, name: &ServiceName) -> Result<Arc<dyn mailbox::Store>, stores::Error> {
        let settings = (&*self.settings, By::Session);
        self.stores.of(account, settings, self.reporter(name))
    }

    fn imap_settings(&self) -> imap::session::Settings {
        /// No notice at all is a notice after a year.
        const NEVER_SECS: u64 = 365 * 24 * 3600;
        let settings = &self.settings;
        let notify_secs = match settings.imap_idle_notify_interval.as_secs() {
            0 => NEVER_SECS,
            secs => secs.min(NEVER_SECS),
        };
        imap::session::Settings {
            id: imap::id::fields(&settings.imap_id_send, env!("CARGO_PKG_VERSION")),
            command_bytes_max: usize::try_from(settings.imap_max_line_length).unwrap_or(usize::MAX),
            idle_notify: machine::Stamp::try_from(notify_secs)
                .unwrap_or_default()
                .saturating_mul(machine::SECOND),
            offered: offered(settings),
            search_slice_bytes: SLICE_BYTES,
            crew: Arc::new(Helpers),
        }
    }

    /// For what a store finds damaged; it may outlive this session, whose name it goes on using.
    fn reporter(&self, name: &ServiceName) -> mailbox::Report {
        let (log, name) = (self.log.clone(), name.clone());
        Arc::new(move |text| name.problem(&log, text))
    }

    fn problem(&self, name: &ServiceName, text: &str) {
        name.problem(&self.log, text);
    }

    /// Waits to be the account's only POP3 session (`pop3_lock_session`); `None` when another one stays.
    async fn alone(&self, account: &Account) -> Option<tokio::sync::OwnedMutexGuard<()>> {
        let patience = match self.settings.mail_max_lock_timeout {
            Duration::ZERO => LOCK_WAIT_MAX,
            most => LOCK_WAIT_MAX.min(most),
        };
        let lock = self.stores.lock_of(account).ok()?;
        tokio::time::timeout(patience, lock.lock_owned()).await.ok()
    }

    /// The session ended before the machine could say how.
    fn log_lost(&self, name: &ServiceName, reason: &str) {
        match name.protocol {
            Protocol::Imap => {
                self.log.write(&ImapDisconnected {
                    who: name.who(),
                    reason,
                    counts: ImapCounts::default(),
                });
            }
            Protocol::Pop3 => {
                self.log.write(&Pop3Disconnected {
                    who: name.who(),
                    reason,
                    text: &LogoutFormat::parse(&self.settings.pop3_logout_format).show(&Counts::default()),
                });
            }
        }
    }
}

/// Bytes that came before the session existed. They may ask the store already.
fn feed<M: machine::Machine>(machine: &mut M, unread: &[u8]) {
    if !unread.is_empty() {
        tokio::task::block_in_place(|| machine.feed(unread, now()));
    }
}

/// What a session is called in the log.
#[derive(Clone)]
struct ServiceName {
    protocol: Protocol,
    user: String,
    session: String,
}

impl ServiceName {
    fn problem(&self, log: &Log, text: &str) {
        let tag = Tag::Session {
            service: self.protocol.name(),
            user: &self.user,
            session: &self.session,
        };
        log.write(&Problem {
            tag,
            severity: Severity::Error,
            text,
        });
    }

    fn who(&self) -> Who<'_> {
        Who {
            service: self.protocol.name(),
            user: &self.user,
            session: &self.session,
        }
    }
}

struct SessionHost<'a> {
    sessions: &'a Sessions,
    name: &'a ServiceName,
    ended: bool,
}

impl Host<Parting> for SessionHost<'_> {
    async fn decide(&mut self, event: imap::session::Event, _: &Link) -> Step<Infallible> {
        match event {
            imap::session::Event::Problem(text) => self.sessions.problem(self.name, &text),
            imap::session::Event::Ended(ended) => {
                self.ended = true;
                let counts = imap_counts(&ended.traffic);
                self.sessions.log.write(&ImapDisconnected {
                    who: self.name.who(),
                    reason: ended.reason,
                    counts,
                });
            }
        }
        Step::Done
    }
}

impl Host<pop3::session::Session> for SessionHost<'_> {
    async fn decide(&mut self, event: pop3::session::Event, _: &Link) -> Step<Infallible> {
        match event {
            pop3::session::Event::Problem(text) => self.sessions.problem(self.name, &text),
            pop3::session::Event::Ended(ended) => {
                self.ended = true;
                self.sessions.log.write(&Pop3Disconnected {
                    who: self.name.who(),
                    reason: ended.reason,
                    text: &ended.text,
                });
            }
        }
        Step::Done
    }
}

fn imap_counts(traffic: &imap::session::Traffic) -> ImapCounts {
    ImapCounts {
        in_bytes: traffic.bytes_in,
        out_bytes: traffic.bytes_out,
        deleted: traffic.deleted,
        expunged: traffic.expunged,
        trashed: 0,
        header_count: traffic.headers,
        header_bytes: traffic.header_bytes,
        body_count: traffic.bodies,
        body_bytes: traffic.body_bytes,
    }
}
