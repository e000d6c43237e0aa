//! What the supervisor and the roles say to each other, besides what two roles say directly. Descriptors are named at each
//! variant, in the order in which they come.

use std::net::SocketAddr;

use auth::{Account, Ticket};
use serde::{Deserialize, Serialize};

use crate::control::Haste;

/// What the supervisor tells a role.
#[derive(Debug, Serialize, Deserialize)]
pub enum Order {
    /// The first one. Its slice of the configuration ([`enclosed`](crate::enclosed)), log files; for the front then its new ports. For
    /// a runner only the socket to whoever asks.
    Begin(Begin),
    /// From now on another configuration holds; of ports that were there already no descriptor comes. The slice of it, new ports.
    Reconfigure(Vec<Port>),
    /// The log files were opened again. Log files.
    LogFiles,
    /// Another role will ask over this channel. A socket.
    Asker(Asker),
    /// Other programs ask about log-ins on these sockets, and on no others any more (auth). A listening socket for each.
    AuthSockets(Vec<AuthSocket>),
    /// A client of the front, which somebody else accepted. Its socket.
    Client(Purpose),
    /// A mailbox session goes on here (agent). The socket of the session, then one that is held as long as it lasts.
    Session(Box<Session>),
    /// Whose ticket is this? (auth)
    Redeem {
        /// Of the question.
        number: u64,
        /// What the front has.
        ticket: Ticket,
    },
    /// The answer to a question of the role. Descriptors as at [`Answer`].
    Answer {
        /// Of the question.
        number: u64,
        /// What is said.
        answer: Answer,
    },
    /// There are many agents. One that hears it ends as soon as nothing is under way in it; the front lets go of agents that it has
    /// nothing for.
    MakeRoom,
    /// End.
    Stop(Haste),
}

/// How a role begins.
#[derive(Debug, Serialize, Deserialize)]
pub struct Begin {
    /// As whom.
    pub identity: Identity,
    /// The files that the log goes to, a descriptor for each.
    pub log_files: Vec<std::path::PathBuf>,
    /// The ports that the front serves, a descriptor for each.
    pub ports: Vec<Port>,
    /// The supervisor's process id.
    pub supervisor: u32,
}

/// As whom a role runs.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Identity {
    /// The user id.
    pub uid: u32,
    /// The group id.
    pub gid: u32,
    /// The login name, for its other groups; without it there are none.
    pub user: Option<String>,
}

/// A port that the front serves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Port {
    /// What answers there.
    pub purpose: Purpose,
    /// How many conversations at once.
    pub connections_max: usize,
    /// Where it is.
    pub address: Endpoint,
}

/// Where a service is reached.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Endpoint {
    /// A port of an address.
    Inet(SocketAddr),
    /// A socket in the file system.
    Unix(std::path::PathBuf),
}

impl Endpoint {
    /// The port, if it is one.
    pub fn inet(&self) -> Option<SocketAddr> {
        match self {
            Endpoint::Inet(address) => Some(*address),
            Endpoint::Unix(_) => None,
        }
    }

    /// Whether it is a port of IPv6.
    pub fn is_ipv6(&self) -> bool {
        self.inet().is_some_and(|address| address.is_ipv6())
    }
}

impl std::fmt::Display for Endpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Endpoint::Inet(address) => address.fmt(f),
            Endpoint::Unix(path) => path.display().fmt(f),
        }
    }
}

/// What answers on a port.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Purpose {
    /// The `smtpd` row of that name.
    Smtpd(String),
    /// A mailbox service; whether TLS begins with the connection.
    Login(Protocol, bool),
    /// LMTP; whether TLS begins with the connection.
    Lmtp(bool),
}

/// A mailbox protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[allow(missing_docs)]
pub enum Protocol {
    Imap,
    Pop3,
}

impl Protocol {
    /// Its name in dovecot.conf and in logs.
    pub fn name(self) -> &'static str {
        match self {
            Protocol::Imap => "imap",
            Protocol::Pop3 => "pop3",
        }
    }
}

