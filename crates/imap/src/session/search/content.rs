//! Asking one message's content: its header, and the text of its parts, each decoded once for all that is looked for.

use std::borrow::Cow;
use std::sync::{Mutex, PoisonError};

use address::list::{self, Entry as Address, Mailbox};
use mailbox::cache::{Cache, Entry};
use mailbox::{MailboxId, Store};
use memchr::memmem;
use message::structure::Kind;
use message::text::TextDecoder;
use message::transfer::Encoding;
use message::{Part, casemap, encoded_word, header};

use super::query::{Asked, Needle, Place, Query, Test, is_row};
use super::sent;
use crate::extensions::objectid;
use crate::session::remembered::{Needs, Remembered, is_kept};
use crate::session::section::{HEADER_BYTES_MAX, READ_BYTES, Source};

/// The cache, and what is to be put into it.
#[derive(Clone, Copy)]
pub(crate) struct Cached<'a> {
    pub(crate) cache: &'a dyn Cache,
    pub(crate) learnt: &'a Mutex<Vec<Entry>>,
}

/// A message that is being asked.
pub(crate) struct Candidate<'a> {
    query: &'a Query,
    asked: Asked<'a>,
    store: (&'a dyn Store, &'a MailboxId),
    cached: Option<Cached<'a>>,
    source: Option<Source>,
    /// The header fields that are kept, once they were asked for.
    head: Option<Remembered>,
    /// Which needles it holds, once it was read.
    holds: Option<Vec<bool>>,
}

impl<'a> Candidate<'a> {
    pub(crate) fn new(query: &'a Query, asked: Asked<'a>, store: (&'a dyn Store, &'a MailboxId)) -> Self {
        Candidate {
            query,
            asked,
            store,
            cached: None,
            source: None,
            head: None,
            holds: None,
        }
    }

    /// With the mailbox's cache.
    pub(crate) fn with(mut self, cached: Cached<'a>) -> Self {
        self.cached = Some(cached);
        self
    }

    /// Whether the message is found.
    pub(crate) fn is_found(&mut self) -> mailbox::Result<bool> {
        self.passes(&self.query.test)
    }

    /// Recursion is bounded by [`crate::wire::search::DEPTH_MAX`].
    fn passes(&mut self, test: &Test) -> mailbox::Result<bool> {
        Ok(match test {
            Test::Sent(from, to) => {
                let day = sent::day(self.block("date")?);
                // Without a date that can be read a message was sent at the beginning of time, as with Dovecot.
                let day = day.unwrap_or(0);
                *from <= day && day < *to
            }
            Test::Header(name, finder) => {
                let block = self.block(name)?;
                header::find_all(block, name).any(|field| holds(&value_text(field.body), finder))
            }
            Test::Address(name, finder) => {
                let block = self.block(name)?;
                header::find_all(block, name).any(|field| holds(&address_text(field.body), finder))
            }
            Test::ThreadId(id) => {
                let email_id = self.asked.row.state.email_id;
                objectid::thread_id(self.block("references")?, email_id).as_bytes() == id.as_slice()
            }
            Test::Content(number) => self.holds(*number)?,
            Test::Not(inner) => !self.passes(inner)?,
            Test::Or(left, right) => self.passes(left)? || self.passes(right)?,
            Test::And(all) => {
                for test in all {
                    if !self.passes(test)? {
                        return Ok(false);
                    }
                }
                true
            }
            test => is_row(test, self.asked),
        })
    }

    /// A header block that has the fields of this name: those that are kept, or all.
    fn block(&mut self, name: &str) -> mailbox::Result<&[u8]> {
        if self.source.is_some() || !is_kept(name.as_bytes()) {
            return self.source()?.header();
        }
        let head = match self.head.take() {
            Some(head) => head,
            None => self.remembered_head()?,
        };
        Ok(self.head.insert(head).fields())
    }

    fn remembered_head(&mut self) -> mailbox::Result<Remembered> {
        let needs = Needs {
            head: true,
            ..Needs::default()
        };
        let (uid, cached) = (self.asked.row.state.uid, self.cached);
        let mut head = Remembered::default();
        let missing = head.recall(cached.map(|cached| cached.cache), uid, needs);
        if !missing.are_none() {
            head.make(missing, self.source()?)?;
            if let Some(cached) = cached {
                let mut learnt = cached.learnt.lock().unwrap_or_else(PoisonError::into_inner);
                learnt.extend(head.entries(missing, uid));
            }
        }
        Ok(head)
    }

    fn source(&mut self) -> mailbox::Result<&mut Source> {
        let source = match self.source.take() {
            Some(source) => source,
            None => Source::new(self.store.0.body(self.store.1, self.asked.row.state.uid)?),
        };
        Ok(self.source.insert(source))
    }

