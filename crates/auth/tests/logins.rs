//! Logins and lookups through chains as administrators configure them.
#![allow(clippy::unwrap_used)] // a panic is how a test fails

use std::path::Path;
use std::time::Duration;

use auth::{Auth, Error, Reason, Request, Verdict};
use sasl::Password;
use settings::{Dovecot, Passdb, Userdb};

fn passdb(driver: &str, args: &str) -> Passdb {
    let place = ("dovecot.conf".to_owned(), 7);
    Passdb {
        driver: driver.to_owned(),
        args: args.to_owned(),
        place,
        ..Passdb::default()
    }
}

fn userdb(driver: &str, args: &str) -> Userdb {
    let place = ("dovecot.conf".to_owned(), 9);
    Userdb {
        driver: driver.to_owned(),
        args: args.to_owned(),
        place,
        ..Userdb::default()
    }
}

/// Settings by which a failure waits no longer because of others before it.
fn without_penalties() -> Dovecot {
    let mut settings = Dovecot::defaults();
    let anvil = settings.services.entry("anvil".to_owned()).or_default();
    anvil
        .unix_listeners
        .insert("anvil-auth-penalty".to_owned(), settings::UnixListener::default());
    settings
}

fn auth(passdbs: Vec<Passdb>, userdbs: Vec<Userdb>) -> Auth {
    let mut settings = without_penalties();
    settings.mail_location = "maildir:%h/Maildir".to_owned();
    settings.auth_allow_weak_schemes = true;
    (settings.passdbs, settings.userdbs) = (passdbs, userdbs);
    let (auth, problems) = Auth::new(&settings);
    assert!(problems.is_empty(), "{problems:?}");
    auth
}

fn login(auth: &Auth, user: &str, password: &str) -> Verdict {
    auth.verify(&Request {
        user,
        authzid: "",
        password: &Password::new(password),
        mechanism: "PLAIN",
        asker: &auth::Asker {
            service: "imap".to_owned(),
            remote: Some("127.0.0.1".parse().unwrap()),
            local: None,
            secured: true,
            ..auth::Asker::default()
        },
    })
}

fn reason(verdict: Verdict) -> Reason {
    match verdict {
        Verdict::Failed(failure) => {
            assert_eq!(failure.delay, Duration::from_secs(2));
            failure.reason
        }
        other => panic!("{other:?}"),
    }
}

fn is_ok(verdict: Verdict) -> bool {
    matches!(verdict, Verdict::Ok(_, _))
}

fn write(directory: &Path, name: &str, text: &str) -> String {
    let path = directory.join(name);
    std::fs::write(&path, text).unwrap();
    path.display().to_string()
}

/// The blocks of ../shared/oracles: a passwd-file by local part, a static userdb.
#[test]
fn passwd_file_and_static_userdb() {
    let directory = tempfile::tempdir().unwrap();
    let users = write(
        directory.path(),
        "users",
        "alice:{PLAIN}secret::::::\nbob:$1$abcdefgh$Bv50hyE2.ohWxf3Cka8J30\n",
    );
    let auth = auth(
        vec![passdb("passwd-file", &format!("username_format=%n {users}"))],
        vec![userdb(
            "static",
            "uid=1000 gid=1001 home=/srv/%d/%n quota_rule=*:storage=1G",
        )],
    );
    let Verdict::Ok(account, _) = login(&auth, "Alice@Example.test", "secret") else {
        panic!("refused")
    };
    assert_eq!(
        (account.user.as_str(), account.uid, account.gid),
        ("alice@example.test", 1000, 1001)
    );
    assert_eq!(
        account.home.as_deref(),
        Some(Path::new("/srv/example.test/alice"))
    );
    assert_eq!(account.mail_location, "maildir:/srv/example.test/alice/Maildir");
    assert_eq!(
        account.extra.get("quota_rule").map(String::as_str),
        Some("*:storage=1G")
    );
    assert!(is_ok(login(&auth, "bob", "pässword1")));
    assert_eq!(reason(login(&auth, "alice", "Secret")), Reason::PasswordMismatch);
    assert_eq!(reason(login(&auth, "alice", "")), Reason::PasswordMismatch);
    assert_eq!(reason(login(&auth, "nobody", "secret")), Reason::UnknownUser);
    assert!(matches!(
        reason(login(&auth, "a/b", "secret")),
        Reason::InvalidName(_)
    ));
    assert_eq!(
        auth.lookup("bob", "lmtp").unwrap().unwrap().home.as_deref(),
        Some(Path::new("/srv//bob"))
    );
    assert_eq!(auth.lookup("nobody", "lmtp"), Ok(None));
    assert_eq!(auth.list().unwrap(), ["alice", "bob"]);

    write(directory.path(), "users.new", "alice:{PLAIN}changed\n");
    std::fs::rename(directory.path().join("users.new"), &users).unwrap();
    assert_eq!(reason(login(&auth, "alice", "secret")), Reason::PasswordMismatch);
    assert!(is_ok(login(&auth, "alice", "changed")));
    std::fs::remove_file(&users).unwrap();
    let Verdict::Temporary(text) = login(&auth, "alice", "changed") else {
        panic!("a missing file is no answer")
    };
    assert!(text.contains("cannot be read: No such file"), "{text}");
    assert!(auth.lookup("alice", "lmtp").is_err());
}

