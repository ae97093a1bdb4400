//! The parts together: who is obeyed, by which limit, and what is told.

use super::*;
use crate::logic::drive::Reverse;
use crate::logic::drive::tests::{default_calibration, unlimited};
use crate::logic::units::Throttle;
use crate::logic::wire::{
    ArmCommand, DriveCommand, Incoming, LeaseCommand, Motion, MotionKey, Want,
};

mod calibration;
mod secret;

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn vehicle() -> Vehicle {
    vehicle_with(Reverse::Direct)
}

const ESC: Reverse = Reverse::Esc {
    brake: Duration::from_millis(100),
    neutral: Duration::from_millis(50),
};

fn vehicle_with(reverse: Reverse) -> Vehicle {
    vehicle_of(unlimited(reverse))
}

fn vehicle_of(drive: DriveConfig) -> Vehicle {
    let failsafe = FailsafeConfig::new(ms(100), ms(200), ms(300), ms(1_500), ms(150)).unwrap();
    Vehicle::new(Uptime::ZERO, drive, failsafe)
}

/// A car with its intent and a clock in milliseconds.
struct Rig {
    vehicle: Vehicle,
    intent: Intent,
    now_ms: u64,
    seqs: [u32; 10],
    last: Step,
}

impl Rig {
    fn with(mut vehicle: Vehicle) -> Self {
        let mut intent = Intent::default();
        let start = Uptime::from_micros(10_000_000);
        intent.set_link(start, true);
        let last = vehicle.step(start, &intent, Health::GOOD);
        let mut rig = Self {
            vehicle,
            intent,
            now_ms: 10_000,
            seqs: [0; 10],
            last,
        };
        rig.wait(400);
        rig
    }

    fn now(&self) -> Uptime {
        Uptime::from_micros(self.now_ms * 1000)
    }

    fn step(&mut self) -> &Step {
        self.last = self.vehicle.step(self.now(), &self.intent, Health::GOOD);
        &self.last
    }

    fn wait(&mut self, ms: u64) -> &Step {
        for _ in 0..ms / 5 {
            self.now_ms += 5;
            self.step();
        }
        &self.last
    }

    fn hear(&mut self, incoming: &Incoming) -> &Step {
        let holder = self.last.status.holder;
        self.intent.fold(self.now(), incoming, holder);
        self.step()
    }

    fn drive(&mut self, who: u32, throttle: i32) -> &Step {
        let seq = self.next_seq(who);
        let drive = DriveCommand {
            seq,
            t_ms: self.now_ms,
            throttle: Throttle::new(throttle).unwrap(),
            steering: Steering::new(throttle / 2).unwrap(),
            lease: LeaseId::new(who),
            tune: None,
        };
        self.hear(&Incoming::Drive(drive))
    }

    fn next_seq(&mut self, who: u32) -> Seq {
        let seq = &mut self.seqs[usize::try_from(who).unwrap()];
        *seq += 1;
        Seq::new(*seq)
    }

    fn arm(&mut self, who: u32) -> &Step {
        let seq = self.next_seq(who);
        let (t_ms, lease) = (self.now_ms, LeaseId::new(who));
        self.hear(&Incoming::Arm(ArmCommand { seq, t_ms, lease }))
    }

    fn want(&mut self, who: u32, want: Want) -> &Step {
        let id = LeaseId::new(who);
        self.hear(&Incoming::Lease(LeaseCommand { id, want }))
    }

    fn view(&mut self, who: u32, rtt_ms: u32, age_ms: u32) -> &Step {
        let lease = LeaseId::new(who);
        self.hear(&Incoming::View(ViewReport {
            lease,
            rtt_ms,
            age_ms,
        }))
    }

    fn legacy(&mut self, key: MotionKey, steps: i32) -> &Step {
        let milli_steps = steps * 1000;
        self.hear(&Incoming::Motion(Motion { key, milli_steps }))
    }

    /// Ann drives at that throttle.
    fn driven(throttle: i32) -> Self {
        let mut rig = Self::with(vehicle());
        rig.take_over(1, throttle);
        rig
    }

