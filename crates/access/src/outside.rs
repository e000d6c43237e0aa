//! What restrictions ask of others: DNS, policy services, probes of addresses, time. Tables are asked where they are.

use std::pin::Pin;
use std::time::Duration;

use address::Address;
use dns::Dns;

use crate::policy::{Failure, Server};
use crate::verification::Answer;

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

    /// Whether mail to an address would arrive. Where that is not known, it is probed, and waited for so long.
    fn verify<'a>(&'a self, address: &'a Address, patience: Duration) -> Waiting<'a, Answer>;

    /// Lets time pass.
    fn sleep(&self, duration: Duration) -> Waiting<'_, ()>;
}
