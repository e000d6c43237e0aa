//! The client machine: against the server machine, and against peers that misbehave.
#![allow(clippy::unwrap_used)] // a test fails by panic

mod memory;

use address::Address;
use envelope::{BodyKind, DeliveryResult, Notify, Outcome, Ret};
use machine::{Machine, SECOND};
use memory::Memory;
use proptest::prelude::*;
use smtp::client::{Answer, Client, Config, Event, Message, Protocol, Recipient, Report, TlsPolicy};
use testkit::machine_peer::START;
use testkit::{MachinePeer, Peer, Policy, Seed};

fn address(text: &str) -> Address {
    Address::parse(text).unwrap()
}

fn message(recipients: &[&str]) -> Message {
    let recipient = |r: &&str| Recipient {
        address: address(r),
        notify: None,
        orcpt: None,
    };
    Message {
        sender: Some(address("sender@b.example")),
        recipients: recipients.iter().map(recipient).collect(),
        octets: Some(20),
        body: BodyKind::SevenBit,
        smtputf8: false,
        has_eight_bit_header: false,
        ret: None,
        envid: None,
        is_probe: false,
        client: None,
    }
}

fn config() -> Config {
    Config::new("client.example", "mx[192.0.2.1]", "mx[192.0.2.1]:25")
}

/// The caller's side: messages to give, and what came of them.
struct Caller {
    client: Client,
    messages: Vec<(Message, Vec<u8>)>,
    content: Vec<u8>,
    reports: Vec<Report>,
    tls: Result<(), String>,
    sent: String,
}

impl Caller {
    fn new(config: Config, messages: Vec<(Message, Vec<u8>)>) -> Caller {
        let client = Client::new(config, START);
        Caller {
            client,
            messages,
            content: Vec::new(),
            reports: Vec::new(),
            tls: Ok(()),
            sent: String::new(),
        }
    }

    /// Lets the client do what it can; gives what it sends.
    fn settle(&mut self) -> Vec<u8> {
        let mut output = Vec::new();
        loop {
            let Some(event) = self.client.next_event() else {
                let before = output.len();
                self.client.next_output(&mut output, 50);
                if output.len() == before {
                    self.sent.push_str(&String::from_utf8_lossy(&output));
                    return output;
                }
                continue;
            };
            let answer = match event {
                Event::Done(report) => {
                    self.reports.push(report);
                    continue;
                }
                Event::Ready if self.messages.is_empty() => Answer::Quit,
                Event::Ready => {
                    let (message, content) = self.messages.remove(0);
                    self.content = content;
                    Answer::Next(Box::new(message))
                }
                Event::StartTls => match &self.tls {
                    Ok(()) => Answer::TlsStarted,
                    Err(why) => Answer::TlsFailed(why.clone()),
                },
                Event::LogIn(offered) if offered.iter().any(|name| name == "PLAIN") => {
                    Answer::Login("PLAIN", Some(b"\0alice\0secret".to_vec()))
                }
                Event::LogIn(_) => Answer::NoLogin("no mechanism".to_owned()),
                Event::Challenge(challenge) => Answer::Response(Some(challenge)),
                Event::Pause(time) => {
                    self.sent.push_str(&format!("[{time}]"));
                    Answer::Paused
                }
                Event::LoggedIn => Answer::Believed,
                Event::Content if self.content.is_empty() => Answer::ContentEnd,
                Event::Content => {
                    let rest = self.content.split_off(self.content.len().min(7));
                    Answer::Content(std::mem::replace(&mut self.content, rest))
                }
            };
            self.client.answer(answer, START);
        }
    }

    /// Plays the peer: each line is said when the client has nothing more to do.
    fn against(mut self, script: &[&str]) -> Caller {
        self.settle();
        for said in script {
            self.client.feed(said.as_bytes(), START);
            self.settle();
        }
        self
    }

    fn outcomes(&self) -> Vec<(DeliveryResult, String)> {
        self.reports
            .iter()
            .flat_map(|r| &r.outcomes)
            .map(|o| (o.result, o.text.clone()))
            .collect()
    }
}

