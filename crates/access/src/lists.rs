//! The lists and the order in which they are asked (SMTPD_ACCESS_README, "Getting selective").

use std::collections::HashMap;
use std::sync::Arc;

use route::Router;
use settings::Postfix;

use crate::Verdict;
use crate::request::{Refusal, Request};
use crate::restrictions::{self, Context};
use crate::review::skip_argument;

/// The moment of the dialogue at which a list is asked, and what its generic refusals are about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum Stage {
    Client,
    Helo,
    Sender,
    Relay,
    Recipient,
    Data,
    EndOfData,
    Etrn,
}

impl Stage {
    /// The parameter that holds its list.
    pub fn parameter(self) -> &'static str {
        match self {
            Stage::Client => "smtpd_client_restrictions",
            Stage::Helo => "smtpd_helo_restrictions",
            Stage::Sender => "smtpd_sender_restrictions",
            Stage::Relay => "smtpd_relay_restrictions",
            Stage::Recipient => "smtpd_recipient_restrictions",
            Stage::Data => "smtpd_data_restrictions",
            Stage::EndOfData => "smtpd_end_of_data_restrictions",
            Stage::Etrn => "smtpd_etrn_restrictions",
        }
    }

    /// The words in `<x>: Recipient address rejected: Access denied`.
    pub fn subject(self) -> &'static str {
        match self {
            Stage::Client => "Client host rejected",
            Stage::Helo => "Helo command rejected",
            Stage::Sender => "Sender address rejected",
            Stage::Relay | Stage::Recipient => "Recipient address rejected",
            Stage::Data => "Data command rejected",
            Stage::EndOfData => "End-of-data rejected",
            Stage::Etrn => "Etrn command rejected",
        }
    }
}

/// The restriction lists of one service.
pub struct Access {
    settings: Arc<Postfix>,
    router: Arc<Router>,
    /// Each stage's list, with the user's own lists put in their places.
    lists: HashMap<Stage, Vec<String>>,
}

/// How deep lists of the user's own may stand in each other.
pub const CLASS_DEPTH_MAX: usize = 16;

impl Access {
    /// The lists of `settings`.
    pub fn new(settings: Arc<Postfix>, router: Arc<Router>) -> Access {
        let list = |stage: &Stage| (*stage, expanded(&settings, list_of(&settings, *stage), 0));
        Access {
            lists: STAGES.iter().map(list).collect(),
            settings,
            router,
        }
    }

    /// Asks at connection time. `None`: go on.
    pub fn connect(&self, request: &Request<'_>) -> Option<Refusal> {
        self.now_or_later(&[Stage::Client], request)
    }

    /// Asks at HELO or EHLO.
    pub fn helo(&self, request: &Request<'_>) -> Option<Refusal> {
        self.now_or_later(&[Stage::Helo], request)
    }

    /// Asks at MAIL.
    pub fn mail(&self, request: &Request<'_>) -> Option<Refusal> {
        self.now_or_later(&[Stage::Sender], request)
    }

    /// Asks at RCPT: everything that was put off by `smtpd_delay_reject`, then relay and recipient lists, then
    /// whether the recipient exists (`smtpd_reject_unlisted_recipient`). Behind the sender's list comes whether the
    /// sender exists (`smtpd_reject_unlisted_sender`).
    pub fn rcpt(&self, request: &Request<'_>) -> Option<Refusal> {
        let delayed: &[Stage] = if self.settings.smtpd_delay_reject {
            &[Stage::Client, Stage::Helo, Stage::Sender]
        } else {
            &[]
        };
        let own = if self.settings.smtpd_relay_before_recipient_restrictions {
            [Stage::Relay, Stage::Recipient]
        } else {
            [Stage::Recipient, Stage::Relay]
        };
        let lists = self.ask(delayed, request).or_else(|| self.ask(&own, request));
        lists.or_else(|| {
            let mut options = self.settings.receive_override_options.iter();
            let is_left_out =
                options.any(|option| option.eq_ignore_ascii_case("no_unknown_recipient_checks"));
            let wanted = self.settings.smtpd_reject_unlisted_recipient && !is_left_out;
            self.implied(wanted, "reject_unlisted_recipient", Stage::Recipient, request)
        })
    }

    /// A restriction that a parameter asks for after the list of its stage.
    fn implied(&self, wanted: bool, name: &str, stage: Stage, request: &Request<'_>) -> Option<Refusal> {
        let restriction = restrictions::find(name).filter(|_| wanted)?;
        match restriction(&self.context(stage, request)) {
            Verdict::Refuse(refusal) => Some(refusal),
            Verdict::Permit | Verdict::Dunno => None,
        }
    }

