//! The last look before the pins: a decision that has grown old on its way is not written.
//!
//! A thread can stand still between deciding and writing, for as long as the scheduler likes. By then the guard has
//! written neutral, and the old decision must not move the car again, not even for a millisecond.
//!
//! ```text
//!   control ─ write(decided at 10.000 s, throttle) ─ … ─▶ [gate, 10.450 s: too old] ─▶ nothing; control steps again, late
//! ```
//!
//! Promises: neutral always passes. What remains: a device that blocks inside its own write.
//! Knows nothing of: why it is late.

use std::sync::Arc;
use std::time::Duration;

use super::clock;
use super::pulse::Pulse;
use crate::hal::{ActuatorError, Actuators};
use crate::logic::drive::Setpoint;
use crate::logic::failsafe::Cause;
use crate::logic::units::Uptime;

/// The age at which a decision is too old, and a tick too late.
/// choice: half the hold time, so that a starved thread stops the car before silence would.
pub const LATE_LIMIT: Duration = Duration::from_millis(50);

/// Outputs that take no old decision.
pub struct Gate {
    inner: Box<dyn Actuators>,
    pulse: Arc<Pulse>,
    now: fn() -> Uptime,
}

impl Gate {
    /// A gate before these outputs; `pulse` knows what is neutral.
    #[must_use]
    pub fn new(inner: Box<dyn Actuators>, pulse: Arc<Pulse>) -> Self {
        Self {
            inner,
            pulse,
            now: clock::now,
        }
    }
}

impl Actuators for Gate {
    /// Does nothing, successfully, if the decision is old: whoever made it finds out by the same clock.
    fn write(
        &mut self,
        now: Uptime,
        setpoint: Setpoint,
        cause: Cause,
    ) -> Result<(), ActuatorError> {
        if setpoint != self.pulse.neutral() && (self.now)().since(now) > LATE_LIMIT {
            return Ok(());
        }
        self.inner.write(now, setpoint, cause)
    }

    fn spare(&self) -> Option<Box<dyn Actuators>> {
        self.inner.spare()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::logic::units::PulseWidth;

    struct Outputs(Arc<Mutex<Vec<u16>>>);

    impl Actuators for Outputs {
        fn write(&mut self, _: Uptime, setpoint: Setpoint, _: Cause) -> Result<(), ActuatorError> {
            self.0.lock().unwrap().push(setpoint.throttle.get());
            Ok(())
        }
        fn spare(&self) -> Option<Box<dyn Actuators>> {
            None
        }
    }

    #[test]
    fn an_old_decision_moves_nothing_and_neutral_passes_at_any_age() {
        let written = Arc::default();
        let setpoint = |throttle| Setpoint {
            throttle: PulseWidth::saturating(throttle),
            steering: PulseWidth::saturating(1500),
        };
        let pulse = Pulse::new(Uptime::ZERO, setpoint(1500));
        let outputs = Box::new(Outputs(Arc::clone(&written)));
        let mut gate = Gate {
            now: || Uptime::from_micros(1_000_000),
            ..Gate::new(outputs, Arc::clone(&pulse))
        };
        for (decided_us, throttle) in [
            (1_000_000, 1600),
            (950_000, 1601),
            (949_999, 1602),
            (0, 1603),
            (0, 1500),
        ] {
            let now = Uptime::from_micros(decided_us);
            gate.write(now, setpoint(throttle), Cause::Drive).unwrap();
        }
        assert_eq!(*written.lock().unwrap(), [1600, 1601, 1500]);
        pulse.set_neutral(setpoint(1510));
        for throttle in [1500, 1510] {
            gate.write(Uptime::ZERO, setpoint(throttle), Cause::Drive)
                .unwrap();
        }
        assert_eq!(*written.lock().unwrap(), [1600, 1601, 1500, 1510]);
    }
}
