//! How a conversation goes, by settings and by what the peer does.
#![allow(clippy::unwrap_used)] // a test fails by panic

mod peers;

use deliver_remote::{ForwardedClient, Request};
use envelope::{DeliveryResult, Outcome, QueueId};
use peers::{Nature, Peer, Then, remote, run, send, settings};
use settings::{Postfix, TableRef};
use std::io::Read;
use std::time::Duration;

const MESSAGE: &str = "Subject: x\r\n\r\nbody\r\n";

fn deliver(settings: &Postfix, peer: &Peer) -> Outcome {
    let mut delivery = run(async { send(&remote(settings, ""), peer.next_hop(), MESSAGE).await });
    delivery.outcomes.remove(0)
}

fn inline(rows: &str) -> Vec<TableRef> {
    vec![TableRef::new("inline", rows)]
}

#[test]
fn a_peer_that_dies_at_any_step_loses_nothing() {
    let offers = [vec![], vec!["PIPELINING", "SIZE 100000", "DSN", "8BITMIME"]];
    for step in ["", "EHLO", "MAIL", "RCPT", "DATA", "."] {
        for (answer, is_421) in [("", false), ("421 4.3.2 going down\r\n", true)] {
            for offers in &offers {
                let peer = Peer::start(Nature {
                    offers: offers.clone(),
                    answers: vec![(step, answer, Then::HangsUp)],
                    ..Nature::default()
                });
                let outcome = deliver(&settings(), &peer);
                let said = format!("{step:?} {offers:?} {}", outcome.text);
                assert_eq!(outcome.result, DeliveryResult::Deferred, "{said}");
                let told = outcome.text.contains("421 4.3.2") || outcome.text.starts_with("lost connection");
                assert!(
                    told && (is_421 || outcome.text.starts_with("lost connection with 127.0.0.1")),
                    "{said}"
                );
                let perhaps_taken = outcome.text.contains("message may be sent more than once");
                assert_eq!(perhaps_taken, step == "." && !is_421, "{said}");
                // Nobody else was asked, and the peer not twice.
                assert_eq!(peer.heard().len(), 1, "{said}");
            }
        }
    }
}

#[test]
fn a_peer_that_falls_silent_is_given_up() {
    let mut settings = settings();
    for patience in [
        &mut settings.smtp_helo_timeout,
        &mut settings.smtp_mail_timeout,
        &mut settings.smtp_rcpt_timeout,
        &mut settings.smtp_data_init_timeout,
        &mut settings.smtp_data_done_timeout,
    ] {
        *patience = Duration::from_millis(100);
    }
    for (step, doing) in [
        ("", "receiving the initial server greeting"),
        ("EHLO", "performing the EHLO handshake"),
        ("MAIL", "sending MAIL FROM"),
        ("RCPT", "sending RCPT TO"),
        ("DATA", "sending DATA command"),
        (".", "sending end of data -- message may be sent more than once"),
    ] {
        let peer = Peer::start(Nature {
            answers: vec![(step, "", Then::GoesOn)],
            ..Nature::default()
        });
        let text = format!("conversation with 127.0.0.1[127.0.0.1] timed out while {doing}");
        assert_eq!(deliver(&settings, &peer).text, text);
    }
}

#[test]
fn what_is_announced_may_be_left_unheard() {
    let peer = || {
        Peer::start(Nature {
            offers: vec!["PIPELINING", "SIZE 100", "DSN"],
            ..Nature::default()
        })
    };
    let mail = |settings: &Postfix| {
        let peer = peer();
        assert_eq!(deliver(settings, &peer).text, "250 2.0.0 taken");
        peer.heard()[0].lines().nth(1).unwrap().to_owned()
    };
    let mut settings = settings();
    assert_eq!(mail(&settings), "MAIL FROM:<sender@b.example> SIZE=20");
    settings.smtp_discard_ehlo_keywords = vec!["size".to_owned(), "silent-discard".to_owned()];
    assert_eq!(mail(&settings), "MAIL FROM:<sender@b.example>");
    // The table's words are in the place of those for all.
    settings.smtp_discard_ehlo_keyword_address_maps = inline("{ 127.0.0.1=dsn }");
    assert_eq!(mail(&settings), "MAIL FROM:<sender@b.example> SIZE=20");
    settings.smtp_discard_ehlo_keyword_address_maps = inline("{ 127.0.0.2=dsn }");
    assert_eq!(mail(&settings), "MAIL FROM:<sender@b.example>");
}

