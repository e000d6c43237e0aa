//! Who delivers as whom: what needs no other mail system to compare with.
