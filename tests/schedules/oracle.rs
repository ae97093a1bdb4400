//! What must be true of every step, worked out from what happened and not from how the car decides.
//!
//! It keeps its own book: who was heard when, how long each message was under way, who asked, who stopped. Where a rule has
//! slack by design (clocks may drift by a thousandth) there is a zone in which either answer is right, and outside of it one.
//!
//! ```text
//!   under way, against the fastest so far:   0 ──must be taken── command_age ──either── + drift ──must be refused──▶
//!   silence of the driver:                   0 ──must obey── hold ──must fall in a line── neutral ──must stand──▶
//! ```

use std::collections::BTreeMap;
use std::time::Duration;

use spidercar::logic::failsafe::{Cause, Health, State};
use spidercar::logic::units::LeaseId;
use spidercar::logic::vehicle::Step;
use spidercar::logic::wire::{ArmCommand, DriveCommand, Incoming, MotionKey, ViewReport, Want};

use super::car::Car;
use super::tuning::Pulses;
use super::world::TICK_US;

/// Longest time from the last good command to the step that writes neutral, for a control thread that runs.
const NEUTRAL_BY_US: u64 = 250_000;
const DRIFT_PPM: i64 = 1_000;
const RELEARN_US: u64 = 5_000_000;
const LEAP_US: i64 = 1_000_000;
/// The oldest picture a driver may drive by, and how old it may be at most by what the car can know.
const BLIND_US: u64 = 500_000;
const BLIND_BY_US: u64 = 900_000;

#[derive(Clone, Copy, Debug)]
struct Good {
    at: u64,
    command: DriveCommand,
}

/// What is known of one sender.
#[derive(Clone, Debug, Default)]
struct Book {
    newest: Option<u32>,
    armed: Option<u32>,
    first_at: Option<u64>,
    /// The least difference of clocks ever seen, and the highest that the car may rightly take for it.
    low: Option<i64>,
    high: Option<i64>,
    /// Since when he has been heard and did not drive, and the differences of the last five seconds of it.
    stands: Option<(u64, Vec<(u64, i64)>)>,
    good: Option<Good>,
    asked_at: Option<u64>,
    arms: Vec<(u64, ArmCommand)>,
    changed: Option<u32>,
}

fn is_newer(seq: u32, than: Option<u32>) -> bool {
    than.is_none_or(|than| (1..1 << 31).contains(&seq.wrapping_sub(than)))
}

/// Arrival on the car's clock minus sending on the sender's, in microseconds.
fn difference(at: u64, t_ms: u64) -> i64 {
    i64::try_from(at).expect("small") - i64::try_from(t_ms).expect("small") * 1000
}

/// How far two clocks may rightly have drifted apart in this time, in microseconds.
fn drift(time: u64) -> i64 {
    i64::try_from(time).expect("small") * DRIFT_PPM / 1_000_000 + 1
}

impl Book {
    /// Whether something sent then and arrived now must be taken, or must be refused, by its age.
    fn ages(&mut self, at: u64, t_ms: u64, allowed: i64, drives: bool) -> (bool, bool) {
        let difference = difference(at, t_ms);
        let first_at = *self.first_at.get_or_insert(at);
        // A driver whose clock leaps is not believed. What the car takes for his fastest is between low and high.
        let leaps_from = |floor: Option<i64>, drift: i64| {
            drives && floor.is_some_and(|floor| floor + drift - difference > LEAP_US)
        };
        if leaps_from(self.low, 0) {
            return (false, true);
        }
        if leaps_from(self.high, drift(at - first_at)) {
            self.low = self.low.map(|low| low.min(difference));
            return (false, false);
        }
        let low = self.low.map_or(difference, |low| low.min(difference));
        let high = self.high.map_or(difference, |high| high.min(difference));
        (self.low, self.high) = (Some(low), Some(high));
        let is_fresh = difference - low <= allowed;
        // One who did not drive for five seconds may rightly be known by the fastest of what he sent in them.
        let (since, recent) = self.stands.get_or_insert_with(|| (at, Vec::new()));
        recent.push((at, difference));
        recent.retain(|(then, _)| at - then <= RELEARN_US);
        if at - *since >= RELEARN_US {
            let least = recent.iter().map(|(_, difference)| *difference).min();
            self.high = self.high.max(least);
        }
        let drift = drift(at - first_at);
        (
            is_fresh,
            difference - self.high.unwrap_or(high) > allowed + drift,
        )
    }
}