    fn holds(&mut self, number: usize) -> mailbox::Result<bool> {
        let holds = match self.holds.take() {
            Some(holds) => holds,
            None => {
                let query = self.query;
                read(self.source()?, &query.needles)?
            }
        };
        Ok(self.holds.insert(holds)[number])
    }
}

/// The needles that were not found yet.
struct Search<'a> {
    needles: &'a [Needle],
    found: Vec<bool>,
    missing: usize,
    /// What text is brought into the form for comparing in.
    folded: String,
}

/// Reads a message until all needles are found.
fn read(source: &mut Source, needles: &[Needle]) -> mailbox::Result<Vec<bool>> {
    let mut search = Search {
        needles,
        found: vec![false; needles.len()],
        missing: needles.len(),
        folded: String::new(),
    };
    let wants_headers = needles.iter().any(|needle| needle.place == Place::Text);
    let block = source.header()?;
    if wants_headers {
        search.header(block);
    }
    if search.missing == 0 {
        return Ok(search.found);
    }
    if block.len() as u64 != HEADER_BYTES_MAX && is_plain(block) {
        let start = block.len() as u64;
        let end = source.body.size_bytes();
        let decoder = TextDecoder::for_encoding(Encoding::Identity, "utf-8");
        search.text(source, decoder, start..end)?;
        return Ok(search.found);
    }
    search.parts(source, wants_headers)?;
    Ok(search.found)
}

/// Whether the header says nothing of what follows it: then that is text.
fn is_plain(block: &[u8]) -> bool {
    !header::fields(block)
        .any(|field| field.name.len() > 8 && field.name[..8].eq_ignore_ascii_case(b"content-"))
}

impl Search<'_> {
    fn parts(&mut self, source: &mut Source, wants_headers: bool) -> mailbox::Result<()> {
        source.structure()?;
        let source = &*source;
        let Some(structure) = source.parsed() else {
            return Ok(());
        };
        for part in structure.root.walk() {
            let is_root = part.header.start == structure.root.header.start;
            if wants_headers && !is_root && !part.header.is_empty() {
                let end = part.header.end.min(part.header.start + HEADER_BYTES_MAX);
                self.header(&source.read(&(part.header.start..end))?);
            }
            if self.missing > 0 && is_text(part) {
                self.text(source, TextDecoder::new(part), part.body.clone())?;
            }
            if self.missing == 0 {
                break;
            }
        }
        Ok(())
    }

    /// Looks into the fields of a header, their names included.
    fn header(&mut self, block: &[u8]) {
        self.folded.clear();
        for field in header::fields(block) {
            let name = String::from_utf8_lossy(field.name);
            casemap::push(&name, &mut self.folded);
            self.folded.push(':');
            push_folded(&unfolded(field.body), &mut self.folded);
            // No key holds a NUL: nothing is found across fields.
            self.folded.push('\0');
        }
        self.look(|needle| needle.place == Place::Text);
    }

    /// Looks into octets of the message that `decoder` makes text of; in pieces.
    fn text(
        &mut self,
        source: &Source,
        mut decoder: TextDecoder,
        range: std::ops::Range<u64>,
    ) -> mailbox::Result<()> {
        let longest = self.needles.iter().map(|needle| needle.text.len()).max();
        let longest = longest.unwrap_or_default();
        let length = usize::try_from(range.end.saturating_sub(range.start)).unwrap_or(usize::MAX);
        let mut piece = vec![0; READ_BYTES.min(length)];
        let mut decoded = String::new();
        let mut at = range.start;
        self.folded.clear();
        loop {
            let left = usize::try_from(range.end.saturating_sub(at)).unwrap_or(usize::MAX);
            let want = left.min(piece.len());
            let count = match want {
                0 => 0,
                want => source.body.read_at(at, &mut piece[..want])?,
            };
            decoded.clear();
            match count {
                0 => decoder.finish(&mut decoded),
                count => decoder.feed(&piece[..count], &mut decoded),
            }
            at += count as u64;
            casemap::push(&decoded, &mut self.folded);
            self.look(|_| true);
            if count == 0 || self.missing == 0 {
                return Ok(());
            }
            // What may be the start of a match is kept.
            let mut keep_from = self.folded.len().saturating_sub(longest);
            while !self.folded.is_char_boundary(keep_from) {
                keep_from -= 1;
            }
            self.folded.drain(..keep_from);
        }
    }

    fn look(&mut self, concerns: impl Fn(&Needle) -> bool) {
        for (needle, found) in self.needles.iter().zip(&mut self.found) {
            if !*found && concerns(needle) && needle.finder.find(self.folded.as_bytes()).is_some() {
                *found = true;
                self.missing -= 1;
            }
        }
    }
}

/// Whether the body of a part is text that is looked into.
fn is_text(part: &Part) -> bool {
    part.kind == Kind::Leaf && (part.content_type.is_kind("text") || part.content_type.is_kind("message"))
}

