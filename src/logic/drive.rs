//! From a command and the time that passed to the two pulses that the motor and the servo get.
//!
//! All the arithmetic of motion is here, so that it can be run over every command and every calibration. What is *not*
//! here is permission: `failsafe` decides whether the car may move, and asks for neutral when it may not.
//!
//! ```text
//!  throttle pulse                                       steering pulse
//!   throttle_max ┤            ╱                          steering_max ┤      ╱   left
//!                │          ╱                                         │    ╱
//!   forward_zero ┤        ┌   first pulse that moves                  │  ╱
//!  throttle_zero ┤───────┘    neutral                   steering_zero ┤╱
//!                │     ╱                                              │
//!   throttle_min ┤   ╱                                  steering_min  ┤      ╱   right
//!                └────┼────                                           └────┼────
//!                −1000 0 1000                                         −1000 0 1000
//!                                                        (left and right change places with `steering_reversed`)
//!
//!  gear, when reverse = "esc": an ESC takes the first pulse below neutral after forward as a brake, not as reverse
//!
//!             throttle < 0               brake time over           neutral time over
//!   Forward ───────────────▶ Braking ───────────────────▶ Resting ───────────────────▶ Backward
//!     ▲                         │ throttle ≥ 0, coast, stop   │                            │
//!     └─────────────────────────┴─────────────────────────────┘      any forward command   │
//!     └────────────────────────────────────────────────────────────────────────────────────┘
//! ```
//!
//! Promises: every pulse is inside the calibration, or while an output is tuned (`tuning`) inside its window around it, for
//! any sequence of commands and any clock; neutral is one step away and never slewed; magnitude only ever rises by the
//! slew rate; while coasting it never rises at all.
//! Knows nothing of: who sent a command, or if it may be obeyed.
//! Sources: PROTOCOL.md 4.1 (mapping, steps), 4.3 (brake), 4.7 (the old filter, which overshot and is not copied).

use core::time::Duration;

use serde::{Deserialize, Serialize};

use super::units::{PulseWidth, Steering, Throttle, Uptime};
use super::wire::Axis;

mod car;
#[cfg(test)]
pub(crate) mod tests;
mod tuning;

pub use car::{
    Calibration, CalibrationError, CalibrationFields, DriveConfig, Limits, Reverse, Setpoint,
    SteeringEnds, Steps,
};
pub use tuning::BEYOND_US;

/// The longest time that one step may count as "passed" for the slew rate.
///
/// choice: the slowest tick that the configuration allows (50 Hz). Time in which nobody asked saves up no jump.
const LONGEST_TICK: Duration = Duration::from_millis(20);

/// How often [`Drive`] wants to be called while an output is still on its way.
///
/// choice: one 200 Hz tick, a quarter of a 50 Hz servo frame.
pub(super) const RAMP_TICK: Duration = Duration::from_millis(5);

/// Parts in which a ramp counts: a slew rate of 1 permille a second is one part in each microsecond.
const PARTS: i64 = 1_000_000;

/// What a driver asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Demand {
    /// Forward or reverse, and how hard.
    pub throttle: Throttle,
    /// Where to steer.
    pub steering: Steering,
    /// A forward command came in since the last step, even one of zero: the next reverse must brake first.
    pub forward: bool,
}

impl Demand {
    /// The same with no more throttle than this, either way.
    #[must_use]
    pub(super) fn within(self, limit: Throttle) -> Self {
        let most = limit.get().max(0);
        Self {
            throttle: Throttle::saturating(self.throttle.get().clamp(-most, most).into()),
            ..self
        }
    }
}

/// Where the ESC is on its way into reverse. The picture is in the module header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Gear {
    /// The last motion was forward, or none yet.
    Forward,
    /// The brake pulse is out.
    Braking { until: Uptime },
    /// Neutral after the brake pulse.
    Resting { until: Uptime },
    /// The ESC takes a pulse below neutral as reverse.
    Backward,
}

/// Turns demands into setpoints, tick by tick.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Drive {
    config: DriveConfig,
    /// Full forward in ticks of the old car, if a `maxSpeed` made it less than the calibrated one.
    max_speed: Option<u16>,
    /// Full forward now.
    throttle_max: PulseWidth,
    /// Which output is tuned, and how far it is from neutral, in millionths of a microsecond.
    tuned: Option<(Axis, i64)>,
    /// Throttle in force, in millionths of a permille.
    throttle: i64,
    /// Steering in force, in millionths of a permille.
    steering: i64,
    gear: Gear,
    /// Throttle when coasting began.
    coasting_from: Option<i64>,
    stepped_at: Uptime,
    /// Whether an output has not arrived yet, so that time alone will change it.
    on_the_way: bool,
}

