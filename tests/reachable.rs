//! Every state that the vehicle can reach, and in none of them does it move without a fresh command of who may drive.
//!
//! A model check of the code itself: the real `Vehicle`, explored breadth first from power-on over every sequence of what
//! can happen to it. Two states that behave the same from here on count as one, so the exploration ends.
//!
//! ```text
//!   state (vehicle, what really happened) ── each action ──▶ intent ─▶ vehicle.step ─▶ invariants ─▶ new? ─▶ queue
//! ```
//!
//! Modelled: two drivers with a lease each, an old app, their commands (neutral, forward; fresh, stale, replayed), `arm`
//! (fresh, replayed), `stop`, release, request of a hand-over, somebody without an id, link down and up, a flicker of it, a
//! fault of camera and outputs, a late control thread, and time in steps of 100 ms, up to the longest time that matters.
//! Not modelled: reverse, slew and pace (drive has tests of its own), clocks that drift or are set (`stop_schedules`), more
//! than two drivers, the tighter stop of a steady old app (it stops earlier), messages that overtake each other within one step, the end of a lease or of a request by anything but a
//! wait in which nothing else happens, threads and pins.

#![expect(
    unreachable_pub,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test fails by panicking, and says what it explored"
)]

mod schedules {
    pub mod car;
}

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use schedules::car::Car;
use serde_json::Value;
use spidercar::logic::drive::Reverse;
use spidercar::logic::failsafe::{Health, State};
use spidercar::logic::intent::Intent;
use spidercar::logic::units::{LeaseId, Seq, Steering, Throttle, Uptime};
use spidercar::logic::vehicle::Vehicle;
use spidercar::logic::wire::{
    ArmCommand, DriveCommand, Incoming, LeaseCommand, Motion, MotionKey, Want,
};

/// One step of the clock: hold, neutral and recovery are one, two and three of it.
const STEP: Duration = Duration::from_millis(100);
const START: Uptime = Uptime::from_micros(100_000_000);
/// A stale command was sent this long before it arrived.
const STALE_MS: u64 = 1_000;
/// `failsafe.command_age_ms` of the defaults.
const COMMAND_AGE_US: u64 = 150_000;

/// What can happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Action {
    Wait,
    /// Longer than any time that matters.
    LongWait,
    Drive {
        who: usize,
        throttle: i32,
        kind: Kind,
    },
    Arm {
        who: usize,
        kind: Kind,
    },
    Want {
        who: usize,
        want: Want,
    },
    Stop,
    Nobody,
    Legacy {
        milli_steps: i32,
    },
    Link(bool),
    Flicker,
    Health(u8),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Fresh,
    Stale,
    Replayed,
}

/// What really happened to one driver, kept beside the car.
#[derive(Clone, Copy, Debug, Default, Hash)]
struct Truth {
    seq: u32,
    arms: u32,
    /// His last fresh command.
    said: Option<(u64, i32)>,
    /// He armed since the last trouble, with his throttle at neutral.
    armed: bool,
}

#[derive(Clone)]
struct Model {
    now: Uptime,
    vehicle: Vehicle,
    intent: Intent,
    holder: LeaseId,
    state: State,
    health: u8,
    drivers: [Truth; 2],
    legacy: Option<(u64, i32)>,
    /// How it came to this, for the message of a failure.
    path: Vec<Action>,
}

fn config() -> Car {
    Car::new(Reverse::Direct, 400)
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).expect("short")
}

fn lease(who: usize) -> LeaseId {
    LeaseId::new(u32::try_from(who).expect("small") + 1)
}

impl Model {
    fn new(config: &Car) -> Self {
        Self {
            now: START,
            vehicle: config.vehicle(START),
            intent: Intent::default(),
            holder: LeaseId::NONE,
            state: State::Disarmed,
            health: Health::GOOD.bits(),
            drivers: [Truth::default(); 2],
            legacy: None,
            path: Vec::new(),
        }
    }

