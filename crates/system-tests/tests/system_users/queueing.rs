//! The queue manager's settings and commands under both mail systems: what is tried when, how much at once, what is told.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use system_tests::lines::LineClient;
use system_tests::rules::split_rule;
use system_tests::users::{self, Host, Kind, Mail, Scenario, Service, Way};
use system_tests::wait_for;
use testkit::DnsServer;

/// All hosts of other domains are the test's own server, but for those on 127.0.0.2, where nobody listens.
const ZONE: &str = "\
sink.test A 127.0.0.3
other.test A 127.0.0.3
third.test A 127.0.0.3
dead.test A 127.0.0.2
";
/// What only one of both writes: about templates that count in hours, and about parameters that would help.
const NOT_COMPARED: [&str; 8] = [
    "delay template",
    "bounce(5) manual",
    "zero result",
    "warning: lots of deferred mail",
    "warning: please avoid",
    "warning: so that Postfix",
    "qmgr_clog_warn_time",
    "warning: you may need",
];

/// Begins the line that tells why a case broke off.
const FAILED: &str = "failed: ";

/// Name, settings, rows of master.cf, what is done.
type Case = (&'static str, &'static str, &'static str, fn(&mut World));

const CASES: &[Case] = &[
    ("soft_bounce", "soft_bounce = yes", "", soft_bounce),
    (
        "one try",
        "maximal_queue_lifetime = 0\nbounce_queue_lifetime = 0",
        "",
        one_try,
    ),
    (
        "bounces live shorter",
        "bounce_queue_lifetime = 0\nmaximal_queue_lifetime = 1d",
        "",
        one_try,
    ),
    (
        "delay",
        "delay_warning_time = 1s\nconfirm_delay_cleared = yes\nnotify_classes = delay\nminimal_backoff_time = 1s\nmaximal_backoff_time = 1s\nqueue_run_delay = 1s",
        "",
        delay,
    ),
    (
        "delay, not confirmed",
        "delay_warning_time = 1s\nminimal_backoff_time = 1s\nmaximal_backoff_time = 1s\nqueue_run_delay = 1s",
        "",
        delay,
    ),
    (
        "deferred transport",
        "defer_transports = smtp",
        "",
        deferred_transport,
    ),
    (
        "flush",
        "fast_flush_domains = sink.test, .above.test, wide.test",
        "",
        flush,
    ),
    (
        "etrn restrictions",
        "fast_flush_domains = sink.test\nsmtpd_etrn_restrictions = permit_mynetworks, reject\nmynetworks = 127.0.0.1",
        "",
        etrn_restrictions,
    ),
    (
        "helo for etrn",
        "fast_flush_domains = sink.test\nsmtpd_helo_required = yes",
        "",
        etrn_order,
    ),
    (
        "local soft_bounce",
        "soft_bounce = yes\nlocal_recipient_maps =",
        "",
        local_soft_bounce,
    ),
    (
        "local users",
        "destination_concurrency_feedback_debug = yes\nrecipient_delimiter = +",
        "",
        local_users,
    ),
    (
        "local users go together",
        "destination_concurrency_feedback_debug = yes\nlocal_destination_recipient_limit = 20",
        "",
        local_users,
    ),
    (
        "transport rate delay",
        "smtp_transport_rate_delay = 1s",
        "",
        paced,
    ),
    (
        "parts of a step",
        "destination_concurrency_feedback_debug = yes\ndefault_destination_concurrency_positive_feedback = 1/concurrency\n\
         smtp_destination_concurrency_negative_feedback = 0.25\nsmtp_initial_destination_concurrency = 3",
        "",
        by_recipient,
    ),
    (
        "backoff",
        "minimal_backoff_time = 1s\nmaximal_backoff_time = 1s\nqueue_run_delay = 1s",
        "",
        backoff,
    ),
    (
        "process limit",
        "smtp_destination_concurrency_limit = 5",
        "smtp unix - - n - 2 smtp",
        two_at_once,
    ),
    (
        "concurrency limit",
        "smtp_destination_concurrency_limit = 2",
        "",
        two_at_once,
    ),
    ("rate delay", "default_destination_rate_delay = 1s", "", paced),
    (
        "one recipient at a time",
        "smtp_destination_recipient_limit = 1\ndestination_concurrency_feedback_debug = yes\n\
         smtp_destination_concurrency_limit = 2",
        "",
        by_recipient,
    ),
    (
        "recipients go together",
        "destination_concurrency_feedback_debug = yes\nsmtp_destination_recipient_limit = 2",
        "",
        by_recipient,
    ),
    (
        "no such transport",
        "default_transport = nothere",
        "",
        no_transport,
    ),
    (
        "clogged",
        "qmgr_message_active_limit = 20\nsmtp_destination_concurrency_limit = 2",
        "",
        clogged,
    ),
];

#[test]
fn mail_waits_and_is_told_of_as_in_postfix() {
    if !system_tests::has_program("/usr/sbin/postfix", "postfix") || !users::can_make_hosts() {
        return;
    }
    let yubin = std::thread::spawn(|| users::run_in_host("queueing::inside_the_host", "Yubin"));
    let postfix = users::run_in_host("queueing::inside_the_host", "Postfix");
    let yubin = yubin.join().unwrap();
    let mut different = String::new();
    for (name, ..) in CASES.iter().filter(|(name, ..)| is_wanted(name)) {
        let lines = |told: &users::Told| told[*name].lines().map(str::to_owned).collect::<Vec<_>>();
        let (first, second) = (lines(&postfix), lines(&yubin));
        assert!(first.len() > 1, "nothing was told of {name:?}");
        for (kind, lines) in [("Postfix", &first), ("Yubin", &second)] {
            let failed = lines.iter().skip_while(|line| !line.starts_with(FAILED));
            failed.for_each(|line| different.push_str(&format!("{name:?}: {kind}: {line}\n")));
        }
        let missing = first.iter().filter(|line| !second.contains(line));
        missing.for_each(|line| different.push_str(&format!("{name:?}: - Postfix: {line}\n")));
        let added = second.iter().filter(|line| !first.contains(line));
        added.for_each(|line| different.push_str(&format!("{name:?}: + Yubin: {line}\n")));
    }
    assert!(different.is_empty(), "\n{different}");
}

/// `YUBIN_TEST_CASE` leaves out all cases but those whose names have it.
fn is_wanted(name: &str) -> bool {
    std::env::var("YUBIN_TEST_CASE").is_ok_and(|part| name.contains(&part))
        || std::env::var_os("YUBIN_TEST_CASE").is_none()
}

/// The second test: all cases under one of the two.
#[test]
#[ignore = "run by mail_waits_and_is_told_of_as_in_postfix in a host of its own"]
fn inside_the_host() {
    let Some(task) = users::task() else { return };
    let kind = match task.as_str() {
        "Yubin" => Kind::Yubin,
        _ => Kind::Postfix,
    };
    let host = Host::make();
    let resolver = "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n";
    std::fs::write("/etc/resolv.conf", resolver).unwrap();
    let names = "passwd: files\ngroup: files\nshadow: files\nhosts: files dns\n";
    std::fs::write("/etc/nsswitch.conf", names).unwrap();
    let _dns = DnsServer::start_on("127.0.0.1:53".parse().unwrap(), ZONE);
    for (name, settings, rows, what) in CASES.iter().filter(|(name, ..)| is_wanted(name)) {
        let mut world = World::start(kind, &host, settings, rows);
        let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| what(&mut world)));
        let mut told = world.end();
        if let Err(why) = ended {
            let why = why.downcast_ref::<String>().cloned().unwrap_or_default();
            told.push_str(&format!("{FAILED}{}\n", why.replace('\n', "\n  | ")));
        }
        users::print_block(name, &told);
    }
}

