//! SIGKILL of the sender at each step of its dialogue with the next host: nothing is lost, and there is a second copy only where
//! SMTP cannot avoid it, when the next host had answered the final dot and the sender could not note that any more.

use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use system_tests::lines::LineClient;
use system_tests::{Sandbox, wait_for};

/// How long the peer and the test wait for each other at most.
const PATIENCE: Duration = Duration::from_secs(60);

/// What the peer has just received when the sender is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Connection,
    Ehlo,
    Mail,
    Recipient,
    Data,
    /// The content without its end.
    Content,
    /// The final dot, before it is answered.
    Dot,
    /// The same, and the 250 is on its way to the sender, who never sees it.
    Answered,
}

const STEPS: [Step; 8] = [
    Step::Connection,
    Step::Ehlo,
    Step::Mail,
    Step::Recipient,
    Step::Data,
    Step::Content,
    Step::Dot,
    Step::Answered,
];

/// What the thread of the peer and the test share.
#[derive(Default)]
struct Shared {
    /// Where the next dialogue stops; taken by it.
    stop_at: Mutex<Option<Step>>,
    /// The subjects of the messages whose final dot was answered with 250.
    taken: Mutex<Vec<String>>,
}

/// The next host.
struct Peer {
    port: u16,
    shared: Arc<Shared>,
    /// The dialogue stopped where it should, or went on when it was told to.
    reached: Receiver<()>,
    go_on: Sender<()>,
}

impl Peer {
    fn start() -> Peer {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port is free");
        let port = listener.local_addr().expect("it is bound").port();
        let shared = Arc::new(Shared::default());
        let (told, reached) = channel();
        let (go_on, hears) = channel();
        let dialogue = Dialogue {
            shared: Arc::clone(&shared),
            told,
            hears,
        };
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                // A sender that is killed hangs up.
                let _ = dialogue.serve(stream);
            }
        });
        Peer {
            port,
            shared,
            reached,
            go_on,
        }
    }

    fn stop_at(&self, step: Step) {
        *self.shared.stop_at.lock().unwrap_or_else(PoisonError::into_inner) = Some(step);
    }

    #[track_caller]
    fn wait(&self, step: Step) {
        let reached = self.reached.recv_timeout(PATIENCE);
        assert!(reached.is_ok(), "the sender never came to {step:?}");
    }

    fn copies(&self, subject: &str) -> usize {
        let taken = self.shared.taken.lock().unwrap_or_else(PoisonError::into_inner);
        taken.iter().filter(|known| *known == subject).count()
    }
}

struct Dialogue {
    shared: Arc<Shared>,
    told: Sender<()>,
    hears: Receiver<()>,
}

impl Dialogue {
    fn serve(&self, stream: TcpStream) -> std::io::Result<()> {
        let mut stream = BufReader::new(stream);
        let stop_at = self
            .shared
            .stop_at
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        let mut subject = String::new();
        let mut is_content = false;
        self.pass(stop_at, Step::Connection)?;
        stream.get_mut().write_all(b"220 peer.test ESMTP\r\n")?;
        let mut line = String::new();
        loop {
            line.clear();
            if stream.read_line(&mut line)? == 0 {
                return Ok(());
            }
            let words = line.trim_end();
            if is_content && words != "." {
                if let Some(text) = words.strip_prefix("Subject: ") {
                    text.clone_into(&mut subject);
                    self.pass(stop_at, Step::Content)?;
                }
                continue;
            }
            let (step, reply) = match words.get(..4) {
                _ if is_content => (Some(Step::Dot), "250 2.0.0 taken"),
                Some("EHLO") => (Some(Step::Ehlo), "250 peer.test"),
                Some("MAIL") => (Some(Step::Mail), "250 2.1.0 ok"),
                Some("RCPT") => (Some(Step::Recipient), "250 2.1.5 ok"),
                Some("DATA") => (Some(Step::Data), "354 go"),
                Some("QUIT") => (None, "221 2.0.0 bye"),
                _ => (None, "250 2.0.0 ok"),
            };
            if let Some(step) = step {
                self.pass(stop_at, step)?;
            }
            let is_answered = is_content && stop_at == Some(Step::Answered);
            if is_answered {
                self.stop();
            }
            if is_content {
                let mut taken = self.shared.taken.lock().unwrap_or_else(PoisonError::into_inner);
                taken.push(std::mem::take(&mut subject));
            }
            is_content = reply.starts_with("354");
            stream.get_mut().write_all(format!("{reply}\r\n").as_bytes())?;
            if is_answered {
                let _ = self.told.send(());
            }
        }
    }

