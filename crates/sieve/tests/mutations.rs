//! Scripts and messages with mistakes put into them: nothing panics, no stack overflows, every run ends.

#![allow(clippy::unwrap_used, reason = "a test fails by panic")]

use std::path::Path;

use proptest::prelude::*;
use sieve::{Capabilities, Delivery, Envelope, Mail, NoHost, NoLibrary, Settings, Verdict};

/// Scripts to start from.
fn scripts() -> Vec<String> {
    let suite = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/suite");
    let mut texts = Vec::new();
    for directory in [suite.join("scripts"), suite.join("included"), suite] {
        let mut paths: Vec<_> = std::fs::read_dir(directory)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        paths.sort();
        let wanted = |path: &&std::path::PathBuf| {
            path.extension()
                .is_some_and(|end| end == "sieve" || end == "svtest")
        };
        texts.extend(
            paths
                .iter()
                .filter(wanted)
                .map(|path| std::fs::read_to_string(path).unwrap()),
        );
    }
    texts
}

const MESSAGE: &[u8] = b"From: a@example.org\r\nTo: b+c@example.com\r\nSubject: =?utf-8?q?a_b?=\r\nContent-Type: multipart/mixed; boundary=x\r\n\
Received: by x; Mon, 23 Nov 2026 10:00:00 +0000\r\n\r\n--x\r\nContent-Type: text/html\r\n\r\n<p>a</p>\r\n--x\r\n\
Content-Type: message/rfc822\r\n\r\nSubject: inner\r\n\r\nbody\r\n--x--\r\n";

fn settings() -> Settings {
    let mut settings = Settings::default();
    settings.set("sieve_max_cpu_time", "1s").unwrap();
    settings
}

/// Compiles and, when that can be done, runs.
fn try_out(script: &str, message: &[u8]) -> Option<Verdict> {
    let settings = settings();
    let mut capabilities = Capabilities::all();
    capabilities.add(sieve::testing::EXTENSION);
    let program = sieve::compile("fuzz", script, &settings, &capabilities, &mut NoLibrary)
        .ok()?
        .program;
    let mail = Mail::new(message);
    let delivery = Delivery {
        envelope: Envelope::of_message(&mail),
        mail,
        trace: None,
    };
    let outcome = program.run(delivery, &settings, &mut NoHost);
    // Whatever happens, the message goes somewhere or was thrown away on purpose.
    assert!(outcome.implicit_keep.is_some() || !outcome.actions.is_empty());
    // What was compiled can be kept in a file and read back.
    let kept = sieve::Program::from_file(&program.to_file(), &settings, &capabilities);
    assert!(kept.is_ok());
    Some(outcome.verdict)
}

/// A change to a text.
#[derive(Debug, Clone)]
struct Mutation {
    at: usize,
    length: usize,
    put: String,
}

fn mutation() -> impl Strategy<Value = Mutation> {
    let put = prop_oneof![
        Just(String::new()),
        "[a-z:\"\\[\\](){};,.$*?\\\\0-9 \n]{1,6}",
        Just("\"".to_owned()),
        Just("${".to_owned()),
        Just("text:\n".to_owned()),
        Just("if true {".to_owned()),
        Just("not ".to_owned()),
        Just("18446744073709551615G".to_owned()),
        Just("é\u{0}".to_owned()),
    ];
    (any::<prop::sample::Index>(), 0usize..8, put).prop_map(|(at, length, put)| Mutation {
        at: at.index(1 << 20),
        length,
        put,
    })
}

fn mutated(text: &str, mutations: &[Mutation]) -> String {
    let mut characters: Vec<char> = text.chars().collect();
    for Mutation { at, length, put } in mutations {
        let at = at % (characters.len() + 1);
        let end = (at + length).min(characters.len());
        characters.splice(at..end, put.chars());
    }
    characters.into_iter().collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn mutated_scripts_do_no_harm(
        script in prop::sample::select(scripts()),
        changes in prop::collection::vec(mutation(), 0..4),
    ) {
        let _ = try_out(&mutated(&script, &changes), MESSAGE);
    }

    #[test]
    fn mutated_messages_do_no_harm(
        script in prop::sample::select(scripts()),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
    ) {
        let mut message = MESSAGE.to_vec();
        for (at, byte) in changes {
            let at = at.index(message.len());
            message[at] = byte;
        }
        let _ = try_out(&script, &message);
    }
}

#[test]
fn deep_nesting_is_told() {
    for deep in [
        "if not ".repeat(50_000),
        "if anyof (".repeat(50_000),
        "if true {".repeat(50_000),
        "if allof (not anyof (not ".repeat(20_000),
        "[".repeat(100_000),
        "/*".repeat(100_000),
    ] {
        assert_eq!(try_out(&deep, MESSAGE), None);
    }
}

/// Scripts that include each other, each as deep as it can be.
struct Deep;

impl sieve::Library for Deep {
    fn script(&mut self, _location: sieve::Location, name: &str) -> sieve::Found {
        let next = format!("{name}x");
        sieve::Found::Text(deep_script(&next))
    }
}

fn deep_script(next: &str) -> String {
    let blocks = sieve::BLOCK_NESTING_MAX - 1;
    let tests = sieve::TEST_NESTING_MAX - 2;
    format!(
        "require \"include\"; {}include \"{next}\"; if {}exists \"x\" {{ keep; }} {}",
        "if not exists \"x\" {".repeat(blocks),
        "not ".repeat(tests),
        "}".repeat(blocks),
    )
}

#[test]
fn the_stack_is_deep_enough_for_all_limits_at_once() {
    let mut settings = settings();
    settings.set("sieve_include_max_nesting_depth", "1000").unwrap();
    let failure = sieve::compile(
        "deep",
        &deep_script("x"),
        &settings,
        &Capabilities::all(),
        &mut Deep,
    )
    .unwrap_err();
    let told = failure
        .diagnostics
        .iter()
        .any(|line| line.text.contains("cannot nest includes deeper than 32"));
    assert!(told, "{:?}", failure.diagnostics);
}

#[test]
fn long_strings_and_evil_patterns_end() {
    let long = "a".repeat(800_000);
    let evil = format!(
        "require [\"variables\", \"regex\"]; if header :matches \"subject\" \"{}\" {{ stop; }} if header :contains \"subject\" \"{long}\" {{ stop; }}",
        "*a?".repeat(50_000)
    );
    let message = format!("Subject: {long}\n\nbody\n");
    // To its end or to the end of its budget.
    assert!(try_out(&evil, message.as_bytes()).is_some());
    let regex = "require \"regex\"; if header :regex \"subject\" [\"(a+)+$x\", \"(a|a)*b\", \"(.*)(.*)(.*)[^a]\"] { stop; }";
    assert!(try_out(regex, message.as_bytes()).is_some());
    let big = format!(
        "require \"regex\"; if header :regex \"subject\" \"{}\" {{ stop; }}",
        "(a{1000}){1000}"
    );
    assert_eq!(try_out(&big, message.as_bytes()), None);
}

#[test]
fn many_parts_end() {
    let mut message = String::from("Content-Type: multipart/mixed; boundary=x\n\n");
    message.push_str(&"--x\nContent-Type: text/html\n\n<script><b>\n".repeat(20_000));
    let script = "require [\"foreverypart\", \"mime\", \"body\", \"extracttext\", \"variables\"];
        foreverypart { foreverypart { foreverypart { extracttext \"x\"; } } } if body :contains \"zzz\" { stop; }";
    assert!(try_out(script, message.as_bytes()).is_some());
}
