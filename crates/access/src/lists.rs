//! The lists and the order in which they are asked (SMTPD_ACCESS_README, "Getting selective").

use std::sync::Arc;

use route::Router;
use settings::Postfix;

use crate::Verdict;
use crate::request::{Refusal, Request};
use crate::restrictions::{self, Context};

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
}

impl Access {
    /// The lists of `settings`.
    pub fn new(settings: Arc<Postfix>, router: Arc<Router>) -> Access {
        Access { settings, router }
    }

    /// Names in the service's lists that are no restriction of ours: the parameter and the name.
    pub fn unknown(settings: &Postfix) -> Vec<(&'static str, String)> {
        let mut unknown = Vec::new();
        for (parameter, list) in all_lists(settings) {
            let mut words = list.iter();
            while let Some(word) = words.next() {
                if restrictions::find(word).is_none() {
                    unknown.push((parameter, word.clone()));
                    if word.starts_with("check_") {
                        words.next();
                    }
                }
            }
        }
        unknown
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
            let wanted = self.settings.smtpd_reject_unlisted_recipient;
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
        for name in list_of(&self.settings, stage) {
            // An unknown restriction was reported when the configuration was read.
            let Some(restriction) = restrictions::find(name) else {
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

fn list_of(settings: &Postfix, stage: Stage) -> &[String] {
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

fn all_lists(settings: &Postfix) -> [(&'static str, &[String]); 8] {
    [
        ("smtpd_client_restrictions", list_of(settings, Stage::Client)),
        ("smtpd_helo_restrictions", list_of(settings, Stage::Helo)),
        ("smtpd_sender_restrictions", list_of(settings, Stage::Sender)),
        ("smtpd_relay_restrictions", list_of(settings, Stage::Relay)),
        (
            "smtpd_recipient_restrictions",
            list_of(settings, Stage::Recipient),
        ),
        ("smtpd_data_restrictions", list_of(settings, Stage::Data)),
        (
            "smtpd_end_of_data_restrictions",
            list_of(settings, Stage::EndOfData),
        ),
        ("smtpd_etrn_restrictions", list_of(settings, Stage::Etrn)),
    ]
}
