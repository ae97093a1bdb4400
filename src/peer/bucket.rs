//! So many of something at once, and so many a second: a token bucket, for what others may ask of this computer.
//!
//! Invariants: pure, time is an argument; nothing allocates.

use std::time::Duration;

/// What is left of it, and since when.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bucket {
    at_once: u32,
    per_s: u32,
    left_millionths: u64,
    filled_at: Duration,
}

impl Bucket {
    /// So many a second, and as many at once.
    pub(crate) const fn of(per_s: u32) -> Self {
        Self::new(per_s, per_s)
    }

    /// So many at once, and so many more a second. It is full at first.
    pub(crate) const fn new(at_once: u32, per_s: u32) -> Self {
        Self {
            at_once,
            per_s,
            left_millionths: at_once as u64 * 1_000_000,
            filled_at: Duration::ZERO,
        }
    }

    /// Takes one, if there is one; `now` counts from anywhere, always the same.
    pub(crate) fn takes(&mut self, now: Duration) -> bool {
        self.left_millionths = self.left_at(now);
        self.filled_at = now;
        match self.left_millionths.checked_sub(1_000_000) {
            Some(left) => {
                self.left_millionths = left;
                true
            }
            None => false,
        }
    }

    /// Whether it is as if nobody had ever taken one.
    pub(crate) fn is_full(&self, now: Duration) -> bool {
        self.left_at(now) == self.full()
    }

    /// When somebody last asked for one.
    pub(crate) const fn asked_at(&self) -> Duration {
        self.filled_at
    }

    fn full(&self) -> u64 {
        u64::from(self.at_once) * 1_000_000
    }

    fn left_at(&self, now: Duration) -> u64 {
        let passed_us =
            u64::try_from(now.saturating_sub(self.filled_at).as_micros()).unwrap_or(u64::MAX);
        let more = passed_us.saturating_mul(u64::from(self.per_s));
        self.left_millionths.saturating_add(more).min(self.full())
    }
}
