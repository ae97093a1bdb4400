//! One car, what really happened to it, and what must be true of each of its states.
//!
//! ```text
//!   Model (vehicle, truth) ── Action ──▶ intent ─▶ vehicle.step ─▶ invariants ─▶ the next Model
//!   key: the same for two models that behave the same from here on
//! ```

use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use serde_json::Value;
use spidercar::logic::drive::{CalibrationFields, Reverse};
use spidercar::logic::failsafe::{Health, State};
use spidercar::logic::intent::Intent;
use spidercar::logic::units::{LeaseId, PulseWidth, Seq, Throttle, Uptime};
use spidercar::logic::vehicle::{Step, Vehicle};
use spidercar::logic::wire::{
    ArmCommand, Axis, CalibrationCommand, Change, DriveCommand, Incoming, LeaseCommand, Motion,
    MotionKey, Tune, ViewReport, Want,
};

use crate::schedules::car::Car;

/// One step of the clock: hold, neutral and recovery are one, two and three of it.
const STEP: Duration = Duration::from_millis(100);
const START: Uptime = Uptime::from_micros(100_000_000);
/// A stale command was sent this long before it arrived.
const STALE_MS: u64 = 1_000;
/// `failsafe.command_age_ms` of the defaults.
const COMMAND_AGE_US: u64 = 150_000;
/// Neutral of the file, and of the calibration that may be saved.
const FILE_US: u16 = 1_500;
const OTHER_US: u16 = 1_505;

/// What can happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    Wait,
    /// Longer than any time that matters.
    LongWait,
    Drive {
        who: usize,
        word: Word,
        kind: Kind,
    },
    Change {
        who: usize,
        save: bool,
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
    /// A report of the driver's picture, this old.
    View {
        who: usize,
        age_ms: u32,
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
pub enum Kind {
    Fresh,
    Stale,
    Replayed,
}

/// What a driver says: a throttle in permille, or a pulse for the ESC in microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Word {
    Throttle(i32),
    Tune(u16),
}

impl Word {
    fn command(self) -> DriveCommand {
        let (throttle, tune) = match self {
            Self::Throttle(permille) => (Throttle::saturating(permille), None),
            Self::Tune(micros) => {
                let pulse = PulseWidth::saturating(micros.into());
                let axis = Axis::Throttle;
                (Throttle::ZERO, Some(Tune { axis, pulse }))
            }
        };
        DriveCommand {
            throttle,
            tune,
            ..DriveCommand::default()
        }
    }

    /// Whether a throttle pulse is one that this may lead to.
    fn allows(self, pulse: u16, neutral: u16) -> bool {
        match self {
            Self::Throttle(permille) => permille != 0,
            Self::Tune(micros) => (neutral.min(micros)..=neutral.max(micros)).contains(&pulse),
        }
    }
}

/// What really happened to one driver, kept beside the car.
#[derive(Clone, Copy, Debug, Default, Hash)]
struct Truth {
    seq: u32,
    arms: u32,
    changes: u32,
    /// His last fresh wish for another calibration, and whether the car took it.
    wished: Option<(u64, bool, bool)>,
    /// His last fresh command.
    said: Option<(u64, Word)>,
    /// He armed since the last trouble, with his throttle at neutral.
    armed: bool,
}

#[derive(Clone)]
pub struct Model {
    pub now: Uptime,
    pub vehicle: Vehicle,
    pub intent: Intent,
    holder: LeaseId,
    state: State,
    pub health: u8,
    drivers: [Truth; 2],
    legacy: Option<(u64, i32)>,
    /// Whether the other neutral was saved by who might.
    saved: bool,
    /// The holder's last report since the car was armed: when, and the age in it.
    sees: Option<(u64, u64)>,
    /// How it came to this, for the message of a failure.
    path: Vec<Action>,
}

pub fn config() -> Car {
    Car::new(Reverse::Direct, 400)
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).expect("short")
}

fn other() -> CalibrationFields {
    CalibrationFields {
        throttle_zero: PulseWidth::saturating(OTHER_US.into()),
        ..*config().drive.calibration.fields()
    }
}

fn lease(who: usize) -> LeaseId {
    LeaseId::new(u32::try_from(who).expect("small") + 1)
}

