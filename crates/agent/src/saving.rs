//! Mail into a user's mailbox over the user's store, for `lmtp` and `dovecot-lda`: UIDs, indexes, quota and names agree
//! with what IMAP shows.

use std::io::Read;
use std::sync::Arc;

use deliver_local::Content;
use deliver_local::task::{Save, Saving};
use envelope::{DeliveryResult, Outcome, StatusCode};
use mailbox::{Append, Error, Flags, MailboxId, MailboxName, Opened, Store};
use maillog::lines::problem::Problem;
use maillog::lines::session::{NotSaved, Rejected, Saved, Who};
use maillog::{Log, Severity, Tag};
use settings::{Connection, Dovecot, MailboxAuto};

use crate::quota::By;
use crate::stores::Stores;

/// How much of a message is read at once, and how much of it is searched for its Message-ID, in octets.
const PIECE_BYTES: usize = 64 * 1024;
/// How many mailboxes one message is written to at a time.
const AT_A_TIME_MAX: usize = 16;

/// Delivers into mailboxes.
pub struct Saver {
    /// dovecot.conf as the services `lmtp` and `lda` see it.
    lmtp: Dovecot,
    lda: Dovecot,
    log: Log,
    stores: Arc<Stores>,
}

impl Saver {
    /// One that delivers by `settings` into `stores`.
    pub fn new(settings: &Dovecot, log: Log, stores: Arc<Stores>) -> Saver {
        let of = |protocol| {
            settings.for_connection(Connection {
                protocol,
                ..Connection::default()
            })
        };
        Saver {
            lmtp: of("lmtp"),
            lda: of("lda"),
            log,
            stores,
        }
    }

    /// Does all of it, several at a time; an outcome for each, in order. Whose rights this process has is for the caller
    /// to look at.
    pub fn save_all(&self, saves: &[Save], content: &dyn Content, now_secs: i64) -> Vec<Outcome> {
        if let [save] = saves {
            return vec![self.save(save, content, now_secs)];
        }
        let mut outcomes = Vec::with_capacity(saves.len());
        for some in saves.chunks(AT_A_TIME_MAX) {
            std::thread::scope(|scope| {
                let works: Vec<_> = some
                    .iter()
                    .map(|save| scope.spawn(move || self.save(save, content, now_secs)))
                    .collect();
                outcomes.extend(
                    works
                        .into_iter()
                        .map(|work| work.join().unwrap_or_else(|_| internal())),
                );
            });
        }
        outcomes
    }

    /// Does one of them. `now_secs` is seconds since the Unix epoch.
    pub fn save(&self, save: &Save, content: &dyn Content, now_secs: i64) -> Outcome {
        let job = Job {
            saver: self,
            settings: if save.service == "lda" {
                &self.lda
            } else {
                &self.lmtp
            },
            save,
            content,
            now_secs,
        };
        let log = self.log.clone();
        let (service, user) = (save.service.clone(), save.account.user.clone());
        let session = save.session.clone();
        let report: mailbox::Report = Arc::new(move |text| {
            log.write(&Problem {
                tag: Tag::Session {
                    service: &service,
                    user: &user,
                    session: &session,
                },
                severity: Severity::Error,
                text,
            });
        });
        let store = match self
            .stores
            .of(&save.account, (job.settings, By::Delivery), report)
        {
            Ok(store) => store,
            Err(error) => {
                job.problem(&error.to_string());
                return internal();
            }
        };
        match save.what {
            Saving::RoomOnly => job.room(store.as_ref()),
            Saving::Message => job.deliver(store.as_ref()),
        }
    }
}

/// Why a mailbox was not written.
struct Failure {
    error: Error,
    /// Whether it could not even be opened.
    opening: bool,
}

struct Job<'a> {
    saver: &'a Saver,
    settings: &'a Dovecot,
    save: &'a Save,
    content: &'a dyn Content,
    now_secs: i64,
}

