//! From what a user wrote to a message: the header fields of Heirloom mailx, the text's charset and encoding, attachments.

use address::{Address, list};
use envelope::Recipient;
use message::build::{self, Header, Part};
use message::date::Date;
use message::{lines, transfer};

/// What stands in User-Agent, as the document's readers know it.
pub(super) const USER_AGENT: &str = "Heirloom mailx 12.5 7/5/10";
/// The longest line that goes as it is, in octets (RFC 5322 §2.1.1).
const LINE_BYTES_MAX: usize = 998;
/// Where header fields are folded.
const FOLD_COLUMN: usize = 76;

/// A file that goes with the message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Attachment {
    pub(super) name: String,
    pub(super) content: Vec<u8>,
}

/// A message being written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Draft {
    /// Addresses as they shall stand in the header, aliases expanded.
    pub(super) to: Vec<String>,
    pub(super) cc: Vec<String>,
    pub(super) bcc: Vec<String>,
    pub(super) subject: Option<String>,
    /// `-r` or the variable `from`.
    pub(super) from: Option<String>,
    /// Message-ID, brackets included, of the message this answers.
    pub(super) in_reply_to: Option<String>,
    pub(super) references: Option<String>,
    pub(super) body: Vec<u8>,
    pub(super) attachments: Vec<Attachment>,
}

/// What the world adds to a draft.
#[derive(Debug, Clone, Copy)]
pub(super) struct Circumstances {
    pub(super) now: Date,
    /// Divides parts.
    pub(super) boundary: u64,
    /// The variable `encoding` says quoted-printable.
    pub(super) quoted_printable: bool,
}

impl Draft {
    /// Everybody it goes to.
    ///
    /// # Errors
    /// The first text that is not an address.
    pub(super) fn recipients(&self) -> Result<Vec<Recipient>, String> {
        let mut recipients: Vec<Recipient> = Vec::new();
        for text in [&self.to, &self.cc, &self.bcc].into_iter().flatten() {
            for recipient in crate::submission::recipients_of(text)? {
                if !recipients.iter().any(|known| known.address == recipient.address) {
                    recipients.push(recipient);
                }
            }
        }
        Ok(recipients)
    }

    /// The message, lines ending in LF. Bcc is not in it.
    ///
    /// # Errors
    /// A header field that cannot be written.
    pub(super) fn message(&self, circumstances: Circumstances) -> Result<Vec<u8>, message::Error> {
        let header = self.header(circumstances.now)?;
        let (kind, text) = text_part(&self.body, circumstances.quoted_printable)?;
        let whole = if self.attachments.is_empty() {
            Part {
                header: concat(&[&header, &Header::new().field("MIME-Version", "1.0")?, &kind]),
                body: text,
            }
            .to_bytes_lf()
        } else {
            let mut parts = vec![Part {
                header: kind,
                body: text,
            }];
            for file in &self.attachments {
                parts.push(Part::attachment(
                    &file.name,
                    content_type(&file.name),
                    &file.content,
                )?);
            }
            let boundary = format!("=_{:016x}", circumstances.boundary);
            let whole = Part::multipart("mixed", &boundary, &parts)?.with_header(header);
            lines::to_lf(&whole.to_bytes())
        };
        Ok(whole)
    }

    fn header(&self, now: Date) -> Result<Header, message::Error> {
        let mut header = Header::new().field("Date", &now.rfc5322())?;
        if let Some(from) = &self.from {
            header = header.field("From", &address_field("From", std::slice::from_ref(from)))?;
        }
        for (name, addresses) in [("To", &self.to), ("Cc", &self.cc)] {
            if !addresses.is_empty() {
                header = header.field(name, &address_field(name, addresses))?;
            }
        }
        if let Some(subject) = &self.subject {
            header = header.text("Subject", subject)?;
        }
        for (name, value) in [
            ("References", &self.references),
            ("In-Reply-To", &self.in_reply_to),
        ] {
            if let Some(value) = value {
                header = header.field(name, &value.split_whitespace().collect::<Vec<_>>().join("\r\n "))?;
            }
        }
        header.field("User-Agent", USER_AGENT)
    }
}

/// Writing a part with LF.
trait ToLf {
    fn to_bytes_lf(&self) -> Vec<u8>;
}

impl ToLf for Part {
    /// Only the header's ends are ours; the body's octets stay as they are.
    fn to_bytes_lf(&self) -> Vec<u8> {
        let mut bytes = lines::to_lf(self.header.as_bytes());
        bytes.push(b'\n');
        bytes.extend_from_slice(&self.body);
        bytes
    }
}

fn concat(headers: &[&Header]) -> Header {
    let empty = Part::default();
    headers
        .iter()
        .rev()
        .fold(empty, |part, header| part.with_header((*header).clone()))
        .header
}

/// Addresses with commas between them, names that are not ASCII encoded, folded.
fn address_field(name: &str, addresses: &[String]) -> String {
    let mut items = Vec::new();
    for text in addresses {
        if text.is_ascii() {
            items.push(text.split_whitespace().collect::<Vec<_>>().join(" "));
            continue;
        }
        let entries = list::parse(text.as_bytes());
        for mailbox in list::mailboxes(&entries) {
            let shown = mailbox
                .name
                .as_deref()
                .map(String::from_utf8_lossy)
                .unwrap_or_default();
            match mailbox.address() {
                Some(address) => items.push(build::mailbox(&shown, &address)),
                None => items.push(text.clone()),
            }
        }
    }
    let mut field = String::new();
    let mut column = name.len() + 2;
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            let breaks = column + item.len() > FOLD_COLUMN;
            field.push_str(if breaks { ",\r\n " } else { ", " });
            column = if breaks { 1 } else { column + 2 };
        }
        field.push_str(item);
        column += item.len();
    }
    field
}

