//! The mail server's end of one connection to a filter: what is said, what is waited for, which reply fits.

use std::collections::{BTreeMap, VecDeque};

use crate::Error;
use crate::command::Command;
use crate::fault::{Fault, HUNG_UP};
use crate::options::{self, Agreement, Options, Stage};
use crate::packet::{Packet, Packets};
use crate::reply::{Change, Reply, Verdict};

/// The most replies to one command: changes of a message, and news of progress.
pub const REPLIES_MAX: usize = 100_000;
/// The longest piece of a body that is sent, in bytes.
pub const BODY_PIECE_BYTES: usize = 65_535;

/// How the protocol is spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Protocol {
    /// The version: 2, 3, 4 or 6.
    pub version: u32,
    /// Headers need not be answered (`no_header_reply`).
    pub has_silent_headers: bool,
}

/// Something that the filter said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// It is ready; with the version that it names, where that is an odd one.
    Agreed(Option<u32>),
    /// Its last word on the command.
    Verdict(Verdict),
    /// It changes the message.
    Change(Change),
    /// It needs more time.
    Progress,
    /// It is heard no more.
    Broken(Fault),
}

/// The macros of a session: what a name stands for. Names of more than a letter have braces.
pub trait Macros {
    /// The value, if there is one.
    fn value(&self, name: &str) -> Option<String>;
    /// The names for a stage, where the filter chose none.
    fn names(&self, stage: Stage) -> &[String];
}

/// One connection.
///
/// # Limits
/// [`REPLIES_MAX`], [`PACKET_BYTES_MAX`](crate::packet::PACKET_BYTES_MAX).
#[derive(Debug)]
pub struct Client {
    offered: Options,
    agreed: Options,
    chosen: BTreeMap<u32, Vec<String>>,
    packets: Packets,
    output: Vec<u8>,
    events: VecDeque<Event>,
    waiting: Option<Waiting>,
    is_broken: bool,
}

/// The command whose reply is awaited.
#[derive(Debug, Clone, Copy)]
struct Waiting {
    name: &'static str,
    what: Awaited,
    replies: usize,
    /// Which kinds of changes came.
    has_body: bool,
    is_past_body: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Awaited {
    Agreement,
    /// A verdict.
    Verdict,
    /// Changes, then a verdict.
    End,
}

impl Client {
    /// A connection that has just been made: the offer is to be sent.
    pub fn new(protocol: Protocol) -> Client {
        let mut offered = options::offered(protocol.version);
        if protocol.has_silent_headers {
            offered.steps |= options::steps::SILENT_HEADERS;
        }
        let mut client = Client {
            offered,
            agreed: offered,
            chosen: BTreeMap::new(),
            packets: Packets::default(),
            output: Vec::new(),
            events: VecDeque::new(),
            waiting: None,
            is_broken: false,
        };
        let offer = Command::Negotiate(offered);
        offer.write(&mut client.output);
        client.wait(&offer, Awaited::Agreement);
        client
    }

    fn wait(&mut self, command: &Command, what: Awaited) {
        self.waiting = Some(Waiting {
            name: command.name(),
            what,
            replies: 0,
            has_body: false,
            is_past_body: false,
        });
    }

    /// Says something with the macros of its stage, if the filter wants to hear it. Nothing is said to one that is broken.
    pub fn say(&mut self, command: &Command, macros: &dyn Macros) {
        if self.is_broken || !self.is_known(command) {
            return;
        }
        let (unwanted, silent) = command.bits();
        let is_wanted = !self.agreed.has_step(unwanted);
        if let Some((stage, is_always)) = stage_of(command)
            && (is_wanted || is_always)
        {
            self.say_macros(command, stage, macros);
        }
        if !is_wanted {
            return;
        }
        command.write(&mut self.output);
        if command.is_answered() && !self.agreed.has_step(silent) {
            let what = match command {
                Command::EndOfMessage => Awaited::End,
                _ => Awaited::Verdict,
            };
            self.wait(command, what);
        }
    }

    /// Whether the filter's version has this command.
    fn is_known(&self, command: &Command) -> bool {
        let version = self.agreed.version;
        match command {
            Command::Unknown(_) => version >= 3,
            Command::Data => version >= 4,
            _ => true,
        }
    }

