//! The role that starts the others and decides who becomes whom.
