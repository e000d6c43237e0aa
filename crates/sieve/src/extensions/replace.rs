//! `replace` (RFC 5703 §5): another text in place of a part or of the whole message.

use super::Extension;
use crate::checker::Checker;
use crate::mail::{Field, Mail};
use crate::run::{Run, Step};
use crate::text::Text;
use crate::trace::Level;
use crate::words::{BuiltCommand, Call, Command, Kind, Tag, Word};

pub(crate) const EXTENSION: Extension = Extension::new("replace").words(&[Word::command(
    "replace",
    &[("replacement", Kind::Text)],
    &[
        Tag::flag("mime"),
        Tag::with("subject", Kind::Text),
        Tag::with("from", Kind::Text),
    ],
    build,
)]);

#[derive(Debug)]
struct Replace {
    text: Text,
    mime: bool,
    subject: Option<Text>,
    from: Option<Text>,
}

fn build(_: &mut Checker<'_>, call: Call) -> BuiltCommand {
    Some(Box::new(Replace {
        text: call.text(0),
        mime: call.has("mime"),
        subject: call.tag_text("subject"),
        from: call.tag_text("from"),
    }))
}

/// A MIME part with this content, lines ending in CRLF: the script's own header with `:mime`, else plain text.
pub(crate) fn part_of(text: &str, mime: bool) -> Vec<u8> {
    if mime {
        return message::lines::to_crlf(text.as_bytes());
    }
    message::build::Part::text(text).to_bytes()
}

impl Command for Replace {
    fn run(&self, run: &mut Run<'_>) -> Step {
        run.trace(Level::Actions, |_| "replace action".to_owned());
        run.spend(run.mail.bytes().len() as u64 / 64)?;
        let part = part_of(&self.text.value(run), self.mime);
        let at = run.loops.last().map_or(0, |&(index, _)| index);
        let parts = run.mail.parts();
        if at > 0 && at < parts.list.len() {
            let bytes = parts.with_part(at, &part);
            rewrite(run, &bytes);
            // What was below the part is gone with it.
            if let Some(current) = run.loops.last_mut() {
                current.1 = 0;
            }
            return Ok(());
        }
        let subject = self.subject.as_ref().map(|text| text.value(run));
        let from = self.from.as_ref().map(|text| text.value(run));
        whole(run, &part, subject.as_deref(), from.as_deref());
        Ok(())
    }
}

/// The message's bytes are now these, in its own line ends.
pub(crate) fn rewrite(run: &mut Run<'_>, crlf: &[u8]) {
    let flags = std::mem::take(&mut run.mail.flags);
    run.mail = match run.mail.line_end() {
        "\n" => Mail::new(message::lines::to_lf(crlf)),
        _ => Mail::new(crlf),
    };
    run.mail.flags = flags;
}

/// The message with the body `part`: its header stays but for what describes the body; `subject` and `from` are put in
/// place of those that were there, which are kept under other names (RFC 5703 §5).
pub(crate) fn whole(run: &mut Run<'_>, part: &[u8], subject: Option<&str>, from: Option<&str>) {
    let mut bytes = Vec::with_capacity(part.len() + 1024);
    let mut put = |name: &str, body: &[u8]| {
        bytes.extend_from_slice(name.as_bytes());
        bytes.push(b':');
        bytes.extend_from_slice(&message::lines::to_crlf(body));
        bytes.extend_from_slice(b"\r\n");
    };
    for Field { name, body } in run.mail.fields() {
        let replaced = [
            ("subject", subject, "Original-Subject"),
            ("from", from, "Original-From"),
        ];
        let other = replaced
            .iter()
            .find(|(field, new, _)| name.eq_ignore_ascii_case(field) && new.is_some());
        match other {
            Some((_, _, kept_as)) => put(kept_as, body),
            None if name
                .get(..8)
                .is_some_and(|start| start.eq_ignore_ascii_case("content-")) => {}
            None if name.eq_ignore_ascii_case("mime-version") => {}
            None => put(name, body),
        }
    }
    for (name, value) in [("Subject", subject), ("From", from)] {
        if let Some(value) = value
            && let Ok(header) = message::build::Header::new().text(name, value)
        {
            bytes.extend_from_slice(header.as_bytes());
        }
    }
    bytes.extend_from_slice(b"MIME-Version: 1.0\r\n");
    bytes.extend_from_slice(part);
    rewrite(run, &bytes);
}
