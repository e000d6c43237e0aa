//! A message that is complete and not in the queue yet, as mail filters see and change it.
//!
//! The header is in memory; the body lies where the content was staged. Whatever filters want is done to this, and what came of
//! it is written at the end, once.

use std::collections::HashSet;

use address::Address;
use envelope::dsn::{decode_xtext, parse_orcpt};
use envelope::{Envelope, Notify, QueueId, Recipient, Ret};
use intake::checks::{Checks, Effects};
use intake::line_ends::LineEnds;
use intake::mapping;
use milter::reply::Change;
use queue::Incoming;

use super::addresses::Addresses;

/// How much is copied at once.
const PIECE_BYTES: usize = 64 * 1024;
/// The most octets that a filter may make of a header.
const HEADER_BYTES_MAX: usize = 4 * intake::HEADER_BYTES_MAX;

/// Where the header lies in what was staged.
#[derive(Debug, Clone, Copy)]
pub(super) struct Extent {
    /// Where our own Received field starts: it is nobody else's business.
    pub(super) own_at: u64,
    /// Where the header ends.
    pub(super) end: u64,
}

/// A field with its continuation lines, without its last line end.
#[derive(Debug)]
struct Line {
    text: Vec<u8>,
    is_own: bool,
}

impl Line {
    /// Its name, and where its value starts.
    fn name(&self) -> (&[u8], usize) {
        let colon = memchr::memchr(b':', &self.text).unwrap_or(self.text.len());
        (
            self.text[..colon].trim_ascii_end(),
            (colon + 1).min(self.text.len()),
        )
    }

    fn is(&self, name: &[u8]) -> bool {
        !self.is_own && self.name().0.eq_ignore_ascii_case(name)
    }
}

/// Why a message cannot be changed as it should.
#[derive(Debug)]
pub(crate) enum Problem {
    /// The queue.
    Queue(queue::Error),
    /// A table of addresses.
    Mapping(mapping::Error),
    /// It would become larger than `message_size_limit`.
    TooLarge,
}

/// The message.
pub(crate) struct Draft<'a> {
    incoming: &'a mut Incoming,
    envelope: &'a mut Envelope,
    addresses: &'a Addresses<'a>,
    header: Vec<Line>,
    /// Where the body is in what is staged, from the empty line before it on.
    body_at: u64,
    is_changed: bool,
    /// A body that arrives in place of the old one.
    body: Option<LineEnds>,
    /// What looks at headers that filters make.
    checks: Option<&'a Checks>,
    /// What those came to.
    pub(super) effects: Effects,
    /// For the log.
    pub(super) warnings: Vec<String>,
    /// Recipients that filters added.
    added: HashSet<String>,
    problem: Option<Problem>,
}

impl<'a> Draft<'a> {
    /// The message that was staged.
    ///
    /// # Errors
    /// When it cannot be read back.
    pub(super) fn open(
        incoming: &'a mut Incoming,
        extent: Extent,
        (envelope, addresses): (&'a mut Envelope, &'a Addresses<'a>),
        checks: Option<&'a Checks>,
    ) -> queue::Result<Draft<'a>> {
        let length = usize::try_from(extent.end).unwrap_or(usize::MAX);
        let mut text = vec![0; length.min(incoming.size_bytes().try_into().unwrap_or(usize::MAX))];
        let mut filled = 0;
        while filled < text.len() {
            match incoming.read_at(filled as u64, &mut text[filled..])? {
                0 => break,
                count => filled += count,
            }
        }
        text.truncate(filled);
        Ok(Draft {
            header: lines(&text, usize::try_from(extent.own_at).unwrap_or(usize::MAX)),
            incoming,
            envelope,
            addresses,
            body_at: extent.end,
            is_changed: false,
            body: None,
            checks,
            effects: Effects::default(),
            warnings: Vec::new(),
            added: HashSet::new(),
            problem: None,
        })
    }

    /// The name in the queue.
    pub(crate) fn queue_id(&self) -> &QueueId {
        self.incoming.queue_id()
    }

    /// How many fields there are.
    pub(crate) fn fields(&self) -> usize {
        self.header.len()
    }

