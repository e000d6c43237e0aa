//! Walls for files, functions and parameters. What was over a wall when it was recorded in
//! `xtask/oversize.tsv` may stay, but not grow; the record only shrinks.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use syn::spanned::Spanned;
use syn::visit::Visit;

use super::Ratchet;
use super::workspace::Source;
use crate::root;

const FILE_LINES_MAX: usize = 900;
const FUNCTION_LINES_MAX: usize = 100;
const PARAMETERS_MAX: usize = 5;
const RECORD: &str = "xtask/oversize.tsv";

/// What is over a wall: where and what, and its size.
type Oversize = BTreeMap<String, usize>;

/// Compares today's sizes with the walls and the record.
pub fn check(sources: &[Source], ratchet: Ratchet) -> Result<Vec<String>> {
    let mut complaints = Vec::new();
    let mut found = Oversize::new();
    for source in sources.iter().filter(|source| !source.is_test()) {
        match measure(source) {
            Ok(sizes) => found.extend(sizes),
            Err(error) => complaints.push(format!(
                "{}: cannot be read as Rust: {error}",
                source.path.display()
            )),
        }
    }
    let recorded = read_record()?;
    if ratchet == Ratchet::Shrink {
        write_record(&shrunk(&recorded, &found))?;
    }
    complaints.extend(compare(&recorded, &found, ratchet));
    Ok(complaints)
}

fn compare(recorded: &Oversize, found: &Oversize, ratchet: Ratchet) -> Vec<String> {
    let mut complaints = Vec::new();
    for (place, size) in found {
        match recorded.get(place) {
            None => complaints.push(format!("{place}: {size}, over the wall ({FILE_LINES_MAX} lines a file, {FUNCTION_LINES_MAX} a function, {PARAMETERS_MAX} parameters)")),
            Some(old) if size > old => complaints.push(format!("{place}: {size}, was {old}: what is over a wall must not grow")),
            Some(old) if size < old && ratchet == Ratchet::Hold => {
                complaints.push(format!("{place}: {size}, recorded as {old}: run `cargo xtask tidy --shrink`"));
            }
            Some(_) => {}
        }
    }
    if ratchet == Ratchet::Hold {
        for place in recorded.keys().filter(|place| !found.contains_key(*place)) {
            complaints.push(format!(
                "{place}: no longer over a wall: run `cargo xtask tidy --shrink`"
            ));
        }
    }
    complaints
}

fn shrunk(recorded: &Oversize, found: &Oversize) -> Oversize {
    let kept = recorded
        .iter()
        .filter_map(|(place, old)| found.get(place).map(|now| (place.clone(), *old.min(now))));
    kept.collect()
}

fn read_record() -> Result<Oversize> {
    let text =
        std::fs::read_to_string(root().join(RECORD)).with_context(|| format!("cannot read {RECORD}"))?;
    let rows = text.lines().filter(|line| !line.starts_with('#'));
    rows.map(|line| {
        let (place, size) = line
            .split_once('\t')
            .with_context(|| format!("{RECORD}: not two columns: {line}"))?;
        Ok((place.to_owned(), size.parse()?))
    })
    .collect()
}

fn write_record(record: &Oversize) -> Result<()> {
    let mut text = "# What is over a wall of size, and by how much. This list only shrinks.\n".to_owned();
    record
        .iter()
        .for_each(|(place, size)| text.push_str(&format!("{place}\t{size}\n")));
    std::fs::write(root().join(RECORD), text).with_context(|| format!("cannot write {RECORD}"))
}

fn measure(source: &Source) -> syn::Result<Oversize> {
    let file = syn::parse_file(&source.text)?;
    let mut visit = Measure {
        path: source.path.display().to_string(),
        found: Oversize::new(),
        test_lines: 0,
    };
    visit.visit_file(&file);
    let lines = source.text.lines().count().saturating_sub(visit.test_lines);
    if lines > FILE_LINES_MAX {
        visit.found.insert(format!("{} lines", visit.path), lines);
    }
    Ok(visit.found)
}

struct Measure {
    path: String,
    found: Oversize,
    test_lines: usize,
}

impl Measure {
    fn function(&mut self, signature: &syn::Signature, body: &syn::Block) {
        let lines = height(body.span());
        if lines > FUNCTION_LINES_MAX {
            self.found
                .insert(format!("{} {} lines", self.path, signature.ident), lines);
        }
        let receiver = usize::from(signature.receiver().is_some());
        let parameters = signature.inputs.len() - receiver;
        if parameters > PARAMETERS_MAX {
            self.found.insert(
                format!("{} {} parameters", self.path, signature.ident),
                parameters,
            );
        }
    }
}

fn height(span: proc_macro2::Span) -> usize {
    span.end().line - span.start().line + 1
}

fn is_test(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("cfg")
            && attribute
                .parse_args::<syn::Ident>()
                .is_ok_and(|word| word == "test")
    })
}

impl<'ast> Visit<'ast> for Measure {
    fn visit_item_mod(&mut self, module: &'ast syn::ItemMod) {
        if is_test(&module.attrs) {
            self.test_lines += height(module.span());
        } else {
            syn::visit::visit_item_mod(self, module);
        }
    }

    fn visit_item_fn(&mut self, function: &'ast syn::ItemFn) {
        self.function(&function.sig, &function.block);
        syn::visit::visit_item_fn(self, function);
    }

    fn visit_impl_item_fn(&mut self, function: &'ast syn::ImplItemFn) {
        self.function(&function.sig, &function.block);
        syn::visit::visit_impl_item_fn(self, function);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(text: String) -> Source {
        Source {
            path: "a.rs".into(),
            text,
        }
    }

    #[test]
    fn walls_are_seen() {
        let long = source(format!("fn long() {{\n{}}}\n", "let _ = 1;\n".repeat(100)));
        assert_eq!(measure(&long).expect("parses").get("a.rs long lines"), Some(&102));
        let wide = source("fn wide(a: u8, b: u8, c: u8, d: u8, e: u8, f: u8) {}".to_owned());
        assert_eq!(
            measure(&wide).expect("parses").get("a.rs wide parameters"),
            Some(&6)
        );
        let tested = source(format!(
            "#[cfg(test)]\nmod tests {{\n{}}}\n",
            "fn f() {}\n".repeat(950)
        ));
        assert!(measure(&tested).expect("parses").is_empty());
    }

    #[test]
    fn the_record_only_shrinks() {
        let record: Oversize = [("a".to_owned(), 120), ("b".to_owned(), 110)].into();
        let grown: Oversize = [("a".to_owned(), 121), ("c".to_owned(), 101)].into();
        assert_eq!(compare(&record, &grown, Ratchet::Hold).len(), 3);
        assert_eq!(shrunk(&record, &grown), [("a".to_owned(), 120)].into());
    }
}