/// Talks with the server machine to the end.
fn converse(policy: Memory, mut caller: Caller, seed: u64) -> (Vec<memory::Queued>, Caller) {
    let mut seed = Seed::new(seed);
    let mut peer = MachinePeer::new(policy);
    for _ in 0..10_000 {
        let output = caller.settle();
        seed.cut(&output, 30)
            .into_iter()
            .for_each(|piece| peer.send(piece).unwrap());
        let input = peer.take_output();
        if caller.client.is_finished() || (input.is_empty() && output.is_empty()) {
            break;
        }
        seed.cut(&input, 30).into_iter().for_each(|piece| {
            caller.client.feed(piece, START);
        });
    }
    (peer.policy().queue.clone(), caller)
}

#[test]
fn messages_reach_the_server_machine_as_they_are() {
    let content = b"Subject: x\r\n\r\n.dot\r\n..\r\n.\r\nend\r\n".to_vec();
    for protocol in [Protocol::Smtp, Protocol::Lmtp] {
        let mut policy = Memory::new();
        policy.config.protocol = protocol;
        policy.given("login", "alice secret");
        policy.given("setting", "smtpd_tls_security_level may");
        let config = Config {
            protocol,
            tls: TlsPolicy::Encrypt,
            logs_in: true,
            ..config()
        };
        let first = message(&["alice@example.test", "nobody@example.test", "bob@example.test"]);
        let messages = vec![
            (message(&["x@elsewhere.example"]), content.clone()),
            (first, content.clone()),
            (message(&["bob@example.test"]), b"no end of line".to_vec()),
        ];
        let (queue, caller) = converse(policy, Caller::new(config, messages), 1);
        assert!(
            caller.client.is_finished(),
            "{:?} {}",
            caller.outcomes(),
            caller.sent
        );
        assert_eq!(caller.client.failure(), None);
        assert_eq!(queue.len(), 2);
        assert_eq!(
            (&queue[0].content, &queue[0].to[..]),
            (
                &content,
                &["alice@example.test".to_owned(), "bob@example.test".to_owned()][..]
            )
        );
        assert_eq!(queue[1].content, b"no end of line\r\n");
        assert!(
            caller
                .reports
                .iter()
                .all(|report| report.tls && report.dsn_offered && !report.never_begun)
        );
        let results: Vec<DeliveryResult> = caller.outcomes().iter().map(|(result, _)| *result).collect();
        use DeliveryResult::{Bounced, Sent};
        assert_eq!(results, [Bounced, Sent, Bounced, Sent, Sent]);
        assert_eq!(
            caller.outcomes()[0].1,
            "host mx[192.0.2.1] said: 554 5.7.1 <x@elsewhere.example>: Relay access denied (in reply to RCPT TO command)"
        );
        assert_eq!(caller.outcomes()[1].1, "250 2.0.0 Ok: queued as 4CB18EA001");
    }
}

const HELLO: &str = "220 mx\r\n";

#[test]
fn an_old_server_gets_helo_and_one_command_at_a_time() {
    let caller = Caller::new(
        config(),
        vec![(message(&["a@x.example", "b@x.example"]), b"x\r\n".to_vec())],
    );
    let caller = caller.against(&[
        HELLO,
        "500 what\r\n",
        "250 mx\r\n",
        "250 ok\r\n",
        "250 ok\r\n",
        "450 4.2.0 later\r\n",
        "354 go\r\n",
        "250 thanks\r\n",
    ]);
    assert_eq!(
        caller.sent,
        "EHLO client.example\r\nHELO client.example\r\nMAIL FROM:<sender@b.example>\r\nRCPT TO:<a@x.example>\r\n\
         RCPT TO:<b@x.example>\r\nDATA\r\nx\r\n.\r\nQUIT\r\n"
    );
    assert_eq!(
        caller.outcomes()[0],
        (DeliveryResult::Relayed, "250 thanks".to_owned())
    );
    assert_eq!(
        caller.outcomes()[1],
        (
            DeliveryResult::Deferred,
            "host mx[192.0.2.1] said: 450 4.2.0 later (in reply to RCPT TO command)".to_owned()
        )
    );
}

