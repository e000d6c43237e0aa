//! What the server can do beyond RFC 3501: one file per extension, and the list that is advertised.

/// The capabilities of a session after login, as CAPABILITY lists them.
pub fn capabilities() -> &'static str {
    "IMAP4rev1 SASL-IR LOGIN-REFERRALS ID ENABLE IDLE CHILDREN NAMESPACE UIDPLUS LITERAL+ UNSELECT MOVE"
}
