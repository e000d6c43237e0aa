//! The lists and the order in which they are asked (SMTPD_ACCESS_README, "Getting selective").

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use route::Router;
use settings::{Networks, Postfix};
use tables::client_list::ClientList;
use tables::{Tables, Tell};

use crate::About;
use crate::access_tables::{AccessTables, Keys, MapList};
use crate::evaluation::{Evaluation, Gravity, Memory, Status};
use crate::footers::Footers;
use crate::names::Filter;
use crate::outcome::{Decided, Outcome};
use crate::outside::Outside;
use crate::request::{Refusal, Request};
use crate::restrictions::{self, check_sendmail_access::NAME};

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

    /// What its refusals are about, unless a restriction says otherwise.
    pub fn about(self, request: &Request<'_>) -> About {
        match self {
            Stage::Client => About::new(&request.client.to_string(), CLIENT),
            Stage::Helo => About::new(request.helo.unwrap_or_default(), HELO),
            Stage::Sender => About::new(request.sender_written, SENDER),
            Stage::Relay | Stage::Recipient => About::new(request.recipient_written, RECIPIENT),
            Stage::Data => About::new("DATA", "Data command"),
            Stage::EndOfData => About::new("END-OF-MESSAGE", "End-of-data"),
            Stage::Etrn => About::new(request.etrn_domain, ETRN),
        }
    }

    /// The restriction that a table by itself stands for (an old way to write it).
    pub(crate) fn of_tables(self) -> Option<&'static str> {
        match self {
            Stage::Client => Some("check_client_access"),
            Stage::Helo => Some("check_helo_access"),
            Stage::Sender => Some("check_sender_access"),
            Stage::Relay | Stage::Recipient => Some("check_recipient_access"),
            Stage::Etrn => Some("check_etrn_access"),
            Stage::Data | Stage::EndOfData => None,
        }
    }
}

/// What refusals call a client.
pub const CLIENT: &str = "Client host";
/// What refusals call the name that a client's address has.
pub const REVERSE_CLIENT: &str = "Unverified Client host";
/// What refusals call the name in HELO.
pub const HELO: &str = "Helo command";
/// What refusals call the address in MAIL.
pub const SENDER: &str = "Sender address";
/// What refusals call the address in RCPT.
pub const RECIPIENT: &str = "Recipient address";
/// What refusals call the domain in ETRN.
pub const ETRN: &str = "Etrn command";

/// What an evaluation works on: what was said so far, and whom to ask.
pub struct Asked<'a> {
    /// What was said.
    pub request: &'a Request<'a>,
    /// Whom to ask.
    pub outside: &'a dyn Outside,
}

/// The restriction lists of one service.
pub struct Access {
    pub(crate) settings: Arc<Postfix>,
    pub(crate) router: Arc<Router>,
    pub(crate) tables: AccessTables,
    pub(crate) keys: Keys,
    pub(crate) login_maps: Tables,
    pub(crate) reply_maps: Tables,
    /// `mynetworks`
    pub(crate) networks: ClientList,
    /// `permit_mx_backup_networks`
    pub(crate) backup_networks: ClientList,
    pub(crate) relay_certificates: MapList,
    /// `smtpd_expansion_filter`
    pub(crate) filter: Filter,
    /// What stands below refusals, if something does.
    pub footers: Option<Footers>,
    /// The lists of `smtpd_restriction_classes`.
    pub(crate) classes: BTreeMap<String, Vec<String>>,
    /// Warnings that are said once.
    pub(crate) said: Mutex<BTreeSet<&'static str>>,
}

/// How deep lists of the user's own may stand in each other.
pub const CLASS_DEPTH_MAX: usize = 16;

