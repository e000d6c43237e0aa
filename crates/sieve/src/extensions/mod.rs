//! The extensions: a file each, and the table of them all. `require` knows exactly these.

pub(crate) mod body;
pub(crate) mod date;
pub(crate) mod debug;
pub(crate) mod duplicate;
pub(crate) mod editheader;
pub(crate) mod enclose;
pub(crate) mod enotify;
pub(crate) mod envelope;
pub(crate) mod environment;
pub(crate) mod execute;
pub(crate) mod extlists;
pub(crate) mod extracttext;
pub(crate) mod fcc;
pub(crate) mod fileinto;
pub(crate) mod foreverypart;
pub(crate) mod ihave;
pub(crate) mod imap4flags;
pub(crate) mod imapflags;
pub(crate) mod include;
pub(crate) mod mailbox;
pub(crate) mod mailboxid;
pub(crate) mod metadata;
pub(crate) mod mime;
pub(crate) mod notify;
pub(crate) mod pipe;
pub(crate) mod plain;
pub(crate) mod redirect_dsn;
pub(crate) mod reject;
pub(crate) mod replace;
pub(crate) mod report;
pub(crate) mod spamtest;
pub(crate) mod special_use;
pub(crate) mod testsuite;
pub(crate) mod vacation;
pub(crate) mod variables;

use crate::words::{Tag, Word};

/// An extension of the language.
pub(crate) struct Extension {
    /// What `require` names.
    pub(crate) name: &'static str,
    /// Whether scripts may require it when nothing is set.
    pub(crate) on_by_default: bool,
    /// Extensions that come with it.
    pub(crate) implies: &'static [&'static str],
    /// Extensions that it cannot stand beside, with what is said then.
    pub(crate) conflicts: &'static [(&'static str, &'static str)],
    /// Its commands and tests.
    pub(crate) words: &'static [Word],
    /// Its tags for commands and tests of others.
    pub(crate) offers: &'static [Offer],
}

/// Tags for words that are not the extension's own.
pub(crate) struct Offer {
    pub(crate) words: &'static [&'static str],
    pub(crate) tags: &'static [Tag],
}

impl Extension {
    pub(crate) const fn new(name: &'static str) -> Extension {
        Extension {
            name,
            on_by_default: true,
            implies: &[],
            conflicts: &[],
            words: &[],
            offers: &[],
        }
    }

    pub(crate) const fn words(self, words: &'static [Word]) -> Extension {
        Extension { words, ..self }
    }

    pub(crate) const fn offers(self, offers: &'static [Offer]) -> Extension {
        Extension { offers, ..self }
    }

    pub(crate) const fn implies(self, implies: &'static [&'static str]) -> Extension {
        Extension { implies, ..self }
    }

    pub(crate) const fn conflicts(self, conflicts: &'static [(&'static str, &'static str)]) -> Extension {
        Extension { conflicts, ..self }
    }

    /// Scripts may require it only where the administrator says so.
    pub(crate) const fn off(self) -> Extension {
        Extension {
            on_by_default: false,
            ..self
        }
    }
}

/// All of them.
pub(crate) const EXTENSIONS: &[Extension] = &[
    fileinto::EXTENSION,
    reject::EXTENSION,
    reject::EREJECT,
    envelope::EXTENSION,
    envelope::DSN,
    envelope::DELIVER_BY,
    plain::ENCODED_CHARACTER,
    plain::SUBADDRESS,
    plain::RELATIONAL,
    plain::REGEX,
    plain::COPY,
    plain::ASCII_NUMERIC,
    plain::UNICODE_CASEMAP,
    plain::INDEX,
    vacation::EXTENSION,
    vacation::SECONDS,
    imap4flags::EXTENSION,
    imapflags::EXTENSION,
    body::EXTENSION,
    variables::EXTENSION,
    include::EXTENSION,
    date::EXTENSION,
    ihave::EXTENSION,
    duplicate::EXTENSION,
    environment::EXTENSION,
    environment::DOVECOT,
    environment::CONFIG,
    mailbox::EXTENSION,
    mailboxid::EXTENSION,
    special_use::EXTENSION,
    metadata::MAILBOX,
    metadata::SERVER,
    editheader::EXTENSION,
    enotify::EXTENSION,
    notify::EXTENSION,
    mime::EXTENSION,
    foreverypart::EXTENSION,
    extracttext::EXTENSION,
    replace::EXTENSION,
    enclose::EXTENSION,
    spamtest::SPAM,
    spamtest::SPAM_PLUS,
    spamtest::VIRUS,
    extlists::EXTENSION,
    fcc::EXTENSION,
    redirect_dsn::EXTENSION,
    redirect_dsn::DELIVER_BY,
    debug::EXTENSION,
    report::EXTENSION,
    pipe::EXTENSION,
    execute::FILTER,
    execute::EXECUTE,
    testsuite::EXTENSION,
];

/// The extension `name`.
pub(crate) fn find(name: &str) -> Option<&'static Extension> {
    EXTENSIONS.iter().find(|extension| extension.name == name)
}
