//! What there is to check: the crates with their layers and dependencies, the source files.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::Value;

use crate::{cargo, root};

/// A crate's place in the house.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layer {
    /// 0 (the ground) to 7 (the entrances).
    Level(u64),
    /// Tests and automation: may use everything.
    Test,
}

/// A member of the workspace.
#[derive(Debug, Clone)]
pub struct Crate {
    /// Its name, which is its folder's.
    pub name: String,
    /// Its folder, relative to the root.
    pub folder: PathBuf,
    /// Its layer, when its manifest has the tag.
    pub layer: Option<Layer>,
    /// Normal dependencies, by name, own and foreign.
    pub dependencies: Vec<String>,
}

/// A Rust source file.
#[derive(Debug, Clone)]
pub struct Source {
    /// Its path, relative to the root.
    pub path: PathBuf,
    /// Its text.
    pub text: String,
}

impl Source {
    /// Whether the file holds only tests or test data.
    pub fn is_test(&self) -> bool {
        let in_folder = |name: &str| self.path.components().any(|part| part.as_os_str() == name);
        let stem = self.path.file_stem().unwrap_or_default();
        in_folder("tests")
            || stem == "tests"
            || in_folder("system-tests")
            || in_folder("testkit")
            || in_folder("benches")
    }
}

/// The members of the workspace.
pub fn crates() -> Result<Vec<Crate>> {
    let output = cargo(&["metadata", "--no-deps", "--format-version", "1", "--locked"]).output()?;
    let metadata: Value =
        serde_json::from_slice(&output.stdout).context("cannot read what cargo metadata says")?;
    let packages = metadata["packages"]
        .as_array()
        .context("cargo metadata names no packages")?;
    let mut crates: Vec<Crate> = packages.iter().map(read_crate).collect();
    crates.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(crates)
}

fn read_crate(package: &Value) -> Crate {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let manifest = PathBuf::from(text(&package["manifest_path"]));
    let folder = manifest
        .parent()
        .unwrap_or(Path::new(""))
        .strip_prefix(root())
        .unwrap_or(Path::new(""))
        .to_owned();
    let tag = &package["metadata"]["house"]["layer"];
    let layer = tag
        .as_u64()
        .map(Layer::Level)
        .or_else(|| (tag == "test").then_some(Layer::Test));
    let dependencies = package["dependencies"].as_array().into_iter().flatten();
    let dependencies = dependencies
        .filter(|d| d["kind"].is_null())
        .map(|d| text(&d["name"]))
        .collect();
    Crate {
        name: text(&package["name"]),
        folder,
        layer,
        dependencies,
    }
}

/// Every Rust source file of the workspace.
pub fn sources() -> Result<Vec<Source>> {
    let mut found = Vec::new();
    for folder in ["crates", "xtask"] {
        collect(&root().join(folder), &mut found)?;
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(found)
}

fn collect(folder: &Path, found: &mut Vec<Source>) -> Result<()> {
    for entry in std::fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))? {
        let path = entry?.path();
        if path.is_dir() && path.file_name().is_some_and(|name| name != "target") {
            collect(&path, found)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text =
                std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
            found.push(Source {
                path: path.strip_prefix(root())?.to_owned(),
                text,
            });
        }
    }
    Ok(())
}
