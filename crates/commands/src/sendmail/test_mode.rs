//! `sendmail -bt`: a dialogue in which addresses are rewritten and routed step by step, in the form of Sendmail's rule sets. The
//! steps are those of our router; works while the daemon is down.

use std::collections::BTreeMap;
use std::io::BufRead;
use std::process::ExitCode;

use address::Address;
use intake::mapping::Role;
use master::lookups::Exchangers;
use sendmail_files::rulesets::{self, Form, Transcript};
use settings::TableRef;
use tables::Tables;

use super::routing::{ERROR, Mailer, Routing};
use crate::{print_bytes, print_line};

const BANNER: &str = "ADDRESS TEST MODE (ruleset 3 NOT automatically invoked)\nEnter <ruleset> <address>";

const HELP: &str = "/parse ADDRESS       each step from the address to the mailer, the host and the user
/try MAILER ADDRESS  what the address is called when it goes by a mailer
/tryflags FLAGS      what /try is about: H header or E envelope, S sender or R recipient
/mx HOST             the mail exchangers of a host
/map NAME KEY        a lookup: access, mailertable, virtusertable, domaintable, genericstable, aliases, TYPE:NAME
/canon HOST          the name that domaintable has for a host
3,0 ADDRESS          rule sets: 3 canonify, 0 parse; 1, 2, 4 change nothing here
=S0 =S3              what a rule set stands for
=M                   the mailers
$=w $=R $=t $=G      classes: this host's names, relay-domains, trusted-users, generics-domains
$j $m                this host's name, its domain
.DXvalue -dN         are taken and change nothing
/quit                ends the dialogue, as the end of the input does";

/// The rule sets and what they stand for; the first name is the number.
const RULE_SETS: [(&str, &str, &str); 6] = [
    (
        "3",
        "canonify",
        "swap_bangpath, allow_percent_hack, append_at_myorigin, append_dot_mydomain, domaintable, recipient_canonical_maps, \
         canonical_maps, masquerade_domains",
    ),
    (
        "0",
        "parse",
        "virtusertable, mailertable (local:user), virtual_alias_maps, then by class: mydestination, virtual_alias_domains, \
         virtual_mailbox_domains, relay_domains; transport_maps, mailertable, relayhost, relocated_maps",
    ),
    ("1", "1", "nothing"),
    ("2", "2", "nothing"),
    ("4", "final", "nothing"),
    ("5", "5", "aliases(5) and .forward, when mail is delivered"),
];

/// What comes before the steps of `/parse`.
const PARSING: &str = "Parsing envelope recipient address";

/// What Sendmail says of `a@b@c`.
pub(super) const INVALID_ROUTE: &str = "Invalid route address";

/// Whether more than one @ stands outside of quotes and no route is written as one (`@a:b@c`).
pub(super) fn is_route(text: &str) -> bool {
    let (mut is_quoted, mut is_escaped, mut signs) = (false, false, 0);
    for c in text.chars() {
        match c {
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = true,
            '"' => is_quoted = !is_quoted,
            '@' if !is_quoted => signs += 1,
            ',' if !is_quoted => return false,
            _ => {}
        }
    }
    signs > 1 && !text.trim_start_matches('<').starts_with('@')
}

/// Whether it is more than one address: a comma outside of quotes and of a route in front (`@a,@b:c@d`).
fn is_list(text: &str) -> bool {
    let (mut is_quoted, mut is_escaped) = (false, false);
    let has_comma = text.chars().any(|c| {
        let was_escaped = is_escaped;
        is_escaped = c == '\\' && !was_escaped;
        is_quoted ^= c == '"' && !was_escaped;
        c == ',' && !is_quoted && !was_escaped
    });
    has_comma && !text.trim_start_matches('<').starts_with('@')
}

/// What is said of an address that is none.
fn refused(text: &str, why: &str) -> Vec<String> {
    vec![
        "Cracked address = $g".to_owned(),
        PARSING.to_owned(),
        format!("{text}... {why}"),
        format!("mailer {ERROR}, host 5.1.3, user \"553 {why}\""),
    ]
}

