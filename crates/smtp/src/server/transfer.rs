//! The content of a message on its way in: DATA and BDAT.

use super::commands::{bad_syntax, out_of_order};
use super::content::Scanner;
use super::{
    BareNewline, CONTENT_PIECE_OCTETS_MAX, Ending, Event, Last, Note, Open, Protocol, Server, State,
};
use crate::Reply;
use crate::transcript::Fault;
use envelope::StatusCode;

/// A content that is being received.
#[derive(Debug)]
pub(super) struct Transfer {
    scanner: Scanner,
    /// How many octets of content came out so far.
    pub(super) octets: u64,
    chunked: bool,
    /// Why nothing of it is passed on any more.
    spoilt: Option<Spoilt>,
    noted_bare: bool,
}

/// Why a content is of no use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Spoilt {
    TooBig,
    BareLineFeed,
    /// An earlier chunk was refused.
    EarlierError,
}

/// What BDAT said.
struct ChunkSize {
    octets: u64,
    last: bool,
}

impl Server {
    pub(super) fn data_command(&mut self, argument: &str) {
        if self.has_chunks() {
            return self.refuse(&out_of_order("Error: DATA after BDAT"));
        }
        if let Some(reply) = self.why_no_content() {
            return self.refuse(&reply);
        }
        if !argument.is_empty() {
            return self.refuse(&bad_syntax("Syntax: DATA"));
        }
        self.open = Some(Open::Data);
        self.events.push_back(Event::Data { chunked: false });
    }

    fn has_chunks(&self) -> bool {
        self.transaction
            .as_ref()
            .is_some_and(|transaction| transaction.transfer.is_some())
    }

    fn why_no_content(&self) -> Option<Reply> {
        match &self.transaction {
            None => Some(out_of_order("Error: need RCPT command")),
            Some(transaction) if transaction.recipients == 0 => Some(Reply::new(
                554,
                StatusCode::permanent(5, 1),
                "Error: no valid recipients",
            )),
            Some(_) => None,
        }
    }

    /// The caller has agreed to DATA.
    pub(super) fn start_data(&mut self) {
        let scanner = Scanner::for_data(self.config.bare_newline, self.config.replace_stray_cr);
        self.begin_transfer(scanner, false);
        self.say(&Reply::bare(354, "End data with <CR><LF>.<CR><LF>"));
        self.state = State::Data;
    }

    fn begin_transfer(&mut self, scanner: Scanner, chunked: bool) {
        if let Some(transaction) = &mut self.transaction {
            transaction.transfer = Some(Transfer {
                scanner,
                octets: 0,
                chunked,
                spoilt: None,
                noted_bare: false,
            });
        }
    }

    /// Uses fed octets without storing them first, if content is being read; gives how many were used.
    pub(super) fn feed_content(&mut self, input: &[u8]) -> usize {
        if self.state != State::Data
            || !self.unread().is_empty()
            || self.open.is_some()
            || !self.events.is_empty()
        {
            return 0;
        }
        let mut used = 0;
        while used < input.len() && self.state == State::Data && self.open.is_none() {
            used += self.data_piece(&input[used..]);
        }
        used
    }

    /// Uses stored octets as content of DATA.
    pub(super) fn data(&mut self) -> bool {
        if self.unread().is_empty() {
            return false;
        }
        let (input, start) = (std::mem::take(&mut self.input), std::mem::take(&mut self.start));
        let used = self.data_piece(&input[start..]);
        if self.state != State::Finished {
            (self.input, self.start) = (input, start);
            self.consume(used);
        }
        true
    }

    /// Scans one piece of DATA's content; gives how much of it was used.
    fn data_piece(&mut self, input: &[u8]) -> usize {
        let piece = &input[..input.len().min(CONTENT_PIECE_OCTETS_MAX)];
        let Some(transfer) = self.transfer() else {
            return piece.len();
        };
        let mut content = Vec::with_capacity(piece.len() + 64);
        let scanned = transfer.scanner.scan(piece, &mut content);
        self.pass_on(content);
        if scanned.ended {
            self.content_end();
        }
        scanned.used
    }

