//! What the mechanisms that never see a password need of a stored one: CRAM-MD5's contexts, SCRAM's keys.

use super::{Encoding, Kind, Scheme, crypt_text, digest, plain_bytes, split};
use crate::Error;
use crate::hmac_md5::Contexts;
use crate::saslprep::prepared;
use crate::scram::{Hash, Keys};

/// The scheme of a text that has none. It never serves, because the databases name the scheme.
fn none() -> Scheme {
    Scheme {
        name: "CRYPT".to_owned(),
        kind: Kind::Crypt,
        encoding: None,
        weak: super::Weak::Refused,
    }
}

fn unfit(scheme: &Scheme) -> Error {
    Error::Unfit(scheme.name.clone())
}

/// Whether a stored password, with its `{SCHEME}`, serves a mechanism that wants one of `schemes`.
///
/// # Errors
/// [`Error::Unfit`] when it does not; as [`split`] else.
pub fn serves(stored: &str, schemes: &[&str]) -> Result<(), Error> {
    let (scheme, _) = split(stored, &none())?;
    let base = scheme.name.split('.').next().unwrap_or_default();
    if scheme.kind == Kind::Plain || schemes.contains(&base) {
        Ok(())
    } else {
        Err(unfit(&scheme))
    }
}

/// The contexts of a stored password with its `{SCHEME}`.
pub(crate) fn hmac_md5(stored: &str) -> Result<Contexts, Error> {
    let (scheme, text) = split(stored, &none())?;
    match scheme.kind {
        Kind::Plain => Ok(Contexts::of_password(&plain_bytes(&scheme, text)?)),
        Kind::CramMd5 => contexts(&scheme, text),
        _ => Err(unfit(&scheme)),
    }
}

/// The keys of a stored password with its `{SCHEME}`; from the password itself they are made with this salt and cost.
pub(crate) fn scram(hash: Hash, stored: &str, salt: &[u8], rounds: u32) -> Result<Keys, Error> {
    let (scheme, text) = split(stored, &none())?;
    match scheme.kind {
        Kind::Plain => Ok(Keys::of_password(
            hash,
            &prepared(&plain_bytes(&scheme, text)?),
            salt,
            rounds,
        )),
        Kind::Scram(known) if known == hash => keys(&scheme, hash, text),
        _ => Err(unfit(&scheme)),
    }
}

/// What CRAM-MD5 stores: 32 bytes.
pub(super) fn contexts(scheme: &Scheme, text: &str) -> Result<Contexts, Error> {
    let encoding = scheme.encoding.unwrap_or(match text.len() {
        64 => Encoding::Hex,
        _ => Encoding::Base64,
    });
    let bytes = digest::decode(text, encoding, &scheme.name)?;
    let bytes = <[u8; 32]>::try_from(bytes.as_slice());
    let bytes = bytes.map_err(|_| super::damaged(scheme, "its length is wrong"))?;
    Ok(Contexts::of_bytes(&bytes))
}

/// What SCRAM stores.
pub(super) fn keys(scheme: &Scheme, hash: Hash, text: &str) -> Result<Keys, Error> {
    let text = crypt_text(scheme, text)?;
    Keys::parse(hash, &text).ok_or_else(|| super::damaged(scheme, "rounds,salt,stored key,server key wanted"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_serves() {
        for (stored, wanted, fits) in [
            ("{PLAIN}x", &["SCRAM-SHA-1"][..], true),
            ("{plain.hex}00", &["CRAM-MD5"], true),
            ("{CRAM-MD5.b64}x", &["CRAM-MD5", "HMAC-MD5"], true),
            ("{SCRAM-SHA-1}x", &["SCRAM-SHA-256"], false),
            ("{SHA512-CRYPT}x", &["SCRAM-SHA-256"], false),
            ("x", &["SCRAM-SHA-256"], false),
        ] {
            assert_eq!(serves(stored, wanted).is_ok(), fits, "{stored}");
        }
        let told = serves("{SSHA}x", &["CRAM-MD5"]).unwrap_err().to_string();
        assert_eq!(
            told,
            "the password is stored as SSHA, which this mechanism cannot use"
        );
    }
}
