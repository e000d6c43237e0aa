//! What it costs that a session goes on in another process: IMAP over TLS, the roles as processes beside `--single`.

use std::fs;
use std::os::unix::fs::chown;
use std::path::Path;

use anyhow::{Context, Result, bail};

use super::figures::Figures;
use super::output;
use super::servers::{self, Roles, Server};

const PORT: u16 = 27_420;
const RUNS: usize = 7;
const LOGINS: usize = 100;
const MESSAGES: usize = 2_000;
const MESSAGE_BYTES: usize = 50_000;
/// Whose the mail is: every system has the user.
const OWNER: (&str, u32, u32) = ("daemon", 1, 1);
const GENERATOR: &str = include_str!("handover_imap.py");

/// Measures and prints. It needs root.
pub fn run(program: &Path, directory: &Path) -> Result<()> {
    prepare(directory)?;
    println!(
        "\nhand-over: IMAP over TLS, {RUNS} interleaved runs of {LOGINS} log-ins and one FETCH of {} MB",
        MESSAGES * MESSAGE_BYTES / 1_000_000
    );
    let mut figures = [(); 2].map(|()| (Figures::default(), Figures::default()));
    for _ in 0..RUNS {
        for (single, (login, bulk)) in [false, true].into_iter().zip(&mut figures) {
            let server = start(program, directory, single)?;
            let (first, rate) = measure()?;
            drop(server);
            login.add(first);
            bulk.add(rate);
        }
    }
    let [(login, bulk), (login_single, bulk_single)] = figures;
    println!(
        "log-in to first FETCH   processes {login:.2} ms   --single {login_single:.2} ms   ratio {:.2}",
        login.median() / login_single.median()
    );
    println!(
        "bulk FETCH              processes {bulk:.0} MB/s   --single {bulk_single:.0} MB/s   ratio {:.2}",
        bulk.median() / bulk_single.median()
    );
    Ok(())
}

fn measure() -> Result<(f64, f64)> {
    let arguments = [
        "-c",
        GENERATOR,
        &PORT.to_string(),
        &LOGINS.to_string(),
        "ann",
        "pw",
    ];
    let printed = output("python3", &arguments)?;
    let mut words = printed.split_whitespace().map(str::parse::<f64>);
    match (words.next(), words.next()) {
        (Some(Ok(login)), Some(Ok(rate))) => Ok((login, rate)),
        _ => bail!("the generator prints something else: {printed}"),
    }
}

fn start(program: &Path, directory: &Path, single: bool) -> Result<Server> {
    let roles = if single { Roles::InOneProcess } else { Roles::Apart };
    servers::mailboxes(program, directory, roles, (PORT + 1, servers::IMAP))
}

/// A mailbox and a configuration.
fn prepare(directory: &Path) -> Result<()> {
    let (name, uid, gid) = OWNER;
    let mail = directory.join("mail/ann");
    for part in ["cur", "new", "tmp"] {
        fs::create_dir_all(mail.join(part))?;
    }
    let line = format!("{}\n", "x".repeat(78));
    let body = line.repeat(MESSAGE_BYTES / line.len());
    for number in 0..MESSAGES {
        let text = format!("Subject: {number}\nMessage-ID: <{number}@bench>\n\n{body}");
        fs::write(
            mail.join(format!("cur/{}.M{number}.bench:2,S", 1_700_000_000 + number)),
            text,
        )?;
    }
    output(
        "chown",
        &[
            "-R",
            &format!("{uid}:{gid}"),
            &directory.join("mail").to_string_lossy(),
        ],
    )?;
    let shown = directory.display();
    let pair = self_signed(directory)?;
    let conf = format!(
        "protocols = imap\nlisten = 127.0.0.1\nssl = yes\nssl_cert = <{cert}\nssl_key = <{key}\ndisable_plaintext_auth = no\n\
         base_dir = {shown}/run\nlog_path = {shown}/log\nmail_location = maildir:{shown}/mail/%u\nfirst_valid_uid = 1\n\
         default_login_user = nobody\ndefault_internal_user = nobody\nmail_max_userip_connections = 0\n\
         passdb {{\n  driver = static\n  args = password=pw\n}}\n\
         userdb {{\n  driver = static\n  args = uid={name} gid={gid} home={shown}/mail/%u\n}}\n\
         service imap-login {{\n  inet_listener imaps {{\n    port = {PORT}\n    ssl = yes\n  }}\n  inet_listener imap {{\n    port = {}\n  }}\n}}\n",
        PORT + 1,
        cert = pair.0,
        key = pair.1,
    );
    fs::write(directory.join("dovecot.conf"), conf)?;
    fs::create_dir_all(directory.join("run"))?;
    chown(directory.join("run"), Some(0), Some(0)).context("this needs root")?;
    Ok(())
}

/// A self-signed certificate, by openssl(1).
pub(super) fn self_signed(directory: &Path) -> Result<(String, String)> {
    let file = |name: &str| directory.join(name).to_string_lossy().into_owned();
    let (cert, key) = (file("cert.pem"), file("key.pem"));
    output(
        "openssl",
        &[
            "req",
            "-x509",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-keyout",
            &key,
            "-out",
            &cert,
            "-days",
            "2",
            "-subj",
            "/CN=localhost",
        ],
    )?;
    Ok((cert, key))
}
