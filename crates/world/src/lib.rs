//! Clock, randomness and disk as narrow traits, each real and simulated.