#[test]
fn parameters_are_sent_where_they_are_offered() {
    let mut message = message(&["a@x.example"]);
    message.recipients[0].notify = Some(Notify {
        success: true,
        failure: false,
        delay: true,
    });
    message.recipients[0].orcpt = Some("rfc822;a+b@x.example".to_owned());
    (message.ret, message.envid, message.body) = (
        Some(Ret::Headers),
        Some("id=1".to_owned()),
        BodyKind::EightBitMime,
    );
    let full = "250-mx\r\n250-PIPELINING\r\n250-SIZE 1000\r\n250-8BITMIME\r\n250 DSN\r\n";
    let caller = Caller::new(config(), vec![(message.clone(), Vec::new())]).against(&[HELLO, full]);
    assert!(
        caller.sent.ends_with(
            "MAIL FROM:<sender@b.example> SIZE=20 BODY=8BITMIME RET=HDRS ENVID=id+3D1\r\n\
         RCPT TO:<a@x.example> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;a+2Bb@x.example\r\nDATA\r\n"
        ),
        "{}",
        caller.sent
    );
    // Raw octets in a header: RFC 6531 §3.1 wants SMTPUTF8 for them, and the sender asked for it.
    let mut other = Message {
        smtputf8: true,
        has_eight_bit_header: true,
        ..message.clone()
    };
    let caller = Caller::new(config(), vec![(other.clone(), Vec::new())]).against(&[HELLO, full]);
    let text = "SMTPUTF8 is required, but was not offered by host mx[192.0.2.1]";
    assert_eq!(caller.outcomes(), [(DeliveryResult::Bounced, text.to_owned())]);
    assert_eq!(caller.reports[0].outcomes[0].status.to_string(), "5.6.7");
    other.smtputf8 = false;
    let caller = Caller::new(config(), vec![(other, Vec::new())]).against(&[HELLO, full]);
    assert!(caller.sent.ends_with("DATA\r\n"), "{}", caller.sent);
    message.octets = Some(1001);
    let caller = Caller::new(config(), vec![(message, Vec::new())]).against(&[HELLO, full]);
    assert_eq!(
        caller.outcomes()[0].1,
        "message size 1001 exceeds size limit 1000 of server mx[192.0.2.1]"
    );
    assert!(caller.sent.ends_with("QUIT\r\n") && !caller.sent.contains("MAIL"));
}

#[test]
fn eight_bit_mail_is_encoded_for_a_peer_that_takes_seven_bits() {
    let content =
        "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n.h\u{fc} =\r\n";
    let mut message = message(&["a@x.example"]);
    message.body = BodyKind::EightBitMime;
    let replies = ["250 ok\r\n", "250 ok\r\n", "354 go\r\n", "250 ok\r\n"];
    let sent = |config: Config, offer: &str| {
        let offer = format!("250-mx\r\n250 {offer}\r\n");
        let script: Vec<&str> = [HELLO, &offer].into_iter().chain(replies).collect();
        let messages = vec![(message.clone(), content.as_bytes().to_vec())];
        let caller = Caller::new(config, messages).against(&script);
        assert_eq!(caller.outcomes()[0].0, DeliveryResult::Relayed, "{}", caller.sent);
        caller.sent
    };
    let encoded = "MAIL FROM:<sender@b.example>\r\nRCPT TO:<a@x.example>\r\nDATA\r\n\
         Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n\
         ..h=C3=BC =3D\r\n.\r\n";
    assert!(sent(config(), "SIZE").replace(" SIZE=20", "").contains(encoded));
    assert!(sent(config(), "8BITMIME").contains("\r\n..h\u{fc} =\r\n.\r\n"));
    let mut raw = config();
    raw.downgrade = false;
    assert!(sent(raw, "SIZE").contains("\r\n..h\u{fc} =\r\n.\r\n"));
}

#[test]
fn a_peer_that_closes_at_a_recipient_says_it_of_that_one_only() {
    let messages = vec![(
        message(&["a@x.example", "b@x.example", "c@x.example"]),
        Vec::new(),
    )];
    let caller = Caller::new(config(), messages).against(&[
        HELLO,
        "250 mx\r\n",
        "250 ok\r\n",
        "250 ok\r\n",
        "421 4.7.0 closing\r\n",
    ]);
    let lost = "lost connection with mx[192.0.2.1] while sending RCPT TO";
    let said = "host mx[192.0.2.1] said: 421 4.7.0 closing (in reply to RCPT TO command)";
    let texts: Vec<String> = caller.outcomes().into_iter().map(|(_, text)| text).collect();
    assert_eq!(texts, [lost, said, lost]);
}

