//! Where coded video and telemetry go while a link is up, and the task that carries video there.
//!
//! ```text
//!   encoder thread ──[room for one unit]──▶ carry ──▶ the outlet of the moment, or nowhere
//! ```
//!
//! The encoder waits while the one place is taken, so the camera skips frames before they are encoded:
//! dropping a coded frame would break all that follow.
//!
//! Promises: a unit goes to one outlet or none; a new outlet starts with a key frame. Knows nothing of: links.

use std::ops::Deref;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use tokio::sync::{Mutex, mpsc, watch};
use webrtc::data_channel::DataChannel;

use super::board::Board;
use super::clock;
use super::stages::Stage;
use crate::logic::units::Uptime;
use crate::net::publish::VideoOut;

/// Coded frames on their way. choice: one, so that nothing queues.
pub const UNIT_ROOM: usize = 1;

/// One coded frame.
#[derive(Debug)]
pub struct Unit {
    /// Annex B bytes.
    pub data: Coded,
    /// When the camera took it.
    pub captured_at: Uptime,
    /// When it came out of the encoder.
    pub coded_at: Uptime,
    /// Whether decoding can start here.
    pub is_key: bool,
    /// Whether it is the camera's, and not the still picture.
    pub is_live: bool,
}

/// Bytes of a coded frame, in memory that is used again.
#[derive(Debug)]
pub struct Coded {
    bytes: Vec<u8>,
    home: SyncSender<Vec<u8>>,
}

impl Deref for Coded {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Coded {
    fn drop(&mut self) {
        // Without its pool the memory ends here.
        let _ = self.home.try_send(std::mem::take(&mut self.bytes));
    }
}

/// Memory for coded frames: no allocation once the largest has been seen.
#[derive(Debug)]
pub struct CodedPool {
    back: Receiver<Vec<u8>>,
    home: SyncSender<Vec<u8>>,
}

impl Default for CodedPool {
    fn default() -> Self {
        // One is filled, one waits, one is sent.
        let (home, back) = sync_channel(UNIT_ROOM + 2);
        Self { back, home }
    }
}

impl CodedPool {
    /// A copy of what an encoder lends: it needs its memory for the next frame, and a coded frame is small.
    #[must_use]
    pub fn copy(&self, data: &[u8]) -> Coded {
        let mut bytes = self.back.try_recv().unwrap_or_default();
        bytes.clear();
        bytes.extend_from_slice(data);
        Coded {
            bytes,
            home: self.home.clone(),
        }
    }
}

/// One link's way out.
#[derive(Clone)]
pub struct Outlet {
    video: Arc<Mutex<VideoOut>>,
    /// The telemetry channel.
    pub metric: Arc<dyn DataChannel>,
}

impl Outlet {
    /// An outlet onto a peer's track and channel.
    #[must_use]
    pub fn new(video: VideoOut, metric: Arc<dyn DataChannel>) -> Self {
        Self {
            video: Arc::new(Mutex::new(video)),
            metric,
        }
    }
}

/// Carries coded frames to the outlet of the moment until the encoder's end is dropped.
pub async fn carry(
    units: &mut mpsc::Receiver<Unit>,
    outlet: watch::Receiver<Option<Outlet>>,
    board: Arc<Board>,
) {
    let mut last: Option<Outlet> = None;
    let mut needs_key = true;
    while let Some(unit) = units.recv().await {
        let newest = outlet.borrow().clone();
        let Some(target) = newest else {
            last = None;
            continue;
        };
        needs_key |= !last
            .as_ref()
            .is_some_and(|last| Arc::ptr_eq(&last.video, &target.video));
        last = Some(target.clone());
        if needs_key && !unit.is_key {
            board.want_key_frame();
            continue;
        }
        let mut packets_at = unit.coded_at;
        // Nobody else takes this lock while the outlet is in use.
        let sent = target
            .video
            .lock()
            .await
            .send(&unit.data, unit.captured_at, || packets_at = clock::now())
            .await;
        match sent {
            Ok(()) => {
                needs_key = false;
                sent_at(clock::now(), packets_at, &unit, &board);
            }
            Err(err) => {
                needs_key = true;
                tracing::debug!(%err, "video not sent");
            }
        }
    }
}

/// Notes a frame that was handed to the network.
fn sent_at(now: Uptime, packets_at: Uptime, unit: &Unit, board: &Board) {
    if !unit.is_live {
        board.still_sent(unit.data.len());
        return;
    }
    board.unit_sent(now, unit.data.len());
    let stages = &board.video.stages;
    stages.note(Stage::HandOver, packets_at.since(unit.coded_at));
    stages.note(Stage::Send, now.since(packets_at));
    stages.note(Stage::Whole, now.since(unit.captured_at));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_used_again_and_outlives_its_pool() {
        let pool = CodedPool::default();
        let first = pool.copy(&[1; 500]);
        let memory = first.as_ptr();
        drop(first);
        let again = pool.copy(&[2; 300]);
        assert_eq!((again.as_ptr(), again.len()), (memory, 300));
        drop(pool);
        assert_eq!(&again[..3], &[2, 2, 2]);
    }
}
