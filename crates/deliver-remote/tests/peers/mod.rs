//! Peers that speak SMTP or LMTP for as long as somebody comes, and count what they hear.
#![allow(dead_code, unreachable_pub)] // each test file uses its part

use address::Address;
use deliver_remote::{Delivery, NextHop, Remote, Request};
use envelope::{BodyKind, Envelope, Recipient};
use settings::{Postfix, Surroundings};
use std::io::{BufRead, BufReader, Cursor, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use testkit::DnsServer;

/// How a peer is.
#[derive(Clone, Default)]
pub struct Nature {
    /// Lines of EHLO's reply, behind the first one.
    pub offers: Vec<&'static str>,
    /// What is said instead of the usual to a command that begins so, and whether the peer hangs up then.
    pub answers: Vec<(&'static str, &'static str, Then)>,
    /// Messages after which the peer hangs up without a word.
    pub messages_max: Option<usize>,
    /// For STARTTLS, and from the first octet where it is wrapped.
    pub tls: Option<Arc<rustls::ServerConfig>>,
    pub is_wrapped: bool,
    /// Logins of `alice` with `secret` are taken, by the mechanisms of crate `sasl`.
    pub logs_in: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Then {
    GoesOn,
    HangsUp,
}

/// What a peer heard: each connection's lines, content included.
#[derive(Clone)]
pub struct Peer {
    pub port: u16,
    heard: Arc<Mutex<Vec<String>>>,
}

impl Peer {
    /// A peer on a free port of 127.0.0.1.
    pub fn start(nature: Nature) -> Peer {
        Peer::start_on("127.0.0.1:0", nature)
    }

    pub fn start_on(address: &str, nature: Nature) -> Peer {
        let listener = TcpListener::bind(address).unwrap();
        let port = listener.local_addr().unwrap().port();
        let heard = Arc::new(Mutex::new(Vec::new()));
        let of_peer = Arc::clone(&heard);
        // It stays for the rest of the test.
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (nature, heard) = (nature.clone(), Arc::clone(&of_peer));
                std::thread::spawn(move || {
                    let number = {
                        let mut heard = heard.lock().unwrap();
                        heard.push(String::new());
                        heard.len() - 1
                    };
                    let note = move |line: &str| heard.lock().unwrap()[number].push_str(line);
                    let _ = serve(stream.unwrap(), &nature, &note);
                });
            }
        });
        Peer { port, heard }
    }

    /// What was heard on each connection.
    pub fn heard(&self) -> Vec<String> {
        self.heard.lock().unwrap().clone()
    }

    pub fn next_hop(&self) -> NextHop {
        NextHop::smtp(&format!("[127.0.0.1]:{}", self.port), "smtp").unwrap()
    }

    /// Waits until what was heard is so.
    pub fn wait_until(&self, is_so: impl Fn(&[String]) -> bool) {
        let until = std::time::Instant::now() + Duration::from_secs(20);
        while !is_so(&self.heard()) {
            assert!(std::time::Instant::now() < until, "{:?}", self.heard());
            std::thread::park_timeout(Duration::from_millis(5));
        }
    }
}

trait Stream: Read + Write {}
impl<T: Read + Write> Stream for T {}

fn serve(stream: TcpStream, nature: &Nature, note: &dyn Fn(&str)) -> std::io::Result<()> {
    let secured = |stream: TcpStream| -> Box<dyn Stream> {
        let config = Arc::clone(nature.tls.as_ref().unwrap());
        let connection = rustls::ServerConnection::new(config).unwrap();
        Box::new(rustls::StreamOwned::new(connection, stream))
    };
    let mut plain = stream.try_clone().ok();
    let mut stream: Box<dyn Stream> = match nature.is_wrapped {
        true => secured(stream),
        false => Box::new(stream),
    };
    let (mut messages, mut recipients) = (0, 0);
    let mut is_lmtp = false;
    let (greeting, then) = said(nature, "", "220 mx\r\n");
    stream.write_all(greeting.as_bytes())?;
    if then == Then::HangsUp {
        return Ok(());
    }
    loop {
        // One octet at a time: nothing is read beyond STARTTLS.
        let mut line = String::new();
        if BufReader::with_capacity(1, &mut stream).read_line(&mut line)? == 0 {
            return Ok(());
        }
        note(&line);
        let verb = line.split_whitespace().next().unwrap_or_default().to_owned();
        is_lmtp |= verb == "LHLO";
        if verb == "AUTH" && nature.logs_in {
            log_in(&mut stream, &line, note)?;
            continue;
        }
        let offers: Vec<String> = nature
            .offers
            .iter()
            .map(|offer| format!("250-{offer}\r\n"))
            .collect();
        let usual = match verb.as_str() {
            "EHLO" | "LHLO" => format!("250-mx\r\n{}250 OK\r\n", offers.concat()),
            "DATA" => "354 go\r\n".to_owned(),
            "STARTTLS" => "220 go\r\n".to_owned(),
            "QUIT" => "221 bye\r\n".to_owned(),
            _ => "250 ok\r\n".to_owned(),
        };
        let (answer, then) = said(nature, line.trim_end(), &usual);
        stream.write_all(answer.as_bytes())?;
        if then == Then::HangsUp {
            return Ok(());
        }
        recipients += usize::from(verb == "RCPT" && answer.starts_with('2'));
        match verb.as_str() {
            "STARTTLS" if answer.starts_with("220") => stream = secured(plain.take().unwrap()),
            "DATA" if answer.starts_with("354") => {
                content(&mut stream, note)?;
                let (answer, then) = said(nature, ".", "250 2.0.0 taken\r\n");
                let count = if is_lmtp { recipients } else { 1 };
                stream.write_all(answer.repeat(count).as_bytes())?;
                (messages, recipients) = (messages + 1, 0);
                if then == Then::HangsUp || nature.messages_max == Some(messages) {
                    return Ok(());
                }
            }
            "BDAT" => bdat(&mut stream, &line, note)?,
            "RSET" | "MAIL" => recipients = 0,
            "QUIT" if !answer.is_empty() => return Ok(()),
            _ => {}
        }
    }
}

