//! `mail` at a terminal of its own: the interrupt key and a terminal that goes away; and for users whom something is missing.

use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex};

use system_tests::{Sandbox, has_program, program, wait_for};

const INTERRUPT: &str = "\x03";

/// `mail` on a terminal that script(1) makes.
struct Terminal {
    script: Child,
    keys: Option<ChildStdin>,
    screen: Arc<Mutex<String>>,
}

impl Terminal {
    /// `mail -n` with these arguments, which a shell reads.
    fn open(sandbox: &Sandbox, arguments: &str) -> Terminal {
        let mail = sandbox.command("mail", &[]);
        let line = format!("exec '{}' mail -n {arguments}", mail.get_program().display());
        let mut script = Command::new("script")
            .args(["-q", "-c", &line, "/dev/null"])
            .env("HOME", sandbox.scratch())
            .env("MAIL_CONFIG", sandbox.config_directory())
            .env("SHELL", "/bin/sh")
            .env("LC_ALL", "C.UTF-8")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let screen = Arc::new(Mutex::new(String::new()));
        let shown = Arc::clone(&screen);
        let mut output = script.stdout.take().unwrap();
        std::thread::spawn(move || {
            let mut octets = [0; 4096];
            while let Ok(count @ 1..) = output.read(&mut octets) {
                let text = String::from_utf8_lossy(&octets[..count]).replace('\r', "");
                shown.lock().unwrap().push_str(&text);
            }
        });
        let keys = script.stdin.take();
        Terminal { script, keys, screen }
    }

    fn press(&mut self, keys: &str) {
        let pipe = self.keys.as_mut().unwrap();
        pipe.write_all(keys.as_bytes()).unwrap();
        pipe.flush().unwrap();
    }

    /// Waits until the screen ends with this text.
    fn shows(&self, text: &str) {
        wait_for(&format!("{text:?} on the screen"), || {
            self.screen.lock().unwrap().ends_with(text)
        });
    }

    /// Waits until the lines of a letter have come to mail; the terminal shows them before.
    fn has_read_all(&mut self) {
        self.press("~p\n");
        self.shows("(continue)\n");
    }

    fn ends(&mut self) {
        wait_for("mail to end", || self.script.try_wait().unwrap().is_some());
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // After a test that failed.
        let _ = self.script.kill();
        let _ = self.script.wait();
    }
}

fn folder(sandbox: &Sandbox) -> PathBuf {
    let path = sandbox.scratch().join("box");
    let letter =
        |number| format!("From a@b  Wed Dec 23 23:39:48 2020\nSubject: test{number}\n\nText {number}.\n\n");
    fs::write(&path, letter(1) + &letter(2)).unwrap();
    path
}

fn text_of(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

#[test]
fn the_interrupt_key_kills_a_letter_and_not_the_session() {
    if !has_program("/usr/bin/script", "bsdutils") {
        return;
    }
    let sandbox = Sandbox::prepare();
    let path = folder(&sandbox);
    let mut terminal = Terminal::open(&sandbox, &format!("-N -f '{}'", path.display()));
    terminal.shows("2 messages 2 new\n& ");
    terminal.press("d 1\n");
    terminal.shows("d 1\n& ");
    terminal.press(INTERRUPT);
    terminal.shows("\nInterrupt\n& ");
    terminal.press("m eve\n");
    terminal.shows("Subject: ");
    terminal.press("kept\n");
    terminal.shows("kept\n");
    terminal.press("what was written\n");
    terminal.has_read_all();
    terminal.press(INTERRUPT);
    terminal.shows("(Interrupt -- one more to kill letter)\n");
    terminal.press(INTERRUPT);
    terminal.shows("\n& ");
    // A command of the shell has the key for itself.
    terminal.press("!echo ready; sleep 600\n");
    terminal.shows("ready\n");
    terminal.press(INTERRUPT);
    terminal.shows("!\n& ");
    terminal.press("q\n");
    terminal.ends();
    let dead = text_of(&sandbox.scratch().join("dead.letter"));
    assert!(dead.ends_with("\nwhat was written\n\n"), "{dead}");
    let left = text_of(&path);
    assert!(!left.contains("Text 1.") && left.contains("Text 2."), "{left}");
}

#[test]
fn a_terminal_that_goes_away_leaves_the_mailbox() {
    if !has_program("/usr/bin/script", "bsdutils") {
        return;
    }
    let sandbox = Sandbox::prepare();
    let path = folder(&sandbox);
    let before = text_of(&path);
    let mut terminal = Terminal::open(&sandbox, &format!("-N -f '{}'", path.display()));
    terminal.shows("& ");
    terminal.press("d *\n");
    terminal.shows("d *\n& ");
    terminal.press("m eve\n");
    terminal.shows("Subject: ");
    terminal.press("kept\nwhat was written\n");
    terminal.has_read_all();
    terminal.script.kill().unwrap();
    let dead = sandbox.scratch().join("dead.letter");
    wait_for("dead.letter", || {
        text_of(&dead).ends_with("\nwhat was written\n\n")
    });
    assert_eq!(text_of(&path), before);
}

#[test]
fn a_user_without_a_home_changes_a_mailbox() {
    let sandbox = Sandbox::prepare();
    let path = folder(&sandbox);
    let home = sandbox.scratch().join("no-directory");
    fs::write(&home, "").unwrap();
    let mut mail = sandbox.command("mail", &["-n", "-N", "-f", &path.to_string_lossy()]);
    mail.env("HOME", &home)
        .env("TMPDIR", sandbox.scratch())
        .env_remove("XDG_STATE_HOME");
    let finished = program::run(&mut mail, b"d 1\nq\n").success();
    assert_eq!(finished.stderr, "");
    assert!(!text_of(&path).contains("Text 1."));
}

#[test]
fn a_configuration_that_cannot_be_read_is_named() {
    let sandbox = Sandbox::prepare();
    let mut mail = sandbox.command("mail", &["-n", "-e"]);
    mail.env("MAIL_CONFIG", sandbox.scratch().join("none"))
        .env_remove("MAIL");
    let finished = program::run(&mut mail, b"");
    assert!(
        finished.stderr.contains("none/main.cf: No such file")
            && finished.stderr.contains("Looking below /var/mail"),
        "{finished}"
    );
}