#[test]
fn pipelined_refusals_leave_nobody_without_an_outcome() {
    let offers = "250-mx\r\n250 PIPELINING\r\n";
    let two = || vec![(message(&["a@x.example", "b@x.example"]), b"secret\r\n".to_vec()); 1];
    // The sender is refused, and DATA is accepted all the same.
    let caller = Caller::new(config(), two()).against(&[
        HELLO,
        offers,
        "550 5.7.1 go\r\n503 x\r\n503 x\r\n354 go\r\n",
        "250 ok\r\n",
    ]);
    let said = "host mx[192.0.2.1] said: 550 5.7.1 go (in reply to MAIL FROM command)".to_owned();
    assert_eq!(caller.outcomes(), vec![(DeliveryResult::Bounced, said); 2]);
    assert!(caller.sent.ends_with("DATA\r\n.\r\nQUIT\r\n"), "{}", caller.sent);
    // DATA is refused.
    let caller = Caller::new(config(), two()).against(&[
        HELLO,
        offers,
        "250 ok\r\n250 ok\r\n552 5.2.2 full\r\n451 4.3.0 no\r\n",
    ]);
    assert!(
        caller.outcomes()[0]
            .1
            .ends_with("451 4.3.0 no (in reply to DATA command)")
    );
    assert_eq!(
        caller.outcomes()[1],
        (
            DeliveryResult::Bounced,
            "host mx[192.0.2.1] said: 552 5.2.2 full (in reply to RCPT TO command)".to_owned()
        )
    );
    assert_eq!(caller.reports[0].outcomes[1].status.to_string(), "5.2.2");
    // 421 in the middle.
    let caller = Caller::new(config(), two()).against(&[HELLO, offers, "250 ok\r\n421 4.3.2 bye\r\n"]);
    let outcomes = caller.outcomes();
    assert!(
        outcomes
            .iter()
            .all(|(result, _)| *result == DeliveryResult::Deferred)
    );
    assert!(outcomes[0].1.contains("421 4.3.2 bye") && outcomes[1].1.starts_with("lost connection with"));
    assert!(caller.client.is_finished());
}

#[test]
fn nonsense_is_final_and_ends_the_session() {
    let lmtp = Config {
        protocol: Protocol::Lmtp,
        ..config()
    };
    let pipelining = "250-mx\r\n250 PIPELINING\r\n";
    let ok = "250 ok\r\n";
    for (config, script, text) in [
        (
            config(),
            vec![ok, "354 what\r\n"],
            "354 what (in reply to MAIL FROM command)",
        ),
        (
            config(),
            vec![ok, ok, "354 what\r\n"],
            "354 what (in reply to RCPT TO command)",
        ),
        (
            config(),
            vec![ok, ok, ok, "999 what\r\n"],
            "999 what (in reply to DATA command)",
        ),
        (
            config(),
            vec![pipelining, "250 ok\r\n354 what\r\n354 go\r\n", ok],
            "354 what (in reply to RCPT TO command)",
        ),
        (
            config(),
            vec![ok, ok, ok, "354 go\r\n", "199 what\r\n"],
            "199 what (in reply to end of DATA command)",
        ),
        (
            lmtp,
            vec![ok, ok, "050 what\r\n"],
            "050 what (in reply to RCPT TO command)",
        ),
    ] {
        let messages = vec![
            (message(&["a@x.example"]), b"x\r\n".to_vec()),
            (message(&["b@x.example"]), b"y\r\n".to_vec()),
        ];
        let script: Vec<&str> = std::iter::once(HELLO).chain(script).collect();
        let caller = Caller::new(config, messages).against(&script);
        let said = format!("host mx[192.0.2.1] said: {text}");
        assert_eq!(caller.outcomes(), [(DeliveryResult::Bounced, said)], "{script:?}");
        assert_eq!(caller.reports[0].outcomes[0].status.to_string(), "5.5.0");
        assert!(
            caller.client.is_finished() && caller.messages.len() == 1,
            "{script:?}"
        );
        assert!(caller.sent.ends_with("QUIT\r\n"), "{}", caller.sent);
    }
    // What is a yes elsewhere is told as what it is.
    let messages = vec![(message(&["a@x.example"]), b"x\r\n".to_vec()); 2];
    let caller = Caller::new(config(), messages).against(&[HELLO, ok, ok, ok, "250 2.0.0 ok\r\n"]);
    assert_eq!(
        caller.outcomes()[0].1,
        "Protocol error: host mx[192.0.2.1] said: 250 2.0.0 ok (in reply to DATA command)"
    );
    assert!(caller.client.is_finished() && caller.messages.len() == 1);
}

