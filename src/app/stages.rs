//! How long each stage of the video path takes, for telemetry and `doctor --video`.
//!
//! ```text
//!   captured ──capture──▶ taken ──prepare──▶ encode called ──encode──▶ coded ──hand over──▶ packets ready ──send──▶ sent
//!      │          │          └── ours: < 1 ms ──┘      │                  └── ours: < 1 ms ──┘      the stack     │
//!      └──────────┴───────────────────────── whole: captured to sent ─────────────────────────────────────────────┘
//! ```
//!
//! Only pictures of the camera count, not the still one.
//!
//! Promises: noting is an increment under a lock that is held for nanoseconds, by threads that may wait; nothing allocates.
//! Knows nothing of: who encodes or sends. Sources: `logic::spread`.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::logic::spread::{Figures, Spread};

/// A part of a picture's way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// From the sensor's time stamp to the video thread: exposure, driver, camera thread.
    Capture,
    /// From there to the call of the encoder: ours.
    Prepare,
    /// Inside the encoder.
    Encode,
    /// From the coded picture to its packets: ours.
    HandOver,
    /// From the first packet to the last taken by the network stack.
    Send,
    /// From the sensor's time stamp to the last packet.
    Whole,
}

impl Stage {
    /// All of them, in the order in which a picture passes them.
    pub const ALL: [Self; 6] = [
        Self::Capture,
        Self::Prepare,
        Self::Encode,
        Self::HandOver,
        Self::Send,
        Self::Whole,
    ];

    /// Its name for people.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Capture => "capture",
            Self::Prepare => "prepare",
            Self::Encode => "encode",
            Self::HandOver => "hand over",
            Self::Send => "send",
            Self::Whole => "whole",
        }
    }

    const fn place(self) -> usize {
        match self {
            Self::Capture => 0,
            Self::Prepare => 1,
            Self::Encode => 2,
            Self::HandOver => 3,
            Self::Send => 4,
            Self::Whole => 5,
        }
    }
}

/// The times of all stages.
#[derive(Debug, Default)]
pub struct Stages([Mutex<Spread>; 6]);

impl Stages {
    /// A picture took so long for a stage.
    pub fn note(&self, stage: Stage, length: Duration) {
        if let Some(spread) = self.0.get(stage.place()) {
            lock(spread).note(length);
        }
    }

    /// The figures of a stage since the last [`Stages::clear`].
    #[must_use]
    pub fn figures(&self, stage: Stage) -> Figures {
        let spread = self.0.get(stage.place());
        spread.map_or_else(Figures::default, |spread| lock(spread).figures())
    }

    /// Forgets all of them.
    pub fn clear(&self) {
        for spread in &self.0 {
            lock(spread).clear();
        }
    }
}

/// A count that a panic left behind is as good as any.
fn lock(spread: &Mutex<Spread>) -> std::sync::MutexGuard<'_, Spread> {
    spread.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_stage_has_its_own_figures_until_they_are_cleared() {
        let stages = Stages::default();
        for (stage, us) in Stage::ALL.into_iter().zip(1..) {
            stages.note(stage, Duration::from_micros(us));
        }
        for (stage, us) in Stage::ALL.into_iter().zip(1..) {
            let figures = stages.figures(stage);
            assert_eq!((figures.n, figures.max_us), (1, us), "{}", stage.name());
        }
        stages.clear();
        for stage in Stage::ALL {
            assert_eq!(stages.figures(stage), Figures::default());
        }
    }
}