/// A mail system, and the server that it sends to.
struct World {
    service: Service,
    sink: Sink,
    told: Vec<String>,
}

impl World {
    fn start(kind: Kind, host: &Host, settings: &str, rows: &str) -> World {
        let mut lines = vec!["smtp_connection_cache_on_demand = no".to_owned()];
        lines.extend(settings.lines().map(str::to_owned));
        let scenario = Scenario {
            rows: rows.lines().map(str::to_owned).collect(),
            name: "queueing".to_owned(),
            settings: lines,
            ..Scenario::default()
        };
        host.furnish(&scenario);
        let sink = Sink::start();
        World {
            service: Service::start(kind, host, &scenario),
            sink,
            told: Vec::new(),
        }
    }

    fn mail(&mut self, from: &str, to: &[&str]) {
        let mail = Mail {
            way: Way::Smtp,
            from: from.to_owned(),
            to: to.iter().map(|to| (*to).to_owned()).collect(),
            lines: 1,
            header: None,
            content: None,
            is_after_release: false,
        };
        let refused = self.service.submit(&mail, "test");
        self.told.extend(refused);
    }

    /// Waits until the log has this many lines with all of these words.
    #[track_caller]
    fn wait_for(&self, count: usize, words: &[&str]) {
        let has_all = |line: &&str| words.iter().all(|word| line.contains(word));
        wait_for(
            &format!("{count} times {words:?}:\n{}", self.service.log()),
            || self.service.log().lines().filter(has_all).count() >= count,
        );
    }

