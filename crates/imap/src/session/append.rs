//! APPEND: messages from the client into a mailbox, as they arrive, all of them or none (RFC 3501 §6.3.11, 3502, 4469).

use mailbox::Flags;
use mailbox::store::Append;
use message::downgrade::Downgrade;

use super::reply::Context;
use super::{Job, Session};
use crate::extensions::{catenate, replace, uidplus};
use crate::wire::append::{self, Command, Content, Follows, Head, Piece, Place, Step};
use crate::wire::cursor::Cursor;
use crate::wire::framing::{Announced, Frame};

/// The largest message, in octets (APPENDLIMIT).
pub(crate) const MESSAGE_BYTES_MAX: u64 = 1 << 31;
/// The most messages of one APPEND.
pub(crate) const MESSAGES_MAX: usize = 1000;
/// How much is handed to the store at once.
const PIECE_BYTES: usize = 64 * 1024;

/// An APPEND or REPLACE under way.
pub(crate) struct Appending {
    tag: String,
    command: Command,
    place: Place,
    incoming: Incoming,
    /// The UID of the message that the new one replaces.
    replaced: Option<u32>,
}

/// The messages so far.
pub(crate) struct Incoming {
    append: Box<dyn Append>,
    messages: usize,
    /// Octets of the message begun last.
    bytes: u64,
    /// Parts in binary become base64 on their way.
    conversion: Option<Box<Downgrade>>,
}

/// Why an APPEND ends before its time.
pub(crate) enum Failure {
    /// The store's word.
    Store(mailbox::Error),
    /// What the tagged answer says, with NO or BAD.
    Answer(String),
    /// What is wrong with the command.
    Bad(String),
}

impl From<mailbox::Error> for Failure {
    fn from(error: mailbox::Error) -> Failure {
        Failure::Store(error)
    }
}

impl Incoming {
    fn start(&mut self, flags: Flags, date_secs: i64) -> Result<(), Failure> {
        if self.messages == MESSAGES_MAX {
            return Err(Failure::Answer("NO [LIMIT] Too many messages at once".to_owned()));
        }
        self.messages += 1;
        self.bytes = 0;
        self.conversion = None;
        Ok(self.append.start(flags, date_secs)?)
    }

    /// Adds content to the message begun last.
    pub(crate) fn write(&mut self, content: &[u8]) -> Result<(), Failure> {
        self.bytes = self.bytes.saturating_add(content.len() as u64);
        if self.bytes > MESSAGE_BYTES_MAX {
            return Err(too_big());
        }
        let Some(conversion) = &mut self.conversion else {
            return Ok(self.append.write(content)?);
        };
        let mut converted = Vec::new();
        conversion.feed(content, &mut converted);
        Ok(self.append.write(&converted)?)
    }

    fn end(&mut self) -> Result<(), Failure> {
        let Some(mut conversion) = self.conversion.take() else {
            return Ok(());
        };
        let mut converted = Vec::new();
        conversion.finish(&mut converted);
        Ok(self.append.write(&converted)?)
    }
}

fn too_big() -> Failure {
    Failure::Answer("NO [TOOBIG] Maximum message size exceeded".to_owned())
}

impl Session {
    /// An APPEND has announced its first literal; `rest` is where what follows the mailbox stands in the command.
    pub(crate) fn begin_append(&mut self, head: Head, rest: usize, announced: Announced) {
        let piece = &self.framing.so_far()[rest..];
        match append::read(piece, Place::First, Follows::Literal) {
            Some(piece) => self.open_append(head, piece, Some(announced)),
            None => self.collect_literal(announced),
        }
    }

    /// A whole command without a literal that is content.
    pub(crate) fn append_line(
        &mut self,
        tag: &str,
        name: &'static str,
        arguments: &mut Cursor<'_>,
    ) -> crate::wire::Result<()> {
        if arguments.at_end() {
            return Err(crate::wire::Error::Invalid("Missing arguments"));
        }
        let Some((command, mailbox)) = append::command(name, arguments)? else {
            return Err(crate::wire::Error::Invalid("Invalid arguments"));
        };
        if let Some(piece) = append::read(arguments.rest(), Place::First, Follows::Nothing) {
            let tag = tag.to_owned();
            let head = Head {
                tag,
                command,
                mailbox,
            };
            self.open_append(head, piece, None);
        }
        Ok(())
    }

    fn open_append(&mut self, head: Head, piece: Piece, announced: Option<Announced>) {
        match self.destination(&head, &piece, announced.is_some()) {
            Ok((incoming, replaced)) => {
                let job = Appending {
                    tag: head.tag,
                    command: head.command,
                    place: piece.place,
                    incoming,
                    replaced,
                };
                self.perform(Box::new(job), piece, announced);
            }
            Err(failure) => self.fail_append(&head.tag, &head.command, failure),
        }
    }

    /// Opens the mailbox. With a literal behind it, that comes before what is wrong with the rest.
    fn destination(
        &mut self,
        head: &Head,
        piece: &Piece,
        is_announced: bool,
    ) -> Result<(Incoming, Option<u32>), Failure> {
        if let (false, true, Some(error)) = (is_announced, piece.steps.is_empty(), &piece.error) {
            return Err(Failure::Bad(error.to_string()));
        }
        let replaced = match &head.command {
            Command::Append => None,
            Command::Replace { by_uid, message } => {
                Some(replace::named(self.view.as_deref(), *by_uid, message)?)
            }
        };
        let name = self.decoded_name(&head.mailbox).map_err(Failure::Answer)?;
        let opened = self.store.open(&name)?;
        let incoming = Incoming {
            append: self.store.append(&opened.id)?,
            messages: 0,
            bytes: 0,
            conversion: None,
        };
        Ok((incoming, replaced))
    }

