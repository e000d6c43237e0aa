//! The `yubin` program: the name it was called by decides which command or role runs.

fn main() {}
