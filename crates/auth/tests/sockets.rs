//! Both ends of the auth sockets against each other.
#![allow(clippy::unwrap_used)] // a panic is how a test fails

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::{Arc, Mutex};

use auth::socket::{Bound, Client, Kind, Place, Report, Sockets};
use auth::{Asker, Auth, Authority, Progress, Reason, Verdict};
use sasl::client::{Client as Saslient, Surroundings};
use sasl::{Credentials, Password};
use settings::{Dovecot, Passdb, Userdb};

/// An authority that knows alice.
fn house(directory: &Path, mechanisms: &[&str]) -> Arc<dyn Authority> {
    let path = directory.join("users");
    std::fs::write(&path, "alice:{PLAIN}secret::::::\n").unwrap();
    let mut settings = Dovecot::defaults();
    settings.auth_failure_delay = std::time::Duration::ZERO;
    settings.auth_mechanisms = mechanisms.iter().map(|name| (*name).to_owned()).collect();
    settings.passdbs = vec![Passdb {
        driver: "passwd-file".to_owned(),
        args: path.display().to_string(),
        ..Passdb::default()
    }];
    settings.userdbs = vec![Userdb {
        driver: "static".to_owned(),
        args: "uid=1000 gid=1001 home=/home/%u quota_rule=*:storage=1M".to_owned(),
        ..Userdb::default()
    }];
    let (auth, problems) = Auth::new(&settings);
    assert!(problems.is_empty(), "{problems:?}");
    Arc::new(auth)
}

type Reports = Arc<Mutex<Vec<Report>>>;

fn serve(path: &Path, kind: Kind, authority: &Arc<dyn Authority>) -> Reports {
    let reports = Reports::default();
    let own = Arc::clone(&reports);
    let listener = UnixListener::bind(path).unwrap();
    let sockets = Sockets::default();
    sockets.decided_by(
        Arc::clone(authority),
        Arc::new(move |report| own.lock().unwrap().push(report)),
    );
    sockets.listen(vec![Bound {
        path: path.to_owned(),
        kind,
        listener,
    }]);
    reports
}

fn asker() -> Asker {
    Asker {
        service: "smtp".to_owned(),
        remote: Some("192.0.2.1".parse().unwrap()),
        ..Asker::default()
    }
}

fn login(authority: &Arc<dyn Authority>, mechanism: &str, user: &str, password: &str) -> Verdict {
    let credentials = Credentials {
        authzid: String::new(),
        user: user.to_owned(),
        password: Password::new(password),
    };
    let surroundings = Surroundings {
        allows_plaintext: true,
        ..Surroundings::default()
    };
    let mut client = Saslient::choose([mechanism], credentials, &surroundings).unwrap();
    let mut exchange = Arc::clone(authority).exchange(mechanism, &asker()).unwrap();
    let mut response = client.initial();
    loop {
        match exchange.step(response.as_deref()) {
            Progress::Done(verdict) => return verdict,
            Progress::Challenge(challenge) => response = Some(client.answer(&challenge).unwrap()),
        }
    }
}

#[test]
fn another_program_logs_in_by_every_mechanism() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("auth");
    let mechanisms = [
        "plain",
        "login",
        "cram-md5",
        "scram-sha-256",
        "scram-sha-256-plus",
    ];
    let reports = serve(&path, Kind::of("auth"), &house(directory.path(), &mechanisms));
    let client: Arc<dyn Authority> = Arc::new(Client::new(Place::Path(path)));
    let offered = ["PLAIN", "LOGIN", "CRAM-MD5", "SCRAM-SHA-256"];
    assert_eq!(client.mechanisms(), offered);
    for mechanism in offered {
        match login(&client, mechanism, "alice", "secret") {
            Verdict::Ok(account, _) => assert_eq!(account.user, "alice"),
            other => panic!("{mechanism} {other:?}"),
        }
        for user in ["alice", "nobody"] {
            let wrong = login(&client, mechanism, user, "wrong");
            assert!(matches!(wrong, Verdict::Failed(_)), "{mechanism} {wrong:?}");
        }
    }
    let reports = reports.lock().unwrap();
    assert_eq!(reports.len(), 2 * offered.len(), "{reports:?}");
    let Report::Refused { asker, failure } = &reports[1] else {
        panic!("{reports:?}");
    };
    let wanted = Some("192.0.2.1".parse().unwrap());
    assert_eq!((asker.remote, &failure.reason), (wanted, &Reason::UnknownUser));
}

#[test]
fn an_exchange_that_is_given_up_leaves_the_connection_usable() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("auth");
    serve(
        &path,
        Kind::Client,
        &house(directory.path(), &["plain", "cram-md5"]),
    );
    let client: Arc<dyn Authority> = Arc::new(Client::new(Place::Path(path)));
    for _ in 0..100 {
        let mut exchange = Arc::clone(&client).exchange("CRAM-MD5", &asker()).unwrap();
        assert!(matches!(exchange.step(None), Progress::Challenge(_)));
    }
    assert!(matches!(
        login(&client, "PLAIN", "alice", "secret"),
        Verdict::Ok(..)
    ));
    // Not offered: the server refuses it, the client's name for it is known.
    assert!(matches!(
        login(&client, "LOGIN", "alice", "secret"),
        Verdict::Failed(_)
    ));
}

