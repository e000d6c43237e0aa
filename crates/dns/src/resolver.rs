//! The real resolver: asks servers in turn, follows aliases, remembers.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolverOpts};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::xfer::{DnsHandle, FirstAnswer};
use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::op::{DnsRequest, DnsRequestOptions, Message, Query, ResponseCode};
use hickory_resolver::proto::rr::{Name, RData, Record as WireRecord, RecordType};
use hickory_resolver::{NameServerPool, PoolContext, TlsConfig};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use crate::cache::Cache;
use crate::{Answer, Configuration, Dns, Failure, Kind, Looking, Question, Record, Search};

/// The most aliases that are followed, one after the other.
pub const CNAMES_MAX: usize = 10;
/// The most records of an answer that are used; of mail exchangers the best ones.
pub const RECORDS_MAX: usize = 256;
/// The most questions that are on their way at once; others wait.
pub const QUESTIONS_MAX: usize = 256;

type Pool = NameServerPool<TokioRuntimeProvider>;

/// Asks the servers of a [`Configuration`].
pub struct Resolver {
    configuration: Configuration,
    /// One for each server.
    servers: Vec<Pool>,
    /// The server that answered last is asked first.
    first: AtomicUsize,
    cache: Mutex<Cache>,
    permits: Semaphore,
}

/// What servers say about a name, before aliases are followed.
enum Said {
    Records(Answer),
    Alias {
        name: String,
        ttl: Duration,
        authenticated: bool,
    },
    Nothing {
        failure: Failure,
        ttl: Duration,
    },
}

impl Resolver {
    /// A resolver that remembers nothing yet.
    pub fn new(configuration: Configuration) -> Resolver {
        let servers = configuration.servers.iter();
        let servers = servers.map(|server| pool(*server, configuration.timeout));
        Resolver {
            servers: servers.collect(),
            first: AtomicUsize::new(0),
            cache: Mutex::new(Cache::default()),
            permits: Semaphore::new(QUESTIONS_MAX),
            configuration,
        }
    }

    /// The names to ask for, in order.
    fn names(&self, name: &str, search: Search) -> Vec<String> {
        let as_it_is = name.trim_end_matches('.').to_ascii_lowercase();
        let dots = as_it_is.matches('.').count();
        let searched = match search {
            Search::Never => false,
            Search::OwnDomain => dots == 0,
            Search::List => dots > 0,
            Search::Both => true,
        };
        if name.ends_with('.') || !searched {
            return vec![as_it_is];
        }
        let domains = match search {
            Search::OwnDomain => self.configuration.search.get(..1).unwrap_or_default(),
            _ => &self.configuration.search,
        };
        let mut names: Vec<String> = domains
            .iter()
            .map(|domain| format!("{as_it_is}.{domain}"))
            .collect();
        let at = if dots >= self.configuration.ndots {
            0
        } else {
            names.len()
        };
        names.insert(at, as_it_is);
        names
    }

    async fn resolve(&self, question: &Question) -> Result<Answer, Failure> {
        let mut worst = Failure::NotFound;
        for name in self.names(&question.name, question.search) {
            match self.follow(name, question.kind).await {
                Err(Failure::NotFound) => {}
                Err(failure @ Failure::NoData) => worst = failure,
                other => return other,
            }
        }
        Err(worst)
    }

    /// Follows aliases from `name` to the records.
    async fn follow(&self, name: String, kind: Kind) -> Result<Answer, Failure> {
        if let Some(known) = self.cache().find(&name, kind, Instant::now()) {
            return known;
        }
        let (mut at, mut ttl, mut authenticated) = (name.clone(), Duration::MAX, true);
        for _ in 0..=CNAMES_MAX {
            let found = match self.ask(&at, kind).await? {
                Said::Alias {
                    name: target,
                    ttl: holds,
                    authenticated: verified,
                } => {
                    ttl = ttl.min(holds);
                    authenticated &= verified;
                    at = target;
                    continue;
                }
                Said::Records(answer) => {
                    ttl = ttl.min(answer.ttl);
                    let authenticated = authenticated && answer.authenticated;
                    Ok(Answer {
                        ttl,
                        authenticated,
                        ..answer
                    })
                }
                Said::Nothing { failure, ttl: holds } => {
                    ttl = ttl.min(holds);
                    Err(failure)
                }
            };
            self.cache().keep((&name, kind), &found, ttl, Instant::now());
            return found;
        }
        Err(Failure::Loop)
    }