impl Access {
    /// The lists of `settings`, and what is wrong with their tables; `tell` hears the warnings of tables.
    pub fn new(settings: Arc<Postfix>, router: Arc<Router>, tell: &Tell) -> (Access, Vec<tables::Error>) {
        let opened = AccessTables::telling(Arc::clone(tell));
        let classes = classes_of(&settings);
        let mut problems = Vec::new();
        let lists = STAGES.iter().map(|stage| list_of(&settings, *stage));
        for list in lists.chain(classes.values().map(Vec::as_slice)) {
            for table in tables_in(list) {
                problems.extend(opened.add(table).err());
            }
        }
        let (mut login_maps, broken) = Tables::open(&settings.smtpd_sender_login_maps);
        problems.extend(broken);
        login_maps = login_maps.titled("smtpd_sender_login_maps");
        login_maps.tell_warnings(tell);
        let (mut reply_maps, broken) = Tables::open(&settings.rbl_reply_maps);
        problems.extend(broken);
        reply_maps = reply_maps.titled("rbl_reply_maps");
        reply_maps.tell_warnings(tell);
        let mut clients = |parameter: &str, list: &Networks| {
            let mut list = ClientList::open(parameter, list, &settings, &mut problems);
            list.tell_warnings(tell);
            list
        };
        let networks = clients("mynetworks", &settings.mynetworks);
        let backup_networks = clients("permit_mx_backup_networks", &settings.permit_mx_backup_networks);
        let (relay_certificates, broken) = MapList::open(&settings.relay_clientcerts, tell);
        problems.extend(broken);
        let (footers, broken) = Footers::of(&settings, tell);
        problems.extend(broken);
        let access = Access {
            tables: opened,
            keys: Keys::of(&settings),
            login_maps,
            reply_maps,
            networks,
            backup_networks,
            relay_certificates,
            filter: Filter::of(&settings.smtpd_expansion_filter),
            footers,
            classes,
            said: Mutex::default(),
            settings,
            router,
        };
        (access, problems)
    }

    /// Asks at connection time.
    pub async fn connect(&self, asked: &Asked<'_>, memory: &mut Memory) -> Outcome {
        self.now_or_later(Stage::Client, asked, memory).await
    }

    /// Asks at HELO or EHLO.
    pub async fn helo(&self, asked: &Asked<'_>, memory: &mut Memory) -> Outcome {
        self.now_or_later(Stage::Helo, asked, memory).await
    }

    /// Asks at MAIL.
    pub async fn mail(&self, asked: &Asked<'_>, memory: &mut Memory) -> Outcome {
        memory.sender_was_checked = false;
        self.now_or_later(Stage::Sender, asked, memory).await
    }

    /// Asks at RCPT: everything that was put off by `smtpd_delay_reject`, then relay and recipient lists, then
    /// whether the recipient exists (`smtpd_reject_unlisted_recipient`). Behind the sender's list comes whether the
    /// sender exists (`smtpd_reject_unlisted_sender`).
    pub async fn rcpt(&self, asked: &Asked<'_>, memory: &mut Memory) -> Outcome {
        memory.recipient_was_checked = false;
        let mut evaluation = Evaluation::new(self, asked, memory);
        let refusal = evaluation.at_rcpt().await;
        evaluation.ended(refusal)
    }

    /// Asks at DATA or the first BDAT.
    pub async fn data(&self, asked: &Asked<'_>, memory: &mut Memory) -> Outcome {
        self.at_content(Stage::Data, asked, memory).await
    }

    /// Asks after the content.
    pub async fn end_of_data(&self, asked: &Asked<'_>, memory: &mut Memory) -> Outcome {
        self.at_content(Stage::EndOfData, asked, memory).await
    }

    async fn at_content(&self, stage: Stage, asked: &Asked<'_>, memory: &mut Memory) -> Outcome {
        // What was raised for the last recipient, who was refused, is over.
        memory.if_permit.is_active = false;
        let mut evaluation = Evaluation::new(self, asked, memory);
        let refusal = evaluation.finally(stage).await;
        evaluation.ended(refusal)
    }

    /// Asks at ETRN.
    pub async fn etrn(&self, asked: &Asked<'_>, memory: &mut Memory) -> Outcome {
        let mut evaluation = Evaluation::new(self, asked, memory);
        let mut refusal = None;
        if self.settings.smtpd_delay_reject {
            refusal = evaluation.early(&[Stage::Client, Stage::Helo]).await;
        }
        if refusal.is_none() {
            evaluation.restore(2);
            refusal = evaluation.finally(Stage::Etrn).await;
        }
        evaluation.ended(refusal)
    }

