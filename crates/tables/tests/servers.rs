//! Tables that ask others, `tcp:`, `socketmap:` and `sqlite:`, and what becomes of a lookup when those fail.
#![allow(clippy::unwrap_used)] // a panic is how a test fails

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixListener;

use tables::{Error, Tables};

fn open(table: &str) -> (Tables, Vec<Error>) {
    Tables::open(&[table.parse().unwrap()])
}

/// Serves as many connections as there are functions, one after the other; gives `host:port`.
fn server(conversations: Vec<fn(TcpStream)>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for conversation in conversations {
            conversation(listener.accept().unwrap().0);
        }
    });
    address.to_string()
}

/// Answers the questions of a connection by tcp_table(5) until it ends.
fn answers(stream: TcpStream) {
    let mut out = stream.try_clone().unwrap();
    for line in BufReader::new(stream).lines().map_while(Result::ok) {
        let answer = match line.as_str() {
            "get a%20b%25" => "200 x%20y\n",
            "get temp" => "400 come%20back\n",
            "get odd" => "what\n",
            "get empty" => "200 \n",
            "get bad" => "200 %zz\n",
            _ => "500 no\n",
        };
        out.write_all(answer.as_bytes()).unwrap();
    }
}

/// Reads a question and ends the connection in the middle of the answer.
fn dies(stream: TcpStream) {
    let mut out = stream.try_clone().unwrap();
    BufReader::new(stream).read_line(&mut String::new()).unwrap();
    out.write_all(b"200 half an ans").unwrap();
}

fn floods(stream: TcpStream) {
    let mut out = stream.try_clone().unwrap();
    BufReader::new(stream).read_line(&mut String::new()).unwrap();
    out.write_all(&vec![b'2'; 10_000]).unwrap();
}

#[test]
fn tcp() {
    let server = server(vec![answers; 8]);
    let (tables, problems) = open(&format!("tcp:{server}"));
    assert_eq!(problems, []);
    let ask = |key: &str| tables.lookup(key).map_err(|error| error.to_string());
    assert_eq!(ask("a b%"), Ok(Some("x y".to_owned())));
    assert_eq!(ask("missing"), Ok(None));
    assert_eq!(ask(&"long".repeat(2000)), Ok(None));
    let failed = |cause: &str| Err(format!("table tcp:{server}: query error: {cause}"));
    assert_eq!(ask("temp"), failed("the server says: come back"));
    assert_eq!(ask("odd"), failed("malformed reply: what"));
    let empty = format!("tcp:{server} lookup of empty returns an empty string result");
    assert_eq!(ask("empty"), Err(empty));
    assert_eq!(ask("bad"), failed("malformed reply: 200 %zz"));
    assert_eq!(ask("a b%"), Ok(Some("x y".to_owned())), "by a new connection");
}

#[test]
fn a_tcp_server_that_dies_is_asked_once_more_and_then_it_is_an_error() {
    let once = format!("tcp:{}", server(vec![dies, answers]));
    assert_eq!(open(&once).0.lookup("a b%").unwrap().as_deref(), Some("x y"));
    let twice = format!("tcp:{}", server(vec![dies, dies]));
    let error = open(&twice).0.lookup("missing").unwrap_err().to_string();
    assert_eq!(
        error,
        format!("table {twice}: query error: Connection closed by the server")
    );
    let flood = format!("tcp:{}", server(vec![floods, floods]));
    assert!(open(&flood).0.lookup("missing").is_err());
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let error = open(&format!("tcp:{nobody}"))
        .0
        .lookup("x")
        .unwrap_err()
        .to_string();
    assert_eq!(
        error,
        format!("table tcp:{nobody}: query error: Connection refused")
    );
    let error = open("tcp:nothing").1.remove(0).to_string();
    assert_eq!(error, "bad syntax: \"tcp:nothing\"; need \"tcp:host:port\"");
}

/// Reads netstrings and answers them until the connection ends.
fn socketmap(mut stream: impl Read + Write) {
    loop {
        let (mut length, mut octet) = (0, [0]);
        loop {
            if stream.read_exact(&mut octet).is_err() {
                return;
            }
            match octet[0] {
                b':' => break,
                digit => length = length * 10 + usize::from(digit - b'0'),
            }
        }
        let mut question = vec![0; length + 1];
        stream.read_exact(&mut question).unwrap();
        let answer = match String::from_utf8(question).unwrap().as_str() {
            "virtual a b," => "4:OK c,",
            "virtual empty," => "3:OK ,",
            "virtual temp," => "9:TEMP wait,",
            "virtual perm," => "7:PERM no,",
            "virtual slow," => "9:TIMEOUT x,",
            "virtual odd," => "5:MAYBE,",
            "virtual noise," => "hello",
            "virtual long," => "99999999:x",
            "virtual half," => "20:OK x",
            _ => "9:NOTFOUND ,",
        };
        stream.write_all(answer.as_bytes()).unwrap();
        if !answer.ends_with(',') {
            return;
        }
    }
}