    /// Does one thing, lets the car step, and checks what must be true of every state.
    fn after(&self, action: Action, config: &Car) -> Self {
        let mut next = self.clone();
        next.path.push(action);
        next.happen(action);
        let step = next
            .vehicle
            .step(next.now, &next.intent, Health::from_bits(next.health));
        next.holder = step.status.holder;
        next.settle(action, step.state);

        let fault = next.health != Health::GOOD.bits()
            || !next.intent.link.value
            || action == Action::Flicker;
        if fault || action == Action::Stop {
            for driver in &mut next.drivers {
                driver.armed = false;
            }
        }
        let neutral = config.drive.calibration.neutral();
        if step.setpoint == neutral {
            return next;
        }
        let now = next.now.as_micros();
        assert!(
            step.state.may_move() && !fault,
            "{action:?} moves in {:?}",
            step.state
        );
        let drivers = next.drivers.iter().zip(0..);
        let driver = drivers.clone().find(|(_, who)| lease(*who) == next.holder);
        if let Some((driver, _)) = driver {
            let (at, throttle) = driver.said.expect("the holder was heard");
            let within = now - at <= micros(config.failsafe.neutral());
            assert!(
                within && throttle != 0,
                "{action:?} moves {} us after {throttle}",
                now - at
            );
            assert!(
                driver.armed,
                "moves for one who did not arm since the last trouble: {:?}",
                next.path
            );
        } else {
            assert!(next.holder.is_none(), "somebody unknown holds the lease");
            let (at, throttle) = next.legacy.expect("the old app was heard");
            let within = now - at <= micros(config.failsafe.legacy_age());
            assert!(
                within && throttle != 0,
                "{action:?} moves {} us after the old app's {throttle}",
                now - at
            );
        }
        next
    }

    fn happen(&mut self, action: Action) {
        let t_ms = self.now.as_micros() / 1000;
        let sent = |kind| {
            if kind == Kind::Stale {
                t_ms - STALE_MS
            } else {
                t_ms
            }
        };
        let incoming = match action {
            Action::Wait | Action::LongWait => {
                let steps = if action == Action::Wait { 1 } else { 32 };
                self.now = self.now.after(STEP * steps);
                return;
            }
            Action::Drive {
                who,
                throttle,
                kind,
            } => {
                let driver = &mut self.drivers[who];
                driver.seq += u32::from(kind == Kind::Fresh);
                let seq = driver.seq + u32::from(kind == Kind::Stale);
                let (mut throttle, mut t_ms) = (throttle, sent(kind));
                match (kind, &mut driver.said) {
                    (Kind::Fresh, said) => *said = Some((self.now.as_micros(), throttle)),
                    (Kind::Stale, _) => {}
                    // The last one again, as it was. If the first copy was lost, this is it, and late by as much.
                    (Kind::Replayed, Some((at, said))) => {
                        (throttle, t_ms) = (*said, *at / 1000);
                        if self.now.as_micros() - *at <= COMMAND_AGE_US {
                            *at = self.now.as_micros();
                        }
                    }
                    (Kind::Replayed, None) => return,
                }
                Incoming::Drive(DriveCommand {
                    seq: Seq::new(seq),
                    t_ms,
                    throttle: Throttle::saturating(throttle),
                    steering: Steering::ZERO,
                    lease: lease(who),
                })
            }
            Action::Arm { who, kind } => {
                let driver = &mut self.drivers[who];
                if kind == Kind::Replayed && driver.arms == 0 {
                    return; // there is nothing to repeat
                }
                driver.arms += u32::from(kind == Kind::Fresh);
                let seq = driver.arms + u32::from(kind == Kind::Stale);
                if kind == Kind::Fresh {
                    driver.armed = true;
                }
                Incoming::Arm(ArmCommand {
                    seq: Seq::new(seq),
                    t_ms: sent(kind),
                    lease: lease(who),
                })
            }
            Action::Want { who, want } => Incoming::Lease(LeaseCommand {
                id: lease(who),
                want,
            }),
            Action::Stop => Incoming::Stop,
            Action::Nobody => Incoming::Drive(DriveCommand {
                seq: Seq::new(1),
                t_ms,
                throttle: Throttle::MAX,
                steering: Steering::ZERO,
                lease: LeaseId::NONE,
            }),
            Action::Legacy { milli_steps } => {
                self.legacy = Some((self.now.as_micros(), milli_steps));
                Incoming::Motion(Motion {
                    key: MotionKey::Forward,
                    milli_steps,
                })
            }
            Action::Link(up) => return self.intent.set_link(self.now, up),
            Action::Flicker => {
                self.intent.set_link(self.now, false);
                return self.intent.set_link(self.now, true);
            }
            Action::Health(bits) => {
                self.health = bits;
                return;
            }
        };
        self.intent.fold(self.now, &incoming, self.holder);
    }

