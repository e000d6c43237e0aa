//! The queue: durable spool, scheduler, administration.
