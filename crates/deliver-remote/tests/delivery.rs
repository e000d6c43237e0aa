//! Deliveries over real sockets: to scripted peers, to nobody, and under TLS.
#![allow(clippy::unwrap_used)] // a test fails by panic

mod peers;

use deliver_remote::{Delivery, NextHop, Remote, Request};
use envelope::DeliveryResult;
use peers::envelope;
use settings::{Postfix, Surroundings, TlsLevel};
use std::io::{BufRead, BufReader, Cursor, Read, Write};
use std::net::TcpListener;
use std::os::unix::net::UnixListener;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;
use testkit::DnsServer;

fn settings() -> Postfix {
    let mut settings = Postfix::defaults(&Surroundings::default());
    settings.smtp_connect_timeout = Duration::from_secs(5);
    settings.smtp_helo_timeout = Duration::from_secs(5);
    settings
}

fn deliver(settings: &Postfix, next_hop: NextHop, recipients: &[&str], content: &[u8]) -> Delivery {
    deliver_by(&remote(settings, ""), next_hop, recipients, content)
}

/// A client that asks a server with that zone.
fn remote(settings: &Postfix, zone: &str) -> Remote {
    // It stays for the rest of the test.
    let server = Box::leak(Box::new(DnsServer::start(zone)));
    let servers = [server.address().to_string()];
    let configuration = dns::Configuration::of_file("/nonexistent".as_ref())
        .asking(&servers)
        .unwrap();
    let own = vec!["192.0.2.9".parse().unwrap()];
    Remote::from_settings(settings, Arc::new(dns::Resolver::new(configuration)), own).unwrap()
}

fn deliver_by(remote: &Remote, next_hop: NextHop, recipients: &[&str], content: &[u8]) -> Delivery {
    let envelope = envelope(recipients);
    let all: Vec<usize> = (0..recipients.len()).collect();
    let request = Request::of(next_hop, &envelope, &all);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let content = content.to_vec();
    let open = || -> Box<dyn Read + Send> { Box::new(Cursor::new(content.clone())) };
    let attempt = async {
        tokio::time::timeout(Duration::from_secs(20), remote.deliver(request, &open, &|| {}))
            .await
            .unwrap()
    };
    runtime.block_on(attempt)
}

/// Says the script's lines, one after each line heard; after 354 everything up to the dot is one line.
fn play(stream: &mut (impl Read + Write), script: &[&str]) -> String {
    let mut heard = String::new();
    for said in script {
        stream.write_all(said.as_bytes()).unwrap();
        if said.is_empty() {
            break;
        }
        let mut reader = BufReader::with_capacity(1, &mut *stream);
        let mut line = String::new();
        while reader.read_line(&mut line).unwrap() > 0
            && said.starts_with("354")
            && !line.ends_with("\r\n.\r\n")
        {}
        heard.push_str(&line);
    }
    heard
}

/// A peer for one connection; gives what it heard.
fn peer(script: &'static [&'static str]) -> (NextHop, JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let next_hop = NextHop::smtp(&format!("[127.0.0.1]:{port}"), "smtp").unwrap();
    (
        next_hop,
        std::thread::spawn(move || play(&mut listener.accept().unwrap().0, script)),
    )
}

#[test]
fn a_message_is_handed_over_and_each_recipient_has_its_outcome() {
    let script = &[
        "220 mx\r\n",
        "250 mx\r\n",
        "250 ok\r\n",
        "250 ok\r\n",
        "550 5.1.1 who?\r\n",
        "354 go\r\n",
        "250 2.0.0 taken\r\n",
    ];
    let (next_hop, heard) = peer(script);
    let content = b"Subject: x\n\n.dot\nend\n";
    let delivery = deliver(&settings(), next_hop, &["a@x.example", "b@x.example"], content);
    let heard = heard.join().unwrap();
    assert!(
        heard.contains("\r\nDATA\r\nSubject: x\r\n\r\n..dot\r\nend\r\n.\r\nQUIT\r\n"),
        "{heard}"
    );
    let [first, second] = &delivery.outcomes[..] else {
        panic!("{delivery:?}")
    };
    assert_eq!(
        (first.result, first.text.as_str()),
        (DeliveryResult::Relayed, "250 2.0.0 taken")
    );
    assert!(
        first.relay.starts_with("127.0.0.1[127.0.0.1]:"),
        "{}",
        first.relay
    );
    assert_eq!(second.result, DeliveryResult::Bounced);
    assert_eq!(
        second.text,
        "host 127.0.0.1[127.0.0.1] said: 550 5.1.1 who? (in reply to RCPT TO command)"
    );
}

