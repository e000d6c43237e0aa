//! Debian's Postfix, started privately: its own configuration, queue and ports below a directory that goes with it.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::Command;

use crate::program::{self, Finished};

/// The rows of master.cf that every Postfix needs, by name, wakeup time, process limit and command.
const ROWS: &str = "\
pickup    unix  n - n 60  1 pickup
cleanup   unix  n - n -   0 cleanup
qmgr      unix  n - n 300 1 qmgr
rewrite   unix  - - n -   - trivial-rewrite
bounce    unix  - - n -   0 bounce
defer     unix  - - n -   0 bounce
trace     unix  - - n -   0 bounce
verify    unix  - - n -   1 verify
flush     unix  n - n 1000? 0 flush
proxymap  unix  - - n -   - proxymap
smtp      unix  - - n -   - smtp
relay     unix  - - n -   - smtp
slow      unix  - - n -   - smtp
lmtp      unix  - - n -   - lmtp
showq     unix  n - n -   - showq
error     unix  - - n -   - error
retry     unix  - - n -   - error
discard   unix  - - n -   - discard
local     unix  - n n -   - local
virtual   unix  - n n -   - virtual
scache    unix  - - n -   1 scache
anvil     unix  - - n -   1 anvil
tlsmgr    unix  - - n 1000? 1 tlsmgr
postlog   unix-dgram n - n - 1 postlogd
";

/// An `smtpd` of its own: its port, and its `-o` settings.
pub type Smtpd = (u16, Vec<(String, String)>);

/// A running Postfix.
pub struct Postfix {
    directory: PathBuf,
    // The last field: the directory goes when the program has stopped.
    _root: tempfile::TempDir,
}

impl Postfix {
    /// Starts Postfix with these lines of main.cf and an `smtpd` on each port with its `-o` settings; `None` where it is
    /// not installed or cannot be started (it needs root).
    ///
    /// # Panics
    /// When it does not start.
    #[track_caller]
    pub fn start(main_cf: &str, services: &[Smtpd]) -> Option<Postfix> {
        let address = Ipv4Addr::LOCALHOST;
        let listening: Vec<SocketAddr> = services
            .iter()
            .map(|(port, _)| SocketAddr::from((address, *port)))
            .collect();
        Postfix::start_with(main_cf, &master_cf(services), &listening)
    }

    /// The same where each `smtpd` has a `cleanup` of its own with the same settings.
    ///
    /// # Panics
    /// When it does not start.
    #[track_caller]
    pub fn start_with_cleanups(main_cf: &str, services: &[Smtpd]) -> Option<Postfix> {
        let mut rows = ROWS.to_owned();
        for (port, settings) in services {
            let own = format!("cleanup{port}");
            rows.push_str(&format!(
                "127.0.0.1:{port} inet n - n - - smtpd\n  -o cleanup_service_name={own}\n{}{own} unix n - n - 0 cleanup\n{}",
                options(settings),
                options(settings)
            ));
        }
        let listening: Vec<SocketAddr> = services
            .iter()
            .map(|(port, _)| SocketAddr::from((Ipv4Addr::LOCALHOST, *port)))
            .collect();
        Postfix::start_with(main_cf, &rows, &listening)
    }

    /// Starts Postfix with these lines of main.cf and an `smtpd` on an address of loopback; otherwise as [`Postfix::start`].
    ///
    /// # Panics
    /// When it does not start.
    #[track_caller]
    pub fn start_on(address: SocketAddr, main_cf: &str) -> Option<Postfix> {
        let rows = format!("{ROWS}{address} inet n - n - - smtpd\n");
        Postfix::start_with(main_cf, &rows, &[address])
    }

    #[track_caller]
    fn start_with(main_cf: &str, rows: &str, listening: &[SocketAddr]) -> Option<Postfix> {
        let root = super::directory("/usr/sbin/postfix", "postfix")?;
        let directory = root.path().join("etc");
        for made in ["etc", "spool", "data"] {
            fs::create_dir(root.path().join(made)).expect("it can be made");
        }
        let own = root.path().display();
        let common = format!(
            "compatibility_level = 3.6\nqueue_directory = {own}/spool\ndata_directory = {own}/data\n\
             maillog_file = {own}/log\nmaillog_file_prefixes = {own}\nmulti_instance_name =\n\
             inet_interfaces = 127.0.0.1\ninet_protocols = ipv4\nalias_maps =\nsmtpd_peername_lookup = no\n"
        );
        fs::write(directory.join("main.cf"), format!("{common}{main_cf}")).expect("it can be written");
        fs::write(directory.join("master.cf"), rows).expect("it can be written");
        program::run(
            Command::new("chown").arg("postfix").arg(root.path().join("data")),
            b"",
        )
        .success();
        let postfix = Postfix {
            directory,
            _root: root,
        };
        postfix.run("start").success();
        listening
            .iter()
            .for_each(|address| super::wait_until_open(*address));
        Some(postfix)
    }

    /// What it has logged.
    pub fn log(&self) -> String {
        fs::read_to_string(self.directory.with_file_name("log")).unwrap_or_default()
    }

    /// Runs one of its commands (`postqueue`, `qshape`, …), which must end.
    ///
    /// # Panics
    /// When it cannot be started or does not end.
    #[track_caller]
    pub fn command(&self, name: &str, arguments: &[&str], input: &str) -> Finished {
        let mut command = Command::new(format!("/usr/sbin/{name}"));
        command.arg("-c").arg(&self.directory).args(arguments);
        program::run(&mut command, input.as_bytes())
    }

    /// Queues a mail, as root.
    ///
    /// # Panics
    /// When sendmail cannot be started or does not end.
    #[track_caller]
    pub fn sendmail(&self, arguments: &[&str], letter: &str) -> Finished {
        let mut command = Command::new("/usr/sbin/sendmail");
        command.arg("-C").arg(&self.directory).args(arguments);
        program::run(&mut command, letter.as_bytes())
    }

    /// Changes a line of its main.cf (`name=value`) and has it read.
    ///
    /// # Panics
    /// When that fails.
    #[track_caller]
    pub fn edit(&self, line: &str) {
        self.command("postconf", &[line], "").success();
        self.run("reload").success();
    }

    fn run(&self, command: &str) -> Finished {
        program::run(
            Command::new("/usr/sbin/postfix")
                .arg("-c")
                .arg(&self.directory)
                .arg(command),
            b"",
        )
    }
}

impl Drop for Postfix {
    fn drop(&mut self) {
        self.run("stop");
    }
}

fn master_cf(services: &[Smtpd]) -> String {
    let mut text = ROWS.to_owned();
    for (port, settings) in services {
        text.push_str(&format!("127.0.0.1:{port} inet n - n - - smtpd\n"));
        text.push_str(&options(settings));
    }
    text
}

fn options(settings: &[(String, String)]) -> String {
    let one = |(name, value): &(String, String)| format!("  -o {{ {name} = {value} }}\n");
    settings.iter().map(one).collect()
}
