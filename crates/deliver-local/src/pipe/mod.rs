//! pipe(8): transports of master.cf that hand mail to a command, as the user that the row names.
//!
//! [`Pipes`] is asked by the one who decides, and finds whose rights a transport needs; [`Pipe::deliver`] runs in the process
//! that has them. Both read the same rows: what is run is not for the asker to choose.

mod arguments;
mod copy;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use address::Address;
use envelope::{DeliveryResult, Outcome, StatusCode};
use serde::{Deserialize, Serialize};
use settings::{Postfix, Service, ServiceType};

use crate::Content;
use crate::command::{OUTPUT_BYTES_MAX, exported, find_in, outcome_of};
use crate::delivered_to::Been;
use crate::outcomes::{bounced, deferred, looped, sent};
use crate::task::{Agents, Command, Facts, Kind, Report, Rights, Runner, Task, Work};
use copy::Copying;

/// The program in master.cf.
pub const PROGRAM: &str = "pipe";

/// The letters that `flags=` knows.
const FLAGS: &str = "BDFORXhqu.>";

/// One message for recipients of a transport.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mail {
    /// The transport's name.
    pub transport: String,
    /// Its next hop.
    pub next_hop: String,
    /// The message's name in the queue.
    pub queue_id: String,
    /// The port of the client that sent it; empty: none is known.
    pub client_port: String,
    /// To whom: the address, and how the client wrote it.
    pub recipients: Vec<(Address, Address)>,
}

/// What a row of master.cf says.
#[derive(Debug, Clone)]
pub struct Pipe {
    name: String,
    /// The user, and the group where it is not the user's own.
    owner: (String, Option<String>),
    argv: Vec<String>,
    flags: String,
    directory: Option<PathBuf>,
    /// What ends the lines that the command reads.
    eol: Vec<u8>,
    /// What stands for the null sender.
    null_sender: String,
    size_bytes_max: Option<u64>,
    time_limit: Duration,
    settings: Arc<Postfix>,
}

impl Pipe {
    /// What a row means.
    ///
    /// # Errors
    /// What is wrong with it. Mail for the transport waits.
    pub fn of(row: &Service) -> Result<Pipe, String> {
        let pipe = Pipe::read(row)?;
        arguments::check(&pipe.argv)?;
        Ok(pipe)
    }

    /// The same without a look at macros, which only a delivery needs.
    fn read(row: &Service) -> Result<Pipe, String> {
        let time_limit = row.settings.of_transport(&row.name, "_time_limit");
        let time_limit = time_limit.and_then(|text| settings::kinds::time(text, 's').ok());
        let mut pipe = Pipe {
            name: row.name.clone(),
            owner: (String::new(), None),
            argv: Vec::new(),
            flags: String::new(),
            directory: None,
            eol: b"\n".to_vec(),
            null_sender: "MAILER-DAEMON".to_owned(),
            size_bytes_max: None,
            time_limit: time_limit.unwrap_or(row.settings.command_time_limit),
            settings: Arc::new(row.settings.clone()),
        };
        // `-v` and its like.
        let mut words = row.args.iter().skip_while(|word| word.starts_with('-'));
        while let Some(word) = words.next() {
            if let Some(first) = word.strip_prefix("argv=") {
                let first = Some(first.to_owned()).filter(|first| !first.is_empty());
                pipe.argv = first.into_iter().chain(words.by_ref().cloned()).collect();
            } else {
                pipe.attribute(word)?;
            }
        }
        if pipe.owner.0.is_empty() {
            return Err("it has no user=: as whom shall the command run?".to_owned());
        }
        if pipe.argv.is_empty() {
            return Err("it has no argv=: which command shall get the mail?".to_owned());
        }
        Ok(pipe)
    }

    fn attribute(&mut self, word: &str) -> Result<(), String> {
        let (name, value) = word
            .split_once('=')
            .ok_or_else(|| format!("\"{word}\" is not name=value; the command stands behind argv="))?;
        match name {
            "user" => {
                let (user, group) = value.split_once(':').map_or((value, None), |(u, g)| (u, Some(g)));
                self.owner = (user.to_owned(), group.map(str::to_owned));
            }
            "flags" => {
                if let Some(odd) = value.chars().find(|flag| !FLAGS.contains(*flag)) {
                    return Err(format!("flags= has no {odd}: there are {FLAGS}"));
                }
                value.clone_into(&mut self.flags);
            }
            "directory" => self.directory = Some(PathBuf::from(value)),
            "eol" => self.eol = unescaped(value),
            "null_sender" => value.clone_into(&mut self.null_sender),
            "size" => {
                let size = value
                    .parse()
                    .map_err(|_| format!("size={value} is no number of bytes"))?;
                self.size_bytes_max = Some(size).filter(|size| *size > 0);
            }
            "chroot" => {
                let why = "commands run with their user's rights from the start, and only root can change the root directory";
                return Err(format!("chroot= is not possible: {why}"));
            }
            _ => return Err(format!("it has no attribute {name}=")),
        }
        Ok(())
    }

