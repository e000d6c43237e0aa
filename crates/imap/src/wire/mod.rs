//! IMAP on the wire: framing, the words of the grammar, decoding of commands, encoding of responses.

pub mod append;
pub mod command;
pub mod cursor;
pub mod date;
pub mod decode;
pub mod encode;
pub mod fetch;
pub mod framing;
pub mod list;
pub mod returning;
pub mod search;
pub mod select;
pub mod sequence;
pub mod sort;
pub mod url;

/// What reading a command gives.
pub type Result<T> = std::result::Result<T, Error>;

/// What is wrong with a command.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Something else should stand there.
    #[error("Expected {0}")]
    Expected(&'static str),
    /// A number does not fit.
    #[error("Number too large")]
    NumberTooLarge,
    /// A string holds a NUL.
    #[error("NUL in a string")]
    NulInString,
    /// The command does not exist.
    #[error("Unknown command: {0}")]
    UnknownCommand(String),
    /// An argument is known to the grammar and not to us.
    #[error("Unknown argument {0}")]
    UnknownArgument(String),
    /// A parameter is known to the grammar and not to us.
    #[error("Unknown parameter: {0}")]
    UnknownParameter(String),
    /// A search key without what is to follow it.
    #[error("Missing parameter for search key (for search key: {0})")]
    MissingParameter(String),
    /// A search key with a list behind it.
    #[error("Unexpected ( (for search key: {0})")]
    UnexpectedList(String),
    /// A string where a search key should be.
    #[error("Unexpected string as search key: {0}")]
    StringAsKey(String),
    /// SORT knows no such order.
    #[error("Unknown sort argument: {0}")]
    UnknownSortArgument(String),
    /// STATUS has no such item.
    #[error("Invalid status item {0}")]
    InvalidStatusItem(String),
    /// A flag that starts with a backslash and is not one of ours.
    #[error("Invalid system flag \\{0}")]
    InvalidSystemFlag(String),
    /// PREVIEW has no such modifier.
    #[error("'{0}' is not a supported PREVIEW modifier")]
    NoPreviewModifier(String),
    /// The items that NOTIFY wants of new messages hold one that FETCH has not.
    #[error("Invalid fetch-att list: Unknown parameter: {0}")]
    InvalidFetchList(String),
    /// Parentheses or search keys nest deeper than the limit.
    #[error("Too deeply nested")]
    TooDeep,
    /// A list is longer than its limit.
    #[error("Too many arguments")]
    TooMany,
    /// The argument is well-formed and means nothing; the text says why.
    #[error("{0}")]
    Invalid(&'static str),
    /// The same, where the text names what it is about.
    #[error("{0}")]
    Said(String),
}
