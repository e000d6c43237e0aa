//! The processes of the roles: what they may not do, what is left when one is killed, when they end, how a reload reaches
//! them, and what five hundred users cost.

use crate::crowd;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use system_tests::lines::LineClient;
use system_tests::users::{self, Host, Kind, Scenario, Service};
use system_tests::{has_program, program, wait_for, wait_for_value};

/// Where IMAP is served.
const IMAP: u16 = 143;
/// How long mail is pushed in while roles are killed.
const PUSHING: Duration = Duration::from_secs(8);
/// How many users come at once.
const CROWD: u32 = 500;

pub(crate) const DOVECOT: &str = "\
protocols = imap
listen = 127.0.0.1
ssl = no
disable_plaintext_auth = no
log_path = /var/log/mail.log
mail_location = mbox:~/mail:INBOX=/var/mail/%u
default_idle_kill = 1s
auth_failure_delay = 0
mail_max_userip_connections = 0
passdb {
  driver = static
  args = password=pw
}
userdb {
  driver = passwd
}
service imap-login {
  inet_listener imap {
    port = 143
  }
}
";

#[track_caller]
fn inside(task: &str) -> Option<users::Told> {
    users::can_make_hosts().then(|| users::run_in_host("roles::inside_the_host", task))
}

#[test]
fn a_role_can_do_what_it_is_for_and_nothing_else() {
    let Some(told) = inside("truth") else { return };
    for (role, its_work) in [("front", &["connect\tdone"][..]), ("agent", &[])] {
        let lines = &told[role];
        assert_eq!(lines.lines().count(), 7, "{lines}");
        let done: Vec<&str> = lines.lines().filter(|line| line.ends_with("\tdone")).collect();
        assert_eq!(done, its_work, "{role}");
    }
    // The attempts would succeed where they may: the owner's own agent opens the mailbox.
    let own = &told["owner"];
    for attempt in ["read another's mailbox\tdone", "write another's mailbox\tdone"] {
        assert!(own.lines().any(|line| line == attempt), "{own}");
    }
}

#[test]
fn sessions_go_on_when_other_roles_are_killed() {
    inside("sessions");
}

#[test]
fn what_was_acknowledged_arrives_whoever_is_killed() {
    if let Some(told) = inside("killed") {
        println!("{}", told["figures"]);
    }
}

#[test]
fn agents_end_when_nobody_needs_them() {
    inside("idle");
}

#[test]
fn a_reload_binds_and_refuses_and_drops_nobody() {
    inside("reload");
}

#[test]
fn what_is_in_the_way_of_a_role_is_in_the_log() {
    inside("trouble");
}

#[test]
fn a_configuration_over_the_limit_of_frames_is_served() {
    inside("large");
}

#[test]
fn a_certificate_is_enough_for_the_auth_role() {
    if has_program("/usr/bin/openssl", "openssl") {
        inside("certificate");
    }
}

#[test]
fn five_hundred_users_get_and_read_mail() {
    if let Some(told) = inside("crowd") {
        println!("{}", told["figures"]);
    }
}

/// The second test.
#[test]
#[ignore = "run by the others in a host of its own"]
fn inside_the_host() {
    let Some(task) = users::task() else { return };
    let host = Host::make();
    let scenario = Scenario::parse("scenario roles: processes\nset smtpd_recipient_limit = 1000\n");
    let scenario = scenario.unwrap().remove(0);
    host.furnish(&scenario);
    fs::write("/etc/yubin/dovecot.conf", DOVECOT).unwrap();
    match task.as_str() {
        "crowd" => crowd::make(CROWD),
        "certificate" => make_certificates(),
        "trouble" => fs::write("/etc/transports", "alice local\nalice local\n").unwrap(),
        _ => {}
    }
    let mut service = Service::start(Kind::Yubin, &host, &scenario);
    match task.as_str() {
        "truth" => truth(&host),
        "sessions" => sessions(&service),
        "killed" => killed(&service),
        "idle" => idle(&service),
        "reload" => reload(&host, &service),
        "large" => large(&host),
        "trouble" => trouble(&host, &service),
        "crowd" => crowd(&service),
        "certificate" => certificate(),
        other => panic!("there is no task {other}"),
    }
    service.stop();
}

