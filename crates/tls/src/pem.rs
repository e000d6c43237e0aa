//! PEM texts: where they come from, the certificates and keys in them.

use std::path::Path;

use rustls::pki_types::pem::{self, PemObject, SectionKind};
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer};

use crate::Error;

/// The largest PEM file that is read, in bytes (a CA bundle is about 200 KiB).
pub const PEM_BYTES_MAX: u64 = 16 * 1024 * 1024;
/// The most certificates that one text may hold.
pub const CERTIFICATES_MAX: usize = 10_000;

/// A PEM text and where it came from.
#[derive(Clone, serde::Serialize, serde::Deserialize)]
pub struct Pem {
    text: Vec<u8>,
    from: String,
}

impl Pem {
    /// Reads a file (Postfix `smtpd_tls_cert_file`). `what` names it in the error: `certificate`, `private key`.
    ///
    /// # Errors
    /// [`Error::File`] when it cannot be read or is larger than [`PEM_BYTES_MAX`].
    pub fn read(path: &Path, what: &'static str) -> Result<Pem, Error> {
        use std::io::Read;
        let failed = |cause| Error::File {
            action: "read",
            what,
            file: path.display().to_string(),
            cause,
        };
        let mut text = Vec::new();
        let file = os::files::open_text(path).map_err(failed)?;
        file.take(PEM_BYTES_MAX + 1)
            .read_to_end(&mut text)
            .map_err(failed)?;
        if text.len() as u64 > PEM_BYTES_MAX {
            return Err(failed(std::io::Error::other("the file is too large")));
        }
        Ok(Pem {
            text,
            from: path.display().to_string(),
        })
    }

    /// A text that is at hand, named after its setting (Dovecot's `ssl_cert`, whose `<file` was read already).
    pub fn of_text(text: impl Into<Vec<u8>>, from: &str) -> Pem {
        Pem {
            text: text.into(),
            from: from.to_owned(),
        }
    }

    /// The value of a Dovecot setting: `<file` is read, anything else is the PEM text itself.
    ///
    /// # Errors
    /// As [`Pem::read`].
    pub fn of_dovecot_value(value: &str, setting: &'static str) -> Result<Pem, Error> {
        match value.trim_start().strip_prefix('<') {
            Some(file) => Pem::read(
                Path::new(file.trim()),
                if setting.contains("key") {
                    "private key"
                } else {
                    "certificate"
                },
            ),
            None => Ok(Pem::of_text(value, setting)),
        }
    }

    /// Several texts as one (Postfix `smtpd_tls_chain_files`: key, then its certificates, in one or more files).
    pub fn join(parts: &[Pem]) -> Pem {
        let text = parts
            .iter()
            .flat_map(|part| part.text.iter().copied().chain([b'\n']))
            .collect();
        Pem {
            text,
            from: parts
                .iter()
                .map(|part| part.from.as_str())
                .collect::<Vec<_>>()
                .join(", "),
        }
    }

    /// Where the text came from: a path or a setting's name.
    pub fn from(&self) -> &str {
        &self.from
    }

    /// All certificates, in the order of the text: the first is the server's own.
    ///
    /// # Errors
    /// [`Error::NoSection`] when there is none, [`Error::DamagedPem`].
    pub fn certificates(&self) -> Result<Vec<CertificateDer<'static>>, Error> {
        let found = CertificateDer::pem_slice_iter(&self.text)
            .take(CERTIFICATES_MAX)
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| self.damaged(error))?;
        if found.is_empty() {
            return Err(Error::NoSection {
                file: self.from.clone(),
                what: "certificate",
                label: "CERTIFICATE",
            });
        }
        Ok(found)
    }

    /// All lists of revoked certificates; there may be none.
    ///
    /// # Errors
    /// [`Error::DamagedPem`].
    pub fn revocation_lists(&self) -> Result<Vec<CertificateRevocationListDer<'static>>, Error> {
        CertificateRevocationListDer::pem_slice_iter(&self.text)
            .take(CERTIFICATES_MAX)
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| self.damaged(error))
    }

    /// The first private key (PKCS#8, PKCS#1 or SEC1).
    ///
    /// # Errors
    /// [`Error::NoSection`], [`Error::EncryptedKey`], [`Error::DamagedPem`].
    pub fn private_key(&self) -> Result<PrivateKeyDer<'static>, Error> {
        if contains(&self.text, b"BEGIN ENCRYPTED PRIVATE KEY")
            || contains(&self.text, b"Proc-Type: 4,ENCRYPTED")
        {
            return Err(Error::EncryptedKey {
                file: self.from.clone(),
            });
        }
        for section in <(SectionKind, Vec<u8>)>::pem_slice_iter(&self.text).take(CERTIFICATES_MAX) {
            let (kind, der) = section.map_err(|error| self.damaged(error))?;
            match kind {
                SectionKind::PrivateKey => return Ok(PrivateKeyDer::Pkcs8(der.into())),
                SectionKind::RsaPrivateKey => return Ok(PrivateKeyDer::Pkcs1(der.into())),
                SectionKind::EcPrivateKey => return Ok(PrivateKeyDer::Sec1(der.into())),
                _ => {}
            }
        }
        Err(Error::NoSection {
            file: self.from.clone(),
            what: "private key",
            label: "PRIVATE KEY",
        })
    }

    fn damaged(&self, error: pem::Error) -> Error {
        Error::DamagedPem {
            file: self.from.clone(),
            cause: error.to_string(),
        }
    }
}

/// Shows where the text came from, never the text: it may be a key.
impl std::fmt::Debug for Pem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Pem({})", self.from)
    }
}

fn contains(text: &[u8], wanted: &[u8]) -> bool {
    text.windows(wanted.len()).any(|window| window == wanted)
}
