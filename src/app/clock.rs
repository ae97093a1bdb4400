//! The one clock of the car: `CLOCK_MONOTONIC`, in microseconds.
//!
//! Everything that decides takes the time as an argument; this is where that argument comes from. The
//! same clock stamps the simulated camera's frames, so a script on the same machine can compare.
//!
//! Promises: never jumps with the wall clock. Sources: kernel: `clock_gettime(2)`.

use crate::hal::clock::{Clock, SystemClock};
use crate::logic::units::Uptime;

/// Now.
#[must_use]
pub fn now() -> Uptime {
    SystemClock.now()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_does_not_go_back() {
        let first = now();
        assert!(now() >= first && first.as_micros() > 0);
    }
}
