//! What `mailq`, `postqueue`, `postsuper` and `postcat` show and do.
//!
//! All of it works on a [`Spool`], be it the daemon's own or one opened for reading while the daemon is down.

mod change;
mod listing;
mod postcat;

pub use change::{Change, Selection, change};
pub use listing::{Listed, ListedRecipient, Listing, Screen, json, listing, render};
pub use postcat::{Parts, Place, View, dump, dump_dropped};
