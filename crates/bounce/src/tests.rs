//! Who gets a report, what it says, what it returns.

use envelope::{DeliveryResult, Notify, StatusCode};
use message::Structure;
use settings::{NotifyClass, Surroundings};

use super::*;

fn settings() -> Postfix {
    let mut settings = Postfix::defaults(&Surroundings::default());
    settings.myhostname = "mx.example.com".into();
    settings.myorigin = "example.com".into();
    settings.mail_name = "Postfix".into();
    settings.notify_classes = Vec::new();
    settings
}

fn envelope(sender: &str) -> Envelope {
    let sender = (!sender.is_empty()).then(|| Address::parse(sender).unwrap());
    Envelope {
        sender,
        recipients: Vec::new(),
        ret: None,
        envid: None,
        body: BodyKind::SevenBit,
        smtputf8: false,
    }
}

fn failed(text: &str) -> Outcome {
    Outcome {
        result: DeliveryResult::Bounced,
        status: StatusCode::permanent(1, 1),
        text: text.into(),
        relay: "none".into(),
        detail: Default::default(),
    }
}

const MESSAGE: &str = "Received: x\nSubject: original\nFrom: a@b\n\nthe body\n--ID1.0/x\n";
const NOW: Date = Date {
    secs: 1_608_816_324,
    offset_secs: 32_400,
};

fn build(
    settings: &Postfix,
    kind: Kind,
    envelope: &Envelope,
    recipient: &Recipient,
    outcome: &Outcome,
) -> Option<(Envelope, String)> {
    let queue_id = QueueId::parse("8FB1210D2D2C").unwrap();
    let original = Original {
        queue_id: &queue_id,
        envelope,
        arrival: NOW,
        size_bytes: MESSAGE.len() as u64,
    };
    let mut content = MESSAGE.as_bytes();
    let fates = [Fate { recipient, outcome }];
    let made = report(
        settings,
        (kind, Audience::Sender),
        &original,
        &fates,
        (&mut content, NOW),
    )
    .unwrap()?;
    Some((made.0, String::from_utf8(made.1).unwrap()))
}

fn nobody() -> Recipient {
    Recipient::new(Address::parse("nobody@example.com").unwrap())
}

#[test]
fn a_failure_is_reported_to_the_sender() {
    let outcome =
        failed("host mx.other[192.0.2.1] said: 550 5.1.1 No such user (in reply to RCPT TO command)");
    let (envelope, text) = build(
        &settings(),
        Kind::Failed,
        &envelope("alice@b.example"),
        &nobody(),
        &outcome,
    )
    .unwrap();
    assert_eq!(envelope.sender, None);
    assert_eq!(envelope.recipients[0].address.to_string(), "alice@b.example");
    let structure = Structure::parse(text.as_bytes());
    assert!(structure.root.content_type.is("multipart", "report"));
    assert_eq!(
        structure.root.content_type.parameters.find("report-type"),
        Some(&b"delivery-status"[..])
    );
    let kinds: Vec<_> = structure
        .root
        .children
        .iter()
        .map(|p| String::from_utf8_lossy(&p.content_type.subtype).into_owned())
        .collect();
    assert_eq!(kinds, ["plain", "delivery-status", "rfc822"]);
    assert_eq!(
        structure
            .part(&[3])
            .unwrap()
            .message()
            .unwrap()
            .envelope
            .as_ref()
            .unwrap()
            .subject
            .as_deref(),
        Some(&b"original"[..])
    );
    for line in [
        "From: Mail Delivery System <MAILER-DAEMON@example.com>",
        "Subject: Undelivered Mail Returned to Sender",
        "Auto-Submitted: auto-replied",
        "Reporting-MTA: dns; mx.example.com",
        "X-Postfix-Queue-ID: 8FB1210D2D2C",
        "X-Postfix-Sender: rfc822; alice@b.example",
        "Final-Recipient: rfc822; nobody@example.com",
        "Original-Recipient: rfc822;nobody@example.com",
        "Action: failed",
        "Status: 5.1.1",
        "Remote-MTA: dns; mx.other",
        "Diagnostic-Code: smtp; 550 5.1.1 No such user",
    ] {
        assert!(text.lines().any(|l| l == line), "{line}\n{text}");
    }
    assert!(!text.contains('\r'));
}

