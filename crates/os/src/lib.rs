//! The only crate with `unsafe`: identity, locks, signals, descriptors, users of the system.
