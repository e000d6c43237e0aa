//! What a host is told of a message before it gets it: its size, BODY=8BITMIME, SMTPUTF8. The content is looked through for
//! that when the first host is there to be told, once.

use envelope::BodyKind;
use message::survey::{Findings, Survey};
use smtp::client::Message;
use std::io::{ErrorKind, Read};
use std::sync::OnceLock;

use crate::{CONTENT_PIECE_OCTETS, Content};

/// One message, looked through or not.
pub(crate) struct SizingUp<'a, 'c> {
    content: &'a Content<'c>,
    /// SMTPUTF8 is asked for where it is needed.
    detects_smtputf8: bool,
    /// Nothing where the content cannot be read: that shows when it is sent.
    findings: OnceLock<Option<Findings>>,
}

impl<'a, 'c> SizingUp<'a, 'c> {
    /// `content` is that of the queue, whatever is done to it on its way out: Postfix, too, tells of the former.
    pub(crate) fn new(content: &'a Content<'c>, detects_smtputf8: bool) -> SizingUp<'a, 'c> {
        SizingUp {
            content,
            detects_smtputf8,
            findings: OnceLock::new(),
        }
    }

    /// The message with what its content says of it.
    pub(crate) fn of(&self, mut message: Message) -> Message {
        if message.is_probe {
            return message;
        }
        let Some(findings) = self.findings.get_or_init(|| findings(self.content)) else {
            return message;
        };
        message.octets = Some(findings.wire_octets);
        if message.body == BodyKind::SevenBit && findings.has_eight_bit_label {
            message.body = BodyKind::EightBitMime;
        }
        let mut addresses = message
            .sender
            .iter()
            .chain(message.recipients.iter().map(|recipient| &recipient.address));
        message.smtputf8 |= self.detects_smtputf8
            && (findings.has_utf8_header || addresses.any(address::Address::needs_smtputf8));
        message.has_eight_bit_header = findings.has_eight_bit_header;
        message
    }
}

fn findings(content: &Content<'_>) -> Option<Findings> {
    let (mut survey, mut reader) = (Survey::new(), content());
    let mut piece = vec![0; CONTENT_PIECE_OCTETS];
    loop {
        match reader.read(&mut piece) {
            Ok(0) => return Some(survey.finish()),
            Ok(count) => survey.feed(&piece[..count]),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(_) => return None,
        }
    }
}
