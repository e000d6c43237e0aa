//! What acts with a user's rights: reads `.forward` and include files, runs commands, writes files and mailboxes.
//! Runs in a process that has those rights and no others.

use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use envelope::{Outcome, StatusCode};
use message::date::Date;
use message::mbox::FromLine;
use settings::Postfix;
use store_mbox::keeper::{Keeper, Nobody};
use tables::aliases::Target;
use tables::{Matter, Tables, Tell};

use crate::Content;
use crate::command::{command, outcome_of};
use crate::dotforward::{self, Forward, Wanted, included};
use crate::lists::Trust;
use crate::mailbox::{self, Letter};
use crate::outcomes::{bounced, deferred, is_final, lookup_failed, misconfigured, sum};
use crate::pipe::{self, Pipes};
use crate::task::{
    Agents, Facts, Included, Kind, Next, Report, Rights, Runner, Stages, Task, UserMail, Work, digest,
};

/// Acts with the rights of the process that it is in.
pub struct Hands {
    settings: Arc<Postfix>,
    runner: Arc<dyn Runner>,
    keeper: Arc<dyn Keeper>,
    mailbox_commands: Tables,
    pipes: Pipes,
}

/// The agent of one process that never changes its identity: it performs what its own user may, and defers the rest.
pub struct OwnHands {
    hands: Hands,
    own_uid: u32,
    now_secs: fn() -> i64,
}

impl OwnHands {
    /// `own_uid` is whom this process runs as; `now_secs` tells the time, in seconds since the Unix epoch.
    pub fn new(hands: Hands, own_uid: u32, now_secs: fn() -> i64) -> OwnHands {
        OwnHands {
            hands,
            own_uid,
            now_secs,
        }
    }
}

impl Agents for OwnHands {
    fn perform(&self, rights: &Rights, task: &Task, content: &dyn Content) -> Report {
        if rights.uid == self.own_uid {
            return self.hands.perform(task, rights, content, (self.now_secs)());
        }
        let what = match &task.work {
            Work::User(mail) => format!("write the mail of {}", mail.name),
            Work::Command(text) => format!("run \"{text}\" as uid {}", rights.uid),
            Work::File(path) | Work::Include(path) | Work::Virtual(path) | Work::OfInclude { path, .. } => {
                format!("open {} as uid {}", path.display(), rights.uid)
            }
            Work::Pipe(mail) => format!("run the command of {} as uid {}", mail.transport, rights.uid),
            Work::Save(_) => format!("open a mailbox as uid {}", rights.uid),
        };
        let text = format!("cannot {what}: Yubin runs as another user and is not root");
        let mut outcome = deferred(StatusCode::temporary(3, 5), text);
        if rights.kind == Kind::Virtual {
            outcome.relay = "virtual".to_owned();
        }
        Report::of(outcome)
    }
}

/// One task as it is being done.
struct Job<'a> {
    facts: &'a Facts,
    rights: &'a Rights,
    content: &'a dyn Content,
    now_secs: i64,
}

impl Hands {
    /// Hands by `settings`, whose commands `runner` runs.
    pub fn new(settings: Arc<Postfix>, runner: Arc<dyn Runner>) -> Hands {
        let (mailbox_commands, _) = Tables::open_for(Matter::Rights, &settings.mailbox_command_maps);
        let mailbox_commands = mailbox_commands.titled("mailbox_command_maps");
        Hands {
            settings,
            runner,
            keeper: Arc::new(Nobody),
            mailbox_commands,
            pipes: Pipes::default(),
        }
    }

    /// The same, with the transports that hand mail to commands.
    pub fn with_pipes(mut self, pipes: Pipes) -> Hands {
        self.pipes = pipes;
        self
    }

    /// The same, with somebody who makes files in the mail spool where this process may not.
    pub fn with_keeper(mut self, keeper: Arc<dyn Keeper>) -> Hands {
        self.keeper = keeper;
        self
    }

    /// The same, telling warnings of its tables.
    pub fn telling(mut self, tell: &Tell) -> Hands {
        self.mailbox_commands.tell_warnings(tell);
        self
    }

