//! The heartbeat of the control thread, and who may write the outputs when it stops.
//!
//! ```text
//!   control:  beat ─ step ─ write ─ was I relieved? ─ … 200 ms of nothing … ─▶ relieved: late, neutral again
//!   guard:                     beat is old ─▶ relieve ─▶ neutral, by a handle of its own
//! ```
//!
//! Promises: no lock; a control thread that was relieved learns of it before and after its next write.
//! Knows nothing of: outputs.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use crate::logic::units::Uptime;

/// The heartbeat.
#[derive(Debug, Default)]
pub struct Pulse {
    at: AtomicU64,
    beats: AtomicU32,
    relieved: AtomicBool,
    over: AtomicBool,
}

impl Pulse {
    /// A heart that beats now.
    #[must_use]
    pub fn new(now: Uptime) -> Arc<Self> {
        let pulse = Self::default();
        pulse.beat(now);
        Arc::new(pulse)
    }

    /// The control thread ran a tick.
    pub fn beat(&self, now: Uptime) {
        self.at.store(now.as_micros(), Ordering::SeqCst);
        self.beats.fetch_add(1, Ordering::SeqCst);
    }

    /// Ticks so far; wraps.
    #[must_use]
    pub fn beats(&self) -> u32 {
        self.beats.load(Ordering::SeqCst)
    }

    /// Time since the last tick.
    #[must_use]
    pub fn silence(&self, now: Uptime) -> Duration {
        now.since(Uptime::from_micros(self.at.load(Ordering::SeqCst)))
    }

    /// The guard takes the outputs.
    pub fn relieve(&self) {
        self.relieved.store(true, Ordering::SeqCst);
    }

    /// Whether the guard took the outputs since this was last asked.
    #[must_use]
    pub fn was_relieved(&self) -> bool {
        self.relieved.swap(false, Ordering::SeqCst)
    }

    /// The control thread ended, at neutral: from now on its silence means nothing.
    pub fn end(&self) {
        self.over.store(true, Ordering::SeqCst);
    }

    /// Whether the control thread ended.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.over.load(Ordering::SeqCst)
    }
}
