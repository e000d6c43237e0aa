//! The durable log: checksummed records, group commit, generations, recovery, recycling.
