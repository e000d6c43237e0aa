//! A table's server that takes questions and never answers: those who ask it wait, and nobody else.

use std::io::{BufRead, BufReader};
use std::net::{TcpListener, TcpStream};
use std::sync::Mutex;

use system_tests::lines::LineClient;
use system_tests::{Sandbox, wait_for};

/// More than the program has threads for conversations.
const STUCK: usize = 24;

#[test]
fn a_silent_table_holds_up_nobody_else() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let asked: &'static Mutex<Vec<TcpStream>> = Box::leak(Box::default());
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut question = String::new();
            if BufReader::new(&mut stream).read_line(&mut question).is_ok() {
                asked.lock().unwrap().push(stream);
            }
        }
    });
    let mut sandbox = Sandbox::start();
    sandbox.stop();
    let table = format!("check_recipient_access tcp:127.0.0.1:{port}");
    sandbox.edit_main_cf("smtpd_recipient_restrictions", &table);
    sandbox.launch();
    let mut stuck: Vec<LineClient> = (0..STUCK)
        .map(|_| {
            let mut client = LineClient::connect(sandbox.ports().smtp);
            client.line();
            client.smtp("EHLO client.example");
            client.smtp("MAIL FROM:<sender@example.net>");
            client.say("RCPT TO:<alice@localhost>");
            client
        })
        .collect();
    wait_for("a question of each session, by a connection of its own", || {
        asked.lock().unwrap().len() >= STUCK
    });
    let mut other = LineClient::connect(sandbox.ports().smtp);
    assert!(other.line().starts_with("220 "));
    assert!(other.smtp("EHLO other.example").starts_with("250"));
    assert!(other.smtp("NOOP").starts_with("250"));
    // The servers end: what could not be asked is put off, never accepted or refused for good.
    asked.lock().unwrap().clear();
    wait_for("the second try of each", || {
        let mut asked = asked.lock().unwrap();
        let tried = asked.len() >= STUCK;
        if tried {
            asked.clear();
        }
        tried
    });
    for client in &mut stuck {
        let reply = client.line();
        assert!(reply.starts_with("451 4.3.5 "), "{reply}");
    }
}
