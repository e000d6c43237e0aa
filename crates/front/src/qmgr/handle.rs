//! How the rest of the front talks to the queue's driver.

use std::sync::Arc;

use envelope::QueueId;
use ipc::control::{Action, Selection};
use tokio::sync::{mpsc, oneshot};

use super::{Driver, Order};
use crate::Front;
use crate::agency::Agency;

/// The driver's ear. Everything said to it is taken in order.
#[derive(Clone)]
pub struct Handle {
    orders: mpsc::UnboundedSender<Order>,
}

/// A handle and the driver that listens to it, not yet running.
pub fn new() -> (Handle, Driver) {
    let (sender, orders) = mpsc::unbounded_channel();
    (
        Handle {
            orders: sender.clone(),
        },
        Driver { orders, sender },
    )
}

impl Handle {
    /// The driver is gone only while the process ends; then nothing it is told matters.
    fn say(&self, order: Order) {
        let _ = self.orders.send(order);
    }

    /// A message was committed to the queue.
    pub fn arrived(&self, id: &QueueId) {
        self.say(Order::Arrived(id.clone()));
    }

    /// A message was committed to the hold queue.
    pub fn held(&self, id: &QueueId) {
        self.say(Order::Held(id.clone()));
    }

    /// Deferred mail is to be tried now.
    pub fn flush(&self, selection: Selection) {
        self.say(Order::Flush(selection));
    }

    /// A role that was gone is back: what was put off because of that is to be tried now.
    pub fn role_is_back(&self) {
        self.say(Order::RoleIsBack);
    }

    /// Does what an administrator wants; returns the ids of the messages that were acted on.
    pub async fn administer(&self, action: Action, selection: Selection) -> Vec<String> {
        let (answer, acted) = oneshot::channel();
        self.say(Order::Administer(action, selection, answer));
        acted.await.unwrap_or_default()
    }

    /// From the next attempt on, this configuration holds.
    pub fn reconfigure(&self, front: Arc<Front>, agency: Arc<dyn Agency>) {
        self.say(Order::Reconfigure(front, agency));
    }

    /// Starts no attempt any more and waits until none is under way.
    pub async fn quiesce(&self) {
        let (sender, done) = oneshot::channel();
        self.say(Order::Quiesce(sender));
        let _ = done.await;
    }
}
