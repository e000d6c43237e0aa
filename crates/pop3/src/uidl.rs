//! What UIDL shows: `pop3_uidl_format`.

use crate::template::Template;

/// The format that Dovecot's default is: UID and UIDVALIDITY, eight hexadecimal digits each.
pub const DEFAULT: &str = "%08Xu%08Xv";
/// The longest a unique identifier may be (RFC 1939 §7).
pub const UIDL_BYTES_MAX: usize = 70;

const VARIABLES: &[(char, &str)] = &[
    ('u', "uid"),
    ('v', "uidvalidity"),
    ('f', "filename"),
    ('g', "guid"),
    ('m', "md5"),
];

/// A format of unique identifiers: text and variables, each with a width (`%08u`) and letters that change it (`X` for
/// hexadecimal). `%u` is the UID, `%v` UIDVALIDITY, `%f` what the message is called where it lies (in a Maildir the file's name without
/// flags), `%g` the same or, where it has no name, `%m`, and `%m` a sum over fields of its header ([`crate::digest`]).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UidlFormat(Template);

/// What a unique identifier is made of.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Parts<'a> {
    pub(crate) uid: u32,
    pub(crate) uid_validity: u32,
    /// What the message is called where it lies.
    pub(crate) name: Option<&'a str>,
    pub(crate) digest: &'a str,
}

impl Default for UidlFormat {
    fn default() -> UidlFormat {
        UidlFormat::parse(DEFAULT).expect("the default is a format")
    }
}

impl UidlFormat {
    /// Reads the setting's value. `None`: it uses something else than the above, or has none of `%u`, `%f`, `%g` and `%m`, so
    /// that messages could not be told apart, or is too long.
    pub fn parse(text: &str) -> Option<UidlFormat> {
        let format = UidlFormat(Template::parse(text, VARIABLES)?);
        let tells_apart = ['u', 'f', 'g', 'm'].iter().any(|letter| format.0.uses(*letter));
        // A name is as long as it is; clients of servers with such names live with it.
        let longest = format.fill(Parts {
            uid: u32::MAX,
            uid_validity: u32::MAX,
            name: Some(""),
            digest: "",
        });
        let fits = longest.len() <= UIDL_BYTES_MAX && longest.bytes().all(|b| b.is_ascii_graphic());
        (tells_apart && fits).then_some(format)
    }

    /// Whether what the message is called where it lies is a part of it, and nothing will do for that.
    pub(crate) fn needs_name(&self) -> bool {
        self.0.uses('f')
    }

    /// Whether what the message is called where it lies is a part of it, if there is such a name.
    pub(crate) fn uses_name(&self) -> bool {
        self.needs_name() || self.0.uses('g')
    }

    /// Whether the sum over the header is a part of it, where messages have names or have none.
    pub(crate) fn uses_digest(&self, has_names: bool) -> bool {
        self.0.uses('m') || (!has_names && self.0.uses('g'))
    }

    /// The unique identifier of a message, without what cannot be in one (RFC 1939 §7).
    pub(crate) fn show(&self, parts: Parts<'_>) -> String {
        let letter = |c: char| if c.is_ascii_graphic() { c } else { '_' };
        self.fill(parts).chars().map(letter).collect()
    }

    fn fill(&self, parts: Parts<'_>) -> String {
        self.0.fill(|letter| match letter {
            'u' => parts.uid.to_string(),
            'v' => parts.uid_validity.to_string(),
            'f' => parts.name.unwrap_or_default().to_owned(),
            'g' => parts.name.unwrap_or(parts.digest).to_owned(),
            _ => parts.digest.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn show(text: &str) -> String {
        UidlFormat::parse(text).unwrap().show(Parts {
            uid: 300,
            uid_validity: 7,
            name: Some("1.M2P3.host,S=4"),
            digest: "d41d8cd9",
        })
    }

    #[test]
    fn formats_are_shown() {
        let first = Parts {
            uid: 1,
            uid_validity: 0x6b02_13cb,
            name: None,
            digest: "d41d",
        };
        assert_eq!(UidlFormat::default().show(first), "000000016b0213cb");
        assert_eq!(UidlFormat::parse("%g").unwrap().show(first), "d41d");
        assert_eq!(show("%f"), "1.M2P3.host,S=4");
        assert_eq!(show("%v.%g"), "7.1.M2P3.host,S=4");
        assert_eq!(show("%v.%u"), "7.300");
        assert_eq!(show("UID%u-%v"), "UID300-7");
        assert_eq!(show("%05Xu%%%v"), "0012c%7");
        assert_eq!(show("%m"), "d41d8cd9");
        assert_eq!(show("%{uid | hex(8)}%{uidvalidity | hex(8)}"), "0000012c00000007");
    }

    #[test]
    fn formats_that_cannot_be_are_refused() {
        for text in ["%v", "%", "%u%", "%0999u", "u", "a b%u", "%u%u%u%u%u%u%u%u", "%x"] {
            assert_eq!(UidlFormat::parse(text), None, "{text}");
        }
    }
}
