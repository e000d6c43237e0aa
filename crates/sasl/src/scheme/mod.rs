//! Stored passwords: `{SCHEME}hash`, or a hash whose scheme is known from elsewhere.

mod crypt;
mod digest;
mod md5_crypt;
pub(crate) mod stored;

use std::borrow::Cow;

use subtle::ConstantTimeEq;

use crate::hmac_md5::Contexts;
use crate::saslprep::prepared;
use crate::scram::{self, Hash};
use crate::{Error, PASSWORD_BYTES_MAX};

pub use stored::serves;

/// How many random bytes [`generate`] wants.
pub const RANDOM_BYTES: usize = 32;

/// The kinds of hashes, under their first names in Dovecot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Plain,
    Digest(digest::Digest),
    Md5Crypt,
    Sha256Crypt,
    Sha512Crypt,
    BlfCrypt,
    Argon2i,
    Argon2id,
    Crypt,
    Pbkdf2,
    CramMd5,
    DigestMd5,
    Scram(Hash),
    PlainTrunc,
}

/// Whether weak schemes are believed (`auth_allow_weak_schemes`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Weak {
    /// A password that is stored by one cannot be used.
    #[default]
    Refused,
    /// They are as good as others.
    Allowed,
}

/// How the bytes of a hash are written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Encoding {
    Hex,
    Base64,
}

/// A password scheme as it is named between the braces: `SHA512-CRYPT`, `SSHA256`, `PLAIN-MD5.b64` …
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scheme {
    name: String,
    kind: Kind,
    encoding: Option<Encoding>,
    weak: Weak,
}

/// The names that `doveadm pw -l` lists, in our order.
pub const NAMES: [&str; 32] = [
    "PLAIN",
    "CLEAR",
    "CLEARTEXT",
    "PLAIN-MD5",
    "LDAP-MD5",
    "SHA",
    "SHA1",
    "SHA256",
    "SHA512",
    "SMD5",
    "SSHA",
    "SSHA256",
    "SSHA512",
    "MD5",
    "MD5-CRYPT",
    "SHA256-CRYPT",
    "SHA512-CRYPT",
    "BLF-CRYPT",
    "ARGON2I",
    "ARGON2ID",
    "CRYPT",
    "PBKDF2",
    "SCRAM-SHA-1",
    "SCRAM-SHA-256",
    "CRAM-MD5",
    "HMAC-MD5",
    "DIGEST-MD5",
    "PLAIN-TRUNC",
    "PLAIN.b64",
    "PLAIN.hex",
    "SSHA256.hex",
    "CRAM-MD5.b64",
];

/// Schemes that Dovecot has and Yubin does not, and why.
pub const UNSUPPORTED: [(&str, &str); 3] = [
    (
        "DES-CRYPT",
        "only eight characters count, and all of them can be tried in a day",
    ),
    ("PLAIN-MD4", "other passwords that fit are found at once"),
    (
        "OTP",
        "it is a list of passwords that are used once, not one that can be verified",
    ),
];

/// Schemes that Dovecot 2.4 calls weak: MD5 without many rounds.
pub const WEAK: [&str; 5] = ["MD5", "MD5-CRYPT", "PLAIN-MD5", "LDAP-MD5", "SMD5"];

impl Scheme {
    /// The scheme's name in capitals.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The same, with weak schemes believed or not where this one is the default: it is what a database's settings
    /// make of its default scheme. A scheme that was just parsed refuses them.
    pub fn with_weak(self, weak: Weak) -> Scheme {
        Scheme { weak, ..self }
    }

    /// Whether it is one of [`WEAK`].
    pub fn is_weak(&self) -> bool {
        WEAK.contains(&self.name.split('.').next().unwrap_or_default())
    }
}

impl std::str::FromStr for Scheme {
    type Err = Error;

