//! Faults that the simulated car has on purpose: which part, and when.
//!
//! A car that is trusted has been seen to stop when its parts fail. These make the parts fail, in the
//! tests and in front of a doubting driver: `sim.faults = "video-panic@3000, control-stall@6000"`.
//!
//! Promises: only words of [`FaultKind`]; times in milliseconds after the start, in order.
//! Knows nothing of: how a part fails.

use core::time::Duration;

use super::nearest::{did_you_mean, nearest};
use super::words::FaultKind;

/// Latest time of a fault. choice: ten minutes, longer than any test.
const LATEST: Duration = Duration::from_secs(600);

/// One fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SimFault {
    /// Which part fails, and how.
    pub kind: FaultKind,
    /// When, after the start.
    pub at: Duration,
}

/// Reads `KIND@MILLISECONDS`, several of them between commas; an empty text is none.
///
/// # Errors
/// What is wrong, in words.
pub fn parse(text: &str) -> Result<Vec<SimFault>, String> {
    let entries = text
        .split(',')
        .map(str::trim)
        .filter(|entry| !entry.is_empty());
    let mut faults = entries.map(one).collect::<Result<Vec<_>, _>>()?;
    faults.sort_by_key(|fault| fault.at);
    Ok(faults)
}

fn one(entry: &str) -> Result<SimFault, String> {
    let form = || format!("{entry:?} must be KIND@MILLISECONDS, as video-panic@3000");
    let (word, at) = entry.split_once('@').ok_or_else(form)?;
    let kind = FaultKind::from_word(word).ok_or_else(|| {
        let near = did_you_mean(nearest(word, FaultKind::WORDS.iter().copied()));
        format!(
            "{word:?} must be one of {}{near}",
            FaultKind::WORDS.join(", ")
        )
    })?;
    let at = at.parse().map(Duration::from_millis).map_err(|_| form())?;
    if at > LATEST {
        return Err(format!(
            "{entry:?} must be at most {} ms after the start",
            LATEST.as_millis()
        ));
    }
    Ok(SimFault { kind, at })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_are_read_and_put_in_order() {
        let faults = parse(" link-panic@200 ,video-panic@100,").expect("good");
        let seen: Vec<_> = faults
            .iter()
            .map(|fault| (fault.kind.word(), fault.at.as_millis()))
            .collect();
        assert_eq!(seen, [("video-panic", 100), ("link-panic", 200)]);
        assert_eq!(parse(""), Ok(Vec::new()));
    }

    #[test]
    fn what_is_wrong_is_said_with_what_is_allowed() {
        for (text, said) in [
            ("video-panik@1", "did you mean video-panic?"),
            ("video-panic", "KIND@MILLISECONDS"),
            ("video-panic@-1", "KIND@MILLISECONDS"),
            ("video-panic@600001", "at most 600000 ms"),
        ] {
            let err = parse(text).expect_err("bad");
            assert!(err.contains(said), "{text}: {err}");
        }
        assert!(parse("video-panic@600000").is_ok());
    }
}
