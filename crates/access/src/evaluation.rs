//! One evaluation: a list is walked, what restrictions say takes effect, and everything is written into the trace.

use settings::Postfix;

use crate::access_tables;
use crate::lists::{Access, Asked, Stage, WARN_ONLY};
use crate::outcome::{Actions, Decided, Note, Outcome, Step, Word};
use crate::outside::Waiting;
use crate::restrictions::{self, Context};
use crate::rule::Rule;
use crate::{About, Refusal, Verdict, misconfigured};

/// How deep lists may stand in each other: classes, and what tables say.
pub const DEPTH_MAX: usize = 100;

/// What a session remembers from one command to the next.
#[derive(Debug, Clone, Default)]
pub struct Memory {
    /// What is to happen to the message.
    pub actions: Actions,
    /// A refusal for the case that nothing refuses.
    pub(crate) if_permit: Deferral,
    /// Whether there was one at the end of the client's list, of HELO's, of the sender's.
    pub(crate) since: [bool; 3],
    /// Whether the restriction that a parameter asks for stood in the list already.
    pub(crate) sender_was_checked: bool,
    pub(crate) recipient_was_checked: bool,
}

impl Memory {
    /// A transaction is over.
    pub fn end_transaction(&mut self) {
        self.actions = Actions::default();
        self.since[2] = false;
        self.sender_was_checked = false;
    }
}

/// A refusal that waits: the first reason stays.
#[derive(Debug, Clone, Default)]
pub(crate) struct Deferral {
    pub(crate) is_active: bool,
    pub(crate) refusal: Option<Refusal>,
    /// Whose it is.
    pub(crate) rule: Option<Rule>,
}

impl Deferral {
    fn raise(&mut self, refusal: Refusal, rule: Option<Rule>) {
        if !self.is_active {
            self.is_active = true;
            self.refusal = Some(refusal);
            self.rule = rule;
        }
    }
}

/// What a list comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Status {
    Dunno,
    Permit,
    Refuse(Refusal),
}

/// Whether `warn_if_reject` can turn a refusal into a warning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Gravity {
    /// It is about the client.
    Policy,
    /// It is about us.
    Trouble,
}

pub(crate) struct Evaluation<'a> {
    pub(crate) access: &'a Access,
    pub(crate) asked: &'a Asked<'a>,
    pub(crate) stage: Stage,
    pub(crate) memory: &'a mut Memory,
    pub(crate) outcome: Outcome,
    if_reject: Deferral,
    pub(crate) depth: usize,
    /// The depth at which `warn_if_reject` stood; 0: nowhere.
    warned_at: usize,
}

