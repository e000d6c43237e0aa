//! One message: MAIL, RCPT, DATA, the content, and what became of each recipient.

use super::replies::{Meaning, Said};
use super::stuffing::Stuffer;
use super::xforward::{self, Part};
use super::{Client, Command, Failure, Message, PIPELINED_COMMANDS_MAX, Protocol, Report, Stage};
use envelope::dsn::{encode_xtext, print_orcpt};
use envelope::{BodyKind, DeliveryResult, Outcome, StatusCode};
use message::downgrade::Downgrade;
use std::collections::VecDeque;

/// A message on its way.
#[derive(Debug)]
pub(super) struct Current {
    message: Message,
    outcomes: Vec<Option<Outcome>>,
    /// How many recipients were named to the peer.
    named: usize,
    accepted: Vec<usize>,
    mail_sent: bool,
    /// What XFORWARD is yet to tell.
    forwarding: VecDeque<(Part, String)>,
    warnings: Vec<String>,
    mail_accepted: bool,
    data_sent: bool,
    stuffer: Stuffer,
    /// For a peer that takes seven bits only.
    downgrade: Option<Downgrade>,
}

impl Client {
    /// The caller has a message.
    pub(super) fn begin(&mut self, message: Message) {
        let count = message.recipients.len();
        let why_not = self.why_not(&message);
        let forwarding = match &message.client {
            Some(client) if self.config.xforward => xforward::commands(client, &self.offers.xforward),
            _ => VecDeque::new(),
        };
        self.current = Some(Box::new(Current {
            message,
            outcomes: vec![None; count],
            named: 0,
            accepted: Vec::new(),
            mail_sent: false,
            forwarding,
            warnings: Vec::new(),
            mail_accepted: false,
            data_sent: false,
            stuffer: Stuffer::new(self.config.line_octets_max),
            downgrade: (self.config.downgrade && !self.offers.eight_bit_mime).then(Downgrade::new),
        }));
        self.stage = Stage::Envelope;
        match why_not {
            Some(failure) => {
                self.settle_unsettled(&failure);
                self.finish_message();
            }
            None => self.go_on(),
        }
    }

    /// What the peer would refuse anyway.
    fn why_not(&self, message: &Message) -> Option<Failure> {
        let limit = self.offers.size_octets_max;
        if let Some(octets) = message.octets.filter(|octets| limit > 0 && *octets > limit) {
            let text = format!(
                "message size {octets} exceeds size limit {limit} of server {}",
                self.config.peer
            );
            return Some(Failure {
                result: DeliveryResult::Bounced,
                status: StatusCode::permanent(3, 4),
                text,
            });
        }
        let mut addresses = message
            .sender
            .iter()
            .chain(message.recipients.iter().map(|r| &r.address));
        // Of raw octets in headers only a sender who knows RFC 6531 says what they are.
        let needs_utf8 = addresses.any(address::Address::needs_smtputf8)
            || (message.smtputf8 && message.has_eight_bit_header);
        if needs_utf8 && !self.offers.smtputf8 {
            let text = format!(
                "SMTPUTF8 is required, but was not offered by host {}",
                self.config.peer
            );
            return Some(Failure {
                result: DeliveryResult::Bounced,
                status: StatusCode::permanent(6, 7),
                text,
            });
        }
        None
    }

    /// Sends every command of the envelope that may be sent now.
    fn go_on(&mut self) {
        while self.stage == Stage::Envelope {
            let may_send = match self.offers.pipelining {
                true => self.awaiting.len() < PIPELINED_COMMANDS_MAX,
                false => self.awaiting.is_empty(),
            };
            let Some(current) = &mut self.current else { return };
            if !may_send || current.data_sent {
                return;
            }
            if self.dirty {
                self.dirty = false;
                self.send(Command::Rset, "RSET");
            } else if let Some((part, line)) = current.forwarding.pop_front() {
                self.send(Command::Xforward(part), &line);
            } else if !current.mail_sent {
                current.mail_sent = true;
                let line = self.mail_line();
                self.send(Command::Mail, &line);
            } else if current.named < current.message.recipients.len() {
                let index = current.named;
                current.named += 1;
                let line = self.rcpt_line(index);
                self.send(Command::Rcpt(index), &line);
            } else {
                let nobody = current.accepted.is_empty() || !current.mail_accepted;
                if current.message.is_probe && (nobody || !self.config.probes_to_data) {
                    if self.awaiting.is_empty() {
                        self.finish_message();
                    }
                    return;
                }
                if self.awaiting.is_empty() && nobody {
                    return self.finish_message();
                }
                current.data_sent = true;
                self.send(Command::Data, "DATA");
            }
        }
    }