    /// Name and value of a field, if it is for filters to see. The value has its folds; the blank behind the colon belongs to
    /// it where `has_leading_space` says so.
    pub(crate) fn field(&self, at: usize, has_leading_space: bool) -> Option<(Vec<u8>, Vec<u8>)> {
        let line = self.header.get(at).filter(|line| !line.is_own)?;
        let (name, start) = line.name();
        let value = &line.text[start..];
        let value = match has_leading_space {
            true => value,
            false => value.strip_prefix(b" ").unwrap_or(value),
        };
        Some((name.to_vec(), value.to_vec()))
    }

    /// A piece of the body from there on, in the queue's form, line ends LF; empty at its end.
    ///
    /// # Errors
    /// When it cannot be read.
    pub(crate) fn body(&self, at: u64) -> queue::Result<Vec<u8>> {
        let mut piece = vec![0; PIECE_BYTES];
        let count = self.incoming.read_at(self.body_at + at, &mut piece)?;
        piece.truncate(count);
        Ok(piece)
    }

    /// What could not be done, if there was something.
    pub(crate) fn problem(&mut self) -> Option<Problem> {
        self.problem.take()
    }

    /// Whether what filters make of headers refuses or discards the message.
    pub(crate) fn is_decided(&self) -> bool {
        self.effects.refusal.is_some() || self.effects.is_discarded || self.effects.has_failed
    }

    /// Does what a filter wants; `has_leading_space`: blanks behind a colon are its own.
    pub(crate) fn perform(&mut self, change: Change, has_leading_space: bool) {
        if self.problem.is_some() {
            return;
        }
        let done = match change {
            Change::ReplaceBody(piece) => self.replace_body(&piece),
            other => self
                .end_body()
                .and_then(|()| self.change(other, has_leading_space)),
        };
        if let Err(problem) = done {
            self.problem = Some(problem);
        }
    }

    fn change(&mut self, change: Change, has_leading_space: bool) -> Result<(), Problem> {
        match change {
            Change::AddHeader { name, value } => {
                let at = self.header.len();
                self.insert(at, &written(&name, &value, has_leading_space));
            }
            Change::InsertHeader { index, name, value } => {
                let at = usize::try_from(index)
                    .unwrap_or(usize::MAX)
                    .min(self.header.len());
                self.insert(at, &written(&name, &value, has_leading_space));
            }
            Change::ChangeHeader { index, name, value } => {
                self.change_header(index, &name, (&value, has_leading_space));
            }
            Change::AddRecipient(address, options) => return self.add_recipient(&address, &options),
            Change::DeleteRecipient(address) => self.delete_recipient(&address),
            Change::ChangeSender(address, options) => return self.change_sender(&address, &options),
            // What it decides is for others; the rest was done.
            Change::Quarantine(_) | Change::ReplaceBody(_) => {}
        }
        Ok(())
    }

    /// What tables make of a header that a filter makes; `None`: nothing.
    fn checked(&mut self, text: &[u8]) -> Option<Vec<u8>> {
        match self.checks {
            Some(checks) => checks.made_by_filter(text, &mut self.effects),
            None => Some(text.to_vec()),
        }
    }

    fn insert(&mut self, at: usize, text: &[u8]) {
        let Some(text) = self.checked(text) else { return };
        let size: usize = self.header.iter().map(|line| line.text.len()).sum();
        if size + text.len() > HEADER_BYTES_MAX {
            return self.warn("a header that filters made too large is not made larger");
        }
        self.is_changed = true;
        self.header.insert(at, Line { text, is_own: false });
    }

    fn change_header(&mut self, index: u32, name: &[u8], (value, has_leading_space): (&[u8], bool)) {
        let wanted = usize::try_from(index.max(1) - 1).unwrap_or(usize::MAX);
        let mut places = (0..self.header.len()).filter(|&at| self.header[at].is(name));
        let place = places.nth(wanted);
        if value.is_empty() {
            if let Some(at) = place {
                self.header.remove(at);
                self.is_changed = true;
            }
            return;
        }
        let text = written(name, value, has_leading_space);
        match place {
            None => {
                let at = self.header.len();
                self.insert(at, &text);
            }
            Some(at) => {
                self.is_changed = true;
                match self.checked(&text) {
                    Some(text) => self.header[at].text = text,
                    None => {
                        self.header.remove(at);
                    }
                }
            }
        }
    }

