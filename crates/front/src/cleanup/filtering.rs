//! Mail filters on the way into the queue: which see a message, and what their word means for it.

use address::Address;
use envelope::{Envelope, QueueId, StatusCode};
use intake::Origin;
use intake::checks::Effects;
use maillog::Log;
use milter::command::{Command, Peer};
use milter::standing::Decision;
use queue::{Facts, Incoming};
use smtp::Reply;

use super::addresses::{Addresses, Cleanup};
use super::content::{self, About, Verdict};
use super::draft::{Draft, Extent, Problem};
use super::{CONTENT_FILTER, Circumstances, Failure, leaves_out};
use crate::Front;
use crate::milters::{Filters, shown};

/// Which filters see a message that did not come by SMTP.
pub(super) enum Review {
    /// None.
    None,
    /// These, which have heard of its envelope.
    By(Box<Filters>),
    /// None any more: they have decided, at this command of the envelope; which one it was.
    Decided(&'static str, Decision, Option<String>),
}

/// What becomes of a message that filters have seen.
pub(super) enum Seen {
    /// It goes on.
    Taken,
    /// Nobody gets it.
    Discarded,
}

impl Circumstances {
    /// Whether filters see it that are for mail which does not come by SMTP: users' own, and of the mail system's what
    /// `internal_mail_filter_classes` name.
    fn is_for_filters(&self) -> bool {
        match self.origin {
            Origin::Local { .. } => !leaves_out(&self.settings, "no_milters"),
            Origin::Report => self.is_checked(),
            Origin::Network(_) | Origin::Forward => false,
        }
    }
}

/// Filters for a message that did not come by SMTP; they are told of its envelope.
pub(super) async fn for_others(
    circumstances: &Circumstances,
    (envelope, queue_id): (&Envelope, &QueueId),
    cleanup: &Cleanup,
) -> Review {
    if !circumstances.is_for_filters() {
        return Review::None;
    }
    let Ok(Some(mut filters)) = cleanup.milters.for_client(None) else {
        return Review::None;
    };
    match tell_envelope(&mut filters, envelope, queue_id).await {
        (_, Decision::Pass) => Review::By(Box::new(filters)),
        (stage, decision) => {
            let rule = filters.rule();
            filters.quit().await;
            Review::Decided(stage, decision, rule)
        }
    }
}

/// As if a client of this host had sent the message. What was said to which command.
async fn tell_envelope(
    filters: &mut Filters,
    envelope: &Envelope,
    queue_id: &QueueId,
) -> (&'static str, Decision) {
    filters.is_told_of_this_host(queue_id);
    let connect = Command::Connect {
        host: "localhost".to_owned(),
        peer: Peer::V4("127.0.0.1".to_owned(), 0),
    };
    let written = |address: &Address| vec![address.to_string()];
    let sender = envelope.sender.as_ref();
    filters
        .macros
        .set("mail_addr", Some(sender.map(shown).unwrap_or_default()));
    let mail = Command::Mail(vec![sender.map(Address::to_string).unwrap_or_default()]);
    let helo = Command::Helo("localhost".to_owned());
    for (stage, command) in [("CONNECT", connect), ("HELO", helo), ("MAIL", mail)] {
        let decision = filters.tell(&command).await;
        if decision != Decision::Pass {
            return (stage, decision);
        }
    }
    for recipient in &envelope.recipients {
        filters.macros.set("rcpt_addr", Some(shown(&recipient.address)));
        let decision = filters.tell(&Command::Rcpt(written(&recipient.address))).await;
        if decision != Decision::Pass {
            return ("RCPT", decision);
        }
    }
    ("DATA", filters.tell(&Command::Data).await)
}

/// Where a message is on its way, and what is known of it.
pub(super) struct OnItsWay<'a> {
    pub(super) incoming: &'a mut Incoming,
    pub(super) facts: &'a mut Facts,
    pub(super) envelope: &'a mut Envelope,
    pub(super) extent: Extent,
    /// What the log says of it.
    pub(super) about: &'a About,
    pub(super) origin: &'a Origin,
}