    /// What a command says, without queue ids; queue ids stand for `{sender}`.
    fn run(&mut self, name: &str, arguments: &str) {
        let ids = self.ids();
        let with_ids = ids.iter().fold(arguments.to_owned(), |text, (sender, id)| {
            text.replace(&format!("{{{sender}}}"), id)
        });
        let words: Vec<&str> = with_ids.split_whitespace().collect();
        let done = self.service.run(name, &words);
        let said = format!(
            "{name} {arguments}: {:?} {}{}",
            done.code,
            done.stdout,
            done.stderr.replace("/usr/sbin/", "")
        );
        self.told.extend(said.lines().map(str::to_owned));
    }

    /// The queue ids by their senders.
    fn ids(&self) -> Vec<(String, String)> {
        let listed = self.service.run("postqueue", &["-j"]).success().stdout;
        let value = |line: &str, name: &str| {
            let rest = line.split_once(&format!("\"{name}\": \"")).unwrap().1;
            rest.split_once('"').unwrap().0.to_owned()
        };
        let lines = listed.lines().filter(|line| !line.is_empty());
        lines
            .map(|line| (value(line, "sender"), value(line, "queue_id")))
            .collect()
    }

    /// The reasons that mailq shows.
    fn mailq(&mut self) {
        let listed = self.service.run("postqueue", &["-p"]).success().stdout;
        let reasons = listed.lines().filter(|line| line.trim_start().starts_with('('));
        let reasons: BTreeSet<_> = reasons.map(|line| format!("mailq: {line}")).collect();
        self.told.extend(reasons);
    }

    fn etrn(&mut self, commands: &[&str]) {
        let mut client = LineClient::connect(25);
        client.line();
        for command in commands {
            let said = client.smtp(command);
            self.told.push(format!("{command}: {said}"));
        }
    }

    /// Waits until nothing happens any more.
    #[track_caller]
    fn rest(&self) {
        assert_eq!(self.service.wait_for_rest(), None, "{}", self.service.log());
    }

    /// What was told, what the log has, and what is in mailboxes.
    fn end(mut self) -> String {
        self.told.extend(self.service.wait_for_rest());
        self.service.stop();
        let log = self.service.log();
        let mut ids: Vec<&str> = log.lines().filter_map(id_of).collect();
        ids.sort_unstable();
        ids.dedup();
        let without_ids = |text: String| ids.iter().fold(text, |text, id| text.replace(id, "ID"));
        let mut all: Vec<String> = self.told.drain(..).map(without_ids).collect();
        let lines: BTreeSet<String> = log.lines().filter_map(shown).map(without_ids).collect();
        all.extend(lines);
        all.extend(reports().into_iter().map(without_ids));
        all.push("end".to_owned());
        all.into_iter().map(|line| format!("{line}\n")).collect()
    }
}

/// The queue id that a line of the log is about.
fn id_of(line: &str) -> Option<&str> {
    let (_, text) = line.split_once("postfix/")?.1.split_once("]: ")?;
    let id = text.split_once(':')?.0;
    let is_id = id.len() >= 6
        && id
            .bytes()
            .all(|b| b.is_ascii_digit() || (b'A'..=b'F').contains(&b));
    is_id.then_some(id)
}

