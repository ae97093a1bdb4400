//! How the simulated car moves: from the outputs in force to a place on the road.
//!
//! A simulated camera that shows the same road whatever the wheels do teaches the driver nothing. The outputs are
//! handed over through one atomic word, [`SimView`], because the control thread that writes them must never wait
//! for the video thread that reads them. The model is deliberately tame: speed and bend follow the outputs with
//! a lag, distance and heading are their sums. It is a picture, not physics.
//!
//! ```text
//!  throttle ─▶ (lag 300 ms) ─▶ speed ──▶ distance      steering ─▶ (lag 150 ms) ─▶ bend ─▶ heading (with speed)
//! ```
//!
//! Promises: integers only; no state but what is here; a step of any length keeps every value in range.
//! Knows nothing of: pixels.

use std::sync::atomic::{AtomicU32, Ordering};

use crate::logic::units::{Steering, Throttle, Uptime};

/// Fractions of a centimetre in a distance.
pub const PER_CM: i64 = 16; // choice: fine enough for one frame at walking pace, coarse enough for 32 bits
/// choice: 6 m/s is a brisk small car, and moves kerb stripes less than half a period a frame at 30 fps.
const FULL_SPEED_CM_S: i64 = 600;
/// choice: the weight of a small car, felt.
const SPEED_LAG_US: i64 = 300_000;
/// choice: a servo's travel time.
const BEND_LAG_US: i64 = 150_000;
/// choice: a long stall moves the scene by this much at most, so that a resumed picture is the same road.
const LONGEST_STEP_US: u64 = 250_000;
/// Panorama units of a full turn of the car.
pub const FULL_TURN: i64 = 1 << 16; // choice: a power of two wraps for free
/// choice: full steering at full speed turns the car once in six seconds.
const TURN_PER_S: i64 = FULL_TURN / 6;
/// Fractions of a permille that the lag keeps, so that small differences still arrive.
const FINE: i64 = 256;

/// The outputs in force, shared between the actuators and the camera of the simulated car.
#[derive(Debug, Default)]
pub struct SimView {
    /// Throttle in the upper half, steering in the lower, each as `i16`.
    word: AtomicU32,
}

impl SimView {
    /// Says what the outputs are now.
    pub fn set(&self, throttle: Throttle, steering: Steering) {
        let [t0, t1] = throttle.get().to_be_bytes();
        let [s0, s1] = steering.get().to_be_bytes();
        // Relaxed: the word is whole by itself and orders nothing else.
        self.word
            .store(u32::from_be_bytes([t0, t1, s0, s1]), Ordering::Relaxed);
    }

    /// The outputs last said.
    #[must_use]
    pub fn get(&self) -> (Throttle, Steering) {
        let [t0, t1, s0, s1] = self.word.load(Ordering::Relaxed).to_be_bytes();
        (
            Throttle::saturating(i16::from_be_bytes([t0, t1]).into()),
            Steering::saturating(i16::from_be_bytes([s0, s1]).into()),
        )
    }
}

/// Where the simulated car is and how it moves.
#[derive(Clone, Copy, Debug, Default)]
pub struct Motion {
    at: Option<Uptime>,
    throttle: Throttle,
    steering: Steering,
    /// Permille of full speed, in [`FINE`] parts.
    speed: i64,
    /// Permille of full bend, in [`FINE`] parts, left positive.
    bend: i64,
    /// Road left behind, in [`PER_CM`] parts of a centimetre.
    distance: i64,
    /// Direction the car looks at, in [`FULL_TURN`]ths, left positive.
    heading: i64,
}

impl Motion {
    /// Moves on to `now` under the given outputs.
    pub fn step(&mut self, now: Uptime, throttle: Throttle, steering: Steering) {
        (self.throttle, self.steering) = (throttle, steering);
        let before = self.at.replace(now).unwrap_or(now);
        let passed = now.as_micros().saturating_sub(before.as_micros());
        let dt = i64::try_from(passed.min(LONGEST_STEP_US)).unwrap_or(0);
        self.speed = follow(
            self.speed,
            i64::from(throttle.get()) * FINE,
            dt,
            SPEED_LAG_US,
        );
        self.bend = follow(self.bend, i64::from(steering.get()) * FINE, dt, BEND_LAG_US);
        let full = 1000 * FINE;
        let step = self.speed * FULL_SPEED_CM_S * PER_CM / full * dt / 1_000_000;
        self.distance = self.distance.wrapping_add(step);
        let turn = self.bend * TURN_PER_S / full * self.speed / full * dt / 1_000_000;
        self.heading = (self.heading + turn).rem_euclid(FULL_TURN);
    }

