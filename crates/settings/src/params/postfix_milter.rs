//! Parameters of main.cf about milters.

crate::params::others! {}
