//! Mail for other domains under both mail systems with the same DNS: which host is tried, and what is said of it.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;

use system_tests::users::{self, Host, Kind, Mail, Scenario, Service, Way};
use testkit::DnsServer;

/// Only 127.0.0.3 has a server; 127.0.0.1 is the host itself.
const ZONE: &str = "\
good.test MX 20 sink.test
good.test MX 10 dead.test
sink.test A 127.0.0.3
dead.test A 127.0.0.2
null.test MX 0 .
nullplus.test MX 0 .
nullplus.test MX 10 sink.test
mxnone.test MX 10 nohost.test
mxnone2.test MX 10 nohost.test
mxnone2.test MX 20 alsono.test
mxnodata.test MX 10 txtonly.test
txtonly.test TXT hi
mxservfail.test SERVFAIL MX
mxsilent.test SILENT
mxrefused.test REFUSED MX
mxrefused.test A 127.0.0.3
mxcut.test TRUNCATED
mxcut.test MX 10 sink.test
hostservfail.test MX 10 sf.test
sf.test SERVFAIL
mixedsf.test MX 10 sf.test
mixedsf.test MX 20 nohost.test
mixed.test MX 10 nohost.test
mixed.test MX 20 sink.test
me.test A 127.0.0.1
self.test MX 10 me.test
selflow.test MX 10 dead.test
selflow.test MX 20 me.test
selflow.test MX 30 sink.test
aself.test A 127.0.0.1
alias.test CNAME sink.test
aliasmx.test CNAME mixed.test
mxalias.test MX 10 alias.test
circle.test CNAME elcric.test
elcric.test CNAME circle.test
numeric.test MX 10 127.0.0.3
onlysix.test AAAA 2001:db8::1
many.test MX 1 d1.test
many.test MX 2 d2.test
many.test MX 3 d3.test
many.test MX 4 sink.test
d1.test A 127.0.0.11
d2.test A 127.0.0.12
d3.test A 127.0.0.13
xn--r8jz45g.test A 127.0.0.3
";

/// Settings, and the domains that mail goes to with them.
const CASES: &[(&str, &str)] = &[
    (
        "",
        "good.test sink.test null.test nullplus.test mxnone.test mxnone2.test mxnodata.test txtonly.test mxservfail.test \
         mxsilent.test mxrefused.test mxcut.test hostservfail.test mixedsf.test mixed.test self.test selflow.test aself.test \
         alias.test aliasmx.test mxalias.test circle.test numeric.test onlysix.test many.test nowhere.test [127.0.0.3] \
         [127.0.0.2]",
    ),
    ("smtp_mx_address_limit = 3", "many.test"),
    (
        "inet_protocols = all",
        "nowhere.test txtonly.test mxnone.test onlysix.test",
    ),
    ("relayhost = good.test", "a.test"),
    ("relayhost = nowhere.test", "a.test"),
    ("relayhost = self.test", "a.test"),
    ("relayhost = [127.0.0.1]", "a.test"),
    ("relayhost = [nohost.test]:smtp", "a.test"),
    ("relayhost = nowhere.test, [dead.test]:26 mixed.test", "a.test"),
    (
        "smtp_fallback_relay = [sink.test]",
        "nowhere.test dead.test self.test selflow.test null.test mxservfail.test",
    ),
    ("smtp_fallback_relay = [nohost.test]", "nowhere.test dead.test"),
    ("best_mx_transport = discard", "self.test selflow.test"),
    (
        "ignore_mx_lookup_error = yes\nsmtp_defer_if_no_mx_address_found = yes",
        "mxservfail.test mxrefused.test mxnone.test",
    ),
    (
        "smtp_dns_support_level = disabled",
        "good.test sink.test nowhere.test",
    ),
];

/// Warnings that only one of both writes, about zones; the outcomes are the same.
const NOT_COMPARED: [&str; 2] = [
    "dns_lookup: Name server loop",
    "numeric domain name in resource data",
];

#[test]
fn mail_goes_where_postfix_sends_it() {
    if !system_tests::has_program("/usr/sbin/postfix", "postfix") || !users::can_make_hosts() {
        return;
    }
    let yubin = std::thread::spawn(|| users::run_in_host("exchangers::inside_the_host", "Yubin"));
    let postfix = users::run_in_host("exchangers::inside_the_host", "Postfix");
    let yubin = yubin.join().unwrap();
    let mut different = String::new();
    for (number, (settings, _)) in CASES.iter().enumerate() {
        let name = number.to_string();
        let lines = |told: &users::Told| told[&name].lines().map(str::to_owned).collect::<BTreeSet<_>>();
        let (first, second) = (lines(&postfix), lines(&yubin));
        assert!(!first.is_empty(), "nothing was told of {settings:?}");
        for line in first.difference(&second) {
            different.push_str(&format!("{settings:?}: - Postfix: {line}\n"));
        }
        for line in second.difference(&first) {
            different.push_str(&format!("{settings:?}: + Yubin: {line}\n"));
        }
    }
    assert!(different.is_empty(), "\n{different}");
}

