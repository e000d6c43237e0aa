//! What a reload does not forget: the failures of addresses, and what databases said as long as the same are asked in the same way.

use std::sync::Arc;

use settings::Dovecot;

use crate::cache::Cache;
use crate::penalty::Penalties;

/// What the chains of one configuration leave to those of the next.
#[derive(Debug, Clone, Default)]
pub struct Memory {
    /// Also while a configuration has them off.
    penalties: Arc<Penalties>,
    cache: Option<(Asked, Arc<Cache>)>,
}

/// What decides whether an answer in the cache is still one to the same question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Asked {
    passdbs: Vec<settings::Passdb>,
    userdbs: Vec<settings::Userdb>,
    /// How large it may be and how long answers hold, and whether weak schemes are believed.
    cache: (u64, std::time::Duration, std::time::Duration, bool),
}

impl Asked {
    pub(crate) fn of(settings: &Dovecot) -> Asked {
        let (mut passdbs, mut userdbs) = (settings.passdbs.clone(), settings.userdbs.clone());
        // A block is the same when it moves down a line.
        passdbs
            .iter_mut()
            .for_each(|block| block.place = Default::default());
        userdbs
            .iter_mut()
            .for_each(|block| block.place = Default::default());
        Asked {
            passdbs,
            userdbs,
            cache: (
                settings.auth_cache_size,
                settings.auth_cache_ttl,
                settings.auth_cache_negative_ttl,
                settings.auth_allow_weak_schemes,
            ),
        }
    }
}

impl Memory {
    /// Gives what it has in exchange for what is new.
    pub(crate) fn share(
        &mut self,
        penalties: &mut Option<Arc<Penalties>>,
        cache: &mut Option<Arc<Cache>>,
        asked: &Asked,
    ) {
        if let Some(penalties) = penalties {
            *penalties = Arc::clone(&self.penalties);
        }
        let Some(cache) = cache else {
            self.cache = None;
            return;
        };
        match &self.cache {
            Some((before, kept)) if before == asked => *cache = Arc::clone(kept),
            _ => self.cache = Some((asked.clone(), Arc::clone(cache))),
        }
    }
}
