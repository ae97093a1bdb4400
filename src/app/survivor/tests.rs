//! The messages, and the keeper of the other process.

use super::*;
use crate::logic::units::PulseWidth;

fn setpoint(throttle: u32, steering: u32) -> Setpoint {
    Setpoint {
        throttle: PulseWidth::saturating(throttle),
        steering: PulseWidth::saturating(steering),
    }
}

#[test]
fn a_message_comes_back_as_it_was() {
    for neutral in [
        setpoint(1500, 1500),
        setpoint(1, 65_535),
        setpoint(1510, 1488),
    ] {
        assert_eq!(neutral_of(message(neutral)), Some(neutral));
    }
    assert_eq!(neutral_of(OVER), None);
}

/// A survivor that reads nothing, or is gone, must not hold the control thread.
#[test]
fn a_full_pipe_holds_nobody() {
    let (_read, write) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK).unwrap();
    let lifeline = Lifeline(write);
    for _ in 0..100_000 {
        lifeline.tell(setpoint(1500, 1500));
    }
    lifeline.over();
}

#[test]
fn the_program_is_led_to_the_same_outputs() {
    let given = Given {
        config: Some(PathBuf::from("a car.toml")),
        sets: vec![crate::config::Set {
            key: "drive.output".to_owned(),
            value: "sim".to_owned(),
            flag: "--set".to_owned(),
        }],
        built_in: false,
    };
    let wanted = [
        "neutral",
        "--when-stdin-ends",
        "--config",
        "a car.toml",
        "--set",
        "drive.output=sim",
    ];
    let program = Program::this(&given);
    assert_eq!(program.arguments, wanted);
    let asked = crate::cli::parse(program.arguments).unwrap();
    let crate::cli::Asked::Work(crate::cli::Work::Neutral { given: same, waits }) = asked else {
        panic!("{asked:?}");
    };
    assert!(waits);
    assert_eq!(same, given);
}
