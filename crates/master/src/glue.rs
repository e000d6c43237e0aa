//! Where the front's questions are answered: by the auth chains, the hands and the sessions of this process in the single
//! profile ([`Here`]), by other processes otherwise (see [`roles`](crate::roles)).

use std::sync::{Arc, Mutex, PoisonError};

use address::Domain;
use auth::memory::Memory;
use auth::socket::Sockets;
use auth::{Account, Auth, Authority, Recipient, Ticket};
use deliver_local::pipe::Pipes;
use deliver_local::spawn::SpawnRunner;
use deliver_local::task::{Agents, Report, Rights, Save, Task, Work};
use deliver_local::{Content, Delivery, Hands, Job, Local, OwnHands, User};
use front::agency::{Agency, LocalDelivery, MailboxClass, PipeDelivery, Taking};
use maillog::Log;
use route::{Class, Router};
use serve::handover::Handover;
use settings::Dovecot;
use tokio::sync::watch;

use crate::auth_sockets::{self, AuthSockets};
use crate::snapshot::Snapshot;

/// Where the front asks what it may not do itself.
#[derive(Clone)]
pub struct Doors {
    /// Who somebody is.
    pub authority: Arc<dyn Authority>,
    /// Whoever acts with the rights of users.
    pub agents: Arc<dyn Agents>,
    /// Whoever takes sessions over.
    pub sessions: Arc<dyn TakesSessions>,
}

/// Whoever goes on with a session after its login.
pub trait TakesSessions: Send + Sync {
    /// Takes it over; tells the id of the process that has it now, or why nobody has it.
    fn take(&self, handover: Handover<Account, Ticket>) -> Taking<'_>;
}

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
}

impl deliver_local::Directory for Host {
    fn user(&self, name: &str) -> Result<Option<User>, String> {
        let recipient = self.auth.recipient(name)?;
        Ok(recipient.map(|Recipient { account, login }| {
            let (login, shell) = login.map(|login| (login.name, login.shell)).unzip();
            User {
                name: account.user,
                login,
                uid: account.uid,
                gid: account.gid,
                home: account.home,
                shell,
            }
        }))
    }

    fn is_local(&self, domain: &Domain) -> Result<bool, String> {
        let address = address::Address::new("postmaster", Some(domain.clone()));
        self.router
            .class(&address)
            .map(|class| class == Class::Local)
            .map_err(|error| error.to_string())
    }
}

/// Local delivery and sessions as the front knows them.
pub(crate) struct LocalAgency {
    pub(crate) local: Local,
    pub(crate) pipes: Pipes,
    pub(crate) agents: Arc<dyn Agents>,
    pub(crate) sessions: Arc<dyn TakesSessions>,
}

impl Agency for LocalAgency {
    fn deliver(&self, delivery: &LocalDelivery) -> Delivery {
        let job = Job {
            sender: delivery.sender.as_ref(),
            recipient: &delivery.recipient,
            content: &*delivery.content,
            client: &delivery.client,
            transports: &*delivery.transports,
        };
        match delivery.class {
            MailboxClass::Local => self.local.deliver(&job),
            MailboxClass::Virtual => self.local.deliver_virtual(&job),
        }
    }

    fn pipe(&self, delivery: PipeDelivery) -> Report {
        let PipeDelivery { mail, facts, content } = delivery;
        self.pipes.deliver(&*self.agents, mail, (facts, &*content))
    }

    fn verify_pipe(&self, transport: &str) -> Report {
        self.pipes.verify(transport)
    }

    fn verify(&self, recipient: &address::Address, class: MailboxClass) -> envelope::Outcome {
        match class {
            MailboxClass::Local => self.local.verify(recipient),
            MailboxClass::Virtual => self.local.verify_virtual(recipient),
        }
    }

    fn probe(&self, recipient: &address::Address, class: MailboxClass) -> envelope::Outcome {
        match class {
            MailboxClass::Local => self.local.probe(recipient),
            MailboxClass::Virtual => self.local.verify_virtual(recipient),
        }
    }

    fn endings(
        &self,
        recipient: &address::Address,
        class: MailboxClass,
    ) -> Result<Vec<deliver_local::Ending>, envelope::Outcome> {
        match class {
            MailboxClass::Local => self.local.endings(recipient),
            MailboxClass::Virtual => Ok(vec![self.local.end_virtual(recipient)]),
        }
    }

    fn take(&self, handover: Handover<Account, Ticket>) -> Taking<'_> {
        self.sessions.take(handover)
    }
}

