//! What POP3 servers noted of the messages of a Maildir, by the base of the file name: Dovecot in `dovecot-uidlist` (`P`, `O`), Courier in
//! `courierpop3dsizelist`, and this one in `yubin.uidls`, which begins with what of the other two it has in it already.

use std::collections::HashMap;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use mailbox::{Pop3Note, Result};

use crate::{file_name, paths};

const NAME: &str = "yubin.uidls";
const FIRST_WORD: &[u8] = b"1";
const DOVECOT: &str = "dovecot-uidlist";
const COURIER: &str = "courierpop3dsizelist";

/// The largest file that is read, in bytes.
const FILE_BYTES_MAX: u64 = 1 << 30;
/// The longest identifier that is taken over: longer than RFC 1939 allows, as clients live with them.
const UIDL_BYTES_MAX: usize = 255;

/// Notes by base.
pub(crate) type Notes = HashMap<Vec<u8>, Pop3Note>;

/// When a file was written and how long it is, in bytes; zeros where there is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Stamp(i64, u64);

impl Stamp {
    fn of(path: &Path) -> Stamp {
        let Ok(meta) = std::fs::metadata(path) else {
            return Stamp::default();
        };
        let ns = meta
            .mtime()
            .saturating_mul(1_000_000_000)
            .saturating_add(meta.mtime_nsec());
        Stamp(ns, meta.len())
    }
}

/// The notes of the messages for which `is_there`. Those of other servers that are new are taken over, on disk. Under the
/// mailbox's lock.
pub(crate) fn read(maildir: &Path, is_there: impl Fn(&[u8]) -> bool) -> Result<Notes> {
    let stamps = [DOVECOT, COURIER].map(|name| Stamp::of(&maildir.join(name)));
    let (known, mut notes) = match content(&maildir.join(NAME)) {
        Some(own) => parse_own(&own),
        None => Default::default(),
    };
    if known == stamps {
        return Ok(notes);
    }
    let mut others = content(&maildir.join(DOVECOT)).map_or_else(Notes::new, |list| parse_dovecot(&list));
    for (base, note) in content(&maildir.join(COURIER)).map_or_else(Notes::new, |list| parse_courier(&list)) {
        let merged = others.entry(base).or_default();
        merged.uidl = merged.uidl.take().or(note.uidl);
        merged.order = merged.order.or(note.order);
    }
    for (base, note) in others {
        notes.entry(base).or_insert(note);
    }
    notes.retain(|base, _| is_there(base));
    write(maildir, stamps, &notes)?;
    Ok(notes)
}

/// Notes identifiers of messages for which `is_there`, and forgets those of others. Under the mailbox's lock.
pub(crate) fn save(
    maildir: &Path,
    is_there: impl Fn(&[u8]) -> bool,
    uidls: impl Iterator<Item = (Vec<u8>, String)>,
) -> Result<()> {
    let mut notes = read(maildir, &is_there)?;
    for (base, uidl) in uidls.filter(|(_, uidl)| is_uidl(uidl.as_bytes())) {
        notes.entry(base).or_default().uidl = Some(uidl);
    }
    notes.retain(|base, _| is_there(base));
    let stamps = [DOVECOT, COURIER].map(|name| Stamp::of(&maildir.join(name)));
    write(maildir, stamps, &notes)
}

fn content(path: &Path) -> Option<Vec<u8>> {
    let is_small = std::fs::metadata(path).ok()?.len() <= FILE_BYTES_MAX;
    if is_small { std::fs::read(path).ok() } else { None }
}

fn is_uidl(text: &[u8]) -> bool {
    !text.is_empty() && text.len() <= UIDL_BYTES_MAX && text.iter().all(u8::is_ascii_graphic)
}

fn uidl(text: &[u8]) -> Option<String> {
    let text = is_uidl(text).then(|| std::str::from_utf8(text).ok())?;
    text.map(str::to_owned)
}

fn number<T: std::str::FromStr>(text: &[u8]) -> Option<T> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

