//! What DNSSEC says of a server's certificate: TLSA records (RFC 6698, RFC 7671), as mail uses them (RFC 7672).

use rustls::pki_types::CertificateDer;
use x509_parser::prelude::{FromDer, SubjectPublicKeyInfo, X509Certificate};

use crate::client::{Algorithm, Anchors};

/// The most certificates of a chain that are compared with records.
const CHAIN_MAX: usize = 20;

/// A record that can be used for mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tlsa {
    whose: Whose,
    part: Part,
    how: How,
    data: Vec<u8>,
}

/// Certificate usage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Whose {
    /// 2, DANE-TA: an authority's, which signed the server's.
    Authority,
    /// 3, DANE-EE: the server's own; its names and dates do not matter (RFC 7672 §3.1.1).
    Server,
}

/// Selector.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    /// 0: the whole certificate.
    Certificate,
    /// 1: its public key.
    Key,
}

/// Matching type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum How {
    /// 0: as it is.
    Whole,
    /// 1 (SHA-256) or 2 (SHA-512).
    Digest(Algorithm),
}

impl Tlsa {
    /// The record of these fields; `None` where mail cannot use it: usages 0 and 1 (RFC 7672 §3.1.3), unknown fields, data
    /// that cannot be.
    pub fn of(usage: u8, selector: u8, matching: u8, data: &[u8]) -> Option<Tlsa> {
        let whose = match usage {
            2 => Whose::Authority,
            3 => Whose::Server,
            _ => return None,
        };
        let part = match selector {
            0 => Part::Certificate,
            1 => Part::Key,
            _ => return None,
        };
        let (how, is_possible) = match (matching, part) {
            (0, Part::Certificate) => (How::Whole, X509Certificate::from_der(data).is_ok()),
            (0, Part::Key) => (How::Whole, SubjectPublicKeyInfo::from_der(data).is_ok()),
            (1, _) => (How::Digest(Algorithm::Sha256), data.len() == 32),
            (2, _) => (How::Digest(Algorithm::Sha512), data.len() == 64),
            _ => return None,
        };
        is_possible.then(|| Tlsa {
            whose,
            part,
            how,
            data: data.to_vec(),
        })
    }

    fn is_of(&self, certificate: &CertificateDer<'_>) -> bool {
        let octets = match self.part {
            Part::Certificate => certificate.as_ref(),
            Part::Key => match X509Certificate::from_der(certificate) {
                Ok((_, parsed)) => parsed.tbs_certificate.subject_pki.raw,
                Err(_) => return false,
            },
        };
        match self.how {
            How::Whole => octets == self.data,
            How::Digest(algorithm) => algorithm.digest(octets) == self.data,
        }
    }
}

/// The records that count: of digests of the same thing those by the first algorithm of `order` that there is (RFC 7671 §9), and
/// none by an algorithm that `order` does not have.
pub fn strongest(records: Vec<Tlsa>, order: &[Algorithm]) -> Vec<Tlsa> {
    let rank = |tlsa: &Tlsa| match tlsa.how {
        How::Whole => None,
        How::Digest(algorithm) => Some(
            order
                .iter()
                .position(|known| *known == algorithm)
                .unwrap_or(usize::MAX),
        ),
    };
    let best = |tlsa: &Tlsa| {
        let alike = records
            .iter()
            .filter(|other| (other.whose, other.part) == (tlsa.whose, tlsa.part));
        alike.filter_map(rank).min()
    };
    let counts = |tlsa: &&Tlsa| match rank(tlsa) {
        None => true,
        Some(rank) => rank < usize::MAX && Some(rank) == best(tlsa),
    };
    records.iter().filter(counts).cloned().collect()
}

