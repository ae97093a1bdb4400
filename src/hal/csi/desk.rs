//! Where the dials of the cameras stand: the newest value of each, from whoever sets it to whoever films.
//!
//! ```text
//!   command ─▶ set ─▶ [Controls, n=7] ─▶ newer_than(6) ─▶ the next request of each open camera
//! ```
//!
//! Promises: nobody waits here for a camera; a value that was overwritten was never needed.
//! Knows nothing of: who may set a dial.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::logic::camera::{Controls, Dial};

/// The dials of a car's cameras.
#[derive(Debug, Default)]
pub struct Desk {
    controls: Mutex<Controls>,
    changes: AtomicU32,
}

impl Desk {
    /// Dials that stand so.
    #[must_use]
    pub fn new(controls: Controls) -> Self {
        Self {
            controls: Mutex::new(controls),
            changes: AtomicU32::new(0),
        }
    }

    /// Puts all dials where they are to stand.
    pub fn put(&self, all: Controls) {
        *self.controls.lock().unwrap_or_else(PoisonError::into_inner) = all;
        self.changes.fetch_add(1, Ordering::Release);
    }

    /// Sets a dial; whether it allows the value.
    pub fn set(&self, dial: Dial, value: i32) -> bool {
        let mut controls = self.controls.lock().unwrap_or_else(PoisonError::into_inner);
        let is_set = controls.set(dial, value);
        drop(controls);
        // After the value: whoever sees the count sees the value.
        self.changes.fetch_add(1, Ordering::Release);
        is_set
    }

    /// Where the dials stand, if one was set since `seen`, which then counts them as seen.
    pub fn newer_than(&self, seen: &mut u32) -> Option<Controls> {
        let changes = self.changes.load(Ordering::Acquire);
        if std::mem::replace(seen, changes) == changes {
            return None;
        }
        Some(self.controls())
    }

    /// Where the dials stand.
    #[must_use]
    pub fn controls(&self) -> Controls {
        *self.controls.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_value_is_seen_once() {
        let desk = Desk::default();
        let mut seen = 0;
        assert_eq!(desk.newer_than(&mut seen), None);
        assert!(desk.set(Dial::ExposureUs, 1000));
        assert!(desk.set(Dial::ExposureUs, 2000));
        let newest = desk.newer_than(&mut seen).expect("two changes");
        assert_eq!(newest.get(Dial::ExposureUs), 2000);
        assert_eq!(desk.newer_than(&mut seen), None);
    }

    #[test]
    fn a_value_out_of_range_changes_nothing() {
        let desk = Desk::default();
        assert!(!desk.set(Dial::ZoomPermille, 999));
        assert_eq!(desk.controls(), Controls::default());
    }
}
