//! Clients with certificates: good, missing, of somebody else's authority, revoked.
#![allow(clippy::unwrap_used)] // a panic is how a test fails

use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, CertifiedIssuer, DnType,
    ExtendedKeyUsagePurpose, IsCa, KeyIdMethod, KeyPair, KeyUsagePurpose, RevokedCertParams, SerialNumber,
    date_time_ymd,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, ServerConnection};
use tls::client::Algorithm;
use tls::clients::{Clients, Demand, Revocation, Shown, Verified};
use tls::pem::Pem;
use tls::server::{Material, Server};
use tls::{Error, Protocols, self_signed};

type Authority = CertifiedIssuer<'static, KeyPair>;

fn authority(name: &str) -> Authority {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.distinguished_name.push(DnType::CommonName, name);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// A client's certificate and its key.
struct Card {
    certificate: CertificateDer<'static>,
    key: Vec<u8>,
}

fn card(issuer: &Authority, fields: &[(DnType, &str)], serial: u64) -> Card {
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    for (field, value) in fields {
        params.distinguished_name.push(field.clone(), *value);
    }
    params.serial_number = Some(SerialNumber::from(serial));
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    let key = KeyPair::generate().unwrap();
    let certificate = params.signed_by(&key, issuer).unwrap();
    Card {
        certificate: certificate.der().clone(),
        key: key.serialize_der(),
    }
}

fn alice(issuer: &Authority) -> Card {
    card(issuer, &[(DnType::CommonName, "alice")], 7)
}

/// A list of revoked certificates.
fn list(issuer: &Authority, revoked: &[u64], next_year: i32) -> String {
    let revoked = revoked.iter().map(|serial| RevokedCertParams {
        serial_number: SerialNumber::from(*serial),
        revocation_time: date_time_ymd(2020, 1, 1),
        reason_code: None,
        invalidity_date: None,
    });
    let params = CertificateRevocationListParams {
        this_update: date_time_ymd(2020, 1, 1),
        next_update: date_time_ymd(next_year, 1, 1),
        crl_number: SerialNumber::from(1_u64),
        issuing_distribution_point: None,
        revoked_certs: revoked.collect(),
        key_identifier_method: KeyIdMethod::Sha256,
    };
    params.signed_by(issuer).unwrap().pem().unwrap()
}

fn clients(trusted: &str, demand: Demand, revocation: Revocation) -> Clients {
    Clients {
        trusted: Some(Pem::of_text(trusted, "ca.pem")),
        demand,
        revocation,
        username_field: "commonName".to_owned(),
        fingerprints: Algorithm::Sha256,
    }
}

fn server(clients: Clients) -> Result<Server, Error> {
    let directory = tempfile::tempdir().unwrap();
    let pair = self_signed::ensure(directory.path(), &["mail.example.test"]).unwrap();
    Material::of_files(&pair.cert_file, &pair.key_file, Protocols::default())
        .unwrap()
        .asking(Some(clients))
        .server()
}

/// What the server knows of the client after the handshake.
fn shake(server: &Server, card: Option<&Card>, version: &str) -> Result<Option<Verified>, rustls::Error> {
    let connection = shaken(server, card, version)?;
    Ok(server.verified(&connection))
}

/// The server's side of a handshake.
fn shaken(server: &Server, card: Option<&Card>, version: &str) -> Result<ServerConnection, rustls::Error> {
    let protocols = Protocols::of_postfix(version).unwrap();
    let template = tls::client::config(protocols, None, tls::client::ServerNameIndication::Sent).unwrap();
    let mut config = ClientConfig::clone(&template);
    if let Some(card) = card {
        let key = PrivateKeyDer::Pkcs8(card.key.clone().into());
        let provider = template.crypto_provider();
        let signing = provider.key_provider.load_private_key(key).unwrap();
        let certified = rustls::sign::CertifiedKey::new(vec![card.certificate.clone()], signing);
        config.client_auth_cert_resolver = Arc::new(rustls::sign::SingleCertAndKey::from(certified));
    }
    let name = ServerName::try_from("mail.example.test").unwrap();
    let mut client = ClientConnection::new(Arc::new(config), name).unwrap();
    let mut server_side = ServerConnection::new(Arc::clone(&server.config)).unwrap();
    for _ in 0..10 {
        let mut wire = Vec::new();
        while client.wants_write() {
            client.write_tls(&mut wire).unwrap();
        }
        let mut rest = wire.as_slice();
        while !rest.is_empty() {
            server_side.read_tls(&mut rest).unwrap();
            server_side.process_new_packets()?;
        }
        let mut wire = Vec::new();
        while server_side.wants_write() {
            server_side.write_tls(&mut wire).unwrap();
        }
        let mut rest = wire.as_slice();
        while !rest.is_empty() {
            client.read_tls(&mut rest).unwrap();
            client.process_new_packets()?;
        }
    }
    assert!(!server_side.is_handshaking() && !client.is_handshaking());
    Ok(server_side)
}

fn named(user: &str) -> Option<Verified> {
    Some(Verified {
        user: Some(user.to_owned()),
    })
}

#[test]
fn who_is_only_asked_gets_a_connection_in_any_case() {
    let (ours, theirs) = (authority("ours"), authority("theirs"));
    let server = server(clients(&ours.pem(), Demand::Ask, Revocation::Unchecked)).unwrap();
    for version in ["TLSv1.2", "TLSv1.3"] {
        assert_eq!(
            shake(&server, Some(&alice(&ours)), version).unwrap(),
            named("alice")
        );
        assert_eq!(shake(&server, Some(&alice(&theirs)), version).unwrap(), None);
        assert_eq!(shake(&server, None, version).unwrap(), None);
    }
}

#[test]
fn what_is_shown_is_known_whoever_signed_it() {
    let (ours, theirs) = (authority("ours"), authority("theirs"));
    let asking = |trusted: Option<&Authority>, fingerprints| {
        let clients = Clients {
            trusted: trusted.map(|authority| Pem::of_text(authority.pem().as_str(), "ca.pem")),
            fingerprints,
            ..clients("", Demand::Ask, Revocation::Unchecked)
        };
        server(clients).unwrap()
    };
    let shown = |server: &Server, card: &Card| -> Option<Shown> {
        let connection = shaken(server, Some(card), "TLSv1.3").unwrap();
        server.shown(&connection)
    };
    let alice = alice(&theirs);
    let without = asking(None, Algorithm::Sha256);
    let by_nobody = shown(&without, &alice).unwrap();
    assert_eq!(
        (by_nobody.subject.as_str(), by_nobody.issuer.as_str()),
        ("alice", "theirs")
    );
    assert!(
        !by_nobody.is_trusted
            && without
                .verified(&shaken(&without, Some(&alice), "TLSv1.3").unwrap())
                .is_none()
    );
    assert_eq!(by_nobody.fingerprint.len(), 32 * 3 - 1);
    assert_ne!(by_nobody.fingerprint, by_nobody.public_key_fingerprint);
    assert_eq!(
        shown(&asking(Some(&ours), Algorithm::Sha256), &alice),
        Some(by_nobody.clone())
    );
    let trusting = shown(&asking(Some(&theirs), Algorithm::Md5), &alice).unwrap();
    assert!(trusting.is_trusted && trusting.fingerprint.len() == 16 * 3 - 1);
    // Whose key nobody looked at is nobody's.
    let unreadable = Card {
        certificate: CertificateDer::from(vec![0x30, 0x00]),
        key: alice.key.clone(),
    };
    assert_eq!(shown(&without, &unreadable), None);
    let tricky = card(&theirs, &[(DnType::CommonName, "alice\n")], 3);
    assert_eq!(shown(&without, &tricky).unwrap().subject, "");
}

#[test]
fn a_required_certificate_must_be_good() {
    let (ours, theirs) = (authority("ours"), authority("theirs"));
    let server = server(clients(&ours.pem(), Demand::Require, Revocation::Unchecked)).unwrap();
    for version in ["TLSv1.2", "TLSv1.3"] {
        assert_eq!(
            shake(&server, Some(&alice(&ours)), version).unwrap(),
            named("alice")
        );
        assert!(shake(&server, Some(&alice(&theirs)), version).is_err());
        assert!(shake(&server, None, version).is_err());
    }
}

#[test]
fn a_certificate_for_servers_is_no_clients() {
    let ours = authority("ours");
    let server = server(clients(&ours.pem(), Demand::Ask, Revocation::Unchecked)).unwrap();
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, "alice");
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let key = KeyPair::generate().unwrap();
    let card = Card {
        certificate: params.signed_by(&key, &ours).unwrap().der().clone(),
        key: key.serialize_der(),
    };
    assert_eq!(shake(&server, Some(&card), "TLSv1.3").unwrap(), None);
}

