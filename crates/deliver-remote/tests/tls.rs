//! Security levels against a peer with a certificate of its own, and what the log says of them.
#![allow(clippy::unwrap_used)] // a test fails by panic

mod peers;

use envelope::{DeliveryResult, Outcome};
use peers::{Nature, Peer, Then, remote, run, send, settings, tls_of_server};
use settings::{DnsSupport, Postfix, TableRef, TlsLevel};
use sha2::{Digest, Sha256, Sha512};

const MESSAGE: &str = "Subject: x\r\n\r\nbody\r\n";
const ZONE: &str = "mx.test A 127.0.0.1\nother.test A 127.0.0.1\nd.test MX 10 mx.test\n";

/// A peer with a certificate for `mx.test` and its domain's `*.d.test`.
struct Secured {
    peer: Peer,
    certificate: String,
    _directory: tempfile::TempDir,
}

impl Secured {
    fn start(nature: impl FnOnce(Nature) -> Nature) -> Secured {
        let directory = tempfile::tempdir().unwrap();
        let (tls, certificate) = tls_of_server(directory.path(), &["mx.test", "sub.d.test"]);
        let nature = nature(Nature {
            offers: vec!["STARTTLS"],
            tls: Some(tls),
            ..Nature::default()
        });
        Secured {
            peer: Peer::start(nature),
            certificate: certificate.display().to_string(),
            _directory: directory,
        }
    }

    /// What became of one message, and the lines about TLS, without the port and the cipher.
    fn deliver(&self, settings: &Postfix, next_hop: &str) -> (Outcome, Vec<String>) {
        self.deliver_in(settings, ZONE, next_hop)
    }

    /// The same in another zone.
    fn deliver_in(&self, settings: &Postfix, zone: &str, next_hop: &str) -> (Outcome, Vec<String>) {
        let (log, captured) = maillog::Log::to_memory();
        let remote = remote(settings, zone).logging_to(log);
        let port = format!(":{}", self.peer.port);
        let next_hop = deliver_remote::NextHop::smtp(&format!("{next_hop}{port}"), "smtp").unwrap();
        let mut delivery = run(async { send(&remote, next_hop, MESSAGE).await });
        let lines = captured.lines().into_iter().map(|line| {
            let line = line.replace(&port, "");
            line.split(": TLSv1").next().unwrap().to_owned()
        });
        (delivery.outcomes.remove(0), lines.collect())
    }
}

fn level(level: TlsLevel) -> Postfix {
    let mut settings = settings();
    settings.smtp_tls_security_level = level;
    settings.smtp_tls_loglevel = 1;
    settings
}

const TAKEN: &str = "2.0.0 250 2.0.0 taken";

#[test]
fn levels_demand_what_they_say() {
    let secured = Secured::start(|nature| nature);
    let said = |settings: &Postfix, next_hop: &str| {
        let (outcome, lines) = secured.deliver(settings, next_hop);
        let trust = lines
            .first()
            .map(|line| line.split(' ').nth(1).unwrap().to_owned());
        (
            format!("{} {}", outcome.status, outcome.text),
            trust.unwrap_or_default(),
        )
    };
    let with_authority = |wanted| {
        let mut settings = level(wanted);
        settings.smtp_tls_CAfile = secured.certificate.clone();
        settings
    };
    let pair = |text: &str, trust: &str| (text.to_owned(), trust.to_owned());
    let no_name = pair("4.7.5 Server certificate not verified", "Trusted");
    assert_eq!(said(&level(TlsLevel::None), "[mx.test]"), pair(TAKEN, ""));
    assert_eq!(said(&level(TlsLevel::May), "[mx.test]"), pair(TAKEN, "Untrusted"));
    assert_eq!(
        said(&level(TlsLevel::Encrypt), "[mx.test]"),
        pair(TAKEN, "Untrusted")
    );
    assert_eq!(
        said(&with_authority(TlsLevel::May), "[other.test]"),
        pair(TAKEN, "Trusted")
    );
    assert_eq!(
        said(&with_authority(TlsLevel::Verify), "[mx.test]"),
        pair(TAKEN, "Verified")
    );
    assert_eq!(said(&with_authority(TlsLevel::Verify), "[other.test]"), no_name);
    // The exchanger's name comes from DNS, which `secure` does not trust; but the certificate has a name below d.test, too.
    assert_eq!(
        said(&with_authority(TlsLevel::Verify), "d.test"),
        pair(TAKEN, "Verified")
    );
    assert_eq!(
        said(&with_authority(TlsLevel::Secure), "d.test"),
        pair(TAKEN, "Verified")
    );
    let mut strict = with_authority(TlsLevel::Secure);
    strict.smtp_tls_secure_cert_match = vec!["nexthop".to_owned()];
    assert_eq!(said(&strict, "d.test"), no_name);
    let stranger = tempfile::tempdir().unwrap();
    let (_, certificate) = tls_of_server(stranger.path(), &["mx.test"]);
    let mut strange = level(TlsLevel::Verify);
    strange.smtp_tls_CAfile = certificate.display().to_string();
    let untrusted = pair("4.7.5 Server certificate not verified", "Untrusted");
    assert_eq!(said(&strange, "[mx.test]"), untrusted);
    // No mail was given to whom it is not meant for.
    let heard = secured.peer.heard();
    assert_eq!(
        heard.iter().filter(|lines| lines.contains("MAIL FROM")).count(),
        7
    );
}