    /// Asks the servers, one after the other, until one has an answer.
    async fn ask(&self, name: &str, kind: Kind) -> Result<Said, Failure> {
        let mut wire = Name::from_ascii(name).map_err(|_| Failure::BadName)?;
        wire.set_fqdn(true);
        if wire.is_root() {
            return Err(Failure::BadName);
        }
        let _permit = self.permits.acquire().await;
        let query = Query::query(wire, record_type(kind));
        let (count, begin) = (self.servers.len(), self.first.load(Ordering::Relaxed));
        let mut failure = Failure::TryAgain;
        for _ in 0..self.configuration.attempts {
            for number in (0..count).map(|step| (begin + step) % count.max(1)) {
                match self.ask_server(number, &query).await {
                    Ok(said) => {
                        self.first.store(number, Ordering::Relaxed);
                        return Ok(said);
                    }
                    Err(why) => failure = why,
                }
            }
            if !failure.is_temporary() {
                break;
            }
        }
        Err(failure)
    }

    /// One server; asked again without EDNS when it does not know that.
    async fn ask_server(&self, number: usize, query: &Query) -> Result<Said, Failure> {
        let Some(server) = self.servers.get(number) else {
            return Err(Failure::TryAgain);
        };
        // UDP, and then TCP when the answer was cut.
        let patience = self.configuration.timeout * 2;
        let mut use_edns = true;
        loop {
            let answer = timeout(patience, server.send(request(query, use_edns)).first_answer()).await;
            match answer.unwrap_or(Err(NetError::Timeout)) {
                Ok(response) => return said(response.into_message(), query),
                Err(NetError::Dns(DnsError::ResponseCode(ResponseCode::FormErr | ResponseCode::NotImp)))
                    if use_edns =>
                {
                    use_edns = false;
                }
                Err(error) => return nothing(&error),
            }
        }
    }

    fn cache(&self) -> std::sync::MutexGuard<'_, Cache> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Dns for Resolver {
    fn look_up<'a>(&'a self, question: &'a Question) -> Looking<'a> {
        Box::pin(self.resolve(question))
    }
}

/// The connections to one server: UDP, and TCP for what does not fit.
fn pool(server: SocketAddr, patience: Duration) -> Pool {
    let (mut udp, mut tcp) = (ConnectionConfig::udp(), ConnectionConfig::tcp());
    udp.port = server.port();
    tcp.port = server.port();
    let config = NameServerConfig::new(server.ip(), true, vec![udp, tcp]);
    let mut options = ResolverOpts::default();
    options.timeout = patience;
    options.attempts = 1;
    options.num_concurrent_reqs = 1;
    // Without a TLS feature there is nothing in it, and nothing that can fail.
    let tls = TlsConfig::new().unwrap_or(TlsConfig {});
    let context = Arc::new(PoolContext::new(options, tls));
    NameServerPool::from_config([config], context, TokioRuntimeProvider::default())
}

fn request(query: &Query, use_edns: bool) -> DnsRequest {
    let mut options = DnsRequestOptions::default();
    options.use_edns = use_edns;
    let (mut message, options) = DnsRequest::from_query(query.clone(), options).into_parts();
    // RFC 6840 §5.7: tell us whether you have verified it.
    message.metadata.authentic_data = true;
    DnsRequest::new(message, options)
}

fn record_type(kind: Kind) -> RecordType {
    match kind {
        Kind::A => RecordType::A,
        Kind::Aaaa => RecordType::AAAA,
        Kind::Mx => RecordType::MX,
        Kind::Ptr => RecordType::PTR,
        Kind::Ns => RecordType::NS,
        Kind::Txt => RecordType::TXT,
        Kind::Tlsa => RecordType::TLSA,
    }
}

