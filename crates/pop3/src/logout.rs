//! What a session's last log line says: `pop3_logout_format`.

use crate::template::Template;

/// Dovecot's default.
pub const DEFAULT: &str = "top=%t/%p, retr=%r/%b, del=%d/%m, size=%s";

const VARIABLES: &[(char, &str)] = &[
    ('t', "top_count"),
    ('p', "top_bytes"),
    ('r', "retr_count"),
    ('b', "retr_bytes"),
    ('d', "deleted_count"),
    ('m', "message_count"),
    ('s', "message_bytes"),
    ('i', "input"),
    ('o', "output"),
    ('u', "uidl_change"),
    // Has a long name only.
    ('\u{1}', "deleted_bytes"),
];

/// What is said of a session that ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogoutFormat(Template);

/// What a session did.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Counts {
    /// TOP commands, and the octets sent for them.
    pub top: (u64, u64),
    /// RETR commands, and the octets sent for them.
    pub retr: (u64, u64),
    /// Messages deleted, and messages there were.
    pub deleted: (u64, u64),
    /// The octets of the deleted messages.
    pub deleted_bytes: u64,
    /// The octets of all messages at the start.
    pub size_bytes: u64,
    /// Octets from the client, and to it.
    pub traffic: (u64, u64),
    /// What became of the unique identifiers ([`uidl_change`]); empty when nobody asked for them.
    pub uidl_change: String,
}

impl Default for LogoutFormat {
    fn default() -> LogoutFormat {
        LogoutFormat::parse(DEFAULT)
    }
}

impl LogoutFormat {
    /// Reads the setting's value. A variable that does not exist is said to be unsupported in the line, as Dovecot does.
    pub fn parse(text: &str) -> LogoutFormat {
        LogoutFormat(Template::lenient(text, VARIABLES))
    }

    /// Whether the unique identifiers must be remembered.
    pub(crate) fn uses_uidls(&self) -> bool {
        self.0.uses('u')
    }

    /// The text for a session.
    pub fn show(&self, counts: &Counts) -> String {
        self.0.fill(|letter| {
            let number = match letter {
                't' => counts.top.0,
                'p' => counts.top.1,
                'r' => counts.retr.0,
                'b' => counts.retr.1,
                'd' => counts.deleted.0,
                'm' => counts.deleted.1,
                's' => counts.size_bytes,
                'i' => counts.traffic.0,
                'o' => counts.traffic.1,
                'u' => return counts.uidl_change.clone(),
                _ => counts.deleted_bytes,
            };
            number.to_string()
        })
    }
}

/// How many messages the client probably knew before and how many it knows now, each with a sum over their unique identifiers,
/// so that a change of those shows in the log. `lowest_retr`: the first message that was retrieved, from 0. Of each
/// message: its identifier, and whether it was deleted.
pub(crate) fn uidl_change(uidls: &[(String, bool)], lowest_retr: Option<usize>) -> String {
    let sum = |uidls: &mut dyn Iterator<Item = &String>| {
        uidls.fold((0, 0), |(count, sum), uidl| {
            (count + 1, sum ^ crc32(uidl.as_bytes()))
        })
    };
    let known = lowest_retr.unwrap_or(uidls.len());
    let (old_count, old) = sum(&mut uidls.iter().take(known).map(|(uidl, _)| uidl));
    let kept = uidls.iter().filter(|(_, is_deleted)| !is_deleted);
    let (new_count, new) = sum(&mut kept.map(|(uidl, _)| uidl));
    if (old_count, old) == (new_count, new) {
        format!("{old_count}/{old:08x}")
    } else {
        format!("{old_count}/{old:08x} -> {new_count}/{new:08x}")
    }
}

/// CRC-32 as in ISO 3309 (RFC 1952 §8).
fn crc32(octets: &[u8]) -> u32 {
    let mut crc = u32::MAX;
    for octet in octets {
        crc ^= u32::from(*octet);
        for _ in 0..8 {
            crc = (crc >> 1) ^ (0xEDB8_8320 & (crc & 1).wrapping_neg());
        }
    }
    !crc
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_told_as_dovecot_does() {
        assert_eq!(crc32(b"123456789"), 0xCBF4_3926);
        let uidls = |deleted: usize| -> Vec<(String, bool)> {
            (1..=3)
                .map(|number| (format!("0000000{number}6553f100"), number == deleted))
                .collect()
        };
        assert_eq!(uidl_change(&uidls(2), Some(2)), "2/398d3cc5 -> 2/2ef62886");
        assert_eq!(uidl_change(&uidls(3), Some(2)), "2/398d3cc5");
    }

    #[test]
    fn every_variable_is_shown() {
        let counts = Counts {
            top: (1, 2),
            retr: (3, 4),
            deleted: (5, 6),
            deleted_bytes: 7,
            size_bytes: 8,
            traffic: (9, 10),
            uidl_change: "11/x".to_owned(),
        };
        let shown = LogoutFormat::parse("%t %p %r %b %d %m %{deleted_bytes} %s %i %o %u %x %%").show(&counts);
        assert_eq!(shown, "1 2 3 4 5 6 7 8 9 10 11/x UNSUPPORTED_VARIABLE_x %");
        let shown = LogoutFormat::default().show(&counts);
        assert_eq!(shown, "top=1/2, retr=3/4, del=5/6, size=8");
    }
}