    fn take_over(&mut self, who: u32, throttle: i32) {
        self.drive(who, 0);
        let step = self.arm(who);
        assert_eq!(step.cause, Cause::Arm);
        assert_eq!(
            (self.last.state, self.last.status.holder),
            (State::Live, LeaseId::new(who))
        );
        self.drive(who, throttle);
    }

    fn throttle(&self) -> i16 {
        self.last.status.throttle.get()
    }
}

#[test]
fn an_arm_and_its_neutral_may_come_in_either_order_within_the_hold() {
    let mut rig = Rig::with(vehicle());
    assert_eq!(rig.arm(1).state, State::Disarmed);
    rig.wait(100);
    assert_eq!(rig.drive(1, 0).state, State::Live);
    let mut rig = Rig::with(vehicle());
    rig.arm(1);
    rig.wait(105);
    assert_eq!(rig.drive(1, 0).state, State::Disarmed, "the wish is over");
    rig.drive(1, 300);
    assert_eq!(rig.arm(1).state, State::Disarmed, "not at neutral");
    assert_eq!(rig.last.refusals, Refusals::NOT_NEUTRAL);
}

#[test]
fn the_driver_is_obeyed_in_the_step_that_hears_him() {
    let mut rig = Rig::driven(500);
    assert_eq!(
        (rig.throttle(), rig.last.setpoint.throttle.get()),
        (500, 1770)
    );
    assert_eq!(
        (rig.last.status.steering.get(), rig.last.cause),
        (250, Cause::Drive)
    );
    rig.drive(1, -500);
    assert_eq!(rig.last.setpoint.throttle.get(), 1250);
    let status = rig.last.status;
    assert_eq!(
        (status.seq, status.accepted_at),
        (Seq::new(4), Some(rig.now()))
    );
    assert_eq!(status.accepted, 4);
}

#[test]
fn a_replay_or_a_stranger_changes_nothing_and_is_counted() {
    let mut rig = Rig::driven(500);
    rig.seqs[1] -= 1;
    rig.drive(1, 900);
    assert_eq!((rig.throttle(), rig.last.status.replayed), (500, 1));
    rig.intent.drive.n += 1;
    rig.intent.drive.value.lease = LeaseId::new(2);
    rig.intent.drive.value.throttle = Throttle::MAX;
    rig.step();
    assert_eq!((rig.throttle(), rig.last.status.foreign), (500, 1));
    rig.intent.drive.n += 1;
    rig.intent.drive.value.lease = LeaseId::NONE;
    rig.step();
    assert_eq!((rig.throttle(), rig.last.status.foreign), (500, 2));
    rig.arm(2);
    assert_eq!(
        (rig.last.status.holder, rig.last.status.foreign),
        (LeaseId::new(1), 3)
    );
}

#[test]
fn a_bad_view_of_the_driver_limits_him_both_ways_and_nobody_elses_does() {
    let pace = PaceConfig::new(ms(300), ms(1_000), Throttle::new(300).unwrap()).unwrap();
    let mut rig = Rig::with(vehicle().with_pace(pace));
    rig.view(1, 5_000, 0);
    assert_eq!(rig.last.status.limit, Throttle::MAX, "nobody drives");
    rig.take_over(1, 1_000);
    assert_eq!(rig.throttle(), 1_000);
    rig.view(1, 650, 20);
    assert_eq!((rig.throttle(), rig.last.status.limit.get()), (650, 650));
    rig.drive(1, -1_000);
    assert_eq!(rig.throttle(), -650);
    assert_eq!(rig.last.status.steering.get(), -500, "steering is his own");
    rig.view(2, 9_000, 9_000);
    assert_eq!(rig.throttle(), -650);
    rig.drive(1, 200);
    assert_eq!(rig.throttle(), 200, "below the ceiling nothing changes");
    // The next driver does not inherit it.
    rig.want(1, Want::Release);
    rig.take_over(2, 1_000);
    assert_eq!(rig.throttle(), 1_000);
}

