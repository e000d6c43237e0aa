//! What the two sides agree on at the start: version, changes that the filter may make, steps that it wants to hear of.

use crate::Error;
use crate::packet::{Parts, string};

/// Changes that a filter may make (`SMFIF_…`), as bits.
pub mod actions {
    /// It may add headers.
    pub const ADD_HEADERS: u32 = 0x001;
    /// It may replace the body.
    pub const CHANGE_BODY: u32 = 0x002;
    /// It may add recipients.
    pub const ADD_RECIPIENTS: u32 = 0x004;
    /// It may remove recipients.
    pub const DELETE_RECIPIENTS: u32 = 0x008;
    /// It may change and remove headers.
    pub const CHANGE_HEADERS: u32 = 0x010;
    /// It may hold the message.
    pub const QUARANTINE: u32 = 0x020;
    /// It may change the sender.
    pub const CHANGE_SENDER: u32 = 0x040;
    /// It may add recipients with ESMTP parameters.
    pub const ADD_RECIPIENTS_WITH_OPTIONS: u32 = 0x080;
    /// It may say which macros it wants.
    pub const CHOOSE_MACROS: u32 = 0x100;
}

/// Steps that a filter does not want to hear of, or does not answer, and what else it can (`SMFIP_…`), as bits.
pub mod steps {
    /// No connections.
    pub const NO_CONNECT: u32 = 0x0000_0001;
    /// No HELO.
    pub const NO_HELO: u32 = 0x0000_0002;
    /// No MAIL.
    pub const NO_MAIL: u32 = 0x0000_0004;
    /// No RCPT.
    pub const NO_RCPT: u32 = 0x0000_0008;
    /// No body.
    pub const NO_BODY: u32 = 0x0000_0010;
    /// No header.
    pub const NO_HEADERS: u32 = 0x0000_0020;
    /// No end of the header.
    pub const NO_END_OF_HEADER: u32 = 0x0000_0040;
    /// No answer to headers.
    pub const SILENT_HEADERS: u32 = 0x0000_0080;
    /// No unknown commands.
    pub const NO_UNKNOWN: u32 = 0x0000_0100;
    /// No DATA.
    pub const NO_DATA: u32 = 0x0000_0200;
    /// The filter may say that it wants no more of the body.
    pub const SKIP: u32 = 0x0000_0400;
    /// The filter wants to hear of recipients that are refused.
    pub const REFUSED_RECIPIENTS: u32 = 0x0000_0800;
    /// No answer to connections.
    pub const SILENT_CONNECT: u32 = 0x0000_1000;
    /// No answer to HELO.
    pub const SILENT_HELO: u32 = 0x0000_2000;
    /// No answer to MAIL.
    pub const SILENT_MAIL: u32 = 0x0000_4000;
    /// No answer to RCPT.
    pub const SILENT_RCPT: u32 = 0x0000_8000;
    /// No answer to DATA.
    pub const SILENT_DATA: u32 = 0x0001_0000;
    /// No answer to unknown commands.
    pub const SILENT_UNKNOWN: u32 = 0x0002_0000;
    /// No answer to the end of the header.
    pub const SILENT_END_OF_HEADER: u32 = 0x0004_0000;
    /// No answer to pieces of the body.
    pub const SILENT_BODY: u32 = 0x0008_0000;
    /// White space behind a header's colon belongs to its value.
    pub const LEADING_SPACE: u32 = 0x0010_0000;
    /// Packets of 256 KiB are fine.
    pub const PIECES_256K: u32 = 0x1000_0000;
    /// Packets of 1 MiB are fine.
    pub const PIECES_1M: u32 = 0x2000_0000;
}

/// Version, actions, steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// The protocol's version.
    pub version: u32,
    /// Bits of [`actions`].
    pub actions: u32,
    /// Bits of [`steps`].
    pub steps: u32,
}

/// What a mail server of this version can.
pub fn offered(version: u32) -> Options {
    let (actions, steps) = match version {
        // Everything that may be done is offered whatever the version: it is the filter that has to know.
        0..=2 => (0x1ff, 0x7f),
        3 => (0x1ff, 0x17f),
        4 | 5 => (0x1ff, 0x37f),
        _ => (0x1ff, 0x001f_ffff),
    };
    Options {
        version,
        actions,
        steps,
    }
}

/// At which of a session's steps macros are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Stage {
    /// The connection.
    Connect,
    /// HELO.
    Helo,
    /// MAIL.
    Mail,
    /// RCPT.
    Rcpt,
    /// DATA.
    Data,
    /// The end of the message.
    EndOfMessage,
    /// The end of the header.
    EndOfHeader,
    /// A command that nobody knows.
    Unknown,
}

/// How many stages a filter can choose macros for.
pub const STAGES_WITH_CHOICE: usize = 7;

/// What a filter answers to the offer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Agreement {
    /// What it wants of it.
    pub options: Options,
    /// Names of macros that it wants, by [`Stage`] (`SMFIM_…`); not named: what the mail server has by itself.
    pub macros: Vec<(u32, Vec<String>)>,
}

impl Options {
    /// Appends it to `out`.
    pub fn write(&self, out: &mut Vec<u8>) {
        for number in [self.version, self.actions, self.steps] {
            out.extend_from_slice(&number.to_be_bytes());
        }
    }

    fn read(parts: &mut Parts<'_>) -> Option<Options> {
        Some(Options {
            version: parts.number()?,
            actions: parts.number()?,
            steps: parts.number()?,
        })
    }

    /// Whether one of these bits of [`steps`] is set.
    pub fn has_step(&self, bits: u32) -> bool {
        self.steps & bits != 0
    }
}

impl Agreement {
    /// Reads a packet's data.
    ///
    /// # Errors
    /// [`Error::Malformed`].
    pub fn read(data: &[u8]) -> Result<Agreement, Error> {
        let mut parts = Parts(data);
        let options = Options::read(&mut parts).ok_or(Error::Malformed("options"))?;
        let mut macros: Vec<(u32, Vec<String>)> = Vec::new();
        while !parts.is_empty() && macros.len() < STAGES_WITH_CHOICE {
            let stage = parts.number().ok_or(Error::Malformed("list of macros"))?;
            let names = parts.text().ok_or(Error::Malformed("list of macros"))?;
            macros.push((stage, names.split([' ', ',', '\t']).map(str::to_owned).collect()));
        }
        for (_, names) in &mut macros {
            names.retain(|name| !name.is_empty());
        }
        Ok(Agreement { options, macros })
    }

    /// Appends it to `out`.
    pub fn write(&self, out: &mut Vec<u8>) {
        self.options.write(out);
        for (stage, names) in &self.macros {
            out.extend_from_slice(&stage.to_be_bytes());
            string(names.join(" ").as_bytes(), out);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_agreed_on_reads_back() {
        let agreement = Agreement {
            options: offered(6),
            macros: vec![(2, vec!["i".to_owned(), "{mail_addr}".to_owned()]), (5, vec![])],
        };
        let mut data = Vec::new();
        agreement.write(&mut data);
        assert_eq!(Agreement::read(&data), Ok(agreement));
        assert_eq!(Agreement::read(&data[..11]), Err(Error::Malformed("options")));
        assert_eq!(
            Agreement::read(&data[..14]),
            Err(Error::Malformed("list of macros"))
        );
    }
}
