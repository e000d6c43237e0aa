//! Content checks: tables that look at each header field and each body line, and say what is to be done (header_checks(5)).
//! Used where mail comes in, and by the SMTP and LMTP clients where it goes out.
//!
//! In charge of asking the tables and of what the message becomes; what becomes of its envelope, and of the log, is for the
//! caller, who finds it in [`Effects`]. What a table cannot answer is never "nothing found": [`Effects::has_failed`].

pub mod action;
pub mod outgoing;

use std::borrow::Cow;

use address::Address;
use envelope::StatusCode;
use message::scan::{Limits, Line, Place, Scanner, Sink};
use settings::{Postfix, TableRef};
use tables::{Tables, Tell, watch};

use action::{Action, Wrong};

/// The tables of one service.
#[derive(Debug)]
pub struct Checks {
    header: Map,
    mime: Map,
    nested: Map,
    body: Map,
    /// How much of each part `body_checks` look at, in octets.
    body_bytes_max: u64,
    limits: Limits,
    side: Side,
}

/// Where the checks stand. What is for the envelope only is no action of the clients'.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Incoming,
    Outgoing,
    Filters,
}

#[derive(Debug)]
struct Map {
    name: String,
    tables: Tables,
}

/// The tables for one client: header, MIME header, nested header, body.
pub type Named<'a> = [(&'a str, &'a [TableRef]); 4];

/// A line for the log about something that was done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// `reject`, `warning`, `replace` …
    pub decision: &'static str,
    /// `header`, `body` or [`MIME_ERROR`].
    pub kind: &'static str,
    /// The field or line.
    pub content: String,
    /// The rule's text; may be empty.
    pub text: String,
    /// Where the rule stands: `header_checks pcre:/etc/postfix/header:12`.
    pub rule: String,
}

/// Where a rule stands.
struct Origin<'a> {
    map: &'a str,
    table: &'a TableRef,
    /// The line of a table of patterns, from 1.
    line: Option<usize>,
}

impl std::fmt::Display for Origin<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.map, self.table)?;
        match self.line {
            Some(line) if self.table.name.contains('{') => write!(f, ", item {line}"),
            Some(line) => write!(f, ":{line}"),
            None => Ok(()),
        }
    }
}

/// What checks came to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Effects {
    /// The message is refused with this.
    pub refusal: Option<(StatusCode, String)>,
    /// It is to be taken, and to go nowhere.
    pub is_discarded: bool,
    /// It is to wait until somebody lets it go.
    pub is_held: bool,
    /// `transport:nexthop` of the filter that is to see it first.
    pub filter: Option<String>,
    /// Where it goes instead.
    pub redirect: Option<Address>,
    /// Where it goes besides.
    pub copies: Vec<Address>,
    /// What is to be logged.
    pub notes: Vec<Note>,
    /// What is wrong with tables.
    pub warnings: Vec<String>,
    /// A table could not be asked: nobody knows what is to be done with the message, which waits.
    pub has_failed: bool,
    /// What is to be said of that in the log, with the queue id; once.
    pub failure: Option<String>,
    /// The rest is not looked at.
    pub is_over: bool,
}

/// The most copies that one message may ask for.
const COPIES_MAX: usize = 1000;
/// The most lines for the log of one message; a rule that fits every line of a body must not fill the disk.
const NOTES_MAX: usize = 10_000;
/// The kind of a note about MIME that is beyond a limit.
pub const MIME_ERROR: &str = "mime-error";
const TOO_DEEP: &str = "MIME nesting exceeds safety limit";
/// How much of a field or line is logged, in octets.
const CONTENT_SHOWN_BYTES: usize = 200;

/// What becomes of a field or line.
#[derive(Debug)]
pub(crate) enum Fate {
    Kept,
    Dropped,
    Replaced(Vec<u8>),
    /// It stays, behind this.
    Behind(Vec<u8>),
}