    /// Asks at DATA or the first BDAT.
    pub fn data(&self, request: &Request<'_>) -> Option<Refusal> {
        self.ask(&[Stage::Data], request)
    }

    /// Asks after the content.
    pub fn end_of_data(&self, request: &Request<'_>) -> Option<Refusal> {
        self.ask(&[Stage::EndOfData], request)
    }

    /// Asks at ETRN.
    pub fn etrn(&self, request: &Request<'_>) -> Option<Refusal> {
        self.ask(&[Stage::Etrn], request)
    }

    fn now_or_later(&self, stages: &[Stage], request: &Request<'_>) -> Option<Refusal> {
        if self.settings.smtpd_delay_reject {
            None
        } else {
            self.ask(stages, request)
        }
    }

    fn context<'a>(&'a self, stage: Stage, request: &'a Request<'a>) -> Context<'a> {
        Context {
            stage,
            request,
            settings: &self.settings,
            router: &self.router,
        }
    }

    /// The first refusal of these lists. A permit ends its own list only.
    fn ask(&self, stages: &[Stage], request: &Request<'_>) -> Option<Refusal> {
        stages.iter().find_map(|stage| {
            self.ask_list(*stage, request).or_else(|| {
                let wanted = *stage == Stage::Sender && self.settings.smtpd_reject_unlisted_sender;
                self.implied(wanted, "reject_unlisted_sender", *stage, request)
            })
        })
    }

    fn ask_list(&self, stage: Stage, request: &Request<'_>) -> Option<Refusal> {
        let context = self.context(stage, request);
        let mut put_off = None;
        let mut names = self.lists.get(&stage).into_iter().flatten();
        while let Some(name) = names.next() {
            if name == WARN_ONLY {
                // What follows would only be logged.
                names.next();
                continue;
            }
            let Some(restriction) = restrictions::find(name) else {
                // Reported when the configuration was read, as not there yet; a mistake does not get this far.
                if takes_argument(name) {
                    skip_argument(&mut names);
                }
                continue;
            };
            match restriction(&context) {
                Verdict::Permit => return put_off,
                Verdict::Refuse(refusal) if name == "defer_if_permit" => put_off = Some(refusal),
                Verdict::Refuse(refusal) => return Some(refusal),
                Verdict::Dunno => {}
            }
        }
        put_off
    }
}

pub(crate) fn list_of(settings: &Postfix, stage: Stage) -> &[String] {
    match stage {
        Stage::Client => &settings.smtpd_client_restrictions,
        Stage::Helo => &settings.smtpd_helo_restrictions,
        Stage::Sender => &settings.smtpd_sender_restrictions,
        Stage::Relay => &settings.smtpd_relay_restrictions,
        Stage::Recipient => &settings.smtpd_recipient_restrictions,
        Stage::Data => &settings.smtpd_data_restrictions,
        Stage::EndOfData => &settings.smtpd_end_of_data_restrictions,
        Stage::Etrn => &settings.smtpd_etrn_restrictions,
    }
}

/// `warn_if_reject`: the restriction behind it refuses nobody.
pub(crate) const WARN_ONLY: &str = "warn_if_reject";

pub(crate) const STAGES: [Stage; 8] = [
    Stage::Client,
    Stage::Helo,
    Stage::Sender,
    Stage::Relay,
    Stage::Recipient,
    Stage::Data,
    Stage::EndOfData,
    Stage::Etrn,
];

/// A list with the lists of `smtpd_restriction_classes` in it put in place of their names.
pub(crate) fn expanded(settings: &Postfix, list: &[String], depth: usize) -> Vec<String> {
    let mut words = Vec::new();
    for word in list {
        let is_class = settings.smtpd_restriction_classes.contains(word);
        match settings
            .others
            .get(word)
            .filter(|_| is_class && depth < CLASS_DEPTH_MAX)
        {
            Some(text) => {
                let class = settings::kinds::words(text);
                words.extend(expanded(settings, &class, depth + 1));
            }
            None => words.push(word.clone()),
        }
    }
    words
}

/// Whether the restriction, which is not there, has a table, a server or a list behind it.
pub(crate) fn takes_argument(word: &str) -> bool {
    const PREFIXES: [&str; 5] = [
        "check_",
        "reject_rbl",
        "reject_rhsbl",
        "permit_dnswl",
        "permit_rhswl",
    ];
    word == "sleep" || PREFIXES.iter().any(|prefix| word.starts_with(prefix))
}
