//! Settings of dovecot.conf about the names of the 2.4 dialect and what they were called before.

crate::params::others! {}
