//! The self-signed certificate that an embedded start makes for itself.

use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rcgen::{
    CertificateParams, DnType, ExtendedKeyUsagePurpose, KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256,
};

use crate::Error;

/// How long a certificate made here is valid, in days (ten years).
pub const VALID_DAYS: u64 = 3652;

/// The two files, `cert.pem` and `key.pem` below one directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pair {
    /// The certificate, mode 0644.
    pub cert_file: PathBuf,
    /// Its ECDSA P-256 key, mode 0600.
    pub key_file: PathBuf,
    /// Whether this call made them.
    pub is_new: bool,
}

/// Makes `cert.pem` and `key.pem` in `directory` unless both are there. The certificate is for `localhost`,
/// `127.0.0.1`, `::1` and `hosts` (names or addresses). Existing files are never overwritten.
///
/// # Errors
/// [`Error::File`], [`Error::HalfPair`], [`Error::Unusable`] for a host that cannot be in a certificate.
pub fn ensure(directory: &Path, hosts: &[&str]) -> Result<Pair, Error> {
    let (cert_file, key_file) = (directory.join("cert.pem"), directory.join("key.pem"));
    let text = |path: &Path| path.display().to_string();
    match (cert_file.exists(), key_file.exists()) {
        (true, true) => {
            return Ok(Pair {
                cert_file,
                key_file,
                is_new: false,
            });
        }
        (true, false) => {
            return Err(Error::HalfPair {
                present: text(&cert_file),
                missing: text(&key_file),
            });
        }
        (false, true) => {
            return Err(Error::HalfPair {
                present: text(&key_file),
                missing: text(&cert_file),
            });
        }
        (false, false) => {}
    }
    let (certificate, key) = make(hosts)?;
    write_new(&cert_file, "certificate", &certificate, 0o644)?;
    if let Err(error) = write_new(&key_file, "private key", &key, 0o600) {
        let _ = std::fs::remove_file(&cert_file);
        return Err(error);
    }
    Ok(Pair {
        cert_file,
        key_file,
        is_new: true,
    })
}

/// Certificate and key as PEM texts.
fn make(hosts: &[&str]) -> Result<(String, String), Error> {
    let failed = |error: rcgen::Error| Error::Unusable {
        file: "self-signed certificate".to_owned(),
        cause: error.to_string(),
    };
    let mut names = vec!["localhost".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned()];
    for host in hosts.iter().filter(|host| !host.is_empty()) {
        if !names.iter().any(|name| name.eq_ignore_ascii_case(host)) {
            names.push((*host).to_owned());
        }
    }
    let subject = hosts
        .first()
        .copied()
        .filter(|host| !host.is_empty())
        .unwrap_or("localhost");
    let mut params = CertificateParams::new(names.clone()).map_err(failed)?;
    params
        .distinguished_name
        .push(DnType::CommonName, subject.chars().take(64).collect::<String>());
    // A day back, so that a client whose clock is a little late accepts it.
    let now = SystemTime::now();
    params.not_before = (now - Duration::from_secs(86_400)).into();
    params.not_after = (now + Duration::from_secs(86_400 * VALID_DAYS)).into();
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(failed)?;
    let certificate = params.self_signed(&key).map_err(failed)?;
    Ok((certificate.pem(), key.serialize_pem()))
}

fn write_new(path: &Path, what: &'static str, text: &str, mode: u32) -> Result<(), Error> {
    let failed = |cause| Error::File {
        action: "write",
        what,
        file: path.display().to_string(),
        cause,
    };
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(path)
        .map_err(failed)?;
    file.write_all(text.as_bytes())
        .and_then(|()| file.sync_all())
        .map_err(failed)
}
