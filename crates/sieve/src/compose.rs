//! Mails that actions ask for.
