//! Connections that stay open for the next message to the same place: kept for a moment, used by one message at a time.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use settings::Postfix;
use smtp::client::Protocol;
use tables::name_list::NameList;
use tokio::task::JoinHandle;
use tokio::time::sleep;

use crate::Site;
use crate::connection::Target;
use crate::converse::Session;
use crate::parameters::Parameters;
use crate::policy::name_of;
use crate::terms::Terms;

/// The most connections that are kept at once.
pub const KEPT_MAX: usize = 200;
/// Mail that follows within this time of the last one makes a place busy.
const BUSY_WITHIN: Duration = Duration::from_secs(1);
/// So many places are looked at before those that are not busy any more are forgotten.
const PLACES_BEFORE_TIDYING: usize = 1000;

/// What a message is sent to: the client, and the place as it is written.
pub(crate) type Way = (Protocol, String);

/// When the connections of one client are kept, and for how long.
pub(crate) struct Habit {
    on_demand: bool,
    destinations: NameList,
    /// How long a connection waits for its next message.
    kept_for: Duration,
    /// How long a connection serves in all.
    used_for: Duration,
    /// How many messages it serves; 0: any number.
    uses_max: usize,
}

impl Habit {
    /// What main.cf says of one client.
    pub(crate) fn of(parameters: &Parameters<'_>, settings: &Postfix) -> Habit {
        let mut words = Vec::new();
        for word in parameters.connection_cache_destinations {
            // As in every such list a path is a file of words; here it may be a socket, too.
            match word.starts_with('/').then(|| std::fs::read_to_string(word)) {
                Some(Ok(text)) => words.extend(text.split_whitespace().map(str::to_owned)),
                _ => words.push(word.clone()),
            }
        }
        Habit {
            on_demand: *parameters.connection_cache_on_demand,
            // A table that cannot be opened has nobody: a connection more is made.
            destinations: NameList::open(&words, &mut Vec::new()),
            kept_for: settings
                .connection_cache_ttl_limit
                .min(*parameters.connection_cache_time_limit),
            used_for: *parameters.connection_reuse_time_limit,
            uses_max: *parameters.connection_reuse_count_limit,
        }
    }

    /// Whether connections to that place are kept.
    pub(crate) fn keeps(&self, site: &Site, is_busy: bool) -> bool {
        (self.on_demand && is_busy) || self.destinations.contains(&name_of(site)).unwrap_or(false)
    }

    /// Whether this session may serve another message.
    fn lets_stay(&self, session: &Session) -> bool {
        let uses = usize::try_from(session.uses).unwrap_or(usize::MAX);
        session.is_ready()
            && (session.terms.policy.reuses || !session.is_tls())
            && (self.uses_max == 0 || uses < self.uses_max)
            && session.opened.elapsed() < self.used_for
    }
}

/// The connections that are kept.
#[derive(Clone, Default)]
pub(crate) struct Cache(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    kept: Vec<Kept>,
    /// Closes what nobody came for.
    reaper: Option<JoinHandle<()>>,
    demand: HashMap<Way, Demand>,
    /// Tidied when there are so many.
    places_max: usize,
}

struct Kept {
    way: Way,
    session: Session,
    until: Instant,
}

/// How much mail goes one way.
struct Demand {
    running: usize,
    last_end: Option<Instant>,
}

impl Demand {
    fn is_busy(&self) -> bool {
        self.running > 0 || self.last_end.is_some_and(|end| end.elapsed() < BUSY_WITHIN)
    }
}

/// A message under way.
pub(crate) struct Visit {
    cache: Cache,
    way: Way,
    /// Other messages went this way a moment ago, or still do.
    pub(crate) is_busy: bool,
}

impl Cache {
    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing panics while it is held; if something did, the list is still a list.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A message goes this way.
    pub(crate) fn visit(&self, way: Way) -> Visit {
        let mut state = self.state();
        if state.demand.len() > state.places_max.max(PLACES_BEFORE_TIDYING) {
            state.demand.retain(|_, demand| demand.is_busy());
            state.places_max = state.demand.len() * 2;
        }
        let demand = state.demand.entry(way.clone()).or_insert(Demand {
            running: 0,
            last_end: None,
        });
        let is_busy = demand.is_busy();
        demand.running += 1;
        drop(state);
        Visit {
            cache: self.clone(),
            way,
            is_busy,
        }
    }

