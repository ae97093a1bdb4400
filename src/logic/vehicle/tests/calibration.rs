//! Tuning and saving: by whom, when it ends, and when a new neutral counts.

use super::*;
use crate::logic::drive::CalibrationFields;
use crate::logic::units::PulseWidth;
use crate::logic::wire::{Axis, CalibrationCommand, Change, Pulses, Tune};

fn tunable() -> Vehicle {
    vehicle().with_remote_calibration()
}

impl Rig {
    /// Who tunes an output, which has to be heard as often as a drive.
    fn tune(&mut self, who: u32, axis: Axis, micros: u16) -> &Step {
        let pulse = PulseWidth::new(micros).unwrap();
        let drive = DriveCommand {
            seq: self.next_seq(who),
            t_ms: self.now_ms,
            lease: LeaseId::new(who),
            tune: Some(Tune { axis, pulse }),
            ..DriveCommand::default()
        };
        self.hear(&Incoming::Drive(drive))
    }

    fn tune_for(&mut self, who: u32, axis: Axis, micros: u16, ms: u64) -> &Step {
        for _ in 0..ms / 20 {
            self.tune(who, axis, micros);
            self.wait(20);
        }
        &self.last
    }

    fn change(&mut self, who: u32, change: Change) -> &Step {
        let command = CalibrationCommand {
            seq: self.next_seq(who),
            t_ms: self.now_ms,
            lease: LeaseId::new(who),
            change,
        };
        self.hear(&Incoming::Calibration(command))
    }

    fn pulses(&self) -> (u16, u16) {
        let Setpoint { throttle, steering } = self.last.setpoint;
        (throttle.get(), steering.get())
    }
}

fn other() -> Pulses {
    Pulses {
        throttle_zero_us: 1510,
        steering_zero_us: 1480,
        ..default_calibration().fields().to_pulses()
    }
}

#[test]
fn the_holder_of_a_live_car_tunes_one_output_at_a_time() {
    let mut rig = Rig::with(tunable());
    rig.take_over(1, 0);
    rig.tune_for(1, Axis::Throttle, 1540, 400);
    assert_eq!(rig.pulses(), (1540, 1500));
    assert_eq!(
        (rig.last.state, rig.last.cause),
        (State::Live, Cause::Calibrate)
    );
    assert_eq!(rig.throttle(), 0, "it is no throttle of a driver");
    rig.tune(1, Axis::Steering, 1600);
    assert_eq!(rig.pulses().0, 1500, "the other one is at neutral at once");
    rig.tune_for(1, Axis::Steering, 1600, 400);
    assert_eq!(rig.pulses(), (1500, 1600));
    rig.drive(1, 300);
    assert_eq!(
        (
            rig.last.cause,
            rig.throttle(),
            rig.last.status.steering.get()
        ),
        (Cause::Drive, 300, 150),
        "a drive ends it"
    );
    rig.tune(1, Axis::Throttle, 1540);
    assert!(rig.pulses().0 <= 1505, "and it begins at neutral again");
}

#[test]
fn a_car_that_is_not_live_is_not_tuned_and_not_armed_by_a_pulse() {
    let mut rig = Rig::with(tunable());
    rig.arm(1);
    assert_eq!(rig.tune(1, Axis::Throttle, 1540).state, State::Disarmed);
    assert_eq!(rig.last.refusals, Refusals::NOT_NEUTRAL);
    assert_eq!(rig.pulses(), (1500, 1500));
    assert_eq!(rig.drive(1, 0).state, State::Live, "his neutral does");
    assert_eq!(rig.pulses(), (1500, 1500), "nothing was kept");
}

#[test]
fn strangers_the_old_app_and_replays_tune_nothing() {
    let mut rig = Rig::with(tunable());
    rig.take_over(1, 0);
    rig.tune_for(1, Axis::Throttle, 1540, 400);
    rig.tune(2, Axis::Throttle, 2000);
    rig.legacy(MotionKey::Forward, 20);
    rig.seqs[1] -= 1;
    rig.tune(1, Axis::Throttle, 2000);
    assert_eq!(rig.pulses(), (1540, 1500));
    let (foreign, replayed) = (rig.last.status.foreign, rig.last.status.replayed);
    assert_eq!((foreign, replayed), (2, 1));
}

#[test]
fn a_car_that_is_calibrated_by_who_stands_at_it_is_not_tuned_over_the_network() {
    let mut rig = Rig::driven(0);
    for _ in 0..30 {
        rig.tune(1, Axis::Throttle, 1600);
        assert_eq!(rig.pulses(), (1500, 1500));
        rig.wait(20);
    }
    assert_eq!(rig.last.status.foreign, 30);
    assert_eq!(
        rig.last.state,
        State::Stopped,
        "it is no sign of life either"
    );
    assert!(!rig.last.status.calibration.is_remote);
    let answer = rig
        .change(1, Change::Save(other()))
        .status
        .calibration
        .answer;
    assert_eq!(answer, Answer::NotRemote);
    assert_eq!(rig.vehicle.neutral(), default_calibration().neutral());
}

