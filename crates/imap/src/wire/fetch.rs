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
    /// In which form it is wanted.
    pub form: Form,
}

/// The form in which a section is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// As it lies there: `BODY[…]`.
    AsIs,
    /// Its transfer encoding undone: `BINARY[…]` (RFC 3516).
    Decoded,
    /// How many octets that would be: `BINARY.SIZE[…]`.
    DecodedSize,
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
    let spaces = |cursor: &mut Cursor<'_>| while cursor.eat(b' ') {};
    spaces(cursor);
    if cursor.eat(b')') {
        return Err(Error::Invalid("FETCH list is empty"));
    }
    loop {
        decode_item(cursor, &mut items, false)?;
        if items.len() > ITEMS_MAX {
            return Err(Error::TooMany);
        }
        let is_spaced = cursor.peek() == Some(b' ');
        spaces(cursor);
        if cursor.eat(b')') {
            return Ok(items);
        }
        if !is_spaced {
            return Err(Error::Expected("a space"));
        }
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
        "BODY" => push(Item::Section(decode_section(cursor, BODY, true)?)),
        "BODY.PEEK" => push(Item::Section(decode_section(cursor, BODY, false)?)),
        "BINARY" => push(Item::Section(decode_section(cursor, BINARY, true)?)),
        "BINARY.PEEK" => push(Item::Section(decode_section(cursor, BINARY, false)?)),
        "BINARY.SIZE" => push(Item::Section(decode_section(cursor, BINARY_SIZE, false)?)),
        _ if name.starts_with("BODY.") => return Err(BODY.wrong("parameter: Missing '['")),
        _ if name.starts_with("BINARY.") => return Err(BINARY.wrong("parameter: Missing '['")),
        _ if name.starts_with("RFC822.") => return Err(Error::Said(format!("Unknown parameter {name}"))),
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
        form: Form::AsIs,
    })
}

/// An item with a section: its name in the answer, its name in complaints, its form.
#[derive(Clone, Copy)]
struct Named {
    label: &'static str,
    name: &'static str,
    form: Form,
}

const BODY: Named = Named {
    label: "BODY",
    name: "BODY",
    form: Form::AsIs,
};
const BINARY: Named = Named {
    label: "BINARY",
    name: "BINARY",
    form: Form::Decoded,
};
const BINARY_SIZE: Named = Named {
    label: "BINARY.SIZE",
    name: "BINARY",
    form: Form::DecodedSize,
};

impl Named {
    fn wrong(self, why: &str) -> Error {
        Error::Said(format!("Invalid {}[..] {why}", self.name))
    }
}

/// A section as it stands within brackets, of a URL.
///
/// # Errors
/// When it is none.
pub fn decode_bare_section(text: &[u8], form: Form) -> Result<Section, Error> {
    let bracketed = [b"[", text, b"]"].concat();
    let mut cursor = Cursor::new(&bracketed);
    let named = match form {
        Form::AsIs => BODY,
        Form::Decoded => BINARY,
        Form::DecodedSize => BINARY_SIZE,
    };
    let section = decode_section(&mut cursor, named, true)?;
    cursor.end()?;
    Ok(section)
}

fn decode_section(cursor: &mut Cursor<'_>, named: Named, sets_seen: bool) -> Result<Section, Error> {
    let wrong = named.wrong("section");
    if !cursor.eat(b'[') {
        return Err(named.wrong("parameter: Missing '['"));
    }
    let word = cursor.rest().split(|octet| b" ()".contains(octet)).next();
    if !word.is_some_and(|word| word.contains(&b']')) && !cursor.rest().contains(&b'(') {
        let is_list = cursor.rest().contains(&b' ') && cursor.rest().contains(&b']');
        return Err(if is_list {
            Error::Expected("a list")
        } else {
            named.wrong("parameter: Missing ']'")
        });
    }
    let start = cursor.rest();
    let numbers = start
        .iter()
        .take_while(|octet| octet.is_ascii_digit() || **octet == b'.');
    let numbers = String::from_utf8_lossy(&start[..numbers.count()]).into_owned();
    let (part, text) = decode_section_words(cursor).map_err(|error| match error {
        WRONG => wrong.clone(),
        error => error,
    })?;
    if text == SectionText::Mime && part.is_empty() {
        return Err(wrong);
    }
    if !cursor.eat(b']') {
        return Err(wrong);
    }
    let partial = if cursor.eat(b'<') {
        Some(decode_partial(cursor, named)?)
    } else {
        None
    };
    if !matches!(cursor.peek(), None | Some(b' ' | b')')) {
        let mark = if partial.is_some() { ">" } else { "]" };
        return Err(named.wrong(&format!("parameter: Unexpected data after '{mark}'")));
    }
    Ok(Section {
        label: label(named.label, numbers.trim_end_matches('.'), &text),
        sets_seen,
        part,
        text,
        partial,
        form: named.form,
    })
}

const WRONG: Error = Error::Invalid("Invalid section");

/// Part numbers, and which text of the part.
fn decode_section_words(cursor: &mut Cursor<'_>) -> Result<(Vec<u32>, SectionText), Error> {
    let mut part = Vec::new();
    loop {
        match cursor.peek() {
            Some(b']') => return Ok((part, SectionText::Whole)),
            Some(digit) if digit.is_ascii_digit() => {
                // There is no part with a larger number either.
                let number = cursor.number().unwrap_or(u64::MAX).min(u64::from(u32::MAX)) as u32;
                if number == 0 || part.len() == PART_DEPTH_MAX {
                    return Err(WRONG);
                }
                part.push(number);
                if !cursor.eat(b'.') {
                    return Ok((part, SectionText::Whole));
                }
                if cursor.peek() == Some(b']') {
                    return Err(WRONG);
                }
            }
            _ => return Ok((part, decode_section_text(cursor)?)),
        }
    }
}

fn decode_partial(cursor: &mut Cursor<'_>, named: Named) -> Result<(u64, u64), Error> {
    let number = |cursor: &mut Cursor<'_>, what: &str| match cursor.number() {
        Ok(number) if i64::try_from(number).is_ok() => Ok(number),
        _ => Err(named.wrong(&format!("parameter: Too big partial {what}"))),
    };
    let offset = number(cursor, "start")?;
    let count = match cursor.eat(b'.') {
        true => number(cursor, "end")?,
        false => u64::MAX,
    };
    if !cursor.eat(b'>') {
        return Err(named.wrong("parameter: Missing '>' in partial"));
    }
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
    if !cursor.eat(b' ') {
        return Err(WRONG);
    }
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

/// `numbers` are the part's as the client wrote them.
fn label(name: &str, numbers: &str, text: &SectionText) -> String {
    let mut label = format!("{name}[{numbers}");
    if !numbers.is_empty() && *text != SectionText::Whole {
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
