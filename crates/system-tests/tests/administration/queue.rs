//! mailq, postqueue, postsuper and postcat while the mail system is down, while it runs, and down again.

use system_tests::{Sandbox, wait_for, wait_for_value};

const DOWN: &str = "postqueue: warning: Mail system is down -- accessing queue directly\n";
const REASON: &str = "(connect to 127.0.0.1[127.0.0.1]:1: Connection refused)";

/// The queue as `mailq` shows it: the lines, those of messages as id, size and sender only; and its standard error.
fn mailq(sandbox: &Sandbox) -> (Vec<String>, String) {
    let said = sandbox.run("mailq", &[], "").success();
    let without_date = |line: &str| match line.split_whitespace().collect::<Vec<_>>().as_slice() {
        [id, size, _, _, _, _, sender] if !line.starts_with(['-', ' ']) => format!("{id} {size} {sender}"),
        _ => line.to_owned(),
    };
    (said.stdout.lines().map(without_date).collect(), said.stderr)
}

fn queue_id(lines: &[String]) -> String {
    let id: String = lines[1]
        .chars()
        .take_while(|letter| letter.is_ascii_alphanumeric())
        .collect();
    assert!(id.len() > 5, "{lines:?}");
    id
}

/// What a command says on standard error; it must succeed.
fn say(sandbox: &Sandbox, name: &str, arguments: &[&str], input: &str) -> String {
    sandbox.run(name, arguments, input).success().stderr
}

#[test]
fn mail_can_be_seen_and_changed_whether_the_system_runs_or_not() {
    let mut sandbox = super::stopped_system();
    assert_eq!(
        mailq(&sandbox),
        (vec!["Mail queue is empty".to_owned()], DOWN.to_owned())
    );
    let letter = "Subject: test\n\nA line.\n";
    let args = ["-f", "ann@example.test", "bob@example.test"];
    sandbox.run("sendmail", &args, letter).success();
    let (lines, warning) = mailq(&sandbox);
    let dropped = queue_id(&lines);
    let wanted = [
        "-Queue ID-  --Size-- ----Arrival Time---- -Sender/Recipient-------",
        &format!("{dropped} 23 ann@example.test"),
        "                                         bob@example.test",
        "",
        "-- 0 Kbytes in 1 Request.",
    ];
    assert_eq!(lines, wanted);
    assert_eq!(warning, DOWN);
    let shown = sandbox.run("postcat", &["-hq", &dropped], "").success();
    assert_eq!(shown.stdout, "Subject: test\n");

    sandbox.launch();
    let id = wait_for_value("the delivery to be put off", || {
        let (lines, _) = mailq(&sandbox);
        lines
            .iter()
            .any(|line| line.trim() == REASON)
            .then(|| queue_id(&lines))
    });
    change_while_it_runs(&sandbox, &id);

    sandbox.stop();
    let (lines, warning) = mailq(&sandbox);
    assert!(lines[1].starts_with(&format!("{id}!")), "{lines:?}");
    assert_eq!(warning, DOWN);
    let flush = sandbox.run("postqueue", &["-f"], "");
    assert_eq!(flush.code, Some(69));
    assert_eq!(
        flush.stderr,
        "postqueue: fatal: Cannot flush mail queue - mail system is down\n"
    );
    let said = say(&sandbox, "postsuper", &["-d", "-"], &format!("{id}\nno/id\n"));
    let wanted = format!(
        "postsuper: {id}: removed\npostsuper: warning: invalid mail queue id: no/id\npostsuper: Deleted: 1 message\n"
    );
    assert_eq!(said, wanted);
    assert_eq!(
        mailq(&sandbox),
        (vec!["Mail queue is empty".to_owned()], DOWN.to_owned())
    );
    let log = sandbox.log();
    assert!(log.contains(&format!("]: {id}: removed\n")), "{log}");
    // What postsuper left is a queue that the mail system can use.
    sandbox.launch();
    assert_eq!(
        mailq(&sandbox),
        (vec!["Mail queue is empty".to_owned()], String::new())
    );
}

