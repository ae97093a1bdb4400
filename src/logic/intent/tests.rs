//! Folding keeps the newest of each kind and loses no news; words carry all of it.

use super::*;
use crate::logic::units::{PulseWidth, Seq, Steering, Throttle};
use crate::logic::wire::{Axis, Change, Motion, Ping, Pulses, Tune};

fn at(micros: u64) -> Uptime {
    Uptime::from_micros(micros)
}

fn drive(seq: u32, lease: u32) -> Incoming {
    Incoming::Drive(DriveCommand {
        seq: Seq::new(seq),
        t_ms: u64::from(seq) * 20,
        throttle: Throttle::saturating(300),
        steering: Steering::saturating(-400),
        lease: LeaseId::new(lease),
        tune: Some(Tune {
            axis: Axis::Steering,
            pulse: PulseWidth::saturating(1_234),
        }),
    })
}

fn save(seq: u32, lease: u32) -> Incoming {
    Incoming::Calibration(CalibrationCommand {
        seq: Seq::new(seq),
        t_ms: 62,
        lease: LeaseId::new(lease),
        change: Change::Save(Pulses::from_words([0x1111_2222_3333_4444, u64::MAX - 7])),
    })
}

fn motion(key: MotionKey, milli_steps: i32) -> Incoming {
    Incoming::Motion(Motion { key, milli_steps })
}

/// An intent with something different in every place.
fn full() -> Intent {
    let mut intent = Intent::default();
    let lease = LeaseId::new(77);
    let messages = [
        drive(1, 77),
        drive(2, 77),
        Incoming::Arm(ArmCommand {
            seq: Seq::new(3),
            t_ms: 61,
            lease,
        }),
        Incoming::Stop,
        Incoming::Stop,
        Incoming::Stop,
        Incoming::Lease(LeaseCommand {
            id: lease,
            want: Want::Take,
        }),
        Incoming::View(ViewReport {
            lease,
            rtt_ms: 41,
            age_ms: 42,
        }),
        Incoming::Lease(LeaseCommand {
            id: lease,
            want: Want::HandOver,
        }),
        motion(MotionKey::Forward, 5_000),
        motion(MotionKey::Back, 6_000),
        motion(MotionKey::Right, 7_000),
        Incoming::MaxSpeed { ticks: 420 },
        save(8, 77),
        Incoming::TellCalibration,
        Incoming::TellCalibration,
    ];
    for (place, message) in (1_u64..).zip(&messages) {
        intent.fold(at(place << 33), message, LeaseId::NONE);
    }
    intent.set_link(at(99), true);
    intent.reject(Reject::NotJson);
    intent.reject(Reject::UnknownGroup);
    intent.reject(Reject::UnknownGroup);
    intent.fold(at(100), &drive(9, 5), lease);
    intent
}

#[test]
fn the_newest_of_a_kind_stands_and_all_are_counted() {
    let intent = full();
    assert_eq!((intent.drive.n, intent.drive.value.seq), (2, Seq::new(2)));
    assert_eq!(intent.drive.at, at(2 << 33));
    assert_eq!((intent.stop.n, intent.arm.n, intent.link.n), (3, 1, 1));
    assert_eq!((intent.calibration.n, intent.tell_calibration), (1, 2));
    assert_eq!(
        (intent.malformed, intent.unknown, intent.foreign),
        (1, 2, 1)
    );
}

#[test]
fn directions_share_a_slider() {
    let mut intent = Intent::default();
    let mut fold = |key, milli_steps| {
        intent.fold(at(1), &motion(key, milli_steps), LeaseId::NONE);
        let LegacyThrottle {
            milli_steps,
            forwards,
        } = intent.legacy_throttle.value;
        (milli_steps, forwards, intent.legacy_steering.value)
    };
    assert_eq!(fold(MotionKey::Forward, 5), (5, 1, 0));
    assert_eq!(fold(MotionKey::Back, 6), (-6, 1, 0));
    assert_eq!(
        fold(MotionKey::Forward, 0),
        (0, 2, 0),
        "a forward of zero is a forward"
    );
    assert_eq!(fold(MotionKey::Left, 7), (0, 2, 7));
    assert_eq!(fold(MotionKey::Right, 8), (0, 2, -8));
}

