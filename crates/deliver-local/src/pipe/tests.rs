//! What a row of pipe(8) runs, what the command reads, and what its end says.

use super::*;
use crate::task::{Client, End, Exit};
use settings::Surroundings;
use std::io::Read;
use std::sync::Mutex;

fn row(args: &[&str]) -> Service {
    Service {
        name: "gate".to_owned(),
        service_type: ServiceType::Unix,
        private: true,
        unprivileged: false,
        chroot: false,
        wakeup: Duration::ZERO,
        wakeup_if_used: false,
        process_limit: None,
        command: PROGRAM.to_owned(),
        args: args.iter().map(|word| (*word).to_owned()).collect(),
        overrides: Vec::new(),
        settings: Postfix {
            recipient_delimiter: "+".to_owned(),
            ..Postfix::defaults(&Surroundings::default())
        },
        line: 1,
    }
}

fn pipe(args: &[&str]) -> Pipe {
    Pipe::of(&row(args)).expect("a row that makes sense")
}

struct Text(&'static str);

impl Content for Text {
    fn size_bytes(&self) -> u64 {
        self.0.len() as u64
    }

    fn reader(&self) -> Box<dyn Read + '_> {
        Box::new(self.0.as_bytes())
    }
}

/// Remembers what it was asked to run and what came to be read, and answers with an exit.
struct Recorder(Exit, Mutex<Option<(Command, String)>>);

impl Recorder {
    fn new(status: i32, output: &str) -> Recorder {
        let exit = Exit {
            end: End::Status(status),
            output: output.as_bytes().to_vec(),
        };
        Recorder(exit, Mutex::new(None))
    }
}

impl Runner for Recorder {
    fn run(&self, command: &Command, input: &mut dyn Read) -> Result<Exit, String> {
        let mut read = String::new();
        input.read_to_string(&mut read).expect("it can be read");
        *self.1.lock().expect("nobody panics with it") = Some((command.clone(), read));
        Ok(self.0.clone())
    }
}

fn address(text: &str) -> Address {
    Address::parse(text).expect("an address")
}

fn mail(recipients: &[&str]) -> Mail {
    let both = |text: &&str| (address(text), address(text));
    Mail {
        transport: "gate".to_owned(),
        next_hop: "Hop.example".to_owned(),
        queue_id: "4XYZ".to_owned(),
        client_port: "4711".to_owned(),
        recipients: recipients.iter().map(both).collect(),
    }
}

fn facts(sender: Option<&str>) -> Facts {
    Facts {
        sender: sender.map(address),
        client: Client {
            helo: "client.example".to_owned(),
            ..Client::default()
        },
        ..Facts::default()
    }
}

/// What the command of a row is and reads.
fn ran(
    args: &[&str],
    recipients: &[&str],
    sender: Option<&str>,
    text: &'static str,
) -> (Vec<String>, String) {
    let recorder = Recorder::new(0, "");
    let report = pipe(args).deliver(&mail(recipients), (&facts(sender), &Text(text)), &recorder, 0);
    let ran = recorder.1.into_inner().expect("nobody panics with it");
    let (command, read) = ran.unwrap_or_else(|| panic!("it is not run: {report:?}"));
    (command.argv, read)
}

#[test]
fn words_with_a_recipient_stand_there_for_each() {
    let args = [
        "user=daemon",
        "argv=/bin/x",
        "-f",
        "$sender",
        "-q${queue_id}",
        "($recipient)",
        "${user}:$(extension)",
        "$mailbox",
        "$domain",
        "$nexthop",
        "$$5",
        "${client_helo}/$client_port",
        "$size",
        "a b",
    ];
    let (argv, _) = ran(
        &args,
        &["A+Ext@B.Example", "\"c d\"@e.example"],
        Some("s@x.example"),
        "hi\n",
    );
    assert_eq!(
        argv,
        [
            "/bin/x",
            "-f",
            "s@x.example",
            "-q4XYZ",
            "(A+Ext@B.Example)",
            "(c d@e.example)",
            "A:Ext",
            "c d:",
            "A+Ext",
            "c d",
            "B.Example",
            "e.example",
            "Hop.example",
            "$5",
            "client.example/4711",
            "3",
            "a b"
        ]
    );
}

#[test]
fn flags_fold_and_quote() {
    let args = [
        "flags=hqu",
        "user=daemon",
        "argv=x",
        "$recipient",
        "$user",
        "$nexthop",
        "$sender",
    ];
    let (argv, _) = ran(
        &args,
        &["A+Ext@B.Example", "\"C d\"@E.example"],
        Some("\"S t\"@X.example"),
        "",
    );
    assert_eq!(
        argv,
        [
            "x",
            "a+ext@b.example",
            "\"c d\"@e.example",
            "a",
            "c d",
            "hop.example",
            "\"S t\"@X.example"
        ]
    );
    let null = |null: &[&str]| {
        let mut args = vec!["user=daemon"];
        args.extend(null);
        args.extend(["argv=x", "$sender"]);
        ran(&args, &["a@b.example"], None, "").0.pop()
    };
    assert_eq!(null(&[]).as_deref(), Some("MAILER-DAEMON"));
    assert_eq!(null(&["null_sender="]).as_deref(), Some(""));
    assert_eq!(null(&["null_sender=x y"]).as_deref(), Some("x y"));
}

