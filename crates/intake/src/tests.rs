//! Messages in, what the queue keeps out.

use envelope::QueueId;
use settings::{Postfix, Surroundings};

use super::*;

fn settings() -> Postfix {
    let mut settings = Postfix::defaults(&Surroundings::default());
    settings.myhostname = "mail.example.com".to_owned();
    settings.mydomain = "example.com".to_owned();
    settings.myorigin = "example.com".to_owned();
    settings.append_dot_mydomain = true;
    settings
}

fn network(is_local: bool) -> Origin {
    Origin::Network(Network {
        helo: "client.example".to_owned(),
        name: "localhost".to_owned(),
        address: "127.0.0.1".parse().expect("an address"),
        protocol: "ESMTP",
        tls: None,
        login: None,
        is_local,
    })
}

fn take_in(message: &str, origin: &Origin, piece: usize) -> Result<(String, Facts), Error> {
    let settings = settings();
    let queue_id = QueueId::parse("8FB1210D2D2C").expect("a queue id");
    let context = Context {
        settings: &settings,
        queue_id: &queue_id,
        origin,
        sender: "wantan@example.com",
        only_recipient: Some("root@example.com"),
        now_secs: 1_608_816_324,
        checks: None,
        mapping: None,
    };
    let mut out = Vec::new();
    let mut intake = Intake::new();
    for piece in message.as_bytes().chunks(piece) {
        intake.feed(piece, &context, &mut out)?;
    }
    let facts = intake.finish(&context, &mut out)?;
    Ok((String::from_utf8(out).expect("text"), facts))
}

#[test]
fn a_message_from_elsewhere_gets_a_received_field_and_keeps_the_rest() {
    let message = "Subject: hi\r\nBcc: secret@example.net\r\nFrom: a\r\n\r\nbody\r\n.\r\n";
    let (kept, facts) = take_in(message, &network(false), 1000).expect("taken");
    assert!(kept.starts_with(
        "Received: from client.example (localhost [127.0.0.1])\n\tby mail.example.com (Postfix) with ESMTP id 8FB1210D2D2C\n\tfor <root@example.com>; Thu, 24 Dec 2020 "
    ));
    assert!(kept.ends_with(")\nSubject: hi\nFrom: a\n\nbody\n.\n"), "{kept}");
    assert_eq!(facts.message_id, "");
}

#[test]
fn local_mail_is_completed() {
    let origin = Origin::Local {
        uid: 1000,
        full_name: "Wan Tan".to_owned(),
        is_relayed: false,
    };
    let (kept, facts) = take_in("To: root, \"A. B\" <b@host>\nSubject: x\n\nhi", &origin, 7).expect("taken");
    assert!(
        kept.starts_with("Received: by mail.example.com (Postfix, from userid 1000)\n\tid 8FB1210D2D2C; ")
    );
    assert!(
        kept.contains("\nTo: root@example.com, \"A. B\" <b@host.example.com>\n"),
        "{kept}"
    );
    assert!(
        kept.contains(
            "\nMessage-Id: <20201224132524.8FB1210D2D2C@mail.example.com>\nDate: Thu, 24 Dec 2020 "
        )
    );
    assert!(
        kept.ends_with("\nFrom: Wan Tan <wantan@example.com>\n\nhi\n"),
        "{kept}"
    );
    assert_eq!(facts.message_id, "<20201224132524.8FB1210D2D2C@mail.example.com>");
}

#[test]
fn mail_that_a_local_user_relays_keeps_its_header() {
    let origin = Origin::Local {
        uid: 1000,
        full_name: "Wan Tan".to_owned(),
        is_relayed: true,
    };
    let (kept, _) = take_in("To: root\nSubject: x\n\nhi\n", &origin, 1000).expect("taken");
    assert!(kept.ends_with(")\nTo: root\nSubject: x\n\nhi\n"), "{kept}");
}

#[test]
fn a_message_without_a_header_is_all_body() {
    let (kept, _) = take_in("just text\r\nmore: text\r\n", &network(false), 1000).expect("taken");
    assert!(kept.ends_with(")\n\njust text\nmore: text\n"), "{kept}");
    let (empty, _) = take_in("", &network(false), 1).expect("taken");
    assert!(empty.starts_with("Received: ") && empty.ends_with(")\n"));
}

