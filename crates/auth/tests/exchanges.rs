//! SASL exchanges against the chains, from the client's side.
#![allow(clippy::unwrap_used)] // a panic is how a test fails

use std::sync::Arc;

use auth::{Asker, Auth, Authority, Certificate, Progress, Reason, Verdict};
use sasl::client::{Client, Surroundings};
use sasl::{Credentials, Password};
use settings::{Dovecot, Passdb, Userdb};

const USERS: &str = "alice:{PLAIN}secret::::::\n\
    carol:{CRAM-MD5}7f47ace0e2af8f6cdeb72c03243a8c87834e19104164d6a42de72d243adb4080::::::\n\
    dave:{SCRAM-SHA-256}4096,5aj4mlDSK1oSTq6EwJCIaQ==,pYS3L3my1yvJlrTVAuncGwNIJnmXM7SS+Fw3kep7tm4=,JcYrmVcelpZEPsrTFizjRgA3vO7lF9nyaHasfF5xiuk=::::::\n\
    erin:{SHA512-CRYPT}$6$mkdbPIuU9qFyfzPD$8UDyqMQfopiqtdrjWjcpo9qdXFwHUVbrqPE//z3l2mC9ibmKxVFQpOisn1qB1KLLqVPOSzjdbg/5360kVczBr.::::::\n\
    frank:{PLAIN}secret::::::nologin\n\
    grace:{PLAIN}secret::::::allow_nets=192.0.2.0/24\n\
    heidi:{PLAIN}secret::::::user=alice\n\
    ivan:::::::nopassword\n\
    judy:{PLAIN-MD5}5ebe2294ecd0e0f08eab7690d2a6ee69::::::\n";

fn auth(change: impl FnOnce(&mut Dovecot)) -> Arc<Auth> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("users");
    std::fs::write(&path, USERS).unwrap();
    let mut settings = Dovecot::defaults();
    settings.mail_location = "maildir:%h/Maildir".to_owned();
    // Guessing from here does not become slower.
    settings.login_trusted_networks = vec!["127.0.0.0/8".to_owned()];
    settings.auth_mechanisms = sasl::mechanism::NAMES.map(str::to_owned).to_vec();
    let place = ("dovecot.conf".to_owned(), 1);
    settings.passdbs = vec![Passdb {
        driver: "passwd-file".to_owned(),
        args: path.display().to_string(),
        place: place.clone(),
        ..Passdb::default()
    }];
    settings.userdbs = vec![Userdb {
        driver: "static".to_owned(),
        args: "uid=1000 gid=1000 home=/home/%u".to_owned(),
        place,
        ..Userdb::default()
    }];
    change(&mut settings);
    let (auth, problems) = Auth::new(&settings);
    assert!(problems.is_empty(), "{problems:?}");
    // The file is read when it is first asked for, and its directory goes at the end of the test.
    std::mem::forget(directory);
    Arc::new(auth)
}

fn asker() -> Asker {
    Asker {
        service: "imap".to_owned(),
        remote: Some("127.0.0.1".parse().unwrap()),
        bindings: vec![("tls-exporter".to_owned(), b"bound".to_vec())],
        ..Asker::default()
    }
}

/// A login by one mechanism, from the client's side.
fn login(auth: &Arc<Auth>, mechanism: &str, user: &str, password: &str) -> Verdict {
    login_from(&asker(), auth, mechanism, (user, password))
}

fn login_from(asker: &Asker, auth: &Arc<Auth>, mechanism: &str, (user, password): (&str, &str)) -> Verdict {
    let surroundings = Surroundings {
        random: [4; 18],
        bindings: if mechanism.ends_with("-PLUS") {
            asker.bindings.clone()
        } else {
            Vec::new()
        },
        allows_plaintext: true,
    };
    // Without -PLUS a client that cannot bind speaks.
    let credentials = Credentials {
        authzid: String::new(),
        user: user.to_owned(),
        password: Password::new(password),
    };
    let mut client = Client::choose([mechanism], credentials, &surroundings).unwrap();
    let mut exchange = Arc::clone(auth).exchange(mechanism, asker).unwrap();
    let mut response = client.initial();
    loop {
        match exchange.step(response.as_deref()) {
            Progress::Done(verdict) => return verdict,
            Progress::Challenge(challenge) => response = Some(client.answer(&challenge).expect("an answer")),
        }
    }
}

