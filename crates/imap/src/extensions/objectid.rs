//! OBJECTID (RFC 8474): what mailboxes, messages and threads are called for good.
//!
//! A thread is called after the message that began it, as `References` tells: that needs no memory, and a message cannot
//! change its thread.

use message::header;

use super::Extension;

pub(crate) const EXTENSION: Extension = Extension::of_words(&["OBJECTID"]);

/// A mailbox's MAILBOXID.
pub(crate) fn mailbox_id(object_id: u64) -> String {
    format!("F{object_id:016x}")
}

/// A message's EMAILID.
pub(crate) fn email_id(email_id: u64) -> String {
    format!("M{email_id:016x}")
}

/// A message's THREADID, of its header.
pub(crate) fn thread_id(block: &[u8], email: u64) -> String {
    let first = |name: &str| {
        let field = header::find(block, name)?;
        header::message_ids(field.body).next().map(<[u8]>::to_vec)
    };
    let root = first("references")
        .or_else(|| first("in-reply-to"))
        .or_else(|| first("message-id"));
    match root {
        // 64-bit FNV-1a.
        Some(id) => {
            let hash = id.iter().fold(0xcbf2_9ce4_8422_2325, |hash: u64, &octet| {
                (hash ^ u64::from(octet)).wrapping_mul(0x0100_0000_01b3)
            });
            format!("T{hash:016x}")
        }
        // Nothing can refer to it: it is a thread of its own.
        None => format!("T{email:016x}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_in_the_thread_of_what_they_answer() {
        let first = thread_id(b"Message-ID: <a@b>\r\n\r\n", 1);
        assert_eq!(
            thread_id(b"Message-ID: <c@d>\r\nIn-Reply-To: <a@b>\r\n\r\n", 2),
            first
        );
        assert_eq!(
            thread_id(b"Message-ID: <e@f>\r\nReferences: <a@b>\r\n <c@d>\r\n\r\n", 3),
            first
        );
        assert_ne!(thread_id(b"Message-ID: <other@b>\r\n\r\n", 4), first);
        assert_eq!(thread_id(b"\r\n", 5), "T0000000000000005");
    }
}