impl<'a> Evaluation<'a> {
    pub(crate) fn new(access: &'a Access, asked: &'a Asked<'a>, memory: &'a mut Memory) -> Evaluation<'a> {
        Evaluation {
            access,
            asked,
            stage: Stage::Client,
            memory,
            outcome: Outcome::default(),
            if_reject: Deferral::default(),
            depth: 0,
            warned_at: 0,
        }
    }

    fn settings(&self) -> &'a Postfix {
        &self.access.settings
    }

    /// A new list begins.
    pub(crate) fn begin(&mut self, stage: Stage) {
        self.stage = stage;
        self.depth = 0;
        self.warned_at = 0;
        self.if_reject.is_active = false;
    }

    /// Walks a list.
    pub(crate) fn walk<'s>(&'s mut self, words: &'s [String], about: &'s About) -> Waiting<'s, Status> {
        Box::pin(async move {
            if self.depth >= DEPTH_MAX {
                self.warn(format!(
                    "{}: lists stand too deep in each other",
                    self.stage.parameter()
                ));
                return self.makes_no_sense(words.first().map_or("", String::as_str));
            }
            self.depth += 1;
            let status = self.words(words, about).await;
            self.end_of_warned();
            self.depth -= 1;
            status
        })
    }

    async fn words(&mut self, words: &[String], about: &About) -> Status {
        let mut rest = words.iter();
        while let Some(word) = rest.next() {
            if self.memory.actions.discard {
                break;
            }
            if word.eq_ignore_ascii_case(WARN_ONLY) {
                if self.warned_at == 0 {
                    self.warned_at = self.depth;
                }
                continue;
            }
            let status = self.word(word, &mut rest, about).await;
            self.end_of_warned();
            if status != Status::Dunno {
                return status;
            }
            if self.memory.if_permit.is_active && self.if_reject.is_active {
                break;
            }
        }
        Status::Dunno
    }

    fn end_of_warned(&mut self) {
        if self.warned_at >= self.depth {
            self.warned_at = 0;
        }
    }

    /// One restriction, with its argument from `rest`.
    async fn word(&mut self, word: &str, rest: &mut std::slice::Iter<'_, String>, about: &About) -> Status {
        let is_table = word.contains(':') && restrictions::find(word).is_none();
        let name = match (is_table, self.stage.of_tables()) {
            (false, _) => word,
            (true, Some(name)) => name,
            (true, None) => {
                self.warn(format!(
                    "specify one of (check_client_access, check_reverse_client_hostname_access, check_helo_access, \
                     check_sender_access, check_recipient_access, check_etrn_access) before {} restriction \"{word}\"",
                    about.class
                ));
                return self.makes_no_sense(word);
            }
        };
        if let Some(restriction) = restrictions::find(name) {
            let argument = match (is_table, restriction.takes_argument) {
                (true, _) => word,
                (false, true) => rest.next().map_or("", String::as_str),
                (false, false) => "",
            };
            return self.restriction(restriction, argument, about).await;
        }
        if let Some(class) = self.access.classes.get(word) {
            self.step(word, "", Decided::Goes);
            return self.walk(class, about).await;
        }
        self.warn(format!("unknown smtpd restriction: \"{word}\""));
        self.makes_no_sense(word)
    }

    /// What a list, or a table, says, means nothing.
    pub(crate) fn makes_no_sense(&mut self, word: &str) -> Status {
        self.step(word, "", Decided::Refuse(misconfigured()));
        self.refuse(misconfigured(), Gravity::Trouble)
    }

    async fn restriction(
        &mut self,
        restriction: &restrictions::Restriction,
        argument: &str,
        about: &About,
    ) -> Status {
        match restriction.name {
            "reject_unlisted_sender" => self.memory.sender_was_checked = true,
            "reject_unlisted_recipient" | "check_recipient_maps" => self.memory.recipient_was_checked = true,
            _ => {}
        }
        if argument.is_empty() && is_list_in_dns(restriction.name) {
            self.warn(format!(
                "restriction {} requires domain name argument",
                restriction.name
            ));
            self.step(restriction.name, "", Decided::Dunno);
            return Status::Dunno;
        }
        let context = self.context(about);
        let verdict = (restriction.ask)(&context, argument).await;
        let warnings = context.into_warnings();
        warnings.into_iter().for_each(|warning| self.warn(warning));
        self.take(restriction.name, argument, verdict).await
    }

    pub(crate) fn context<'s>(&self, about: &'s About) -> Context<'s>
    where
        'a: 's,
    {
        Context::new(self.access, self.asked, self.stage, about)
    }

    /// A restriction's verdict takes effect.
    pub(crate) async fn take(&mut self, name: &str, argument: &str, verdict: Verdict) -> Status {
        match verdict {
            Verdict::Dunno => {
                self.step(name, argument, Decided::Dunno);
                Status::Dunno
            }
            Verdict::Permit => {
                self.step(name, argument, Decided::Permit);
                Status::Permit
            }
            Verdict::Refuse(refusal) => {
                self.step(name, argument, Decided::Refuse(refusal.clone()));
                self.refuse(refusal, Gravity::Policy)
            }
            Verdict::RefuseMapped(refusal, note) => {
                self.outcome.notes.push(note);
                self.step(name, argument, Decided::Refuse(refusal.clone()));
                self.refuse(refusal, Gravity::Policy)
            }
            Verdict::Fail(refusal) => {
                self.step(name, argument, Decided::Refuse(refusal.clone()));
                self.refuse(refusal, Gravity::Trouble)
            }
            Verdict::DeferIfPermit(refusal) => {
                self.step(name, argument, Decided::DeferIfPermit(refusal.clone()));
                self.defer_if_permit(refusal)
            }
            Verdict::DeferIfReject(refusal) => {
                self.step(name, argument, Decided::DeferIfReject(refusal.clone()));
                self.defer_if_reject(refusal)
            }
            Verdict::Says(saying) => self.say_so(name, argument, &saying).await,
            Verdict::SaysAll(sayings) if sayings.is_empty() => {
                self.step(name, argument, Decided::Dunno);
                Status::Dunno
            }
            Verdict::SaysAll(sayings) => {
                let mut status = Status::Dunno;
                for saying in &sayings {
                    if status == Status::Dunno {
                        status = self.say_so(name, argument, saying).await;
                    }
                }
                status
            }
        }
    }

    async fn say_so(&mut self, name: &str, argument: &str, saying: &crate::Saying) -> Status {
        // Where the list has no argument, the table is of another setting.
        let argument = if argument.is_empty() {
            &saying.source
        } else {
            argument
        };
        self.step(name, argument, Decided::Goes);
        if let Some(step) = self.outcome.trace.last_mut() {
            let value = saying.written.as_ref().unwrap_or(&saying.value);
            step.found = Some((saying.key.clone(), value.clone()));
            step.line = access_tables::line_of(argument);
        }
        self.obey(name, saying).await
    }

    /// Under `warn_if_reject` nothing waits: the warning is about this.
    pub(crate) fn defer_if_permit(&mut self, refusal: Refusal) -> Status {
        if self.warned_at > 0 {
            return self.refuse(refusal, Gravity::Policy);
        }
        let rule = self.rule();
        self.memory.if_permit.raise(refusal, rule);
        Status::Dunno
    }

    pub(crate) fn defer_if_reject(&mut self, refusal: Refusal) -> Status {
        let rule = self.rule();
        self.if_reject.raise(refusal, rule);
        Status::Dunno
    }

    /// A refusal: a warning under `warn_if_reject`, another one when an earlier trouble comes first.
    pub(crate) fn refuse(&mut self, refusal: Refusal, gravity: Gravity) -> Status {
        let rule = self.rule();
        self.refuse_by(refusal, gravity, rule)
    }

    /// The same by a rule that is not the last step's.
    pub(crate) fn refuse_by(&mut self, refusal: Refusal, gravity: Gravity, rule: Option<Rule>) -> Status {
        if self.warned_at > 0 && gravity == Gravity::Policy {
            let soft = self.settings().soft_bounce;
            let shown = if soft { refusal.softened() } else { refusal.clone() };
            self.say_by(Word::RejectWarning, shown.to_string(), rule);
            if let Some(step) = self.outcome.trace.last_mut() {
                step.decided = Decided::WouldRefuse(refusal);
            }
            return Status::Dunno;
        }
        if refusal.code >= 500 && self.if_reject.is_active {
            self.if_reject.is_active = false;
            if let Some(earlier) = self.if_reject.refusal.take() {
                self.outcome.rule = self.if_reject.rule.take();
                return Status::Refuse(earlier);
            }
        }
        self.outcome.rule = rule;
        Status::Refuse(refusal)
    }

    /// The rule that decides at this moment: that of the last step.
    fn rule(&self) -> Option<Rule> {
        Rule::of(&self.outcome.trace)
    }

    pub(crate) fn say(&mut self, word: Word, text: String) {
        let rule = self.rule();
        self.say_by(word, text, rule);
    }

    fn say_by(&mut self, word: Word, text: String, rule: Option<Rule>) {
        self.outcome.notes.push(Note::About(word, text, rule));
    }

    pub(crate) fn warn(&mut self, text: String) {
        self.outcome.notes.push(Note::Warning(text));
    }

    pub(crate) fn step(&mut self, name: &str, argument: &str, decided: Decided) {
        self.outcome.trace.push(Step {
            stage: self.stage,
            depth: self.depth,
            restriction: name.to_owned(),
            argument: argument.to_owned(),
            found: None,
            line: None,
            decided,
        });
    }
}
/// Whether a restriction asks a list in DNS, which is its argument.
fn is_list_in_dns(name: &str) -> bool {
    ["reject_rbl_", "reject_rhsbl_", "permit_dnswl_", "permit_rhswl_"]
        .iter()
        .any(|kind| name.starts_with(kind))
}
