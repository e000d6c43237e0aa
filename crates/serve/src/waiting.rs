//! What may wait for somebody else on a thread of the runtime: the other conversations go on meanwhile, on another thread.

use tokio::runtime::{Handle, RuntimeFlavor};

/// Does `work`, which may block. Other tasks are moved off this thread first, where it has any.
pub fn step_aside(work: &mut dyn FnMut()) {
    let has_others =
        Handle::try_current().is_ok_and(|handle| handle.runtime_flavor() == RuntimeFlavor::MultiThread);
    match has_others {
        true => tokio::task::block_in_place(work),
        false => work(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    /// One thread, whose work waits for what another task of that thread does.
    #[test]
    fn others_go_on() {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .build()
            .unwrap();
        let (sender, receiver) = mpsc::channel();
        let waiting = runtime.spawn(async move {
            tokio::spawn(async move { sender.send("on") });
            let mut heard = None;
            step_aside(&mut || heard = receiver.recv_timeout(std::time::Duration::from_secs(60)).ok());
            heard
        });
        assert_eq!(runtime.block_on(waiting).unwrap(), Some("on"));
    }

    #[test]
    fn it_is_done_where_there_are_no_others() {
        let mut done = 0;
        step_aside(&mut || done += 1);
        let alone = tokio::runtime::Builder::new_current_thread().build().unwrap();
        alone.block_on(async { step_aside(&mut || done += 1) });
        assert_eq!(done, 2);
    }
}
