//! What is late, what is a replay, and how a new clock is learnt.

use super::*;
use crate::logic::units::{PulseWidth, Steering, Throttle};
use crate::logic::wire::{Axis, Tune};

const AGE: Duration = Duration::from_millis(150);
/// For a sender that does not drive.
const STANDS: Rule = Rule {
    command_age: AGE,
    drives: false,
};
/// For the driver of a car that may move.
const DRIVES: Rule = Rule {
    command_age: AGE,
    drives: true,
};
/// Difference between our clock and the sender's, in ms: they never agree.
const OFFSET_MS: u64 = 1_000_000;

fn id(number: u32) -> LeaseId {
    LeaseId::new(number)
}

/// A drive sent at `sent_ms` on its sender's clock.
fn drive(lease: u32, seq: u32, sent_ms: u64, throttle: i32) -> DriveCommand {
    DriveCommand {
        seq: Seq::new(seq),
        t_ms: sent_ms,
        throttle: Throttle::new(throttle).unwrap(),
        steering: Steering::ZERO,
        lease: id(lease),
        tune: None,
    }
}

/// When something sent at `sent_ms` and `delay_ms` under way arrives on our clock.
fn arrival(sent_ms: u64, delay_ms: u64) -> Uptime {
    Uptime::from_micros((OFFSET_MS + sent_ms + delay_ms) * 1000)
}

/// One sender, judged in order of sending.
#[derive(Default)]
struct Path {
    senders: Senders,
    seq: u32,
    drives: bool,
}

impl Path {
    /// That of the driver of a car that may move.
    fn driving() -> Self {
        Self {
            drives: true,
            ..Self::default()
        }
    }

    fn send(&mut self, sent_ms: u64, delay_ms: u64, throttle: i32) -> Verdict {
        self.seq += 1;
        let command = drive(1, self.seq, sent_ms, throttle);
        self.senders
            .judge_drive(arrival(sent_ms, delay_ms), &command, self.rule())
    }

    fn rule(&self) -> Rule {
        if self.drives { DRIVES } else { STANDS }
    }
}

/// How long a sender that is late by 60 s takes to be believed, in ms of its own time, if it sends this each 50 ms.
fn learnt_after(mut send: impl FnMut(&mut Senders, Uptime, u64, u32) -> Verdict) -> Option<u64> {
    let mut senders = Senders::default();
    let first = drive(1, 1, 0, 0);
    assert_eq!(
        senders.judge_drive(arrival(0, 10), &first, STANDS),
        Verdict::Fresh
    );
    (2..400)
        .find(|seq| {
            let sent_ms = u64::from(*seq) * 50;
            let at = arrival(sent_ms, 60_010);
            send(&mut senders, at, sent_ms, *seq) == Verdict::Fresh
        })
        .map(|seq| u64::from(seq) * 50)
}

#[test]
fn a_clock_that_was_set_is_learnt_whatever_its_driver_does() {
    let arm = |seq, t_ms| ArmCommand {
        seq: Seq::new(seq),
        t_ms,
        lease: id(1),
    };
    let tune = Some(Tune {
        axis: Axis::Throttle,
        pulse: PulseWidth::saturating(1_540),
    });
    let neutral = learnt_after(|senders, at, sent_ms, seq| {
        senders.judge_drive(at, &drive(1, seq, sent_ms, 0), STANDS)
    });
    let held = learnt_after(|senders, at, sent_ms, seq| {
        senders.judge_drive(at, &drive(1, seq, sent_ms, 700), STANDS)
    });
    let tuned = learnt_after(|senders, at, sent_ms, seq| {
        let command = DriveCommand {
            tune,
            ..drive(1, seq, sent_ms, 0)
        };
        senders.judge_drive(at, &command, STANDS)
    });
    let arming = learnt_after(|senders, at, sent_ms, seq| {
        let armed = senders.judge_arm(at, &arm(seq, sent_ms), STANDS);
        let driven = senders.judge_drive(at, &drive(1, seq, sent_ms, 0), STANDS);
        if armed == Verdict::Fresh {
            armed
        } else {
            driven
        }
    });
    let saving = learnt_after(|senders, at, sent_ms, seq| {
        let command = CalibrationCommand {
            seq: Seq::new(seq),
            t_ms: sent_ms,
            lease: id(1),
            ..CalibrationCommand::default()
        };
        senders.judge_change(at, &command, STANDS)
    });
    // 5 s after the first late one, which is the one sent at 100 ms.
    for (name, after) in [
        ("neutral", neutral),
        ("held", held),
        ("tuned", tuned),
        ("arming", arming),
        ("saving", saving),
    ] {
        assert_eq!(after, Some(5_100), "{name}");
    }
}

