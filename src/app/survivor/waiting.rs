//! The survivor's side: it waits for the end of its stdin, or for silence, and writes neutral.
//!
//! Invariants: what came while this process was kept from running counts before the silence does, and where the computer ran
//! neither of the two, the other one gets a moment to say so; a signal that asks to stop does not end this process, for the
//! program that it outlives is asked too, and says when it is over; nothing is read from a disk, and nobody's reading of the log
//! is waited for, between the car's end and neutral.
//! Source: `poll(2)`; [`super`] has the messages.

use std::io::{self, IsTerminal};
use std::os::fd::{AsFd, BorrowedFd};
use std::thread;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use super::{Message, neutral_of, victim};
use crate::app::asked::AskedToStop;
use crate::app::{Fatal, clock, neutral, runtime};
use crate::cli::Exit;
use crate::cli::commands::WHEN_STDIN_ENDS;
use crate::config::Outputs;
use crate::hal::realtime;
use crate::logic::drive::Setpoint;
use crate::logic::failsafe::Cause;

/// Silence after which the program is taken for one that stands still.
/// choice: what the guard allows the control thread (200 ms), and one look of the guard, which tells when that one does not.
const SILENCE: Duration = Duration::from_millis(220);

/// A silence that is told so much too late is no silence: then this process did not run either.
/// choice: one look of the guard, ten times what a real-time thread is late on a board.
const LATE: Duration = Duration::from_millis(20);

/// What the program then gets to be heard. choice: two of its messages.
const MOMENT: Duration = Duration::from_millis(40);

/// How often neutral is written while the silence lasts, or while an output refuses it.
/// choice: as often as outputs are refreshed.
const REPEAT: Duration = Duration::from_millis(100);

/// How often a refused neutral is tried after the program is gone. choice: 2 s; a bus that still refuses needs a person.
const TRIES: u32 = 20;

/// Most bytes that are read at a time. choice: 128 messages, 2.5 s of them.
const ROOM: usize = 512;

/// What was heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Heard {
    /// The program lives.
    Alive,
    /// It ended in good order.
    Over,
    /// It is gone.
    Gone,
    /// Nothing, for as long as was allowed.
    Nothing,
}

/// Waits, and writes neutral when it is time to.
///
/// # Errors
/// Stdin is no pipe of a car; neutral could not be written after the car was gone.
pub fn wait(outputs: &Outputs) -> Result<(), Fatal> {
    let stdin = io::stdin();
    if stdin.is_terminal() {
        let what = format!(
            "{WHEN_STDIN_ENDS}: stdin must be a pipe from a car; without the flag neutral is written at once"
        );
        return Err(Fatal::new(Exit::BadConfig, what));
    }
    // Caught, and nobody listens.
    let runtime = runtime()?;
    let _asked = {
        let _context = runtime.enter();
        AskedToStop::listen()
    };
    victim::last();
    // Whoever lists processes sees which one it is.
    let _ = rustix::thread::set_name(c"survivor");
    realtime::raise("survivor", realtime::GUARD_PRIORITY);
    realtime::lock_memory();
    // Read now: when it is wanted, the disk may be what is broken.
    let drive = neutral::learned(&outputs.drive);
    let write = |told: Option<Setpoint>, cause| {
        let neutral = told.unwrap_or_else(|| drive.config.calibration.neutral());
        neutral::write(&drive, &outputs.sim, neutral, cause)
    };
    outlive(&mut Line::new(stdin.as_fd()), write, thread::sleep)
}

