//! Golden structures, properties, and the comparison with mail-parser.

use mail_parser::MimeHeaders;
use proptest::prelude::*;

use super::*;

/// `kind/subtype header body lines` of each part, children in brackets.
fn shown(part: &Part) -> String {
    let text = |b: &[u8]| String::from_utf8_lossy(b).into_owned();
    let mut line = format!(
        "{}/{} {}-{} {}+{}",
        text(&part.content_type.kind),
        text(&part.content_type.subtype),
        part.body.start,
        part.body.end,
        part.body_bytes(),
        part.body_lines
    );
    if !part.children.is_empty() {
        line += &format!(
            " [{}]",
            part.children.iter().map(shown).collect::<Vec<_>>().join(", ")
        );
    }
    line
}

fn crlf(text: &str) -> Vec<u8> {
    text.replace('\n', "\r\n").into_bytes()
}

const NESTED: &str = "From: a@b\nSubject: x\nContent-Type: multipart/mixed; boundary=\"out er\"\n\npreamble\n--out er\n\nplain\n--out er  \nContent-Type: multipart/alternative; boundary=inner\n\n--inner\nContent-Type: text/plain\n\none\ntwo\n\n--inner\nContent-Type: text/html\n\n<p>\n--inner--\nepilogue\n--out er\nContent-Type: message/rfc822\n\nSubject: in\nFrom: c@d\n\nbody\n--out er--\nend\n";

#[test]
fn nested_parts_are_found() {
    let message = crlf(NESTED);
    let structure = Structure::parse(&message);
    assert_eq!(structure.size_bytes, message.len() as u64);
    let body = |path: &[u32]| {
        let part = structure.part(path).unwrap();
        String::from_utf8_lossy(&message[part.body.start as usize..part.body.end as usize]).into_owned()
    };
    assert_eq!(body(&[1]), "plain");
    assert_eq!(body(&[2, 1]), "one\r\ntwo\r\n");
    assert_eq!(structure.part(&[2, 1]).unwrap().body_lines, 2);
    assert_eq!(body(&[2, 2]), "<p>");
    assert_eq!(
        body(&[2]),
        "--inner\r\nContent-Type: text/plain\r\n\r\none\r\ntwo\r\n\r\n--inner\r\nContent-Type: text/html\r\n\r\n<p>\r\n--inner--\r\nepilogue"
    );
    assert_eq!(body(&[3]), "Subject: in\r\nFrom: c@d\r\n\r\nbody");
    assert_eq!(body(&[3, 1]), "body");
    let inner = structure.part(&[3]).unwrap().message().unwrap();
    assert_eq!(
        inner.envelope.as_ref().unwrap().subject.as_deref(),
        Some(&b"in"[..])
    );
    assert_eq!(
        inner.header,
        structure.part(&[3]).unwrap().body.start..inner.body.start
    );
    assert_eq!(structure.envelope().subject.as_deref(), Some(&b"x"[..]));
    assert!(
        structure.part(&[4]).is_none() && structure.part(&[1, 1]).is_none() && structure.part(&[0]).is_none()
    );
    assert_eq!(structure.root.walk().count(), 7);
}

#[test]
fn simple_messages() {
    for (message, expected) in [
        ("", "text/plain 0-0 0+0"),
        ("\n", "text/plain 2-2 0+0"),
        ("A: b\n\nhi\nthere\n", "text/plain 8-19 11+2"),
        ("A: b\n\nno end", "text/plain 8-14 6+0"),
        ("A: b\n", "text/plain 6-6 0+0"),
        (
            "Content-Type: multipart/mixed\n\n--x\n",
            "multipart/mixed 33-38 5+1",
        ),
        (
            "Content-Type: multipart/mixed; boundary=x\n\n--x",
            "multipart/mixed 45-48 3+0 [text/plain 48-48 0+0]",
        ),
        (
            "Content-Type: multipart/mixed; boundary=x\n\nnone\n",
            "multipart/mixed 45-51 6+1",
        ),
        (
            "Content-Type: multipart/mixed; boundary=x\n\n--x\nA: b\n--x--\n",
            "multipart/mixed 45-63 18+3 [text/plain 56-56 0+0]",
        ),
        (
            "Content-Type: multipart/digest; boundary=x\n\n--x\n\nSubject: d\n\nb\n--x--\n",
            "multipart/digest 46-77 31+6 [message/rfc822 53-68 15+2 [text/plain 67-68 1+0]]",
        ),
        (
            "Content-Type: message/rfc822\n\n",
            "message/rfc822 32-32 0+0 [text/plain 32-32 0+0]",
        ),
    ] {
        assert_eq!(
            shown(&Structure::parse(&crlf(message)).root),
            expected,
            "{message:?}"
        );
        assert_eq!(
            Structure::parse(message.as_bytes()),
            Structure::parse(&crlf(message)),
            "{message:?}"
        );
    }
}

#[test]
fn a_boundary_that_starts_like_another_is_told_apart() {
    let message = crlf(
        "Content-Type: multipart/mixed; boundary=ab\n\n--ab\nContent-Type: multipart/mixed; boundary=abc\n\n--abc\n\nx\n--abc--\n--ab\n\ny\n--ab--\n",
    );
    let structure = Structure::parse(&message);
    assert_eq!(structure.root.children.len(), 2);
    assert_eq!(structure.root.children[0].children.len(), 1);
}