    /// A release, and the end of a drive, end what an arm began.
    fn settle(&mut self, action: Action, state: State) {
        let is_over = self.state.may_move() && !state.may_move();
        for who in 0..2 {
            let want = Want::Release;
            if is_over || action == (Action::Want { who, want }) {
                self.drivers[who].armed = false;
            }
        }
        self.state = state;
    }

    /// The same for two states that behave the same from here on.
    fn key(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        let vehicle = serde_json::to_value(&self.vehicle).expect("plain data");
        let mut heard = [0; 2];
        for (who, driver) in self.drivers.iter().enumerate() {
            heard[who] = driver.seq;
            (
                driver
                    .said
                    .map(|(at, throttle)| (self.age(at, 250), throttle)),
                driver.armed,
            )
                .hash(&mut hasher);
        }
        self.legacy
            .map(|(at, throttle)| (self.age(at, 450), throttle))
            .hash(&mut hasher);
        (self.health, self.intent.link.value).hash(&mut hasher);
        self.canonical(&vehicle, "", "", &mut hasher);
        hasher.finish()
    }

    /// Age in milliseconds, cut off where it no longer matters.
    fn age(&self, at_us: u64, most_ms: u64) -> u64 {
        ((self.now.as_micros() - at_us.min(self.now.as_micros())) / 1000).min(most_ms)
    }

    fn canonical(&self, value: &Value, table: &str, key: &str, hasher: &mut DefaultHasher) {
        match (key, value) {
            // Counters, the past intent (only what is new in it counts) and places in memory decide nothing.
            (
                "counts" | "accepted_seq" | "accepted_at" | "seen" | "touched_at" | "updated_at"
                | "t_ms" | "forwards" | "cause" | "config" | "stepped_at" | "refusals" | "pace"
                | "view" | "steady",
                _,
            ) => {}
            // The clocks agree: the floor is that of a fresh message, or was set by a stale one.
            ("least", Value::Number(least)) => (least.as_i64() > Some(200_000)).hash(hasher),
            ("seq" | "armed", Value::Number(seq)) => {
                let seq = seq.as_u64().unwrap_or(0);
                let newest = |count: fn(&Truth) -> u32| {
                    self.drivers
                        .iter()
                        .map(|driver| u64::from(count(driver)))
                        .collect::<Vec<_>>()
                };
                let counts = if key == "seq" {
                    newest(|driver| driver.seq)
                } else {
                    newest(|driver| driver.arms)
                };
                counts
                    .iter()
                    .map(|count| *count == seq)
                    .collect::<Vec<_>>()
                    .hash(hasher);
            }
            (
                "at" | "heard_at" | "neutral_at" | "good_since" | "awaits_neutral" | "last_at"
                | "since",
                Value::Number(at),
            ) => {
                let most = match (table, key) {
                    (_, "heard_at" | "neutral_at" | "last_at" | "awaits_neutral") => 450,
                    _ => 350,
                };
                self.age(at.as_u64().unwrap_or(0), most).hash(hasher);
            }
            (_, Value::Object(fields)) => {
                for (name, inner) in fields {
                    name.hash(hasher);
                    self.canonical(
                        inner,
                        if key.is_empty() { name } else { table },
                        name,
                        hasher,
                    );
                }
            }
            // The request of a hand-over: who and when.
            ("ask", Value::Array(ask)) => {
                ask[0].as_u64().hash(hasher);
                self.age(ask[1].as_u64().unwrap_or(0), 450).hash(hasher);
            }
            (_, Value::Array(items)) => {
                for item in items {
                    self.canonical(item, table, "item", hasher);
                }
            }
            (_, other) => other.to_string().hash(hasher),
        }
    }
}

