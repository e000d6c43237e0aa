//! The socket that commands talk to (`ipc::control`): who may ask what, and the answers.

use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;

use ipc::control::{Action, Haste, Reply, Request, SOCKET, Selection};
use ipc::frame;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::watch;
use world::World;

use crate::name_list::NameList;
use crate::{Front, pickup};

/// How many messages of a listing go into one frame.
const LISTING_MESSAGES: usize = 100;

/// What only the supervisor can do.
pub trait Supervisor: Send + Sync {
    /// Reads the configuration again.
    ///
    /// # Errors
    /// Why the old one stays.
    fn reload(&self) -> Result<(), String>;

    /// Begins to stop.
    fn stop(&self, haste: Haste);
}

/// Binds the socket below the queue directory. The queue's lock makes sure that nobody else uses it.
///
/// # Errors
/// What the system says.
pub fn bind(queue_directory: &Path) -> io::Result<std::os::unix::net::UnixListener> {
    let path = queue_directory.join(SOCKET);
    if let Some(directory) = path.parent() {
        std::fs::create_dir_all(directory)?;
    }
    match std::fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = std::os::unix::net::UnixListener::bind(&path)?;
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o666))?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// Answers commands until `stop` says so.
///
/// # Errors
/// When the socket cannot be used.
pub async fn serve(
    listener: std::os::unix::net::UnixListener,
    front: Arc<Front>,
    supervisor: Arc<dyn Supervisor>,
    mut stop: watch::Receiver<bool>,
) -> io::Result<()> {
    let listener = UnixListener::from_std(listener)?;
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stop.wait_for(|stop| *stop) => return Ok(()),
        };
        let Ok((stream, _)) = accepted else { continue };
        let (front, supervisor) = (Arc::clone(&front), Arc::clone(&supervisor));
        tokio::spawn(async move {
            let mut conversation = Conversation {
                stream,
                front,
                supervisor,
            };
            // A command that went away needs no answer.
            let _ = conversation.run().await;
        });
    }
}

/// The login name of a uid.
fn user_name(uid: u32) -> String {
    let user = os::users::user_by_uid(uid).ok().flatten();
    user.map_or_else(|| "unknown".to_owned(), |user| user.name)
}

struct Conversation {
    stream: UnixStream,
    front: Arc<Front>,
    supervisor: Arc<dyn Supervisor>,
}

impl Conversation {
    async fn run(&mut self) -> Result<(), frame::Error> {
        let mut field = [0; 4];
        self.stream.read_exact(&mut field).await?;
        let mut content = vec![0; frame::length(field)?];
        self.stream.read_exact(&mut content).await?;
        let request: Request = frame::decode(&content)?;
        let closing = match self.refusal(&request) {
            None => self.perform(request).await?,
            Some(why) => Reply::Refused(why),
        };
        self.send(&closing).await
    }

    async fn send(&mut self, reply: &Reply) -> Result<(), frame::Error> {
        Ok(self.stream.write_all(&frame::encode(reply)?).await?)
    }

    /// Why the peer may not ask for this. Who may look and flush is a setting, anybody may drop mail; the rest is for root
    /// and for whoever runs the system.
    fn refusal(&self, request: &Request) -> Option<String> {
        let settings = &self.front.settings;
        let peer = self.stream.peer_cred().ok().map(|peer| peer.uid());
        let own = os::identity::Identity::current().uid;
        if peer.is_some_and(|uid| uid == 0 || uid == own) {
            return None;
        }
        let (list, what) = match request {
            Request::Status | Request::Pickup => return None,
            Request::List => (&settings.authorized_mailq_users, "view the mail queue"),
            Request::Flush(_) => (&settings.authorized_flush_users, "flush the mail queue"),
            Request::Super(..) | Request::Reload | Request::Stop(_) => {
                return Some("only root and the owner of the mail system may do that".to_owned());
            }
        };
        let name = peer.map_or_else(|| "unknown".to_owned(), user_name);
        // A table that cannot be asked authorises nobody.
        let is_authorized = NameList::open(list, &mut Vec::new())
            .contains(&name)
            .unwrap_or(false);
        let uid = peer.map_or_else(|| "?".to_owned(), |uid| uid.to_string());
        (!is_authorized).then(|| format!("User {name}({uid}) is not allowed to {what}"))
    }

    async fn perform(&mut self, request: Request) -> Result<Reply, frame::Error> {
        match request {
            Request::Status => self.send(&Reply::Process(std::process::id())).await?,
            Request::List => return self.list().await,
            Request::Flush(selection) => self.front.qmgr.flush(selection),
            Request::Super(action, selection) => {
                let acted = self.administer(action, selection).await;
                self.send(&Reply::Acted(acted)).await?;
            }
            Request::Pickup => pickup::run_once(&self.front).await,
            Request::Reload => {
                if let Err(why) = self.supervisor.reload() {
                    return Ok(Reply::Refused(why));
                }
            }
            Request::Stop(haste) => self.supervisor.stop(haste),
        }
        Ok(Reply::Done)
    }

    async fn list(&mut self) -> Result<Reply, frame::Error> {
        let spool = self.front.spool.clone();
        let listed = tokio::task::spawn_blocking(move || queue::admin::listing(&spool, &World::real())).await;
        let messages = match listed {
            Ok(Ok(messages)) => messages,
            Ok(Err(error)) => return Ok(Reply::Refused(error.to_string())),
            Err(_) => return Ok(Reply::Refused("the listing was broken off".to_owned())),
        };
        for part in messages.chunks(LISTING_MESSAGES) {
            let value = serde_json::to_value(part)?;
            self.send(&Reply::Listing(value)).await?;
        }
        Ok(Reply::Done)
    }

    async fn administer(&self, action: Action, selection: Selection) -> Vec<String> {
        self.front.qmgr.administer(action, selection).await
    }
}
