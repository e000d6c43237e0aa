//! The message before the filters: its header, its body and its end are told to each in turn, and what each wants is done
//! before the next one sees it.

use milter::client::BODY_PIECE_BYTES;
use milter::command::Command;
use milter::reply::Change;
use milter::standing::{Decision, Standing};

use super::{Filter, Filters, Warn};
use crate::cleanup::draft::{Draft, Problem};

/// What is known at a session's end is not told at that of a message.
const OF_THE_SESSION: &[&str] = &[
    "client_connections",
    "mail_addr",
    "mail_host",
    "mail_mailer",
    "rcpt_addr",
    "rcpt_host",
    "rcpt_mailer",
];

impl Filters {
    /// Shows the message to all that want to see it, until one decides.
    ///
    /// # Errors
    /// When the message cannot be read, or changed as a filter wants.
    pub(crate) async fn review(&mut self, draft: &mut Draft<'_>) -> Result<Decision, Problem> {
        self.macros.set("i", Some(draft.queue_id().to_string()));
        if self.is_of_smtp {
            for name in OF_THE_SESSION {
                self.macros.set(name, None);
            }
        }
        let tag = std::mem::replace(&mut self.tag, "cleanup");
        let decided = self.review_by_all(draft).await;
        self.tag = tag;
        decided
    }

    async fn review_by_all(&mut self, draft: &mut Draft<'_>) -> Result<Decision, Problem> {
        for at in 0..self.filters.len() {
            let decision = match self.filters[at].settled() {
                Some(decision) => decision,
                None => self.review_by(at, draft).await?,
            };
            if decision != Decision::Pass || draft.is_decided() {
                self.decider = Some(self.filters[at].service.name.clone());
                return Ok(decision);
            }
        }
        Ok(Decision::Pass)
    }

    async fn review_by(&mut self, at: usize, draft: &mut Draft<'_>) -> Result<Decision, Problem> {
        let Filters {
            filters,
            macros,
            log,
            tag,
            ..
        } = self;
        let mut reader = Reader {
            filter: &mut filters[at],
            macros,
            warn: Warn { log, tag },
            is_held: false,
        };
        let decision = reader.read(draft).await?;
        Ok(match decision {
            Decision::Pass if reader.is_held => Decision::Hold,
            decision => decision,
        })
    }
}

/// A filter that reads the message.
struct Reader<'a> {
    filter: &'a mut Filter,
    macros: &'a super::Values,
    warn: Warn<'a>,
    /// It wants the message to be held.
    is_held: bool,
}

impl Reader<'_> {
    async fn read(&mut self, draft: &mut Draft<'_>) -> Result<Decision, Problem> {
        let has_leading_space = self
            .filter
            .connection
            .as_ref()
            .is_some_and(|connection| connection.client.has_leading_space());
        for at in 0..draft.fields() {
            let Some((name, value)) = draft.field(at, has_leading_space) else {
                continue;
            };
            let command = Command::Header { name, value };
            if let Some(decision) = self.tell(&command, draft).await? {
                return Ok(decision);
            }
        }
        if let Some(decision) = self.tell(&Command::EndOfHeader, draft).await? {
            return Ok(decision);
        }
        if let Some(decision) = self.read_body(draft).await? {
            return Ok(decision);
        }
        let decision = self.ask(&Command::EndOfMessage, draft).await?;
        draft.end_body()?;
        Ok(decision)
    }

    /// Tells the body in pieces, line ends CRLF.
    async fn read_body(&mut self, draft: &mut Draft<'_>) -> Result<Option<Decision>, Problem> {
        let wanted = Command::Body(Vec::new());
        let wants = |filter: &Filter| {
            let connection = filter.connection.as_ref();
            connection.is_some_and(|connection| connection.client.wants(&wanted))
        };
        if !wants(self.filter) {
            return Ok(None);
        }
        let (mut at, mut told) = (0, Vec::new());
        loop {
            let piece = draft.body(at).map_err(Problem::Queue)?;
            // The empty line between header and body belongs to neither.
            let text = match at {
                0 => piece.strip_prefix(b"\n").unwrap_or(&piece),
                _ => &piece,
            };
            for byte in text {
                if *byte == b'\n' {
                    told.push(b'\r');
                }
                told.push(*byte);
            }
            at += piece.len() as u64;
            let is_end = piece.is_empty();
            while told.len() >= BODY_PIECE_BYTES || (is_end && !told.is_empty()) {
                let rest = told.split_off(told.len().min(BODY_PIECE_BYTES));
                let command = Command::Body(std::mem::replace(&mut told, rest));
                let (decision, enough) = self.tell_body(&command, draft).await?;
                if decision.is_some() || enough {
                    return Ok(decision);
                }
            }
            if is_end {
                return Ok(None);
            }
        }
    }

    /// Tells a piece of the body; whether the filter has enough of it.
    async fn tell_body(
        &mut self,
        command: &Command,
        draft: &mut Draft<'_>,
    ) -> Result<(Option<Decision>, bool), Problem> {
        let decision = self.tell(command, draft).await?;
        let enough = std::mem::take(&mut self.filter.has_enough);
        Ok((decision, enough))
    }

    /// Tells something; a decision, if that is the last word on the message.
    async fn tell(&mut self, command: &Command, draft: &mut Draft<'_>) -> Result<Option<Decision>, Problem> {
        let decision = self.ask(command, draft).await?;
        let is_over = decision != Decision::Pass || self.filter.standing != Standing::Asked;
        Ok(is_over.then_some(decision))
    }

    async fn ask(&mut self, command: &Command, draft: &mut Draft<'_>) -> Result<Decision, Problem> {
        let has_leading_space = self
            .filter
            .connection
            .as_ref()
            .is_some_and(|connection| connection.client.has_leading_space());
        let is_held = &mut self.is_held;
        let mut change = |what: Change| {
            *is_held |= matches!(what, Change::Quarantine(_));
            draft.perform(what, has_leading_space);
        };
        let patience = self.filter.service.content_timeout;
        let around = (self.macros, self.warn);
        let decision = self.filter.ask(command, around, patience, &mut change).await;
        match draft.problem() {
            Some(problem) => Err(problem),
            None => Ok(decision),
        }
    }
}