#[test]
fn the_log_names_the_peer() {
    let secured = Secured::start(|nature| nature);
    let (outcome, lines) = secured.deliver(&level(TlsLevel::May), "[mx.test]");
    assert_eq!(outcome.result, DeliveryResult::Relayed);
    assert_eq!(
        lines,
        ["postfix/smtp: Untrusted TLS connection established to mx.test[127.0.0.1]"]
    );
    let mut noting = level(TlsLevel::None);
    noting.smtp_tls_note_starttls_offer = true;
    let (_, lines) = secured.deliver(&noting, "[mx.test]");
    assert_eq!(lines, ["postfix/smtp: Host offered STARTTLS: [mx.test]"]);
}

#[test]
fn policies_choose_by_destination() {
    let secured = Secured::start(|nature| nature);
    let mut settings = level(TlsLevel::None);
    let port = secured.peer.port;
    let rows = format!(
        "{{ {{ [mx.test]:{port} = verify match=nothing.test tafile={file} }} {{ d.test:{port} = secure tafile={file} }} \
         {{ [other.test]:{port} = dane-only }} }}",
        file = secured.certificate
    );
    settings.smtp_tls_policy_maps = vec![TableRef::new("inline", &rows)];
    assert_eq!(
        secured.deliver(&settings, "[mx.test]").0.text,
        "Server certificate not verified"
    );
    let (outcome, lines) = secured.deliver(&settings, "d.test");
    assert_eq!(outcome.result, DeliveryResult::Relayed);
    assert!(lines[0].contains("Verified TLS connection"), "{lines:?}");
    let (outcome, lines) = secured.deliver(&settings, "[other.test]");
    assert_eq!(outcome.text, "client TLS configuration problem");
    assert!(lines[0].contains("warning: TLS policy table"), "{lines:?}");
}

#[test]
fn tls_from_the_first_octet() {
    let secured = Secured::start(|nature| Nature {
        is_wrapped: true,
        ..nature
    });
    let mut settings = level(TlsLevel::Encrypt);
    settings.smtp_tls_wrappermode = true;
    assert_eq!(secured.deliver(&settings, "[mx.test]").0.text, "250 2.0.0 taken");
    settings.smtp_tls_security_level = TlsLevel::Verify;
    settings.smtp_tls_CAfile = secured.certificate.clone();
    assert_eq!(secured.deliver(&settings, "[mx.test]").0.text, "250 2.0.0 taken");
    assert_eq!(
        secured.deliver(&settings, "[other.test]").0.text,
        "Server certificate not verified"
    );
}

/// Wants a certificate of every client, and takes any.
#[derive(Debug)]
struct WantsOne;

