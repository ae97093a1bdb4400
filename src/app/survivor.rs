//! The process that outlives this one, and writes neutral when this one is gone.
//!
//! A stack that overflows, an abort in a library, SIGKILL, the kernel's out-of-memory killer: none of them runs another line of
//! this process, and a PWM block repeats the last pulse for ever. The service manager has its `ExecStopPost=`, in its own
//! time, and a car that was started by hand has no service manager. So a car starts the same program once more, as `spidercar
//! neutral --when-stdin-ends`: it parses no packet, holds no device, and waits at the end of a pipe.
//!
//! ```text
//!   control ── every 20 ms ──▶ ┌─ pipe ──────────────┐           ┌─ a neutral ──────────▶ remember it
//!   guard, if control is late  │ 4 bytes: what is    ├─ stdin ─▶ ├─ nothing for 220 ms ─▶ neutral, again every 100 ms
//!   the end, at neutral        │ neutral, or "over"  │           ├─ end of file ────────▶ neutral, end
//!                              └─────────────────────┘           └─ "over" ─────────────▶ end
//! ```
//!
//! The kernel closes the pipe of a process that dies, whatever it died of, so nobody has to notice. Silence covers the rest: a
//! process that was stopped, or that waits for pages. Devices are opened when they are needed, by the code of `spidercar
//! neutral`, so two programs never hold them at a time while the car is driven.
//!
//! Invariants: telling takes no lock, allocates nothing and never waits: a pipe that is full is a survivor that is behind; a
//! survivor that ends is started again; the car is driven without one, after an error in the log, rather than not at all.
//! Sources: `pipe(7)`; POSIX: writes of up to `PIPE_BUF` bytes are whole.

use std::ffi::OsString;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::{self, Thread};
use std::time::Duration;

use rustix::pipe::{PipeFlags, pipe_with};

use super::pulse::Pulse;
use crate::cli::Given;
use crate::cli::commands::WHEN_STDIN_ENDS;
use crate::logic::drive::Setpoint;

mod victim;
pub mod waiting;

/// How long a survivor that ended is left alone. choice: a mistake that ends each of them fills no log and no processor.
pub const AGAIN: Duration = Duration::from_secs(5);

/// How long an orderly end waits for it. choice: it has nothing to write, so a hundred times what it takes.
const LEAVES_WITHIN: Duration = Duration::from_millis(500);

/// What is told: the word of a setpoint.
type Message = [u8; 4];

/// The word that no setpoint has.
const OVER: Message = [0; 4];

fn message(neutral: Setpoint) -> Message {
    neutral.word().to_le_bytes()
}

/// What a message says is neutral; `None` for the one that says it is over.
fn neutral_of(message: Message) -> Option<Setpoint> {
    (message != OVER).then(|| Setpoint::from_word(u32::from_le_bytes(message)))
}

/// This process's end of the pipe. While it is open, the survivor waits.
#[derive(Debug)]
pub struct Lifeline(OwnedFd);

impl Lifeline {
    /// Somebody here can still write neutral, which is this.
    pub fn tell(&self, neutral: Setpoint) {
        // Full: it is behind, and reads the next one.
        let _ = rustix::io::write(&self.0, &message(neutral));
    }

    /// Nothing moves any more, and the outputs are at neutral.
    pub fn over(&self) {
        let _ = rustix::io::write(&self.0, &OVER); // as above; it then writes neutral once more, which does no harm
    }
}

/// How to start a survivor: the program, and the arguments that lead it to the same outputs.
#[derive(Debug)]
pub struct Program {
    path: PathBuf,
    arguments: Vec<OsString>,
}

impl Program {
    /// This very program, also if its file was replaced meanwhile.
    #[must_use]
    pub fn this(given: &Given) -> Self {
        let mut arguments = vec![OsString::from("neutral"), WHEN_STDIN_ENDS.into()];
        arguments.extend(given.arguments());
        Self {
            path: PathBuf::from("/proc/self/exe"),
            arguments,
        }
    }

    fn spawn(&self, stdin: &OwnedFd) -> io::Result<Child> {
        Command::new(&self.path)
            .args(&self.arguments)
            .stdin(Stdio::from(stdin.try_clone()?))
            .stdout(Stdio::null())
            // Ctrl-C in a terminal is for the program that it outlives.
            .process_group(0)
            .spawn()
    }
}

/// A survivor that is kept alive.
#[derive(Debug)]
pub struct Survivor {
    stop: Arc<AtomicBool>,
    keeper: Thread,
    has_left: Receiver<()>,
}

impl Survivor {
    /// Starts one, which this heart tells from now on.
    ///
    /// # Errors
    /// There is no pipe, or no thread to be had.
    pub fn start(program: Program, pulse: &Pulse) -> io::Result<Self> {
        // The other end stays open here too: for the next survivor, and so that telling never meets a broken pipe.
        let (read, write) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK)?;
        pulse.has_survivor(Lifeline(write));
        let stop = Arc::new(AtomicBool::new(false));
        let stopping = Arc::clone(&stop);
        let (leaving, has_left) = sync_channel(1);
        victim::first();
        let first = program.spawn(&read);
        let keeper = thread::Builder::new()
            .name("survivor".to_owned())
            .spawn(move || {
                keep(&program, first, &read, &stopping);
                let _ = leaving.send(()); // nobody waits for it after a panic
            })?;
        Ok(Self {
            stop,
            keeper: keeper.thread().clone(),
            has_left,
        })
    }
}

impl Drop for Survivor {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.keeper.unpark();
        // One that was not told "over" waits for the end of this process, and is not waited for.
        let _ = self.has_left.recv_timeout(LEAVES_WITHIN);
    }
}

/// Waits for its end, and starts the next one, until asked to stop.
fn keep(program: &Program, first: io::Result<Child>, stdin: &OwnedFd, stop: &AtomicBool) {
    let mut started = first;
    loop {
        let ended = started.and_then(|mut child| {
            tracing::debug!(process = child.id(), "survivor");
            child.wait()
        });
        let is_over = ended.as_ref().is_ok_and(ExitStatus::success); // it was told so
        if is_over || stop.load(Ordering::Relaxed) {
            return;
        }
        let why = ended.map_or_else(|err| err.to_string(), |status| status.to_string());
        tracing::error!(
            "the process that writes neutral after a crash is gone: {why}; another one starts in {} s",
            AGAIN.as_secs()
        );
        thread::park_timeout(AGAIN);
        if stop.load(Ordering::Relaxed) {
            return;
        }
        started = program.spawn(stdin);
    }
}

#[cfg(test)]
mod tests;