#[test]
fn limits_hold() {
    let limits = Limits {
        nesting_max: 3,
        parts_max: 5,
        header_bytes_max: 200,
    };
    let parse = |text: &str| {
        let mut parser = Parser::new(limits);
        parser.feed(text.as_bytes());
        parser.finish()
    };
    let deep = "Content-Type: message/rfc822\n\n".repeat(50);
    let structure = parse(&deep);
    let deepest = structure.root.walk().last().unwrap();
    assert_eq!(structure.root.walk().count(), 3);
    assert!(deepest.content_type.is("application", "octet-stream") && deepest.kind == Kind::Leaf);
    let wide = format!(
        "Content-Type: multipart/mixed; boundary=x\n\n{}",
        "--x\n\ny\n".repeat(50)
    );
    assert_eq!(parse(&wide).root.walk().count(), 5);
    let long = format!("Subject: {}\nFrom: a@b\n\nbody", "x".repeat(1000));
    let structure = parse(&long);
    assert_eq!(structure.envelope().subject, None);
    assert_eq!(structure.root.body_bytes(), 4);
}

#[test]
fn the_fields_of_a_part_are_kept() {
    let structure = Structure::parse(b"Content-Type: image/png; name=a.png\nContent-Transfer-Encoding: BASE64\nContent-Id: <i@d>\nContent-Description: a\n b\nContent-Disposition: attachment; filename=a.png\nContent-Language: en, ja\nContent-Location: http://x/\nContent-MD5: abc\n\n");
    let part = &structure.root;
    assert_eq!(part.transfer_encoding(), transfer::Encoding::Base64);
    assert_eq!(part.id.as_deref(), Some(&b"<i@d>"[..]));
    assert_eq!(part.description.as_deref(), Some(&b"a b"[..]));
    assert_eq!(
        part.disposition
            .as_ref()
            .unwrap()
            .parameters
            .text("filename")
            .as_deref(),
        Some("a.png")
    );
    assert_eq!(part.language, [b"en".to_vec(), b"ja".to_vec()]);
    assert_eq!(
        (part.location.as_deref(), part.md5.as_deref()),
        (Some(&b"http://x/"[..]), Some(&b"abc"[..]))
    );
}

/// mail-parser sees the same parts in the same order with the same content (its parts are flat, multiparts included).
#[test]
fn mail_parser_agrees() {
    let message = crlf(NESTED);
    let ours = Structure::parse(&message);
    let theirs = mail_parser::MessageParser::default().parse(&message).unwrap();
    let own: Vec<_> = ours.root.walk().collect();
    // In theirs the message inside message/rfc822 is a message of its own.
    let flat: Vec<_> = own[..own.len() - 1].to_vec();
    assert_eq!(theirs.parts.len(), flat.len());
    for (part, other) in flat.iter().zip(&theirs.parts) {
        let kind = other.content_type().map_or("text", |c| c.c_type.as_ref());
        assert!(part.content_type.is_kind(kind), "{kind}");
        assert_eq!(part.body.start, u64::from(other.offset_body), "{kind}");
        if part.kind == Kind::Leaf {
            assert_eq!(part.body.end, u64::from(other.offset_end), "{kind}");
        }
    }
    assert_eq!(theirs.subject(), Some("x"));
}

/// Texts that hit the parser's decisions often.
fn messages() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        Just("Content-Type: multipart/mixed; boundary=x\n"),
        Just("Content-Type: multipart/digest; boundary=xy\n"),
        Just("Content-Type: message/rfc822\n"),
        Just("Subject: a\n b\n"),
        Just("--x\n"),
        Just("--xy\n"),
        Just("--x--\n"),
        Just("--xy-- \n"),
        Just("\n"),
        Just("\r\n"),
        Just("\r"),
        Just("text\n"),
        Just("-"),
        Just("\u{3042}"),
    ];
    proptest::collection::vec(piece, 0..30).prop_map(|pieces| pieces.concat().into_bytes())
}

fn check_nesting(part: &Part, within: Range<u64>) {
    assert!(
        part.header.start <= part.header.end
            && part.header.end == part.body.start
            && part.body.start <= part.body.end
    );
    assert!(within.start <= part.header.start && part.body.end <= within.end.max(part.body.start));
    part.children
        .iter()
        .for_each(|child| check_nesting(child, part.body.clone()));
}

proptest! {
    #[test]
    fn cuts_do_not_matter(message in messages(), cuts in proptest::collection::vec(1usize..9, 1..20)) {
        let whole = Structure::parse(&message);
        check_nesting(&whole.root, 0..whole.size_bytes);
        let mut parser = Parser::new(Limits::default());
        let mut rest = message.as_slice();
        for cut in cuts.iter().cycle() {
            let (piece, tail) = rest.split_at((*cut).min(rest.len()));
            parser.feed(piece);
            rest = tail;
            if rest.is_empty() { break }
        }
        prop_assert_eq!(parser.finish(), whole);
    }

    #[test]
    fn line_counts_are_right(message in messages()) {
        // The CRLF form: every LF gets a CR unless it has one.
        let text = String::from_utf8(message).unwrap().replace("\r\n", "\n").replace('\n', "\r\n");
        let structure = Structure::parse(text.as_bytes());
        prop_assert_eq!(structure.size_bytes, text.len() as u64);
        for part in structure.root.walk() {
            let body = &text.as_bytes()[part.body.start as usize..part.body.end as usize];
            prop_assert_eq!(part.body_lines, body.iter().filter(|&&b| b == b'\n').count() as u64);
        }
    }

    #[test]
    fn never_panics(message in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = Structure::parse(&message);
    }
}