/// What a response comes to: its records, the end of its chain of aliases, or nothing.
fn said(response: Message, query: &Query) -> Result<Said, Failure> {
    let code = response.metadata.response_code;
    if !matches!(code, ResponseCode::NoError | ResponseCode::NXDomain) || response.metadata.truncation {
        return Err(Failure::TryAgain);
    }
    let authenticated = response.metadata.authentic_data;
    let (mut name, mut ttl) = (query.name().clone(), u32::MAX);
    for step in 0.. {
        let alias = response.answers.iter().find_map(|record| match &record.data {
            RData::CNAME(target) if record.name == name => Some((target.0.clone(), record.ttl)),
            _ => None,
        });
        let Some((target, holds)) = alias else { break };
        if step >= CNAMES_MAX {
            return Err(Failure::Loop);
        }
        (name, ttl) = (target, ttl.min(holds));
    }
    let own = |record: &&WireRecord| record.name == name && record.record_type() == query.query_type();
    let wanted: Vec<&WireRecord> = response.answers.iter().filter(own).collect();
    let mut records: Vec<Record> = wanted.iter().filter_map(|record| read(&record.data)).collect();
    let is_alias = name != *query.name();
    let plain = plain(&name);
    if records.is_empty() {
        let holds = seconds(ttl);
        return Ok(match code {
            ResponseCode::NXDomain => Said::Nothing {
                failure: Failure::NotFound,
                ttl: holds.min(negative_ttl(&response)),
            },
            _ if is_alias => Said::Alias {
                name: plain,
                ttl: holds,
                authenticated,
            },
            _ => Said::Nothing {
                failure: Failure::NoData,
                ttl: holds.min(negative_ttl(&response)),
            },
        });
    }
    let ttl = wanted.iter().map(|record| record.ttl).fold(ttl, u32::min);
    // A stable sort: only exchangers are out of order, and the best are kept.
    records.sort_by_key(|record| match record {
        Record::Exchanger { preference, .. } => *preference,
        _ => 0,
    });
    records.truncate(RECORDS_MAX);
    Ok(Said::Records(Answer {
        records,
        name: plain,
        authenticated,
        ttl: seconds(ttl),
    }))
}

/// What an error says about a name, or about the server.
fn nothing(error: &NetError) -> Result<Said, Failure> {
    match error {
        NetError::Dns(DnsError::NoRecordsFound(found)) => {
            let failure = match found.response_code {
                ResponseCode::NXDomain => Failure::NotFound,
                _ => Failure::NoData,
            };
            let ttl = found.negative_ttl.map_or(Duration::ZERO, seconds);
            Ok(Said::Nothing { failure, ttl })
        }
        // Any other code is the server's trouble, not the name's: mail waits.
        _ => Err(Failure::TryAgain),
    }
}

/// RFC 2308 §5: as long as the SOA record says; without one for no time.
fn negative_ttl(response: &Message) -> Duration {
    let of = |record: &WireRecord| match &record.data {
        RData::SOA(soa) => Some(seconds(record.ttl.min(soa.minimum))),
        _ => None,
    };
    response.authorities.iter().find_map(of).unwrap_or_default()
}

/// RFC 2181 §8: a TTL with its highest bit set is none.
fn seconds(ttl: u32) -> Duration {
    let ttl = if ttl > i32::MAX as u32 && ttl != u32::MAX {
        0
    } else {
        ttl
    };
    Duration::from_secs(ttl.into())
}

fn read(data: &RData) -> Option<Record> {
    Some(match data {
        RData::A(address) => Record::Address(address.0.into()),
        RData::AAAA(address) => Record::Address(address.0.into()),
        RData::MX(exchanger) => Record::Exchanger {
            preference: exchanger.preference,
            host: plain(&exchanger.exchange),
        },
        RData::NS(server) => Record::Server(plain(&server.0)),
        RData::PTR(name) => Record::Name(plain(&name.0)),
        RData::TXT(text) => Record::Text(text.txt_data.concat()),
        RData::TLSA(tlsa) => Record::Certificate {
            usage: tlsa.cert_usage.into(),
            selector: tlsa.selector.into(),
            matching: tlsa.matching.into(),
            data: tlsa.cert_data.clone(),
        },
        _ => return None,
    })
}

/// A name in lower case, without a dot at its end.
fn plain(name: &Name) -> String {
    name.to_ascii().trim_end_matches('.').to_ascii_lowercase()
}

#[cfg(test)]
mod tests;
