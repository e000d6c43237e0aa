//! What the server can do beyond RFC 3501: one file per extension, and the list that is advertised.
//!
//! LITERAL+ (RFC 7888) lives in [`crate::wire::framing`], SASL-IR (RFC 4959) in [`crate::login`].

pub(crate) mod children;
pub(crate) mod condstore;
pub(crate) mod enable;
pub(crate) mod esearch;
pub(crate) mod idle;
pub(crate) mod moving;
pub(crate) mod namespace;
pub(crate) mod special_use;
pub(crate) mod uidplus;
pub(crate) mod unselect;
pub(crate) mod within;

/// The capabilities of a session after login, as CAPABILITY lists them. None is named that is not complete.
pub fn capabilities() -> &'static str {
    "IMAP4rev1 SASL-IR LOGIN-REFERRALS ID ENABLE IDLE UNSELECT CHILDREN NAMESPACE UIDPLUS CONDSTORE ESEARCH WITHIN \
     MOVE STATUS=SIZE LITERAL+ SPECIAL-USE"
}
