//! The commands: one function each. Content and authentication have files of their own.

use super::forwarding::Telling;
use super::{
    BareNewline, Ending, Event, HeloVerb, Last, Line, Note, Open, Protocol, Server, State, Tls, Verb, Words,
};
use super::{Transaction, authentication, options};
use crate::Reply;
use crate::transcript::Fault;
use address::{Domain, path};
use envelope::StatusCode;

/// `250 2.0.0 Ok`
pub(super) fn ok() -> Reply {
    Reply::new(250, StatusCode::success(0, 0), "Ok")
}

/// `503 5.5.1 …`: the command comes at the wrong time.
pub(super) fn out_of_order(text: &str) -> Reply {
    Reply::new(503, StatusCode::permanent(5, 1), text)
}

/// Whether a text ends within a quoted string.
fn is_within_quotes(text: &str) -> bool {
    let mut octets = text.bytes();
    let mut is_within = false;
    while let Some(octet) = octets.next() {
        match octet {
            b'\\' => drop(octets.next()),
            b'"' => is_within = !is_within,
            _ => {}
        }
    }
    is_within
}

/// `501 5.5.4 …`: the command's arguments are wrong.
pub(super) fn bad_syntax(text: &str) -> Reply {
    Reply::new(501, StatusCode::permanent(5, 4), text)
}

/// `500 5.5.2 …`: this is no command.
fn unknown(text: &str) -> Reply {
    Reply::new(500, StatusCode::permanent(5, 2), text)
}

impl Server {
    /// Reads one command line and does it.
    pub(super) fn command_line(&mut self) -> bool {
        let limit = self.config.limits.line_octets_max;
        // AUTH's initial response may make its line longer than other commands (RFC 4954 §4).
        let is_auth = self
            .unread()
            .get(..5)
            .is_some_and(|word| word.eq_ignore_ascii_case(b"AUTH "));
        let limit = if is_auth {
            limit.max(super::AUTH_LINE_OCTETS_MAX)
        } else {
            limit
        };
        match self.line(limit) {
            Line::Unfinished => return false,
            Line::TooLong => self.state = State::OverlongLine,
            Line::Dropped => self.refuse_overlong(),
            Line::Complete { text, bare_line_feed } => {
                if self.tolerates(bare_line_feed) {
                    self.command(&text);
                }
            }
        }
        true
    }

    /// Throws away what belongs to a line that is too long already.
    pub(super) fn skip_overlong_line(&mut self) -> bool {
        match memchr::memchr(b'\n', self.unread()) {
            None if self.unread().is_empty() => return false,
            None => self.consume(self.unread().len()),
            Some(at) => {
                self.consume(at + 1);
                match std::mem::replace(&mut self.state, State::Command) {
                    State::OverlongResponse => self.refuse(&authentication::overlong_response()),
                    _ => self.refuse_overlong(),
                }
            }
        }
        true
    }

    /// Postfix cuts such a line and obeys its beginning; we do nothing that was not said in full.
    pub(super) fn refuse_overlong(&mut self) {
        self.last = Last::Command(Verb::Unknown);
        self.counts.given(Verb::Unknown);
        self.heard(b"(a line that is too long)");
        self.refuse(&unknown("Error: line too long"));
    }

    /// Whether a command line may end like this; if not, this was the last one.
    pub(super) fn tolerates(&mut self, bare_line_feed: bool) -> bool {
        if !bare_line_feed || !matches!(self.config.bare_newline, BareNewline::Reject | BareNewline::Note) {
            return true;
        }
        self.events.push_back(Event::Note(Note::BareLineFeed));
        if self.config.bare_newline == BareNewline::Note {
            return true;
        }
        self.fault(Fault::Protocol);
        self.say(&self.bare_newline_refusal());
        self.finish(Ending::HungUp);
        false
    }