    /// The scheme of that name, in any case, with `.b64`, `.base64` or `.hex` after it.
    ///
    /// # Errors
    /// [`Error::UnknownScheme`], [`Error::UnsupportedScheme`].
    fn from_str(name: &str) -> Result<Scheme, Error> {
        let upper = name.to_ascii_uppercase();
        let (base, encoding) = match upper.split_once('.') {
            None => (upper.as_str(), None),
            Some((base, "HEX")) => (base, Some(Encoding::Hex)),
            Some((base, "B64" | "BASE64")) => (base, Some(Encoding::Base64)),
            Some(_) => return Err(Error::UnknownScheme(name.to_owned())),
        };
        let kind = match base {
            "PLAIN" | "CLEAR" | "CLEARTEXT" => Kind::Plain,
            "MD5" | "MD5-CRYPT" => Kind::Md5Crypt,
            "SHA256-CRYPT" => Kind::Sha256Crypt,
            "SHA512-CRYPT" => Kind::Sha512Crypt,
            "BLF-CRYPT" => Kind::BlfCrypt,
            "ARGON2I" => Kind::Argon2i,
            "ARGON2ID" => Kind::Argon2id,
            "CRYPT" => Kind::Crypt,
            "PBKDF2" => Kind::Pbkdf2,
            // The hash itself says which of the two it is.
            "ARGON2" => Kind::Argon2id,
            "CRAM-MD5" | "HMAC-MD5" => Kind::CramMd5,
            "DIGEST-MD5" => Kind::DigestMd5,
            "SCRAM-SHA-1" => Kind::Scram(Hash::Sha1),
            "SCRAM-SHA-256" => Kind::Scram(Hash::Sha256),
            "PLAIN-TRUNC" => Kind::PlainTrunc,
            other if UNSUPPORTED.iter().any(|(name, _)| *name == other) => return Err(unsupported(other)),
            other => match digest::Digest::named(other) {
                Some(digest) => Kind::Digest(digest),
                None => return Err(Error::UnknownScheme(name.to_owned())),
            },
        };
        Ok(Scheme {
            name: upper,
            kind,
            encoding,
            weak: Weak::Refused,
        })
    }
}

/// The complaint about a scheme of [`UNSUPPORTED`].
fn unsupported(name: &str) -> Error {
    let row = UNSUPPORTED.iter().find(|(known, _)| *known == name);
    Error::UnsupportedScheme {
        scheme: name.to_owned(),
        why: row.map_or("Yubin does not have it", |(_, why)| why),
    }
}

/// A stored password taken apart: `{SCHEME}rest`, else a crypt(3) `$…$` text or the `default` scheme's.
///
/// # Errors
/// As [`Scheme`]'s `from_str`.
pub fn split<'a>(stored: &'a str, default: &Scheme) -> Result<(Scheme, &'a str), Error> {
    if let Some(rest) = stored.strip_prefix('{')
        && let Some((name, hash)) = rest.split_once('}')
    {
        return Ok((name.parse::<Scheme>()?.with_weak(default.weak), hash));
    }
    // "$1$" without a scheme is what old passwd-files hold (Dovecot takes it for MD5-CRYPT whatever the default is).
    match stored.strip_prefix("$1$") {
        Some(_) => Ok(("MD5-CRYPT".parse::<Scheme>()?.with_weak(default.weak), stored)),
        None => Ok((default.clone(), stored)),
    }
}

/// Whether `password` is the one that was stored as `stored`. `default` is the scheme of one without braces.
///
/// Costly by design: call it on a thread that may be busy for a second.
///
/// # Errors
/// When the stored text cannot be used; a wrong password is `Ok(false)`, as is one longer than
/// [`PASSWORD_BYTES_MAX`].
pub fn verify(password: &[u8], stored: &str, default: &Scheme) -> Result<bool, Error> {
    verify_of(None, password, stored, default)
}

