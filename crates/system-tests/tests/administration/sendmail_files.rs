//! A host that comes from Sendmail: its tables in place, `makemap`, `sendmail -bt` and `-bv`, `yubin import sendmail`; the dialogues
//! of a Japanese course on Sendmail; and where Debian's sendmail is at hand, the same questions to it.

use std::cell::RefCell;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;

use system_tests::{Sandbox, program, skip, wait_for};

const CASES: &str = include_str!("../../scenarios/sendmail.cases");

/// The lines of a section of the cases.
fn section(name: &str) -> Vec<&'static str> {
    let heading = format!("== {name}");
    let lines = CASES.lines().skip_while(|line| *line != heading).skip(1);
    lines.take_while(|line| !line.starts_with("== ")).collect()
}

/// A system whose tables lie in the directory that is given back; it does not run.
fn prepared(files: &[(&str, &str)]) -> (Sandbox, PathBuf) {
    let sandbox = super::stopped_system();
    let directory = sandbox.scratch().join("mail");
    fs::create_dir(&directory).unwrap();
    for (name, text) in files {
        fs::write(directory.join(name), text).unwrap();
    }
    sandbox.edit_main_cf("yubin_sendmail_directory", directory.to_str().unwrap());
    (sandbox, directory)
}

/// The course's last page, as it prints it (its own lines say `rfs . jp` for the domain that it asks for).
#[test]
fn the_address_test_mode_says_what_the_course_says() {
    let (sandbox, _) = prepared(&[(
        "local-host-names",
        "# local-host-names - include all aliases for your machine here.\nexample.jp\nmail.example.jp\n\n# more\nexample2009.jp\n",
    )]);
    let arguments = ["-bt", "-C", "/etc/mail/sendmail.cf"];
    let said = sandbox
        .run("sendmail", &arguments, "/parse jun@example.jp\n")
        .success();
    let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
    let lines: Vec<String> = said.stdout.lines().map(words).collect();
    let of_course = "ADDRESS TEST MODE (ruleset 3 NOT automatically invoked)
Enter <ruleset> <address>
> Cracked address = $g
Parsing envelope recipient address
canonify input: jun @ example . jp
Canonify2 input: jun < @ example . jp >
Canonify2 returns: jun < @ example . jp . >
canonify returns: jun < @ example . jp . >
parse input: jun < @ example . jp . >
Parse0 input: jun < @ example . jp . >
Parse0 returns: jun < @ example . jp . >
ParseLocal input: jun < @ example . jp . >
ParseLocal returns: jun < @ example . jp . >
Parse1 input: jun < @ example . jp . >
Parse1 returns: $# local $: jun
parse returns: $# local $: jun
2 input: jun
2 returns: jun
EnvToL input: jun
EnvToL returns: jun
final input: jun
final returns: jun
mailer local, user jun
>";
    assert_eq!(lines, of_course.lines().collect::<Vec<_>>());
    for domain in ["mail.example.jp", "example2009.jp"] {
        let said = sandbox
            .run("sendmail", &["-bt"], &format!("/parse jun@{domain}\n/quit\n"))
            .success();
        assert!(
            said.stdout.contains("\nmailer local, user jun\n"),
            "{}",
            said.stdout
        );
    }
}

/// What both sides say about the same, without what differs on purpose: our SMTP mailer is one, `local` needs no host, and a
/// refusal's code is no part of its text.
fn like_ours(line: &str) -> String {
    if let Some(rest) = line.strip_prefix("mailer *error*, ") {
        let text = rest.split_once("user ").map_or(rest, |(_, text)| text);
        let text = text.trim_start_matches(|c: char| c.is_ascii_digit() || c == ' ');
        return format!("refused: {}", text.trim_start_matches("nohost "));
    }
    if let Some(user) = line.strip_prefix("mailer local, host ") {
        let user = user.split_once("user ").map_or(user, |(_, user)| user);
        return format!("mailer local, user {user}");
    }
    let line = line.replace("mailer smtp,", "mailer esmtp,");
    line.replace(", b.test", ":b.test")
}

fn parsed(answer: &str) -> String {
    let last = answer.lines().rfind(|line| line.starts_with("mailer "));
    like_ours(last.unwrap_or(answer))
}

