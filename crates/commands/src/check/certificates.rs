//! Certificates: whether they can be read, fit their keys, and are valid today.

use config::Loaded;
use master::certificates::{Certificates, Keys};

use super::Finding;

/// A certificate that ends sooner is told.
const SOON_SECS: i64 = 14 * 86_400;

/// What is wrong with the certificates of `loaded` at `now`, in seconds since 1970.
pub(super) fn of(loaded: &Loaded, now: i64) -> Vec<Finding> {
    let keys = match Keys::read(loaded) {
        Ok(keys) => keys,
        Err(error) if os::is_root() => return vec![Finding::error(os::with_causes(error.as_ref()))],
        // Another user may not read the keys, which is as it should be.
        Err(error) => {
            return vec![Finding::note(format!(
                "{}: certificates were not checked",
                os::with_causes(error.as_ref())
            ))];
        }
    };
    let mut findings = Vec::new();
    if let Err(error) = Certificates::of(&keys) {
        findings.push(Finding::error(os::with_causes(error.as_ref())));
    }
    let validities = match keys.validities() {
        Ok(validities) => validities,
        Err(error) => {
            findings.push(Finding::error(os::with_causes(error.as_ref())));
            return findings;
        }
    };
    let mut told = Vec::new();
    for (service, validity) in validities {
        if told.contains(&validity.from) {
            continue;
        }
        let place = format!("{service}: certificate {}", validity.from);
        let day = |stamp| {
            jiff::Timestamp::from_second(stamp).map_or_else(|_| "?".to_owned(), |day| day.to_string())
        };
        if validity.begins > now {
            findings.push(Finding::warning(format!(
                "{place}: it is not valid before {}",
                day(validity.begins)
            )));
        } else if validity.ends < now {
            let text = format!("{place}: it has expired on {}: get a new one", day(validity.ends));
            findings.push(Finding::error(text));
        } else if validity.ends - now < SOON_SECS {
            let text = format!("{place}: it expires on {}: get a new one", day(validity.ends));
            findings.push(Finding::warning(text));
        } else {
            continue;
        }
        told.push(validity.from);
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn certificates_are_told_before_and_after_their_end() {
        let dir = tempfile::tempdir().expect("a directory");
        tls::self_signed::ensure(dir.path(), &[]).expect("made");
        let place = dir.path().display();
        let main = format!(
            "smtpd_tls_security_level = may\nsmtpd_tls_cert_file = {place}/cert.pem\nsmtpd_tls_key_file = {place}/key.pem\n"
        );
        std::fs::write(dir.path().join("main.cf"), main).expect("written");
        let rows = "smtp inet n - n - - smtpd\nsubmission inet n - n - - smtpd\n";
        std::fs::write(dir.path().join("master.cf"), rows).expect("written");
        let loaded = config::load(dir.path(), &config::Options::default());
        let now = jiff::Timestamp::now().as_second();
        let told = |at| {
            of(&loaded, at)
                .into_iter()
                .map(|finding| finding.text)
                .collect::<Vec<_>>()
        };
        assert_eq!(told(now), [""; 0]);
        let ends = now + i64::try_from(tls::self_signed::VALID_DAYS).expect("small") * 86_400;
        assert!(told(ends - 3 * 86_400)[0].contains("it expires on "));
        let late = told(ends + 3 * 86_400);
        assert!(
            late.len() == 1 && late[0].contains("it has expired on "),
            "{late:?}"
        );
        std::fs::write(dir.path().join("cert.pem"), "nothing").expect("written");
        assert!(told(now)[0].contains("cert.pem"), "{:?}", told(now));
    }
}
