//! The socket that commands talk to (`ipc::control`): who may ask what, and the answers.

use std::io::{self, Read};
use std::os::fd::AsFd;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;

use envelope::{QueueId, codec};
use ipc::control::{Action, Haste, PATIENCE, Reply, Request, SOCKET, Section, Selection};
use ipc::frame;
use queue::QueueName;
use queue::maildrop::{self, Slip};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Semaphore, mpsc, watch};
use world::World;

use crate::{Front, limits, pickup};
use tables::name_list::NameList;

/// How many messages of a listing go into one frame.
const LISTING_MESSAGES: usize = 100;
/// How many of these frames wait for the command at most.
const LISTING_FRAMES: usize = 4;
/// How many messages are changed before others who want something of the queue have their turn.
const ADMINISTERED_MESSAGES: usize = 10_000;

/// How many commands are answered at once; others wait.
const CONVERSATIONS_MAX: usize = 100;

/// What only the supervisor can do.
pub trait Supervisor: Send + Sync {
    /// The services as the configuration makes them now.
    fn front(&self) -> Option<Arc<Front>>;

    /// The id of the process that stops and reloads the system.
    fn process(&self) -> u32 {
        std::process::id()
    }

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
    supervisor: Arc<dyn Supervisor>,
    mut stop: watch::Receiver<bool>,
) -> io::Result<()> {
    let listener = UnixListener::from_std(listener)?;
    let room = Arc::new(Semaphore::new(CONVERSATIONS_MAX));
    loop {
        let Ok(seat) = Arc::clone(&room).acquire_owned().await else {
            return Ok(());
        };
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stop.wait_for(|stop| *stop) => return Ok(()),
        };
        let Ok((stream, _)) = accepted else { continue };
        let supervisor = Arc::clone(&supervisor);
        let Some(front) = supervisor.front() else {
            return Ok(());
        };
        tokio::spawn(async move {
            let _seat = seat;
            let mut conversation = Conversation {
                stream,
                front,
                supervisor,
            };
            // A command that went away, or says nothing, needs no answer.
            let _ = conversation.run().await;
        });
    }
}

struct Conversation {
    stream: UnixStream,
    front: Arc<Front>,
    supervisor: Arc<dyn Supervisor>,
}

impl Conversation {
    async fn run(&mut self) -> Result<(), frame::Error> {
        let asked = tokio::time::timeout(PATIENCE, self.question()).await;
        let request = asked.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
        let closing = match self.refusal(&request) {
            None => self.perform(request).await?,
            Some(why) => Reply::Refused(why),
        };
        self.send(&closing).await
    }

    async fn question(&mut self) -> Result<Request, frame::Error> {
        let mut field = [0; 4];
        self.stream.read_exact(&mut field).await?;
        let mut content = vec![0; frame::length(field)?];
        self.stream.read_exact(&mut content).await?;
        frame::decode(&content)
    }

    async fn send(&mut self, reply: &Reply) -> Result<(), frame::Error> {
        Ok(self.stream.write_all(&frame::encode(reply)?).await?)
    }

    /// Why the peer may not ask for this. Who may look, flush and drop mail is a setting, the first two do not concern root and
    /// whoever runs the system; the rest is for these alone.
    fn refusal(&self, request: &Request) -> Option<String> {
        let settings = &self.front.settings;
        let peer = self.stream.peer_cred().ok().map(|peer| peer.uid());
        let own = os::identity::Identity::current().uid;
        let is_ours = peer.is_some_and(|uid| uid == 0 || uid == own);
        let (list, what) = match request {
            Request::Status | Request::Pickup => return None,
            Request::Drop { .. } => (&settings.authorized_submit_users, "submit mail"),
            _ if is_ours => return None,
            Request::List => (&settings.authorized_mailq_users, "view the mail queue"),
            Request::Flush(_) => (&settings.authorized_flush_users, "flush the mail queue"),
            Request::Super(..)
            | Request::Reload
            | Request::Stop(_)
            | Request::Show(_)
            | Request::FlushAuthCache { .. } => {
                return Some("only root and the owner of the mail system may do that".to_owned());
            }
        };
        let uid = match peer {
            Some(uid) => uid,
            None => return Some(format!("User unknown(?) is not allowed to {what}")),
        };
        let name = NameList::stranger(list, uid)?;
        Some(format!("User {name}({uid}) is not allowed to {what}"))
    }

    async fn perform(&mut self, request: Request) -> Result<Reply, frame::Error> {
        match request {
            Request::Status => self.send(&Reply::Process(self.supervisor.process())).await?,
            Request::List => return self.list().await,
            Request::Flush(selection) => self.front.qmgr.flush(selection),
            Request::Super(action, selection, queues) => {
                return self.administer(action, selection, &queues).await;
            }
            // What is left then is taken in by and by.
            Request::Pickup => drop(pickup::run_once(&self.front).await),
            Request::Drop {
                envelope,
                asks,
                size_bytes,
            } => return self.drop(envelope, &asks, size_bytes).await,
            Request::Show(Section::Limits) => {
                let front = Arc::clone(&self.front);
                let parts = tokio::task::spawn_blocking(move || limits::shown(&front)).await;
                for part in parts.unwrap_or_default() {
                    let part = serde_json::to_value(part)?;
                    self.send(&Reply::Section(part)).await?;
                }
            }
            Request::FlushAuthCache { users } => {
                let count = self.front.auth.flush_cache(&users);
                self.send(&Reply::Count(count)).await?;
            }
            Request::Reload => {
                if let Err(why) = self.supervisor.reload() {
                    return Ok(Reply::Refused(why));
                }
            }
            Request::Stop(haste) => self.supervisor.stop(haste),
        }
        Ok(Reply::Done)
    }