    /// Performs a task; `now_secs` is seconds since the Unix epoch. Work that is not of the kind of the rights is refused.
    pub fn perform(&self, task: &Task, rights: &Rights, content: &dyn Content, now_secs: i64) -> Report {
        let job = Job {
            facts: &task.facts,
            rights,
            content,
            now_secs,
        };
        match (&task.work, rights.kind) {
            (Work::User(mail), Kind::User | Kind::Virtual) => self.user(&job, mail),
            (Work::Command(text), Kind::Table) => Report::of(self.command(&job, text)),
            (Work::File(path), Kind::Table) => self.file(&job, path),
            (Work::Include(path), Kind::Table) => include(path, Trust::NotTheWorld),
            (Work::OfInclude { path, target: None }, Kind::User) => {
                include(path, Trust::OwnerOfInclude(rights.uid))
            }
            (
                Work::OfInclude {
                    path,
                    target: Some(target),
                },
                Kind::User,
            ) => Report::of(self.of_include(&job, path, target)),
            (Work::Pipe(mail), Kind::Pipe) => self.pipe(&job, mail),
            (Work::Virtual(path), Kind::Virtual) => written(mailbox::deliver_virtual(
                &self.letter(&job),
                (path, rights),
                &self.settings,
            )),
            _ => {
                let text = "cannot deliver: this is not for the agent that was asked".to_owned();
                Report::of(deferred(StatusCode::temporary(3, 0), text))
            }
        }
    }

    fn user(&self, job: &Job<'_>, mail: &UserMail) -> Report {
        let mut warnings = Vec::new();
        let forward = match mail.stages {
            Stages::Mailbox => None,
            _ => match dotforward::read((job.facts, job.rights), &self.settings, &mut warnings) {
                Ok(forward) => forward,
                Err(outcome) => {
                    return Report {
                        warnings,
                        ..Report::of(outcome)
                    };
                }
            },
        };
        let mut report = match (forward, &mail.stages) {
            (Some(forward), stages) => self.forward(job, mail, (forward, stages)),
            (None, Stages::Forward) => Report {
                next: Next::Mailbox,
                ..Report::of(crate::outcomes::sent("no .forward"))
            },
            (None, Stages::Again(_)) => Report::of(is_gone(&mail.name)),
            (None, _) => self.mailbox(job, mail),
        };
        report.warnings.splice(0..0, warnings);
        report
    }

    /// Obeys a `.forward`; with [`Stages::Again`] the one target that is left of it.
    fn forward(&self, job: &Job<'_>, mail: &UserMail, (forward, stages): (Forward, &Stages)) -> Report {
        let mut report = Report::of(is_gone(&mail.name));
        report.warnings = forward.warnings;
        let mut parts = Vec::new();
        for wanted in forward.targets {
            let name = digest(&name_of(&wanted));
            if matches!(stages, Stages::Again(only) if *only != name) {
                continue;
            }
            let done = match wanted {
                Wanted::OwnMailbox if *stages == Stages::Forward => {
                    report.next = Next::MailboxToo;
                    continue;
                }
                Wanted::OwnMailbox => self.mailbox(job, mail),
                Wanted::Address(address) => {
                    report.forwards.push(address);
                    continue;
                }
                Wanted::Command(_) if job.rights.kind == Kind::Virtual => Report::of(restricted("command")),
                Wanted::File(_) if job.rights.kind == Kind::Virtual => Report::of(restricted("file")),
                Wanted::Command(text) => Report::of(self.command(job, &text)),
                Wanted::File(path) => self.file(job, &path),
                Wanted::Failed(_, outcome) => Report::of(outcome),
            };
            report.warnings.extend(done.warnings);
            parts.push((name, done.outcome));
        }
        let is_elsewhere = !report.forwards.is_empty() || report.next == Next::MailboxToo;
        if !parts.is_empty() || is_elsewhere {
            let mut done: Vec<Outcome> = parts.iter().map(|(_, outcome)| outcome.clone()).collect();
            (report.outcome, report.again) = sum(parts, is_elsewhere);
            done.retain(|outcome| report.again.is_empty() || is_final(outcome));
            report.done = done;
        }
        report
    }

    /// Does what an include file of this user names, if it is this user's alone: what is run is not for the asker to choose.
    fn of_include(&self, job: &Job<'_>, path: &Path, wanted: &str) -> Outcome {
        let list = match crate::lists::read(path, Trust::Owner(job.rights.uid)) {
            Ok(list) if list.owner_uid == job.rights.uid => list,
            Ok(_) => return misconfigured(),
            Err(crate::lists::Missing::Unreadable(why)) => {
                return deferred(StatusCode::temporary(3, 0), why);
            }
            Err(_) => return misconfigured(),
        };
        for target in list.targets {
            let settings = &self.settings;
            match target {
                Target::Command(text) if digest(&format!("|{text}")) == wanted => {
                    let refused =
                        dotforward::restricted(&settings.allow_mail_to_commands, "include", "command");
                    return refused.unwrap_or_else(|| self.command(job, &text));
                }
                Target::File(file) if digest(&file.display().to_string()) == wanted => {
                    let refused = dotforward::restricted(&settings.allow_mail_to_files, "include", "file");
                    return refused.unwrap_or_else(|| self.file(job, &file).outcome);
                }
                _ => {}
            }
        }
        bounced(
            StatusCode::permanent(3, 0),
            format!("{} no longer names what this message waited for", path.display()),
        )
    }