    async fn now_or_later(&self, stage: Stage, asked: &Asked<'_>, memory: &mut Memory) -> Outcome {
        if self.settings.smtpd_delay_reject {
            return Outcome::default();
        }
        let mut evaluation = Evaluation::new(self, asked, memory);
        let refusal = evaluation.early(&[stage]).await;
        evaluation.ended(refusal)
    }
}

impl Evaluation<'_> {
    fn ended(mut self, refusal: Option<Refusal>) -> Outcome {
        self.outcome.refusal = refusal;
        self.outcome
    }

    /// Waits of earlier stages count again, those of this one no more; `stages` is how many are earlier.
    fn restore(&mut self, stages: usize) {
        self.memory.if_permit.is_active = self.memory.since.iter().take(stages).any(|raised| *raised);
    }

    /// The lists of client, HELO and sender: what they put off waits until RCPT.
    async fn early(&mut self, stages: &[Stage]) -> Option<Refusal> {
        for stage in stages {
            let number = match stage {
                Stage::Client => 0,
                Stage::Helo => 1,
                _ => 2,
            };
            self.restore(number);
            let mut status = self.list(*stage).await;
            self.memory.since[number] = self.memory.if_permit.is_active;
            let settings = &self.access.settings;
            let is_asked = *stage == Stage::Sender
                && settings.smtpd_reject_unlisted_sender
                && !self.memory.sender_was_checked
                && !self.memory.actions.discard;
            if is_asked && !matches!(status, Status::Refuse(_)) {
                status = self.implied("reject_unlisted_sender", *stage).await;
            }
            if let Status::Refuse(refusal) = status {
                return Some(refusal);
            }
        }
        None
    }

    async fn at_rcpt(&mut self) -> Option<Refusal> {
        let settings = &self.access.settings;
        if settings.smtpd_delay_reject {
            let refusal = self.early(&[Stage::Client, Stage::Helo, Stage::Sender]).await;
            if refusal.is_some() {
                return refusal;
            }
        }
        self.restore(3);
        let own = if settings.smtpd_relay_before_recipient_restrictions {
            [Stage::Relay, Stage::Recipient]
        } else {
            [Stage::Recipient, Stage::Relay]
        };
        for stage in own {
            if let Status::Refuse(refusal) = self.list(stage).await {
                return Some(refusal);
            }
        }
        if let Some(refusal) = self.put_off().await {
            return Some(refusal);
        }
        let mut options = settings.receive_override_options.iter();
        let is_left_out = options.any(|option| option.eq_ignore_ascii_case("no_unknown_recipient_checks"));
        let is_asked = settings.smtpd_reject_unlisted_recipient
            && !is_left_out
            && !self.memory.recipient_was_checked
            && !self.memory.actions.discard;
        match is_asked {
            true => match self.implied("reject_unlisted_recipient", Stage::Recipient).await {
                Status::Refuse(refusal) => Some(refusal),
                _ => None,
            },
            false => None,
        }
    }

    /// A list whose end is the end of what can refuse.
    async fn finally(&mut self, stage: Stage) -> Option<Refusal> {
        match self.list(stage).await {
            Status::Refuse(refusal) => Some(refusal),
            _ => self.put_off().await,
        }
    }

    /// The refusal that waited for nothing else to refuse.
    async fn put_off(&mut self) -> Option<Refusal> {
        if !self.memory.if_permit.is_active {
            return None;
        }
        let refusal = self.memory.if_permit.refusal.clone()?;
        let rule = self.memory.if_permit.rule.clone();
        self.step("defer_if_permit", "", Decided::Refuse(refusal.clone()));
        match self.refuse_by(refusal, Gravity::Policy, rule) {
            Status::Refuse(refusal) => Some(refusal),
            _ => None,
        }
    }

    async fn list(&mut self, stage: Stage) -> Status {
        self.begin(stage);
        let access = self.access;
        let list = list_of(&access.settings, stage);
        if self.is_sendmail_asked(stage, list) {
            let status = self.implied(NAME, stage).await;
            if status != Status::Dunno {
                return status;
            }
        }
        if list.is_empty() {
            return Status::Dunno;
        }
        let about = stage.about(self.asked.request);
        self.walk(list, &about).await
    }

    /// Whether Sendmail's `access` is asked in front of a list.
    fn is_sendmail_asked(&self, stage: Stage, list: &[String]) -> bool {
        let has_own = matches!(stage, Stage::Client | Stage::Sender | Stage::Recipient);
        let is_there = self.access.settings.sendmail.access.is_some();
        has_own
            && is_there
            && !self.memory.actions.discard
            && !list.iter().any(|word| word.eq_ignore_ascii_case(NAME))
    }

    /// A restriction that a parameter asks for before or after the list of its stage.
    async fn implied(&mut self, name: &str, stage: Stage) -> Status {
        self.begin(stage);
        let Some(restriction) = restrictions::find(name) else {
            return Status::Dunno;
        };
        let about = stage.about(self.asked.request);
        let context = self.context(&about);
        let verdict = (restriction.ask)(&context, "").await;
        self.take(name, "", verdict).await
    }
}