impl Job<'_> {
    fn who(&self) -> Who<'_> {
        Who {
            service: &self.save.service,
            user: &self.save.account.user,
            session: &self.save.session,
        }
    }

    fn problem(&self, text: &str) {
        self.saver.log.write(&Problem {
            tag: Tag::Session {
                service: &self.save.service,
                user: &self.save.account.user,
                session: &self.save.session,
            },
            severity: Severity::Error,
            text,
        });
    }

    /// Whether an empty message would be taken.
    fn room(&self, store: &dyn Store) -> Outcome {
        let asked = store
            .open(&MailboxName::inbox())
            .and_then(|opened| store.append(&opened.id)?.would_take_one());
        match asked {
            Ok(()) => outcome(DeliveryResult::Sent, StatusCode::success(1, 5), "OK"),
            Err(Error::OverLimit(text)) => self.full(&text),
            Err(error) => {
                self.problem(&format!("Failed to check quota: {error}"));
                internal()
            }
        }
    }

    fn deliver(&self, store: &dyn Store) -> Outcome {
        let wanted = match &self.save.mailbox {
            Some(name) => self.named(store, name),
            None => MailboxName::inbox(),
        };
        let message_id = self.message_id();
        let mut result = self.append(store, &wanted);
        if let Err(failure) = &result
            && !wanted.is_inbox()
        {
            self.not_saved(&message_id, &wanted, failure);
            let inbox = MailboxName::inbox();
            result = self.append(store, &inbox);
            return self.finish(result, &message_id, &inbox);
        }
        self.finish(result, &message_id, &wanted)
    }

    fn finish(&self, result: Result<(), Failure>, message_id: &str, mailbox: &MailboxName) -> Outcome {
        match result {
            Ok(()) => {
                self.saver.log.write(&Saved {
                    who: self.who(),
                    message_id,
                    mailbox: mailbox.as_str(),
                });
                outcome(DeliveryResult::Sent, StatusCode::success(0, 0), "Saved")
            }
            Err(failure) => {
                self.not_saved(message_id, mailbox, &failure);
                let Error::OverLimit(text) = failure.error else {
                    return internal();
                };
                let full = self.full(&text);
                if full.result == DeliveryResult::Bounced && self.save.service == "lda" {
                    self.saver.log.write(&Rejected {
                        who: self.who(),
                        message_id,
                        why: &text,
                    });
                }
                full
            }
        }
    }

    fn not_saved(&self, message_id: &str, mailbox: &MailboxName, failure: &Failure) {
        self.saver.log.write(&NotSaved {
            who: self.who(),
            message_id,
            mailbox: mailbox.as_str(),
            opening: failure.opening,
            why: &failure.error.to_string(),
        });
    }

    /// `quota_full_tempfail`
    fn full(&self, text: &str) -> Outcome {
        if self.settings.quota_full_tempfail {
            outcome(DeliveryResult::Deferred, StatusCode::temporary(2, 2), text)
        } else {
            outcome(DeliveryResult::Bounced, StatusCode::permanent(2, 2), text)
        }
    }

    /// A mailbox by the name that a sender or an administrator wrote.
    fn named(&self, store: &dyn Store, name: &str) -> MailboxName {
        let personal = store.namespaces().into_iter().next();
        let separator = personal.map_or('/', |namespace| namespace.separator);
        MailboxName::new(name, separator)
    }

    /// How a mailbox that is not there is made; `No`: not at all.
    fn auto(&self, name: &MailboxName) -> MailboxAuto {
        match (
            self.settings.lda_mailbox_autocreate,
            self.settings.lda_mailbox_autosubscribe,
        ) {
            (true, true) => return MailboxAuto::Subscribe,
            (true, false) => return MailboxAuto::Create,
            (false, _) => {}
        }
        let inbox = self.settings.namespaces.iter().find(|namespace| namespace.inbox);
        let set = inbox.and_then(|namespace| {
            let is_it = |mailbox: &&settings::MailboxSetting| {
                format!("{}{}", namespace.prefix, mailbox.name) == name.as_str()
            };
            namespace.mailboxes.iter().find(is_it)
        });
        set.map_or(MailboxAuto::No, |mailbox| mailbox.auto)
    }

    /// Writes the message; on disk when this returns.
    fn append(&self, store: &dyn Store, name: &MailboxName) -> Result<(), Failure> {
        let opened = self
            .open(store, name)
            .map_err(|error| Failure { error, opening: true })?;
        self.write(store, &opened.id).map_err(|error| Failure {
            error,
            opening: false,
        })
    }

    fn write(&self, store: &dyn Store, mailbox: &MailboxId) -> Result<(), Error> {
        let mut append = store.append(mailbox)?;
        append.start(Flags::default(), self.now_secs)?;
        append.write(self.save.header.as_bytes())?;
        copy(self.content, append.as_mut())?;
        append.deliver()
    }

    /// Opens a mailbox, made if it may be.
    fn open(&self, store: &dyn Store, name: &MailboxName) -> Result<Opened, Error> {
        match store.open(name) {
            Err(Error::NoSuchMailbox(_)) if self.auto(name) != MailboxAuto::No => {
                match store.create(name, None) {
                    // Another delivery was faster.
                    Ok(()) | Err(Error::MailboxExists(_)) => {}
                    Err(error) => return Err(error),
                }
                if self.auto(name) == MailboxAuto::Subscribe {
                    store.subscribe(name, true)?;
                }
                store.open(name)
            }
            opened => opened,
        }
    }

    /// The Message-ID as the log shows it.
    fn message_id(&self) -> String {
        let mut head =
            vec![0; PIECE_BYTES.min(usize::try_from(self.content.size_bytes()).unwrap_or(PIECE_BYTES))];
        let mut reader = self.content.reader();
        let mut filled = 0;
        while filled < head.len() {
            match reader.read(&mut head[filled..]) {
                Ok(count) if count > 0 => filled += count,
                _ => break,
            }
        }
        head.truncate(filled);
        match message::header::find(&head, "Message-ID") {
            Some(field) => field.text().trim().to_owned(),
            None => "unspecified".to_owned(),
        }
    }
}

fn copy(content: &dyn Content, append: &mut dyn Append) -> Result<(), Error> {
    let mut reader = content.reader();
    let mut piece = vec![0; PIECE_BYTES];
    loop {
        let count = reader.read(&mut piece).map_err(|source| Error::Io {
            what: "cannot read the message".to_owned(),
            source,
        })?;
        if count == 0 {
            return Ok(());
        }
        append.write(&piece[..count])?;
    }
}

/// What a peer hears of what only the log tells.
fn internal() -> Outcome {
    let text = "Internal error occurred. Refer to server log for more information.";
    outcome(DeliveryResult::Deferred, StatusCode::temporary(2, 0), text)
}

fn outcome(result: DeliveryResult, status: StatusCode, text: &str) -> Outcome {
    Outcome {
        result,
        status,
        text: text.to_owned(),
        relay: "lmtp".to_owned(),
        detail: envelope::Detail::default(),
    }
}
