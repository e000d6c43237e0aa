//! Delivery into mailboxes of this host, like local(8).
//!
//! In charge of what becomes of a recipient of this host: aliases are expanded, the mailbox is chosen
//! (`home_mailbox`, `mail_spool_directory`), the header that delivery adds is put on top, the mailbox is written.
//! Not in charge of queueing: addresses elsewhere are given back as [`Delivery::forwards`] and go through cleanup.
//! Commands, files and `:include:` in aliases are not there yet: such a recipient is deferred. `~/.forward` is not read yet.
//!
//! Entry: [`Local::deliver`]. Sources: local(8), aliases(5), RFC 5321 §4.4 (Return-Path).
//! Limits: [`expansion::DEPTH_MAX`], [`expansion::TARGETS_MAX`], [`delivered_to::HEADER_BYTES_MAX`].

pub mod delivered_to;
pub mod expansion;
pub mod mailbox;
pub mod task;

use std::io::Read;
use std::path::PathBuf;
use std::sync::Arc;

use address::{Address, Domain};
use envelope::{DeliveryResult, Outcome, Recipient, StatusCode};
use settings::Postfix;
use tables::Tables;

use expansion::Expansion;

/// A user whose mailbox can be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// The login name.
    pub name: String,
    /// Whose files these are.
    pub uid: u32,
    /// Their group.
    pub gid: u32,
    /// Where `home_mailbox` is.
    pub home: Option<PathBuf>,
}

/// What the delivery must know about this host. The answers come from `auth` and `route`.
pub trait Directory: Send + Sync {
    /// The user of that name.
    ///
    /// # Errors
    /// Why it cannot be told now; the recipient is deferred.
    fn user(&self, name: &str) -> Result<Option<User>, String>;

    /// Whether addresses in `domain` are this host's users.
    ///
    /// # Errors
    /// Why it cannot be told now; the recipient is deferred.
    fn is_local(&self, domain: &Domain) -> Result<bool, String>;

    /// Whether files of `uid` can be written by whoever runs this.
    fn may_become(&self, uid: u32) -> bool;
}

/// A message as delivery reads it: lines end in LF.
pub trait Content: Sync {
    /// Its size in octets.
    fn size_bytes(&self) -> u64;

    /// A reader from its beginning.
    fn reader(&self) -> Box<dyn Read + '_>;
}

/// One message for one recipient.
pub struct Job<'a> {
    /// The return path; `None` is the null sender.
    pub sender: Option<&'a Address>,
    /// To whom.
    pub recipient: &'a Recipient,
    /// The message.
    pub content: &'a dyn Content,
    /// Now, in seconds since the Unix epoch.
    pub now_secs: i64,
}

/// What became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// The recipient's outcome. It holds only once `forwards` are in the queue.
    pub outcome: Outcome,
    /// Where the message must be queued anew, with [`Delivery::forward_header`] on top.
    pub forwards: Vec<Address>,
    /// `Delivered-To:` of this recipient: what stops the loop when a forward comes back.
    pub forward_header: String,
}

/// The local delivery agent.
pub struct Local {
    settings: Arc<Postfix>,
    aliases: Tables,
    directory: Arc<dyn Directory>,
}

impl Local {
    /// An agent by `settings`, and the alias tables that cannot be opened: as long as they cannot, mail is deferred.
    pub fn new(settings: Arc<Postfix>, directory: Arc<dyn Directory>) -> (Local, Vec<tables::Error>) {
        let (aliases, problems) = Tables::open(&settings.alias_maps);
        (
            Local {
                aliases,
                settings,
                directory,
            },
            problems,
        )
    }

    /// Delivers one message to one recipient. Blocks; runs on a worker thread.
    pub fn deliver(&self, job: &Job<'_>) -> Delivery {
        let address = &job.recipient.address;
        let forward_header = format!("Delivered-To: {}\n", self.full(address));
        let done = |outcome, forwards| Delivery {
            outcome,
            forwards,
            forward_header: forward_header.clone(),
        };
        // What is for the mailbox itself (`\name`) has nowhere to come back from.
        let is_final = expansion::mailbox_of(address).is_some();
        match delivered_to::already_here(job.content, &self.full(address)) {
            Ok(was_here) if is_final || !was_here => {}
            Ok(_) => {
                let text = format!("mail forwarding loop for {}", self.full(address));
                return done(bounced(StatusCode::permanent(4, 6), text), Vec::new());
            }
            Err(error) => {
                return done(
                    deferred(
                        StatusCode::temporary(3, 0),
                        format!("cannot read queued message: {error}"),
                    ),
                    Vec::new(),
                );
            }
        }
        match self.expand(address) {
            Ok(expansion) => {
                let (outcome, forwards) = self.deliver_expansion(job, expansion);
                done(outcome, forwards)
            }
            Err(outcome) => done(outcome, Vec::new()),
        }
    }

