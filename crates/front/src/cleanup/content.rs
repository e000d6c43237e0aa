//! What content checks come to: lines in the log, and where the message goes.

use access::Actions;
use address::Address;
use envelope::{Class, Envelope, QueueId, StatusCode};
use intake::checks::{Effects, MIME_ERROR};
use intake::{Origin, mapping};
use maillog::Log;
use maillog::lines::cleanup::{ContentDecided, FilterDecided};

use super::Circumstances;
use super::addresses::Addresses;

/// What becomes of a message.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is not taken.
    Refused(StatusCode, String),
    /// It is taken, and goes nowhere.
    Discarded,
    /// It goes into the queue; with `transport:nexthop` of a filter that is to see it first: an empty one is none at all.
    Taken { is_held: bool, filter: Option<String> },
}

/// The verdict. Mail of local users that is refused for good is taken, for the transport that returns it to its sender.
pub(super) fn verdict(effects: &Effects, origin: &Origin) -> Verdict {
    if effects.has_failed {
        return Verdict::Refused(
            StatusCode::temporary(3, 0),
            "Error: queue file write error".to_owned(),
        );
    }
    let is_held = effects.is_held;
    match &effects.refusal {
        Some((status, text))
            if status.class == Class::Permanent && matches!(origin, Origin::Local { .. }) =>
        {
            Verdict::Taken {
                is_held: false,
                filter: Some(format!("error:{status} {text}")),
            }
        }
        Some((status, text)) => Verdict::Refused(*status, text.clone()),
        None if effects.is_discarded => Verdict::Discarded,
        // Another place to go to is more than a filter.
        None if effects.redirect.is_some() => Verdict::Taken {
            is_held,
            filter: Some(String::new()),
        },
        None => Verdict::Taken {
            is_held,
            filter: effects.filter.clone(),
        },
    }
}

/// What access tables and policy services wanted before the content came; what its checks say comes later, and counts more.
pub(super) fn follow(effects: &mut Effects, actions: &mut Actions) {
    effects.is_held |= actions.hold;
    effects.filter = effects.filter.take().or_else(|| actions.filter.take());
    let redirect = actions.redirect.take();
    effects.redirect = effects
        .redirect
        .take()
        .or_else(|| Address::parse(redirect.as_deref()?).ok());
    let copies = actions.bcc.drain(..);
    effects
        .copies
        .extend(copies.filter_map(|text| Address::parse(&text).ok()));
}

/// `BCC` and `REDIRECT`. Nobody is told of a copy; mail that goes elsewhere goes there once.
///
/// # Errors
/// When it cannot be told what a copy's address becomes.
pub(super) fn redirect(
    envelope: &mut Envelope,
    effects: Effects,
    addresses: &Addresses<'_>,
) -> Result<(), mapping::Error> {
    if effects.refusal.is_some() {
        return Ok(());
    }
    for address in effects.copies {
        envelope.recipients.extend(addresses.copy(address)?);
    }
    if let Some(target) = effects.redirect {
        envelope.recipients.truncate(1);
        for recipient in &mut envelope.recipients {
            recipient.address = intake::qualify(target.clone(), addresses.settings);
        }
    }
    Ok(())
}

/// What the log says of a message, besides what was done with it.
pub(super) struct About {
    pub(super) queue_id: QueueId,
    /// What filters decide about: `END-OF-MESSAGE`, or a command of the envelope.
    pub(super) stage: &'static str,
    /// `host[192.0.2.1]` or `local`.
    origin: String,
    /// `from=<…> to=<…> proto=… helo=<…>`, as far as known.
    context: String,
    /// `yubin_log_rules`
    names_rules: bool,
}

impl Circumstances {
    pub(super) fn about(&self, queue_id: &QueueId) -> About {
        let origin = match &self.origin {
            Origin::Network(network) => format!("{}[{}]", network.name, network.address),
            _ => "local".to_owned(),
        };
        let mut context = format!("from=<{}>", self.sender);
        if let Some(recipient) = &self.last_recipient {
            context.push_str(&format!(" to=<{recipient}>"));
        }
        if let Origin::Network(network) = &self.origin {
            let protocol = match network.protocol {
                "SMTP" => "SMTP",
                _ => "ESMTP",
            };
            context.push_str(&format!(" proto={protocol} helo=<{}>", network.helo));
        }
        About {
            queue_id: queue_id.clone(),
            stage: "END-OF-MESSAGE",
            origin,
            context,
            names_rules: self.settings.yubin_log_rules,
        }
    }

