//! What FETCH asks for: items, sections, partial ranges (RFC 3501 §6.4.5).

use super::Error;
use super::cursor::Cursor;

/// The most items of one FETCH.
pub const ITEMS_MAX: usize = 256;
/// The most header names in one section.
pub const HEADER_NAMES_MAX: usize = 256;
/// The deepest part number of a section.
pub const PART_DEPTH_MAX: usize = 64;

/// One item of a FETCH.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Item {
    Flags,
    InternalDate,
    Size,
    Envelope,
    /// `BODY` without a section: the structure without extension data.
    Body,
    BodyStructure,
    Uid,
    ModSeq,
    SaveDate,
    EmailId,
    ThreadId,
    Preview(PreviewItem),
    /// `BODY[…]` and the older names for it.
    Section(Section),
}

/// PREVIEW or SNIPPET.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PreviewItem {
    /// Which of the two.
    pub name: &'static str,
    /// Whether the answer says how the text was made, as before RFC 8970.
    pub names_algorithm: bool,
}

/// A part of a message's text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Section {
    /// How it is answered: `BODY[1.TEXT]`, `RFC822.HEADER`; without the partial range.
    pub label: String,
    /// Whether reading it sets `\Seen`.
    pub sets_seen: bool,
    /// The part numbers; empty means the message itself.
    pub part: Vec<u32>,
    /// Which text of that part.
    pub text: SectionText,
    /// Offset and octets, when only a range is wanted.
    pub partial: Option<(u64, u64)>,
}

/// Which text of a part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SectionText {
    /// All of it (of a part: its body).
    Whole,
    /// The header of the message, or of the message in the part.
    Header,
    /// Of that header, the fields with these names, or all but them.
    HeaderFields {
        /// The names as the client wrote them.
        names: Vec<Vec<u8>>,
        /// Whether they are left out instead of picked.
        except: bool,
    },
    /// What follows that header.
    Text,
    /// The MIME header of the part.
    Mime,
}

/// Reads the items of a FETCH: one, a macro, or a list.
pub fn decode_items(cursor: &mut Cursor<'_>) -> Result<Vec<Item>, Error> {
    let mut items = Vec::new();
    if !cursor.eat(b'(') {
        decode_item(cursor, &mut items, true)?;
        return Ok(items);
    }
    loop {
        decode_item(cursor, &mut items, false)?;
        if items.len() > ITEMS_MAX {
            return Err(Error::TooMany);
        }
        if cursor.eat(b')') {
            return Ok(items);
        }
        cursor.space()?;
    }
}

fn decode_item(cursor: &mut Cursor<'_>, items: &mut Vec<Item>, alone: bool) -> Result<(), Error> {
    let name = cursor
        .word(|b| b.is_ascii_alphanumeric() || b == b'.', "a fetch item")
        .map_err(|_| Error::Invalid("Invalid arguments"))?
        .to_ascii_uppercase();
    let fast = [Item::Flags, Item::InternalDate, Item::Size];
    let mut push = |item| {
        if !items.contains(&item) {
            items.push(item);
        }
    };
    match name.as_str() {
        "ALL" if alone => fast.into_iter().chain([Item::Envelope]).for_each(push),
        "FAST" if alone => fast.into_iter().for_each(push),
        "FULL" if alone => fast
            .into_iter()
            .chain([Item::Envelope, Item::Body])
            .for_each(push),
        "FLAGS" => push(Item::Flags),
        "INTERNALDATE" => push(Item::InternalDate),
        "RFC822.SIZE" => push(Item::Size),
        "ENVELOPE" => push(Item::Envelope),
        "BODYSTRUCTURE" => push(Item::BodyStructure),
        "UID" => push(Item::Uid),
        "MODSEQ" => push(Item::ModSeq),
        "SAVEDATE" => push(Item::SaveDate),
        "EMAILID" => push(Item::EmailId),
        "THREADID" => push(Item::ThreadId),
        "PREVIEW" => push(Item::Preview(decode_preview(cursor, "PREVIEW")?)),
        "SNIPPET" => push(Item::Preview(decode_preview(cursor, "SNIPPET")?)),
        "RFC822" => push(older_name("RFC822", true, SectionText::Whole)),
        "RFC822.HEADER" => push(older_name("RFC822.HEADER", false, SectionText::Header)),
        "RFC822.TEXT" => push(older_name("RFC822.TEXT", true, SectionText::Text)),
        "BODY" if cursor.peek() != Some(b'[') => push(Item::Body),
        "BODY" => push(Item::Section(decode_section(cursor, true)?)),
        "BODY.PEEK" => push(Item::Section(decode_section(cursor, false)?)),
        _ => return Err(Error::UnknownParameter(name)),
    }
    Ok(())
}

