//! A car, three drivers, a recorder who replays, and a network, all on one virtual clock, all from one seed.
//!
//! ```text
//!   Ann (lease 1) ─┐                                              ┌ messages folded, or held by a busy event loop
//!   Bob (lease 2) ─┼─▶ path: delay, jitter, loss, twice, outage ─▶│ Intent ─▶ vehicle.step each 5 ms, and at each message
//!   old app ───────┤        (dropped, or queued and burst)        └ frozen, restarted, delayed: as the seed says
//!   Eve: anything ─┘ heard before, later; and commands of her own
//! ```
//!
//! The world only makes things happen and shows all of it to the oracle; it judges nothing.

use std::collections::BTreeMap;
use std::time::Duration;

use spidercar::logic::failsafe::Health;
use spidercar::logic::intent::Intent;
use spidercar::logic::units::{LeaseId, PulseWidth, Seq, Steering, Throttle, Uptime};
use spidercar::logic::vehicle::{Status, Vehicle};
use spidercar::logic::wire::{
    ArmCommand, Axis, CalibrationCommand, Change, DriveCommand, Incoming, LeaseCommand, Motion,
    MotionKey, Tune, ViewReport, Want,
};

use super::car::Car;
use super::oracle::Oracle;
use super::rng::Rng;

pub const TICK_US: u64 = 5_000;
const LATE_US: u64 = 50_000;
const START_US: u64 = 60_000_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outage {
    Drop,
    Queue,
}

/// A time span with something wrong in it.
#[derive(Clone, Copy, Debug)]
struct Span {
    from: u64,
    to: u64,
}

impl Span {
    fn random(rng: &mut Rng, until: u64, longest: u64) -> Self {
        let from = START_US + rng.between(0, until - START_US);
        Self {
            from,
            to: from + rng.between(5_000, longest),
        }
    }

    fn covers(self, now: u64) -> bool {
        (self.from..self.to).contains(&now)
    }
}

struct Driver {
    id: u32,
    offset_ms: u64,
    period: u64,
    next_at: u64,
    seq: u32,
    throttle: i32,
    tune: Option<Tune>,
    changes_at: u64,
    delay: u64,
    jitter: u64,
    loss: u64,
    twice: u64,
    outages: Vec<(Span, Outage)>,
    frozen: Vec<Span>,
    clock_jump: Option<(u64, u64)>,
    wants: bool,
}

impl Driver {
    fn random(rng: &mut Rng, id: u32, until: u64) -> Self {
        let bad = rng.chance(500);
        let mut outages = Vec::new();
        for _ in 0..rng.between(0, 4) {
            let kind = if rng.chance(500) {
                Outage::Drop
            } else {
                Outage::Queue
            };
            outages.push((Span::random(rng, until, 2_500_000), kind));
        }
        let frozen = (0..rng.between(0, 3))
            .map(|_| Span::random(rng, until, 1_500_000))
            .collect();
        Self {
            id,
            offset_ms: rng.between(0, 1 << 40),
            period: rng.between(20_000, 50_000),
            next_at: START_US + rng.between(0, 500_000),
            seq: u32::try_from(rng.next() >> 32).unwrap_or(0),
            throttle: 0,
            tune: None,
            changes_at: 0,
            delay: rng.between(500, 120_000),
            jitter: if bad {
                rng.between(1, 80_000)
            } else {
                rng.between(1, 5_000)
            },
            loss: if bad { rng.between(0, 300) } else { 0 },
            twice: if bad { rng.between(0, 200) } else { 0 },
            outages,
            frozen,
            clock_jump: rng.chance(100).then(|| {
                (
                    START_US + rng.between(0, until - START_US),
                    rng.between(0, 20_000),
                )
            }),
            wants: rng.chance(700),
        }
    }

