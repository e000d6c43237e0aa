//! Where the roles meet while they share a process: the front's questions are answered by agent and auth directly.

use std::sync::Arc;

use address::Domain;
use auth::{Account, Auth};
use deliver_local::{Delivery, Job, Local, User};
use front::agency::{Agency, LocalDelivery};
use route::{Class, Router};
use serve::handover::Handover;

use crate::identity::may_become;

/// Users for routing: `userdb:` in `local_recipient_maps` asks dovecot.conf alone. Users of the system are asked for by
/// `unix:passwd.byname`.
pub struct Users(pub Arc<Auth>);

impl route::Directory for Users {
    fn has_user(&self, name: &str) -> Result<bool, String> {
        Ok(account(&self.0, name)?.is_some())
    }
}

/// Users and domains for local delivery.
pub struct Host {
    /// Who users are.
    pub auth: Arc<Auth>,
    /// Which domains are ours.
    pub router: Arc<Router>,
    /// As whom this process runs.
    pub own_uid: u32,
}

impl deliver_local::Directory for Host {
    fn user(&self, name: &str) -> Result<Option<User>, String> {
        find(&self.auth, name)
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

/// A user of dovecot.conf; where that has no userdb, or is not there, there is none.
fn account(auth: &Auth, name: &str) -> Result<Option<Account>, String> {
    if auth.has_userdb() {
        auth.lookup(name, "local")
    } else {
        Ok(None)
    }
}

/// The users of dovecot.conf, then those of the system.
fn find(auth: &Auth, name: &str) -> Result<Option<User>, String> {
    if let Some(account) = account(auth, name)? {
        return Ok(Some(User {
            name: account.user,
            uid: account.uid,
            gid: account.gid,
            home: account.home,
        }));
    }
    let system = os::users::user_by_name(name).map_err(|error| error.to_string())?;
    Ok(system.map(|user| User {
        name: user.name,
        uid: user.uid,
        gid: user.gid,
        home: Some(user.home),
    }))
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

    fn take(&self, handover: Handover<Account>) {
        if let Some(sessions) = &self.sessions {
            let sessions = Arc::clone(sessions);
            tokio::spawn(async move { sessions.run(handover).await });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Users, find};
    use route::Directory;
    use std::sync::Arc;

    #[test]
    fn users_of_the_system_are_not_in_the_userdb() {
        let (auth, problems) = auth::Auth::new(&settings::Dovecot::defaults());
        assert!(problems.is_empty());
        assert!(find(&auth, "root").unwrap().is_some(), "every system has root");
        assert_eq!(Users(Arc::new(auth)).has_user("root"), Ok(false));
    }
}