fn change_while_it_runs(sandbox: &Sandbox, id: &str) {
    let said = say(sandbox, "postsuper", &["-h", id, "-h", "ABCDEF99"], "");
    assert_eq!(
        said,
        format!("postsuper: {id}: placed on hold\npostsuper: Placed on hold: 1 message\n")
    );
    assert_eq!(
        say(sandbox, "postsuper", &["-h", "ALL"], ""),
        "postsuper: Placed on hold: 0 messages\n"
    );
    let (lines, warning) = mailq(sandbox);
    assert!(lines[1].starts_with(&format!("{id}!")), "{lines:?}");
    assert_eq!(warning, "");
    let json = sandbox.run("postqueue", &["-j"], "").success().stdout;
    assert!(
        json.starts_with(&format!("{{\"queue_name\": \"hold\", \"queue_id\": \"{id}\", ")),
        "{json}"
    );
    let shown = sandbox.run("postcat", &["-q", id], "").success().stdout;
    assert!(
        shown.starts_with(&format!("*** ENVELOPE RECORDS hold/{id} ***\n")),
        "{shown}"
    );
    assert!(
        shown.contains("\nsender: ann@example.test\n") && shown.contains("\nA line.\n"),
        "{shown}"
    );
    let missing = sandbox.run("postcat", &["-q", "ABCDEF99"], "");
    assert_eq!(missing.code, Some(1));
    assert_eq!(
        missing.stderr,
        "postcat: fatal: open queue file ABCDEF99: No such file or directory\n"
    );
}

#[test]
fn a_full_disk_behind_the_output_is_told_and_arguments_are_not_passed_over() {
    let sandbox = super::stopped_system();
    for (name, arguments) in [("mailq", vec![]), ("postqueue", vec!["-p"])] {
        let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
        let said = sandbox.command(name, &arguments).stdout(full).output().unwrap();
        assert_eq!(said.status.code(), Some(69));
        let stderr = String::from_utf8(said.stderr).unwrap();
        let wanted = "postqueue: fatal: output write error: No space left on device\n";
        assert!(stderr.ends_with(wanted), "{stderr}");
    }
    assert_eq!(sandbox.run("postqueue", &["-j"], "").success().stdout, "");
    for (name, arguments, complaint) in [
        (
            "mailq",
            ["foo", "bar"],
            "mailq: fatal: display queue mode requires no recipient\n",
        ),
        (
            "mailq",
            ["-C", "/nonexist"],
            "mailq: fatal: open /nonexist/main.cf: No such file or directory\n",
        ),
        (
            "newaliases",
            ["-C", "/nonexist"],
            "newaliases: fatal: open /nonexist/main.cf: No such file or directory\n",
        ),
        (
            "sendmail",
            ["-bv", "-t"],
            "sendmail: fatal: -t option cannot be used with -bv\n",
        ),
    ] {
        let said = sandbox.run(name, &arguments, "");
        assert_eq!((said.code, said.stderr.as_str()), (Some(75), complaint));
    }
    use std::os::unix::ffi::OsStrExt;
    let octets = std::ffi::OsStr::from_bytes(b"r\xffx");
    let said = sandbox.command("sendmail", &[]).arg(octets).output().unwrap();
    assert_eq!(said.status.code(), Some(75));
    assert_eq!(
        String::from_utf8(said.stderr).unwrap(),
        "sendmail: fatal: argument \"r\\xFFx\" is not UTF-8\n"
    );
}

#[test]
fn a_reload_reaches_the_queue_and_a_crash_is_told_of() {
    let mut sandbox = super::stopped_system();
    sandbox.launch();
    let letter = "Subject: test\n\nA line.\n";
    let args = ["-f", "ann@example.test", "bob@example.test"];
    sandbox.run("sendmail", &args, letter).success();
    wait_for("the delivery to be put off", || {
        sandbox.log().contains("status=deferred")
    });
    sandbox.kill();
    sandbox.launch();
    wait_for("the warning", || {
        sandbox.log().contains(
            "warning: the system did not stop cleanly: 1 messages are tried again, those whose delivery was under way may \
             arrive twice\n",
        )
    });
    sandbox.edit_main_cf("maximal_queue_lifetime", "0");
    sandbox.edit_main_cf("bounce_queue_lifetime", "0");
    sandbox.edit_main_cf("enable_long_queue_ids", "yes");
    sandbox.reload();
    sandbox.run("postqueue", &["-f"], "").success();
    wait_for("the end of its life", || {
        sandbox
            .log()
            .contains("from=<ann@example.test>, status=expired, returned to sender")
    });
    let report = wait_for_value("the report", || {
        let log = sandbox.log();
        let at = log.find("sender non-delivery notification: ")?;
        Some(log[at..].lines().next()?.rsplit(' ').next()?.to_owned())
    });
    assert!(
        report.len() > 13 && report.contains('z'),
        "no long queue id: {report}"
    );
}
