//! What is wrong with a part right now, told once and not every time it is tried again.
//!
//! ```text
//!   fine ──is_here──▶ known ──is_here, same reason──▶ counted, told again once a minute
//!     ▲                 │ ──is_here, other reason──▶ told
//!     └──── is_over ────┘  told, with how long it lasted
//! ```
//!
//! Promises: a camera that is missing for a week makes a line a minute, not two a second.
//! Knows nothing of: what the part is.

use std::time::Duration;

use crate::logic::units::Uptime;

/// choice: often enough that the end of a log shows it, seldom enough that a full journal still goes back for days.
const REMIND: Duration = Duration::from_secs(60);

/// What is done about a part that failed. See `logic::backoff::Reopening`.
pub const AGAIN: &str = "it is opened again, soon at first, then every 30 s";

/// The trouble of one part.
#[derive(Debug)]
pub struct Trouble {
    part: &'static str,
    why: String,
    since: Option<Uptime>,
    told_at: Uptime,
    times: u32,
}

impl Trouble {
    /// None so far.
    #[must_use]
    pub const fn new(part: &'static str) -> Self {
        Self {
            part,
            why: String::new(),
            since: None,
            told_at: Uptime::ZERO,
            times: 0,
        }
    }

    /// Whether there is any.
    #[must_use]
    pub const fn is_known(&self) -> bool {
        self.since.is_some()
    }

    /// The reason and since when.
    #[must_use]
    pub fn text(&self) -> Option<(&str, Uptime)> {
        self.since.map(|since| (self.why.as_str(), since))
    }

    /// It failed, for this reason; `then` says what is done about it.
    pub fn is_here(&mut self, now: Uptime, why: &str, then: &str) {
        let is_news = self.since.is_none() || self.why != why;
        self.since.get_or_insert(now);
        self.times = self.times.saturating_add(1);
        if is_news {
            self.why.clear();
            self.why.push_str(why);
        }
        if is_news || now.since(self.told_at) >= REMIND {
            self.told_at = now;
            let (part, times) = (self.part, self.times);
            tracing::error!(
                part,
                times,
                "{why}; {then}, and the car is stopped meanwhile"
            );
        }
    }

    /// It works again.
    pub fn is_over(&mut self, now: Uptime) {
        let Some(since) = self.since.take() else {
            return;
        };
        let (part, times, ms) = (self.part, self.times, now.since(since).as_millis());
        tracing::info!(part, times, ms, "works again");
        (self.times, self.told_at) = (0, Uptime::ZERO);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at_s(s: u64) -> Uptime {
        Uptime::from_micros(s * 1_000_000)
    }

    #[test]
    fn the_newest_reason_counts_and_time_runs_from_the_first() {
        let mut trouble = Trouble::new("camera");
        assert_eq!(trouble.text(), None);
        trouble.is_here(at_s(1), "no such device", AGAIN);
        trouble.is_here(at_s(2), "busy", AGAIN);
        assert_eq!(trouble.text(), Some(("busy", at_s(1))));
        trouble.is_over(at_s(3));
        assert!(!trouble.is_known());
        trouble.is_here(at_s(9), "busy", AGAIN);
        assert_eq!(trouble.text(), Some(("busy", at_s(9))));
    }

    #[test]
    fn the_same_reason_is_told_once_a_minute() {
        let mut trouble = Trouble::new("camera");
        let mut told = 0;
        let mut last = Uptime::ZERO;
        for s in 1..=180 {
            trouble.is_here(at_s(s), "no such device", AGAIN);
            told += u32::from(trouble.told_at != last);
            last = trouble.told_at;
        }
        assert_eq!(told, 3);
        assert_eq!(trouble.times, 180);
    }
}