/// As [`verify`], for a scheme into which the user's name goes (DIGEST-MD5).
///
/// # Errors
/// As [`verify`]; [`Error::UserWanted`].
pub fn verify_of(user: Option<&str>, password: &[u8], stored: &str, default: &Scheme) -> Result<bool, Error> {
    let (scheme, hash) = split(stored, default)?;
    let is_weak = scheme.is_weak() || (scheme.kind == Kind::Crypt && hash.starts_with("$1$"));
    if is_weak && default.weak == Weak::Refused {
        return Err(Error::WeakScheme(scheme.name));
    }
    if password.len() > PASSWORD_BYTES_MAX {
        return Ok(false);
    }
    match scheme.kind {
        Kind::Plain => Ok(equal(password, &plain_bytes(&scheme, hash)?)),
        Kind::Digest(digest) => digest.verify(password, hash, &scheme),
        Kind::Pbkdf2 => digest::verify_pbkdf2(password, &crypt_text(&scheme, hash)?, &scheme),
        Kind::CramMd5 => {
            let made = Contexts::of_password(password).bytes();
            Ok(equal(&stored::contexts(&scheme, hash)?.bytes(), &made))
        }
        Kind::DigestMd5 => digest::verify_digest_md5(user, password, hash, &scheme),
        Kind::Scram(kind) => {
            let keys = stored::keys(&scheme, kind, hash)?;
            let fits = |password: &[u8]| {
                let made = scram::Keys::of_password(kind, password, &keys.salt, keys.rounds);
                equal(&made.stored_key, &keys.stored_key) && equal(&made.server_key, &keys.server_key)
            };
            // Dovecot makes them from the password as it was typed.
            Ok(match prepared(password) {
                Cow::Borrowed(password) => fits(password),
                Cow::Owned(prepared) => fits(&prepared) || fits(password),
            })
        }
        Kind::PlainTrunc => truncated_fits(password, &plain_bytes(&scheme, hash)?, &scheme),
        _ => crypt::verify(password, &crypt_text(&scheme, hash)?, &scheme.name),
    }
}

/// The stored form of `password`, without the `{SCHEME}` before it. `rounds` is the cost where the scheme has one.
///
/// # Errors
/// [`Error::Rounds`], [`Error::TooLong`], [`Error::UserWanted`].
pub fn generate(
    scheme: &Scheme,
    password: &[u8],
    rounds: Option<u32>,
    random: &[u8; RANDOM_BYTES],
) -> Result<String, Error> {
    generate_for(None, (scheme, password), rounds, random)
}

/// As [`generate`], for a scheme into which the user's name goes.
///
/// # Errors
/// As [`generate`].
pub fn generate_for(
    user: Option<&str>,
    (scheme, password): (&Scheme, &[u8]),
    rounds: Option<u32>,
    random: &[u8; RANDOM_BYTES],
) -> Result<String, Error> {
    if password.len() > PASSWORD_BYTES_MAX {
        return Err(Error::TooLong);
    }
    let name = &scheme.name;
    let made = match scheme.kind {
        // One more than its length: then all of it counts.
        Kind::PlainTrunc => {
            let text = [format!("{}-", password.len() + 1).as_bytes(), password].concat();
            return Ok(digest::encode_plain(&text, scheme.encoding));
        }
        Kind::Plain => return Ok(digest::encode_plain(password, scheme.encoding)),
        Kind::Digest(digest) => return Ok(digest.generate(password, scheme.encoding, random)),
        Kind::CramMd5 => {
            let bytes = Contexts::of_password(password).bytes();
            return Ok(digest::encode(&bytes, scheme.encoding.unwrap_or(Encoding::Hex)));
        }
        Kind::DigestMd5 => {
            let bytes = digest::digest_md5(user, password)?;
            return Ok(digest::encode(&bytes, scheme.encoding.unwrap_or(Encoding::Hex)));
        }
        Kind::Scram(hash) => {
            let rounds = rounds.filter(|rounds| *rounds != 0).unwrap_or(scram::ROUNDS);
            if !(scram::ROUNDS..=scram::ROUNDS_MAX).contains(&rounds) {
                return Err(Error::Rounds {
                    scheme: name.clone(),
                    rounds,
                    low: scram::ROUNDS,
                    high: scram::ROUNDS_MAX,
                });
            }
            scram::Keys::of_password(hash, &prepared(password), &random[..16], rounds).to_string()
        }
        Kind::Pbkdf2 => digest::generate_pbkdf2(password, rounds, random, name)?,
        Kind::Md5Crypt => crypt::generate_md5(password, random),
        Kind::Sha256Crypt => crypt::generate_sha(password, rounds, random, crypt::Sha::Sha256)?,
        Kind::Sha512Crypt => crypt::generate_sha(password, rounds, random, crypt::Sha::Sha512)?,
        Kind::BlfCrypt | Kind::Crypt => crypt::generate_blowfish(password, rounds, random, name)?,
        Kind::Argon2i => crypt::generate_argon2(password, rounds, random, argon2::Algorithm::Argon2i)?,
        Kind::Argon2id => crypt::generate_argon2(password, rounds, random, argon2::Algorithm::Argon2id)?,
    };
    Ok(match scheme.encoding {
        None => made,
        some => digest::encode_plain(made.as_bytes(), some),
    })
}

