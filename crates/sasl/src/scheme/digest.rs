//! Plain and salted digests, and PBKDF2 in Dovecot's form.

use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use md5::Md5;
use sha1::Sha1;
use sha2::{Sha256, Sha512};

use super::{Encoding, RANDOM_BYTES, Scheme, equal};
use crate::Error;

/// Padding is written, and not insisted on.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// How many bytes of salt new salted digests get, as Dovecot's.
const SALT_BYTES: usize = 4;
/// The most iterations that a stored PBKDF2 hash may demand.
const PBKDF2_ROUNDS_MAX: u32 = 10_000_000;
const PBKDF2_ROUNDS: u32 = 5000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Function {
    Md5,
    Sha1,
    Sha256,
    Sha512,
}

/// A digest scheme.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Digest {
    function: Function,
    is_salted: bool,
    /// How it is written when nothing says otherwise.
    usual: Encoding,
}

impl Digest {
    /// The scheme of that name.
    pub(super) fn named(name: &str) -> Option<Digest> {
        let (function, is_salted) = match name {
            "PLAIN-MD5" | "LDAP-MD5" => (Function::Md5, false),
            "SMD5" => (Function::Md5, true),
            "SHA" | "SHA1" => (Function::Sha1, false),
            "SSHA" => (Function::Sha1, true),
            "SHA256" => (Function::Sha256, false),
            "SSHA256" => (Function::Sha256, true),
            "SHA512" => (Function::Sha512, false),
            "SSHA512" => (Function::Sha512, true),
            _ => return None,
        };
        let usual = if name == "PLAIN-MD5" {
            Encoding::Hex
        } else {
            Encoding::Base64
        };
        Some(Digest {
            function,
            is_salted,
            usual,
        })
    }

    pub(super) fn verify(self, password: &[u8], hash: &str, scheme: &Scheme) -> Result<bool, Error> {
        let size = self.function.size();
        // Without a suffix, what has the length of hexadecimal is hexadecimal.
        let looks_hex = hash.len() == 2 * size || (self.is_salted && hash.len() > 2 * size);
        let is_hex = looks_hex && hash.len().is_multiple_of(2) && hash.bytes().all(|b| b.is_ascii_hexdigit());
        let encoding = scheme
            .encoding
            .unwrap_or(if is_hex { Encoding::Hex } else { Encoding::Base64 });
        let stored = decode(hash, encoding, &scheme.name)?;
        let damaged = |what| Error::Damaged {
            scheme: scheme.name.clone(),
            what,
        };
        if stored.len() < size || (!self.is_salted && stored.len() != size) {
            return Err(damaged("its length is wrong"));
        }
        let (wanted, salt) = stored.split_at(size);
        Ok(equal(wanted, &self.function.of(password, salt)))
    }

    pub(super) fn generate(
        self,
        password: &[u8],
        encoding: Option<Encoding>,
        random: &[u8; RANDOM_BYTES],
    ) -> String {
        let salt = if self.is_salted {
            &random[..SALT_BYTES]
        } else {
            &[]
        };
        let mut bytes = self.function.of(password, salt);
        bytes.extend_from_slice(salt);
        encode(&bytes, encoding.unwrap_or(self.usual))
    }
}

impl Function {
    fn size(self) -> usize {
        match self {
            Function::Md5 => 16,
            Function::Sha1 => 20,
            Function::Sha256 => 32,
            Function::Sha512 => 64,
        }
    }

    fn of(self, password: &[u8], salt: &[u8]) -> Vec<u8> {
        fn digest<D: sha2::Digest>(password: &[u8], salt: &[u8]) -> Vec<u8> {
            D::new()
                .chain_update(password)
                .chain_update(salt)
                .finalize()
                .to_vec()
        }
        match self {
            Function::Md5 => digest::<Md5>(password, salt),
            Function::Sha1 => digest::<Sha1>(password, salt),
            Function::Sha256 => digest::<Sha256>(password, salt),
            Function::Sha512 => digest::<Sha512>(password, salt),
        }
    }
}

