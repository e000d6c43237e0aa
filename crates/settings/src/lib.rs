//! The one table of parameters and the typed settings made from it.