/// The other roles of this process.
#[derive(Clone, Default)]
pub(crate) struct Here {
    stores: Arc<agent::stores::Stores>,
    /// How mailbox sessions learn that the system stops.
    pub(crate) farewell: Arc<agent::farewell::Farewell>,
    /// On which other programs ask about log-ins.
    auth_sockets: Arc<(Mutex<AuthSockets>, Sockets)>,
    /// What the chains of one configuration leave to those of the next.
    memory: Arc<Mutex<Memory>>,
    /// Each session holds a receiver.
    pub(crate) open: watch::Sender<()>,
}

impl Here {
    /// Binds the sockets on which other programs ask about log-ins. Before root is given up their owners can be others.
    pub(crate) fn bind_auth_sockets(&self, dovecot: Option<&Dovecot>, log: &Log) {
        let (bound, sockets) = &*self.auth_sockets;
        let mut bound = bound.lock().unwrap_or_else(PoisonError::into_inner);
        bound.bind(dovecot, log);
        sockets.listen(bound.to_pass());
    }

    /// The doors that lead to them.
    pub(crate) fn doors(&self, snapshot: &Snapshot, log: &Log) -> Doors {
        let defaults = Dovecot::defaults();
        let (auth, problems) = Auth::new(snapshot.dovecot.as_ref().unwrap_or(&defaults));
        problems
            .iter()
            .for_each(|problem| log.mailbox_error("auth", &problem.to_string()));
        let sessions = snapshot.dovecot.as_ref().map(|dovecot| agent::Sessions {
            settings: Arc::new(dovecot.clone()),
            log: log.clone(),
            stores: Arc::clone(&self.stores),
            farewell: Arc::clone(&self.farewell),
        });
        let hands = Hands::new(Arc::new(snapshot.postfix.clone()), Arc::new(SpawnRunner))
            .telling(&crate::generation::warnings_to(log, "local"))
            .with_pipes(Pipes::of(&snapshot.transports));
        let own_uid = os::identity::Identity::current().uid;
        let hands = OwnHands::new(hands, own_uid, || serve::clock::now() / machine::SECOND);
        let auth = auth.remembering(&mut self.memory.lock().unwrap_or_else(PoisonError::into_inner));
        let authority: Arc<dyn Authority> = Arc::new(auth.telling(crate::auth_notes::to(log.clone())));
        let tell = auth_sockets::teller(snapshot.dovecot.as_ref(), log);
        self.auth_sockets.1.decided_by(Arc::clone(&authority), tell);
        let saver = snapshot
            .dovecot
            .as_ref()
            .map(|dovecot| agent::Saver::new(dovecot, log.clone(), Arc::clone(&self.stores)));
        let hands = OwnAgents {
            hands,
            own_uid,
            saver,
        };
        Doors {
            authority,
            agents: Arc::new(hands),
            sessions: Arc::new(OwnSessions {
                sessions: sessions.map(Arc::new),
                open: self.open.clone(),
            }),
        }
    }
}

/// Deliveries happen in this process.
struct OwnAgents {
    hands: OwnHands,
    own_uid: u32,
    saver: Option<agent::Saver>,
}

impl Agents for OwnAgents {
    fn perform(&self, rights: &Rights, task: &Task, content: &dyn Content) -> Report {
        match (&task.work, &self.saver) {
            (Work::Save(saves), Some(saver)) if rights.uid == self.own_uid => saved(saver, saves, content),
            _ => self.hands.perform(rights, task, content),
        }
    }
}

/// Has mailbox users' mail saved in this process.
pub(crate) fn saved(saver: &agent::Saver, saves: &[Save], content: &dyn Content) -> Report {
    let saved = saver.save_all(saves, content, serve::clock::now() / machine::SECOND);
    let first = saved.first().cloned();
    Report {
        saved,
        ..Report::of(first.unwrap_or_else(nothing_to_do))
    }
}

fn nothing_to_do() -> envelope::Outcome {
    envelope::Outcome {
        result: envelope::DeliveryResult::Sent,
        status: envelope::StatusCode::success(0, 0),
        text: "there was nothing to save".to_owned(),
        relay: "lmtp".to_owned(),
        detail: envelope::Detail::default(),
    }
}

/// Sessions go on in this process; without a dovecot.conf there are none.
struct OwnSessions {
    sessions: Option<Arc<agent::Sessions>>,
    open: watch::Sender<()>,
}

impl TakesSessions for OwnSessions {
    fn take(&self, handover: Handover<Account, Ticket>) -> Taking<'_> {
        let Some(sessions) = &self.sessions else {
            return Box::pin(std::future::ready(Err("there is no dovecot.conf".to_owned())));
        };
        let sessions = Arc::clone(sessions);
        let hold = self.open.subscribe();
        tokio::spawn(async move {
            sessions.run(handover).await;
            drop(hold);
        });
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
