//! The last minute of the control thread, kept in place, handed over at a stop.
//!
//! A record has to be replayable: `vehicle.step` is a function of the vehicle before, the intent, the health and the time.
//! So a segment begins with a copy of the vehicle and keeps every input since, and every output to compare with. Two
//! segments take turns, so that at any stop between half a minute and a minute of inputs are there.
//!
//! ```text
//!   step ─▶ current ──full, or 30 s old──▶ previous (the one before is overwritten)
//!              │
//!              └── a stop ──▶ both to the black box, empty ones back from it
//! ```
//!
//! Promises: no allocation and no lock after start; a record that cannot be handed over yet is handed over later; driving
//! never waits for it.
//! Knows nothing of: files.

use std::sync::mpsc::{Receiver, SyncSender};
use std::time::Duration;

use crate::logic::drive::Setpoint;
use crate::logic::failsafe::{Cause, Health, State};
use crate::logic::intent::{INTENT_WORDS, Intent};
use crate::logic::units::Uptime;
use crate::logic::vehicle::{Step, Vehicle};

/// The longest time in one segment. choice: two of them are a minute.
const LONGEST: Duration = Duration::from_secs(30);

/// Steps in a segment. choice: 30 s at the fastest tick, with a command of 50 Hz between.
const STEPS: usize = 8_192;

/// Changed intents in a segment. choice: 30 s at 130 messages a second.
const INTENTS: usize = 4_096;

/// One step: what went in besides the intent, and what came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// When.
    pub now: Uptime,
    /// Which of the segment's intents.
    pub intent: usize,
    /// What else went in.
    pub health: Health,
    /// What was to be written.
    pub setpoint: Setpoint,
    /// Why.
    pub cause: Cause,
    /// What the car may do.
    pub state: State,
}

/// A stretch of steps that can be replayed.
#[derive(Clone, Debug)]
pub struct Segment {
    /// The vehicle before the first step.
    pub vehicle: Option<Vehicle>,
    /// The intents, each once.
    pub intents: Vec<[u64; INTENT_WORDS]>,
    /// The steps.
    pub entries: Vec<Entry>,
}

impl Segment {
    /// An empty one, with all the room that it will ever have.
    #[must_use]
    pub fn new() -> Self {
        Self {
            vehicle: None,
            intents: Vec::with_capacity(INTENTS),
            entries: Vec::with_capacity(STEPS),
        }
    }

    /// Makes it empty again.
    pub fn clear(&mut self) {
        self.vehicle = None;
        self.intents.clear();
        self.entries.clear();
    }

    fn is_over(&self, now: Uptime) -> bool {
        let is_old = self
            .entries
            .first()
            .is_some_and(|first| now.since(first.now) > LONGEST);
        is_old || self.entries.len() == STEPS || self.intents.len() == INTENTS
    }
}

impl Default for Segment {
    fn default() -> Self {
        Self::new()
    }
}

/// What is handed over at a stop.
#[derive(Clone, Debug)]
pub struct Record {
    /// Why the car stopped.
    pub cause: Cause,
    /// When.
    pub at: Uptime,
    /// The older segment and the newer one, which ends with the stop.
    pub segments: [Box<Segment>; 2],
}

/// The control thread's end.
#[derive(Debug)]
pub struct Recorder {
    previous: Box<Segment>,
    current: Box<Segment>,
    full: SyncSender<Record>,
    empty: Receiver<[Box<Segment>; 2]>,
    /// A stop that was not handed over yet.
    pending: Option<(Cause, Uptime)>,
}

impl Recorder {
    /// A recorder that hands full segments to `full` and gets empty ones from `empty`.
    #[must_use]
    pub fn new(full: SyncSender<Record>, empty: Receiver<[Box<Segment>; 2]>) -> Self {
        Self {
            previous: Box::default(),
            current: Box::default(),
            full,
            empty,
            pending: None,
        }
    }

    /// Call it before each step.
    pub fn before(&mut self, now: Uptime, vehicle: &Vehicle) {
        if self.current.is_over(now) {
            std::mem::swap(&mut self.previous, &mut self.current);
            self.current.clear();
        }
        if self.current.entries.is_empty() {
            self.current.vehicle = Some(vehicle.clone());
        }
    }

    /// Call it after each step, with what went in and came out.
    pub fn after(&mut self, now: Uptime, intent: &Intent, health: Health, step: &Step) {
        let words = intent.to_words();
        if self.current.intents.last() != Some(&words) {
            self.current.intents.push(words); // there is room: see is_over
        }
        self.current.entries.push(Entry {
            now,
            intent: self.current.intents.len() - 1,
            health,
            setpoint: step.setpoint,
            cause: step.cause,
            state: step.state,
        });
        if let Some((cause, at)) = self.pending {
            self.stopped(at, cause);
        }
    }

    /// The car stopped at that time for this cause: what led to it goes out as soon as it can.
    pub fn stopped(&mut self, at: Uptime, cause: Cause) {
        let Ok([previous, current]) = self.empty.try_recv() else {
            self.pending = Some((cause, at)); // the one before is still being written
            return;
        };
        let segments = [
            std::mem::replace(&mut self.previous, previous),
            std::mem::replace(&mut self.current, current),
        ];
        // There is room for each pair that is in circulation; a writer that is gone is its own message.
        let _ = self.full.try_send(Record {
            cause,
            at,
            segments,
        });
        self.pending = None;
    }
}
