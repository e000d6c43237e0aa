//! CATENATE (RFC 4469): a message made of texts and of what URLs name; with ranges of octets (URL-PARTIAL, RFC 5550 §4.1).

use super::{Command, Extension};
use crate::session::Session;
use crate::session::append::{Failure, Incoming};
use crate::session::section::READ_BYTES;
use crate::wire::fetch::Form;
use crate::wire::url::Url;

pub(crate) const EXTENSION: Extension = Extension {
    capabilities: &["URL-PARTIAL", "CATENATE"],
    // With URLs only, the command is one line.
    commands: &[Command {
        name: "APPEND",
        needs_mailbox: false,
        run: |session, tag, arguments| session.append_line(tag, "APPEND", arguments),
    }],
};

/// Adds the octets that a URL names to the message begun last.
pub(crate) fn copy_url(session: &mut Session, text: &[u8], incoming: &mut Incoming) -> Result<(), Failure> {
    let bad = |why: String| {
        let url = crate::login::one_line(&String::from_utf8_lossy(text)).replace(']', "%5D");
        Failure::Answer(format!("NO [BADURL {url}] {why}"))
    };
    let url = relative(text).map_err(|why| bad(format!("Invalid IMAP URL: {why}")))?;
    let mut named = session.named_by(&url, Form::AsIs).map_err(&bad)?;
    let slice = named.slice().map_err(|error| bad(error.to_string()))?;
    let mut offset = 0;
    let mut piece = Vec::new();
    while offset < slice.octets() {
        piece.clear();
        let read = named.read(&slice, offset, READ_BYTES, &mut piece);
        match read.map_err(|error| bad(error.to_string()))? {
            0 => return Err(bad("Message was cut meanwhile".to_owned())),
            count => offset += count as u64,
        }
        incoming.write(&piece)?;
    }
    Ok(())
}

/// A URL that stays within this account.
fn relative(text: &[u8]) -> Result<Url, String> {
    let url = Url::parse(text)?;
    if url.server.is_some() {
        return Err("Relative URL required".to_owned());
    }
    if url.access.is_some() {
        return Err("`;URLAUTH=' is not allowed in this context".to_owned());
    }
    Ok(url)
}