    fn mail_line(&self) -> String {
        let Some(current) = &self.current else {
            return String::new();
        };
        let message = &current.message;
        let mut line = format!("MAIL FROM:{}", address::path::display(message.sender.as_ref()));
        if let Some(octets) = message.octets.filter(|_| self.offers.size) {
            line.push_str(&format!(" SIZE={octets}"));
        }
        // Without 8BITMIME what is labelled 8bit is encoded (RFC 6152 §3).
        if message.body != BodyKind::SevenBit && self.offers.eight_bit_mime {
            line.push_str(" BODY=8BITMIME");
        }
        if message.smtputf8 && self.offers.smtputf8 {
            line.push_str(" SMTPUTF8");
        }
        if self.config.dummy_mail_auth && !self.offers.mechanisms.is_empty() {
            line.push_str(" AUTH=<>");
        }
        if self.offers.dsn {
            if let Some(ret) = message.ret {
                line.push_str(&format!(" RET={ret}"));
            }
            if let Some(envid) = &message.envid {
                line.push_str(&format!(" ENVID={}", encode_xtext(envid)));
            }
        }
        line
    }

    fn rcpt_line(&self, index: usize) -> String {
        let Some(current) = &self.current else {
            return String::new();
        };
        let recipient = &current.message.recipients[index];
        let mut line = format!("RCPT TO:{}", address::path::display(Some(&recipient.address)));
        if !self.offers.dsn {
            return line;
        }
        if let Some(notify) = recipient.notify {
            line.push_str(&format!(" NOTIFY={notify}"));
        }
        if let Some(orcpt) = &recipient.orcpt {
            line.push_str(&format!(" ORCPT={}", print_orcpt(orcpt)));
        }
        line
    }

    /// A reply inside a transaction.
    pub(super) fn transaction_reply(&mut self, command: Command, reply: &Said) {
        let said = self.said(command, reply);
        match command {
            // A refused RSET leaves the peer's state unknown.
            Command::Rset if !reply.is_done() => {
                return self.fail(Failure::deferred(StatusCode::temporary(5, 0), said));
            }
            Command::Rset => self.unproved = false,
            // The message does not depend on it.
            Command::Xforward(_) if !reply.is_done() => {
                if let Some(current) = &mut self.current {
                    current.warnings.push(said);
                }
            }
            Command::Mail => self.mail_reply(reply, said),
            Command::Rcpt(index) => self.rcpt_reply(index, reply, said),
            Command::Data => return self.data_reply(reply, said),
            Command::End => {
                let accepted = self
                    .current
                    .as_ref()
                    .map(|current| current.accepted.clone())
                    .unwrap_or_default();
                accepted
                    .into_iter()
                    .for_each(|index| self.content_reply(index, reply, &said));
            }
            Command::EndFor(index) => self.content_reply(index, reply, &said),
            _ => {}
        }
        if self.stage == Stage::AfterContent && self.awaiting.is_empty() {
            self.finish_message();
        } else if self.stage == Stage::Envelope {
            self.go_on();
        }
    }

    fn mail_reply(&mut self, reply: &Said, said: String) {
        let accepted = reply.is_done();
        if let Some(current) = &mut self.current {
            current.mail_accepted = accepted;
            if !accepted && !self.offers.pipelining {
                // Nobody is named to a peer that does not want the sender.
                current.named = current.message.recipients.len();
            }
        }
        if !accepted {
            self.note_refusal(reply);
            self.settle_unsettled(&Failure::by_reply(reply, said));
        }
    }

    fn rcpt_reply(&mut self, index: usize, reply: &Said, said: String) {
        if reply.is_done() {
            let accepts = |current: &Current| current.mail_accepted && current.outcomes[index].is_none();
            let current = self.current.as_mut().filter(|current| accepts(current));
            match current {
                Some(current) if current.message.is_probe && !self.config.probes_to_data => {
                    self.content_reply(index, reply, &said);
                }
                Some(current) => current.accepted.push(index),
                None => {}
            }
            return;
        }
        self.note_refusal(reply);
        // 552, too: RFC 5321 §4.5.3.1.10 has it as an old way to say 452, but peers of today say it of full mailboxes.
        self.settle(index, &Failure::by_reply(reply, said));
    }

    /// The peer did not take something; or it said what is no answer to it.
    fn note_refusal(&mut self, reply: &Said) {
        self.note_fault(reply);
        self.out_of_step |= !matches!(reply.meaning(), Meaning::Later | Meaning::Never);
    }

