//! APPEND and REPLACE from bytes, piece by piece as their literals arrive (RFC 3501 §6.3.11, 3502, 4469, 3516, 6855, 8508).
//!
//! A piece is what stands between two literals that are content, or behind the last one.

use mailbox::Flags;

use super::cursor::Cursor;
use super::decode::{self, ARGUMENTS, Refusal};
use super::sequence::SequenceSet;
use super::{Error, Result, date};

/// The most parts in one CATENATE.
pub const PARTS_MAX: usize = 1000;

/// APPEND or REPLACE up to its mailbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// What the answer is marked with.
    pub tag: String,
    /// Which command it is.
    pub command: Command,
    /// The mailbox, as on the wire.
    pub mailbox: Vec<u8>,
}

/// The command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// `APPEND`.
    Append,
    /// `REPLACE` or `UID REPLACE` (RFC 8508): which message goes when the new one is there.
    Replace {
        /// Whether it is named by UID.
        by_uid: bool,
        /// The message.
        message: SequenceSet,
    },
}

impl Command {
    /// Its name.
    pub fn name(&self) -> &'static str {
        match self {
            Command::Append => "APPEND",
            Command::Replace { by_uid: false, .. } => "REPLACE",
            Command::Replace { by_uid: true, .. } => "UID REPLACE",
        }
    }
}

/// Where a piece begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// The first message is to come.
    First,
    /// A literal that was a message is over.
    Message,
    /// Within the parentheses of CATENATE, behind so many parts.
    Parts(usize),
    /// Behind the literal in `UTF8 (~{n}`.
    Utf8,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// A message begins.
    Start {
        /// Its flags.
        flags: Flags,
        /// Its date, seconds since the Unix epoch.
        internal_date_secs: Option<i64>,
    },
    /// The octets that a URL names are added.
    Url(Vec<u8>),
    /// The literal at the end of the piece is added.
    Literal(Content),
    /// The message is complete.
    End,
    /// The command is complete.
    Commit,
}

/// What a literal holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content {
    /// A whole message.
    Message,
    /// A whole message that may hold parts in binary: `~{n}` (RFC 3516 §4.4).
    Binary,
    /// A whole message whose header may hold UTF-8 (RFC 6855 §4).
    Utf8,
    /// A part of a CATENATE.
    Part,
}

/// What a piece says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// What is to be done, in order.
    pub steps: Vec<Step>,
    /// Where the next piece begins.
    pub place: Place,
    /// What is wrong behind the steps.
    pub error: Option<Error>,
}

/// What follows a piece.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Follows {
    /// A literal, which the piece announces at its end.
    Literal,
    /// Nothing: the command's line is over.
    Nothing,
}

/// Reads a command that stands before a literal up to its mailbox; with it, where the rest begins.
///
/// `None`: it is none of ours, or the literal is the mailbox name: collect it.
///
/// # Errors
/// The command is one of ours and wrong.
pub fn head(so_far: &[u8]) -> Option<std::result::Result<(Head, usize), Refusal>> {
    let mut head = decode::head(so_far).ok()?;
    if !matches!(head.name.as_str(), "APPEND" | "REPLACE" | "UID REPLACE") {
        return None;
    }
    let cursor = &mut head.arguments;
    let tag = head.tag.to_owned();
    match command(&head.name, cursor) {
        Ok(Some((command, mailbox))) => {
            let offset = so_far.len() - cursor.rest().len();
            let head = Head {
                tag,
                command,
                mailbox,
            };
            Some(Ok((head, offset)))
        }
        Ok(None) => None,
        Err(error) => Some(Err(head.refusal(error))),
    }
}

/// The arguments up to the mailbox; `None` when the literal at the end is the mailbox.
///
/// # Errors
/// What is wrong with them.
pub fn command(name: &str, cursor: &mut Cursor<'_>) -> Result<Option<(Command, Vec<u8>)>> {
    let command = match name {
        "APPEND" => Command::Append,
        _ => {
            let message = decode::messages(cursor)?;
            if !message.is_single() {
                return Err(ARGUMENTS);
            }
            Command::Replace {
                by_uid: name.starts_with("UID "),
                message,
            }
        }
    };
    if cursor.at_end() {
        return Err(Error::Invalid("Missing arguments"));
    }
    cursor.space()?;
    if at_last_literal(cursor) {
        return Ok(None);
    }
    Ok(Some((command, cursor.astring()?)))
}

