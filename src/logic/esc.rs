//! How long an ESC has seen neutral, and so whether it listens yet.
//!
//! An RC car ESC obeys nobody after power-on until neutral has been on its wire for a while; some take the first pulse
//! they see as neutral. So the car cannot be armed until the outputs have been at neutral for that long, and the count
//! begins again whenever a write fails, for then the ESC may have lost its power or its signal.
//!
//! ```text
//!   write ok      ├───── delay ─────┤ ready                  write ok ├── delay ──┤ ready
//!   ──────────────┴─────────────────┴────────── failed ───────────────┴───────────┴───
//! ```
//!
//! Promises: a delay of zero is ready with the first write. Knows nothing of: which ESC it is.
//! Sources: hobby ESC manuals ask for neutral for one to three seconds; `drive.esc_arming_ms`.

use core::time::Duration;

use super::units::Uptime;

/// The wait of one ESC.
#[derive(Clone, Copy, Debug)]
pub struct EscArming {
    delay: Duration,
    /// When it listens; `None` while the outputs fail.
    ready_at: Option<Uptime>,
}

impl EscArming {
    /// An ESC that has seen nothing yet.
    #[must_use]
    pub const fn new(delay: Duration) -> Self {
        Self {
            delay,
            ready_at: None,
        }
    }

    /// A write ended. While the ESC is not ready the caller writes nothing but neutral, for the car cannot be armed.
    pub fn wrote(&mut self, now: Uptime, is_ok: bool) {
        self.ready_at = match (is_ok, self.ready_at) {
            (false, _) => None,
            (true, Some(at)) => Some(at),
            (true, None) => Some(now.after(self.delay)),
        };
    }

    /// Whether the ESC does not listen yet.
    #[must_use]
    pub fn is_arming(&self, now: Uptime) -> bool {
        self.ready_at.is_none_or(|at| now < at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(millis: u64) -> Uptime {
        Uptime::from_micros(millis * 1000)
    }

    #[test]
    fn it_listens_after_the_delay_and_not_a_microsecond_sooner() {
        let mut esc = EscArming::new(Duration::from_secs(2));
        assert!(esc.is_arming(at(10_000)), "nothing was written yet");
        esc.wrote(at(10_000), true);
        esc.wrote(at(10_005), true);
        assert!(esc.is_arming(Uptime::from_micros(11_999_999)));
        assert!(!esc.is_arming(at(12_000)));
    }

    #[test]
    fn a_failed_write_begins_the_count_again() {
        let mut esc = EscArming::new(Duration::from_secs(2));
        esc.wrote(at(0), true);
        assert!(!esc.is_arming(at(5000)));
        esc.wrote(at(5000), false);
        assert!(esc.is_arming(at(5001)));
        esc.wrote(at(6000), true);
        assert!(esc.is_arming(at(7999)));
        assert!(!esc.is_arming(at(8000)));
    }

    #[test]
    fn without_a_delay_the_first_write_is_enough() {
        let mut esc = EscArming::new(Duration::ZERO);
        esc.wrote(at(1), true);
        assert!(!esc.is_arming(at(1)));
    }
}
