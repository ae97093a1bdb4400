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

use std::sync::Arc;

use tokio::sync::{Mutex, mpsc, watch};
use webrtc::data_channel::DataChannel;

use super::board::Board;
use super::clock;
use crate::logic::units::Uptime;
use crate::net::publish::VideoOut;

/// Coded frames on their way. choice: one, so that nothing queues.
pub const UNIT_ROOM: usize = 1;

/// One coded frame.
#[derive(Clone, Debug)]
pub struct Unit {
    /// Annex B bytes.
    pub data: bytes::Bytes,
    /// When the camera took it.
    pub captured_at: Uptime,
    /// Whether decoding can start here.
    pub is_key: bool,
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
        // Nobody else takes this lock while the outlet is in use.
        match target
            .video
            .lock()
            .await
            .send(&unit.data, unit.captured_at)
            .await
        {
            Ok(()) => {
                needs_key = false;
                board.unit_sent(clock::now(), unit.data.len());
            }
            Err(err) => {
                needs_key = true;
                tracing::debug!(%err, "video not sent");
            }
        }
    }
}
