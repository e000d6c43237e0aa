//! Certificates of clients and of the server, and their fingerprints.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use system_tests::program;
use tls::client::{Own, ServerNameIndication};
use tls::pem::Pem;
use tls::rustls::ClientConfig;

/// Who has which certificate: `carol` of the authority `ours`, `mallory` of another one.
const CARDS: [(&str, &str, &str); 3] = [
    ("ours", "server", "/CN=mx.example.test"),
    ("ours", "carol", "/O=Example/CN=carol"),
    ("theirs", "mallory", "/CN=mallory"),
];

/// A directory of certificates.
pub(super) struct Cards(PathBuf);

impl Cards {
    /// Makes them in a directory that everybody may read.
    pub(super) fn make(directory: PathBuf) -> Cards {
        fs::create_dir(&directory).unwrap();
        let cards = Cards(directory);
        let key = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes";
        for (authority, subject) in [("ours", "/CN=Our authority"), ("theirs", "/O=Their organization")] {
            let mut arguments = words(&format!(
                "req -x509 -days 2 {key} -keyout {authority}.key -out {authority}.pem -subj"
            ));
            arguments.push(subject.to_owned());
            cards.openssl(&arguments);
        }
        for (authority, name, subject) in CARDS {
            cards.openssl(&words(&format!(
                "req {key} -subj {subject} -keyout {name}.key -out {name}.csr"
            )));
            cards.openssl(&words(&format!(
                "x509 -req -days 2 -in {name}.csr -CA {authority}.pem -CAkey {authority}.key -CAcreateserial -extfile \
                 extensions -out {name}.pem"
            )));
        }
        cards
    }

    fn openssl(&self, arguments: &[String]) -> String {
        // Version 3 of X.509, which the TLS libraries want.
        fs::write(self.0.join("extensions"), "basicConstraints=CA:FALSE\n").unwrap();
        let mut command = Command::new("openssl");
        command.args(arguments).current_dir(&self.0);
        let finished = program::run(&mut command, b"");
        let text = finished.stdout.clone();
        finished.success();
        for entry in fs::read_dir(&self.0).unwrap() {
            fs::set_permissions(entry.unwrap().path(), fs::Permissions::from_mode(0o644)).unwrap();
        }
        text
    }

    pub(super) fn file(&self, name: &str) -> String {
        self.0.join(name).display().to_string()
    }

    /// `carol.cert`, `carol.key`: the digests of certificate and public key, and `carol.md5`.
    pub(super) fn fingerprints(&self) -> Vec<(String, String)> {
        let mut names = Vec::new();
        for (_, name, _) in CARDS {
            for (kind, digest) in [("cert", "sha256"), ("md5", "md5")] {
                let text = self.openssl(&words(&format!(
                    "x509 -noout -fingerprint -{digest} -in {name}.pem"
                )));
                let (_, fingerprint) = text.trim().split_once('=').unwrap();
                names.push((format!("{name}.{kind}"), fingerprint.to_owned()));
            }
            self.openssl(&words(&format!(
                "pkey -in {name}.key -pubout -outform DER -out {name}.pub"
            )));
            let text = self.openssl(&words(&format!("dgst -sha256 -c {name}.pub")));
            let (_, fingerprint) = text.trim().rsplit_once(' ').unwrap();
            names.push((format!("{name}.key"), fingerprint.to_ascii_uppercase()));
        }
        names
    }

    /// The client's side of TLS, with somebody's certificate.
    pub(super) fn client(&self, card: Option<&str>) -> Arc<ClientConfig> {
        let read = |name: String| Pem::read(Path::new(&self.file(&name)), "card").unwrap();
        let own = card.map(|name| Own {
            chain: read(format!("{name}.pem")),
            key: read(format!("{name}.key")),
        });
        let protocols = tls::Protocols::default();
        tls::client::config(protocols, own.as_ref(), ServerNameIndication::Withheld).unwrap()
    }
}

fn words(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).collect()
}
