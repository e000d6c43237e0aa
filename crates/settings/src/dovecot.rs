//! The typed settings of `dovecot.conf`, made from the rows in `params/dovecot_*.rs`, and its blocks.

use std::collections::BTreeMap;
use std::net::IpAddr;

use crate::choices::*;
use crate::kinds::*;
use crate::{Error, Network, Wrong, params};

macro_rules! declare {
    ([] $($name:ident: $kind:ident = $default:literal, $reload:ident, $summary:literal;)*) => {
        /// `dovecot.conf` as values; a field for every setting that Yubin reads, under its 2.3 name, and the blocks.
        ///
        /// `%u`-like variables stay in the texts. Use [`Dovecot::for_connection`] before reading settings that
        /// `protocol`, `local` and `remote` blocks may change.
        #[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
        pub struct Dovecot {
            $(
                #[doc = concat!($summary, "\n\nDefault: `", $default, "`")]
                pub $name: <$kind as Kind>::Value,
            )*
            /// `passdb` blocks in order.
            pub passdbs: Vec<Passdb>,
            /// `userdb` blocks in order.
            pub userdbs: Vec<Userdb>,
            /// `namespace` blocks in order; one for the INBOX is there even when the file has none.
            pub namespaces: Vec<Namespace>,
            /// Services by name (`imap-login`), Dovecot's default listeners included.
            pub services: BTreeMap<String, ListenerService>,
            /// What stands in `plugin { }`.
            pub plugin: BTreeMap<String, String>,
            /// `protocol`, `local`, `local_name` and `remote` blocks, outer ones first.
            pub filters: Vec<Filter>,
            /// Settings that are known but make no field, and dict names: name to text.
            pub others: BTreeMap<String, String>,
        }

        impl Dovecot {
            /// What an empty `dovecot.conf` means, `default_text` giving other defaults than the table's.
            fn of_table() -> Dovecot {
                Dovecot {
                    $($name: <$kind>::read($default).unwrap_or_else(|_| <$kind>::fallback()),)*
                    passdbs: Vec::new(),
                    userdbs: Vec::new(),
                    namespaces: vec![Namespace::inbox()],
                    services: params::dovecot_blocks::default_services(),
                    plugin: BTreeMap::new(),
                    filters: Vec::new(),
                    others: BTreeMap::new(),
                }
            }

            /// Sets one field from text; a known name without a field goes to `others`.
            ///
            /// # Errors
            /// [`Error::Shape`] when the text is not of the setting's shape; the field keeps its value.
            pub fn set(&mut self, name: &str, text: &str) -> Result<(), Error> {
                match name {
                    $(stringify!($name) => self.$name = <$kind>::read(text)?,)*
                    _ => {
                        self.others.insert(name.to_owned(), text.to_owned());
                    }
                }
                Ok(())
            }
        }

        /// The rows of supported settings.
        pub(crate) const ROWS: &[params::Parameter] = &[$(params::Parameter {
            name: stringify!($name),
            shape: <$kind as Kind>::SHAPE,
            default: $default,
            reload: params::Reload::$reload,
            support: params::Support::Supported,
            summary: $summary,
        }),*];
    };
}

// The rows of all files are gathered one after the other and end in `declare!`.
params::dovecot_server::rows! {
    [
        {crate::params::dovecot_auth::rows}
        {crate::params::dovecot_mail::rows}
        {crate::params::dovecot_protocols::rows}
        {declare}
    ]
}

/// A `passdb` block.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Passdb {
    /// The block's name in the 2.4 dialect; otherwise empty.
    pub name: String,
    /// `passwd-file`, `static`, `pam`, `shadow`, `passwd` …
    pub driver: String,
    /// The driver's arguments as written: `scheme=… username_format=%n /path`.
    pub args: String,
    /// Fields set before the lookup: `key=value …`.
    pub default_fields: String,
    /// Fields set after it.
    pub override_fields: String,
    /// A user found here is refused.
    pub deny: bool,
    /// A master user's block.
    pub master: bool,
    /// After this block the next ones are asked as well.
    pub pass: bool,
    /// `never`, `authenticated` or `unauthenticated`: when the block is passed over.
    pub skip: String,
    /// `return-ok`, `continue` …; empty: the default.
    pub result_success: String,
    /// What follows a wrong password or an unknown user; empty: the default.
    pub result_failure: String,
    /// What follows an error; empty: the default.
    pub result_internalfail: String,
    /// Mechanisms for which the block is used; empty: all.
    pub mechanisms: Vec<String>,
    /// Users for whom the block is used, as patterns; empty: all.
    pub username_filter: String,
    /// Settings of the 2.4 dialect that belong to the driver (`passwd_file_path`).
    pub options: BTreeMap<String, String>,
    /// Where the block stands: file and line.
    pub place: (String, usize),
}

