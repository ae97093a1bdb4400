//! What a software encoder that cannot keep up gives away: first size, then rate.
//!
//! A driver steers by the newest picture. An encoder that needs longer than a frame lasts makes every picture late, and
//! skipping frames makes the road jump; half the width and height cost a quarter of the time and still show the road.
//!
//! ```text
//!            a second's mean above 9/10 of a frame's time
//!   Full ──────────────────▶ Half ──────────────────▶ HalfRate
//!     ◀──────────────────────     ◀──────────────────────
//!            the mean so low that the next step would take under 7/10, for as long as `quiet`
//!
//!   quiet: 5 s at first; twice as long each time that a step up was taken back within 10 s, at most 5 minutes
//! ```
//!
//! Promises: one step a second at most; a step up is never taken that its forecast forbids; no oscillation faster than
//! `quiet`. Knows nothing of: pictures, encoders.
//! Sources: the figures in `hal::openh264` (time goes with the number of pixels).

use core::time::Duration;

use super::units::Uptime;

#[cfg(test)]
mod tests;

/// Over which time the mean is taken. choice: a lap's corner is longer; a burst of one IDR does not count.
const SPAN: Duration = Duration::from_secs(1);
/// choice: the last tenth is for everything else that a frame costs.
const TOO_SLOW_PERMILLE: u32 = 900;
/// choice: room for a scene that is harder than this one.
const ROOM_PERMILLE: u32 = 700;
/// spec: half the width and half the height are a quarter of the pixels.
const PIXELS_OF_HALF: u32 = 4;
/// choice: long enough that a step is seldom seen, short enough after a moment of load.
const QUIET: Duration = Duration::from_secs(5);
/// choice: a machine that is too slow by a little is tried twelve times an hour.
const LONGEST_QUIET: Duration = Duration::from_secs(300);
/// A step up that is taken back within this was a mistake. choice: twice the first quiet time.
const MISTAKE: Duration = Duration::from_secs(10);

/// What is coded of what the camera gives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rung {
    /// Everything.
    #[default]
    Full,
    /// Half the width, half the height.
    Half,
    /// The same, every second frame.
    HalfRate,
}

impl Rung {
    /// The number on the wire (`video.rung`).
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Full => 0,
            Self::Half => 1,
            Self::HalfRate => 2,
        }
    }

    /// In words, for the log.
    #[must_use]
    pub const fn says(self) -> &'static str {
        match self {
            Self::Full => "full size and rate",
            Self::Half => "half the size",
            Self::HalfRate => "half the size and half the rate",
        }
    }

    const fn down(self) -> Option<Self> {
        match self {
            Self::Full => Some(Self::Half),
            Self::Half => Some(Self::HalfRate),
            Self::HalfRate => None,
        }
    }

    const fn up(self) -> Option<Self> {
        match self {
            Self::Full => None,
            Self::Half => Some(Self::Full),
            Self::HalfRate => Some(Self::Half),
        }
    }
}

/// Watches what frames cost, and says when to change.
#[derive(Clone, Debug)]
pub struct Ladder {
    /// Time from one camera frame to the next.
    period: Duration,
    rung: Rung,
    spent: Duration,
    frames: u32,
    since: Option<Uptime>,
    /// Since when a step up would be right.
    room_since: Option<Uptime>,
    rose_at: Option<Uptime>,
    quiet: Duration,
}

impl Ladder {
    /// At the top, for a camera with so much time between frames.
    #[must_use]
    pub const fn new(period: Duration) -> Self {
        Self {
            period,
            rung: Rung::Full,
            spent: Duration::ZERO,
            frames: 0,
            since: None,
            room_since: None,
            rose_at: None,
            quiet: QUIET,
        }
    }

    /// Where it stands.
    #[must_use]
    pub const fn rung(&self) -> Rung {
        self.rung
    }

    /// A frame took so long to encode. The new rung, if that is a reason to change.
    pub fn coded(&mut self, now: Uptime, spent: Duration) -> Option<Rung> {
        self.spent = self.spent.saturating_add(spent);
        self.frames = self.frames.saturating_add(1);
        let since = *self.since.get_or_insert(now);
        if now.since(since) < SPAN {
            return None;
        }
        let mean = self.spent / self.frames.max(1);
        (self.spent, self.frames, self.since) = (Duration::ZERO, 0, Some(now));
        let rung = self.decide(now, mean)?;
        (self.rung, self.room_since) = (rung, None);
        Some(rung)
    }

    fn decide(&mut self, now: Uptime, mean: Duration) -> Option<Rung> {
        if is_above(mean, self.budget(self.rung), TOO_SLOW_PERMILLE) {
            self.room_since = None;
            let down = self.rung.down()?;
            let was_mistake = self
                .rose_at
                .take()
                .is_some_and(|at| now.since(at) <= MISTAKE);
            if was_mistake {
                self.quiet = (self.quiet * 2).min(LONGEST_QUIET);
            }
            return Some(down);
        }
        let up = self.rung.up()?;
        let forecast = match up {
            Rung::Full => mean.saturating_mul(PIXELS_OF_HALF),
            Rung::Half | Rung::HalfRate => mean,
        };
        if is_above(forecast, self.budget(up), ROOM_PERMILLE) {
            self.room_since = None;
            return None;
        }
        let room_since = *self.room_since.get_or_insert(now);
        if now.since(room_since) < self.quiet {
            return None;
        }
        if self.rose_at.is_some_and(|at| now.since(at) > MISTAKE) {
            self.quiet = QUIET; // the last step up held
        }
        self.rose_at = Some(now);
        Some(up)
    }

    /// The time that one coded frame has.
    fn budget(&self, rung: Rung) -> Duration {
        match rung {
            Rung::Full | Rung::Half => self.period,
            Rung::HalfRate => self.period * 2,
        }
    }
}

fn is_above(time: Duration, budget: Duration, permille: u32) -> bool {
    time.saturating_mul(1000) > budget.saturating_mul(permille)
}
