//! What blocks, master users, the cache, penalties and the fields of databases make of a login.
#![allow(clippy::unwrap_used)] // a panic is how a test fails

use std::time::Duration;

use auth::{Asker, Auth, Authority, Reason, Request, Verdict};
use sasl::Password;
use settings::{Dovecot, Passdb, Userdb};

fn passdb(driver: &str, args: &str) -> Passdb {
    Passdb {
        driver: driver.to_owned(),
        args: args.to_owned(),
        ..Passdb::default()
    }
}

fn everybody() -> Userdb {
    Userdb {
        driver: "static".to_owned(),
        args: "uid=2000 gid=2000 home=/home/%n allow_all_users=yes".to_owned(),
        ..Userdb::default()
    }
}

/// The chains of settings, penalties off.
fn auth(mut settings: Dovecot) -> Auth {
    let anvil = settings.services.entry("anvil".to_owned()).or_default();
    let off = settings::UnixListener::default();
    anvil.unix_listeners.insert("anvil-auth-penalty".to_owned(), off);
    let (auth, problems) = Auth::new(&settings);
    assert!(problems.is_empty(), "{problems:?}");
    auth
}

fn asker() -> Asker {
    Asker {
        service: "imap".to_owned(),
        remote: Some([192, 0, 2, 1].into()),
        local: None,
        secured: true,
        ..Asker::default()
    }
}

fn login_as(auth: &Auth, (user, authzid): (&str, &str), password: &str) -> Verdict {
    auth.verify(&Request {
        user,
        authzid,
        password: &Password::new(password),
        mechanism: "PLAIN",
        asker: &asker(),
    })
}

fn login(auth: &Auth, user: &str, password: &str) -> Verdict {
    login_as(auth, (user, ""), password)
}

/// `ok`, the reason of a refusal, or `temporary`.
fn outcome(verdict: Verdict) -> String {
    match verdict {
        Verdict::Ok(..) => "ok".to_owned(),
        Verdict::Failed(failure) => failure.reason.to_string(),
        Verdict::Temporary(_) => "temporary".to_owned(),
    }
}

/// `A` lets in with `a`, `B` with `b`, `X` cannot be asked; a letter may be followed by its settings.
fn chain(blocks: &str) -> Auth {
    let mut settings = Dovecot::defaults();
    settings.userdbs = vec![everybody()];
    for block in blocks.split_ascii_whitespace() {
        let (letter, rest) = block.split_at(1);
        let mut made = match letter {
            "X" => passdb("passwd-file", "/nonexistent/users"),
            letter => passdb("static", &format!("password={}", letter.to_lowercase())),
        };
        for setting in rest.split(',').filter(|setting| !setting.is_empty()) {
            match setting.trim_start_matches(':').split_once('=').unwrap() {
                ("success", value) => value.clone_into(&mut made.result_success),
                ("failure", value) => value.clone_into(&mut made.result_failure),
                ("internalfail", value) => value.clone_into(&mut made.result_internalfail),
                ("skip", value) => value.clone_into(&mut made.skip),
                ("filter", value) => value.clone_into(&mut made.username_filter),
                ("mechanisms", value) => made.mechanisms = vec![value.to_owned()],
                ("pass", _) => made.pass = true,
                other => panic!("{other:?}"),
            }
        }
        settings.passdbs.push(made);
    }
    auth(settings)
}

#[test]
fn results_decide_what_is_asked_next() {
    for (blocks, password, expected) in [
        ("A B", "b", "ok"),
        ("A B", "c", "Password mismatch"),
        ("A:failure=return-fail B", "b", "Password mismatch"),
        ("A:failure=return B", "b", "Password mismatch"),
        ("A:failure=continue-ok B", "c", "ok"),
        ("A:failure=return-ok B", "c", "ok"),
        ("A:success=continue B", "a", "Password mismatch"),
        ("A:success=continue-ok B", "a", "ok"),
        (
            "A:success=continue-ok B:failure=continue-fail",
            "a",
            "Password mismatch",
        ),
        ("A:success=return-fail B", "a", "unknown user"),
        ("A:pass=yes B", "a", "ok"),
        ("X A", "a", "ok"),
        ("X A", "b", "temporary"),
        ("X:internalfail=return-fail A", "a", "temporary"),
        ("X:internalfail=return-ok A", "z", "ok"),
        ("X:internalfail=continue-ok A:skip=authenticated", "z", "ok"),
        ("A B:skip=unauthenticated", "b", "Password mismatch"),
        ("A:filter=other* B", "a", "Password mismatch"),
        ("A:filter=ann B", "a", "ok"),
        ("A:mechanisms=login B", "a", "Password mismatch"),
        ("A:mechanisms=plain B", "a", "ok"),
    ] {
        assert_eq!(
            outcome(login(&chain(blocks), "ann", password)),
            expected,
            "{blocks} {password}"
        );
    }
}

