//! SELECT, EXAMINE, CLOSE: which mailbox the session is in.

use mailbox::store::Status;
use mailbox::{SystemFlags, UidSet};

use super::reply::Context;
use super::view::View;
use super::{Event, Session};
use crate::extensions::objectid;
use crate::login::one_line;
use crate::wire::Result;
use crate::wire::select::{Known, Parameters};

impl Session {
    pub(crate) fn select(&mut self, tag: &str, raw: &[u8], read_only: bool, parameters: Result<Parameters>) {
        if self.view.take().is_some() {
            self.say("* OK [CLOSED] Previous mailbox closed.");
        }
        let verb = if read_only { "EXAMINE" } else { "SELECT" };
        let Parameters { condstore, known } = match parameters {
            Ok(parameters) => parameters,
            Err(error) => {
                return self.bad(tag, &one_line(&format!("Error in IMAP command {verb}: {error}")));
            }
        };
        if known.is_some() && !self.qresync {
            return self.bad(tag, &format!("Error in IMAP command {verb}: QRESYNC not enabled"));
        }
        self.condstore |= condstore;
        let Some(name) = self.name(tag, raw) else { return };
        match self.open(&name, read_only) {
            Ok((view, status)) => {
                self.tell_selected(view, status);
                let text = if self.view.as_ref().is_some_and(|view| view.read_only) {
                    "OK [READ-ONLY]"
                } else {
                    "OK [READ-WRITE]"
                };
                let verb = if read_only { "Examine" } else { "Select" };
                let ok = format!("{text} {verb} completed.");
                match known {
                    Some(known) => self.tell_changes_since(tag, ok, &known),
                    None => self.tagged(tag, &ok),
                }
            }
            Err(error) => self.store_failed(tag, &error, Context::Other),
        }
    }

    /// Says what vanished and what changed since the client knew the mailbox, and ends the command with `ok`.
    fn tell_changes_since(&mut self, tag: &str, ok: String, known: &Known) {
        let same = self
            .view
            .as_ref()
            .is_some_and(|view| view.uid_validity == known.uid_validity);
        if !same {
            // Nothing of what the client knows is about this mailbox.
            return self.tagged(tag, &ok);
        }
        self.tell_what_vanished(known);
        self.fetch_changed(tag, ok, known);
    }

    fn open(&mut self, name: &mailbox::MailboxName, read_only: bool) -> mailbox::Result<(View, Status)> {
        let opened = self.store.open(name)?;
        let status = self.store.status(&opened.id)?;
        let changes = self.store.changes(&opened.id, 0)?;
        let read_only = read_only || opened.read_only;
        let mut view = View::new(opened, name.clone(), read_only, changes);
        view.rights = self.store.my_rights(name)?;
        let claimed = if read_only {
            Ok(UidSet::new())
        } else {
            self.store.claim_recent(&view.id)
        };
        // A mailbox on a full disk must stay readable.
        let recent = claimed.unwrap_or_else(|error| {
            let text = format!("Claiming recent mail: {error}");
            self.events.push_back(Event::Problem(text));
            UidSet::new()
        });
        view.claim(&recent);
        Ok((view, status))
    }

    fn tell_selected(&mut self, mut view: View, status: Status) {
        view.tell_flag_lists(&mut self.output);
        view.unclaimed = status.recent as usize;
        view.modseq_told = view.modseq;
        let recent = view.recent_count();
        view.tell_counts(&mut self.output, recent);
        let unseen = view
            .rows
            .iter()
            .position(|row| !row.state.flags.system.contains(SystemFlags::SEEN));
        if let Some(index) = unseen {
            self.say(&format!("* OK [UNSEEN {}] First unseen.", index + 1));
        }
        self.say(&format!("* OK [UIDVALIDITY {}] UIDs valid", view.uid_validity));
        self.say(&format!("* OK [UIDNEXT {}] Predicted next UID", view.uid_next));
        // Modseqs are always kept, and RFC 7162 §3.1.2.1 wants every client told.
        self.say(&format!("* OK [HIGHESTMODSEQ {}] Highest", view.modseq));
        let id = objectid::mailbox_id(view.object_id);
        self.say(&format!("* OK [MAILBOXID ({id})] Mailbox ID"));
        self.view = Some(Box::new(view));
    }

    /// CLOSE: expunges without a word, then leaves the mailbox.
    pub(crate) fn close(&mut self, tag: &str) {
        let Some(view) = self.view.take() else { return };
        if !view.read_only && view.may_not_expunge() {
            return self.tagged(tag, "OK Closed without expunging: Permission denied.");
        }
        let mut modseq = None;
        if !view.read_only {
            let mut all = UidSet::new();
            if let Some(last) = view.rows.last() {
                all.insert_range(1, last.state.uid);
                match self.store.expunge(&view.id, &all) {
                    Ok(expunged) => {
                        self.traffic.expunged += expunged.count();
                        if !expunged.is_empty() && self.qresync {
                            modseq = self
                                .store
                                .status(&view.id)
                                .ok()
                                .map(|status| status.highest_modseq);
                        }
                    }
                    Err(error) => return self.store_failed(tag, &error, Context::Other),
                }
            }
        }
        self.tagged_with(tag, modseq, "OK Close completed.");
    }
}