/// The oracle, and what it measured.
pub struct Oracle {
    hold: u64,
    neutral: u64,
    recovery: u64,
    legacy_age: u64,
    command_age: i64,
    /// What the pulses may be.
    pub pulses: Pulses,
    books: BTreeMap<u32, Book>,
    drive: Option<(u64, DriveCommand)>,
    /// A report that came since the last step, and the last one of the holder: when, and the age in it.
    view: Option<(u64, ViewReport)>,
    sees: Option<(u64, u64)>,
    /// It came since the holder armed.
    sees_since_arm: bool,
    stop: bool,
    released: Option<u32>,
    legacy: Option<(u64, i32)>,
    legacy_now: bool,
    link_up: bool,
    link_changed_at: u64,
    link_dropped: bool,
    trouble_at: u64,
    last: Option<(u64, State, LeaseId, i32, u32)>,
    silenced: bool,
    /// From the last good command to the step that wrote neutral after silence, in microseconds.
    pub to_neutral: Vec<u64>,
    /// Steps in which the car moved.
    pub moving: u64,
    /// Messages that had to be refused, and were.
    pub refused: u64,
    /// Drives that were begun.
    pub arms: u64,
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).expect("a short time")
}

impl Oracle {
    pub fn new(config: &Car) -> Self {
        let failsafe = &config.failsafe;
        Self {
            hold: micros(failsafe.hold()),
            neutral: micros(failsafe.neutral()),
            recovery: micros(failsafe.recovery()),
            legacy_age: micros(failsafe.legacy_age()),
            command_age: i64::try_from(micros(failsafe.command_age())).expect("a short time"),
            pulses: Pulses::new(config),
            books: BTreeMap::new(),
            drive: None,
            view: None,
            sees: None,
            sees_since_arm: false,
            stop: false,
            released: None,
            legacy: None,
            legacy_now: false,
            link_up: false,
            link_changed_at: 0,
            link_dropped: false,
            trouble_at: 0,
            last: None,
            silenced: false,
            to_neutral: Vec::new(),
            moving: 0,
            refused: 0,
            arms: 0,
        }
    }

    pub fn link(&mut self, now: u64, up: bool) {
        self.link_dropped |= !up;
        (self.link_up, self.link_changed_at) = (up, now);
    }

    /// The process was started anew: it has forgotten everything.
    pub fn restart(&mut self) {
        self.books.clear();
        self.pulses.restart();
        (self.drive, self.stop, self.released, self.legacy, self.last) =
            (None, false, None, None, None);
        (self.link_up, self.silenced) = (false, false);
        (self.view, self.sees, self.sees_since_arm) = (None, None, false);
    }

