//! Mail to peers that say odd things, to peers with few abilities, and by a transport with a row of its own: what Postfix and
//! we tell them, and what we make of their answers.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use system_tests::incumbent::{Postfix, free_port};
use system_tests::lines::LineClient;
use system_tests::{Sandbox, has_program, wait_for_value};

use crate::sinks::{both, outcomes};

/// How much of an outcome is compared, in octets: of longer texts each log shows as much as it likes.
const COMPARED_OCTETS: usize = 300;

/// What a peer says to a command, the first time, the second time …, the last one for ever.
type Answers = Vec<(&'static str, Vec<String>)>;

/// A peer, for mail to a domain of its own.
struct Peer {
    number: usize,
    answers: Answers,
    port: u16,
    heard: Arc<Mutex<Vec<String>>>,
}

impl Peer {
    /// It listens for the rest of the test.
    fn start((number, answers): (usize, Answers)) -> Peer {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("there is a free port");
        let port = listener.local_addr().expect("it is bound").port();
        let heard = Arc::new(Mutex::new(Vec::new()));
        let (said, notes) = (answers.clone(), Arc::clone(&heard));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (answers, notes) = (said.clone(), Arc::clone(&notes));
                std::thread::spawn(move || serve(stream, answers, &notes));
            }
        });
        Peer {
            number,
            answers,
            port,
            heard,
        }
    }

    /// The parameters of MAIL that were heard since the last time, and whether the SIZE among them was right.
    fn take_parameters(&self) -> Vec<String> {
        let heard = std::mem::take(&mut *self.heard.lock().expect("no test has panicked"));
        let mut lines = heard.iter().peekable();
        let mut found = Vec::new();
        while let Some(line) = lines.next() {
            let Some(parameters) = line.strip_prefix("MAIL FROM:<sender@hold.test>") else {
                continue;
            };
            let size = |word: &str| word.strip_prefix("SIZE=").map(str::to_owned);
            let announced = parameters.split(' ').find_map(size);
            let octets = lines.peek().and_then(|line| line.strip_prefix("octets "));
            // A content for nobody is empty.
            let octets = octets.filter(|octets| *octets != "0");
            if let (Some(announced), Some(octets)) = (&announced, octets) {
                assert_eq!(announced, octets, "{line}");
            }
            let others = parameters.split(' ').filter(|word| size(word).is_none());
            found.push(others.collect::<Vec<_>>().join(" "));
        }
        found
    }
}

fn serve(stream: TcpStream, mut answers: Answers, notes: &Mutex<Vec<String>>) -> Option<()> {
    let note = |line: String| notes.lock().expect("no test has panicked").push(line);
    let mut writer = stream.try_clone().ok()?;
    let mut reader = BufReader::new(stream);
    let mut say = move |step: &str, usual: &str| -> Option<String> {
        let own = answers.iter_mut().find(|(own, _)| *own == step);
        let answer = match own {
            Some((_, answers)) if answers.len() > 1 => answers.remove(0),
            Some((_, answers)) => answers[0].clone(),
            None => format!("{usual}\r\n"),
        };
        writer.write_all(answer.as_bytes()).ok()?;
        Some(answer)
    };
    say("greeting", "220 peer.test ESMTP")?;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        let verb = line.split_whitespace().next()?.to_ascii_uppercase();
        let usual = match verb.as_str() {
            "EHLO" => "250-peer.test\r\n250-PIPELINING\r\n250-SIZE 10000000\r\n250 8BITMIME",
            "DATA" => "354 go",
            "QUIT" => "221 2.0.0 bye",
            _ => "250 2.0.0 ok",
        };
        note(line.trim_end().to_owned());
        let answer = say(&verb, usual)?;
        if verb == "QUIT" {
            return None;
        }
        if verb != "DATA" || !answer.starts_with('3') {
            continue;
        }
        let mut octets = 0;
        loop {
            let mut line = Vec::new();
            if reader.read_until(b'\n', &mut line).ok()? == 0 {
                return None;
            }
            if line == b".\r\n" {
                break;
            }
            octets += line.len() - usize::from(line.starts_with(b"."));
        }
        let at = notes
            .lock()
            .expect("no test has panicked")
            .iter()
            .rposition(|line| line.starts_with("MAIL"))?;
        notes
            .lock()
            .expect("no test has panicked")
            .insert(at + 1, format!("octets {octets}"));
        say(".", "250 2.0.0 taken")?;
    }
}

