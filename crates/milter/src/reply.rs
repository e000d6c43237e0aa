//! What a filter answers.

use crate::Error;
use crate::packet::{Packet, Parts, string, write};

/// A reply (`SMFIR_…`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// Something that decides, or not yet.
    Verdict(Verdict),
    /// A change of the message, at its end.
    Change(Change),
    /// It takes a while.
    Progress,
}

/// What a filter says of a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Go on.
    Continue,
    /// Nothing more needs to be looked at.
    Accept,
    /// No.
    Reject,
    /// Not now.
    TempFail,
    /// Say yes, and throw it away.
    Discard,
    /// Enough of the body.
    Skip,
    /// No, in these words: a code and a text, lines parted by CRLF.
    Code(Vec<u8>),
    /// Send the client away.
    Shutdown,
    /// Cut the client off.
    ConnectionFailure,
}

/// A change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// A header at the end of the header.
    AddHeader {
        /// Its name.
        name: Vec<u8>,
        /// Its value.
        value: Vec<u8>,
    },
    /// A header at a place.
    InsertHeader {
        /// How many stand before it.
        index: u32,
        /// Its name.
        name: Vec<u8>,
        /// Its value.
        value: Vec<u8>,
    },
    /// Another value for a header; an empty one removes it.
    ChangeHeader {
        /// Which of those with this name, from 1.
        index: u32,
        /// Its name.
        name: Vec<u8>,
        /// Its value.
        value: Vec<u8>,
    },
    /// A piece of another body. The first one removes the old one.
    ReplaceBody(Vec<u8>),
    /// One recipient more, with ESMTP parameters.
    AddRecipient(String, String),
    /// One recipient less.
    DeleteRecipient(String),
    /// Another sender, with ESMTP parameters.
    ChangeSender(String, String),
    /// The message is held, for this reason.
    Quarantine(String),
}

impl Reply {
    /// Its name in the protocol, as logs show it.
    pub fn name(letter: u8) -> Option<&'static str> {
        Some(match letter {
            b'+' => "SMFIR_ADDRCPT",
            b'-' => "SMFIR_DELRCPT",
            b'2' => "SMFIR_ADDRCPT_PAR",
            b'4' => "SMFIR_SHUTDOWN",
            b'a' => "SMFIR_ACCEPT",
            b'b' => "SMFIR_REPLBODY",
            b'c' => "SMFIR_CONTINUE",
            b'd' => "SMFIR_DISCARD",
            b'e' => "SMFIR_CHGFROM",
            b'f' => "SMFIR_CONN_FAIL",
            b'h' => "SMFIR_ADDHEADER",
            b'i' => "SMFIR_INSHEADER",
            b'l' => "SMFIR_SETSYMLIST",
            b'm' => "SMFIR_CHGHEADER",
            b'p' => "SMFIR_PROGRESS",
            b'q' => "SMFIR_QUARANTINE",
            b'r' => "SMFIR_REJECT",
            b's' => "SMFIR_SKIP",
            b't' => "SMFIR_TEMPFAIL",
            b'y' => "SMFIR_REPLYCODE",
            _ => return None,
        })
    }

    /// Reads a packet.
    ///
    /// # Errors
    /// [`Error::Malformed`], [`Error::Unknown`].
    pub fn read(packet: &Packet) -> Result<Reply, Error> {
        let verdict = |verdict| Some(Reply::Verdict(verdict));
        let mut parts = Parts(&packet.data);
        let reply = match packet.letter {
            b'c' => verdict(Verdict::Continue),
            b'a' => verdict(Verdict::Accept),
            b'r' => verdict(Verdict::Reject),
            b't' => verdict(Verdict::TempFail),
            b'd' => verdict(Verdict::Discard),
            b's' => verdict(Verdict::Skip),
            b'4' => verdict(Verdict::Shutdown),
            b'f' => verdict(Verdict::ConnectionFailure),
            b'y' => parts
                .string()
                .map(|text| Reply::Verdict(Verdict::Code(text.to_vec()))),
            b'p' => Some(Reply::Progress),
            _ => change(packet.letter, &mut parts, &packet.data)?.map(Reply::Change),
        };
        reply.ok_or(Error::Malformed("reply"))
    }

    /// Appends its packet to `out`.
    pub fn write(&self, out: &mut Vec<u8>) {
        let (letter, data) = match self {
            Reply::Progress => (b'p', Vec::new()),
            Reply::Change(change) => change.encoded(),
            Reply::Verdict(verdict) => match verdict {
                Verdict::Continue => (b'c', Vec::new()),
                Verdict::Accept => (b'a', Vec::new()),
                Verdict::Reject => (b'r', Vec::new()),
                Verdict::TempFail => (b't', Vec::new()),
                Verdict::Discard => (b'd', Vec::new()),
                Verdict::Skip => (b's', Vec::new()),
                Verdict::Shutdown => (b'4', Vec::new()),
                Verdict::ConnectionFailure => (b'f', Vec::new()),
                Verdict::Code(text) => {
                    let mut data = Vec::new();
                    string(text, &mut data);
                    (b'y', data)
                }
            },
        };
        write(letter, &data, out);
    }
}

