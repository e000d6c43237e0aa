//! What UIDL shows: `pop3_uidl_format`.

/// The format that Dovecot's default is: UID and UIDVALIDITY, eight hexadecimal digits each.
pub const DEFAULT: &str = "%08Xu%08Xv";
/// The longest a unique identifier may be (RFC 1939 §7).
pub const UIDL_BYTES_MAX: usize = 70;

/// A format of unique identifiers: text, `%u` (UID) and `%v` (UIDVALIDITY), each with a width (`%08u`) and `X` for
/// hexadecimal; `%f` and `%g`, which in a Maildir are both the file's name without flags; `%%` is a percent sign.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UidlFormat(Vec<Piece>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(String),
    /// What the message is called where it lies.
    Name,
    Number {
        which: Number,
        width: usize,
        zeros: bool,
        hexadecimal: bool,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Number {
    Uid,
    UidValidity,
}

impl Default for UidlFormat {
    fn default() -> UidlFormat {
        UidlFormat::parse(DEFAULT).expect("the default is a format")
    }
}

impl UidlFormat {
    /// Reads the setting's value. `None`: it uses something else than the above (`%m`, a sum over an mbox's headers), or
    /// has none of `%u`, `%f` and `%g`, so that messages could not be told apart, or is too long.
    pub fn parse(text: &str) -> Option<UidlFormat> {
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some(at) = rest.find('%') {
            pieces.push(Piece::Text(rest[..at].to_owned()));
            rest = &rest[at + 1..];
            if let Some(after) = rest.strip_prefix('%') {
                pieces.push(Piece::Text("%".to_owned()));
                rest = after;
            } else {
                let (piece, after) = match rest.strip_prefix(['f', 'g']) {
                    Some(after) => (Piece::Name, after),
                    None => number(rest)?,
                };
                pieces.push(piece);
                rest = after;
            }
        }
        pieces.push(Piece::Text(rest.to_owned()));
        let format = UidlFormat(pieces);
        let tells_apart = format.uses_name()
            || format.0.iter().any(|p| {
                matches!(
                    p,
                    Piece::Number {
                        which: Number::Uid,
                        ..
                    }
                )
            });
        // A name is as long as it is; clients of servers with such names live with it.
        let longest = format.show(u32::MAX, u32::MAX, "");
        let fits = longest.len() <= UIDL_BYTES_MAX && longest.bytes().all(|b| (0x21..=0x7e).contains(&b));
        (tells_apart && fits).then_some(format)
    }

    /// Whether what the message is called where it lies is a part of it.
    pub fn uses_name(&self) -> bool {
        self.0.contains(&Piece::Name)
    }

    /// The unique identifier of a message that is called `name` where it lies.
    pub fn show(&self, uid: u32, uid_validity: u32, name: &str) -> String {
        let mut shown = String::new();
        for piece in &self.0 {
            match *piece {
                Piece::Text(ref text) => shown.push_str(text),
                Piece::Name => shown.extend(name.chars().map(|c| if c.is_ascii_graphic() { c } else { '_' })),
                Piece::Number {
                    which,
                    width,
                    zeros,
                    hexadecimal,
                } => {
                    let number = match which {
                        Number::Uid => uid,
                        Number::UidValidity => uid_validity,
                    };
                    let digits = if hexadecimal {
                        format!("{number:x}")
                    } else {
                        number.to_string()
                    };
                    // A space cannot be in an identifier; padding is zeros or nothing.
                    let missing = if zeros {
                        width.saturating_sub(digits.len())
                    } else {
                        0
                    };
                    shown.extend(std::iter::repeat_n('0', missing));
                    shown.push_str(&digits);
                }
            }
        }
        shown
    }
}

/// What follows a percent sign.
fn number(text: &str) -> Option<(Piece, &str)> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let width = if digits == 0 {
        0
    } else {
        text[..digits].parse().ok().filter(|w| *w <= UIDL_BYTES_MAX)?
    };
    let rest = &text[digits..];
    let (hexadecimal, rest) = rest.strip_prefix('X').map_or((false, rest), |rest| (true, rest));
    let which = match rest.bytes().next()? {
        b'u' => Number::Uid,
        b'v' => Number::UidValidity,
        _ => return None,
    };
    Some((
        Piece::Number {
            which,
            width,
            zeros: text.starts_with('0'),
            hexadecimal,
        },
        &rest[1..],
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_are_shown() {
        assert_eq!(UidlFormat::default().show(1, 0x6b02_13cb, ""), "000000016b0213cb");
        let show = |text: &str| UidlFormat::parse(text).unwrap().show(300, 7, "1.M2P3.host,S=4");
        assert_eq!(show("%f"), "1.M2P3.host,S=4");
        assert_eq!(show("%v.%g"), "7.1.M2P3.host,S=4");
        assert_eq!(show("%v.%u"), "7.300");
        assert_eq!(show("UID%u-%v"), "UID300-7");
        assert_eq!(show("%05Xu%%%v"), "0012c%7");
    }

    #[test]
    fn formats_that_cannot_be_are_refused() {
        for text in ["%v", "%m", "%", "%u%", "%999u", "u", "a b%u", "%u%u%u%u%u%u%u%u"] {
            assert_eq!(UidlFormat::parse(text), None, "{text}");
        }
    }
}
