//! The servers to measure: Yubin from a main.cf, Debian's Postfix from the same one, Yubin's embedded system.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::output;

/// Debian's load generator.
pub const SMTP_SOURCE: &str = "/usr/sbin/smtp-source";
const DOVECOT: &str = "/usr/sbin/dovecot";
const DOVEADM: &str = "/usr/bin/doveadm";
const POSTFIX: &str = "/usr/sbin/postfix";
const START_TIMEOUT: Duration = Duration::from_secs(20);
const MASTER_CF: &str = "\
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
proxywrite unix - - n - 1 proxymap
smtp unix - - n - - smtp
relay unix - - n - - smtp
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
local unix - n n - - local
virtual unix - n n - - virtual
lmtp unix - - n - - lmtp
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
";

/// A running server.
pub struct Server {
    pub name: &'static str,
    /// The root of its process tree.
    pub pid: u32,
    pub port: u16,
    how_to_stop: Stop,
}

/// A port, and how its greeting begins.
pub type Listening = (u16, &'static [u8; 3]);

/// How greetings of SMTP, LMTP and IMAP begin.
pub const SMTP: &[u8; 3] = b"220";
pub const IMAP: &[u8; 3] = b"* O";

/// In which processes the roles of Yubin run.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Roles {
    InOneProcess,
    /// As in service; it needs root.
    Apart,
}

enum Stop {
    Child(Child),
    Postfix(PathBuf),
    Dovecot(PathBuf),
}

/// A configuration that takes mail for one domain and discards it, everything else at its default.
pub fn configure(directory: &Path, port: u16) -> Result<()> {
    for name in ["etc", "spool", "data", "log"] {
        fs::create_dir_all(directory.join(name))?;
    }
    let shown = directory.display();
    let main_cf = format!(
        "compatibility_level = 3.6\nqueue_directory = {shown}/spool\ndata_directory = {shown}/data\n\
         maillog_file = {shown}/log/mail.log\nmaillog_file_prefixes = {shown}\n\
         inet_interfaces = 127.0.0.1\ninet_protocols = ipv4\nmyhostname = bench.localdomain\n\
         mydestination = bench.test\nlocal_recipient_maps =\nalias_maps =\nmynetworks = 127.0.0.0/8\n\
         local_transport = discard:bench\nmail_owner = postfix\n"
    );
    fs::write(directory.join("etc/main.cf"), main_cf)?;
    let master_cf = format!("127.0.0.1:{port} inet n - n - - smtpd\n{MASTER_CF}");
    fs::write(directory.join("etc/master.cf"), master_cf)?;
    Ok(())
}

/// Starts `yubin serve` with the configuration of [`configure`].
pub fn yubin(program: &Path, directory: &Path, port: u16) -> Result<Server> {
    let mut command = Command::new(program);
    command.args(["serve", "-c"]).arg(directory.join("etc"));
    greeting(&mut command, (port, SMTP))
}

/// Starts `yubin serve --dir`; the password of its first account, if this start made it.
pub fn embedded(program: &Path, directory: &Path, port_base: u16) -> Result<(Server, Option<String>)> {
    let mut command = Command::new(program);
    command
        .args(["serve", "--port-base", &port_base.to_string(), "--dir"])
        .arg(directory);
    let mut child = spawn(&mut command, Stdio::piped())?;
    let screen = child.stdout.take().context("the program has a standard output")?;
    let server = greeted(child, (port_base + 525, SMTP))?;
    let mut password = None;
    for line in BufReader::new(screen).lines() {
        let line = line?;
        if line.trim_start().starts_with("account") && password.is_none() {
            password = line.split_whitespace().last().map(str::to_owned);
        }
        if line.trim_start().starts_with("curl") {
            break;
        }
    }
    Ok((server, password))
}

