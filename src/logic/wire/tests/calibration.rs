//! `calibrate` and `calibration`: the edges of each number, and what is neutral.

use super::*;
use crate::logic::units::PulseWidth;

fn calibrate(wheels_up: &str, output: &str, us: &str) -> Result<Incoming, Reject> {
    decode(
        format!(
            r#"{{"calibrate":{{"seq":12,"t_ms":99,"lease":7,"wheels_up":{wheels_up},"output":{output},"us":{us}}}}}"#
        )
        .as_bytes(),
    )
}

fn tune_of(wheels_up: &str, output: &str, us: &str) -> Option<Tune> {
    match calibrate(wheels_up, output, us) {
        Ok(Incoming::Drive(drive)) => {
            assert!(drive.throttle.is_zero() && drive.steering.is_zero());
            assert_eq!(
                (drive.seq, drive.t_ms, drive.lease),
                (Seq::new(12), 99, LeaseId::new(7))
            );
            assert_eq!(drive.is_neutral(), drive.tune.is_none());
            drive.tune
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_pulse_is_taken_from_500_to_2500_for_one_of_two_outputs() {
    for (output, axis) in [("1", Axis::Throttle), ("2", Axis::Steering)] {
        for us in [500, 1540, 2500] {
            let pulse = PulseWidth::new(us).unwrap();
            assert_eq!(
                tune_of("1", output, &us.to_string()),
                Some(Tune { axis, pulse })
            );
        }
        for us in ["499", "2501", "-1", "65536"] {
            assert_eq!(calibrate("1", output, us), Err(Reject::OutOfRange), "{us}");
        }
    }
    assert_eq!(calibrate("1", "3", "1500"), Err(Reject::OutOfRange));
    assert_eq!(calibrate("1", "-1", "1500"), Err(Reject::OutOfRange));
    assert_eq!(calibrate("1", "1", "1500.0"), Err(Reject::NotAnInteger));
    assert_eq!(calibrate("true", "1", "1500"), Err(Reject::NotANumber));
}

#[test]
fn without_wheels_up_or_an_output_it_is_neutral() {
    assert_eq!(tune_of("0", "1", "2000"), None);
    assert_eq!(tune_of("0", "2", "2000"), None);
    assert_eq!(tune_of("1", "0", "0"), None);
    assert_eq!(calibrate("2", "1", "1500"), Err(Reject::OutOfRange));
    assert_eq!(
        refused(r#"{"calibrate":{"seq":1,"t_ms":2,"lease":7,"output":1,"us":1500}}"#),
        Reject::Missing,
        "nobody said that the wheels are up"
    );
}

fn calibration(fields: &str) -> Result<Incoming, Reject> {
    decode(format!(r#"{{"calibration":{{{fields}}}}}"#).as_bytes())
}

const PULSES: &str = r#""throttle_min_us":1,"throttle_zero_us":2,"forward_zero_us":3,"throttle_max_us":4,"steering_min_us":5,"steering_zero_us":6,"steering_max_us":7,"brake_us":65535"#;

#[test]
fn a_set_of_pulses_is_taken_whole_or_not_at_all() {
    let whole = format!(r#""action":1,"seq":4294967295,"t_ms":9,"lease":7,"pulses":{{{PULSES}}}"#);
    let Ok(Incoming::Calibration(CalibrationCommand { seq, change, .. })) = calibration(&whole)
    else {
        panic!("{:?}", calibration(&whole));
    };
    assert_eq!(seq, Seq::new(u32::MAX));
    let Change::Save(pulses) = change else {
        panic!("{change:?}");
    };
    assert_eq!((pulses.throttle_min_us, pulses.brake_us), (1, 65_535));
    assert_eq!(Pulses::from_words(pulses.to_words()), pulses);
    for name in PULSES.split(',').filter_map(|pair| pair.split('"').nth(1)) {
        let without = whole.replace(name, "another_us");
        assert_eq!(calibration(&without), Err(Reject::Missing), "{name}");
    }
    assert_eq!(
        calibration(&whole.replace("65535", "65536")),
        Err(Reject::OutOfRange)
    );
    assert_eq!(
        calibration(r#""action":1,"seq":1,"t_ms":9,"lease":7,"pulses":[]"#),
        Err(Reject::NotAnObject)
    );
}

#[test]
fn a_question_needs_nothing_else_and_a_reset_no_pulses() {
    assert_eq!(calibration(r#""action":0"#), Ok(Incoming::TellCalibration));
    assert_eq!(
        calibration(r#""action":2,"seq":1,"t_ms":9,"lease":7"#),
        Ok(Incoming::Calibration(CalibrationCommand {
            seq: Seq::new(1),
            t_ms: 9,
            lease: LeaseId::new(7),
            change: Change::Reset,
        }))
    );
    assert_eq!(calibration(r#""action":2,"seq":1"#), Err(Reject::Missing));
    assert_eq!(calibration(r#""action":3"#), Err(Reject::OutOfRange));
    assert_eq!(
        calibration(r#""key":"throttle","value":375"#),
        Err(Reject::UnknownGroup),
        "the old app's, if it has one"
    );
    assert_eq!(calibration(""), Err(Reject::UnknownGroup));
}