    /// The row has this letter in `flags=`.
    pub fn has_flag(&self, flag: char) -> bool {
        self.flags.contains(flag)
    }

    /// Whose rights the command has: the uid and the gid of `user=`.
    ///
    /// # Errors
    /// Why there are none: there is no such user or group, or it is root's.
    pub fn ids(&self) -> Result<(u32, u32), String> {
        let (name, group) = &self.owner;
        let user = os::users::user_by_name(name).map_err(|error| error.to_string())?;
        let user = user.ok_or_else(|| format!("user={name}: there is no such user"))?;
        let gid = match group {
            None => user.gid,
            Some(group) => {
                let found = os::users::group_by_name(group).map_err(|error| error.to_string())?;
                found
                    .ok_or_else(|| format!("user={name}:{group}: there is no such group"))?
                    .gid
            }
        };
        match (user.uid, gid) {
            (0, _) => Err(format!(
                "user={name} has the rights of root: no mail is handled as root"
            )),
            (_, 0) => Err(format!(
                "user={name} has the group of root: no mail is handled as root"
            )),
            ids => Ok(ids),
        }
    }

    /// What a delivery would come to (`sendmail -bv`).
    fn verified(&self) -> Outcome {
        sent(format!("delivers to command: {}", self.argv[0]))
    }

    /// Runs the command with the rights of this process. `now_secs` is seconds since the Unix epoch.
    pub(crate) fn deliver(
        &self,
        mail: &Mail,
        (facts, content): (&Facts, &dyn Content),
        runner: &dyn Runner,
        now_secs: i64,
    ) -> Report {
        let size = content.size_bytes();
        if self.size_bytes_max.is_some_and(|limit| size > limit) {
            return Report::of(bounced(StatusCode::permanent(2, 3), "message too large"));
        }
        if let Some(report) = self.refusal(mail, content) {
            return report;
        }
        let told = arguments::Told {
            mail,
            facts,
            size_bytes: size,
            null_sender: &self.null_sender,
            delimiters: &self.settings.recipient_delimiter,
        };
        let argv = arguments::expanded(&self.argv, &told, &self.flags);
        let environment = exported(&self.settings);
        let program = find_in(&argv[0], &environment);
        let command = Command {
            program,
            argv,
            environment,
            directory: Some(self.working_directory()),
            time_limit: self.time_limit,
            output_bytes_max: OUTPUT_BYTES_MAX,
        };
        let mut input = Copying::new(self, (mail, facts), content, now_secs);
        Report::of(match runner.run(&command, &mut input) {
            Ok(exit) => self.outcome(outcome_of(&self.argv[0], &exit), &exit.output),
            Err(why) => deferred(StatusCode::temporary(3, 0), format!("temporary failure: {why}")),
        })
    }

    /// Why a message is not handed to the command: it was here before, or flags that are for one recipient meet several.
    fn refusal(&self, mail: &Mail, content: &dyn Content) -> Option<Report> {
        let single = ['D', 'O'].into_iter().find(|flag| self.has_flag(*flag));
        if let Some(flag) = single.filter(|_| mail.recipients.len() > 1) {
            let name = &self.name;
            let why = format!("pipe flag `{flag}' requires {name}_destination_recipient_limit = 1");
            return Some(configuration_error(why));
        }
        if let Err(why) = arguments::check(&self.argv) {
            return Some(configuration_error(format!("transport {}: {why}", self.name)));
        }
        let (recipient, _) = mail.recipients.first().filter(|_| self.has_flag('D'))?;
        let recipient = recipient.to_string();
        Some(Report::of(match Been::of(content) {
            Ok(been) if been.at(&recipient) => looped(&recipient),
            Ok(_) => return None,
            Err(error) => deferred(StatusCode::temporary(3, 0), os::words(&error)),
        }))
    }

    /// `directory=`, else the queue directory, or `/` where that is closed to the user.
    fn working_directory(&self) -> PathBuf {
        let queue = &self.settings.queue_directory;
        match &self.directory {
            Some(directory) => directory.clone(),
            None if std::fs::metadata(queue.join(".")).is_ok() => queue.clone(),
            None => "/".into(),
        }
    }

