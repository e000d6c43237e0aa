//! Accept, TLS, and pump bytes and deadlines for any protocol machine.