    /// His own clock, in milliseconds. It may be set back or forward once.
    fn t_ms(&self, now: u64) -> u64 {
        let jump = self
            .clock_jump
            .filter(|(at, _)| now >= *at)
            .map_or(10_000, |(_, by)| by);
        now / 1000 + self.offset_ms + jump
    }
}

/// A pulse for one of the outputs.
fn tune(rng: &mut Rng) -> Tune {
    let axis = if rng.chance(700) {
        Axis::Throttle
    } else {
        Axis::Steering
    };
    let micros = u32::try_from(rng.between(900, 2_100)).unwrap_or(1_500);
    let pulse = PulseWidth::saturating(micros);
    Tune { axis, pulse }
}

/// Another neutral, a set that makes no sense, or the file's.
fn change(rng: &mut Rng, config: &Car) -> Change {
    let mut pulses = config.drive.calibration.fields().to_pulses();
    let mut micros = |low, high| u16::try_from(rng.between(low, high)).unwrap_or(0);
    match micros(0, 4) {
        0 => return Change::Reset,
        1 => pulses.forward_zero_us = micros(400, 2_600),
        _ => {}
    }
    (pulses.throttle_zero_us, pulses.steering_zero_us) =
        (micros(1_490, 1_530), micros(1_450, 1_550));
    Change::Save(pulses)
}

/// The whole of it.
pub struct World<'a> {
    rng: Rng,
    config: &'a Car,
    now: u64,
    until: u64,
    drivers: Vec<Driver>,
    on_the_way: BTreeMap<(u64, u64), Incoming>,
    heard: Vec<Incoming>,
    order: u64,
    intent: Intent,
    vehicle: Vehicle,
    status: Status,
    due_at: u64,
    control_frozen: Vec<Span>,
    loop_blocked: Vec<Span>,
    link_down: Vec<Span>,
    faults: Vec<(Span, u8)>,
    restarts: Vec<u64>,
    replays: Vec<Span>,
    legacy_speaks: bool,
    legacy_next_at: u64,
}

impl<'a> World<'a> {
    pub fn new(seed: u64, config: &'a Car) -> Self {
        let mut rng = Rng::new(seed);
        let until = START_US + rng.between(4_000_000, 9_000_000);
        let at = Uptime::from_micros(START_US);
        let mut vehicle = config.vehicle(at);
        let status = vehicle.step(at, &Intent::default(), Health::GOOD).status;
        let drivers = vec![
            Driver::random(&mut rng, 1, until),
            Driver::random(&mut rng, 2, until),
        ];
        let mut spans = |most: u64, longest: u64| -> Vec<Span> {
            (0..rng.between(0, most + 1))
                .map(|_| Span::random(&mut rng, until, longest))
                .collect()
        };
        let (control_frozen, loop_blocked) = (spans(1, 2_000_000), spans(2, 1_500_000));
        let (link_down, replays, faulty) =
            (spans(2, 800_000), spans(2, 1_000_000), spans(1, 500_000));
        let failing = faulty
            .into_iter()
            .map(|span| (span, 1 << rng.between(0, 3)))
            .collect();
        let restarts = if rng.chance(100) {
            vec![START_US + rng.between(0, until - START_US)]
        } else {
            Vec::new()
        };
        let legacy_speaks = rng.chance(300);
        Self {
            config,
            now: START_US,
            until,
            drivers,
            on_the_way: BTreeMap::new(),
            heard: Vec::new(),
            order: 0,
            intent: Intent::default(),
            vehicle,
            status,
            due_at: START_US,
            control_frozen,
            loop_blocked,
            link_down,
            faults: failing,
            restarts,
            replays,
            legacy_speaks,
            legacy_next_at: START_US,
            rng,
        }
    }