/// Whether a record is of the certificate, or of an authority that signed it while it bears a right name.
pub(crate) fn is_vouched_for(
    records: &[Tlsa],
    (first, rest): (&CertificateDer<'_>, &[CertificateDer<'_>]),
    bears_name: &dyn Fn() -> bool,
) -> bool {
    let of = |whose: Whose| records.iter().filter(move |tlsa| tlsa.whose == whose);
    if of(Whose::Server).any(|tlsa| tlsa.is_of(first)) {
        return true;
    }
    let shown = rest.iter().take(CHAIN_MAX);
    let shown = shown.filter(|certificate| of(Whose::Authority).any(|tlsa| tlsa.is_of(certificate)));
    // A whole certificate need not be shown by the server (RFC 7671 §5.2.3).
    let whole = of(Whose::Authority).filter(|tlsa| (tlsa.part, tlsa.how) == (Part::Certificate, How::Whole));
    let whole: Vec<CertificateDer<'_>> = whole
        .map(|tlsa| CertificateDer::from(tlsa.data.as_slice()))
        .collect();
    let mut authorities = shown.chain(whole.iter());
    bears_name()
        && authorities.any(|authority| {
            Anchors::of_certificate(authority).is_some_and(|anchors| anchors.trust(first, rest))
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};

    /// A chain: the server's certificate, and the authority's that signed it.
    fn new_chain() -> Vec<CertificateDer<'static>> {
        let key = || KeyPair::generate().expect("a key");
        let mut params = CertificateParams::new(Vec::new()).expect("no names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = CertifiedIssuer::self_signed(params, key()).expect("signed");
        let params = CertificateParams::new(vec!["mx.test".to_owned()]).expect("a name");
        let server = params.signed_by(&key(), &authority).expect("signed");
        vec![server.der().clone(), authority.der().clone()]
    }

    fn key_of(certificate: &CertificateDer<'_>) -> Vec<u8> {
        let (_, parsed) = X509Certificate::from_der(certificate).expect("a certificate");
        parsed.tbs_certificate.subject_pki.raw.to_vec()
    }

    #[test]
    fn records_vouch_for_whom_they_are_about() {
        let (chain, other) = (new_chain(), new_chain());
        let digest = |algorithm: Algorithm, octets: &[u8]| algorithm.digest(octets);
        let (server, authority) = (&chain[0], &chain[1]);
        let vouches = |tlsa: Option<Tlsa>, chain: &[CertificateDer<'_>], name: bool| {
            let records = [tlsa.expect("usable")];
            is_vouched_for(&records, (&chain[0], &chain[1..]), &|| name)
        };
        for (selector, octets) in [(0, server.to_vec()), (1, key_of(server))] {
            for (matching, data) in [
                (0, octets.clone()),
                (1, digest(Algorithm::Sha256, &octets)),
                (2, digest(Algorithm::Sha512, &octets)),
            ] {
                let tlsa = || Tlsa::of(3, selector, matching, &data);
                assert!(vouches(tlsa(), &chain, false), "3 {selector} {matching}");
                assert!(!vouches(tlsa(), &other, true), "3 {selector} {matching}");
                // An authority is somebody else than the server.
                assert!(!vouches(
                    Tlsa::of(2, selector, matching, &data),
                    &chain[..1],
                    true
                ));
            }
        }
        for (selector, octets) in [(0, authority.to_vec()), (1, key_of(authority))] {
            let tlsa = || Tlsa::of(2, selector, 1, &digest(Algorithm::Sha256, &octets));
            assert!(vouches(tlsa(), &chain, true));
            assert!(!vouches(tlsa(), &chain, false));
            assert!(!vouches(tlsa(), &chain[..1], true));
            // Somebody else's certificate, with the right authority's beside it.
            let mixed = [other[0].clone(), authority.clone()];
            assert!(!vouches(tlsa(), &mixed, true));
        }
        assert!(vouches(Tlsa::of(2, 0, 0, authority), &chain[..1], true));
        assert!(!vouches(Tlsa::of(2, 0, 0, &other[1]), &chain, true));
    }

    #[test]
    fn what_mail_cannot_use_is_no_record() {
        for (usage, selector, matching, length) in [
            (0, 1, 1, 32),
            (1, 1, 1, 32),
            (4, 1, 1, 32),
            (3, 2, 1, 32),
            (3, 1, 3, 32),
            (3, 1, 1, 31),
            (3, 1, 2, 32),
            (3, 0, 0, 10),
            (3, 1, 0, 10),
        ] {
            assert_eq!(
                Tlsa::of(usage, selector, matching, &vec![7; length]),
                None,
                "{usage} {selector} {matching}"
            );
        }
    }

    #[test]
    fn the_strongest_digest_counts() {
        let tlsa = |usage, matching, length| Tlsa::of(usage, 1, matching, &vec![7; length]).expect("usable");
        let (weak, strong, authority) = (tlsa(3, 1, 32), tlsa(3, 2, 64), tlsa(2, 1, 32));
        let all = vec![weak.clone(), strong.clone(), authority.clone()];
        let order = [Algorithm::Sha512, Algorithm::Sha256];
        assert_eq!(strongest(all.clone(), &order), [strong, authority.clone()]);
        assert_eq!(strongest(all.clone(), &order[1..]), [weak, authority]);
        assert_eq!(strongest(all, &[]), []);
    }
}
