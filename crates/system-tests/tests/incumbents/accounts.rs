//! Accounts: Debian's Dovecot and ours read the same dovecot.conf, users' files, SQLite database, `/etc/shadow` and
//! `/etc/pam.d`, and are asked the same.
//!
//! All of it runs in a mount namespace, where files of the test lie over those of the system.

use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use system_tests::incumbent::free_port;
use system_tests::program;

/// A configuration and what is asked of it: the arguments of `doveadm`, one question a line.
struct Case {
    name: &'static str,
    configuration: &'static str,
    questions: &'static str,
    /// `USER PASSWORD`, tried by IMAP with each of [`MECHANISMS`].
    logins: &'static str,
}

/// One that sends the password and one that does not.
const MECHANISMS: [&str; 2] = ["LOGIN", "CRAM-MD5"];

/// Logins that end otherwise with us, and how: rows "CRAM-MD5" of `conformance/differences.tsv`.
const DIFFERENT: &[(&str, &str)] = &[
    (
        "passwd-file with master users: ann*boss mpw by CRAM-MD5",
        "code 0\n",
    ),
    ("chains: ann pw by CRAM-MD5", "code 0\n"),
];

/// `ROOT` is the directory of the test.
const CASES: &[Case] = &[
    Case {
        name: "passwd-file with master users",
        configuration: "auth_master_user_separator = *\n\
            passdb {\n  driver = passwd-file\n  args = ROOT/masters\n  master = yes\n  pass = yes\n}\n\
            passdb {\n  driver = passwd-file\n  args = scheme=PLAIN ROOT/users\n}\n\
            userdb {\n  driver = passwd-file\n  args = ROOT/users\n  default_fields = home=/none quota_rule=*:bytes=9M\n  override_fields = extra=%n\n}\n",
        questions: "auth test -x service=imap -x rip=127.0.0.1 ann pw\n\
            auth test -x service=imap -x rip=127.0.0.1 Ann pw\n\
            auth test -x service=imap -x rip=127.0.0.1 ann bad\n\
            auth test -x service=imap -x rip=192.0.2.1 ann pw\n\
            auth test -x service=imap -x rip=127.0.0.1 closed pw\n\
            auth test -x service=imap -x rip=127.0.0.1 open whatever\n\
            auth test -x service=imap -x rip=127.0.0.1 nobody1 pw\n\
            auth test -x service=imap -x rip=127.0.0.1 hashed password1\n\
            auth test -x service=imap -x rip=127.0.0.1 hashed password2\n\
            auth test -x service=imap -x rip=127.0.0.1 ann*boss mpw\n\
            auth test -x service=imap -x rip=127.0.0.1 ann*boss pw\n\
            auth test -x service=imap -x rip=127.0.0.1 nobody1*boss mpw\n\
            auth test -x service=imap -x rip=127.0.0.1 -M boss ann mpw\n\
            auth lookup -x rip=127.0.0.1 ann closed nobody1\n\
            auth lookup -x rip=127.0.0.1 -f tag ann\n\
            user ann\n\
            user -u ann\n\
            user -f home ann hashed\n\
            user -f quota_rule ann\n\
            user nobody1\n\
            user *\n\
            user -e %Mn|%2.256Nn|%Rn|%{sha1:user}|%{if;%n;eq;ann;yes;no}|%{uid}|%h ann\n",
        logins: "ann pw\nann bad\nclosed pw\nann*boss mpw\nann*ann mpw\n",
    },
    Case {
        name: "SQL",
        configuration: "passdb {\n  driver = sql\n  args = ROOT/sql.conf.ext\n}\n\
            userdb {\n  driver = prefetch\n}\n\
            userdb {\n  driver = sql\n  args = ROOT/sql.conf.ext\n}\n",
        questions: "auth test ann@example.test pw\n\
            auth test ann@example.test bad\n\
            auth test bob@example.test pw\n\
            auth test o'x@example.test pw\n\
            auth test alias@example.test pw\n\
            auth test nobody1@example.test pw\n\
            auth lookup ann@example.test\n\
            user ann@example.test\n\
            user nobody1@example.test\n\
            user *\n",
        logins: "ann@example.test pw\nann@example.test bad\nbob@example.test pw\n",
    },
    Case {
        name: "chains",
        configuration: "passdb {\n  driver = passwd-file\n  args = ROOT/denied\n  deny = yes\n}\n\
            passdb {\n  driver = passwd-file\n  args = scheme=PLAIN ROOT/second\n  result_failure = continue\n  username_filter = s* two\n}\n\
            passdb {\n  driver = passwd-file\n  args = scheme=PLAIN ROOT/users\n  result_failure = return-fail\n  result_success = continue-ok\n}\n\
            passdb {\n  driver = static\n  args = nopassword=y tag=late\n  skip = unauthenticated\n}\n\
            passdb {\n  driver = static\n  args = password=never\n}\n\
            userdb {\n  driver = passwd-file\n  args = ROOT/second\n  result_success = continue-ok\n}\n\
            userdb {\n  driver = static\n  args = uid=65534 gid=65534 home=ROOT/home/%n\n  skip = found\n}\n",
        questions: "auth test -x rip=127.0.0.1 ann pw\n\
            auth test -x rip=127.0.0.1 ann never\n\
            auth test -x rip=127.0.0.1 second two\n\
            auth test -x rip=127.0.0.1 second pw\n\
            auth test -x rip=127.0.0.1 denied pw\n\
            auth test -x rip=127.0.0.1 two two\n\
            auth test -x rip=127.0.0.1 stranger never\n\
            user second\n\
            user ann\n\
            user stranger\n",
        logins: "ann pw\ndenied pw\nsecond two\n",
    },
    Case {
        name: "PAM and users of the system",
        configuration: "passdb {\n  driver = pam\n  args = session=yes setcred=yes max_requests=2 accounts-test\n}\n\
            userdb {\n  driver = passwd\n}\n",
        questions: "auth test sysann password1\n\
            auth test sysann bad\n\
            auth test syslocked password1\n\
            auth test nobody1 pw\n\
            user sysann\n\
            user -f home sysann\n\
            user nobody1\n\
            user *\n",
        logins: "",
    },
    Case {
        name: "PAM by protocol",
        configuration: "passdb {\n  driver = pam\n  args = %s\n}\nuserdb {\n  driver = passwd\n}\n",
        questions: "auth test -x service=imap sysann whatever\nauth test -x service=pop3 sysann whatever\n",
        logins: "",
    },
    Case {
        name: "shadow",
        configuration: "passdb {\n  driver = shadow\n}\nuserdb {\n  driver = passwd\n}\n",
        questions: "auth test sysann password1\nauth test sysann bad\nauth test syslocked password1\nauth test nobody1 x\n",
        logins: "",
    },
    Case {
        name: "passwd",
        configuration: "passdb {\n  driver = passwd\n}\nuserdb {\n  driver = passwd\n  override_fields = home=ROOT/home/%u\n}\n",
        questions: "auth test sysold password1\nauth test sysold bad\nauth test sysann password1\nuser sysold\n",
        logins: "",
    },
];