    /// Writes into the log what was done since the last call.
    pub(super) fn log_effects(&self, effects: &mut Effects, queue_id: &QueueId, log: &Log) {
        if effects.has_something_to_tell() {
            self.about(queue_id).log_effects(effects, "", log);
        }
    }
}

impl About {
    /// What filters are told of where the message comes from: users of this host are clients of it to them.
    fn to_filters(&self) -> &str {
        match self.origin.as_str() {
            "local" => "localhost[127.0.0.1]",
            origin => origin,
        }
    }

    /// About a command of the envelope; the recipients are not known before theirs.
    pub(super) fn at(mut self, stage: &'static str) -> About {
        self.stage = stage;
        if !matches!(stage, "RCPT" | "DATA")
            && let Some((before, _)) = self.context.split_once(" to=<")
        {
            self.context.truncate(before.len());
        }
        self
    }

    /// Writes into the log what checks did since the last call; `prefix` goes before what they did.
    pub(super) fn log_effects(&self, effects: &mut Effects, prefix: &str, log: &Log) {
        let (notes, warnings) = effects.take_notes();
        if let Some(failure) = effects.failure.take() {
            log.warning("cleanup", &format!("{}: {failure}", self.queue_id));
        }
        let tell = |warnings: &[String]| warnings.iter().for_each(|text| log.warning("cleanup", text));
        // What is wrong with a rule for filters' headers is told behind what it did.
        let (before, behind) = match prefix.is_empty() {
            true => (warnings.as_slice(), [].as_slice()),
            false => ([].as_slice(), warnings.as_slice()),
        };
        tell(before);
        for note in notes {
            log.write(&ContentDecided {
                queue_id: &self.queue_id,
                decision: &format!("{prefix}{}", note.decision),
                matched: &format!("{} {}", note.kind, note.content),
                origin: match prefix.is_empty() {
                    true => &self.origin,
                    false => self.to_filters(),
                },
                context: match note.kind {
                    MIME_ERROR => self.context.split(" proto=").next().unwrap_or_default(),
                    _ => &self.context,
                },
                text: &note.text,
                rule: Some(note.rule.as_str()).filter(|_| self.names_rules && keeps_back(note.decision)),
            });
        }
        tell(behind);
    }

    /// Writes into the log what filters decided, in which words, and which of them.
    pub(super) fn log_filter(&self, (decision, text): (&str, &str), rule: Option<&str>, log: &Log) {
        log.write(&FilterDecided {
            queue_id: &self.queue_id,
            decision,
            stage: self.stage,
            origin: self.to_filters(),
            text,
            context: &self.context,
            rule: rule.filter(|_| self.names_rules),
        });
    }
}

/// Whether it is a decision by which somebody does not get a message, whose rule the log names.
fn keeps_back(decision: &str) -> bool {
    matches!(decision, "reject" | "discard" | "hold")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn local() -> Origin {
        Origin::Local {
            uid: 0,
            full_name: String::new(),
            is_relayed: false,
        }
    }

    fn refused(status: StatusCode) -> Effects {
        Effects {
            refusal: Some((status, "no".to_owned())),
            ..Effects::default()
        }
    }

    #[test]
    fn who_cannot_hear_a_refusal_gets_the_message_back() {
        let (never, later) = (StatusCode::permanent(7, 1), StatusCode::temporary(7, 1));
        let told = |status| Verdict::Refused(status, "no".to_owned());
        assert_eq!(verdict(&refused(never), &Origin::Forward), told(never));
        assert_eq!(verdict(&refused(later), &local()), told(later));
        assert_eq!(
            verdict(&refused(never), &local()),
            Verdict::Taken {
                is_held: false,
                filter: Some("error:5.7.1 no".to_owned())
            }
        );
    }

    #[test]
    fn a_table_that_fails_comes_first() {
        let effects = Effects {
            has_failed: true,
            is_discarded: true,
            ..Effects::default()
        };
        assert!(
            matches!(verdict(&effects, &local()), Verdict::Refused(status, _) if status.class == Class::Temporary)
        );
    }
}