#[test]
fn a_report_is_made_up_as_log_tools_and_people_know_it() {
    let outcome = failed(&format!("cannot deliver: {}", "word ".repeat(20).trim_end()));
    let alias = Recipient {
        original: Address::parse("team@example.com").unwrap(),
        ..nobody()
    };
    let mut original = envelope("alice@b.example");
    original.envid = Some("a+b=c".to_owned());
    let (_, text) = build(&settings(), Kind::Failed, &original, &alias, &outcome).unwrap();
    for wanted in [
        "\n\nThis is a MIME-encapsulated message.\n\n--8FB1210D2D2C.",
        "\nOriginal-Envelope-Id: a+b=c\n",
        "\n<nobody@example.com> (expanded from <team@example.com>): cannot deliver: word\n    word word",
        "\nDiagnostic-Code: X-Postfix; cannot deliver: word word word word word word word\n    word word",
        "\n\nReturn-Path: <alice@b.example>\nReceived: x\n",
    ] {
        assert!(text.contains(wanted), "{wanted}\n{text}");
    }
    let mut headers_only = envelope("alice@b.example");
    headers_only.ret = Some(Ret::Headers);
    let (_, text) = build(&settings(), Kind::Failed, &headers_only, &nobody(), &outcome).unwrap();
    assert!(
        text.contains("\nContent-Description: Undelivered Message Headers\n"),
        "{text}"
    );
}

#[test]
fn a_success_is_told_with_who_took_the_message() {
    let asked = Recipient {
        notify: Some(Notify {
            success: true,
            ..Notify::NEVER
        }),
        ..nobody()
    };
    let done = |result, relay: &str, text: &str| {
        let outcome = Outcome {
            result,
            relay: relay.to_owned(),
            status: StatusCode::success(0, 0),
            text: text.to_owned(),
            detail: Default::default(),
        };
        build(&settings(), Kind::Success, &envelope("a@b"), &asked, &outcome)
            .unwrap()
            .1
    };
    let text = done(
        DeliveryResult::Relayed,
        "mx.other[192.0.2.1]:25",
        "250 2.0.0 taken",
    );
    assert!(
        text.contains("\nAction: relayed\nStatus: 2.0.0\nRemote-MTA: dns; mx.other\nDiagnostic-Code: smtp; 250 2.0.0 taken\n"),
        "{text}"
    );
    let text = done(DeliveryResult::Sent, "local", "delivered to mailbox");
    assert!(
        text.contains("\nAction: delivered\nStatus: 2.0.0\nDiagnostic-Code: X-Postfix; delivery via local: delivered to mailbox\n"),
        "{text}"
    );
}

#[test]
fn what_a_peer_said_cannot_forge_a_field() {
    let outcome = failed("unknown user\nAction: delivered\r\n\r\nFinal-Recipient: rfc822; x");
    let (_, text) = build(&settings(), Kind::Failed, &envelope("a@b"), &nobody(), &outcome).unwrap();
    assert_eq!(
        text.lines()
            .filter(|l| l.starts_with("Action:") || l.starts_with("Final-Recipient:"))
            .count(),
        2
    );
    assert!(text.contains("Diagnostic-Code: X-Postfix; unknown user Action"));
}

#[test]
fn ret_and_the_size_limit_decide_what_is_returned() {
    let mut headers_only = envelope("a@b");
    headers_only.ret = Some(Ret::Headers);
    let text = build(&settings(), Kind::Failed, &headers_only, &nobody(), &failed("x"))
        .unwrap()
        .1;
    assert!(
        text.contains("text/rfc822-headers")
            && text.contains("Subject: original")
            && !text.contains("the body")
    );
    let mut small = settings();
    small.bounce_size_limit = 20;
    let text = build(&small, Kind::Failed, &envelope("a@b"), &nobody(), &failed("x"))
        .unwrap()
        .1;
    assert!(text.contains("text/rfc822-headers") && !text.contains("the body"));
    assert!(
        text.contains("\nFrom: a@b\n"),
        "a header is returned whole: {text}"
    );
}