fn write(root: &Path, name: &str, text: &str) {
    let path = root.join(name);
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
}

/// The files of all cases.
fn write_files(root: &Path) {
    let own = root.display();
    let hash = hash();
    write(root, "masters", "boss:{PLAIN}mpw\n");
    write(root, "denied", "denied\n");
    write(root, "second", "second:two:65534:65534::/second\n");
    write(
        root,
        "users",
        &format!(
            "ann:{{PLAIN}}pw:65534:65534::{own}/home/ann::userdb_quota_rule=*:bytes=1M allow_nets=127.0.0.0/8 tag=%n-tag\n\
             closed:pw:65534:65534::{own}/home/closed::nologin=y reason=Maintenance\n\
             open::65534:65534::{own}/home/open::nopassword=y\n\
             denied:pw:65534:65534::/d\n\
             hashed:{{CRYPT}}{hash}:65534:65534\n"
        ),
    );
    write(
        root,
        "sql.conf.ext",
        &format!(
            "driver = sqlite\nconnect = {own}/users.sqlite\ndefault_pass_scheme = PLAIN\n\
             password_query = SELECT user, password, home AS userdb_home, uid AS userdb_uid, gid AS userdb_gid \\\n\
             FROM users WHERE name = '%u'\n\
             user_query = SELECT home, uid, gid FROM users WHERE name = '%u'\n\
             iterate_query = SELECT name AS user FROM users\n"
        ),
    );
    let sql = format!(
        "CREATE TABLE users (name, user, password, home, uid INTEGER, gid INTEGER);\n\
         INSERT INTO users VALUES\n\
         ('ann@example.test', 'ann@example.test', 'pw', '{own}/home/ann', 65534, 65534),\n\
         ('bob@example.test', 'bob@example.test', '{{SHA256}}MMlS+rEhvBEK3LiU5t9y1TzX7k6g2ep0/2pT8mYv2m0=', '{own}/home/bob', 65534, 65534),\n\
         ('alias@example.test', 'ann@example.test', 'pw', '{own}/home/ann', 65534, 65534),\n\
         ('o''x@example.test', 'o''x@example.test', 'pw', '{own}/home/o', 65534, 65534);\n"
    );
    program::run(
        Command::new("sqlite3").arg(root.join("users.sqlite")),
        sql.as_bytes(),
    )
    .success();
    let lines = |file: &str, more: &str| format!("{}{more}", fs::read_to_string(file).unwrap());
    write(
        root,
        "passwd",
        &lines(
            "/etc/passwd",
            &format!(
                "yubin:x:2009:2009::/nonexistent:/usr/sbin/nologin\nsysann:x:2001:2001:Ann:/home/sysann:/bin/sh\nsyslocked:x:2002:2001::/home/l:/bin/sh\nsysold:{hash}:2003:2001::/home/sysold:/bin/sh\n"
            ),
        ),
    );
    write(
        root,
        "group",
        &lines("/etc/group", "yubin:x:2009:\nsysann:x:2001:\n"),
    );
    write(
        root,
        "shadow",
        &lines(
            "/etc/shadow",
            &format!("sysann:{hash}:19000:0:99999:7:::\nsyslocked:!{hash}:19000:0:99999:7:::\n"),
        ),
    );
    fs::set_permissions(root.join("shadow"), fs::Permissions::from_mode(0o600)).unwrap();
    fs::create_dir(root.join("pam.d")).unwrap();
    let unix =
        "auth required pam_unix.so nodelay\naccount required pam_unix.so\nsession required pam_permit.so\n";
    let permit = "auth required pam_permit.so\naccount required pam_permit.so\n";
    write(root, "pam.d/accounts-test", unix);
    write(root, "pam.d/imap", permit);
    write(
        root,
        "pam.d/other",
        "auth required pam_deny.so\naccount required pam_deny.so\n",
    );
    for user in ["ann", "bob", "closed", "open", "second"] {
        let home = root.join("home").join(user);
        fs::create_dir_all(&home).unwrap();
        std::os::unix::fs::chown(&home, Some(65_534), Some(65_534)).unwrap();
    }
}