    /// `550 5.5.2 host Error: bare <LF> received`
    pub(super) fn bare_newline_refusal(&self) -> Reply {
        let text = format!("{} Error: bare <LF> received", self.config.hostname);
        Reply::new(
            self.config.bare_newline_reject_code,
            StatusCode::permanent(5, 2),
            text,
        )
    }

    /// One command.
    fn command(&mut self, line: &[u8]) {
        self.heard(line);
        let Some(text) = std::str::from_utf8(line).ok() else {
            return self.nonsense(&unknown("Error: bad UTF-8 syntax"));
        };
        let text = text.trim_matches([' ', '\t', '\r']);
        let Ok(replaced) = self.replaced(text) else {
            return self.not_replaced();
        };
        let text = replaced
            .as_deref()
            .unwrap_or(text)
            .trim_matches([' ', '\t', '\r']);
        if text.is_empty() && replaced.is_some() {
            // Nobody said it: it counts as no command.
            return self.refuse(&unknown("Error: bad syntax"));
        }
        if text.is_empty() || text.contains('\0') {
            return self.nonsense(&unknown("Error: bad syntax"));
        }
        let (word, argument) = text.split_once([' ', '\t']).unwrap_or((text, ""));
        let argument = argument.trim_matches([' ', '\t']);
        let mut verb = Verb::parse(word);
        if matches!(verb, Verb::Helo | Verb::Ehlo) && self.config.protocol == Protocol::Lmtp
            || verb == Verb::Lhlo && self.config.protocol == Protocol::Smtp
            || matches!(verb, Verb::Etrn | Verb::Help | Verb::Xclient | Verb::Xforward)
                && self.config.words == Words::Dovecot
        {
            verb = Verb::Unknown;
        }
        self.last = Last::Command(verb);
        self.counts.given(verb);
        if self
            .config
            .noop_commands
            .iter()
            .any(|noop| noop.eq_ignore_ascii_case(word))
        {
            self.junk();
            return self.accept(&ok());
        }
        if verb == Verb::Unknown {
            return self.unknown_command(word, text);
        }
        if self.is_too_early(verb) || !self.tolerates_pipelining(verb) {
            return;
        }
        match verb {
            Verb::Helo => self.helo(HeloVerb::Helo, argument),
            Verb::Ehlo => self.helo(HeloVerb::Ehlo, argument),
            Verb::Lhlo => self.helo(HeloVerb::Lhlo, argument),
            Verb::Xclient => self.told(Telling::Xclient, argument),
            Verb::Xforward => self.told(Telling::Xforward, argument),
            Verb::StartTls => self.start_tls(argument),
            Verb::Auth => self.auth(argument),
            Verb::Mail => self.mail(argument),
            Verb::Rcpt => self.rcpt(argument),
            Verb::Data => self.data_command(argument),
            Verb::Bdat => self.bdat(argument),
            Verb::Rset => self.rset(argument),
            Verb::Noop => self.noop(),
            Verb::Vrfy => self.vrfy(argument),
            Verb::Etrn => self.etrn(argument),
            Verb::Help => self.help(),
            Verb::Quit => self.quit(),
            Verb::Unknown => {}
        }
    }

    /// What stands in the place of the command; an error: nobody can tell.
    fn replaced(&mut self, text: &str) -> Result<Option<String>, ()> {
        let Some(filter) = &self.config.command_filter else {
            return Ok(None);
        };
        let replaced = (filter.0)(text)?;
        if let Some(by) = &replaced {
            let (command, by) = (text.to_owned(), by.clone());
            self.events.push_back(Event::Note(Note::Replaced { command, by }));
        }
        Ok(replaced)
    }

    fn not_replaced(&mut self) {
        let text = format!("{} Server local data error", self.config.hostname);
        let reply = Reply::new(421, StatusCode::temporary(3, 0), text);
        self.say(&reply);
        let after = self.after();
        self.events
            .push_back(Event::Note(Note::NotReplaced { after, reply }));
        self.finish(Ending::HungUp);
    }