#[test]
fn lines_are_marked_as_the_flags_say() {
    let text = "Subject: x\n\nFrom here\n.dot\nlast";
    let read = |flags: &str, eol: &str| {
        let (flags, eol) = (format!("flags={flags}"), format!("eol={eol}"));
        let args = [flags.as_str(), eol.as_str(), "user=daemon", "argv=x"];
        ran(&args, &["a@b.example"], Some("s@x.example"), text).1
    };
    assert_eq!(read("", "\\n"), "Subject: x\n\nFrom here\n.dot\nlast\n");
    assert_eq!(
        read(".>B", "\\r\\n"),
        "Subject: x\r\n\r\n>From here\r\n..dot\r\nlast\r\n\r\n"
    );
    let top = read("FROD", "\\012");
    let (from, rest) = top.split_once('\n').expect("several lines");
    assert!(
        from.starts_with("From s@x.example  ") && from.ends_with(" 1970"),
        "{from}"
    );
    assert!(
        rest.starts_with(
            "Return-Path: <s@x.example>\nX-Original-To: a@b.example\nDelivered-To: a@b.example\nSubject: x\n"
        ),
        "{rest}"
    );
}

#[test]
fn long_lines_are_passed_on_whole() {
    let text: &'static str = String::leak(format!("{}.\n.x\n", "y".repeat(PIECE)));
    const PIECE: usize = 64 * 1024;
    let args = ["flags=.", "user=daemon", "argv=x"];
    let (_, read) = ran(&args, &["a@b.example"], None, text);
    assert_eq!(
        read,
        text.replace("\n.x", "\n..x"),
        "a dot in the middle of a line is none at its start"
    );
}

#[test]
fn outcomes_are_told_as_pipe_tells_them() {
    let outcome = |args: &[&str], status: i32, output: &str, recipients: &[&str], text: &'static str| {
        let recorder = Recorder::new(status, output);
        let report = pipe(args).deliver(&mail(recipients), (&facts(None), &Text(text)), &recorder, 0);
        let Outcome {
            result, status, text, ..
        } = report.outcome;
        format!("{result:?} {status} {text}")
    };
    let plain = ["user=daemon", "argv=x"];
    let one = ["a@b.example"];
    assert_eq!(
        outcome(&plain, 0, "", &one, ""),
        "Relayed 2.0.0 delivered via gate service"
    );
    assert_eq!(
        outcome(&plain, 0, "ok\n", &one, ""),
        "Relayed 2.0.0 delivered via gate service (ok)"
    );
    let last = ["flags=X", "user=daemon", "argv=x"];
    assert_eq!(
        outcome(&last, 0, "", &one, ""),
        "Sent 2.0.0 delivered via gate service"
    );
    assert_eq!(outcome(&plain, 67, "", &one, ""), "Bounced 5.1.1 user unknown");
    assert_eq!(
        outcome(&plain, 1, "no", &one, ""),
        "Bounced 5.3.0 Command died with status 1: \"x\". Command output: no"
    );
    let small = ["user=daemon", "size=3", "argv=x"];
    assert_eq!(
        outcome(&small, 0, "", &one, "four"),
        "Bounced 5.2.3 message too large"
    );
    let once = ["flags=D", "user=daemon", "argv=x"];
    assert_eq!(
        outcome(&once, 0, "", &["a@b.example", "c@d.example"], ""),
        "Deferred 4.3.5 mail system configuration error"
    );
    let again = "Delivered-To: A@b.example\n\n";
    assert_eq!(
        outcome(&once, 0, "", &one, again),
        "Bounced 5.4.6 mail forwarding loop for a@b.example"
    );
}

#[test]
fn rows_that_make_no_sense_are_told() {
    let wrong = |args: &[&str]| Pipe::of(&row(args)).expect_err("it is wrong");
    for (args, part) in [
        (&["argv=x"][..], "no user="),
        (&["user=daemon"], "no argv="),
        (&["user=daemon", "flags=DZ", "argv=x"], "flags= has no Z"),
        (&["user=daemon", "size=big", "argv=x"], "size=big"),
        (&["user=daemon", "chroot=/x", "argv=x"], "chroot= is not possible"),
        (&["user=daemon", "x", "argv=x"], "\"x\" is not name=value"),
        (&["user=daemon", "colour=x", "argv=x"], "no attribute colour="),
        (&["user=daemon", "argv=x", "$recipients"], "${recipients}"),
    ] {
        let told = wrong(args);
        assert!(told.contains(part), "{told}");
    }
    assert!(
        pipe(&["user=root", "argv=x"])
            .ids()
            .is_err_and(|why| why.contains("rights of root"))
    );
    assert!(
        pipe(&["user=daemon:root", "argv=x"])
            .ids()
            .is_err_and(|why| why.contains("group of root"))
    );
    assert!(pipe(&["user=no-such-1", "argv=x"]).ids().is_err());
}

#[test]
fn limits_of_time_are_the_transports_own() {
    let mut own = row(&["user=daemon", "argv=x"]);
    own.settings
        .others
        .insert("gate_time_limit".to_owned(), "7m".to_owned());
    assert_eq!(
        Pipe::of(&own).expect("it makes sense").time_limit,
        Duration::from_secs(420)
    );
    assert_eq!(
        pipe(&["user=daemon", "argv=x"]).time_limit,
        Duration::from_secs(1000)
    );
}
