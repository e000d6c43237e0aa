//! `doveadm fetch`: fields of messages, or the messages themselves (doveadm-fetch(1)).

use imap::outside::{Letter, PartOf};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use mailbox::Result;
use mailbox::store::MessageState;
use message::text::TextDecoder;
use message::{header, lines};

use super::find::{self, Found, guid_of, saved_secs, sent_date};
use super::query::Query;
use super::{Cell, Column, Command, Formatter, Rows, Shape, Task, UserMail, Words, Wrong};
use crate::eprint_line;

pub(super) const COMMAND: Command = Command {
    name: "fetch",
    usage: "<fields> <search query>",
    options: ("", "", &[]),
    formatter: Formatter::Pager,
    reads_input: false,
    make,
};

/// The names of fields, as Dovecot lists them.
const NAMES: &str = "hdr.<name> body.<section> binary.<section> user mailbox mailbox-guid seq uid guid flags modseq hdr body \
     body.preview body.snippet text text.utf8 size.physical size.virtual date.received date.sent date.saved \
     date.received.unixtime date.sent.unixtime date.saved.unixtime imap.envelope imap.body imap.bodystructure pop3.uidl \
     pop3.order refcount storageid";

/// A field.
#[derive(Debug, Clone)]
enum Field {
    User,
    Mailbox,
    MailboxGuid,
    Seq,
    Uid,
    Guid,
    Flags,
    ModSeq,
    Received(Clock),
    Sent(Clock),
    Saved(Clock),
    SizePhysical,
    SizeVirtual,
    /// Of a name that does not say anything here.
    Empty,
    RefCount,
    Envelope,
    Structure {
        is_extended: bool,
    },
    Preview,
    /// The values of a header field; decoded or as they are.
    Header(String, bool),
    /// A part of the message.
    Part(PartOf),
    TextUtf8,
}

/// How a moment is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Clock {
    Wall,
    Unix,
}

struct Fetch {
    fields: Vec<(String, Field)>,
    query: Query,
}

fn make(words: &Words) -> std::result::Result<Box<dyn Task>, Wrong> {
    let ([fields], query) = words.split()?;
    if query.is_empty() {
        return Err(Wrong::Usage);
    }
    let fields = fields.split(' ').filter(|name| !name.is_empty());
    let fields: std::result::Result<Vec<_>, String> = fields
        .map(|name| {
            let name = name.to_ascii_lowercase();
            Field::of_name(&name).map(|field| (name, field))
        })
        .collect();
    match fields {
        Ok(fields) => Ok(Box::new(Fetch {
            fields,
            query: words.query(query)?,
        })),
        Err(complaint) => {
            eprint_line(&format!("Available fetch fields: {NAMES}"));
            Err(Wrong::fatal(complaint))
        }
    }
}

impl Field {
    fn of_name(name: &str) -> std::result::Result<Field, String> {
        let part = |section: &str, is_decoded| {
            let part = PartOf::parse(section, is_decoded).map(Field::Part);
            part.ok_or_else(|| format!("Unknown fetch section: {section}"))
        };
        Ok(match name {
            "user" => Field::User,
            "mailbox" => Field::Mailbox,
            "mailbox-guid" => Field::MailboxGuid,
            "seq" => Field::Seq,
            "uid" => Field::Uid,
            // A file in a Maildir is called by the message's GUID.
            "guid" | "storageid" => Field::Guid,
            "flags" => Field::Flags,
            "modseq" => Field::ModSeq,
            "hdr" => return part("header", false),
            "body" => return part("text", false),
            "text" => return part("", false),
            "text.utf8" => Field::TextUtf8,
            "body.preview" | "body.snippet" => Field::Preview,
            "size.physical" => Field::SizePhysical,
            "size.virtual" => Field::SizeVirtual,
            "date.received" => Field::Received(Clock::Wall),
            "date.sent" => Field::Sent(Clock::Wall),
            "date.saved" => Field::Saved(Clock::Wall),
            "date.received.unixtime" => Field::Received(Clock::Unix),
            "date.sent.unixtime" => Field::Sent(Clock::Unix),
            "date.saved.unixtime" => Field::Saved(Clock::Unix),
            "imap.envelope" => Field::Envelope,
            "imap.body" => Field::Structure { is_extended: false },
            "imap.bodystructure" => Field::Structure { is_extended: true },
            "pop3.uidl" | "pop3.order" => Field::Empty,
            "refcount" => Field::RefCount,
            _ => match name.split_once('.') {
                Some(("hdr", field)) => match field.strip_suffix(".utf8") {
                    Some(field) => Field::Header(field.to_owned(), true),
                    None => Field::Header(field.to_owned(), false),
                },
                Some(("body", section)) => return part(section, false),
                Some(("binary", section)) => return part(section, true),
                _ => return Err(format!("Unknown fetch field: {name}")),
            },
        })
    }
}