#[test]
fn mail_goes_where_sendmail_sends_it() {
    let text = |name: &str| section(name).join("\n") + "\n";
    let files =
        ["local-host-names", "domaintable", "mailertable", "virtusertable"].map(|name| (name, text(name)));
    let files: Vec<(&str, &str)> = files.iter().map(|(name, text)| (*name, text.as_str())).collect();
    let (sandbox, directory) = prepared(&files);
    sandbox.edit_main_cf("myhostname", "here.test");
    sandbox.edit_main_cf("recipient_delimiter", "+");
    sandbox.edit_main_cf("relayhost", "");
    let cases = section("parse");
    assert!(cases.len() >= 50, "{} cases", cases.len());
    let ask = || {
        let questions: String = cases
            .iter()
            .map(|case| format!("/parse {}\n", case.split(" => ").next().unwrap()))
            .collect();
        let said = sandbox.run("sendmail", &["-bt"], &questions).success().stdout;
        let mut answers: Vec<String> = said.split("> Cracked").skip(1).map(parsed).collect();
        answers.iter_mut().zip(&cases).for_each(|(answer, case)| {
            let question = case.split(" => ").next().unwrap();
            *answer = format!("{question} => {answer}");
        });
        answers
    };
    let expected: Vec<String> = cases
        .iter()
        .map(|case| {
            case.split_once(" => ")
                .map(|(question, answer)| format!("{question} => {}", like_ours(answer)))
                .unwrap()
        })
        .collect();
    assert_eq!(ask(), expected, "by the texts");
    for name in ["domaintable", "mailertable", "virtusertable"] {
        let database = directory.join(format!("{name}.db"));
        let text = fs::read_to_string(directory.join(name)).unwrap();
        sandbox
            .run("makemap", &["hash", database.to_str().unwrap()], &text)
            .success();
        assert!(database.exists());
        fs::remove_file(directory.join(name)).unwrap();
    }
    assert_eq!(ask(), expected, "by the databases");
}

/// A line to a server, and its reply.
fn say(stream: &mut BufReader<TcpStream>, line: &str) -> String {
    stream
        .get_mut()
        .write_all(format!("{line}\r\n").as_bytes())
        .unwrap();
    reply(stream)
}

fn reply(stream: &mut BufReader<TcpStream>) -> String {
    loop {
        let mut line = String::new();
        assert!(stream.read_line(&mut line).unwrap() > 0, "the server has gone");
        if line.as_bytes().get(3) == Some(&b' ') {
            return line.trim_end().to_owned();
        }
    }
}

/// `access` made by makemap decides, and domains of local-host-names have the same mailboxes.
#[test]
fn the_tables_hold_in_place() {
    let (mut sandbox, directory) = prepared(&[
        (
            "access",
            "127.0.0 RELAY\nspam.example REJECT\nFrom:drop.example DISCARD\nTo:gone@example.jp ERROR:5.2.1:550 no longer here\n\
             own.example 551 5.7.8 own text\n",
        ),
        ("local-host-names", "example.jp\nexample2009.jp\n"),
        (
            "virtusertable",
            "info@example.jp alice\nbad@example.jp error:nouser No such user here\n",
        ),
    ]);
    sandbox.edit_main_cf("mynetworks", "192.0.2.0/24");
    let database = directory.join("access.db");
    let text = fs::read_to_string(directory.join("access")).unwrap();
    sandbox
        .run("makemap", &["hash", database.to_str().unwrap()], &text)
        .success();
    sandbox.launch();
    let stream = TcpStream::connect(("127.0.0.1", sandbox.ports().smtp)).unwrap();
    stream
        .set_read_timeout(Some(std::time::Duration::from_secs(30)))
        .unwrap();
    let mut smtp = BufReader::new(stream);
    assert!(reply(&mut smtp).starts_with("220 "));
    say(&mut smtp, "EHLO client.example");
    let smtp = RefCell::new(smtp);
    let asked = |sender: &str, recipient: &str| {
        let mut smtp = smtp.borrow_mut();
        say(&mut smtp, "RSET");
        say(&mut smtp, &format!("MAIL FROM:<{sender}>"));
        say(&mut smtp, &format!("RCPT TO:<{recipient}>"))
    };
    let refused = "<x@spam.example>: Sender address rejected: Access denied";
    assert_eq!(
        asked("x@spam.example", "alice@example.jp"),
        format!("550 5.7.1 {refused}")
    );
    let refused = "<x@a.own.example>: Sender address rejected: own text";
    assert_eq!(
        asked("x@a.own.example", "alice@example.jp"),
        format!("551 5.7.8 {refused}")
    );
    let refused = "<gone@example.jp>: Recipient address rejected: no longer here";
    assert_eq!(
        asked("x@y.example", "gone@example.jp"),
        format!("550 5.2.1 {refused}")
    );
    let refused = "<bad@example.jp>: Recipient address rejected: No such user here";
    assert_eq!(
        asked("x@y.example", "bad@example.jp"),
        format!("550 5.1.1 {refused}")
    );
    // The client may relay because the table says so.
    assert_eq!(asked("x@y.example", "z@far.example"), "250 2.1.5 Ok");
    for (sender, recipient) in [
        ("x@y.example", "alice@example.jp"),
        ("x@y.example", "alice@example2009.jp"),
        ("x@y.example", "info@example.jp"),
        ("x@drop.example", "alice@example.jp"),
    ] {
        assert_eq!(asked(sender, recipient), "250 2.1.5 Ok");
        assert!(say(&mut smtp.borrow_mut(), "DATA").starts_with("354 "));
        let text = format!("Subject: {recipient}\r\n\r\nx\r\n.");
        assert!(say(&mut smtp.borrow_mut(), &text).starts_with("250 "));
    }
    wait_for("three messages", || {
        sandbox.maildir("alice", "Maildir").len() == 3
    });
}