/// Reads a piece. `None`: the literal at its end belongs to an argument: collect it and read the piece again.
pub fn read(piece: &[u8], mut place: Place, follows: Follows) -> Option<Piece> {
    let mut cursor = Cursor::new(piece);
    let mut steps = Vec::new();
    let error = loop {
        match next(&mut cursor, &mut place, &mut steps, follows) {
            Ok(Next::More) => {}
            Ok(Next::Literal) => return None,
            Ok(Next::Done) => break None,
            Err(error) => break Some(error),
        }
    };
    let error = error.map(|error| match error {
        Error::Expected(_) | ARGUMENTS if follows == Follows::Nothing => {
            decode::unfinished(piece).unwrap_or(ARGUMENTS)
        }
        Error::Expected(_) => ARGUMENTS,
        error => error,
    });
    if matches!(
        error,
        Some(Error::Invalid(decode::NO_PARENTHESIS | decode::NO_QUOTE))
    ) {
        // The line could not be read at all.
        steps.clear();
    }
    Some(Piece { steps, place, error })
}

enum Next {
    More,
    Literal,
    Done,
}

fn next(cursor: &mut Cursor<'_>, place: &mut Place, steps: &mut Vec<Step>, follows: Follows) -> Result<Next> {
    match *place {
        Place::Message => {
            // Real clients leave the space out.
            while cursor.eat(b' ') {}
            if steps.last() != Some(&Step::End) {
                steps.push(Step::End);
            }
            if cursor.at_end() && follows == Follows::Nothing {
                steps.push(Step::Commit);
                return Ok(Next::Done);
            }
            message(cursor, place, steps, follows)
        }
        Place::First => {
            cursor.space().map_err(|_| MISSING_SIZE)?;
            if cursor.at_end() {
                return Err(MISSING_SIZE);
            }
            message(cursor, place, steps, follows)
        }
        Place::Parts(count) => part(cursor, (place, count), steps, follows),
        Place::Utf8 => {
            cursor
                .expect(b')', "a )")
                .map_err(|_| Error::Invalid(decode::NO_PARENTHESIS))?;
            *place = Place::Message;
            Ok(Next::More)
        }
    }
}

const MISSING_SIZE: Error = Error::Invalid("Missing message size");

/// Flags, date, and what the message is made of.
fn message(
    cursor: &mut Cursor<'_>,
    place: &mut Place,
    steps: &mut Vec<Step>,
    follows: Follows,
) -> Result<Next> {
    let mut flags = Flags::default();
    let mut internal_date_secs = None;
    if cursor.peek() == Some(b'(') {
        flags = decode::flags(cursor)?;
        cursor.space()?;
    }
    if cursor.peek() == Some(b'"') {
        let text = cursor.string()?;
        cursor.space()?;
        internal_date_secs =
            Some(date::decode_date_time(&text).map_err(|_| Error::Invalid("Invalid internal date"))?);
    }
    let start = Step::Start {
        flags,
        internal_date_secs,
    };
    if at_literal(cursor, follows)? {
        let content = match cursor.peek() {
            Some(b'~') => Content::Binary,
            _ => Content::Message,
        };
        steps.extend([start, Step::Literal(content)]);
        *place = Place::Message;
        return Ok(Next::Done);
    }
    if cursor.eat_word("CATENATE") {
        cursor.space()?;
        cursor.expect(b'(', "a list")?;
        steps.push(start);
        *place = Place::Parts(0);
        return Ok(Next::More);
    }
    if cursor.eat_word("UTF8") {
        cursor.space()?;
        cursor.expect(b'(', "a list")?;
        if at_literal(cursor, follows)? && cursor.peek() == Some(b'~') {
            steps.extend([start, Step::Literal(Content::Utf8)]);
            *place = Place::Utf8;
            return Ok(Next::Done);
        }
    }
    Err(ARGUMENTS)
}

/// `URL astring`, `TEXT literal` or the end of the list.
fn part(
    cursor: &mut Cursor<'_>,
    (place, count): (&mut Place, usize),
    steps: &mut Vec<Step>,
    follows: Follows,
) -> Result<Next> {
    while cursor.eat(b' ') {}
    if cursor.at_end() {
        return Err(Error::Invalid(decode::NO_PARENTHESIS));
    }
    if cursor.eat(b')') {
        if count == 0 {
            return Err(Error::Invalid("Empty CATENATE list"));
        }
        *place = Place::Message;
        return Ok(Next::More);
    }
    if count == PARTS_MAX {
        return Err(Error::TooMany);
    }
    *place = Place::Parts(count + 1);
    if cursor.eat_word("URL") {
        cursor.space()?;
        if at_literal(cursor, follows)? {
            return Ok(Next::Literal);
        }
        steps.push(Step::Url(cursor.astring()?));
        return Ok(Next::More);
    }
    if cursor.eat_word("TEXT") {
        cursor.space()?;
        if at_literal(cursor, follows)? {
            steps.push(Step::Literal(Content::Part));
            return Ok(Next::Done);
        }
    }
    Err(ARGUMENTS)
}

