//! The movements that the doctor asks a person about, and what each answer means.
//!
//! ```text
//!   still ─▶ left ─▶ right ─▶ forward ─▶ reverse        one output at a time, a small way, for a second or two
//! ```
//!
//! They are commands of a driver, not pulses: what is examined is what he would get, limits, dead band and the ESC's way
//! into reverse included. The pulses themselves are `calibrate`'s.
//!
//! Promises: pure; every answer but "yes" says what to do. Knows nothing of: terminals, threads.

use std::time::Duration;

use super::Finding;
use super::person::Key;
use crate::config::Drive;
use crate::config::hardware::{HbridgeSteering, Wiring};
use crate::logic::drive::Reverse;
use crate::logic::units::{Steering, Throttle};

/// How far the wheels are turned. choice: seen from a metre away, and far from any end stop.
const STEER_PERMILLE: i32 = 300;

/// How hard the motor is driven. choice: just above the dead band, which the drive logic skips; wheels in the air race.
const THROTTLE_PERMILLE: i32 = 80;

/// How long a movement takes. choice: long enough to be sure, short enough that a mistake is over before it does harm.
const STEER_FOR: Duration = Duration::from_secs(1);
const DRIVE_FOR: Duration = Duration::from_millis(1500);

/// What is examined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// Neutral.
    Still,
    /// Steering to the left.
    Left,
    /// Steering to the right.
    Right,
    /// The motor forward.
    Forward,
    /// The motor in reverse, after whatever the ESC needs before it.
    Reverse,
}

/// One movement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Step {
    /// What is examined.
    pub(super) part: Part,
    /// The name of its line.
    pub(super) name: &'static str,
    /// What is going to happen.
    pub(super) does: &'static str,
    /// What to look at.
    pub(super) asks: &'static str,
    /// What the driver asks for.
    pub(super) throttle: Throttle,
    /// What the driver asks for.
    pub(super) steering: Steering,
    /// For how long.
    pub(super) length: Duration,
}

impl Step {
    /// Whether the motor is driven.
    pub(super) const fn is_load(&self) -> bool {
        !self.throttle.is_zero()
    }
}

/// The question before anything moves.
pub(super) const STILL: &str =
    "The car is at neutral now. Does the motor stand still, and do the wheels point ahead?";

/// The movements of this car, in their order; those that its limits forbid are left out.
pub(super) fn steps(drive: &Drive) -> Vec<Step> {
    let limits = drive.config.limits;
    let step = |part, name, does, asks, throttle, steering, length| Step {
        part,
        name,
        does,
        asks,
        throttle: Throttle::saturating(throttle),
        steering: Steering::saturating(steering),
        length,
    };
    // The ESC's brake and rest come first, and take their time of it.
    let (reverse_does, before) = match drive.config.reverse {
        Reverse::Direct => ("the motor turns backward, slowly", Duration::ZERO),
        Reverse::Esc { brake, neutral } => (
            "the motor gets a brake pulse, rests, and turns backward, slowly",
            brake + neutral,
        ),
    };
    let mut steps = Vec::new();
    if limits.max_steering.get() > 0 {
        for (part, name, does, asks, steering) in [
            (
                Part::Left,
                "left",
                "the front wheels turn left, a part of the way",
                "Did they turn left?",
                STEER_PERMILLE,
            ),
            (
                Part::Right,
                "right",
                "the front wheels turn right, a part of the way",
                "Did they turn right?",
                -STEER_PERMILLE,
            ),
        ] {
            steps.push(step(part, name, does, asks, 0, steering, STEER_FOR));
        }
    }
    if limits.max_forward.get() > 0 {
        steps.push(step(
            Part::Forward,
            "forward",
            "the motor turns forward, slowly",
            "Did the wheels turn forward?",
            THROTTLE_PERMILLE,
            0,
            DRIVE_FOR,
        ));
    }
    if limits.max_reverse.get() > 0 {
        steps.push(step(
            Part::Reverse,
            "reverse",
            reverse_does,
            "Did the wheels turn backward?",
            -THROTTLE_PERMILLE,
            0,
            DRIVE_FOR + before,
        ));
    }
    steps
}