    /// Road left behind, in [`PER_CM`] parts of a centimetre; falls when reversing.
    #[must_use]
    pub const fn distance(&self) -> i64 {
        self.distance
    }

    /// How far the road bends, in permille, left positive.
    #[must_use]
    pub fn bend(&self) -> i32 {
        i32::try_from(self.bend / FINE).unwrap_or(0)
    }

    /// The direction the car looks at, 0 up to [`FULL_TURN`], left positive.
    #[must_use]
    pub const fn heading(&self) -> i64 {
        self.heading
    }

    /// The same, as somebody sees it who looks back: the road comes out from under him, and bends the other way.
    #[must_use]
    pub fn seen_backwards(self) -> Self {
        Self {
            bend: -self.bend,
            distance: self.distance.wrapping_neg(),
            heading: (self.heading + FULL_TURN / 2).rem_euclid(FULL_TURN),
            ..self
        }
    }

    /// The outputs of the last step.
    #[must_use]
    pub const fn outputs(&self) -> (Throttle, Steering) {
        (self.throttle, self.steering)
    }
}

/// A first-order lag: `value` after `dt` on its way to `target`.
fn follow(value: i64, target: i64, dt: i64, lag: i64) -> i64 {
    if dt <= 0 {
        return value;
    }
    let step = (target - value) * dt / (lag + dt);
    if step == 0 { target } else { value + step }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drive(motion: &mut Motion, from_ms: u64, to_ms: u64, throttle: i32, steering: i32) {
        let throttle = Throttle::new(throttle).unwrap();
        let steering = Steering::new(steering).unwrap();
        for ms in (from_ms..=to_ms).step_by(33) {
            motion.step(Uptime::from_micros(ms * 1000), throttle, steering);
        }
    }

    #[test]
    fn a_view_gives_back_every_pair_of_outputs() {
        let view = SimView::default();
        assert_eq!(view.get(), (Throttle::ZERO, Steering::ZERO));
        for throttle in [-1000, -999, -1, 0, 1, 999, 1000] {
            for steering in [-1000, -1, 0, 1, 1000] {
                let pair = (
                    Throttle::new(throttle).unwrap(),
                    Steering::new(steering).unwrap(),
                );
                view.set(pair.0, pair.1);
                assert_eq!(view.get(), pair);
            }
        }
    }

    #[test]
    fn a_car_at_rest_stays_where_it_is() {
        let mut motion = Motion::default();
        drive(&mut motion, 0, 60_000, 0, 700);
        assert_eq!((motion.distance(), motion.heading()), (0, 0));
        assert_eq!(motion.bend(), 700);
    }

    #[test]
    fn full_throttle_reaches_full_speed() {
        let mut motion = Motion::default();
        drive(&mut motion, 0, 5_000, 1000, 0);
        let before = motion.distance();
        drive(&mut motion, 5_033, 6_000, 1000, 0);
        let cm = (motion.distance() - before) / PER_CM;
        assert!((570..=610).contains(&cm), "{cm} cm in a second");
    }

    #[test]
    fn reverse_moves_the_road_the_other_way() {
        let mut motion = Motion::default();
        drive(&mut motion, 0, 2_000, -500, 0);
        assert!(motion.distance() < -100 * PER_CM);
    }

    #[test]
    fn steering_turns_a_moving_car_and_the_turn_wraps() {
        let mut motion = Motion::default();
        drive(&mut motion, 0, 1_000, 1000, 1000);
        assert!(motion.heading() > 0);
        drive(&mut motion, 1_033, 60_000, 1000, -1000);
        assert!((0..FULL_TURN).contains(&motion.heading()));
    }

    #[test]
    fn a_stall_or_a_clock_that_stands_still_does_not_jump() {
        let mut motion = Motion::default();
        drive(&mut motion, 0, 3_000, 1000, 0);
        let before = motion.distance();
        motion.step(
            Uptime::from_micros(u64::MAX),
            Throttle::ZERO,
            Steering::ZERO,
        );
        assert!(motion.distance() - before <= 150 * PER_CM);
        let still = motion.distance();
        motion.step(Uptime::from_micros(5), Throttle::ZERO, Steering::ZERO);
        assert_eq!(motion.distance(), still);
    }
}
