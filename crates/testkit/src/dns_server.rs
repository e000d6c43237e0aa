//! A DNS server for tests, on loopback, by UDP and TCP: zones as text, and the ways in which servers go wrong.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

use hickory_proto::op::{Message, MessageType, Query, ResponseCode};
use hickory_proto::rr::rdata::{A, AAAA, CNAME, MX, NS, PTR, SOA, TLSA, TXT};
use hickory_proto::rr::{Name, RData, Record, RecordType};

/// The longest answer by UDP to a question without EDNS, in octets.
const UDP_OCTETS: usize = 512;
/// The TTL of records that name none, and of negative answers, in seconds: nobody remembers anything.
const TTL_SECS: u32 = 0;
/// The most ports tried until one is free for both UDP and TCP.
const PORTS_TRIED: usize = 100;

/// What happens to questions about a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trouble {
    /// No answer.
    Silent,
    /// SERVFAIL
    ServerFailure,
    /// REFUSED
    Refused,
    /// FORMERR for questions with EDNS.
    NoEdns,
    /// Octets that are no answer.
    Rubbish,
    /// Cut by UDP, however short it is.
    Truncated,
    /// Cut by UDP, and no answer by TCP.
    NoTcp,
    /// Says that it was verified (AD).
    Secure,
}

/// What is known about one name.
#[derive(Debug, Clone)]
struct Row {
    name: Name,
    /// `None`: all types.
    kind: Option<RecordType>,
    what: What,
}

#[derive(Debug, Clone)]
enum What {
    Record(u32, RData),
    Trouble(Trouble),
}

#[derive(Debug, Default)]
struct Shared {
    rows: Mutex<Vec<Row>>,
    questions: Mutex<Vec<String>>,
    is_over: AtomicBool,
}

/// A server that runs until it is dropped.
///
/// A zone is a row a line: `name [ttl] TYPE data` with the types A, AAAA, MX, NS, CNAME, PTR, TXT, TLSA; or
/// `name TROUBLE [TYPE]` with the troubles SILENT, SERVFAIL, REFUSED, NOEDNS, RUBBISH, TRUNCATED, NOTCP, SECURE. Names that no row
/// is about do not exist. `#` begins a comment.
#[derive(Debug)]
pub struct DnsServer {
    shared: Arc<Shared>,
    address: SocketAddr,
    threads: Vec<JoinHandle<()>>,
}

impl DnsServer {
    /// Starts a server on a free port of 127.0.0.1.
    ///
    /// # Panics
    /// When there is no port, or the zone cannot be read.
    #[track_caller]
    pub fn start(zone: &str) -> DnsServer {
        for _ in 0..PORTS_TRIED {
            let tcp = TcpListener::bind("127.0.0.1:0").expect("a port is free");
            let address = tcp.local_addr().expect("it is bound");
            if let Ok(udp) = UdpSocket::bind(address) {
                return DnsServer::serve(tcp, udp, zone);
            }
        }
        panic!("no port is free for both UDP and TCP");
    }

    /// Starts a server on this address and port.
    ///
    /// # Panics
    /// When it cannot be had, or the zone cannot be read.
    #[track_caller]
    pub fn start_on(address: SocketAddr, zone: &str) -> DnsServer {
        let tcp = TcpListener::bind(address).expect("the TCP port is free");
        let udp = UdpSocket::bind(address).expect("the UDP port is free");
        DnsServer::serve(tcp, udp, zone)
    }

    #[track_caller]
    fn serve(tcp: TcpListener, udp: UdpSocket, zone: &str) -> DnsServer {
        let shared = Arc::new(Shared::default());
        let address = udp.local_addr().expect("it is bound");
        let (by_udp, by_tcp) = (Arc::clone(&shared), Arc::clone(&shared));
        let server = DnsServer {
            shared,
            address,
            threads: vec![
                thread::spawn(move || datagrams(&by_udp, &udp)),
                thread::spawn(move || connections(&by_tcp, &tcp)),
            ],
        };
        server.set(zone);
        server
    }

    /// Where it answers.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Says something else from now on.
    ///
    /// # Panics
    /// When the zone cannot be read.
    #[track_caller]
    pub fn set(&self, zone: &str) {
        let lines = zone.lines().map(|line| line.split('#').next().unwrap_or(line));
        let rows = lines
            .filter(|line| !line.trim().is_empty())
            .map(|line| row(line).unwrap_or_else(|| panic!("this is no row of a zone: {line}")));
        *locked(&self.shared.rows) = rows.collect();
    }