#[test]
fn lines_that_are_no_replies_are_passed_over_and_long_ones_cut() {
    let messages = vec![(message(&["a@x.example", "b@x.example"]), b"x\r\n".to_vec())];
    let offers = format!("{}250 PIPELINING\r\n", "250-X\r\n".repeat(5000));
    let refusal = format!("550 5.1.1 {}\r\n", "y".repeat(3000));
    let taken = format!("250-{}\r\n250 ok\r\n", "a".repeat(100_000));
    let caller = Caller::new(config(), messages).against(&[
        "220-x\r\nabc\r\n220 y ESMTP\r\n",
        &offers,
        "abc\r\n250 ok\r\n",
        "2\r\n250 ok\r\n",
        &refusal,
        "354 go\r\n",
        &taken,
    ]);
    let outcomes = caller.outcomes();
    assert_eq!(outcomes[0].0, DeliveryResult::Relayed, "{}", caller.sent);
    assert_eq!(outcomes[1].0, DeliveryResult::Bounced);
    assert_eq!(caller.reports[0].outcomes[1].status.to_string(), "5.1.1");
    assert!(
        outcomes
            .iter()
            .all(|(_, text)| (2000..2200).contains(&text.len()))
    );
}

#[test]
fn deadlines_are_for_pieces_or_for_the_whole_content() {
    let seconds = |text: Option<i64>| text.map(|stamp| (stamp - START) / SECOND);
    let deadline = |rate: Option<u64>| {
        let mut config = config();
        config.data_octets_per_second_min = rate;
        let mut client = Client::new(config, START);
        for said in [HELLO, "250 mx\r\n", "250 ok\r\n", "250 ok\r\n", "354 go\r\n"] {
            client.feed(said.as_bytes(), START);
            while let Some(Event::Ready) = client.next_event() {
                client.answer(Answer::Next(Box::new(message(&["a@x.example"]))), START);
            }
            client.next_output(&mut Vec::new(), 1000);
        }
        // The content was asked for already.
        client.answer(Answer::Content(vec![b'x'; 1000]), START + 100 * SECOND);
        seconds(client.deadline())
    };
    assert_eq!(deadline(None), Some(280));
    assert_eq!(deadline(Some(500)), Some(182));
    assert_eq!(deadline(Some(0)), Some(1180));
}

#[test]
fn lmtp_keeps_recipients_apart() {
    let config = Config {
        protocol: Protocol::Lmtp,
        ..config()
    };
    let caller = Caller::new(
        config,
        vec![(
            message(&["a@x.example", "b@x.example", "c@x.example"]),
            b"x\r\n".to_vec(),
        )],
    )
    .against(&[
        HELLO,
        "250 PIPELINING\r\n",
        "250 ok\r\n",
        "250 ok\r\n",
        "550 no\r\n",
        "250 ok\r\n",
        "354 go\r\n",
        "250 2.0.0 one\r\n452 4.2.2 full\r\n",
    ]);
    let results: Vec<DeliveryResult> = caller.outcomes().iter().map(|(result, _)| *result).collect();
    assert_eq!(
        results,
        [
            DeliveryResult::Relayed,
            DeliveryResult::Bounced,
            DeliveryResult::Deferred
        ]
    );
    assert!(caller.sent.starts_with("LHLO "));
}

