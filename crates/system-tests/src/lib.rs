//! Tests that start the real binary in a sandbox directory.
