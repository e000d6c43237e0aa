//! What the server can do beyond RFC 3501: one file per extension, each with its words in CAPABILITY and the commands that it
//! adds; and the list of them.
//!
//! LITERAL+ and LITERAL- (RFC 7888) live in [`crate::wire::framing`], SASL-IR (RFC 4959) and LOGIN-REFERRALS in [`crate::login`].

pub(crate) mod acl;
pub(crate) mod catenate;
pub(crate) mod children;
pub(crate) mod compress;
pub(crate) mod condstore;
pub(crate) mod context;
pub(crate) mod enable;
pub(crate) mod esearch;
pub(crate) mod i18n;
pub(crate) mod idle;
pub(crate) mod list_extended;
pub(crate) mod list_status;
pub(crate) mod moving;
pub(crate) mod namespace;
pub(crate) mod notify;
pub(crate) mod objectid;
mod offered;
pub(crate) mod preview;
pub(crate) mod qresync;
pub(crate) mod quota;
pub(crate) mod replace;
pub(crate) mod savedate;
pub(crate) mod searchres;
pub(crate) mod sort;
pub(crate) mod special_use;
pub(crate) mod thread;
pub(crate) mod uidplus;
pub(crate) mod unselect;
mod utf8;
pub(crate) mod within;

pub use offered::{LITERAL_MINUS_BYTES, Literals, Offered, Optional, Wanted};

use crate::session::Session;
use crate::wire::Result;
use crate::wire::cursor::Cursor;

/// An extension.
pub(crate) struct Extension {
    /// Its words in CAPABILITY. None is named that is not complete.
    capabilities: &'static [&'static str],
    /// The commands that it adds.
    commands: &'static [Command],
}

/// A command of an extension.
pub(crate) struct Command {
    /// Its name in capitals; `UID MOVE` is a command of its own.
    name: &'static str,
    /// Whether it is about the messages of the selected mailbox.
    needs_mailbox: bool,
    /// Reads the arguments and carries the command out.
    run: Run,
}

/// Reads a command's arguments, which begin with a space if there are any, and carries it out under this tag. An error is
/// answered with BAD.
pub(crate) type Run = fn(&mut Session, &str, &mut Cursor<'_>) -> Result<()>;

impl Extension {
    /// One that adds no command.
    const fn of_words(capabilities: &'static [&'static str]) -> Extension {
        Extension {
            capabilities,
            commands: &[],
        }
    }
}

/// What stands in CAPABILITY without a file here.
const BASE: Extension = Extension::of_words(&["IMAP4rev1", "SASL-IR", "LOGIN-REFERRALS", "ID"]);
/// The word stands for LITERAL- too.
const LITERALS: Extension = Extension::of_words(&["LITERAL+"]);

/// All of them, in the order of CAPABILITY, which is Dovecot's.
const EXTENSIONS: &[Extension] = &[
    BASE,
    enable::EXTENSION,
    idle::EXTENSION,
    sort::EXTENSION,
    thread::EXTENSION,
    // RFC 3502; APPEND is in `session/append.rs`.
    Extension::of_words(&["MULTIAPPEND"]),
    catenate::EXTENSION,
    unselect::EXTENSION,
    children::EXTENSION,
    namespace::EXTENSION,
    uidplus::EXTENSION,
    list_extended::EXTENSION,
    i18n::EXTENSION,
    condstore::EXTENSION,
    qresync::EXTENSION,
    esearch::EXTENSION,
    searchres::EXTENSION,
    within::EXTENSION,
    context::EXTENSION,
    list_status::EXTENSION,
    // RFC 3516: what FETCH sends decoded is in `session/decoded.rs`, `~{n}` of APPEND in `session/append.rs`.
    Extension::of_words(&["BINARY"]),
    moving::EXTENSION,
    preview::EXTENSION,
    // RFC 8438 and RFC 9051: items of STATUS.
    Extension::of_words(&["STATUS=SIZE", "STATUS=DELETED"]),
    LITERALS,
    savedate::EXTENSION,
    notify::EXTENSION,
    objectid::EXTENSION,
    special_use::EXTENSION,
    quota::EXTENSION,
    acl::EXTENSION,
    compress::EXTENSION,
    // RFC 7889; the word is told with its number.
    Extension::of_words(&["APPENDLIMIT"]),
    replace::EXTENSION,
    utf8::EXTENSION,
];

/// The capabilities of a session after login, as CAPABILITY lists them.
pub fn capabilities(offered: &Offered) -> String {
    let words = EXTENSIONS.iter().flat_map(|extension| extension.capabilities);
    let words = words.filter(|word| offered.has(word)).map(|word| match *word {
        "LITERAL+" => offered.literals.word().to_owned(),
        "APPENDLIMIT" => format!("APPENDLIMIT={}", offered.append_bytes_max),
        word => word.to_owned(),
    });
    offered.list(words.collect::<Vec<_>>().join(" "))
}

/// The command of an extension with this name, if there is one.
pub(crate) fn command(name: &str, offered: &Offered) -> Option<&'static Command> {
    let mut commands = EXTENSIONS.iter().flat_map(|extension| extension.commands);
    commands.find(|command| command.name == name && offered.has(name))
}

impl Session {
    /// Carries out a command of an extension.
    pub(crate) fn run(&mut self, command: &Command, tag: &str, arguments: &mut Cursor<'_>) -> Result<()> {
        if command.needs_mailbox && self.view.is_none() {
            self.bad(tag, "No mailbox selected");
            return Ok(());
        }
        (command.run)(self, tag, arguments)
    }
}