#[test]
fn sessions_that_never_begin_say_why() {
    let failure = |config: Config, script: &[&str]| -> Outcome {
        Caller::new(config, vec![(message(&["a@x.example"]), Vec::new())])
            .against(script)
            .client
            .failure()
            .unwrap()
    };
    let refused = failure(config(), &["554 5.7.1 not you\r\n"]);
    assert_eq!(
        refused.text,
        "host mx[192.0.2.1] refused to talk to me: 554 5.7.1 not you"
    );
    assert_eq!(
        (refused.result, refused.status.to_string()),
        (DeliveryResult::Deferred, "4.7.1".to_owned())
    );
    let must = Config {
        tls: TlsPolicy::Encrypt,
        ..config()
    };
    let plain = failure(must.clone(), &[HELLO, "250-mx\r\n250 SIZE\r\n"]);
    assert_eq!(
        plain.text,
        "TLS is required, but was not offered by host mx[192.0.2.1]"
    );
    for (reply, result, status) in [
        ("454 4.7.0 not now", DeliveryResult::Deferred, "4.7.0"),
        ("554 5.7.1 never", DeliveryResult::Bounced, "5.7.1"),
        ("999 what", DeliveryResult::Bounced, "5.5.0"),
    ] {
        let script = [HELLO, "250-mx\r\n250 STARTTLS\r\n", &format!("{reply}\r\n")];
        let refused = failure(must.clone(), &script);
        let text = "TLS is required, but host mx[192.0.2.1] refused to start TLS:";
        assert_eq!(refused.text, format!("{text} {reply}"));
        assert_eq!(
            (refused.result, refused.status.to_string().as_str()),
            (result, status)
        );
    }
    let injected = failure(
        must,
        &[HELLO, "250-mx\r\n250 STARTTLS\r\n", "220 go\r\n250 evil\r\n"],
    );
    assert_eq!(
        injected.text,
        "host mx[192.0.2.1] sent text behind its STARTTLS reply"
    );
    let odd = failure(config(), &["SSH-2.0-x\r\n354 what\r\n"]);
    assert_eq!(
        odd.text,
        "host mx[192.0.2.1] refused to talk to me: SSH-2.0-x 354 what"
    );
    assert_eq!(
        (odd.result, odd.status.to_string()),
        (DeliveryResult::Bounced, "5.5.0".to_owned())
    );
}

#[test]
fn lost_and_slow_peers_defer() {
    let mut caller = Caller::new(config(), vec![(message(&["a@x.example"]), b"x\r\n".to_vec())]).against(&[
        HELLO,
        "250 mx\r\n",
        "250 ok\r\n",
        "250 ok\r\n",
        "354 go\r\n",
    ]);
    assert_eq!(caller.client.deadline(), Some(START + 600 * SECOND));
    caller.client.time_out(START + 600 * SECOND);
    caller.settle();
    let text = "conversation with mx[192.0.2.1] timed out while sending end of data -- message may be sent more than once";
    assert_eq!(caller.outcomes(), [(DeliveryResult::Deferred, text.to_owned())]);
    let mut caller = Caller::new(config(), vec![(message(&["a@x.example"]), b"x\r\n".to_vec())])
        .against(&[HELLO, "250 mx\r\n"]);
    caller.client.end_of_input(START);
    caller.settle();
    assert_eq!(
        caller.outcomes()[0].1,
        "lost connection with mx[192.0.2.1] while sending MAIL FROM"
    );
}

proptest! {
    #[test]
    fn a_mad_peer_never_costs_an_outcome(
        replies in prop::collection::vec(prop::sample::select(vec![
            "220 x\r\n", "250 x\r\n", "250-x\r\n", "250 PIPELINING\r\n", "354 x\r\n", "450 x\r\n", "550 5.1.1 x\r\n", "421 x\r\n", "334 \r\n",
            "235 x\r\n", "250-x\r\n250-PIPELINING\r\n250 STARTTLS\r\n", "\r\n", "x\r\n", "250", "\u{3042}\r\n",
        ]), 0..20),
        lmtp: bool, encrypt: bool,
    ) {
        let config = Config {
            protocol: if lmtp { Protocol::Lmtp } else { Protocol::Smtp },
            tls: if encrypt { TlsPolicy::May } else { TlsPolicy::None },
            ..config()
        };
        let mut caller = Caller::new(config, vec![(message(&["a@x.example", "b@x.example"]), b"x\r\n".to_vec())]);
        caller.settle();
        for reply in replies {
            caller.client.feed(reply.as_bytes(), START);
            caller.settle();
        }
        caller.client.end_of_input(START);
        caller.settle();
        prop_assert!(caller.client.is_finished());
        if caller.messages.is_empty() {
            prop_assert_eq!(caller.outcomes().len(), 2);
        } else {
            prop_assert!(caller.client.failure().is_some());
        }
    }
}

