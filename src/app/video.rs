//! The video thread: frame, encoder, unit; and again from the start when one of them fails.
//!
//! ```text
//!   make camera and encoder ─▶ frame ─▶ encode ─▶ hand over ─┐
//!          ▲                     ▲                            │ one unit at a time
//!          │                     └────────────────────────────┘
//!          └── error or panic: wait, then make both anew (the car is stopped meanwhile: no frames)
//! ```
//!
//! Promises: a failing camera or encoder never ends the process; nothing queues more than one frame.
//! Knows nothing of: networks; what kind of camera or encoder it runs.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use super::board::Board;
use super::clock;
use super::outlet::Unit;
use crate::hal::{Camera, Encoder};

/// Wait before camera and encoder are made anew. choice: restarts within 2 s are asked for.
const RESTART_WAIT: Duration = Duration::from_millis(500);

/// Makes the camera and the encoder; called again after each failure.
pub type MakeParts = Box<dyn FnMut() -> Result<Parts, Box<dyn std::error::Error>> + Send>;

/// A camera and an encoder that fit each other.
pub struct Parts {
    /// Where frames come from.
    pub camera: Box<dyn Camera>,
    /// What makes them small.
    pub encoder: Box<dyn Encoder>,
}

/// Starts the thread; it ends soon after `stop` is set or the receiver of `units` is gone.
///
/// # Errors
/// The thread could not be made.
pub fn start(
    mut make: MakeParts,
    units: mpsc::Sender<Unit>,
    board: Arc<Board>,
    stop: Arc<AtomicBool>,
) -> std::io::Result<JoinHandle<()>> {
    thread::Builder::new()
        .name("video".to_owned())
        .spawn(move || {
            let over = || stop.load(Ordering::Relaxed) || units.is_closed();
            while !over() {
                let ran = catch_unwind(AssertUnwindSafe(|| {
                    let parts = make()?;
                    run(parts, &units, &board, &over)
                }));
                let why = match ran {
                    Ok(Ok(())) => return,
                    Ok(Err(err)) => err.to_string(),
                    Err(_) => "a bug".to_owned(),
                };
                board.readings.video_restarts.count();
                board.video_failed(); // the car stops now, not when frames are missed
                tracing::error!("video: {why}; starting camera and encoder again");
                thread::sleep(RESTART_WAIT);
            }
        })
}

fn run(
    mut parts: Parts,
    units: &mpsc::Sender<Unit>,
    board: &Board,
    over: &dyn Fn() -> bool,
) -> Result<(), Box<dyn std::error::Error>> {
    let mut target = None;
    let mut last_number = None;
    while !over() {
        let frame = parts.camera.next_frame()?;
        board.frame_seen(clock::now());
        board.width.store(frame.width(), Ordering::Relaxed);
        board.height.store(frame.height(), Ordering::Relaxed);
        let number = frame.number();
        if let Some(last) = last_number.replace(number) {
            let skipped = number.wrapping_sub(last).saturating_sub(1);
            board.frames_dropped.fetch_add(skipped, Ordering::Relaxed);
        }
        if !board.is_watched() {
            continue;
        }
        let wanted = board.target();
        if target != Some(wanted) {
            parts.encoder.set_bitrate(wanted)?;
            target = Some(wanted);
        }
        let started = Instant::now();
        let coded = parts.encoder.encode(&frame, board.take_key_frame_wish())?;
        let spent = u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX);
        board.encode_us.fetch_add(spent, Ordering::Relaxed);
        if let Some(coded) = coded {
            let unit = Unit {
                data: bytes::Bytes::copy_from_slice(coded.data()),
                captured_at: coded.captured_at(),
                is_key: coded.is_idr(),
            };
            if units.blocking_send(unit).is_err() {
                return Ok(());
            }
        }
    }
    Ok(())
}