/// Answers to single commands that are odd, or long.
fn odd_answers() -> Vec<(&'static str, Vec<String>)> {
    let one = |step: &'static str, answer: &str| (step, vec![format!("{answer}\r\n")]);
    let mut all = vec![
        (
            "RCPT",
            vec!["250 ok\r\n".to_owned(), "552 5.2.2 full\r\n".to_owned()],
        ),
        ("RCPT", vec!["250 ok\r\n".to_owned(), "354 what\r\n".to_owned()]),
        one("RCPT", &format!("550 5.1.1 {}", "y".repeat(3000))),
        one("EHLO", &format!("{}250 OK", "250-X\r\n".repeat(5000))),
        one(".", &format!("250-{}\r\n250 ok", "a".repeat(100_000))),
        one(".", &format!("550-{}\r\n550 5.7.1 no", "a".repeat(100_000))),
        one("greeting", &format!("220 {} ESMTP", "a".repeat(5000))),
        one("greeting", "220-x\r\nabc\r\n220 y ESMTP"),
        one("greeting", "354 x"),
        one("greeting", "999 x"),
        one("EHLO", "354 x"),
        one("DATA", "250 2.0.0 ok"),
        one("DATA", "221 2.0.0 ok"),
    ];
    for step in ["MAIL", "RCPT"] {
        for answer in [
            "552 5.2.2 full",
            "552 full",
            "552 4.2.2 mixed",
            "452 4.5.3 many",
            "354 what",
            "199 what",
            "050 what",
            "600 what",
            "999 what",
            "abc\r\n250 ok",
            "2\r\n250 ok",
            "25\r\n2500 x\r\n250x\r\n\r\n250 ok",
            "250-x\r\n550 y",
            "550-x\r\n250 y",
            "550-5.1.1 y\r\n550 z",
            "550-y\r\n550 5.1.1 z",
            "550   5.1.1 spaces",
            "550 5.1.1",
            "550 5.1.1x x",
            "550",
            "450 5.1.1 mixed",
            "550 5.1.1 gr\u{fc}\u{df}e \u{7}",
            "550 4.1.1 x\r\n250 ok",
        ] {
            // The last one is a reply too many.
            if !(answer.ends_with("x\r\n250 ok") && step == "MAIL") {
                all.push(one(step, answer));
            }
        }
    }
    for answer in ["552 5.3.4 big", "999 what", "354 what", "199 what", "250 5.1.1 x"] {
        all.push(one(".", answer));
    }
    for answer in ["552 5.2.2 full", "999 what", "199 what"] {
        all.push(one("DATA", answer));
    }
    all
}

fn peers(natures: Vec<Answers>) -> Vec<Peer> {
    natures.into_iter().enumerate().map(Peer::start).collect()
}

fn rows(peers: &[Peer], transport: &str) -> String {
    let row = |peer: &Peer| {
        let Peer { number, port, .. } = peer;
        format!("{{ s{number}.test = {transport}:[127.0.0.1]:{port} }}")
    };
    peers.iter().map(row).collect::<Vec<_>>().join(" ")
}

/// What MAIL says, and the content.
type Letter<'a> = (&'a str, &'a str);

/// One message to two recipients at each peer.
fn fill(port: u16, peers: &[Peer], (parameters, content): Letter<'_>) {
    let mut client = LineClient::connect(port);
    client.line();
    client.smtp("EHLO client.test");
    for Peer { number, .. } in peers {
        let said = client.smtp(&format!("MAIL FROM:<sender@hold.test>{parameters}"));
        assert!(said.starts_with("250"), "{said}");
        for name in ["one", "two"] {
            let said = client.smtp(&format!("RCPT TO:<{name}@s{number}.test> NOTIFY=NEVER"));
            assert!(said.starts_with("250"), "{said}");
        }
        client.smtp("DATA");
        client.say(content);
        let said = client.smtp(".");
        assert!(said.starts_with("250"), "{said}");
    }
    client.smtp("QUIT");
}

