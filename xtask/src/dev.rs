//! `cargo xtask dev`: the embedded mail system of the debug build, below `target/dev`.

use anyhow::Result;

use crate::{cargo, must, root, target_dir};

/// Builds the program and starts `yubin serve`, with what the user adds.
pub fn run(args: &[&str]) -> Result<()> {
    must(&mut cargo(&[
        "build", "--locked", "-p", "yubin", "-p", "postdrop",
    ]))?;
    let mut serve = std::process::Command::new(target_dir().join("debug/yubin"));
    serve
        .arg("serve")
        .arg("--dir")
        .arg(target_dir().join("dev"))
        .args(args)
        .current_dir(root());
    must(&mut serve)
}