/// Whether all that is left is the literal whose content has not arrived.
fn at_last_literal(cursor: &Cursor<'_>) -> bool {
    matches!(cursor.peek(), Some(b'{' | b'~')) && !cursor.rest().contains(&b'\n')
}

/// The same, where a literal must follow.
fn at_literal(cursor: &Cursor<'_>, follows: Follows) -> Result<bool> {
    match at_last_literal(cursor) {
        true if follows == Follows::Nothing => Err(Error::Invalid("Invalid literal size")),
        is_there => Ok(is_there),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn start() -> Step {
        Step::Start {
            flags: Flags::default(),
            internal_date_secs: None,
        }
    }

    fn piece(text: &str, place: Place, follows: Follows) -> (Vec<Step>, Place, Option<String>) {
        let piece = read(text.as_bytes(), place, follows).expect("no argument is cut");
        (
            piece.steps,
            piece.place,
            piece.error.map(|error| error.to_string()),
        )
    }

    #[test]
    fn a_head_is_read_where_a_literal_follows_the_mailbox() {
        assert!(head(b"a NOOP {3}").is_none());
        assert!(head(b"a APPEND {5}").is_none());
        let (read, at) = head(b"a append {5}\r\nINBOX (\\Seen) {310+}").unwrap().unwrap();
        assert_eq!(
            (read.tag.as_str(), read.mailbox.as_slice(), at),
            ("a", &b"INBOX"[..], 19)
        );
        assert_eq!(read.command, Command::Append);
        let (read, _) = head(b"a uid replace 4 x {3}").unwrap().unwrap();
        assert_eq!(read.command.name(), "UID REPLACE");
        assert!(head(b"a REPLACE 1:4 x {3}").unwrap().is_err());
    }

    #[test]
    fn messages_follow_each_other() {
        let first = piece(
            " (\\Seen) \"07-Feb-1994 21:52:25 -0800\" {3}",
            Place::First,
            Follows::Literal,
        );
        assert!(matches!(
            &first.0[0],
            Step::Start {
                internal_date_secs: Some(760_686_745),
                ..
            }
        ));
        assert_eq!(
            (&first.0[1..], first.1),
            (&[Step::Literal(Content::Message)][..], Place::Message)
        );
        let more = vec![Step::End, start(), Step::Literal(Content::Binary)];
        assert_eq!(
            piece(" ~{3}", Place::Message, Follows::Literal),
            (more, Place::Message, None)
        );
        let end = vec![Step::End, Step::Commit];
        assert_eq!(
            piece("", Place::Message, Follows::Nothing),
            (end, Place::Message, None)
        );
        let wrong = piece(" x", Place::Message, Follows::Nothing);
        assert_eq!(wrong.2.as_deref(), Some("Invalid arguments"));
    }

    #[test]
    fn parts_are_put_together() {
        let list = piece(" CATENATE (URL /a TEXT {3}", Place::First, Follows::Literal);
        let steps = vec![start(), Step::Url(b"/a".to_vec()), Step::Literal(Content::Part)];
        assert_eq!(list, (steps, Place::Parts(2), None));
        assert!(read(b" CATENATE (URL {3}", Place::First, Follows::Literal).is_none());
        let rest = piece(" URL {3}\r\n/xy)", Place::Parts(2), Follows::Nothing);
        let steps = vec![Step::Url(b"/xy".to_vec()), Step::End, Step::Commit];
        assert_eq!(rest, (steps, Place::Message, None));
        for (text, error) in [
            (" CATENATE ()", "Empty CATENATE list"),
            (" CATENATE (URL /x", "Missing ')'"),
            (" CATENATE (TEXT x)", "Invalid arguments"),
            ("", "Missing message size"),
            (" ()", "Invalid arguments"),
            (" {3", "Invalid literal size"),
            (" CATENATE (TEXT {x}", "Invalid literal size"),
        ] {
            let read = piece(text, Place::First, Follows::Nothing);
            assert_eq!(read.2.as_deref(), Some(error), "{text}");
        }
    }

    proptest! {
        #[test]
        fn never_panics(text in "( |\\(|\\)|URL|TEXT|CATENATE|UTF8|~|\\{3\\}|\"|x|\\\\Seen|\r\n){0,20}", parts in 0usize..3) {
            for place in [Place::First, Place::Message, Place::Parts(parts), Place::Utf8] {
                for follows in [Follows::Literal, Follows::Nothing] {
                    let _ = read(text.as_bytes(), place, follows);
                }
            }
            let _ = head(text.as_bytes());
        }
    }
}
