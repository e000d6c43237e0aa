//! What restrictions ask of others: DNS, policy services, time. Tables are asked where they are.

use std::pin::Pin;
use std::time::Duration;

use dns::Dns;

use crate::policy::{Failure, Server};

/// An answer that is being waited for.
pub type Waiting<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// The world, as an evaluation needs it.
pub trait Outside: Send + Sync {
    /// The Domain Name System.
    fn dns(&self) -> &dyn Dns;

    /// Asks a policy service, as often as the server's settings say; the value of `action=`.
    ///
    /// # Errors
    /// Why the last attempt failed.
    fn ask_policy<'a>(&'a self, server: &'a Server, request: &'a str)
    -> Waiting<'a, Result<String, Failure>>;

    /// The local time as the log has it: `Nov 29 12:00:00`.
    fn local_time(&self) -> String;

    /// Lets time pass.
    fn sleep(&self, duration: Duration) -> Waiting<'_, ()>;
}