fn holds(text: &str, finder: &memmem::Finder<'_>) -> bool {
    finder.find(text.as_bytes()).is_some()
}

/// A field's body without its line ends, the white space after each being a space (RFC 5322 §2.2.3).
fn unfolded(body: &[u8]) -> Cow<'_, [u8]> {
    if memchr::memchr2(b'\r', b'\n', body).is_none() {
        return Cow::Borrowed(body);
    }
    let mut out = Vec::with_capacity(body.len());
    let mut is_after_end = false;
    for &octet in body {
        match octet {
            b'\r' | b'\n' => is_after_end = true,
            b'\t' if is_after_end => {
                out.push(b' ');
                is_after_end = false;
            }
            octet => {
                out.push(octet);
                is_after_end = false;
            }
        }
    }
    Cow::Owned(out)
}

/// Appends header text in the form for comparing, encoded words decoded.
fn push_folded(text: &[u8], out: &mut String) {
    let is_simple = text.is_ascii() && !text.contains(&0x1b) && memmem::find(text, b"=?").is_none();
    match std::str::from_utf8(text) {
        Ok(text) if is_simple => casemap::push(text, out),
        _ => casemap::push(&encoded_word::decode(text), out),
    }
}

/// The value of a field in the form for comparing: what follows the colon and one space.
fn value_text(body: &[u8]) -> String {
    let text = unfolded(body);
    let mut out = String::new();
    push_folded(text.strip_prefix(b" ").unwrap_or(&text), &mut out);
    out
}

/// Addresses in the form for comparing, each written `"name" <local@domain>`, with a comma and a space between them:
/// whichever way the sender wrote them, the same is found.
fn address_text(body: &[u8]) -> String {
    let mut text = Vec::new();
    for (number, entry) in list::parse(body).iter().enumerate() {
        if number > 0 {
            text.extend_from_slice(b", ");
        }
        match entry {
            Address::Mailbox(mailbox) => push_address(mailbox, &mut text),
            Address::Group { name, members } => {
                text.extend_from_slice(name);
                text.push(b':');
                for (number, member) in members.iter().enumerate() {
                    text.extend_from_slice(if number > 0 { b", " } else { b" " });
                    push_address(member, &mut text);
                }
                text.push(b';');
            }
        }
    }
    let mut out = String::new();
    push_folded(&text, &mut out);
    out
}

fn push_address(mailbox: &Mailbox, text: &mut Vec<u8>) {
    if let Some(name) = mailbox.name.as_deref().filter(|name| !name.is_empty()) {
        push_name(name, text);
        text.push(b' ');
    }
    text.push(b'<');
    if let Some(route) = &mailbox.route {
        text.extend_from_slice(route);
        text.push(b':');
    }
    let local: &[u8] = match mailbox.local.as_slice() {
        b"" => b"MISSING_MAILBOX",
        local => local,
    };
    text.extend_from_slice(local);
    text.push(b'@');
    text.extend_from_slice(mailbox.domain.as_deref().unwrap_or(b"MISSING_DOMAIN"));
    text.push(b'>');
}

/// A name in quotes, unless it is an atom or holds encoded words, which quotes would hide.
fn push_name(name: &[u8], text: &mut Vec<u8>) {
    let is_atom = |b: &u8| b.is_ascii_alphanumeric() || !b.is_ascii() || b"!#$%&'*+-/=?^_`{|}~".contains(b);
    if name.iter().all(is_atom) || memmem::find(name, b"=?").is_some() {
        return text.extend_from_slice(name);
    }
    text.push(b'"');
    for &octet in name {
        if matches!(octet, b'"' | b'\\') {
            text.push(b'\\');
        }
        text.push(octet);
    }
    text.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_written_one_way() {
        for (field, text) in [
            (
                "bob@example.com,Carol <carol@x>",
                "<BOB@EXAMPLE.COM>, CAROL <CAROL@X>",
            ),
            ("\"Alice B\" <a@b> (c)", "\"ALICE B\" <A@B>"),
            ("grp: a@b,\r\n \"D.E\" <d@e>;", "GRP: <A@B>, \"D.E\" <D@E>;"),
            ("=?utf-8?q?Gr=C3=BC?= q <x@y>", "GRU\u{308} Q <X@Y>"),
            ("foo", "<FOO@MISSING_DOMAIN>"),
            ("\"a\\\"b\" <q@w>", "\"A\\\"B\" <Q@W>"),
        ] {
            assert_eq!(address_text(field.as_bytes()), text, "{field}");
        }
    }

    #[test]
    fn values_keep_their_white_space() {
        assert_eq!(value_text(b" a\r\n\tb  c\r\n  d"), "A B  C  D");
        assert_eq!(value_text(b"   a"), "  A");
        assert_eq!(value_text(b""), "");
        assert_eq!(value_text(b" =?utf-8?q?a?=\r\n =?utf-8?q?b?= c"), "AB C");
    }
}
