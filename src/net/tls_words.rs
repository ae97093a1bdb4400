//! Why a certificate was refused, and what to do: each reason has its own remedy.
//!
//! ```text
//!   not valid yet ─▶ whose clock is wrong?     expired ─▶ renew it, or the clock is ahead     other name ─▶ which names it has
//!   unknown issuer ─▶ ca_file, pin_sha256      pinned another ─▶ as the verifier says
//! ```
//!
//! Sources: rustls `CertificateError`; RFC 5280 4.1.2.5 (validity).

use std::io;

use rustls::CertificateError;

use super::date::{self, Clock, HOW_TO_SET, day};

/// The words for an error of a handshake with this host.
pub(super) fn words(host: &str, err: &io::Error) -> String {
    let inner = err.get_ref().and_then(|inner| inner.downcast_ref());
    let Some(rustls::Error::InvalidCertificate(why)) = inner else {
        return format!("TLS with {host}: {err}");
    };
    format!("TLS with {host}: {}", refused(why, date::now_s()))
}

fn refused(why: &CertificateError, now_s: u64) -> String {
    let today = day(now_s);
    match why {
        CertificateError::NotValidYetContext { not_before, .. } => not_yet(
            &format!("only from {} on", day(not_before.as_secs())),
            now_s,
        ),
        CertificateError::NotValidYet => not_yet("not yet", now_s),
        CertificateError::ExpiredContext { not_after, .. } => {
            expired(&format!("only until {}", day(not_after.as_secs())), now_s)
        }
        CertificateError::Expired => expired("no longer", now_s),
        CertificateError::NotValidForNameContext {
            expected,
            presented,
        } => format!(
            "its certificate is not for {}, but for {}; write that name in spider.url, or give the Spider a certificate for \
             this one",
            expected.to_str(),
            if presented.is_empty() {
                "no name at all".to_owned()
            } else {
                presented.join(", ")
            }
        ),
        CertificateError::NotValidForName => {
            "its certificate is for another name; write that name in spider.url".to_owned()
        }
        CertificateError::UnknownIssuer => {
            "nobody whom this car trusts has signed its certificate (UnknownIssuer); for a \
             self-signed Spider set spider.ca_file or spider.pin_sha256"
                .to_owned()
        }
        other => format!("its certificate is refused: {other}; this car's date is {today}"),
    }
}

fn not_yet(when: &str, now_s: u64) -> String {
    let today = day(now_s);
    let who = match date::judge(now_s) {
        Clock::Behind => format!(
            "the car's clock is behind, for this program is from {}; {HOW_TO_SET}",
            day(date::built_s())
        ),
        Clock::Plausible | Clock::Ahead => {
            format!(
                "if that date is right, the Spider's certificate was made by a clock that is ahead; else {HOW_TO_SET}"
            )
        }
    };
    format!("its certificate is valid {when}, and this car's date is {today}: {who}")
}

fn expired(when: &str, now_s: u64) -> String {
    let today = day(now_s);
    let who = match date::judge(now_s) {
        Clock::Ahead => format!("the car's clock is ahead; {HOW_TO_SET}"),
        Clock::Plausible | Clock::Behind => {
            format!("renew the Spider's certificate; if the car's date is wrong, {HOW_TO_SET}")
        }
    };
    format!("its certificate is valid {when}, and this car's date is {today}: {who}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustls::pki_types::{ServerName, UnixTime};
    use std::time::Duration;

    const NOW_S: u64 = 1_900_000_000; // 2030-03-17

    fn at(seconds: u64) -> UnixTime {
        UnixTime::since_unix_epoch(Duration::from_secs(seconds))
    }

    #[test]
    fn a_clock_that_is_behind_is_named_with_its_date_and_no_authority_is_asked_for() {
        let behind = 1_000_000_000; // 2001-09-09
        let why = CertificateError::NotValidYetContext {
            time: at(behind),
            not_before: at(NOW_S),
        };
        let text = refused(&why, behind);
        for words in [
            "only from 2030-03-17 on",
            "this car's date is 2001-09-09",
            "clock is behind",
            "time server",
        ] {
            assert!(text.contains(words), "{words}: {text}");
        }
        assert!(
            !text.contains("self-signed") && !text.contains("ca_file"),
            "{text}"
        );
        let text = refused(&why, NOW_S - 100);
        assert!(text.contains("made by a clock that is ahead"), "{text}");
    }

    #[test]
    fn each_reason_has_its_own_remedy() {
        let why = CertificateError::ExpiredContext {
            time: at(NOW_S),
            not_after: at(1_800_000_000),
        };
        let text = refused(&why, NOW_S);
        assert!(
            text.contains("only until 2027-01-15") && text.contains("renew"),
            "{text}"
        );
        let text = refused(&why, 9_000_000_000);
        assert!(
            text.contains("2255-03-14") && text.contains("clock is ahead"),
            "{text}"
        );
        let why = CertificateError::NotValidForNameContext {
            expected: ServerName::try_from("10.0.0.2").unwrap(),
            presented: vec!["DnsName(\"spider.local\")".into()],
        };
        let text = refused(&why, NOW_S);
        assert!(
            text.contains("not for 10.0.0.2, but for") && text.contains("spider.local"),
            "{text}"
        );
        assert!(!text.contains("self-signed"), "{text}");
        let text = refused(&CertificateError::UnknownIssuer, NOW_S);
        assert!(
            text.contains("spider.ca_file or spider.pin_sha256"),
            "{text}"
        );
        let text = refused(&CertificateError::Revoked, NOW_S);
        assert!(
            !text.contains("self-signed") && text.contains("2030-03-17"),
            "{text}"
        );
    }
}