impl OnItsWay<'_> {
    /// Shows the message to the filters, and does what they say.
    ///
    /// # Errors
    /// Why it is not taken; the log knows.
    pub(super) async fn pass(
        &mut self,
        filters: &mut Filters,
        (addresses, front): (&Addresses<'_>, &Front),
    ) -> Result<Seen, Failure> {
        let checks = &addresses.cleanup.of_filters;
        let checks = Some(checks).filter(|checks| !checks.is_empty());
        let on_both = (&mut *self.envelope, addresses);
        let mut draft = Draft::open(self.incoming, self.extent, on_both, checks).map_err(Failure::Queue)?;
        let decision = filters.review(&mut draft).await.map_err(failure)?;
        let (mut effects, warnings) = draft.write().map_err(failure)?;
        warnings
            .iter()
            .for_each(|text| front.log.warning("cleanup", text));
        self.about.log_effects(&mut effects, "milter-header-", &front.log);
        match self.decide((decision, filters.rule()), &front.log)? {
            Seen::Discarded => Ok(Seen::Discarded),
            Seen::Taken => self.follow(effects, addresses),
        }
    }

    /// What the filters decided, and which of them.
    pub(super) fn decide(
        &mut self,
        (decision, rule): (Decision, Option<String>),
        log: &Log,
    ) -> Result<Seen, Failure> {
        let tell = |decision, text| self.about.log_filter((decision, text), rule.as_deref(), log);
        match decision {
            Decision::Pass => Ok(Seen::Taken),
            // It is told once.
            Decision::Hold if self.facts.hold => Ok(Seen::Taken),
            Decision::Hold => {
                tell("milter-hold", "milter triggers HOLD action");
                self.facts.hold = true;
                Ok(Seen::Taken)
            }
            Decision::Discard => {
                tell("milter-discard", "milter triggers DISCARD action");
                Ok(Seen::Discarded)
            }
            Decision::Refuse(words) | Decision::HangUp(words) => {
                let reply = in_words(&words);
                let shown = words.get(4..).unwrap_or_default();
                tell("milter-reject", shown);
                if self.about.stage == "RCPT" {
                    return Err(self.cannot_refuse_one(log));
                }
                let is_for_good = reply.is_permanent() && matches!(self.origin, Origin::Local { .. });
                if !is_for_good {
                    return Err(Failure::Filter(reply));
                }
                // Nobody hears a refusal: the message goes back to its sender.
                let text = reply.lines.join(" ");
                self.give_back(reply.status(), &text);
                Ok(Seen::Taken)
            }
        }
    }

    /// One recipient of a user's mail cannot be refused: there is nobody to tell.
    fn cannot_refuse_one(&self, log: &Log) -> Failure {
        let id = &self.about.queue_id;
        for text in [
            "milter configuration error: can't reject recipient in non-smtpd(8) submission",
            "message not accepted, try again later",
        ] {
            log.warning("cleanup", &format!("{id}: {text}"));
        }
        let text = "Server configuration problem - try again later";
        Failure::Filter(Reply::new(451, StatusCode::temporary(3, 5), text))
    }

    fn give_back(&mut self, status: StatusCode, text: &str) {
        self.set_filter(format!("error:{status} {text}"));
        self.facts.hold = false;
    }

    fn set_filter(&mut self, filter: String) {
        self.facts.attributes.retain(|(name, _)| name != CONTENT_FILTER);
        if !filter.is_empty() {
            self.facts
                .attributes
                .insert(0, (CONTENT_FILTER.to_owned(), filter));
        }
    }

    /// What tables made of headers that filters made.
    fn follow(&mut self, mut effects: Effects, addresses: &Addresses<'_>) -> Result<Seen, Failure> {
        match content::verdict(&effects, self.origin) {
            Verdict::Refused(status, text) => return Err(Failure::Content(status, text)),
            Verdict::Discarded => return Ok(Seen::Discarded),
            Verdict::Taken { is_held, filter } => {
                self.facts.hold |= is_held;
                if let Some(filter) = filter {
                    self.set_filter(filter);
                }
            }
        }
        // These are as good as recipients that filters add.
        for address in std::mem::take(&mut effects.copies) {
            let added = addresses.added(address, None, None);
            let added = added.map_err(|error| Failure::Intake(error.into()))?;
            self.envelope.recipients.extend(added);
        }
        content::redirect(self.envelope, effects, addresses)
            .map_err(|error| Failure::Intake(error.into()))?;
        Ok(Seen::Taken)
    }
}

fn failure(problem: Problem) -> Failure {
    match problem {
        Problem::Queue(error) => Failure::Queue(error),
        Problem::Mapping(error) => Failure::Intake(error.into()),
        Problem::TooLarge => Failure::TooLarge,
    }
}

/// A filter's words as a reply: `550 5.7.1 no`, lines parted by CRLF, each with the code.
pub(crate) fn in_words(words: &str) -> Reply {
    let mut reply = Reply::parse(words.lines().next().unwrap_or_default()).unwrap_or_else(|| {
        Reply::new(
            451,
            StatusCode::temporary(3, 0),
            "Error: no decision could be made",
        )
    });
    for line in words.lines().skip(1) {
        let text = line.get(4..).unwrap_or_default();
        let own = reply.enhanced.map(|status| format!("{status} "));
        let text = own.and_then(|own| text.strip_prefix(&own)).unwrap_or(text);
        reply.lines.push(text.to_owned());
    }
    reply
}
