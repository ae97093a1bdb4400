//! What led to a stop, as a file that `spidercar replay` can run again.
//!
//! ```text
//!   recorder ──record──▶ [thread] ──▶ stop-1766534400123-silence.jsonl.part ──rename──▶ stop-….jsonl
//!            ◀──empty───                                                     the newest 20 are kept
//!
//!   {"spidercar":"0.1.0","format":2,"cause":"silence","at_us":12345678}
//!   {"vehicle":{…}}                                  the state before the first step; then, for each step,
//!   {"intent":[…]}                                   what was wanted, if that changed,
//!   {"t_us":…,"health":7,"throttle_us":1655,"steering_us":1500,"state":"live","cause":"drive"}
//! ```
//!
//! Promises: a file is whole or not there; nothing here can delay the control thread; a full disk is a log line.
//! Knows nothing of: why the car stopped.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use super::recorder::{Entry, Record, Recorder, Segment};
use crate::logic::failsafe::{Cause, State};
use crate::logic::vehicle::Vehicle;

/// How many files are kept. choice: at a megabyte each, nothing to a card of gigabytes.
const KEPT: usize = 20;

/// Version of the format.
pub const FORMAT: u32 = 2;

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
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    let unix_ms = since.map_or(0, |since| since.as_millis());
    let path = folder.join(format!("stop-{unix_ms:013}-{}.jsonl", record.cause.word()));
    let part = path.with_extension("jsonl.part");
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

/// Removes the oldest records. Their names begin with the time, so the order of names is that of age.
fn prune(folder: &Path) -> io::Result<()> {
    let mut records: Vec<PathBuf> = fs::read_dir(folder)?
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| {
            let begins = path
                .file_stem()
                .is_some_and(|stem| stem.as_encoded_bytes().starts_with(b"stop-"));
            begins && path.extension().is_some_and(|ending| ending == "jsonl")
        })
        .collect();
    records.sort();
    let too_many = records.len().saturating_sub(KEPT);
    records.iter().take(too_many).try_for_each(fs::remove_file)
}