/// Numbers that are random enough, from a seed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, most: u64) -> u64 {
        // Knuth's linear congruential generator (MMIX); the high bits are the good ones.
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % most
    }
}

#[test]
fn after_any_jump_of_clock_or_path_a_sender_is_fresh_within_six_seconds() {
    for seed in 0..200 {
        let mut dice = Dice(seed);
        let (mut senders, mut seq) = (Senders::default(), 0);
        let (mut now_ms, mut clock_ms, mut path_ms) = (1_000_000, 50_000_000, 40);
        for _ in 0..12 {
            match dice.below(4) {
                // The device sleeps, and its clock with it.
                0 => now_ms += 1 + dice.below(600_000),
                1 => clock_ms -= dice.below(1_000_000),
                2 => clock_ms += dice.below(1_000_000),
                _ => {
                    // Nothing overtakes what is on its way.
                    now_ms += path_ms + 100;
                    path_ms = 1 + dice.below(3_000);
                }
            }
            let (began_ms, mut last_fresh_ms) = (now_ms, None);
            while now_ms - began_ms < 8_000 {
                (now_ms, clock_ms) = (now_ms + 50, clock_ms + 50);
                seq += 1;
                let jitter_ms = dice.below(100);
                let at = Uptime::from_micros((now_ms + path_ms + jitter_ms) * 1_000);
                let throttle = i32::from(dice.below(3) == 0) * 500;
                let command = drive(1, seq, clock_ms, throttle);
                let verdict = senders.judge_drive(at, &command, STANDS);
                let arm = ArmCommand {
                    seq: Seq::new(seq),
                    t_ms: clock_ms,
                    lease: id(1),
                };
                senders.judge_arm(at, &arm, STANDS);
                if verdict == Verdict::Fresh {
                    last_fresh_ms = Some(now_ms - began_ms);
                } else {
                    assert!(
                        now_ms - began_ms < 6_000,
                        "seed {seed}: late {} ms after the jump, fresh last after {last_fresh_ms:?}",
                        now_ms - began_ms
                    );
                }
            }
        }
    }
}

#[test]
fn a_queue_that_empties_slowly_teaches_nothing_whatever_is_in_it() {
    for percent in [110_u64, 130, 200, 500] {
        let mut path = Path::default();
        assert_eq!(path.send(0, 10, 0), Verdict::Fresh);
        // 20 s of commands waited, and now come faster than they were sent: the delay falls from 20 s to that of the path.
        let mut sent_ms = 20;
        loop {
            let arrived_ms = 20_000 + sent_ms * 100 / percent;
            // The floor may rise by a thousandth of the time, as clocks drift.
            if arrived_ms < sent_ms + 10 + 150 + sent_ms / 1_000 + 1 {
                break;
            }
            let delay_ms = arrived_ms - sent_ms;
            let throttle = i32::from(sent_ms % 3 == 0) * 800;
            assert_eq!(
                path.send(sent_ms, delay_ms, throttle),
                Verdict::Late,
                "{percent} %, waited {delay_ms} ms"
            );
            sent_ms += 20;
        }
    }
}

