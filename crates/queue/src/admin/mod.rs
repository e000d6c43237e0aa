//! What `mailq`, `postqueue`, `postsuper` and `postcat` show and do.
