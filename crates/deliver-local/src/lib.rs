//! Delivery into mailboxes of this host: aliases, mailbox choice, writing.