/// `password1` as the system's crypt(3) hashes it.
fn hash() -> String {
    let mut command = Command::new("openssl");
    command.args(["passwd", "-6", "-salt", "abcdefgh", "password1"]);
    program::run(&mut command, b"").success().stdout.trim().to_owned()
}

fn configuration(root: &Path, case: &Case, program: &str, port: u16) -> String {
    let own = root.display();
    // Dovecot does not start when no passdb has what a mechanism needs.
    let hiding = if case.logins.is_empty() { "" } else { "cram-md5" };
    let text = format!(
        "base_dir = ROOT/{program}\nstate_dir = ROOT/{program}\nlog_path = ROOT/{program}.log\nprotocols = imap\nlisten = 127.0.0.1\nssl = no\n\
         disable_plaintext_auth = no\nauth_mechanisms = plain login {hiding}\nauth_failure_delay = 0\nauth_verbose = yes\nfirst_valid_uid = 1000\nmail_location = maildir:~/Maildir\n\
         namespace inbox {{\n  inbox = yes\n}}\n\
         service imap-login {{\n  inet_listener imap {{\n    port = {port}\n  }}\n  inet_listener imaps {{\n    port = 0\n  }}\n}}\n\
         service anvil {{\n  unix_listener anvil-auth-penalty {{\n    mode = 0\n  }}\n}}\n{}",
        case.configuration
    );
    text.replace("ROOT", &own.to_string())
}

