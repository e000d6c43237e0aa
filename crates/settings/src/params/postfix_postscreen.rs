//! Parameters of main.cf about postscreen.

crate::params::others! {}
