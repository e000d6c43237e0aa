//! The message on sendmail's standard input: where it ends, and what is not part of it.

use std::io::{self, BufRead};

/// The message that `input` holds, lines ending in LF. A lone dot ends it unless `keeps_dots`; an mbox `From ` line at
/// its start is left out; CR before LF is dropped. At most one octet more than `octets_max` is kept.
///
/// # Errors
/// Of `input`.
pub(super) fn read_message(
    input: &mut dyn BufRead,
    keeps_dots: bool,
    octets_max: u64,
) -> io::Result<Vec<u8>> {
    let mut content = Vec::new();
    let mut line = Vec::new();
    while (content.len() as u64) <= octets_max {
        line.clear();
        let room = octets_max - content.len() as u64 + 1;
        if io::Read::take(&mut *input, room.saturating_add(2)).read_until(b'\n', &mut line)? == 0 {
            break;
        }
        if line.ends_with(b"\r\n") {
            line.truncate(line.len() - 2);
            line.push(b'\n');
        }
        if !keeps_dots && matches!(&line[..], b".\n" | b".") {
            break;
        }
        if content.is_empty() && (line.starts_with(b"From ") || line.starts_with(b">From ")) {
            continue;
        }
        content.extend_from_slice(&line);
    }
    if content.last().is_some_and(|&last| last != b'\n') {
        content.push(b'\n');
    }
    Ok(content)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_a_message_ends() {
        let read = |text: &str, keeps| {
            let bytes = read_message(&mut text.as_bytes(), keeps, 1000).unwrap();
            String::from_utf8(bytes).unwrap()
        };
        assert_eq!(read("a: b\n\nx\n.\ny\n", false), "a: b\n\nx\n");
        assert_eq!(read("a: b\r\n\r\nx\r\n.\r\ny", true), "a: b\n\nx\n.\ny\n");
        assert_eq!(
            read("From ann Mon\nFrom: b\n\nFrom c\n", false),
            "From: b\n\nFrom c\n"
        );
        assert_eq!(read("x\n..\n.", false), "x\n..\n");
        assert_eq!(read("", false), "");
    }

    #[test]
    fn a_message_over_the_limit_is_seen_to_be_so() {
        let long = vec![b'x'; 5000];
        assert!(read_message(&mut &long[..], false, 1000).unwrap().len() > 1000);
    }
}