/// What a line of the log says, without what differs from run to run.
fn shown(line: &str) -> Option<String> {
    let (line, _) = split_rule(line);
    let (tag, text) = line.split_once("postfix/")?.1.split_once("]: ")?;
    let agent = tag.split('[').next()?;
    let is_meant = match agent {
        "smtp" | "error" | "discard" | "local" | "bounce" => true,
        "qmgr" => [", status=", "warning", ": limit "]
            .iter()
            .any(|word| text.contains(word)),
        "smtpd" => ["reject", "warning"].iter().any(|word| text.contains(word)),
        _ => false,
    };
    if !is_meant || NOT_COMPARED.iter().any(|part| text.contains(part)) {
        return None;
    }
    match text.split_once(", delay=") {
        Some((before, after)) => {
            let (_, outcome) = after.split_once(", dsn=")?;
            Some(format!("{agent}: {before}, dsn={outcome}"))
        }
        None => Some(format!("{agent}: {text}")),
    }
}

/// What of the mail in mailboxes is the same each time.
fn reports() -> Vec<String> {
    let mut lines = BTreeSet::new();
    let mailboxes = std::fs::read_dir("/var/mail").unwrap().flatten();
    for mailbox in mailboxes {
        let text = std::fs::read(mailbox.path()).unwrap_or_default();
        let text = String::from_utf8_lossy(&text).into_owned();
        let kept = [
            "Subject:",
            "To:",
            "Final-Recipient:",
            "Action:",
            "Status:",
            "Diagnostic-Code:",
        ];
        let kept = text
            .lines()
            .filter(|line| kept.iter().any(|name| line.starts_with(name)));
        let name = mailbox.file_name().to_string_lossy().into_owned();
        lines.extend(kept.map(|line| format!("{name}: {line}")));
        if text.contains("\nWill-Retry-Until: ") {
            lines.insert(format!("{name}: Will-Retry-Until:"));
        }
    }
    lines.into_iter().collect()
}

fn soft_bounce(world: &mut World) {
    world.mail("alice@sandbox.test", &["never@sink.test"]);
    world.mail("alice@sandbox.test", &["nosuch@sandbox.test"]);
    world.mail("alice@sandbox.test", &["a@nowhere.test"]);
    let mut client = LineClient::connect(25);
    client.line();
    for command in [
        "BOGUS",
        "MAIL FROM:<x",
        "HELO a b c",
        "VRFY nobody",
        "HELO c.test",
        "MAIL FROM:<x@x.test>",
        "RCPT TO:<x@elsewhere.example>",
        "RSET",
        "MAIL FROM:<x@x.test> SIZE=99999999",
    ] {
        let said = client.smtp(command);
        world.told.push(format!("{command}: {said}"));
    }
    world.wait_for(1, &["never@sink.test", "status="]);
    world.wait_for(1, &["a@nowhere.test", "status="]);
    world.mailq();
}

fn local_soft_bounce(world: &mut World) {
    world.mail("alice@sandbox.test", &["nosuch@sandbox.test", "bob@sandbox.test"]);
    world.wait_for(1, &["nosuch@sandbox.test", "status="]);
    world.wait_for(1, &["bob@sandbox.test", "status=sent"]);
    world.mailq();
}

fn local_users(world: &mut World) {
    for to in ["alice@sandbox.test", "alice+x@localhost", "Bob@sandbox.test"] {
        world.mail("carol@sandbox.test", &[to]);
        world.rest();
    }
    world.wait_for(3, &["status=sent"]);
}

fn one_try(world: &mut World) {
    world.mail("alice@sandbox.test", &["later@sink.test"]);
    world.mail("", &["later@sink.test"]);
    world.mail("alice@sandbox.test", &["u@dead.test"]);
    world.wait_for(2, &["later@sink.test", "status="]);
    world.wait_for(1, &["from=<>, status=expired"]);
    world.rest();
    world.mailq();
}

fn delay(world: &mut World) {
    world.mail("alice@sandbox.test", &["later@sink.test", "ok@sink.test"]);
    world.wait_for(1, &["bounce", "sender delay notification"]);
    world.wait_for(3, &["later@sink.test", "status=deferred"]);
    world.sink.open();
    world.wait_for(1, &["later@sink.test", "status=sent"]);
    world.rest();
}

fn deferred_transport(world: &mut World) {
    for (sender, recipient) in [
        ("one@x.test", "a@sink.test"),
        ("two@x.test", "b@other.test"),
        ("three@x.test", "c@third.test"),
    ] {
        world.mail(sender, &[recipient]);
    }
    world.wait_for(3, &["status=deferred"]);
    world.rest();
    world.mailq();
    world.run("postqueue", "-i {one@x.test}");
    world.wait_for(1, &["a@sink.test", "status=sent"]);
    world.run("sendmail", "-qI{two@x.test}");
    world.wait_for(1, &["b@other.test", "status=sent"]);
    world.run("postfix", "flush");
    world.wait_for(1, &["c@third.test", "status=sent"]);
}