    /// Does what a piece of the command says.
    fn perform(&mut self, mut job: Box<Appending>, piece: Piece, announced: Option<Announced>) {
        job.place = piece.place;
        for step in piece.steps {
            let done = match step {
                Step::Start {
                    flags,
                    internal_date_secs,
                } => {
                    let date = internal_date_secs.unwrap_or(self.now / machine::SECOND);
                    job.incoming.start(flags, date)
                }
                Step::Url(url) => self.append_url(&url, &mut job.incoming),
                Step::Literal(content) => match announced {
                    Some(announced) => self.take_content(content, announced, &mut job.incoming),
                    None => Ok(()),
                },
                Step::End => job.incoming.end(),
                Step::Commit => return self.commit_append(*job),
            };
            if let Err(failure) = done {
                return self.fail_append(&job.tag, &job.command, failure);
            }
        }
        match piece.error {
            Some(error) => self.fail_append(&job.tag, &job.command, Failure::Bad(error.to_string())),
            None => self.job = Job::Append(job),
        }
    }

    /// Begins to take the announced literal.
    fn take_content(
        &mut self,
        content: Content,
        announced: Announced,
        incoming: &mut Incoming,
    ) -> Result<(), Failure> {
        if content == Content::Utf8 && !self.utf8 {
            return Err(Failure::Bad("UTF8=ACCEPT is not enabled".to_owned()));
        }
        if announced.size == 0 && content != Content::Part {
            return Err(Failure::Answer("NO Can't save a zero byte message".to_owned()));
        }
        if incoming.bytes.saturating_add(announced.size) > self.settings.offered.append_bytes_max {
            return Err(too_big());
        }
        if matches!(content, Content::Binary | Content::Utf8) {
            incoming.conversion = Some(Box::new(Downgrade::of_binary()));
        }
        self.framing.stream();
        if announced.synchronising {
            self.say("+ OK");
        }
        Ok(())
    }

    fn append_url(&mut self, url: &[u8], incoming: &mut Incoming) -> Result<(), Failure> {
        catenate::copy_url(self, url, incoming)
    }

    /// Takes what has arrived of a message; `false` when more is needed.
    pub(crate) fn append_more(&mut self) -> bool {
        let Job::Append(mut job) = std::mem::replace(&mut self.job, Job::None) else {
            return false;
        };
        loop {
            let piece = self.framing.streamed(PIECE_BYTES);
            if piece.is_empty() {
                break;
            }
            let count = piece.len();
            if let Err(failure) = job.incoming.write(piece) {
                self.fail_append(&job.tag, &job.command, failure);
                return true;
            }
            self.framing.consume_streamed(count);
        }
        match self.framing.next_frame() {
            Some(Frame::StreamEnd) => self.job = Job::Append(job),
            Some(frame) => self.go_on(job, frame),
            None => {
                self.job = Job::Append(job);
                return false;
            }
        }
        true
    }

    /// A literal is over, and what follows it is there.
    fn go_on(&mut self, job: Box<Appending>, frame: Frame) {
        let (piece, announced) = match frame {
            Frame::Command(line) => (append::read(&line, job.place, Follows::Nothing), None),
            Frame::Literal(announced) => {
                // The job is in our hands: a session that ends drops it.
                if self.settings.offered.literals.refuses(announced) {
                    self.job = Job::Append(job);
                    self.refuses_literal(announced);
                    return;
                }
                let piece = append::read(self.framing.so_far(), job.place, Follows::Literal);
                (piece, Some(announced))
            }
            Frame::Dropped(_) | Frame::StreamEnd => {
                let failure = Failure::Bad("IMAP command line too large".to_owned());
                return self.fail_append(&job.tag, &job.command, failure);
            }
        };
        match (piece, announced) {
            (Some(piece), announced) => self.perform(job, piece, announced),
            (None, Some(announced)) => {
                self.job = Job::Append(job);
                if self.framing.collect() {
                    if announced.synchronising {
                        self.say("+ OK");
                    }
                } else if let Job::Append(job) = std::mem::replace(&mut self.job, Job::None) {
                    let failure = Failure::Bad("Too long argument".to_owned());
                    self.fail_append(&job.tag, &job.command, failure);
                }
            }
            (None, None) => {
                let failure = Failure::Bad("Invalid arguments".to_owned());
                self.fail_append(&job.tag, &job.command, failure);
            }
        }
    }

    fn commit_append(&mut self, job: Appending) {
        match job.incoming.append.commit() {
            Ok(appended) => {
                let code = uidplus::append_code(&appended);
                match job.replaced {
                    None => self.complete(&job.tag, &format!("OK {code}Append completed.")),
                    Some(uid) => self.end_replace(&job.tag, &code, uid),
                }
            }
            Err(error) => self.fail_append(&job.tag, &job.command, Failure::Store(error)),
        }
    }

    /// The command has failed: the rest of it is passed over.
    fn fail_append(&mut self, tag: &str, command: &Command, failure: Failure) {
        self.framing.refuse();
        match failure {
            Failure::Store(error) => self.store_failed(tag, &error, Context::Destination),
            Failure::Answer(text) => self.complete(tag, &text),
            Failure::Bad(text) => {
                let name = command.name();
                self.bad(tag, &format!("Error in IMAP command {name}: {text}"));
            }
        }
    }
}
