//! Rules in, what becomes of messages out.

use std::io::Read;

use settings::Surroundings;

use super::outgoing::{Outgoing, Reader};
use super::*;

fn rules(text: &str) -> Vec<TableRef> {
    vec![TableRef::new("regexp", &format!("{{ {text} }}"))]
}

fn settings(header: &str, body: &str) -> Postfix {
    let mut settings = Postfix::defaults(&Surroundings::default());
    for (field, text) in [
        (&mut settings.header_checks, header),
        (&mut settings.body_checks, body),
    ] {
        *field = match text {
            "" => Vec::new(),
            text => rules(text),
        };
    }
    settings.mime_header_checks = settings.header_checks.clone();
    settings.nested_header_checks = settings.header_checks.clone();
    settings
}

fn checked(settings: &Postfix, message: &[u8]) -> (String, Effects) {
    let (checks, problems) = Checks::incoming(settings);
    assert_eq!(problems, []);
    let (mut out, mut effects) = (Vec::new(), Effects::default());
    let mut scanner = Scanner::new(checks.limits);
    let mut sink = Checked {
        checks: &checks,
        effects: &mut effects,
        out: &mut out,
    };
    scanner.feed(message, &mut sink);
    scanner.finish(&mut sink);
    let text = out.iter().map(|&octet| char::from(octet)).collect();
    (text, effects)
}

fn decisions(effects: &Effects) -> Vec<String> {
    let shown = |note: &Note| format!("{} {} {}|{}", note.decision, note.kind, note.content, note.text);
    effects.notes.iter().map(shown).collect()
}

#[test]
fn lines_come_and_go() {
    let header = "{/^x-drop:/ IGNORE}, {/^x-strip:/ STRIP gone}, {/^subject: (.*)/ REPLACE Subject: [$1]}, {/^to:/ PREPEND X-To: yes}";
    let settings = settings(header, "{/^one$/ REPLACE two}, {/^-$/ STRIP}");
    let (text, effects) = checked(
        &settings,
        b"X-Drop: 1\nX-Strip: 2\nSubject: a\n b\nTo: c\n\none\n-\n\nend\n",
    );
    assert_eq!(text, "Subject: [a\n b]\nX-To: yes\nTo: c\n\ntwo\n\nend\n");
    assert_eq!(
        decisions(&effects),
        [
            "strip header X-Strip: 2|gone",
            "replace header Subject: a? b|Subject: [a? b]"
                .replace("[a? b]", "[a\n b]")
                .as_str(),
            "prepend header To: c|X-To: yes",
            "replace body one|two",
            "strip body -|",
        ]
    );
}

#[test]
fn the_envelope_hears_of_it() {
    let body =
        "{/1/ FILTER a:}, {/2/ FILTER b:c}, {/4/ BCC v@w}, {/5/ HOLD}, {/6/ REJECT 4.3.2 no}, {/7/ DISCARD}";
    let settings = settings("", body);
    let (_, effects) = checked(&settings, b"A: b\n\n1\n2\n4\n4\n5\n5\n6\n7\n");
    assert_eq!(effects.filter.as_deref(), Some("b:c"));
    assert_eq!((effects.copies.len(), effects.is_held), (1, true));
    assert_eq!(
        effects.refusal,
        Some((StatusCode::temporary(3, 2), "no".to_owned()))
    );
    // Nothing is looked at behind a refusal.
    assert!(!effects.is_discarded);
    assert_eq!(
        decisions(&effects).last().map(String::as_str),
        Some("reject body 6|4.3.2 no")
    );
}

#[test]
fn the_first_other_place_to_go_to_counts() {
    let settings = settings("{/1/ REDIRECT x@y}, {/2/ REDIRECT v@w}", "");
    let (_, effects) = checked(&settings, b"A: 1\nB: 2\n\n");
    let shown = effects.redirect.as_ref().map(ToString::to_string);
    assert_eq!(shown.as_deref(), Some("x@y"));
}

#[test]
fn parts_have_tables_of_their_own() {
    let mut settings = settings("{/^subject:/ INFO top}", "");
    settings.mime_header_checks = rules("{/./ INFO mime}");
    settings.nested_header_checks = rules("{/./ INFO nested}");
    let message =
        b"Subject: a\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\n--b\nX-Any: 1\nContent-Type: message/rfc822\n\n\
          Subject: in\nContent-ID: 1\n\nSubject: body\n--b--\n";
    let (text, effects) = checked(&settings, message);
    assert_eq!(text.as_bytes(), message);
    let seen: Vec<String> = effects
        .notes
        .iter()
        .map(|note| format!("{}={}", note.content.split(':').next().unwrap_or(""), note.text))
        .collect();
    assert_eq!(
        seen,
        [
            "Subject=top",
            "MIME-Version=mime",
            "Content-Type=mime",
            "X-Any=mime",
            "Content-Type=mime",
            "Subject=nested",
            "Content-ID=mime",
        ]
    );
}