/// What an answer means: a line of the doctor.
pub(super) fn finding(part: Part, answer: Key, drive: &Drive) -> Finding {
    let wiring = &drive.output;
    let is_bridge = matches!(wiring, Wiring::Hbridge(_));
    let is_skid = matches!(wiring, Wiring::Hbridge(bridge) if matches!(bridge.steering, HbridgeSteering::Skid(_)));
    let todo = match (answer, part) {
        (Key::Yes, part) => {
            let seen = match part {
                Part::Still => "stands still at neutral",
                Part::Left => "left is left",
                Part::Right => "right is right",
                Part::Forward => "forward is forward",
                Part::Reverse => "reverse is reverse",
            };
            return Ok(seen.to_owned());
        }
        (_, Part::Still) if is_bridge => {
            "it moves at neutral: hbridge.enable_pin, or a direction pin that is wired to another one; see the wiring"
        }
        (_, Part::Still) => {
            "neutral is another pulse on this car: `spidercar calibrate`, 1 for the motor (drive.calibration.throttle_zero_us), \
             6 for the servo (steering_zero_us)"
        }
        (Key::Other, Part::Left | Part::Right) if is_skid => {
            "left and right are swapped: swap the pins of the two motors (hbridge.forward_pin, reverse_pin, speed_pin with \
             right_forward_pin, right_reverse_pin, right_speed_pin), or their plugs"
        }
        (Key::Other, Part::Left | Part::Right) if drive.config.steering_reversed => {
            "left and right are swapped: set drive.steering_reversed = false, for the servo is not mounted the other way round"
        }
        (Key::Other, Part::Left | Part::Right) => {
            "left and right are swapped: set drive.steering_reversed = true, for the servo is mounted the other way round; \
             the calibration stays as it is"
        }
        (_, Part::Left | Part::Right) if is_skid => {
            "the motor of one side did not turn: its pins, its wires, or a dead band that is larger; see the wiring"
        }
        (_, Part::Left | Part::Right) => {
            "the servo did not move: its plug (signal, plus, minus), its own 5 V with a common ground, and the pin or channel \
             of steering"
        }
        (Key::Other, Part::Forward | Part::Reverse) if is_bridge => {
            "forward and reverse are swapped: swap hbridge.forward_pin and hbridge.reverse_pin, or the motor's two wires"
        }
        (Key::Other, Part::Forward | Part::Reverse) => {
            "forward and reverse are swapped: swap two wires of the motor, or reverse it in the ESC's own setup"
        }
        (_, Part::Forward) if is_bridge => {
            "the motor did not turn: its supply, hbridge.enable_pin, or more of a dead band: `spidercar calibrate`, 2 \
             (drive.calibration.forward_zero_us)"
        }
        (_, Part::Forward) => {
            "the motor did not turn: is the ESC on and did it hear neutral first (drive.esc_arming_ms)? Then `spidercar \
             calibrate`, 2: the first pulse that moves it (drive.calibration.forward_zero_us)"
        }
        (_, Part::Reverse) if is_bridge => {
            "the motor did not turn backward: hbridge.reverse_pin and its wire"
        }
        (_, Part::Reverse) => {
            "the motor did not turn backward: its ESC may want longer pulses before it (drive.brake_ms, \
             drive.brake_neutral_ms, drive.calibration.brake_us), reverse at once (drive.reverse = \"direct\"), or has \
             reverse switched off"
        }
    };
    Err(todo.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drive() -> Drive {
        crate::config::built_in().drive
    }

    #[test]
    fn one_output_moves_at_a_time_and_a_small_way() {
        let steps = steps(&drive());
        let names: Vec<_> = steps.iter().map(|step| step.name).collect();
        assert_eq!(names, ["left", "right", "forward", "reverse"]);
        for step in steps {
            assert!(
                step.throttle.is_zero() != step.steering.is_zero(),
                "{step:?}"
            );
            assert!(
                step.throttle.get().abs() <= 100 && step.steering.get().abs() <= 300,
                "{step:?}"
            );
            assert!(step.length <= Duration::from_secs(2), "{step:?}");
        }
    }

    #[test]
    fn what_the_limits_forbid_is_not_tried() {
        let mut drive = drive();
        drive.config.limits.max_reverse = Throttle::saturating(0);
        drive.config.limits.max_steering = Steering::saturating(0);
        let steps = steps(&drive);
        let names: Vec<_> = steps.iter().map(|step| step.name).collect();
        assert_eq!(names, ["forward"]);
    }

    #[test]
    fn each_answer_but_yes_names_what_to_change() {
        let mut drive = drive();
        let say = |part, key| finding(part, key, &drive);
        for (part, key, todo) in [
            (Part::Still, Key::Nothing, "throttle_zero_us"),
            (Part::Left, Key::Other, "set drive.steering_reversed = true"),
            (
                Part::Right,
                Key::Other,
                "set drive.steering_reversed = true",
            ),
            (Part::Right, Key::Nothing, "plug"),
            (Part::Forward, Key::Other, "swap two wires"),
            (Part::Forward, Key::Nothing, "forward_zero_us"),
            (Part::Reverse, Key::Other, "swap two wires"),
            (Part::Reverse, Key::Nothing, "drive.brake_ms"),
        ] {
            let said = say(part, key).unwrap_err();
            assert!(said.contains(todo), "{part:?} {key:?}: {said}");
            assert!(say(part, Key::Yes).is_ok());
        }
        drive.config.steering_reversed = true;
        let said = finding(Part::Left, Key::Other, &drive).unwrap_err();
        assert!(
            said.contains("set drive.steering_reversed = false"),
            "{said}"
        );
    }
}