fn write(maildir: &Path, stamps: [Stamp; 2], notes: &Notes) -> Result<()> {
    let path = maildir.join(NAME);
    if notes.is_empty() && stamps == [Stamp::default(); 2] && !path.exists() {
        return Ok(());
    }
    let [dovecot, courier] = stamps;
    let mut text = format!("1 {} {} {} {}\n", dovecot.0, dovecot.1, courier.0, courier.1).into_bytes();
    let mut sorted: Vec<_> = notes.iter().collect();
    sorted.sort_by_key(|(base, _)| *base);
    for (base, note) in sorted {
        let uidl = note.uidl.as_deref().unwrap_or("-");
        text.extend_from_slice(format!("{} {uidl} ", note.order.unwrap_or(0)).as_bytes());
        text.extend_from_slice(base);
        text.push(b'\n');
    }
    paths::replace_file(&path, &text)
}

/// The stamps in the first line, then `ORDER UIDL BASE` in each, with 0 and `-` for nothing.
fn parse_own(text: &[u8]) -> ([Stamp; 2], Notes) {
    let mut lines = text.split(|b| *b == b'\n');
    let head: Vec<&[u8]> = lines.next().unwrap_or_default().split(|b| *b == b' ').collect();
    let stamps = match head.as_slice() {
        [first, numbers @ ..] if *first == FIRST_WORD && numbers.len() == 4 => [0, 2].map(|at| {
            Stamp(
                number(numbers[at]).unwrap_or(0),
                number(numbers[at + 1]).unwrap_or(0),
            )
        }),
        _ => return Default::default(),
    };
    let note = |line: &[u8]| {
        let mut words = line.splitn(3, |b| *b == b' ');
        let (order, word, base) = (words.next()?, words.next()?, words.next()?);
        let note = Pop3Note {
            uidl: if word == b"-" { None } else { uidl(word) },
            order: number(order).filter(|order| *order > 0),
        };
        Some((base.to_vec(), note))
    };
    (stamps, lines.filter_map(note).collect())
}

/// `UID FIELDS :NAME`, each field a letter and its value.
fn parse_dovecot(text: &[u8]) -> Notes {
    let mut lines = text.split(|b| *b == b'\n');
    if !lines.next().is_some_and(|head| head.starts_with(b"3 ")) {
        return Notes::new();
    }
    let note = |line: &[u8]| {
        let colon = line.windows(2).position(|two| two == b" :")?;
        let mut note = Pop3Note::default();
        for field in line[..colon].split(|b| *b == b' ').skip(1) {
            match field.split_first() {
                Some((b'P', value)) => note.uidl = uidl(value),
                Some((b'O', value)) => note.order = number(value).filter(|order| *order > 0),
                _ => {}
            }
        }
        let is_empty = note == Pop3Note::default();
        (!is_empty).then(|| (file_name::base(&line[colon + 2..]).to_vec(), note))
    };
    lines.filter_map(note).collect()
}

/// Up to three generations of lines, below a first line `/GENERATION …` where it is not the oldest: `NAME SIZE`,
/// `NAME SIZE UID`, `NAME SIZE UID:UIDVALIDITY` (and more after a further colon). Courier shows messages in the order of the file.
fn parse_courier(text: &[u8]) -> Notes {
    let lines = text.split(|b| *b == b'\n').filter(|line| !line.is_empty());
    let lines = lines.filter(|line| !line.starts_with(b"/"));
    let note = |(order, line): (u32, &[u8])| {
        let mut words = line.split(|b| *b == b' ');
        let (name, _size) = (words.next()?, words.next()?);
        let base = file_name::base(name);
        let mut numbers = words.next().unwrap_or(b"0").split(|b| *b == b':');
        let uid: u64 = number(numbers.next()?)?;
        let uid_validity: u64 = numbers.next().map_or(Some(0), number)?;
        let uidl = match (uid, uid_validity) {
            (0, _) => escaped(base),
            (_, 0) => format!("UID{uid}"),
            _ => format!("UID{uid}-{uid_validity}"),
        };
        let note = Pop3Note {
            uidl: is_uidl(uidl.as_bytes()).then_some(uidl),
            order: Some(order),
        };
        Some((base.to_vec(), note))
    };
    (1..).zip(lines).filter_map(note).collect()
}

