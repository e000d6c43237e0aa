//! Where the roles meet while they share a process: the front's questions are answered by agent and auth directly.

use std::sync::Arc;

use address::Domain;
use auth::{Account, Authority, Ticket};
use deliver_local::{Delivery, Job, Local, User};
use front::agency::{Agency, LocalDelivery, Taking};
use route::{Class, Router};
use serve::handover::Handover;

use crate::identity::may_become;

/// Users for routing: `userdb:` in `local_recipient_maps` asks dovecot.conf alone. Users of the system are asked for by
/// `unix:passwd.byname`.
pub struct Users(pub Arc<dyn Authority>);

impl route::Directory for Users {
    fn has_user(&self, name: &str) -> Result<bool, String> {
        Ok(self.0.has_userdb() && self.0.lookup(name, "local")?.is_some())
    }
}

/// Users and domains for local delivery.
pub struct Host {
    /// Who users are.
    pub auth: Arc<dyn Authority>,
    /// Which domains are ours.
    pub router: Arc<Router>,
    /// As whom this process runs.
    pub own_uid: u32,
}

impl deliver_local::Directory for Host {
    fn user(&self, name: &str) -> Result<Option<User>, String> {
        let account = self.auth.recipient(name)?;
        Ok(account.map(|account| User {
            name: account.user,
            uid: account.uid,
            gid: account.gid,
            home: account.home,
        }))
    }

    fn is_local(&self, domain: &Domain) -> Result<bool, String> {
        let address = address::Address::new("postmaster", Some(domain.clone()));
        self.router
            .class(&address)
            .map(|class| class == Class::Local)
            .map_err(|error| error.to_string())
    }

    fn may_become(&self, uid: u32) -> bool {
        may_become(self.own_uid, uid) && uid == self.own_uid
    }
}

/// The agent of this process.
pub struct OwnAgent {
    /// Deliveries.
    pub local: Local,
    /// Sessions; there are none without a dovecot.conf.
    pub sessions: Option<Arc<agent::Sessions>>,
}

impl Agency for OwnAgent {
    fn deliver(&self, delivery: &LocalDelivery) -> Delivery {
        self.local.deliver(&Job {
            sender: delivery.sender.as_ref(),
            recipient: &delivery.recipient,
            content: &*delivery.content,
            now_secs: serve::clock::now() / machine::SECOND,
        })
    }

    fn verify(&self, recipient: &address::Address) -> envelope::Outcome {
        self.local.verify(recipient)
    }

    fn take(&self, handover: Handover<Account, Ticket>) -> Taking<'_> {
        let Some(sessions) = &self.sessions else {
            return Box::pin(std::future::ready(Err("there is no dovecot.conf".to_owned())));
        };
        let sessions = Arc::clone(sessions);
        tokio::spawn(async move { sessions.run(handover).await });
        Box::pin(std::future::ready(Ok(std::process::id())))
    }
}

#[cfg(test)]
mod tests {
    use super::Users;
    use auth::Authority;
    use route::Directory;
    use std::sync::Arc;

    #[test]
    fn users_of_the_system_are_not_in_the_userdb() {
        let (auth, problems) = auth::Auth::new(&settings::Dovecot::defaults());
        assert!(problems.is_empty());
        assert!(auth.recipient("root").unwrap().is_some(), "every system has root");
        assert_eq!(Users(Arc::new(auth)).has_user("root"), Ok(false));
    }
}
