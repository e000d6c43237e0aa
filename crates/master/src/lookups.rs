//! Questions that commands ask DNS while the system may be down.

use anyhow::{Context, Result};
use dns::{Kind, Question, Record};
use settings::Postfix;

use crate::generation::resolver;

/// Which hosts take a host's mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Exchangers {
    /// These, the best ones first; the host itself where it has no such records. None: there is no such host.
    Hosts(Vec<String>),
    /// It takes no mail (RFC 7505).
    NoMail,
}

/// The mail exchangers of a host.
///
/// # Errors
/// Why DNS cannot be asked, or does not answer.
pub fn exchangers(settings: &Postfix, host: &str) -> Result<Exchangers> {
    let executor = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let executor = executor.context("cannot ask DNS")?;
    executor.block_on(async {
        let resolver = resolver(settings)?;
        let records = async |kind| match resolver.look_up(&Question::new(host, kind)).await {
            Ok(answer) => Ok(answer.records.clone()),
            Err(failure) if !failure.is_temporary() => Ok(Vec::new()),
            Err(failure) => Err(anyhow::anyhow!("cannot look up {host}: {failure}")),
        };
        let mut found: Vec<_> = records(Kind::Mx).await?.iter().filter_map(exchanger).collect();
        if let [(_, only)] = found.as_slice()
            && only.trim_end_matches('.').is_empty()
        {
            return Ok(Exchangers::NoMail);
        }
        if found.is_empty() && !(records(Kind::A).await?.is_empty() && records(Kind::Aaaa).await?.is_empty())
        {
            found.push((0, host.to_owned()));
        }
        found.sort();
        Ok(Exchangers::Hosts(
            found.into_iter().map(|(_, host)| host).collect(),
        ))
    })
}

fn exchanger(record: &Record) -> Option<(u16, String)> {
    match record {
        Record::Exchanger { preference, host } => Some((*preference, host.clone())),
        _ => None,
    }
}