/// A file name as Courier's oldest identifiers have it.
fn escaped(base: &[u8]) -> String {
    let mut shown = String::new();
    for &octet in base {
        if octet.is_ascii_graphic() && !matches!(octet, b'\'' | b'"' | b'+') {
            shown.push(char::from(octet));
        } else {
            shown.push_str(&format!("+{octet:02X}"));
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn note(uidl: &str, order: u32) -> Pop3Note {
        Pop3Note {
            uidl: (!uidl.is_empty()).then(|| uidl.to_owned()),
            order: Some(order).filter(|order| *order > 0),
        }
    }

    #[test]
    fn dovecots_notes_are_read() {
        let list = b"3 V17 N9 G01\n3 P:x O4 W5 :a:2,S\n4 :b\n5 O1 :c,S=4:2,\n6 Pa\xff :d\n7 W5 Ptwo :e f\n";
        let notes = parse_dovecot(list);
        assert_eq!(notes.len(), 3);
        assert_eq!(notes[b"a".as_slice()], note(":x", 4));
        assert_eq!(notes[b"c,S=4".as_slice()], note("", 1));
        assert_eq!(notes[b"e f".as_slice()], note("two", 0));
        assert!(parse_dovecot(b"1 17 9\n3 a\n").is_empty());
    }

    #[test]
    fn couriers_notes_are_read() {
        let list = b"/2 5 1700\na:2,S 120 1:1700\nb,S=3 3 4:0\nc+d 3 0:0\nbroken\n";
        let notes = parse_courier(list);
        assert_eq!(notes.len(), 3);
        assert_eq!(notes[b"a".as_slice()], note("UID1-1700", 1));
        assert_eq!(notes[b"b,S=3".as_slice()], note("UID4", 2));
        assert_eq!(notes[b"c+d".as_slice()], note("c+2Bd", 3));
        let newest = parse_courier(b"/3 5 1700\na 120 1:1700:4\n");
        assert_eq!(newest[b"a".as_slice()], note("UID1-1700", 1));
        assert_eq!(
            parse_courier(b"/1 5\na 120 1\n")[b"a".as_slice()],
            note("UID1", 1)
        );
        assert_eq!(parse_courier(b"a 120\n")[b"a".as_slice()], note("a", 1));
    }

    #[test]
    fn notes_of_others_are_taken_over_once_and_own_ones_stay() {
        let dir = tempfile::tempdir().unwrap();
        let maildir = dir.path();
        let there = |base: &[u8]| base != b"gone";
        assert!(read(maildir, there).unwrap().is_empty());
        assert!(!maildir.join(NAME).exists());
        std::fs::write(
            maildir.join(DOVECOT),
            "3 V1 N9\n1 Pone :a\n2 Pgone :gone\n3 O2 :c\n",
        )
        .unwrap();
        std::fs::write(maildir.join(COURIER), "/2 5 7\na 1 5:7\nc 1 6:7\n").unwrap();
        let notes = read(maildir, there).unwrap();
        assert_eq!(notes.len(), 2);
        assert_eq!(notes[b"a".as_slice()], note("one", 1));
        assert_eq!(notes[b"c".as_slice()], note("UID6-7", 2));
        let new = [
            (b"d e".to_vec(), "four".to_owned()),
            (b"x".to_vec(), "no uidl".to_owned()),
        ];
        save(maildir, there, new.into_iter()).unwrap();
        std::fs::remove_file(maildir.join(COURIER)).unwrap();
        let notes = read(maildir, there).unwrap();
        assert_eq!(notes.len(), 3);
        assert_eq!(notes[b"a".as_slice()], note("one", 1));
        assert_eq!(notes[b"d e".as_slice()], note("four", 0));
    }

    proptest! {
        #[test]
        fn nothing_panics(text in "(/?[0-9]|[PO]?[a-z0-9]{0,2}|[ :\n,])*") {
            parse_own(text.as_bytes());
            parse_courier(text.as_bytes());
            parse_dovecot(format!("3 V1 N1\n{text}").as_bytes());
        }
    }
}
