//! ENVELOPE, BODY and BODYSTRUCTURE as Dovecot prints them (RFC 3501 §7.4.2).

use address::list::{Entry, Mailbox};
use message::parameters::{Disposition, Parameters};
use message::structure::Kind;
use message::{Envelope, Part};

use crate::wire::encode::{nstring, number, quoted, string};

/// Appends an envelope in parentheses.
pub(crate) fn push_envelope(out: &mut Vec<u8>, envelope: &Envelope) {
    out.push(b'(');
    nstring(out, envelope.date.as_deref());
    out.push(b' ');
    nstring(out, envelope.subject.as_deref());
    for list in [
        envelope.from.as_slice(),
        envelope.sender_or_from(),
        envelope.reply_to_or_from(),
        &envelope.to,
        &envelope.cc,
        &envelope.bcc,
    ] {
        out.push(b' ');
        push_addresses(out, list);
    }
    for id in [&envelope.in_reply_to, &envelope.message_id] {
        out.push(b' ');
        match id {
            Some(id) => quoted(out, id),
            None => out.extend_from_slice(b"NIL"),
        }
    }
    out.push(b')');
}

fn push_addresses(out: &mut Vec<u8>, list: &[Entry]) {
    if list.is_empty() {
        return out.extend_from_slice(b"NIL");
    }
    out.push(b'(');
    for entry in list {
        match entry {
            Entry::Mailbox(mailbox) => push_mailbox(out, mailbox),
            Entry::Group { name, members } => {
                out.extend_from_slice(b"(NIL NIL ");
                string(out, name);
                out.extend_from_slice(b" NIL)");
                members.iter().for_each(|member| push_mailbox(out, member));
                out.extend_from_slice(b"(NIL NIL NIL NIL)");
            }
        }
    }
    out.push(b')');
}

/// A NIL mailbox or host would mean a group: what is missing is spelt out as Dovecot does.
fn push_mailbox(out: &mut Vec<u8>, mailbox: &Mailbox) {
    out.push(b'(');
    nstring(out, mailbox.name.as_deref());
    out.push(b' ');
    nstring(out, mailbox.route.as_deref());
    out.push(b' ');
    let local: &[u8] = if mailbox.local.is_empty() {
        b"MISSING_MAILBOX"
    } else {
        &mailbox.local
    };
    string(out, local);
    out.push(b' ');
    string(out, mailbox.domain.as_deref().unwrap_or(b"MISSING_DOMAIN"));
    out.push(b')');
}

/// Appends the structure of a part; with extension data for BODYSTRUCTURE, without for BODY. The parser limits how
/// deep parts nest.
pub(crate) fn push_structure(out: &mut Vec<u8>, part: &Part, extended: bool) {
    out.push(b'(');
    if part.kind == Kind::Multipart || part.content_type.is_kind("multipart") {
        push_multipart(out, part, extended);
    } else {
        push_single(out, part, extended);
    }
    out.push(b')');
}

fn push_multipart(out: &mut Vec<u8>, part: &Part, extended: bool) {
    for child in &part.children {
        push_structure(out, child, extended);
    }
    if part.children.is_empty() {
        // The grammar knows no multipart without parts: an empty text stands in.
        out.extend_from_slice(b"(\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 0 0");
        out.extend_from_slice(if extended { b" NIL NIL NIL NIL)" } else { b")" });
    }
    out.push(b' ');
    string(out, &part.content_type.subtype);
    if extended {
        out.push(b' ');
        push_parameters(out, &part.content_type.parameters);
        push_common_extension(out, part);
    }
}

fn push_single(out: &mut Vec<u8>, part: &Part, extended: bool) {
    let content_type = &part.content_type;
    string(out, &content_type.kind);
    out.push(b' ');
    string(out, &content_type.subtype);
    out.push(b' ');
    let is_text = content_type.is_kind("text");
    if is_text && content_type.parameters.find("charset").is_none() {
        push_with_charset(out, &content_type.parameters);
    } else {
        push_parameters(out, &content_type.parameters);
    }
    for text in [&part.id, &part.description] {
        out.push(b' ');
        nstring(out, text.as_deref());
    }
    out.push(b' ');
    string(out, part.encoding.as_deref().unwrap_or(b"7bit"));
    out.push(b' ');
    number(out, part.body_bytes());
    if let Some(inner) = part.message() {
        out.push(b' ');
        push_envelope(out, inner.envelope.as_deref().unwrap_or(&Envelope::default()));
        out.push(b' ');
        push_structure(out, inner, extended);
    }
    if is_text || part.message().is_some() {
        out.push(b' ');
        number(out, part.body_lines);
    }
    if extended {
        out.push(b' ');
        nstring(out, part.md5.as_deref());
        push_common_extension(out, part);
    }
}

/// Disposition, language and location, which every part has.
fn push_common_extension(out: &mut Vec<u8>, part: &Part) {
    out.push(b' ');
    push_disposition(out, part.disposition.as_ref());
    out.push(b' ');
    if part.language.is_empty() {
        out.extend_from_slice(b"NIL");
    } else {
        out.push(b'(');
        for (index, tag) in part.language.iter().enumerate() {
            if index > 0 {
                out.push(b' ');
            }
            string(out, tag);
        }
        out.push(b')');
    }
    out.push(b' ');
    nstring(out, part.location.as_deref());
}

fn push_disposition(out: &mut Vec<u8>, disposition: Option<&Disposition>) {
    match disposition {
        Some(disposition) => {
            out.push(b'(');
            string(out, &disposition.kind);
            out.push(b' ');
            push_parameters(out, &disposition.parameters);
            out.push(b')');
        }
        None => out.extend_from_slice(b"NIL"),
    }
}

fn push_parameters(out: &mut Vec<u8>, parameters: &Parameters) {
    if parameters.0.is_empty() {
        return out.extend_from_slice(b"NIL");
    }
    out.push(b'(');
    push_pairs(out, parameters);
    out.push(b')');
}

fn push_pairs(out: &mut Vec<u8>, parameters: &Parameters) {
    for (index, (name, value)) in parameters.merged().iter().enumerate() {
        if index > 0 {
            out.push(b' ');
        }
        quoted(out, name);
        out.push(b' ');
        quoted(out, value);
    }
}

/// Text without a charset is shown as US-ASCII, as Dovecot does.
fn push_with_charset(out: &mut Vec<u8>, parameters: &Parameters) {
    out.push(b'(');
    push_pairs(out, parameters);
    if !parameters.0.is_empty() {
        out.push(b' ');
    }
    out.extend_from_slice(b"\"charset\" \"us-ascii\")");
}