impl Drive {
    /// A car at neutral.
    #[must_use]
    pub const fn new(now: Uptime, config: DriveConfig) -> Self {
        Self {
            throttle_max: config.calibration.fields().throttle_max,
            config,
            max_speed: None,
            tuned: None,
            throttle: 0,
            steering: 0,
            gear: Gear::Forward,
            coasting_from: None,
            stepped_at: now,
            on_the_way: false,
        }
    }

    /// Motor standing still, wheels straight. Changes nothing.
    #[must_use]
    pub const fn neutral(&self) -> Setpoint {
        self.config.calibration.neutral()
    }

    /// Legacy slider lengths.
    #[must_use]
    pub const fn steps(&self) -> Steps {
        self.config.steps
    }

    /// Throttle in force; zero while the ESC brakes or rests.
    #[must_use]
    pub fn throttle(&self) -> Throttle {
        Throttle::saturating(whole(self.throttle))
    }

    /// Steering in force.
    #[must_use]
    pub fn steering(&self) -> Steering {
        Steering::saturating(whole(self.steering))
    }

    /// Whether the ESC is being led from forward to reverse, so that the pulse is not what the driver asked for.
    #[must_use]
    pub const fn is_braking(&self) -> bool {
        match self.gear {
            Gear::Braking { .. } | Gear::Resting { .. } => true,
            Gear::Forward | Gear::Backward => false,
        }
    }

    /// Obeys a demand, as far as limits, slew and ESC allow within the time that passed.
    pub fn step(&mut self, now: Uptime, demand: Demand) -> Setpoint {
        let elapsed = self.tick(now);
        (self.coasting_from, self.tuned) = (None, None);
        let limits = self.config.limits;

        let throttle = within(
            demand.throttle.get(),
            limits.max_reverse.get(),
            limits.max_forward.get(),
        );
        self.change_gear(now, throttle, demand.forward);
        if self.is_braking() {
            self.throttle = 0;
            self.on_the_way = true;
        } else {
            let slew = limits.throttle_slew_per_s;
            self.throttle = approach(self.throttle, parts(throttle), slew, elapsed);
            self.on_the_way = self.throttle != parts(throttle);
        }

        let steering = within(
            demand.steering.get(),
            limits.max_steering.get(),
            limits.max_steering.get(),
        );
        let slew = limits.steering_slew_per_s;
        self.steering = approach(self.steering, parts(steering), slew, elapsed);
        self.on_the_way |= self.steering != parts(steering);

        self.setpoint()
    }

    /// Lets throttle fall in a line to neutral with steering held: `left` is the permille of the way still to go.
    ///
    /// Nothing rises here, so a brake-before-reverse that has begun is given up at neutral.
    pub fn coast(&mut self, now: Uptime, left: u16) -> Setpoint {
        self.tick(now);
        self.tuned = None;
        if self.is_braking() {
            self.shift(Gear::Forward);
        }
        let from = *self.coasting_from.get_or_insert(self.throttle);
        let on_the_line = from / 1000 * i64::from(left.min(1000));
        let most = self.throttle.abs();
        self.throttle = on_the_line.clamp(-most, most);
        self.on_the_way = self.throttle != 0;
        self.setpoint()
    }

    /// Goes to neutral at once and forgets where it was.
    pub fn stop(&mut self, now: Uptime) -> Setpoint {
        self.tick(now);
        if self.is_braking() {
            self.shift(Gear::Forward);
        }
        (self.coasting_from, self.tuned) = (None, None);
        self.throttle = 0;
        self.steering = 0;
        self.on_the_way = false;
        self.setpoint()
    }

    /// Sets full forward to this tick count of the old car, and says which tick count is now in force.
    ///
    /// It is kept above `forward_zero` and never goes past the calibrated maximum: a message can make the car slower
    /// than its calibration, never faster. One at the calibrated maximum is no limit, and is forgotten.
    pub fn limit_forward(&mut self, ticks: u16) -> u16 {
        self.restore_limit(Some(ticks));
        let in_force = self.throttle_max.to_ticks();
        let is_less = self.throttle_max < self.config.calibration.fields().throttle_max;
        self.max_speed = is_less.then_some(in_force);
        in_force
    }

    /// Sets full forward to a tick count that was in force before, as far as this calibration has room for it.
    pub fn restore_limit(&mut self, ticks: Option<u16>) {
        let fields = self.config.calibration.fields();
        let slowest = PulseWidth::saturating(u32::from(fields.forward_zero.get()) + 1);
        self.max_speed = ticks;
        self.throttle_max = ticks.map_or(fields.throttle_max, |ticks| {
            PulseWidth::saturating_from_ticks(ticks).clamp(slowest, fields.throttle_max)
        });
    }