#[test]
fn nobody_there_is_said_in_postfix_words() {
    let port = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let next_hop = NextHop::smtp(&format!("[127.0.0.1]:{port}"), "smtp").unwrap();
    let (log, captured) = maillog::Log::to_memory();
    let remote = remote(&settings(), "").logging_to(log);
    let delivery = deliver_by(&remote, next_hop, &["a@x.example", "b@x.example"], b"x\r\n");
    assert_eq!(delivery.outcomes.len(), 2);
    assert_eq!(
        captured.lines(),
        [format!(
            "postfix/smtp: connect to 127.0.0.1[127.0.0.1]:{port}: Connection refused"
        )]
    );
    let outcome = &delivery.outcomes[1];
    assert_eq!(
        outcome.text,
        format!("connect to 127.0.0.1[127.0.0.1]:{port}: Connection refused")
    );
    assert_eq!(
        (outcome.relay.as_str(), outcome.status.to_string().as_str()),
        ("none", "4.4.1")
    );
}

#[test]
fn a_peer_that_hangs_up_in_the_middle_defers() {
    let (next_hop, heard) = peer(&["220 mx\r\n", "250 mx\r\n", "250 ok\r\n", ""]);
    let delivery = deliver(&settings(), next_hop, &["a@x.example"], b"x\r\n");
    heard.join().unwrap();
    assert_eq!(delivery.outcomes[0].result, DeliveryResult::Deferred);
    assert_eq!(
        delivery.outcomes[0].text,
        "lost connection with 127.0.0.1[127.0.0.1] while sending RCPT TO"
    );
}

#[test]
fn lmtp_over_a_socket_of_this_machine() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("lmtp");
    let listener = UnixListener::bind(&path).unwrap();
    let script = &[
        "220 mx\r\n",
        "250 mx\r\n",
        "250 ok\r\n",
        "250 ok\r\n",
        "250 ok\r\n",
        "354 go\r\n",
        "250 2.0.0 one\r\n452 4.2.2 full\r\n",
    ];
    let heard = std::thread::spawn(move || play(&mut listener.accept().unwrap().0, script));
    let next_hop = NextHop::lmtp(&format!("unix:{}", path.display()), "24").unwrap();
    let delivery = deliver(&settings(), next_hop, &["a@x.example", "b@x.example"], b"x\r\n");
    assert!(heard.join().unwrap().starts_with("LHLO "));
    let results: Vec<DeliveryResult> = delivery.outcomes.iter().map(|outcome| outcome.result).collect();
    assert_eq!(results, [DeliveryResult::Relayed, DeliveryResult::Deferred]);
}

/// A peer that offers STARTTLS, does it, and takes one message inside.
fn tls_peer(directory: &std::path::Path, works: bool) -> (NextHop, JoinHandle<String>) {
    let pair = tls::self_signed::ensure(directory, &["127.0.0.1"]).unwrap();
    let protocols = tls::Protocols::of_postfix("").unwrap();
    let config = tls::server::Material::of_files(&pair.cert_file, &pair.key_file, protocols)
        .and_then(|material| material.server())
        .unwrap()
        .config;
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let next_hop = NextHop::smtp(&format!("[127.0.0.1]:{port}"), "smtp").unwrap();
    let taken = &[
        "250 mx\r\n",
        "250 ok\r\n",
        "250 ok\r\n",
        "354 go\r\n",
        "250 2.0.0 taken\r\n",
    ];
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        play(&mut stream, &["220 mx\r\n", "250-mx\r\n250 STARTTLS\r\n"]);
        if works {
            stream.write_all(b"220 go\r\n").unwrap();
            let connection = rustls::ServerConnection::new(Arc::clone(&config)).unwrap();
            let mut stream = rustls::StreamOwned::new(connection, stream);
            let mut line = String::new();
            let mut reader = BufReader::with_capacity(1, &mut stream);
            reader.read_line(&mut line).unwrap();
            return line + &play(&mut stream, taken);
        }
        stream.write_all(b"220 go\r\n").unwrap();
        // The client's first word comes before the nonsense, which else would be text behind the reply.
        stream.read_exact(&mut [0; 5]).unwrap();
        stream.write_all(b"this is no handshake\r\n").unwrap();
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest);
        // `may`: a second connection comes, without STARTTLS.
        let (mut stream, _) = listener.accept().unwrap();
        play(
            &mut stream,
            &[
                "220 mx\r\n",
                "250-mx\r\n250 STARTTLS\r\n",
                "250 ok\r\n",
                "250 ok\r\n",
                "354 go\r\n",
                "250 2.0.0 taken\r\n",
            ],
        )
    });
    (next_hop, server)
}

