//! Tells the driver which attempts wait for a host that says nothing, so that they do not hold up others.

use std::time::Duration;

use queue::scheduler::{AttemptId, Contact};
use tokio::sync::{Notify, mpsc};

use super::Order;

/// How long a host may be silent before that is noticed: most greet sooner, wherever they are.
const PATIENCE: Duration = Duration::from_millis(500);

/// Whether a host has said its first word.
#[derive(Default)]
pub(super) struct Greeting(Notify);

impl Greeting {
    /// It has.
    pub(super) fn came(&self) {
        self.0.notify_one();
    }
}

/// What an attempt tells of its host.
pub(super) struct Seeking {
    pub(super) attempt: AttemptId,
    pub(super) driver: mpsc::UnboundedSender<Order>,
}

impl Seeking {
    /// Waits for a delivery.
    pub(super) async fn watch<T>(&self, Greeting(came): &Greeting, delivery: impl Future<Output = T>) -> T {
        let mut delivery = std::pin::pin!(delivery);
        tokio::select! {
            biased;
            done = &mut delivery => return done,
            () = came.notified() => return delivery.await,
            () = tokio::time::sleep(PATIENCE) => self.tell(Contact::Sought),
        }
        tokio::select! {
            biased;
            done = &mut delivery => return done,
            () = came.notified() => self.tell(Contact::Made),
        }
        delivery.await
    }

    fn tell(&self, contact: Contact) {
        // The driver is gone only when everything is.
        let _ = self.driver.send(Order::Contact(self.attempt, contact));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the driver is told of a delivery in which the host speaks after so long, and which takes so long.
    async fn told(greets_after: Option<Duration>, takes: Duration) -> Vec<Contact> {
        let (driver, mut orders) = mpsc::unbounded_channel();
        let seeking = Seeking {
            attempt: AttemptId(1),
            driver,
        };
        let greeting = Greeting::default();
        let delivery = async {
            if let Some(after) = greets_after {
                tokio::time::sleep(after).await;
                greeting.came();
            }
            tokio::time::sleep(takes).await;
        };
        seeking.watch(&greeting, delivery).await;
        drop(seeking);
        let mut told = Vec::new();
        while let Some(Order::Contact(_, contact)) = orders.recv().await {
            told.push(contact);
        }
        told
    }

    #[tokio::test(start_paused = true)]
    async fn only_long_silence_is_told() {
        let second = Duration::from_secs(1);
        assert_eq!(told(Some(Duration::ZERO), second).await, []);
        assert_eq!(told(None, second / 10).await, []);
        assert_eq!(told(None, second).await, [Contact::Sought]);
        assert_eq!(told(Some(second), second).await, [Contact::Sought, Contact::Made]);
    }
}