/// Starts `yubin serve --mailboxes` with `directory/dovecot.conf`.
pub fn mailboxes(program: &Path, directory: &Path, roles: Roles, listening: Listening) -> Result<Server> {
    let mut command = Command::new(program);
    command
        .args(["serve", "--mailboxes", "-c"])
        .arg(directory.join("dovecot.conf"));
    if roles == Roles::InOneProcess {
        command.arg("--single");
    }
    greeting(&mut command, listening)
}

/// Starts Debian's Dovecot with `directory/dovecot.conf`. It needs root.
pub fn dovecot(directory: &Path, listening: Listening) -> Result<Server> {
    let configuration = directory.join("dovecot.conf");
    let started = Command::new(DOVECOT)
        .arg("-c")
        .arg(&configuration)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .context("cannot run Debian's dovecot")?;
    if !started.success() {
        bail!("dovecot: {started}");
    }
    wait_for(listening)?;
    let pid = fs::read_to_string(directory.join("run/master.pid"))?;
    Ok(Server {
        name: "Dovecot",
        pid: pid.trim().parse().context("master.pid holds no number")?,
        port: listening.0,
        how_to_stop: Stop::Dovecot(configuration),
    })
}

/// Starts Debian's Postfix with the configuration of [`configure`]. It needs root.
pub fn postfix(directory: &Path, port: u16) -> Result<Server> {
    output("chown", &["postfix", &directory.join("data").to_string_lossy()])?;
    let etc = directory.join("etc");
    output(POSTFIX, &["-c", &etc.to_string_lossy(), "start"])?;
    wait_for((port, SMTP))?;
    let pid = fs::read_to_string(directory.join("spool/pid/master.pid"))?;
    Ok(Server {
        name: "Postfix",
        pid: pid.trim().parse().context("master.pid holds no number")?,
        port,
        how_to_stop: Stop::Postfix(etc),
    })
}

/// Starts a program.
pub fn greeting(command: &mut Command, listening: Listening) -> Result<Server> {
    let child = spawn(command, Stdio::null())?;
    greeted(child, listening)
}

fn spawn(command: &mut Command, screen: Stdio) -> Result<Child> {
    command
        .stdin(Stdio::null())
        .stdout(screen)
        .spawn()
        .with_context(|| format!("cannot start {command:?}"))
}

fn greeted(mut child: Child, listening: Listening) -> Result<Server> {
    if let Err(error) = wait_for(listening) {
        let _ = child.kill().and_then(|()| child.wait());
        return Err(error);
    }
    Ok(Server {
        name: "Yubin",
        pid: child.id(),
        port: listening.0,
        how_to_stop: Stop::Child(child),
    })
}

/// Connects until somebody greets.
fn wait_for((port, expected): Listening) -> Result<()> {
    let began = Instant::now();
    while began.elapsed() < START_TIMEOUT {
        if let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)) {
            stream.set_read_timeout(Some(START_TIMEOUT))?;
            let mut greeting = [0; 3];
            stream.read_exact(&mut greeting).context("no greeting")?;
            if greeting != *expected {
                bail!(
                    "port {port} does not greet with {}",
                    String::from_utf8_lossy(expected)
                );
            }
            return Ok(());
        }
        std::thread::sleep(Duration::from_micros(200));
    }
    bail!("nothing answers on port {port}")
}

impl Drop for Server {
    fn drop(&mut self) {
        match &mut self.how_to_stop {
            Stop::Child(child) => {
                let asked = output("kill", &["-TERM", &child.id().to_string()]);
                if asked.is_err() {
                    let _ = child.kill();
                }
                let _ = child.wait();
            }
            Stop::Dovecot(configuration) => {
                if let Err(error) = output(DOVEADM, &["-c", &configuration.to_string_lossy(), "stop"]) {
                    println!("Dovecot did not stop: {error:#}");
                }
            }
            Stop::Postfix(etc) => {
                if let Err(error) = output(POSTFIX, &["-c", &etc.to_string_lossy(), "stop"]) {
                    println!("Postfix did not stop: {error:#}");
                }
            }
        }
    }
}