/// The same, with what writes and what waits between two tries given.
fn outlive(
    line: &mut Line<'_>,
    mut write: impl FnMut(Option<Setpoint>, Cause) -> Result<(), Fatal>,
    pause: impl Fn(Duration),
) -> Result<(), Fatal> {
    let mut is_still = false;
    loop {
        let limit = if is_still { REPEAT } else { SILENCE };
        match line.hear(limit)? {
            Heard::Alive => {
                if std::mem::take(&mut is_still) {
                    tracing::error!("the car's program goes on");
                }
            }
            // A car that has not begun to tell has not begun to move.
            Heard::Nothing if line.told.is_none() => {}
            Heard::Nothing => {
                let done = write(line.told, Cause::ControlStalled);
                if !std::mem::replace(&mut is_still, true) {
                    match done {
                        Ok(()) => tracing::error!(
                            "the car's program stands still; neutral was written for it"
                        ),
                        Err(fatal) => tracing::error!(
                            "the car's program stands still, and neutral cannot be written for it: {}",
                            fatal.text
                        ),
                    }
                }
            }
            Heard::Over => return Ok(()),
            Heard::Gone => break,
        }
    }
    let mut tries = 1;
    while let Err(fatal) = write(line.told, Cause::Exit) {
        if tries == 1 {
            tracing::error!(
                "the car's program is gone, and neutral cannot be written: {}",
                fatal.text
            );
        }
        if tries == TRIES {
            return Err(fatal);
        }
        tries += 1;
        pause(REPEAT);
    }
    tracing::error!(
        "the car's program is gone without a word: killed, or crashed; neutral was written for it"
    );
    Ok(())
}

/// The end of the pipe.
struct Line<'a> {
    pipe: BorrowedFd<'a>,
    /// What is neutral, as told last.
    told: Option<Setpoint>,
    /// Bytes of a message that is not whole yet, which only a writer that is no car leaves.
    rest: Vec<u8>,
}

impl<'a> Line<'a> {
    const fn new(pipe: BorrowedFd<'a>) -> Self {
        Self {
            pipe,
            told: None,
            rest: Vec::new(),
        }
    }

    /// Waits for the next messages.
    fn hear(&mut self, limit: Duration) -> Result<Heard, Fatal> {
        let mut until = clock::now().after(limit);
        let mut has_waited = false;
        loop {
            let left = until.since(clock::now());
            let left = Timespec {
                tv_sec: i64::try_from(left.as_secs()).unwrap_or(0),
                tv_nsec: left.subsec_nanos().into(),
            };
            let mut pipe = [PollFd::new(&self.pipe, PollFlags::IN)];
            // A signal of those that were caught: the rest of the time is still to come.
            match poll(&mut pipe, Some(&left)) {
                Ok(0) => {
                    let now = clock::now();
                    if std::mem::replace(&mut has_waited, true) || now.since(until) < LATE {
                        return Ok(Heard::Nothing);
                    }
                    until = now.after(MOMENT);
                }
                Ok(_) => {
                    if let Some(heard) = self.read()? {
                        return Ok(heard);
                    }
                }
                Err(Errno::INTR) => {}
                Err(err) => return Err(unreadable(err)),
            }
        }
    }

    /// Takes what is there; `None` if that says nothing.
    fn read(&mut self) -> Result<Option<Heard>, Fatal> {
        let mut bytes = [0; ROOM];
        let n = match rustix::io::read(self.pipe, &mut bytes) {
            Ok(0) => return Ok(Some(Heard::Gone)),
            Ok(n) => n,
            Err(Errno::AGAIN | Errno::INTR) => return Ok(None),
            Err(err) => return Err(unreadable(err)),
        };
        self.rest.extend(bytes.iter().take(n));
        let (messages, rest) = self.rest.as_chunks::<{ size_of::<Message>() }>();
        let mut heard = None;
        for message in messages {
            match neutral_of(*message) {
                Some(neutral) => (heard, self.told) = (Some(Heard::Alive), Some(neutral)),
                None => return Ok(Some(Heard::Over)),
            }
        }
        self.rest = rest.to_vec();
        Ok(heard)
    }
}

fn unreadable(err: Errno) -> Fatal {
    Fatal::new(Exit::Bug, format!("stdin cannot be read: {err}"))
}

#[cfg(test)]
mod tests;