/// The Content- fields of a text, and the text as it goes.
fn text_part(body: &[u8], quoted_printable: bool) -> Result<(Header, Vec<u8>), message::Error> {
    let charset = match std::str::from_utf8(body) {
        Ok(text) if text.is_ascii() => "us-ascii",
        Ok(_) => "utf-8",
        Err(_) => "unknown-8bit",
    };
    let is_long = body
        .split(|&b| b == b'\n')
        .any(|line| line.len() > LINE_BYTES_MAX);
    let has_odd = body.contains(&0) || body.contains(&b'\r');
    let (encoding, text) = if has_odd {
        ("base64", lines::to_lf(transfer::encode_base64(body).as_bytes()))
    } else if is_long || quoted_printable && !body.is_ascii() {
        let coded = transfer::encode_quoted_printable(&lines::to_crlf(body));
        ("quoted-printable", lines::to_lf(coded.as_bytes()))
    } else if body.is_ascii() {
        ("7bit", body.to_vec())
    } else {
        ("8bit", body.to_vec())
    };
    let header = Header::new()
        .field("Content-Type", &format!("text/plain; charset={charset}"))?
        .field("Content-Transfer-Encoding", encoding)?;
    Ok((header, text))
}

/// The type of a file by its name.
fn content_type(name: &str) -> &'static str {
    let ending = name
        .rsplit_once('.')
        .map_or("", |(_, ending)| ending)
        .to_ascii_lowercase();
    match ending.as_str() {
        "txt" | "log" | "c" | "h" | "conf" | "sh" | "diff" | "patch" => "text/plain",
        "html" | "htm" => "text/html",
        "csv" => "text/csv",
        "pdf" => "application/pdf",
        "zip" => "application/zip",
        "gz" | "tgz" => "application/gzip",
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "gif" => "image/gif",
        "svg" => "image/svg+xml",
        "json" => "application/json",
        _ => "application/octet-stream",
    }
}

/// The address in a text that may have a name with it.
pub(super) fn bare_address(text: &str) -> Option<Address> {
    let entries = list::parse(text.as_bytes());
    list::mailboxes(&entries).next()?.address()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(draft: &Draft) -> String {
        let circumstances = Circumstances {
            now: Date {
                secs: 1_608_734_387,
                offset_secs: 9 * 3600,
            },
            boundary: 7,
            quoted_printable: false,
        };
        String::from_utf8(draft.message(circumstances).unwrap()).unwrap()
    }

    fn draft() -> Draft {
        Draft {
            to: vec!["wantan".to_owned()],
            subject: Some("testmail".to_owned()),
            body: b"Hello mail.\n".to_vec(),
            ..Draft::default()
        }
    }

    #[test]
    fn the_message_of_the_document() {
        assert_eq!(
            made(&draft()),
            "Date: Wed, 23 Dec 2020 23:39:47 +0900\nTo: wantan\nSubject: testmail\n\
             User-Agent: Heirloom mailx 12.5 7/5/10\nMIME-Version: 1.0\n\
             Content-Type: text/plain; charset=us-ascii\nContent-Transfer-Encoding: 7bit\n\nHello mail.\n"
        );
    }

    #[test]
    fn japanese() {
        let message = made(&Draft {
            to: vec!["山田 <yamada@x>".to_owned(), "b@x".to_owned()],
            subject: Some("テスト".to_owned()),
            body: "本文\n".as_bytes().to_vec(),
            ..draft()
        });
        assert!(
            message.contains("To: =?UTF-8?B?5bGx55Sw?= <yamada@x>, b@x\n"),
            "{message}"
        );
        assert!(
            message.contains("Subject: =?UTF-8?B?44OG44K544OI?=\n"),
            "{message}"
        );
        assert!(
            message.ends_with("charset=utf-8\nContent-Transfer-Encoding: 8bit\n\n本文\n"),
            "{message}"
        );
    }

    #[test]
    fn attachments_long_lines_and_octets() {
        let message = made(&Draft {
            attachments: vec![Attachment {
                name: "a b.pdf".to_owned(),
                content: vec![0, 1, 2],
            }],
            ..draft()
        });
        let structure = message::Structure::parse(message.as_bytes());
        assert_eq!(structure.root.children.len(), 2);
        assert!(
            message.contains("filename=\"a b.pdf\"") && message.contains("\n\nAAEC\n"),
            "{message}"
        );
        let long = made(&Draft {
            body: vec![b'x'; 3000],
            ..draft()
        });
        assert!(long.contains("quoted-printable") && long.lines().all(|line| line.len() < 80));
        assert!(
            made(&Draft {
                body: b"a\0b".to_vec(),
                ..draft()
            })
            .contains("base64")
        );
    }

    #[test]
    fn a_field_cannot_break_out_of_its_line() {
        let message = made(&Draft {
            subject: Some("x\nBcc: evil@x".to_owned()),
            to: vec!["a@x\nBcc: evil@x".to_owned()],
            ..draft()
        });
        assert!(!message.contains("\nBcc"), "{message}");
    }

    #[test]
    fn recipients_come_once() {
        let draft = Draft {
            cc: vec!["Wan Tan <wantan>".to_owned()],
            bcc: vec!["b@x, c@x".to_owned()],
            ..draft()
        };
        assert_eq!(draft.recipients().unwrap().len(), 3);
        assert!(
            Draft {
                to: vec!["<>".to_owned()],
                ..draft
            }
            .recipients()
            .is_err()
        );
    }
}
