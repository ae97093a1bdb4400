//! What passes a seal, and what does not.

use super::*;
use crate::logic::camera::{CameraCommand, CameraWish, Dial, View};
use crate::logic::units::{LeaseId, PulseWidth, Seq, Steering, Throttle};
use crate::logic::wire::{
    ArmCommand, Axis, CalibrationCommand, Change, DriveCommand, LeaseCommand, Motion, MotionKey,
    Ping, Pulses, Tune, ViewReport, Want,
};

const DRIVER: &[u8] = b"the key of drivers";
const CALIBRATOR: &[u8] = b"the key of calibrators";
const DRAWN: u64 = 0xDEAD_BEEF_0BAD_CAFE;
const NOW: Uptime = Uptime::from_micros(100_000_000);
const LEASE: LeaseId = LeaseId::with_secret(7, 99);

fn drive(throttle: i32, tune: Option<Tune>) -> Incoming {
    Incoming::Drive(DriveCommand {
        seq: Seq::new(1),
        t_ms: 20,
        throttle: Throttle::saturating(throttle),
        steering: Steering::ZERO,
        lease: LEASE,
        tune,
    })
}

fn tune() -> Incoming {
    drive(
        0,
        Some(Tune {
            axis: Axis::Throttle,
            pulse: PulseWidth::saturating(1540),
        }),
    )
}

fn change(change: Change) -> Incoming {
    Incoming::Calibration(CalibrationCommand {
        seq: Seq::new(1),
        t_ms: 20,
        lease: LEASE,
        change,
    })
}

/// One of each that can have a seal, and for each field another value of it.
fn all_different() -> Vec<Incoming> {
    let with = |seq, t_ms, lease| {
        Incoming::Arm(ArmCommand {
            seq: Seq::new(seq),
            t_ms,
            lease,
        })
    };
    let want = |want| Incoming::Lease(LeaseCommand { id: LEASE, want });
    let view = |rtt_ms, age_ms| {
        Incoming::View(ViewReport {
            lease: LEASE,
            rtt_ms,
            age_ms,
        })
    };
    let camera = |wish| Incoming::Camera(CameraCommand { lease: LEASE, wish });
    let pulses = Pulses {
        brake_us: 1,
        ..Pulses::default()
    };
    vec![
        drive(0, None),
        drive(1, None),
        drive(-1, None),
        tune(),
        with(1, 20, LEASE),
        with(2, 20, LEASE),
        with(1, 21, LEASE),
        with(1, 20, LeaseId::new(7)),
        with(1, 20, LeaseId::with_secret(8, 99)),
        want(Want::Release),
        want(Want::Take),
        want(Want::HandOver),
        view(1, 2),
        view(2, 1),
        camera(CameraWish::View(View::Rear)),
        camera(CameraWish::View(View::Front)),
        camera(CameraWish::Dial(Dial::ExposureUs, 8_000)),
        camera(CameraWish::Dial(Dial::ExposureUs, 8_001)),
        change(Change::Reset),
        change(Change::Save(Pulses::default())),
        change(Change::Save(pulses)),
    ]
}

/// A car whose calibrators have a key of their own, and a driver with that key of the car's life.
fn pair(key: &[u8]) -> (Seals, DriverSeal) {
    let seals = Seals::new(DRIVER, Some(CALIBRATOR), DRAWN);
    let pong = seals.sealed(Pong::default());
    (seals, DriverSeal::new(key, pong.epoch.unwrap()))
}

fn said(driver: &DriverSeal, message: &Incoming, car_ms: u64) -> Option<SealFields> {
    let seal = driver.seal(message, car_ms)?;
    Some(SealFields { car_ms, seal })
}

#[test]
fn each_message_passes_with_its_own_seal_and_with_no_other() {
    let (seals, calibrator) = pair(CALIBRATOR);
    let all = all_different();
    let fields: Vec<_> = all
        .iter()
        .map(|message| said(&calibrator, message, 99_900))
        .collect();
    for (at, message) in all.iter().enumerate() {
        for (from, fields) in fields.iter().enumerate() {
            let wanted = if at == from {
                Ok(())
            } else {
                Err(Unsealed::Wrong)
            };
            let judged = seals.check(NOW, message, fields.as_ref());
            assert_eq!(judged, wanted, "{message:?} with the seal of {from}");
        }
        assert_eq!(seals.check(NOW, message, None), Err(Unsealed::Missing));
    }
}

