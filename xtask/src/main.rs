//! Automation of this workspace: `cargo xtask test|tidy|bench|dev`.

fn main() {}