/// A `userdb` block.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Userdb {
    /// The block's name in the 2.4 dialect; otherwise empty.
    pub name: String,
    /// `passwd-file`, `static`, `passwd`, `prefetch` …
    pub driver: String,
    /// The driver's arguments as written: `uid=vmail gid=vmail home=/home/%n`.
    pub args: String,
    /// Fields set before the lookup.
    pub default_fields: String,
    /// Fields set after it.
    pub override_fields: String,
    /// When the block is passed over.
    pub skip: String,
    /// `return-ok`, `continue` …; empty: the default.
    pub result_success: String,
    /// What follows an unknown user; empty: the default.
    pub result_failure: String,
    /// What follows an error; empty: the default.
    pub result_internalfail: String,
    /// Settings of the 2.4 dialect that belong to the driver, `fields { }` as `fields/NAME`.
    pub options: BTreeMap<String, String>,
    /// Where the block stands: file and line.
    pub place: (String, usize),
}

/// A `namespace` block.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Namespace {
    /// The block's name; may be empty.
    pub name: String,
    /// `private`, `shared` or `public`.
    pub kind: String,
    /// What names in it begin with.
    pub prefix: String,
    /// The hierarchy separator; empty: the store's.
    pub separator: String,
    /// Where its mail is; empty: `mail_location`.
    pub location: String,
    /// Whether it holds the INBOX.
    pub inbox: bool,
    /// Whether NAMESPACE hides it.
    pub hidden: bool,
    /// `yes`, `no` or `children`: whether LIST shows it.
    pub list: String,
    /// Whether it keeps its own subscriptions.
    pub subscriptions: bool,
    /// Whether it is not used at all.
    pub disabled: bool,
    /// Whether errors in its location do not matter.
    pub ignore_on_failure: bool,
    /// The namespace that this is another name of.
    pub alias_for: String,
    /// Its order in LIST.
    pub order: usize,
    /// `mailbox` blocks in order.
    pub mailboxes: Vec<MailboxSetting>,
}

/// A `mailbox` block of a namespace.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct MailboxSetting {
    /// The mailbox's name below the namespace's prefix; may be a pattern.
    pub name: String,
    /// Whether it is made by itself.
    pub auto: MailboxAuto,
    /// `\Sent` and the like.
    pub special_use: Vec<String>,
    /// A comment for METADATA.
    pub comment: String,
    /// Mail older than this is expunged; zero: never.
    pub autoexpunge: std::time::Duration,
    /// Only this many messages are kept; zero: all.
    pub autoexpunge_max_mails: usize,
}

/// A `service` block.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct ListenerService {
    /// The TCP listeners by name; a port of 0 switches one off.
    pub inet_listeners: BTreeMap<String, InetListener>,
    /// The sockets in the file system, by path.
    pub unix_listeners: BTreeMap<String, UnixListener>,
    /// The named pipes, by path.
    pub fifo_listeners: BTreeMap<String, FifoListener>,
    /// The service's protocol (`imap`): it runs only when `protocols` names it; empty: always.
    pub protocol: String,
    /// How many clients one process serves; 0: the default.
    pub client_limit: usize,
    /// How many processes; 0: the default.
    pub process_limit: usize,
    /// Everything else in the block as text (`user`, `chroot`, `vsz_limit` …).
    pub others: BTreeMap<String, String>,
}

/// An `inet_listener` block.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct InetListener {
    /// Addresses; empty: `listen`.
    pub address: Vec<String>,
    /// The port; 0: not listening.
    pub port: u16,
    /// Whether TLS begins with the connection.
    pub ssl: bool,
    /// Whether the connection begins with a PROXY header.
    pub haproxy: bool,
    /// Whether several processes may bind the port.
    pub reuse_port: bool,
}

/// A `unix_listener` block.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct UnixListener {
    /// The mode; 0: not listening.
    pub mode: u32,
    /// The owner; empty: root.
    pub user: String,
    /// The group; empty: root's.
    pub group: String,
}

/// A `fifo_listener` block.
pub type FifoListener = UnixListener;

/// When a [`Filter`] applies.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Condition {
    /// `protocol imap`; `protocol !imap` with `true`.
    Protocol(String, bool),
    /// `local 10.0.0.1` or `local host.example`, resolved by `config`.
    Local(Vec<Network>),
    /// `local_name imap.example.com`: the name the client gave in TLS (`*.example.com` too).
    LocalName(String),
    /// `remote 10.0.0.0/8`.
    Remote(Vec<Network>),
}

