//! SMTP, LMTP and submission as machines.
