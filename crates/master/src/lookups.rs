//! Questions that commands ask DNS while the system may be down.

use anyhow::{Context, Result};
use dns::{Kind, Question, Record};
use settings::Postfix;

use crate::generation::resolver;

/// The mail exchangers of a host, the best ones first; none where it has no such records.
///
/// # Errors
/// Why DNS cannot be asked.
pub fn exchangers(settings: &Postfix, host: &str) -> Result<Vec<String>> {
    let executor = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let executor = executor.context("cannot ask DNS")?;
    executor.block_on(async {
        let resolver = resolver(settings)?;
        let question = Question::new(host, Kind::Mx);
        match resolver.look_up(&question).await {
            Ok(answer) => {
                let mut found: Vec<(u16, String)> = answer.records.iter().filter_map(exchanger).collect();
                found.sort();
                Ok(found.into_iter().map(|(_, host)| host).collect())
            }
            Err(failure) if !failure.is_temporary() => Ok(Vec::new()),
            Err(failure) => Err(anyhow::anyhow!("cannot look up {host}: {failure}")),
        }
    })
}

fn exchanger(record: &Record) -> Option<(u16, String)> {
    match record {
        Record::Exchanger { preference, host } => Some((*preference, host.clone())),
        _ => None,
    }
}
