//! `enclose` (RFC 5703 §6): the message as an attachment of a new one.

use super::Extension;
use super::replace::rewrite;
use crate::checker::Checker;
use crate::run::{Run, Step};
use crate::text::Text;
use crate::trace::Level;
use crate::words::{BuiltCommand, Call, Command, Kind, Tag, Word};

pub(crate) const EXTENSION: Extension = Extension::new("enclose").words(&[Word::command(
    "enclose",
    &[("text", Kind::Text)],
    &[
        Tag::with("subject", Kind::Text),
        Tag::with("headers", Kind::Texts),
    ],
    build,
)]);

#[derive(Debug)]
struct Enclose {
    text: Text,
    subject: Option<Text>,
    headers: Vec<Text>,
}

fn build(_: &mut Checker<'_>, call: Call) -> BuiltCommand {
    Some(Box::new(Enclose {
        text: call.text(0),
        subject: call.tag_text("subject"),
        headers: call.tag_texts("headers").unwrap_or_default(),
    }))
}

/// Fields of the new message that are those of the old one, when the script says nothing else.
const KEPT: [&str; 7] = ["from", "to", "cc", "date", "subject", "reply-to", "sender"];

impl Command for Enclose {
    fn run(&self, run: &mut Run<'_>) -> Step {
        run.trace(Level::Actions, |_| "enclose action".to_owned());
        run.spend(run.mail.bytes().len() as u64 / 64)?;
        let text = self.text.value(run);
        let subject = self.subject.as_ref().map(|text| text.value(run));
        let mut bytes = Vec::with_capacity(run.mail.bytes().len() + 1024);
        for field in run.mail.fields() {
            let is_subject = field.name.eq_ignore_ascii_case("subject");
            let kept = KEPT.iter().any(|name| field.name.eq_ignore_ascii_case(name));
            if !kept || (is_subject && subject.is_some()) {
                continue;
            }
            bytes.extend_from_slice(field.name.as_bytes());
            bytes.push(b':');
            bytes.extend_from_slice(&message::lines::to_crlf(&field.body));
            bytes.extend_from_slice(b"\r\n");
        }
        if let Some(subject) = subject
            && let Ok(header) = message::build::Header::new().text("Subject", &subject)
        {
            bytes.extend_from_slice(header.as_bytes());
        }
        for header in &self.headers {
            let header = header.value(run);
            let Some((name, value)) = header.split_once(':') else {
                return run.fail(format!("enclose action: `{header}' is no header field"));
            };
            match message::build::Header::new().text(name.trim(), value.trim()) {
                Ok(header) => bytes.extend_from_slice(header.as_bytes()),
                Err(_) => return run.fail(format!("enclose action: `{header}' is no header field")),
            }
        }
        let boundary = boundary(run.mail.bytes());
        bytes.extend_from_slice(b"MIME-Version: 1.0\r\n");
        bytes.extend_from_slice(
            format!("Content-Type: multipart/mixed; boundary=\"{boundary}\"\r\n\r\n").as_bytes(),
        );
        bytes.extend_from_slice(format!("--{boundary}\r\n").as_bytes());
        bytes.extend_from_slice(&message::build::Part::text(&text).to_bytes());
        bytes.extend_from_slice(
            format!("\r\n--{boundary}\r\nContent-Type: message/rfc822\r\n\r\n").as_bytes(),
        );
        bytes.extend_from_slice(&message::lines::to_crlf(run.mail.bytes()));
        bytes.extend_from_slice(format!("\r\n--{boundary}--\r\n").as_bytes());
        rewrite(run, &bytes);
        Ok(())
    }
}

/// A boundary that does not stand in the message.
pub(crate) fn boundary(message: &[u8]) -> String {
    let mut number = message.len();
    loop {
        let boundary = format!("=_yubin_sieve_{number}");
        if memchr::memmem::find(message, boundary.as_bytes()).is_none() {
            return boundary;
        }
        number += 1;
    }
}