    /// Runs to the end, and some silence after it, before the oracle's eyes.
    pub fn run(mut self, oracle: &mut Oracle) {
        let mut next_tick = START_US;
        let quiet_from = self.until;
        while self.now < quiet_from + 2_500_000 {
            if self.now < quiet_from {
                self.speak();
            } else {
                self.on_the_way.clear();
            }
            self.surroundings(oracle);
            let folded = self.receive(oracle);
            let frozen = self.control_frozen.iter().any(|span| span.covers(self.now));
            if !frozen && (folded || self.now >= next_tick) {
                self.step(oracle);
                next_tick = self.now - self.now % TICK_US + TICK_US;
                self.due_at = next_tick;
            }
            self.now += 1_000;
        }
        oracle.end();
    }

    fn surroundings(&mut self, oracle: &mut Oracle) {
        let now = Uptime::from_micros(self.now);
        let up = !self.link_down.iter().any(|span| span.covers(self.now));
        if self.intent.link.value != up {
            oracle.link(self.now, up);
        }
        self.intent.set_link(now, up);
        if self.restarts.first().is_some_and(|at| *at <= self.now) {
            self.restarts.clear();
            self.vehicle = self.config.vehicle(now);
            self.intent = Intent::default();
            self.status = self.vehicle.step(now, &self.intent, Health::GOOD).status;
            oracle.restart();
        }
    }

    fn speak(&mut self) {
        for index in 0..self.drivers.len() {
            self.drive(index);
        }
        if self.legacy_speaks && self.now >= self.legacy_next_at {
            self.legacy_next_at = self.now + self.rng.between(20_000, 700_000);
            let key = [MotionKey::Forward, MotionKey::Back, MotionKey::Left]
                [usize::try_from(self.rng.between(0, 3)).unwrap_or(0)];
            let milli_steps = if self.rng.chance(400) { 0 } else { 7_000 };
            self.send_after(2_000, Incoming::Motion(Motion { key, milli_steps }));
        }
        if self.replays.iter().any(|span| span.covers(self.now))
            && !self.heard.is_empty()
            && self.rng.chance(200)
        {
            let which = usize::try_from(self.rng.next()).unwrap_or(0) % self.heard.len();
            let again = self.heard[which];
            self.send_after(1_000, again);
            let eve = Incoming::Drive(DriveCommand {
                seq: Seq::new(u32::try_from(self.rng.next() >> 32).unwrap_or(0)),
                t_ms: self.now / 1000,
                throttle: Throttle::saturating(self.rng.permille()),
                steering: Steering::ZERO,
                lease: LeaseId::new(99),
                tune: self.rng.chance(300).then(|| tune(&mut self.rng)),
            });
            self.send_after(1_500, eve);
        }
    }

