//! NOTIFY (RFC 5465): a client says which mailboxes it wants to hear of, and of which events; it is told outside of commands too.
//!
//! A client that asked for nothing of the selected mailbox still hears what its own commands do there: message numbers must not
//! shift unseen.

mod arguments;
mod watching;

use mailbox::store::{MailboxId, Watch};

use super::{Command, Extension};
use crate::session::reply::Context;
use crate::session::{Event, Job, Session};
use crate::wire::Result;
use crate::wire::cursor::Cursor;
use arguments::{Events, Request, Selected, Set};
use watching::{Overflow, Watching};

pub(crate) const EXTENSION: Extension = Extension {
    capabilities: &["NOTIFY"],
    commands: &[Command {
        name: "NOTIFY",
        needs_mailbox: false,
        run: Session::notify,
    }],
};

/// What a client that said NOTIFY is told.
#[derive(Default)]
pub(crate) struct Notify {
    selected: Selected,
    /// The selected mailbox, while it is watched.
    watch: Option<(MailboxId, Watch)>,
    others: Option<Watching>,
    /// Something was heard while a command was under way.
    woken: bool,
}

/// What a client wants to hear of the selected mailbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Interest {
    Everything,
    /// Messages that come and go, not their flags.
    Messages,
    /// Only what its own commands do.
    Own,
}

impl Session {
    fn notify(&mut self, tag: &str, arguments: &mut Cursor<'_>) -> Result<()> {
        match arguments::read(arguments)? {
            Request::Unsupported(events) => {
                let text = format!("NO [BADEVENT {}] Unsupported NOTIFY events", events.join(" "));
                self.complete(tag, &text);
            }
            Request::None => {
                // What happened before is told once more.
                self.sync(true, false);
                self.notify = Some(Box::default());
                self.tagged(tag, "OK NOTIFY completed.");
            }
            Request::Set(set) => self.notify_set(tag, set),
        }
        Ok(())
    }

    fn notify_set(&mut self, tag: &str, set: Set) {
        self.sync(true, false);
        let selected = self.view.as_ref().map(|view| view.name.clone());
        let (store, wake) = (self.store.clone(), self.wake.clone());
        let started = Watching::start(&*store, &set, (selected.as_ref(), &wake), &mut self.output);
        match started {
            Ok(Ok(others)) => {
                self.notify = Some(Box::new(Notify {
                    selected: set.selected.unwrap_or_default(),
                    watch: None,
                    others: Some(others),
                    woken: true,
                }));
                self.watch_selected();
            }
            Ok(Err(Overflow)) => self.notification_overflow(),
            Err(error) => return self.store_failed(tag, &error, Context::Other),
        }
        self.tagged(tag, "OK NOTIFY completed.");
    }

    /// From here on as after NOTIFY NONE (RFC 5465 §5.8).
    fn notification_overflow(&mut self) {
        self.say("* OK [NOTIFICATIONOVERFLOW] Too many mailboxes to watch.");
        self.notify = Some(Box::default());
    }

    /// Watches the selected mailbox if the client wants to hear of it between commands.
    fn watch_selected(&mut self) {
        let Some(notify) = &mut self.notify else { return };
        let wanted = notify.selected.events.has(Events::MESSAGES);
        let Some(view) = self.view.as_ref().filter(|_| wanted) else {
            notify.watch = None;
            return;
        };
        if notify.watch.as_ref().is_some_and(|(id, _)| *id == view.id) {
            return;
        }
        notify.woken = true;
        match self.store.watch(&view.id, self.wake.clone()) {
            Ok(watch) => notify.watch = Some((view.id.clone(), watch)),
            Err(error) => {
                let text = format!("Watching a mailbox: {error}");
                self.events.push_back(Event::Problem(text));
            }
        }
    }

    /// What the client wants to hear of the selected mailbox.
    pub(crate) fn interest(&self) -> Interest {
        match &self.notify {
            None => Interest::Everything,
            Some(notify) if notify.selected.events.has(Events::FLAGS) => Interest::Everything,
            Some(notify) if notify.selected.events.has(Events::MESSAGES) => Interest::Messages,
            Some(_) => Interest::Own,
        }
    }

    /// Something that is watched may have changed.
    pub(crate) fn woken(&mut self) {
        if let Some(notify) = &mut self.notify {
            notify.woken = true;
        }
        match self.job {
            Job::Idle(_) => {
                self.sync_idle();
                self.notice();
            }
            Job::None => self.notice(),
            // Told when that is done.
            Job::Fetch(_) | Job::Append(_) | Job::Search(_) => {}
        }
    }

    /// Between commands: tells a client under NOTIFY what it wants to hear.
    pub(crate) fn notice(&mut self) {
        if self.notify.is_none() || self.finished || matches!(self.job, Job::Fetch(_) | Job::Append(_)) {
            return;
        }
        self.watch_selected();
        let Some(notify) = &mut self.notify else { return };
        if std::mem::take(&mut notify.woken) {
            if notify.watch.is_some() && matches!(self.job, Job::None) {
                let expunges = !notify.selected.delayed;
                self.sync(expunges, false);
            }
            self.tell_of_others();
        }
        self.fetch_new();
    }

    fn tell_of_others(&mut self) {
        let selected = self.view.as_ref().map(|view| view.name.clone());
        let (store, wake) = (self.store.clone(), self.wake.clone());
        let Some(others) = self.notify.as_mut().and_then(|notify| notify.others.as_mut()) else {
            return;
        };
        match others.tell(&*store, (selected.as_ref(), &wake), &mut self.output) {
            Ok(Ok(())) => {}
            Ok(Err(Overflow)) => self.notification_overflow(),
            Err(error) => {
                let text = format!("Looking for changed mailboxes: {error}");
                self.events.push_back(Event::Problem(text));
            }
        }
    }

    /// Answers of new messages what NOTIFY asked for.
    fn fetch_new(&mut self) {
        let (Some(notify), Some(view)) = (&self.notify, &mut self.view) else {
            return;
        };
        let new = view.take_new();
        let items = &notify.selected.items;
        if new.0 < new.1 && !items.is_empty() {
            let items = items.clone();
            self.fetch_unasked(items, new);
        }
    }
}