#[test]
fn a_hand_over_is_disarmed_and_only_the_askers() {
    let mut rig = Rig::driven(500);
    rig.want(2, Want::HandOver);
    assert_eq!(
        (rig.throttle(), rig.last.status.asker),
        (500, LeaseId::new(2))
    );
    rig.want(1, Want::Release);
    assert_eq!(
        (rig.last.state, rig.last.cause),
        (State::Disarmed, Cause::Disarm)
    );
    assert_eq!(
        (rig.last.status.holder, rig.throttle()),
        (LeaseId::new(2), 0)
    );
    rig.drive(3, 0);
    rig.arm(3);
    rig.drive(1, 0);
    rig.arm(1);
    assert_eq!(
        (rig.last.state, rig.last.status.holder),
        (State::Disarmed, LeaseId::new(2))
    );
    // The link counts as good once the new driver has been heard without a gap for the recovery time.
    for _ in 0..16 {
        rig.drive(2, 0);
        rig.wait(20);
    }
    rig.take_over(2, 400);
    assert_eq!(rig.throttle(), 400);
}

#[test]
fn a_release_takes_a_wish_back() {
    let mut rig = Rig::with(vehicle());
    rig.arm(1);
    rig.want(2, Want::Release);
    rig.want(1, Want::Release);
    assert_eq!(rig.drive(1, 0).state, State::Disarmed);
    rig.arm(1);
    assert_eq!(rig.last.state, State::Live);
}

#[test]
fn a_lease_message_alone_keeps_the_lease_and_no_car_moving() {
    let mut rig = Rig::driven(500);
    for _ in 0..50 {
        rig.wait(100);
        rig.want(1, Want::Take);
    }
    assert_eq!((rig.last.state, rig.throttle()), (State::Stopped, 0));
    assert_eq!(rig.last.status.holder, LeaseId::new(1));
    rig.wait(3_000);
    assert_eq!(rig.last.status.holder, LeaseId::new(1));
    rig.wait(5);
    assert_eq!(
        rig.last.status.holder,
        LeaseId::NONE,
        "three seconds after the last word"
    );
}

#[test]
fn it_asks_to_be_called_when_the_lease_ends() {
    let mut rig = Rig::driven(0);
    rig.wait(2_400);
    let over_at = Uptime::from_micros((rig.now_ms - 2_400 + 3_000) * 1000 + 1);
    assert!(rig.last.next_at <= over_at && rig.last.next_at > rig.now());
    rig.now_ms += 599;
    rig.step();
    assert_eq!(rig.last.next_at, over_at);
}

#[test]
fn max_speed_is_echoed_once_and_in_force() {
    let mut rig = Rig::driven(1_000);
    let events = rig.hear(&Incoming::MaxSpeed { ticks: 420 }).events.clone();
    assert_eq!(events.as_slice(), [Event::MaxSpeed { ticks: 420 }]);
    assert_eq!(rig.last.setpoint.throttle.get(), 1709);
    assert!(rig.step().events.is_empty());
}

#[test]
fn the_old_app_drives_when_nobody_else_does() {
    let mut rig = Rig::with(vehicle());
    rig.legacy(MotionKey::Forward, 5);
    assert_eq!(
        (rig.last.state, rig.last.refusals),
        (State::Disarmed, Refusals::NOT_NEUTRAL)
    );
    rig.legacy(MotionKey::Forward, 0);
    assert_eq!(rig.last.state, State::Live);
    rig.legacy(MotionKey::Forward, 10);
    rig.legacy(MotionKey::Left, 20);
    assert_eq!(
        (rig.throttle(), rig.last.status.steering.get()),
        (500, 1_000)
    );
    assert_eq!(rig.last.status.accepted_at, Some(rig.now()));
    rig.take_over(1, 300);
    rig.legacy(MotionKey::Forward, 20);
    assert_eq!((rig.throttle(), rig.last.status.foreign), (300, 1));
}