    fn transfer(&mut self) -> Option<&mut Transfer> {
        self.transaction.as_mut()?.transfer.as_mut()
    }

    /// Gives content to the caller, unless it is spoilt.
    fn pass_on(&mut self, content: Vec<u8>) {
        let (limit, bare) = (self.config.limits.message_octets_max, self.config.bare_newline);
        let Some(transfer) = self.transfer() else { return };
        transfer.octets += content.len() as u64;
        let mut note = None;
        if transfer.scanner.bare_line_feed && !transfer.noted_bare {
            transfer.noted_bare = true;
            note = matches!(bare, BareNewline::Note | BareNewline::Reject).then_some(Note::BareLineFeed);
            if bare == BareNewline::Reject {
                transfer.spoilt.get_or_insert(Spoilt::BareLineFeed);
            }
        }
        if limit > 0 && transfer.octets > limit && transfer.spoilt.is_none() {
            transfer.spoilt = Some(Spoilt::TooBig);
            note = Some(Note::TooBig);
        }
        let useful = transfer.spoilt.is_none() && !content.is_empty();
        self.events.extend(note.map(Event::Note));
        if useful {
            self.events.push_back(Event::Content(content));
        }
    }

    /// The content is there in full.
    fn content_end(&mut self) {
        self.state = State::Command;
        let Some(transfer) = self.transfer() else { return };
        let (octets, chunked) = (transfer.octets, transfer.chunked);
        let (fault, reply) = match transfer.spoilt {
            None => {
                self.open = Some(Open::ContentEnd { octets, chunked });
                return self.events.push_back(Event::ContentEnd { octets });
            }
            Some(Spoilt::TooBig) => {
                let reply = Reply::new(552, StatusCode::permanent(3, 4), "Error: message file too big");
                (Some(Fault::Bounce), reply)
            }
            Some(Spoilt::BareLineFeed) => (Some(Fault::Protocol), self.bare_newline_refusal()),
            Some(Spoilt::EarlierError) => (None, discarded(octets)),
        };
        self.last = Last::EndOfMessage;
        for _ in 1..self.replies_after_content() {
            self.say(&reply);
        }
        self.reset();
        self.refuse_for(fault, &reply);
        self.turn_page();
    }

    /// LMTP: one for each recipient (RFC 2033 §4.2).
    pub(super) fn replies_after_content(&self) -> usize {
        match (self.config.protocol, &self.transaction) {
            (Protocol::Lmtp, Some(transaction)) => transaction.recipients.max(1),
            _ => 1,
        }
    }

    pub(super) fn bdat(&mut self, argument: &str) {
        let Some(ChunkSize { octets, last }) = chunk_size(argument) else {
            // What follows cannot be told from commands: there is no way on.
            self.errors += 1;
            self.fault(Fault::Protocol);
            self.say(&Reply::new(
                521,
                StatusCode::permanent(5, 4),
                "Syntax: BDAT count [LAST]",
            ));
            return self.finish(Ending::HungUp);
        };
        let spoilt = self.transfer().and_then(|transfer| transfer.spoilt);
        if spoilt == Some(Spoilt::EarlierError) {
            if last {
                self.reset();
            }
            return self.discard_chunk(octets, discarded(octets));
        }
        if octets == 0 && !last {
            self.fault(Fault::Protocol);
            return self.refuse_chunk(
                octets,
                Reply::new(551, StatusCode::permanent(7, 1), "Null BDAT request"),
            );
        }
        if let Some(reply) = self.why_no_content() {
            self.fault(Fault::Protocol);
            self.reset();
            return self.discard_chunk(octets, reply);
        }
        let limit = self.config.limits.message_octets_max;
        let known = self.transfer().map_or(0, |transfer| transfer.octets);
        if limit > 0 && known.saturating_add(octets) > limit {
            let text = "Chunk exceeds message size limit";
            self.fault(Fault::Policy);
            return self.refuse_chunk(octets, Reply::new(552, StatusCode::permanent(3, 4), text));
        }
        if self.has_chunks() {
            self.state = State::Chunk {
                octets,
                remaining: octets,
                last,
            };
        } else {
            self.open = Some(Open::FirstChunk { octets, last });
            self.events.push_back(Event::Data { chunked: true });
        }
    }

