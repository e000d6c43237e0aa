//! Envelopes and outcomes as bytes for the queue: compact, versioned, bounded.
//!
//! An encoding starts with its version. Numbers are LEB128, texts a length and UTF-8, options one octet.

use address::{Address, Domain};

use crate::{BodyKind, Class, DeliveryResult, Detail, Envelope, Notify, Outcome, Recipient, Ret, StatusCode};

/// The version that is written, and read.
pub const VERSION: u8 = 1;
/// The version of an outcome with a [`Detail`].
const VERSION_WITH_DETAIL: u8 = 2;
/// No outcome keeps more targets.
pub const TARGETS_MAX: usize = 100;
/// No text in an encoding is longer, in octets.
pub const TEXT_BYTES_MAX: usize = 64 * 1024;
/// No envelope has more recipients.
pub const RECIPIENTS_MAX: usize = 1_000_000;

/// Why bytes are not an encoding.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Written by another version of this program.
    #[error("envelope of version {0}, not {VERSION}")]
    Version(u8),
    /// The bytes end too early.
    #[error("envelope is cut off")]
    CutOff,
    /// A value that no encoder writes.
    #[error("envelope has a bad {0}")]
    BadValue(&'static str),
    /// Something is over its limit.
    #[error("envelope has too much {0}")]
    OverLimit(&'static str),
}

/// Appends `envelope`.
///
/// # Errors
/// [`Error::OverLimit`]; `into` is then as it was.
pub fn encode_envelope(envelope: &Envelope, into: &mut Vec<u8>) -> Result<(), Error> {
    let before = into.len();
    let result = (|| {
        into.push(VERSION);
        option(envelope.sender.as_ref(), into, put_address)?;
        into.push(match envelope.ret {
            None => 0,
            Some(Ret::Full) => 1,
            Some(Ret::Headers) => 2,
        });
        option(envelope.envid.as_deref(), into, put_text)?;
        into.push(match envelope.body {
            BodyKind::SevenBit => 0,
            BodyKind::EightBitMime => 1,
            BodyKind::BinaryMime => 2,
        });
        into.push(u8::from(envelope.smtputf8));
        if envelope.recipients.len() > RECIPIENTS_MAX {
            return Err(Error::OverLimit("recipients"));
        }
        put_number(envelope.recipients.len() as u64, into);
        envelope
            .recipients
            .iter()
            .try_for_each(|recipient| put_recipient(recipient, into))
    })();
    if result.is_err() {
        into.truncate(before);
    }
    result
}

/// The envelope at the start of `bytes`, and what follows it.
///
/// # Errors
/// Every [`Error`].
pub fn decode_envelope(bytes: &[u8]) -> Result<(Envelope, &[u8]), Error> {
    let mut reader = Reader { bytes };
    reader.version()?;
    let sender = reader.option(Reader::address)?;
    let ret = match reader.byte()? {
        0 => None,
        1 => Some(Ret::Full),
        2 => Some(Ret::Headers),
        _ => return Err(Error::BadValue("RET")),
    };
    let envid = reader.option(Reader::text)?;
    let body = match reader.byte()? {
        0 => BodyKind::SevenBit,
        1 => BodyKind::EightBitMime,
        2 => BodyKind::BinaryMime,
        _ => return Err(Error::BadValue("body kind")),
    };
    let smtputf8 = reader.flag()?;
    let count = reader.number()?;
    if count > RECIPIENTS_MAX as u64 {
        return Err(Error::OverLimit("recipients"));
    }
    let mut recipients = Vec::new();
    for _ in 0..count {
        recipients.push(reader.recipient()?);
    }
    Ok((
        Envelope {
            sender,
            recipients,
            ret,
            envid,
            body,
            smtputf8,
        },
        reader.bytes,
    ))
}

/// Appends `outcome`. Texts over [`TEXT_BYTES_MAX`] are cut.
pub fn encode_outcome(outcome: &Outcome, into: &mut Vec<u8>) {
    let Detail {
        diagnostic,
        targets,
        is_interrupted: _,
        connection_uses: _,
        set_up_millis: _,
    } = &outcome.detail;
    if diagnostic.is_none() && targets.is_empty() {
        into.push(VERSION);
        return put_outcome(outcome, into);
    }
    into.push(VERSION_WITH_DETAIL);
    put_outcome(outcome, into);
    into.push(u8::from(diagnostic.is_some()));
    if let Some(text) = diagnostic {
        put_cut(text, into);
    }
    let kept = targets
        .iter()
        .filter(|(address, _)| address.to_string().len() <= TEXT_BYTES_MAX);
    let kept: Vec<&(Address, Outcome)> = kept.take(TARGETS_MAX).collect();
    put_number(kept.len() as u64, into);
    for (address, outcome) in kept {
        // It fits: that was looked at above.
        let _ = put_address(address, into);
        into.push(u8::from(outcome.detail.diagnostic.is_some()));
        if let Some(text) = &outcome.detail.diagnostic {
            put_cut(text, into);
        }
        put_outcome(outcome, into);
    }
}

fn put_outcome(outcome: &Outcome, into: &mut Vec<u8>) {
    into.push(match outcome.result {
        DeliveryResult::Sent => 0,
        DeliveryResult::Deferred => 1,
        DeliveryResult::Bounced => 2,
        DeliveryResult::Returned => 3,
        DeliveryResult::Relayed => 4,
        DeliveryResult::Expanded => 5,
    });
    into.push(match outcome.status.class {
        Class::Success => 2,
        Class::Temporary => 4,
        Class::Permanent => 5,
    });
    put_number(u64::from(outcome.status.subject), into);
    put_number(u64::from(outcome.status.detail), into);
    for text in [&outcome.text, &outcome.relay] {
        put_cut(text, into);
    }
}

fn put_cut(text: &str, into: &mut Vec<u8>) {
    let end = text.floor_char_boundary(TEXT_BYTES_MAX);
    put_number(end as u64, into);
    into.extend_from_slice(&text.as_bytes()[..end]);
}

/// The outcome at the start of `bytes`, and what follows it.
///
/// # Errors
/// Every [`Error`].
pub fn decode_outcome(bytes: &[u8]) -> Result<(Outcome, &[u8]), Error> {
    let mut reader = Reader { bytes };
    let version = reader.byte()?;
    if version != VERSION && version != VERSION_WITH_DETAIL {
        return Err(Error::Version(version));
    }
    let mut outcome = reader.outcome()?;
    if version == VERSION_WITH_DETAIL {
        outcome.detail.diagnostic = reader.option(Reader::text)?.map(String::into);
        let count = reader.number()?;
        if count > TARGETS_MAX as u64 {
            return Err(Error::OverLimit("targets"));
        }
        let mut targets = Vec::new();
        for _ in 0..count {
            let address = reader.address()?;
            let diagnostic = reader.option(Reader::text)?;
            let mut target = reader.outcome()?;
            target.detail.diagnostic = diagnostic.map(String::into);
            targets.push((address, target));
        }
        outcome.detail.targets = targets.into();
    }
    Ok((outcome, reader.bytes))
}

fn put_recipient(recipient: &Recipient, into: &mut Vec<u8>) -> Result<(), Error> {
    put_address(&recipient.address, into)?;
    // Most recipients are not rewritten.
    let original = Some(&recipient.original)
        .filter(|o| **o != recipient.address || o.to_string() != recipient.address.to_string());
    option(original, into, put_address)?;
    option(recipient.orcpt.as_deref(), into, put_text)?;
    into.push(match recipient.notify {
        None => 0,
        Some(n) => 0x80 | u8::from(n.success) | u8::from(n.failure) << 1 | u8::from(n.delay) << 2,
    });
    Ok(())
}

fn put_address(address: &Address, into: &mut Vec<u8>) -> Result<(), Error> {
    put_text(address.local(), into)?;
    option(address.domain().map(Domain::as_str), into, put_text)
}

fn put_text(text: &str, into: &mut Vec<u8>) -> Result<(), Error> {
    if text.len() > TEXT_BYTES_MAX {
        return Err(Error::OverLimit("text"));
    }
    put_number(text.len() as u64, into);
    into.extend_from_slice(text.as_bytes());
    Ok(())
}

fn put_number(mut number: u64, into: &mut Vec<u8>) {
    while number >= 0x80 {
        into.push(number as u8 | 0x80);
        number >>= 7;
    }
    into.push(number as u8);
}

fn option<T: ?Sized>(
    value: Option<&T>,
    into: &mut Vec<u8>,
    put: impl Fn(&T, &mut Vec<u8>) -> Result<(), Error>,
) -> Result<(), Error> {
    into.push(u8::from(value.is_some()));
    value.map_or(Ok(()), |value| put(value, into))
}

struct Reader<'a> {
    bytes: &'a [u8],
}

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], Error> {
        let (taken, rest) = self.bytes.split_at_checked(count).ok_or(Error::CutOff)?;
        self.bytes = rest;
        Ok(taken)
    }

    fn byte(&mut self) -> Result<u8, Error> {
        Ok(self.take(1)?[0])
    }

    fn version(&mut self) -> Result<(), Error> {
        match self.byte()? {
            VERSION => Ok(()),
            other => Err(Error::Version(other)),
        }
    }

    fn flag(&mut self) -> Result<bool, Error> {
        match self.byte()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(Error::BadValue("flag")),
        }
    }

    fn number(&mut self) -> Result<u64, Error> {
        let mut number = 0;
        for shift in (0..63).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(number);
            }
        }
        Err(Error::BadValue("number"))
    }

    fn status_number(&mut self) -> Result<u16, Error> {
        u16::try_from(self.number()?).map_err(|_| Error::BadValue("status number"))
    }

    fn text(&mut self) -> Result<String, Error> {
        let length = usize::try_from(self.number()?).map_err(|_| Error::OverLimit("text"))?;
        if length > TEXT_BYTES_MAX {
            return Err(Error::OverLimit("text"));
        }
        let text = std::str::from_utf8(self.take(length)?).map_err(|_| Error::BadValue("text"))?;
        Ok(text.to_owned())
    }

    fn option<T>(&mut self, read: impl Fn(&mut Self) -> Result<T, Error>) -> Result<Option<T>, Error> {
        Ok(if self.flag()? { Some(read(self)?) } else { None })
    }

    fn address(&mut self) -> Result<Address, Error> {
        let local = self.text()?;
        let domain = match self.option(Reader::text)? {
            Some(text) => Some(Domain::parse(&text).map_err(|_| Error::BadValue("domain"))?),
            None => None,
        };
        Ok(Address::new(&local, domain))
    }

    fn outcome(&mut self) -> Result<Outcome, Error> {
        let result = match self.byte()? {
            0 => DeliveryResult::Sent,
            1 => DeliveryResult::Deferred,
            2 => DeliveryResult::Bounced,
            3 => DeliveryResult::Returned,
            4 => DeliveryResult::Relayed,
            5 => DeliveryResult::Expanded,
            _ => return Err(Error::BadValue("result")),
        };
        let class = match self.byte()? {
            2 => Class::Success,
            4 => Class::Temporary,
            5 => Class::Permanent,
            _ => return Err(Error::BadValue("status class")),
        };
        let status = StatusCode {
            class,
            subject: self.status_number()?,
            detail: self.status_number()?,
        };
        let (text, relay) = (self.text()?, self.text()?);
        Ok(Outcome {
            result,
            status,
            text,
            relay,
            detail: Detail::default(),
        })
    }

    fn recipient(&mut self) -> Result<Recipient, Error> {
        let address = self.address()?;
        let original = self.option(Reader::address)?.unwrap_or_else(|| address.clone());
        let orcpt = self.option(Reader::text)?;
        let notify = match self.byte()? {
            0 => None,
            bits @ 0x80..=0x87 => Some(Notify {
                success: bits & 1 != 0,
                failure: bits & 2 != 0,
                delay: bits & 4 != 0,
            }),
            _ => return Err(Error::BadValue("NOTIFY")),
        };
        Ok(Recipient {
            address,
            original,
            orcpt,
            notify,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn address() -> impl Strategy<Value = Address> {
        (
            "[^\r\n\0]{0,12}",
            proptest::option::of("[a-zA-Z]{1,8}\\.[a-z]{2,3}"),
        )
            .prop_map(|(local, domain)| Address::new(&local, domain.map(|d| Domain::parse(&d).unwrap())))
    }

    fn recipient() -> impl Strategy<Value = Recipient> {
        let notify = proptest::option::of((any::<bool>(), any::<bool>(), any::<bool>())).prop_map(|n| {
            n.map(|(success, failure, delay)| Notify {
                success,
                failure,
                delay,
            })
        });
        (
            address(),
            proptest::option::of(address()),
            proptest::option::of("\\PC{0,20}"),
            notify,
        )
            .prop_map(|(address, original, orcpt, notify)| Recipient {
                original: original.unwrap_or_else(|| address.clone()),
                address,
                orcpt,
                notify,
            })
    }

    fn envelope() -> impl Strategy<Value = Envelope> {
        let ret = prop_oneof![Just(None), Just(Some(Ret::Full)), Just(Some(Ret::Headers))];
        let body = prop_oneof![
            Just(BodyKind::SevenBit),
            Just(BodyKind::EightBitMime),
            Just(BodyKind::BinaryMime)
        ];
        let recipients = proptest::collection::vec(recipient(), 0..5);
        (
            proptest::option::of(address()),
            recipients,
            ret,
            proptest::option::of("\\PC{0,20}"),
            body,
            any::<bool>(),
        )
            .prop_map(|(sender, recipients, ret, envid, body, smtputf8)| Envelope {
                sender,
                recipients,
                ret,
                envid,
                body,
                smtputf8,
            })
    }

    proptest! {
        #[test]
        fn envelope_round_trip(envelope in envelope(), rest in proptest::collection::vec(any::<u8>(), 0..5)) {
            let mut bytes = Vec::new();
            encode_envelope(&envelope, &mut bytes).unwrap();
            let length = bytes.len();
            bytes.extend_from_slice(&rest);
            prop_assert_eq!(decode_envelope(&bytes), Ok((envelope, rest.as_slice())));
            for cut in 0..length {
                prop_assert_eq!(decode_envelope(&bytes[..cut]), Err(Error::CutOff));
            }
        }

        #[test]
        fn outcome_round_trip(text in "\\PC{0,40}", relay in "\\PC{0,20}", subject in 0u16..1000, kind in 0usize..4) {
            let result = [DeliveryResult::Sent, DeliveryResult::Deferred, DeliveryResult::Bounced, DeliveryResult::Relayed][kind];
            let class = [Class::Success, Class::Temporary, Class::Permanent, Class::Success][kind];
            let status = StatusCode { class, subject, detail: 7 };
            let mut outcome = Outcome { result, status, text, relay, detail: Detail::default() };
            if subject % 2 == 1 {
                let mut target = outcome.clone();
                target.detail.diagnostic = Some(Box::from("x-unix; no")).filter(|_| subject % 3 == 0);
                let address = Address::parse("a b@example.com").unwrap_or_else(|_| Address::new("a b", None));
                outcome.detail = Detail {
                    diagnostic: Some(outcome.text.as_str().into()).filter(|_| subject % 5 == 0),
                    targets: Box::new([(address.clone(), target.clone()), (address, target)]),
                    is_interrupted: false,
                    connection_uses: 0,
                    set_up_millis: 0,
                };
            }
            let mut bytes = Vec::new();
            encode_outcome(&outcome, &mut bytes);
            prop_assert_eq!(decode_outcome(&bytes), Ok((outcome, &b""[..])));
        }

        #[test]
        fn decode_never_panics(mut bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            let _ = (decode_envelope(&bytes), decode_outcome(&bytes));
            if let Some(first) = bytes.first_mut() { *first = VERSION }
            let _ = (decode_envelope(&bytes), decode_outcome(&bytes));
        }
    }

    #[test]
    fn limits_are_refused() {
        let mut envelope = Envelope {
            sender: None,
            recipients: Vec::new(),
            ret: None,
            envid: Some("x".repeat(TEXT_BYTES_MAX + 1)),
            body: BodyKind::SevenBit,
            smtputf8: false,
        };
        let mut bytes = vec![9];
        assert_eq!(
            encode_envelope(&envelope, &mut bytes),
            Err(Error::OverLimit("text"))
        );
        assert_eq!(bytes, [9]);
        envelope.envid = None;
        encode_envelope(&envelope, &mut bytes).unwrap();
        assert_eq!(decode_envelope(&bytes), Err(Error::Version(9)));
    }
}