#[test]
fn the_user_is_in_the_field_that_is_named() {
    let ours = authority("ours");
    let email = DnType::CustomDnType(vec![1, 2, 840, 113_549, 1, 9, 1]);
    let both = card(
        &ours,
        &[
            (DnType::CommonName, "Alice"),
            (email.clone(), "alice@example.test"),
        ],
        1,
    );
    let neither = card(&ours, &[(DnType::OrganizationName, "Example")], 2);
    let tricky = card(&ours, &[(DnType::CommonName, "alice\0.example.test")], 3);
    let user = |field: &str, card: &Card| {
        let clients = Clients {
            username_field: field.to_owned(),
            ..clients(&ours.pem(), Demand::Ask, Revocation::Unchecked)
        };
        let verified = shake(&server(clients).unwrap(), Some(card), "TLSv1.3").unwrap();
        verified.unwrap().user
    };
    assert_eq!(user("commonName", &both).as_deref(), Some("Alice"));
    for field in ["emailAddress", "1.2.840.113549.1.9.1"] {
        assert_eq!(
            user(field, &both).as_deref(),
            Some("alice@example.test"),
            "{field}"
        );
    }
    assert_eq!(user("CN", &neither), None);
    assert_eq!(user("CN", &tricky), None);
    let unknown = Clients {
        username_field: "comonName".to_owned(),
        ..clients(&ours.pem(), Demand::Ask, Revocation::Unchecked)
    };
    let complaint = server(unknown).unwrap_err().to_string();
    assert!(
        complaint.starts_with("\"comonName\" is not a known part"),
        "{complaint}"
    );
}

#[test]
fn revoked_certificates_are_good_no_more() {
    let ours = authority("ours");
    let good = |lists: &[String]| {
        let text = format!("{}{}", ours.pem(), lists.concat());
        let server = server(clients(&text, Demand::Ask, Revocation::Checked)).unwrap();
        shake(&server, Some(&alice(&ours)), "TLSv1.3").unwrap().is_some()
    };
    assert!(good(&[list(&ours, &[8], 2099)]));
    assert!(!good(&[list(&ours, &[7], 2099)]), "revoked");
    assert!(!good(&[list(&ours, &[], 2021)]), "the list has expired");
    assert!(
        !good(&[list(&authority("other"), &[], 2099)]),
        "another authority's list"
    );
    assert!(!good(&[]), "no list at all");
}

#[test]
fn texts_without_authorities_are_refused() {
    for text in ["", "nothing"] {
        let refused = server(clients(text, Demand::Ask, Revocation::Unchecked));
        assert!(matches!(refused, Err(Error::NoSection { .. })));
    }
    let rubbish = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let refused = server(clients(rubbish, Demand::Ask, Revocation::Unchecked));
    assert!(matches!(refused, Err(Error::Unusable { .. })));
}
