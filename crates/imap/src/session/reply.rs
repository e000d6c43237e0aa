//! What every command needs to answer: lines, tagged results, the store's errors in IMAP's words.

use mailbox::Error as StoreError;
use mailbox::{MailboxName, ModSeq, mutf7};

use super::view::Telling;
use super::{BAD_COMMANDS_MAX, Event, Session};
use crate::extensions::notify::Interest;
use crate::login::one_line;
use crate::wire::decode::Refusal;
use crate::wire::encode;

impl Session {
    /// Writes one line.
    pub(crate) fn say(&mut self, line: &str) {
        self.output.extend_from_slice(line.as_bytes());
        self.output.extend_from_slice(b"\r\n");
    }

    /// Ends a command after which EXPUNGE may be told.
    pub(crate) fn complete(&mut self, tag: &str, text: &str) {
        let modseq = self.sync(true, false);
        self.tagged_with(tag, modseq, text);
    }

    /// Writes the tagged line; an OK without a code tells the modseq up to which the client knows everything now.
    pub(crate) fn tagged_with(&mut self, tag: &str, modseq: Option<ModSeq>, text: &str) {
        match (modseq, text.strip_prefix("OK ")) {
            (Some(modseq), Some(rest)) if !rest.starts_with('[') => {
                if let Some(view) = &mut self.view {
                    view.modseq_told = modseq;
                }
                self.tagged(tag, &format!("OK [HIGHESTMODSEQ {modseq}] {rest}"));
            }
            _ => self.tagged(tag, text),
        }
    }

    /// Writes the tagged line.
    pub(crate) fn tagged(&mut self, tag: &str, text: &str) {
        if !self.finished {
            self.say(&format!("{tag} {text}"));
        }
    }

    /// The command makes no sense.
    pub(crate) fn bad(&mut self, tag: &str, text: &str) {
        self.bad_commands += 1;
        self.say(&format!("{tag} BAD {text}"));
        if self.bad_commands >= BAD_COMMANDS_MAX {
            self.say("* BYE Too many invalid IMAP commands.");
            self.finish("Too many invalid IMAP commands");
        }
    }

    /// The command could not be read.
    pub(crate) fn refuse(&mut self, refusal: Refusal) {
        match (refusal.tag, refusal.name) {
            (Some(tag), Some(name)) => {
                self.bad(
                    &tag,
                    &one_line(&format!("Error in IMAP command {name}: {}", refusal.error)),
                );
            }
            (Some(tag), None) => self.bad(&tag, "Error in IMAP command: Invalid command name."),
            (None, _) => self.bad("*", "Error in IMAP tag: Invalid tag."),
        }
    }

    /// Asks the store what happened to the selected mailbox and tells the client. With QRESYNC, gives the mailbox's modseq when
    /// the client has not been told that it knows everything up to it.
    pub(crate) fn sync(&mut self, expunges: bool, uids: bool) -> Option<ModSeq> {
        let interest = self.interest();
        let view = self.view.as_mut()?;
        let telling = Telling {
            interest,
            expunges,
            vanished: self.qresync,
            uids: uids || self.qresync,
            modseqs: self.condstore,
        };
        let rows_before = view.rows.len();
        if interest == Interest::Own {
            // What others do waits until the client asks for it again: its numbers stay what they are.
            view.tell(&mut self.output, telling);
            return None;
        }
        match self.store.changes(&view.id, view.modseq) {
            Ok(changes) if changes.uid_validity != view.uid_validity => {
                self.mailbox_lost("Mailbox was replaced: its UIDVALIDITY changed");
                return None;
            }
            Ok(changes) => view.absorb(changes, interest, self.condstore),
            Err(StoreError::NoSuchMailbox(_) | StoreError::UidValidityChanged) => {
                self.mailbox_lost("Mailbox was deleted under us");
                return None;
            }
            Err(error) => self
                .events
                .push_back(Event::Problem(format!("Looking for changes: {error}"))),
        }
        if view.rows.len() > rows_before && view.read_only {
            // What nobody has claimed is recent to those who only look, too.
            let recent = self.store.status(&view.id).map(|status| status.recent as usize);
            view.unclaimed = recent.unwrap_or(view.unclaimed);
        }
        if view.rows.len() > rows_before && !view.read_only {
            match self.store.claim_recent(&view.id) {
                Ok(recent) => view.claim(&recent),
                Err(error) => self
                    .events
                    .push_back(Event::Problem(format!("Claiming recent mail: {error}"))),
            }
        }
        if view.contexts.is_empty() {
            view.tell(&mut self.output, telling);
        } else {
            self.tell_with_updates(telling);
        }
        let view = self.view.as_mut().filter(|_| self.qresync)?;
        view.untold_modseq()
    }

