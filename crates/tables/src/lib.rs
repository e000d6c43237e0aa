//! Lookup tables and aliases(5).