    /// Refuses an address, `said` being what stands behind the command's word. What never ends, a `<` or a quoted string, is no
    /// address at all: Postfix's log has nothing of it.
    fn refuse_address(&mut self, command: &'static str, said: &str, reply: &Reply) {
        let said = said.trim_start();
        let end = match said.starts_with('<') {
            true => said.find('>').map(|at| at + 1),
            false => said.find([' ', '\t']),
        };
        let is_open = said.starts_with('<') && end.is_none() || is_within_quotes(said);
        if !is_open {
            self.events.push_back(Event::Note(Note::IllegalAddress {
                command,
                written: said[..end.unwrap_or(said.len())].to_owned(),
            }));
        }
        self.refuse(reply);
    }

    fn nonsense(&mut self, reply: &Reply) {
        self.last = Last::Command(Verb::Unknown);
        self.counts.given(Verb::Unknown);
        self.refuse(reply);
    }

    /// What is no mail client at all (HTTP, a message's header, binary) is sent away at once.
    fn unknown_command(&mut self, word: &str, line: &str) {
        let forbidden = word.contains(':')
            || !word.starts_with(|c: char| c.is_ascii_alphabetic())
            || self
                .config
                .forbidden_commands
                .iter()
                .any(|name| name.eq_ignore_ascii_case(word));
        if forbidden {
            self.events
                .push_back(Event::Note(Note::NonSmtpCommand(line.to_owned())));
            let status = StatusCode::success(7, 0);
            self.say(&Reply::new(
                221,
                status,
                "Error: I can break rules, too. Goodbye.",
            ));
            return self.finish(Ending::HungUp);
        }
        if self.config.tells_unknown && self.refusal_after_greeting.is_none() {
            self.open = Some(Open::Unknown);
            let word = word.to_owned();
            return self.events.push_back(Event::Unknown { word });
        }
        self.refuse_unknown();
    }

    /// A command that nobody knows.
    pub(super) fn refuse_unknown(&mut self) {
        match self.refusal_after_greeting.clone() {
            Some(reply) => self.refuse_for(None, &reply),
            None => self.refuse(&unknown("Error: command not recognized")),
        }
    }

    /// Refuses what must wait for STARTTLS, and everything of a client that was not greeted.
    fn is_too_early(&mut self, verb: Verb) -> bool {
        let always = matches!(verb, Verb::Quit | Verb::Noop | Verb::Rset | Verb::Help);
        if let Some(reply) = self.refusal_after_greeting.clone().filter(|_| verb != Verb::Quit) {
            self.refuse_for(None, &reply);
            return true;
        }
        let before_tls = (always && verb != Verb::Rset)
            || matches!(verb, Verb::Helo | Verb::Ehlo | Verb::Lhlo | Verb::StartTls);
        if self.config.tls == Tls::Required && !self.tls && !before_tls {
            let text = "Must issue a STARTTLS command first";
            self.refuse_for(
                Some(Fault::Policy),
                &Reply::new(530, StatusCode::permanent(7, 0), text),
            );
            return true;
        }
        false
    }

    /// One of the commands that achieve nothing.
    fn junk(&mut self) {
        if self.junk > self.config.limits.junk_commands_max {
            self.errors += 1;
        }
        self.junk += 1;
    }

    fn helo(&mut self, verb: HeloVerb, name: &str) {
        self.junk();
        if name.is_empty() {
            let word = if let Last::Command(verb) = self.last {
                verb.name()
            } else {
                "HELO"
            };
            return self.refuse(&Reply::bare(501, format!("Syntax: {word} hostname")));
        }
        self.reset();
        self.turn_page();
        self.open = Some(Open::Helo(verb));
        self.events.push_back(Event::Helo {
            verb,
            name: name.to_owned(),
        });
    }

