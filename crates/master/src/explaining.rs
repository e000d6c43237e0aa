//! What the services would do with a message, without one: the front of this configuration is built as for a start, with a queue
//! in memory that nobody drives. Nothing is bound, written or sent; DNS, policy services and users are asked as they would be.

use std::path::Path;
use std::sync::Arc;

use access::Decided;
use address::Address;
use anyhow::{Context, Result, anyhow, bail};
use config::written::Written;
use front::Front;
use front::agency::Agency;
use front::explain::{self, Journey};
use front::qmgr;
use front::smtpd::{Exchange, Part};
use maillog::Log;
use queue::Spool;
use queue::spool::SpoolOptions;
use tables::watch;
use world::{SimDisk, World};

use crate::certificates::Certificates;
use crate::generation::{Generation, Kept};
use crate::glue::Here;
use crate::listeners::Purpose;
use crate::snapshot::Snapshot;
use crate::start::{Start, load};

/// Everything that can be said of a sender and a recipient.
pub struct Explanation {
    /// The service of master.cf that is spoken to.
    pub service: String,
    /// The client, `name[address]`.
    pub client: String,
    /// What is said, up to RCPT or the first refusal.
    pub exchanges: Vec<Exchange>,
    /// Where a message would go, taken or not; or why that cannot be told. `None` where sender or recipient is no address.
    pub journey: Option<Result<Journey, String>>,
    /// The log's lines.
    pub log: Vec<String>,
    /// Where in main.cf and master.cf what decides is written.
    pub written: Written,
}

/// A configuration that can be asked.
pub struct Explainer {
    /// Of one thread, the one that asks: it watches tables.
    runtime: tokio::runtime::Runtime,
    front: Arc<Front>,
    generation: Generation,
    /// The service of master.cf that is spoken to.
    service: String,
    captured: maillog::Captured,
    written: Written,
}

impl Explainer {
    /// Reads the configuration of `start`, and of master.cf's smtpd services `service`, or the first one. From now on this thread watches tables: it must be the one that asks.
    ///
    /// # Errors
    /// What makes a start impossible; that there is no such service.
    pub fn new(start: &Start, service: Option<&str>) -> Result<Explainer> {
        let loaded = load(start);
        let directory = loaded.main.path.parent().unwrap_or(Path::new("."));
        let written = Written::read(directory);
        if loaded.has_errors() {
            bail!("the configuration has errors: postfix check tells them");
        }
        // Whoever may not read the keys sees what a client without TLS sees.
        let mut snapshot = Snapshot::of(&loaded).unwrap_or_else(|_| Snapshot::without_keys(&loaded));
        let names: Vec<&str> = snapshot.services.iter().map(|row| row.name.as_str()).collect();
        let Some(service) = service.or(names.first().copied()).map(str::to_owned) else {
            bail!("master.cf has no smtpd service");
        };
        if !names.contains(&service.as_str()) {
            bail!(
                "master.cf has no smtpd service {service}; there are: {}",
                names.join(", ")
            );
        }
        snapshot.services.retain(|row| row.name == service);
        let certificates = Certificates::of(&snapshot.keys)?;
        let (log, captured) = Log::to_memory();
        let options = SpoolOptions {
            background: false,
            ..SpoolOptions::default()
        };
        let memory = World::simulated(0, SimDisk::new(0));
        let (spool, _) =
            Spool::open(Path::new("/queue"), &options, &memory).context("cannot make a queue in memory")?;
        let (handle, _driver) = qmgr::new();
        let kept = Kept {
            queue: Some((spool, handle)),
            log: log.clone(),
            anvil: Arc::default(),
            verifications: Arc::new(front::verify::Verifications::for_rehearsal()),
            connections: Arc::default(),
            hosts: Arc::default(),
        };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .context("cannot start the runtime")?;
        let generation = {
            let _within = runtime.enter();
            let doors = Here::default().doors(&snapshot, &log);
            Generation::build(&snapshot, &kept, doors, &certificates)?
        };
        let front = generation
            .front
            .clone()
            .ok_or_else(|| anyhow!("no mail is taken here"))?;
        watch::begin();
        Ok(Explainer {
            runtime,
            front,
            generation,
            service,
            captured,
            written,
        })
    }

    /// Says what would be done.
    ///
    /// # Errors
    /// When the system has no sockets for it.
    pub fn explain(&self, part: &Part) -> Result<Explanation> {
        let purpose = Purpose::Smtpd(self.service.clone());
        let smtpd = self.generation.smtpd(&purpose).context("the service is gone")?;
        let settings = Arc::clone(smtpd.settings());
        let (client, exchanges) = self.runtime.block_on(smtpd.rehearse(part))?;
        let filter = filter_of(&exchanges, &settings.content_filter);
        let journey = addresses(part).map(|(sender, recipient)| {
            let who = (&*self.front, &*self.generation.agency as &dyn Agency);
            explain::journey(who, &settings, (sender.as_ref(), &recipient), filter.as_deref())
        });
        Ok(Explanation {
            service: self.service.clone(),
            client,
            exchanges,
            journey,
            log: self.captured.lines(),
            written: self.written.clone(),
        })
    }
}

/// The filter that sees the message first: that of a FILTER action, else `content_filter`.
fn filter_of(exchanges: &[Exchange], content_filter: &str) -> Option<String> {
    let steps = exchanges.iter().flat_map(|exchange| &exchange.steps);
    let mut named = steps.filter_map(|step| match &step.decided {
        Decided::Action(action) => action.strip_prefix("FILTER ").map(str::to_owned),
        _ => None,
    });
    let configured = content_filter.trim();
    named
        .next_back()
        .or_else(|| Some(configured.to_owned()))
        .filter(|filter| !filter.is_empty())
}

/// Sender and recipient, where they are addresses.
fn addresses(part: &Part) -> Option<(Option<Address>, Address)> {
    let read = |text: &str| {
        address::path::read(&format!("<{text}>"))
            .ok()
            .map(|path| path.address)
    };
    Some((read(&part.sender)?, read(&part.recipient)??))
}
