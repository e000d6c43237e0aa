//! A content filter on a port of its own, and back by a second smtpd: both mail systems tell the filter by XFORWARD who the
//! first client was, and log it when the mail comes back.

use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};

use system_tests::incumbent::{Postfix, free_port};
use system_tests::lines::LineClient;
use system_tests::side_by_side;
use system_tests::wait_for;

const MARK: &str = "X-Filtered: yes\r\n";

/// A filter that marks mail and passes everything on to a port; its own port.
fn start_filter(back: u16) -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for client in listener.incoming().map_while(Result::ok) {
            std::thread::spawn(move || pass_on(client, back));
        }
    });
    port
}

/// One session: lines go through in both directions until one side hangs up.
fn pass_on(client: TcpStream, back: u16) {
    let server = TcpStream::connect((Ipv4Addr::LOCALHOST, back)).unwrap();
    let (mut to_client, mut to_server) = (client.try_clone().unwrap(), server.try_clone().unwrap());
    let answers = std::thread::spawn(move || {
        let _ = std::io::copy(&mut &server, &mut to_client);
        let _ = to_client.shutdown(Shutdown::Write);
    });
    let mut client = BufReader::new(client);
    let mut line = Vec::new();
    let mut is_content = false;
    while matches!(client.read_until(b'\n', &mut line), Ok(count) if count > 0) {
        if std::mem::take(&mut is_content) && to_server.write_all(MARK.as_bytes()).is_err() {
            break;
        }
        is_content = line == b"DATA\r\n";
        if to_server.write_all(&line).is_err() {
            break;
        }
        line.clear();
    }
    let _ = to_server.shutdown(Shutdown::Write);
    let _ = answers.join();
}

/// One letter from another address of loopback, one by `sendmail` of the mail system.
fn send(port: u16, sendmail: impl Fn(&[&str], &str)) {
    let mut client = LineClient::connect_from([127, 0, 0, 5], port);
    client.line();
    for command in [
        "EHLO first.client.test",
        "MAIL FROM:<one@hold.example>",
        "RCPT TO:<cmd@example.test>",
    ] {
        let said = client.smtp(command);
        assert!(said.starts_with("250"), "{said}");
    }
    client.smtp("DATA");
    client.say("Subject: by SMTP\r\n\r\nbody");
    assert!(client.smtp(".").starts_with("250"));
    client.smtp("QUIT");
    sendmail(
        &["-f", "two@hold.example", "cmd@example.test"],
        "Subject: by hand\n\nbody\n",
    );
}

/// What the log says of clients and of deliveries, without ids and times.
fn told(log: &str, filter: u16) -> Vec<String> {
    let id = |word: &str| match word.split_once('=') {
        Some(("orig_queue_id", _)) => "orig_queue_id=ID".to_owned(),
        _ => word.to_owned(),
    };
    let mut told = Vec::new();
    for line in log.lines() {
        if let Some(at) = line.find(": client=") {
            let words: Vec<String> = line[at + 2..].split(", ").map(id).collect();
            told.push(words.join(", "));
        } else if line.contains("status=sent") {
            let relay = line.split(", ").find(|word| word.starts_with("relay="));
            let relay = relay
                .unwrap_or_default()
                .replace(&format!(":{filter}"), ":FILTER");
            let (_, recipient) = line.split_once("to=<").unwrap();
            told.push(format!(
                "{} {relay}",
                recipient.split('>').next().unwrap_or_default()
            ));
        }
    }
    told.sort();
    told
}

#[test]
fn the_first_client_is_logged_behind_a_content_filter() {
    let (first, back) = (free_port(), free_port());
    let filter = start_filter(back);
    let root = tempfile::tempdir().unwrap();
    std::fs::set_permissions(root.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let aliases = root.path().join("aliases");
    std::fs::write(&aliases, "cmd |true\n").unwrap();
    let content_filter = format!("smtp:[127.0.0.1]:{filter}");
    let aliases = format!("texthash:{}", aliases.display());
    let settings = [
        ("myhostname", "mail.example.test"),
        ("mydestination", "example.test"),
        ("mynetworks", "127.0.0.0/8"),
        ("local_recipient_maps", ""),
        ("alias_maps", &aliases),
        ("content_filter", &content_filter),
        ("smtp_send_xforward_command", "yes"),
        ("smtpd_peername_lookup", "no"),
    ];
    let own = [
        ("content_filter", ""),
        ("smtpd_authorized_xforward_hosts", "127.0.0.0/8"),
    ];
    let options = own.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let Some(postfix) = Postfix::start(
        &side_by_side::main_cf(&settings),
        &[(first, Vec::new()), (back, options.to_vec())],
    ) else {
        return;
    };
    let is_complete = |log: &str| told(log, filter).len() >= 7;
    send(first, |arguments, letter| {
        postfix.sendmail(arguments, letter).success();
    });
    wait_for("Postfix's log", || is_complete(&postfix.log()));
    let wanted = told(&postfix.log(), filter);
    drop(postfix);

    let mut sandbox = side_by_side::stopped(&settings);
    sandbox.append_to("master.cf", &side_by_side::row(back, &options));
    sandbox.launch();
    send(sandbox.ports().smtp, |arguments, letter| {
        sandbox.run("sendmail", arguments, letter).success();
    });
    wait_for("our log", || is_complete(&sandbox.log()));
    assert_eq!(
        told(&sandbox.log(), filter),
        wanted,
        "ours is left, Postfix's right"
    );
    let first_client = "orig_client=unknown[127.0.0.5]";
    assert!(
        wanted.iter().any(|line| line.contains(first_client)),
        "{wanted:?}"
    );
}