    /// A message is folded into the intent: the newest of a kind is what the car will look at.
    pub fn folds(&mut self, now: u64, incoming: &Incoming, holder: LeaseId) {
        let is_foreign = |id: LeaseId| !holder.is_none() && id != holder;
        match *incoming {
            Incoming::Drive(drive) if !is_foreign(drive.lease) => self.drive = Some((now, drive)),
            Incoming::Arm(arm) => {
                let book = self.books.entry(arm.lease.get()).or_default();
                // It may, or may not, have taught the car a faster path: drives after it may be refused by that.
                let difference = difference(now, arm.t_ms);
                book.low = Some(book.low.map_or(difference, |low| low.min(difference)));
                book.arms.push((now, arm));
            }
            Incoming::Calibration(change) if !is_foreign(change.lease) => {
                let book = self.books.entry(change.lease.get()).or_default();
                // As for an arm: it may have taught the car a faster path.
                let difference = difference(now, change.t_ms);
                book.low = Some(book.low.map_or(difference, |low| low.min(difference)));
                self.pulses.folds(now, &change);
            }
            Incoming::View(view) if !is_foreign(view.lease) => self.view = Some((now, view)),
            Incoming::Stop => self.stop = true,
            Incoming::Lease(lease) => match lease.want {
                Want::HandOver => {
                    self.books.entry(lease.id.get()).or_default().asked_at = Some(now);
                }
                Want::Release if !is_foreign(lease.id) => self.released = Some(lease.id.get()),
                Want::Take if !is_foreign(lease.id) => self.released = None,
                Want::Release | Want::Take => {}
            },
            Incoming::Motion(motion) => {
                let throttle = match motion.key {
                    MotionKey::Forward => motion.milli_steps,
                    MotionKey::Back => -motion.milli_steps,
                    MotionKey::Left | MotionKey::Right => {
                        self.legacy.map_or(0, |(_, throttle)| throttle)
                    }
                };
                self.legacy = Some((now, throttle));
                self.legacy_now = true;
            }
            _ => {}
        }
    }

    /// The car has stepped.
    pub fn steps(&mut self, now: u64, health: Health, step: &Step) {
        let (last_at, was, held_by, _, accepted_before) =
            self.last
                .unwrap_or((now, State::Disarmed, LeaseId::NONE, 0, 0));
        if was.may_move()
            && let Some(book) = self.books.get_mut(&held_by.get())
        {
            book.stands = None;
        }
        self.judge_drive(was, held_by, step, accepted_before);
        self.judge_change(held_by, step);
        self.sees_since_arm &= was.may_move();
        if let Some((at, view)) = self.view.take()
            && held_by == view.lease
            && step.status.holder == held_by
        {
            self.sees = Some((at, u64::from(view.age_ms) * 1000));
            self.sees_since_arm = true;
        }
        let good = self.books.get(&step.status.holder.get());
        let good = good.and_then(|book| book.good).map(|good| good.command);
        self.pulses.steps(now, step, step.status.holder, good);
        let sound = health == Health::GOOD && self.link_up && !self.link_dropped;
        if !sound {
            self.trouble_at = now;
        }
        self.judge_motion(now, sound, step);
        if was == State::Live && step.status.holder == held_by && !held_by.is_none() {
            self.judge_haste(now, sound, held_by, step);
        }
        self.judge_lease(now, was, held_by, step);
        if self.stop {
            assert_eq!(step.state, State::Stopped, "stop was said");
            // A second stop may come in the step in which a saved neutral comes into force.
            let causes = [Cause::Stop, Cause::Calibrate];
            assert!(causes.contains(&step.cause), "{:?}", step.cause);
        }
        let runs = now - last_at <= 2 * TICK_US;
        self.measure(now, runs, was, step);
        let throttle = i32::from(step.status.throttle.get());
        self.last = Some((
            now,
            step.state,
            step.status.holder,
            throttle,
            step.status.accepted,
        ));
        (
            self.drive,
            self.stop,
            self.released,
            self.legacy_now,
            self.link_dropped,
        ) = (None, false, None, false, false);
    }

