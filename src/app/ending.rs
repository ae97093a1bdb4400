//! An end that cannot hang: a part that hangs for good ends the program, and an orderly end has a limit.
//!
//! ```text
//!   a driver call does not return for 30 s ──▶ hung() ─▶ neutral, orderly end, exit code 3 ─▶ systemd starts it again
//!   an orderly end, however it began ──▶ after 8 s: exit(3) ──▶ after 2 s more: SIGKILL     (ExecStopPost=: neutral)
//! ```
//!
//! A thread in state D keeps its process, its memory and its device until the kernel lets it go. All else is given back
//! before: outputs, locks and ports, so that the next program can have them. What a hung driver keeps for good, only power
//! off gives back.
//!
//! Invariants: neutral is written before anything here ends the process ([`super::run`]), but for outputs that have not taken
//! the first one ([`super::chassis`]), where nothing else was ever written; nothing here waits for a part.
//! Sources: `systemd.service(5)` (`Restart=`, `TimeoutStopSec=`), `board/shared/system/spidercar.service`.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use rustix::process::{Signal, getpid, kill_process};

use super::board::Board;
use super::calls::{Calls, Hung, LOOK, LOOKS, Needed, Watch};
use crate::cli::Exit;
use crate::logic::failsafe::State;

/// How long an orderly end may take. choice: half of the unit's `TimeoutStopSec=15`; it takes some 100 ms.
const LIMIT: Duration = Duration::from_secs(8);

/// How long `exit` may take, which runs what libraries have registered. choice: well below the rest of the 15 s.
const EXITING: Duration = Duration::from_secs(2);

/// Waits until a driver call counts as one that never returns, and the car may be stopped for it.
pub async fn hung(board: &Board) -> Hung {
    let mut watch = Watch::default();
    let mut is_told = false;
    loop {
        tokio::time::sleep(LOOK).await;
        let Some(hung) = watch.look(&board.calls) else {
            is_told = false;
            continue;
        };
        let is_driven = board
            .status()
            .is_none_or(|status| matches!(status.state, State::Live | State::Coasting));
        if hung.needed == Needed::ToDrive || !is_driven {
            return hung;
        }
        if !std::mem::replace(&mut is_told, true) {
            tracing::error!(
                "{}; the car can be driven without it, so the program ends when the car stands",
                never_returned(&hung)
            );
        }
    }
}

/// What happened, where, and what helps.
#[must_use]
pub fn never_returned(hung: &Hung) -> String {
    let seconds =
        LOOK.as_secs() * u64::from(LOOKS) + u64::from(LOOK.subsec_millis() * LOOKS) / 1000;
    format!(
        "{} has not returned for {seconds} s: its driver hangs; if it hangs again after the next start, switch the board off and on, \
         and look at `dmesg`, cable and supply",
        hung.what
    )
}

/// Gives the end of the process a limit. Call it when the end begins.
pub fn limit(board: &Arc<Board>) {
    let board = Arc::clone(board);
    let ending = move || {
        thread::sleep(LIMIT);
        // Apart, for a log that nobody reads hangs like any other device.
        let _ = thread::Builder::new().spawn(move || {
            let under_way = board.calls.under_way().join("; ");
            let ms = LIMIT.as_millis();
            tracing::error!(
                under_way,
                "the end takes longer than {ms} ms, so it is cut short; nothing but neutral was written since it began"
            );
            super::lines::flush();
            std::process::exit(Exit::HardwareMissing.code().into());
        });
        thread::sleep(EXITING);
        let _ = kill_process(getpid(), Signal::KILL); // of itself: it cannot be refused
    };
    if let Err(err) = thread::Builder::new()
        .name("ending".to_owned())
        .spawn(ending)
    {
        tracing::warn!(%err, "nothing limits the end but the service manager");
    }
}

/// Runs something that asks devices, and ends the process with a sentence if a device never answers.
pub fn with_patience<T>(part: &'static str, run: impl FnOnce() -> T) -> T {
    let calls = Arc::new(Calls::default());
    let row = calls.row(part, Needed::ToDrive);
    let is_over = Arc::new(AtomicBool::new(false));
    let its_end = Arc::clone(&is_over);
    let watching = move || {
        let mut watch = Watch::default();
        while !its_end.load(Ordering::Relaxed) {
            thread::park_timeout(LOOK);
            if let Some(hung) = watch.look(&calls) {
                let text = format!("FAIL  {part:<9} {}\n", never_returned(&hung));
                // A closed stdout only means that nobody reads it.
                let _ = std::io::stdout().write_all(text.as_bytes());
                std::process::exit(Exit::HardwareMissing.code().into());
            }
        }
    };
    // Without the thread it works as before, and may hang.
    let thread = thread::Builder::new().spawn(watching).ok();
    let done = row.during("try it", run);
    is_over.store(true, Ordering::Relaxed);
    if let Some(thread) = thread {
        thread.thread().unpark();
    }
    done
}
