//! A directory in which the real program runs, and the handle on that program.

use std::collections::HashMap;
use std::fs::{self, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};

use rustix::process::{Pid, Signal, kill_process};

use crate::ports::{Claim, Ports};
use crate::program::{self, Finished};
use crate::wait::{wait_for, wait_for_value};

/// The last line of the screen that `yubin serve` shows starts with this.
const SCREEN_END: &str = "  curl ";
/// How much of each log a failing test prints, in octets.
const LOG_SHOWN_OCTETS: usize = 20_000;

/// A mail system of one test.
pub struct Sandbox {
    directory: PathBuf,
    claim: Claim,
    arguments: Vec<String>,
    running: Option<Running>,
    passwords: HashMap<String, String>,
    // The last field: the directory goes when everything else has gone.
    root: tempfile::TempDir,
}

struct Running {
    child: Child,
    /// Whether it has a screen, on which it says when it has stopped.
    has_screen: bool,
    said: Arc<Mutex<String>>,
}

impl Running {
    fn said(&self) -> String {
        self.said.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Sandbox {
    /// An embedded mail system that runs.
    ///
    /// # Panics
    /// When it does not.
    #[track_caller]
    pub fn start() -> Sandbox {
        let mut sandbox = Sandbox::prepare();
        sandbox.launch();
        sandbox
    }

    /// A directory and ports; nothing runs yet.
    ///
    /// # Panics
    /// When the directory cannot be made.
    #[track_caller]
    pub fn prepare() -> Sandbox {
        let root = tempfile::Builder::new().prefix("yubin-test-").tempdir();
        let root = root.expect("a temporary directory can be made");
        // Started by root, the program becomes another user, who must be able to come here.
        fs::set_permissions(root.path(), fs::Permissions::from_mode(0o755)).expect("it is ours");
        let directory = root.path().join("yubin");
        let claim = Claim::take();
        let arguments = ["serve", "--dir", &directory.to_string_lossy(), "--port-base"];
        let mut arguments: Vec<String> = arguments.map(str::to_owned).to_vec();
        arguments.push(claim.ports.base.to_string());
        Sandbox {
            directory,
            claim,
            arguments,
            running: None,
            passwords: HashMap::new(),
            root,
        }
    }

    /// Starts the program on what is in the directory, and waits until its screen is complete.
    ///
    /// # Panics
    /// When it ends before.
    #[track_caller]
    pub fn launch(&mut self) {
        let arguments = self.arguments.clone();
        let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
        self.launch_with(&words, |said| {
            said.lines().any(|line| line.starts_with(SCREEN_END)) && said.ends_with('\n')
        });
        let screen = self.screen();
        for line in screen.lines() {
            let words: Vec<&str> = line.split_whitespace().collect();
            if let ["account", name, "password", password] = words.as_slice() {
                self.passwords.insert((*name).to_owned(), (*password).to_owned());
            }
        }
    }

    /// Starts the program with these arguments and waits until `is_ready` accepts what it has said.
    ///
    /// # Panics
    /// When it ends before.
    #[track_caller]
    pub fn launch_with(&mut self, arguments: &[&str], is_ready: impl Fn(&str) -> bool) {
        assert!(self.running.is_none(), "the program runs already");
        let mut command = self.bare_command();
        command.args(arguments).stdin(Stdio::null());
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program can be started");
        let said = Arc::new(Mutex::new(String::new()));
        listen(child.stdout.take(), &said);
        listen(child.stderr.take(), &said);
        let running = self.running.insert(Running {
            child,
            has_screen: arguments.contains(&"--dir"),
            said,
        });
        let ended = wait_for_value("the program to be ready", || {
            let ended = running.child.try_wait().expect("it is our own child");
            if ended.is_some() {
                return Some(ended);
            }
            is_ready(&running.said()).then_some(None)
        });
        if let Some(status) = ended {
            let said = running.said();
            panic!("the program ended while starting ({status}):\n{said}");
        }
    }

    /// Starts the program, which must end by itself with an error.
    ///
    /// # Panics
    /// When it runs.
    #[track_caller]
    pub fn launch_in_vain(&self) -> Finished {
        let done = program::run(self.bare_command().args(&self.arguments), b"");
        assert!(done.code != Some(0), "the program should have refused: {done}");
        done
    }

    /// The arguments with which [`Sandbox::launch`] starts the program.
    pub fn arguments(&self) -> &[String] {
        &self.arguments
    }

    /// The process id of the running program.
    ///
    /// # Panics
    /// When it does not run.
    #[track_caller]
    pub fn pid(&self) -> u32 {
        self.running.as_ref().expect("the program runs").child.id()
    }

    /// Whether the program still runs.
    pub fn is_running(&mut self) -> bool {
        let running = self.running.as_mut();
        running.is_some_and(|running| matches!(running.child.try_wait(), Ok(None)))
    }

    /// Everything the program has said on its standard output and standard error.
    pub fn screen(&self) -> String {
        self.running.as_ref().map(Running::said).unwrap_or_default()
    }

    /// SIGKILL, at once.
    ///
    /// # Panics
    /// When the program does not run.
    #[track_caller]
    pub fn kill(&mut self) {
        let mut running = self.running.take().expect("the program runs");
        // Fails when it has ended by itself; then there is nothing to kill.
        let _ = running.child.kill();
        running.child.wait().expect("it is our own child");
    }

    /// SIGTERM, and the program must end with 0.
    ///
    /// # Panics
    /// When it does not.
    #[track_caller]
    pub fn stop(&mut self) {
        self.signal(Signal::TERM);
        let mut running = self.running.take().expect("the program runs");
        let child = &mut running.child;
        let status = wait_for_value("the program to stop", || {
            child.try_wait().expect("it is our own child")
        });
        let said = || running.said();
        assert!(status.success(), "the program stopped with {status}:\n{}", said());
        if running.has_screen {
            wait_for("the last word", || said().ends_with("Stopped.\n"));
        }
    }

    /// SIGTERM, the end, and a new start on the same directory.
    ///
    /// # Panics
    /// When one of them fails.
    #[track_caller]
    pub fn restart(&mut self) {
        self.stop();
        self.launch();
    }

    /// SIGHUP: read the configuration again. Waits until the log says that it was.
    ///
    /// # Panics
    /// When it was not.
    #[track_caller]
    pub fn reload(&mut self) {
        let reloads = |log: &str| log.matches("reload").count();
        let before = reloads(&self.log());
        self.signal(Signal::HUP);
        wait_for("the reload", || reloads(&self.log()) > before);
    }

    #[track_caller]
    fn signal(&self, signal: Signal) {
        let running = self.running.as_ref().expect("the program runs");
        kill_process(Pid::from_child(&running.child), signal).expect("it is our own child");
    }

    /// The directory that is served (`--dir`).
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// A directory for the test's own files, beside the served one.
    pub fn scratch(&self) -> &Path {
        self.root.path()
    }

    /// Where main.cf, master.cf, dovecot.conf, aliases and users are.
    pub fn config_directory(&self) -> PathBuf {
        self.directory.join("etc")
    }

    /// The certificate of the embedded system: trust it as a certificate authority.
    pub fn ca_file(&self) -> PathBuf {
        self.config_directory().join("tls/cert.pem")
    }

    /// The home of an account.
    pub fn home(&self, user: &str) -> PathBuf {
        self.directory.join("home").join(user)
    }

    /// The ports.
    pub fn ports(&self) -> Ports {
        self.claim.ports
    }

    /// The password of an account.
    ///
    /// # Panics
    /// When it is not known.
    #[track_caller]
    pub fn password(&self, user: &str) -> &str {
        self.passwords.get(user).expect("the screen showed this account")
    }

    /// Adds an account, with home and mailboxes like those of alice.
    ///
    /// # Panics
    /// When the passwd-file cannot be read or written.
    #[track_caller]
    pub fn add_account(&mut self, user: &str, password: &str) {
        let users = self.config_directory().join("users");
        let text = fs::read_to_string(&users).expect("the passwd-file is there");
        let alice: Vec<&str> = text
            .lines()
            .find_map(|line| line.strip_prefix("alice:"))
            .map(|line| line.split(':').collect())
            .expect("alice has a line");
        let (uid, gid) = (alice[1], alice[2]);
        let home = self.home(user);
        let line = format!("{user}:{{PLAIN}}{password}:{uid}:{gid}::{}::\n", home.display());
        append(&users, &line);
        self.passwords.insert(user.to_owned(), password.to_owned());
        fs::create_dir_all(&home).expect("the home can be made");
        let numbers = (uid.parse().ok(), gid.parse().ok());
        std::os::unix::fs::chown(&home, numbers.0, numbers.1).expect("the home can be given away");
    }

    /// Gives an account this password; the running program notices.
    ///
    /// # Panics
    /// When the account is not there.
    #[track_caller]
    pub fn set_password(&mut self, user: &str, password: &str) {
        let file = self.config_directory().join("users");
        let text = fs::read_to_string(&file).expect("the passwd-file is there");
        let mut changed = String::new();
        for line in text.lines() {
            match line.split(':').collect::<Vec<_>>().as_slice() {
                [name, _, rest @ ..] if *name == user => {
                    changed.push_str(&format!("{user}:{{PLAIN}}{password}:{}\n", rest.join(":")));
                }
                _ => changed.push_str(&format!("{line}\n")),
            }
        }
        assert!(changed.contains("{PLAIN}"), "there is no account {user}");
        fs::write(&file, changed).expect("the passwd-file can be written");
        self.passwords.insert(user.to_owned(), password.to_owned());
    }

    /// Sets a parameter of main.cf; takes effect with the next start or reload.
    ///
    /// # Panics
    /// When main.cf cannot be written.
    #[track_caller]
    pub fn edit_main_cf(&self, name: &str, value: &str) {
        let file = self.config_directory().join("main.cf");
        let text = fs::read_to_string(&file).expect("main.cf is there");
        let is_ours = |line: &str| line.split('=').next().is_some_and(|key| key.trim() == name);
        let mut kept: String = text
            .lines()
            .filter(|line| !is_ours(line))
            .map(|line| format!("{line}\n"))
            .collect();
        kept.push_str(&format!("{name} = {value}\n"));
        fs::write(&file, kept).expect("main.cf can be written");
    }

    /// Adds lines to a file of the configuration directory.
    ///
    /// # Panics
    /// When it cannot be written.
    #[track_caller]
    pub fn append_to(&self, file: &str, lines: &str) {
        append(&self.config_directory().join(file), lines);
    }

    /// The MTA's log so far.
    pub fn log(&self) -> String {
        read_lossy(&self.directory.join("log/mail.log"))
    }

    /// Waits until the MTA's log has this; lines may gather for a moment before they are written.
    ///
    /// # Panics
    /// When it does not come.
    #[track_caller]
    pub fn wait_for_log(&self, text: &str) {
        wait_for(&format!("{text:?} in the log"), || self.log().contains(text));
    }

    /// The mailbox services' log so far.
    pub fn mailbox_log(&self) -> String {
        read_lossy(&self.directory.join("log/dovecot.log"))
    }

    /// A command of the program (`mailq`, `postcat`, …) on this system.
    pub fn command(&self, name: &str, arguments: &[&str]) -> Command {
        let mut command = self.bare_command();
        command
            .arg(name)
            .args(arguments)
            .env("MAIL_CONFIG", self.config_directory());
        command
    }

    /// Runs a command of the program with this input.
    ///
    /// # Panics
    /// When it cannot be started or does not end.
    #[track_caller]
    pub fn run(&self, name: &str, arguments: &[&str], input: &str) -> Finished {
        program::run(&mut self.command(name, arguments), input.as_bytes())
    }

    /// The messages in a Maildir below the account's home (`Maildir`, `Maildir/.Sent`), in no order.
    pub fn maildir(&self, user: &str, name: &str) -> Vec<Vec<u8>> {
        let maildir = self.home(user).join(name);
        let folders = ["new", "cur"].map(|folder| fs::read_dir(maildir.join(folder)));
        let entries = folders.into_iter().flatten().flatten().flatten();
        entries.filter_map(|entry| fs::read(entry.path()).ok()).collect()
    }

    /// The messages of the mbox file in `mail/` that an account has when `home_mailbox` is empty.
    pub fn mbox(&self, user: &str) -> Vec<Vec<u8>> {
        let text = format!("\n{}", read_lossy(&self.directory.join("mail").join(user)));
        let messages = text
            .split("\n\nFrom ")
            .map(|message| message.trim_start_matches("\nFrom "));
        let without_from_line = messages.filter_map(|message| message.split_once('\n'));
        without_from_line
            .map(|(_, message)| format!("{}\n", message.trim_end_matches('\n')).into_bytes())
            .collect()
    }

    /// Puts a message into the inbox of an account, as another program would.
    ///
    /// # Panics
    /// When it cannot be written.
    #[track_caller]
    pub fn put_message(&self, user: &str, name: &str, content: &[u8]) {
        let home = fs::metadata(self.home(user)).expect("the account has a home");
        let give = |path: &Path| {
            let given = std::os::unix::fs::chown(path, Some(home.uid()), Some(home.gid()));
            given.expect("it can be given away");
        };
        let maildir = self.home(user).join("Maildir");
        for folder in ["", "tmp", "cur", "new"] {
            let path = maildir.join(folder);
            if !path.exists() {
                fs::create_dir(&path).expect("the Maildir can be made");
                give(&path);
            }
        }
        let temporary = maildir.join("tmp").join(name);
        fs::write(&temporary, content).expect("the message can be written");
        give(&temporary);
        fs::rename(&temporary, maildir.join("new").join(name)).expect("it can be moved");
    }

    fn bare_command(&self) -> Command {
        let mut command = Command::new(binary());
        command.current_dir(self.root.path()).env_remove("MAIL_CONFIG");
        command
    }
}

impl Drop for Sandbox {
    #[allow(clippy::print_stdout, reason = "what a test prints is shown with its failure")]
    fn drop(&mut self) {
        if std::thread::panicking() {
            println!("--- screen\n{}", self.screen());
            println!("--- mail.log\n{}", end_of(&self.log()));
            println!("--- dovecot.log\n{}", end_of(&self.mailbox_log()));
        }
        if let Some(mut running) = self.running.take() {
            // Both fail only when it has ended already.
            let _ = running.child.kill();
            let _ = running.child.wait();
        }
    }
}

/// The program under test.
///
/// # Panics
/// When it is not built.
pub fn binary() -> PathBuf {
    if let Some(path) = std::env::var_os("YUBIN_BINARY") {
        return path.into();
    }
    let own = std::env::current_exe().expect("a process knows its executable");
    // target/debug/deps/clients-0123456789abcdef
    let built = own.ancestors().nth(2).map(|directory| directory.join("yubin"));
    match built.filter(|path| path.exists()) {
        Some(path) => path,
        None => panic!("the program is not built: run `cargo build -p yubin`, or set YUBIN_BINARY"),
    }
}

fn listen<R: Read + Send + 'static>(pipe: Option<R>, said: &Arc<Mutex<String>>) {
    let said = Arc::clone(said);
    let Some(mut pipe) = pipe else { return };
    std::thread::spawn(move || {
        let mut piece = [0; 4096];
        while let Ok(count @ 1..) = pipe.read(&mut piece) {
            let text = String::from_utf8_lossy(&piece[..count]).into_owned();
            said.lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push_str(&text);
        }
    });
}

#[track_caller]
fn append(file: &Path, text: &str) {
    let opened = OpenOptions::new().append(true).create(true).open(file);
    let written = opened.and_then(|mut file| file.write_all(text.as_bytes()));
    if let Err(error) = written {
        panic!("cannot write {}: {error}", file.display());
    }
}

fn read_lossy(file: &Path) -> String {
    String::from_utf8_lossy(&fs::read(file).unwrap_or_default()).into_owned()
}

fn end_of(text: &str) -> &str {
    let start = text.len().saturating_sub(LOG_SHOWN_OCTETS);
    let start = (start..=text.len()).find(|&at| text.is_char_boundary(at));
    &text[start.unwrap_or(0)..]
}