/// `$1$salt$rounds$hex`: PBKDF2 with HMAC-SHA-1, 20 bytes; the salt is used as it is written.
pub(super) fn verify_pbkdf2(password: &[u8], hash: &str, scheme: &Scheme) -> Result<bool, Error> {
    let damaged = |what| Error::Damaged {
        scheme: scheme.name.clone(),
        what,
    };
    let parts: Vec<&str> = hash.split('$').collect();
    let ["", "1", salt, rounds, hex] = parts[..] else {
        return Err(damaged("$1$salt$rounds$hash wanted"));
    };
    let rounds: u32 = rounds
        .parse()
        .map_err(|_| damaged("the rounds are not a number"))?;
    if rounds == 0 || rounds > PBKDF2_ROUNDS_MAX {
        return Err(damaged("the rounds are out of range"));
    }
    let stored = decode(hex, Encoding::Hex, &scheme.name)?;
    if stored.len() != 20 {
        return Err(damaged("its length is wrong"));
    }
    Ok(equal(&stored, &pbkdf2_sha1(password, salt.as_bytes(), rounds)))
}

pub(super) fn generate_pbkdf2(
    password: &[u8],
    rounds: Option<u32>,
    random: &[u8; RANDOM_BYTES],
    name: &str,
) -> Result<String, Error> {
    let rounds = rounds.filter(|rounds| *rounds != 0).unwrap_or(PBKDF2_ROUNDS);
    if rounds > PBKDF2_ROUNDS_MAX {
        return Err(Error::Rounds {
            scheme: name.to_owned(),
            rounds,
            low: 1,
            high: PBKDF2_ROUNDS_MAX,
        });
    }
    let salt = BASE64.encode(&random[..12]).replace('+', ".");
    let key = pbkdf2_sha1(password, salt.as_bytes(), rounds);
    Ok(format!("$1${salt}${rounds}${}", encode(&key, Encoding::Hex)))
}

fn pbkdf2_sha1(password: &[u8], salt: &[u8], rounds: u32) -> [u8; 20] {
    let mut key = [0; 20];
    pbkdf2::pbkdf2_hmac::<Sha1>(password, salt, rounds, &mut key);
    key
}

/// DIGEST-MD5's: the MD5 of `user:realm:password`, the realm being what follows the `@` (RFC 2831 §2.1.2.1).
pub(super) fn digest_md5(user: Option<&str>, password: &[u8]) -> Result<[u8; 16], Error> {
    let user = user.ok_or(Error::UserWanted)?;
    let (name, realm) = user.split_once('@').unwrap_or((user, ""));
    let parts = [name.as_bytes(), realm.as_bytes(), password].join(&b':');
    Ok(<Md5 as sha2::Digest>::digest(parts).into())
}

pub(super) fn verify_digest_md5(
    user: Option<&str>,
    password: &[u8],
    hash: &str,
    scheme: &Scheme,
) -> Result<bool, Error> {
    let encoding = scheme.encoding.unwrap_or(match hash.len() {
        32 => Encoding::Hex,
        _ => Encoding::Base64,
    });
    let stored = decode(hash, encoding, &scheme.name)?;
    if stored.len() != 16 {
        return Err(super::damaged(scheme, "its length is wrong"));
    }
    Ok(equal(&stored, &digest_md5(user, password)?))
}

/// `bytes` as they are (they are text) or encoded.
pub(super) fn encode_plain(bytes: &[u8], encoding: Option<Encoding>) -> String {
    match encoding {
        None => String::from_utf8_lossy(bytes).into_owned(),
        Some(encoding) => encode(bytes, encoding),
    }
}

pub(super) fn encode(bytes: &[u8], encoding: Encoding) -> String {
    match encoding {
        Encoding::Base64 => BASE64.encode(bytes),
        Encoding::Hex => bytes.iter().map(|byte| format!("{byte:02x}")).collect(),
    }
}

pub(super) fn decode(text: &str, encoding: Encoding, scheme: &str) -> Result<Vec<u8>, Error> {
    let damaged = |what| Error::Damaged {
        scheme: scheme.to_owned(),
        what,
    };
    match encoding {
        Encoding::Base64 => BASE64.decode(text).map_err(|_| damaged("it is not base64")),
        Encoding::Hex => {
            let digits: Option<Vec<u8>> = text.chars().map(|c| c.to_digit(16).map(|d| d as u8)).collect();
            let digits = digits.filter(|digits| digits.len().is_multiple_of(2));
            let digits = digits.ok_or_else(|| damaged("it is not hexadecimal"))?;
            Ok(digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect())
        }
    }
}