#[test]
fn tls_is_used_when_it_is_offered() {
    let directory = tempfile::tempdir().unwrap();
    let mut settings = settings();
    settings.smtp_tls_security_level = TlsLevel::Encrypt;
    let (next_hop, server) = tls_peer(directory.path(), true);
    let delivery = deliver(&settings, next_hop, &["a@x.example"], b"x\r\n");
    let heard = server.join().unwrap();
    assert!(
        heard.starts_with("EHLO ") && heard.contains("DATA\r\nx\r\n.\r\n"),
        "{heard}"
    );
    assert!(delivery.tls);
    assert_eq!(delivery.outcomes[0].result, DeliveryResult::Relayed);
}

#[test]
fn a_failed_handshake_is_tolerated_by_may() {
    let directory = tempfile::tempdir().unwrap();
    let mut settings = settings();
    settings.smtp_tls_security_level = TlsLevel::May;
    let (next_hop, server) = tls_peer(directory.path(), false);
    let delivery = deliver(&settings, next_hop, &["a@x.example"], b"x\r\n");
    assert!(!server.join().unwrap().contains("STARTTLS"));
    assert_eq!(
        (delivery.tls, delivery.outcomes[0].result),
        (false, DeliveryResult::Relayed)
    );
}

#[test]
fn without_tls_encrypt_defers() {
    let mut settings = settings();
    settings.smtp_tls_security_level = TlsLevel::Encrypt;
    let (next_hop, heard) = peer(&["220 mx\r\n", "250 mx\r\n"]);
    let delivery = deliver(&settings, next_hop, &["a@x.example"], b"x\r\n");
    assert!(!heard.join().unwrap().contains("MAIL"));
    assert_eq!(
        delivery.outcomes[0].text,
        "TLS is required, but was not offered by host 127.0.0.1[127.0.0.1]"
    );
    assert_eq!(delivery.outcomes[0].result, DeliveryResult::Deferred);
}

#[test]
fn a_connection_comes_from_the_address_that_is_set() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let next_hop = NextHop::smtp(&format!("[127.0.0.1]:{port}"), "smtp").unwrap();
    let peer = std::thread::spawn(move || listener.accept().unwrap().1.ip());
    let mut settings = settings();
    settings.smtp_bind_address = "127.0.0.5".to_owned();
    let delivery = deliver(&settings, next_hop, &["a@x.example"], b"x\r\n");
    assert_eq!(delivery.outcomes[0].result, DeliveryResult::Deferred);
    assert_eq!(peer.join().unwrap().to_string(), "127.0.0.5");
}

/// A peer on an address of its own that takes one message.
fn taker(address: &str, port: u16, script: &'static [&'static str]) -> JoinHandle<String> {
    let listener = TcpListener::bind((address, port)).unwrap();
    listener.set_nonblocking(true).unwrap();
    std::thread::spawn(move || {
        let until = std::time::Instant::now() + Duration::from_secs(20);
        loop {
            if let Ok((mut stream, _)) = listener.accept() {
                stream.set_nonblocking(false).unwrap();
                return play(&mut stream, script);
            }
            assert!(std::time::Instant::now() < until, "nobody came");
            std::thread::park_timeout(Duration::from_millis(5));
        }
    })
}

/// A port that is free on a few addresses of loopback.
fn port() -> u16 {
    let free = |_| {
        let port = TcpListener::bind("127.0.0.2:0").ok()?.local_addr().ok()?.port();
        ["127.0.0.3", "127.0.0.4"]
            .iter()
            .all(|address| TcpListener::bind((*address, port)).is_ok())
            .then_some(port)
    };
    (0..100).find_map(free).unwrap()
}

const TAKEN: &[&str] = &[
    "220 mx\r\n",
    "250 mx\r\n",
    "250 ok\r\n",
    "250 ok\r\n",
    "354 go\r\n",
    "250 2.0.0 taken\r\n",
];