    /// The reply to an accepted greeting.
    pub(super) fn greeting_reply(&self, verb: HeloVerb) -> Reply {
        let config = &self.config;
        let mut lines = vec![config.hostname.clone()];
        let offers_tls = matches!(config.tls, Tls::Offered | Tls::Required) && !self.tls;
        if config.words == Words::Dovecot {
            lines.extend(["8BITMIME", "CHUNKING", "ENHANCEDSTATUSCODES", "PIPELINING"].map(str::to_owned));
            lines.extend(offers_tls.then(|| "STARTTLS".to_owned()));
        } else if verb != HeloVerb::Helo {
            lines.push("PIPELINING".to_owned());
            lines.push(match config.limits.message_octets_max {
                0 => "SIZE".to_owned(),
                limit => format!("SIZE {limit}"),
            });
            if verb == HeloVerb::Ehlo {
                lines.extend(config.vrfy.then(|| "VRFY".to_owned()));
                lines.push("ETRN".to_owned());
            }
            lines.extend(offers_tls.then(|| "STARTTLS".to_owned()));
            let must_encrypt = config.tls == Tls::Required && !self.tls;
            if !self.mechanisms().is_empty() && !must_encrypt {
                let mechanisms = self.mechanisms().join(" ");
                lines.push(format!("AUTH {mechanisms}"));
                lines.extend(config.auth.broken_clients.then(|| format!("AUTH={mechanisms}")));
            }
            lines.extend(config.xclient.then(|| Telling::Xclient.offer()));
            lines.extend(config.xforward.then(|| Telling::Xforward.offer()));
            for keyword in ["ENHANCEDSTATUSCODES", "8BITMIME", "DSN", "SMTPUTF8", "CHUNKING"] {
                lines.push(keyword.to_owned());
            }
            let discarded = |line: &String| {
                let keyword = line.split([' ', '=']).next().unwrap_or_default();
                config
                    .discard_ehlo_keywords
                    .iter()
                    .any(|discard| discard.eq_ignore_ascii_case(keyword))
            };
            let hostname = lines.remove(0);
            lines.retain(|line| !discarded(line));
            lines.insert(0, hostname);
        }
        Reply {
            code: 250,
            enhanced: None,
            lines,
        }
    }

    fn start_tls(&mut self, argument: &str) {
        let reply = match self.config.tls {
            _ if !argument.is_empty() => bad_syntax("Syntax: STARTTLS"),
            _ if self.tls => Reply::new(554, StatusCode::permanent(5, 1), "Error: TLS already active"),
            Tls::None | Tls::Active => {
                Reply::new(502, StatusCode::permanent(5, 1), "Error: command not implemented")
            }
            Tls::Offered | Tls::Required => {
                self.open = Some(Open::StartTls);
                return self.events.push_back(Event::StartTls);
            }
        };
        self.refuse(&reply);
    }

    /// Whether the client must greet first, or in LMTP has not greeted.
    pub(super) fn must_greet(&self) -> Option<Reply> {
        let lmtp = self.config.protocol == Protocol::Lmtp;
        let is_asked_for = self.config.helo_required || (lmtp && self.config.words == Words::Postfix);
        let missing = self.helo.is_none() && is_asked_for;
        let verbs = if lmtp { "LHLO" } else { "HELO/EHLO" };
        missing.then(|| out_of_order(&format!("Error: send {verbs} first")))
    }

