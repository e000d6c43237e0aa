//! `check_ccert_access`, `permit_tls_clientcerts`, `permit_tls_all_clientcerts`: what the client's certificate is good for.

use super::Context;
use super::check_access;
use crate::access_tables;
use crate::lists::Argument;
use crate::request::Certificate;
use crate::{About, Access, Verdict, misconfigured};

/// A key of `search_order`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Key {
    Fingerprint,
    PublicKey,
}

const KEYS: &[(&str, Key)] = &[
    ("cert_fingerprint", Key::Fingerprint),
    ("pubkey_fingerprint", Key::PublicKey),
];

impl Key {
    fn of<'a>(self, certificate: &Certificate<'a>) -> &'a str {
        match self {
            Key::Fingerprint => certificate.fingerprint,
            Key::PublicKey => certificate.public_key_fingerprint,
        }
    }
}

/// The keys in their order.
///
/// # Errors
/// A word that is no key.
fn order(words: &[String]) -> Result<Vec<Key>, &str> {
    let key = |word: &str| {
        let known = KEYS.iter().find(|(name, _)| name.eq_ignore_ascii_case(word));
        known.map(|(_, key)| *key)
    };
    if words.is_empty() {
        return Ok(vec![Key::Fingerprint, Key::PublicKey]);
    }
    words.iter().map(|word| key(word).ok_or(word.as_str())).collect()
}

pub(super) fn check_ccert_access(context: &Context<'_>, argument: &str) -> Verdict {
    let (table, order) = match read(argument) {
        Ok(read) => read,
        Err(fault) => {
            context.warn(fault);
            return Verdict::Fail(misconfigured());
        }
    };
    let Some(certificate) = certificate(context) else {
        return Verdict::Dunno;
    };
    let about = About::new(certificate.subject, "Client certificate");
    let mut sayings = Vec::new();
    for key in order.iter().map(|key| key.of(&certificate)) {
        match check_access::check(context, table, about.clone(), |table| {
            access_tables::exact(table, key)
        }) {
            Verdict::Says(saying) => sayings.push(*saying),
            Verdict::Dunno => {}
            failed => return failed,
        }
    }
    Verdict::SaysAll(sayings)
}

/// The table of an argument, and the keys in their order.
///
/// # Errors
/// What the log says of one that makes no sense.
fn read(argument: &str) -> Result<(&str, Vec<Key>), String> {
    let read = Argument::read(argument)?;
    let keys = order(&read.search_order)
        .map_err(|word| format!("check_ccert_access: unexpected action '{word}' in '{argument}'"))?;
    Ok((read.table, keys))
}

fn certificate<'a>(context: &Context<'a>) -> Option<Certificate<'a>> {
    context.request.tls?.certificate
}

pub(super) fn permit_tls_all_clientcerts(context: &Context<'_>) -> Verdict {
    match certificate(context) {
        Some(certificate) if certificate.is_trusted => Verdict::Permit,
        _ => Verdict::Dunno,
    }
}

/// By `relay_clientcerts`.
pub(super) fn permit_tls_clientcerts(context: &Context<'_>) -> Verdict {
    let Some(certificate) = certificate(context) else {
        return Verdict::Dunno;
    };
    match context.access.lists_certificate(&certificate) {
        Ok(true) => Verdict::Permit,
        Ok(false) => Verdict::Dunno,
        Err(warning) => {
            context.warn(warning);
            context.about.lookup_failed()
        }
    }
}

impl Access {
    /// Whether a certificate, or its key, is in `relay_clientcerts`.
    ///
    /// # Errors
    /// What the log is told when the list cannot be asked, besides what its table told.
    pub fn lists_certificate(&self, certificate: &Certificate<'_>) -> Result<bool, String> {
        let keys = [certificate.fingerprint, certificate.public_key_fingerprint];
        for key in keys {
            match self.relay_certificates.find(key) {
                Ok(Some(_)) => return Ok(true),
                Ok(None) => {}
                Err(_) => {
                    let [certificate, public_key] = keys;
                    return Err(format!(
                        "relay_clientcerts: lookup error for fingerprint '{certificate}', pkey fingerprint {public_key}"
                    ));
                }
            }
        }
        Ok(false)
    }
}