impl Task for Fetch {
    fn columns(&self) -> Vec<Column> {
        let names = self.fields.iter();
        names.map(|(name, _)| Column::new(name, Shape::Usual)).collect()
    }

    fn run(&mut self, mail: &mut UserMail, rows: &mut Rows<'_>) {
        if self.fields.is_empty() {
            return;
        }
        let wrong = |name: &str| format!("Mailbox {name}: Mailbox sync failed");
        find::each(mail, &self.query, wrong, |mail, found| {
            if let Err(error) = fetch(mail, &self.fields, &found, rows) {
                mail.failed(&format!("Mailbox {}: Failed to fetch", found.name), &error);
            }
        });
    }
}

fn fetch(mail: &UserMail, fields: &[(String, Field)], found: &Found, rows: &mut Rows<'_>) -> Result<()> {
    let needs_names = fields
        .iter()
        .any(|(_, field)| matches!(field, Field::Guid | Field::SizePhysical));
    let names = match needs_names {
        true => mail.store.storage_names(found.finder.id())?,
        false => None,
    };
    let guid = guid_of(mail, &found.finder);
    for (number, state, is_recent) in found.messages() {
        if rows.is_stopped() {
            return Ok(());
        }
        let mut showing = Showing {
            mail,
            found,
            mailbox_guid: &guid,
            name: names
                .as_ref()
                .and_then(|names| names.get(&state.uid))
                .map_or("", String::as_str),
            message: (number, state, is_recent),
            letter: None,
        };
        let cells: Result<Vec<Cell>> = fields.iter().map(|(_, field)| showing.cell(field)).collect();
        match cells {
            Ok(cells) => rows.add(cells),
            // Somebody else expunged it.
            Err(mailbox::Error::NoSuchMessage(_)) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// A message whose fields are shown.
struct Showing<'a> {
    mail: &'a UserMail,
    found: &'a Found,
    mailbox_guid: &'a str,
    /// What the message is called where it lies.
    name: &'a str,
    message: (usize, &'a MessageState, bool),
    letter: Option<Letter>,
}

impl Showing<'_> {
    fn cell(&mut self, field: &Field) -> Result<Cell> {
        let (number, state, is_recent) = self.message;
        Ok(match field {
            Field::User => self.mail.account.user.as_str().into(),
            Field::Mailbox => self.found.name.as_str().into(),
            Field::MailboxGuid => self.mailbox_guid.into(),
            Field::Seq => number.to_string().into(),
            Field::Uid => state.uid.to_string().into(),
            Field::Guid => self.name.into(),
            Field::Flags => flags(state, is_recent).into(),
            Field::ModSeq => state.modseq.to_string().into(),
            Field::Received(clock) => moment(state.internal_date_secs, *clock).into(),
            Field::Saved(clock) => moment(saved_secs(state), *clock).into(),
            Field::Sent(clock) => self.sent(*clock)?.into(),
            Field::SizePhysical => self.size_physical()?.to_string().into(),
            Field::SizeVirtual => state.size_bytes.to_string().into(),
            Field::Empty => "".into(),
            Field::RefCount => "1".into(),
            Field::Envelope => Cell::Text(self.letter()?.envelope()?),
            Field::Structure { is_extended } => Cell::Text(self.letter()?.structure(*is_extended)?),
            Field::Preview => self.letter()?.preview()?.into(),
            Field::Header(name, is_decoded) => self.header(name, *is_decoded)?.into(),
            Field::Part(part) => Cell::Lines(lines::to_lf(&self.letter()?.section(part)?)),
            Field::TextUtf8 => Cell::Lines(self.text_utf8()?),
        })
    }

    fn letter(&mut self) -> Result<&mut Letter> {
        let letter = match self.letter.take() {
            Some(letter) => letter,
            None => Letter::new(self.mail.store.body(self.found.finder.id(), self.message.1.uid)?),
        };
        Ok(self.letter.insert(letter))
    }

    fn sent(&mut self, clock: Clock) -> Result<String> {
        Ok(match (sent_date(self.letter()?)?, clock) {
            (None, Clock::Unix) => "0".to_owned(),
            (None, Clock::Wall) => format!("{} (+0000)", moment(0, clock)),
            (Some(date), Clock::Unix) => date.secs.to_string(),
            (Some(date), Clock::Wall) => {
                let minutes = date.offset_secs / 60;
                let sign = if minutes < 0 { '-' } else { '+' };
                let (hours, rest) = (minutes.abs() / 60, minutes.abs() % 60);
                format!("{} ({sign}{hours:02}{rest:02})", moment(date.secs, clock))
            }
        })
    }

    /// As many octets as there are on disk, where the file's name says so; else with lines that end in LF.
    fn size_physical(&mut self) -> Result<u64> {
        let size = self.name.split(',').find_map(|word| word.strip_prefix("S="));
        if let Some(size) = size.and_then(|size| size.parse().ok()) {
            return Ok(size);
        }
        Ok(lines::to_lf(&self.letter()?.whole()?).len() as u64)
    }

    fn header(&mut self, name: &str, is_decoded: bool) -> Result<String> {
        let fields = header::find_all(self.letter()?.header()?, name);
        let values = fields.map(|field| match is_decoded {
            true => field.text(),
            false => String::from_utf8_lossy(&field.unfolded()).trim().to_owned(),
        });
        Ok(values.collect::<Vec<_>>().join("\n"))
    }

    /// The header with its encoded words decoded, and the text as it is read.
    fn text_utf8(&mut self) -> Result<Vec<u8>> {
        let letter = self.letter()?;
        let mut out = String::new();
        for field in header::fields(letter.header()?) {
            out.push_str(&format!(
                "{}: {}\n",
                String::from_utf8_lossy(field.name),
                field.text()
            ));
        }
        out.push('\n');
        let whole = letter.whole()?;
        let mut parser = message::structure::Parser::new(message::structure::Limits::default());
        parser.feed(&whole);
        let structure = parser.finish();
        for part in structure.root.walk() {
            if part.kind != message::structure::Kind::Leaf || !part.content_type.is_kind("text") {
                continue;
            }
            let range = usize::try_from(part.body.start).unwrap_or(usize::MAX)
                ..usize::try_from(part.body.end).unwrap_or(usize::MAX);
            let mut decoder = TextDecoder::new(part);
            decoder.feed(whole.get(range).unwrap_or_default(), &mut out);
            decoder.finish(&mut out);
        }
        Ok(lines::to_lf(out.as_bytes()))
    }
}

fn flags(state: &MessageState, is_recent: bool) -> String {
    let known = mailbox::SystemFlags::ALL.iter();
    let system = known.filter(|(flag, _)| state.flags.system.contains(*flag));
    let recent = is_recent.then_some("\\Recent");
    let keywords = state.flags.keywords.iter().map(mailbox::Keyword::as_str);
    let all = system.map(|(_, name)| *name).chain(recent).chain(keywords);
    all.collect::<Vec<_>>().join(" ")
}

/// A moment in the time of this place, or as seconds since the Unix epoch.
fn moment(secs: i64, clock: Clock) -> String {
    match (clock, Timestamp::from_second(secs)) {
        (Clock::Wall, Ok(timestamp)) => {
            let zoned = timestamp.to_zoned(TimeZone::system());
            zoned.strftime("%Y-%m-%d %H:%M:%S").to_string()
        }
        _ => secs.to_string(),
    }
}