/// Compares without telling by time where the difference is.
pub(crate) fn equal(a: &[u8], b: &[u8]) -> bool {
    a.ct_eq(b).into()
}

/// Lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    digest::encode(bytes, Encoding::Hex)
}

fn damaged(scheme: &Scheme, what: &'static str) -> Error {
    Error::Damaged {
        scheme: scheme.name.clone(),
        what,
    }
}

/// `LENGTH-text`: a text of that length may be the beginning of the password.
fn truncated_fits(password: &[u8], stored: &[u8], scheme: &Scheme) -> Result<bool, Error> {
    let text = std::str::from_utf8(stored).map_err(|_| damaged(scheme, "it is not text"))?;
    let parts = text.split_once('-');
    let parts = parts.and_then(|(length, text)| Some((length.parse::<usize>().ok()?, text.as_bytes())));
    let (length, text) = parts.ok_or_else(|| damaged(scheme, "LENGTH-text wanted"))?;
    Ok(match password.get(..length) {
        Some(beginning) if text.len() == length && length > 0 => equal(beginning, text),
        _ => equal(password, text),
    })
}

fn plain_bytes(scheme: &Scheme, hash: &str) -> Result<Vec<u8>, Error> {
    match scheme.encoding {
        None => Ok(hash.as_bytes().to_vec()),
        Some(encoding) => digest::decode(hash, encoding, &scheme.name),
    }
}