#[test]
fn a_clock_that_runs_slower_than_drift_allows_is_learnt_again_and_again() {
    // 5000 ppm: late after 35 s or so, which stops the car; 5 s later it is fresh again.
    let mut path = Path::default();
    let (mut late, mut fresh) = (0_u32, 0_u32);
    for tick in 0..6_000_u64 {
        let verdict = path.send(tick * 50, 10 + tick * 50 / 200, 0);
        path.drives = verdict == Verdict::Fresh;
        match verdict {
            Verdict::Late => late += 1,
            _ => fresh += 1,
        }
    }
    assert!(late > 0, "the case is one");
    assert!(fresh > 4 * late, "fresh {fresh}, late {late}");
}

#[test]
fn a_change_of_the_calibration_is_judged_as_an_arm_is() {
    let mut path = Path::default();
    assert_eq!(path.send(0, 50, 0), Verdict::Fresh);
    let mut change = |seq, sent_ms, delay_ms| {
        let command = CalibrationCommand {
            seq: Seq::new(seq),
            t_ms: sent_ms,
            lease: id(1),
            ..CalibrationCommand::default()
        };
        path.senders
            .judge_change(arrival(sent_ms, delay_ms), &command, STANDS)
    };
    assert_eq!(change(5, 20, 201), Verdict::Late);
    assert_eq!(change(5, 20, 200), Verdict::Fresh);
    assert_eq!(change(5, 20, 50), Verdict::Replayed);
    assert_eq!(change(4, 40, 50), Verdict::Replayed);
    assert_eq!(change(6, 60, 50), Verdict::Fresh);
    assert_eq!(path.send(80, 50, 0), Verdict::Fresh, "drive counts apart");
}

#[test]
fn a_command_may_be_command_age_slower_than_the_fastest() {
    for late_by in 0..400 {
        let mut path = Path::driving();
        assert_eq!(path.send(0, 50, 500), Verdict::Fresh);
        let wanted = if late_by <= 150 {
            Verdict::Fresh
        } else {
            Verdict::Late
        };
        assert_eq!(path.send(20, 50 + late_by, 500), wanted, "{late_by} ms");
    }
}

#[test]
fn a_faster_path_lowers_the_floor() {
    let mut path = Path::driving();
    assert_eq!(path.send(0, 200, 500), Verdict::Fresh);
    assert_eq!(path.send(20, 200, 500), Verdict::Fresh);
    assert_eq!(path.send(40, 20, 500), Verdict::Fresh);
    assert_eq!(
        path.send(60, 200, 500),
        Verdict::Late,
        "it was normal before a fast one was seen"
    );
}

#[test]
fn a_queue_that_empties_in_order_is_late_however_long_it_is() {
    let mut path = Path::driving();
    for tick in 0..50 {
        assert_eq!(path.send(tick * 20, 30, 800), Verdict::Fresh);
    }
    // Two seconds of commands were held back and come within one millisecond.
    for tick in 50..150 {
        let sent_ms = tick * 20;
        let verdict = path.send(sent_ms, 3_000 - sent_ms + 30, 800);
        let waited = 3_000 - sent_ms;
        assert_eq!(
            verdict,
            if waited > 150 {
                Verdict::Late
            } else {
                Verdict::Fresh
            },
            "waited {waited}"
        );
    }
}

#[test]
fn late_commands_leave_no_trace() {
    let mut path = Path::default();
    path.send(0, 10, 0);
    let before = path.senders.heard(id(1));
    assert_eq!(path.send(20, 900, 1000), Verdict::Late);
    assert_eq!(path.senders.heard(id(1)), before);
    // So the same number may still come in time by another way.
    path.seq -= 1;
    assert_eq!(path.send(20, 11, 1000), Verdict::Fresh);
}