/// An authority that is the server too, and a certificate of alice's, which root alone can read.
fn make_certificates() {
    let directory = Path::new("/etc/yubin/tls");
    fs::create_dir_all(directory).unwrap();
    fs::set_permissions(directory, fs::Permissions::from_mode(0o700)).unwrap();
    let key = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes";
    for arguments in [
        format!("req -x509 -days 2 {key} -subj /CN=ours -keyout ca.key -out ca.pem"),
        format!("req {key} -subj /CN=alice -addext extendedKeyUsage=clientAuth -keyout alice.key -out alice.csr"),
        "x509 -req -days 2 -copy_extensions copyall -in alice.csr -CA ca.pem -CAkey ca.key -CAcreateserial -out alice.pem"
            .to_owned(),
    ] {
        let mut command = Command::new("/usr/bin/openssl");
        command.args(arguments.split(' ')).current_dir(directory);
        program::run(&mut command, b"").success();
    }
    let tls = DOVECOT
        .replace(
            "ssl = no",
            "ssl = yes\nssl_cert = </etc/yubin/tls/ca.pem\nssl_key = </etc/yubin/tls/ca.key",
        )
        .replace("args = password=pw", "args = nopassword=y")
        .replace(
            "service imap-login {",
            "service imap-login {\n  inet_listener imaps {\n    port = 993\n    ssl = yes\n  }",
        );
    let clients = "ssl_ca = </etc/yubin/tls/ca.pem\nssl_require_crl = no\nauth_mechanisms = external\n\
                   auth_ssl_username_from_cert = yes\nauth_ssl_require_client_cert = yes\n";
    fs::write("/etc/yubin/dovecot.conf", format!("{tls}{clients}")).unwrap();
}

/// The front sees the certificate, the auth role believes it, an agent serves its user.
fn certificate() {
    let ask = |card: &[&str]| {
        let mut command = Command::new("/usr/bin/openssl");
        command.args(["s_client", "-quiet", "-crlf", "-connect", "127.0.0.1:993"]);
        command.args(card).current_dir("/etc/yubin/tls");
        let lines = b"a AUTHENTICATE EXTERNAL =\nb SELECT INBOX\nc LOGOUT\n";
        program::run(&mut command, lines).stdout
    };
    let said = ask(&["-cert", "alice.pem", "-key", "alice.key"]);
    assert!(said.contains("\na OK ") && said.contains("\nb OK "), "{said}");
    assert_eq!(find("agent", Some(2001)).len(), 1, "alice's agent");
    let said = ask(&[]);
    assert!(!said.contains("\na OK ") && said.contains("\nc OK "), "{said}");
}

/// Tells what each role could do.
fn truth(host: &Host) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    fs::write("/var/mail/bob", "From a\n").unwrap();
    chown("/var/mail/bob", Some(2002), Some(8)).unwrap();
    fs::set_permissions("/var/mail/bob", fs::Permissions::from_mode(0o600)).unwrap();
    for (name, role, id) in [
        ("front", "front", "990"),
        ("agent", "agent", "2001"),
        ("owner", "agent", "2002"),
    ] {
        let mut command = Command::new(host.program());
        command.args([
            "role",
            "truth",
            role,
            id,
            id,
            "/etc/yubin",
            "/var/mail/bob",
            &port,
        ]);
        let done = command.output().unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        users::print_block(name, &String::from_utf8_lossy(&done.stdout));
    }
}

/// Kills one role after the other beside sessions that have nothing to do with it.
fn sessions(service: &Service) {
    let mut alice = Imap::log_in("alice");
    let mut bob = Imap::log_in("bob");
    // From their answers on, the sessions are with their agents.
    alice.ask("NOOP");
    bob.ask("NOOP");
    for role in ["front", "auth"] {
        let old = only(role, None);
        kill(old);
        wait_for("the role to be started again", || {
            find(role, None).iter().any(|pid| *pid != old)
        });
        alice.ask("NOOP");
        bob.ask("NOOP");
        // A new session needs all of them.
        wait_for("a new session", || Imap::try_log_in("carol").is_some());
    }
    kill(only("agent", Some(2002)));
    assert!(bob.is_cut_off(), "the session went with its agent");
    alice.ask("NOOP");
    Imap::log_in("bob").ask("SELECT INBOX");
    assert!(
        service.log().contains("role auth: killed by signal 9"),
        "the log tells of it"
    );
    outage(service);
}

