//! IMAP as a machine over a mailbox store.
