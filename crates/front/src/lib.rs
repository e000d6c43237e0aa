//! The role that speaks to the network and owns the queue.
