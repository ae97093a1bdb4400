//! When the car passed the start line: from the edges of one or two sensor pins to one pass each time.
//!
//! A reed switch bounces for a millisecond, and a line sensor flickers at the edge of the tape; the old car told each
//! flicker as a lap. Here a level counts only when it has held for `debounce`, and what is told is the *last instant over
//! the mark*, which no waiting falsifies: it is the time of an edge, taken by the kernel.
//!
//! ```text
//!   pin      ____|‾|_|‾‾‾‾‾‾‾‾‾‾‾|_|‾|____________
//!                    ├debounce┤      ├debounce┤
//!   counts   _________________|‾‾‾‾‾‾‾‾‾‾‾‾‾‾‾|___
//!                                    ▲        ▲
//!                            Pass::at        told
//!   two pins: over the mark while any, or all, of them count as over it
//! ```
//!
//! An edge may come twice with the same level: where a pulse was shorter than the kernel's interrupt thread, it reports the
//! level that it found after it. Then the level has held since the second one at best, and the time begins anew.
//!
//! Promises: no pass without a level that held on both sides; none twice; none closer to the last one than `minimum`.
//! Knows nothing of: chips, polarity, queues. The caller hands over each pin's edges in order, and calls `advance` only with
//! a time up to which it has handed over all of them.
//! Sources: PROTOCOL.md 4.5 (told when the mark is left, with the last instant over it), 6 (defects 30 and 31);
//! kernel: drivers/gpio/gpiolib-cdev.c, `edge_irq_thread` (same level twice).

use core::time::Duration;

use super::units::Uptime;

mod epoch;
#[cfg(test)]
mod tests;

pub use epoch::LapEpoch;

/// Which pins there are, and how they make one sensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pins {
    /// One pin.
    One,
    /// Two pins; over the mark while either is.
    Any,
    /// Two pins; over the mark while both are.
    All,
}

/// A pin of the sensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pin {
    /// The only one, or the left one.
    First,
    /// The right one.
    Second,
}

/// How passes are told apart from bounce.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LapConfig {
    /// Which pins there are.
    pub pins: Pins,
    /// A level counts when it has held for this long.
    pub debounce: Duration,
    /// A pass that comes sooner after the last one is not told.
    pub minimum: Duration,
}

/// The car passed the line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pass {
    /// The last instant over the mark.
    pub at: Uptime,
    /// Passes since the start, this one included; wraps.
    pub count: u32,
    /// Time since the pass before; `None` for the first.
    pub lap: Option<Duration>,
}

/// One pin's level: as it is, and as it counts.
#[derive(Clone, Copy, Debug)]
struct Level {
    is_over: bool,
    since: Uptime,
    counts: bool,
}

impl Level {
    const fn new(is_over: bool, since: Uptime) -> Self {
        Self {
            is_over,
            since,
            counts: false,
        }
    }

    /// When the level will count, if it does not yet.
    fn due_at(&self, debounce: Duration) -> Option<Uptime> {
        (self.is_over != self.counts).then(|| self.since.after(debounce))
    }
}

/// Turns edges into passes.
#[derive(Clone, Debug)]
pub struct LapDetector {
    config: LapConfig,
    first: Level,
    second: Level,
    is_over: bool,
    passed_at: Option<Uptime>,
    count: u32,
    early: u32,
}

impl LapDetector {
    /// A detector that starts with these levels; `true` is over the mark. A car that stands on the line passes it when it
    /// leaves.
    #[must_use]
    pub const fn new(config: LapConfig, now: Uptime, levels: [bool; 2]) -> Self {
        let [first, second] = levels;
        Self {
            config,
            first: Level::new(first, now),
            second: Level::new(second, now),
            is_over: false,
            passed_at: None,
            count: 0,
            early: 0,
        }
    }

    /// A pin is over the mark, or no longer, since `at`.
    pub fn edge(&mut self, pin: Pin, is_over: bool, at: Uptime) -> Option<Pass> {
        let before = self.advance(at);
        let level = match pin {
            Pin::First => &mut self.first,
            Pin::Second => &mut self.second,
        };
        level.is_over = is_over;
        level.since = level.since.max(at);
        before.or(self.advance(at)) // the second counts at once only without a debounce, and then nothing was due before
    }

    /// Edges were lost: these are the levels now.
    pub fn resync(&mut self, levels: [bool; 2], at: Uptime) -> Option<Pass> {
        let [first, second] = levels;
        let pass = self.edge(Pin::First, first, at);
        pass.or(self.edge(Pin::Second, second, at))
    }

    /// Time has passed, and every edge up to `now` has been handed over.
    pub fn advance(&mut self, now: Uptime) -> Option<Pass> {
        let mut pass = None;
        while self.next_at() <= now && self.next_at() < Uptime::MAX {
            // No level changes in here, so the mark is left at most once.
            pass = self.settle(self.next_at()).or(pass);
        }
        pass
    }

    /// When [`LapDetector::advance`] will have something to do; [`Uptime::MAX`] if only an edge can change anything.
    #[must_use]
    pub fn next_at(&self) -> Uptime {
        let due = |level: &Level| level.due_at(self.config.debounce).unwrap_or(Uptime::MAX);
        due(&self.first).min(due(&self.second))
    }

    /// Passes that came too soon after the one before and were not told; wraps.
    #[must_use]
    pub const fn early(&self) -> u32 {
        self.early
    }

    /// Whether the car counts as over the mark.
    #[must_use]
    pub const fn is_over(&self) -> bool {
        self.is_over
    }

    /// Lets every level count that is due at `due_at`, both at once if both are.
    fn settle(&mut self, due_at: Uptime) -> Option<Pass> {
        let mut since = Uptime::ZERO;
        for level in [&mut self.first, &mut self.second] {
            if level.due_at(self.config.debounce) == Some(due_at) {
                level.counts = level.is_over;
                since = level.since;
            }
        }
        let was_over = self.is_over;
        self.is_over = match self.config.pins {
            Pins::One => self.first.counts,
            Pins::Any => self.first.counts || self.second.counts,
            Pins::All => self.first.counts && self.second.counts,
        };
        (was_over && !self.is_over)
            .then(|| self.pass(since))
            .flatten()
    }

    fn pass(&mut self, at: Uptime) -> Option<Pass> {
        let lap = self.passed_at.map(|passed_at| at.since(passed_at));
        if lap.is_some_and(|lap| lap < self.config.minimum) {
            self.early = self.early.wrapping_add(1);
            return None;
        }
        self.passed_at = Some(at);
        self.count = self.count.wrapping_add(1);
        Some(Pass {
            at,
            count: self.count,
            lap,
        })
    }
}
