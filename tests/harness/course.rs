//! A course of events that a computer must not interrupt by standing still.
//!
//! A car whose control thread does not run for 50 ms stops (`control_late`), as it must; a busy host does that to any process
//! for 50 to 300 ms at times, to the test's operator too (`silence`). A test of something else then has seen another stop
//! than the one it is about.
//!
//! ```text
//!   course ── ends well ───────────────────────────────────────────────▶ its value
//!     ▲ └──── fails ─▶ the log tells of such a stop since it began? ── no ──▶ fails
//!     └──── yes: said, and done anew, at most ATTEMPTS times ◀────────── yes
//! ```
//!
//! A course begins by taking the car over, so that it can be done anew. What fails without such a stop fails at once.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::pin;
use std::task::Poll;

use super::{ATTEMPTS, Program};

/// How the log begins the word of such a stop.
const STOOD_STILL: [&str; 2] = ["cause=\"control_", "cause=\"silence"];

/// Does this until it was not interrupted.
pub async fn undisturbed<T>(program: &Program, mut course: impl AsyncFnMut() -> T) -> T {
    for _ in 0..ATTEMPTS {
        let before = program.text().len();
        let failed = {
            let mut running = pin!(course());
            let ended = std::future::poll_fn(|cx| {
                match catch_unwind(AssertUnwindSafe(|| running.as_mut().poll(cx))) {
                    Ok(Poll::Pending) => Poll::Pending,
                    Ok(Poll::Ready(value)) => Poll::Ready(Ok(value)),
                    Err(failed) => Poll::Ready(Err(failed)),
                }
            });
            match ended.await {
                Ok(value) => return value,
                Err(failed) => failed,
            }
        };
        let text = program.text();
        let new = text.get(before..).unwrap_or_default();
        if !STOOD_STILL.iter().any(|cause| new.contains(cause)) {
            resume_unwind(failed);
        }
        eprintln!("this computer stood still, and the car stopped: once more");
    }
    panic!("this computer stood still in each of {ATTEMPTS} attempts");
}