/// Mail waits for an auth role that is away for a while, and no longer.
fn outage(service: &Service) {
    // Killed again and again, it is started again later and later: in the end after seconds.
    for _ in 0..6 {
        let pid = only("auth", None);
        kill(pid);
        wait_for("the end of the auth role", || !find("auth", None).contains(&pid));
    }
    send("outage", &["alice@sandbox.test".to_owned()]).unwrap();
    wait_for("the mail", || subjects().contains_key("outage"));
    let log = service.log();
    for told in [
        "the auth service does not answer",
        ": delivery was interrupted by",
    ] {
        assert!(log.contains(told), "{told}: {log}");
    }
}

/// Pushes mail in while roles are killed at random; everything that was acknowledged must arrive.
fn killed(service: &Service) {
    let stop = Arc::new(AtomicBool::new(false));
    let pushers: Vec<_> = (0..4)
        .map(|number| {
            let stop = Arc::clone(&stop);
            std::thread::spawn(move || push(number, &stop))
        })
        .collect();
    let (mut kills, began) = (BTreeMap::<&str, u32>::new(), Instant::now());
    let mut turn = 0_usize;
    while began.elapsed() < PUSHING {
        let role = ["agent", "front", "agent", "auth"][turn % 4];
        turn += 1;
        std::thread::park_timeout(Duration::from_millis(170 + 37 * (turn as u64 % 7)));
        if let Some(pid) = find(role, None).first() {
            kill(*pid);
            *kills.entry(role).or_default() += 1;
        }
    }
    stop.store(true, Ordering::SeqCst);
    let acknowledged: Vec<String> = pushers
        .into_iter()
        .flat_map(|pusher| pusher.join().unwrap())
        .collect();
    assert!(acknowledged.len() > 20, "{} is no load", acknowledged.len());
    assert!(kills.values().sum::<u32>() > 10, "{kills:?}");
    // What an agent was at when it was killed is tried again soon, without being asked for.
    let missing = || {
        let arrived = subjects();
        let missing: Vec<String> = acknowledged
            .iter()
            .filter(|subject| !arrived.contains_key(*subject))
            .cloned()
            .collect();
        missing
    };
    wait_for("everything to arrive", || missing().is_empty());
    assert!(
        service.log().contains("delivery was interrupted by a service"),
        "the log tells of it"
    );
    let twice = subjects().values().filter(|count| **count > 1).count();
    let figures = format!(
        "{} messages acknowledged, all there, {twice} of them more than once; killed: {kills:?}",
        acknowledged.len()
    );
    users::print_block("figures", &figures);
}

/// Sends mail to three users in turn until told to stop; gives the subjects that were acknowledged.
fn push(pusher: u32, stop: &AtomicBool) -> Vec<String> {
    let mut acknowledged = Vec::new();
    let mut number = 0_u32;
    while !stop.load(Ordering::SeqCst) {
        let subject = format!("killed-{pusher}-{number}");
        let user = ["alice", "bob", "carol"][number as usize % 3];
        number += 1;
        if send(&subject, &[format!("{user}@sandbox.test")]).is_some() {
            acknowledged.push(subject);
        }
    }
    acknowledged
}

/// Sends one message; `None` when it was not acknowledged.
pub(crate) fn send(subject: &str, recipients: &[String]) -> Option<()> {
    let mut client = LineClient::try_connect(25).ok()?;
    let mut ask = |line: &str, code: &str| -> Option<()> {
        if !line.is_empty() {
            client.try_send(format!("{line}\r\n").as_bytes()).ok()?;
        }
        client.try_line().ok()??.starts_with(code).then_some(())
    };
    ask("", "220")?;
    ask("HELO test", "250")?;
    ask("MAIL FROM:<sender@sandbox.test>", "250")?;
    for recipient in recipients {
        ask(&format!("RCPT TO:<{recipient}>"), "250")?;
    }
    ask("DATA", "354")?;
    ask(&format!("Subject: {subject}\r\n\r\nhello\r\n."), "250")
}

