//! The resolver against a server that answers well, badly, and not at all.

use std::time::Duration;

use testkit::DnsServer;

use super::*;

/// A resolver of one round with little patience that asks these servers.
fn resolver(servers: &[&DnsServer]) -> Resolver {
    let addresses: Vec<String> = servers
        .iter()
        .map(|server| server.address().to_string())
        .collect();
    let configuration = Configuration::of_file("/nonexistent".as_ref()).asking(&addresses);
    Resolver::new(Configuration {
        timeout: Duration::from_millis(300),
        attempts: 1,
        search: vec!["own.test".to_owned(), "other.test".to_owned()],
        ..configuration.expect("these are addresses")
    })
}

fn run<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime can be made").block_on(future)
}

fn ask(resolver: &Resolver, name: &str, kind: Kind) -> Result<Answer, Failure> {
    run(resolver.look_up(&Question::new(name, kind)))
}

/// `10 mx.test, 20 …`, or the failure.
fn said(answer: Result<Answer, Failure>) -> String {
    let in_words = |record: &Record| match record {
        Record::Address(address) => address.to_string(),
        Record::Exchanger { preference, host } => format!("{preference} {host}"),
        Record::Name(name) | Record::Server(name) => name.clone(),
        Record::Text(text) => String::from_utf8_lossy(text).into_owned(),
        record @ Record::Certificate { .. } => record.to_string(),
    };
    match answer {
        Ok(answer) => answer.records.iter().map(in_words).collect::<Vec<_>>().join(", "),
        Err(failure) => failure.to_string(),
    }
}

#[test]
fn records_are_found_and_missed() {
    let server = DnsServer::start(
        "a.test A 192.0.2.1\na.test A 192.0.2.2\na.test AAAA 2001:db8::1\n\
         a.test MX 20 second.test\na.test MX 10 FIRST.test\nnull.test MX 0 .\n\
         1.2.0.192.in-addr.arpa PTR a.test\na.test TXT one two\n_25._tcp.a.test TLSA 3 1 1 00ab\n",
    );
    let resolver = resolver(&[&server]);
    let ask = |name, kind| said(ask(&resolver, name, kind));
    assert_eq!(ask("A.test.", Kind::A), "192.0.2.1, 192.0.2.2");
    assert_eq!(ask("a.test", Kind::Aaaa), "2001:db8::1");
    assert_eq!(ask("a.test", Kind::Mx), "10 first.test, 20 second.test");
    assert_eq!(ask("null.test", Kind::Mx), "0 ");
    assert_eq!(ask("1.2.0.192.in-addr.arpa", Kind::Ptr), "a.test");
    assert_eq!(ask("_25._tcp.a.test", Kind::Tlsa), "TLSA 3 1 1 00AB");
    assert_eq!(ask("a.test", Kind::Txt), "onetwo");
    let no_data = "Host found but no data record of requested type";
    assert_eq!(ask("null.test", Kind::A), no_data);
    assert_eq!(ask("test", Kind::A), no_data);
    assert_eq!(ask("none.test", Kind::Mx), "Host not found");
    for bad in ["a..test", &"a".repeat(64), &"a.".repeat(200), "", "é.test"] {
        assert_eq!(ask(bad, Kind::A), "Non-recoverable error", "{bad}");
    }
}

#[test]
fn aliases_are_followed_and_do_not_go_on_for_ever() {
    let server = DnsServer::start(
        "alias.test CNAME middle.test\nmiddle.test CNAME a.test\na.test A 192.0.2.1\n\
         circle.test CNAME elcric.test\nelcric.test CNAME circle.test\nself.test CNAME self.test\n\
         dangling.test CNAME none.test\n",
    );
    let resolver = resolver(&[&server]);
    let answer = ask(&resolver, "alias.test", Kind::A).expect("it is there");
    assert_eq!((answer.name.as_str(), answer.records.len()), ("a.test", 1));
    for name in ["circle.test", "self.test"] {
        assert_eq!(ask(&resolver, name, Kind::A), Err(Failure::Loop), "{name}");
    }
    assert_eq!(ask(&resolver, "dangling.test", Kind::A), Err(Failure::NotFound));
    let mut long = String::from("c99.test A 192.0.2.1\n");
    (0..99).for_each(|at| long.push_str(&format!("c{at}.test CNAME c{}.test\n", at + 1)));
    server.set(&long);
    assert!(ask(&resolver, "c0.test", Kind::A).is_err());
    assert!(ask(&resolver, "c95.test", Kind::A).is_ok());
}

#[test]
fn hostile_answers_stay_bounded() {
    let server = DnsServer::start("rubbish.test RUBBISH\n");
    let resolver = resolver(&[&server]);
    assert_eq!(ask(&resolver, "rubbish.test", Kind::A), Err(Failure::TryAgain));
    let mut many = String::from("huge.test 4294967295 A 192.0.2.1\nlong.test 2000000000 A 192.0.2.1\n");
    (0..1000).for_each(|at| many.push_str(&format!("many.test MX {} mx{at}.test\n", 1000 - at)));
    server.set(&many);
    // More than fits a datagram: it comes by TCP. The best are kept.
    let answer = ask(&resolver, "many.test", Kind::Mx).expect("it is there");
    assert_eq!(answer.records.len(), RECORDS_MAX);
    let best = Record::Exchanger {
        preference: 1,
        host: "mx999.test".to_owned(),
    };
    assert_eq!(answer.records.first(), Some(&best));
    for name in ["huge.test", "long.test"] {
        assert!(ask(&resolver, name, Kind::A).is_ok());
        let kept = resolver
            .cache()
            .find(name, Kind::A, Instant::now() + crate::cache::TTL_MAX);
        assert_eq!(kept, None, "{name}");
    }
}

