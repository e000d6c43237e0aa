//! Tables that change what servers say (`smtp_reply_filter`), what they announce (`smtp_discard_ehlo_keyword_address_maps`),
//! and what becomes of recipients (`smtp_delivery_status_filter`).

use crate::options::stamp;
use crate::parameters::Parameters;
use envelope::{Class, DeliveryResult, Outcome, StatusCode};
use smtp::client::Pix;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use tables::Tables;

/// The longest line of a reply that is looked at, in octets; a longer one is passed on as it is.
const LINE_OCTETS_MAX: usize = 4096;

/// The tables of one client.
pub(crate) struct Filters {
    replies: Arc<Tables>,
    status: Tables,
    keywords: Vec<String>,
    keyword_maps: Tables,
    pix: Workarounds,
}

/// `smtp_pix_workarounds` and its like.
struct Workarounds {
    words: Vec<String>,
    maps: Tables,
    delay: Duration,
    threshold: Duration,
}

impl Filters {
    /// What main.cf says of one client.
    pub(crate) fn of(chosen: &Parameters<'_>) -> Filters {
        Filters {
            replies: Arc::new(Tables::open(chosen.reply_filter).0),
            status: Tables::open(chosen.delivery_status_filter).0,
            keywords: in_capitals(chosen.discard_ehlo_keywords.iter().map(String::as_str)),
            keyword_maps: Tables::open(chosen.discard_ehlo_keyword_address_maps).0,
            pix: Workarounds {
                words: chosen.pix_workarounds.clone(),
                maps: Tables::open(chosen.pix_workaround_maps).0,
                delay: *chosen.pix_workaround_delay_time,
                threshold: *chosen.pix_workaround_threshold_time,
            },
        }
    }

    /// The keywords that are not heard from that address: those of the table, or those for all.
    ///
    /// # Errors
    /// When the table cannot be asked.
    pub(crate) fn discarded_keywords(&self, address: Option<IpAddr>) -> Result<Vec<String>, tables::Error> {
        let Some(address) = address.filter(|_| !self.keyword_maps.is_empty()) else {
            return Ok(self.keywords.clone());
        };
        let found = self.keyword_maps.lookup(&address.to_string())?;
        Ok(found.map_or_else(|| self.keywords.clone(), |text| in_capitals(words(&text))))
    }

    /// What is done for a message of that age where a PIX firewall stands before that address.
    ///
    /// # Errors
    /// When the table cannot be asked.
    pub(crate) fn pix(&self, address: Option<IpAddr>, age: Duration) -> Result<Pix, tables::Error> {
        let of_table = match address.filter(|_| !self.pix.maps.is_empty()) {
            Some(address) => self.pix.maps.lookup(&address.to_string())?,
            None => None,
        };
        let has = |wanted: &str| match &of_table {
            Some(text) => words(text).any(|word| word.eq_ignore_ascii_case(wanted)),
            None => self
                .pix
                .words
                .iter()
                .any(|word| word.eq_ignore_ascii_case(wanted)),
        };
        let delays = has("delay_dotcrlf") && age >= self.pix.threshold;
        Ok(Pix {
            disables_esmtp: has("disable_esmtp"),
            delay: delays.then(|| stamp(self.pix.delay)),
        })
    }

    /// What one connection's replies pass through; `None` where nothing is changed.
    pub(crate) fn replies(&self) -> Option<Replies> {
        (!self.replies.is_empty()).then(|| Replies {
            tables: Arc::clone(&self.replies),
            line: Vec::new(),
        })
    }

    /// The outcome as the table has it. A text that is no status, or another kind of status than a failure for a failure and a
    /// success for a success, changes nothing.
    ///
    /// # Errors
    /// What is wrong with the table's answer.
    pub(crate) fn status(&self, outcome: Outcome) -> Result<Outcome, (Box<Outcome>, String)> {
        if self.status.is_empty() {
            return Ok(outcome);
        }
        let key = format!("{} {}", outcome.status, outcome.text);
        let text = match self.status.lookup(&key) {
            Ok(Some(text)) => text,
            Ok(None) => return Ok(outcome),
            Err(error) => return Err((Box::new(outcome), error.to_string())),
        };
        let is_success = |status: StatusCode| status.class == Class::Success;
        match StatusCode::split(&text) {
            Some((status, text)) if is_success(status) == is_success(outcome.status) => Ok(Outcome {
                result: match status.class {
                    Class::Success => outcome.result,
                    Class::Temporary => DeliveryResult::Deferred,
                    Class::Permanent => DeliveryResult::Bounced,
                },
                status,
                text: text.to_owned(),
                ..outcome
            }),
            _ => {
                let why = format!("delivery status filter: \"{text}\" cannot stand for \"{key}\"");
                Err((Box::new(outcome), why))
            }
        }
    }
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split([',', ' ', '\t']).filter(|word| !word.is_empty())
}

fn in_capitals<'a>(words: impl Iterator<Item = &'a str>) -> Vec<String> {
    words.map(str::to_ascii_uppercase).collect()
}

/// What one connection's replies pass through.
pub(crate) struct Replies {
    tables: Arc<Tables>,
    /// The start of a line.
    line: Vec<u8>,
}

impl Replies {
    /// The whole lines of what was read, as the table has them.
    ///
    /// # Errors
    /// When the table cannot be asked: the reply is then not to be trusted.
    pub(crate) fn pass(&mut self, input: &[u8]) -> Result<Vec<u8>, tables::Error> {
        self.line.extend_from_slice(input);
        let mut out = Vec::new();
        while let Some(end) = self.line.iter().position(|octet| *octet == b'\n') {
            let rest = self.line.split_off(end + 1);
            let line = std::mem::replace(&mut self.line, rest);
            let text = String::from_utf8_lossy(&line);
            let text = text.trim_end_matches(['\r', '\n']);
            match self.tables.lookup(text)? {
                Some(other) => out.extend_from_slice(format!("{other}\r\n").as_bytes()),
                None => out.extend_from_slice(&line),
            }
        }
        if self.line.len() > LINE_OCTETS_MAX {
            out.append(&mut self.line);
        }
        Ok(out)
    }
}
