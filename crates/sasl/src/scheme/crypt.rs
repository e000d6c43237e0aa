//! crypt(3) hashes by their `$id$`: MD5, SHA-2, bcrypt, yescrypt; and Argon2.

use argon2::{Algorithm, Argon2};
use sha_crypt::{PasswordHasher, PasswordVerifier, ShaCrypt};

use super::{RANDOM_BYTES, equal, md5_crypt};
use crate::Error;

/// Dovecot's costs.
const BLOWFISH_COST: u32 = 5;
const ARGON2I: (u32, u32) = (32 * 1024, 4);
const ARGON2ID: (u32, u32) = (64 * 1024, 3);
/// What SHA-crypt does when nothing is said.
const SHA_ROUNDS: u32 = 5000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sha {
    Sha256,
    Sha512,
}

/// Verifies by the hash's own prefix, whatever crypt-like scheme was named.
pub(super) fn verify(password: &[u8], hash: &str, scheme: &str) -> Result<bool, Error> {
    let damaged = |what| Error::Damaged {
        scheme: scheme.to_owned(),
        what,
    };
    let id = hash
        .strip_prefix('$')
        .and_then(|rest| rest.split('$').next())
        .unwrap_or("");
    match id {
        "1" => {
            let Some(salted) = hash.strip_prefix("$1$") else {
                return Err(damaged("it ends before its salt"));
            };
            let salt = salted.split('$').next().unwrap_or("");
            Ok(equal(md5_crypt::hash(password, salt).as_bytes(), hash.as_bytes()))
        }
        "5" | "6" => outcome(ShaCrypt::default().verify_password(password, hash), scheme),
        "2a" | "2b" | "2x" | "2y" => {
            bcrypt::verify(password, hash).map_err(|_| damaged("it is not a bcrypt hash"))
        }
        "y" => outcome(
            yescrypt::Yescrypt::default().verify_password(password, hash),
            scheme,
        ),
        "argon2i" | "argon2id" | "argon2d" => {
            outcome(Argon2::default().verify_password(password, hash), scheme)
        }
        // What shadow(5) writes for "no password will ever fit".
        "" if hash.starts_with(['!', '*']) => Ok(false),
        "" if matches!(scheme, "CRYPT" | "DES-CRYPT") => Err(super::unsupported("DES-CRYPT")),
        "" => Err(damaged("it does not begin as a hash of the scheme does")),
        _ => Err(Error::UnsupportedScheme {
            scheme: format!("CRYPT with ${id}$"),
            why: "Yubin does not have this kind of crypt(3)",
        }),
    }
}

fn outcome(result: Result<(), argon2::password_hash::Error>, scheme: &str) -> Result<bool, Error> {
    match result {
        Ok(()) => Ok(true),
        Err(argon2::password_hash::Error::PasswordInvalid) => Ok(false),
        Err(_) => Err(Error::Damaged {
            scheme: scheme.to_owned(),
            what: "its parts are not what the scheme makes",
        }),
    }
}

pub(super) fn generate_md5(password: &[u8], random: &[u8; RANDOM_BYTES]) -> String {
    md5_crypt::hash(password, &md5_crypt::salt(&random[..md5_crypt::SALT_BYTES_MAX]))
}

pub(super) fn generate_sha(
    password: &[u8],
    rounds: Option<u32>,
    random: &[u8; RANDOM_BYTES],
    sha: Sha,
) -> Result<String, Error> {
    let (id, name) = match sha {
        Sha::Sha256 => ("5", "SHA256-CRYPT"),
        Sha::Sha512 => ("6", "SHA512-CRYPT"),
    };
    let rounds = rounds.filter(|rounds| *rounds != 0).unwrap_or(SHA_ROUNDS);
    let out_of_range = || Error::Rounds {
        scheme: name.to_owned(),
        rounds,
        low: 1000,
        high: 999_999_999,
    };
    let params = sha_crypt::Params::new(rounds).map_err(|_| out_of_range())?;
    let hasher = match sha {
        Sha::Sha256 => ShaCrypt::new(sha_crypt::Algorithm::Sha256Crypt, params),
        Sha::Sha512 => ShaCrypt::new(sha_crypt::Algorithm::Sha512Crypt, params),
    };
    // Twelve bytes make the sixteen characters of salt that count.
    let hash = hasher
        .hash_password_with_salt(password, &random[..12])
        .map_err(|_| out_of_range())?;
    // crypt(3) writes the rounds only when they are not the usual ones.
    Ok(hash
        .as_str()
        .replacen(&format!("${id}$rounds={SHA_ROUNDS}$"), &format!("${id}$"), 1))
}

pub(super) fn generate_blowfish(
    password: &[u8],
    rounds: Option<u32>,
    random: &[u8; RANDOM_BYTES],
    name: &str,
) -> Result<String, Error> {
    let rounds = rounds.filter(|rounds| *rounds != 0).unwrap_or(BLOWFISH_COST);
    let mut salt = [0; 16];
    salt.copy_from_slice(&random[..16]);
    let out_of_range = || Error::Rounds {
        scheme: name.to_owned(),
        rounds,
        low: 4,
        high: 31,
    };
    let parts = bcrypt::hash_with_salt(password, rounds, salt).map_err(|_| out_of_range())?;
    Ok(parts.format_for_version(bcrypt::Version::TwoY))
}

pub(super) fn generate_argon2(
    password: &[u8],
    rounds: Option<u32>,
    random: &[u8; RANDOM_BYTES],
    algorithm: Algorithm,
) -> Result<String, Error> {
    let (memory, time) = if algorithm == Algorithm::Argon2i {
        ARGON2I
    } else {
        ARGON2ID
    };
    let time = rounds.filter(|rounds| *rounds != 0).unwrap_or(time);
    let name = if algorithm == Algorithm::Argon2i {
        "ARGON2I"
    } else {
        "ARGON2ID"
    };
    let out_of_range = || Error::Rounds {
        scheme: name.to_owned(),
        rounds: time,
        low: 1,
        high: 1000,
    };
    if time > 1000 {
        return Err(out_of_range());
    }
    let params = argon2::Params::new(memory, time, 1, None).map_err(|_| out_of_range())?;
    let hasher = Argon2::new(algorithm, argon2::Version::V0x13, params);
    hasher
        .hash_password_with_salt(password, &random[..16])
        .map(|hash| hash.to_string())
        .map_err(|_| out_of_range())
}