fn said(nature: &Nature, line: &str, usual: &str) -> (String, Then) {
    let own = nature.answers.iter().find(|(to, ..)| match *to {
        "" | "." => *to == line,
        to => line.starts_with(to),
    });
    own.map_or((usual.to_owned(), Then::GoesOn), |(_, answer, then)| {
        ((*answer).to_owned(), *then)
    })
}

/// Up to the dot.
fn content(stream: &mut Box<dyn Stream>, note: &dyn Fn(&str)) -> std::io::Result<()> {
    loop {
        let mut line = Vec::new();
        if BufReader::with_capacity(1, &mut *stream).read_until(b'\n', &mut line)? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        note(&String::from_utf8_lossy(&line));
        if line == b".\r\n" {
            return Ok(());
        }
    }
}

fn log_in(stream: &mut Box<dyn Stream>, line: &str, note: &dyn Fn(&str)) -> std::io::Result<()> {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;
    use sasl::{Context, Step, Stored, mechanism};
    let mut words = line.split_whitespace().skip(1);
    let mut server = mechanism::server(words.next().unwrap(), Context::default()).unwrap();
    let initial = words.next().map(|text| STANDARD.decode(text).unwrap());
    let mut step = server.start(initial.as_deref());
    let is_right = loop {
        step = match step {
            Step::Challenge(challenge) => {
                stream.write_all(format!("334 {}\r\n", STANDARD.encode(challenge)).as_bytes())?;
                let mut line = String::new();
                BufReader::with_capacity(1, &mut *stream).read_line(&mut line)?;
                note(&line);
                server.step(&STANDARD.decode(line.trim_end()).unwrap())
            }
            Step::Lookup(_) => server.give(Stored::Known("{PLAIN}secret")),
            Step::Verify(found) => break found.user == "alice" && found.password.bytes() == b"secret",
            Step::Proved(identity) => break identity.user == "alice",
            _ => break false,
        }
    };
    let answer = if is_right {
        "235 2.7.0 welcome\r\n"
    } else {
        "535 5.7.8 no\r\n"
    };
    stream.write_all(answer.as_bytes())
}

fn bdat(stream: &mut Box<dyn Stream>, line: &str, note: &dyn Fn(&str)) -> std::io::Result<()> {
    let count = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    let mut chunk = vec![0; count];
    stream.read_exact(&mut chunk)?;
    note(&String::from_utf8_lossy(&chunk));
    Ok(())
}

pub fn settings() -> Postfix {
    let mut settings = Postfix::defaults(&Surroundings::default());
    settings.smtp_helo_name = "client.example".to_owned();
    settings.lmtp_lhlo_name = "client.example".to_owned();
    settings
}

/// A client that asks a server with that zone.
pub fn remote(settings: &Postfix, zone: &str) -> Remote {
    // It stays for the rest of the test.
    let server = Box::leak(Box::new(DnsServer::start(zone)));
    let configuration = dns::Configuration::of_file("/nonexistent".as_ref())
        .asking(&[server.address().to_string()])
        .unwrap();
    let own = vec!["192.0.2.9".parse().unwrap()];
    Remote::from_settings(settings, Arc::new(dns::Resolver::new(configuration)), own).unwrap()
}

pub fn envelope(recipients: &[&str]) -> Envelope {
    let recipient = |text: &&str| {
        let address = Address::parse(text).unwrap();
        Recipient {
            original: address.clone(),
            address,
            orcpt: None,
            notify: None,
        }
    };
    Envelope {
        sender: Some(Address::parse("sender@b.example").unwrap()),
        recipients: recipients.iter().map(recipient).collect(),
        ret: None,
        envid: None,
        body: BodyKind::SevenBit,
        smtputf8: false,
    }
}

/// One message to one recipient, from inside a runtime.
pub async fn send(remote: &Remote, next_hop: NextHop, content: &'static str) -> Delivery {
    let envelope = envelope(&["a@x.example"]);
    let request = Request::of(next_hop, &envelope, &[0]);
    let open = || -> Box<dyn Read + Send> { Box::new(Cursor::new(content)) };
    let attempt = remote.deliver(request, &open, &|| {});
    tokio::time::timeout(Duration::from_secs(10), attempt)
        .await
        .unwrap()
}

/// A server's TLS, with a certificate that it signed itself for these names, and the file of that certificate.
pub fn tls_of_server(
    directory: &std::path::Path,
    names: &[&str],
) -> (Arc<rustls::ServerConfig>, std::path::PathBuf) {
    let pair = tls::self_signed::ensure(directory, names).unwrap();
    let protocols = tls::Protocols::of_postfix("").unwrap();
    let material = tls::server::Material::of_files(&pair.cert_file, &pair.key_file, protocols).unwrap();
    (material.server().unwrap().config, pair.cert_file)
}

/// Runs it to its end.
pub fn run<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(work)
}
