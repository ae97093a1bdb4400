//! What led to a stop, as a file that `spidercar replay` can run again.
//!
//! ```text
//!   recorder ──record──▶ [thread] ──▶ stop-000021-silence.jsonl.part ──rename──▶ stop-….jsonl
//!            ◀──empty───                                              the newest 20 are kept
//!
//!   {"spidercar":"0.1.0","format":3,"cause":"silence","at_us":12345678}
//!   {"vehicle":{…}}                                  the state before the first step; then, for each step,
//!   {"intent":[…]}                                   what was wanted, if that changed,
//!   {"t_us":…,"health":7,"throttle_us":1655,"steering_us":1500,"state":"live","cause":"drive"}
//! ```
//!
//! A record's number is one more than the highest in the folder: a board without a clock of its own has yesterday's time
//! after each start, and would take its newest record for its oldest. Earlier versions put the time where the number is;
//! their files go on counting from there.
//!
//! *Invariants:* a file is whole or not there; the newest record is never the one that is removed; nothing here can delay
//! the control thread; a full disk is a log line.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};

use serde::{Deserialize, Serialize};

use super::recorder::{Entry, Record, Recorder, Segment};
use crate::logic::failsafe::{Cause, State};
use crate::logic::vehicle::Vehicle;

/// How many files are kept. choice: at a megabyte each, nothing to a card of gigabytes.
const KEPT: usize = 20;

/// What a file is called while it is written.
const PART: &str = "jsonl.part";

/// The highest number that counts. choice: a thousand times the milliseconds since 1970 that earlier versions wrote.
const HIGHEST: u64 = 10_u64.pow(16);

/// Version of the format.
pub const FORMAT: u32 = 3;

/// One line of a file.
#[derive(Debug, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Line {
    /// The first.
    Head {
        /// Version of the program that wrote it.
        spidercar: String,
        /// [`FORMAT`].
        format: u32,
        /// Why the car stopped.
        cause: Cause,
        /// When, on the car's monotonic clock.
        at_us: u64,
    },
    /// A segment begins.
    Begin {
        /// The state before its first step.
        vehicle: Box<Vehicle>,
    },
    /// What is wanted from here on.
    Intent {
        /// The words of the intent.
        intent: Vec<u64>,
    },
    /// A step.
    Step {
        /// When.
        t_us: u64,
        /// [`crate::logic::failsafe::Health::bits`].
        health: u8,
        /// Throttle pulse.
        throttle_us: u16,
        /// Steering pulse.
        steering_us: u16,
        /// What the car may do.
        state: State,
        /// Why the pulses are what they are.
        cause: Cause,
    },
}

/// The writing thread.
#[derive(Debug)]
pub struct BlackBox {
    join: Option<JoinHandle<()>>,
}

impl BlackBox {
    /// Starts the thread, which touches no disk before the first record. It ends when the recorder is gone and all is
    /// written: drop the recorder first.
    ///
    /// # Errors
    /// The thread could not be made.
    pub fn start(folder: &Path) -> io::Result<(Self, Recorder)> {
        let (full, records) = sync_channel(1);
        let (empties, empty) = sync_channel(1);
        empties
            .try_send(Default::default())
            .map_err(io::Error::other)?;
        let folder = folder.to_owned();
        let join = thread::Builder::new()
            .name("black box".to_owned())
            .spawn(move || keep(&folder, &records, &empties))?;
        let join = Some(join);
        Ok((Self { join }, Recorder::new(full, empty)))
    }
}

impl Drop for BlackBox {
    fn drop(&mut self) {
        if let Some(join) = self.join.take() {
            let _ = join.join(); // a panic there has been told; the car is not concerned
        }
    }
}

fn keep(folder: &Path, records: &Receiver<Record>, empties: &SyncSender<[Box<Segment>; 2]>) {
    while let Ok(mut record) = records.recv() {
        match write(folder, &record) {
            Ok(path) => {
                let path = path.display();
                tracing::info!(%path, "what led to the stop; `spidercar replay` runs it again");
            }
            Err(err) => {
                let folder = folder.display();
                tracing::error!(%folder, %err, "a stop could not be recorded (failsafe.black_box)");
            }
        }
        for segment in &mut record.segments {
            segment.clear();
        }
        let _ = empties.try_send(record.segments); // the recorder is gone: the next recv ends
    }
}

fn write(folder: &Path, record: &Record) -> io::Result<PathBuf> {
    let newest = records(folder)?.last().map_or(0, |(number, _)| *number);
    let number = newest + 1;
    let path = folder.join(format!("stop-{number:06}-{}.jsonl", record.cause.word()));
    let part = path.with_extension(PART);
    let written = write_lines(&part, record).and_then(|()| fs::rename(&part, &path));
    if written.is_err() {
        let _ = fs::remove_file(&part); // half a record is none
    }
    written?;
    prune(folder)?;
    Ok(path)
}

fn write_lines(path: &Path, record: &Record) -> io::Result<()> {
    let mut out = BufWriter::new(File::create(path)?);
    let mut line = |line: &Line| -> io::Result<()> {
        serde_json::to_writer(&mut out, line)?;
        out.write_all(b"\n")
    };
    line(&Line::Head {
        spidercar: env!("CARGO_PKG_VERSION").to_owned(),
        format: FORMAT,
        cause: record.cause,
        at_us: record.at.as_micros(),
    })?;
    for segment in &record.segments {
        let Some(vehicle) = segment.vehicle.clone().map(Box::new) else {
            continue; // never begun: the car had not run for half a minute
        };
        line(&Line::Begin { vehicle })?;
        let mut shown = None;
        for entry in &segment.entries {
            if shown != Some(entry.intent) {
                shown = Some(entry.intent);
                let words = segment
                    .intents
                    .get(entry.intent)
                    .map(|words| words.to_vec());
                let intent = words.unwrap_or_default();
                line(&Line::Intent { intent })?;
            }
            line(&step(entry))?;
        }
    }
    out.into_inner()?.sync_all()
}

fn step(entry: &Entry) -> Line {
    Line::Step {
        t_us: entry.now.as_micros(),
        health: entry.health.bits(),
        throttle_us: entry.setpoint.throttle.get(),
        steering_us: entry.setpoint.steering.get(),
        state: entry.state,
        cause: entry.cause,
    }
}

/// The number and path of each record in a folder, the oldest first. Files of other names are nobody's business here.
fn records(folder: &Path) -> io::Result<Vec<(u64, PathBuf)>> {
    let mut found: Vec<(u64, PathBuf)> = fs::read_dir(folder)?
        .flatten()
        .map(|entry| entry.path())
        .filter_map(|path| Some((number(&path, "jsonl")?, path)))
        .collect();
    found.sort();
    Ok(found)
}

/// The number in `stop-NUMBER-CAUSE.ENDING`.
fn number(path: &Path, ending: &str) -> Option<u64> {
    let name = path.file_name()?.to_str()?;
    let inner = name.strip_prefix("stop-")?.strip_suffix(ending)?;
    let (number, _) = inner.strip_suffix('.')?.split_once('-')?;
    number.parse().ok().filter(|number| *number <= HIGHEST)
}

/// Removes the oldest records, and what a power cut left of one.
fn prune(folder: &Path) -> io::Result<()> {
    let records = records(folder)?;
    let too_many = records.len().saturating_sub(KEPT);
    for (_, path) in records.iter().take(too_many) {
        fs::remove_file(path)?;
    }
    for entry in fs::read_dir(folder)?.flatten() {
        if number(&entry.path(), PART).is_some() {
            fs::remove_file(entry.path())?; // none is being written now
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