#[test]
fn while_somebody_drives_others_cannot_push_his_commands_out() {
    let mut intent = Intent::default();
    let holder = LeaseId::new(1);
    intent.fold(at(1), &drive(1, 1), holder);
    intent.fold(at(2), &drive(2, 2), holder);
    intent.fold(at(3), &drive(3, 0), holder);
    assert_eq!((intent.drive.n, intent.drive.value.lease), (1, holder));
    intent.fold(at(3), &save(4, 2), holder);
    assert_eq!((intent.calibration.n, intent.foreign), (0, 3));
    // A stop is everybody's, and so is an arm: the vehicle counts who may not.
    intent.fold(at(4), &Incoming::Stop, holder);
    assert_eq!(intent.stop.n, 1);
}

#[test]
fn a_ping_changes_nothing() {
    let mut intent = full();
    intent.fold(
        at(5),
        &Incoming::Ping(Ping { id: 1, t_ms: 2 }),
        LeaseId::NONE,
    );
    assert_eq!(intent, full());
}

#[test]
fn the_link_counts_changes_only_so_that_a_flicker_shows() {
    let mut intent = Intent::default();
    intent.set_link(at(1), false);
    assert_eq!(intent.link.n, 0, "it was down before");
    intent.set_link(at(2), true);
    intent.set_link(at(3), true);
    assert_eq!((intent.link.n, intent.link.at), (1, at(2)));
    intent.set_link(at(4), false);
    intent.set_link(at(5), true);
    assert_eq!(intent.link.n, 3);
}

#[test]
fn counts_wrap() {
    let mut intent = full();
    intent.stop.n = u32::MAX;
    intent.malformed = u32::MAX;
    intent.fold(at(1), &Incoming::Stop, LeaseId::NONE);
    intent.reject(Reject::TooLong);
    assert_eq!((intent.stop.n, intent.malformed), (0, 0));
}

#[test]
fn words_carry_all_of_it() {
    for intent in [Intent::default(), full()] {
        assert_eq!(Intent::from_words(&intent.to_words()), intent);
    }
    // Each word matters: changing any one of a full intent makes another.
    let words = full().to_words();
    for place in 0..INTENT_WORDS {
        let mut changed = words;
        changed[place] ^= 1 << 32;
        let mut low = words;
        low[place] ^= 1;
        let differs = Intent::from_words(&changed) != full() || Intent::from_words(&low) != full();
        assert!(differs, "word {place}");
    }
}

#[test]
fn any_words_make_an_intent_in_range() {
    for word in [
        0,
        1,
        u64::MAX,
        1 << 31,
        1 << 63,
        0x8000_0000_8000_0000,
        0x7FFF_FFFF_7FFF_FFFF,
    ] {
        let intent = Intent::from_words(&[word; INTENT_WORDS]);
        assert!((-1000..=1000).contains(&intent.drive.value.throttle.get()));
        assert!((-1000..=1000).contains(&intent.drive.value.steering.get()));
        let again = Intent::from_words(&intent.to_words());
        assert_eq!(again, intent);
    }
}

#[test]
fn whoever_asks_for_the_lease_is_heard_by_its_holder_and_takes_nothing() {
    let mut intent = Intent::default();
    let holder = LeaseId::new(1);
    let ask = LeaseCommand {
        id: LeaseId::new(2),
        want: Want::HandOver,
    };
    intent.fold(at(9), &Incoming::Lease(ask), holder);
    assert_eq!(
        (intent.ask.value, intent.ask.n, intent.ask.at),
        (LeaseId::new(2), 1, at(9))
    );
    assert_eq!((intent.lease.n, intent.foreign), (0, 0));
}

#[test]
fn only_the_holders_view_counts() {
    let mut intent = Intent::default();
    let view = |lease, age_ms| {
        Incoming::View(ViewReport {
            lease: LeaseId::new(lease),
            rtt_ms: 1,
            age_ms,
        })
    };
    intent.fold(at(1), &view(1, 50), LeaseId::new(1));
    intent.fold(at(2), &view(2, 9_999), LeaseId::new(1));
    assert_eq!(
        (intent.view.n, intent.view.value.age_ms, intent.foreign),
        (1, 50, 1)
    );
}

#[test]
fn a_camera_wish_of_anybody_but_the_holder_is_foreign() {
    use crate::logic::camera::{CameraCommand, CameraWish, View};
    let foreign = |lease, holder| {
        let mut intent = Intent::default();
        let wish = CameraWish::View(View::Rear);
        let lease = LeaseId::new(lease);
        let message = Incoming::Camera(CameraCommand { lease, wish });
        intent.fold(at(1), &message, LeaseId::new(holder));
        intent.foreign
    };
    assert_eq!(
        (foreign(7, 7), foreign(7, 8), foreign(7, 0), foreign(0, 0)),
        (0, 1, 1, 1)
    );
}