/// Waits until all have an outcome; and what the peers were told with MAIL.
fn results(log: &dyn Fn() -> String, peers: &[Peer]) -> BTreeMap<String, String> {
    let found = wait_for_value("an outcome of every recipient", || {
        let found = outcomes(&log());
        (found.len() >= 2 * peers.len()).then_some(found)
    });
    let plain = |(to, mut said): (String, String)| {
        for peer in peers {
            said = said.replace(&format!(":{}", peer.port), ":port");
        }
        said.truncate(said.floor_char_boundary(COMPARED_OCTETS));
        (to, said)
    };
    let mut found: BTreeMap<String, String> = found.into_iter().map(plain).collect();
    for peer in peers {
        let told = peer.take_parameters();
        found.insert(format!("MAIL@s{}.test", peer.number), told.join(" | "));
    }
    found
}

fn differences(peers: &[Peer], theirs: &BTreeMap<String, String>, own: &BTreeMap<String, String>) -> String {
    let mut text = String::new();
    for (key, incumbent) in theirs {
        let ours = own.get(key).map_or("nothing", String::as_str);
        if incumbent != ours {
            let is_it = |peer: &&Peer| key.ends_with(&format!("@s{}.test", peer.number));
            let peer = peers.iter().find(is_it).expect("one of ours");
            let answers = format!("{:?}", peer.answers);
            let cut = answers.floor_char_boundary(COMPARED_OCTETS);
            text.push_str(&format!(
                "{} ({key})\n  Postfix: {incumbent}\n  ours:    {ours}\n",
                &answers[..cut]
            ));
        }
    }
    text
}

/// Sends that to all peers by both, one after the other.
fn compare((postfix, port): (&Postfix, u16), ours: &Sandbox, peers: &[Peer], letter: Letter<'_>) {
    let (before, own_before) = (postfix.log().len(), ours.log().len());
    fill(port, peers, letter);
    let theirs = results(&|| postfix.log().split_off(before), peers);
    fill(ours.ports().smtp, peers, letter);
    let own = results(&|| ours.log().split_off(own_before), peers);
    let text = differences(peers, &theirs, &own);
    assert!(text.is_empty(), "{letter:?}\n{text}");
}

const PLAIN: Letter<'_> = ("", "Subject: test\r\n\r\nbody\r\n.leading dot");

#[test]
fn odd_answers_mean_what_they_mean_to_postfix() {
    if !has_program("/usr/sbin/postfix", "postfix") {
        return;
    }
    let simple = ("EHLO", vec!["250-peer.test\r\n250 8BITMIME\r\n".to_owned()]);
    let mut natures = Vec::new();
    for (step, answers) in odd_answers() {
        natures.push(vec![(step, answers.clone())]);
        // A reply too many shifts all others: with pipelining it is a matter of time which one is heard when.
        if step != "EHLO" {
            natures.push(vec![simple.clone(), (step, answers)]);
        }
    }
    let peers = peers(natures);
    let (port, mut ours) = (free_port(), Sandbox::prepare());
    let Some(postfix) = both((port, &mut ours), &rows(&peers, "smtp")) else {
        return;
    };
    compare((&postfix, port), &ours, &peers, PLAIN);
}