/// The text of a crypt-like hash, out of its encoding if it has one.
fn crypt_text(scheme: &Scheme, hash: &str) -> Result<String, Error> {
    String::from_utf8(plain_bytes(scheme, hash)?).map_err(|_| Error::Damaged {
        scheme: scheme.name.clone(),
        what: "it is not text",
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const PASSWORD: &str = "pässword1";

    /// Made by Debian's `doveadm pw` (Dovecot 2.3.19) and crypt(3) (libxcrypt 4.4) from [`PASSWORD`].
    const VECTORS: &str = "\
{PLAIN}pässword1
{CLEARTEXT}pässword1
{CLEAR}pässword1
{PLAIN.B64}cMOkc3N3b3JkMQ==
{PLAIN.HEX}70c3a47373776f726431
{PLAIN-MD5}1a9b2eec2b53a921b43fcf4968ae7be5
{PLAIN-MD5.B64}Gpsu7CtTqSG0P89JaK575Q==
{LDAP-MD5}Gpsu7CtTqSG0P89JaK575Q==
{SHA}nGKqSw5rZLlGmAU2eg7o7K29zF8=
{SHA1}nGKqSw5rZLlGmAU2eg7o7K29zF8=
{SHA256}y0poVvuLJsIjTKtWRmm0QV1goaYnnL5qImilSoVsRqI=
{SHA256.HEX}cb4a6856fb8b26c2234cab564669b4415d60a1a6279cbe6a2268a54a856c46a2
{sha256}cb4a6856fb8b26c2234cab564669b4415d60a1a6279cbe6a2268a54a856c46a2
{SHA512}vd5c8rhqp18tiTFTsVPzl2sZTr5XaoM3aTqG8DRnIm9/PRmpbxURtsPJCMQtVmtV/NufAuGRhdPJ1hzTmXw0XA==
{SSHA}HSWhdKCRWYq8kKV3f17F2XCZ+aOGt81a
{SSHA256}QGsMHezKWM8u02cOb4G597q37UNW1zt6CJlMdtTcxQQ6BAjK
{SSHA256.HEX}6fa755c3341fb85551ea2156ff6fa5199fd80efca7bfca43a85b6acab8ffa2e2a68e6d37
{SSHA512}zu+kG7W1UyA+3nFv7PsTd7eNsWuyJhPM5Whulcuslayh1n4UaPTsKB0ZPi85rJH7rYyRSy7d5F5il/OKh7tdB5N+u64=
{SMD5}ubSU9BdDrGccJY2JvQ061MbF4RI=
{MD5-CRYPT}$1$3OS9M1hN$p0xx8BUmlB/voJVe9NupV/
{MD5}$1$WYyuV1jO$LOT4D3xEH9RC8vlKAphj41
$1$abcdefgh$Bv50hyE2.ohWxf3Cka8J30
{SHA256-CRYPT}$5$TDZfrobDSQp4KsMB$4Kio2j49SnMyarXRE4sBH6aAwcsePW/tXVdwQ15pRN8
{SHA512-CRYPT}$6$mkdbPIuU9qFyfzPD$8UDyqMQfopiqtdrjWjcpo9qdXFwHUVbrqPE//z3l2mC9ibmKxVFQpOisn1qB1KLLqVPOSzjdbg/5360kVczBr.
{CRYPT}$6$rounds=1000$abcdefgh$ocGfO1VA2fwUEsogmwnA7DEesXUIzpYkqIiz5n9DAgh0XephoKFmyawblLTIGW6RXL6uj25sID3gnwYV/UaaG/
{CRYPT}$5$rounds=1000$abcdefgh$MnR2aWkWGYdm6161Xlev5BDgn87ZeFZk59Agr/qUk60
{BLF-CRYPT}$2y$05$judOCZkQiDvOKvajFE.vquzPrIpQLAd2JxUkWuW9lSjF1RVh5U146
{CRYPT}$2y$05$pMYTV/4JOWPpED9MRkY/ZeA6IekSILBF3xw9zQ4GM0ImAxa.s7X9a
{ARGON2I}$argon2i$v=19$m=32768,t=4,p=1$E66ojppjUDHHhNjuiO5T6g$K5vk0cy357qPS1Bl0lFP0kYhNmeJf94AZ34y7ZwDF/Q
{ARGON2ID}$argon2id$v=19$m=65536,t=3,p=1$CxSYJ59R0rvve0CoLHnJJg$MPMt10vJ8mI9ki0EbYarPZ1UU+cvntGKiuYho4hwLT0
{CRYPT}$y$j9T$MhmSRcJgHgmjyGcO9Ht2K/$GaI/YfwWgGlgOfaLRrQIotkGlJ5qhew5seWweKhglsA
{PBKDF2}$1$K1VitEM5CuJGWD04$5000$048616fd3cac00422ee7c5c2b996cc19f64cda09
{ARGON2}$argon2i$v=19$m=32768,t=4,p=1$E66ojppjUDHHhNjuiO5T6g$K5vk0cy357qPS1Bl0lFP0kYhNmeJf94AZ34y7ZwDF/Q
{CRAM-MD5}a5eef4acb75eee9d8b3c011a3e0e2a08b8f5d46cce893eedfe96577e5ab45788
{HMAC-MD5}a5eef4acb75eee9d8b3c011a3e0e2a08b8f5d46cce893eedfe96577e5ab45788
{DIGEST-MD5}092a3e4129c54895640e4ee92fa83206
{SCRAM-SHA-1}4096,5ENBMnUqvUyqT+VGlwDbYg==,6qHZJacR/Jr1F8bBbNhXvBzGig8=,/fFDM1PmA4CffRCKNolAL4yhqB0=
{SCRAM-SHA-256}4096,Y2aglPgPQFa7ulZrLZz3mQ==,7qBi8tnBKvqVD3IutyEl4aB2czDjsn6aGfSuef0WE5I=,G0C90WOSZSalBWNpmDdThyRHVXDeY6xcPt4TD8tBevI=
{PLAIN-TRUNC}7-pässwo
{PLAIN-TRUNC}40-pässword1";

    fn plain() -> Scheme {
        "PLAIN".parse::<Scheme>().unwrap().with_weak(Weak::Allowed)
    }

    fn fits(password: &[u8], stored: &str) -> Result<bool, Error> {
        verify_of(Some("alice"), password, stored, &plain())
    }

    #[test]
    fn stored_passwords_of_dovecot_are_verified() {
        for stored in VECTORS.lines() {
            assert_eq!(fits(PASSWORD.as_bytes(), stored), Ok(true), "{stored}");
            assert_eq!(fits(b"password1", stored), Ok(false), "{stored}");
        }
    }

    #[test]
    fn weak_schemes_are_refused_unless_they_are_allowed() {
        let strict: Scheme = "PLAIN".parse().unwrap();
        for stored in VECTORS.lines() {
            let upper = stored.to_ascii_uppercase();
            let is_weak = ["{MD5", "{PLAIN-MD5", "{LDAP-MD5", "{SMD5", "$1$"];
            let is_weak = is_weak.iter().any(|start| upper.starts_with(start));
            let refused = matches!(
                verify_of(Some("alice"), PASSWORD.as_bytes(), stored, &strict),
                Err(Error::WeakScheme(_))
            );
            assert_eq!(refused, is_weak, "{stored}");
        }
        let in_shadow = verify(b"x", "{CRYPT}$1$abcdefgh$Bv50hyE2.ohWxf3Cka8J30", &strict);
        assert!(matches!(in_shadow, Err(Error::WeakScheme(_))));
    }

    #[test]
    fn a_truncated_password_fits_its_beginning_alone() {
        for (stored, password, wanted) in [
            ("{PLAIN-TRUNC}3-abc", "abcd", true),
            ("{PLAIN-TRUNC}3-abc", "ab", false),
            ("{PLAIN-TRUNC}4-abc", "abcd", false),
            ("{PLAIN-TRUNC}4-abc", "abc", true),
            ("{PLAIN-TRUNC}0-", "x", false),
        ] {
            assert_eq!(
                fits(password.as_bytes(), stored),
                Ok(wanted),
                "{stored} {password}"
            );
        }
        assert!(matches!(
            fits(b"abc", "{PLAIN-TRUNC}abc"),
            Err(Error::Damaged { .. })
        ));
    }

    #[test]
    fn what_is_generated_is_verified() {
        let random: [u8; RANDOM_BYTES] =
            std::array::from_fn(|n| n as u8 * 7 + 250_u8.wrapping_add(n as u8) / 2);
        for name in NAMES.iter() {
            let scheme: Scheme = name.parse().unwrap();
            let wanted = (&scheme, PASSWORD.as_bytes());
            let made = generate_for(Some("alice"), wanted, None, &random).unwrap();
            let stored = format!("{{{name}}}{made}");
            assert_eq!(fits(PASSWORD.as_bytes(), &stored), Ok(true), "{stored}");
            assert_eq!(fits(b"other", &stored), Ok(false), "{stored}");
        }
    }

    #[test]
    fn the_cost_can_be_chosen_within_limits() {
        let random = [9; RANDOM_BYTES];
        let made = |name: &str, rounds| generate(&name.parse().unwrap(), b"x", Some(rounds), &random);
        assert!(made("SHA512-CRYPT", 1000).unwrap().starts_with("$6$rounds=1000$"));
        assert!(!made("SHA512-CRYPT", 5000).unwrap().contains("rounds"));
        assert!(made("BLF-CRYPT", 4).unwrap().starts_with("$2y$04$"));
        assert!(made("PBKDF2", 1000).unwrap().contains("$1000$"));
        for (name, rounds) in [
            ("SHA256-CRYPT", 10),
            ("BLF-CRYPT", 3),
            ("BLF-CRYPT", 32),
            ("PBKDF2", u32::MAX),
        ] {
            assert!(
                matches!(made(name, rounds), Err(Error::Rounds { .. })),
                "{name} {rounds}"
            );
        }
    }

    #[test]
    fn scram_prepares_and_believes_what_dovecot_did_not_prepare() {
        let typed = "I\u{ad}X".as_bytes();
        let scheme: Scheme = "SCRAM-SHA-1".parse().unwrap();
        let ours = format!(
            "{{SCRAM-SHA-1}}{}",
            generate(&scheme, typed, None, &[7; RANDOM_BYTES]).unwrap()
        );
        assert_eq!((fits(typed, &ours), fits(b"IX", &ours)), (Ok(true), Ok(true)));
        let dovecots = "{SCRAM-SHA-1}4096,aEusrUMSi52iX4g8SAhE7Q==,2Qf4E2BsCDcPBOQ0MczXLhnd5PQ=,7YgyNih5oe+XE6p4LBleQ1KdHsE=";
        assert_eq!(
            (fits(typed, dovecots), fits(b"IX", dovecots)),
            (Ok(true), Ok(false))
        );
        // Other schemes take what was typed.
        assert_eq!(fits(typed, "{PLAIN}IX"), Ok(false));
    }

    #[test]
    fn the_scheme_may_come_from_elsewhere() {
        let md5 = "PLAIN-MD5".parse::<Scheme>().unwrap().with_weak(Weak::Allowed);
        assert_eq!(
            verify(PASSWORD.as_bytes(), "1a9b2eec2b53a921b43fcf4968ae7be5", &md5),
            Ok(true)
        );
        assert_eq!(verify(b"{x", "{x", &plain()), Ok(true));
        assert_eq!(
            verify(b"x", "{DIGEST-MD5}00000000000000000000000000000000", &plain()),
            Err(Error::UserWanted)
        );
        assert_eq!(
            verify(b"x", "{FOO}x", &plain()),
            Err(Error::UnknownScheme("FOO".to_owned()))
        );
        assert!(matches!(
            verify(b"x", "{DES-CRYPT}abNANd1rDfiNc", &plain()),
            Err(Error::WeakScheme(_) | Error::UnsupportedScheme { .. })
        ));
        assert!(matches!(
            verify(b"x", "{SHA256}zzz", &plain()),
            Err(Error::Damaged { .. })
        ));
        for cut_off in ["{SHA512-CRYPT}$6$x", "{MD5}$1"] {
            assert!(matches!(
                verify(b"x", cut_off, &plain()),
                Err(Error::Damaged { .. })
            ));
        }
        assert_eq!(verify(b"x", "{CRYPT}!", &plain()), Ok(false));
        assert_eq!(
            verify(&[b'x'; PASSWORD_BYTES_MAX + 1], "{PLAIN}x", &plain()),
            Ok(false)
        );
    }

    proptest! {
        #[test]
        fn never_panics(stored in "(\\{(PLAIN|SSHA|MD5|CRYPT|PBKDF2|BLF-CRYPT|ARGON2I|CRAM-MD5|SCRAM-SHA-1|PLAIN-TRUNC)(\\.hex|\\.b64)?\\})?(\\$[156y2a]{1,2})?[$a-z0-9=+/.,é-]{0,40}") {
            let _ = verify(b"x", &stored, &plain());
        }
    }
}
