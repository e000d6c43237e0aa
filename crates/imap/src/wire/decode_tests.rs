//! Tests of decoding commands.

use super::*;
use crate::wire::fetch::{Item, SectionText};
use crate::wire::search::Key;
use proptest::prelude::*;

fn verb_of(text: &str) -> Verb {
    verb(&mut head(text.as_bytes()).unwrap()).unwrap()
}

fn error_of(text: &str) -> String {
    let mut head = head(text.as_bytes()).unwrap();
    let error = verb(&mut head).unwrap_err();
    head.refusal(error).error.to_string()
}

#[test]
fn fetch_items_and_sections() {
    let Verb::Fetch(fetch) =
        verb_of("a UID FETCH 1:*,3 (UID BODY.PEEK[1.2.HEADER.FIELDS (subject \"to\")]<5.7> BODY)")
    else {
        panic!("not FETCH")
    };
    assert!(fetch.by_uid);
    let Item::Section(section) = &fetch.items[1] else {
        panic!("not a section")
    };
    assert_eq!(section.label, "BODY[1.2.HEADER.FIELDS (SUBJECT TO)]");
    assert_eq!((section.partial, section.sets_seen), (Some((5, 7)), false));
    assert!(matches!(
        section.text,
        SectionText::HeaderFields { except: false, .. }
    ));
    assert_eq!(fetch.items[2], Item::Body);
    assert_eq!(error_of("a FETCH 1 FOO"), "Unknown parameter: FOO");
    assert_eq!(error_of("a FETCH 1 BODY[FOO]"), "Invalid BODY[..] section");
    assert_eq!(error_of("a FETCH 0 FLAGS"), "Invalid messageset");
    assert_eq!(error_of("a FETCH 1"), "Invalid arguments");
    assert_eq!(error_of("a FETCH 1 (ALL)"), "Unknown parameter: ALL");
}

#[test]
fn store_and_flags() {
    let Verb::Store(store) = verb_of("a STORE 2 (UNCHANGEDSINCE 12) +FLAGS.SILENT (\\seen $Foo)") else {
        panic!("not STORE")
    };
    assert_eq!((store.silent, store.unchanged_since), (true, Some(12)));
    assert!(
        matches!(store.change, FlagChange::Add(flags) if flags.system == SystemFlags::SEEN && flags.keywords.len() == 1)
    );
    assert!(matches!(verb_of("a STORE 2 FLAGS ()"), Verb::Store(_)));
    assert!(matches!(
        verb_of("a STORE 2 -FLAGS \\Seen \\Draft"),
        Verb::Store(_)
    ));
    assert_eq!(
        error_of("a STORE 1 FLAGS \\Recent"),
        "Invalid system flag \\RECENT"
    );
    assert_eq!(error_of("a STORE 1 FOO (\\Seen)"), "Invalid arguments");
}

#[test]
fn search_keys() {
    let Verb::Search(search) = verb_of(
        "a SEARCH RETURN (MIN COUNT) CHARSET utf-8 OR (FROM x NOT SEEN) 1:3 SUBJECT {2}\r\nhi SINCE 1-Feb-1994",
    ) else {
        panic!("not SEARCH")
    };
    assert_eq!(
        search.returning,
        Some(super::super::returning::Returning {
            min: true,
            count: true,
            ..Default::default()
        })
    );
    let Key::And(keys) = search.key else {
        panic!("not a list")
    };
    assert_eq!(keys[1], Key::Header(b"SUBJECT".to_vec(), b"hi".to_vec()));
    assert_eq!(keys[2], Key::Since(8797));
    assert_eq!(error_of("a SEARCH FOO"), "Unknown argument FOO");
    let deep = format!("a SEARCH {}SEEN", "NOT ".repeat(1000));
    assert_eq!(error_of(&deep), "Too deeply nested");
}

#[test]
fn names_and_tags_of_refused_commands() {
    assert_eq!(error_of("a UID FOO"), "Unknown command");
    let found = head(b"a uid foo").unwrap();
    assert_eq!((found.tag, found.name.as_str()), ("a", "UID FOO"));
    for (line, tag) in [("", None), ("a+b NOOP", None), ("* NOOP", None), ("a", Some("a"))] {
        assert_eq!(head(line.as_bytes()).unwrap_err().tag.as_deref(), tag, "{line}");
    }
    assert_eq!(error_of("a SELECT \"INBOX"), "Missing '\"'");
    assert_eq!(error_of("a FETCH 1 (FLAGS \"(\" UID"), "Missing ')'");
    assert!(matches!(verb_of("a LOGOUT "), Verb::Logout));
}

proptest! {
    #[test]
    fn never_panics(words in proptest::collection::vec(prop::sample::select(vec![
        "a ", "UID ", "FETCH ", "STORE ", "SEARCH ", "APPEND ", "LIST ", "1:*", "*", ",", " ", "(", ")", "\"", "\\", "{3}\r\n",
        "abc", "BODY[", "]", "<0.1>", "HEADER.FIELDS", "1.2", "NOT ", "OR ", "\\Seen", "+FLAGS", "RETURN ", "CHARSET ", "\u{e9}",
        "SINCE ", "1-Feb-1994", "STATUS ", "MESSAGES", "99999999999999999999", "\0", "{18446744073709551615}\r\n",
    ]), 0..25)) {
        let text = words.concat();
        if let Ok(mut head) = head(text.as_bytes()) {
            let _ = verb(&mut head);
        }
    }
}