/// A FIFO that is opened for reading and writing never ends: reading it is a short pause between looks.
///
/// Runs the case in a namespace of its own: each answer of Debian's program and of ours in files `NUMBER.debian`,
/// `NUMBER.yubin`.
fn script(root: &Path, case: &Case, ports: [u16; 2]) -> String {
    let (own, binary) = (root.display(), system_tests::binary());
    let mut text = format!(
        "set -e\nfor file in passwd group shadow pam.d; do mount --bind {own}/$file /etc/$file; done\nset +e\n\
         /usr/sbin/dovecot -c {own}/debian.conf </dev/null >/dev/null 2>&1\n\
         until [ -S {own}/debian/auth-userdb ]; do read -t 0.05 never <> {own}/fifo; done\n",
    );
    for (number, question) in case.questions.lines().enumerate() {
        let words: Vec<String> = question.split(' ').map(quoted).collect();
        let words = words.join(" ");
        let binary = quoted(&binary.display().to_string());
        let _ = write!(
            text,
            "timeout 20 /usr/bin/doveadm -c {own}/debian.conf {words} > {own}/{number}.debian 2>{own}/err.debian\necho \"code $?\" >> {own}/{number}.debian\n\
             timeout 20 {binary} doveadm -c {own}/yubin.conf {words} > {own}/{number}.yubin 2>{own}/{number}.err\necho \"code $?\" >> {own}/{number}.yubin\n"
        );
    }
    if !case.logins.is_empty() {
        let binary = quoted(&binary.display().to_string());
        let _ = write!(
            text,
            "{binary} dovecot -c {own}/yubin.conf -F </dev/null >{own}/yubin.out 2>&1 &\nours=$!\n\
             for port in {} {}; do\n  until curl -s -m 1 imap://127.0.0.1:$port/ -o /dev/null -X CAPABILITY; do kill -0 $ours || break; read -t 0.05 never <> {own}/fifo; done\ndone\n",
            ports[0], ports[1]
        );
        for (number, (login, mechanism)) in logins(case).enumerate() {
            let (user, password) = login.split_once(' ').unwrap();
            let account = quoted(&format!("{user}:{password}"));
            for (program, port) in [("debian", ports[0]), ("yubin", ports[1])] {
                let _ = write!(
                    text,
                    "curl -sv -m 20 -u {account} --login-options AUTH={mechanism} imap://127.0.0.1:{port}/ -X NOOP > {own}/login 2>&1\necho \"code $?\" > {own}/l{number}.{program}\n\
                     sed -n 's/^< \\(A[0-9]* NO .*\\)\\r*$/\\1/p' {own}/login | tr -d '\\r' >> {own}/l{number}.{program}\n"
                );
            }
        }
        text.push_str("kill $ours\nwait $ours\n");
    }
    let _ = writeln!(text, "/usr/bin/doveadm -c {own}/debian.conf stop");
    text
}

/// Each login by each mechanism.
fn logins(case: &Case) -> impl Iterator<Item = (&str, &str)> {
    let each = |login| MECHANISMS.map(|mechanism| (login, mechanism));
    case.logins.lines().flat_map(each)
}

fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', "'\\''"))
}

/// What both answered, compared.
fn compare(root: &Path, case: &Case, failures: &mut Vec<String>) {
    let questions = case
        .questions
        .lines()
        .enumerate()
        .map(|(at, text)| (at.to_string(), text));
    let questions = questions.map(|(number, text)| (number, text.to_owned()));
    let logins = logins(case)
        .enumerate()
        .map(|(at, (login, mechanism))| (format!("l{at}"), format!("{login} by {mechanism}")));
    for (number, question) in questions.chain(logins) {
        let read =
            |program: &str| fs::read_to_string(root.join(format!("{number}.{program}"))).unwrap_or_default();
        let (mut theirs, ours) = (read("debian"), read("yubin"));
        let name = format!("{}: {question}", case.name);
        if let Some((_, expected)) = DIFFERENT.iter().find(|(known, _)| *known == name) {
            if theirs == ours {
                failures.push(format!("{name}: it is no difference any more"));
            }
            (*expected).clone_into(&mut theirs);
        }
        if lines_of(&theirs, &question) != lines_of(&ours, &question) || ours.is_empty() {
            let error = read("err");
            failures.push(format!(
                "{}: {question}\n--- Debian's\n{theirs}--- ours\n{ours}--- our errors\n{error}",
                case.name
            ));
        }
    }
}

/// The lines of an answer, blanks at their ends and Dovecot's stray empty field aside; users and their fields in any order.
fn lines_of<'t>(text: &'t str, question: &str) -> Vec<&'t str> {
    let is_field_list = question.starts_with("auth");
    let mut lines: Vec<&str> = text
        .lines()
        .map(str::trim_end)
        .filter(|line| !is_field_list || !line.is_empty())
        .collect();
    if question.starts_with("user") {
        lines.sort_unstable();
    }
    lines
}

#[test]
fn accounts_are_those_of_dovecot() {
    for (program, package) in [
        ("/usr/lib/dovecot/imap", "dovecot-imapd"),
        (
            "/usr/lib/dovecot/modules/auth/libdriver_sqlite.so",
            "dovecot-sqlite",
        ),
        ("/usr/bin/sqlite3", "sqlite3"),
        ("/usr/bin/unshare", "util-linux"),
        ("/usr/bin/curl", "curl"),
        ("/usr/bin/openssl", "openssl"),
    ] {
        if !system_tests::has_program(program, package) {
            return;
        }
    }
    if !rustix::process::geteuid().is_root() {
        return system_tests::skip("root, for a mount namespace");
    }
    let may = program::run(Command::new("unshare").args(["-m", "true"]), b"");
    if may.code != Some(0) {
        return system_tests::skip("the right to make a mount namespace");
    }
    let mut failures = Vec::new();
    for case in CASES {
        let root = tempfile::Builder::new()
            .prefix("yubin-accounts-")
            .tempdir()
            .unwrap();
        let root = root.path();
        fs::set_permissions(root, fs::Permissions::from_mode(0o755)).unwrap();
        write_files(root);
        let ports = [free_port(), free_port()];
        for (program, port) in [("debian", ports[0]), ("yubin", ports[1])] {
            fs::create_dir(root.join(program)).unwrap();
            write(
                root,
                &format!("{program}.conf"),
                &configuration(root, case, program, port),
            );
        }
        program::run(Command::new("mkfifo").arg(root.join("fifo")), b"").success();
        write(root, "script", &script(root, case, ports));
        let mut command = Command::new("unshare");
        command.args(["-m", "bash"]).arg(root.join("script"));
        let done = program::run(&mut command, b"");
        let before = failures.len();
        compare(root, case, &mut failures);
        if failures.len() > before {
            let log = fs::read_to_string(root.join("yubin.out")).unwrap_or_default();
            failures.push(format!("{}: the script: {done}\n{log}", case.name));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
}