impl Model {
    pub fn new(config: &Car) -> Self {
        Self {
            now: START,
            vehicle: config.vehicle(START),
            intent: Intent::default(),
            holder: LeaseId::NONE,
            state: State::Disarmed,
            health: Health::GOOD.bits(),
            drivers: [Truth::default(); 2],
            legacy: None,
            saved: false,
            sees: None,
            path: Vec::new(),
        }
    }

    /// Does one thing, lets the car step, and checks what must be true of every state.
    pub fn after(&self, action: Action, config: &Car) -> Self {
        let mut next = self.clone();
        next.path.push(action);
        next.happen(action);
        let step = next
            .vehicle
            .step(next.now, &next.intent, Health::from_bits(next.health));
        next.holder = step.status.holder;
        let holder = next.holder;
        match action {
            Action::View { who, age_ms } if lease(who) == self.holder && holder == self.holder => {
                next.sees = Some((next.now.as_micros() / 1000, u64::from(age_ms)));
            }
            _ if step.state.may_move() && !self.state.may_move() => next.sees = None,
            _ => {}
        }
        next.settle(action, step.state);

        let fault = next.health != Health::GOOD.bits()
            || !next.intent.link.value
            || action == Action::Flicker;
        if fault || action == Action::Stop {
            for driver in &mut next.drivers {
                driver.armed = false;
            }
        }
        next.judge_calibration(self, &step);
        let neutral = next.vehicle.neutral();
        if step.setpoint == neutral {
            return next;
        }
        let now = next.now.as_micros();
        if let Some((at, age)) = next.sees.filter(|_| !next.holder.is_none()) {
            let old = now / 1000 - at + age;
            assert!(age <= 500 && old <= 900, "moves by a picture of {old} ms");
        }
        assert!(
            step.state.may_move() && !fault,
            "{action:?} moves in {:?}",
            step.state
        );
        let drivers = next.drivers.iter().zip(0..);
        let driver = drivers.clone().find(|(_, who)| lease(*who) == next.holder);
        if let Some((driver, _)) = driver {
            let (at, word) = driver.said.expect("the holder was heard");
            let within = now - at <= micros(config.failsafe.neutral());
            let pulses = (step.setpoint.throttle.get(), neutral.throttle.get());
            assert!(
                within && word.allows(pulses.0, pulses.1),
                "{action:?} moves {} us after {word:?}",
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

    /// Neutral is another pulse only after a save, and only from one step to the next in which the car stands.
    fn judge_calibration(&self, before: &Self, step: &Step) {
        assert_eq!(
            step.status.calibration.is_saved, self.saved,
            "a save that was nobody's, or was lost: {:?}",
            self.path
        );
        let (was, is) = (before.vehicle.neutral(), self.vehicle.neutral());
        if was == is {
            return;
        }
        assert!(
            !before.state.may_move() && !step.state.may_move(),
            "neutral changed in {:?}",
            step.state
        );
        let wanted = if self.saved { OTHER_US } else { FILE_US };
        assert_eq!((is.throttle.get(), step.setpoint), (wanted, is));
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
            Action::Drive { who, word, kind } => {
                let driver = &mut self.drivers[who];
                driver.seq += u32::from(kind == Kind::Fresh);
                let seq = driver.seq + u32::from(kind == Kind::Stale);
                let (mut word, mut t_ms) = (word, sent(kind));
                match (kind, &mut driver.said) {
                    (Kind::Fresh, said) => *said = Some((self.now.as_micros(), word)),
                    (Kind::Stale, _) => {}
                    // The last one again, as it was. If the first copy was lost, this is it, and late by as much.
                    (Kind::Replayed, Some((at, said))) => {
                        (word, t_ms) = (*said, *at / 1000);
                        if self.now.as_micros() - *at <= COMMAND_AGE_US {
                            *at = self.now.as_micros();
                        }
                    }
                    (Kind::Replayed, None) => return,
                }
                Incoming::Drive(DriveCommand {
                    seq: Seq::new(seq),
                    t_ms,
                    lease: lease(who),
                    ..word.command()
                })
            }
            Action::Change { who, save, kind } => {
                let Some(incoming) = self.wish(who, save, kind, sent(kind)) else {
                    return;
                };
                incoming
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
            Action::View { who, age_ms } => Incoming::View(ViewReport {
                lease: lease(who),
                rtt_ms: 0,
                age_ms,
            }),
            Action::Stop => Incoming::Stop,
            Action::Nobody => Incoming::Drive(DriveCommand {
                seq: Seq::new(1),
                t_ms,
                throttle: Throttle::MAX,
                ..DriveCommand::default()
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

    /// The wish for another calibration, if there is one to send.
    fn wish(&mut self, who: usize, mut save: bool, kind: Kind, mut t_ms: u64) -> Option<Incoming> {
        let driver = &mut self.drivers[who];
        let is_holder = self.holder == lease(who);
        driver.changes += u32::from(kind == Kind::Fresh);
        let seq = driver.changes + u32::from(kind == Kind::Stale);
        match (kind, &mut driver.wished) {
            (Kind::Fresh, wished) => {
                *wished = Some((self.now.as_micros(), save, is_holder));
                self.saved = if is_holder { save } else { self.saved };
            }
            (Kind::Stale, _) => {}
            // As for a drive: if the first copy was not his to send, this is it, and late by as much.
            (Kind::Replayed, Some((at, wished, taken))) => {
                (save, t_ms) = (*wished, *at / 1000);
                let is_in_time = self.now.as_micros() - *at <= COMMAND_AGE_US;
                if is_holder && is_in_time && !*taken {
                    (*taken, self.saved) = (true, save);
                }
            }
            (Kind::Replayed, None) => return None,
        }
        Some(Incoming::Calibration(CalibrationCommand {
            seq: Seq::new(seq),
            t_ms,
            lease: lease(who),
            change: if save {
                Change::Save(other().to_pulses())
            } else {
                Change::Reset
            },
        }))
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

    /// Whether an output is anywhere but at neutral.
    pub fn moves(&self) -> bool {
        let health = Health::from_bits(self.health);
        let step = self.vehicle.clone().step(self.now, &self.intent, health);
        step.setpoint != self.vehicle.neutral()
    }

    /// The same for two states that behave the same from here on.
    pub fn key(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        let vehicle = serde_json::to_value(&self.vehicle).expect("plain data");
        for driver in &self.drivers {
            let said = driver.said.map(|(at, word)| (self.age(at, 250), word));
            let wished = driver.wished;
            let wished = wished.map(|(at, save, taken)| (self.age(at, 250), save, taken));
            (said, wished, driver.armed).hash(&mut hasher);
        }
        (self.saved, self.vehicle.neutral().throttle.get()).hash(&mut hasher);
        self.legacy
            .map(|(at, throttle)| (self.age(at, 450), throttle))
            .hash(&mut hasher);
        self.sees
            .map(|(at, age)| (self.age(at * 1000, 950), age))
            .hash(&mut hasher);
        let micros = |value: &Value| value.as_u64();
        let since_arm = micros(&vehicle["view"][0]) >= micros(&vehicle["armed_at"]);
        since_arm.hash(&mut hasher);
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
                | "armed_at" | "steady" | "relearning",
                _,
            ) => {}
            // The clocks agree: the floor is that of a fresh message, or was set by a stale one.
            ("least", Value::Number(least)) => (least.as_i64() > Some(200_000)).hash(hasher),
            // What was answered, and to whom.
            ("answer" | "lease" | "seq", _) if table == "calibrations" => {}
            ("seq" | "armed" | "changed", Value::Number(seq)) => {
                let seq = seq.as_u64().unwrap_or(0);
                let newest = |count: fn(&Truth) -> u32| {
                    self.drivers
                        .iter()
                        .map(|driver| u64::from(count(driver)))
                        .collect::<Vec<_>>()
                };
                let counts = match key {
                    "seq" => newest(|driver| driver.seq),
                    "armed" => newest(|driver| driver.arms),
                    _ => newest(|driver| driver.changes),
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
            // The report of the picture: when, whose and how old.
            ("view", Value::Array(view)) => {
                self.age(view[0].as_u64().unwrap_or(0), 950).hash(hasher);
                view[1].to_string().hash(hasher);
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