/// A change by its letter; `None`: it does not have the right form.
fn change(letter: u8, parts: &mut Parts<'_>, data: &[u8]) -> Result<Option<Change>, Error> {
    let field = |parts: &mut Parts<'_>| Some((parts.string()?.to_vec(), parts.string()?.to_vec()));
    Ok(match letter {
        b'h' => field(parts).map(|(name, value)| Change::AddHeader { name, value }),
        b'i' | b'm' => {
            let index = parts.number();
            index
                .zip(field(parts))
                .map(|(index, (name, value))| match letter {
                    b'i' => Change::InsertHeader { index, name, value },
                    _ => Change::ChangeHeader { index, name, value },
                })
        }
        b'b' => Some(Change::ReplaceBody(data.to_vec())),
        b'+' => parts
            .text()
            .map(|address| Change::AddRecipient(address, String::new())),
        b'2' => parts
            .text()
            .map(|address| Change::AddRecipient(address, parts.text().unwrap_or_default())),
        b'-' => parts.text().map(Change::DeleteRecipient),
        b'e' => parts
            .text()
            .map(|address| Change::ChangeSender(address, parts.text().unwrap_or_default())),
        b'q' => parts.text().map(Change::Quarantine),
        other => return Err(Error::Unknown(other)),
    })
}

impl Change {
    fn encoded(&self) -> (u8, Vec<u8>) {
        let mut data = Vec::new();
        let letter = match self {
            Change::AddHeader { name, value } => {
                string(name, &mut data);
                string(value, &mut data);
                b'h'
            }
            Change::InsertHeader { index, name, value } | Change::ChangeHeader { index, name, value } => {
                data.extend_from_slice(&index.to_be_bytes());
                string(name, &mut data);
                string(value, &mut data);
                match self {
                    Change::InsertHeader { .. } => b'i',
                    _ => b'm',
                }
            }
            Change::ReplaceBody(piece) => {
                data.extend_from_slice(piece);
                b'b'
            }
            Change::AddRecipient(address, options) => {
                string(address.as_bytes(), &mut data);
                match options.is_empty() {
                    true => b'+',
                    false => {
                        string(options.as_bytes(), &mut data);
                        b'2'
                    }
                }
            }
            Change::DeleteRecipient(address) => {
                string(address.as_bytes(), &mut data);
                b'-'
            }
            Change::ChangeSender(address, options) => {
                string(address.as_bytes(), &mut data);
                if !options.is_empty() {
                    string(options.as_bytes(), &mut data);
                }
                b'e'
            }
            Change::Quarantine(reason) => {
                string(reason.as_bytes(), &mut data);
                b'q'
            }
        };
        (letter, data)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn bytes() -> impl Strategy<Value = Vec<u8>> {
        prop::collection::vec(1u8.., 0..20)
    }

    fn replies() -> impl Strategy<Value = Reply> {
        let field = || (any::<u32>(), bytes(), bytes());
        let verdicts = prop_oneof![
            Just(Verdict::Continue),
            Just(Verdict::Accept),
            Just(Verdict::Reject),
            Just(Verdict::TempFail),
            Just(Verdict::Discard),
            Just(Verdict::Skip),
            Just(Verdict::Shutdown),
            Just(Verdict::ConnectionFailure),
            bytes().prop_map(Verdict::Code),
        ];
        let changes = prop_oneof![
            field().prop_map(|(_, name, value)| Change::AddHeader { name, value }),
            field().prop_map(|(index, name, value)| Change::InsertHeader { index, name, value }),
            field().prop_map(|(index, name, value)| Change::ChangeHeader { index, name, value }),
            bytes().prop_map(Change::ReplaceBody),
            ("[a-z@]{0,9}", "[A-Z=]{0,9}").prop_map(|(to, options)| Change::AddRecipient(to, options)),
            "[a-z@]{0,9}".prop_map(Change::DeleteRecipient),
            ("[a-z@]{0,9}", "[A-Z=]{0,9}").prop_map(|(from, options)| Change::ChangeSender(from, options)),
            "[a-z ]{0,9}".prop_map(Change::Quarantine),
        ];
        prop_oneof![
            verdicts.prop_map(Reply::Verdict),
            changes.prop_map(Reply::Change),
            Just(Reply::Progress),
        ]
    }

    proptest! {
        #[test]
        fn replies_read_back(reply in replies()) {
            let mut stream = Vec::new();
            reply.write(&mut stream);
            let packet = Packet { letter: stream[4], data: stream[5..].to_vec() };
            prop_assert!(Reply::name(packet.letter).is_some());
            prop_assert_eq!(Reply::read(&packet), Ok(reply));
        }

        #[test]
        fn any_packet_is_survived(letter in any::<u8>(), data in prop::collection::vec(any::<u8>(), 0..60)) {
            let packet = Packet { letter, data };
            let _ = Reply::read(&packet);
            let _ = crate::command::Command::read(&packet);
        }
    }
}