#[test]
fn the_old_app_can_be_shut_out() {
    let mut rig = Rig::with(vehicle().without_legacy_drivers());
    for _ in 0..5 {
        rig.legacy(MotionKey::Forward, 0);
        rig.wait(100);
    }
    assert_eq!(
        (
            rig.last.state,
            rig.last.status.foreign,
            rig.last.status.accepted
        ),
        (State::Disarmed, 5, 0)
    );
    assert_eq!(rig.last.refusals, Refusals::NO_COMMAND);
}

/// The silence, in ms, after which the car of an old app stands that has said the same so often, so far apart.
fn stands_after(repeats: u32, gap_ms: u64) -> u64 {
    let mut rig = Rig::with(vehicle());
    rig.legacy(MotionKey::Back, 0);
    rig.wait(5);
    rig.legacy(MotionKey::Forward, 8);
    for _ in 0..repeats {
        rig.wait(gap_ms);
        rig.legacy(MotionKey::Forward, 8);
    }
    let heard_ms = rig.now_ms;
    while rig.throttle() != 0 && rig.now_ms - heard_ms < 10_000 {
        rig.wait(5);
    }
    assert_eq!(rig.last.cause, Cause::LegacyAge);
    rig.now_ms - heard_ms
}

#[test]
fn an_old_app_that_repeats_itself_is_timed_by_its_own_pace() {
    assert_eq!(stands_after(0, 0), 1_505);
    assert_eq!(stands_after(9, 50), 1_505, "nine times prove nothing");
    assert_eq!(
        stands_after(10, 50),
        255,
        "three gaps, but not less than 250 ms"
    );
    assert_eq!(stands_after(12, 100), 305);
    assert_eq!(stands_after(12, 400), 1_205);
    assert_eq!(stands_after(30, 405), 1_505, "too slow to be steady");
}

#[test]
fn at_neutral_a_steady_old_app_may_fall_silent() {
    let mut rig = Rig::with(vehicle());
    for _ in 0..20 {
        rig.legacy(MotionKey::Forward, 0);
        rig.wait(50);
    }
    rig.wait(1_000);
    assert_eq!(rig.last.state, State::Live, "there is nothing to stop");
}

#[test]
fn a_stop_forgets_the_sliders_and_the_wish() {
    let mut rig = Rig::with(vehicle());
    rig.legacy(MotionKey::Forward, 0);
    rig.legacy(MotionKey::Forward, 8);
    rig.legacy(MotionKey::Left, 8);
    assert_eq!(rig.throttle(), 400);
    rig.hear(&Incoming::Stop);
    assert_eq!(
        (rig.last.state, rig.last.setpoint),
        (State::Stopped, rig.vehicle.neutral())
    );
    rig.wait(400);
    rig.take_over(1, 0);
    rig.want(1, Want::Release);
    rig.legacy(MotionKey::Forward, 0);
    assert_eq!(
        (rig.last.state, rig.last.status.steering.get()),
        (State::Live, 0),
        "steering was let go too"
    );
}

#[test]
fn a_flicker_of_the_link_between_two_steps_is_a_lost_link() {
    let mut rig = Rig::driven(500);
    let now = rig.now();
    rig.intent.set_link(now, false);
    rig.intent.set_link(now, true);
    rig.step();
    assert_eq!(
        (rig.last.state, rig.last.cause, rig.throttle()),
        (State::Stopped, Cause::LinkLost, 0)
    );
    assert!(rig.last.status.link_up);
}

