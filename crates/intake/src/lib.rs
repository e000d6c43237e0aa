//! Everything done to a message between arrival and the queue, like cleanup(8).
//!
//! In charge of the header that the queue keeps: trace, missing fields, dropped fields, qualified addresses, hop
//! count; of content checks ([`checks`]), for which the SMTP client comes here too; and of the line ends: the queue keeps LF.
//! Where no check looks at bodies, the body passes through untouched. Not in charge of storing,
//! of the envelope beyond [`qualify`], or of what delivery adds (Return-Path, Delivered-To).
//!
//! Entry: [`Intake`]; [`recipients::of_header`] for `sendmail -t`; the stages in their order: [`stages::STAGES`].
//! Milters have their turn behind all this, in front. Sources: cleanup(8), postconf(5), RFC 5321 §4.4, RFC 5322 §3.6.
//! Limits: [`HEADER_BYTES_MAX`], `header_size_limit`, `hopcount_limit`.

pub mod address_fields;
pub mod checks;
pub mod date;
pub mod header;
pub mod line_ends;
pub mod mapping;
pub mod qualify;
pub mod received;
pub mod recipients;
mod sendmail;
pub mod stages;

use envelope::QueueId;
use settings::Postfix;
use tables::addresses::Host;

pub use qualify::qualify;
pub use received::{ClientCertificate, Encryption, Network, Origin};

use checks::{Checked, Checks, Effects};
use header::{Collecting, Collector, Header};
use line_ends::LineEnds;
use mapping::Maps;
use message::scan::Scanner;

/// The largest header that is looked at. What is longer passes as it is, its start excepted.
pub const HEADER_BYTES_MAX: usize = 1024 * 1024;

/// Why a message cannot be taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// More Received fields than `hopcount_limit`.
    #[error("Too many hops")]
    TooManyHops,
    /// It cannot be told what an address becomes.
    #[error(transparent)]
    Mapping(#[from] mapping::Error),
}

/// What the stages are told.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    /// main.cf as the service sees it.
    pub settings: &'a Postfix,
    /// The message's name in the queue.
    pub queue_id: &'a QueueId,
    /// Where it comes from.
    pub origin: &'a Origin,
    /// The envelope sender as text, empty for the null sender: what a missing From says.
    pub sender: &'a str,
    /// The recipient, when there is exactly one.
    pub only_recipient: Option<&'a str>,
    /// Now, in seconds since the Unix epoch.
    pub now_secs: i64,
    /// What looks at the content; `None`: it is not looked at.
    pub checks: Option<&'a Checks>,
    /// What changes addresses in the header; `None`: they are left.
    pub mapping: Option<(&'a Maps, &'a dyn Host)>,
}

/// What was learnt on the way.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Facts {
    /// The Message-Id, brackets included; empty when there is none.
    pub message_id: String,
    /// What checks came to.
    pub effects: Effects,
    /// The size of the header as the queue keeps it, in octets, without the empty line behind it.
    pub header_bytes: u64,
}

/// A message on its way through the stages.
pub struct Intake {
    ends: LineEnds,
    state: State,
    facts: Facts,
}

enum State {
    /// The header is being collected.
    Header(Collector),
    /// The rest passes through, past checks if there are any that look at it.
    Body(Option<Box<Scanner>>),
}

impl Default for Intake {
    fn default() -> Intake {
        Intake::new()
    }
}

/// What stands for a CR that ends no line.
fn stray(settings: &Postfix) -> u8 {
    if settings.cleanup_replace_stray_cr_lf {
        b' '
    } else {
        b'\r'
    }
}

impl Intake {
    /// An intake for one message.
    pub fn new() -> Intake {
        Intake {
            ends: LineEnds::default(),
            state: State::Header(Collector::default()),
            facts: Facts::default(),
        }
    }