/// Configurations that cannot be, and a front that cannot start.
fn trouble(host: &Host, service: &Service) {
    let reload = || {
        let mut command = Command::new(host.program());
        command.args(["postfix", "-c", "/etc/yubin", "reload"]);
        program::run(&mut command, b"")
    };
    let main = fs::read_to_string("/etc/yubin/main.cf").unwrap();
    let hangup = || {
        let pid = Pid::from_raw(i32::try_from(service.pid()).unwrap()).unwrap();
        kill_process(pid, Signal::HUP).unwrap();
    };
    for (more, why) in [
        ("mail_owner = not-here", "mail_owner: there is no user not-here"),
        (
            "default_privs = not-here",
            "default_privs: there is no user not-here",
        ),
        (
            "default_privs = root",
            "default_privs: root has the rights of root",
        ),
        (
            "smtp_tls_security_level = may\nsmtp_tls_CAfile = /etc/not-here.pem",
            "cannot read CA certificates /etc/not-here.pem",
        ),
    ] {
        fs::write("/etc/yubin/main.cf", format!("{main}{more}\n")).unwrap();
        let done = reload();
        assert!(
            done.code != Some(0) && done.stderr.contains(why),
            "{more}: {done:?}"
        );
        let mut command = Command::new(host.program());
        command.args(["doveadm", "-c", "/etc/yubin/dovecot.conf", "reload"]);
        let done = program::run(&mut command, b"");
        assert!(
            done.code != Some(0) && done.stderr.contains(why),
            "doveadm: {more}: {done:?}"
        );
        let told = || service.log().matches(why).count();
        assert!(told() > 0, "{more}: {}", service.log());
        let before = told();
        hangup();
        wait_for("the refusal in the log", || told() > before);
    }
    // A FIFO is not waited for.
    fs::remove_file("/etc/yubin/main.cf").unwrap();
    program::run(Command::new("mkfifo").arg("/etc/yubin/main.cf"), b"").success();
    hangup();
    wait_for("the refusal of a FIFO", || {
        service
            .log()
            .contains("cannot read /etc/yubin/main.cf: it is not a regular file")
    });
    // Warnings of tables are told once, by who asks them.
    fs::remove_file("/etc/yubin/main.cf").unwrap();
    fs::write(
        "/etc/yubin/main.cf",
        format!("{main}mailbox_transport_maps = texthash:/etc/transports\n"),
    )
    .unwrap();
    reload().success();
    send("one", &["bob@sandbox.test".to_owned()]).unwrap();
    send("two", &["carol@sandbox.test".to_owned()]).unwrap();
    wait_for("the mail", || {
        subjects().contains_key("one") && subjects().contains_key("two")
    });
    let log = service.log();
    let warnings: Vec<&str> = log
        .lines()
        .filter(|line| line.contains("/etc/transports"))
        .collect();
    assert!(
        warnings.len() == 1 && warnings[0].contains("postfix/local[") && warnings[0].contains("]: warning: "),
        "{warnings:?}"
    );
    // Where the front would have its socket for commands, there is a directory that is not empty.
    let socket = Path::new("/var/spool/postfix/public/control");
    fs::remove_file(socket).unwrap();
    fs::create_dir_all(socket.join("in-the-way")).unwrap();
    kill(only("front", None));
    wait_for("the reason in the log", || {
        let log = service.log();
        log.lines().any(|line| {
            line.contains("postfix/master[")
                && line.contains("of role front cannot serve: cannot make the control socket")
        })
    });
    fs::remove_dir_all(socket).unwrap();
    wait_for("the front to serve again", || {
        send("three", &["bob@sandbox.test".to_owned()]).is_some()
    });
}

/// How often each subject is in a mailbox.
fn subjects() -> BTreeMap<String, u32> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir("/var/mail").unwrap().flatten() {
        let text = fs::read(entry.path()).unwrap_or_default();
        for line in String::from_utf8_lossy(&text).lines() {
            if let Some(subject) = line.strip_prefix("Subject: ") {
                *found.entry(subject.to_owned()).or_default() += 1;
            }
        }
    }
    found
}

fn idle(service: &Service) {
    for round in ["idle-1", "idle-2"] {
        send(round, &["alice@sandbox.test".to_owned()]).unwrap();
        wait_for("the mail to arrive", || subjects().contains_key(round));
        let mut session = Imap::log_in("alice");
        session.ask("SELECT INBOX");
        assert_eq!(find("agent", Some(2001)).len(), 1, "one agent for both");
        session.ask("LOGOUT");
        wait_for("the agent to end", || find("agent", None).is_empty());
    }
    let log = service.log();
    assert!(!log.contains("role agent:"), "nobody died: {log}");
}

