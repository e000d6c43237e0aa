//! `postfix start|status|reload|stop|check`, `dovecot` and `doveadm stop|log`, in the background as administrators use them.

use system_tests::{Finished, Sandbox};

/// Ends what a failed test left running in the background.
struct Background<'a>(&'a Sandbox);

impl Background<'_> {
    fn postfix(&self, command: &str) -> Finished {
        self.0.run("postfix", &[command], "")
    }

    fn dovecot(&self, name: &str, words: &[&str]) -> Finished {
        let file = self.0.config_directory().join("dovecot.conf");
        let file = file.to_string_lossy();
        let words: Vec<&str> = ["-c", &file].iter().chain(words).copied().collect();
        self.0.run(name, &words, "")
    }
}

impl Drop for Background<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.postfix("abort");
            self.dovecot("doveadm", &["stop"]);
        }
    }
}

fn is(said: &Finished, code: i32, stderr: &str) {
    assert_eq!((said.code, said.stderr.as_str()), (Some(code), stderr), "{said}");
}

#[test]
fn postfix_starts_and_stops_the_system() {
    let sandbox = super::stopped_system();
    let system = Background(&sandbox);
    let (main_cf, queue) = (
        sandbox.config_directory().join("main.cf"),
        sandbox.directory().join("spool"),
    );
    let looked = format!(
        "postfix/postfix-script: note: nobody answers in {}, the queue_directory of {}\n",
        queue.display(),
        main_cf.display()
    );
    let down = &format!("{looked}postfix/postfix-script: fatal: the Postfix mail system is not running\n");
    is(&system.postfix("status"), 1, "");
    is(&system.postfix("stop"), 1, down);
    is(&system.postfix("reload"), 1, down);
    is(&system.postfix("start"), 0, "");
    is(&system.postfix("status"), 0, "");
    let running = "postfix/postfix-script: fatal: the Postfix mail system is already running\n";
    is(&system.postfix("start"), 1, running);
    is(&system.postfix("reload"), 0, "");
    is(&system.postfix("flush"), 0, "");
    // The mailbox services are a part of it, which does not stop alone.
    let refused = system.dovecot("doveadm", &["stop"]);
    assert_eq!(refused.code, Some(75), "{refused}");
    assert!(
        refused.stderr.contains("Stop all of it: postfix -c "),
        "{refused}"
    );
    is(&system.dovecot("doveadm", &["reload"]), 0, "");
    let mut smtp = system_tests::lines::LineClient::connect(sandbox.ports().smtp);
    assert!(smtp.smtp("").starts_with("220 "));
    drop(smtp);
    is(&system.postfix("stop"), 0, "");
    is(&system.postfix("status"), 1, "");
    let log = sandbox.log();
    for line in ["starting", "refreshing", "stopping"] {
        assert!(
            log.contains(&format!("]: {line} the Postfix mail system\n")),
            "{log}"
        );
    }
    assert!(
        log.contains("]: the Postfix mail system is running: PID: "),
        "{log}"
    );
}

#[test]
fn a_start_that_fails_says_why_on_the_terminal() {
    let sandbox = super::stopped_system();
    let system = Background(&sandbox);
    let taken = std::net::TcpListener::bind(("127.0.0.1", sandbox.ports().smtp)).expect("the port is free");
    let said = system.postfix("start");
    assert_eq!(said.code, Some(1), "{said}");
    assert!(said.stderr.contains("another program listens there"), "{said}");
    assert!(
        said.stderr.ends_with("fatal: mail system startup failed\n"),
        "{said}"
    );
    drop(taken);
    sandbox.append_to("main.cf", "mynetworks = 10.0.0.0/33\nno_such_name = 1\n");
    let check = system.postfix("check");
    assert_eq!(check.code, Some(1), "{check}");
    for part in [
        "error: main.cf:",
        ": mynetworks: \"10.0.0.0/33\" is not a network",
        ": no_such_name: ",
    ] {
        assert!(check.stderr.contains(part), "{part}: {check}");
    }
    // What looks for a running system first says why it may look in the wrong place.
    for command in ["reload", "stop", "status"] {
        let said = system.postfix(command);
        assert_eq!(said.code, Some(1), "{said}");
        let error = said.stderr.find(": mynetworks: ").expect("the error is told");
        let end = said.stderr.find("cannot tell whether the mail system runs");
        assert!(end.is_some_and(|end| error < end), "{said}");
        assert!(!said.stderr.contains("is not running"), "{said}");
    }
    let said = system.postfix("start");
    assert_eq!(said.code, Some(1), "{said}");
    assert!(said.stderr.contains(": mynetworks: "), "{said}");
}

