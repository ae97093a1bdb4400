//! How long to wait before trying again: exponential, with full jitter, from a random number that is handed in.
//!
//! After a power cut a whole race comes back in the same second. Full jitter (anything between nothing and the ceiling)
//! spreads it best; the first try is soon, for most breaks are short.
//!
//! ```text
//!   attempt    0      1      2      3      4      5      6 …
//!   ceiling  250 ms  500 ms  1 s    2 s    4 s    8 s   15 s        delay = random part of it
//! ```
//!
//! A link that comes up and falls again at once must not count as good, else it is tried four times a second for ever: so
//! the count goes back only after a link that lasted.
//!
//! Some tries count for nothing, and the next one is soon ([`SOON`]): else a car would wait up to 15 s more for what is there
//! already.
//!
//! ```text
//!   near      it never left the car: no network yet, or no name                it hurts nobody
//!   busy      the server said that there is no place now                       it is free at any moment
//!   refused   without a word, soon after a link was up                         most likely the car's own ghost
//! ```
//!
//! A ghost is the old session of a car that came back with another address: the server hears of its end from nobody, and
//! refuses the car until it has given the old one up.
//!
//! A device of the car's own ([`Reopening`]) has nobody to share with, so its delays have no jitter: 0.5, 1, 2, 4 ... 30 s,
//! and again 0.5 s after it has worked for [`WELL`]. A driver that is sick stays sick, and every opening costs it something:
//! `bcm2835-codec` ended in a kernel oops after some 129 of them (raspberrypi/linux#7163). At 30 s that takes an hour.
//!
//! Promises: a delay is never above its ceiling; no panic, no clock, no random source of its own.
//! Knows nothing of: what is tried.
//! Sources: "Exponential Backoff And Jitter", AWS Architecture Blog, 2015 (full jitter); PROTOCOL.md 5.2 q 7.

use core::time::Duration;

use super::units::Uptime;

#[cfg(test)]
mod tests;

/// Ceiling of the first delay.
///
/// spec: "first retry within 250 ms".
const FIRST: Duration = Duration::from_millis(250);

/// Ceiling of all delays.
///
/// spec: "cap 15 s".
const LONGEST: Duration = Duration::from_secs(15);

/// Ceiling of the delay after a try that counts for nothing; the delay is at least half of it.
///
/// choice: nobody waits for it longer than for the Wi-Fi itself; a try costs some milliseconds of one core.
pub const SOON: Duration = Duration::from_secs(1);

/// How long after a link a refusal is taken for the car's own ghost.
///
/// measured: a local Spider gives a peer up after 10 s (findings-link.md L13), others after 30 s at most (RFC 7675 5.1: consent
/// expires); choice: twice that.
const GHOST: Duration = Duration::from_secs(60);

/// How long a link has to last to count as good.
///
/// choice: twice the time in which a refused publisher notices (no answer in 10 s is the longest refusal).
const GOOD: Duration = Duration::from_secs(20);

/// How a try, or a link, ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Setback {
    /// It never left this machine.
    Near,
    /// The server has no place now, and said so.
    Busy,
    /// The server dropped us without a word.
    Refused,
    /// Anything else.
    Failed,
}

/// Counts attempts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Backoff {
    attempt: u32,
    up_since: Option<Uptime>,
    /// When there last was a link.
    seen_at: Option<Uptime>,
}

impl Backoff {
    /// Nothing tried yet.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            attempt: 0,
            up_since: None,
            seen_at: None,
        }
    }

    /// Attempts since the last good link.
    #[must_use]
    pub const fn attempt(&self) -> u32 {
        self.attempt
    }

    /// The link came up.
    pub fn link_up(&mut self, now: Uptime) {
        self.up_since = self.up_since.or(Some(now));
    }

    /// This machine is on another network now: what failed on the last one says nothing.
    pub fn network_changed(&mut self) {
        self.attempt = 0;
    }

    /// The link, or the try, is over: how long to wait before the next. `random` is any random number.
    pub fn next_delay(&mut self, now: Uptime, setback: Setback, random: u32) -> Duration {
        if let Some(since) = self.up_since.take() {
            self.seen_at = Some(now);
            if now.since(since) >= GOOD {
                self.attempt = 0;
            }
        }
        let is_free = match setback {
            Setback::Near | Setback::Busy => true,
            Setback::Refused => self.seen_at.is_some_and(|at| now.since(at) < GHOST),
            Setback::Failed => false,
        };
        if is_free {
            let half = SOON / 2;
            return half + part(half, random);
        }
        let ceiling = self.ceiling();
        self.attempt = self.attempt.saturating_add(1);
        part(ceiling, random)
    }

    fn ceiling(&self) -> Duration {
        let factor = 1_u32.checked_shl(self.attempt).unwrap_or(u32::MAX);
        FIRST.saturating_mul(factor).min(LONGEST)
    }
}

/// The random part of a span.
fn part(of: Duration, random: u32) -> Duration {
    let micros = u64::try_from(of.as_micros()).unwrap_or(u64::MAX);
    // micros < 2^24, so the product stays below 2^56
    Duration::from_micros(micros.saturating_mul(u64::from(random)) >> 32)
}

/// Wait after the first failure of a device. choice: a moment's failure costs half a second.
const AT_ONCE: Duration = Duration::from_millis(500);

/// Longest wait between two openings of a device. choice: 120 openings an hour.
const RARELY: Duration = Duration::from_secs(30);

/// Longest wait while the device is not there at all. choice: looking for it opens nothing that is sick, and a camera that
/// is plugged in again is wanted at once.
pub const ABSENT: Duration = Duration::from_secs(2);

/// How long a device has to work to count as well. choice: as long as the longest wait, so that a device that fails again and
/// again is opened at most every half minute on average.
pub const WELL: Duration = Duration::from_secs(30);

/// Spaces the openings of a device, or the starts of a part, that fails.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reopening {
    failures: u32,
    works_since: Option<Uptime>,
}

impl Reopening {
    /// Nothing has failed yet.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            failures: 0,
            works_since: None,
        }
    }

    /// It works now.
    pub fn works(&mut self, now: Uptime) {
        self.works_since = self.works_since.or(Some(now));
    }

    /// It failed: how long to wait before it is opened again.
    pub fn failed(&mut self, now: Uptime) -> Duration {
        let was_well = |since: Uptime| now.since(since) >= WELL;
        if self.works_since.take().is_some_and(was_well) {
            self.failures = 0;
        }
        let factor = 1_u32.checked_shl(self.failures).unwrap_or(u32::MAX);
        self.failures = self.failures.saturating_add(1);
        AT_ONCE.saturating_mul(factor).min(RARELY)
    }
}