fn reason(verdict: Verdict) -> Reason {
    match verdict {
        Verdict::Failed(failure) => {
            assert_eq!(failure.delay, std::time::Duration::from_secs(2));
            failure.reason
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn stored_passwords_serve_the_mechanisms_that_can_use_them() {
    let auth = auth(|_| {});
    let scram = ["SCRAM-SHA-256", "SCRAM-SHA-256-PLUS"];
    for (user, password, mechanisms) in [
        (
            "alice",
            "secret",
            &["PLAIN", "LOGIN", "CRAM-MD5", "SCRAM-SHA-1", "SCRAM-SHA-1-PLUS"][..],
        ),
        ("alice", "secret", &scram),
        ("Alice", "secret", &scram),
        ("carol", "pencil", &["PLAIN", "CRAM-MD5"]),
        (
            "dave",
            "pencil",
            &["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-256-PLUS"],
        ),
    ] {
        for mechanism in mechanisms {
            match login(&auth, mechanism, user, password) {
                Verdict::Ok(account, _) => assert_eq!(account.user, user.to_lowercase()),
                other => panic!("{mechanism} {user} {other:?}"),
            }
            let wrong = login(&auth, mechanism, user, "wrong");
            assert_eq!(reason(wrong), Reason::PasswordMismatch, "{mechanism} {user}");
        }
    }
    let Verdict::Ok(account, _) = login(&auth, "SCRAM-SHA-1", "heidi", "secret") else {
        panic!("the fields of the passdb count");
    };
    assert_eq!(account.user, "alice");
}

#[test]
fn who_cannot_log_in_fails_at_the_end_with_the_reason() {
    let auth = auth(|_| {});
    for mechanism in ["CRAM-MD5", "SCRAM-SHA-256"] {
        let reason = |user: &str| reason(login(&auth, mechanism, user, "secret")).to_string();
        assert_eq!(reason("nobody"), "unknown user");
        assert_eq!(reason("frank"), "User is not allowed to log in");
        assert_eq!(
            reason("grace"),
            "allow_nets check failed: IP not in allowed networks"
        );
        let told = reason("erin");
        assert_eq!(
            told,
            format!("Requested {mechanism} scheme, but we have only SHA512-CRYPT")
        );
        assert!(reason("a/b").starts_with("Invalid username"));
    }
}

#[test]
fn weak_schemes_are_refused_until_they_are_allowed() {
    match login(&auth(|_| {}), "PLAIN", "judy", "secret") {
        Verdict::Temporary(text) => assert!(text.contains("auth_allow_weak_schemes"), "{text}"),
        other => panic!("{other:?}"),
    }
    let allowing = auth(|settings| settings.auth_allow_weak_schemes = true);
    assert!(matches!(
        login(&allowing, "PLAIN", "judy", "secret"),
        Verdict::Ok(..)
    ));
}

#[test]
fn certificates_say_who_it_is() {
    let auth = auth(|settings| {
        settings.auth_ssl_username_from_cert = true;
        settings.auth_ssl_require_client_cert = true;
    });
    let with = |user: Option<&str>| Asker {
        certificate: Some(Certificate {
            user: user.map(str::to_owned),
        }),
        ..asker()
    };
    let begin = |asker: &Asker| Arc::clone(&auth).exchange("EXTERNAL", asker);
    assert!(begin(&asker()).is_none() && begin(&with(None)).is_none());
    let step = |user: &str, response: &[u8]| begin(&with(Some(user))).unwrap().step(Some(response));
    assert!(matches!(step("ivan", b""), Progress::Done(Verdict::Ok(account, _)) if account.user == "ivan"));
    // A certificate is enough only where the passdb asks for no password.
    assert!(matches!(step("alice", b""), Progress::Done(Verdict::Failed(_))));
    assert!(matches!(
        step("ivan", b"alice"),
        Progress::Done(Verdict::Failed(_))
    ));
    // Without one, nobody is asked for a password at all.
    assert_eq!(
        reason(login(&auth, "PLAIN", "alice", "secret")),
        Reason::NoCertificate
    );
    assert_eq!(
        reason(login(&auth, "SCRAM-SHA-1", "alice", "secret")),
        Reason::NoCertificate
    );
}

#[test]
fn what_is_not_offered_cannot_be_used() {
    let plain = auth(|settings| settings.auth_mechanisms = vec!["plain".to_owned(), "gssapi".to_owned()]);
    assert_eq!(plain.mechanisms(), ["PLAIN"]);
    for name in ["LOGIN", "CRAM-MD5", "ANONYMOUS", "GSSAPI"] {
        assert!(Arc::clone(&plain).exchange(name, &asker()).is_none(), "{name}");
    }
    let anonymous = auth(|settings| settings.auth_anonymous_username = "guest".to_owned());
    let mut exchange = Arc::clone(&anonymous).exchange("ANONYMOUS", &asker()).unwrap();
    let Progress::Done(Verdict::Ok(account, _)) = exchange.step(Some(b"trace")) else {
        panic!("everybody is welcome");
    };
    assert_eq!(account.user, "guest");
}

#[test]
fn guessing_becomes_slower_whatever_the_mechanism() {
    let auth = auth(|_| {});
    for (last, mechanism) in [(1, "SCRAM-SHA-256"), (2, "CRAM-MD5"), (3, "LOGIN")] {
        let asker = Asker {
            remote: Some([192, 0, 2, last].into()),
            ..asker()
        };
        // A client without a wait behind it counts from what it finds.
        let wait = || auth.penalty(&asker).wait.as_secs();
        let waits = ["b", "c", "d"].map(|guess| {
            match login_from(&asker, &auth, mechanism, ("alice", guess)) {
                Verdict::Failed(failure) => assert_eq!(failure.delay.as_secs(), 2),
                other => panic!("{other:?}"),
            }
            wait()
        });
        assert_eq!(waits, [4, 8, 15], "{mechanism}");
        let right = login_from(&asker, &auth, mechanism, ("alice", "secret"));
        assert!(matches!(right, Verdict::Ok(..)), "{mechanism}");
        assert_eq!(wait(), 0, "{mechanism}: a login that succeeds makes up for it");
    }
}

#[test]
fn a_master_user_logs_in_by_a_mechanism_that_hides_the_password() {
    let auth = auth(|settings| {
        settings.auth_master_user_separator = "*".to_owned();
        settings.auth_username_chars = String::new();
        let users = settings.passdbs[0].clone();
        let master = |driver: &str, args: &str, pass| Passdb {
            driver: driver.to_owned(),
            args: args.to_owned(),
            master: true,
            pass,
            ..users.clone()
        };
        settings.passdbs = vec![master("static", "password=chief", true), users.clone()];
    });
    for mechanism in ["CRAM-MD5", "SCRAM-SHA-256", "PLAIN"] {
        let Verdict::Ok(account, _) = login(&auth, mechanism, "alice*boss", "chief") else {
            panic!("{mechanism}: the master's password is right");
        };
        assert_eq!(account.user, "alice", "{mechanism}");
        assert_eq!(account.extra.get("master_user").map(String::as_str), Some("boss"));
        assert_eq!(
            reason(login(&auth, mechanism, "alice*boss", "secret")),
            Reason::PasswordMismatch
        );
        // `pass = yes`: the user must be there, and is looked up after the proof.
        assert_eq!(
            reason(login(&auth, mechanism, "nobody*boss", "chief")),
            Reason::UnknownUser
        );
    }
}

#[test]
fn a_deny_passdb_and_one_without_passwords_say_no() {
    let denied = auth(|settings| {
        let deny = Passdb {
            deny: true,
            ..settings.passdbs[0].clone()
        };
        settings.passdbs.insert(0, deny);
    });
    assert_eq!(
        reason(login(&denied, "SCRAM-SHA-1", "alice", "secret")),
        Reason::Denied
    );
    let by_pam = auth(|settings| {
        let pam = Passdb {
            driver: "pam".to_owned(),
            ..Passdb::default()
        };
        settings.passdbs = vec![settings.passdbs[0].clone(), pam];
        settings.passdbs[0].args = "/dev/null".to_owned();
    });
    let told = reason(login(&by_pam, "CRAM-MD5", "alice", "secret")).to_string();
    assert_eq!(told, "PAM cannot be asked by CRAM-MD5: it wants the password");
    let unreadable = auth(|settings| settings.passdbs[0].args = "/nonexistent/users".to_owned());
    assert!(matches!(
        login(&unreadable, "CRAM-MD5", "alice", "secret"),
        Verdict::Temporary(_)
    ));
}

#[test]
fn mechanisms_that_no_passdb_can_serve_are_told() {
    let mut settings = Dovecot::defaults();
    settings.auth_mechanisms = ["plain", "cram-md5", "scram-sha-1", "external"]
        .map(str::to_owned)
        .to_vec();
    settings.passdbs = vec![Passdb {
        driver: "pam".to_owned(),
        ..Passdb::default()
    }];
    let told = |settings: &Dovecot| -> Vec<String> {
        let (_, problems) = Auth::new(settings);
        problems.iter().map(ToString::to_string).collect()
    };
    let why = "cannot be served by these passdbs: they want the password, which it never sends";
    let lines = ["CRAM-MD5", "SCRAM-SHA-1"].map(|name| format!("auth_mechanisms: {name} {why}"));
    assert_eq!(told(&settings), lines);
    settings.passdbs.push(Passdb {
        driver: "passwd-file".to_owned(),
        args: "/dev/null".to_owned(),
        ..Passdb::default()
    });
    assert_eq!(told(&settings), [""; 0]);
}

#[test]
fn a_database_serves_what_it_stores_and_the_cache_what_it_keeps() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("users.sqlite");
    let database = rusqlite::Connection::open(&path).unwrap();
    database
        .execute_batch(
            "CREATE TABLE users (name TEXT, password TEXT);
             INSERT INTO users VALUES ('sue', 'secret'), ('tom', '{SHA256}x');",
        )
        .unwrap();
    let auth = auth(|settings| {
        settings.auth_cache_size = 1024 * 1024;
        settings.passdbs[0].driver = "sql".to_owned();
        settings.passdbs[0].options = [
            ("sql/driver", "sqlite".to_owned()),
            ("sql/connect", path.display().to_string()),
            ("sql/default_pass_scheme", "PLAIN".to_owned()),
            (
                "sql/password_query",
                "SELECT password FROM users WHERE name = '%u'".to_owned(),
            ),
        ]
        .map(|(key, value)| (key.to_owned(), value))
        .into();
    });
    let is_in = |password: &str| matches!(login(&auth, "CRAM-MD5", "sue", password), Verdict::Ok(..));
    assert!(is_in("secret") && !is_in("guess"));
    assert!(matches!(
        reason(login(&auth, "CRAM-MD5", "tom", "x")),
        Reason::Scheme { .. }
    ));
    database.execute("UPDATE users SET password = 'new'", []).unwrap();
    assert!(
        is_in("secret") && !is_in("new"),
        "what is kept is not asked again"
    );
    auth.flush_cache(&[]);
    assert!(is_in("new") && !is_in("secret"));
}

#[test]
fn the_first_password_that_is_good_is_the_one_to_prove() {
    let fixed = |args: &str| Passdb {
        driver: "static".to_owned(),
        args: args.to_owned(),
        ..Passdb::default()
    };
    let continuing = |args: &str, success: &str| Passdb {
        result_success: success.to_owned(),
        ..fixed(args)
    };
    for (blocks, good, bad) in [
        (
            vec![continuing("password=a", "continue-ok"), fixed("password=b")],
            Some("a"),
            "b",
        ),
        (
            vec![continuing("password=a", "continue"), fixed("password=b")],
            Some("b"),
            "a",
        ),
        (
            vec![
                continuing("password=a", "continue-ok"),
                fixed("nopassword=y user=late"),
                fixed("password=b"),
            ],
            Some("a"),
            "b",
        ),
        (vec![fixed("nopassword=y")], None, ""),
        (
            vec![Passdb {
                result_failure: "return-ok".to_owned(),
                args: "/dev/null".to_owned(),
                driver: "passwd-file".to_owned(),
                ..Passdb::default()
            }],
            None,
            "",
        ),
    ] {
        let auth = auth(|settings| settings.passdbs = blocks.clone());
        for mechanism in ["CRAM-MD5", "SCRAM-SHA-256"] {
            if let Some(good) = good {
                let verdict = login(&auth, mechanism, "alice", good);
                assert!(matches!(verdict, Verdict::Ok(..)), "{mechanism} {blocks:?}");
            }
            let verdict = login(&auth, mechanism, "alice", bad);
            assert!(matches!(verdict, Verdict::Failed(_)), "{mechanism} {blocks:?}");
        }
    }
}
