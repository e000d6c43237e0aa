//! Configurations made by this crate shake hands in memory; wrong files are refused by name.
#![allow(clippy::unwrap_used)] // a panic is how a test fails

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::ServerName;
use rustls::{ClientConnection, ServerConnection};
use tls::client::{self, Algorithm, Anchors, Demand, Judgement, Level, ServerNameIndication};
use tls::pem::Pem;
use tls::session::Description;
use tls::{Error, Protocols, self_signed, server};

/// Runs a handshake and describes the session as the server sees it.
fn shake(
    server: Arc<rustls::ServerConfig>,
    client: Arc<rustls::ClientConfig>,
    name: &str,
) -> Result<Description, rustls::Error> {
    let mut server = ServerConnection::new(server).unwrap();
    let mut client = ClientConnection::new(client, ServerName::try_from(name.to_owned()).unwrap()).unwrap();
    for _ in 0..10 {
        let mut wire = Vec::new();
        while client.wants_write() {
            client.write_tls(&mut wire).unwrap();
        }
        let mut rest = wire.as_slice();
        while !rest.is_empty() {
            server.read_tls(&mut rest).unwrap();
            server.process_new_packets()?;
        }
        let mut wire = Vec::new();
        while server.wants_write() {
            server.write_tls(&mut wire).unwrap();
        }
        let mut rest = wire.as_slice();
        while !rest.is_empty() {
            client.read_tls(&mut rest).unwrap();
            client.process_new_packets()?;
        }
    }
    assert!(!server.is_handshaking() && !client.is_handshaking());
    Ok(Description::of(&server).unwrap())
}

fn server_of(directory: &Path, protocols: Protocols) -> Arc<rustls::ServerConfig> {
    let pair = self_signed::ensure(directory, &["mail.example.test"]).unwrap();
    server::Material::of_files(&pair.cert_file, &pair.key_file, protocols)
        .and_then(|material| material.server())
        .unwrap()
        .config
}

#[test]
fn a_self_signed_pair_is_made_once_and_works() {
    let directory = tempfile::tempdir().unwrap();
    let pair = self_signed::ensure(directory.path(), &["mail.example.test"]).unwrap();
    assert!(pair.is_new);
    assert_eq!(
        std::fs::metadata(&pair.key_file).unwrap().permissions().mode() & 0o777,
        0o600
    );
    let before = std::fs::read(&pair.key_file).unwrap();
    assert!(!self_signed::ensure(directory.path(), &[]).unwrap().is_new);
    assert_eq!(std::fs::read(&pair.key_file).unwrap(), before);

    let server = server::Material::of_files(&pair.cert_file, &pair.key_file, Protocols::default())
        .and_then(|material| material.server())
        .unwrap()
        .config;
    let client = client::config(Protocols::default(), None, ServerNameIndication::Withheld).unwrap();
    let session = shake(server, client, "anything.example").unwrap();
    assert_eq!(
        session.to_string(),
        "TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits)"
    );
    assert_eq!(session.key_exchange, Some("X25519MLKEM768"));
}

#[test]
fn an_old_client_gets_tls_1_2_unless_the_minimum_forbids_it() {
    let directory = tempfile::tempdir().unwrap();
    let only12 = Protocols::of_postfix("TLSv1.2").unwrap();
    let client = || client::config(only12, None, ServerNameIndication::Sent).unwrap();
    let session = shake(
        server_of(directory.path(), Protocols::default()),
        client(),
        "localhost",
    )
    .unwrap();
    assert_eq!(
        session.to_string(),
        "TLSv1.2 with cipher ECDHE-ECDSA-AES256-GCM-SHA384 (256/256 bits)"
    );
    let only13 = Protocols::of_dovecot_minimum("TLSv1.3").unwrap();
    assert!(shake(server_of(directory.path(), only13), client(), "localhost").is_err());
}

