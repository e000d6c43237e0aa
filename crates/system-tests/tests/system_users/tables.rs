//! Lookup tables that only root may read, as Postfix's administrators have them, and tables in directories that a reload names: the
//! roles that may not open them get them all the same. Beside it: what a start makes of `data_directory`.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::Command;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use system_tests::users::{self, Host, Kind, Scenario, Service};
use system_tests::{program, wait_for};

use crate::roles::send;

/// Passwords for the first relay are in a database in a directory that is closed, for the second in a text that is closed itself.
const SCENARIO: &str = "\
scenario tables: only root may read them
set smtp_sasl_auth_enable = yes
set smtp_sasl_security_options =
set smtp_sasl_password_maps = hash:/etc/closed/hashed, texthash:/etc/secrets/text
set smtp_connection_cache_on_demand = no
set virtual_alias_maps = texthash:/etc/closed/virtual
set mailbox_command_maps = texthash:/etc/closed/commands
set yubin_sendmail_directory = /etc/mail
";
const RELAYS: [&str; 2] = ["127.0.0.3", "127.0.0.4"];
/// As long is a relay waited for.
const PATIENCE: Duration = Duration::from_secs(30);

#[test]
fn tables_that_only_root_may_read_are_used_and_seen_to_change() {
    if users::can_make_hosts() {
        users::run_in_host("tables::inside_the_host", "tables");
    }
}

/// The second test.
#[test]
#[ignore = "run by the other in a host of its own"]
fn inside_the_host() {
    if users::task().is_none() {
        return;
    }
    let host = Host::make();
    let scenario = Scenario::parse(SCENARIO).unwrap().remove(0);
    host.furnish(&scenario);
    for (directory, mode) in [
        ("/etc/closed", 0o700),
        ("/etc/secrets", 0o755),
        ("/srv/new", 0o755),
        ("/etc/mail", 0o755),
    ] {
        fs::create_dir_all(directory).unwrap();
        allow(directory, mode);
    }
    write("/etc/closed/virtual", "sales@sandbox.test alice@sandbox.test\n");
    write("/etc/closed/commands", "carol /bin/cat >/srv/out/carol\n");
    write(
        "/etc/mail/access",
        "To:refused@sandbox.test ERROR:5.7.1:\"550 not him\"\n",
    );
    write("/etc/mail/virtusertable", "info@sandbox.test alice\n");
    put_passwords(&host, "first");
    let (sender, logins) = channel();
    for relay in RELAYS {
        let listener = TcpListener::bind((relay, 25)).unwrap();
        let sender = sender.clone();
        std::thread::spawn(move || relay_mail(&listener, relay, &sender));
    }
    let data = Path::new("/var/lib/yubin");
    let _ = fs::remove_dir_all(data);
    fs::create_dir(data).unwrap();
    let mut service = Service::start(Kind::Yubin, &host, &scenario);
    assert_eq!(
        data.metadata().unwrap().uid(),
        990,
        "the start gives data_directory"
    );
    let checked = service.run("postfix", &["-c", "/etc/yubin", "check"]);
    assert!(!checked.stdout.contains("cannot open"), "{checked:?}");

    logs_in(&logins, "first");
    // Others take the places of those that are open.
    put_passwords(&host, "second");
    logs_in(&logins, "second");

    send("aliased", &["sales@sandbox.test".to_owned()]).unwrap();
    wait_for("mail for an alias", || {
        reads("/var/mail/alice").contains("Subject: aliased")
    });
    send("commanded", &["carol@sandbox.test".to_owned()]).unwrap();
    wait_for("mail for a command", || {
        reads("/srv/out/carol").contains("Subject: commanded")
    });

    send("to all", &["info@sandbox.test".to_owned()]).unwrap();
    wait_for("mail by Sendmail's table", || {
        reads("/var/mail/alice").contains("Subject: to all")
    });
    assert!(send("refused", &["refused@sandbox.test".to_owned()]).is_none());
    wait_for("the reason of Sendmail's table", || {
        service.log().contains("550 5.7.1")
    });

    reload_names_a_directory(&host, &logins);
    let log = service.log();
    for wrong in ["Permission denied", "which is the file of no table"] {
        assert!(!log.contains(wrong), "{wrong}: {log}");
    }
    service.stop();
}

