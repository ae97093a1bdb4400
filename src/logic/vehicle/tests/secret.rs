//! Who knows no secret: all that a watcher reads in telemetry, and all that he can do with it.

use super::*;
use crate::logic::wire::{CalibrationCommand, Change};

/// Ann, and two who have read her number.
const ANN: LeaseId = LeaseId::with_secret(1, 0xFEED_BEEF);
const READERS: [LeaseId; 2] = [LeaseId::new(1), LeaseId::with_secret(1, 0xFEED_BEEE)];

fn drive(id: LeaseId, seq: u32, t_ms: u64, throttle: i32) -> Incoming {
    Incoming::Drive(DriveCommand {
        seq: Seq::new(seq),
        t_ms,
        throttle: Throttle::new(throttle).unwrap(),
        steering: Steering::ZERO,
        lease: id,
        tune: None,
    })
}

fn arm(id: LeaseId, seq: u32, t_ms: u64) -> Incoming {
    Incoming::Arm(ArmCommand {
        seq: Seq::new(seq),
        t_ms,
        lease: id,
    })
}

/// Ann drives at 300 permille.
fn driven() -> Rig {
    let mut rig = Rig::with(vehicle());
    rig.hear(&drive(ANN, 1, rig.now_ms, 0));
    let step = rig.hear(&arm(ANN, 2, 10_400));
    assert_eq!((step.state, step.status.holder), (State::Live, ANN));
    rig.hear(&drive(ANN, 3, rig.now_ms, 300));
    assert_eq!(rig.throttle(), 300);
    rig
}

#[test]
fn who_has_read_the_number_takes_nothing_moves_nothing_and_shuts_nobody_out() {
    for reader in READERS {
        let mut rig = driven();
        let now_ms = rig.now_ms;
        let far = 1 << 50;
        for message in [
            drive(reader, 1_000, now_ms, 1000),
            drive(reader, 2_000, far, 1000),
            arm(reader, 1_000, now_ms),
            Incoming::Lease(LeaseCommand {
                id: reader,
                want: Want::Release,
            }),
            Incoming::View(ViewReport {
                lease: reader,
                rtt_ms: u32::MAX,
                age_ms: u32::MAX,
            }),
            Incoming::Calibration(CalibrationCommand {
                seq: Seq::new(1_000),
                t_ms: now_ms,
                lease: reader,
                change: Change::Reset,
            }),
        ] {
            let step = rig.hear(&message);
            assert_eq!((step.state, step.status.holder), (State::Live, ANN));
            assert_eq!(rig.throttle(), 300, "{message:?}");
        }
        rig.now_ms += 20;
        rig.hear(&drive(ANN, 4, rig.now_ms, 250));
        assert_eq!(rig.throttle(), 250, "she is heard as before");
        assert_eq!(rig.last.status.late, 0);
        assert!(rig.last.status.foreign >= 5, "{:?}", rig.last.status);
    }
}

#[test]
fn a_lease_that_is_handed_over_is_his_who_asked_with_his_secret() {
    let bob = LeaseId::with_secret(2, 77);
    let mut rig = driven();
    let want = |id, want| Incoming::Lease(LeaseCommand { id, want });
    rig.hear(&want(bob, Want::HandOver));
    assert_eq!(rig.last.status.asker, bob);
    rig.hear(&want(ANN, Want::Release));
    assert_eq!(rig.last.status.holder, bob);
    // Until the link counts as good with him.
    for seq in 1..=16 {
        rig.hear(&drive(bob, seq, rig.now_ms, 0));
        rig.wait(20);
    }
    let now_ms = rig.now_ms;
    for reader in [LeaseId::new(2), LeaseId::with_secret(2, 78)] {
        rig.hear(&drive(reader, 1, now_ms, 0));
        assert_eq!(rig.hear(&arm(reader, 2, now_ms)).state, State::Disarmed);
    }
    rig.hear(&drive(bob, 17, now_ms, 0));
    assert_eq!(rig.hear(&arm(bob, 18, now_ms)).state, State::Live);
}

#[test]
fn without_a_secret_a_forged_time_does_not_shut_the_driver_out() {
    let ann = LeaseId::new(1);
    let mut rig = Rig::driven(300);
    let forged = rig.now_ms + 60_000;
    let seq = rig.next_seq(1).get();
    rig.hear(&drive(ann, seq, forged, 1000));
    assert_eq!(rig.throttle(), 300, "a minute from now is no time of hers");
    rig.now_ms += 20;
    rig.drive(1, 250);
    assert_eq!(rig.throttle(), 250);
    assert_eq!(rig.last.status.late, 1, "the forged one");
}