    fn replace_body(&mut self, piece: &[u8]) -> Result<(), Problem> {
        let ends = match &mut self.body {
            Some(ends) => ends,
            None => {
                // The old one goes; the header is here.
                self.incoming.begin_again().map_err(Problem::Queue)?;
                (self.body_at, self.is_changed) = (0, true);
                self.incoming.write(b"\n").map_err(Problem::Queue)?;
                self.body.insert(LineEnds::default())
            }
        };
        let mut converted = Vec::new();
        ends.convert(piece, b'\r', &mut converted);
        let limit = self.addresses.settings.message_size_limit;
        if limit != 0 && self.incoming.size_bytes() + converted.len() as u64 > limit {
            return Err(Problem::TooLarge);
        }
        self.incoming.write(&converted).map_err(Problem::Queue)
    }

    /// A body that arrived is complete.
    pub(crate) fn end_body(&mut self) -> Result<(), Problem> {
        let Some(mut ends) = self.body.take() else {
            return Ok(());
        };
        let mut end = Vec::new();
        ends.finish(&mut end);
        self.incoming.write(&end).map_err(Problem::Queue)
    }

    fn warn(&mut self, text: &str) {
        self.warnings
            .push(format!("{}: {text}", self.incoming.queue_id()));
    }

    fn add_recipient(&mut self, address: &str, options: &str) -> Result<(), Problem> {
        let Some(address) = parsed(address) else {
            self.warn("ignoring attempt from Milter to add null recipient");
            return Ok(());
        };
        let (mut notify, mut orcpt) = (None, None);
        for option in options.split_ascii_whitespace() {
            let (name, value) = option.split_once('=').unwrap_or((option, ""));
            match name.to_ascii_uppercase().as_str() {
                "NOTIFY" => {
                    notify = Notify::parse(value);
                    if notify.is_none() {
                        let text = format!("unknown DSN NOTIFY command value \"{value}\" in \"{value}\"");
                        self.warnings.push(text);
                        self.warn(&format!(
                            "Bad NOTIFY parameter from Milter or header/body_checks: \"{option}\""
                        ));
                    }
                }
                "ORCPT" => orcpt = parse_orcpt(value),
                _ => self.warn(&format!(
                    "ignoring ESMTP argument from Milter or header/body_checks: \"{option}\""
                )),
            }
        }
        let address = intake::qualify(address, self.addresses.settings);
        let new = self
            .addresses
            .added(address, notify, orcpt)
            .map_err(Problem::Mapping)?;
        // Those that clients named are others than those that filters add.
        let fresh = |recipient: &Recipient| {
            let key = (
                &recipient.address,
                &recipient.original,
                recipient.notify,
                &recipient.orcpt,
            );
            format!("{key:?}")
        };
        for recipient in new {
            if self.added.insert(fresh(&recipient)) {
                self.envelope.recipients.push(recipient);
            }
        }
        Ok(())
    }

    /// Removes those that were meant by this address, however often.
    fn delete_recipient(&mut self, address: &str) {
        let Some(address) = parsed(address) else { return };
        let meant = self.addresses.rewritten(&address).to_string();
        let addresses = self.addresses;
        let is_other = |recipient: &Recipient| addresses.rewritten(&recipient.original).to_string() != meant;
        self.envelope.recipients.retain(is_other);
        self.added.clear();
    }

    fn change_sender(&mut self, address: &str, options: &str) -> Result<(), Problem> {
        let sender = parsed(address).map(|address| intake::qualify(address, self.addresses.settings));
        self.envelope.sender = self.addresses.sender(sender.as_ref()).map_err(Problem::Mapping)?;
        for option in options.split_ascii_whitespace() {
            let (name, value) = option.split_once('=').unwrap_or((option, ""));
            match name.to_ascii_uppercase().as_str() {
                "RET" if Ret::parse(value).is_some() => self.envelope.ret = Ret::parse(value),
                "ENVID" if !value.is_empty() => {
                    self.envelope.envid = decode_xtext(value);
                }
                _ => self.warnings.push(format!(
                    "Ignoring bad ESMTP parameter \"{option}\" in SMFI_CHGFROM request"
                )),
            }
        }
        Ok(())
    }

