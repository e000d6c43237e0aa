//! Carrying out actions on paper: mails go to a list, messages to whatever takes them. For `sieve-test -e` and the tests of
//! `sieve-testsuite`.

use std::sync::Arc;

use sieve::compose::{self, Circumstances, Outgoing};
use sieve::testing::{Executed, Sent};
use sieve::{Action, Diagnostic, Entry, Envelope, Settings, Severity, Store};

use super::now;

/// What messages are stored in.
pub(super) trait Mailboxes {
    /// Puts a message into a mailbox.
    ///
    /// # Errors
    /// Why not.
    fn store(&mut self, store: &Store, message: &[u8]) -> Result<(), String>;

    /// Gives a message to a program.
    ///
    /// # Errors
    /// Why not.
    fn pipe(&mut self, pipe: &sieve::Pipe, message: &[u8]) -> Result<(), String>;
}

/// Nothing is stored anywhere, and no program is run.
#[derive(Debug)]
pub(super) struct NoMailboxes;

impl Mailboxes for NoMailboxes {
    fn store(&mut self, _store: &Store, _message: &[u8]) -> Result<(), String> {
        Ok(())
    }

    fn pipe(&mut self, _pipe: &sieve::Pipe, _message: &[u8]) -> Result<(), String> {
        Ok(())
    }
}

/// Actions being carried out.
#[derive(Debug)]
pub(super) struct Execution<'a> {
    settings: &'a Settings,
    envelope: &'a Envelope,
    host: String,
    log: Vec<Diagnostic>,
    succeeded: bool,
}

/// Numbers of the mails of this process.
static NUMBER: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);

impl<'a> Execution<'a> {
    pub(super) fn new(settings: &'a Settings, envelope: &'a Envelope) -> Execution<'a> {
        Execution {
            settings,
            envelope,
            host: os::hostname::hostname(),
            log: Vec::new(),
            succeeded: true,
        }
    }

    /// Carries out all of `entries`: first what is stored or given away, then what is sent.
    pub(super) fn all(
        &mut self,
        entries: &[Entry],
        mailboxes: &mut dyn Mailboxes,
        sent: &mut Vec<Sent>,
    ) -> Executed {
        for entry in entries {
            self.one(entry, mailboxes, sent);
        }
        Executed {
            succeeded: self.succeeded,
            log: std::mem::take(&mut self.log),
        }
    }

    fn say(&mut self, entry: &Entry, severity: Severity, text: String) {
        self.log.push(Diagnostic {
            script: Arc::clone(&entry.place.script),
            position: entry.place.position,
            severity,
            text,
        });
    }

    fn fail(&mut self, entry: &Entry, text: String) {
        self.succeeded = false;
        self.say(entry, Severity::Error, text);
    }

    fn one(&mut self, entry: &Entry, mailboxes: &mut dyn Mailboxes, sent: &mut Vec<Sent>) {
        let number = NUMBER.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let now = now();
        let unique = format!("yubin-sieve-{}-{}-{number}", now.secs, std::process::id());
        let (settings, envelope, host) = (self.settings, self.envelope, self.host.clone());
        let about = Circumstances {
            settings,
            envelope,
            now,
            host: &host,
            unique: &unique,
        };
        match &entry.action {
            Action::Store(store) => self.store(entry, store, mailboxes),
            Action::Discard | Action::DuplicateMark { .. } => {}
            Action::Redirect(redirect) => post(compose::redirected(&about, redirect, entry), sent),
            Action::Reject { reason, .. } => match compose::refusal(&about, reason, entry) {
                Some(outgoing) => post(outgoing, sent),
                None => self.say(
                    entry,
                    Severity::Info,
                    "reject action: discarded reject to <>".to_owned(),
                ),
            },
            Action::Vacation(vacation) => match compose::vacation(&about, vacation, entry) {
                Ok(outgoing) => {
                    if let Some(copy) = &vacation.fcc {
                        self.copy(entry, copy, &outgoing.message, mailboxes);
                    }
                    post(outgoing, sent);
                }
                Err(why) => self.say(entry, Severity::Info, format!("vacation action: {why}")),
            },
            Action::Notify(notify) => {
                if let Some(outgoing) = compose::notification(&about, notify, entry) {
                    if let Some(copy) = &notify.fcc {
                        self.copy(entry, copy, &outgoing.message, mailboxes);
                    }
                    post(outgoing, sent);
                }
            }
            Action::Report(report) => post(compose::report(&about, report, entry), sent),
            Action::Pipe(pipe) => match mailboxes.pipe(pipe, &entry.message) {
                Err(_) if pipe.tries => {}
                Err(why) => self.fail(entry, format!("pipe action: {why}")),
                Ok(()) => {}
            },
        }
    }

    fn store(&mut self, entry: &Entry, store: &Store, mailboxes: &mut dyn Mailboxes) {
        if let Err(why) = mailboxes.store(store, &entry.message) {
            let name = store.mailbox.as_deref().unwrap_or("INBOX");
            self.fail(
                entry,
                format!("fileinto action: failed to store into mailbox '{name}': {why}"),
            );
        }
    }

    /// A copy that cannot be kept is no reason to send nothing (RFC 8580 §3.1).
    fn copy(&mut self, entry: &Entry, store: &Store, message: &[u8], mailboxes: &mut dyn Mailboxes) {
        if let Err(why) = mailboxes.store(store, message) {
            let name = store.mailbox.as_deref().unwrap_or("INBOX");
            self.say(
                entry,
                Severity::Warning,
                format!("failed to store a copy into mailbox '{name}': {why}"),
            );
        }
    }
}

/// One entry for each recipient.
fn post(outgoing: Outgoing, sent: &mut Vec<Sent>) {
    for recipient in outgoing.recipients {
        sent.push(Sent {
            message: outgoing.message.clone(),
            sender: outgoing.sender.clone(),
            recipient,
        });
    }
}
