//! The role that acts on one owner's mail.
