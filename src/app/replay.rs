//! `spidercar replay FILE`: runs what a black box recorded through `vehicle.step` again, and compares.
//!
//! It answers two questions. *Why did the car stop?* The changes of state are shown with the messages that led to them.
//! *Is that what this version does?* Every output is compared with the recorded one; the first that differs is named.
//!
//! ```text
//!   line ─▶ vehicle, intent ─▶ step(now, intent, health) ─▶ same pulses, state, cause? ─▶ next, or named
//! ```
//!
//! Promises: total: a damaged file is an error with its line, never a panic; a file that is no record, or has no end, is told
//! within the first of its lines or the last that a record can have.
//! Knows nothing of: outputs; nothing moves by a replay.

use std::fmt;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::Path;

use super::black_box::{FORMAT, Line};
use crate::logic::drive::Setpoint;
use crate::logic::failsafe::{Cause, Health, State};
use crate::logic::intent::{INTENT_WORDS, Intent};
use crate::logic::units::{PulseWidth, Uptime};
use crate::logic::vehicle::{Event, Vehicle};

/// Longest line. choice: ten times the longest there is, the one with the state of a vehicle.
const LINE_LIMIT: u64 = 64 << 10;

/// Most lines. choice: four times what a black box writes at most (8192 steps and 4096 intents, twice).
const LINES: usize = 100_000;

/// Why a replay failed.
#[derive(Debug)]
pub enum ReplayError {
    /// The file cannot be read.
    Io(io::Error),
    /// A line makes no sense.
    Line {
        /// Its number, from 1.
        number: usize,
        /// What is wrong with it.
        what: String,
    },
    /// This version does something else than the one that recorded.
    Differs {
        /// The line that does not come out, from 1.
        number: usize,
        /// What was recorded.
        recorded: String,
        /// What came out now.
        now: String,
    },
}

impl fmt::Display for ReplayError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(err) => write!(f, "cannot be read: {err}"),
            Self::Line { number, what } => write!(f, "line {number}: {what}"),
            Self::Differs {
                number,
                recorded,
                now,
            } => write!(
                f,
                "line {number} comes out differently now\n  recorded: {recorded}\n  now:      {now}"
            ),
        }
    }
}

impl std::error::Error for ReplayError {}

/// What a replay found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Replayed {
    /// Steps that came out as recorded.
    pub steps: u32,
    /// Time from the first to the last, in microseconds.
    pub span_us: u64,
}

/// Replays a file and tells the changes of state to `out`.
///
/// # Errors
/// The file, or the first step that differs.
pub fn replay(path: &Path, out: &mut dyn Write) -> Result<Replayed, ReplayError> {
    let mut file = BufReader::new(File::open(path).map_err(ReplayError::Io)?);
    let mut run = Run::default();
    let mut line = Vec::new();
    for number in 1.. {
        line.clear();
        let read = file.by_ref().take(LINE_LIMIT).read_until(b'\n', &mut line);
        if read.map_err(ReplayError::Io)? == 0 {
            break;
        }
        let bad = |what| ReplayError::Line { number, what };
        if number > LINES {
            return Err(bad("no record is as long as this".to_owned()));
        }
        let parsed: Line = serde_json::from_slice(&line)
            .map_err(|err| bad(format!("no line of a record ({err})")))?;
        run.take(number, parsed, out)?;
    }
    if run.done.steps == 0 {
        let what = "the record ends before its first step".to_owned();
        return Err(ReplayError::Line { number: 1, what });
    }
    Ok(run.done)
}

#[derive(Default)]
struct Run {
    has_head: bool,
    vehicle: Option<Box<Vehicle>>,
    intent: Intent,
    first: Option<Uptime>,
    done: Replayed,
}

type Outcome = (Setpoint, State, Cause);

impl Run {
    fn take(&mut self, number: usize, line: Line, out: &mut dyn Write) -> Result<(), ReplayError> {
        let bad = |what: &str| ReplayError::Line {
            number,
            what: what.to_owned(),
        };
        match line {
            Line::Head { format, .. } if format != FORMAT => {
                Err(bad("a format of another version of this program"))
            }
            Line::Head { cause, at_us, .. } => {
                self.has_head = true;
                tell(
                    out,
                    &format!("stopped at {} by {}\n", seconds(at_us), cause.word()),
                )
            }
            _ if !self.has_head => Err(bad("the first line must say who wrote it")),
            Line::Begin { vehicle } => {
                self.vehicle = Some(vehicle);
                Ok(())
            }
            Line::Intent { intent } => {
                let words: [u64; INTENT_WORDS] = intent
                    .try_into()
                    .map_err(|_| bad("an intent has another number of words"))?;
                self.intent = Intent::from_words(&words);
                Ok(())
            }
            Line::Step {
                t_us,
                health,
                throttle_us,
                steering_us,
                state,
                cause,
            } => {
                let pulse =
                    |micros| PulseWidth::new(micros).ok_or_else(|| bad("no pulse of a servo"));
                let setpoint = Setpoint {
                    throttle: pulse(throttle_us)?,
                    steering: pulse(steering_us)?,
                };
                let now = Uptime::from_micros(t_us);
                let health = Health::from_bits(health);
                self.step(number, now, health, (setpoint, state, cause), out)
            }
        }
    }

    fn step(
        &mut self,
        number: usize,
        now: Uptime,
        health: Health,
        recorded: Outcome,
        out: &mut dyn Write,
    ) -> Result<(), ReplayError> {
        let Some(vehicle) = &mut self.vehicle else {
            let what = "a step before the state that it begins with".to_owned();
            return Err(ReplayError::Line { number, what });
        };
        let step = vehicle.step(now, &self.intent, health);
        let came_out = (step.setpoint, step.state, step.cause);
        if came_out != recorded {
            return Err(ReplayError::Differs {
                number,
                recorded: words(recorded),
                now: words(came_out),
            });
        }
        let first = *self.first.get_or_insert(now);
        self.done.steps += 1;
        self.done.span_us = now.as_micros().saturating_sub(first.as_micros());
        for event in step.events {
            if let Event::State(change) = event {
                let text = format!(
                    "{}  {:?} to {:?} by {}, throttle {} us, newest drive {} ms old, link {}\n",
                    seconds(now.as_micros()),
                    change.from,
                    change.to,
                    change.cause.word(),
                    step.setpoint.throttle.get(),
                    now.since(self.intent.drive.at).as_millis(),
                    if self.intent.link.value { "up" } else { "down" },
                );
                tell(out, &text)?;
            }
        }
        Ok(())
    }
}

fn tell(out: &mut dyn Write, text: &str) -> Result<(), ReplayError> {
    out.write_all(text.as_bytes()).map_err(ReplayError::Io)
}

fn seconds(micros: u64) -> String {
    format!("{}.{:06} s", micros / 1_000_000, micros % 1_000_000)
}

fn words((setpoint, state, cause): Outcome) -> String {
    format!(
        "throttle {} us, steering {} us, {state:?}, {}",
        setpoint.throttle.get(),
        setpoint.steering.get(),
        cause.word()
    )
}
