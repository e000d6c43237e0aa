//! On which terms a connection is used: the login, and how it is encrypted. A kept connection serves those only who would have
//! made the same.

use crate::logins::Login;
use crate::policy::Policy;

/// The terms of one connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Terms {
    /// Who is logged in.
    pub(crate) login: Option<Login>,
    /// How it is encrypted.
    pub(crate) policy: Policy,
}