/// The dialogue.
struct Dialogue<'a> {
    routing: &'a Routing,
    /// What `/try` is about.
    role: Role,
    macros: BTreeMap<String, String>,
}

/// Speaks on standard input and output.
pub(super) fn run(routing: &Routing) -> ExitCode {
    let mut dialogue = Dialogue {
        routing,
        role: Role::EnvelopeRecipient,
        macros: BTreeMap::new(),
    };
    print_line(BANNER);
    print_bytes(b"> ");
    for line in std::io::stdin().lock().split(b'\n') {
        let Ok(line) = line else { break };
        // What is not UTF-8 is asked as well as it can be.
        let line = String::from_utf8_lossy(&line);
        if line.trim() == "/quit" {
            return ExitCode::SUCCESS;
        }
        dialogue
            .line(line.trim())
            .iter()
            .for_each(|line| print_line(line));
        print_bytes(b"> ");
    }
    print_line("");
    ExitCode::SUCCESS
}

fn role_word(role: Role) -> &'static str {
    match role {
        Role::EnvelopeSender => "envelope sender",
        Role::EnvelopeRecipient => "envelope recipient",
        Role::HeaderSender => "header sender",
        Role::HeaderRecipient => "header recipient",
    }
}

impl Dialogue<'_> {
    /// The answer to a line.
    fn line(&mut self, line: &str) -> Vec<String> {
        let said = match line.chars().next() {
            None | Some('#') => Ok(Vec::new()),
            Some('?') => Ok(HELP.lines().map(str::to_owned).collect()),
            Some('/') => self.command(line),
            Some('=') if line.starts_with("=M") => Ok(self.mailers()),
            Some('=') => Ok(vec![rule_set_meaning(&line[1..])]),
            Some('$') => Ok(self.value(&line[1..])),
            Some('.') => Ok(self.define(&line[1..])),
            Some('-') => match line.starts_with("-d") {
                true => Ok(Vec::new()),
                false => Ok(vec![format!("Unknown \"-\" command {line}")]),
            },
            Some(_) => self.rule_sets(line),
        };
        said.unwrap_or_else(|text| vec![format!("cannot tell: {text}")])
    }

    fn command(&mut self, line: &str) -> Result<Vec<String>, String> {
        let (word, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        let rest = rest.trim();
        let (first, second) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
        let second = second.trim();
        let usage = |text: &str| Ok(vec![format!("Usage: {text}")]);
        match word.to_ascii_lowercase().as_str() {
            "/parse" if rest.is_empty() => usage("/parse address"),
            "/parse" if is_route(rest) || is_list(rest) => Ok(refused(rest, INVALID_ROUTE)),
            "/parse" if rest.ends_with('@') && rest.len() > 1 => Ok(refused(rest, "Hostname required")),
            "/parse" => match rest.strip_prefix(":include:") {
                Some(file) => Ok(vec![
                    "Cracked address = :$g".to_owned(),
                    PARSING.to_owned(),
                    format!("mailer *include*, user {file}"),
                ]),
                None => self.parse(rest),
            },
            "/try" if second.is_empty() => usage("/try mailer address"),
            "/try" if !self.routing.has_mailer(first) => Ok(vec![format!("Unknown mailer {first}")]),
            "/try" => self.attempt(first, second),
            "/tryflags" => match self.flags(rest) {
                true => Ok(Vec::new()),
                false => usage("/tryflags [Hh|Ee][Ss|Rr]"),
            },
            "/mx" if rest.is_empty() => usage("/mx address"),
            "/mx" => Ok(self.exchangers(first)),
            "/map" if rest.is_empty() => usage("/map mapname key"),
            "/map" if second.is_empty() => Ok(vec!["No key specified".to_owned()]),
            "/map" => self.map(first, second),
            "/canon" if rest.is_empty() => usage("/canon address"),
            "/canon" => {
                let host = address::Domain::parse(first).map_err(|error| format!("{first}: {error}"))?;
                let there = self
                    .routing
                    .canonical(&Address::new("x", Some(host)), Role::EnvelopeRecipient)?;
                let name = there.domain().map(|domain| domain.as_str()).unwrap_or(first);
                Ok(vec![format!("getcanonname({first}) returns {name}")])
            }
            _ => Ok(vec![format!("Unknown \"/\" command {word}")]),
        }
    }

    /// `/mx`
    fn exchangers(&self, host: &str) -> Vec<String> {
        let found = match host.starts_with('[') {
            true => Ok(Exchangers::Hosts(vec![host.to_owned()])),
            false => master::lookups::exchangers(&self.routing.settings, host),
        };
        match found {
            Ok(Exchangers::NoMail) => vec![format!("getmxrr({host}) returns null MX (See RFC7505)")],
            Ok(Exchangers::Hosts(hosts)) => {
                let mut lines = vec![format!("getmxrr({host}) returns {} value(s):", hosts.len())];
                lines.extend(hosts.iter().map(|host| format!("\t{host}")));
                lines
            }
            Err(error) => vec![
                format!("getmxrr({host}) returns -1 value(s):"),
                format!("cannot tell: {error:#}"),
            ],
        }
    }

    /// `=M`
    fn mailers(&self) -> Vec<String> {
        let numbered = self.routing.mailers.iter().enumerate();
        numbered
            .map(|(number, (name, what))| format!("mailer {number} ({name}): {what}"))
            .collect()
    }

    fn flags(&mut self, text: &str) -> bool {
        let text = text.to_ascii_uppercase();
        if text.is_empty() || !text.bytes().all(|letter| b"HESR".contains(&letter)) {
            return false;
        }
        let is_header = text.contains('H');
        self.role = match (is_header, text.contains('S')) {
            (true, true) => Role::HeaderSender,
            (true, false) => Role::HeaderRecipient,
            (false, true) => Role::EnvelopeSender,
            (false, false) => Role::EnvelopeRecipient,
        };
        true
    }

    fn form(&self, address: &Address) -> String {
        let form = if self.routing.is_local(address) {
            Form::Local
        } else {
            Form::Focused
        };
        rulesets::address(address, form)
    }

    /// Rule set 3: the address as it is asked for in tables.
    fn canonify(
        &self,
        written: &Address,
        role: Role,
        transcript: &mut Transcript,
    ) -> Result<Address, String> {
        transcript.input("canonify", &rulesets::address(written, Form::Plain));
        let completed = self.routing.completed(written)?;
        transcript.input("Canonify2", &rulesets::address(&completed, Form::Focused));
        let canonical = self.routing.canonical(&completed, role)?;
        if canonical != completed {
            transcript.rule_set("canonical", &self.form(&completed), &self.form(&canonical));
        }
        transcript.returns("Canonify2", &self.form(&canonical));
        transcript.returns("canonify", &self.form(&canonical));
        Ok(canonical)
    }

    /// Rule set 0: who gets its mail. Each of them with the address for which it is.
    fn resolve(
        &self,
        canonical: &Address,
        transcript: &mut Transcript,
    ) -> Result<Vec<(Address, Mailer)>, String> {
        let form = self.form(canonical);
        transcript.input("parse", &form);
        transcript.rule_set("Parse0", &form, &form);
        transcript.rule_set("ParseLocal", &form, &form);
        transcript.input("Parse1", &form);
        let aliases = self.routing.aliases(canonical)?;
        let mut found = Vec::new();
        let mut last = String::new();
        for alias in aliases {
            if alias != *canonical {
                transcript.rule_set("virtual", &form, &self.form(&alias));
            }
            let mailer = self.routing.mailer(&alias)?;
            last = self.triple(&mailer, &alias);
            found.push((alias, mailer));
        }
        transcript.returns("Parse1", &last);
        transcript.returns("parse", &last);
        Ok(found)
    }

    fn triple(&self, mailer: &Mailer, address: &Address) -> String {
        let host = mailer.host.as_deref().map(|host| host.trim_end_matches('.'));
        match mailer.name.as_str() {
            "local" => rulesets::triple("local", None, &rulesets::tokens(&mailer.user)),
            ERROR => rulesets::triple("error", host, &mailer.user),
            name => rulesets::triple(name, host, &self.form(address)),
        }
    }

    fn parse(&self, text: &str) -> Result<Vec<String>, String> {
        let written = address_of(text)?;
        let mut transcript = Transcript::default();
        transcript.say("Cracked address = $g");
        transcript.say(PARSING);
        let canonical = self.canonify(&written, Role::EnvelopeRecipient, &mut transcript)?;
        for (address, mailer) in self.resolve(&canonical, &mut transcript)? {
            match mailer.name.as_str() {
                ERROR => transcript.say(format!("{written}... {}", mailer.user)),
                name if !self.routing.has_mailer(name) => {
                    let text = format!("unknown mailer {name}");
                    transcript.say(format!("{written}... {text}"));
                    transcript.say(format!("mailer {ERROR}, host 5.3.5, user \"554 {text}\""));
                    continue;
                }
                "local" => {
                    let user = rulesets::tokens(&mailer.user);
                    transcript.rule_set("2", &user, &user);
                    transcript.rule_set("EnvToL", &user, &user);
                    transcript.rule_set("final", &user, &user);
                }
                _ => {
                    let form = self.form(&address);
                    transcript.rule_set("2", &form, &form);
                    transcript.rule_set("EnvToSMTP", &form, &form);
                    transcript.rule_set("final", &form, &rulesets::address(&address, Form::Plain));
                }
            }
            transcript.say(mailer.to_string());
        }
        Ok(transcript.lines)
    }

    fn attempt(&self, mailer: &str, text: &str) -> Result<Vec<String>, String> {
        let written = address_of(text)?;
        let mut transcript = Transcript::default();
        transcript.say(format!(
            "Trying {} address {text} for mailer {mailer}",
            role_word(self.role)
        ));
        let found = self.canonify(&written, self.role, &mut transcript)?;
        transcript.rule_set(
            "final",
            &self.form(&found),
            &rulesets::address(&found, Form::Plain),
        );
        transcript.say(format!("Rcode = 0, addr = {found}"));
        Ok(transcript.lines)
    }

    /// `3,0 address`
    fn rule_sets(&self, line: &str) -> Result<Vec<String>, String> {
        let (names, text) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        if text.trim().is_empty() {
            return Ok(vec!["No address!".to_owned()]);
        }
        let mut address = address_of(text.trim())?;
        let mut transcript = Transcript::default();
        for name in names.split(',') {
            let known = RULE_SETS
                .iter()
                .find(|(number, word, _)| *number == name || word.eq_ignore_ascii_case(name));
            match known {
                Some(("3", ..)) => {
                    address = self.canonify(&address, Role::EnvelopeRecipient, &mut transcript)?
                }
                Some(("0", ..)) => drop(self.resolve(&address, &mut transcript)?),
                Some((_, word, _)) => transcript.rule_set(word, &self.form(&address), &self.form(&address)),
                None => {
                    transcript.say(format!("Undefined ruleset {name}"));
                    break;
                }
            }
        }
        Ok(transcript.lines)
    }

    fn map(&self, name: &str, key: &str) -> Result<Vec<String>, String> {
        let settings = &self.routing.settings;
        let files = &settings.sendmail;
        let table = match name {
            "access" => files.access.clone(),
            "mailertable" => files.mailertable.clone(),
            "virtuser" | "virtusertable" => files.virtusertable.clone(),
            "domaintable" => files.domaintable.clone(),
            "generics" | "genericstable" => files.genericstable.clone(),
            "aliases" | "alias" => {
                let found = self
                    .routing
                    .aliases
                    .lookup(key)
                    .map_err(|error| error.to_string())?;
                return Ok(vec![map_answer(name, key, found)]);
            }
            name => name.parse::<TableRef>().ok(),
        };
        let Some(table) = table else {
            return Ok(vec![format!("Map named \"{name}\" not found")]);
        };
        let (tables, _) = Tables::open(&[table]);
        let found = tables
            .entry(key, tables::Case::Folded)
            .map_err(|error| error.to_string())?;
        Ok(vec![map_answer(name, key, found)])
    }

    /// `$=w`, `$j`.
    fn value(&self, name: &str) -> Vec<String> {
        let settings = &self.routing.settings;
        if let Some(class) = name.strip_prefix('=') {
            let trusted = settings.sendmail.trusted_users.clone().unwrap_or_default();
            let words = match class {
                "w" => &settings.mydestination,
                "R" => &settings.relay_domains,
                "t" => &trusted,
                "G" => &settings.sendmail.generics_domains,
                "{VirtHost}" => &settings.virtual_alias_domains,
                _ => return Vec::new(),
            };
            return words.clone();
        }
        let name = name.trim_matches(['{', '}']);
        match (name, self.macros.get(name)) {
            (_, Some(text)) => vec![text.clone()],
            ("j" | "w", _) => vec![settings.myhostname.clone()],
            ("m", _) => vec![settings.mydomain.clone()],
            ("M", _) => vec![settings.myorigin.clone()],
            ("S", _) => vec![settings.relayhost.clone()],
            _ => Vec::new(),
        }
    }

    /// `.Dxvalue`, `.D{name}value`, `.Cxwords`.
    fn define(&mut self, text: &str) -> Vec<String> {
        match text.strip_prefix('D') {
            Some(rest) => {
                let (name, value) = match rest.strip_prefix('{').and_then(|rest| rest.split_once('}')) {
                    Some((name, value)) => (name, value),
                    None => rest.split_at(rest.chars().next().map_or(0, char::len_utf8)),
                };
                self.macros.insert(name.to_owned(), value.to_owned());
                Vec::new()
            }
            None if text.starts_with(['C', 'S']) => Vec::new(),
            None => vec![format!("Unknown \".\" command .{text}")],
        }
    }
}