    /// Ends the dialogue, when the sender was killed, at the step at which it is to stop.
    fn pass(&self, stop_at: Option<Step>, step: Step) -> std::io::Result<()> {
        if stop_at != Some(step) {
            return Ok(());
        }
        self.stop();
        Err(std::io::ErrorKind::ConnectionAborted.into())
    }

    fn stop(&self) {
        let _ = self.told.send(());
        // The test may have failed meanwhile.
        let _ = self.hears.recv_timeout(PATIENCE);
    }
}

/// Has a message with this subject accepted; its 250 is the promise that is tested.
#[track_caller]
fn accept(sandbox: &Sandbox, subject: &str) {
    let mut client = LineClient::connect(sandbox.ports().smtp);
    client.line();
    for command in [
        "EHLO client.test",
        "MAIL FROM:<bob@localhost>",
        "RCPT TO:<u@peer.test>",
    ] {
        let said = client.smtp(command);
        assert!(said.starts_with("250"), "{said}");
    }
    client.smtp("DATA");
    client.say(&format!("Subject: {subject}\r\n\r\nbody"));
    let said = client.smtp(".");
    assert!(said.starts_with("250"), "{said}");
}

#[test]
fn nothing_is_lost_at_any_step_and_only_what_was_answered_comes_twice() {
    let peer = Peer::start();
    let mut sandbox = Sandbox::start();
    sandbox.stop();
    sandbox.edit_main_cf("relayhost", &format!("[127.0.0.1]:{}", peer.port));
    sandbox.launch();
    for step in STEPS {
        let subject = format!("{step:?}");
        let before = sandbox.log().matches(TOLD).count();
        peer.stop_at(step);
        accept(&sandbox, &subject);
        peer.wait(step);
        if step == Step::Answered {
            // The answer reaches a sender that cannot read it any more.
            let process = i32::try_from(sandbox.pid()).ok().and_then(Pid::from_raw);
            kill_process(process.expect("it runs"), Signal::STOP).expect("it is our own child");
            peer.go_on.send(()).expect("the peer lives");
            peer.wait(step);
        }
        let copies = peer.copies(&subject);
        sandbox.kill();
        if step != Step::Answered {
            peer.go_on.send(()).expect("the peer lives");
        }
        assert_eq!(copies, usize::from(step == Step::Answered), "{step:?}");
        sandbox.launch();
        wait_for(&format!("the message of {step:?}"), || {
            peer.copies(&subject) > copies
        });
        wait_for("an empty queue", || super::queue_is_empty(&sandbox));
        assert_eq!(peer.copies(&subject), copies + 1, "{step:?}");
        // Each start says that there may be copies, and of how many messages.
        let log = sandbox.log();
        assert_eq!(log.matches(TOLD).count(), before + 1, "{step:?}\n{log}");
        let sent = format!("to=<u@peer.test>, relay=127.0.0.1[127.0.0.1]:{}", peer.port);
        assert_eq!(
            log.matches(&sent).count(),
            before + 1,
            "{step:?}: one line each\n{log}"
        );
    }
}

const TOLD: &str = "the system did not stop cleanly: 1 messages are tried again, those whose delivery was under way may arrive twice";