    /// What was asked so far, in order: `MX example.test`.
    pub fn questions(&self) -> Vec<String> {
        locked(&self.shared.questions).clone()
    }
}

impl Drop for DnsServer {
    fn drop(&mut self) {
        self.shared.is_over.store(true, Ordering::SeqCst);
        // Both threads wait for somebody.
        let woken = UdpSocket::bind((self.address.ip(), 0)).and_then(|own| own.send_to(b"", self.address));
        let _ = (woken, TcpStream::connect(self.address));
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn row(line: &str) -> Option<Row> {
    let mut words: Vec<&str> = line.split_whitespace().collect();
    let mut name = Name::from_ascii(words.first()?).ok()?;
    name.set_fqdn(true);
    words.remove(0);
    let trouble = match *words.first()? {
        "SILENT" => Some(Trouble::Silent),
        "SERVFAIL" => Some(Trouble::ServerFailure),
        "REFUSED" => Some(Trouble::Refused),
        "NOEDNS" => Some(Trouble::NoEdns),
        "RUBBISH" => Some(Trouble::Rubbish),
        "TRUNCATED" => Some(Trouble::Truncated),
        "NOTCP" => Some(Trouble::NoTcp),
        "SECURE" => Some(Trouble::Secure),
        _ => None,
    };
    if let Some(trouble) = trouble {
        let kind = words.get(1).map(|kind| kind.parse());
        return Some(Row {
            name,
            kind: kind.transpose().ok()?,
            what: What::Trouble(trouble),
        });
    }
    let ttl = match words.first()?.parse() {
        Ok(ttl) => {
            words.remove(0);
            ttl
        }
        Err(_) => TTL_SECS,
    };
    let target = |word: &str| {
        let mut target = Name::from_ascii(word).ok()?;
        target.set_fqdn(true);
        Some(target)
    };
    let data = match (*words.first()?, &words[1..]) {
        ("A", [address]) => RData::A(A(address.parse().ok()?)),
        ("AAAA", [address]) => RData::AAAA(AAAA(address.parse().ok()?)),
        ("MX", [preference, host]) => RData::MX(MX::new(preference.parse().ok()?, target(host)?)),
        ("CNAME", [host]) => RData::CNAME(CNAME(target(host)?)),
        ("NS", [host]) => RData::NS(NS(target(host)?)),
        ("PTR", [host]) => RData::PTR(PTR(target(host)?)),
        ("TXT", texts) => RData::TXT(TXT::new(texts.iter().map(|text| (*text).to_owned()).collect())),
        ("TLSA", [usage, selector, matching, digits]) => {
            let octet = |text: &str| text.parse::<u8>().ok();
            RData::TLSA(TLSA::new(
                octet(usage)?.into(),
                octet(selector)?.into(),
                octet(matching)?.into(),
                octets(digits)?,
            ))
        }
        _ => return None,
    };
    Some(Row {
        name,
        kind: Some(data.record_type()),
        what: What::Record(ttl, data),
    })
}

impl Shared {
    fn troubles(&self, query: &Query) -> Vec<Trouble> {
        let about = |row: &Row| match row.what {
            What::Trouble(trouble)
                if row.name == *query.name() && row.kind.is_none_or(|kind| kind == query.query_type()) =>
            {
                Some(trouble)
            }
            _ => None,
        };
        locked(&self.rows).iter().filter_map(about).collect()
    }

    /// The records for a question, aliases in front of them, and whether the name exists.
    fn records(&self, query: &Query) -> (Vec<Record>, bool) {
        let rows = locked(&self.rows);
        let (mut at, mut found, mut is_known) = (query.name().clone(), Vec::new(), false);
        // A zone may have aliases in a circle: the server goes round once.
        for _ in 0..=rows.len() {
            is_known = rows.iter().any(|row| at.zone_of(&row.name));
            let mut alias = None;
            for row in rows.iter().filter(|row| row.name == at) {
                let What::Record(ttl, data) = &row.what else {
                    continue;
                };
                let wanted = row.kind == Some(query.query_type());
                if let (RData::CNAME(target), false) = (data, wanted) {
                    alias = Some(target.0.clone());
                } else if !wanted {
                    continue;
                }
                found.push(Record::from_rdata(at.clone(), *ttl, data.clone()));
            }
            let Some(target) = alias else { break };
            at = target;
        }
        (found, is_known)
    }

    /// The octets of an answer, if there is one. `room` is what a datagram may hold; `None` by TCP.
    fn answer(&self, octets: &[u8], room: Option<usize>) -> Option<Vec<u8>> {
        let question = Message::from_vec(octets).ok()?;
        let query = question.queries.first()?.clone();
        let name = query.name().to_ascii();
        let asked = format!("{} {}", query.query_type(), name.trim_end_matches('.'));
        locked(&self.questions).push(asked);
        let troubles = self.troubles(&query);
        let has = |trouble| troubles.contains(&trouble);
        if has(Trouble::Silent) || (has(Trouble::NoTcp) && room.is_none()) {
            return None;
        }
        let mut message = question.clone();
        message.metadata.message_type = MessageType::Response;
        message.metadata.recursion_available = true;
        message.metadata.authentic_data = has(Trouble::Secure);
        if has(Trouble::Rubbish) {
            let mut rubbish = question.to_vec().ok()?;
            rubbish[2] |= 0x80;
            rubbish[7] = 9;
            rubbish.extend_from_slice(&[0xc0, 0xff, 0xee, 0xc0, 0x0c]);
            return Some(rubbish);
        }
        let code = match () {
            () if has(Trouble::ServerFailure) => ResponseCode::ServFail,
            () if has(Trouble::Refused) => ResponseCode::Refused,
            () if has(Trouble::NoEdns) && question.edns.is_some() => ResponseCode::FormErr,
            () => ResponseCode::NoError,
        };
        message.metadata.response_code = code;
        if code == ResponseCode::NoError {
            self.fill(&mut message, &query);
        }
        let cut = room.is_some() && (has(Trouble::Truncated) || has(Trouble::NoTcp));
        let whole = message.to_vec().ok()?;
        let room = room.map(|room| room.max(question.max_payload().into()));
        if cut || room.is_some_and(|room| whole.len() > room) {
            return message.truncate().to_vec().ok();
        }
        Some(whole)
    }

    fn fill(&self, message: &mut Message, query: &Query) {
        let (records, is_known) = self.records(query);
        let has_answer = records
            .iter()
            .any(|record| record.record_type() == query.query_type());
        message.add_answers(records);
        if !is_known {
            message.metadata.response_code = ResponseCode::NXDomain;
        }
        if !has_answer {
            let soa = SOA::new(Name::root(), Name::root(), 1, 1, 1, 1, TTL_SECS);
            message.add_authority(Record::from_rdata(Name::root(), TTL_SECS, RData::SOA(soa)));
        }
    }
}

fn datagrams(shared: &Shared, socket: &UdpSocket) {
    let mut octets = [0; 4096];
    while let Ok((count, peer)) = socket.recv_from(&mut octets) {
        if shared.is_over.load(Ordering::SeqCst) {
            return;
        }
        if let Some(answer) = shared.answer(&octets[..count], Some(UDP_OCTETS)) {
            let _ = socket.send_to(&answer, peer);
        }
    }
}

/// One connection after the other: resolvers of tests are patient.
fn connections(shared: &Arc<Shared>, listener: &TcpListener) {
    while let Ok((stream, _)) = listener.accept() {
        if shared.is_over.load(Ordering::SeqCst) {
            return;
        }
        let shared = Arc::clone(shared);
        // Ends with its connection.
        thread::spawn(move || connection(&shared, stream));
    }
}

fn connection(shared: &Shared, mut stream: TcpStream) {
    loop {
        let mut length = [0; 2];
        if stream.read_exact(&mut length).is_err() {
            return;
        }
        let mut octets = vec![0; u16::from_be_bytes(length).into()];
        if stream.read_exact(&mut octets).is_err() {
            return;
        }
        let Some(answer) = shared.answer(&octets, None) else {
            continue;
        };
        let Ok(length) = u16::try_from(answer.len()) else {
            return;
        };
        let framed = [&length.to_be_bytes()[..], &answer].concat();
        if stream.write_all(&framed).is_err() {
            return;
        }
    }
}
/// Octets from hexadecimal digits.
fn octets(digits: &str) -> Option<Vec<u8>> {
    let pairs = (0..digits.len()).step_by(2);
    pairs
        .map(|at| u8::from_str_radix(digits.get(at..at + 2)?, 16).ok())
        .collect()
}
