//! What the other services ask tables: cleanup, the queue manager, deliveries; as scenarios.
