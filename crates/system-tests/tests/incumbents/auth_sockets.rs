//! Log-ins across programs: Debian's Postfix asks our auth socket, and our SMTP service asks Debian's Dovecot.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use sasl::client::{Client, Surroundings};
use sasl::{Credentials, Password, wire};
use system_tests::incumbent::{Dovecot, Postfix, free_port};
use system_tests::lines::LineClient;
use system_tests::{Sandbox, program, wait_for};

const MECHANISMS: [&str; 4] = ["PLAIN", "LOGIN", "CRAM-MD5", "SCRAM-SHA-256"];

/// The last reply to an AUTH by one mechanism.
fn login(port: u16, mechanism: &str, user: &str, password: &str) -> String {
    let mut lines = LineClient::connect(port);
    lines.line();
    lines.smtp("EHLO client.example");
    let credentials = Credentials {
        authzid: String::new(),
        user: user.to_owned(),
        password: Password::new(password),
    };
    let surroundings = Surroundings {
        random: [5; 18],
        allows_plaintext: true,
        ..Surroundings::default()
    };
    let mut client = Client::choose([mechanism], credentials, &surroundings).unwrap();
    let initial = client
        .initial()
        .map(|response| format!(" {}", wire::encode(&response)));
    let mut reply = lines.smtp(&format!("AUTH {mechanism}{}", initial.unwrap_or_default()));
    while let Some(challenge) = reply.strip_prefix("334 ") {
        let challenge = wire::decode(challenge.trim_end().as_bytes()).unwrap();
        let response = client.answer(&challenge);
        // An empty response is an empty line.
        lines.say(&response.map_or("*".to_owned(), |response| wire::encode(&response)));
        reply = lines.smtp("");
    }
    let is_believed = !reply.starts_with("235") || client.is_satisfied(None);
    assert!(is_believed, "the server has not shown that it knows the password");
    reply
}

fn try_everything(port: u16) {
    for mechanism in MECHANISMS {
        let right = login(port, mechanism, "student", "password");
        assert!(right.starts_with("235 2.7.0 "), "{mechanism}: {right}");
        for user in ["student", "nobody"] {
            let wrong = login(port, mechanism, user, "wrong");
            assert!(wrong.starts_with("535 5.7.8 "), "{mechanism} {user}: {wrong}");
        }
    }
}

/// The words after AUTH in the reply to EHLO, sorted.
fn offered(port: u16) -> Vec<String> {
    let mut lines = LineClient::connect(port);
    lines.line();
    let reply = lines.ask("EHLO client.example", |line| line.starts_with("250 "));
    let line = reply.iter().find_map(|line| line.get(4..)?.strip_prefix("AUTH "));
    let words = line.unwrap_or_default().split_whitespace();
    let mut words: Vec<String> = words.map(str::to_owned).collect();
    words.sort();
    words
}

fn sorted_mechanisms() -> Vec<String> {
    let mut names = MECHANISMS.map(str::to_owned).to_vec();
    names.sort();
    names
}

#[test]
fn debians_postfix_authenticates_through_our_socket() {
    let mut sandbox = Sandbox::start();
    // The program is nobody of importance when it makes it, and Postfix must come there.
    let directory = sandbox.scratch().join("sockets");
    fs::create_dir(&directory).unwrap();
    fs::set_permissions(&directory, fs::Permissions::from_mode(0o777)).unwrap();
    let socket = directory.join("auth");
    let port = free_port();
    let main_cf = format!(
        "myhostname = mail.example.test\nmydestination =\nsmtpd_sasl_auth_enable = yes\nsmtpd_sasl_type = dovecot\n\
         smtpd_sasl_path = {}\nsmtpd_error_sleep_time = 0\nsmtpd_relay_restrictions = permit_sasl_authenticated, reject\n",
        socket.display()
    );
    sandbox.append_to(
        "dovecot.conf",
        &format!(
            "auth_mechanisms = plain login cram-md5 scram-sha-256\nauth_failure_delay = 0\nauth_verbose = yes\n\
             service anvil {{\n  unix_listener anvil-auth-penalty {{\n    mode = 0\n  }}\n}}\n\
             service auth {{\n  unix_listener {} {{\n    mode = 0666\n  }}\n}}\n",
            socket.display()
        ),
    );
    let Some(postfix) = Postfix::start(&main_cf, &[(port, Vec::new())]) else {
        return;
    };
    sandbox.add_account("student", "password");
    sandbox.restart();
    let mode = fs::metadata(&socket).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o666);
    assert_eq!(offered(port), sorted_mechanisms(), "{}", postfix.log());
    try_everything(port);
    let refusals = || {
        let log = sandbox.log() + &sandbox.mailbox_log();
        log.matches("passwd-file(").count() + log.matches("auth(").count()
    };
    wait_for("the refusals in the log", || refusals() >= 2 * MECHANISMS.len());
}