    fn say_macros(&mut self, command: &Command, stage: Stage, macros: &dyn Macros) {
        let chosen = choice(stage).and_then(|number| self.chosen.get(&number));
        let names = chosen.map_or_else(|| macros.names(stage), Vec::as_slice);
        let pair = |name: &String| Some((name.clone(), macros.value(name)?));
        let pairs = names.iter().filter_map(pair).collect();
        Command::Macros(command.letter(), pairs).write(&mut self.output);
    }

    /// Whether the filter wants this step of a message's content.
    pub fn wants(&self, command: &Command) -> bool {
        !self.is_broken && !self.agreed.has_step(command.bits().0)
    }

    /// Whether one of these bits of [`options::steps`] was agreed on.
    pub fn has_step(&self, bits: u32) -> bool {
        self.agreed.has_step(bits)
    }

    /// Whether white space behind a header's colon belongs to its value.
    pub fn has_leading_space(&self) -> bool {
        self.agreed.has_step(options::steps::LEADING_SPACE)
    }

    /// Whether a reply is awaited.
    pub fn is_waiting(&self) -> bool {
        self.waiting.is_some() && !self.is_broken
    }

    /// What is to be sent; nothing is left.
    pub fn take_output(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.output)
    }

    /// Takes bytes that the filter sent, cut anywhere.
    pub fn feed(&mut self, bytes: &[u8]) {
        if !self.is_broken {
            self.packets.feed(bytes);
        }
    }

    /// The next thing that the filter said. What it says unasked stays until something is asked.
    pub fn next_event(&mut self) -> Option<Event> {
        if let Some(event) = self.events.pop_front() {
            return Some(event);
        }
        let waiting = self.waiting.filter(|_| !self.is_broken)?;
        match self.packets.take() {
            Ok(None) => None,
            Ok(Some(packet)) => Some(match self.read(waiting, &packet) {
                Ok(event) => event,
                Err(fault) => self.broken(fault),
            }),
            Err(Error::PacketLength(length)) => Some(self.broken(Fault::PacketLength(length))),
            Err(_) => Some(self.broken(Fault::Malformed(0))),
        }
    }

    /// The connection is over, or nothing came in time, for this reason.
    pub fn lose(&mut self, reason: &str) -> Event {
        let reason = reason.to_owned();
        let fault = match (self.packets.is_inside(), self.waiting) {
            (true, _) => Fault::HalfPacket(reason),
            (false, waiting) => Fault::NoReply {
                command: waiting.map_or("SMFIC_QUIT", |waiting| waiting.name),
                reason,
            },
        };
        self.broken(fault)
    }

    /// The other side closed the connection.
    pub fn end_of_input(&mut self) -> Event {
        self.lose(HUNG_UP)
    }

    fn broken(&mut self, fault: Fault) -> Event {
        self.is_broken = true;
        self.waiting = None;
        self.output = Vec::new();
        self.packets = Packets::default();
        Event::Broken(fault)
    }

    fn read(&mut self, waiting: Waiting, packet: &Packet) -> Result<Event, Fault> {
        if waiting.what == Awaited::Agreement {
            return self.agree(packet);
        }
        let unexpected = Fault::Unexpected {
            letter: packet.letter,
            command: waiting.name,
        };
        let reply = Reply::read(packet).map_err(|error| match error {
            Error::Unknown(_) => unexpected.clone(),
            _ => Fault::Malformed(packet.letter),
        })?;
        let mut waiting = waiting;
        waiting.replies += 1;
        if waiting.replies > REPLIES_MAX {
            return Err(Fault::TooMany(waiting.name));
        }
        let event = match reply {
            Reply::Verdict(Verdict::ConnectionFailure) => return Err(unexpected),
            Reply::Verdict(verdict) => {
                let bytes = packet.data.len();
                if bytes > 0 && !matches!(verdict, Verdict::Code(_)) {
                    let letter = packet.letter;
                    return Err(Fault::Trailing { letter, bytes });
                }
                self.waiting = None;
                return Ok(Event::Verdict(verdict));
            }
            Reply::Progress => Event::Progress,
            // Whatever it is, a message that a filter wants to be held is held.
            Reply::Change(Change::Quarantine(reason)) => Event::Change(Change::Quarantine(reason)),
            Reply::Change(_) if waiting.what != Awaited::End => return Err(unexpected),
            Reply::Change(change) => {
                let is_body = matches!(change, Change::ReplaceBody(_));
                if is_body && waiting.is_past_body {
                    return Err(Fault::MixedBody);
                }
                waiting.is_past_body = waiting.has_body && !is_body;
                waiting.has_body |= is_body;
                Event::Change(change)
            }
        };
        self.waiting = Some(waiting);
        Ok(event)
    }