    /// `mailbox_command_maps`, `mailbox_command`, `home_mailbox`, `mail_spool_directory`.
    fn mailbox(&self, job: &Job<'_>, mail: &UserMail) -> Report {
        let own = match self.mailbox_commands.lookup(&mail.name) {
            Ok(own) => own,
            Err(_) => return Report::of(lookup_failed()),
        };
        let own = own.unwrap_or_else(|| self.settings.mailbox_command.clone());
        if !own.is_empty() && job.rights.kind != Kind::Virtual {
            return Report::of(self.command(job, &own));
        }
        written(mailbox::deliver(
            &self.letter(job),
            (&mail.name, job.rights),
            (&self.settings, &*self.keeper),
        ))
    }

    fn command(&self, job: &Job<'_>, text: &str) -> Outcome {
        let command = command(text, job.facts, job.rights, &self.settings);
        let header = format!("{}\n{}", from_line(job), self.header(job, "command"));
        let mut input = header.as_bytes().chain(job.content.reader());
        match self.runner.run(&command, &mut input) {
            Ok(exit) => outcome_of(text, &exit),
            Err(why) => deferred(StatusCode::temporary(3, 0), format!("temporary failure: {why}")),
        }
    }

    fn pipe(&self, job: &Job<'_>, mail: &pipe::Mail) -> Report {
        match self.pipes.own(&mail.transport, job.rights) {
            Some(pipe) => pipe.deliver(mail, (job.facts, job.content), &*self.runner, job.now_secs),
            None => {
                let text = format!("cannot deliver: transport {} has other rights", mail.transport);
                Report::of(deferred(StatusCode::temporary(3, 0), text))
            }
        }
    }

    fn file(&self, job: &Job<'_>, path: &Path) -> Report {
        written(mailbox::deliver_file(
            &self.letter(job),
            (path, job.rights),
            &self.settings,
        ))
    }

    fn letter<'a>(&self, job: &Job<'a>) -> Letter<'a> {
        Letter {
            from_line: from_line(job),
            header: self.header(job, "file"),
            content: job.content,
        }
    }

    /// What delivery puts on top (RFC 5321 §4.4, local(8), `prepend_delivered_header`).
    fn header(&self, job: &Job<'_>, kind: &str) -> String {
        let facts = job.facts;
        let sender = facts.sender.as_ref().map(ToString::to_string).unwrap_or_default();
        let mut header = format!("Return-Path: <{sender}>\n");
        if self.settings.enable_original_recipient && !facts.original.is_empty() {
            header.push_str(&format!("X-Original-To: {}\n", facts.original));
        }
        let wanted = &self.settings.prepend_delivered_header;
        if job.rights.kind == Kind::Virtual || wanted.iter().any(|word| word.eq_ignore_ascii_case(kind)) {
            header.push_str(&format!("Delivered-To: {}\n", facts.delivered_to));
        }
        header
    }
}

fn written((outcome, warnings): (Outcome, Vec<String>)) -> Report {
    Report {
        warnings,
        ..Report::of(outcome)
    }
}

fn include(path: &Path, trust: Trust) -> Report {
    match included(path, trust) {
        Ok(list) => Report {
            included: Some(Included {
                owner_uid: list.owner_uid,
                targets: list.targets,
            }),
            ..Report::of(crate::outcomes::sent("read"))
        },
        Err((outcome, why)) => Report {
            warnings: vec![why],
            ..Report::of(outcome)
        },
    }
}

/// What a target is called when it must be tried again.
fn name_of(wanted: &Wanted) -> String {
    match wanted {
        Wanted::OwnMailbox => "\\".to_owned(),
        Wanted::Address(address) => address.to_string(),
        Wanted::Command(text) => format!("|{text}"),
        Wanted::File(path) => path.display().to_string(),
        Wanted::Failed(name, _) => name.clone(),
    }
}

/// Users who share a uid would act upon each other's mail.
fn restricted(kind: &str) -> Outcome {
    bounced(
        StatusCode::permanent(7, 1),
        format!("mail to {kind} is restricted: the user is none of the system"),
    )
}

fn is_gone(name: &str) -> Outcome {
    bounced(
        StatusCode::permanent(3, 0),
        format!("the .forward of {name} no longer names what this message waited for"),
    )
}

/// The `From ` line, without its end.
fn from_line(job: &Job<'_>) -> String {
    FromLine::display(job.facts.sender.as_ref(), date_of(job.now_secs))
}

/// A time as this host shows it; `now_secs` is seconds since the Unix epoch.
pub(crate) fn date_of(now_secs: i64) -> Date {
    let moment = jiff::Timestamp::from_second(now_secs).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    Date {
        secs: now_secs,
        offset_secs: jiff::tz::TimeZone::system().to_offset(moment).seconds(),
    }
}
