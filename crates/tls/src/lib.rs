//! TLS configurations for both directions.
