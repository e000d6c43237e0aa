//! From when to when a certificate is valid (RFC 5280 §4.1.2.5).

use x509_parser::prelude::{FromDer, X509Certificate};

use crate::Error;
use crate::pem::Pem;

/// The dates of a certificate, in seconds since 1970.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Validity {
    /// Where the certificate came from: a path or a setting's name.
    pub from: String,
    /// Its first second.
    pub begins: i64,
    /// Its last second.
    pub ends: i64,
}

impl Validity {
    /// That of the first certificate of a chain, the server's own.
    ///
    /// # Errors
    /// [`Error::NoSection`], [`Error::DamagedPem`], [`Error::Unusable`].
    pub fn of(chain: &Pem) -> Result<Validity, Error> {
        let unusable = |cause: String| Error::Unusable {
            file: chain.from().to_owned(),
            cause,
        };
        let certificates = chain.certificates()?;
        let first = certificates
            .first()
            .ok_or_else(|| unusable("it is empty".to_owned()))?;
        let (_, certificate) =
            X509Certificate::from_der(first).map_err(|error| unusable(error.to_string()))?;
        let validity = certificate.validity();
        Ok(Validity {
            from: chain.from().to_owned(),
            begins: validity.not_before.timestamp(),
            ends: validity.not_after.timestamp(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::self_signed::{VALID_DAYS, ensure};

    #[test]
    fn our_own_certificate_is_valid_for_years() {
        let directory = tempfile::tempdir().expect("a directory");
        let pair = ensure(directory.path(), &[]).expect("made");
        let chain = Pem::read(&pair.cert_file, "certificate").expect("read");
        let validity = Validity::of(&chain).expect("valid");
        let days = (validity.ends - validity.begins) / 86_400;
        assert!(
            (days - i64::try_from(VALID_DAYS).expect("small")).abs() < 3,
            "{days} days"
        );
        assert!(Validity::of(&Pem::of_text("nothing", "a file")).is_err());
    }
}