fn flush(world: &mut World) {
    for (sender, recipients) in [
        ("one@x.test", &["later1@sink.test", "later2@other.test"][..]),
        ("two@x.test", &["later3@other.test"]),
        ("three@x.test", &["later4@third.test"]),
    ] {
        world.mail(sender, recipients);
    }
    world.wait_for(4, &["status=deferred"]);
    for arguments in [
        "-s other.test",
        "-s a/b",
        "-s @sink.test",
        "-s sub.above.test",
        "-s above.test",
        "-s sub.wide.test",
    ] {
        world.run("postqueue", arguments);
    }
    world.run("sendmail", "-qRother.test");
    world.run("sendmail", "-qSother.test");
    world.run("sendmail", "-qXother.test");
    world.run("sendmail", "-qIa/b");
    world.run("sendmail", "-qI");
    world.run("sendmail", "-qR");
    world.run("sendmail", "-q1y");
    world.etrn(&[
        "EHLO c.test",
        "ETRN",
        "ETRN a b",
        "ETRN other.test",
        "ETRN @other.test",
        "ETRN #other.test",
        "ETRN sub.wide.test",
        "ETRN [192.0.2.2]",
        "ETRN a_b..c",
        "ETRN a/b",
        "ETRN -x.test",
        "ETRN sub.above.test",
        "MAIL FROM:<x@x.test>",
        "ETRN sink.test",
        "RSET",
    ]);
    world.sink.open();
    world.etrn(&["ETRN sink.test"]);
    world.wait_for(1, &["later1@sink.test", "status=sent"]);
    world.run("sendmail", "-q");
    world.wait_for(1, &["later3@other.test", "status=sent"]);
    world.rest();
}

fn etrn_restrictions(world: &mut World) {
    world.etrn(&["EHLO c.test", "ETRN sink.test", "ETRN other.test"]);
    let mut client = LineClient::connect_from([127, 0, 0, 9], 25);
    client.line();
    for command in ["EHLO c.test", "ETRN sink.test"] {
        let said = client.smtp(command);
        world.told.push(format!("from outside: {command}: {said}"));
    }
    world.wait_for(1, &["reject: ETRN"]);
}

fn etrn_order(world: &mut World) {
    world.etrn(&[
        "ETRN sink.test",
        "ETRN",
        "HELO c.test",
        "ETRN sink.test",
        "ETRN nosuch.test",
    ]);
}

fn backoff(world: &mut World) {
    world.mail("alice@sandbox.test", &["later@sink.test"]);
    world.wait_for(4, &["later@sink.test", "status=deferred"]);
    world.sink.open();
    world.wait_for(1, &["later@sink.test", "status=sent"]);
    let apart = world.sink.shortest_pause();
    world.told.push(format!(
        "not sooner than after a second: {}",
        apart >= Duration::from_millis(900)
    ));
}

/// Holds letters until two are there, and sees that no third one comes.
fn two_at_once(world: &mut World) {
    world.sink.hold(2);
    for _ in 0..6 {
        world.mail("alice@sandbox.test", &["a@sink.test"]);
    }
    world.sink.wait_until_held(2);
    world.sink.release();
    world.wait_for(6, &["a@sink.test", "status=sent"]);
    let most = world.sink.most_at_once();
    world.told.push(format!("{most} at once"));
}

fn paced(world: &mut World) {
    for _ in 0..3 {
        world.mail("alice@sandbox.test", &["a@sink.test"]);
    }
    world.wait_for(3, &["a@sink.test", "status=sent"]);
    let apart = world.sink.shortest_pause();
    world.told.push(format!(
        "not sooner than after a second: {}",
        apart >= Duration::from_millis(900)
    ));
}

fn by_recipient(world: &mut World) {
    world.mail(
        "alice@sandbox.test",
        &[
            "a@sink.test",
            "a+x@sink.test",
            "A@other.test",
            "b@sink.test",
            "c@sink.test",
            "d@dead.test",
        ],
    );
    world.wait_for(5, &["status=sent"]);
    world.wait_for(1, &["status=deferred"]);
    world.rest();
    let letters = world.sink.letters();
    world.told.push(format!("{letters} letters"));
}