/// Settings that hold only under conditions.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Filter {
    /// All must hold.
    pub conditions: Vec<Condition>,
    /// Names and texts in order; `plugin/NAME` for what stands in a `plugin` block.
    pub settings: Vec<(String, String)>,
    /// Where the block stands: file and line.
    pub place: (String, usize),
}

/// What a connection is, for choosing among [`Filter`]s.
#[derive(Debug, Clone, Copy, Default, serde::Serialize, serde::Deserialize)]
pub struct Connection<'a> {
    /// `imap`, `pop3`, `lmtp` …
    pub protocol: &'a str,
    /// This side's address.
    pub local: Option<IpAddr>,
    /// The client's address.
    pub remote: Option<IpAddr>,
    /// The name given in TLS; empty: none.
    pub local_name: &'a str,
}

impl Default for Dovecot {
    fn default() -> Dovecot {
        Dovecot::defaults()
    }
}

impl Dovecot {
    /// What an empty `dovecot.conf` means.
    pub fn defaults() -> Dovecot {
        Dovecot::of_table()
    }

    /// The settings that hold for one connection. Texts were checked at load, so a text that does not fit (only
    /// possible when a caller made the filter by hand) is left out.
    pub fn for_connection(&self, connection: Connection<'_>) -> Dovecot {
        let mut settings = self.clone();
        for filter in &self.filters {
            if filter
                .conditions
                .iter()
                .all(|condition| condition.holds(connection))
            {
                for (name, text) in &filter.settings {
                    match name.strip_prefix("plugin/") {
                        Some(name) => {
                            settings.plugin.insert(name.to_owned(), text.clone());
                        }
                        None => {
                            let _ = settings.set(name, text);
                        }
                    }
                }
            }
        }
        settings
    }

    /// Tries every filter's texts; the wrong ones are listed with the filter's number.
    pub fn wrong_in_filters(&self) -> Vec<(usize, Wrong)> {
        let mut scratch = self.clone();
        let mut wrong = Vec::new();
        for (number, filter) in self.filters.iter().enumerate() {
            for (name, text) in filter
                .settings
                .iter()
                .filter(|(name, _)| !name.starts_with("plugin/"))
            {
                if let Err(error) = scratch.set(name, text) {
                    wrong.push((
                        number,
                        Wrong {
                            name: name.clone(),
                            error,
                        },
                    ));
                }
            }
        }
        wrong
    }

    /// Whether a protocol (`imap`, `pop3`, `lmtp`, `sieve`) is to be served.
    pub fn serves(&self, protocol: &str) -> bool {
        self.protocols.iter().any(|word| word == protocol)
    }
}

impl Condition {
    fn holds(&self, connection: Connection<'_>) -> bool {
        let within = |networks: &[Network], address: Option<IpAddr>| {
            address.is_some_and(|address| networks.iter().any(|network| network.contains(address)))
        };
        match self {
            Condition::Protocol(name, negated) => (connection.protocol == name) != *negated,
            Condition::Local(networks) => within(networks, connection.local),
            Condition::Remote(networks) => within(networks, connection.remote),
            Condition::LocalName(pattern) => name_matches(pattern, connection.local_name),
        }
    }
}

/// Whether a name given in TLS is one of a `local_name` block: `*.example.com` stands for one label more, as in
/// certificates.
pub fn name_matches(pattern: &str, name: &str) -> bool {
    match pattern.strip_prefix("*.") {
        Some(domain) => name
            .split_once('.')
            .is_some_and(|(_, rest)| rest.eq_ignore_ascii_case(domain)),
        None => !name.is_empty() && pattern.eq_ignore_ascii_case(name),
    }
}

impl Namespace {
    /// A namespace with every setting at its default.
    pub fn named(name: &str) -> Namespace {
        Namespace {
            name: name.to_owned(),
            kind: "private".to_owned(),
            prefix: String::new(),
            separator: String::new(),
            location: String::new(),
            inbox: false,
            hidden: false,
            list: "yes".to_owned(),
            subscriptions: true,
            disabled: false,
            ignore_on_failure: false,
            alias_for: String::new(),
            order: 0,
            mailboxes: Vec::new(),
        }
    }

    /// The namespace that is there when the file has none.
    pub fn inbox() -> Namespace {
        Namespace {
            inbox: true,
            ..Namespace::named("")
        }
    }
}

impl MailboxSetting {
    /// A mailbox with every setting at its default.
    pub fn named(name: &str) -> MailboxSetting {
        MailboxSetting {
            name: name.to_owned(),
            auto: MailboxAuto::No,
            special_use: Vec::new(),
            comment: String::new(),
            autoexpunge: std::time::Duration::ZERO,
            autoexpunge_max_mails: 0,
        }
    }
}