#[test]
fn every_end_of_a_drive_ends_the_tuning_and_silence_is_neutral_from_the_hold_on() {
    type End = fn(&mut Rig);
    let ends: [(&str, End); 5] = [
        ("stop", |rig| {
            rig.hear(&Incoming::Stop);
        }),
        ("silence", |rig| {
            rig.wait(105);
        }),
        ("release", |rig| {
            rig.want(1, Want::Release);
        }),
        ("link", |rig| {
            let now = rig.now();
            rig.intent.set_link(now, false);
            rig.step();
        }),
        ("let go", |rig| {
            rig.drive(1, 0);
        }),
    ];
    for (name, end) in ends {
        let mut rig = Rig::with(tunable());
        rig.take_over(1, 0);
        rig.tune_for(1, Axis::Throttle, 1600, 1_000);
        rig.tune(1, Axis::Throttle, 1600);
        assert_eq!(rig.pulses(), (1600, 1500));
        end(&mut rig);
        assert_eq!(rig.pulses(), (1500, 1500), "{name}");
        rig.tune(1, Axis::Throttle, 1600);
        assert!(rig.pulses().0 <= 1502, "{name}: from neutral again");
    }
}

#[test]
fn a_saved_calibration_counts_at_once_and_is_in_force_when_the_car_stands() {
    let mut rig = Rig::with(tunable());
    rig.take_over(1, 0);
    rig.tune_for(1, Axis::Throttle, 1540, 400);
    let events = rig.change(1, Change::Save(other())).events.clone();
    assert_eq!(events.as_slice(), [Event::Calibration(Answer::Saved)]);
    let status = rig.last.status.calibration;
    assert!(status.is_saved && !status.in_force);
    assert_eq!(
        (status.counts.to_pulses(), status.lease),
        (other(), LeaseId::new(1))
    );
    assert_eq!((rig.last.state, rig.pulses()), (State::Live, (1540, 1500)));
    rig.drive(1, 1_000);
    assert_eq!(rig.pulses().0, 2000);
    rig.drive(1, 0);
    assert_eq!(rig.pulses(), (1500, 1500), "still the old neutral");

    rig.want(1, Want::Release);
    assert_eq!(
        (rig.last.state, rig.last.cause),
        (State::Disarmed, Cause::Disarm)
    );
    assert_eq!(rig.pulses(), (1500, 1500), "first it stands");
    assert!(rig.last.next_at <= Uptime::from_micros((rig.now_ms + 5) * 1000));
    assert_eq!(rig.step().cause, Cause::Calibrate);
    assert_eq!(rig.pulses(), (1510, 1480));
    assert!(rig.last.status.calibration.in_force);
    assert_eq!(rig.step().cause, Cause::Disarm, "told once");
    rig.take_over(1, 0);
    assert_eq!(rig.pulses(), (1510, 1480));
    rig.change(1, Change::Reset);
    assert_eq!(rig.hear(&Incoming::Stop).cause, Cause::Stop);
    assert_eq!(
        (rig.step().state, rig.last.cause),
        (State::Stopped, Cause::Calibrate)
    );
    assert_eq!(rig.pulses(), (1500, 1500));
    assert!(!rig.last.status.calibration.is_saved);
}

#[test]
fn only_the_holder_saves_and_each_wish_once() {
    let mut rig = Rig::with(tunable());
    rig.change(1, Change::Save(other()));
    assert_eq!(rig.last.status.foreign, 1, "nobody holds the lease");
    rig.take_over(1, 0);
    rig.change(2, Change::Save(other()));
    assert_eq!(rig.last.status.foreign, 2);
    rig.change(1, Change::Save(other()));
    rig.seqs[1] -= 1;
    rig.change(1, Change::Reset);
    assert_eq!(rig.last.status.replayed, 1);
    rig.now_ms -= 1_000;
    let late = rig.next_seq(1);
    rig.now_ms += 1_000;
    let command = CalibrationCommand {
        seq: late,
        t_ms: rig.now_ms - 1_000,
        lease: LeaseId::new(1),
        change: Change::Reset,
    };
    rig.hear(&Incoming::Calibration(command));
    assert_eq!(rig.last.status.late, 1);
    assert!(rig.last.status.calibration.is_saved);
    for _ in 0..20 {
        rig.change(1, Change::Save(other()));
        rig.wait(100);
    }
    assert_eq!(rig.last.state, State::Stopped, "saving keeps no car alive");
}