    /// Full forward in ticks of the old car, if a `maxSpeed` made it less than the calibrated one.
    #[must_use]
    pub const fn max_speed(&self) -> Option<u16> {
        self.max_speed
    }

    /// The pulses in force.
    #[must_use]
    pub const fn calibration(&self) -> &Calibration {
        &self.config.calibration
    }

    /// Whether the servo is mounted the other way round. See [`DriveConfig::steering_reversed`].
    #[must_use]
    pub const fn is_steering_reversed(&self) -> bool {
        self.config.steering_reversed
    }

    /// The latest time to call again, if time alone will change an output.
    #[must_use]
    pub fn next_at(&self) -> Option<Uptime> {
        self.on_the_way.then(|| self.stepped_at.after(RAMP_TICK))
    }

    /// Time to count since the last step.
    fn tick(&mut self, now: Uptime) -> Duration {
        let elapsed = now.since(self.stepped_at).min(LONGEST_TICK);
        self.stepped_at = now;
        elapsed
    }

    /// Leads the ESC into reverse. Times are counted from the step that began them, so none is ever cut short.
    fn change_gear(&mut self, now: Uptime, throttle: i16, forward: bool) {
        let Reverse::Esc { brake, neutral } = self.config.reverse else {
            return;
        };
        if forward || throttle > 0 {
            self.shift(Gear::Forward);
        }
        match self.gear {
            Gear::Forward if throttle < 0 => self.shift(Gear::Braking {
                until: now.after(brake),
            }),
            Gear::Braking { .. } | Gear::Resting { .. } if throttle >= 0 => {
                self.shift(Gear::Forward);
            }
            Gear::Forward | Gear::Braking { .. } | Gear::Resting { .. } | Gear::Backward => {}
        }
        if let Gear::Braking { until } = self.gear
            && now >= until
        {
            self.shift(Gear::Resting {
                until: now.after(neutral),
            });
        }
        if let Gear::Resting { until } = self.gear
            && now >= until
        {
            self.shift(Gear::Backward);
        }
    }

    /// The one place where the gear changes.
    const fn shift(&mut self, gear: Gear) {
        self.gear = gear;
    }

    fn setpoint(&self) -> Setpoint {
        let fields = self.config.calibration.fields();
        let throttle = match self.gear {
            Gear::Braking { .. } => fields.brake,
            Gear::Resting { .. } => fields.throttle_zero,
            Gear::Forward | Gear::Backward => match self.throttle().get() {
                0 => fields.throttle_zero,
                forward @ 1.. => between(fields.forward_zero, self.throttle_max, forward),
                reverse => between(fields.throttle_zero, fields.throttle_min, reverse),
            },
        };
        let ends = self.config.steering_ends();
        let steering = match self.steering().get() {
            left @ 0.. => between(fields.steering_zero, ends.left, left),
            right => between(fields.steering_zero, ends.right, right),
        };
        Setpoint { throttle, steering }
    }
}

/// The pulse that is `permille` (its sign does not matter) of the way from one pulse to another, rounded to the first.
fn between(from: PulseWidth, to: PulseWidth, permille: i16) -> PulseWidth {
    let way = i32::from(to.get()) - i32::from(from.get());
    let micros = i32::from(from.get()) + way * i32::from(permille.unsigned_abs()) / 1000;
    PulseWidth::saturating(u32::try_from(micros).unwrap_or(0))
}

/// Cuts a permille off at a limit for each direction.
fn within(permille: i16, most_negative: i16, most_positive: i16) -> i16 {
    permille.clamp(-most_negative.max(0), most_positive.max(0))
}

/// Moves towards a target: at once if that is towards neutral, else by the slew rate, through neutral if signs differ.
fn approach(current: i64, target: i64, slew_per_s: u32, elapsed: Duration) -> i64 {
    let from = if current.signum() == target.signum() {
        current
    } else {
        0
    };
    if slew_per_s == 0 || target.abs() <= from.abs() {
        return target;
    }
    let micros = i64::try_from(elapsed.as_micros()).unwrap_or(i64::MAX);
    let rise = micros.saturating_mul(i64::from(slew_per_s));
    from + rise.min(target.abs() - from.abs()) * target.signum()
}

fn parts(permille: i16) -> i64 {
    i64::from(permille) * PARTS
}

fn whole(parts: i64) -> i32 {
    i32::try_from(parts / PARTS).unwrap_or(0)
}