    /// Takes a message into the maildrop for a user who may not write there, under the uid that the system says is theirs.
    async fn drop(&mut self, envelope: Vec<u8>, asks: &str, size_bytes: u64) -> Result<Reply, frame::Error> {
        let limit = self.front.settings.message_size_limit;
        if limit != 0 && size_bytes > limit {
            return Ok(Reply::Refused("message file too big".to_owned()));
        }
        let Ok((envelope, _)) = codec::decode_envelope(&envelope) else {
            return Ok(Reply::Refused("the envelope cannot be read".to_owned()));
        };
        if let Err(error) = envelope::maildrop::check(&envelope) {
            return Ok(Reply::Refused(error.to_string()));
        }
        let slip = Slip::asking(self.stream.peer_cred()?.uid(), asks);
        // The same open socket once more: until the content is read, nobody waits for it in the runtime.
        let stream = std::os::unix::net::UnixStream::from(self.stream.as_fd().try_clone_to_owned()?);
        stream.set_nonblocking(false)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let directory = self.front.settings.queue_directory.clone();
        let dropped = tokio::task::spawn_blocking(move || {
            let mut content = Exactly {
                stream,
                left: size_bytes,
            };
            let dropped = maildrop::drop_message(&directory, &World::real(), &envelope, slip, &mut content);
            // Without this the answer could keep a thread of the runtime waiting.
            let restored = content.stream.set_nonblocking(true);
            restored.map(|()| dropped)
        });
        let queue_id = match dropped.await {
            Ok(Ok(Ok(queue_id))) => queue_id,
            Ok(Err(error)) => return Err(error.into()),
            Ok(Ok(Err(error))) => {
                self.front.log.warning("postdrop", &error.to_string());
                return Ok(Reply::Refused("queue file write error".to_owned()));
            }
            Err(_) => return Ok(Reply::Refused("the message was not taken".to_owned())),
        };
        // It is on disk: whoever dropped it need not wait for more, but likes to see it in the queue.
        let acted = self.send(&Reply::Acted(vec![queue_id.to_string()])).await;
        pickup::take_one(&self.front, &queue_id).await;
        acted.map(|()| Reply::Done)
    }

    /// The list, read while it is sent: the thread that reads waits for the command that hears it.
    async fn list(&mut self) -> Result<Reply, frame::Error> {
        let spool = self.front.spool.clone();
        let (sender, mut frames) = mpsc::channel(LISTING_FRAMES);
        let listed = tokio::task::spawn_blocking(move || {
            let mut messages = queue::admin::listing(&spool, &World::real())?;
            loop {
                let part: Vec<_> = messages.by_ref().take(LISTING_MESSAGES).collect();
                let frame = serde_json::to_value(&part)
                    .map_err(frame::Error::from)
                    .and_then(|value| frame::encode(&Reply::Listing(value)));
                // Nobody hears it any more: the command went away.
                if part.is_empty() || sender.blocking_send(frame).is_err() {
                    return Ok(());
                }
            }
        });
        while let Some(frame) = frames.recv().await {
            self.stream.write_all(&frame?).await?;
        }
        Ok(match listed.await {
            Ok(Ok(())) => Reply::Done,
            Ok(Err(error)) => Reply::Refused(queue::Error::to_string(&error)),
            Err(_) => Reply::Refused("the listing was broken off".to_owned()),
        })
    }

    /// Does to messages what an administrator wants, some at a time.
    async fn administer(
        &mut self,
        action: Action,
        selection: Selection,
        queues: &[String],
    ) -> Result<Reply, frame::Error> {
        let ids = match selection {
            Selection::Ids(ids) => Some(ids.iter().filter_map(|id| QueueId::parse(id)).collect()),
            Selection::All => None,
            Selection::Site(_) => return Ok(Reply::Refused("that is not done to sites".to_owned())),
        };
        let meant = queue::admin::Selection {
            ids,
            queues: queues.iter().filter_map(|name| QueueName::parse(name)).collect(),
        };
        if meant.queues.len() < queues.len() {
            return Ok(Reply::Refused("there is no such queue".to_owned()));
        }
        let found = meant.of(&self.front.spool);
        for some in found.chunks(ADMINISTERED_MESSAGES) {
            let ids = some.iter().map(|(id, _)| id.to_string()).collect();
            let acted = self.front.qmgr.administer(action, Selection::Ids(ids)).await;
            self.send(&Reply::Acted(acted)).await?;
        }
        Ok(Reply::Done)
    }
}

/// A content that was announced with its size: less than that is an error, not the end.
struct Exactly {
    stream: std::os::unix::net::UnixStream,
    left: u64,
}

impl Read for Exactly {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let most = usize::try_from(self.left).unwrap_or(usize::MAX).min(bytes.len());
        if most == 0 {
            return Ok(0);
        }
        let count = self.stream.read(&mut bytes[..most])?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.left -= count as u64;
        Ok(count)
    }
}