    fn mail(&mut self, argument: &str) {
        if let Some(reply) = self.must_greet() {
            return self.refuse_for(Some(Fault::Policy), &reply);
        }
        if self.transaction.is_some() {
            return self.refuse(&out_of_order("Error: nested MAIL command"));
        }
        let Some(rest) = behind(argument, "FROM:") else {
            return self.refuse(&bad_syntax("Syntax: MAIL FROM:<address>"));
        };
        let bad_address = Reply::new(501, StatusCode::permanent(1, 7), "Bad sender address syntax");
        let Some(path) = self.path(rest) else {
            return self.refuse_address("MAIL", rest, &bad_address);
        };
        match options::mail(path.rest, self.config.limits.message_octets_max) {
            Err(reply) => {
                let mut fault = Fault::Protocol;
                if reply.code == 552 {
                    fault = Fault::Policy;
                    let note = Note::AnnouncedTooBig(path.address, reply.clone());
                    self.events.push_back(Event::Note(note));
                }
                self.refuse_for(Some(fault), &reply);
            }
            Ok(options) if !options.smtputf8 && has_international_domain(&path) => {
                self.refuse_address("MAIL", rest, &bad_address);
            }
            Ok(mut options) => {
                options.written = path.written;
                options.said = rest.to_owned();
                self.open = Some(Open::Mail(options.smtputf8));
                self.events.push_back(Event::Mail {
                    sender: path.address,
                    options,
                });
            }
        }
    }

    fn rcpt(&mut self, argument: &str) {
        let Some(transaction) = &mut self.transaction else {
            return self.refuse(&out_of_order("Error: need MAIL command"));
        };
        if transaction.transfer.is_some() {
            return self.refuse(&out_of_order("Error: RCPT after BDAT"));
        }
        let Some(rest) = behind(argument, "TO:") else {
            return self.refuse(&bad_syntax("Syntax: RCPT TO:<address>"));
        };
        if transaction.recipients >= self.config.limits.recipients_max {
            transaction.overshoot += 1;
            let reply = Reply::new(452, StatusCode::temporary(5, 3), "Error: too many recipients");
            let is_over = transaction.overshoot > self.config.limits.recipients_overshoot_max;
            self.fault(Fault::Policy);
            if let Some(recipient) = self.path(rest).and_then(|path| path.address) {
                let note = Note::TooManyRecipients(recipient, reply.clone());
                self.events.push_back(Event::Note(note));
            }
            return match is_over {
                true => self.refuse_for(None, &reply),
                false => self.refuse_mildly(&reply),
            };
        }
        let smtputf8 = transaction.smtputf8;
        let bad_address = Reply::new(501, StatusCode::permanent(1, 3), "Bad recipient address syntax");
        let path = self
            .path(rest)
            .filter(|path| smtputf8 || !has_international_domain(path));
        let Some((path, Some(recipient))) = path.map(|path| (path.clone(), path.address)) else {
            return self.refuse_address("RCPT", rest, &bad_address);
        };
        match options::rcpt(path.rest) {
            Err(reply) => self.refuse(&reply),
            Ok(mut options) => {
                options.written = path.written;
                options.said = rest.to_owned();
                self.open = Some(Open::Rcpt);
                self.events.push_back(Event::Rcpt { recipient, options });
            }
        }
    }