#[test]
fn a_long_header_is_returned_whole_and_without_end_in_part() {
    let read = |content: String| {
        let mut bytes = b"Return-Path: <>\n".to_vec();
        read_header(&mut content.as_bytes(), &mut bytes).unwrap();
        bytes.len() as u64
    };
    let header = "X-Field: of thirty octets or so\n".repeat(2000);
    let count = read(format!("{header}\n{}", "body\n".repeat(100_000)));
    let whole = header.len() as u64..header.len() as u64 + 40_000;
    assert!(whole.contains(&count), "{count}");
    // The empty line lies between two pieces.
    let first = "a: b\n".repeat(16 * 1024 / 5).len();
    let header = "a: b\n".repeat(16 * 1024 / 5) + &"x".repeat(16 * 1024 - 1 - first);
    assert_eq!(
        read(format!("{header}\n\n{}", "body\n".repeat(10_000))),
        16 + 2 * 16 * 1024
    );
    let endless = read("x: y\n".repeat(2 << 20));
    assert!(
        (HEADER_BYTES_MAX..HEADER_BYTES_MAX + 20_000).contains(&endless),
        "{endless}"
    );
}

#[test]
fn mail_with_smtputf8_has_the_parts_for_it() {
    let mut original = envelope("a@b");
    original.smtputf8 = true;
    let (report, text) = build(&settings(), Kind::Failed, &original, &nobody(), &failed("x")).unwrap();
    assert!(report.smtputf8);
    for kind in ["message/global-delivery-status", "message/global\n"] {
        assert!(
            text.contains(&format!("\nContent-Type: {kind}")),
            "{kind}\n{text}"
        );
    }
}

#[test]
fn notify_and_null_senders_decide_who_is_told() {
    let settings = settings();
    let asked = |notify: Notify| Recipient {
        notify: Some(notify),
        ..nobody()
    };
    let is_told = |kind, recipient: &Recipient, sender: &str| {
        build(&settings, kind, &envelope(sender), recipient, &failed("x")).is_some()
    };
    let delayed = Kind::Delayed { until: NOW };
    assert!(is_told(Kind::Failed, &nobody(), "a@b") && is_told(delayed, &nobody(), "a@b"));
    assert!(!is_told(Kind::Success, &nobody(), "a@b"));
    assert!(!is_told(Kind::Failed, &asked(Notify::NEVER), "a@b"));
    assert!(is_told(
        Kind::Success,
        &asked(Notify {
            success: true,
            ..Notify::NEVER
        }),
        "a@b"
    ));
    assert!(
        !is_told(Kind::Failed, &nobody(), "")
            && !is_told(Kind::Failed, &nobody(), "double-bounce@mx.example.com")
    );
}

#[test]
fn a_report_that_comes_back_goes_to_the_postmaster_when_asked_for() {
    let mut settings = settings();
    settings.notify_classes = vec![NotifyClass::Bounce];
    let implied = build(&settings, Kind::Failed, &envelope(""), &nobody(), &failed("x"));
    settings.notify_classes = vec![NotifyClass::TwoBounce];
    let asked = build(&settings, Kind::Failed, &envelope(""), &nobody(), &failed("x"));
    assert_eq!(implied, asked, "bounce implies 2bounce");
    let (envelope, _) = build(&settings, Kind::Failed, &envelope(""), &nobody(), &failed("x")).unwrap();
    assert_eq!(
        envelope.sender.unwrap().to_string(),
        "double-bounce@mx.example.com"
    );
    assert_eq!(
        envelope.recipients[0].address.to_string(),
        "postmaster@example.com"
    );
}

#[test]
fn what_the_system_said_is_the_diagnostic_code() {
    let mut outcome = failed("service unavailable. Command output: no ");
    outcome.detail.diagnostic = Some("x-unix; no\nEvil: x".into());
    let (_, text) = build(
        &settings(),
        Kind::Failed,
        &envelope("alice@b.example"),
        &nobody(),
        &outcome,
    )
    .unwrap();
    assert!(text.contains("\nDiagnostic-Code: x-unix; no Evil: x\n"), "{text}");
}

fn build_for(audience: Audience, kind: Kind, settings: &Postfix, sender: &str) -> Option<(Envelope, String)> {
    let queue_id = QueueId::parse("8FB1210D2D2C").unwrap();
    let envelope = envelope(sender);
    let original = Original {
        queue_id: &queue_id,
        envelope: &envelope,
        arrival: NOW,
        size_bytes: MESSAGE.len() as u64,
    };
    let mut content = MESSAGE.as_bytes();
    let mut never = nobody();
    never.notify = Some(Notify::NEVER);
    let outcome = failed("no such user");
    let fates = [Fate {
        recipient: &never,
        outcome: &outcome,
    }];
    let made = report(settings, (kind, audience), &original, &fates, (&mut content, NOW)).unwrap()?;
    Some((made.0, String::from_utf8(made.1).unwrap()))
}

