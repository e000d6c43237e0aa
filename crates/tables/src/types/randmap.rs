//! `randmap:{a, b}`: one of the values by chance; `environ:`: the variables of the environment (DATABASE_README).

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;

use super::raw_items;
use crate::{Error, Table};

/// A table that answers every key by chance.
#[derive(Debug)]
pub struct Random {
    values: Vec<String>,
}

impl Random {
    pub(crate) fn new(name: &str) -> Result<Random, Error> {
        match raw_items(name) {
            Ok(values) if !values.is_empty() => Ok(Random { values }),
            _ => Err(Error::BadName {
                table: format!("randmap:{name}"),
                wanted: "randmap:{value...}".to_owned(),
            }),
        }
    }
}

impl Table for Random {
    fn lookup(&self, _key: &str) -> Result<Option<String>, Error> {
        // The keys of a new map are random; chance for load balancing needs no more.
        let chance = RandomState::new().hash_one(0u8);
        let at = chance % self.values.len() as u64;
        Ok(self.values.get(at as usize).cloned())
    }
}

/// The environment of the process.
#[derive(Debug)]
pub struct Environment;

impl Table for Environment {
    fn lookup(&self, key: &str) -> Result<Option<String>, Error> {
        if key.is_empty() || key.contains(['=', '\0']) {
            return Ok(None);
        }
        Ok(std::env::var_os(key).map(|value| value.to_string_lossy().into_owned()))
    }
}
