//! Recipient to class, transport and next hop.
