//! What two threads can write: the control thread and, when that one stands still, the guard.
//!
//! A pin cannot be had twice, so the two share it behind a lock that is held for a few register writes and that neither
//! ever waits for: who finds it taken fails, and tries again on its next tick.
//!
//! ```text
//!   control ─┐          free      ─▶ act
//!            ├─ with ─▶ taken     ─▶ an error, at once
//!   guard  ──┘          poisoned  ─▶ act: what is written next puts everything right
//! ```
//!
//! Promises: never waits. Knows nothing of: what is shared.

use std::sync::{Arc, Mutex, PoisonError, TryLockError};

use crate::hal::Source;

/// One of the handles.
#[derive(Debug)]
pub struct Shared<T>(Arc<Mutex<T>>);

impl<T> Shared<T> {
    /// The first handle; further ones are its clones.
    #[must_use]
    pub fn new(part: T) -> Self {
        Self(Arc::new(Mutex::new(part)))
    }

    /// Acts on what is shared.
    ///
    /// # Errors
    /// That of the act; the other thread acts right now.
    pub fn with<R>(&self, act: impl FnOnce(&mut T) -> Result<R, Source>) -> Result<R, Source> {
        match self.0.try_lock() {
            Ok(mut part) => act(&mut part),
            // Whoever panicked in there was between two pins; what is written next puts all of them right.
            Err(TryLockError::Poisoned(poisoned)) => act(&mut *PoisonError::into_inner(poisoned)),
            Err(TryLockError::WouldBlock) => {
                Err("the other thread writes the pins right now".into())
            }
        }
    }
}

impl<T> Clone for Shared<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}