#[test]
fn what_makes_no_sense_is_answered_and_changes_nothing() {
    let good = default_calibration().fields().to_pulses();
    let with = |change: fn(&mut Pulses)| {
        let mut pulses = good;
        change(&mut pulses);
        pulses
    };
    let cases = [
        (Answer::NoPulse, with(|p| p.brake_us = 499)),
        (Answer::NoPulse, with(|p| p.throttle_max_us = 65_535)),
        (Answer::OutOfWindow, with(|p| p.throttle_max_us = 2_201)),
        (Answer::Saved, with(|p| p.throttle_max_us = 2_200)),
        (Answer::OutOfWindow, with(|p| p.steering_min_us = 799)),
        (Answer::Saved, with(|p| p.steering_min_us = 800)),
        (
            Answer::ThrottleMinNotBelowZero,
            with(|p| p.throttle_min_us = 1_500),
        ),
        (
            Answer::ForwardZeroBelowZero,
            with(|p| p.forward_zero_us = 1_499),
        ),
        (
            Answer::ForwardZeroNotBelowMax,
            with(|p| p.forward_zero_us = 2_000),
        ),
        (Answer::BrakeNotInReverse, with(|p| p.brake_us = 1_501)),
        (
            Answer::SteeringMinNotBelowZero,
            with(|p| p.steering_min_us = 1_500),
        ),
        (
            Answer::SteeringZeroNotBelowMax,
            with(|p| p.steering_max_us = 1_500),
        ),
    ];
    for (answer, pulses) in cases {
        let mut rig = Rig::with(tunable());
        rig.take_over(1, 0);
        rig.change(1, Change::Save(pulses));
        let status = rig.last.status.calibration;
        assert_eq!(status.answer, answer, "{pulses:?}");
        assert_eq!(status.is_saved, answer.is_granted());
        if !answer.is_granted() {
            assert_eq!(status.counts.to_pulses(), good);
            assert!(status.in_force);
        }
    }
}

#[test]
fn what_was_learned_in_an_earlier_life_is_in_force_from_the_first_step() {
    let fields = CalibrationFields::from_pulses(&other()).unwrap();
    let saved = Calibration::new(fields).unwrap();
    let vehicle = tunable().with_measured(false);
    assert!(!vehicle.is_calibrated());
    let vehicle = vehicle.with_learned(Some(saved), Some(420));
    assert!(vehicle.is_calibrated());
    assert_eq!(vehicle.neutral(), saved.neutral());
    let mut rig = Rig::with(vehicle);
    assert_eq!(rig.pulses(), (1510, 1480));
    let status = rig.last.status.calibration;
    assert!(status.is_saved && status.in_force);
    assert_eq!((status.max_speed, status.answer), (Some(420), Answer::None));
    rig.take_over(1, 1_000);
    assert_eq!(rig.pulses().0, 1709);
    rig.hear(&Incoming::MaxSpeed { ticks: 4095 });
    assert_eq!(rig.pulses().0, 2000);
    assert_eq!(rig.last.status.calibration.max_speed, None);
    // Back to a file whose pulses nobody measured.
    rig.change(1, Change::Reset);
    assert!(!rig.vehicle.is_calibrated());
}

#[test]
fn a_car_with_a_reversed_servo_says_so_and_steers_to_the_short_end_for_left() {
    let mut reversed = unlimited(Reverse::Direct);
    reversed.steering_reversed = true;
    for (car, is_reversed, left) in [
        (unlimited(Reverse::Direct), false, 1750),
        (reversed, true, 1250),
    ] {
        let mut rig = Rig::with(vehicle_of(car));
        rig.take_over(1, 1000); // and half a way to the left
        assert_eq!(rig.pulses(), (2000, left));
        let status = rig.last.status;
        assert_eq!(status.steering.get(), 500);
        assert_eq!(status.calibration.steering_reversed, is_reversed);
        assert_eq!(Status::from_words(&status.to_words()), status);
        let report = status.calibration.report(0);
        assert_eq!(report.reversed, u8::from(is_reversed));
    }
}

#[test]
fn answers_have_numbers_and_words_of_their_own() {
    let words: std::collections::BTreeSet<_> =
        Answer::ALL.iter().map(|answer| answer.says()).collect();
    assert_eq!(words.len(), Answer::ALL.len());
    for answer in Answer::ALL {
        assert_eq!(Answer::from_code(answer.code()), Some(*answer));
        assert_eq!(
            answer.is_granted(),
            [Answer::Saved, Answer::Reset].contains(answer)
        );
    }
    assert_eq!(Answer::from_code(3), None);
}