    fn agree(&mut self, packet: &Packet) -> Result<Event, Fault> {
        if packet.letter != b'O' {
            return Err(Fault::NoAgreement(packet.letter));
        }
        let agreement = Agreement::read(&packet.data).map_err(|_| Fault::ShortAgreement)?;
        let version = agreement.options.version;
        if version > self.offered.version {
            return Err(Fault::Version(version, self.offered.version));
        }
        self.agreed = Options {
            // An odd version is told, and spoken to as if it was ours.
            version: if version < 2 {
                self.offered.version
            } else {
                version
            },
            steps: agreement.options.steps & self.offered.steps,
            ..agreement.options
        };
        self.chosen = agreement.macros.into_iter().collect();
        self.waiting = None;
        Ok(Event::Agreed((version < 2).then_some(version)))
    }
}

/// The stage whose macros go before a command, and whether they do even if the command is not wanted.
fn stage_of(command: &Command) -> Option<(Stage, bool)> {
    match command {
        Command::Header { .. } | Command::EndOfHeader => Some((Stage::EndOfHeader, false)),
        Command::Body(_) => Some((Stage::EndOfMessage, false)),
        other => other.stage().map(|stage| (stage, true)),
    }
}

/// The number by which a filter chooses macros for a stage.
fn choice(stage: Stage) -> Option<u32> {
    match stage {
        Stage::Connect => Some(0),
        Stage::Helo => Some(1),
        Stage::Mail => Some(2),
        Stage::Rcpt => Some(3),
        Stage::Data => Some(4),
        Stage::EndOfMessage => Some(5),
        Stage::EndOfHeader => Some(6),
        Stage::Unknown => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::Server;
    use proptest::prelude::*;

    struct Known(Vec<String>);

    impl Macros for Known {
        fn value(&self, name: &str) -> Option<String> {
            (name == "i").then(|| "ID".to_owned())
        }

        fn names(&self, _: Stage) -> &[String] {
            &self.0
        }
    }

    fn known() -> Known {
        Known(vec!["j".to_owned(), "i".to_owned()])
    }

    const SIX: Protocol = Protocol {
        version: 6,
        has_silent_headers: false,
    };

    fn agreed(version: u32, steps: u32, macros: Vec<(u32, Vec<String>)>) -> Client {
        let mut client = Client::new(SIX);
        let options = Options {
            version,
            actions: 0x1ff,
            steps,
        };
        let mut reply = Vec::new();
        Server::agree(&Agreement { options, macros }, &mut reply);
        client.feed(&reply);
        assert_eq!(client.next_event(), Some(Event::Agreed(None)));
        client.take_output();
        client
    }

    fn said(client: &mut Client) -> Vec<Command> {
        let mut server = Server::default();
        server.feed(&client.take_output());
        std::iter::from_fn(|| server.next_command().unwrap()).collect()
    }

    fn feed(client: &mut Client, reply: &Reply) {
        let mut bytes = Vec::new();
        reply.write(&mut bytes);
        client.feed(&bytes);
    }

    fn helo() -> Command {
        Command::Helo("h".to_owned())
    }

    #[test]
    fn macros_go_before_what_is_said() {
        let mut client = agreed(6, 0, vec![(2, vec!["none".to_owned()])]);
        client.say(&helo(), &known());
        let macros = vec![("i".to_owned(), "ID".to_owned())];
        assert_eq!(said(&mut client), [Command::Macros(b'H', macros), helo()]);
        assert!(client.is_waiting());
        feed(&mut client, &Reply::Verdict(Verdict::Continue));
        assert_eq!(client.next_event(), Some(Event::Verdict(Verdict::Continue)));
        let mail = Command::Mail(vec!["<>".to_owned()]);
        client.say(&mail, &known());
        assert_eq!(said(&mut client), [Command::Macros(b'M', Vec::new()), mail]);
    }

    #[test]
    fn what_is_not_wanted_is_not_said() {
        let mut client = agreed(6, options::steps::NO_HELO, Vec::new());
        client.say(&helo(), &known());
        assert!(matches!(said(&mut client).as_slice(), [Command::Macros(b'H', _)]));
        assert!(!client.is_waiting());
        let mut client = agreed(2, 0, Vec::new());
        client.say(&Command::Data, &known());
        assert_eq!(said(&mut client), []);
        let mut client = agreed(6, options::steps::SILENT_HELO, Vec::new());
        client.say(&helo(), &known());
        assert_eq!(said(&mut client).len(), 2);
        assert!(!client.is_waiting());
    }

    #[test]
    fn changes_come_at_the_end() {
        let mut client = agreed(6, 0, Vec::new());
        let change = Change::AddRecipient("a@b".to_owned(), String::new());
        client.say(&helo(), &known());
        feed(&mut client, &Reply::Change(change.clone()));
        let fault = Fault::Unexpected {
            letter: b'+',
            command: "SMFIC_HELO",
        };
        assert_eq!(client.next_event(), Some(Event::Broken(fault)));
        assert!(!client.is_waiting());
        client.say(&helo(), &known());
        assert_eq!(client.take_output(), []);
        let mut client = agreed(6, 0, Vec::new());
        client.say(&Command::EndOfMessage, &known());
        feed(&mut client, &Reply::Change(change.clone()));
        feed(&mut client, &Reply::Progress);
        feed(&mut client, &Reply::Verdict(Verdict::Accept));
        let events: Vec<Event> = std::iter::from_fn(|| client.next_event()).collect();
        let expected = [
            Event::Change(change),
            Event::Progress,
            Event::Verdict(Verdict::Accept),
        ];
        assert_eq!(events, expected);
    }

    #[test]
    fn a_body_comes_in_one_go() {
        let mut client = agreed(6, 0, Vec::new());
        let body = || Reply::Change(Change::ReplaceBody(b"x".to_vec()));
        client.say(&Command::EndOfMessage, &known());
        for reply in [
            body(),
            body(),
            Reply::Change(Change::DeleteRecipient("a".to_owned())),
            body(),
        ] {
            feed(&mut client, &reply);
        }
        let last = std::iter::from_fn(|| client.next_event()).last();
        assert_eq!(last, Some(Event::Broken(Fault::MixedBody)));
    }

    #[test]
    fn who_talks_too_much_is_cut_off() {
        let mut client = agreed(6, 0, Vec::new());
        client.say(&helo(), &known());
        for _ in 0..=REPLIES_MAX {
            feed(&mut client, &Reply::Progress);
        }
        let last = std::iter::from_fn(|| client.next_event()).last();
        assert_eq!(last, Some(Event::Broken(Fault::TooMany("SMFIC_HELO"))));
    }

    #[test]
    fn losses_are_told() {
        let mut client = agreed(6, 0, Vec::new());
        client.say(&helo(), &known());
        let fault = client.end_of_input();
        assert!(matches!(fault, Event::Broken(fault) if fault.to_string()
                == "can't read SMFIC_HELO reply packet header: Application error"));
        let mut client = agreed(6, 0, Vec::new());
        client.say(&helo(), &known());
        client.feed(&[0, 0, 0, 9, b'y']);
        assert_eq!(client.next_event(), None);
        assert!(matches!(
            client.end_of_input(),
            Event::Broken(Fault::HalfPacket(_))
        ));
    }

    proptest! {
        #[test]
        fn hostile_bytes_end_in_one_fault(
            pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..8),
            is_agreed in any::<bool>(),
        ) {
            let mut client = match is_agreed {
                true => agreed(6, 0, Vec::new()),
                false => Client::new(SIX),
            };
            let mut faults = 0;
            for piece in &pieces {
                if !client.is_waiting() {
                    client.say(&Command::EndOfMessage, &known());
                }
                client.feed(piece);
                while let Some(event) = client.next_event() {
                    faults += usize::from(matches!(event, Event::Broken(_)));
                }
            }
            prop_assert!(faults <= 1);
        }
    }
}