#[test]
fn the_next_exchanger_takes_what_the_first_does_not() {
    let zone = "d.test MX 10 a.test\nd.test MX 20 b.test\nd.test MX 30 c.test\n\
                a.test A 127.0.0.2\nb.test A 127.0.0.3\nc.test A 127.0.0.4\n";
    for (second, sessions) in [
        (&["450 4.3.2 not now\r\n"][..], 2),
        (&["554 5.3.2 never\r\n"], 2),
        (
            &["220 mx\r\n", "250 mx\r\n", "250 ok\r\n", "450 4.2.0 not you\r\n"],
            0,
        ),
    ] {
        let port = port();
        let mut settings = settings();
        settings.smtp_mx_session_limit = sessions;
        let remote = remote(&settings, zone);
        // Nobody listens on 127.0.0.2.
        let heard = taker("127.0.0.3", port, second);
        let last = taker("127.0.0.4", port, TAKEN);
        let next_hop = NextHop::smtp(&format!("d.test:{port}"), "smtp").unwrap();
        let delivery = deliver_by(&remote, next_hop, &["u@d.test"], b"x\r\n");
        heard.join().unwrap();
        assert!(last.join().unwrap().contains("DATA\r\nx\r\n.\r\n"));
        assert_eq!(delivery.outcomes[0].relay, format!("c.test[127.0.0.4]:{port}"));
        assert_eq!(delivery.outcomes[0].text, "250 2.0.0 taken");
    }
}

#[test]
fn sessions_are_limited_and_the_last_word_counts() {
    let zone = "d.test MX 10 a.test\nd.test MX 20 b.test\nd.test MX 30 c.test\n\
                a.test A 127.0.0.2\nb.test A 127.0.0.3\nc.test A 127.0.0.4\n";
    let port = port();
    let busy = &["421 4.3.2 busy\r\n"];
    let peers = ["127.0.0.2", "127.0.0.3"].map(|address| taker(address, port, busy));
    let unasked = TcpListener::bind(("127.0.0.4", port)).unwrap();
    unasked.set_nonblocking(true).unwrap();
    let next_hop = NextHop::smtp(&format!("d.test:{port}"), "smtp").unwrap();
    let delivery = deliver_by(&remote(&settings(), zone), next_hop, &["u@d.test"], b"x\r\n");
    peers.into_iter().for_each(|peer| drop(peer.join().unwrap()));
    assert!(unasked.accept().is_err());
    assert_eq!(
        delivery.outcomes[0].text,
        "host b.test[127.0.0.3] refused to talk to me: 421 4.3.2 busy"
    );
}

#[test]
fn a_greeting_may_refuse_for_good() {
    let port = port();
    let mut settings = settings();
    settings.smtp_skip_5xx_greeting = false;
    let peer = taker("127.0.0.2", port, &["554 5.3.2 never\r\n"]);
    let next_hop = NextHop::smtp(&format!("[127.0.0.2]:{port}, [127.0.0.3]:{port}"), "smtp").unwrap();
    let delivery = deliver_by(&remote(&settings, ""), next_hop, &["u@d.test"], b"x\r\n");
    peer.join().unwrap();
    assert_eq!(delivery.outcomes[0].result, DeliveryResult::Bounced);
    assert_eq!(delivery.outcomes[0].status.to_string(), "5.3.2");
}

#[test]
fn recipients_go_on_alone_and_each_has_its_outcome() {
    let zone = "d.test MX 10 a.test\nd.test MX 20 b.test\na.test A 127.0.0.2\nb.test A 127.0.0.3\n";
    let port = port();
    let first = taker(
        "127.0.0.2",
        port,
        &[
            "220 mx\r\n",
            "250 mx\r\n",
            "250 ok\r\n",
            "250 ok\r\n",
            "550 5.1.1 who?\r\n",
            "451 4.2.0 later\r\n",
            "354 go\r\n",
            "250 2.0.0 first\r\n",
        ],
    );
    let second = taker("127.0.0.3", port, TAKEN);
    let next_hop = NextHop::smtp(&format!("d.test:{port}"), "smtp").unwrap();
    let recipients = ["a@d.test", "b@d.test", "c@d.test"];
    let delivery = deliver_by(&remote(&settings(), zone), next_hop, &recipients, b"x\r\n");
    first.join().unwrap();
    let heard = second.join().unwrap();
    assert!(
        heard.contains("RCPT TO:<c@d.test>") && !heard.contains("a@d.test"),
        "{heard}"
    );
    let texts: Vec<&str> = delivery
        .outcomes
        .iter()
        .map(|outcome| outcome.text.as_str())
        .collect();
    assert_eq!(texts[0], "250 2.0.0 first");
    assert!(texts[1].contains("550 5.1.1 who?"), "{texts:?}");
    assert_eq!(texts[2], "250 2.0.0 taken");
}