#[test]
fn a_field_is_cut_at_header_size_limit_and_at_a_nul() {
    let long = "y".repeat(200_000);
    let folded = "\r\n zzzzzzzzz".repeat(20_000);
    let message = format!(
        "X-Long: {long}\r\nX-Folded: 1{folded}\r\nX-Nul: a\0b\r\n c\r\nSubject : x\r\n\r\nb\0ody {long}\r\n"
    );
    for piece in [10, 4096, 1_000_000] {
        let (kept, _) = take_in(&message, &network(false), piece).expect("taken");
        let field = |name: &str| {
            let start = kept.find(&format!("\n{name}")).expect("the field") + 1;
            let length = kept[start..]
                .find("\nX-")
                .or(kept[start..].find("\nSubject"))
                .expect("an end");
            &kept[start..start + length]
        };
        assert_eq!(field("X-Long").len(), 102_400);
        assert_eq!(field("X-Folded").len(), 102_399);
        assert!(kept.contains("\nX-Nul: a\nSubject: x\n\nb\0ody yy"), "{piece}");
        assert!(kept.ends_with(&format!("{long}\n")));
    }
}

#[test]
fn an_mbox_line_on_top_stays_only_when_it_came_from_the_network() {
    let message = ">From me now\r\nSubject: x\r\n\r\nbody\r\n";
    let (kept, _) = take_in(message, &network(false), 3).expect("taken");
    assert!(
        kept.contains("\nX-Mailbox-Line: >From me now\nSubject: x\n\nbody\n"),
        "{kept}"
    );
    let local = Origin::Local {
        uid: 1,
        full_name: String::new(),
        is_relayed: false,
    };
    let (kept, _) = take_in("From a\n>From b\n c\nSubject: x\n\nbody\n", &local, 3).expect("taken");
    assert!(
        kept.contains(")\nSubject: x\n") && !kept.contains("From a"),
        "{kept}"
    );
}

#[test]
fn a_lone_cr_becomes_a_space_whoever_sends_it() {
    let local = Origin::Local {
        uid: 1,
        full_name: String::new(),
        is_relayed: false,
    };
    let (kept, _) = take_in("Subject: a\rb\n\nc\rd\r\ne", &local, 4).expect("taken");
    assert!(
        kept.contains("\nSubject: a b\n") && kept.ends_with("\n\nc d\ne\n"),
        "{kept}"
    );
}

#[test]
fn a_loop_is_noticed() {
    let message = "Received: x\r\n".repeat(60);
    assert_eq!(
        take_in(&message, &network(false), 999).map(|_| ()),
        Err(Error::TooManyHops)
    );
}

#[test]
fn cuts_do_not_matter() {
    let message = "From: a@b\r\nSubject: long\r\n\tfolded\r\n\r\nbody with \r inside\r\n\r\nend\r";
    for origin in [network(true), Origin::Forward] {
        let whole = take_in(message, &origin, 1000).expect("taken");
        for piece in 1..20 {
            assert_eq!(take_in(message, &origin, piece).expect("taken"), whole);
        }
    }
}

#[test]
fn a_full_name_is_encoded_when_it_must_be() {
    let from = |full_name: &str| {
        let origin = Origin::Local {
            uid: 1,
            full_name: full_name.to_owned(),
            is_relayed: false,
        };
        let (kept, _) = take_in("Subject: x\n\n", &origin, 100).expect("taken");
        let field = message::header::find(kept.as_bytes(), "from").expect("a From");
        (String::from_utf8_lossy(field.body).into_owned(), field.text())
    };
    assert_eq!(
        from("O'Neil, \"Q\"").0.trim(),
        "\"O'Neil, \\\"Q\\\"\" <wantan@example.com>"
    );
    let (written, read) = from("郵便 太郎");
    assert!(written.is_ascii(), "{written}");
    assert_eq!(read, "郵便 太郎 <wantan@example.com>");
}

#[test]
fn a_client_cannot_write_into_the_trace() {
    let Origin::Network(mut network) = network(false) else {
        return;
    };
    network.helo = "x) by me\r\nBcc: y (".to_owned();
    let settings = settings();
    let queue_id = QueueId::parse("8FB1210D2D2C").expect("a queue id");
    let origin = Origin::Network(network);
    let context = Context {
        settings: &settings,
        queue_id: &queue_id,
        origin: &origin,
        sender: "",
        only_recipient: None,
        now_secs: 1_608_816_324,
        checks: None,
        mapping: None,
    };
    let mut out = Vec::new();
    Intake::new().finish(&context, &mut out).expect("taken");
    let text = String::from_utf8(out).expect("text");
    assert!(
        text.starts_with("Received: from x? by me??Bcc: y ? (localhost"),
        "{text}"
    );
    // Several recipients: the date has a line of its own, as Postfix writes it.
    assert!(text.contains("id 8FB1210D2D2C;\n\tThu, 24 Dec"), "{text}");
}
