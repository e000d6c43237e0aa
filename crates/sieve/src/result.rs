//! Adding actions to a run's result: duplicates, conflicts, limits (RFC 5228 §2.10, RFC 5429 §2.1, RFC 5230 §4.7).

use std::sync::Arc;

use crate::actions::{Action, Entry, Redirect, Store};
use crate::parts;
use crate::run::{Run, Step};

/// Whether the implicit keep stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Keep {
    /// The action takes its place.
    Cancelled,
    /// `:copy`, or an action that never had to do with it.
    Stays,
}

impl Run<'_> {
    /// Adds `action` for the message as it is now.
    ///
    /// # Errors
    /// It cannot stand beside what is there, or there are too many; told.
    pub(crate) fn add(&mut self, action: Action, keep: Keep) -> Step {
        let copy =
            keep == Keep::Stays && matches!(action, Action::Store(_) | Action::Redirect(_) | Action::Pipe(_));
        let mut entry = Entry {
            action,
            place: self.place(),
            message: Arc::clone(self.mail.bytes()),
            copy,
        };
        if keep == Keep::Cancelled {
            self.keep_cancelled = true;
        }
        if !self.leave_out_told(&mut entry.action) {
            return Ok(());
        }
        for index in 0..self.actions.len() {
            self.spend(1)?;
            let there = &mut self.actions[index];
            match beside(there, &entry) {
                Beside::Nothing => {}
                Beside::Same => return Ok(()),
                Beside::Conflict(text) => return self.fail(text),
            }
        }
        let actions = self.actions.len() + 1;
        if self.settings.actions_max > 0 && actions > self.settings.actions_max {
            let max = self.settings.actions_max;
            return self.fail(format!(
                "total number of actions exceeds policy limit ({actions} > {max})"
            ));
        }
        if matches!(entry.action, Action::Redirect(_)) {
            let is_redirect = |entry: &&Entry| matches!(entry.action, Action::Redirect(_));
            let redirects = self.actions.iter().filter(is_redirect).count() + 1;
            let max = self.settings.redirects_max;
            if redirects > max {
                return self.fail(format!(
                    "number of redirect actions exceeds policy limit ({redirects} > {max})"
                ));
            }
        }
        self.actions.push(entry);
        Ok(())
    }

    /// Nobody is told twice of one message: takes those out of a notification whom another one tells. `false` when nobody is
    /// left of somebody.
    fn leave_out_told(&self, action: &mut Action) -> bool {
        let Action::Notify(new) = action else {
            return true;
        };
        let before = new.to.len() + new.cc.len();
        for entry in &self.actions {
            if let Action::Notify(there) = &entry.action
                && there.deprecated == new.deprecated
            {
                let told = |address: &String| there.to.contains(address) || there.cc.contains(address);
                new.to.retain(|address| !told(address));
                new.cc.retain(|address| !told(address));
            }
        }
        before == 0 || new.to.len() + new.cc.len() > 0
    }
}

/// What a new action is to one that is there.
enum Beside {
    Nothing,
    /// There is nothing more to do.
    Same,
    Conflict(String),
}

fn beside(there: &mut Entry, new: &Entry) -> Beside {
    let place = there.place.clone();
    match (&mut there.action, &new.action) {
        (Action::Store(there), Action::Store(new)) if same_mailbox(there, new) => {
            // The flags of the last one count; a mailbox to be made is made.
            there.flags.clone_from(&new.flags);
            there.create |= new.create;
            Beside::Same
        }
        (Action::Redirect(there), Action::Redirect(new)) if same_recipient(there, new) => Beside::Same,
        (Action::Reject { .. }, Action::Reject { .. }) => {
            Beside::Conflict(duplicate("reject/ereject", &place))
        }
        (Action::Vacation(_), Action::Vacation(_)) => Beside::Conflict(duplicate("vacation", &place)),
        (Action::Reject { .. }, other) => conflict(other, &new.place),
        (other, Action::Reject { .. }) => conflict(other, &place),
        (Action::Discard, Action::Discard) => Beside::Same,
        (Action::Report(there), Action::Report(new)) if there.address == new.address => Beside::Same,
        (Action::Pipe(there), Action::Pipe(new)) if there == new => Beside::Same,
        (Action::DuplicateMark { key: there, .. }, Action::DuplicateMark { key: new, .. })
            if there == new =>
        {
            Beside::Same
        }
        _ => Beside::Nothing,
    }
}

fn duplicate(name: &str, place: &crate::actions::Place) -> String {
    format!("duplicate {name} action not allowed (previously triggered one was here: {place})")
}

/// What `reject` cannot stand beside.
fn conflict(other: &Action, place: &crate::actions::Place) -> Beside {
    let what = match other {
        Action::Store(_) => "store action",
        Action::Redirect(_) => "redirect action",
        Action::Pipe(_) => "pipe action",
        Action::Vacation(_) => {
            return Beside::Conflict(format!(
                "reject/ereject action conflicts with other action: the vacation action ({place}) also sends a response to the sender"
            ));
        }
        _ => return Beside::Nothing,
    };
    Beside::Conflict(format!(
        "reject/ereject action conflicts with other action: the {what} ({place}) tries to deliver the message"
    ))
}

fn same_mailbox(there: &Store, new: &Store) -> bool {
    let name = |store: &Store| match &store.mailbox {
        None => "INBOX".to_owned(),
        Some(name) if name.eq_ignore_ascii_case("INBOX") => "INBOX".to_owned(),
        Some(name) => name.clone(),
    };
    name(there) == name(new) && there.special_use == new.special_use && there.mailbox_id == new.mailbox_id
}

fn same_recipient(there: &Redirect, new: &Redirect) -> bool {
    match (parts::single(&there.address), parts::single(&new.address)) {
        (Ok(one), Ok(other)) => one.is(&other),
        _ => there.address == new.address,
    }
}