impl Checks {
    /// The tables of cleanup(8), and those that cannot be opened: every question to those fails.
    pub fn incoming(settings: &Postfix) -> (Checks, Vec<tables::Error>) {
        let named: Named<'_> = [
            ("header_checks", &settings.header_checks),
            ("mime_header_checks", &settings.mime_header_checks),
            ("nested_header_checks", &settings.nested_header_checks),
            ("body_checks", &settings.body_checks),
        ];
        Checks::open(named, settings, Side::Incoming)
    }

    /// Those of a client.
    pub fn outgoing(named: Named<'_>, settings: &Postfix) -> (Checks, Vec<tables::Error>) {
        Checks::open(named, settings, Side::Outgoing)
    }

    /// Those that look at headers which mail filters make (`milter_header_checks`).
    pub fn of_filters(settings: &Postfix) -> (Checks, Vec<tables::Error>) {
        let all = |name| (name, settings.milter_header_checks.as_slice());
        let named: Named<'_> = [
            all("milter_header_checks"),
            all("milter_header_checks"),
            ("", &[]),
            ("", &[]),
        ];
        Checks::open(named, settings, Side::Filters)
    }

    /// What becomes of a header field (without its last line end) that a mail filter makes; `None`: it is not made.
    pub fn made_by_filter(&self, text: &[u8], effects: &mut Effects) -> Option<Vec<u8>> {
        let fate = self.field(Place::Primary, text, effects);
        if matches!(fate, Fate::Behind(_)) {
            effects.warn("the milter_header/body_checks prepend action is not implemented".to_owned());
            return Some(text.to_vec());
        }
        fate.of(text).1.map(<[u8]>::to_vec)
    }

    fn open(named: Named<'_>, settings: &Postfix, side: Side) -> (Checks, Vec<tables::Error>) {
        let mut problems = Vec::new();
        let [header, mime, nested, body] = named.map(|(name, references)| {
            let (tables, found) = Tables::open(references);
            for problem in found {
                if !problems.contains(&problem) {
                    problems.push(problem);
                }
            }
            Map {
                name: name.to_owned(),
                tables: tables.titled(name),
            }
        });
        let checks = Checks {
            header,
            mime,
            nested,
            body,
            body_bytes_max: settings.body_checks_size_limit,
            limits: Limits {
                field_bytes_max: usize::try_from(settings.header_size_limit).unwrap_or(usize::MAX),
                nesting_max: settings.mime_nesting_limit,
                boundary_bytes_max: settings.mime_boundary_length_limit,
            },
            side,
        };
        (checks, problems)
    }

    /// As [`Tables::tell_warnings`].
    pub fn tell_warnings(&mut self, tell: &Tell) {
        for map in [&mut self.header, &mut self.mime, &mut self.nested, &mut self.body] {
            map.tables.tell_warnings(tell);
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        !self.looks_at_bodies()
    }

    /// Whether they look beyond the message's own header: how deep its parts lie matters to all checks of headers.
    pub fn looks_at_bodies(&self) -> bool {
        [&self.header, &self.mime, &self.nested, &self.body]
            .iter()
            .any(|map| !map.tables.is_empty())
    }

    /// A scanner for what follows the message's own header, whose Content-Type field had this value.
    pub fn scanner(&self, content_type: Option<&[u8]>) -> Scanner {
        Scanner::behind_header(self.limits, content_type)
    }

    /// MIME fields are for `mime_header_checks`, wherever they stand.
    fn map(&self, place: Place, text: &[u8]) -> &Map {
        let colon = memchr::memchr(b':', text).unwrap_or(text.len());
        let name = text[..colon].trim_ascii_end().to_ascii_lowercase();
        let is_mime = [
            b"content-description".as_slice(),
            b"content-disposition",
            b"content-id",
            b"content-transfer-encoding",
            b"content-type",
            b"mime-version",
        ]
        .contains(&name.as_slice());
        match place {
            _ if is_mime => &self.mime,
            Place::Primary => &self.header,
            Place::Part => &self.mime,
            Place::Nested => &self.nested,
        }
    }

    /// Looks at a field (without its last line end).
    pub(crate) fn field(&self, place: Place, text: &[u8], effects: &mut Effects) -> Fate {
        match effects.is_over {
            true => Fate::Kept,
            false => self.ask((self.map(place, text), "header"), text, effects),
        }
    }

    fn line(&self, line: Line<'_>, effects: &mut Effects) -> Fate {
        match effects.is_over || line.offset >= self.body_bytes_max {
            true => Fate::Kept,
            false => self.ask((&self.body, "body"), line.text, effects),
        }
    }

    fn ask(&self, (map, kind): (&Map, &'static str), text: &[u8], effects: &mut Effects) -> Fate {
        if text.is_empty() || map.tables.is_empty() {
            return Fate::Kept;
        }
        let key = Key::of(text);
        watch::forget_line();
        let (found, table) = match map.tables.lookup_unfolded_with_source(&key.text) {
            Ok(None) => return Fate::Kept,
            Ok(Some(found)) => found,
            Err(_) => {
                effects.fail(match self.side {
                    Side::Outgoing => format!("smtp {kind} checks lookup error"),
                    _ => format!(
                        "{} map lookup problem -- message not accepted, try again later",
                        map.name
                    ),
                });
                return Fate::Kept;
            }
        };
        let action = Action::parse(&found, kind == "header").map_err(|wrong| match self.side {
            Side::Outgoing => wrong.of_clients(),
            _ => wrong,
        });
        let action = action.and_then(|action| match self.side {
            Side::Outgoing if !action.is_for_clients() => Err(Wrong::command("unsupported", &found)),
            _ => Ok(action),
        });
        match action {
            Ok(action) => {
                let origin = Origin {
                    map: &map.name,
                    table,
                    line: watch::line(),
                };
                effects.perform(action, kind, &key, &origin)
            }
            Err(wrong) => {
                effects.warn(wrong.told(&map.name));
                Fate::Kept
            }
        }
    }
}

impl Action {
    fn is_for_clients(&self) -> bool {
        !matches!(
            self,
            Action::Reject(..)
                | Action::Discard(_)
                | Action::Hold(_)
                | Action::Pass(_)
                | Action::Filter(_)
                | Action::Redirect(_)
                | Action::Bcc(_)
        )
    }
}

/// A text as tables see it: UTF-8 as it is, else each octet as the character of that number.
struct Key<'a> {
    text: Cow<'a, str>,
    is_octets: bool,
}

