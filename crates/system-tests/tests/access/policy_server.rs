//! A policy server that does what `policy_context` says.

use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

/// Answers until the process ends.
pub(super) struct PolicyServer {
    questions: Arc<Mutex<Vec<String>>>,
}

impl PolicyServer {
    /// Listens on a port of 127.0.0.1.
    pub(super) fn start(port: u16) -> PolicyServer {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).unwrap();
        let questions = Arc::default();
        let server = PolicyServer {
            questions: Arc::clone(&questions),
        };
        thread::spawn(move || {
            while let Ok((stream, _)) = listener.accept() {
                let questions = Arc::clone(&questions);
                thread::spawn(move || serve(stream, &questions));
            }
        });
        server
    }

    /// What was asked so far.
    pub(super) fn asked(&self) -> Vec<String> {
        self.questions
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

fn serve(mut stream: TcpStream, questions: &Mutex<Vec<String>>) {
    let reader = BufReader::new(stream.try_clone().unwrap());
    let (mut question, mut action) = (String::new(), String::new());
    for line in reader.lines().map_while(Result::ok) {
        if line.is_empty() {
            let asked = std::mem::take(&mut question);
            questions
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(asked);
            // Somebody who hangs up in the middle.
            if action == "hang up"
                || stream
                    .write_all(format!("action={action}\n\n").as_bytes())
                    .is_err()
            {
                return;
            }
            continue;
        }
        if let Some(context) = line.strip_prefix("policy_context=") {
            context.clone_into(&mut action);
        }
        question.push_str(&line);
        question.push('\n');
    }
}
