//! Mail to Debian's smtp-sink, which refuses and hangs up at any step of the dialogue, and to Debian's Dovecot by LMTP: what
//! Postfix and we make of it.

use std::collections::BTreeMap;
use std::process::{Child, Command, Stdio};

use system_tests::incumbent::mailboxes::{Mailboxes, Program};
use system_tests::incumbent::{Postfix, free_port, wait_until_open};
use system_tests::lines::LineClient;
use system_tests::{Sandbox, has_program, wait_for_value};

const SINK: &str = "/usr/sbin/smtp-sink";

/// A peer of that nature, for mail to a domain of its own.
pub(crate) struct Sink {
    arguments: Vec<String>,
    domain: String,
    pub(crate) port: u16,
    child: Child,
}

impl Sink {
    pub(crate) fn start(number: usize, arguments: &[&str]) -> Sink {
        let port = free_port();
        let mut command = Command::new(SINK);
        if rustix::process::geteuid().is_root() {
            // It wants to become somebody else.
            command.args(["-u", "postfix"]);
        }
        command.args(["-h", "sink.test"]).args(arguments);
        command.args([&format!("127.0.0.1:{port}"), "100"]);
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let child = child.expect("it is installed");
        // The next one shall not find the same port free.
        wait_until_open((std::net::Ipv4Addr::LOCALHOST, port).into());
        Sink {
            arguments: arguments.iter().map(|word| (*word).to_owned()).collect(),
            domain: format!("s{number}.test"),
            port,
            child,
        }
    }

    fn is_lmtp(&self) -> bool {
        self.arguments.iter().any(|word| word == "-L")
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        self.child.kill().expect("it is our own child");
        self.child.wait().expect("it is our own child");
    }
}

/// Every way of refusing at every step, with and without pipelining, and by LMTP; and some peers of old.
fn natures() -> Vec<Vec<&'static str>> {
    let mut natures = vec![
        vec![],
        vec!["-e"],
        vec!["-8"],
        vec!["-E"],
        vec!["-p", "-8"],
        vec!["-P"],
        vec!["-L"],
        vec!["-w", "1"],
    ];
    for how in ["-f", "-r", "-q", "-Q"] {
        natures.push(vec!["-e", how, "HELO"]);
        natures.push(vec![how, "EHLO,HELO"]);
        for step in ["CONNECT", "EHLO", "MAIL", "RCPT", "DATA", "."] {
            natures.push(vec![how, step]);
            natures.push(vec!["-p", how, step]);
            natures.push(vec!["-L", how, if step == "EHLO" { "LHLO" } else { step }]);
        }
    }
    natures
}

/// One message to two recipients at each sink.
fn fill(port: u16, sinks: &[Sink]) {
    let mut client = LineClient::connect(port);
    client.line();
    client.smtp("EHLO client.test");
    for sink in sinks {
        client.smtp("MAIL FROM:<sender@hold.test>");
        for name in ["one", "two"] {
            let said = client.smtp(&format!("RCPT TO:<{name}@{}> NOTIFY=NEVER", sink.domain));
            assert!(said.starts_with("250"), "{said}");
        }
        client.smtp("DATA");
        client.say("Subject: test\r\n\r\nbody\r\n.leading dot");
        let said = client.smtp(".");
        assert!(said.starts_with("250"), "{said}");
    }
    client.smtp("QUIT");
}

/// What the log says of each recipient: relay, DSN and status.
pub(crate) fn outcomes(log: &str) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for line in log.lines() {
        let Some((_, rest)) = line.split_once(": to=<") else {
            continue;
        };
        let (to, rest) = rest.split_once('>').expect("a closing bracket");
        let relay = rest.split("relay=").nth(1).expect("a relay");
        let relay = relay.split(',').next().unwrap_or_default();
        let dsn = &rest[rest.find("dsn=").expect("a code")..];
        let first = found.entry(to.to_owned());
        first.or_insert_with(|| format!("relay={relay}, {dsn}"));
    }
    found
}

/// Waits until all have an outcome.
fn all_outcomes(log: &dyn Fn() -> String, sinks: &[Sink]) -> BTreeMap<String, String> {
    let found = wait_for_value("an outcome of every recipient", || {
        let found = outcomes(&log());
        (found.len() >= 2 * sinks.len()).then_some(found)
    });
    let port_of = |to: &str| {
        let (_, domain) = to.split_once('@').expect("an address");
        let sink = sinks.iter().find(|sink| sink.domain == domain);
        format!(":{}", sink.expect("one of ours").port)
    };
    let plain = |(to, said): (String, String)| {
        let said = said.replace(&port_of(&to), ":port");
        (to, said)
    };
    found.into_iter().map(plain).collect()
}

