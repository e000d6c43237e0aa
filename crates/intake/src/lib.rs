//! Everything done to a message between arrival and the queue, like cleanup(8).
//!
//! In charge of the header that the queue keeps: trace, missing fields, dropped fields, qualified addresses, hop
//! count; and of the line ends: the queue keeps LF. The body passes through untouched. Not in charge of storing,
//! of the envelope beyond [`qualify`], or of what delivery adds (Return-Path, Delivered-To).
//!
//! Entry: [`Intake`]; [`recipients::of_header`] for `sendmail -t`; the stages in their order: [`stages::STAGES`].
//! Canonical and virtual maps, checks and milters are not there yet. Sources: cleanup(8), postconf(5), RFC 5321 §4.4, RFC 5322 §3.6.
//! Limits: [`HEADER_BYTES_MAX`], `header_size_limit`, `hopcount_limit`.

pub mod date;
pub mod header;
pub mod line_ends;
pub mod qualify;
pub mod received;
pub mod recipients;
pub mod stages;

use envelope::QueueId;
use settings::Postfix;

pub use qualify::qualify;
pub use received::{Network, Origin};

use header::{Collecting, Collector, Header};
use line_ends::LineEnds;

/// The largest header that is looked at. What is longer passes as it is, its start excepted.
pub const HEADER_BYTES_MAX: usize = 1024 * 1024;

/// Why a message cannot be taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// More Received fields than `hopcount_limit`.
    #[error("Too many hops")]
    TooManyHops,
}

/// What the stages are told.
#[derive(Debug, Clone, Copy)]
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
}

/// What was learnt on the way.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Facts {
    /// The Message-Id, brackets included; empty when there is none.
    pub message_id: String,
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
    /// The rest passes through.
    Body,
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
        let State::Header(collector) = &mut self.state else {
            self.ends.convert(piece, stray, out);
            return Ok(());
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
        let State::Header(collector) = &mut self.state else {
            self.ends.finish(out);
            return Ok(self.facts);
        };
        let mut end = Vec::new();
        self.ends.finish(&mut end);
        let body = collector.feed(&end, &collecting(context)).unwrap_or_default();
        self.header_done(&body, context, out)?;
        Ok(self.facts)
    }

    /// The header is there in full; `body` is what follows it so far.
    fn header_done(&mut self, body: &[u8], context: &Context<'_>, out: &mut Vec<u8>) -> Result<(), Error> {
        let State::Header(collector) = std::mem::replace(&mut self.state, State::Body) else {
            return Ok(());
        };
        let mut header = Header::parse(collector.text());
        for stage in stages::STAGES {
            stage(&mut header, context, &mut self.facts)?;
        }
        header.write(out);
        if collector.has_ended() && !body.is_empty() && !body.starts_with(b"\n") {
            // The header ended at a line that is none of it: the queue separates the two.
            out.push(b'\n');
        }
        out.extend_from_slice(body);
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