impl rustls::server::danger::ClientCertVerifier for WantsOne {
    fn root_hint_subjects(&self) -> &[rustls::DistinguishedName] {
        &[]
    }
    fn verify_client_cert(
        &self,
        _: &rustls::pki_types::CertificateDer<'_>,
        _: &[rustls::pki_types::CertificateDer<'_>],
        _: rustls::pki_types::UnixTime,
    ) -> Result<rustls::server::danger::ClientCertVerified, rustls::Error> {
        Ok(rustls::server::danger::ClientCertVerified::assertion())
    }
    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &rustls::pki_types::CertificateDer<'_>,
        _: &rustls::DigitallySignedStruct,
    ) -> Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error> {
        Ok(rustls::client::danger::HandshakeSignatureValid::assertion())
    }
    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &rustls::pki_types::CertificateDer<'_>,
        signed: &rustls::DigitallySignedStruct,
    ) -> Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error> {
        self.verify_tls12_signature(message, certificate, signed)
    }
    fn supported_verify_schemes(&self) -> Vec<rustls::SignatureScheme> {
        let provider = rustls::crypto::aws_lc_rs::default_provider();
        provider.signature_verification_algorithms.supported_schemes()
    }
}

#[test]
fn the_client_shows_its_certificate_and_tells_the_servers_name_if_it_is_to() {
    use std::sync::{Arc, Mutex};
    #[derive(Debug)]
    struct Listening(Arc<rustls::sign::CertifiedKey>, Mutex<Vec<Option<String>>>);
    impl rustls::server::ResolvesServerCert for Listening {
        fn resolve(&self, hello: rustls::server::ClientHello<'_>) -> Option<Arc<rustls::sign::CertifiedKey>> {
            self.1
                .lock()
                .unwrap()
                .push(hello.server_name().map(str::to_owned));
            Some(Arc::clone(&self.0))
        }
    }
    let directory = tempfile::tempdir().unwrap();
    let pair = tls::self_signed::ensure(directory.path(), &["mx.test"]).unwrap();
    let pem = |file: &std::path::Path| tls::pem::Pem::read(file, "test").unwrap();
    let provider = rustls::crypto::aws_lc_rs::default_provider();
    let key = provider
        .key_provider
        .load_private_key(pem(&pair.key_file).private_key().unwrap());
    let certified =
        rustls::sign::CertifiedKey::new(pem(&pair.cert_file).certificates().unwrap(), key.unwrap());
    let listening = Arc::new(Listening(Arc::new(certified), Mutex::default()));
    let config = rustls::ServerConfig::builder_with_provider(Arc::new(provider))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(Arc::new(WantsOne))
        .with_cert_resolver(Arc::clone(&listening) as Arc<dyn rustls::server::ResolvesServerCert>);
    let secured = Secured::start(|nature| Nature {
        tls: Some(Arc::new(config)),
        ..nature
    });
    let mut settings = level(TlsLevel::Encrypt);
    assert_eq!(
        secured.deliver(&settings, "[mx.test]").0.result,
        DeliveryResult::Deferred
    );
    settings.smtp_tls_cert_file = pair.cert_file.display().to_string();
    settings.smtp_tls_key_file = pair.key_file.display().to_string();
    settings.smtp_tls_servername = "hostname".to_owned();
    assert_eq!(secured.deliver(&settings, "[mx.test]").0.text, "250 2.0.0 taken");
    assert_eq!(*listening.1.lock().unwrap(), [None, Some("mx.test".to_owned())]);
}

#[test]
fn text_behind_the_leave_to_start_is_refused() {
    let secured = Secured::start(|nature| Nature {
        answers: vec![("STARTTLS", "220 go\r\n250 injected\r\n", Then::GoesOn)],
        ..nature
    });
    let (outcome, _) = secured.deliver(&level(TlsLevel::Encrypt), "[mx.test]");
    assert_eq!(outcome.result, DeliveryResult::Deferred);
    assert_eq!(
        outcome.text,
        "host mx.test[127.0.0.1] sent text behind its STARTTLS reply"
    );
}