/// The lists of `smtpd_restriction_classes`, by name.
pub(crate) fn classes_of(settings: &Postfix) -> BTreeMap<String, Vec<String>> {
    let names = settings.smtpd_restriction_classes.iter();
    let defined = names.filter_map(|name| {
        let text = settings.others.get(name)?;
        Some((name.clone(), settings::kinds::words(text)))
    });
    defined.collect()
}

/// What stands behind `check_ccert_access`: a table, or `{ type:table, { search_order = … } }`.
pub(crate) struct Argument<'a> {
    pub(crate) table: &'a str,
    /// The words of `search_order`.
    pub(crate) search_order: Vec<String>,
}

impl<'a> Argument<'a> {
    /// Reads it.
    ///
    /// # Errors
    /// What the log says of one that makes no sense.
    pub(crate) fn read(text: &'a str) -> Result<Argument<'a>, String> {
        let table = table_of(text);
        let Some(inner) = text.strip_prefix('{') else {
            return Ok(Argument {
                table,
                search_order: Vec::new(),
            });
        };
        let inner = inner.strip_suffix('}').unwrap_or(inner);
        let mut search_order = Vec::new();
        for item in settings::kinds::words(inner).iter().skip(1) {
            let item = item.strip_prefix('{').and_then(|item| item.strip_suffix('}'));
            let order = item
                .and_then(|item| item.split_once('='))
                .map(|(name, order)| (name.trim(), order));
            let Some(("search_order", order)) = order else {
                return Err(format!(
                    "check_ccert_access: \"{text}\" is no table with a search_order"
                ));
            };
            search_order = settings::kinds::words(order);
        }
        Ok(Argument { table, search_order })
    }
}

/// The table in an argument, which may stand in braces with settings behind it.
fn table_of(text: &str) -> &str {
    let Some(inner) = text.strip_prefix('{') else {
        return text;
    };
    let inner = inner.strip_suffix('}').unwrap_or(inner).trim_start();
    let mut depth = 0usize;
    let end = inner.find(|c: char| {
        match c {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        depth == 0 && (c == ',' || c.is_ascii_whitespace())
    });
    &inner[..end.unwrap_or(inner.len())]
}

/// The tables that a list names.
pub(crate) fn tables_in(list: &[String]) -> impl Iterator<Item = &str> {
    let mut before = "";
    list.iter().map(String::as_str).filter_map(move |word| {
        let before = std::mem::replace(&mut before, word);
        if before.eq_ignore_ascii_case("check_policy_service") || !word.contains(':') {
            return None;
        }
        match (
            before.eq_ignore_ascii_case("check_ccert_access"),
            word.starts_with('{'),
        ) {
            (true, _) => Some(table_of(word)),
            (false, true) => None,
            (false, false) => Some(word),
        }
    })
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