#[test]
fn dovecot_starts_the_mailbox_services_alone() {
    let sandbox = super::stopped_system();
    let services = Background(&sandbox);
    let pid_file = sandbox.directory().join("run/master.pid");
    let pid_file = pid_file.to_string_lossy();
    let down = format!("Fatal: Dovecot is not running (read from {pid_file})\n");
    is(&services.dovecot("doveadm", &["stop"]), 75, &down);
    is(&services.dovecot("dovecot", &[]), 0, "");
    let again = services.dovecot("dovecot", &[]);
    assert_eq!(again.code, Some(89), "{again}");
    assert!(
        again
            .stderr
            .starts_with("Fatal: Dovecot is already running with PID "),
        "{again}"
    );
    is(&services.dovecot("doveadm", &["reload"]), 0, "");
    is(&services.dovecot("doveadm", &["log", "test"]), 0, "");
    is(&services.dovecot("doveadm", &["log", "reopen"]), 0, "");
    let found = services.dovecot("doveadm", &["log", "find"]).success().stdout;
    let log = sandbox.directory().join("log/dovecot.log");
    let lines =
        ["Debug", "Info", "Warning", "Error", "Fatal"].map(|kind| format!("{kind}: {}\n", log.display()));
    assert_eq!(found, lines.concat());
    let log = sandbox.mailbox_log();
    assert!(
        log.contains("doveadm: Warning: This is Dovecot's warning log ("),
        "{log}"
    );
    is(&services.dovecot("dovecot", &["stop"]), 0, "");
    is(&services.dovecot("dovecot", &["stop"]), 75, &down);
}

#[test]
fn the_screen_shows_the_ports_of_the_files() {
    let mut sandbox = Sandbox::start();
    let ports = sandbox.ports();
    let lines = format!(
        "\n  SMTP {}   submission {}, {} (TLS)\n  IMAP {}, {} (TLS)   POP3 {}, {} (TLS)\n",
        ports.smtp, ports.submission, ports.submissions, ports.imap, ports.imaps, ports.pop3, ports.pop3s
    );
    assert!(sandbox.screen().contains(&lines), "{}", sandbox.screen());
    sandbox.stop();
    let directory = sandbox.directory().to_string_lossy().into_owned();
    let is_ready = |said: &str| said.contains("imaps://") && said.ends_with('\n');
    sandbox.launch_with(&["serve", "--dir", &directory], is_ready);
    assert!(sandbox.screen().contains(&lines), "{}", sandbox.screen());
    sandbox.stop();
    sandbox.launch_with(&["serve", "--dir", &directory, "--port-base", "1"], is_ready);
    let screen = sandbox.screen();
    assert!(
        screen.contains(&lines) && screen.contains("--port-base has no effect"),
        "{screen}"
    );
    sandbox.stop();
}

/// Nothing is written that would name a port which cannot be had.
#[test]
fn a_first_start_on_a_taken_port_may_be_tried_again_with_others() {
    let sandbox = Sandbox::prepare();
    let taken = std::net::TcpListener::bind(("127.0.0.1", sandbox.ports().imap)).expect("the port is free");
    let refused = sandbox.launch_in_vain();
    assert!(
        refused.stderr.contains("Choose other ports with --port-base"),
        "{refused}"
    );
    assert!(!sandbox.config_directory().exists());
    drop(taken);
}

#[test]
fn root_serves_a_users_directory_as_that_user() {
    use std::os::unix::fs::{MetadataExt, chown};
    if !rustix::process::geteuid().is_root() {
        return system_tests::skip("root, to become another user");
    }
    let mut sandbox = Sandbox::prepare();
    std::fs::create_dir(sandbox.directory()).expect("it can be made");
    chown(sandbox.directory(), Some(54_321), Some(54_321)).expect("root may");
    sandbox.launch();
    for made in ["", "etc/main.cf", "spool/log", "home/alice"] {
        let found = std::fs::metadata(sandbox.directory().join(made)).expect("it was made");
        assert_eq!(found.uid(), 54_321, "{made}");
    }
    let status = std::fs::read_to_string(format!("/proc/{}/status", sandbox.pid())).expect("it runs");
    assert!(
        status.contains("\nUid:\t54321\t54321\t54321\t54321\n"),
        "{status}"
    );
    sandbox.stop();
}

#[test]
fn a_reload_tells_of_ports_that_need_a_restart() {
    let mut sandbox = Sandbox::start();
    sandbox.append_to("master.cf", "127.0.0.1:1 inet n - n - - smtpd\n");
    sandbox.reload();
    let told = "127.0.0.1:1: 127.0.0.1:1 is not served before a restart\n";
    system_tests::wait_for("the warning", || sandbox.log().contains(told));
    assert_eq!(sandbox.log().matches("before a restart").count(), 1);
}