    /// A command is taken if it must be, refused if it must be, and a refused one leaves no trace.
    fn judge_drive(&mut self, was: State, held_by: LeaseId, step: &Step, accepted_before: u32) {
        let Some((at, drive)) = self.drive else {
            return;
        };
        let is_foreign = drive.lease.is_none() || (!held_by.is_none() && held_by != drive.lease);
        let book = self.books.entry(drive.lease.get()).or_default();
        let is_new = is_newer(drive.seq.get(), book.newest);
        let (fresh, stale) = if is_foreign || !is_new {
            (false, false)
        } else {
            let drives = was.may_move() && held_by == drive.lease;
            book.ages(at, drive.t_ms, self.command_age, drives)
        };
        let status = &step.status;
        let counted = status.accepted != accepted_before;
        let accepted = counted
            && status.seq == drive.seq
            && status
                .accepted_at
                .is_some_and(|took| took.as_micros() == at);
        let must_refuse = is_foreign || !is_new || stale;
        if !self.legacy_now {
            assert!(
                !(accepted && must_refuse),
                "obeyed {drive:?} at {at}: foreign {is_foreign}, new {is_new}, stale {stale}"
            );
        }
        assert!(
            accepted || is_foreign || !is_new || !fresh,
            "refused {drive:?}, which was fresh: {book:?}"
        );
        self.refused += u64::from(must_refuse);
        if accepted && !must_refuse {
            book.newest = Some(drive.seq.get());
            book.good = Some(Good { at, command: drive });
        }
    }

    /// A calibration is changed by its holder alone, once by each wish, and by none that is old.
    fn judge_change(&mut self, held_by: LeaseId, step: &Step) {
        let Some((at, change)) = self.pulses.granted(step) else {
            return;
        };
        assert!(
            held_by == change.lease && !held_by.is_none(),
            "changed by {:?}, while {held_by:?} holds the lease",
            change.lease
        );
        let book = self.books.entry(change.lease.get()).or_default();
        assert!(is_newer(change.seq.get(), book.changed), "a replay");
        let slack = self.command_age + book.first_at.map_or(0, |first_at| drift(at - first_at));
        let is_stale = book
            .high
            .is_some_and(|high| difference(at, change.t_ms) - high > slack);
        assert!(!is_stale, "changed by a wish that was late: {change:?}");
        book.changed = Some(change.seq.get());
    }

    /// Nothing moves but by a command of the driver that is no older than the silence that is allowed.
    fn judge_motion(&mut self, now: u64, sound: bool, step: &Step) {
        let throttle = i32::from(step.status.throttle.get());
        if throttle == 0 && step.setpoint == self.pulses.neutral() {
            return;
        }
        self.moving += 1;
        assert!(
            step.state.may_move() && sound && !self.stop,
            "moves in {:?}",
            step.state
        );
        let holder = step.status.holder;
        if holder.is_none() {
            let (at, wanted) = self.legacy.expect("somebody drives");
            assert!(
                now - at <= self.legacy_age,
                "the old app was silent for {} us",
                now - at
            );
            assert!(
                wanted.signum() == throttle.signum() || throttle == 0,
                "{wanted} is not {throttle}"
            );
            return;
        }
        let good = self
            .books
            .get(&holder.get())
            .and_then(|book| book.good)
            .expect("somebody drives");
        let (silence, wanted) = (now - good.at, i32::from(good.command.throttle.get()));
        assert!(
            silence <= self.neutral,
            "moves after {silence} us of silence"
        );
        if let Some((at, age)) = self.sees.filter(|_| self.sees_since_arm) {
            let old = now - at + age;
            assert!(
                age <= BLIND_US && old <= BLIND_BY_US,
                "moves by a picture of {old} us, reported as {age} us old"
            );
        }
        assert!(
            throttle.abs() <= wanted.abs(),
            "{throttle} by a command of {wanted}"
        );
        assert!(
            throttle == 0 || throttle.signum() == wanted.signum(),
            "{throttle} by {wanted}"
        );
    }