#[test]
fn certificates_are_judged_by_authority_name_and_fingerprint() {
    let (ours, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    server_of(ours.path(), Protocols::default());
    server_of(other.path(), Protocols::default());
    let ca = |directory: &Path| Pem::read(&directory.join("cert.pem"), "CA file").unwrap();
    let chain = ca(ours.path()).certificates().unwrap();
    let demand = |level, anchors: Option<&Path>, name: &str| Demand {
        level,
        anchors: anchors.map(|directory| Anchors::of(&[ca(directory)]).unwrap()),
        names: vec![name.to_owned()],
        fingerprints: Vec::new(),
        algorithm: Algorithm::Sha256,
        tlsa: Vec::new(),
    };
    let (ours, other) = (Some(ours.path()), Some(other.path()));
    for (level, anchors, name, wanted) in [
        (Level::Verify, ours, "mail.example.test", Judgement::Verified),
        (Level::Secure, ours, ".example.test", Judgement::Verified),
        (Level::Verify, ours, "127.0.0.1", Judgement::Verified),
        (Level::Verify, ours, "other.example.test", Judgement::Trusted),
        (Level::Encrypt, ours, "mail.example.test", Judgement::Trusted),
        (Level::Verify, other, "mail.example.test", Judgement::Untrusted),
        (Level::Verify, None, "mail.example.test", Judgement::Untrusted),
    ] {
        assert_eq!(
            demand(level, anchors, name).judge(&chain),
            wanted,
            "{level:?} {name}"
        );
    }
    assert_eq!(
        demand(Level::Verify, ours, "mail.example.test").judge(&[]),
        Judgement::Untrusted
    );

    // As OpenSSL makes them, of the certificate and of its key.
    let openssl = |arguments: &str| {
        let file = ours.unwrap().join("cert.pem");
        let command = arguments.replace("FILE", &file.display().to_string());
        let output = std::process::Command::new("sh")
            .args(["-c", &command])
            .output()
            .unwrap();
        String::from_utf8(output.stdout)
            .unwrap()
            .trim()
            .rsplit(['=', ' '])
            .next()
            .unwrap()
            .to_owned()
    };
    let of_certificate = |name: &str| openssl(&format!("openssl x509 -in FILE -noout -fingerprint -{name}"));
    let of_key = openssl(
        "openssl x509 -in FILE -noout -pubkey | openssl pkey -pubin -outform DER | openssl dgst -sha256",
    );
    if of_key.is_empty() {
        println!("skipped: openssl is not installed");
        return;
    }
    let judge = |algorithm, fingerprint: &str| {
        let demand = Demand {
            fingerprints: vec!["00:11".to_owned(), fingerprint.to_owned()],
            algorithm,
            ..demand(Level::Fingerprint, None, "")
        };
        demand.judge(&chain)
    };
    for name in ["md5", "sha1", "sha256", "sha512"] {
        let algorithm = Algorithm::of(name).unwrap();
        assert_eq!(
            judge(algorithm, &of_certificate(name)),
            Judgement::Verified,
            "{name}"
        );
    }
    assert_eq!(judge(Algorithm::Sha256, &of_key), Judgement::Verified);
    assert_eq!(judge(Algorithm::Sha1, &of_key), Judgement::Untrusted);
}

#[test]
fn wrong_files_are_refused_by_name() {
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (a, b) = (
        self_signed::ensure(one.path(), &[]).unwrap(),
        self_signed::ensure(two.path(), &[]).unwrap(),
    );
    let complaint = |cert: &Path, key: &Path| {
        server::Material::of_files(cert, key, Protocols::default())
            .and_then(|material| material.server())
            .unwrap_err()
            .to_string()
    };
    assert_eq!(
        complaint(&a.cert_file, &b.key_file),
        format!(
            "private key {} does not match certificate {}",
            b.key_file.display(),
            a.cert_file.display()
        )
    );
    let missing = one.path().join("missing.pem");
    assert_eq!(
        complaint(&missing, &a.key_file),
        format!(
            "cannot read certificate {}: No such file or directory",
            missing.display()
        )
    );
    assert!(complaint(&a.cert_file, &missing).starts_with("cannot read private key "));
    let text = one.path().join("notes.txt");
    std::fs::write(&text, "hello\n").unwrap();
    assert!(complaint(&text, &a.key_file).contains("there is no certificate in it"));
    assert!(complaint(&a.cert_file, &text).contains("there is no private key in it"));
    assert!(complaint(&a.key_file, &a.key_file).contains("there is no certificate in it"));
    let locked = one.path().join("locked.pem");
    std::fs::write(
        &locked,
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n",
    )
    .unwrap();
    assert!(complaint(&a.cert_file, &locked).contains("is encrypted with a passphrase"));
    let damaged = one.path().join("damaged.pem");
    std::fs::write(
        &damaged,
        "-----BEGIN CERTIFICATE-----\n!!!!\n-----END CERTIFICATE-----\n",
    )
    .unwrap();
    assert!(complaint(&damaged, &a.key_file).contains("damaged PEM text"));
    let rubbish = one.path().join("rubbish.pem");
    std::fs::write(
        &rubbish,
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    )
    .unwrap();
    assert!(complaint(&rubbish, &a.key_file).contains("unusable"));
    std::fs::remove_file(&b.key_file).unwrap();
    assert!(matches!(
        self_signed::ensure(two.path(), &[]),
        Err(Error::HalfPair { .. })
    ));
}

#[test]
fn one_file_may_hold_key_and_chain() {
    let directory = tempfile::tempdir().unwrap();
    let pair = self_signed::ensure(directory.path(), &[]).unwrap();
    let both = directory.path().join("both.pem");
    let text = [
        std::fs::read(&pair.key_file).unwrap(),
        std::fs::read(&pair.cert_file).unwrap(),
    ]
    .concat();
    std::fs::write(&both, &text).unwrap();
    assert!(
        server::Material::of_files(&both, Path::new(""), Protocols::default())
            .and_then(|material| material.server())
            .is_ok()
    );
    assert!(
        server::Material::of_chain_files(&[&both], Protocols::default())
            .and_then(|material| material.server())
            .is_ok()
    );
    assert!(
        server::Material::of_chain_files(&[&pair.key_file, &pair.cert_file], Protocols::default())
            .and_then(|material| material.server())
            .is_ok()
    );
    let value = format!("<{}", both.display());
    assert!(
        Pem::of_dovecot_value(&value, "ssl_key")
            .unwrap()
            .private_key()
            .is_ok()
    );
    assert!(
        Pem::of_dovecot_value(&String::from_utf8(text).unwrap(), "ssl_cert")
            .unwrap()
            .certificates()
            .is_ok()
    );
}
