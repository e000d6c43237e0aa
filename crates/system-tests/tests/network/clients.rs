//! The names of clients: looked up both ways before they are greeted.

use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;

use socket2::{Domain, Socket, Type};

use super::{Network, has};
use system_tests::wait_for;

const ZONE: &str = "\
2.0.0.127.in-addr.arpa PTR client.test
client.test A 127.0.0.2
3.0.0.127.in-addr.arpa PTR liar.test
liar.test A 127.0.0.99
4.0.0.127.in-addr.arpa PTR nowhere.test
5.0.0.127.in-addr.arpa SERVFAIL
";

/// Sends a message from an address of loopback.
#[track_caller]
fn send_from(address: &str, network: &Network, subject: &str) {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    let source: SocketAddr = format!("{address}:0").parse().unwrap();
    socket.bind(&source.into()).unwrap();
    let server: SocketAddr = format!("127.0.0.1:{}", network.port).parse().unwrap();
    socket.connect(&server.into()).unwrap();
    socket
        .set_read_timeout(Some(std::time::Duration::from_secs(30)))
        .unwrap();
    let mut stream = BufReader::new(std::net::TcpStream::from(socket));
    for command in [
        "",
        "HELO me",
        "MAIL FROM:<x@y.test>",
        "RCPT TO:<alice@localhost>",
        "DATA",
        &format!("Subject: {subject}\r\n\r\nhello\r\n."),
    ] {
        if !command.is_empty() {
            stream
                .get_mut()
                .write_all(format!("{command}\r\n").as_bytes())
                .unwrap();
        }
        let mut line = String::new();
        stream.read_line(&mut line).unwrap();
        assert!(line.starts_with(['2', '3']), "{command}: {line}");
    }
}

#[test]
fn clients_have_names_that_both_sides_confirm() {
    let mut network = Network::start(ZONE);
    for (address, name) in [
        ("127.0.0.2", "client.test"),
        ("127.0.0.3", "unknown"),
        ("127.0.0.4", "unknown"),
        ("127.0.0.5", "unknown"),
        ("127.0.0.6", "unknown"),
    ] {
        send_from(address, &network, address);
        network
            .sender
            .wait_for_log(&format!(": connect from {name}[{address}]\n"));
        network
            .sender
            .wait_for_log(&format!(": client={name}[{address}]\n"));
        wait_for("the mail", || has(&network.sender, address));
        let messages = network.sender.maildir("alice", "Maildir");
        let received = format!("\nReceived: from me ({name} [{address}])\n");
        let texts: Vec<String> = messages
            .iter()
            .map(|message| String::from_utf8_lossy(message).into_owned())
            .collect();
        assert!(
            texts.iter().any(|text| text.contains(&received)),
            "{received}: {texts:?}"
        );
    }
    let warnings = [
        "warning: hostname liar.test does not resolve to address 127.0.0.3\n",
        "warning: hostname nowhere.test does not resolve to address 127.0.0.4: Name or service not known\n",
    ];
    warnings
        .iter()
        .for_each(|warning| network.sender.wait_for_log(warning));
    let asked = network.dns.questions().len();
    network.sender.edit_main_cf("smtpd_peername_lookup", "no");
    network.sender.reload();
    send_from("127.0.0.2", &network, "again");
    network.sender.wait_for_log(": connect from unknown[127.0.0.2]\n");
    assert_eq!(network.dns.questions().len(), asked);
}