/// A front that has locked itself in gets at tables in a directory that it did not know of: one that everybody may read, and one
/// that nobody may.
fn reload_names_a_directory(host: &Host, logins: &Receiver<String>) {
    write("/srv/new/transports", "elsewhere.test smtp:[127.0.0.3]\n");
    allow("/srv/new/transports", 0o644);
    write("/srv/new/domains", "new.test x\n");
    let main = fs::read_to_string("/etc/yubin/main.cf").unwrap();
    let more =
        "transport_maps = texthash:/srv/new/transports\nvirtual_alias_domains = texthash:/srv/new/domains\n";
    fs::write("/etc/yubin/main.cf", format!("{main}{more}")).unwrap();
    let mut command = Command::new(host.program());
    command.args(["postfix", "-c", "/etc/yubin", "reload"]);
    program::run(&mut command, b"").success();
    // The front takes its new services up a little later: then it has the domain, and no such user.
    wait_for("the new services", || {
        send("probe", &["nobody@new.test".to_owned()]).is_none()
    });
    send("routed", &["u@elsewhere.test".to_owned()]).unwrap();
    let login = logins.recv_timeout(PATIENCE).expect("a login at the relay");
    assert_eq!(login, "127.0.0.3 second-hashed");
}

/// Passwords of that round in both tables, each put in the place of the one before.
fn put_passwords(host: &Host, round: &str) {
    write("/etc/closed/new", &format!("[127.0.0.3] us:{round}-hashed\n"));
    let mut command = Command::new(host.program());
    command.args(["postmap", "hash:/etc/closed/new"]);
    program::run(&mut command, b"").success();
    assert_eq!(fs::metadata("/etc/closed/new.db").unwrap().mode() & 0o777, 0o600);
    write("/etc/secrets/new", &format!("[127.0.0.4] us:{round}-text\n"));
    for (new, name) in [
        ("/etc/closed/new", "/etc/closed/hashed"),
        ("/etc/closed/new.db", "/etc/closed/hashed.db"),
        ("/etc/secrets/new", "/etc/secrets/text"),
    ] {
        fs::rename(new, name).unwrap();
    }
}

/// Mail for both relays is sent with the passwords of that round.
fn logs_in(logins: &Receiver<String>, round: &str) {
    for (relay, table) in RELAYS.iter().zip(["hashed", "text"]) {
        send(round, &[format!("u@[{relay}]")]).unwrap();
        let login = logins.recv_timeout(PATIENCE).expect("a login at the relay");
        assert_eq!(login, format!("{relay} {round}-{table}"));
    }
}

/// Takes all mail of who logs in, and tells with which password: one connection after the other.
fn relay_mail(listener: &TcpListener, name: &str, logins: &Sender<String>) {
    use base64::Engine;
    for stream in listener.incoming().map_while(Result::ok) {
        let mut stream = BufReader::new(stream);
        let mut reply = "220 relay.test ESMTP";
        let mut is_content = false;
        loop {
            if !reply.is_empty() {
                let _ = stream.get_mut().write_all(format!("{reply}\r\n").as_bytes());
            }
            let mut line = String::new();
            if !matches!(stream.read_line(&mut line), Ok(count) if count > 0) {
                break;
            }
            let line = line.trim_end();
            reply = match line.split(' ').next().unwrap_or_default() {
                "." if is_content => {
                    is_content = false;
                    "250 2.0.0 taken"
                }
                _ if is_content => "",
                "EHLO" => "250-relay.test\r\n250 AUTH PLAIN",
                "AUTH" => {
                    let word = line.rsplit(' ').next().unwrap_or_default();
                    let said = base64::engine::general_purpose::STANDARD.decode(word).unwrap();
                    let said = String::from_utf8(said).unwrap();
                    let password = said.rsplit('\0').next().unwrap_or_default();
                    // Who waits for it may have gone.
                    let _ = logins.send(format!("{name} {password}"));
                    "235 2.7.0 welcome"
                }
                "DATA" => {
                    is_content = true;
                    "354 go"
                }
                "QUIT" => "221 2.0.0 bye",
                _ => "250 2.0.0 ok",
            };
        }
    }
}

/// A file that only root may read.
fn write(path: &str, text: &str) {
    fs::write(path, text).unwrap();
    allow(path, 0o600);
}

fn allow(path: &str, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

fn reads(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default()
}