    /// Writes what was changed in place of what was staged.
    ///
    /// # Errors
    /// When it cannot be written; then there is no message.
    pub(super) fn write(mut self) -> Result<(Effects, Vec<String>), Problem> {
        self.end_body()?;
        if let Some(problem) = self.problem {
            return Err(problem);
        }
        if self.is_changed {
            self.rewrite().map_err(Problem::Queue)?;
        }
        Ok((self.effects, self.warnings))
    }

    fn rewrite(&mut self) -> queue::Result<()> {
        let former = self.incoming.begin_again()?;
        for line in &self.header {
            self.incoming.write(&line.text)?;
            self.incoming.write(b"\n")?;
        }
        let (mut piece, mut at) = (vec![0; PIECE_BYTES], self.body_at);
        loop {
            match former.read_at(at, &mut piece)? {
                0 => return Ok(()),
                count => {
                    self.incoming.write(&piece[..count])?;
                    at += count as u64;
                }
            }
        }
    }
}

/// The fields of a header; the one that starts at `own_at` is ours.
fn lines(text: &[u8], own_at: usize) -> Vec<Line> {
    let mut header: Vec<Line> = Vec::new();
    let mut at = 0;
    for line in text.split_inclusive(|&byte| byte == b'\n') {
        let content = line.strip_suffix(b"\n").unwrap_or(line);
        match header.last_mut() {
            Some(field) if content.starts_with(b" ") || content.starts_with(b"\t") => {
                field.text.push(b'\n');
                field.text.extend_from_slice(content);
            }
            _ => header.push(Line {
                text: content.to_vec(),
                is_own: at == own_at,
            }),
        }
        at += line.len();
    }
    header
}

/// A field as a filter wants it: lines behind the first one are folded, whatever it thought of.
fn written(name: &[u8], value: &[u8], has_leading_space: bool) -> Vec<u8> {
    let mut text: Vec<u8> = name
        .iter()
        .filter(|byte| !b"\r\n:".contains(byte))
        .copied()
        .collect();
    text.push(b':');
    if !has_leading_space {
        text.push(b' ');
    }
    let value = value.strip_suffix(b"\n").unwrap_or(value);
    for (number, line) in value.split(|&byte| byte == b'\n').enumerate() {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if number > 0 {
            if line.is_empty() {
                continue;
            }
            text.push(b'\n');
            if !line.starts_with(b" ") && !line.starts_with(b"\t") {
                text.push(b'\t');
            }
        }
        text.extend(line.iter().filter(|&&byte| byte != b'\r'));
    }
    text
}

/// An address with or without its brackets; `None` is the null address, and what is none.
fn parsed(text: &str) -> Option<Address> {
    let text = text.trim();
    let inner = text.strip_prefix('<').and_then(|rest| rest.strip_suffix('>'));
    Address::parse(inner.unwrap_or(text).trim()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &[u8]) -> String {
        String::from_utf8_lossy(text).into_owned()
    }

    #[test]
    fn fields_are_found_with_their_folds() {
        let header = lines(b"X-Pre: p\nReceived: from a\n\tby b\nSubject: s\n", 9);
        let texts: Vec<String> = header.iter().map(|line| shown(&line.text)).collect();
        assert_eq!(texts, ["X-Pre: p", "Received: from a\n\tby b", "Subject: s"]);
        assert_eq!(
            header.iter().map(|line| line.is_own).collect::<Vec<_>>(),
            [false, true, false]
        );
        assert!(header[2].is(b"subject") && !header[1].is(b"Received"));
    }

    #[test]
    fn a_filter_makes_one_field_of_what_it_says() {
        let made = |value: &str| shown(&written(b"X", value.as_bytes(), false));
        assert_eq!(made("v"), "X: v");
        assert_eq!(made("one\r\n\ttwo"), "X: one\n\ttwo");
        assert_eq!(made("one\ntwo"), "X: one\n\ttwo");
        assert_eq!(made("one\n\ntwo\n"), "X: one\n\ttwo");
        assert_eq!(made(""), "X: ");
        assert_eq!(shown(&written(b"X\nY:", b"\nZ", true)), "XY:\n\tZ");
    }
}
