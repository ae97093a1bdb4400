//! Telemetry: looks at the newest values, asks `logic::telemetry` what is due, sends it, logs changes.
//!
//! ```text
//!   every 20 ms: events ─▶ log, manager, `speed`       status + board ─▶ Telemetry ─▶ `car`, `board`, `video` on the metric channel
//!                passes ─▶ LapEpoch ─▶ `ir`                        ▲ bytes of all that is sent
//! ```
//!
//! Promises: a change is told within 20 ms; what is not worth a message costs none; a pass waits for a channel that takes
//! it, and is told once. Knows nothing of: deciding.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::Receiver;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};
use webrtc::data_channel::DataChannel;

use super::board::Board;
use super::notify::Notify;
use super::outlet::Outlet;
use super::{clock, pilot};
use crate::logic::lap::{LapEpoch, Pass};
use crate::logic::telemetry::{BoardReadings, CalibrationTeller, Telemetry, Views};
use crate::logic::units::{Kbps, Uptime};
use crate::logic::vehicle::Event;
use crate::logic::wire::Outgoing;

/// How often values are looked at. choice: a change is shown one display frame later at most.
const LOOK: Duration = Duration::from_millis(20);

/// Over which time rates are taken. choice: long enough for steady numbers, short enough to follow.
const RATE_SPAN: Duration = Duration::from_secs(1);

/// How much telemetry there may be.
#[derive(Clone, Copy, Debug)]
pub struct Rate {
    /// `car` messages a second.
    pub hz: u8,
    /// Bytes a second of all messages together.
    pub bytes_per_s: u32,
}

/// What is told in order and once each. It outlives a restart of the task.
#[derive(Debug)]
pub struct InOrder {
    events: Receiver<Event>,
    passes: Receiver<Pass>,
    waiting: Option<Pass>,
    epoch: LapEpoch,
    manager: Notify,
}

impl InOrder {
    /// What the control thread and the lap sensor say; the service manager hears of the car's state, too.
    #[must_use]
    pub fn new(events: Receiver<Event>, passes: Receiver<Pass>, manager: Notify) -> Self {
        Self {
            events,
            passes,
            waiting: None,
            epoch: LapEpoch::default(),
            manager,
        }
    }
}

/// Sends telemetry until cancelled. `in_order` is handed back through the lock of the caller on a restart.
pub async fn run(
    in_order: &mut InOrder,
    outlet: watch::Receiver<Option<Outlet>>,
    board: Arc<Board>,
    rate: Rate,
) {
    let mut telemetry = Telemetry::new(clock::now(), rate.hz, rate.bytes_per_s);
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
        let pongs = board.readings.pong_bytes.take();
        telemetry.sent(now, usize::try_from(pongs).unwrap_or(usize::MAX));
        while let Ok(event) = in_order.events.try_recv() {
            match event {
                Event::State(change) => {
                    tracing::info!(from = ?change.from, to = ?change.to, cause = change.cause.word(), "car");
                    in_order.manager.status(&format!(
                        "{} ({})",
                        change.to.word(),
                        change.cause.word()
                    ));
                }
                Event::Calibration(answer) => {
                    tracing::info!(answer = answer.says(), "calibration");
                }
                Event::MaxSpeed { ticks } => {
                    tracing::info!(ticks, "maxSpeed");
                    if let Some(metric) = &metric {
                        let echo = pilot::send(metric, &Outgoing::MaxSpeed { ticks }).await;
                        telemetry.sent(now, counted(echo, &board));
                    }
                }
            }
        }
        rates.look(now, &board);
        let Some(metric) = metric else {
            continue;
        };
        telemetry.sent(now, tell_passes(in_order, &metric).await);
        let Some(status) = board.status() else {
            continue;
        };
        let stored = board.stored(status.calibration.changes);
        if let Some(report) = calibration.poll(now, &status.calibration, stored) {
            let message = Outgoing::Calibration(report);
            telemetry.sent(now, counted(pilot::send(&metric, &message).await, &board));
        }
        let report = board.readings.report(now);
        let views = Views {
            status: &status,
            readings: &rates.readings,
            board: &report,
            video: &board.video.facts(),
            timed: &|facts| board.video.timed(facts),
        };
        while let Some(message) = telemetry.poll(now, &views) {
            if matches!(message, Outgoing::Video(_)) {
                board.video.stages.clear();
            }
            counted(pilot::send(&metric, &message).await, &board);
        }
    }
}

/// The bytes that were sent; a message that was not is counted.
fn counted(sent: Option<usize>, board: &Board) -> usize {
    sent.unwrap_or_else(|| {
        board.readings.unsent.count();
        0
    })
}

/// Sends what passes there are, one message each, and gives the bytes. One that the channel does not take waits.
async fn tell_passes(in_order: &mut InOrder, metric: &Arc<dyn DataChannel>) -> usize {
    let mut bytes = 0;
    loop {
        let Some(pass) = in_order
            .waiting
            .take()
            .or_else(|| in_order.passes.try_recv().ok())
        else {
            return bytes;
        };
        let (now, unix_now_us) = both_clocks();
        let mut epoch = in_order.epoch;
        let unix_us = epoch.unix_us(pass.at, now, unix_now_us);
        in_order.waiting = Some(pass); // until it is on its way, whatever ends this task
        let Some(sent) = pilot::send(metric, &Outgoing::DetectTime { unix_us }).await else {
            return bytes;
        };
        bytes += sent;
        (in_order.waiting, in_order.epoch) = (None, epoch);
    }
}

/// The monotonic and the wall clock, read as closely together as the scheduler lets us.
fn both_clocks() -> (Uptime, u64) {
    let read = || {
        let before = clock::now();
        let unix = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        let spent = clock::now().since(before);
        let unix_us = u64::try_from(unix.as_micros()).unwrap_or(u64::MAX);
        (spent, before.after(spent / 2), unix_us)
    };
    // The best of three: being scheduled away in the middle would put an error of milliseconds into every lap's date.
    let (_, now, unix_us) = [read(), read(), read()]
        .into_iter()
        .min_by_key(|(spent, ..)| *spent)
        .unwrap_or_else(read);
    (now, unix_us)
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
            width: board.video.width.load(Ordering::Relaxed),
            height: board.video.height.load(Ordering::Relaxed),
            target: board.target(),
            frames,
            dropped: board.frames_dropped.load(Ordering::Relaxed),
            mem_kb: board.readings.own_mem_kb.get().unwrap_or(0),
            load_permille: board.readings.load_permille.get().unwrap_or(0),
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
        (self.since, self.frames, self.bytes, self.encode_us) = (now, frames, bytes, encode_us);
    }
}