    fn data_reply(&mut self, reply: &Said, said: String) {
        let nobody = self
            .current
            .as_ref()
            .is_none_or(|c| c.accepted.is_empty() || !c.mail_accepted);
        if reply.meaning() != Meaning::GoOn {
            self.note_refusal(reply);
            let said = match reply.is_done() {
                true => format!("Protocol error: {said}"),
                false => said,
            };
            self.settle_unsettled(&Failure::by_reply(reply, said));
            self.finish_message();
        } else if self.current.as_ref().is_some_and(|c| c.message.is_probe) {
            self.end_probe(reply);
        } else if nobody {
            // RFC 2920 §3.1: the peer waits for a content; it gets an empty one, for nobody.
            self.saying(".");
            self.output.extend_from_slice(b".\r\n");
            self.wait_for(Command::EndForNobody);
            self.stage = Stage::AfterContent;
        } else {
            self.stage = Stage::Content;
            (self.content_since, self.content_octets) = (self.now, 0);
        }
    }

    /// The peer waits for a content, and there is none: nothing but the end of the connection keeps it from taking one.
    fn end_probe(&mut self, reply: &Said) {
        let accepted = self.current.as_ref().map(|current| current.accepted.clone());
        for index in accepted.unwrap_or_default() {
            self.settle(
                index,
                &Failure {
                    result: DeliveryResult::Relayed,
                    status: StatusCode::success(0, 0),
                    text: reply.in_one_line(),
                },
            );
        }
        self.finish_message();
        self.stage = Stage::Finished;
    }

    /// What the peer says about the message for one accepted recipient.
    fn content_reply(&mut self, index: usize, reply: &Said, said: &str) {
        if !reply.is_done() {
            self.note_refusal(reply);
            return self.settle(index, &Failure::by_reply(reply, said.to_owned()));
        }
        let success = Failure {
            result: match self.offers.dsn {
                true => DeliveryResult::Sent,
                false => DeliveryResult::Relayed,
            },
            status: reply.status(),
            text: reply.in_one_line(),
        };
        self.settle(index, &success);
    }

    pub(super) fn content(&mut self, content: &[u8]) {
        self.content_octets += content.len() as u64;
        let Some(current) = &mut self.current else { return };
        match &mut current.downgrade {
            None => current.stuffer.push(content, &mut self.output),
            Some(downgrade) => {
                let mut converted = Vec::with_capacity(content.len());
                downgrade.feed(content, &mut converted);
                current.stuffer.push(&converted, &mut self.output);
            }
        }
    }

    pub(super) fn content_end(&mut self) {
        let Some(current) = &mut self.current else { return };
        if let Some(mut downgrade) = current.downgrade.take() {
            let mut rest = Vec::new();
            downgrade.finish(&mut rest);
            current.stuffer.push(&rest, &mut self.output);
        }
        current.stuffer.end_of_lines(&mut self.output);
        match self.behind_pix && self.config.pix.delay.is_some() {
            true => self.stage = Stage::BeforeEnd,
            false => self.end_mark(),
        }
    }

    /// The content is out: its end mark follows.
    pub(super) fn end_mark(&mut self) {
        self.output.extend_from_slice(b".\r\n");
        self.saying(".");
        let accepted = self
            .current
            .as_ref()
            .map(|current| current.accepted.clone())
            .unwrap_or_default();
        self.stage = Stage::AfterContent;
        match self.config.protocol {
            Protocol::Smtp => self.wait_for(Command::End),
            Protocol::Lmtp => accepted
                .into_iter()
                .for_each(|index| self.wait_for(Command::EndFor(index))),
        }
    }

    /// The first outcome of a recipient counts.
    fn settle(&mut self, index: usize, failure: &Failure) {
        if let Some(current) = &mut self.current {
            current.outcomes[index].get_or_insert_with(|| failure.outcome(&self.config.relay));
        }
    }

    fn settle_unsettled(&mut self, failure: &Failure) {
        let count = self.current.as_ref().map_or(0, |current| current.outcomes.len());
        (0..count).for_each(|index| self.settle(index, failure));
    }

    /// The session is failing: so is what is left of the message.
    pub(super) fn settle_rest(&mut self, failure: &Failure) {
        if self.current.is_some() {
            self.settle_unsettled(failure);
            self.finish_message();
        }
    }

    /// Every recipient has its outcome: tells the caller, and is ready for the next message.
    fn finish_message(&mut self) {
        let lost = Failure::deferred(
            StatusCode::temporary(3, 0),
            "no reply was kept for this recipient".to_owned(),
        );
        self.settle_unsettled(&lost);
        let Some(current) = self.current.take() else {
            return;
        };
        // After a content the peer has forgotten the transaction itself.
        self.dirty = current.mail_sent && self.stage != Stage::AfterContent;
        self.report = Some(Report {
            outcomes: current.outcomes.into_iter().flatten().collect(),
            never_begun: !current.mail_sent,
            perhaps_taken: matches!(self.awaiting.front(), Some(Command::End | Command::EndFor(_))),
            stale: self.unproved,
            dsn_offered: self.offers.dsn,
            tls: self.tls,
            warnings: current.warnings,
        });
        self.stage = Stage::Ready;
        if self.out_of_step {
            self.leave();
        }
    }
}
