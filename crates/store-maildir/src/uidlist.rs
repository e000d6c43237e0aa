//! The file `dovecot-uidlist`, from which UIDs are taken over when a mailbox comes from Dovecot. That is done once:
//! `yubin.imported` beside it says that it was, so that a lost index does not bring UIDs back that were given on since.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use mailbox::{Result, Uid, UidValidity};

use crate::{file_name, paths};

const NAME: &str = "dovecot-uidlist";
const IMPORTED: &str = "yubin.imported";

/// The largest file that is read, in bytes.
const FILE_BYTES_MAX: u64 = 1 << 30;

/// The first line has at most so many octets.
const LINE_BYTES_MAX: u64 = 4096;

/// What Dovecot knew of a mailbox.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct UidList {
    pub(crate) uid_validity: UidValidity,
    pub(crate) uid_next: Uid,
    /// By the base of the file name.
    pub(crate) uids: HashMap<Vec<u8>, Uid>,
}

/// The list of a mailbox, if there is one that can be read. Versions 1 and 3 are known.
pub(crate) fn read(directory: &Path) -> Option<UidList> {
    let path = directory.join(NAME);
    if std::fs::metadata(&path).ok()?.len() > FILE_BYTES_MAX {
        return None;
    }
    parse(&std::fs::read(&path).ok()?)
}

/// What Dovecot calls the mailbox for good: the word `G` and 32 digits in the first line.
pub(crate) fn guid(directory: &Path) -> Option<[u8; 16]> {
    let file = std::fs::File::open(directory.join(NAME)).ok()?;
    let mut line = String::new();
    BufReader::new(file.take(LINE_BYTES_MAX))
        .read_line(&mut line)
        .ok()?;
    guid_in(&line)
}

fn guid_in(line: &str) -> Option<[u8; 16]> {
    let digits = line
        .split_ascii_whitespace()
        .find_map(|word| word.strip_prefix('G'))?;
    let number = (digits.len() == 32).then(|| u128::from_str_radix(digits, 16))?;
    number.ok().map(u128::to_be_bytes)
}

/// Whether there is a list.
pub(crate) fn exists(directory: &Path) -> bool {
    directory.join(NAME).exists()
}

/// Whether an index was once filled from the list, or beside it.
pub(crate) fn was_imported(directory: &Path) -> bool {
    directory.join(IMPORTED).exists()
}

/// Notes, on disk, that from now on the index alone knows the UIDs.
pub(crate) fn note_imported(directory: &Path) -> Result<()> {
    if was_imported(directory) {
        return Ok(());
    }
    paths::replace_file(
        &directory.join(IMPORTED),
        b"UIDs were taken over from dovecot-uidlist.\n",
    )
}

fn parse(content: &[u8]) -> Option<UidList> {
    let mut lines = content.split(|byte| *byte == b'\n');
    let header = std::str::from_utf8(lines.next()?).ok()?;
    let mut words = header.split(' ');
    let mut list = UidList {
        uid_validity: 0,
        uid_next: 1,
        uids: HashMap::new(),
    };
    let version = words.next()?;
    match version {
        "1" => {
            list.uid_validity = words.next()?.parse().ok()?;
            list.uid_next = words.next()?.parse().ok()?;
        }
        "3" => {
            for word in words {
                match word.split_at_checked(1)? {
                    ("V", number) => list.uid_validity = number.parse().ok()?,
                    ("N", number) => list.uid_next = number.parse().ok()?,
                    _ => {}
                }
            }
        }
        _ => return None,
    }
    let mut last = 0;
    for line in lines.filter(|line| !line.is_empty()) {
        let space = line.iter().position(|byte| *byte == b' ')?;
        let uid: Uid = std::str::from_utf8(&line[..space]).ok()?.parse().ok()?;
        let rest = &line[space + 1..];
        let name = match version {
            "1" => rest,
            // Fields of their own stand between the UID and the name, which begins after a colon.
            _ if rest.starts_with(b":") => &rest[1..],
            _ => match rest.windows(2).position(|two| two == b" :") {
                Some(at) => &rest[at + 2..],
                None => continue,
            },
        };
        if uid > last && uid < Uid::MAX {
            list.uids.insert(file_name::base(name).to_vec(), uid);
            list.uid_next = list.uid_next.max(uid + 1);
            last = uid;
        }
    }
    (list.uid_validity != 0).then_some(list)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_dovecot_23() {
        let text = b"3 V1795297833 N9 Gd9ab21142712026b961e000083ecc375\n\
            1 :1795297831.M343101P7830.vm,S=16,W=18\n7 W18 S16 :a.b.c:2,S\n";
        let list = parse(text).unwrap();
        assert_eq!((list.uid_validity, list.uid_next), (1795297833, 9));
        assert_eq!(list.uids[b"a.b.c".as_slice()], 7);
        assert_eq!(list.uids[b"1795297831.M343101P7830.vm,S=16,W=18".as_slice()], 1);
        assert_eq!(parse(b"1 5 3\n2 x:2,\n").unwrap().uids[b"x".as_slice()], 2);
        assert_eq!(parse(b"9 what\n"), None);
        let guid = guid_in("3 V1 N9 Gd9ab21142712026b961e000083ecc375 x").unwrap();
        assert_eq!((guid[0], guid[15]), (0xd9, 0x75));
        assert_eq!(guid_in("1 5 3"), None);
    }
}