#[test]
fn stop_outlives_an_arm_and_a_drive_of_the_same_step() {
    let mut rig = Rig::with(vehicle());
    let (now, holder) = (rig.now(), LeaseId::NONE);
    let lease = LeaseId::new(1);
    let t_ms = rig.now_ms;
    let drive = DriveCommand {
        seq: Seq::new(1),
        t_ms,
        lease,
        ..DriveCommand::default()
    };
    rig.intent.fold(now, &Incoming::Drive(drive), holder);
    rig.intent.fold(now, &Incoming::Stop, holder);
    rig.intent.fold(
        now,
        &Incoming::Arm(ArmCommand {
            seq: Seq::new(2),
            t_ms,
            lease,
        }),
        holder,
    );
    rig.step();
    assert_eq!(
        (rig.last.state, rig.last.cause),
        (State::Stopped, Cause::Stop)
    );
    rig.wait(50);
    assert_eq!(
        rig.drive(1, 0).state,
        State::Stopped,
        "the arm from before the stop is gone"
    );
}

#[test]
fn braking_is_told_as_such() {
    let mut rig = Rig::with(vehicle_with(ESC));
    rig.take_over(1, 500);
    assert_eq!(rig.drive(1, -500).cause, Cause::Brake);
    assert_eq!(rig.last.setpoint.throttle.get(), 1300);
    for _ in 0..6 {
        rig.wait(25);
        rig.drive(1, -500);
    }
    assert_eq!(
        (rig.last.cause, rig.last.setpoint.throttle.get()),
        (Cause::Drive, 1250)
    );
}

#[test]
fn a_vehicle_that_was_written_down_goes_on_as_the_same() {
    let mut rig = Rig::driven(500);
    rig.view(1, 20, 650);
    let text = serde_json::to_string(&rig.vehicle).unwrap();
    let mut again: Vehicle = serde_json::from_str(&text).unwrap();
    for _ in 0..100 {
        rig.wait(5);
        let other = again.step(rig.now(), &rig.intent, Health::GOOD);
        assert_eq!(
            (other.setpoint, other.status),
            (rig.last.setpoint, rig.last.status)
        );
    }
    assert_eq!(rig.last.state, State::Stopped);
}

#[test]
fn words_of_a_status_make_the_same_status() {
    let mut rig = Rig::driven(-500);
    rig.want(2, Want::HandOver);
    let status = rig.last.status;
    assert_eq!(Status::from_words(&status.to_words()), status);
    for word in [0, u64::MAX, 1 << 63, 0x8000_8000_8000_8000] {
        let status = Status::from_words(&[word; STATUS_WORDS]);
        assert_eq!(Status::from_words(&status.to_words()), status);
        assert!((-1000..=1000).contains(&status.limit.get()));
    }
}

#[test]
fn from_the_step_that_arms_it_asks_to_be_called_when_the_hold_is_over() {
    let mut rig = Rig::with(vehicle());
    rig.drive(1, 0);
    rig.wait(30);
    rig.arm(1);
    assert_eq!(
        rig.last.next_at,
        Uptime::from_micros((rig.now_ms - 30 + 100) * 1000 + 1)
    );
}

#[test]
fn somebody_elses_release_takes_no_wish_back() {
    let mut rig = Rig::with(vehicle());
    rig.arm(1);
    rig.want(2, Want::Release);
    assert_eq!(rig.drive(1, 0).state, State::Live);
}

#[test]
fn a_second_stop_takes_an_arm_back_that_waits() {
    let mut rig = Rig::with(vehicle());
    rig.hear(&Incoming::Stop);
    rig.wait(400);
    rig.arm(1);
    rig.hear(&Incoming::Stop);
    assert_eq!(rig.drive(1, 0).state, State::Stopped);
}

#[test]
fn a_neutral_from_before_a_lost_link_arms_nothing_after_it() {
    let mut rig = Rig::with(vehicle());
    for up in [false, true] {
        let now = rig.now();
        rig.intent.set_link(now, up);
        rig.wait(5);
    }
    rig.wait(50);
    rig.legacy(MotionKey::Forward, 0);
    let now = rig.now();
    rig.intent.set_link(now, false);
    rig.intent.set_link(now, true);
    rig.wait(380);
    assert_eq!(rig.last.state, State::Disarmed);
    rig.legacy(MotionKey::Forward, 0);
    assert_eq!(rig.last.state, State::Live, "a new one does");
}