#[test]
fn master_users_log_in_as_others() {
    let directory = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = directory.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let (masters, users) = (
        file("masters", "boss:{PLAIN}mpw\n"),
        file("users", "ann:{PLAIN}pw\nbob:{PLAIN}pw::::::nologin\n"),
    );
    let with = |pass: bool| {
        let mut settings = Dovecot::defaults();
        settings.auth_master_user_separator = "*".to_owned();
        settings.userdbs = vec![everybody()];
        let master = Passdb {
            master: true,
            pass,
            ..passdb("passwd-file", &masters)
        };
        settings.passdbs = vec![passdb("passwd-file", &users), master];
        auth(settings)
    };
    let checking = with(true);
    for (user, authzid, password, expected) in [
        ("ann*boss", "", "mpw", "ok"),
        ("boss", "ann", "mpw", "ok"),
        ("ann*boss", "", "pw", "Password mismatch"),
        ("ann*ann", "", "mpw", "Password mismatch"),
        ("ann*bob", "", "pw", "unknown user"),
        ("zed*boss", "", "mpw", "unknown user"),
        ("bob*boss", "", "mpw", "User is not allowed to log in"),
        ("boss", "", "mpw", "unknown user"),
    ] {
        let verdict = login_as(&checking, (user, authzid), password);
        assert_eq!(outcome(verdict), expected, "{user} {authzid}");
    }
    let Verdict::Ok(account, _) = login(&checking, "ann*boss", "mpw") else {
        panic!("just seen");
    };
    assert_eq!(account.user, "ann");
    assert_eq!(account.extra.get("master_user").map(String::as_str), Some("boss"));
    assert_eq!(outcome(login(&with(false), "zed*boss", "mpw")), "ok");
    let nobody = chain("A");
    let refused = outcome(login_as(&nobody, ("boss", "ann"), "a"));
    assert_eq!(refused, "Attempted master login with no master passdbs");
}

fn sql(path: &std::path::Path, password_query: &str) -> Passdb {
    let mut block = passdb("sql", "");
    for (name, text) in [
        ("sql/driver", "sqlite"),
        ("sql/connect", &path.display().to_string()),
        ("sql/default_pass_scheme", "PLAIN"),
        ("sql/password_query", password_query),
    ] {
        block.options.insert(name.to_owned(), text.to_owned());
    }
    block
}

#[test]
fn the_cache_notices_a_changed_password_and_can_be_emptied() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("users.sqlite");
    let database = rusqlite::Connection::open(&path).unwrap();
    database
        .execute_batch("CREATE TABLE users (u, p); INSERT INTO users VALUES ('ann', 'one')")
        .unwrap();
    let mut settings = Dovecot::defaults();
    settings.set("auth_cache_size", "100k").unwrap();
    settings.passdbs = vec![sql(&path, "SELECT p AS password FROM users WHERE u = '%u'")];
    settings.userdbs = vec![everybody()];
    let auth = auth(settings);
    assert_eq!(outcome(login(&auth, "ann", "one")), "ok");
    assert_eq!(outcome(login(&auth, "bob", "b")), "unknown user");
    database
        .execute_batch("UPDATE users SET p = 'two'; INSERT INTO users VALUES ('bob', 'b')")
        .unwrap();
    assert_eq!(outcome(login(&auth, "ann", "one")), "ok", "the answer is kept");
    assert_eq!(
        outcome(login(&auth, "ann", "two")),
        "ok",
        "she was let in before: the database is asked again"
    );
    assert_eq!(
        outcome(login(&auth, "bob", "b")),
        "unknown user",
        "that nobody is there is kept as well"
    );
    assert_eq!(auth.flush_cache(&["bob".to_owned()]), 1);
    assert_eq!(outcome(login(&auth, "bob", "b")), "ok");
    assert_eq!(auth.flush_cache(&[]), 2);
}

#[test]
fn what_databases_tell_besides() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("users");
    std::fs::write(
        &path,
        "closed:{PLAIN}pw::::::nologin reason=Moved\nquick:{PLAIN}pw::::::nodelay\n\
         far:{PLAIN}pw::::::proxy=y host=192.0.2.9\nalias:{PLAIN}pw::::::user=%n-real\n",
    )
    .unwrap();
    let mut settings = Dovecot::defaults();
    settings.set("auth_verbose_passwords", "plain").unwrap();
    let mut block = passdb("passwd-file", &path.display().to_string());
    block
        .options
        .insert("fields/userdb_note".to_owned(), "of %n, two words".to_owned());
    settings.passdbs = vec![block];
    let prefetch = Userdb {
        driver: "prefetch".to_owned(),
        ..Userdb::default()
    };
    settings.userdbs = vec![prefetch, everybody()];
    let auth = auth(settings);
    let Verdict::Failed(closed) = login(&auth, "closed", "pw") else {
        panic!("nologin");
    };
    assert_eq!(closed.reason, Reason::Closed("Moved".to_owned()));
    assert_eq!(closed.reason.told(), Some("Moved"));
    let Verdict::Failed(wrong) = login(&auth, "closed", "bad") else {
        panic!("a wrong password");
    };
    assert_eq!(
        wrong.reason.to_string(),
        "Password mismatch (given password: bad)"
    );
    assert_eq!((wrong.reason.told(), wrong.delay), (None, Duration::from_secs(2)));
    assert!(
        matches!(login(&auth, "far", "pw"), Verdict::Temporary(text) if text.contains("proxying is not there yet"))
    );
    let Verdict::Ok(account, _) = login(&auth, "alias", "pw") else {
        panic!("refused");
    };
    assert_eq!(account.user, "alias-real");
}

