//! The files of the maildrop as text: what `sendmail`, `postdrop` and the daemon write there, and what is taken in.

use std::fmt::Write as _;

use crate::{Envelope, QueueId, Trace, codec};

/// The first line of a file.
pub const MAGIC: &str = "yubin-maildrop 1";
/// What follows the content: a file that does not end so is not whole.
pub const END: &[u8] = b"\nend\n";
/// The directory below the queue directory.
pub const DIRECTORY: &str = "maildrop";
/// The largest head of a file, in octets: an envelope of very many recipients in hexadecimal.
pub const HEAD_BYTES_MAX: usize = 16 * 1024 * 1024;

const RELAYED: &str = "relayed";

/// Who drops a message, and what is to be done with it besides delivering it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Slip {
    /// The user.
    pub uid: u32,
    /// `sendmail -bv`, `sendmail -v`
    pub trace: Trace,
    /// `sendmail -G`: it comes from elsewhere, its header stays as it is.
    pub is_relayed: bool,
}

impl Slip {
    /// What is asked besides a delivery, as words; none: nothing.
    pub fn asks(&self) -> String {
        let words = [self.trace.as_str(), if self.is_relayed { RELAYED } else { "" }];
        let words: Vec<&str> = words.into_iter().filter(|word| !word.is_empty()).collect();
        words.join(" ")
    }

    /// The slip of a user with what these words ask.
    pub fn asking(uid: u32, words: &str) -> Slip {
        let mut slip = Slip {
            uid,
            ..Slip::default()
        };
        for word in words.split_whitespace() {
            match word {
                RELAYED => slip.is_relayed = true,
                word => slip.trace = asked_trace(word),
            }
        }
        slip
    }
}

/// What a user may ask for: probes are sent by the mail system alone.
fn asked_trace(word: &str) -> Trace {
    match Trace::of_word(word) {
        Trace::Probe => Trace::None,
        trace => trace,
    }
}

/// What stands before the content: a line of magic, `name: value` lines (`uid`, `time` in microseconds, `envelope` in
/// hexadecimal of [`codec`], `asks` with words of [`Slip`] where there are any, `size` of the content in octets), an
/// empty line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// Who, and how. The uid is a claim unless the file belongs to the mail system: then its owner counts.
    pub slip: Slip,
    /// When: microseconds since the Unix epoch.
    pub arrival_micros: i64,
    /// Sender, recipients, options.
    pub envelope: Envelope,
    /// The content's size in octets.
    pub size_bytes: u64,
}

/// Why a head is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// More than [`HEAD_BYTES_MAX`], or more recipients than [`codec`] takes.
    #[error("message envelope is too large")]
    TooLarge,
    /// Not what [`Head::encode`] writes.
    #[error("malformed input")]
    Malformed,
    /// A line break, a zero octet or another control character where it would mean something else to somebody.
    #[error("control character in the {0}")]
    ControlCharacter(&'static str),
}

impl Head {
    /// The head as it stands in a file. Its length does not depend on the content's size, which may be told later.
    ///
    /// # Errors
    /// [`Error::TooLarge`].
    pub fn encode(&self) -> Result<String, Error> {
        let mut bytes = Vec::new();
        codec::encode_envelope(&self.envelope, &mut bytes).map_err(|_| Error::TooLarge)?;
        let mut head = format!(
            "{MAGIC}\nuid: {}\ntime: {}\nenvelope: ",
            self.slip.uid, self.arrival_micros
        );
        head.reserve(bytes.len() * 2);
        // Writing to a String cannot fail.
        for byte in bytes {
            let _ = write!(head, "{byte:02x}");
        }
        let asks = self.slip.asks();
        if !asks.is_empty() {
            let _ = write!(head, "\nasks: {asks}");
        }
        let _ = write!(head, "\nsize: {:020}\n\n", self.size_bytes);
        (head.len() <= HEAD_BYTES_MAX)
            .then_some(head)
            .ok_or(Error::TooLarge)
    }

    /// The head that these lines are, without line ends and up to the empty line.
    ///
    /// # Errors
    /// [`Error::Malformed`] and [`Error::ControlCharacter`].
    pub fn parse<'a>(lines: impl IntoIterator<Item = &'a str>) -> Result<Head, Error> {
        let mut lines = lines.into_iter();
        let mut value = |name: &str| {
            let line = lines.next().ok_or(Error::Malformed)?;
            line.strip_prefix(name).ok_or(Error::Malformed)
        };
        value(MAGIC).and_then(nothing)?;
        let uid = number(value("uid: ")?)?;
        let arrival_micros = number(value("time: ")?)?;
        let bytes = unhex(value("envelope: ")?).ok_or(Error::Malformed)?;
        let (envelope, []) = codec::decode_envelope(&bytes).map_err(|_| Error::Malformed)? else {
            return Err(Error::Malformed);
        };
        check(&envelope)?;
        let next = value("")?;
        let (slip, size) = match next.strip_prefix("asks: ") {
            Some(words) => (Slip::asking(uid, words), value("size: ")?),
            None => (
                Slip::asking(uid, ""),
                next.strip_prefix("size: ").ok_or(Error::Malformed)?,
            ),
        };
        Ok(Head {
            slip,
            arrival_micros,
            envelope,
            size_bytes: number(size)?,
        })
    }
}