    /// The path at the start of `text`, if it is one that may be used here.
    fn path<'a>(&self, text: &'a str) -> Option<path::Path<'a>> {
        let path = path::read(text).ok()?;
        // A program may take it for an option (`allow_min_user`).
        let is_minus = path.written.starts_with('-') && !self.config.allow_leading_minus;
        let is_refused = is_minus || (path.is_sloppy && self.config.strict_envelopes);
        (!is_refused).then_some(path)
    }

    fn rset(&mut self, argument: &str) {
        self.junk();
        if !argument.is_empty() {
            return self.refuse(&bad_syntax("Syntax: RSET"));
        }
        self.reset();
        self.turn_page();
        self.accept(&ok());
    }

    fn noop(&mut self) {
        self.junk();
        self.accept(&ok());
    }

    fn vrfy(&mut self, argument: &str) {
        self.junk();
        if !self.config.vrfy {
            let reply = Reply::new(502, StatusCode::permanent(5, 1), "VRFY command is disabled");
            return self.refuse_for(Some(Fault::Policy), &reply);
        }
        if argument.is_empty() {
            return self.refuse(&bad_syntax("Syntax: VRFY address [SMTPUTF8]"));
        }
        let written = match argument.rsplit_once([' ', '\t']) {
            Some((address, flag)) if flag.eq_ignore_ascii_case("SMTPUTF8") => address.trim_end(),
            _ => argument,
        };
        let Some(address) = address_in(written) else {
            let text = "Bad recipient address syntax";
            return self.refuse(&Reply::new(501, StatusCode::permanent(1, 3), text));
        };
        self.open = Some(Open::Vrfy(written.to_owned()));
        self.events.push_back(Event::Vrfy {
            address: address.to_owned(),
        });
    }

    fn etrn(&mut self, argument: &str) {
        self.junk();
        if let Some(reply) = self.must_greet() {
            let reply = Reply::bare(reply.code, reply.lines.concat());
            return self.refuse_for(Some(Fault::Policy), &reply);
        }
        if self.transaction.is_some() {
            return self.refuse(&Reply::bare(503, "Error: MAIL transaction in progress"));
        }
        if argument.is_empty() || argument.contains([' ', '\t']) {
            return self.refuse(&Reply::bare(500, "Syntax: ETRN domain"));
        }
        // `@domain` and `#queue` of RFC 1985 §5.2 are taken for the domain.
        let domain = argument.strip_prefix(['@', '#']).unwrap_or(argument);
        let is_domain = Domain::parse(domain)
            .is_ok_and(|parsed| parsed.is_hostname() || (parsed.is_literal() && parsed.to_ip().is_some()));
        if !is_domain {
            return self.refuse(&Reply::bare(501, "Error: invalid parameter syntax"));
        }
        self.open = Some(Open::Etrn);
        self.events.push_back(Event::Etrn {
            domain: domain.to_owned(),
        });
    }

    fn help(&mut self) {
        self.junk();
        let verbs = match self.config.protocol {
            Protocol::Smtp => "AUTH BDAT DATA EHLO ETRN HELO HELP MAIL NOOP QUIT RCPT RSET STARTTLS VRFY",
            Protocol::Lmtp => "AUTH BDAT DATA ETRN HELP LHLO MAIL NOOP QUIT RCPT RSET STARTTLS VRFY",
        };
        self.accept(&Reply::new(
            214,
            StatusCode::success(0, 0),
            format!("Supported commands: {verbs}"),
        ));
    }

    fn quit(&mut self) {
        self.accept(&Reply::new(221, StatusCode::success(0, 0), "Bye"));
        self.finish(Ending::Quit);
    }

    /// Begins a transaction.
    pub(super) fn begin(&mut self, smtputf8: bool) {
        self.transaction = Some(Box::new(Transaction {
            smtputf8,
            ..Transaction::default()
        }));
    }
}

/// Whether the address is for clients that ask for SMTPUTF8. A local part is taken from everybody, as Postfix does.
fn has_international_domain(path: &path::Path<'_>) -> bool {
    let domain = path.address.as_ref().and_then(address::Address::domain);
    domain.is_some_and(|domain| !domain.as_str().is_ascii())
}

/// The address in VRFY's argument: `alice`, `<alice>`, `Alice <alice>`.
fn address_in(written: &str) -> Option<&str> {
    let address = match (written.rfind('<'), written.strip_suffix('>')) {
        (Some(start), Some(inner)) => &inner[start + 1..],
        _ => written,
    };
    let is_none = matches!(address, "" | "\"\"" | "@");
    let is_phrase = address.contains([' ', '\t']) && !address.contains('"');
    (!is_none && !is_phrase).then_some(address)
}

/// What follows `keyword` in any case, spaces in front taken off; `None` when nothing does.
fn behind<'a>(argument: &'a str, keyword: &str) -> Option<&'a str> {
    let head = argument.get(..keyword.len())?;
    let rest = argument[keyword.len()..].trim_start_matches([' ', '\t']);
    (head.eq_ignore_ascii_case(keyword) && !rest.is_empty()).then_some(rest)
}
