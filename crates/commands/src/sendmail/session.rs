//! `sendmail -bs`: SMTP on standard input and output; what is accepted goes into the maildrop.

use std::io::{self, Read, Write};
use std::sync::Arc;

use address::Address;
use envelope::{BodyKind, Envelope, Recipient};
use machine::{Machine, Stamp};
use settings::Postfix;
use smtp::Reply;
use smtp::server::{Answer, Config, Event, MailOptions, RcptOptions, Server};
use world::Clock;

use crate::submission::{self, Refusal, Submitter};

const PIECE_BYTES: usize = 16 * 1024;

/// The session's side of policy: a local user may send to anybody.
struct Session<'a> {
    settings: &'a Postfix,
    submitter: &'a Submitter,
    envelope: Envelope,
    content: Vec<u8>,
}

/// Speaks until the client is done.
///
/// # Errors
/// Of `input` and `output`.
pub(super) fn speak(
    settings: &Postfix,
    submitter: &Submitter,
    input: &mut dyn Read,
    output: &mut dyn Write,
) -> io::Result<()> {
    let clock = world::RealClock::new();
    let now = || -> Stamp { clock.now_micros() };
    let mut config = Config::new(&settings.myhostname);
    config.limits.message_octets_max = submission::size_max(settings);
    // Stand-alone sessions of Postfix count no errors either: the user can only hurt himself.
    config.limits.error_delay = 0;
    let mut server = Server::new(Arc::new(config), now());
    let mut session = Session {
        settings,
        submitter,
        envelope: submission::envelope_from(None),
        content: Vec::new(),
    };
    let mut piece = vec![0; PIECE_BYTES];
    loop {
        // Decisions first: what is refused without one is said only then.
        while let Some(event) = server.next_event() {
            let needs_answer = event.needs_answer();
            let answer = session.answer_to(event);
            if needs_answer {
                server.answer(answer, now());
            }
        }
        let mut said = Vec::new();
        server.next_output(&mut said, PIECE_BYTES);
        if !said.is_empty() {
            output.write_all(&said)?;
        } else if server.is_finished() {
            return output.flush();
        } else {
            output.flush()?;
            match input.read(&mut piece) {
                Ok(0) => server.end_of_input(now()),
                Ok(count) => server.feed(&piece[..count], now()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}

impl Session<'_> {
    fn answer_to(&mut self, event: Event) -> Answer {
        match event {
            Event::Mail { sender, options } => self.mail(sender, options),
            Event::Rcpt { recipient, options } => self.rcpt(recipient, options),
            Event::Content(piece) => {
                self.content.extend_from_slice(&piece);
                Answer::Accept
            }
            Event::ContentEnd { .. } => self.queue(),
            Event::Reset => {
                self.forget();
                Answer::Accept
            }
            Event::StartTls => Answer::TlsFailed,
            Event::Auth { .. } | Event::AuthResponse(_) => {
                Answer::AuthFailure("not in this session".to_owned())
            }
            Event::Etrn { .. } => Answer::Reply(Reply::bare(458, "Unable to queue messages")),
            Event::Handshake => Answer::TlsFailed,
            Event::Connected
            | Event::Secured
            | Event::Helo { .. }
            | Event::Data { .. }
            | Event::Vrfy { .. }
            | Event::Unknown { .. }
            | Event::AuthCancelled
            | Event::Forwarded(_)
            | Event::Introduced(_)
            | Event::Note(_)
            | Event::Ended(_) => Answer::Accept,
        }
    }

    fn forget(&mut self) {
        self.envelope = submission::envelope_from(None);
        self.content = Vec::new();
    }

    fn mail(&mut self, sender: Option<Address>, options: MailOptions) -> Answer {
        self.forget();
        self.envelope = Envelope {
            sender,
            recipients: Vec::new(),
            ret: options.ret,
            envid: options.envid,
            body: options.body,
            smtputf8: options.smtputf8,
        };
        Answer::Accept
    }

    fn rcpt(&mut self, recipient: Address, options: RcptOptions) -> Answer {
        self.envelope.recipients.push(Recipient {
            orcpt: options.orcpt,
            notify: options.notify,
            ..Recipient::new(recipient)
        });
        Answer::Accept
    }

    fn queue(&mut self) -> Answer {
        let content = message::lines::to_lf(&self.content);
        if self.envelope.body == BodyKind::SevenBit {
            self.envelope.body = submission::body_kind(&content);
        }
        let taken = submission::submit(self.settings, self.submitter.slip(), &self.envelope, &content);
        self.forget();
        match taken {
            Ok(queue_id) => Answer::Queued(queue_id),
            Err(Refusal::TooBig) => Answer::Reply(Reply::bare(552, "5.3.4 Error: message file too big")),
            Err(error) => {
                submission::warn("sendmail", &error.to_string());
                Answer::Reply(Reply::bare(451, "4.3.0 Error: queue file write error"))
            }
        }
    }
}
