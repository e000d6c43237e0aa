//! The users of a test's host.

/// A user of the host; the group has the same name and number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Account {
    /// The login name.
    pub name: &'static str,
    /// The uid and the gid.
    pub uid: u32,
    /// The home directory.
    pub home: &'static str,
}

/// Who sends the mails of scenarios, and gets their bounces.
pub const SENDER: &str = "sender@sandbox.test";

const fn account(name: &'static str, uid: u32, home: &'static str) -> Account {
    Account { name, uid, home }
}

const ACCOUNTS: &[Account] = &[
    account("sender", 2000, "/home/sender"),
    account("alice", 2001, "/home/alice"),
    account("bob", 2002, "/home/bob"),
    account("carol", 2003, "/home/carol"),
    account("dave", 2004, "/home/dave"),
    account("erin", 2005, "/home/erin"),
    account("frank", 2006, "/home/frank"),
    account("grace", 2007, "/home/grace"),
    // A home that is not there.
    account("homeless", 2008, "/home/missing"),
    account("vmail", 2100, "/srv/vmail"),
];

/// All users of the host.
pub fn accounts() -> &'static [Account] {
    ACCOUNTS
}