fn no_transport(world: &mut World) {
    world.mail("alice@sandbox.test", &["a@sink.test"]);
    world.wait_for(1, &["a@sink.test", "status="]);
    world.mailq();
}

fn clogged(world: &mut World) {
    world.sink.hold(2);
    for _ in 0..8 {
        world.mail("alice@sandbox.test", &["a@sink.test"]);
    }
    world.wait_for(1, &["mail for sink.test is using up"]);
    world.sink.release();
    world.wait_for(8, &["a@sink.test", "status=sent"]);
}

/// What the server has seen and what it does.
#[derive(Debug, Default)]
struct Conduct {
    /// Recipients called `later…` are taken too.
    is_open: bool,
    /// Letters are kept waiting for the last answer.
    is_holding: bool,
    at_once: usize,
    most_at_once: usize,
    letters: usize,
    /// When somebody came.
    came: Vec<Instant>,
}

/// A server on 127.0.0.3 that takes all mail but that for `later…` and `never…`.
struct Sink {
    shared: Arc<(Mutex<Conduct>, Condvar)>,
}

/// The listener of the sink; it lasts as long as the host.
static LISTENER: std::sync::OnceLock<Sink> = std::sync::OnceLock::new();

impl Sink {
    fn start() -> Sink {
        let sink = LISTENER.get_or_init(|| {
            let shared: Arc<(Mutex<Conduct>, Condvar)> = Arc::default();
            let listener = TcpListener::bind("127.0.0.3:25").unwrap();
            let own = Arc::clone(&shared);
            std::thread::spawn(move || {
                for stream in listener.incoming().map_while(Result::ok) {
                    let shared = Arc::clone(&own);
                    std::thread::spawn(move || take_mail(stream, &shared));
                }
            });
            Sink { shared }
        });
        *sink.conduct() = Conduct::default();
        Sink {
            shared: Arc::clone(&sink.shared),
        }
    }

    fn conduct(&self) -> MutexGuard<'_, Conduct> {
        self.shared.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn open(&self) {
        self.conduct().is_open = true;
    }

    fn hold(&self, _count: usize) {
        self.conduct().is_holding = true;
    }

    #[track_caller]
    fn wait_until_held(&self, count: usize) {
        wait_for("letters to be held", || self.conduct().at_once >= count);
    }

    fn release(&self) {
        self.conduct().is_holding = false;
        self.shared.1.notify_all();
    }

    fn most_at_once(&self) -> usize {
        self.conduct().most_at_once
    }

    fn letters(&self) -> usize {
        self.conduct().letters
    }

    fn shortest_pause(&self) -> Duration {
        let conduct = self.conduct();
        let pauses = conduct.came.windows(2).map(|pair| pair[1] - pair[0]);
        pauses.min().unwrap_or_default()
    }
}

fn take_mail(stream: TcpStream, (conduct, released): &(Mutex<Conduct>, Condvar)) {
    let lock = || conduct.lock().unwrap_or_else(PoisonError::into_inner);
    lock().came.push(Instant::now());
    let mut stream = BufReader::new(stream);
    let mut reply = "220 sink.test ESMTP";
    let mut is_content = false;
    loop {
        if !is_content || !reply.is_empty() {
            let _ = stream.get_mut().write_all(format!("{reply}\r\n").as_bytes());
        }
        let mut line = String::new();
        if !matches!(stream.read_line(&mut line), Ok(count) if count > 0) {
            return;
        }
        let line = line.trim_end();
        reply = match line {
            "." if is_content => {
                let mut conduct = lock();
                conduct.letters += 1;
                conduct.at_once += 1;
                conduct.most_at_once = conduct.most_at_once.max(conduct.at_once);
                while conduct.is_holding {
                    conduct = released.wait(conduct).unwrap_or_else(PoisonError::into_inner);
                }
                conduct.at_once -= 1;
                "250 2.0.0 taken"
            }
            _ if is_content => "",
            "DATA" => "354 go",
            "QUIT" => "221 2.0.0 bye",
            _ if line.starts_with("RCPT TO:<never") => "550 5.1.1 nobody of that name",
            _ if line.starts_with("RCPT TO:<later") && !lock().is_open => "450 4.2.0 not today",
            _ => "250 2.0.0 ok",
        };
        is_content = reply == "354 go" || reply.is_empty();
    }
}