    fn drive(&mut self, index: usize) {
        let (now, holder) = (self.now, self.status.holder.get());
        let rng = &mut self.rng;
        let driver = &mut self.drivers[index];
        if now < driver.next_at {
            return;
        }
        driver.next_at = now + driver.period;
        if driver.frozen.iter().any(|span| span.covers(now)) {
            return;
        }
        let is_live = self.status.state.may_move() && holder == driver.id;
        if !is_live {
            // Now and then a pulse is asked for while nothing may move, too.
            (driver.throttle, driver.tune) = (0, driver.tune.filter(|_| rng.chance(100)));
        } else if now >= driver.changes_at {
            driver.changes_at = now + rng.between(100_000, 1_500_000);
            (driver.throttle, driver.tune) = (rng.permille(), None);
            if rng.chance(250) {
                (driver.throttle, driver.tune) = (0, Some(tune(rng)));
            }
        }
        let lease = LeaseId::new(driver.id);
        let t_ms = driver.t_ms(now);
        driver.seq = driver.seq.wrapping_add(1);
        let seq = Seq::new(driver.seq);
        let throttle = Throttle::saturating(driver.throttle);
        let steering = Steering::saturating(rng.permille());
        let tune = driver.tune;
        let mut says = vec![Incoming::Drive(DriveCommand {
            seq,
            t_ms,
            throttle,
            steering: if tune.is_some() {
                Steering::ZERO
            } else {
                steering
            },
            lease,
            tune,
        })];
        if rng.chance(10) {
            driver.seq = driver.seq.wrapping_add(1);
            says.push(Incoming::Calibration(CalibrationCommand {
                seq: Seq::new(driver.seq),
                t_ms,
                lease,
                change: change(rng, self.config),
            }));
        }
        if driver.wants && !is_live && rng.chance(300) {
            driver.seq = driver.seq.wrapping_add(1);
            says.push(Incoming::Arm(ArmCommand {
                seq: Seq::new(driver.seq),
                t_ms,
                lease,
            }));
        }
        if is_live && rng.chance(150) {
            // Mostly a good picture, and now and then one that has stood for a while.
            let most = if rng.chance(100) { 1_500 } else { 250 };
            let age_ms = u32::try_from(rng.between(0, most)).unwrap_or(0);
            says.push(Incoming::View(ViewReport {
                lease,
                rtt_ms: 40,
                age_ms,
            }));
        }
        let ask = |want| Incoming::Lease(LeaseCommand { id: lease, want });
        match rng.between(0, 1000) {
            0..4 => says.push(Incoming::Stop),
            4..10 => says.push(ask(Want::Release)),
            10..40 => says.push(ask(Want::HandOver)),
            40..80 => says.push(ask(Want::Take)),
            80..90 => driver.wants = !driver.wants,
            _ => {}
        }
        for incoming in says {
            self.send(index, incoming);
        }
    }

    /// Puts a message on its driver's path.
    fn send(&mut self, index: usize, incoming: Incoming) {
        let rng = &mut self.rng;
        let driver = &self.drivers[index];
        if rng.chance(driver.loss) {
            return;
        }
        let mut wait = driver.delay + rng.between(0, driver.jitter);
        let outage = driver
            .outages
            .iter()
            .find(|(span, _)| span.covers(self.now));
        match outage {
            Some((_, Outage::Drop)) => return,
            Some((span, Outage::Queue)) => wait += span.to - self.now,
            None => {}
        }
        let again = rng
            .chance(driver.twice)
            .then(|| wait + rng.between(1, 1_500_000));
        self.heard.push(incoming);
        self.send_after(wait, incoming);
        if let Some(wait) = again {
            self.send_after(wait, incoming);
        }
    }

    fn send_after(&mut self, wait: u64, incoming: Incoming) {
        self.order += 1;
        self.on_the_way
            .insert((self.now + wait, self.order), incoming);
    }

    /// Folds what has arrived; whether there was anything.
    fn receive(&mut self, oracle: &mut Oracle) -> bool {
        let blocked = self
            .loop_blocked
            .iter()
            .chain(&self.control_frozen)
            .any(|span| span.covers(self.now));
        let mut folded = false;
        while !blocked && let Some(entry) = self.on_the_way.first_entry() {
            if entry.key().0 > self.now {
                break;
            }
            let incoming = entry.remove();
            let holder = self.status.holder;
            oracle.folds(self.now, &incoming, holder);
            self.intent
                .fold(Uptime::from_micros(self.now), &incoming, holder);
            folded = true;
        }
        folded
    }

    fn step(&mut self, oracle: &mut Oracle) {
        let faults: u8 = self
            .faults
            .iter()
            .filter(|(span, _)| span.covers(self.now))
            .map(|(_, bit)| bit)
            .sum();
        let health = Health {
            camera_ok: faults & 1 == 0,
            encoder_ok: faults & 2 == 0,
            actuator_ok: faults & 4 == 0,
            control_late: self.now > self.due_at + LATE_US,
            ..Health::GOOD
        };
        let now = Uptime::from_micros(self.now);
        let step = self.vehicle.step(now, &self.intent, health);
        assert!(step.next_at > now && step.next_at <= now.after(Duration::from_secs(1)));
        oracle.steps(self.now, health, &step);
        self.status = step.status;
    }
}