#[test]
fn how_a_peer_is_greeted() {
    let hello = |greeting: &'static str, always: bool, never: bool| {
        let peer = Peer::start(Nature {
            answers: vec![("", greeting, Then::GoesOn)],
            ..Nature::default()
        });
        let mut settings = settings();
        (settings.smtp_always_send_ehlo, settings.smtp_never_send_ehlo) = (always, never);
        assert_eq!(deliver(&settings, &peer).text, "250 2.0.0 taken");
        peer.heard()[0][..4].to_owned()
    };
    assert_eq!(hello("220 mx\r\n", true, false), "EHLO");
    assert_eq!(hello("220 mx\r\n", false, false), "HELO");
    assert_eq!(hello("220 mx ESMTP Postfix\r\n", false, false), "EHLO");
    assert_eq!(hello("220 mx ESMTP Postfix\r\n", true, true), "HELO");
}

#[test]
fn replies_and_outcomes_pass_through_tables() {
    let peer = Peer::start(Nature {
        answers: vec![("RCPT", "550 5.1.1 who?\r\n", Then::GoesOn)],
        ..Nature::default()
    });
    let mut settings = settings();
    let said = |settings: &Postfix| {
        let outcome = deliver(settings, &peer);
        (outcome.result, format!("{} {}", outcome.status, outcome.text))
    };
    settings.smtp_reply_filter = inline("{ { 550 5.1.1 who? = 450 4.1.1 perhaps } }");
    let by = "host 127.0.0.1[127.0.0.1] said:";
    let text = format!("4.1.1 {by} 450 4.1.1 perhaps (in reply to RCPT TO command)");
    assert_eq!(said(&settings), (DeliveryResult::Deferred, text));
    settings.smtp_reply_filter = Vec::new();
    let key = format!("5.1.1 {by} 550 5.1.1 who? (in reply to RCPT TO command)");
    settings.smtp_delivery_status_filter = inline(&format!("{{ {{ {key} = 4.2.0 not yet }} }}"));
    assert_eq!(
        said(&settings),
        (DeliveryResult::Deferred, "4.2.0 not yet".to_owned())
    );
    // A failure is no success.
    settings.smtp_delivery_status_filter = inline(&format!("{{ {{ {key} = 2.0.0 fine }} }}"));
    assert_eq!(said(&settings), (DeliveryResult::Bounced, key));
}

#[test]
fn an_address_that_is_not_there_is_told_or_is_the_end() {
    let peer = Peer::start(Nature::default());
    let mut settings = settings();
    settings.smtp_bind_address = "192.0.2.77".to_owned();
    let (log, captured) = maillog::Log::to_memory();
    let remote = remote(&settings, "").logging_to(log);
    let delivery = run(async { send(&remote, peer.next_hop(), MESSAGE).await });
    assert_eq!(delivery.outcomes[0].text, "250 2.0.0 taken");
    assert_eq!(
        captured.lines(),
        ["postfix/smtp: warning: bind 192.0.2.77: Cannot assign requested address"]
    );
    settings.smtp_bind_address_enforce = true;
    assert!(
        deliver(&settings, &peer)
            .text
            .ends_with(": Cannot assign requested address")
    );
}

