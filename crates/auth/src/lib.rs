//! Who may log in, and who a user is: passdb and userdb chains.