/// Who asks over a channel that the supervisor passed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Asker {
    /// To an agent: the front, with deliveries. To the auth role: the front, with log-ins. To the front: nobody; the channel
    /// leads to a new auth role.
    Front,
}

/// A socket on which other programs ask about log-ins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuthSocket {
    /// Where it is.
    pub path: std::path::PathBuf,
    /// What it is for.
    pub kind: auth::socket::Kind,
}

/// A mailbox session on its way to the owner's agent.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Session {
    /// The protocol.
    pub protocol: Protocol,
    /// Whose mail.
    pub account: Account,
    /// The session's name in the log.
    pub session: String,
    /// Bytes that the peer sent after its login command.
    pub unread: Vec<u8>,
    /// The peer.
    pub remote: SocketAddr,
    /// Our side.
    pub local: SocketAddr,
}

/// What a role tells the supervisor.
#[derive(Debug, Serialize, Deserialize)]
pub enum Message {
    /// It asks. Descriptors as at [`Question`].
    Question {
        /// For the answer.
        number: u64,
        /// What is asked.
        question: Question,
    },
    /// Whose ticket it was: the account and, if it is a user of the system, the login name (auth).
    Redeemed {
        /// Of [`Order::Redeem`].
        number: u64,
        /// `None`: nobody's, or it was used, or it is too old.
        account: Option<(Account, Option<String>)>,
    },
    /// Nothing is under way in this agent, after it has taken so many orders.
    Idle {
        /// How many orders it has taken.
        orders: u64,
    },
    /// A command is to be run with this agent's rights. A socket that leads to whoever asks.
    Errand,
    /// It has everything and serves.
    Up,
    /// It cannot serve and ends: why.
    Failed(String),
    /// The client of [`Order::Client`] is gone, or somebody else's (front).
    ClientLeft,
}

/// What a role asks of the supervisor.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Question {
    /// A channel for deliveries with these rights (front).
    Deliveries(Whose),
    /// A session is to go on with its owner (front). As at [`Order::Session`].
    Session {
        /// What proves the login.
        ticket: Ticket,
        /// The protocol.
        protocol: Protocol,
        /// The session's name in the log.
        session: String,
        /// Bytes that the peer sent after its login command.
        unread: Vec<u8>,
        /// The peer.
        remote: SocketAddr,
        /// Our side.
        local: SocketAddr,
    },
    /// The configuration is to be read again (front, for a command).
    Reload,
    /// Everything is to stop (front, for a command).
    Stop(Haste),
    /// The file of a table is to be opened for reading, which this role may not open itself. The file comes with the answer.
    OpenTable(std::path::PathBuf),
    /// The mailbox file of this agent's user in the mail spool is to be made.
    CreateMailbox(String),
    /// Its lock file is to be made.
    LockMailbox(String),
    /// Its lock file is to be removed.
    UnlockMailbox(String),
}

/// With whose rights something is to be done.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Whose {
    /// As whom.
    pub identity: Identity,
    /// What for.
    pub kind: Kind,
}

/// Whose business something is, and so what an agent is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Kind {
    /// A user of the system: the mailbox, `.forward` and commands, all with the user's rights.
    User,
    /// The mail of somebody whom the system does not know, under a uid that others may share: a virtual mailbox (virtual(8)), or a
    /// user of a userdb. No commands and no files in `.forward`.
    Virtual,
    /// A command, a file or an include of an alias table, as `default_privs` or as the owner of the table.
    Table,
    /// The command of a transport of master.cf, as the user that its row names (pipe(8)).
    Pipe,
}

/// What the supervisor answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Answer {
    /// It is done. For [`Question::OpenTable`] the open file.
    Done,
    /// It is done by the process with this id. For [`Question::Deliveries`] a socket.
    Agent(u32),
    /// It is not done now, and may be later: why.
    Busy(String),
    /// It is not done: why.
    Refused(String),
    /// The system did not do it: its error number.
    Failed(i32),
}