#[test]
fn mail_that_a_host_may_have_taken_is_not_given_to_the_next() {
    let zone = "d.test MX 10 a.test\nd.test MX 20 b.test\na.test A 127.0.0.2\nb.test A 127.0.0.3\n";
    let port = port();
    let script = &[
        "220 mx\r\n",
        "250 mx\r\n",
        "250 ok\r\n",
        "250 ok\r\n",
        "354 go\r\n",
        "",
    ];
    let first = taker("127.0.0.2", port, script);
    let unasked = TcpListener::bind(("127.0.0.3", port)).unwrap();
    unasked.set_nonblocking(true).unwrap();
    let next_hop = NextHop::smtp(&format!("d.test:{port}"), "smtp").unwrap();
    let delivery = deliver_by(&remote(&settings(), zone), next_hop, &["u@d.test"], b"x\r\n");
    first.join().unwrap();
    assert!(unasked.accept().is_err());
    let outcome = &delivery.outcomes[0];
    assert_eq!(outcome.result, DeliveryResult::Deferred);
    assert!(
        outcome.text.ends_with("message may be sent more than once"),
        "{}",
        outcome.text
    );
}

#[test]
fn fallback_relays_take_what_is_left_and_their_faults_are_ours() {
    let zone = "self.test MX 10 me.test\nme.test A 192.0.2.9\nsecond.test MX 10 a.test\nsecond.test MX 20 me.test\n\
                a.test A 127.0.0.2\n";
    let port = port();
    let mut settings = settings();
    settings.smtp_fallback_relay = vec![format!("[127.0.0.4]:{port}")];
    let deliver = |settings: &Postfix, next_hop: &str| {
        let next_hop = NextHop::smtp(next_hop, "smtp").unwrap();
        let delivery = deliver_by(&remote(settings, zone), next_hop, &["u@d.test"], b"x\r\n");
        let outcome = &delivery.outcomes[0];
        format!("{} {}", outcome.status, outcome.text)
    };
    let fallback = taker("127.0.0.4", port, TAKEN);
    assert_eq!(deliver(&settings, "nowhere.test"), "2.0.0 250 2.0.0 taken");
    fallback.join().unwrap();
    assert_eq!(
        deliver(&settings, "nowhere.test"),
        format!("4.4.1 connect to 127.0.0.4[127.0.0.4]:{port}: Connection refused")
    );
    // Where this host is an exchanger itself, the fallback relay is not asked: mail could run in circles.
    assert_eq!(
        deliver(&settings, "self.test"),
        "5.4.6 mail for self.test loops back to myself"
    );
    assert_eq!(
        deliver(&settings, "second.test"),
        "4.4.1 connect to a.test[127.0.0.2]:25: Connection refused"
    );
    let not_found = |name: &str| {
        format!("Host or domain name not found. Name service error for name={name} type=A: Host not found")
    };
    settings.inet_protocols = settings::InetProtocols::Ipv4;
    settings.smtp_fallback_relay = vec!["[no.test]".to_owned()];
    assert_eq!(
        deliver(&settings, "nowhere.test"),
        format!("4.3.5 {}", not_found("no.test"))
    );
    settings.smtp_fallback_relay = Vec::new();
    assert_eq!(
        deliver(&settings, "nowhere.test"),
        format!("5.4.4 {}", not_found("nowhere.test"))
    );
    settings.relayhost = "nowhere.test".to_owned();
    assert_eq!(
        deliver(&settings, "nowhere.test"),
        format!("4.3.5 {}", not_found("nowhere.test"))
    );
}

#[test]
fn with_soft_bounce_a_refusal_is_for_the_next_host_to_confirm() {
    const REFUSED: &[&str] = &["220 mx\r\n", "250 mx\r\n", "250 ok\r\n", "550 5.1.1 who?\r\n"];
    let port = port();
    let mut settings = settings();
    settings.smtp_fallback_relay = vec![format!("[127.0.0.4]:{port}")];
    for (is_soft, expected) in [
        (
            false,
            "5.1.1 host 127.0.0.2[127.0.0.2] said: 550 5.1.1 who? (in reply to RCPT TO command)",
        ),
        (true, "2.0.0 250 2.0.0 taken"),
    ] {
        settings.soft_bounce = is_soft;
        let first = taker("127.0.0.2", port, REFUSED);
        let fallback = is_soft.then(|| taker("127.0.0.4", port, TAKEN));
        let next_hop = NextHop::smtp(&format!("[127.0.0.2]:{port}"), "smtp").unwrap();
        let delivery = deliver_by(&remote(&settings, ""), next_hop, &["u@d.test"], b"x\r\n");
        let outcome = &delivery.outcomes[0];
        assert_eq!(format!("{} {}", outcome.status, outcome.text), expected);
        first.join().unwrap();
        fallback.into_iter().for_each(|peer| drop(peer.join().unwrap()));
    }
}
