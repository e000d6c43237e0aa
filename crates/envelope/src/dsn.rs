//! The DSN parameters of MAIL and RCPT: xtext, NOTIFY, ORCPT, RET (RFC 3461 §4).

use crate::{Notify, Recipient, Ret, Trace};

/// The longest ORCPT or ENVID value that is taken, in octets before decoding (RFC 3461 §4.2, §4.4 say 500 and 100).
pub const XTEXT_BYTES_MAX: usize = 1_000;

/// `text` as xtext: `+`, `=`, and what is not printable ASCII become `+XX`.
pub fn encode_xtext(text: &str) -> String {
    let mut coded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'!'..=b'~' if byte != b'+' && byte != b'=' => coded.push(char::from(byte)),
            _ => coded.push_str(&format!("+{byte:02X}")),
        }
    }
    coded
}

/// The text that xtext stands for. `None` for wrong coding, control characters, what is not UTF-8, and what is
/// over [`XTEXT_BYTES_MAX`].
pub fn decode_xtext(coded: &str) -> Option<String> {
    if coded.len() > XTEXT_BYTES_MAX {
        return None;
    }
    let mut bytes = Vec::with_capacity(coded.len());
    let mut rest = coded.bytes();
    while let Some(byte) = rest.next() {
        match byte {
            b'+' => {
                let (high, low) = (hex(rest.next()?)?, hex(rest.next()?)?);
                bytes.push(high << 4 | low);
            }
            b'=' | 0..=b' ' | 0x7f => return None,
            // RFC 6533 lets UTF-8 stand as it is.
            byte => bytes.push(byte),
        }
    }
    String::from_utf8(bytes)
        .ok()
        .filter(|text| !text.chars().any(char::is_control))
}

/// Capital hexadecimal, as RFC 3461 has it, and small, as some peers send it.
fn hex(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|d| u8::try_from(d).ok())
}

/// The value of ORCPT, `rfc822;user+40example.com`, as `rfc822;user@example.com`.
pub fn parse_orcpt(value: &str) -> Option<String> {
    let (kind, address) = value.split_once(';')?;
    let kind_is_good = !kind.is_empty() && kind.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    let address = decode_xtext(address).filter(|a| kind_is_good && !a.is_empty())?;
    Some(format!("{kind};{address}"))
}

/// `rfc822;user@example.com` as the value of ORCPT. An address of kind `utf-8` is in ASCII, too: `utf-8;gr\x{FC}@example.com`
/// (RFC 6533 §3).
pub fn print_orcpt(orcpt: &str) -> String {
    match orcpt.split_once(';') {
        Some((kind, address)) if kind.eq_ignore_ascii_case("utf-8") => {
            let mut coded = String::with_capacity(address.len());
            for c in address.chars() {
                match c {
                    '!'..='~' if c != '+' && c != '=' => coded.push(c),
                    c => coded.push_str(&format!("\\x{{{:02X}}}", u32::from(c))),
                }
            }
            format!("{kind};{coded}")
        }
        Some((kind, address)) => format!("{kind};{}", encode_xtext(address)),
        None => format!("rfc822;{}", encode_xtext(orcpt)),
    }
}

impl Notify {
    /// Never send a report.
    pub const NEVER: Notify = Notify {
        success: false,
        failure: false,
        delay: false,
    };

    /// The value of NOTIFY: `NEVER`, or words from SUCCESS, FAILURE, DELAY.
    pub fn parse(value: &str) -> Option<Notify> {
        if value.eq_ignore_ascii_case("NEVER") {
            return Some(Notify::NEVER);
        }
        let mut notify = Notify::NEVER;
        for word in value.split(',') {
            match word.to_ascii_uppercase().as_str() {
                "SUCCESS" => notify.success = true,
                "FAILURE" => notify.failure = true,
                "DELAY" => notify.delay = true,
                _ => return None,
            }
        }
        Some(notify)
    }
}

impl std::fmt::Display for Notify {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let words = [
            (self.success, "SUCCESS"),
            (self.failure, "FAILURE"),
            (self.delay, "DELAY"),
        ];
        let wanted: Vec<_> = words
            .into_iter()
            .filter_map(|(wanted, word)| wanted.then_some(word))
            .collect();
        f.write_str(if wanted.is_empty() { "NEVER" } else { "" })?;
        f.write_str(&wanted.join(","))
    }
}

