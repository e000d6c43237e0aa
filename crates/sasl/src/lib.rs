//! SASL mechanisms as step machines, and password schemes.