#[test]
fn our_smtp_service_authenticates_through_debians_dovecot() {
    let root = tempfile::tempdir().unwrap();
    fs::set_permissions(root.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let socket = root.path().join("auth");
    let Some(_dovecot) = Dovecot::start(&[("student", "password")], &dovecot_conf(&socket)) else {
        return;
    };
    let mut sandbox = Sandbox::start();
    for (name, value) in [
        ("smtpd_sasl_auth_enable", "yes"),
        ("smtpd_sasl_type", "dovecot"),
        ("smtpd_sasl_path", &socket.display().to_string()),
        ("smtpd_tls_auth_only", "no"),
        ("smtpd_error_sleep_time", "0"),
    ] {
        sandbox.edit_main_cf(name, value);
    }
    sandbox.restart();
    let port = sandbox.ports().smtp;
    assert_eq!(offered(port), sorted_mechanisms());
    try_everything(port);
    // It is not our own account that counts.
    let own = login(port, "PLAIN", "alice", sandbox.password("alice"));
    assert!(own.starts_with("535 5.7.8 "), "{own}");
}

fn dovecot_conf(socket: &Path) -> String {
    format!(
        "auth_mechanisms = plain login cram-md5 scram-sha-256\n\
         service auth {{\n  unix_listener {} {{\n    mode = 0666\n  }}\n}}\n",
        socket.display()
    )
}

/// Asks on the sockets of the system that root runs, with Debian's `doveadm`: before and after the auth role was killed, and
/// after a reload that takes one socket away and brings another.
const SCRIPT: &str = "\
set -e
mount --bind ROOT/passwd /etc/passwd
mount --bind ROOT/group /etc/group
set +e
BINARY dovecot -c ROOT/yubin.conf -F </dev/null >ROOT/out 2>&1 &
ours=$!
pause() { read -t 0.05 never <> ROOT/fifo; kill -0 $ours; }
ask() {
  for password in password wrong; do
    timeout 20 /usr/bin/doveadm -c ROOT/debian.conf auth test -a $1 student $password > ROOT/said 2>&1
    echo \"$2 $password $?\"
  done
}
role() {
  for process in $(cat /proc/$ours/task/*/children); do
    if tr '\\0' ' ' < /proc/$process/cmdline | grep -q 'role auth'; then echo $process; fi
  done
}
until [ -S ROOT/auth ] && [ -n \"$(role)\" ]; do pause || break; done
stat -c '%U:%G %a' ROOT/auth ROOT/auth-userdb
ask ROOT/auth first
timeout 20 /usr/bin/doveadm -c ROOT/debian.conf auth lookup -a ROOT/auth-userdb student > /dev/null 2>&1
before=$(role)
echo \"root: $(grep -c '^Uid:.*\\b0\\b' /proc/$before/status)\"
kill -9 $before
until [ -n \"$(role)\" ] && [ \"$(role)\" != $before ]; do pause || break; done
ask ROOT/auth killed
sed -i s,ROOT/auth-userdb,ROOT/new-auth, ROOT/yubin.conf
kill -HUP $ours
until [ -S ROOT/new-auth ] && [ ! -e ROOT/auth-userdb ]; do pause || break; done
ask ROOT/new-auth new
ask ROOT/auth old
kill $ours
wait $ours
echo \"end $?\"
";

#[test]
fn the_sockets_of_the_system_outlive_the_auth_role_and_follow_a_reload() {
    for (program, package) in [
        ("/usr/bin/doveadm", "dovecot-core"),
        ("/usr/bin/unshare", "util-linux"),
    ] {
        if !system_tests::has_program(program, package) {
            return;
        }
    }
    let may = || program::run(Command::new("unshare").args(["-m", "true"]), b"").code == Some(0);
    if !rustix::process::geteuid().is_root() || !may() {
        return system_tests::skip("root, for a mount namespace");
    }
    let root = tempfile::tempdir().unwrap();
    let own = root.path().display().to_string();
    fs::set_permissions(root.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let write =
        |name: &str, text: &str| fs::write(root.path().join(name), text.replace("ROOT", &own)).unwrap();
    let lines = |file: &str, more: &str| fs::read_to_string(file).unwrap() + more;
    let user = "yubin:x:2009:2009::/nonexistent:/usr/sbin/nologin\nsmith:x:2010:2010::/nonexistent:/bin/sh\n";
    write("passwd", &lines("/etc/passwd", user));
    write("group", &lines("/etc/group", "yubin:x:2009:\nsmith:x:2010:\n"));
    write("users", "student:{PLAIN}password:65534:65534::/nonexistent\n");
    write("debian.conf", "log_path = ROOT/debian.log\nssl = no\n");
    let port = free_port();
    write(
        "yubin.conf",
        &format!(
            "base_dir = ROOT/run\nlog_path = ROOT/log\nprotocols = imap\nlisten = 127.0.0.1\nssl = no\nauth_failure_delay = 0\n\
             passdb {{\n  driver = passwd-file\n  args = ROOT/users\n}}\nuserdb {{\n  driver = passwd-file\n  args = ROOT/users\n}}\n\
             service imap-login {{\n  inet_listener imap {{\n    port = {port}\n  }}\n  inet_listener imaps {{\n    port = 0\n  }}\n}}\n\
             service auth {{\n  unix_listener ROOT/auth {{\n    mode = 0640\n    user = smith\n    group = yubin\n  }}\n  \
             unix_listener ROOT/auth-userdb {{\n    mode = 0600\n  }}\n}}\n"
        ),
    );
    fs::create_dir(root.path().join("run")).unwrap();
    program::run(Command::new("mkfifo").arg(root.path().join("fifo")), b"").success();
    write(
        "script",
        &SCRIPT.replace("BINARY", &system_tests::binary().display().to_string()),
    );
    let mut command = Command::new("unshare");
    command.args(["-m", "bash"]).arg(root.path().join("script"));
    let done = program::run(&mut command, b"");
    let log = fs::read_to_string(root.path().join("log")).unwrap_or_default();
    let out = fs::read_to_string(root.path().join("out")).unwrap_or_default();
    let said: Vec<&str> = done.stdout.lines().collect();
    assert_eq!(
        said,
        [
            "smith:yubin 640",
            "root:root 600",
            "first password 0",
            "first wrong 77",
            "root: 0",
            "killed password 0",
            "killed wrong 77",
            "new password 0",
            "new wrong 77",
            "old password 0",
            "old wrong 77",
            "end 0",
        ],
        "{done}\n{out}\n{log}"
    );
}