    /// What a delivery to this recipient would come to; nothing is written (`sendmail -bv`). Of an alias with several
    /// targets the text tells each; one that is not deliverable makes the recipient so.
    pub fn verify(&self, recipient: &Address) -> Outcome {
        let expansion = match self.expand(recipient) {
            Ok(expansion) => expansion,
            Err(outcome) => return outcome,
        };
        let users = expansion
            .users
            .iter()
            .map(|name| (name.clone(), self.verify_user(name)));
        let forwards = expansion.forwards.iter().map(|address| {
            let outcome = sent(format!("forwards to {address}"));
            (address.to_string(), outcome)
        });
        let mut told: Vec<(String, Outcome)> = users.chain(forwards).collect();
        if told.len() < 2 {
            let only = told.pop().map(|(_, outcome)| outcome);
            return only.unwrap_or_else(|| sent("expands to nobody"));
        }
        let texts = told
            .iter()
            .map(|(target, outcome)| format!("{target}: {}", outcome.text));
        let text = texts.collect::<Vec<_>>().join("; ");
        let is_bad = |(_, outcome): &(String, Outcome)| outcome.result != DeliveryResult::Sent;
        let at = told.iter().position(is_bad).unwrap_or(0);
        Outcome {
            text,
            ..told.swap_remove(at).1
        }
    }

    fn verify_user(&self, name: &str) -> Outcome {
        match self.directory.user(name) {
            Ok(Some(_)) => sent("delivers to mailbox"),
            Ok(None) => unknown_user(name),
            Err(why) => deferred(StatusCode::temporary(3, 0), why),
        }
    }

    fn expand(&self, address: &Address) -> Result<Expansion, Outcome> {
        let expander = expansion::Expander {
            aliases: &self.aliases,
            directory: &*self.directory,
            delimiters: &self.settings.recipient_delimiter,
        };
        expander.expand(address).map_err(|failure| match failure {
            expansion::Failure::Temporary(why) => deferred(StatusCode::temporary(3, 0), why),
            expansion::Failure::NotYet(what) => deferred(StatusCode::temporary(3, 5), what),
            expansion::Failure::Limit(why) => bounced(StatusCode::permanent(4, 6), why),
        })
    }

    /// Writes every mailbox, collects every forward. A mailbox that cannot be written now while others could is
    /// queued for itself, past its aliases (`\name`), so that nobody gets the message twice.
    fn deliver_expansion(&self, job: &Job<'_>, expansion: Expansion) -> (Outcome, Vec<Address>) {
        let mut forwards = expansion.forwards;
        let single = expansion.users.len() == 1 && forwards.is_empty();
        let mut outcomes = Vec::new();
        for name in &expansion.users {
            let outcome = self.deliver_user(job, name);
            match outcome.result {
                DeliveryResult::Sent => outcomes.push(outcome),
                _ if single => return (outcome, Vec::new()),
                _ => {
                    let domain = job.recipient.address.domain().cloned();
                    forwards.push(Address::new(&format!("\\{name}"), domain));
                }
            }
        }
        let outcome = match outcomes.pop() {
            Some(outcome) if forwards.is_empty() => outcome,
            _ if forwards.is_empty() => sent("expanded to nobody"),
            _ => sent("forwarded"),
        };
        (outcome, forwards)
    }

    fn deliver_user(&self, job: &Job<'_>, name: &str) -> Outcome {
        let user = match self.directory.user(name) {
            Ok(Some(user)) => user,
            Ok(None) => return unknown_user(name),
            Err(why) => return deferred(StatusCode::temporary(3, 0), why),
        };
        if !self.directory.may_become(user.uid) {
            let text = format!("cannot write the mail of {name}: Yubin runs as another user and is not root");
            return deferred(StatusCode::temporary(3, 5), text);
        }
        mailbox::deliver(job, &user, &self.settings, &self.header(job))
    }

    /// What delivery puts on top (RFC 5321 §4.4, local(8)).
    fn header(&self, job: &Job<'_>) -> String {
        let sender = job.sender.map(ToString::to_string).unwrap_or_default();
        let recipient = job.recipient;
        let mut header = format!("Return-Path: <{sender}>\n");
        if self.settings.enable_original_recipient {
            header.push_str(&format!("X-Original-To: {}\n", recipient.original));
        }
        header.push_str(&format!("Delivered-To: {}\n", self.full(&recipient.address)));
        header
    }

    /// The address with a domain.
    fn full(&self, address: &Address) -> String {
        if let Some(name) = expansion::mailbox_of(address) {
            return self.full(&Address::new(name, address.domain().cloned()));
        }
        match address.domain() {
            Some(_) => address.to_string(),
            None => format!("{address}@{}", self.settings.myhostname),
        }
    }
}

fn unknown_user(name: &str) -> Outcome {
    bounced(StatusCode::permanent(1, 1), format!("unknown user: \"{name}\""))
}

fn outcome(result: DeliveryResult, status: StatusCode, text: impl Into<String>) -> Outcome {
    Outcome {
        result,
        status,
        text: text.into(),
        relay: "local".to_owned(),
    }
}

/// Delivered.
pub(crate) fn sent(text: impl Into<String>) -> Outcome {
    outcome(DeliveryResult::Sent, StatusCode::success(0, 0), text)
}

/// To be tried again.
pub(crate) fn deferred(status: StatusCode, text: impl Into<String>) -> Outcome {
    outcome(DeliveryResult::Deferred, status, text)
}

/// Given up.
pub(crate) fn bounced(status: StatusCode, text: impl Into<String>) -> Outcome {
    outcome(DeliveryResult::Bounced, status, text)
}
