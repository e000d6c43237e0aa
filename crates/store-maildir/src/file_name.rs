//! Names of message files: unique, with sizes (`,S=`, `,W=`) and flags (`:2,DFRST` and keyword letters).

use std::sync::atomic::{AtomicU64, Ordering};

use mailbox::SystemFlags;

/// Flags by their letter, in the order of the letters.
const LETTERS: [(u8, SystemFlags); 5] = [
    (b'D', SystemFlags::DRAFT),
    (b'F', SystemFlags::FLAGGED),
    (b'R', SystemFlags::ANSWERED),
    (b'S', SystemFlags::SEEN),
    (b'T', SystemFlags::DELETED),
];

/// A name that no file of any maildir has: `seconds.MmicrosecondsPpidQnumber.host`.
pub(crate) fn unique(host: &str) -> String {
    static COUNTER: AtomicU64 = AtomicU64::new(0);
    let now = crate::paths::now_ns();
    let number = COUNTER.fetch_add(1, Ordering::Relaxed);
    let (seconds, micros) = (now / 1_000_000_000, now / 1000 % 1_000_000);
    format!(
        "{seconds}.M{micros:06}P{}Q{number}.{}",
        std::process::id(),
        safe_host(host)
    )
}

/// A host name without the characters that mean something in a file name (maildir(5)).
fn safe_host(host: &str) -> String {
    let mut safe = String::with_capacity(host.len());
    for char in host.chars().take(100) {
        match char {
            '/' => safe.push_str("\\057"),
            ':' => safe.push_str("\\072"),
            ',' => safe.push_str("\\054"),
            char if char.is_ascii_graphic() => safe.push(char),
            _ => safe.push('_'),
        }
    }
    if safe.is_empty() {
        "localhost".to_owned()
    } else {
        safe
    }
}

/// The base of a message with its sizes in it.
pub(crate) fn with_sizes(unique: &str, file_bytes: u64, size_bytes: u64) -> String {
    format!("{unique},S={file_bytes},W={size_bytes}")
}

/// The part before the flags, by which a message is known for all its life.
pub(crate) fn base(name: &[u8]) -> &[u8] {
    let at = name.iter().position(|byte| *byte == b':');
    &name[..at.unwrap_or(name.len())]
}

/// The letters of the flags.
fn letters(name: &[u8]) -> &[u8] {
    let info = &name[base(name).len()..];
    info.strip_prefix(b":2,").unwrap_or_default()
}

/// The system flags a name tells, and the letters of its keywords (bit 0: `a`).
pub(crate) fn flags(name: &[u8]) -> (SystemFlags, u32) {
    let (mut system, mut keywords) = (SystemFlags::NONE, 0);
    for letter in letters(name) {
        if letter.is_ascii_lowercase() {
            keywords |= 1 << (letter - b'a');
        }
        let known = LETTERS.iter().find(|(known, _)| known == letter);
        system = system.union(known.map_or(SystemFlags::NONE, |(_, flag)| *flag));
    }
    (system, keywords)
}

/// The name with these flags. Letters of other programs that mean nothing here stay.
pub(crate) fn with_flags(name: &[u8], system: SystemFlags, keywords: u32) -> Vec<u8> {
    let mut all: Vec<u8> = letters(name)
        .iter()
        .copied()
        .filter(|letter| {
            !letter.is_ascii_lowercase()
                && LETTERS.iter().all(|(known, _)| known != letter)
                && *letter != b','
        })
        .collect();
    all.extend(
        LETTERS
            .iter()
            .filter(|(_, flag)| system.contains(*flag))
            .map(|(letter, _)| letter),
    );
    all.extend((b'a'..=b'z').filter(|letter| keywords & 1 << (letter - b'a') != 0));
    all.sort_unstable();
    all.dedup();
    let mut new = base(name).to_vec();
    new.extend_from_slice(b":2,");
    new.extend_from_slice(&all);
    new
}

/// The number after `,S=` (length of the file) or `,W=` (length with CRLF lines).
pub(crate) fn number(name: &[u8], letter: u8) -> Option<u64> {
    let mut fields = base(name).split(|byte| *byte == b',').skip(1);
    let digits = fields.find_map(|field| field.strip_prefix(&[letter, b'=']))?;
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// The time in a name, in seconds and microseconds, by which messages that arrived together are ordered.
pub(crate) fn time(name: &[u8]) -> (u64, u64) {
    let digits = |bytes: &[u8]| {
        let end = bytes
            .iter()
            .position(|byte| !byte.is_ascii_digit())
            .unwrap_or(bytes.len());
        std::str::from_utf8(&bytes[..end])
            .ok()
            .and_then(|text| text.parse().ok())
            .unwrap_or(0)
    };
    let micros = name
        .iter()
        .position(|byte| *byte == b'.')
        .map(|dot| &name[dot + 1..])
        .and_then(|rest| {
            let at = rest.iter().position(|byte| *byte == b'M')?;
            Some(digits(&rest[at + 1..]))
        });
    (digits(name), micros.unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_name_of_dovecot() {
        let name = b"1795297831.M343101P7830.vm,S=16,W=18:2,Sab";
        assert_eq!(base(name), b"1795297831.M343101P7830.vm,S=16,W=18");
        assert_eq!(flags(name), (SystemFlags::SEEN, 0b11));
        assert_eq!(
            (number(name, b'S'), number(name, b'W'), number(name, b'X')),
            (Some(16), Some(18), None)
        );
        assert_eq!(time(name), (1795297831, 343101));
        let new = with_flags(name, SystemFlags::DELETED.union(SystemFlags::ANSWERED), 0b100);
        assert_eq!(new, b"1795297831.M343101P7830.vm,S=16,W=18:2,RTc");
    }

    #[test]
    fn letters_of_others_stay() {
        assert_eq!(with_flags(b"x:2,PS", SystemFlags::NONE, 0), b"x:2,P");
        assert_eq!(with_flags(b"x", SystemFlags::SEEN, 0), b"x:2,S");
        assert_eq!(safe_host("a/b:c"), "a\\057b\\072c");
        assert_ne!(unique("h"), unique("h"));
    }

    proptest! {
        #[test]
        fn flags_come_back(bytes in proptest::collection::vec(any::<u8>(), 0..40), system in 0u8..32, keywords in 0u32..1 << 26) {
            let name = with_flags(&bytes, SystemFlags(system), keywords);
            prop_assert_eq!(flags(&name), (SystemFlags(system), keywords));
            prop_assert_eq!(base(&name), base(&bytes));
            let _ = (time(&bytes), number(&bytes, b'S'));
        }
    }
}
