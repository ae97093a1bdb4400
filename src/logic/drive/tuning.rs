//! How a calibration is found: one output at an exact pulse, the other at neutral, the wheels off the ground.
//!
//! Whoever measures a car has to go where no calibration has been: to a neutral that is another one, to ends that are
//! further out. So an output that is tuned may leave the calibrated range, but not by more than a window, and only at a
//! walking pace, so that a slip of a finger is seen before it is at the end stop.
//!
//! ```text
//!                 ◀ BEYOND ▶                                    ◀ BEYOND ▶
//!   window        ├─────────┼──────────────┬───────────────────┼─────────┤
//!   calibrated              min          neutral              max
//!   pulse                                  ├──▶ away from neutral by the slew rate
//!                                          ◀────────────────┤ towards it, and through it to the other side: at once
//! ```
//!
//! Promises: a tuned pulse is inside the window, the other output exactly neutral; the first pulse of a tuning, and the
//! first after the outputs were changed, is a step of the slew rate away from neutral; whatever else moves the car begins
//! at neutral again.
//! Knows nothing of: who may tune.
//! Sources: PROTOCOL.md 4.6 (fields), design decided with the calibration of this car.

use super::{Drive, Gear, PARTS, approach};
use crate::logic::drive::{Calibration, DriveConfig, Setpoint};
use crate::logic::units::{PulseWidth, Uptime};
use crate::logic::wire::{Axis, Tune};

/// How far beyond the calibrated ends an output may be tuned, and a pulse be saved, in microseconds.
///
/// choice: the ends of hobby servos differ by some 100 us to either side, and 200 are twice that; one digit wrong is mostly
/// 1000. Ends that are further out are found in two savings, each of which somebody looked at.
pub const BEYOND_US: u16 = 200;

/// How fast a tuned throttle may leave neutral, in microseconds a second.
///
/// choice: two seconds from neutral to full throttle, so that a motor that runs away is heard before it is dangerous.
const THROTTLE_SLEW_US_PER_S: u32 = 250;

/// How fast a tuned servo may leave neutral, in microseconds a second.
///
/// choice: half a second to its end, as fast as a slider is moved by hand; a servo at an end stop is a noise, not a danger.
const STEERING_SLEW_US_PER_S: u32 = 1000;

impl Calibration {
    /// The shortest and the longest pulse to which this output may be tuned, and its neutral.
    #[must_use]
    pub fn window(&self, axis: Axis) -> (PulseWidth, PulseWidth, PulseWidth) {
        let fields = self.fields();
        let (shortest, neutral, longest) = match axis {
            Axis::Throttle => (
                fields.throttle_min,
                fields.throttle_zero,
                fields.throttle_max,
            ),
            Axis::Steering => (
                fields.steering_min,
                fields.steering_zero,
                fields.steering_max,
            ),
        };
        let beyond = u32::from(BEYOND_US);
        (
            PulseWidth::saturating(u32::from(shortest.get()).saturating_sub(beyond)),
            neutral,
            PulseWidth::saturating(u32::from(longest.get()) + beyond),
        )
    }
}

impl Drive {
    /// Brings one output to a pulse, as far as window and slew allow within the time that passed; the other is neutral.
    pub fn tune(&mut self, now: Uptime, tune: Tune) -> Setpoint {
        let elapsed = self.tick(now);
        self.coasting_from = None;
        (self.throttle, self.steering) = (0, 0);
        // What the ESC makes of such pulses is not known: the next reverse begins with the brake.
        self.shift(Gear::Forward);

        let (shortest, neutral, longest) = self.config.calibration.window(tune.axis);
        let wanted = tune.pulse.clamp(shortest, longest);
        let target = (i64::from(wanted.get()) - i64::from(neutral.get())) * PARTS;
        let from = match self.tuned {
            Some((axis, offset)) if axis == tune.axis => offset,
            Some(_) | None => 0,
        };
        let slew = match tune.axis {
            Axis::Throttle => THROTTLE_SLEW_US_PER_S,
            Axis::Steering => STEERING_SLEW_US_PER_S,
        };
        let offset = approach(from, target, slew, elapsed);
        self.tuned = Some((tune.axis, offset));
        self.on_the_way = offset != target;

        let micros = i64::from(neutral.get()) + offset / PARTS;
        let pulse = PulseWidth::saturating(u32::try_from(micros).unwrap_or(0));
        let standing = self.neutral();
        match tune.axis {
            Axis::Throttle => Setpoint {
                throttle: pulse,
                ..standing
            },
            Axis::Steering => Setpoint {
                steering: pulse,
                ..standing
            },
        }
    }

    /// Takes another calibration. Call it only while the car stands: its neutral is another one from here on.
    ///
    /// A `maxSpeed` stays what it was, as far as the new pulses have room for it.
    pub fn recalibrate(&mut self, calibration: Calibration) {
        self.config = DriveConfig {
            calibration,
            ..self.config
        };
        self.tuned = None;
        self.restore_limit(self.max_speed);
    }
}