#[test]
fn verification_is_on_the_screen() {
    let (sandbox, _) = prepared(&[
        ("local-host-names", "example.jp\n"),
        (
            "virtusertable",
            "info@example.jp alice\nbad@example.jp error:nouser No such user here\n",
        ),
        ("mailertable", "mt.example esmtp:[gw.example]\n"),
        (
            "aliases",
            "project: alice, bob, support@far.example\nproject2: /dev/null\nproject3: \"| /usr/local/bin/procmail\"\n",
        ),
    ]);
    sandbox.edit_main_cf("relayhost", "");
    sandbox.run("newaliases", &[], "").success();
    for (address, code, screen) in [
        (
            "alice@example.jp",
            0,
            "alice@example.jp... deliverable: mailer local, user alice\n",
        ),
        ("info@example.jp", 0, "deliverable: mailer local, user alice\n"),
        ("nosuch@example.jp", 67, "nosuch@example.jp... User unknown\n"),
        ("bad@example.jp", 67, "bad@example.jp... No such user here\n"),
        (
            "x@mt.example",
            0,
            "x@mt.example... deliverable: mailer esmtp, host [gw.example], user x@mt.example\n",
        ),
        (
            "project",
            0,
            "alice... deliverable: mailer local, user alice\nbob... deliverable: mailer local, user bob\n\
             support@far.example... deliverable: mailer esmtp, host far.example., user support@far.example\n",
        ),
        (
            "project2",
            0,
            "/dev/null... deliverable: mailer *file*, user /dev/null\n",
        ),
        (
            "project3",
            0,
            "\"|/usr/local/bin/procmail\"... deliverable: mailer prog, user |/usr/local/bin/procmail\n",
        ),
    ] {
        let said = sandbox.run("sendmail", &["-bv", address], "");
        assert_eq!(said.code, Some(code), "{address}: {}", said.stdout);
        assert!(said.stdout.ends_with(screen), "{address}: {}", said.stdout);
    }
}

#[test]
fn a_sendmail_mc_becomes_a_main_cf() {
    let sandbox = Sandbox::prepare();
    let directory = sandbox.scratch().join("mail");
    fs::create_dir(&directory).unwrap();
    let mc = "divert(-1)dnl\ndivert(0)dnl\nOSTYPE(`linux')dnl\ndefine(`confDOMAIN_NAME', `mail.example.jp')dnl\n\
        FEATURE(`access_db', `hash -T<TMPF> -o /etc/mail/access.db')dnl\nFEATURE(use_cw_file)dnl\nFEATURE(promiscuous_relay)dnl\n\
        dnl DAEMON_OPTIONS(`Port=submission, Name=MSA, M=Ea')dnl\nMAILER(smtp)dnl\n";
    fs::write(directory.join("sendmail.mc"), mc).unwrap();
    let into = sandbox.scratch().join("etc");
    let arguments = [
        "sendmail",
        "-o",
        into.to_str().unwrap(),
        directory.to_str().unwrap(),
    ];
    let said = sandbox.run("import", &arguments, "").success();
    assert!(
        said.stdout
            .contains("sendmail.mc:4: define(confDOMAIN_NAME): myhostname = mail.example.jp\n"),
        "{}",
        said.stdout
    );
    assert!(
        said.stdout
            .contains("sendmail.mc:7: FEATURE(promiscuous_relay): not taken: "),
        "{}",
        said.stdout
    );
    let mut postconf = sandbox.command("postconf", &[]);
    postconf
        .env("MAIL_CONFIG", &into)
        .args(["-h", "myhostname", "yubin_sendmail_directory"]);
    let shown = program::run(&mut postconf, b"").success().stdout;
    assert_eq!(shown, format!("mail.example.jp\n{}\n", directory.display()));
    let again = sandbox.run("import", &arguments, "");
    assert_eq!(again.code, Some(73), "{}", again.stderr);
}