#[test]
fn passwd_file_as_userdb_and_its_fields() {
    let directory = tempfile::tempdir().unwrap();
    let users = write(
        directory.path(),
        "users",
        "alice:{PLAIN}a:2000:2001::/home/%al::userdb_mail=mbox:%h/mail allow_nets=10.0.0.0/8,127.0.0.1\n\
         bob:{PLAIN}b:2000:2001::/home/bob::allow_nets=10.0.0.0/8\n\
         carol::2000:2001::/home/carol::nopassword\n\
         dave::2000:2001\n\
         erin:{PLAIN}e:2000:2001::::user=alice\n\
         frank:{PLAIN}f:2000:2001::::nologin\n\
         grace:{NONSENSE}g:2000:2001\n\
         root:{PLAIN}r:0:0\n",
    );
    let auth = auth(
        vec![passdb("passwd-file", &users)],
        vec![userdb("passwd-file", &users)],
    );
    let Verdict::Ok(alice, _) = login(&auth, "alice", "a") else {
        panic!("refused")
    };
    assert_eq!(alice.home.as_deref(), Some(Path::new("/home/%al")));
    assert_eq!(alice.mail_location, "mbox:/home/%al/mail");
    assert_eq!(reason(login(&auth, "bob", "b")), Reason::Network);
    assert_eq!(reason(login(&auth, "bob", "x")), Reason::PasswordMismatch);
    assert!(is_ok(login(&auth, "carol", "whatever")));
    assert_eq!(reason(login(&auth, "dave", "")), Reason::EmptyPassword);
    let Verdict::Ok(erin, _) = login(&auth, "erin", "e") else {
        panic!("refused")
    };
    assert_eq!(erin.user, "alice");
    assert_eq!(reason(login(&auth, "frank", "f")), Reason::NoLogin);
    let Verdict::Temporary(text) = login(&auth, "grace", "g") else {
        panic!("a wrong scheme is our mistake")
    };
    assert!(text.contains("Unknown scheme: NONSENSE"), "{text}");
    let Verdict::Temporary(text) = login(&auth, "root", "r") else {
        panic!("uid 0 below first_valid_uid")
    };
    assert!(
        text.contains("Mail access for users with UID 0 not permitted"),
        "{text}"
    );
    // What bounds the owners of mailboxes does not bound local(8), which says for itself what becomes of root's mail.
    assert!(auth.lookup("root", "lmtp").is_err());
    let root = auth::Authority::recipient(&auth, "root")
        .expect("asked")
        .expect("there");
    assert_eq!(
        (root.account.uid, root.login.map(|login| login.name)),
        (0, Some("root".to_owned()))
    );
}

#[test]
fn blocks_are_asked_in_order() {
    let directory = tempfile::tempdir().unwrap();
    let first = write(directory.path(), "first", "alice:{PLAIN}one:2000:2000\n");
    let second = write(
        directory.path(),
        "second",
        "alice:{PLAIN}two:2001:2001\nbob:{PLAIN}b:2001:2001\n",
    );
    let blocked = write(directory.path(), "blocked", "mallory\n");
    let deny = Passdb {
        deny: true,
        ..passdb("passwd-file", &blocked)
    };
    let auth = auth(
        vec![
            deny,
            passdb("passwd-file", &first),
            passdb("passwd-file", &second),
            passdb("static", "password=all"),
        ],
        vec![userdb("passwd-file", &first), userdb("passwd-file", &second)],
    );
    assert!(is_ok(login(&auth, "alice", "one")));
    assert!(
        is_ok(login(&auth, "alice", "two")),
        "the next block is asked after a wrong password"
    );
    assert_eq!(reason(login(&auth, "alice", "three")), Reason::PasswordMismatch);
    assert_eq!(reason(login(&auth, "mallory", "all")), Reason::Denied);
    let Verdict::Temporary(text) = login(&auth, "stranger", "all") else {
        panic!("no userdb knows them")
    };
    assert!(text.contains("no userdb knows the user"), "{text}");
    assert_eq!(auth.lookup("alice", "lmtp").unwrap().unwrap().uid, 2000);
    assert_eq!(auth.lookup("bob", "lmtp").unwrap().unwrap().uid, 2001);
    assert_eq!(auth.list().unwrap(), ["alice", "bob"]);
}