#[test]
fn peers_are_told_of_a_message_what_postfix_tells_them() {
    if !has_program("/usr/sbin/postfix", "postfix") {
        return;
    }
    let offers = [
        "250-x\r\n250-SMTPUTF8\r\n250-SIZE\r\n250 8BITMIME\r\n",
        "250-x\r\n250-SIZE 10000000\r\n250 8BITMIME\r\n",
        "250-x\r\n250 SIZE 150\r\n",
        "250 x\r\n",
    ];
    let peers = peers(
        offers
            .map(|offers| vec![("EHLO", vec![offers.to_owned()])])
            .to_vec(),
    );
    let (port, mut ours) = (free_port(), Sandbox::prepare());
    let Some(postfix) = both((port, &mut ours), &rows(&peers, "smtp")) else {
        return;
    };
    let eight_bit = "Content-Transfer-Encoding: 8bit\r\n";
    let part = "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=q\r\n\r\n--q\r\n";
    let nested = "MIME-Version: 1.0\r\nContent-Type: message/rfc822\r\n\r\n";
    for (parameters, content) in [
        ("", "Subject: x\r\n\r\nh\u{fc}\r\n".to_owned()),
        ("", format!("{eight_bit}\r\nx")),
        ("", format!("{eight_bit}\r\nh\u{fc}")),
        (" BODY=7BIT", format!("{eight_bit}\r\nx")),
        (" BODY=8BITMIME", "Subject: x\r\n\r\nx".to_owned()),
        ("", "Content-Transfer-Encoding: Binary\r\n\r\nx".to_owned()),
        ("", "Content-Transfer-Encoding: 8bit (so)\r\n\r\nx".to_owned()),
        (
            "",
            format!("Content-Transfer-Encoding: base64\r\n{eight_bit}\r\nx"),
        ),
        ("", format!("{part}{eight_bit}\r\nx\r\n--q--")),
        ("", format!("{nested}Subject: y\r\n{eight_bit}\r\nx")),
        ("", "Subject: \u{fc}\r\n\r\nx".to_owned()),
        (" SMTPUTF8", "Subject: x\r\n\r\nx".to_owned()),
        (" SMTPUTF8", "Subject: \u{fc}\r\n\r\nx".to_owned()),
        (" SMTPUTF8", format!("Subject: x\r\n{eight_bit}\r\n\u{fc}")),
        (" SMTPUTF8", format!("{part}X: \u{fc}\r\n\r\nx\r\n--q--")),
        (" SMTPUTF8", format!("{nested}X: \u{fc}\r\n\r\nx")),
    ] {
        // The other log has lines of this one's size limit: sizes differ by what each adds to the header.
        compare((&postfix, port), &ours, &peers[..2], (parameters, &content));
        compare((&postfix, port), &ours, &peers[3..], (parameters, &content));
    }
}

/// Rows of master.cf with `soft_bounce` of their own, with and without a fallback relay.
fn soft_rows(fallback: &Peer) -> [(&'static str, String); 2] {
    let common = "unix - - n - - smtp -o soft_bounce=yes";
    [
        ("soft", format!("soft {common}")),
        (
            "sure",
            format!(
                "sure {common} -o smtp_fallback_relay=[127.0.0.1]:{}",
                fallback.port
            ),
        ),
    ]
}

#[test]
fn soft_bounce_of_a_row_softens_its_refusals_and_asks_the_fallback_relay() {
    if !has_program("/usr/sbin/postfix", "postfix") {
        return;
    }
    let one = |step: &'static str, answer: &str| vec![(step, vec![format!("{answer}\r\n")])];
    let mut natures = vec![Vec::new()];
    // Without and with a fallback relay, and by a row that is hard.
    for _ in 0..3 {
        let second = vec!["250 ok\r\n".to_owned(), "550 5.1.1 no\r\n".to_owned()];
        natures.extend([
            one("RCPT", "550 5.1.1 no"),
            vec![("RCPT", second)],
            one(".", "554 5.7.1 spam"),
            one("MAIL", "999 what"),
        ]);
    }
    let peers = peers(natures);
    let (port, mut ours) = (free_port(), Sandbox::prepare());
    let each = (peers.len() - 1) / 3;
    let rows = [
        rows(&peers[..1], "smtp"),
        rows(&peers[1..=each], "soft"),
        rows(&peers[each + 1..=2 * each], "sure"),
        rows(&peers[2 * each + 1..], "smtp"),
    ];
    let Some(postfix) = both((port, &mut ours), &rows.join(" ")) else {
        return;
    };
    for (name, row) in soft_rows(&peers[0]) {
        ours.append_to("master.cf", &format!("{row}\n"));
        let edited = postfix.command("postconf", &["-M", &format!("{name}/unix={row}")], "");
        edited.success();
    }
    ours.reload();
    // What reads main.cf anew reads master.cf, too.
    postfix.edit("soft_bounce=no");
    compare((&postfix, port), &ours, &peers, PLAIN);
    let soft = ours.log();
    let softened = soft.lines().filter(|line| line.contains("status=SOFTBOUNCE"));
    assert!(softened.count() >= each, "{soft}");
}