fn at(address: [u8; 4]) -> Asker {
    Asker {
        remote: Some(address.into()),
        ..asker()
    }
}

/// A login that waits as long as it should, in a time of its own.
fn guess(auth: &Auth, address: [u8; 4], password: &str) -> (u64, Verdict) {
    let penalty = Authority::penalty(auth, &at(address));
    let asker = Asker {
        failures_before: Some(penalty.failures),
        ..at(address)
    };
    let verdict = auth.verify(&Request {
        user: "ann",
        authzid: "",
        password: &Password::new(password),
        mechanism: "PLAIN",
        asker: &asker,
    });
    if let Verdict::Failed(failure) = &verdict {
        assert_eq!(failure.delay, Duration::from_secs(2), "the wait is before");
    }
    (penalty.wait.as_secs(), verdict)
}

#[test]
fn guessing_becomes_slower() {
    let mut settings = Dovecot::defaults();
    settings.passdbs = vec![passdb("static", "password=a")];
    settings.userdbs = vec![everybody()];
    settings.login_trusted_networks = vec!["198.51.100.0/24".to_owned()];
    let (auth, _) = Auth::new(&settings);
    let wait = |address, password| guess(&auth, address, password).0;
    let guesses = ["b", "c", "d", "e"];
    assert_eq!(guesses.map(|word| wait([192, 0, 2, 1], word)), [0, 4, 8, 15]);
    assert_eq!(guesses.map(|word| wait([198, 51, 100, 7], word)), [0; 4]);
    let (waited, verdict) = guess(&auth, [192, 0, 2, 1], "a");
    assert_eq!((waited, outcome(verdict)), (15, "ok".to_owned()));
    assert_eq!(wait([192, 0, 2, 1], "b"), 0);
    // All of these began before the first of them had failed.
    for word in ["f", "g", "h"] {
        let asker = Asker {
            failures_before: Some(0),
            ..at([192, 0, 2, 9])
        };
        let verdict = auth.verify(&Request {
            user: "ann",
            authzid: "",
            password: &Password::new(word),
            mechanism: "PLAIN",
            asker: &asker,
        });
        assert!(matches!(verdict, Verdict::Failed(_)));
    }
    assert_eq!(wait([192, 0, 2, 9], "i"), 4);
}

#[test]
fn a_reload_forgets_no_failures_and_keeps_answers_of_the_same_databases() {
    use auth::memory::Memory;
    let mut settings = Dovecot::defaults();
    settings.set("auth_cache_size", "10k").unwrap();
    settings.set("auth_cache_ttl", "1 hour").unwrap();
    settings.first_valid_uid = 1;
    settings.passdbs = vec![passdb("static", "password=a")];
    settings.userdbs = vec![Userdb {
        driver: "passwd".to_owned(),
        ..Userdb::default()
    }];
    let mut memory = Memory::default();
    let mut load = |settings: &Dovecot| Auth::new(settings).0.remembering(&mut memory);
    let first = load(&settings);
    assert_eq!(guess(&first, [192, 0, 2, 7], "b").0, 0);
    assert_eq!(outcome(login(&first, "daemon", "a")), "ok");
    // The same databases, on another line: what they said is still known.
    settings.passdbs[0].place = ("dovecot.conf".to_owned(), 12);
    let second = load(&settings);
    assert_eq!(guess(&second, [192, 0, 2, 7], "c").0, 4);
    assert_eq!(second.flush_cache(&["daemon".to_owned()]), 1);
    assert_eq!(outcome(login(&second, "daemon", "a")), "ok");
    // Other databases give other answers; the failures of addresses are the same.
    settings.passdbs[0].args = "password=b".to_owned();
    let third = load(&settings);
    assert_eq!(third.flush_cache(&[]), 0);
    assert_eq!(guess(&third, [192, 0, 2, 7], "d").0, 8);
}

#[test]
fn what_happens_is_told_to_whoever_listens() {
    use std::sync::{Arc, Mutex};
    let said = Arc::new(Mutex::new(Vec::new()));
    let mut settings = Dovecot::defaults();
    settings.auth_debug = true;
    settings.passdbs = vec![passdb("static", "password=secret")];
    settings.userdbs = vec![everybody()];
    let heard = Arc::clone(&said);
    let auth = auth(settings).telling(Box::new(move |note| {
        heard
            .lock()
            .unwrap()
            .push(format!("{}({}): {}", note.database, note.user, note.text));
    }));
    assert_eq!(outcome(login(&auth, "ann", "secret")), "ok");
    let said = said.lock().unwrap();
    assert_eq!(said[0], "static(ann): Performing passdb lookup");
    assert!(!said.iter().any(|line| line.contains("secret")), "{said:?}");
}
