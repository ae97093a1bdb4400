//! What the control thread tells its guard: its heartbeat, what is neutral, and who may write when the heart stops.
//!
//! ```text
//!   control:  beat ─ step ─ write ─ was I relieved? ─ … 200 ms of nothing … ─▶ relieved: late, neutral again
//!   guard:                     beat is old ─▶ relieve ─▶ neutral, by a handle of its own
//!   survivor, another process:    told by whichever of the two still runs; hears nothing ─▶ neutral, by handles of its own
//! ```
//!
//! Promises: no lock; a control thread that was relieved learns of it before and after its next write.
//! Knows nothing of: outputs.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use super::survivor::Lifeline;
use crate::logic::drive::Setpoint;
use crate::logic::units::Uptime;

/// How often the survivor is told. choice: as often as the guard looks; the survivor acts after eleven of them.
const TELL: Duration = Duration::from_millis(20);

/// The heartbeat.
#[derive(Debug, Default)]
pub struct Pulse {
    at: AtomicU64,
    beats: AtomicU32,
    relieved: AtomicBool,
    over: AtomicBool,
    /// [`Setpoint::word`].
    neutral: AtomicU32,
    survivor: OnceLock<Lifeline>,
    told_at: AtomicU64,
}

impl Pulse {
    /// A heart that beats now, of a car with this neutral.
    #[must_use]
    pub fn new(now: Uptime, neutral: Setpoint) -> Arc<Self> {
        let pulse = Self::default();
        pulse.set_neutral(neutral);
        pulse.beat(now);
        Arc::new(pulse)
    }

    /// The control thread ran a tick.
    pub fn beat(&self, now: Uptime) {
        self.at.store(now.as_micros(), Ordering::SeqCst);
        self.beats.fetch_add(1, Ordering::SeqCst);
        self.tell(now);
    }

    /// From now on a survivor is told.
    pub fn has_survivor(&self, lifeline: Lifeline) {
        let _ = self.survivor.set(lifeline); // a car has one
    }

    /// Tells the survivor that somebody here still can write neutral, and what that is; costs nothing if it was told lately.
    pub fn tell(&self, now: Uptime) {
        let told_at = Uptime::from_micros(self.told_at.load(Ordering::SeqCst));
        if let Some(survivor) = self.survivor.get()
            && now.since(told_at) >= TELL
        {
            self.told_at.store(now.as_micros(), Ordering::SeqCst);
            survivor.tell(self.neutral());
        }
    }

    /// Says what is neutral from now on.
    pub fn set_neutral(&self, neutral: Setpoint) {
        self.neutral.store(neutral.word(), Ordering::SeqCst);
    }

    /// What is neutral now.
    #[must_use]
    pub fn neutral(&self) -> Setpoint {
        Setpoint::from_word(self.neutral.load(Ordering::SeqCst))
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

    /// The control thread ended: from now on its silence means nothing. If neutral could not be written, the survivor is to
    /// try when this process is gone.
    pub fn end(&self, is_neutral: bool) {
        self.over.store(true, Ordering::SeqCst);
        if let Some(survivor) = self.survivor.get().filter(|_| is_neutral) {
            survivor.over();
        }
    }

    /// Whether the control thread ended.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.over.load(Ordering::SeqCst)
    }
}