#[test]
fn socketmap_over_both_kinds_of_sockets() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("socket");
    let listener = UnixListener::bind(&path).unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming().take(10) {
            socketmap(stream.unwrap());
        }
    });
    let inet = server(vec![socketmap as fn(TcpStream); 10]);
    for table in [
        format!("socketmap:inet:{inet}:virtual"),
        format!("socketmap:unix:{}:virtual", path.display()),
    ] {
        let (tables, problems) = open(&table);
        assert_eq!(problems, []);
        let ask = |key: &str| tables.lookup(key).map_err(|error| error.to_string());
        assert_eq!(ask("a b"), Ok(Some("c".to_owned())));
        assert_eq!(ask("missing"), Ok(None));
        assert_eq!(ask("empty"), Ok(None), "as socketmap_table(5) has it");
        for (key, cause) in [
            ("temp", "socketmap server temporary error: wait"),
            ("perm", "socketmap server permanent error: no"),
            ("slow", "socketmap server timeout: x"),
            ("odd", "unexpected reply status \"MAYBE\""),
            ("noise", "the answer is not a netstring"),
            ("long", "the answer is too long"),
            ("half", "Connection closed by the server"),
        ] {
            // What ends a connection is asked once more by a new one: the first may have been old.
            assert_eq!(
                ask(key),
                Err(format!("table {table}: query error: {cause}")),
                "{key}"
            );
        }
        assert_eq!(ask("a b"), Ok(Some("c".to_owned())), "by a new connection");
    }
    for wrong in [
        "socketmap:foo",
        "socketmap:inet:localhost",
        "socketmap:inet:1:x",
        "socketmap:x:y:z",
    ] {
        assert!(
            open(wrong).1[0]
                .to_string()
                .starts_with(&format!("bad syntax: \"{wrong}\""))
        );
        assert!(open(wrong).0.lookup("x").is_err());
    }
}

#[test]
fn sqlite() {
    let directory = tempfile::tempdir().unwrap();
    let place = directory.path().display().to_string();
    let database = rusqlite::Connection::open(directory.path().join("users")).unwrap();
    database
        .execute_batch(
            "create table a (name text, forward text);
             insert into a values ('o''neil@x.y', 'one@b.c'), ('o''neil@x.y', 'two@b.c'), ('n@x.y', null),
                                  ('e@x.y', ''), ('x.y', 'domain'), ('plain', 'someone'), ('7', 7);",
        )
        .unwrap();
    let table = |name: &str, settings: &str| {
        let path = directory.path().join(name);
        std::fs::write(&path, format!("dbpath = {place}/users\n{settings}")).unwrap();
        format!("sqlite:{}", path.display())
    };
    let ask = |table: &str, key: &str| {
        let (tables, problems) = open(table);
        assert_eq!(problems, []);
        tables.lookup(key).map_err(|error| error.to_string())
    };
    let some = |text: &str| Ok(Some(text.to_owned()));
    let plain = table("plain", "query = select forward from a\n where name = '%s'\n");
    assert_eq!(ask(&plain, "O'Neil@x.y"), some("one@b.c,two@b.c"));
    assert_eq!(ask(&plain, "n@x.y"), Ok(None));
    assert_eq!(ask(&plain, "e@x.y"), Ok(None));
    assert_eq!(ask(&plain, "7"), some("7"));
    assert_eq!(ask(&plain, "x' or '1'='1"), Ok(None), "quotes are quoted");
    let domain = table(
        "domain",
        "query = select forward from a where name = '%d'\nresult_format = <%s>%U\n",
    );
    assert_eq!(ask(&domain, "who@x.y"), some("<domain>who"));
    assert_eq!(ask(&domain, "plain"), Ok(None), "no domain, no question");
    let only = table(
        "only",
        "query = select forward from a where name = '%s'\ndomain = other, X.Y\n",
    );
    assert_eq!(ask(&only, "o'neil@x.y"), some("one@b.c,two@b.c"));
    assert_eq!(ask(&only, "plain"), Ok(None));
    let limit = table(
        "limit",
        "query = select forward from a where name = '%s'\nexpansion_limit = 1\n",
    );
    assert!(
        ask(&limit, "o'neil@x.y")
            .unwrap_err()
            .ends_with("Expansion limit exceeded for key: 'o'neil@x.y'")
    );
    let old = table("old", "table = a\nselect_field = forward\nwhere_field = name\n");
    assert_eq!(ask(&old, "plain"), some("someone"));
    let wrong = table("wrong", "query = selekt 1\n");
    assert!(ask(&wrong, "a").unwrap_err().contains("query error"));
    assert!(
        open(&table("letter", "query = select '%x'\n")).1[0]
            .to_string()
            .contains("\"%x\" is not known")
    );
    assert!(
        open(&table("none", "")).1[0]
            .to_string()
            .contains("query is missing")
    );
    let nothing = open("sqlite:/nonexistent").1.remove(0).to_string();
    assert_eq!(nothing, "open /nonexistent: No such file or directory");

    let (tables, _) = open(&plain);
    assert!(tables.lookup("plain").unwrap().is_some());
    std::fs::write(
        directory.path().join("users"),
        "this is no database, it is a text that is long enough",
    )
    .unwrap();
    assert!(open(&plain).0.lookup("nobody").is_err(), "never \"not found\"");
}