#[test]
fn a_program_that_was_restarted_is_found_again_and_one_that_is_gone_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("auth");
    let client: Arc<dyn Authority> = Arc::new(Client::new(Place::Path(path.clone())));
    match login(&client, "PLAIN", "alice", "secret") {
        Verdict::Temporary(text) => {
            let wanted = format!(
                "cannot ask the auth socket {}: No such file or directory",
                path.display()
            );
            assert_eq!(text, wanted);
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(client.mechanisms(), [""; 0]);
    // One that greets and goes.
    let listener = UnixListener::bind(&path).unwrap();
    let thread = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream
            .write_all(b"VERSION\t1\t2\nMECH\tPLAIN\tplaintext\nMECH\tX-OWN\tprivate\nDONE\n")
            .unwrap();
        let mut lines = BufReader::new(stream).lines();
        lines.next().unwrap().unwrap();
    });
    assert_eq!(client.mechanisms(), ["PLAIN"]);
    thread.join().unwrap();
    std::fs::remove_file(&path).unwrap();
    serve(&path, Kind::Client, &house(directory.path(), &["plain"]));
    assert!(matches!(
        login(&client, "PLAIN", "alice", "secret"),
        Verdict::Ok(..)
    ));
}

#[test]
fn users_are_told_on_a_userdb_socket() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("auth-userdb");
    serve(
        &path,
        Kind::of("auth-userdb"),
        &house(directory.path(), &["plain"]),
    );
    let mut stream = UnixStream::connect(&path).unwrap();
    stream
        .write_all(b"VERSION\t1\t1\nUSER\t1\talice\tservice=lda\nUSER\t2\tnobody\nLIST\t3\n")
        .unwrap();
    let mut lines = BufReader::new(stream).lines().map(|line| line.unwrap());
    assert_eq!(lines.next().unwrap(), "VERSION\t1\t1");
    assert_eq!(lines.next().unwrap(), format!("SPID\t{}", std::process::id()));
    let alice = "USER\t1\talice\tuid=1000\tgid=1001\thome=/home/alice\tquota_rule=*:storage=1M";
    assert_eq!(lines.next().unwrap(), alice);
    assert_eq!(lines.next().unwrap(), "NOTFOUND\t2");
    assert_eq!(lines.next().unwrap(), "LIST\t3\talice");
    assert_eq!(lines.next().unwrap(), "DONE\t3");
}

#[test]
fn sockets_come_and_go_and_who_decides_changes() {
    let directory = tempfile::tempdir().unwrap();
    let sockets = Sockets::default();
    let bind = |name: &str| {
        let path = directory.path().join(name);
        let listener = UnixListener::bind(&path).unwrap();
        let kind = Kind::of(name);
        Bound { path, kind, listener }
    };
    let greeting = |name: &str| {
        let stream = UnixStream::connect(directory.path().join(name))?;
        let mut lines = BufReader::new(stream).lines();
        lines
            .find(|line| line.as_ref().map_or(true, |line| line.starts_with("MECH")))
            .transpose()
    };
    sockets.decided_by(house(directory.path(), &["plain"]), Arc::new(|_| {}));
    let first = bind("first");
    let again = Bound {
        path: first.path.clone(),
        kind: first.kind,
        listener: first.listener.try_clone().unwrap(),
    };
    sockets.listen(vec![first, bind("second")]);
    assert_eq!(
        greeting("first").unwrap().as_deref(),
        Some("MECH\tPLAIN\tplaintext")
    );
    assert_eq!(
        greeting("second").unwrap().as_deref(),
        Some("MECH\tPLAIN\tplaintext")
    );
    sockets.listen(vec![again]);
    sockets.decided_by(house(directory.path(), &["login"]), Arc::new(|_| {}));
    assert_eq!(
        greeting("first").unwrap().as_deref(),
        Some("MECH\tLOGIN\tplaintext")
    );
    assert!(greeting("second").is_err(), "nobody is there any more");
}

#[test]
fn garbage_behind_a_question_is_logged_and_the_answer_comes_before_the_end() {
    use std::io::Read;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("auth");
    let reports = serve(&path, Kind::of("auth"), &house(directory.path(), &["plain"]));
    let garbage = [
        ("GARBAGE\tx\n".to_owned(), "unknown command: GARBAGE"),
        (
            format!("{}\n", "x".repeat(20_000)),
            "a line is longer than 16384 bytes",
        ),
        ("AUTH\tx\n".repeat(2_000), "a number is missing"),
    ];
    for (garbage, why) in garbage {
        let mut client = UnixStream::connect(&path).unwrap();
        let question = "VERSION\t1\t1\nCPID\t7\nAUTH\t1\tPLAIN\tservice=smtp\tresp=AGFsaWNlAHdyb25n\n";
        client
            .write_all(format!("{question}{garbage}").as_bytes())
            .unwrap();
        let mut said = String::new();
        client.read_to_string(&mut said).expect("an end, not a reset");
        assert!(said.ends_with("FAIL\t1\tuser=alice\n"), "{said}");
        let last = reports.lock().unwrap().pop();
        let told = format!("a client of an auth socket is sent away: {why}");
        assert_eq!(last, Some(Report::Error(told)));
    }
}

#[test]
fn the_word_behind_the_last_hyphen_says_what_a_socket_is_for() {
    for name in [
        "auth-userdb",
        "auth-master",
        "x-y-master",
        "master",
        "userdb",
        "/run/x/master",
    ] {
        assert_eq!(Kind::of(name), Kind::Userdb, "{name}");
    }
    for name in ["auth", "auth-client", "/var/spool/x-master/auth", "postmaster"] {
        assert_eq!(Kind::of(name), Kind::Client, "{name}");
    }
}
