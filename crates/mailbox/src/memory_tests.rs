//! Tests of the in-memory store: the conformance suite, and what only it promises.

use super::*;
use crate::conformance::{self, Subject};

#[derive(Default)]
struct Memory(MemoryStore);

impl Subject for Memory {
    fn fresh(&mut self) -> Box<dyn Store> {
        self.0 = MemoryStore::new();
        self.reopen()
    }

    fn reopen(&mut self) -> Box<dyn Store> {
        Box::new(self.0.clone())
    }
}

#[test]
fn it_conforms() {
    conformance::suite(&mut Memory::default());
}

#[test]
fn it_is_its_own_model() {
    for seed in 0..20 {
        conformance::model(&mut Memory::default(), seed, 200);
    }
}