fn address_of(text: &str) -> Result<Address, String> {
    // A route in front is dropped.
    if text.starts_with('@')
        && let Ok(Some(address)) = address::path::parse_whole(&format!("<{text}>"))
    {
        return Ok(address);
    }
    let found = crate::submission::recipients_of(text);
    let found = found.map_err(|word| format!("\"{}\" is not an address", crate::submission::shown(&word)))?;
    let first = found.into_iter().next();
    first
        .map(|recipient| recipient.address)
        .ok_or_else(|| format!("\"{text}\" is not an address"))
}

fn map_answer(name: &str, key: &str, found: Option<String>) -> String {
    match found {
        Some(value) => format!("map_lookup: {name} ({key}) returns {value} (0)"),
        None => format!("map_lookup: {name} ({key}) no match (0)"),
    }
}

/// `=S3`
fn rule_set_meaning(text: &str) -> String {
    let name = text.strip_prefix('S').unwrap_or(text);
    let known = RULE_SETS
        .iter()
        .find(|(number, word, _)| *number == name || word.eq_ignore_ascii_case(name));
    match known {
        Some((number, word, meaning)) => format!("S{number} ({word}): {meaning}"),
        None => format!("invalid ruleset name: \"{name}\""),
    }
}

#[cfg(test)]
mod tests {
    use super::{is_list, is_route};

    #[test]
    fn lists_are_known_by_their_commas() {
        for (text, is) in [
            ("a@b, c@d", true),
            ("jun, bob", true),
            ("\"a,b\"@c", false),
            ("a\\,b@c", false),
            ("\"a\\\",b\"@c", false),
            ("@a,@b:c@d", false),
            ("jun", false),
        ] {
            assert_eq!(is_list(text), is, "{text}");
        }
    }

    #[test]
    fn routes_are_known_by_their_signs() {
        for (text, is) in [
            ("a@b@c", true),
            ("a@b", false),
            ("\"a@b\"@c", false),
            ("a\\@b@c", false),
            ("@a:b@c", false),
            ("a@b, c@d", false),
        ] {
            assert_eq!(is_route(text), is, "{text}");
        }
    }
}