impl Key<'_> {
    fn of(text: &[u8]) -> Key<'_> {
        match std::str::from_utf8(text) {
            Ok(text) => Key {
                text: Cow::Borrowed(text),
                is_octets: false,
            },
            Err(_) => Key {
                text: Cow::Owned(text.iter().map(|&octet| char::from(octet)).collect()),
                is_octets: true,
            },
        }
    }

    /// A text of a rule, which may hold pieces of what it was found for, as octets.
    fn octets(&self, text: &str) -> Vec<u8> {
        if !self.is_octets {
            return text.as_bytes().to_vec();
        }
        let mut octets = Vec::with_capacity(text.len());
        for c in text.chars() {
            match u8::try_from(u32::from(c)) {
                Ok(octet) => octets.push(octet),
                Err(_) => octets.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
            }
        }
        octets
    }

    /// As the log shows it.
    fn shown(&self) -> String {
        let mut shown = String::new();
        for c in self.text.chars() {
            let c = if c.is_control() { '?' } else { c };
            if shown.len() + c.len_utf8() > CONTENT_SHOWN_BYTES {
                break;
            }
            shown.push(c);
        }
        shown
    }
}

impl Fate {
    /// What goes before it, and what it becomes; both without line ends.
    pub(crate) fn of<'a>(&'a self, text: &'a [u8]) -> (Option<&'a [u8]>, Option<&'a [u8]>) {
        match self {
            Fate::Kept => (None, Some(text)),
            Fate::Dropped => (None, None),
            Fate::Replaced(other) => (None, Some(other)),
            Fate::Behind(before) => (Some(before), Some(text)),
        }
    }

    fn write(&self, text: &[u8], ends: bool, out: &mut Vec<u8>) {
        let (before, text) = self.of(text);
        if let Some(before) = before {
            out.extend_from_slice(before);
            out.push(b'\n');
        }
        if let Some(text) = text {
            out.extend_from_slice(text);
            if ends {
                out.push(b'\n');
            }
        }
    }
}

impl Effects {
    /// Whether the message goes its usual way, as far as known.
    pub fn is_taken(&self) -> bool {
        self.refusal.is_none() && !self.has_failed
    }

    /// What is to be logged since the last call.
    pub fn has_something_to_tell(&self) -> bool {
        !self.notes.is_empty() || !self.warnings.is_empty() || self.failure.is_some()
    }

    /// Lines and warnings for the log since the last call.
    pub fn take_notes(&mut self) -> (Vec<Note>, Vec<String>) {
        (
            std::mem::take(&mut self.notes),
            std::mem::take(&mut self.warnings),
        )
    }

