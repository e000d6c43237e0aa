//! APPEND: a message from the client into a mailbox, as it arrives (RFC 3501 §6.3.11).

use mailbox::store::Append;

use super::reply::Context;
use super::{Job, Session};
use crate::extensions::uidplus;
use crate::wire::command::AppendHead;
use crate::wire::decode::Refusal;
use crate::wire::framing::{Announced, Frame};

/// The largest message, in octets.
pub(crate) const MESSAGE_BYTES_MAX: u64 = 1 << 31;
/// How much is handed to the store at once.
const PIECE_BYTES: usize = 64 * 1024;

/// An APPEND under way.
pub(crate) struct Appending {
    tag: String,
    append: Box<dyn Append>,
    /// The literal is complete; the rest of the command's line is awaited.
    complete: bool,
}

impl Session {
    pub(crate) fn start_append(&mut self, head: Result<AppendHead, Refusal>, announced: Announced) {
        let head = match head {
            Ok(head) => head,
            Err(refusal) => {
                self.framing.refuse();
                return self.refuse(refusal);
            }
        };
        if announced.size == 0 || announced.size > MESSAGE_BYTES_MAX {
            self.framing.refuse();
            let text = if announced.size == 0 {
                "NO Can't save a zero byte message"
            } else {
                "NO [TOOBIG] Maximum message size exceeded"
            };
            return self.tagged(&head.tag, text);
        }
        let Some(name) = self.name(&head.tag, &head.mailbox) else {
            return self.framing.refuse();
        };
        let date = head.internal_date_secs.unwrap_or(self.now / machine::SECOND);
        let begun = self.store.open(&name).and_then(|opened| {
            let mut append = self.store.append(&opened.id)?;
            append.start(head.flags, date)?;
            Ok(append)
        });
        match begun {
            Ok(append) => {
                self.framing.stream();
                if announced.synchronising {
                    self.say("+ OK");
                }
                self.job = Job::Append(Box::new(Appending {
                    tag: head.tag,
                    append,
                    complete: false,
                }));
            }
            Err(error) => {
                self.framing.refuse();
                self.store_failed(&head.tag, &error, Context::Destination);
            }
        }
    }

    /// Takes what has arrived of the message; `false` when more is needed.
    pub(crate) fn append_more(&mut self) -> bool {
        let Job::Append(job) = &mut self.job else {
            return false;
        };
        if !job.complete {
            loop {
                let piece = self.framing.streamed(PIECE_BYTES);
                if piece.is_empty() {
                    break;
                }
                let count = piece.len();
                if let Err(error) = job.append.write(piece) {
                    let tag = std::mem::take(&mut job.tag);
                    self.job = Job::None;
                    self.framing.refuse();
                    self.store_failed(&tag, &error, Context::Destination);
                    return true;
                }
                self.framing.consume_streamed(count);
            }
        }
        let Job::Append(job) = &mut self.job else {
            return false;
        };
        match self.framing.next_frame() {
            Some(Frame::StreamEnd) => job.complete = true,
            Some(frame) => self.end_append(frame),
            None => return false,
        }
        true
    }

    /// The line after the message: it must be empty.
    fn end_append(&mut self, frame: Frame) {
        let Job::Append(job) = std::mem::replace(&mut self.job, Job::None) else {
            return;
        };
        match frame {
            Frame::Command(rest) if rest.iter().all(|&b| b == b' ') => match job.append.commit() {
                Ok(appended) => {
                    let code = uidplus::append_code(&appended);
                    self.complete(&job.tag, &format!("OK {code}Append completed."));
                }
                Err(error) => self.store_failed(&job.tag, &error, Context::Destination),
            },
            frame => {
                if matches!(frame, Frame::Literal(_)) {
                    self.framing.refuse();
                }
                self.bad(&job.tag, "Error in IMAP command APPEND: Invalid arguments");
            }
        }
    }
}