#[test]
fn only_the_start_of_each_part_is_looked_at() {
    let mut settings = settings("", "{/x/ IGNORE}");
    settings.body_checks_size_limit = 5;
    let (text, _) = checked(&settings, b"A: b\n\nx\nx\nx\nx\n");
    assert_eq!(text, "A: b\n\nx\nx\n");
}

#[test]
fn octets_that_are_no_utf8_stay_as_they_are() {
    let settings = settings("{/^subject: (.*)/ REPLACE Subject: <$1>}", "");
    let (text, _) = checked(&settings, b"Subject: \xe4\xf6\n\n");
    assert_eq!(text, "Subject: <\u{e4}\u{f6}>\n\n");
}

#[test]
fn a_mistake_is_told_and_a_table_that_fails_is_no_no() {
    let wrong = settings("{/x/ REJEKT}, {/y/ REPLACE y}", "");
    let (text, effects) = checked(&wrong, b"X: 1\nY: 2\n\n");
    assert_eq!(text, "X: 1\nY: 2\n\n");
    assert_eq!(
        effects.warnings,
        [
            "unknown command in header_checks map: REJEKT",
            "bad REPLACE header text \"y\" in header_checks map -- need \"headername: headervalue\"",
        ]
    );
    let mut failing = settings("", "");
    failing.body_checks = vec![TableRef::new("fail", "x")];
    let (_, effects) = checked(&failing, b"X: 1\n\nline\n");
    assert!(effects.has_failed && !effects.is_taken());
}

struct Client(Checks);

impl Outgoing for Client {
    fn checks(&self) -> &Checks {
        &self.0
    }
    fn generic(&self, address: &Address) -> Result<Option<Address>, tables::Error> {
        match address.to_string().as_str() {
            "me@here.test" => Ok(Address::parse("us@out.test").ok()),
            "broken@here.test" => Err(tables::Error::UnknownType { kind: "x".to_owned() }),
            _ => Ok(None),
        }
    }
    fn tell(&self, _: &mut Effects) {}
}

fn sent(message: &str) -> std::io::Result<String> {
    let header = rules(
        "{/^x-in:/ IGNORE}, {/^subject:/ PREPEND X-Sender: me@here.test}, {/^reply-to:/ REPLACE Reply-To: me@here.test}, {/^x-no:/ REJECT}",
    );
    let named: Named<'_> = [
        ("smtp_header_checks", &header),
        ("smtp_mime_header_checks", &[]),
        ("smtp_nested_header_checks", &[]),
        ("smtp_body_checks", &[]),
    ];
    let settings = settings("", "");
    let client = Client(Checks::outgoing(named, &settings).0);
    let mut text = String::new();
    Reader::new(message.as_bytes(), &client).read_to_string(&mut text)?;
    Ok(text)
}

#[test]
fn what_goes_out_is_rewritten() {
    let message = "X-In: 1\nFrom: Me <me@here.test>\nTo: you@there.test,\n\tme@here.test\nReply-To: x@y\nSubject: me@here.test\nX-No: 1\n\nme@here.test\n";
    assert_eq!(
        sent(message).expect("all is there"),
        "From: Me <us@out.test>\nTo: you@there.test, us@out.test\nReply-To: us@out.test\nX-Sender: me@here.test\nSubject: me@here.test\nX-No: 1\n\nme@here.test\n"
    );
    assert!(sent("From: broken@here.test\n\nx\n").is_err());
}

fn nested(levels: usize) -> Vec<u8> {
    let part = |level| format!("Content-Type: multipart/mixed; boundary=b{level}\n\n--b{level}\n");
    let parts: String = (0..levels).map(part).collect();
    format!("{parts}Content-Type: text/plain; name=bad.exe\n\nx\n").into_bytes()
}

#[test]
fn parts_too_deep_for_checks_are_not_taken() {
    let mut deep = settings("{/bad.exe/ WARN seen}", "");
    deep.mime_nesting_limit = 3;
    let (_, effects) = checked(&deep, &nested(5));
    assert_eq!(effects.refusal, None);
    assert_eq!(
        decisions(&effects),
        ["warning header Content-Type: text/plain; name=bad.exe|seen"]
    );
    let (_, effects) = checked(&deep, &nested(6));
    let words = "MIME nesting exceeds safety limit";
    assert_eq!(
        effects.refusal,
        Some((StatusCode::permanent(6, 0), words.to_owned()))
    );
    assert_eq!(
        decisions(&effects),
        [format!(
            "reject mime-error {words}: Content-Type: multipart/mixed; boundary=b5|"
        )]
    );
    // Where no check looks at headers, it does not matter.
    let mut shallow = settings("", "{/bad.exe/ WARN seen}");
    shallow.mime_nesting_limit = 3;
    assert_eq!(checked(&shallow, &nested(6)).1.refusal, None);
}