    /// A table cannot be asked: the rest is not looked at.
    fn fail(&mut self, why: String) {
        self.fail_with(why);
        self.is_over = true;
    }

    /// The message cannot be taken for now; why.
    pub(crate) fn fail_with(&mut self, why: String) {
        self.failure.get_or_insert(why);
        self.has_failed = true;
    }

    /// A mistake of a table is told once for a message.
    fn warn(&mut self, warning: String) {
        if self.warnings.len() < NOTES_MAX && !self.warnings.contains(&warning) {
            self.warnings.push(warning);
        }
    }

    fn perform(&mut self, action: Action, kind: &'static str, key: &Key<'_>, origin: &Origin<'_>) -> Fate {
        let mut note = |decision: &'static str, text: &str| {
            if self.notes.len() < NOTES_MAX {
                self.notes.push(Note {
                    decision,
                    kind,
                    content: key.shown(),
                    text: text.to_owned(),
                    rule: origin.to_string(),
                });
            }
        };
        match &action {
            Action::Reject(code, text) => note("reject", format!("{code} {text}").trim_end()),
            Action::Discard(text) => note("discard", text),
            Action::Hold(text) if !self.is_held => note("hold", text),
            Action::Warn(text) => note("warning", text),
            Action::Info(text) => note("info", text),
            Action::Pass(text) => note("pass", text),
            Action::Filter(filter) => note("filter", filter),
            Action::Redirect(address) => note("redirect", &address.to_string()),
            Action::Bcc(address) => note("bcc", &address.to_string()),
            Action::Prepend(text) => note("prepend", text),
            Action::Replace(text) => note("replace", text),
            Action::Strip(text) => note("strip", text),
            Action::Hold(_) | Action::Dunno | Action::Ignore => {}
        }
        match action {
            Action::Reject(code, text) => {
                self.refusal = Some((code, text));
                self.is_over = true;
            }
            Action::Discard(_) => (self.is_discarded, self.is_over) = (true, true),
            Action::Pass(_) => self.is_over = true,
            Action::Hold(_) => self.is_held = true,
            Action::Filter(filter) => self.filter = Some(filter),
            // As Postfix does, whatever its manual page says of further lines.
            Action::Redirect(address) => (self.redirect, self.is_over) = (Some(address), true),
            Action::Bcc(address) => {
                if self.copies.len() < COPIES_MAX && !self.copies.contains(&address) {
                    self.copies.push(address);
                }
            }
            Action::Prepend(text) => return Fate::Behind(key.octets(&text)),
            Action::Replace(text) => return Fate::Replaced(key.octets(&text)),
            Action::Strip(_) | Action::Ignore => return Fate::Dropped,
            Action::Warn(_) | Action::Info(_) | Action::Dunno => {}
        }
        Fate::Kept
    }
}

/// Writes what a scanner tells, as the checks have it.
pub(crate) struct Checked<'a> {
    pub(crate) checks: &'a Checks,
    pub(crate) effects: &'a mut Effects,
    pub(crate) out: &'a mut Vec<u8>,
}

impl Sink for Checked<'_> {
    fn field(&mut self, place: Place, text: &[u8]) {
        let fate = self.checks.field(place, text, self.effects);
        fate.write(text, true, self.out);
    }
    fn line(&mut self, line: Line<'_>) {
        let fate = self.checks.line(line, self.effects);
        fate.write(line.text, line.ends, self.out);
    }
    /// What lies deeper would be seen by no check: where there are checks of headers, such mail is not taken.
    fn too_deep(&mut self, field: &[u8]) {
        let maps = [&self.checks.header, &self.checks.mime, &self.checks.nested];
        if self.effects.is_over || maps.iter().all(|map| map.tables.is_empty()) {
            return;
        }
        self.effects.notes.push(Note {
            decision: "reject",
            kind: MIME_ERROR,
            content: format!("{TOO_DEEP}: {}", Key::of(field).shown()),
            text: String::new(),
            rule: "mime_nesting_limit".to_owned(),
        });
        self.effects.refusal = Some((StatusCode::permanent(6, 0), TOO_DEEP.to_owned()));
        self.effects.is_over = true;
    }
}

#[cfg(test)]
mod tests;