/// ` (LAZY)` (RFC 8970 §3.1), or Dovecot's ` (FUZZY)`, ` (LAZY=FUZZY)`, if one follows.
fn decode_preview(cursor: &mut Cursor<'_>, name: &'static str) -> Result<PreviewItem, Error> {
    let mut item = PreviewItem {
        name,
        names_algorithm: name == "SNIPPET",
    };
    let mut ahead = cursor.clone();
    if !ahead.eat(b' ') || !ahead.eat(b'(') {
        return Ok(item);
    }
    // FETCH n PREVIEW (CHANGEDSINCE …): the list is one of modifiers of the command.
    if ahead.eat_word("CHANGEDSINCE") || ahead.eat_word("VANISHED") {
        return Ok(item);
    }
    cursor.space()?;
    cursor.expect(b'(', "a list")?;
    loop {
        let modifier = cursor
            .atom("a modifier")
            .map_err(|_| Error::Invalid("FETCH list contains non-atoms"))?
            .to_ascii_uppercase();
        match modifier.as_str() {
            "LAZY" => {}
            "FUZZY" | "LAZY=FUZZY" => item.names_algorithm = true,
            _ => return Err(Error::NoPreviewModifier(modifier)),
        }
        if cursor.eat(b')') {
            return Ok(item);
        }
        cursor.space()?;
    }
}

fn older_name(label: &str, sets_seen: bool, text: SectionText) -> Item {
    Item::Section(Section {
        label: label.to_owned(),
        sets_seen,
        part: Vec::new(),
        text,
        partial: None,
    })
}

const WRONG: Error = Error::Invalid("Invalid BODY[..] section");

fn decode_section(cursor: &mut Cursor<'_>, sets_seen: bool) -> Result<Section, Error> {
    cursor.expect(b'[', "a section")?;
    let mut part = Vec::new();
    let mut text = SectionText::Whole;
    loop {
        match cursor.peek() {
            Some(b']') => break,
            Some(digit) if digit.is_ascii_digit() => {
                let number = cursor.number32()?;
                if number == 0 || part.len() == PART_DEPTH_MAX {
                    return Err(WRONG);
                }
                part.push(number);
                if !cursor.eat(b'.') {
                    break;
                }
                if cursor.peek() == Some(b']') {
                    return Err(WRONG);
                }
            }
            _ => {
                text = decode_section_text(cursor)?;
                break;
            }
        }
    }
    if !cursor.eat(b']') || (text == SectionText::Mime && part.is_empty()) {
        return Err(WRONG);
    }
    let partial = if cursor.eat(b'<') {
        Some(decode_partial(cursor)?)
    } else {
        None
    };
    Ok(Section {
        label: label(&part, &text),
        sets_seen,
        part,
        text,
        partial,
    })
}

fn decode_partial(cursor: &mut Cursor<'_>) -> Result<(u64, u64), Error> {
    let offset = cursor.number()?;
    cursor.expect(b'.', "a dot")?;
    let count = cursor.number()?;
    cursor.expect(b'>', "a >")?;
    Ok((offset, count))
}

fn decode_section_text(cursor: &mut Cursor<'_>) -> Result<SectionText, Error> {
    let name = cursor
        .word(|b| b.is_ascii_alphabetic() || b == b'.', "a section")
        .map_err(|_| WRONG)?;
    let except = match name.to_ascii_uppercase().as_str() {
        "HEADER" => return Ok(SectionText::Header),
        "TEXT" => return Ok(SectionText::Text),
        "MIME" => return Ok(SectionText::Mime),
        "HEADER.FIELDS" => false,
        "HEADER.FIELDS.NOT" => true,
        _ => return Err(WRONG),
    };
    cursor.space()?;
    cursor.expect(b'(', "a list of header names")?;
    let mut names = Vec::new();
    while !cursor.eat(b')') {
        if names.len() == HEADER_NAMES_MAX {
            return Err(Error::TooMany);
        }
        names.push(cursor.astring()?);
        if cursor.peek() != Some(b')') {
            cursor.space()?;
        }
    }
    if names.is_empty() {
        Err(WRONG)
    } else {
        Ok(SectionText::HeaderFields { names, except })
    }
}

fn label(part: &[u32], text: &SectionText) -> String {
    let mut label = String::from("BODY[");
    let parts: Vec<String> = part.iter().map(u32::to_string).collect();
    label.push_str(&parts.join("."));
    if !part.is_empty() && *text != SectionText::Whole {
        label.push('.');
    }
    match text {
        SectionText::Whole => {}
        SectionText::Header => label.push_str("HEADER"),
        SectionText::Text => label.push_str("TEXT"),
        SectionText::Mime => label.push_str("MIME"),
        SectionText::HeaderFields { names, except } => {
            label.push_str(if *except {
                "HEADER.FIELDS.NOT ("
            } else {
                "HEADER.FIELDS ("
            });
            let mut list = Vec::new();
            for (index, name) in names.iter().enumerate() {
                if index > 0 {
                    list.push(b' ');
                }
                super::encode::astring(&mut list, &name.to_ascii_uppercase());
            }
            label.push_str(&String::from_utf8_lossy(&list));
            label.push(')');
        }
    }
    label.push(']');
    label
}
