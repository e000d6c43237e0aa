//! Address verification (verify(8)): answers from the cache, probes for what is not there, and what comes of those.
//!
//! A probe is a message of the queue without a body that goes all the way of a message up to the delivery, which is not made
//! (`docs/decisions/0020-probes-are-queued.md`).

mod cache;
mod probe;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use access::verification::{Answer, Finding, Known, PROBE_PATIENCE, ProbeSender, Status, Times};
use address::Address;
use envelope::Outcome;
use maillog::Log;
use maillog::lines::verify::Cleanup;
use serve::clock::now;
use settings::Postfix;
use tokio::sync::watch;
use tokio::time::timeout;

use crate::Front;
use cache::{Cache, Place};

/// The attribute of a probe that keeps the address it is about.
const PROBED: &str = "probed_address";

/// What is found of an address that stands for several.
pub(crate) const OF_MANY: &str = "aliased to multiple recipients";

/// What is known of addresses, and who waits to know more. It outlives a reload.
#[derive(Default)]
pub struct Verifications {
    /// The cache, where somebody has asked already.
    cache: Mutex<Option<Cache>>,
    /// The probes that are under way.
    awaited: Mutex<HashMap<String, Awaited>>,
    /// Nobody is asked, and nothing is changed.
    is_rehearsal: bool,
}

/// A probe that is under way.
struct Awaited {
    since_micros: i64,
    finding: watch::Sender<Option<Finding>>,
}

/// What there is of a probe.
enum Probe {
    /// It must be sent.
    New(watch::Receiver<Option<Finding>>),
    /// It is under way.
    Underway(watch::Receiver<Option<Finding>>),
    /// There are too many.
    TooMany,
}

impl Verifications {
    /// For one who says what would be done: the cache is read, no probe is sent.
    pub fn for_rehearsal() -> Verifications {
        Verifications {
            is_rehearsal: true,
            ..Verifications::default()
        }
    }

    fn awaited(&self) -> MutexGuard<'_, HashMap<String, Awaited>> {
        self.awaited.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes part in the probe of an address.
    fn join(&self, key: &str, settings: &Postfix) -> Probe {
        let now = now();
        let patience = i64::try_from(PROBE_PATIENCE.as_micros()).unwrap_or(i64::MAX);
        let mut awaited = self.awaited();
        if let Some(underway) = awaited.get(key).filter(|one| now - one.since_micros <= patience) {
            return Probe::Underway(underway.finding.subscribe());
        }
        let limit = settings.address_verify_pending_request_limit;
        if awaited.len() >= limit {
            awaited.retain(|_, one| now - one.since_micros <= patience);
            if awaited.len() >= limit {
                return Probe::TooMany;
            }
        }
        let (finding, receiver) = watch::channel(None);
        awaited.insert(
            key.to_owned(),
            Awaited {
                since_micros: now,
                finding,
            },
        );
        Probe::New(receiver)
    }

    /// The probe came to this, or to nothing.
    fn end(&self, key: &str, finding: Option<Finding>) {
        if let Some(ended) = self.awaited().remove(key) {
            ended.finding.send_replace(finding);
        }
    }

    /// Does something with the cache. What it cannot do, it tells the log; then it is as if nothing were known.
    fn with_cache<T: Default>(
        &self,
        (settings, log): (&Postfix, &Log),
        work: impl FnOnce(&mut Cache) -> cache::Result<T>,
    ) -> T {
        let mut slot = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        let place = Place::of(settings);
        if slot.as_ref().is_none_or(|cache| *cache.place() != place) {
            let warn = |text: &str| log.warning("verify", text);
            match self.is_rehearsal {
                false => *slot = Some(Cache::open(place, &warn)),
                true => *slot = Cache::read(place),
            }
        }
        let Some(cache) = slot.as_mut() else {
            return T::default();
        };
        if !self.is_rehearsal {
            clean(cache, (settings, log));
        }
        work(cache).unwrap_or_else(|error| {
            if !self.is_rehearsal {
                log.warning("verify", &format!("{}: {error}", cache.place()));
                if cache::is_broken(&error) {
                    cache.begin_anew(&|text| log.warning("verify", text));
                }
            }
            T::default()
        })
    }
}

/// `address_verify_cache_cleanup_interval`
fn clean(cache: &mut Cache, (settings, log): (&Postfix, &Log)) {
    let interval = settings.address_verify_cache_cleanup_interval;
    let interval = i64::try_from(interval.as_micros()).unwrap_or(i64::MAX);
    let is_due = |last| now() - last >= interval;
    if interval == 0 || !cache.cleaned_micros().is_none_or(is_due) {
        return;
    }
    match cache.clean(&Times::of(settings), now()) {
        Ok((retained, dropped)) => log.write(&Cleanup {
            cache: &cache.place().to_string(),
            retained,
            dropped,
        }),
        Err(error) => log.warning("verify", &format!("{}: {error}", cache.place())),
    }
}

/// An address as the cache has it: domains are told apart whatever the case of their letters.
fn key_of(address: &Address) -> String {
    let text = address.to_string();
    match text.rsplit_once('@') {
        Some((local, domain)) => format!("{local}@{}", domain.to_lowercase()),
        None => text,
    }
}