#[test]
fn the_client_of_a_message_is_told_to_who_wants_to_hear_of_it() {
    let peer = |answer: &'static str, offers: Vec<&'static str>| {
        Peer::start(Nature {
            offers,
            answers: vec![("XFORWARD", answer, Then::GoesOn)],
            ..Nature::default()
        })
    };
    let mut settings = settings();
    settings.smtp_send_xforward_command = true;
    let told = |settings: &Postfix, peer: &Peer| {
        let envelope = peers::envelope(&["a@x.example"]);
        let mut request = Request::of(peer.next_hop(), &envelope, &[0]);
        request.message.client = Some(Box::new(ForwardedClient {
            name: "mx.test".to_owned(),
            address: "192.0.2.7".to_owned(),
            port: "99".to_owned(),
            protocol: "ESMTP".to_owned(),
            helo: "a+b".to_owned(),
            ident: "Q1".to_owned(),
            is_local: false,
        }));
        let (log, captured) = maillog::Log::to_memory();
        let remote = remote(settings, "").logging_to(log);
        let open = || -> Box<dyn Read + Send> { Box::new(MESSAGE.as_bytes()) };
        let delivery = run(async { remote.deliver(request, &open, &|| {}).await });
        assert_eq!(delivery.outcomes[0].text, "250 2.0.0 taken");
        let heard = peer.heard().remove(0);
        let lines = heard.lines().filter(|line| line.starts_with("XFORWARD"));
        (lines.map(str::to_owned).collect::<Vec<_>>(), captured.lines())
    };
    let two = [
        "XFORWARD NAME=mx.test ADDR=192.0.2.7 PORT=99",
        "XFORWARD PROTO=ESMTP HELO=a+2Bb IDENT=Q1 SOURCE=REMOTE",
    ];
    for pipelining in ["PIPELINING", "X"] {
        let offers = vec![pipelining, "XFORWARD NAME ADDR PROTO HELO SOURCE PORT IDENT"];
        let (lines, log) = told(&settings, &peer("250 ok\r\n", offers.clone()));
        assert_eq!((&lines[..], log.len()), (&two.map(str::to_owned)[..], 0));
        // Who does not want to hear it after all gets the message nevertheless.
        let (lines, log) = told(&settings, &peer("550 5.7.0 no\r\n", offers));
        assert_eq!(lines.len(), 2);
        let warning =
            "postfix/smtp: warning: host 127.0.0.1[127.0.0.1] said: 550 5.7.0 no (in reply to XFORWARD";
        assert_eq!(
            log,
            [
                format!("{warning} name/address command)"),
                format!("{warning} helo/protocol command)"),
            ]
        );
    }
    assert_eq!(
        told(&settings, &peer("250 ok\r\n", vec!["XFORWARD ADDR"])).0,
        ["XFORWARD ADDR=192.0.2.7"]
    );
    settings.smtp_send_xforward_command = false;
    assert!(
        told(&settings, &peer("250 ok\r\n", vec!["XFORWARD ADDR"]))
            .0
            .is_empty()
    );
}

#[test]
fn a_masked_greeting_is_worked_around() {
    let peer = || {
        Peer::start(Nature {
            offers: vec!["PIPELINING"],
            answers: vec![("", "220 **2002*****0*00\r\n", Then::GoesOn)],
            ..Nature::default()
        })
    };
    let mut settings = settings();
    settings.smtp_pix_workaround_delay_time = Duration::from_millis(1);
    let said = |settings: &Postfix, age: u64| {
        let peer = peer();
        let envelope = peers::envelope(&["a@x.example"]);
        let mut request = Request::of(peer.next_hop(), &envelope, &[0]);
        request.queue_id = QueueId::parse("4CB18EA001");
        request.age = Duration::from_secs(age);
        let (log, captured) = maillog::Log::to_memory();
        let remote = remote(settings, "").logging_to(log);
        let open = || -> Box<dyn Read + Send> { Box::new(MESSAGE.as_bytes()) };
        let delivery = run(async { remote.deliver(request, &open, &|| {}).await });
        assert_eq!(delivery.outcomes[0].text, "250 2.0.0 taken");
        let line = captured.lines().remove(0);
        let words = line.strip_prefix("postfix/smtp: 4CB18EA001: enabling PIX workarounds: ");
        let (words, relay) = words.unwrap().split_once(" for ").unwrap();
        assert_eq!(relay, format!("127.0.0.1[127.0.0.1]:{}", peer.port));
        (words.to_owned(), peer.heard()[0][..4].to_owned())
    };
    let is = |words: &str, hello: &str| (words.to_owned(), hello.to_owned());
    assert_eq!(said(&settings, 499), is("disable_esmtp", "HELO"));
    assert_eq!(said(&settings, 500), is("disable_esmtp delay_dotcrlf", "HELO"));
    settings.smtp_pix_workaround_maps = inline("{ 127.0.0.1=delay_dotcrlf }");
    assert_eq!(said(&settings, 500), is("delay_dotcrlf", "EHLO"));
    settings.smtp_pix_workaround_maps = inline("{ 127.0.0.2=delay_dotcrlf }");
    assert_eq!(said(&settings, 0), is("disable_esmtp", "HELO"));
}