fn reload(host: &Host, service: &Service) {
    let mut alice = Imap::log_in("alice");
    let master = fs::read_to_string("/etc/yubin/master.cf").unwrap();
    fs::write(
        "/etc/yubin/master.cf",
        format!("{master}2526 inet n - n - - smtpd -o smtpd_banner=second\n"),
    )
    .unwrap();
    let postfix = |word: &str| {
        let mut command = Command::new(host.program());
        command
            .args(["postfix", "-c", "/etc/yubin", word])
            .output()
            .unwrap()
    };
    assert!(postfix("reload").status.success());
    wait_for("the new port", || LineClient::try_connect(2526).is_ok());
    assert_eq!(LineClient::connect(2526).line(), "220 second");
    alice.ask("NOOP");
    // A mistake changes nothing.
    let main = fs::read_to_string("/etc/yubin/main.cf").unwrap();
    fs::write("/etc/yubin/main.cf", format!("{main}mynetworks = 10.0.0.0/33\n")).unwrap();
    assert!(!postfix("reload").status.success());
    let pid = Pid::from_raw(i32::try_from(service.pid()).unwrap()).unwrap();
    let refused = || service.log().matches("has errors, the old one stays").count();
    let before = refused();
    kill_process(pid, Signal::HUP).unwrap();
    wait_for("the refusal", || refused() > before);
    assert_eq!(LineClient::connect(2526).line(), "220 second");
    // Another queue waits for the next start; a front that is started again finds the one that is in use.
    fs::write(
        "/etc/yubin/main.cf",
        format!("{main}queue_directory = /var/spool/other\n"),
    )
    .unwrap();
    kill_process(pid, Signal::HUP).unwrap();
    let is_told = || service.log().contains("queue_directory has changed");
    wait_for("the warning", is_told);
    kill(only("front", None));
    wait_for("the front", || {
        send("again", &["bob@sandbox.test".to_owned()]).is_some()
    });
    // What is taken away again is served no more, and agents learn of settings as well.
    fs::write("/etc/yubin/main.cf", format!("{main}home_mailbox = Maildir/\n")).unwrap();
    fs::write("/etc/yubin/master.cf", master).unwrap();
    assert!(postfix("reload").status.success());
    wait_for("the port to close", || LineClient::try_connect(2526).is_err());
    send("after", &["alice@sandbox.test".to_owned()]).unwrap();
    wait_for("the mail in the Maildir", || {
        Path::new("/home/alice/Maildir/new").is_dir()
    });
    alice.ask("NOOP");
    alice.ask("LOGOUT");
}

/// 6000 networks in 20 rows: said once for each row, they would be over 20 MB.
fn large(host: &Host) {
    let networks: String = (0..6000)
        .map(|number| format!("  10.{}.{}.0/24\n", number / 256, number % 256))
        .collect();
    let main = fs::read_to_string("/etc/yubin/main.cf").unwrap();
    fs::write("/etc/yubin/main.cf", format!("{main}mynetworks =\n{networks}")).unwrap();
    let rows: String = (2600..2620)
        .map(|port| format!("{port} inet n - n - - smtpd -o smtpd_banner=row-{port}\n"))
        .collect();
    let master = fs::read_to_string("/etc/yubin/master.cf").unwrap();
    fs::write("/etc/yubin/master.cf", format!("{master}{rows}")).unwrap();
    let mut command = Command::new(host.program());
    command.args(["postfix", "-c", "/etc/yubin", "reload"]);
    assert!(command.output().unwrap().status.success());
    wait_for("the new port", || LineClient::try_connect(2619).is_ok());
    assert_eq!(LineClient::connect(2619).line(), "220 row-2619");
    // A front that starts gets it as well.
    kill(only("front", None));
    wait_for("the front", || {
        LineClient::try_connect(2600).is_ok_and(|mut client| client.line() == "220 row-2600")
    });
}

