//! Everything done to a message between arrival and the queue.