#[test]
fn the_same_and_older_numbers_are_replays() {
    let mut senders = Senders::default();
    let mut judge =
        |seq, at_ms| senders.judge_drive(arrival(at_ms, 0), &drive(1, seq, at_ms, 0), STANDS);
    assert_eq!(judge(10, 0), Verdict::Fresh);
    assert_eq!(judge(10, 1), Verdict::Replayed);
    assert_eq!(judge(9, 2), Verdict::Replayed);
    assert_eq!(judge(12, 3), Verdict::Fresh);
    assert_eq!(judge(11, 4), Verdict::Replayed, "overtaken on the way");
    assert_eq!(
        judge(u32::MAX, 5),
        Verdict::Replayed,
        "behind, the other way round"
    );
    assert_eq!(judge(12 + (1 << 31), 6), Verdict::Replayed);
    assert_eq!(judge(11 + (1 << 31), 7), Verdict::Fresh);
}

#[test]
fn arms_are_counted_apart_but_share_the_clock() {
    let mut senders = Senders::default();
    let arm = |seq, sent_ms| ArmCommand {
        seq: Seq::new(seq),
        t_ms: sent_ms,
        lease: id(1),
    };
    assert_eq!(
        senders.judge_drive(arrival(0, 10), &drive(1, 5, 0, 0), STANDS),
        Verdict::Fresh
    );
    assert_eq!(
        senders.judge_arm(arrival(1, 10), &arm(5, 1), STANDS),
        Verdict::Fresh
    );
    assert_eq!(
        senders.judge_arm(arrival(1, 11), &arm(5, 1), STANDS),
        Verdict::Replayed
    );
    assert_eq!(
        senders.judge_arm(arrival(2, 161), &arm(6, 2), STANDS),
        Verdict::Late
    );
    assert_eq!(
        senders.judge_arm(arrival(2, 160), &arm(6, 2), STANDS),
        Verdict::Fresh
    );
    assert_eq!(
        senders.judge_drive(arrival(3, 10), &drive(1, 6, 3, 0), STANDS),
        Verdict::Fresh
    );
}

#[test]
fn clocks_that_drift_apart_are_followed_up_to_the_rate() {
    // The sender's clock runs 900 ppm slow for an hour: 3.24 s in all, at 10 commands a second.
    let mut senders = Senders::default();
    for tick in 0..36_000_u64 {
        let at = Uptime::from_micros(1_000_000 + tick * 100_000);
        let sent_ms = (tick * 100_000 - tick * 90) / 1000;
        let command = drive(1, u32::try_from(tick).unwrap() + 1, sent_ms, 500);
        assert_eq!(
            senders.judge_drive(at, &command, DRIVES),
            Verdict::Fresh,
            "at {tick}"
        );
    }
}

#[test]
fn a_floor_rises_no_faster_than_clocks_drift() {
    // A queue that grows by 1 % passes as drift for 15 s at a thousandth; after that it is late.
    let mut path = Path::driving();
    let first_late = (0..1_000_u64)
        .find(|tick| path.send(tick * 100, *tick, 500) == Verdict::Late)
        .unwrap();
    assert!((160..=175).contains(&first_late), "{first_late}");
}

#[test]
fn a_gap_of_an_hour_raises_the_floor_by_ten_milliseconds_only() {
    for (extra, wanted) in [(159, Verdict::Fresh), (161, Verdict::Late)] {
        let mut path = Path::driving();
        path.send(0, 10, 500);
        assert_eq!(path.send(3_600_000, 10 + extra, 500), wanted, "{extra}");
    }
}

#[test]
fn a_clock_that_was_set_is_learnt_from_five_seconds_of_neutral() {
    let mut path = Path::default();
    path.send(0, 10, 0);
    let mut first_fresh = None;
    for tick in 1..200 {
        // The sender's clock went back a minute: all he says looks a minute late.
        if path.send(tick * 50, 60_010, 0) == Verdict::Fresh {
            first_fresh = Some(tick * 50);
            break;
        }
    }
    assert_eq!(first_fresh, Some(5_050), "5 s after the first late one");
    assert_eq!(
        path.send(5_100, 60_010, 700),
        Verdict::Fresh,
        "and from then on he drives"
    );
}