#[test]
fn any_bit_of_a_seal_or_of_its_time_makes_it_another() {
    let (seals, driver) = pair(DRIVER);
    let message = drive(500, None);
    let good = said(&driver, &message, 99_900).unwrap();
    for at in 0..SEAL_BYTES * 8 {
        let mut seal = good.seal;
        seal[at / 8] ^= 1 << (at % 8);
        let bent = SealFields { seal, ..good };
        assert_eq!(
            seals.check(NOW, &message, Some(&bent)),
            Err(Unsealed::Wrong)
        );
    }
    let later = SealFields {
        car_ms: 99_901,
        ..good
    };
    assert_eq!(
        seals.check(NOW, &message, Some(&later)),
        Err(Unsealed::Wrong),
        "the time cannot be made newer"
    );
}

#[test]
fn a_key_is_for_what_it_is_for() {
    let wheels_up = [tune(), change(Change::Reset)];
    let (seals, driver) = pair(DRIVER);
    let sealed = said(&driver, &drive(500, None), 99_900);
    assert_eq!(seals.check(NOW, &drive(500, None), sealed.as_ref()), Ok(()));
    for message in &wheels_up {
        let fields = said(&driver, message, 99_900);
        assert_eq!(
            seals.check(NOW, message, fields.as_ref()),
            Err(Unsealed::Right)
        );
    }
    // Without a key of their own, who drives may.
    let seals = Seals::new(DRIVER, None, DRAWN);
    for message in &wheels_up {
        let fields = said(&driver, message, 99_900);
        assert_eq!(seals.check(NOW, message, fields.as_ref()), Ok(()));
    }
    let (seals, stranger) = pair(b"a key of nobody");
    let fields = said(&stranger, &drive(0, None), 99_900);
    assert_eq!(
        seals.check(NOW, &drive(0, None), fields.as_ref()),
        Err(Unsealed::Wrong)
    );
}

#[test]
fn what_was_held_back_or_is_of_another_life_is_nothing() {
    let (seals, driver) = pair(DRIVER);
    let message = drive(500, None);
    for (car_ms, wanted) in [
        (100_000, Ok(())),
        (98_000, Ok(())),
        (97_999, Err(Unsealed::Old)),
        (0, Err(Unsealed::Old)),
        (100_001, Err(Unsealed::Old)),
        (u64::MAX, Err(Unsealed::Old)),
    ] {
        let fields = said(&driver, &message, car_ms);
        assert_eq!(
            seals.check(NOW, &message, fields.as_ref()),
            wanted,
            "{car_ms}"
        );
    }
    let next_life = Seals::new(DRIVER, Some(CALIBRATOR), DRAWN ^ 1 << 11);
    let fields = said(&driver, &message, 99_900);
    assert_eq!(
        next_life.check(NOW, &message, fields.as_ref()),
        Err(Unsealed::Wrong)
    );
}

#[test]
fn a_stop_and_questions_need_no_seal_and_an_old_app_has_none() {
    let (seals, _) = pair(DRIVER);
    for message in [
        Incoming::Stop,
        Incoming::Ping(Ping::default()),
        Incoming::TellCalibration,
    ] {
        assert_eq!(seals.check(NOW, &message, None), Ok(()));
    }
    let any = Some(SealFields {
        car_ms: 99_900,
        seal: [0; SEAL_BYTES],
    });
    for message in [
        Incoming::Motion(Motion {
            key: MotionKey::Forward,
            milli_steps: 0,
        }),
        Incoming::MaxSpeed { ticks: 400 },
    ] {
        for fields in [None, any] {
            let judged = seals.check(NOW, &message, fields.as_ref());
            assert_eq!(judged, Err(Unsealed::Missing));
        }
    }
}

#[test]
fn an_answer_of_the_car_is_known_from_one_that_the_spider_made() {
    let (seals, driver) = pair(DRIVER);
    let pong = seals.sealed(Pong {
        id: 1,
        t_ms: 20,
        car_us: 30,
        ..Pong::default()
    });
    assert!(driver.is_cars(&pong));
    assert!(pong.epoch.unwrap() < 1 << 53, "a browser can count it");
    for forged in [
        Pong { id: 2, ..pong },
        Pong { t_ms: 21, ..pong },
        Pong { car_us: 31, ..pong },
        Pong {
            epoch: Some(1),
            ..pong
        },
        Pong {
            epoch: None,
            ..pong
        },
        Pong { seal: None, ..pong },
    ] {
        assert!(!driver.is_cars(&forged), "{forged:?}");
    }
}

#[test]
fn the_longest_that_is_sealed_fits() {
    for message in all_different() {
        assert!(Bytes::of(&message, u64::MAX, u64::MAX).is_some());
    }
    for dial in Dial::ALL {
        let message = Incoming::Camera(CameraCommand {
            lease: LEASE,
            wish: CameraWish::Dial(*dial, i32::MIN),
        });
        assert!(Bytes::of(&message, 0, 0).is_some(), "{}", dial.word());
    }
}