#[test]
fn a_host_is_told_what_the_content_asks_for() {
    #[derive(Clone, Copy, PartialEq)]
    enum Smtputf8 {
        Asked,
        Detected,
        Unasked,
    }
    let told = |offers: &[&'static str], asked: Smtputf8, content: &'static str| {
        let peer = Peer::start(Nature {
            offers: offers.to_vec(),
            ..Nature::default()
        });
        let envelope = peers::envelope(&["a@x.example"]);
        let mut request = Request::of(peer.next_hop(), &envelope, &[0]);
        request.message.smtputf8 = asked == Smtputf8::Asked;
        request.detects_smtputf8 = asked == Smtputf8::Detected;
        let remote = remote(&settings(), "");
        let open = || -> Box<dyn Read + Send> { Box::new(content.as_bytes()) };
        let delivery = run(async { remote.deliver(request, &open, &|| {}).await });
        let heard = peer.heard().concat();
        let mail = heard.lines().find_map(|line| line.strip_prefix("MAIL FROM:"));
        mail.map_or_else(|| delivery.outcomes[0].text.clone(), str::to_owned)
    };
    let all = ["SIZE", "8BITMIME", "SMTPUTF8"];
    let from = "<sender@b.example>";
    for (offers, asked, content, expected) in [
        // What is told is what goes over the wire.
        (
            &all[..],
            Smtputf8::Unasked,
            "A: b\n\nc\n.d\n",
            format!("{from} SIZE=15"),
        ),
        (
            &all,
            Smtputf8::Unasked,
            "Content-Transfer-Encoding: 8bit\n\nx\n",
            format!("{from} SIZE=38 BODY=8BITMIME"),
        ),
        (
            &all[..1],
            Smtputf8::Unasked,
            "Content-Transfer-Encoding: 8bit\n\nx\n",
            format!("{from} SIZE=38"),
        ),
        (
            &all,
            Smtputf8::Unasked,
            "A: \u{fc}\n\nx\n",
            format!("{from} SIZE=12"),
        ),
        (
            &all,
            Smtputf8::Detected,
            "A: \u{fc}\n\nx\n",
            format!("{from} SIZE=12 SMTPUTF8"),
        ),
        (
            &all[..2],
            Smtputf8::Detected,
            "A: \u{fc}\n\nx\n",
            "SMTPUTF8 is required, but was not offered by host 127.0.0.1[127.0.0.1]".to_owned(),
        ),
        (
            &all,
            Smtputf8::Asked,
            "A: b\n\nx\n",
            format!("{from} SIZE=11 SMTPUTF8"),
        ),
        (
            &all[..2],
            Smtputf8::Asked,
            "A: b\n\n\u{fc}\n",
            format!("{from} SIZE=12"),
        ),
        (
            &["SIZE 14"],
            Smtputf8::Unasked,
            "A: b\n\nc\n.d\n",
            "message size 15 exceeds size limit 14 of server 127.0.0.1[127.0.0.1]".to_owned(),
        ),
    ] {
        assert_eq!(told(offers, asked, content), expected, "{content}");
    }
}
