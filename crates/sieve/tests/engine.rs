//! The engine by its own interface: what a caller hands in and gets back, and what no file of tests can set.

#![allow(clippy::unwrap_used, reason = "a test fails by panic")]

use message::date::Date;
use sieve::{
    Action, Capabilities, Delivery, Dsn, Envelope, EnvelopeDeliverBy, Host, Mail, NoLibrary, Outcome,
    Program, Settings, Verdict,
};

struct Clock;

impl Host for Clock {
    fn now(&mut self) -> Date {
        Date {
            secs: 1_000_000,
            offset_secs: 0,
        }
    }
}

fn envelope() -> Envelope {
    Envelope {
        sender: "sender@example.org".to_owned(),
        recipient: "me@example.com".to_owned(),
        original_recipient: "me@example.com".to_owned(),
        auth: None,
        dsn: Dsn {
            notify: vec!["SUCCESS".to_owned(), "DELAY".to_owned()],
            ret: Some("HDRS".to_owned()),
            envid: Some("QQ314159".to_owned()),
            orcpt: Some("rfc822;other@example.net".to_owned()),
        },
        deliver_by: Some(EnvelopeDeliverBy {
            at_secs: 1_000_100,
            mode: "return".to_owned(),
            trace: true,
        }),
    }
}

fn program(script: &str) -> Program {
    sieve::compile(
        "test",
        script,
        &Settings::default(),
        &Capabilities::all(),
        &mut NoLibrary,
    )
    .unwrap()
    .program
}

fn run(script: &str) -> Outcome {
    let delivery = Delivery {
        mail: Mail::new(&b"From: sender@example.org\r\nSubject: x\r\n\r\nbody\r\n"[..]),
        envelope: envelope(),
        trace: None,
    };
    program(script).run(delivery, &Settings::default(), &mut Clock)
}

/// Whether a script comes to its `discard`.
fn discards(script: &str) -> bool {
    run(script)
        .actions
        .iter()
        .any(|entry| entry.action == Action::Discard)
}

#[test]
fn a_program_can_be_shared_by_threads() {
    fn is_shared<T: Send + Sync>() {}
    is_shared::<Program>();
}

#[test]
fn the_envelope_of_dsn_is_seen() {
    let require = "require [\"envelope-dsn\", \"envelope-deliverby\", \"subaddress\"]; ";
    for (test, expected) in [
        ("envelope \"notify\" \"DELAY\"", true),
        ("envelope \"notify\" \"NEVER\"", false),
        ("envelope \"ret\" \"HDRS\"", true),
        ("envelope \"envid\" \"QQ314159\"", true),
        ("envelope \"orcpt\" \"rfc822;other@example.net\"", true),
        ("envelope :localpart \"orcpt\" \"other\"", true),
        ("envelope \"bytimerelative\" \"100\"", true),
        ("envelope \"bytimeabsolute\" \"1970-01-12T13:48:20+00:00\"", true),
        ("envelope \"bymode\" \"return\"", true),
        ("envelope \"bytrace\" \"1\"", true),
    ] {
        let script = format!("{require}if {test} {{ discard; }}");
        assert_eq!(discards(&script), expected, "{test}");
    }
}

#[test]
fn redirects_carry_what_they_ask_for() {
    let outcome = run(
        "require [\"redirect-dsn\", \"redirect-deliverby\"]; redirect :notify \"success,failure\" :ret \"full\" :bytimerelative 600 :bymode \"return\" :bytrace \"a@b.c\";",
    );
    let [entry] = outcome.actions.as_slice() else {
        panic!("{:?}", outcome.actions);
    };
    let Action::Redirect(redirect) = &entry.action else {
        panic!("{:?}", entry.action);
    };
    assert_eq!(redirect.address, "a@b.c");
    assert_eq!(redirect.dsn_notify.as_deref(), Some("SUCCESS,FAILURE"));
    assert_eq!(redirect.dsn_ret.as_deref(), Some("FULL"));
    let by = redirect.deliver_by.as_ref().unwrap();
    assert_eq!((by.seconds, by.mode, by.trace), (600, 'R', true));
    assert!(outcome.implicit_keep.is_none());
    for wrong in [
        "redirect :notify \"never,success\" \"a@b.c\";",
        "redirect :ret \"all\" \"a@b.c\";",
        "redirect :bymode \"return\" \"a@b.c\";",
        "redirect :bytimerelative 1 :bytimeabsolute \"2026-01-01T00:00:00Z\" \"a@b.c\";",
    ] {
        let script = format!("require [\"redirect-dsn\", \"redirect-deliverby\"]; {wrong}");
        let result = sieve::compile(
            "test",
            &script,
            &Settings::default(),
            &Capabilities::all(),
            &mut NoLibrary,
        );
        assert!(result.is_err(), "{wrong}");
    }
}

#[test]
fn a_failed_run_keeps_the_message_and_does_nothing_else() {
    let outcome = run("require [\"fileinto\", \"ihave\"]; fileinto \"a\"; redirect \"x@y.z\"; error \"no\";");
    assert_eq!(outcome.verdict, Verdict::Failed);
    assert!(outcome.actions.is_empty());
    assert!(outcome.implicit_keep.is_some());
    assert_eq!(outcome.log[0].to_string(), "test: line 1: error: no.");
}

#[test]
fn actions_keep_the_message_as_it_was_then() {
    let outcome = run(
        "require [\"fileinto\", \"editheader\", \"copy\"]; fileinto :copy \"a\"; addheader \"X-New\" \"yes\"; fileinto :copy \"b\";",
    );
    let has = |bytes: &[u8]| bytes.starts_with(b"X-New: yes\r\n");
    let seen: Vec<bool> = outcome.actions.iter().map(|entry| has(&entry.message)).collect();
    assert_eq!(seen, [false, true]);
    assert!(has(&outcome.implicit_keep.unwrap().message));
}

#[test]
fn only_what_is_allowed_can_be_required() {
    let mut capabilities = Capabilities::default();
    let compile = |capabilities: &Capabilities, name: &str| {
        let script = format!("require \"{name}\";");
        sieve::compile(
            "test",
            &script,
            &Settings::default(),
            capabilities,
            &mut NoLibrary,
        )
        .is_ok()
    };
    assert!(compile(&capabilities, "vacation"));
    assert!(!compile(&capabilities, "editheader"));
    assert!(!compile(&capabilities, sieve::testing::EXTENSION));
    assert_eq!(
        capabilities.apply("+editheader -vacation +nonsense"),
        ["nonsense"]
    );
    assert!(compile(&capabilities, "editheader") && !compile(&capabilities, "vacation"));
    capabilities.apply("fileinto");
    assert_eq!(capabilities.names().collect::<Vec<_>>(), ["fileinto"]);
    for name in Capabilities::all().names() {
        assert!(compile(&Capabilities::all(), name), "{name}");
    }
}
