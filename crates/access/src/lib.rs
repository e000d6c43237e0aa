//! Whether a client may do what it asks: restriction lists.
