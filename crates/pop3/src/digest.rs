//! The sum over fields of a message's header by which messages of an mbox are known (`%m`): `mbox_md5`.

use mailbox::Body;
use md5::{Digest as _, Md5};

/// So much of a header is looked at, in octets.
pub const HEADER_BYTES_MAX: usize = 256 * 1024;

/// Which fields are summed up (`mbox_md5`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Fields {
    /// Those that a delivery makes unique, as apop3d chose them: `Delivered-To`, `X-Delivery-ID` and the first `Received`, and until that comes
    /// `Date` and `Message-ID`.
    #[default]
    Delivery,
    /// All of them.
    All,
}

/// The start of a message, up to the end of its header or [`HEADER_BYTES_MAX`].
///
/// # Errors
/// When it cannot be read.
pub(crate) fn header(body: &dyn Body) -> mailbox::Result<Vec<u8>> {
    let mut header = Vec::new();
    let mut piece = [0; 4096];
    while header.len() < HEADER_BYTES_MAX {
        let count = body.read_at(header.len() as u64, &mut piece)?;
        let seen = header.len().saturating_sub(3);
        header.extend_from_slice(&piece[..count]);
        let end = header[seen..].windows(4).position(|four| four == b"\r\n\r\n");
        if let Some(end) = end {
            header.truncate(seen + end + 2);
            break;
        }
        if count == 0 || header.starts_with(b"\r\n") {
            break;
        }
    }
    Ok(header)
}

/// The sum, as 32 hexadecimal digits.
pub(crate) fn of_header(header: &[u8], fields: Fields) -> String {
    let mut sum = Md5::new();
    let mut received = false;
    let mut name: Vec<u8> = Vec::new();
    for line in lines(header) {
        let is_continued = line.starts_with(b" ") || line.starts_with(b"\t");
        let value = if is_continued {
            line
        } else {
            // The first Received is over when another field begins.
            received |= name == b"received";
            match line.iter().position(|&b| b == b':') {
                Some(colon) => {
                    name = line[..colon].trim_ascii_end().to_ascii_lowercase();
                    line[colon + 1..].trim_ascii_start()
                }
                None => {
                    name.clear();
                    line
                }
            }
        };
        let counts = fields == Fields::All
            || match name.as_slice() {
                b"delivered-to" | b"x-delivery-id" => true,
                b"date" | b"message-id" | b"received" => !received,
                _ => false,
            };
        if counts {
            sum.update(value);
        }
    }
    let digits = sum.finalize();
    digits.iter().map(|octet| format!("{octet:02x}")).collect()
}

/// The value of the first field of that name (in small letters), unfolded.
pub(crate) fn field(header: &[u8], wanted: &str) -> Option<String> {
    let mut found: Option<Vec<u8>> = None;
    for line in lines(header) {
        if line.starts_with(b" ") || line.starts_with(b"\t") {
            if let Some(value) = &mut found {
                value.extend_from_slice(line);
            }
            continue;
        }
        if found.is_some() {
            break;
        }
        let (name, value) = match line.iter().position(|&b| b == b':') {
            Some(colon) => (&line[..colon], &line[colon + 1..]),
            None => continue,
        };
        if name.trim_ascii_end().eq_ignore_ascii_case(wanted.as_bytes()) {
            found = Some(value.trim_ascii_start().to_vec());
        }
    }
    let value = found?;
    Some(String::from_utf8_lossy(value.trim_ascii()).into_owned())
}

/// Lines without their ends, up to the empty one.
fn lines(header: &[u8]) -> impl Iterator<Item = &[u8]> {
    let lines = header.split(|&b| b == b'\n');
    lines
        .map(|line| line.strip_suffix(b"\r").unwrap_or(line))
        .take_while(|line| !line.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_are_those_of_dovecot() {
        // The sums that Dovecot 2.3.19 shows of these.
        let received = b"Return-Path: <a@example.test>\r\nDelivered-To: bob@example.test\r\n\
            Received: from here by there; Tue, 14 Nov 2023 22:13:20 +0000\r\nReceived: from far\r\n\tby here; Tue, 14 Nov 2023 22:13:19 +0000\r\n\
            Date: Tue, 14 Nov 2023 22:13:18 +0000\r\nMessage-ID: <1@example.test>\r\nX-Delivery-ID: 7\r\nSubject: received\r\n\r\n";
        assert_eq!(
            of_header(received, Fields::Delivery),
            "db7582eb89a4d25d8821d78ea9602302"
        );
        let late = b"Date: Tue, 14 Nov 2023 22:13:18 +0000\r\nMessage-ID: <2@example.test>\r\nReceived: from far\r\n\
            \tby here; Tue, 14 Nov 2023 22:13:19 +0000\r\nSubject: late\r\n\r\n";
        assert_eq!(
            of_header(late, Fields::Delivery),
            "f1dc552d3df99c8d96ab8334dbdbe1dd"
        );
        assert_eq!(
            of_header(b"Subject: x\r\n", Fields::Delivery),
            "d41d8cd98f00b204e9800998ecf8427e"
        );
    }

    #[test]
    fn a_field_is_found() {
        let header = b"From: a\r\nX-UIDL : one\r\n two\r\nX-UIDL: three\r\n\r\nX-Body: no\r\n";
        assert_eq!(field(header, "x-uidl").as_deref(), Some("one two"));
        assert_eq!(field(header, "x-body"), None);
    }
}
