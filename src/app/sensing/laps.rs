//! The lap sensor's thread: edges in, passes out.
//!
//! ```text
//!   open ─▶ levels ─▶ wait for an edge, at most until the detector has something to say ─▶ LapDetector ─▶ pass
//!     ▲                 └ lost edges: their number, and the levels anew                                    │
//!     └── error: the wait of Trouble; the detector, and with it the count, lives on                        ▼
//!                                                                     Readings, and [64 passes] for the wire
//! ```
//!
//! Promises: a pass is counted once; one that finds no room is counted as untold, and never waits.
//! Knows nothing of: pins. Sources: `logic::lap` (what counts as a pass).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{SyncSender, TrySendError};
use std::time::Duration;

use super::{LapPart, Trouble, guarded, pause};
use crate::app::board::Board;
use crate::app::calls::Row;
use crate::app::clock;
use crate::hal::sensor::{LapEvent, SensorError};
use crate::logic::lap::{LapDetector, Pass};

/// How often the lap thread looks whether it should end. choice: an exit is not noticed to take longer.
const LOOK: Duration = Duration::from_millis(100);

/// How late an edge may reach us after its own time. choice: the kernel's interrupt threads run before all of ours, and
/// some 100 µs after the interrupt; a level is taken to have held only when this has passed too. It delays no time that is
/// told.
const EDGE_LAG: Duration = Duration::from_millis(20);

/// The lap sensor and what is wrong with it.
pub(super) struct Laps {
    pub(super) part: LapPart,
    pub(super) board: Arc<Board>,
    pub(super) row: Arc<Row>,
    pub(super) passes: SyncSender<Pass>,
    pub(super) trouble: Trouble,
}

impl Laps {
    /// Until it is time to end.
    pub(super) fn run(mut self, stop: &AtomicBool) {
        let mut detector = None;
        while !stop.load(Ordering::Relaxed) {
            let Err(err) = guarded("lap sensor", || self.watch(&mut detector, stop)) else {
                return;
            };
            let wait = self.trouble.failed(&self.board.readings, &err);
            pause(stop, wait);
        }
    }

    /// Watches an opened sensor until it is time to end, or it fails. The detector outlives it: a plug that was loose for a
    /// moment does not start the count anew.
    fn watch(
        &mut self,
        detector: &mut Option<LapDetector>,
        stop: &AtomicBool,
    ) -> Result<(), SensorError> {
        let row = Arc::clone(&self.row);
        // Ends after the sensor was dropped, however that comes about.
        let _closing = row.enter("close it");
        let mut sensor = row.during("open it", &mut self.part.open)?;
        let levels = row.during("read its levels", || sensor.levels())?;
        let now = clock::now();
        let detector = match detector {
            Some(detector) => {
                let pass = detector.resync(levels, now);
                self.tell(pass);
                detector
            }
            None => detector.insert(LapDetector::new(self.part.config, now, levels)),
        };
        if self.board.readings.laps.get::<u32>().is_none() {
            self.board.readings.laps.set(Some(0_u8));
        }
        self.trouble.works();
        while !stop.load(Ordering::Relaxed) {
            let now = clock::now();
            let wait = detector.next_at().after(EDGE_LAG).since(now).min(LOOK);
            let early = detector.early();
            let pass = match row.during("wait for an edge", || sensor.wait(wait))? {
                Some(LapEvent::Edge { pin, is_over, at }) => detector.edge(pin, is_over, at),
                Some(LapEvent::Lost { edges, levels, at }) => {
                    self.board.readings.edges_lost.add(edges);
                    tracing::warn!(
                        edges,
                        "lap sensor: it bounces faster than its edges can be read"
                    );
                    detector.resync(levels, at)
                }
                // Nothing was left unread after `now`: so all edges that are older than the lag have been told.
                None => detector.advance(clock::before(now, EDGE_LAG)),
            };
            let too_early = detector.early().wrapping_sub(early);
            self.board.readings.laps_early.add(too_early);
            self.tell(pass);
        }
        Ok(())
    }

    fn tell(&self, pass: Option<Pass>) {
        let Some(pass) = pass else {
            return;
        };
        let readings = &self.board.readings;
        readings.laps.set(Some(pass.count));
        let lap_ms = pass
            .lap
            .map(|lap| i64::try_from(lap.as_millis()).unwrap_or(i64::MAX));
        readings.last_lap_ms.set(lap_ms);
        tracing::info!(lap = pass.count, lap_ms, "the car passed the line");
        if let Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) =
            self.passes.try_send(pass)
        {
            readings.laps_untold.count();
        }
    }
}
