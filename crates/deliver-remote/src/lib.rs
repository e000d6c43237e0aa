//! Delivery to other hosts by SMTP.