#[test]
fn a_gap_in_the_neutral_starts_learning_over() {
    let mut path = Path::default();
    path.send(0, 10, 0);
    let late = |path: &mut Path, sent_ms| path.send(sent_ms, 60_010, 0) == Verdict::Late;
    for tick in 0..90 {
        assert!(late(&mut path, 100 + tick * 50));
    }
    // 1001 ms of nothing, then 4.9 s more.
    for tick in 0..98 {
        assert!(late(&mut path, 4_550 + 1_001 + tick * 50), "{tick}");
    }
}

#[test]
fn a_burst_of_neutrals_is_not_five_seconds_of_them() {
    let mut path = Path::default();
    path.send(0, 10, 0);
    for tick in 1..400 {
        // Twenty seconds of neutral, queued, delivered in 400 ms.
        let sent_ms = tick * 50;
        assert_ne!(
            path.send(sent_ms, 30_000 - sent_ms + tick, 0),
            Verdict::Fresh,
            "{tick}"
        );
    }
}

#[test]
fn eight_senders_are_remembered_and_the_quietest_goes_first() {
    let mut senders = Senders::default();
    let judge = |senders: &mut Senders, lease, seq, at_ms| {
        senders.judge_drive(arrival(at_ms, 0), &drive(lease, seq, at_ms, 0), STANDS)
    };
    for lease in 1..=8 {
        judge(&mut senders, lease, 5, u64::from(lease));
    }
    judge(&mut senders, 1, 6, 20);
    judge(&mut senders, 9, 5, 21);
    assert!(senders.heard(id(2)).is_none(), "the quietest made place");
    for kept in [1, 3, 4, 5, 6, 7, 8, 9] {
        assert!(senders.heard(id(kept)).is_some(), "{kept}");
        assert_eq!(judge(&mut senders, kept, 5, 22), Verdict::Replayed);
    }
    judge(&mut senders, 4, 7, 30);
    assert_eq!(senders.newest().unwrap().command.lease, id(4));
}

#[test]
fn extreme_clocks_do_not_overflow() {
    for at in [Uptime::ZERO, Uptime::MAX] {
        for t_ms in [0, u64::MAX, (1 << 53) - 1] {
            for then in [Uptime::ZERO, Uptime::MAX] {
                let mut senders = Senders::default();
                assert_eq!(
                    senders.judge_drive(at, &drive(1, 1, t_ms, 0), STANDS),
                    Verdict::Fresh
                );
                senders.judge_drive(then, &drive(1, 2, 0, 0), STANDS);
                senders.judge_drive(then, &drive(1, 3, u64::MAX, 0), STANDS);
            }
        }
    }
}

#[test]
fn a_first_arm_that_was_late_is_found_out_by_a_faster_drive() {
    for (late_by, wanted) in [(150, true), (151, false)] {
        let mut senders = Senders::default();
        let (sent_ms, at) = (0, arrival(0, 20 + late_by));
        let arm = ArmCommand {
            seq: Seq::new(1),
            t_ms: sent_ms,
            lease: id(1),
        };
        assert_eq!(
            senders.judge_arm(at, &arm, STANDS),
            Verdict::Fresh,
            "nothing to compare it with"
        );
        assert!(senders.is_still_fresh(id(1), at, sent_ms, AGE));
        senders.judge_drive(arrival(200, 20), &drive(1, 9, 200, 0), STANDS);
        assert_eq!(
            senders.is_still_fresh(id(1), at, sent_ms, AGE),
            wanted,
            "{late_by}"
        );
    }
    assert!(
        !Senders::default().is_still_fresh(id(1), Uptime::ZERO, 0, AGE),
        "nobody knows him"
    );
}