#[test]
fn cut_answers_are_asked_for_by_tcp() {
    let server = DnsServer::start(
        "cut.test A 192.0.2.1\ncut.test TRUNCATED\nnotcp.test A 192.0.2.1\nnotcp.test NOTCP\n",
    );
    let resolver = resolver(&[&server]);
    assert_eq!(said(ask(&resolver, "cut.test", Kind::A)), "192.0.2.1");
    assert_eq!(server.questions(), ["A cut.test", "A cut.test"]);
    assert_eq!(ask(&resolver, "notcp.test", Kind::A), Err(Failure::TryAgain));
}

#[test]
fn servers_that_fail_are_followed_by_others() {
    let trouble = "a.test SILENT\nb.test SERVFAIL\nc.test REFUSED\nd.test NOEDNS\nd.test A 192.0.2.4\n";
    let bad = DnsServer::start(trouble);
    let alone = resolver(&[&bad]);
    assert_eq!(ask(&alone, "a.test", Kind::A), Err(Failure::TryAgain));
    assert_eq!(ask(&alone, "b.test", Kind::A), Err(Failure::TryAgain));
    assert_eq!(ask(&alone, "c.test", Kind::A), Err(Failure::TryAgain));
    assert_eq!(said(ask(&alone, "d.test", Kind::A)), "192.0.2.4");
    let good = DnsServer::start("a.test A 192.0.2.1\nb.test A 192.0.2.2\nc.test A 192.0.2.3\n");
    let both = resolver(&[&bad, &good]);
    for (name, address) in [
        ("a.test", "192.0.2.1"),
        ("b.test", "192.0.2.2"),
        ("c.test", "192.0.2.3"),
    ] {
        assert_eq!(said(ask(&both, name, Kind::A)), address);
    }
    // The one that answers is asked first from then on.
    assert_eq!(
        bad.questions()
            .iter()
            .filter(|asked| asked.ends_with("c.test"))
            .count(),
        1
    );
    drop(good);
    assert_eq!(ask(&alone, "nobody.test", Kind::A), Err(Failure::NotFound));
}

#[test]
fn answers_are_remembered_for_their_time() {
    let server = DnsServer::start("a.test 60 A 192.0.2.1\nb.test A 192.0.2.2\n");
    let resolver = resolver(&[&server]);
    for _ in 0..3 {
        assert_eq!(said(ask(&resolver, "A.test", Kind::A)), "192.0.2.1");
        assert_eq!(said(ask(&resolver, "b.test", Kind::A)), "192.0.2.2");
    }
    let questions = server.questions();
    assert_eq!(questions.iter().filter(|asked| *asked == "A a.test").count(), 1);
    assert_eq!(questions.iter().filter(|asked| *asked == "A b.test").count(), 3);
}

#[test]
fn what_the_server_has_verified_is_told() {
    let server = DnsServer::start("a.test A 192.0.2.1\na.test SECURE\nb.test A 192.0.2.1\n");
    let resolver = resolver(&[&server]);
    let is_authenticated = |name| ask(&resolver, name, Kind::A).map(|answer| answer.authenticated);
    assert_eq!(is_authenticated("a.test"), Ok(true));
    assert_eq!(is_authenticated("b.test"), Ok(false));
}

#[test]
fn other_names_are_tried_only_when_that_is_asked_for() {
    let server = DnsServer::start("mx.own.test A 192.0.2.1\nmx.sub.other.test A 192.0.2.2\n");
    let resolver = resolver(&[&server]);
    let search = |name: &str, search| {
        let question = Question {
            search,
            ..Question::new(name, Kind::A)
        };
        said(run(resolver.look_up(&question)))
    };
    assert_eq!(search("mx", Search::Never), "Host not found");
    assert_eq!(search("mx", Search::OwnDomain), "192.0.2.1");
    assert_eq!(search("mx", Search::List), "Host not found");
    assert_eq!(search("mx.sub", Search::List), "192.0.2.2");
    assert_eq!(search("mx.sub", Search::OwnDomain), "Host not found");
    assert_eq!(search("mx.", Search::Both), "Host not found");
    assert_eq!(search("mx", Search::Both), "192.0.2.1");
}

#[test]
fn clients_have_the_names_that_both_sides_confirm() {
    let server = DnsServer::start(
        "1.2.0.192.in-addr.arpa PTR good.test\ngood.test A 192.0.2.1\n\
         2.2.0.192.in-addr.arpa PTR liar.test\nliar.test A 192.0.2.99\n\
         3.2.0.192.in-addr.arpa SERVFAIL\n4.2.0.192.in-addr.arpa PTR ill.test\nill.test SERVFAIL\n\
         5.2.0.192.in-addr.arpa PTR 192.0.2.5\n",
    );
    let resolver = resolver(&[&server]);
    let name = |address: &str| {
        let address = address.parse().expect("an address");
        let found = run(crate::client_name(&resolver, address));
        let temporary = if found.is_temporary() { " (now)" } else { "" };
        format!("{} {}{temporary}", found.name, found.reverse_name)
    };
    assert_eq!(name("192.0.2.1"), "good.test good.test");
    assert_eq!(name("::ffff:192.0.2.1"), "good.test good.test");
    assert_eq!(name("192.0.2.2"), "unknown liar.test");
    assert_eq!(name("192.0.2.3"), "unknown unknown (now)");
    assert_eq!(name("192.0.2.4"), "unknown ill.test (now)");
    assert_eq!(name("192.0.2.5"), "unknown unknown");
    assert_eq!(name("192.0.2.6"), "unknown unknown");
}