#[test]
fn an_error_of_one_file_is_not_a_refusal_by_another() {
    let directory = tempfile::tempdir().unwrap();
    let there = write(directory.path(), "there", "alice:{PLAIN}a:2000:2000\n");
    let blocks = vec![
        passdb("passwd-file", "/nonexistent/users"),
        passdb("passwd-file", &there),
    ];
    let auth = auth(
        blocks,
        vec![
            userdb("passwd-file", "/nonexistent/users"),
            userdb("passwd-file", &there),
        ],
    );
    assert!(is_ok(login(&auth, "alice", "a")));
    assert!(matches!(login(&auth, "alice", "wrong"), Verdict::Temporary(_)));
    assert!(matches!(login(&auth, "bob", "a"), Verdict::Temporary(_)));
    assert!(auth.lookup("bob", "lmtp").is_err());
}

#[test]
fn system_users_and_prefetch() {
    let directory = tempfile::tempdir().unwrap();
    let users = write(
        directory.path(),
        "users",
        "p:{PLAIN}p::::::userdb_uid=3000 userdb_gid=3000 userdb_home=/p/%n\ndaemon:{PLAIN}d\n",
    );
    let mut settings = Dovecot::defaults();
    settings.first_valid_uid = 1;
    settings.passdbs = vec![passdb("passwd-file", &users)];
    settings.userdbs = vec![userdb("prefetch", ""), userdb("passwd", "")];
    let (auth, problems) = Auth::new(&settings);
    assert!(problems.is_empty(), "{problems:?}");
    let Verdict::Ok(account, _) = login(&auth, "p", "p") else {
        panic!("refused")
    };
    assert_eq!(
        (account.uid, account.home.as_deref()),
        (3000, Some(Path::new("/p/p")))
    );
    assert_eq!(auth.lookup("daemon", "lmtp").unwrap().unwrap().uid, 1);
    assert!(is_ok(login(&auth, "daemon", "d")));
    assert_eq!(auth.lookup("no-such-user-here", "lmtp"), Ok(None));
}

#[test]
fn problems_are_named_with_their_place() {
    let mut settings = Dovecot::defaults();
    settings.passdbs = vec![
        passdb("pam", "sesion=yes"),
        passdb("ldap", "/x"),
        passdb("passwd-file", "scheme=FOO /x"),
        passdb("passwd-file", ""),
        passdb("static", ""),
        passdb("hal", ""),
    ];
    settings.userdbs = vec![userdb("ldap", "/x")];
    let (auth, problems) = Auth::new(&settings);
    let texts: Vec<String> = problems.iter().map(Error::to_string).collect();
    assert_eq!(
        texts,
        [
            "dovecot.conf:7: passdb pam: args: \"sesion\" is not known",
            "dovecot.conf:7: passdb driver ldap is not there yet",
            "dovecot.conf:7: passdb passwd-file: args: Unknown scheme: FOO",
            "dovecot.conf:7: passdb passwd-file: args: the path of the file is missing",
            "dovecot.conf:7: passdb static: args: password=… or nopassword=y wanted",
            "dovecot.conf:7: passdb driver \"hal\" is unknown",
            "dovecot.conf:9: userdb driver ldap is not there yet",
        ]
    );
    assert!(
        matches!(login(&auth, "alice", "x"), Verdict::Temporary(_)),
        "what is not there yet never refuses"
    );
    assert!(auth.lookup("alice", "lmtp").is_err());
    let (empty, _) = Auth::new(&Dovecot::defaults());
    assert!(matches!(login(&empty, "alice", "x"), Verdict::Temporary(_)));
}