    /// The caller has agreed to the first chunk.
    pub(super) fn start_chunks(&mut self, octets: u64, last: bool) {
        self.begin_transfer(Scanner::for_chunks(self.config.replace_stray_cr), true);
        self.state = State::Chunk {
            octets,
            remaining: octets,
            last,
        };
    }

    /// Refuses a chunk and all that follow in this transaction.
    pub(super) fn refuse_chunk(&mut self, octets: u64, reply: Reply) {
        if !self.has_chunks() {
            self.begin_transfer(Scanner::for_chunks(self.config.replace_stray_cr), true);
        }
        if let Some(transfer) = self.transfer() {
            transfer.spoilt = Some(Spoilt::EarlierError);
        }
        self.discard_chunk(octets, reply);
    }

    /// Replies once the chunk's octets are gone: they must never be read as commands.
    fn discard_chunk(&mut self, octets: u64, reply: Reply) {
        self.state = State::Discard {
            remaining: octets,
            reply: Box::new(reply),
        };
    }

    /// Throws octets of a refused chunk away.
    pub(super) fn discard(&mut self, remaining: u64, reply: Reply) -> bool {
        let count = self.available(remaining);
        if count == 0 && remaining > 0 {
            return false;
        }
        self.consume(count);
        let remaining = remaining - count as u64;
        if remaining > 0 {
            self.state = State::Discard {
                remaining,
                reply: Box::new(reply),
            };
        } else {
            self.state = State::Command;
            self.refuse_for(None, &reply);
        }
        true
    }

    /// How many octets of a chunk are there, up to one piece.
    fn available(&self, remaining: u64) -> usize {
        let most = self.unread().len().min(CONTENT_PIECE_OCTETS_MAX);
        usize::try_from(remaining).map_or(most, |remaining| remaining.min(most))
    }

    /// Uses octets of an accepted chunk.
    pub(super) fn chunk(&mut self, octets: u64, remaining: u64, last: bool) -> bool {
        let count = self.available(remaining);
        if count == 0 && remaining > 0 {
            return false;
        }
        let piece = self.unread()[..count].to_vec();
        self.consume(count);
        let remaining = remaining - count as u64;
        let mut content = Vec::with_capacity(piece.len() + 64);
        if let Some(transfer) = self.transfer() {
            transfer.scanner.scan(&piece, &mut content);
            if remaining == 0 && last {
                transfer.scanner.finish(&mut content);
            }
        }
        self.pass_on(content);
        if remaining > 0 {
            self.state = State::Chunk {
                octets,
                remaining,
                last,
            };
        } else if last {
            self.content_end();
        } else {
            self.state = State::Command;
            self.accept(&Reply::new(
                250,
                StatusCode::success(0, 0),
                format!("Ok: {octets} bytes"),
            ));
        }
        true
    }
}

fn discarded(octets: u64) -> Reply {
    let text = format!("Discarded {octets} bytes after earlier error");
    Reply::new(551, StatusCode::permanent(0, 0), text)
}

/// `count [LAST]`
fn chunk_size(argument: &str) -> Option<ChunkSize> {
    let mut words = argument.split_ascii_whitespace();
    let count = words
        .next()
        .filter(|count| count.bytes().all(|b| b.is_ascii_digit()))?;
    // Sizes are kept small enough to be added up.
    let octets = count
        .parse::<u64>()
        .ok()
        .filter(|octets| *octets <= u64::from(u32::MAX) * 1024)?;
    let last = match (words.next(), words.next()) {
        (None, _) => false,
        (Some(word), None) if word.eq_ignore_ascii_case("LAST") => true,
        _ => return None,
    };
    Some(ChunkSize { octets, last })
}
