//! What a table or a policy service may say (access(5)), and what follows from it.

use envelope::StatusCode;

use crate::Saying;
use crate::evaluation::{Evaluation, Gravity, Status};
use crate::lists::{RECIPIENT, SENDER, Stage};
use crate::outcome::{Decided, Word};
use crate::restrictions::POLICY_QUERY;

/// The enhanced code at the start of a text, or `usual`; and the rest of it.
fn coded(text: &str, usual: StatusCode) -> (StatusCode, &str) {
    StatusCode::split(text).unwrap_or((usual, text))
}

/// The text, or what is said without one.
fn or<'a>(text: &'a str, usual: &'a str) -> &'a str {
    if text.is_empty() { usual } else { text }
}

/// `4xx text` or `5xx text`.
fn reply_code(command: &str, text: &str) -> Option<u16> {
    let is_code = command.len() == 3 && command.bytes().all(|octet| octet.is_ascii_digit());
    let code = command.parse().ok().filter(|code| (400..600).contains(code));
    code.filter(|_| is_code && !text.is_empty())
}

const DENIED: StatusCode = StatusCode::permanent(7, 1);

impl Evaluation<'_> {
    /// What was found takes effect.
    pub(crate) async fn obey(&mut self, restriction: &str, saying: &Saying) -> Status {
        let status = self.action(saying).await;
        if saying.may_permit || status != Status::Permit {
            return status;
        }
        self.warn(format!(
            "restriction {restriction} returns OK for {}",
            saying.about.name
        ));
        self.warn("this is not allowed for security reasons".to_owned());
        self.warn("use DUNNO instead of OK if you want to make an exception".to_owned());
        self.makes_no_sense(restriction)
    }

    async fn action(&mut self, saying: &Saying) -> Status {
        let value = saying.value.trim_start();
        let end = value.find([' ', '\t']).unwrap_or(value.len());
        let (command, text) = (&value[..end], value[end..].trim_start_matches([' ', '\t']));
        if let Some(status) = self.refusing(command, text, saying) {
            return status;
        }
        match command.to_ascii_uppercase().as_str() {
            word @ ("DUNNO" | "") => {
                if word.is_empty() {
                    let key = Some(saying.key.as_str()).filter(|key| *key != POLICY_QUERY);
                    let (source, key) = (&saying.source, key.unwrap_or_default());
                    self.warn(format!("access table {source} entry {key} has empty value"));
                }
                self.decided(Decided::Dunno);
                Status::Dunno
            }
            "OK" | "RELAY" => {
                self.decided(Decided::Permit);
                Status::Permit
            }
            word @ ("WARN" | "INFO" | "HOLD" | "DISCARD" | "FILTER" | "REDIRECT" | "BCC" | "PREPEND") => {
                self.decided(Decided::Action(value.to_owned()));
                self.effect(word, text, saying)
            }
            _ if !command.is_empty() && value.bytes().all(|octet| octet.is_ascii_digit()) => {
                self.decided(Decided::Permit);
                Status::Permit
            }
            _ => {
                let words = settings::kinds::words(value);
                self.walk(&words, &saying.about).await
            }
        }
    }

    /// The actions that refuse, now or later.
    fn refusing(&mut self, command: &str, text: &str, saying: &Saying) -> Option<Status> {
        let settings = &self.access.settings;
        let (no, later) = (settings.access_map_reject_code, settings.access_map_defer_code);
        let about = &saying.about;
        let code = reply_code(command, text);
        let (said, text) = coded(text, DENIED);
        let fitting = about.fitting(said);
        let refusal = |code: u16, usual: &str| about.refusal(code, fitting, or(text, usual));
        let status = if let Some(code) = code {
            let refusal = refusal(code, "Access denied");
            self.decided(Decided::Refuse(refusal.clone()));
            self.refuse(refusal, Gravity::Policy)
        } else {
            match command.to_ascii_uppercase().as_str() {
                "REJECT" | "DEFER" => {
                    let is_final = command.eq_ignore_ascii_case("REJECT");
                    let refusal = refusal(if is_final { no } else { later }, "Access denied");
                    self.decided(Decided::Refuse(refusal.clone()));
                    self.refuse(refusal, Gravity::Policy)
                }
                "DEFER_IF_PERMIT" => {
                    let refusal = refusal(later, "Service unavailable");
                    self.decided(Decided::DeferIfPermit(refusal.clone()));
                    self.defer_if_permit(refusal)
                }
                "DEFER_IF_REJECT" => {
                    let refusal = refusal(later, "Service unavailable");
                    self.decided(Decided::DeferIfReject(refusal.clone()));
                    self.defer_if_reject(refusal)
                }
                _ => return None,
            }
        };
        if fitting != said {
            self.outcome.notes.push(about.mapped(said));
        }
        Some(status)
    }

    /// The actions that go on.
    fn effect(&mut self, word: &str, text: &str, saying: &Saying) -> Status {
        let whole = match saying.about.class {
            SENDER | RECIPIENT if saying.key != POLICY_QUERY => &saying.about.name,
            _ => &saying.key,
        };
        let place = format!("access table {} entry \"{whole}\"", saying.source);
        let told = |text: &str| format!("<{}>: {} {text}", saying.about.name, saying.about.class);
        let triggers = told(&format!("triggers {word} {text}"));
        match word {
            "WARN" => self.say(Word::Warn, text.to_owned()),
            "INFO" => self.say(Word::Info, text.to_owned()),
            "HOLD" => {
                self.say(Word::Hold, told(or(text, "triggers HOLD action")));
                self.memory.actions.hold = true;
            }
            "DISCARD" => {
                self.say(Word::Discard, told(or(text, "triggers DISCARD action")));
                self.memory.actions.discard = true;
                return Status::Permit;
            }
            "FILTER" if text.is_empty() => self.warn(format!("{place} has FILTER entry without value")),
            "FILTER" if !text.contains(':') => {
                self.warn(format!("{place} requires transport:destination"));
            }
            "FILTER" => {
                self.say(Word::Filter, triggers);
                self.memory.actions.filter = Some(text.to_owned());
            }
            "REDIRECT" | "BCC" if !text.contains('@') => {
                self.warn(format!("{place} requires user@domain target"));
            }
            "REDIRECT" => {
                self.say(Word::Redirect, triggers);
                self.memory.actions.redirect = Some(text.to_owned());
            }
            "BCC" => {
                self.say(Word::Bcc, triggers);
                self.memory.actions.bcc.push(text.to_owned());
            }
            _ => self.prepend(text, &place, &saying.source),
        }
        Status::Dunno
    }

    fn prepend(&mut self, text: &str, place: &str, source: &str) {
        let is_field = text
            .split_once(':')
            .is_some_and(|(name, _)| !name.is_empty() && name.bytes().all(|octet| octet.is_ascii_graphic()));
        if self.stage == Stage::EndOfData {
            self.warn(format!(
                "access table {source}: action PREPEND must be used before smtpd_end_of_data_restrictions"
            ));
        } else if !is_field {
            self.warn(format!("{place} requires header: text"));
        } else {
            self.memory.actions.prepend.push(text.to_owned());
        }
    }

    /// The step of the restriction that asked says what came of it.
    fn decided(&mut self, decided: Decided) {
        if let Some(step) = self.outcome.trace.last_mut() {
            step.decided = decided;
        }
    }
}
