//! A pair of configurations that runs Debian's Postfix and Dovecot loads as it is; what is not there yet is told.

use config::{Options, load};

#[test]
fn the_pair_of_the_incumbents_loads() {
    let dir = tempfile::tempdir().expect("a directory");
    let put = |name: &str, text: &str| {
        let text = text.replace("@DIR@", &dir.path().to_string_lossy());
        std::fs::write(dir.path().join(name), text).expect("a file");
    };
    put("main.cf", include_str!("pair/main.cf"));
    put("master.cf", include_str!("pair/master.cf"));
    put("dovecot.conf", include_str!("pair/dovecot.conf"));
    put("cert.pem", "CERTIFICATE");
    put("key.pem", "KEY");
    let loaded = load(dir.path(), &Options::default());
    let told: Vec<String> = loaded.problems.iter().map(ToString::to_string).collect();
    assert!(!loaded.has_errors(), "{told:#?}");
    assert_eq!(
        told,
        [
            "dovecot.conf:5: protocols: sieve is not there yet",
            "dovecot.conf:19: mail_attribute_dict: it is not honoured: not yet: METADATA",
            "dovecot.conf:20: imap_urlauth_host: it is not honoured: not yet: URLAUTH",
            "dovecot.conf:22: imap_id_log: it is not honoured: not yet: logging clients' IDs",
            "dovecot.conf:23: imap_metadata: it is not honoured: not yet: METADATA",
            "dovecot.conf:26: postmaster_address: it is not honoured: not yet: refusals that delivery sends itself",
            "dovecot.conf:67: service managesieve-login: inet_listener sieve: nobody listens there yet",
            "dovecot.conf:80: service auth: inet_listener: nobody listens there yet",
            "dovecot.conf:85: service stats: unix_listener stats-writer: nobody listens there yet",
            "dovecot.conf:90: mail_plugins: sieve is not there yet",
            "dovecot.conf:93: sieve: it is not honoured: not yet: Sieve",
            "dovecot.conf:94: sieve_vacation_min_period: it is not honoured: not yet: Sieve"
        ]
    );
    let dovecot = loaded.dovecot.expect("a dovecot.conf");
    assert_eq!(dovecot.services["imap-login"].inet_listeners["imaps"].port, 47993);
    assert_eq!(dovecot.userdbs[0].driver, "static");
    assert_eq!(loaded.postfix.virtual_transport, "lmtp:inet:127.0.0.1:47024");
    let submissions = loaded
        .services
        .iter()
        .find(|service| service.name == "47465")
        .expect("a row");
    assert!(submissions.settings.smtpd_tls_wrappermode && !loaded.postfix.smtpd_tls_wrappermode);
}
