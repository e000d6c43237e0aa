//! Routes that senders write into addresses, `user%host@us`, `host!user` and `user@host@us`, undone as far as they
//! lead through this host (`allow_percent_hack`, `swap_bangpath`; rewriting and resolving of trivial-rewrite(8)).

use address::{Address, Domain};

use crate::{Class, Error, Router};

/// How many hosts a route may name.
pub const HOSTS_MAX: usize = 100;

impl Router {
    /// The address without what of its route leads through this host. `None`: the route names no host.
    ///
    /// What comes out is a stranger's if it was one: `reject_unauth_destination` looks at it, not at what was written.
    ///
    /// # Errors
    /// When a lookup fails.
    pub fn unrouted(&self, mut address: Address) -> Result<Option<Address>, Error> {
        for _ in 0..HOSTS_MAX {
            if self.class(&address)? != Class::Local {
                return Ok(Some(address));
            }
            let Some((local, host)) = self.hop(address.local()) else {
                return Ok(Some(address));
            };
            let Some(host) = Domain::parse(host).ok().filter(is_host) else {
                return Ok(None);
            };
            address = Address::new(local, Some(host));
        }
        Ok(None)
    }

    /// The last hop of the route in a local part, and what is left for it.
    fn hop<'a>(&self, local: &'a str) -> Option<(&'a str, &'a str)> {
        if local.contains('@') {
            return local.rsplit_once('@');
        }
        let bang = local.split_once('!').filter(|_| self.settings.swap_bangpath);
        bang.map(|(host, rest)| (rest, host)).or_else(|| {
            local
                .rsplit_once('%')
                .filter(|_| self.settings.allow_percent_hack)
        })
    }
}

fn is_host(domain: &Domain) -> bool {
    match domain.is_literal() {
        true => domain.to_ip().is_some(),
        false => domain.to_ascii().is_ok_and(|ascii| ascii.is_hostname()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recipients::Nobody;
    use settings::{Postfix, Surroundings};
    use std::sync::Arc;

    fn router(change: impl FnOnce(&mut Postfix)) -> Router {
        let mut settings = Postfix::defaults(&Surroundings::default());
        settings.mydestination = vec!["here.example".to_owned()];
        settings.relay_domains = vec!["relay.example".to_owned()];
        settings.local_recipient_maps = Vec::new();
        change(&mut settings);
        Router::new(Arc::new(settings), Vec::new(), Arc::new(Nobody)).0
    }

    fn unrouted(router: &Router, text: &str) -> Option<String> {
        let address = Address::parse(text).expect("an address");
        router
            .unrouted(address)
            .expect("no table")
            .map(|address| address.to_string())
    }

    #[test]
    fn routes_through_this_host_are_undone() {
        let router = router(|_| {});
        for (written, meant) in [
            ("user@here.example", Some("user@here.example")),
            ("user", Some("user")),
            ("a%b.example@here.example", Some("a@b.example")),
            ("a%b.example", Some("a@b.example")),
            ("b.example!a@here.example", Some("a@b.example")),
            ("b.example!c.example!a", Some("c.example!a@b.example")),
            ("a@b.example@here.example", Some("a@b.example")),
            ("\"a%b.example\"@here.example", Some("a@b.example")),
            ("a%b.example%here.example@here.example", Some("a@b.example")),
            ("a%here.example@here.example", Some("a@here.example")),
            // Not through us: the one who serves the domain may know what to do.
            ("a%b.example@relay.example", Some("a%b.example@relay.example")),
            ("a%b.example@else.example", Some("a%b.example@else.example")),
            ("!a@here.example", None),
            ("a%@here.example", None),
            ("a@b!c@here.example", None),
        ] {
            assert_eq!(unrouted(&router, written).as_deref(), meant, "{written}");
        }
        let long = format!("a{}", "%here.example".repeat(30));
        assert_eq!(unrouted(&router, &long).as_deref(), Some("a@here.example"));
    }

    #[test]
    fn settings_say_which_signs_are_routes() {
        let router = router(|settings| {
            settings.allow_percent_hack = false;
            settings.swap_bangpath = false;
        });
        for same in ["a%b.example@here.example", "b!a@here.example"] {
            assert_eq!(unrouted(&router, same).as_deref(), Some(same));
        }
    }
}
