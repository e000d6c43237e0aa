//! POP3 as a machine over a mailbox store.