/// The cache is on disk: it is asked on a thread that may wait.
async fn in_cache<T: Default + Send + 'static>(
    front: &Arc<Front>,
    work: impl FnOnce(&mut Cache) -> cache::Result<T> + Send + 'static,
) -> T {
    let front = Arc::clone(front);
    let done = tokio::task::spawn_blocking(move || {
        let with = (&*front.settings, &front.log);
        front.verifications.with_cache(with, work)
    });
    done.await.unwrap_or_default()
}

/// Whether mail to an address would arrive; who does not know yet waits so long for the result of a probe.
pub(crate) async fn verify(front: &Arc<Front>, address: &Address, patience: Duration) -> Answer {
    let key = key_of(address);
    let wanted = key.clone();
    let known = in_cache(front, move |cache| cache.find(&wanted)).await;
    let times = Times::of(&front.settings);
    if let Some(known) = known.filter(|known| times.counts(known, now())) {
        if !front.verifications.is_rehearsal && times.is_refresh_due(&known, now()) {
            refresh(front, key, address).await;
        }
        return Answer::Found(known.finding);
    }
    if front.verifications.is_rehearsal {
        return Answer::NotAsked;
    }
    let mut receiver = match front.verifications.join(&key, &front.settings) {
        Probe::New(receiver) => {
            send(front, key, address.clone());
            receiver
        }
        Probe::Underway(receiver) => receiver,
        Probe::TooMany => {
            return Answer::Found(Finding {
                status: Status::Deferred,
                text: "Too many address verification requests".to_owned(),
            });
        }
    };
    if patience.is_zero() {
        return Answer::InProgress;
    }
    let found = match timeout(patience, receiver.wait_for(Option::is_some)).await {
        Ok(Ok(finding)) => finding.clone(),
        _ => None,
    };
    // A result that is not kept is none, to this client as to those who ask later.
    match found.filter(|finding| times.keeps(finding)) {
        Some(finding) => Answer::Found(finding),
        None => Answer::InProgress,
    }
}

/// Probes an address of which something is known.
async fn refresh(front: &Arc<Front>, key: String, address: &Address) {
    if !matches!(front.verifications.join(&key, &front.settings), Probe::New(_)) {
        return;
    }
    let probed = key.clone();
    in_cache(front, move |cache| cache.is_probed(&probed, now())).await;
    send(front, key, address.clone());
}

/// Sends a probe; the client does not wait for the queue.
fn send(front: &Arc<Front>, key: String, address: Address) {
    let front = Arc::clone(front);
    tokio::spawn(async move {
        match probe::send(&front, &key, &address).await {
            Ok(None) => {}
            Ok(found) => settle(&front, key, found).await,
            Err(why) => {
                front
                    .log
                    .warning("verify", &format!("cannot probe <{address}>: {why}"));
                front.verifications.end(&key, None);
            }
        }
    });
}

/// A probe has ended.
pub(crate) async fn record(front: &Arc<Front>, message: &queue::Message) {
    let Some(key) = message.facts.attribute(PROBED).map(str::to_owned) else {
        return;
    };
    let outcomes = message.outcomes.iter().flatten();
    let finding = Finding::of(outcomes.filter(|outcome: &&Outcome| !outcome.detail.is_interrupted));
    settle(front, key, finding).await;
}

/// Keeps what was found, if anything was, and tells those who wait.
async fn settle(front: &Arc<Front>, key: String, finding: Option<Finding>) {
    if let Some(finding) = finding.clone() {
        let (key, times) = (key.clone(), Times::of(&front.settings));
        in_cache(front, move |cache| {
            let known = cache.find(&key)?;
            let now = now();
            if times.replaces(known.as_ref(), &finding, now) {
                let known = Known {
                    finding,
                    updated_micros: now,
                    probed_micros: now,
                };
                cache.keep(&key, &known)?;
            }
            Ok(())
        })
        .await;
    }
    front.verifications.end(&key, finding);
}

/// Whether a recipient, as a client wrote it, is who sends our probes: mail for him is taken whatever the lists say, since
/// another host may be verifying the sender of a probe of ours.
pub(crate) fn is_probe_sender(front: &Front, recipient: &str) -> bool {
    ProbeSender::of(&front.settings).is(recipient, now())
}

#[cfg(test)]
mod tests {
    use super::*;
    use settings::Surroundings;

    fn settings() -> Postfix {
        Postfix {
            address_verify_map: String::new(),
            address_verify_pending_request_limit: 2,
            ..Postfix::defaults(&Surroundings::default())
        }
    }

    #[test]
    fn there_is_one_probe_of_an_address_at_a_time_and_not_too_many_in_all() {
        let (settings, verifications) = (settings(), Verifications::default());
        let join = |key: &str| verifications.join(key, &settings);
        let Probe::New(first) = join("a@x") else {
            panic!("the first one is new");
        };
        let Probe::Underway(second) = join("a@x") else {
            panic!("the second one is under way");
        };
        assert!(matches!(join("b@x"), Probe::New(_)));
        assert!(matches!(join("c@x"), Probe::TooMany));
        let finding = Finding {
            status: Status::Deliverable,
            text: "ok".to_owned(),
        };
        verifications.end("a@x", Some(finding.clone()));
        assert_eq!((*first.borrow()).as_ref(), Some(&finding));
        assert_eq!((*second.borrow()).as_ref(), Some(&finding));
        assert!(matches!(join("c@x"), Probe::New(_)));
    }

    #[test]
    fn domains_have_no_case() {
        let address = Address::parse("Jun@Example.COM").expect("an address");
        assert_eq!(key_of(&address), "Jun@example.com");
    }
}