    /// Takes a piece of the message, cut anywhere, lines ending in CRLF or LF; appends what the queue keeps to `out`.
    ///
    /// # Errors
    /// When the message cannot be taken; what was appended is to be forgotten.
    pub fn feed(&mut self, piece: &[u8], context: &Context<'_>, out: &mut Vec<u8>) -> Result<(), Error> {
        let stray = stray(context.settings);
        let collector = match &mut self.state {
            State::Header(collector) => collector,
            State::Body(None) => {
                self.ends.convert(piece, stray, out);
                return Ok(());
            }
            State::Body(Some(_)) => {
                let mut converted = Vec::new();
                self.ends.convert(piece, stray, &mut converted);
                self.body(&converted, context, out);
                return Ok(());
            }
        };
        let mut converted = Vec::new();
        self.ends.convert(piece, stray, &mut converted);
        match collector.feed(&converted, &collecting(context)) {
            Some(body) => self.header_done(&body, context, out),
            None if collector.text().len() > HEADER_BYTES_MAX => {
                let rest = collector.undecided().to_vec();
                self.header_done(&rest, context, out)
            }
            None => Ok(()),
        }
    }

    /// The message is complete.
    ///
    /// # Errors
    /// As [`Intake::feed`].
    pub fn finish(mut self, context: &Context<'_>, out: &mut Vec<u8>) -> Result<Facts, Error> {
        let mut end = Vec::new();
        self.ends.finish(&mut end);
        let State::Header(collector) = &mut self.state else {
            self.body(&end, context, out);
            self.end_body(context, out);
            return Ok(self.facts);
        };
        let body = collector.feed(&end, &collecting(context)).unwrap_or_default();
        self.header_done(&body, context, out)?;
        self.end_body(context, out);
        Ok(self.facts)
    }

    /// What was learnt so far.
    pub fn facts(&mut self) -> &mut Facts {
        &mut self.facts
    }

    /// A piece of the body, line ends LF.
    fn body(&mut self, piece: &[u8], context: &Context<'_>, out: &mut Vec<u8>) {
        let (State::Body(Some(scanner)), Some(checks)) = (&mut self.state, context.checks) else {
            out.extend_from_slice(piece);
            return;
        };
        let effects = &mut self.facts.effects;
        scanner.feed(piece, &mut Checked { checks, effects, out });
    }

    fn end_body(&mut self, context: &Context<'_>, out: &mut Vec<u8>) {
        if let (State::Body(Some(scanner)), Some(checks)) = (&mut self.state, context.checks) {
            let effects = &mut self.facts.effects;
            scanner.finish(&mut Checked { checks, effects, out });
        }
    }

    /// The header is there in full; `body` is what follows it so far.
    fn header_done(&mut self, body: &[u8], context: &Context<'_>, out: &mut Vec<u8>) -> Result<(), Error> {
        let State::Header(collector) = std::mem::replace(&mut self.state, State::Body(None)) else {
            return Ok(());
        };
        let mut header = Header::parse(collector.text());
        let looked_at = context.checks.filter(|checks| checks.looks_at_bodies());
        let scanner = looked_at.map(|checks| {
            let is_read = !context.settings.disable_mime_input_processing;
            let content_type = header.find("Content-Type").filter(|_| is_read);
            Box::new(checks.scanner(content_type.map(header::Field::value)))
        });
        for stage in stages::STAGES {
            stage(&mut header, context, &mut self.facts)?;
        }
        let before = out.len();
        header.write(out);
        self.facts.header_bytes = (out.len() - before) as u64;
        if collector.has_ended() && !body.is_empty() && !body.starts_with(b"\n") {
            // The header ended at a line that is none of it: the queue separates the two.
            out.push(b'\n');
        }
        self.state = State::Body(scanner);
        self.body(body, context, out);
        Ok(())
    }
}

fn collecting(context: &Context<'_>) -> Collecting {
    Collecting {
        field_bytes_max: usize::try_from(context.settings.header_size_limit).unwrap_or(usize::MAX),
        keeps_mbox_line: matches!(context.origin, Origin::Network(_)),
    }
}

#[cfg(test)]
mod tests;
