//! The persistent index of a mailbox.
