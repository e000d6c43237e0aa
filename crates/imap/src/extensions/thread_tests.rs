//! Threads: RFC 5256's rules, and that no message is lost whatever messages refer to.

use proptest::prelude::*;

use super::*;

/// `id subject date references…`, one message a word list.
fn messages(lists: &[&str]) -> Vec<Fields> {
    lists
        .iter()
        .map(|list| {
            let mut words = list.split(' ');
            let mut word = || words.next().unwrap_or_default();
            let (id, subject, date) = (word(), word(), word());
            Fields {
                date: date.parse().unwrap(),
                id: (id != "-").then(|| id.as_bytes().into()),
                references: words.map(|word| word.as_bytes().into()).collect(),
                subject: Base::of(&subject.replace('_', " ")),
            }
        })
        .collect()
}

fn threads(algorithm: Algorithm, lists: &[&str]) -> String {
    let messages = messages(lists);
    let numbers: Vec<u32> = (1..).take(messages.len()).collect();
    answer(algorithm, &messages, &numbers)["* THREAD".len()..]
        .trim_start()
        .to_owned()
}

#[test]
fn replies_are_below_what_they_answer() {
    let tree = [
        "a s 1",
        "b Re:_s 2 a",
        "c Re:_s 3 a b",
        "d Re:_s 2 a",
        "e t 0",
        "f u 5 x",
        "g v 4 x",
    ];
    assert_eq!(threads(Algorithm::References, &tree), "(5)(1 (2 3)(4))((7)(6))");
    assert_eq!(threads(Algorithm::Refs, &tree), "(5)(1 (2 3)(4))((7)(6))");
    assert_eq!(
        threads(Algorithm::OrderedSubject, &tree),
        "(5)(1 (2)(4)(3))(7)(6)"
    );
}

#[test]
fn loops_and_twins_end_nowhere() {
    assert_eq!(threads(Algorithm::References, &["a s 1 a"]), "(1)");
    assert_eq!(threads(Algorithm::References, &["a s 1 b", "b t 2 a"]), "(2 1)");
    assert_eq!(
        threads(Algorithm::References, &["a s 1", "a t 2", "b u 3 a"]),
        "(1 3)(2)"
    );
    assert_eq!(threads(Algorithm::Refs, &["- s 1", "- t 2"]), "(1)(2)");
    assert_eq!(threads(Algorithm::Refs, &[]), "");
}

#[test]
fn subjects_hold_threads_together() {
    let both = ["a s 2", "b s 1"];
    assert_eq!(threads(Algorithm::References, &both), "((2)(1))");
    assert_eq!(threads(Algorithm::Refs, &both), "(2)(1)");
    assert_eq!(threads(Algorithm::References, &["a Re:_s 1", "b s 2"]), "(2 1)");
    assert_eq!(
        threads(Algorithm::References, &["a s 1", "b s 2", "c s 3", "d Re:_s 4"]),
        "((1)(2)(3)(4))"
    );
    assert_eq!(
        threads(
            Algorithm::References,
            &["a s 1 x", "b s 2 x", "c s 3 y", "d s 4 y"]
        ),
        "((1)(2)(3)(4))"
    );
    assert_eq!(threads(Algorithm::References, &["a  1", "b  2"]), "(1)(2)");
}

#[test]
fn missing_messages_hold_nothing_but_a_top_together() {
    assert_eq!(
        threads(Algorithm::Refs, &["a s 1 x y z", "b t 2 x y"]),
        "((1)(2))"
    );
    assert_eq!(
        threads(Algorithm::Refs, &["a s 1", "b t 2 a y", "c u 3 a y"]),
        "(1 (2)(3))"
    );
    assert_eq!(threads(Algorithm::Refs, &["a s 1 x"]), "(1)");
}

#[test]
fn a_long_chain_does_not_exhaust_the_stack() {
    let chain: Vec<Fields> = (0..100_000u32)
        .map(|number| Fields {
            date: i64::from(number),
            id: Some(number.to_string().as_bytes().into()),
            references: vec![(number + 1).to_string().as_bytes().into()],
            subject: Base::default(),
        })
        .collect();
    let numbers: Vec<u32> = (1..=100_000).collect();
    let line = answer(Algorithm::References, &chain, &numbers);
    assert!(line.starts_with("* THREAD (100000 99999 ") && line.ends_with(" 2 1)"));
}

proptest! {
    #[test]
    fn every_message_is_told_once(
        list in proptest::collection::vec(("[a-e-]", "(Re:_)?[st]?", 0i64..4, proptest::collection::vec("[a-g]", 0..4)), 0..12),
    ) {
        let lists: Vec<String> = list
            .iter()
            .map(|(id, subject, date, references)| {
                let mut text = format!("{id} {subject} {date}");
                references.iter().for_each(|reference| { text.push(' '); text.push_str(reference); });
                text
            })
            .collect();
        let lists: Vec<&str> = lists.iter().map(String::as_str).collect();
        for algorithm in [Algorithm::References, Algorithm::Refs, Algorithm::OrderedSubject] {
            let told = threads(algorithm, &lists);
            let mut depth = 0i32;
            for octet in told.bytes() {
                depth += i32::from(octet == b'(') - i32::from(octet == b')');
                prop_assert!(depth >= 0);
            }
            prop_assert_eq!(depth, 0);
            prop_assert!(!told.contains("()"), "{}", told);
            let mut numbers: Vec<usize> =
                told.split(['(', ')', ' ']).filter_map(|word| word.parse().ok()).collect();
            numbers.sort_unstable();
            prop_assert_eq!(numbers, (1..=lists.len()).collect::<Vec<_>>());
        }
    }
}
