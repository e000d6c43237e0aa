//! `unionmap:{a,b}`: all answers joined; `pipemap:{a,b}`: each answer is the next table's key.

use settings::TableRef;

use super::{Standing, open_at, raw_items};
use crate::{Error, Table};

/// Tables within a table.
#[derive(Debug)]
pub struct Chained {
    whole: String,
    tables: Vec<Box<dyn Table>>,
    is_pipe: bool,
}

pub(crate) fn open(table: &TableRef, standing: Standing) -> Result<(Box<dyn Table>, Option<Error>), Error> {
    let wrong = |cause: String| Error::Syntax {
        place: table.to_string(),
        cause,
    };
    let (mut tables, mut problem) = (Vec::new(), None);
    let items = raw_items(&table.name).ok().filter(|items| !items.is_empty());
    let items = items.ok_or_else(|| Error::BadName {
        table: table.to_string(),
        wanted: format!("{}:{{type:name...}}", table.kind),
    })?;
    for item in items {
        let inner: TableRef = item
            .parse()
            .map_err(|error: settings::Error| wrong(error.to_string()))?;
        let (opened, inner_problem) = open_at(&inner, standing.below())?;
        tables.push(opened);
        problem = problem.or(inner_problem);
    }
    Ok((
        Box::new(Chained {
            whole: table.to_string(),
            tables,
            is_pipe: table.kind == "pipemap",
        }),
        problem,
    ))
}

impl Chained {
    /// Postfix names the whole table, not the one within it that cannot be asked.
    fn ask(&self, table: &dyn Table, key: &str) -> Result<Option<String>, Error> {
        table.lookup(key).map_err(|error| match error {
            Error::Lookup { cause, .. } => Error::Lookup {
                table: self.whole.clone(),
                cause,
            },
            other => other,
        })
    }
}

impl Table for Chained {
    fn lookup(&self, key: &str) -> Result<Option<String>, Error> {
        if self.is_pipe {
            let mut key = key.to_owned();
            for table in &self.tables {
                match self.ask(&**table, &key)? {
                    Some(value) => key = value,
                    None => return Ok(None),
                }
            }
            return Ok(Some(key));
        }
        let mut answers = Vec::new();
        for table in &self.tables {
            answers.extend(self.ask(&**table, key)?);
        }
        Ok((!answers.is_empty()).then(|| answers.join(",")))
    }

    fn take_warning(&self) -> Option<String> {
        self.tables.iter().find_map(|table| table.take_warning())
    }
}