/// Debian's sendmail is asked what is recorded. It takes the place of the other MTA when it is installed, so it may lie unpacked
/// anywhere: `SENDMAIL_ROOT` names the directory (`dpkg -x` of sendmail-bin and sendmail-cf, and of m4 and what they need).
#[test]
fn debians_sendmail_still_answers_so() {
    let root = std::env::var_os("SENDMAIL_ROOT").map_or_else(|| PathBuf::from("/"), PathBuf::from);
    let (binary, macros) = (
        root.join("usr/libexec/sendmail"),
        root.join("usr/share/sendmail/cf"),
    );
    if !binary.join("sendmail").exists() || !macros.join("m4/cf.m4").exists() {
        return skip("Debian package sendmail-bin, unpacked into SENDMAIL_ROOT");
    }
    let can_name = Command::new("unshare")
        .args(["-u", "true"])
        .status()
        .is_ok_and(|status| status.success());
    if !can_name {
        return skip("root, and namespaces of host names");
    }
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    for name in ["local-host-names", "domaintable", "mailertable", "virtusertable"] {
        fs::write(at(name), section(name).join("\n") + "\n").unwrap();
    }
    fs::write(at("aliases"), "").unwrap();
    fs::write(at("service.switch"), "hosts files\naliases files\npasswd files\n").unwrap();
    fs::write(at("test.mc"), oracle_mc(directory.path())).unwrap();
    let script = oracle_script();
    let mut command = Command::new("unshare");
    command
        .args(["-u", "sh", "-c", script])
        .arg("sh")
        .arg(directory.path())
        .arg(&binary)
        .arg(&macros);
    let cases = section("parse");
    let questions: String = cases
        .iter()
        .map(|case| format!("/parse {}\n", case.split(" => ").next().unwrap()))
        .collect();
    let said = program::run(&mut command, questions.as_bytes());
    let answers: Vec<&str> = said.stdout.split("> Cracked").skip(1).collect();
    assert_eq!(answers.len(), cases.len(), "{}\n{}", said.stdout, said.stderr);
    for (case, answer) in cases.iter().zip(answers) {
        let (question, recorded) = case.split_once(" => ").unwrap();
        let last = answer.lines().rfind(|line| line.starts_with("mailer "));
        assert_eq!(last, Some(recorded), "{question}");
    }
}

fn oracle_script() -> &'static str {
    "hostname mail.here.test; cd \"$1\" && m4 -D_CF_DIR_=\"$3/\" \"$3/m4/cf.m4\" test.mc >test.cf 2>/dev/null
    for map in domaintable mailertable virtusertable; do \"$2/makemap\" -C ./test.cf hash $map <$map; done >/dev/null 2>&1
    exec \"$2/sendmail\" -bt -C test.cf"
}

fn oracle_mc(directory: &Path) -> String {
    let place = directory.display();
    format!(
        "OSTYPE(`linux')dnl
define(`confDOMAIN_NAME', `here.test')dnl
define(`confSERVICE_SWITCH_FILE', `{place}/service.switch')dnl
define(`confDONT_BLAME_SENDMAIL', `AssumeSafeChown,GroupWritableDirPathSafe,MapInUnsafeDirPath,ClassFileInUnsafeDirPath')dnl
define(`ALIAS_FILE', `{place}/aliases')dnl
define(`confCW_FILE', `{place}/local-host-names')dnl
FEATURE(`use_cw_file')dnl
FEATURE(`nocanonify')dnl
FEATURE(`accept_unresolvable_domains')dnl
FEATURE(`domaintable', `hash {place}/domaintable')dnl
FEATURE(`mailertable', `hash {place}/mailertable')dnl
FEATURE(`virtusertable', `hash {place}/virtusertable')dnl
MAILER_DEFINITIONS
MAILER(`local')dnl
MAILER(`smtp')dnl
"
    )
}