#[test]
fn after_its_age_the_old_app_drives_again_once_a_neutral_has_stood() {
    let mut rig = Rig::with(vehicle());
    rig.legacy(MotionKey::Forward, 0);
    rig.legacy(MotionKey::Forward, 8);
    rig.wait(1_600);
    assert_eq!(rig.last.cause, Cause::LegacyAge);
    for _ in 0..5 {
        rig.legacy(MotionKey::Forward, 0);
        assert_eq!(rig.last.state, State::Stopped);
        rig.wait(60);
    }
    rig.legacy(MotionKey::Forward, 0);
    assert_eq!(rig.last.state, State::Live);
}

#[test]
fn steering_that_repeats_proves_a_steady_app_too() {
    let mut rig = Rig::with(vehicle());
    rig.legacy(MotionKey::Forward, 0);
    rig.legacy(MotionKey::Forward, 8);
    for _ in 0..12 {
        rig.wait(50);
        rig.legacy(MotionKey::Left, 8);
    }
    rig.wait(250);
    assert_eq!(rig.throttle(), 400);
    rig.wait(5);
    assert_eq!((rig.throttle(), rig.last.cause), (0, Cause::LegacyAge));
}

#[test]
fn a_legacy_forward_of_zero_makes_the_next_reverse_brake_again() {
    let mut rig = Rig::with(vehicle_with(ESC));
    rig.legacy(MotionKey::Forward, 0);
    rig.legacy(MotionKey::Back, 10);
    assert_eq!(rig.last.cause, Cause::Brake);
    rig.wait(200);
    assert_eq!((rig.throttle(), rig.last.cause), (-500, Cause::Drive));
    rig.legacy(MotionKey::Back, 12);
    assert_eq!(
        (rig.throttle(), rig.last.cause),
        (-600, Cause::Drive),
        "no forward between"
    );
    rig.legacy(MotionKey::Forward, 0);
    rig.legacy(MotionKey::Back, 10);
    assert_eq!(rig.last.cause, Cause::Brake);
}

#[test]
fn a_driver_whose_device_slept_arms_within_six_seconds_however_often_arm_is_pressed() {
    let mut rig = Rig::with(vehicle_with(Reverse::Direct));
    rig.drive(1, 0);
    rig.arm(1);
    assert_eq!(rig.wait(5).state, State::Live);
    // Asleep for a minute, and the sender's clock with it: all it says from here on looks a minute late.
    let slept_ms = 60_000;
    rig.wait(slept_ms);
    let mut live_after = None;
    for tick in 0..140_u64 {
        let (t_ms, lease) = (rig.now_ms - slept_ms, LeaseId::new(1));
        let seq = rig.next_seq(1);
        let drive = DriveCommand {
            seq,
            t_ms,
            lease,
            ..DriveCommand::default()
        };
        rig.hear(&Incoming::Drive(drive));
        if tick % 2 == 0 {
            let seq = rig.next_seq(1);
            rig.hear(&Incoming::Arm(ArmCommand { seq, t_ms, lease }));
        }
        assert_eq!(rig.last.status.throttle, Throttle::ZERO);
        if rig.last.state == State::Live {
            live_after = Some(tick * 50);
            break;
        }
        rig.wait(50);
    }
    assert!(
        live_after.is_some_and(|ms| ms <= 6_000),
        "armed after {live_after:?} ms"
    );
}

#[test]
fn a_queue_with_arms_and_throttle_in_it_moves_nothing_when_it_empties() {
    for percent in [105_u64, 120, 200, 1_000] {
        let mut rig = Rig::with(vehicle_with(Reverse::Direct));
        rig.drive(1, 0);
        rig.wait(5);
        // 15 s of what a driver did are held back, and come faster than they were sent.
        let (began_ms, lease) = (rig.now_ms, LeaseId::new(1));
        rig.wait(15_000);
        for sent_ms in (50..15_000).step_by(50) {
            rig.wait((50 * 100 / percent / 5) * 5);
            let waited = rig.now_ms - (began_ms + sent_ms);
            if waited <= 200 {
                break;
            }
            let (t_ms, seq) = (began_ms + sent_ms, rig.next_seq(1));
            let throttle = Throttle::new(if sent_ms % 400 == 0 { 0 } else { 900 }).unwrap();
            let drive = DriveCommand {
                seq,
                t_ms,
                throttle,
                lease,
                ..DriveCommand::default()
            };
            rig.hear(&Incoming::Drive(drive));
            let seq = rig.next_seq(1);
            let step = rig.hear(&Incoming::Arm(ArmCommand { seq, t_ms, lease }));
            assert_eq!(
                step.state,
                State::Disarmed,
                "{percent} %: armed by what waited {waited} ms"
            );
        }
    }
}