/// The second test: sends the mails of all cases under one of the two.
#[test]
#[ignore = "run by mail_goes_where_postfix_sends_it in a host of its own"]
fn inside_the_host() {
    let Some(task) = users::task() else { return };
    let kind = match task.as_str() {
        "Yubin" => Kind::Yubin,
        _ => Kind::Postfix,
    };
    let host = Host::make();
    std::fs::write(
        "/etc/resolv.conf",
        "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n",
    )
    .unwrap();
    let _dns = DnsServer::start_on("127.0.0.1:53".parse().unwrap(), ZONE);
    let sink = TcpListener::bind("127.0.0.3:25").unwrap();
    std::thread::spawn(move || take_mail(&sink));
    std::fs::write(
        "/etc/nsswitch.conf",
        "passwd: files\ngroup: files\nshadow: files\nhosts: files dns\n",
    )
    .unwrap();
    for (number, (settings, domains)) in CASES.iter().enumerate() {
        users::print_block(&number.to_string(), &run(kind, &host, settings, domains));
    }
}

fn run(kind: Kind, host: &Host, settings: &str, domains: &str) -> String {
    // In one order, and a connection for each message: what is kept depends on the moment.
    let mut lines = vec![
        "smtp_randomize_addresses = no".to_owned(),
        "smtp_connection_cache_on_demand = no".to_owned(),
    ];
    lines.extend(settings.lines().map(str::to_owned));
    let scenario = Scenario {
        rows: Vec::new(),
        name: "exchangers".to_owned(),
        why: String::new(),
        settings: lines,
        aliases: Vec::new(),
        pieces: Vec::new(),
        mails: Vec::new(),
    };
    host.furnish(&scenario);
    let mut service = Service::start(kind, host, &scenario);
    for domain in domains.split_whitespace() {
        let mail = Mail {
            way: Way::Smtp,
            from: String::new(),
            to: vec![format!("u@{domain}")],
            lines: 1,
            header: None,
            content: None,
            is_after_release: false,
        };
        let refused = service.submit(&mail, domain);
        assert!(refused.is_empty(), "{refused:?}");
    }
    let restless = service.wait_for_rest();
    let log = service.log();
    service.stop();
    let mut told: BTreeSet<String> = log.lines().filter_map(shown).collect();
    told.extend(restless.map(|listed| format!("not at rest: {listed}")));
    told.into_iter().map(|line| format!("{line}\n")).collect()
}

/// What a line of the log says about sending mail, without what differs from run to run.
fn shown(line: &str) -> Option<String> {
    let (tag, text) = line.split_once("postfix/")?.1.split_once(": ")?;
    let agent = tag.split('[').next()?;
    if !matches!(agent, "smtp" | "error" | "discard" | "local")
        || NOT_COMPARED.iter().any(|part| text.contains(part))
    {
        return None;
    }
    match text.find("to=<") {
        Some(at) => {
            let (before, after) = text[at..].split_once(", delay=")?;
            let (_, outcome) = after.split_once(", dsn=")?;
            Some(format!("{agent}: {before}, dsn={outcome}"))
        }
        None => {
            let at = text.find("passing <").unwrap_or(0);
            Some(format!("{agent}: {}", &text[at..]))
        }
    }
}

/// Takes all mail, one connection at a time.
fn take_mail(listener: &TcpListener) {
    for stream in listener.incoming().map_while(Result::ok) {
        let mut stream = BufReader::new(stream);
        let mut reply = "220 sink.test ESMTP";
        let mut is_content = false;
        loop {
            if !is_content || !reply.is_empty() {
                let _ = stream.get_mut().write_all(format!("{reply}\r\n").as_bytes());
            }
            let mut line = String::new();
            if !matches!(stream.read_line(&mut line), Ok(count) if count > 0) {
                break;
            }
            reply = match line.trim_end() {
                "." if is_content => "250 2.0.0 taken",
                _ if is_content => "",
                "DATA" => "354 go",
                "QUIT" => "221 2.0.0 bye",
                _ => "250 2.0.0 ok",
            };
            is_content = reply == "354 go" || reply.is_empty();
        }
    }
}
