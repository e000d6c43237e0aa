//! `local_header_rewrite_clients`: whose headers are completed with `myorigin`, as those of local users are.

use std::net::IpAddr;

use settings::{Postfix, TableRef};
use tables::{Error, Tables, Tell};

use crate::Refusal;

/// The parameter.
pub const PARAMETER: &str = "local_header_rewrite_clients";

/// The list of one service.
#[derive(Default)]
pub struct RewriteClients(Vec<Entry>);

enum Entry {
    OwnAddresses,
    Networks,
    LoggedIn,
    TrustedCertificate,
    ListedCertificate,
    Table(Tables),
}

/// What is known of a client.
#[derive(Debug, Clone, Copy)]
pub struct Known {
    /// Its address.
    pub address: IpAddr,
    /// It is one of this host's.
    pub is_own: bool,
    /// It has logged in.
    pub is_logged_in: bool,
    /// It has shown a certificate that a trusted authority signed.
    pub has_trusted_certificate: bool,
}

/// What is asked of a client only where the list has the word for it: tables may have to be looked into.
pub struct Questions<'a> {
    /// Is it in `mynetworks`?
    pub is_in_networks: &'a dyn Fn() -> bool,
    /// Is its certificate in `relay_clientcerts`?
    pub is_listed: &'a dyn Fn() -> Result<bool, Refusal>,
}

/// What a word is.
enum Word<'a> {
    Entry(Entry),
    /// A table; the word in front of it says nothing more.
    Table(&'a str),
    /// The word in front of a table.
    Of,
    Unknown,
}

fn meaning(word: &str) -> Word<'_> {
    match word.to_ascii_lowercase().as_str() {
        "permit_inet_interfaces" => Word::Entry(Entry::OwnAddresses),
        "permit_mynetworks" => Word::Entry(Entry::Networks),
        "permit_sasl_authenticated" => Word::Entry(Entry::LoggedIn),
        "permit_tls_all_clientcerts" => Word::Entry(Entry::TrustedCertificate),
        "permit_tls_clientcerts" => Word::Entry(Entry::ListedCertificate),
        "check_address_map" => Word::Of,
        _ if word.contains(':') => Word::Table(word),
        _ => Word::Unknown,
    }
}

/// The words of a list that mean nothing.
pub fn unknown(words: &[String]) -> Vec<&str> {
    let mut words: Vec<&str> = words.iter().map(String::as_str).collect();
    words.retain(|word| matches!(meaning(word), Word::Unknown));
    words
}

/// The tables of a list.
pub fn tables_of(words: &[String]) -> impl Iterator<Item = TableRef> {
    words.iter().filter_map(|word| match meaning(word) {
        Word::Table(name) => name.parse().ok(),
        _ => None,
    })
}

impl RewriteClients {
    /// The list of `settings`, and what is wrong with its tables; `tell` hears the warnings of tables.
    pub fn open(settings: &Postfix, tell: &Tell) -> (RewriteClients, Vec<Error>) {
        let mut problems = Vec::new();
        let entries = settings.local_header_rewrite_clients.iter();
        let entries = entries.filter_map(|word| match meaning(word) {
            Word::Entry(entry) => Some(entry),
            Word::Table(name) => {
                let reference: TableRef = name.parse().ok()?;
                let (mut tables, found) = Tables::open(&[reference]);
                problems.extend(found);
                tables.tell_warnings(tell);
                Some(Entry::Table(tables))
            }
            Word::Of | Word::Unknown => None,
        });
        let list = RewriteClients(entries.collect());
        (list, problems)
    }

    /// Whether the client is in the list. A table is asked for its address as it is, and for no network.
    ///
    /// # Errors
    /// What the client reads when a table cannot be asked: mail waits, for nobody knows what its addresses mean.
    pub fn has(&self, client: &Known, questions: &Questions<'_>) -> Result<bool, Refusal> {
        for entry in &self.0 {
            let matches = match entry {
                Entry::OwnAddresses => client.is_own,
                Entry::Networks => (questions.is_in_networks)(),
                Entry::LoggedIn => client.is_logged_in,
                Entry::TrustedCertificate => client.has_trusted_certificate,
                Entry::ListedCertificate => (questions.is_listed)()?,
                Entry::Table(table) => {
                    let found = table.lookup(&client.address.to_canonical().to_string());
                    found.map_err(|error| unanswered(&error))?.is_some()
                }
            };
            if matches {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

fn unanswered(error: &Error) -> Refusal {
    if error.is_empty_result() {
        return crate::misconfigured();
    }
    not_now()
}

/// What a client reads when a list cannot be asked now.
pub fn not_now() -> Refusal {
    let status = envelope::StatusCode::temporary(3, 0);
    Refusal::new(451, status, "Temporary lookup error".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use settings::Surroundings;
    use std::sync::Arc;

    fn has(words: &str, address: &str) -> Result<bool, String> {
        let mut settings = Postfix::defaults(&Surroundings::default());
        settings.local_header_rewrite_clients = settings::kinds::words(words);
        let tell: Tell = Arc::new(|_: &str| {});
        let client = Known {
            address: address.parse().expect("an address"),
            is_own: address == "192.0.2.1",
            is_logged_in: address == "192.0.2.9",
            has_trusted_certificate: address == "192.0.2.10",
        };
        let list = RewriteClients::open(&settings, &tell).0;
        let questions = Questions {
            is_in_networks: &|| false,
            is_listed: &|| Ok(address == "192.0.2.11"),
        };
        list.has(&client, &questions)
            .map_err(|refusal| refusal.to_string())
    }

    #[test]
    fn clients_are_found_by_what_they_are_and_in_tables() {
        let list = "permit_inet_interfaces, check_address_map inline:{192.0.2.2=x}, cidr:{{192.0.3.0/24 x}}, \
                    permit_sasl_authenticated, permit_tls_clientcerts, permit_tls_all_clientcerts, nonsense";
        for (address, is_in) in [
            ("192.0.2.1", true),
            ("192.0.2.2", true),
            ("192.0.3.4", true),
            ("192.0.2.9", true),
            ("192.0.2.10", true),
            ("192.0.2.11", true),
            ("192.0.2.3", false),
        ] {
            assert_eq!(has(list, address), Ok(is_in), "{address}");
        }
        let words = settings::kinds::words(list);
        assert_eq!(unknown(&words), ["nonsense"]);
        assert_eq!(tables_of(&words).count(), 2);
    }

    #[test]
    fn a_table_that_does_not_answer_puts_mail_off() {
        assert_eq!(
            has("fail:x", "192.0.2.3"),
            Err("451 4.3.0 Temporary lookup error".to_owned())
        );
        assert_eq!(
            has("check_address_map inline:{192.0.2.3=}", "192.0.2.3"),
            Err("451 4.3.5 Server configuration error".to_owned())
        );
    }
}