    /// The hosts to which connections are kept for that way, the latest first.
    pub(crate) fn hosts_of(&self, way: &Way) -> Vec<Target> {
        let state = self.state();
        let mut hosts: Vec<Target> = Vec::new();
        for kept in state.kept.iter().rev().filter(|kept| kept.way == *way) {
            if !hosts.contains(&kept.session.target) {
                hosts.push(kept.session.target.clone());
            }
        }
        hosts
    }

    /// A connection of this client to that host under these terms, the latest. It is nobody else's from now on.
    pub(crate) fn take(&self, protocol: Protocol, target: &Target, terms: &Terms) -> Option<Session> {
        let mut state = self.state();
        let now = Instant::now();
        loop {
            let at = state.kept.iter().rposition(|kept| {
                let session = &kept.session;
                kept.way.0 == protocol && session.target == *target && session.terms == *terms
            })?;
            let kept = state.kept.remove(at);
            if kept.until > now && kept.session.is_quiet() {
                return Some(kept.session);
            }
        }
    }

    /// Keeps a session for the next message, or ends it.
    pub(crate) async fn give(&self, way: &Way, session: Session, habit: &Habit) {
        match self.keep(way, session, habit) {
            None => {}
            Some(session) => session.end().await,
        }
    }

    /// Gives back what is not kept.
    fn keep(&self, way: &Way, session: Session, habit: &Habit) -> Option<Session> {
        let mut state = self.state();
        if !habit.lets_stay(&session) || habit.kept_for.is_zero() || state.kept.len() >= KEPT_MAX {
            return Some(session);
        }
        let left = habit.used_for.saturating_sub(session.opened.elapsed());
        state.kept.push(Kept {
            way: way.clone(),
            session,
            until: Instant::now() + habit.kept_for.min(left),
        });
        if state.reaper.as_ref().is_none_or(JoinHandle::is_finished) {
            state.reaper = Some(tokio::spawn(self.clone().reap()));
        }
        None
    }

    /// Ends what was kept long enough, until nothing is kept.
    async fn reap(self) {
        loop {
            let (over, next) = {
                let mut state = self.state();
                let now = Instant::now();
                let (over, kept) = std::mem::take(&mut state.kept)
                    .into_iter()
                    .partition::<Vec<Kept>, _>(|kept| kept.until <= now);
                state.kept = kept;
                let next = state.kept.iter().map(|kept| kept.until).min();
                if next.is_none() {
                    // The next one to be kept starts another reaper.
                    state.reaper = None;
                }
                (over, next)
            };
            for kept in over {
                tokio::spawn(kept.session.end());
            }
            match next {
                Some(next) => sleep(next.saturating_duration_since(Instant::now())).await,
                None => return,
            }
        }
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        let mut state = self.cache.state();
        if let Some(demand) = state.demand.get_mut(&self.way) {
            demand.running = demand.running.saturating_sub(1);
            demand.last_end = Some(Instant::now());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_busy_while_mail_goes_there_and_a_moment_after() {
        let cache = Cache::default();
        let way = |name: &str| (Protocol::Smtp, name.to_owned());
        let first = cache.visit(way("a.example"));
        assert!(!first.is_busy);
        assert!(cache.visit(way("a.example")).is_busy);
        assert!(!cache.visit(way("b.example")).is_busy);
        drop(first);
        assert!(cache.visit(way("a.example")).is_busy);
        assert!(!cache.visit((Protocol::Lmtp, "a.example".to_owned())).is_busy);
    }

    #[test]
    fn places_are_forgotten() {
        let cache = Cache::default();
        for number in 0..3 * PLACES_BEFORE_TIDYING {
            drop(cache.visit((Protocol::Smtp, number.to_string())));
            for demand in cache.state().demand.values_mut() {
                demand.last_end = Instant::now().checked_sub(BUSY_WITHIN);
            }
        }
        assert!(cache.state().demand.len() <= PLACES_BEFORE_TIDYING + 1);
    }
}