    /// Success in the words of pipe(8): the command passes the mail on to somewhere, unless it is said to be the end of it.
    fn outcome(&self, outcome: Outcome, output: &[u8]) -> Outcome {
        if outcome.result != DeliveryResult::Sent {
            return outcome;
        }
        let output = String::from_utf8_lossy(output);
        let printable = |c: char| if c.is_control() { ' ' } else { c };
        let output: String = output.trim_end().chars().map(printable).collect();
        let mut text = format!("delivered via {} service", self.name);
        if !output.is_empty() {
            text.push_str(&format!(" ({output})"));
        }
        let result = if self.has_flag('X') {
            DeliveryResult::Sent
        } else {
            DeliveryResult::Relayed
        };
        Outcome { result, ..sent(text) }
    }
}

/// The escapes of C in a text.
fn unescaped(text: &str) -> Vec<u8> {
    let mut bytes = text.bytes().peekable();
    let mut out = Vec::new();
    while let Some(byte) = bytes.next() {
        if byte != b'\\' {
            out.push(byte);
            continue;
        }
        match bytes.next() {
            Some(b'a') => out.push(7),
            Some(b'b') => out.push(8),
            Some(b'f') => out.push(12),
            Some(b'n') => out.push(b'\n'),
            Some(b'r') => out.push(b'\r'),
            Some(b't') => out.push(b'\t'),
            Some(b'v') => out.push(11),
            Some(digit @ b'0'..=b'7') => {
                let mut value = u32::from(digit - b'0');
                for _ in 0..2 {
                    if let Some(digit) = bytes.next_if(|byte| (b'0'..=b'7').contains(byte)) {
                        value = value * 8 + u32::from(digit - b'0');
                    }
                }
                // As C: what is over an octet is cut.
                out.push(value.to_le_bytes()[0]);
            }
            Some(other) => out.push(other),
            None => {}
        }
    }
    out
}

/// The transports of master.cf that are commands.
#[derive(Default)]
pub struct Pipes(BTreeMap<String, Result<Pipe, String>>);

impl Pipes {
    /// Those among the rows.
    pub fn of(rows: &[Service]) -> Pipes {
        let is_pipe = |row: &&Service| row.service_type == ServiceType::Unix && row.command == PROGRAM;
        let pipes = rows.iter().filter(is_pipe);
        Pipes(pipes.map(|row| (row.name.clone(), Pipe::read(row))).collect())
    }

    /// The ids that their commands have.
    pub fn ids(&self) -> Vec<(u32, u32)> {
        let pipes = self.0.values().flatten();
        pipes.filter_map(|pipe| pipe.ids().ok()).collect()
    }

    /// The transport `name`, for a process that has its rights already.
    pub(crate) fn own(&self, name: &str, rights: &Rights) -> Option<&Pipe> {
        let pipe = self.0.get(name)?.as_ref().ok()?;
        (pipe.ids() == Ok((rights.uid, rights.gid))).then_some(pipe)
    }

    fn usable(&self, name: &str) -> Result<(&Pipe, Rights), String> {
        let pipe = self
            .0
            .get(name)
            .ok_or_else(|| "master.cf has no such row".to_owned())?;
        let pipe = pipe.as_ref().map_err(String::clone)?;
        let (uid, gid) = pipe.ids()?;
        let rights = Rights {
            uid,
            gid,
            // As Postfix: the command has the one group and no others.
            user: None,
            home: None,
            kind: Kind::Pipe,
        };
        Ok((pipe, rights))
    }

    /// Has a message delivered by whoever has the rights; one outcome for all of its recipients. Blocks.
    pub fn deliver(
        &self,
        agents: &dyn Agents,
        mail: Mail,
        (facts, content): (Facts, &dyn Content),
    ) -> Report {
        let name = mail.transport.clone();
        let mut report = match self.usable(&name) {
            Ok((_, rights)) => {
                let work = Work::Pipe(mail);
                agents.perform(&rights, &Task { facts, work }, content)
            }
            Err(why) => unknown_error(&name, &why),
        };
        report.outcome.relay = name;
        report
    }

    /// What a delivery by the transport would come to.
    pub fn verify(&self, name: &str) -> Report {
        let mut report = match self.usable(name) {
            Ok((pipe, _)) => Report::of(pipe.verified()),
            Err(why) => unknown_error(name, &why),
        };
        name.clone_into(&mut report.outcome.relay);
        report
    }
}

/// What Postfix says where an administrator has to mend something, and what the log has of it.
fn configuration_error(why: String) -> Report {
    let text = "mail system configuration error";
    Report {
        warnings: vec![why],
        ..Report::of(deferred(StatusCode::temporary(3, 5), text))
    }
}

/// What Postfix says of a transport that ends as soon as it is started.
fn unknown_error(name: &str, why: &str) -> Report {
    Report {
        warnings: vec![format!("transport {name}: {why}")],
        ..Report::of(deferred(
            StatusCode::temporary(3, 0),
            "unknown mail transport error",
        ))
    }
}

#[cfg(test)]
mod tests;