/// Explores all that these actions can lead to, or as deep as is said, and says how much that was.
fn explore(name: &str, actions: &[Action], deepest: u32) {
    let config = config();
    let start = Model::new(&config);
    let mut known = HashSet::from([start.key()]);
    let mut frontier = vec![start];
    let (mut steps, mut depth, mut moving) = (0_u64, 0_u32, 0_u64);
    let neutral = config.drive.calibration.neutral();
    while !frontier.is_empty() && depth < deepest {
        let mut next = Vec::new();
        for state in &frontier {
            for action in actions {
                let reached = state.after(*action, &config);
                steps += 1;
                if known.insert(reached.key()) {
                    let at = reached.now;
                    let is_moving = reached
                        .vehicle
                        .clone()
                        .step(at, &reached.intent, Health::from_bits(reached.health))
                        .setpoint
                        != neutral;
                    moving += u64::from(is_moving);
                    next.push(reached);
                }
            }
        }
        depth += 1;
        if std::env::var("PROGRESS").is_ok() {
            println!("{name} {depth} {}", known.len());
        }
        frontier = next;
        assert!(
            known.len() < 3_000_000,
            "{name}: no end in sight at depth {depth}"
        );
    }
    println!(
        "{name}: {} states, {moving} of them moving, {steps} steps, {depth} deep, {}",
        known.len(),
        if frontier.is_empty() {
            "and no more"
        } else {
            "where it was cut off"
        }
    );
    assert!(moving > 0, "a car that never moves proves nothing");
}

const fn drive(who: usize, throttle: i32, kind: Kind) -> Action {
    Action::Drive {
        who,
        throttle,
        kind,
    }
}

/// What one driver can do.
fn driver(who: usize) -> [Action; 4] {
    [
        drive(who, 0, Kind::Fresh),
        drive(who, 700, Kind::Fresh),
        Action::Arm {
            who,
            kind: Kind::Fresh,
        },
        Action::Want {
            who,
            want: Want::Release,
        },
    ]
}

const TIME: [Action; 2] = [Action::Wait, Action::LongWait];

#[test]
fn one_driver_and_everything_that_can_go_wrong() {
    let good = Health::GOOD.bits();
    let late = Health {
        control_late: true,
        ..Health::GOOD
    }
    .bits();
    let outputs = Health {
        actuator_ok: false,
        ..Health::GOOD
    }
    .bits();
    let mut actions = vec![
        Action::Stop,
        Action::Link(true),
        Action::Link(false),
        Action::Flicker,
        Action::Nobody,
    ];
    actions.extend(TIME);
    actions.extend(driver(0));
    actions.extend([good, late, outputs].map(Action::Health));
    actions.extend([
        drive(0, 700, Kind::Replayed),
        drive(0, 700, Kind::Stale),
        Action::Arm {
            who: 0,
            kind: Kind::Replayed,
        },
        Action::Arm {
            who: 0,
            kind: Kind::Stale,
        },
    ]);
    explore(
        "one driver and everything that can go wrong",
        &actions,
        u32::MAX,
    );
}

#[test]
fn a_driver_and_the_old_app() {
    let mut actions = vec![Action::Stop, Action::Link(true), Action::Link(false)];
    actions.extend(TIME);
    actions.extend(driver(0));
    actions.extend([0, 7_000].map(|milli_steps| Action::Legacy { milli_steps }));
    explore("a driver and the old app", &actions, u32::MAX);
}

#[test]
fn two_drivers_and_a_hand_over() {
    let mut actions = vec![
        Action::Stop,
        Action::Link(true),
        Action::Want {
            who: 1,
            want: Want::HandOver,
        },
    ];
    actions.extend(TIME);
    actions.extend(driver(0));
    actions.extend(driver(1));
    // Nine steps are an arm, a drive, a request, a release, an arm of the other and a drive of his, with three waits.
    explore("two drivers and a hand-over", &actions, 9);
}
