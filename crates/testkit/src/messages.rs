//! Messages that look like mail, from a seed.

use crate::Seed;

const NAMES: [&str; 8] = [
    "alice",
    "bob",
    "carol",
    "dave",
    "hanako",
    "jiro",
    "postmaster",
    "news",
];
const WORDS: [&str; 24] = [
    "meeting", "report", "tomorrow", "please", "find", "attached", "the", "minutes", "of", "last", "week",
    "and", "budget", "server", "queue", "regards", "lunch", "train", "ticket", "invoice", "number", "to",
    "from", "Kyoto",
];

/// What a message is made from.
#[derive(Debug, Clone)]
pub struct Message {
    /// The same seed makes the same message.
    pub seed: u64,
    /// About how long it is, in octets; headers are always there.
    pub octets: usize,
    /// `From:`, also in the Message-ID.
    pub from: String,
    /// `To:`
    pub to: String,
}

impl Message {
    /// A message between two people of example.test.
    pub fn new(seed: u64, octets: usize) -> Message {
        let mut numbers = Seed::new(seed);
        let mut person = || format!("{}@example.test", numbers.pick(&NAMES));
        Message {
            seed,
            octets,
            from: person(),
            to: person(),
        }
    }

    /// The message, every line ended by CRLF. Every fifth has an attachment in base64, every seventh a subject
    /// in an encoded word; lines that begin with a dot and with `From ` occur.
    pub fn build(&self) -> Vec<u8> {
        let mut seed = Seed::new(self.seed ^ 0x6d61_696c);
        let mut text = Vec::with_capacity(self.octets + 512);
        let subject = match self.seed % 7 {
            6 => "=?UTF-8?B?5Lya6K2w44Gu5Lu2?=".to_owned(),
            _ => format!("{} {} {}", seed.pick(&WORDS), seed.pick(&WORDS), self.seed),
        };
        let (day, hour, minute) = (1 + seed.below(28), seed.below(24), seed.below(60));
        let header = format!(
            "From: {}\r\nTo: {}\r\nSubject: {subject}\r\nDate: {day} Nov 2026 {hour:02}:{minute:02}:00 +0900\r\n\
             Message-ID: <{:x}.{}>\r\nMIME-Version: 1.0\r\n",
            self.from, self.to, self.seed, self.from
        );
        text.extend_from_slice(header.as_bytes());
        if self.seed % 5 == 4 {
            let boundary = format!("=_{:x}", seed.next_u64());
            text.extend_from_slice(
                format!(
                    "Content-Type: multipart/mixed; boundary=\"{boundary}\"\r\n\r\n--{boundary}\r\n\
                     Content-Type: text/plain; charset=utf-8\r\n\r\nSee the attachment.\r\n--{boundary}\r\n\
                     Content-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64\r\n\r\n"
                )
                .as_bytes(),
            );
            while text.len() < self.octets {
                base64_line(&mut seed, &mut text);
            }
            text.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
        } else {
            text.extend_from_slice(b"Content-Type: text/plain; charset=us-ascii\r\n\r\n");
            while text.len() < self.octets {
                prose_line(&mut seed, &mut text);
            }
        }
        text
    }
}

fn base64_line(seed: &mut Seed, text: &mut Vec<u8>) {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    text.extend((0..76).map(|_| *seed.pick(ALPHABET)));
    text.extend_from_slice(b"\r\n");
}

fn prose_line(seed: &mut Seed, text: &mut Vec<u8>) {
    match seed.below(40) {
        0 => text.extend_from_slice(b"."),
        1 => text.extend_from_slice(b"..hidden"),
        2 => text.extend_from_slice(b"From here"),
        3 => {}
        _ => {
            for _ in 0..4 + seed.below(8) {
                text.extend_from_slice(seed.pick(&WORDS).as_bytes());
                text.push(b' ');
            }
            text.pop();
        }
    }
    text.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_repeatable_and_about_as_long_as_asked() {
        for seed in 0..20 {
            let message = Message::new(seed, 4096).build();
            assert_eq!(message, Message::new(seed, 4096).build());
            assert!((4096..4400).contains(&message.len()), "{}", message.len());
            assert!(message.ends_with(b"\r\n"));
            let lone = message
                .windows(2)
                .filter(|w| w[1] == b'\n' && w[0] != b'\r')
                .count();
            assert_eq!(lone, 0);
        }
        assert_ne!(Message::new(1, 500).build(), Message::new(2, 500).build());
    }
}