fn crowd(service: &Service) {
    let memory_before = memory_kib(service);
    let addresses: Vec<String> = (0..CROWD)
        .map(|number| format!("{}@sandbox.test", crowd::user(number)))
        .collect();
    let began = Instant::now();
    for part in addresses.chunks(50) {
        send("crowd", part).unwrap();
    }
    let is_there = |number: u32| {
        fs::metadata(format!("/var/mail/{}", crowd::user(number))).is_ok_and(|file| file.len() > 0)
    };
    wait_for("everybody's mail", || (0..CROWD).all(is_there));
    let delivered = began.elapsed();
    wait_for("the agents to end", || find("agent", None).is_empty());
    let mut answers = Vec::new();
    let mut sessions = Vec::new();
    for number in 0..CROWD {
        let began = Instant::now();
        let mut session = Imap::log_in(&crowd::user(number));
        let lines = session.ask("SELECT INBOX");
        answers.push(began.elapsed());
        assert!(lines.iter().any(|line| line == "* 1 EXISTS"), "{lines:?}");
        sessions.push(session);
    }
    let agents = find("agent", None).len();
    assert_eq!(agents, CROWD as usize, "one for each");
    let memory = memory_kib(service);
    for mut session in sessions {
        session.ask("LOGOUT");
    }
    wait_for("the agents to end", || find("agent", None).is_empty());
    answers.sort();
    let figures = format!(
        "{CROWD} users: all mail delivered after {:.1} s; from connecting to the answer to SELECT with a new agent: median {:.1} ms, \
         worst {:.1} ms; memory (PSS) before {:.1} MiB, with {agents} agents and sessions {:.1} MiB ({:.2} MiB each)",
        delivered.as_secs_f64(),
        answers[answers.len() / 2].as_secs_f64() * 1e3,
        answers[answers.len() - 1].as_secs_f64() * 1e3,
        memory_before as f64 / 1024.0,
        memory as f64 / 1024.0,
        memory.saturating_sub(memory_before) as f64 / 1024.0 / f64::from(CROWD),
    );
    users::print_block("figures", &figures);
}

/// The proportional set size of the service's processes, in KiB.
fn memory_kib(service: &Service) -> u64 {
    let roles = ["front", "auth", "agent"]
        .into_iter()
        .flat_map(|role| find(role, None));
    let processes: BTreeSet<u32> = roles.chain([service.pid()]).collect();
    let of = |pid: &u32| {
        let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap_or_default();
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix("Pss:").map(str::to_owned));
        line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok())
            .unwrap_or(0)
    };
    processes.iter().map(of).sum()
}

/// The processes of a role, of one user or of all.
pub(crate) fn find(role: &str, uid: Option<u32>) -> Vec<u32> {
    let wanted = format!("yubin\0role\0{role}\0");
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        let Some(pid) = entry
            .file_name()
            .to_str()
            .and_then(|name| name.parse::<u32>().ok())
        else {
            continue;
        };
        // Processes end while they are looked at.
        let command = fs::read_to_string(entry.path().join("cmdline")).unwrap_or_default();
        let status = fs::read_to_string(entry.path().join("status")).unwrap_or_default();
        let owner = status.lines().find_map(|line| line.strip_prefix("Uid:"));
        let owner = owner.and_then(|ids| ids.split_whitespace().next()?.parse().ok());
        if command == wanted && (uid.is_none() || owner == uid) {
            found.push(pid);
        }
    }
    found
}

#[track_caller]
fn only(role: &str, uid: Option<u32>) -> u32 {
    wait_for_value("the process of a role", || find(role, uid).first().copied())
}

fn kill(pid: u32) {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
    // It may have ended by itself.
    let _ = pid.map(|pid| kill_process(pid, Signal::KILL));
}

/// A client that has logged in.
pub(crate) struct Imap(LineClient);

impl Imap {
    #[track_caller]
    pub(crate) fn log_in(user: &str) -> Imap {
        Imap::try_log_in(user).expect("a log-in")
    }

    fn try_log_in(user: &str) -> Option<Imap> {
        let mut client = LineClient::try_connect(IMAP).ok()?;
        client.try_line().ok()??;
        client
            .try_send(format!("a LOGIN {user} pw\r\n").as_bytes())
            .ok()?;
        loop {
            let line = client.try_line().ok()??;
            if line.starts_with("a ") {
                return line.starts_with("a OK").then_some(Imap(client));
            }
        }
    }

    /// Says a command; its answer, which must be OK.
    #[track_caller]
    pub(crate) fn ask(&mut self, command: &str) -> Vec<String> {
        let lines = self.0.ask(&format!("b {command}"), |line| line.starts_with("b "));
        let last = lines.last().cloned().unwrap_or_default();
        assert!(last.starts_with("b OK"), "{command}: {lines:?}");
        lines
    }

    /// Appends a message to INBOX.
    #[track_caller]
    pub(crate) fn append(&mut self, message: &str) {
        self.ask(&format!("APPEND INBOX {{{}+}}\r\n{message}", message.len()));
    }

    fn is_cut_off(&mut self) -> bool {
        matches!(self.0.try_line(), Ok(None) | Err(_))
    }
}