#[test]
fn the_postmaster_gets_copies_when_asked_for() {
    let mut settings = settings();
    let copy = |settings: &Postfix, kind, sender| build_for(Audience::Postmaster, kind, settings, sender);
    let late = Kind::Delayed { until: NOW };
    assert!(copy(&settings, Kind::Failed, "a@b.example").is_none());
    settings.notify_classes = vec![NotifyClass::Bounce];
    settings.bounce_notice_recipient = "root".to_owned();
    assert!(copy(&settings, late, "a@b.example").is_none());
    assert!(copy(&settings, Kind::Failed, "").is_none(), "that is a 2bounce");
    let double = "double-bounce@mx.example.com";
    assert!(
        copy(&settings, Kind::Failed, double).is_none(),
        "it would never end"
    );
    let (envelope, text) = copy(&settings, Kind::Failed, "a@b.example").unwrap();
    assert_eq!(envelope.sender.unwrap().to_string(), double);
    assert_eq!(envelope.recipients[0].address.to_string(), "root@example.com");
    assert_eq!(envelope.recipients[0].original.to_string(), "root");
    for wanted in [
        "\nSubject: Postmaster Copy: Undelivered Mail\n",
        "\nTo: root@example.com\n",
        "\nAuto-Submitted: auto-generated\n",
        "\n\n\n<nobody@example.com>: no such user\n",
        "\nAction: failed\n",
        "\nContent-Type: text/rfc822-headers\n",
    ] {
        assert!(text.contains(wanted), "{wanted:?} is missing in\n{text}");
    }
    assert!(
        !text.contains("mail system at host") && !text.contains("the body"),
        "{text}"
    );
    settings.notify_classes = vec![NotifyClass::Delay];
    let (envelope, text) = copy(&settings, late, "a@b.example").unwrap();
    assert_eq!(
        envelope.recipients[0].address.to_string(),
        "postmaster@example.com"
    );
    assert!(
        text.contains("\nSubject: Postmaster Warning: Delayed Mail\n"),
        "{text}"
    );
}

#[test]
fn the_words_are_those_of_the_template() {
    let mut settings = settings();
    settings.bounce_templates.failure = BounceTemplate {
        charset: "utf-8".to_owned(),
        from: "Post <help>".to_owned(),
        subject: "Sorry".to_owned(),
        postmaster_subject: None,
        text: "Désolé.\n".to_owned(),
    };
    let outcome = failed("no such user");
    let from = envelope("a@b.example");
    let (envelope, text) = build(&settings, Kind::Failed, &from, &nobody(), &outcome).unwrap();
    assert_eq!(envelope.body, BodyKind::SevenBit, "the text is encoded");
    for wanted in [
        "\nFrom: Post <help@example.com>\n",
        "\nSubject: Sorry\n",
        "; charset=utf-8\nContent-Transfer-Encoding: quoted-printable\n",
        "\nD=C3=A9sol=C3=A9.\n\n<nobody@example.com>: no such user\n",
    ] {
        assert!(text.contains(wanted), "{wanted:?} is missing in\n{text}");
    }
    let own = Domain::parse("example.com").ok();
    assert_eq!(wording::from("help", own.clone()), "help@example.com");
    assert_eq!(
        wording::from("help (Post)", own.clone()),
        "help@example.com (Post)"
    );
    assert_eq!(wording::from("<a@b.example>", own), "<a@b.example>");
}

#[test]
fn an_alias_is_expanded() {
    let mut recipient = nobody();
    recipient.notify = Some(Notify {
        success: true,
        failure: false,
        delay: false,
    });
    let outcome = Outcome {
        result: DeliveryResult::Expanded,
        status: StatusCode::success(0, 0),
        text: "alias expanded".into(),
        relay: "local".into(),
        detail: Default::default(),
    };
    let from = envelope("a@b.example");
    let (_, text) = build(&settings(), Kind::Success, &from, &recipient, &outcome).unwrap();
    for wanted in [
        "\n<nobody@example.com>: delivery via local: alias expanded\n",
        "\nAction: expanded\nStatus: 2.0.0\n",
        "\nDiagnostic-Code: X-Postfix; delivery via local: alias expanded\n",
    ] {
        assert!(text.contains(wanted), "{wanted:?} is missing in\n{text}");
    }
}