impl Ret {
    /// The value of RET: `FULL` or `HDRS`.
    pub fn parse(value: &str) -> Option<Ret> {
        match value.to_ascii_uppercase().as_str() {
            "FULL" => Some(Ret::Full),
            "HDRS" => Some(Ret::Headers),
            _ => None,
        }
    }
}

impl std::fmt::Display for Ret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Ret::Full => "FULL",
            Ret::Headers => "HDRS",
        })
    }
}

impl Trace {
    /// The word for it on disk: `verify`, `record`, `probe`; empty for [`Trace::None`].
    pub fn as_str(self) -> &'static str {
        match self {
            Trace::None => "",
            Trace::Verify => "verify",
            Trace::Record => "record",
            Trace::Probe => "probe",
        }
    }

    /// Nothing is delivered: what a delivery would come to is all that is wanted.
    pub fn only_verifies(self) -> bool {
        matches!(self, Trace::Verify | Trace::Probe)
    }

    /// The word read back; what is none of them is [`Trace::None`].
    pub fn of_word(word: &str) -> Trace {
        match word {
            "verify" => Trace::Verify,
            "record" => Trace::Record,
            "probe" => Trace::Probe,
            _ => Trace::None,
        }
    }
}

impl Recipient {
    /// A recipient of whom nothing but the address is known.
    pub fn new(address: address::Address) -> Recipient {
        Recipient {
            original: address.clone(),
            address,
            orcpt: None,
            notify: None,
        }
    }

    /// What a report names as the original recipient: ORCPT, or the address as it was given, as `type;address`.
    pub fn original_recipient(&self) -> String {
        self.orcpt.clone().unwrap_or_else(|| {
            let kind = match self.original.needs_smtputf8() {
                true => "utf-8",
                false => "rfc822",
            };
            format!("{kind};{}", self.original)
        })
    }

    /// Whether the sender wants to hear of a failure: yes, unless NOTIFY says otherwise.
    pub fn wants_failure_report(&self) -> bool {
        self.notify.is_none_or(|notify| notify.failure)
    }

    /// Whether the sender wants to hear of a delay: yes, unless NOTIFY says otherwise.
    pub fn wants_delay_report(&self) -> bool {
        self.notify.is_none_or(|notify| notify.delay)
    }

    /// Whether the sender asked to hear of success.
    pub fn wants_success_report(&self) -> bool {
        self.notify.is_some_and(|notify| notify.success)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn parameters_are_read_and_written() {
        assert_eq!(parse_orcpt("rfc822;a+2Bb@c").as_deref(), Some("rfc822;a+b@c"));
        assert_eq!(print_orcpt("rfc822;a+b@c"), "rfc822;a+2Bb@c");
        assert_eq!(
            print_orcpt("utf-8;gr\u{fc}+\\x{DF}@c"),
            "utf-8;gr\\x{FC}\\x{2B}\\x{DF}@c"
        );
        for bad in [
            "",
            "rfc822",
            ";a",
            "rfc822;",
            "rfc822;a+2",
            "rfc822;a+zz",
            "rfc822;a=b",
            "rfc822;a+0D+0A",
            "r c;a",
        ] {
            assert_eq!(parse_orcpt(bad), None, "{bad}");
        }
        assert_eq!(Notify::parse("never"), Some(Notify::NEVER));
        assert_eq!(
            Notify::parse("Success,DELAY").map(|n| n.to_string()).as_deref(),
            Some("SUCCESS,DELAY")
        );
        for bad in ["", "NEVER,SUCCESS", "SUCCESS,", "X"] {
            assert_eq!(Notify::parse(bad), None, "{bad}");
        }
        assert_eq!(Notify::NEVER.to_string(), "NEVER");
        assert_eq!(
            (Ret::parse("hdrs"), Ret::parse("FULL"), Ret::parse("")),
            (Some(Ret::Headers), Some(Ret::Full), None)
        );
    }

    proptest! {
        #[test]
        fn xtext_round_trip(text in "[^\\pC]{0,40}") {
            let coded = encode_xtext(&text);
            prop_assert!(coded.bytes().all(|b| (b'!'..=b'~').contains(&b) && b != b'='));
            prop_assert_eq!(decode_xtext(&coded), Some(text));
        }

        #[test]
        fn never_panics(text in "[+=0-9A-Fé;a]{0,20}") {
            let _ = (decode_xtext(&text), parse_orcpt(&text), Notify::parse(&text));
        }
    }
}