#[test]
fn a_driver_who_reports_an_old_picture_stands_until_it_lets_go_and_arms() {
    let mut rig = Rig::with(vehicle_with(Reverse::Direct));
    rig.drive(1, 0);
    rig.arm(1);
    rig.view(1, 40, 60);
    rig.drive(1, 500);
    assert_eq!(
        rig.view(1, 40, 500).state,
        State::Live,
        "as old as it may be"
    );
    rig.drive(1, 500);
    let step = rig.view(1, 40, 501);
    assert_eq!((step.state, step.cause), (State::Stopped, Cause::Blind));
    assert_eq!(step.status.throttle, Throttle::ZERO);
    // The picture comes back with the key still held.
    for _ in 0..40 {
        rig.view(1, 40, 60);
        rig.drive(1, 500);
        rig.arm(1);
        assert_eq!(rig.wait(20).status.throttle, Throttle::ZERO);
    }
    rig.drive(1, 0);
    assert_eq!(rig.arm(1).state, State::Live, "let go, and armed");
}

/// Drives at 50 Hz with a report each 200 ms; when the car stood, in ms from the last picture.
fn blind_after(reports: impl Fn(u64) -> Option<u32>) -> Option<u64> {
    let mut rig = Rig::with(vehicle_with(Reverse::Direct));
    rig.drive(1, 0);
    rig.arm(1);
    rig.view(1, 40, 0);
    for since in (0..3_000).step_by(20) {
        if since % 200 == 0
            && let Some(age) = reports(since)
        {
            rig.view(1, 40, age);
        }
        rig.drive(1, 500);
        if rig.last.state == State::Stopped {
            assert_eq!(rig.last.cause, Cause::Blind);
            return Some(since);
        }
        rig.wait(20);
    }
    None
}

#[test]
fn a_picture_that_stands_stops_the_car_after_half_a_second_and_lost_reports_within_one() {
    let picture_stands = |since: u64| Some(u32::try_from(since).unwrap());
    assert_eq!(blind_after(picture_stands), Some(520));
    assert_eq!(blind_after(|_| Some(60)), None, "a good picture");
    assert_eq!(blind_after(|_| Some(u32::MAX)), Some(0), "never one");
    let two_of_three_lost = |since: u64| since.is_multiple_of(600).then_some(60);
    assert_eq!(blind_after(two_of_three_lost), None);
    assert_eq!(blind_after(|_| None), Some(920), "no report any more");
}

#[test]
fn a_driver_who_never_reports_and_an_old_report_stop_nobody() {
    let mut rig = Rig::with(vehicle_with(Reverse::Direct));
    rig.drive(1, 0);
    rig.arm(1);
    for _ in 0..100 {
        rig.drive(1, 500);
        assert_eq!(rig.wait(20).state, State::Live);
    }
    // Stopped by its own report, it does not report while it stands, and may arm again.
    rig.view(1, 40, u32::MAX);
    assert_eq!(rig.last.cause, Cause::Blind);
    rig.drive(1, 0);
    rig.arm(1);
    assert!(rig.last.refusals.contains(Refusals::NO_PICTURE));
    for _ in 0..50 {
        rig.drive(1, 0);
        rig.wait(20);
    }
    rig.drive(1, 0);
    assert_eq!(rig.arm(1).state, State::Live);
}