/// Looks for control characters in what a local user says of a message: in a log line, a header field or a command of
/// SMTP they would start something else.
///
/// # Errors
/// [`Error::ControlCharacter`].
pub fn check(envelope: &Envelope) -> Result<(), Error> {
    let is_bad = |text: &str| text.contains(|c: char| c.is_control());
    let wrong = |what| Err(Error::ControlCharacter(what));
    if envelope
        .sender
        .as_ref()
        .is_some_and(|sender| is_bad(&sender.to_string()))
    {
        return wrong("sender");
    }
    if envelope.envid.as_deref().is_some_and(is_bad) {
        return wrong("envelope identifier");
    }
    for recipient in &envelope.recipients {
        if is_bad(&recipient.address.to_string())
            || is_bad(&recipient.original.to_string())
            || recipient.orcpt.as_deref().is_some_and(is_bad)
        {
            return wrong("recipient");
        }
    }
    Ok(())
}

/// The name under which a file is written: it starts with a dot, so that nobody takes it for whole.
pub fn temporary_name(now_micros: i64, queue_id: &QueueId) -> String {
    format!(".{now_micros:020}.{queue_id}")
}

/// When a file of this name was begun (microseconds since the Unix epoch), if it is a [`temporary_name`].
pub fn begun_micros(name: &str) -> Option<i64> {
    name.strip_prefix('.')?.split('.').next()?.parse().ok()
}

fn nothing(rest: &str) -> Result<(), Error> {
    rest.is_empty().then_some(()).ok_or(Error::Malformed)
}

fn number<T: std::str::FromStr>(digits: &str) -> Result<T, Error> {
    digits.parse().map_err(|_| Error::Malformed)
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| {
        char::from(byte)
            .to_digit(16)
            .and_then(|digit| u8::try_from(digit).ok())
    };
    let (pairs, []) = text.as_bytes().as_chunks::<2>() else {
        return None;
    };
    pairs
        .iter()
        .map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{BodyKind, Recipient};
    use address::Address;

    fn head(recipient: &str) -> Head {
        Head {
            slip: Slip {
                uid: 1000,
                trace: Trace::Verify,
                is_relayed: true,
            },
            arrival_micros: 17,
            envelope: Envelope {
                sender: Address::parse("ann@example.org").ok(),
                recipients: vec![Recipient::new(Address::new(recipient, None))],
                ret: None,
                envid: None,
                body: BodyKind::EightBitMime,
                smtputf8: false,
            },
            size_bytes: 5,
        }
    }

    fn parsed(text: &str) -> Result<Head, Error> {
        Head::parse(text.lines().take_while(|line| !line.is_empty()))
    }

    #[test]
    fn a_head_comes_back_and_its_length_does_not_depend_on_the_size() {
        let mut head = head("root");
        let text = head.encode().unwrap();
        assert_eq!(parsed(&text), Ok(head.clone()));
        head.size_bytes = u64::MAX;
        assert_eq!(head.encode().unwrap().len(), text.len());
        head.slip = Slip::default();
        assert_eq!(parsed(&head.encode().unwrap()), Ok(head));
    }

    #[test]
    fn what_is_no_head_is_noticed() {
        let text = head("root").encode().unwrap();
        for (from, to) in [
            ("yubin-maildrop 1", "yubin-maildrop 2"),
            ("uid: 1000", "uid: ten"),
            ("uid: 1000", "uid: -1"),
            ("time: 17", "time: "),
            ("envelope: 0", "envelope: g"),
            ("envelope: ", "envelope: 0"),
            ("\nasks", "00\nasks"),
            ("\nsize", "\nSize"),
        ] {
            let wrong = text.replacen(from, to, 1);
            assert_ne!(wrong, text, "{from}");
            assert_eq!(parsed(&wrong), Err(Error::Malformed), "{from} -> {to}");
        }
        for (cut, _) in text.char_indices().take(text.len() - 22) {
            assert!(parsed(&text[..cut]).is_err(), "cut at {cut}");
        }
        assert!(parsed("").is_err());
    }

    #[test]
    fn control_characters_are_refused() {
        // An address has no line breaks and zero octets by itself.
        for recipient in ["a\tb", "a\x7fb", "a\u{85}b"] {
            let text = head(recipient).encode().unwrap();
            assert_eq!(parsed(&text), Err(Error::ControlCharacter("recipient")));
        }
        let mut other = head("root");
        other.envelope.envid = Some("x\ny".into());
        assert_eq!(
            check(&other.envelope),
            Err(Error::ControlCharacter("envelope identifier"))
        );
        other.envelope.sender = Some(Address::new("a\x1bb", None));
        assert_eq!(check(&other.envelope), Err(Error::ControlCharacter("sender")));
    }

    #[test]
    fn names_of_unfinished_files() {
        let id = QueueId::parse("ABCDEF1").unwrap();
        assert_eq!(begun_micros(&temporary_name(77, &id)), Some(77));
        assert_eq!(begun_micros("ABCDEF1"), None);
        assert_eq!(begun_micros(".x.ABCDEF1"), None);
    }
}