#[test]
fn a_probe_asks_about_recipients_and_sends_nothing() {
    for extension in ["250-PIPELINING\r\n", ""] {
        let probe = Message {
            is_probe: true,
            ..message(&["a@x.example", "b@x.example"])
        };
        let mut script = vec![
            "220 mx ESMTP\r\n".to_owned(),
            format!("250-mx\r\n{extension}250 DSN\r\n"),
        ];
        script.extend(["250 ok", "250 2.1.5 fine", "550 5.1.1 nobody"].map(|line| format!("{line}\r\n")));
        let script: Vec<&str> = script.iter().map(String::as_str).collect();
        let caller = Caller::new(config(), vec![(probe, b"text".to_vec())]).against(&script);
        let outcomes = caller.outcomes();
        assert_eq!(outcomes[0], (DeliveryResult::Sent, "250 2.1.5 fine".to_owned()));
        assert_eq!(outcomes[1].0, DeliveryResult::Bounced);
        assert!(
            caller.sent.ends_with("RCPT TO:<b@x.example>\r\nQUIT\r\n"),
            "{}",
            caller.sent
        );
    }
}

#[test]
fn a_probe_may_ask_at_data_and_then_hangs_up() {
    let told = |at_data: &'static str| {
        let probe = Message {
            is_probe: true,
            ..message(&["a@x.example", "b@x.example"])
        };
        let config = Config {
            probes_to_data: true,
            ..config()
        };
        let script = [
            "220 mx ESMTP\r\n",
            "250-mx\r\n250 PIPELINING\r\n",
            "250 ok\r\n",
            "250 2.1.5 fine\r\n",
            "550 5.1.1 nobody\r\n",
            at_data,
        ];
        let caller = Caller::new(config, vec![(probe, b"text".to_vec())]).against(&script);
        assert_eq!(caller.outcomes()[1].0, DeliveryResult::Bounced);
        (caller.outcomes()[0].clone(), caller.sent.clone())
    };
    let (outcome, sent) = told("354 go on\r\n");
    assert_eq!(outcome, (DeliveryResult::Relayed, "354 go on".to_owned()));
    assert!(sent.ends_with("\r\nDATA\r\n"), "{sent}");
    let (outcome, sent) = told("550 5.1.1 after all\r\n");
    assert_eq!(outcome.0, DeliveryResult::Bounced);
    assert!(sent.ends_with("\r\nDATA\r\nQUIT\r\n"), "{sent}");
}

#[test]
fn behind_a_masked_greeting_the_end_mark_comes_later() {
    let pix = smtp::client::Pix {
        disables_esmtp: true,
        delay: Some(10 * SECOND),
    };
    let sent = |greeting| {
        let config = Config { pix, ..config() };
        let caller = Caller::new(config, vec![(message(&["a@x.example"]), b"x\r\n".to_vec())]);
        let script = [
            greeting,
            "250 mx\r\n",
            "250 ok\r\n",
            "250 ok\r\n",
            "354 go\r\n",
            "250 taken\r\n",
        ];
        let caller = caller.against(&script);
        assert_eq!(caller.outcomes()[0].1, "250 taken");
        caller.sent
    };
    let masked = sent("220 **2002*****0*00\r\n");
    assert!(masked.starts_with("HELO "), "{masked}");
    let paused = masked.find("[10000000]").unwrap();
    let end = masked.find("x\r\n.\r\n").unwrap();
    // The harness notes what is sent at the end of each round: the pause is before it.
    assert!(paused < end, "{masked}");
    let plain = sent("220 mx ***** ESMTP\r\n");
    assert!(plain.starts_with("EHLO ") && !plain.contains('['), "{plain}");
}