/// What Debian's Postfix 3.7 does with the same records: text, and trust in the log.
#[test]
fn certificates_are_those_that_dnssec_names() {
    let secured = Secured::start(|nature| nature);
    let pem = tls::pem::Pem::read(secured.certificate.as_ref(), "certificate").unwrap();
    let certificate = pem.certificates().unwrap().remove(0);
    let digits = |octets: &[u8]| {
        octets
            .iter()
            .map(|octet| format!("{octet:02x}"))
            .collect::<String>()
    };
    let (right, strong) = (
        digits(&Sha256::digest(&certificate)),
        digits(&Sha512::digest(&certificate)),
    );
    let wrong = "00".repeat(32);
    let of = |host: &str| format!("_{}._tcp.{host}", secured.peer.port);
    let mut zone = String::new();
    let mut host = |name: &str, tlsa: &[String]| {
        zone.push_str(&format!("{name}.test A 127.0.0.1\n{name}.test SECURE\n"));
        zone.push_str(&format!(
            "{name}-domain.test MX 10 {name}.test\n{name}-domain.test SECURE\n"
        ));
        zone.push_str(&format!("{name}-forged.test MX 10 {name}.test\n"));
        let below = of(&format!("{name}.test"));
        zone.push_str(&format!("{below} SECURE\n"));
        tlsa.iter()
            .for_each(|record| zone.push_str(&format!("{below} TLSA {record}\n")));
    };
    host("right", &[format!("3 0 1 {right}")]);
    host("several", &[format!("3 0 1 {wrong}"), format!("3 0 2 {strong}")]);
    host("wrong", &[format!("3 0 1 {wrong}")]);
    host(
        "weak",
        &[format!("3 0 1 {right}"), format!("3 0 2 {wrong}{wrong}")],
    );
    host("unusable", &[format!("1 0 1 {right}")]);
    host("none", &[]);
    zone.push_str(&format!(
        "ill.test A 127.0.0.1\nill.test SECURE\nill-domain.test MX 10 ill.test\nill-domain.test SECURE\n{} SERVFAIL\n\
         insecure.test A 127.0.0.1\ninsecure-domain.test MX 10 insecure.test\ninsecure-domain.test SECURE\n\
         {below} SECURE\n{below} TLSA 3 0 1 {wrong}\n",
        of("ill.test"),
        below = of("insecure.test"),
    ));
    let said = |settings: &Postfix, next_hop: &str| {
        let (outcome, lines) = secured.deliver_in(settings, &zone, &format!("{next_hop}.test"));
        let established = lines.iter().find(|line| line.contains("TLS connection"));
        let trust = established.map_or("", |line| line.split(' ').nth(1).unwrap());
        format!("{} {} {trust}", outcome.status, outcome.text)
    };
    let mut dane = level(TlsLevel::Dane);
    dane.smtp_dns_support_level = DnsSupport::Dnssec;
    dane.smtp_tls_dane_insecure_mx_policy = "dane".to_owned();
    let mut only = dane.clone();
    only.smtp_tls_security_level = TlsLevel::DaneOnly;
    let waits = |why: &str| format!("4.7.5 {why} ");
    let taken = |trust: &str| format!("{TAKEN} {trust}");
    let refused = "4.7.5 Server certificate not verified Untrusted".to_owned();
    for (next_hop, by_dane, by_dane_only) in [
        ("right-domain", taken("Verified"), taken("Verified")),
        ("several-domain", taken("Verified"), taken("Verified")),
        ("wrong-domain", refused.clone(), refused.clone()),
        ("weak-domain", refused.clone(), refused.clone()),
        (
            "unusable-domain",
            taken("Untrusted"),
            waits("TLSA records unusable"),
        ),
        ("none-domain", taken("Untrusted"), waits("no TLSA records found")),
        (
            "insecure-domain",
            taken("Untrusted"),
            waits("no TLSA records found"),
        ),
        ("right-forged", taken("Trusted"), waits("non DNSSEC destination")),
        ("wrong-forged", refused.clone(), waits("non DNSSEC destination")),
    ] {
        assert_eq!(said(&dane, next_hop), by_dane, "{next_hop}");
        assert_eq!(said(&only, next_hop), by_dane_only, "{next_hop}");
    }
    let ill = waits(&format!("TLSA lookup error for ill.test:{}", secured.peer.port));
    assert_eq!(said(&dane, "ill-domain"), ill);
    dane.smtp_tls_dane_insecure_mx_policy = "may".to_owned();
    assert_eq!(said(&dane, "wrong-forged"), taken("Untrusted"));
    // Without DNSSEC nothing is known of anybody.
    dane.smtp_dns_support_level = DnsSupport::Enabled;
    assert_eq!(said(&dane, "wrong-domain"), taken("Untrusted"));
    only.smtp_dns_support_level = DnsSupport::Enabled;
    assert_eq!(
        said(&only, "right-domain"),
        waits("client TLS configuration problem")
    );
}
