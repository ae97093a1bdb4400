//! Telemetry: looks at the newest values, asks `logic::telemetry` what is due, sends it, logs changes.
//!
//! ```text
//!   every 20 ms: events ─▶ log, echoes        status + board ─▶ Telemetry ─▶ `car` on the metric channel
//! ```
//!
//! Promises: a change is told within 20 ms; what is not worth a message costs none. Knows nothing of: deciding.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::Receiver;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};

use super::board::Board;
use super::outlet::Outlet;
use super::{clock, pilot};
use crate::logic::telemetry::{BoardReadings, CalibrationTeller, Telemetry};
use crate::logic::units::{Kbps, Uptime};
use crate::logic::vehicle::Event;
use crate::logic::wire::Outgoing;

/// How often values are looked at. choice: a change is shown one display frame later at most.
const LOOK: Duration = Duration::from_millis(20);

/// Over which time rates are taken. choice: long enough for steady numbers, short enough to follow.
const RATE_SPAN: Duration = Duration::from_secs(1);

/// Sends telemetry until cancelled. `events` is handed back through the lock of the caller on a restart.
pub async fn run(
    events: &mut Receiver<Event>,
    outlet: watch::Receiver<Option<Outlet>>,
    board: Arc<Board>,
    rate_hz: u8,
) {
    let mut telemetry = Telemetry::new(clock::now(), rate_hz);
    let mut calibration = CalibrationTeller::default();
    let mut rates = Rates::new(clock::now());
    let mut looks = interval(LOOK);
    looks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    loop {
        looks.tick().await;
        let now = clock::now();
        let metric = outlet
            .borrow()
            .as_ref()
            .map(|outlet| Arc::clone(&outlet.metric));
        while let Ok(event) = events.try_recv() {
            match event {
                Event::State(change) => {
                    tracing::info!(from = ?change.from, to = ?change.to, cause = change.cause.word(), "car");
                }
                Event::Calibration(answer) => {
                    tracing::info!(answer = answer.says(), "calibration");
                }
                Event::MaxSpeed { ticks } => {
                    tracing::info!(ticks, "maxSpeed");
                    if let Some(metric) = &metric {
                        pilot::send(metric, &Outgoing::MaxSpeed { ticks }).await;
                    }
                }
            }
        }
        rates.look(now, &board);
        let (Some(status), Some(metric)) = (board.status(), metric) else {
            continue;
        };
        let stored = board.stored(status.calibration.changes);
        if let Some(report) = calibration.poll(now, &status.calibration, stored) {
            pilot::send(&metric, &Outgoing::Calibration(report)).await;
        }
        if let Some(car) = telemetry.poll(now, &status, &rates.readings) {
            pilot::send(&metric, &Outgoing::Car(car)).await;
        }
    }
}

/// Turns counts into rates, once a second.
struct Rates {
    since: Uptime,
    frames: u32,
    bytes: u64,
    encode_us: u64,
    readings: BoardReadings,
}

impl Rates {
    fn new(now: Uptime) -> Self {
        Self {
            since: now,
            frames: 0,
            bytes: 0,
            encode_us: 0,
            readings: BoardReadings::default(),
        }
    }

    fn look(&mut self, now: Uptime, board: &Board) {
        let frames = board.frames_sent.load(Ordering::Relaxed);
        self.readings = BoardReadings {
            width: board.width.load(Ordering::Relaxed),
            height: board.height.load(Ordering::Relaxed),
            target: board.target(),
            frames,
            dropped: board.frames_dropped.load(Ordering::Relaxed),
            ..self.readings
        };
        let span = now.since(self.since);
        if span < RATE_SPAN {
            return;
        }
        let millis = u64::try_from(span.as_millis()).unwrap_or(u64::MAX).max(1);
        let (bytes, encode_us) = (
            board.bytes_sent.load(Ordering::Relaxed),
            board.encode_us.load(Ordering::Relaxed),
        );
        let sent = frames.wrapping_sub(self.frames);
        let per_second =
            |count: u64| u32::try_from(count.saturating_mul(1000) / millis).unwrap_or(u32::MAX);
        let coded = u64::from(sent.max(1));
        self.readings.fps =
            u32::try_from((u64::from(sent) * 1000 + millis / 2) / millis).unwrap_or(u32::MAX);
        self.readings.sent = Kbps::new(per_second(bytes.wrapping_sub(self.bytes)) / 125);
        self.readings.encode =
            Duration::from_micros(encode_us.wrapping_sub(self.encode_us) / coded);
        self.readings.mem_kb = memory_kb();
        self.readings.load_permille = load_permille();
        (self.since, self.frames, self.bytes, self.encode_us) = (now, frames, bytes, encode_us);
    }
}

/// Resident memory of this process, in KiB; 0 where the kernel does not say. kernel: proc(5), statm.
fn memory_kb() -> u32 {
    let page_kb = u32::try_from(rustix::param::page_size() / 1024).unwrap_or(4);
    let pages = std::fs::read_to_string("/proc/self/statm")
        .ok()
        .and_then(|text| text.split_whitespace().nth(1)?.parse::<u32>().ok());
    pages.unwrap_or(0).saturating_mul(page_kb)
}

/// Load of the machine over a minute in permille of all its cores; 0 where unknown. kernel: proc(5), loadavg.
fn load_permille() -> u32 {
    let load_centi = std::fs::read_to_string("/proc/loadavg")
        .ok()
        .and_then(|text| {
            let (whole, cents) = text.split_whitespace().next()?.split_once('.')?;
            Some(
                whole
                    .parse::<u32>()
                    .ok()?
                    .saturating_mul(100)
                    .saturating_add(cents.parse().ok()?),
            )
        });
    let cores = std::thread::available_parallelism()
        .map_or(1, |cores| u32::try_from(cores.get()).unwrap_or(1));
    load_centi.unwrap_or(0).saturating_mul(10) / cores
}