    /// A driver who is heard is obeyed, and one who just fell silent is not cut off.
    fn judge_haste(&self, now: u64, sound: bool, holder: LeaseId, step: &Step) {
        if !sound || self.stop || self.released == Some(holder.get()) {
            return;
        }
        let Some(good) = self.books.get(&holder.get()).and_then(|book| book.good) else {
            return;
        };
        let silence = now - good.at;
        if step.cause == Cause::Blind {
            let old = self.sees.map(|(at, age)| now - at + age);
            assert!(
                old.is_some_and(|old| old > BLIND_US),
                "blind by a picture of {old:?} us"
            );
            return;
        }
        let (throttle, wanted) = (
            i32::from(step.status.throttle.get()),
            i32::from(good.command.throttle.get()),
        );
        if silence <= self.hold {
            assert_eq!(
                step.state,
                State::Live,
                "stopped by {:?} after {silence} us",
                step.cause
            );
            if wanted >= 0 {
                assert_eq!(throttle, wanted, "after {silence} us");
            }
        } else if silence < self.neutral && wanted >= 0 {
            let left = i32::try_from((self.neutral - silence) * 1000 / (self.neutral - self.hold))
                .expect("a permille");
            assert!(
                throttle >= wanted * left / 1000 - 2,
                "fell to {throttle} of {wanted} after {silence} us"
            );
        }
    }

    /// The wheel changes hands at neutral, by an arm or by a release to who asked; arming needs neutral and a good link.
    fn judge_lease(&mut self, now: u64, was: State, held_by: LeaseId, step: &Step) {
        let holder = step.status.holder;
        let begins = step.state == State::Live
            && (!was.may_move() || (held_by.is_none() && !holder.is_none()));
        if !holder.is_none() && holder != held_by && !begins {
            assert!(
                !held_by.is_none() && self.released == Some(held_by.get()),
                "the lease was taken"
            );
            let asked_at = self.books.get(&holder.get()).and_then(|book| book.asked_at);
            assert!(
                asked_at.is_some_and(|at| now - at <= 2_000_000),
                "given to one who did not ask"
            );
            assert!(!step.state.may_move(), "handed over on the move");
        }
        if !begins {
            return;
        }
        self.arms += 1;
        self.sees_since_arm = false;
        assert_eq!(step.status.throttle.get(), 0, "armed with throttle");
        assert!(
            now - self.link_changed_at >= self.recovery,
            "armed on a link of {} us",
            now - self.link_changed_at
        );
        assert!(
            now - self.trouble_at >= self.recovery,
            "armed {} us after trouble",
            now - self.trouble_at
        );
        if holder.is_none() {
            assert_eq!(
                self.legacy.map(|(_, throttle)| throttle),
                Some(0),
                "armed by a slider that is not at neutral"
            );
            return;
        }
        let book = self.books.get_mut(&holder.get()).expect("he was heard");
        let good = book.good.expect("he was heard");
        assert!(
            good.command.is_neutral() && now - good.at <= self.hold,
            "armed without a fresh neutral"
        );
        let slack = self.command_age + book.first_at.map_or(0, |first_at| drift(now - first_at));
        let (armed, high) = (book.armed, book.high);
        let by = book.arms.iter().rev().find(|(at, arm)| {
            let is_stale = high.is_some_and(|high| difference(*at, arm.t_ms) - high > slack);
            now - at <= self.hold && is_newer(arm.seq.get(), armed) && !is_stale
        });
        let (_, arm) = by.expect("armed, and not by an old or replayed arm");
        book.armed = Some(arm.seq.get());
    }

    fn measure(&mut self, now: u64, runs: bool, was: State, step: &Step) {
        if step.cause != Cause::Silence || was != State::Coasting || step.state != State::Stopped {
            return;
        }
        let holder = step.status.holder.get();
        if let Some(good) = self.books.get(&holder).and_then(|book| book.good) {
            let took = now - good.at;
            assert!(took > self.hold, "neutral {took} us after a good command");
            if runs {
                assert!(
                    took <= NEUTRAL_BY_US,
                    "neutral only {took} us after the last good command"
                );
                self.to_neutral.push(took);
            }
        }
    }

    /// Long after the last word.
    pub fn end(&mut self) {
        let (_, state, _, throttle, _) = self.last.expect("it ran");
        assert!(
            throttle == 0 && !state.may_move(),
            "{state:?} at {throttle} long after the last word"
        );
    }
}
