//! IMAP as two machines: the login phase and the session over a mailbox store.
//!
//! In charge of IMAP's words on the wire ([`wire`]), of the small grammar before login ([`login::Login`]) and of
//! the session after it ([`session::Session`]), which reads and changes mail through [`mailbox::Store`]. Each
//! extension is one file in [`extensions`]. Not in charge of sockets, TLS, passwords, logs or files.
//!
//! RFCs: 3501, 7888 (LITERAL+, LITERAL-), 4959 (SASL-IR), 2177 (IDLE), 4315 (UIDPLUS), 2342 (NAMESPACE), 3691 (UNSELECT),
//! 2971 (ID), 3348 (CHILDREN), 6851 (MOVE), 5161 (ENABLE), 4731 (ESEARCH), 7162 (CONDSTORE, QRESYNC), 5465 (NOTIFY), 8970 (PREVIEW), 8514 (SAVEDATE),
//! 8474 (OBJECTID), 5032 (WITHIN), 6154 (SPECIAL-USE), 8438 (STATUS=SIZE),
//! 3502 (MULTIAPPEND), 4469 (CATENATE), 3516 (BINARY), 4978 (COMPRESS), 7889 (APPENDLIMIT), 8508 (REPLACE), 6855 (UTF8=ACCEPT).
//! 5256 and 5957 (SORT, THREAD), 5182 (SEARCHRES), 5267 (CONTEXT), 5255 (I18NLEVEL=1).
//! Limits: the constants of [`login`] and [`session`]. Dialogues: `dialogues/*.imap`.

pub mod extensions;
pub mod id;
pub mod login;
pub mod outside;
pub mod session;
pub mod wire;