/// Starts Postfix and ours with these rows of the transport table.
pub(crate) fn both((port, ours): (u16, &mut Sandbox), rows: &str) -> Option<Postfix> {
    let settings = [
        ("myhostname", "mail.test".to_owned()),
        ("mydestination", String::new()),
        ("mynetworks", "127.0.0.0/8".to_owned()),
        ("transport_maps", format!("inline:{{ {rows} }}")),
        ("smtp_pix_workarounds", "disable_esmtp".to_owned()),
        ("smtp_connection_cache_on_demand", "no".to_owned()),
        ("smtp_host_lookup", "native".to_owned()),
    ];
    let each = settings.iter();
    let main_cf: String = each.map(|(name, value)| format!("{name} = {value}\n")).collect();
    let postfix = Postfix::start(&main_cf, &[(port, Vec::new())])?;
    ours.launch();
    settings
        .iter()
        .for_each(|(name, value)| ours.edit_main_cf(name, value));
    ours.reload();
    Some(postfix)
}

#[test]
fn refusals_at_every_step_mean_what_they_mean_to_postfix() {
    if !has_program(SINK, "postfix") {
        return;
    }
    let (incumbent_port, mut ours) = (free_port(), Sandbox::prepare());
    let natures = natures();
    let sinks: Vec<Sink> = natures
        .iter()
        .enumerate()
        .map(|(number, arguments)| Sink::start(number, arguments))
        .collect();
    let row = |sink: &Sink| {
        let transport = if sink.is_lmtp() {
            "lmtp:inet:127.0.0.1"
        } else {
            "smtp:[127.0.0.1]"
        };
        format!("{{ {} = {transport}:{} }}", sink.domain, sink.port)
    };
    let rows: Vec<String> = sinks.iter().map(row).collect();
    let Some(postfix) = both((incumbent_port, &mut ours), &rows.join(" ")) else {
        return;
    };
    fill(incumbent_port, &sinks);
    fill(ours.ports().smtp, &sinks);
    let theirs = all_outcomes(&|| postfix.log(), &sinks);
    let own = all_outcomes(&|| ours.log(), &sinks);
    let mut differences = Vec::new();
    for (number, sink) in sinks.iter().enumerate() {
        for name in ["one", "two"] {
            let to = format!("{name}@s{number}.test");
            let (incumbent, own) = (&theirs[&to], &own[&to]);
            if incumbent != own {
                let nature = sink.arguments.join(" ");
                differences.push(format!(
                    "{nature} ({name})\n  Postfix: {incumbent}\n  ours:    {own}"
                ));
            }
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

#[test]
fn mail_goes_into_mailboxes_of_dovecot_by_port_and_by_socket() {
    let conf = "service lmtp {\n  unix_listener lmtp {\n    mode = 0666\n  }\n}\n";
    let Some(dovecot) = Mailboxes::start(Program::Dovecot, conf, "") else {
        return;
    };
    let (incumbent_port, mut ours) = (free_port(), Sandbox::prepare());
    let (by_port, by_socket) = (
        format!("lmtp:inet:127.0.0.1:{}", dovecot.lmtp),
        format!("lmtp:unix:{}", dovecot.socket().display()),
    );
    let rows = format!(
        "{{ alice@example.test = {by_port} }} {{ bob@example.test = {by_socket} }} {{ nobody@example.test = {by_socket} }}"
    );
    let Some(postfix) = both((incumbent_port, &mut ours), &rows) else {
        return;
    };
    for port in [incumbent_port, ours.ports().smtp] {
        let mut client = LineClient::connect(port);
        client.line();
        client.smtp("EHLO client.test");
        client.smtp("MAIL FROM:<sender@hold.test>");
        for name in ["alice", "bob", "nobody"] {
            let said = client.smtp(&format!("RCPT TO:<{name}@example.test> NOTIFY=NEVER"));
            assert!(said.starts_with("250"), "{said}");
        }
        client.smtp("DATA");
        client.say("Subject: test\r\n\r\n.body");
        assert!(client.smtp(".").starts_with("250"));
    }
    let said = |log: &dyn Fn() -> String| {
        let found = wait_for_value("an outcome of every recipient", || {
            Some(outcomes(&log())).filter(|found| found.len() == 3)
        });
        // Dovecot names its session.
        let plain = |said: &String| match said.split_once("example.test> ") {
            Some((before, after)) if after.ends_with(" Saved)") => format!("{before}Saved"),
            _ => said.clone(),
        };
        found.values().map(plain).collect::<Vec<String>>()
    };
    let own = said(&|| ours.log());
    assert_eq!(own, said(&|| postfix.log()));
    assert!(
        own[0].contains("status=sent") && own[2].contains("status=bounced"),
        "{own:?}"
    );
    let landed = dovecot.landed();
    assert_eq!(landed["alice"].len() + landed["bob"].len(), 4, "{landed:?}");
}