    /// The selected mailbox is no more what the client knows: there is no way to say so but BYE.
    fn mailbox_lost(&mut self, why: &'static str) {
        self.say(&format!("* BYE {why}, have to disconnect."));
        self.finish(why);
    }

    /// Answers a failure of the store.
    pub(crate) fn store_failed(&mut self, tag: &str, error: &StoreError, context: Context) {
        let text = self.error_text(error, context);
        self.sync(true, false);
        self.tagged(tag, &format!("NO {text}"));
    }

    /// The response code and the text for a failure of the store. What only the administrator should read goes
    /// to the log.
    pub(crate) fn error_text(&mut self, error: &StoreError, context: Context) -> String {
        let (code, text) = match error {
            StoreError::NoSuchMailbox(_) => match context {
                Context::Destination => ("[TRYCREATE] ", error.to_string()),
                Context::Managing => ("[NONEXISTENT] ", error.to_string()),
                Context::Other => ("", error.to_string()),
            },
            StoreError::MailboxExists(_) => ("[ALREADYEXISTS] ", "Mailbox already exists".to_owned()),
            StoreError::InvalidName(_, why) => ("[CANNOT] ", format!("Invalid mailbox name: {why}")),
            StoreError::HasChildren(_) => ("", error.to_string()),
            StoreError::NotSelectable(_) => ("", "Mailbox isn't selectable".to_owned()),
            StoreError::NoSuchMessage(_) => (
                "[EXPUNGEISSUED] ",
                "Some of the requested messages no longer exist.".to_owned(),
            ),
            StoreError::NoPermission(_) => ("[NOPERM] ", "Permission denied".to_owned()),
            StoreError::ReadOnly(_) => ("[NOPERM] ", error.to_string()),
            StoreError::OverLimit(_) => ("[OVERQUOTA] ", error.to_string()),
            StoreError::Locked(_) => ("[INUSE] ", "Mailbox is locked, try again later".to_owned()),
            StoreError::UidValidityChanged => ("", error.to_string()),
            StoreError::Damaged(_) | StoreError::Io { .. } => {
                self.events.push_back(Event::Problem(error.to_string()));
                (
                    "[SERVERBUG] ",
                    "Internal error occurred. Refer to server log for more information.".to_owned(),
                )
            }
        };
        format!("{code}{}", one_line(&text))
    }

    /// A mailbox name from the wire; says NO and gives nothing when it is not one.
    pub(crate) fn name(&mut self, tag: &str, raw: &[u8]) -> Option<MailboxName> {
        match self.decoded_name(raw) {
            Ok(name) => Some(name),
            Err(text) => {
                self.tagged(tag, &text);
                None
            }
        }
    }

    /// A mailbox name from the wire.
    ///
    /// # Errors
    /// What the tagged answer says.
    pub(crate) fn decoded_name(&self, raw: &[u8]) -> Result<MailboxName, String> {
        let name = match self.utf8 {
            true => std::str::from_utf8(raw).ok().map(str::to_owned),
            false => mutf7::decode(raw),
        };
        match name {
            Some(name) if name.is_empty() => {
                Err("NO [CANNOT] Invalid mailbox name: Name is empty".to_owned())
            }
            Some(name) => Ok(MailboxName::new(&name, self.separator())),
            None if self.utf8 => Err("NO Mailbox name is not valid UTF-8".to_owned()),
            None => Err("NO Mailbox name is not valid mUTF-7".to_owned()),
        }
    }

    /// A name as the client wrote it, so that it finds its answer: INBOX has no case.
    pub(crate) fn push_as_written(&mut self, raw: &[u8]) {
        match std::str::from_utf8(raw) {
            Ok(raw) if self.utf8 => encode::utf8_astring(&mut self.output, raw),
            _ => encode::astring(&mut self.output, raw),
        }
    }

    /// A mailbox name as a client would write it, without quotes.
    pub(crate) fn written(&self, name: &MailboxName) -> Vec<u8> {
        match self.utf8 {
            true => name.as_str().as_bytes().to_vec(),
            false => mutf7::encode(name.as_str()).into_bytes(),
        }
    }

    /// A mailbox name for the wire: an astring.
    pub(crate) fn encoded_name(&self, name: &str) -> Vec<u8> {
        let mut out = Vec::new();
        match self.utf8 {
            true => encode::utf8_astring(&mut out, name),
            false => encode::astring(&mut out, mutf7::encode(name).as_bytes()),
        }
        out
    }

    /// The hierarchy separator of the personal namespace.
    pub(crate) fn separator(&self) -> char {
        self.store
            .namespaces()
            .first()
            .map_or('/', |namespace| namespace.separator)
    }
}

/// What a mailbox that does not exist was to be used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Context {
    /// Messages were to go there.
    Destination,
    /// It was to be deleted or renamed.
    Managing,
    /// Anything else.
    Other,
}
