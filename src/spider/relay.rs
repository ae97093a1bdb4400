//! The way from a publisher to a viewer: video packets and metrics. The way back is `uplink`.
//!
//! ```text
//!   publisher track ──▶ fan out ──try_send──▶ [queue of one viewer] ──rewrite──▶ its track
//!   publisher metric ─▶ fan out ──try_send──▶ [queue of one viewer] ───────────▶ its metric
//! ```
//!
//! Each viewer has its own queues and tasks, so that one on a bad path delays nobody, nor one whose peer is held by
//! something that it sent. What is too much for a queue is dropped; video starts again at the next key frame.
//!
//! Promises: payload bytes unchanged. Knows nothing of: signalling.
//! Sources: PROTOCOL.md 3.4.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rtc::rtp;
use tokio::sync::mpsc;
use webrtc::data_channel::{DataChannel, RTCDataChannelMessage};
use webrtc::media_stream::track_local::TrackLocal;
use webrtc::media_stream::track_local::static_rtp::TrackLocalStaticRTP;

use super::channel::Note;
use super::key_frames::{Asker, DRIVES_FOR};
use super::rewrite::Rewriter;
use super::uplink::Uplink;
use crate::logic::rights::{Right, Rights};
use crate::peer::Codec;
use crate::peer::nal::starts_key_frame;

/// Packets a viewer may lag behind. choice: a key frame of 200 kB and a frame more.
const VIDEO_ROOM: usize = 256;

/// Metric messages that wait for a viewer's peer. choice: a second of telemetry.
const METRIC_ROOM: usize = 32;

/// Bytes on their way on one channel; further messages are dropped while so many are unacknowledged.
/// choice: eight seconds of telemetry; ICE has given the peer up by then.
const MESSAGE_ROOM: usize = 64 * 1024;

/// Silence after which one who wanted to drive is taken for gone. choice: five of the page's pings; a page in the background
/// sends none, and drives nothing.
pub(super) const SILENT: Duration = Duration::from_secs(5);

/// Label that carries telemetry downwards.
pub(super) const METRIC_LABEL: &str = "metric";

/// The way to one viewer.
pub(super) struct Downlink {
    video: mpsc::Sender<rtp::Packet>,
    metrics: mpsc::Sender<RTCDataChannelMessage>,
    lagging: AtomicBool,
    dropped: AtomicU64,
    metric: Mutex<Option<Arc<dyn DataChannel>>>,
    /// The codec of its track, if it has one.
    codec: Option<Codec>,
    /// The codecs that it can decode.
    offered: Vec<Codec>,
    /// The viewer's peer is connected: what is sent to it arrives.
    is_connected: AtomicBool,
    /// When this viewer last sent what only a driver sends.
    drove_at: Mutex<Option<Instant>>,
    /// When a message of this viewer came last; at first, when it joined.
    heard_at: Mutex<Instant>,
    /// Messages of his that he had no right to.
    overstepped: AtomicU64,
}

/// What waits for one viewer: the ends that its tasks drain.
pub(super) struct Queues {
    pub(super) video: mpsc::Receiver<rtp::Packet>,
    pub(super) metrics: mpsc::Receiver<RTCDataChannelMessage>,
}

impl Downlink {
    /// A way to a viewer with a track of that codec, and what is drained.
    pub(super) fn new(codec: Option<Codec>, offered: Vec<Codec>) -> (Arc<Self>, Queues) {
        let (video, video_end) = mpsc::channel(VIDEO_ROOM);
        let (metrics, metrics_end) = mpsc::channel(METRIC_ROOM);
        let queues = Queues {
            video: video_end,
            metrics: metrics_end,
        };
        let downlink = Self {
            video,
            metrics,
            lagging: AtomicBool::new(false),
            dropped: AtomicU64::new(0),
            metric: Mutex::new(None),
            codec,
            offered,
            is_connected: AtomicBool::new(false),
            drove_at: Mutex::new(None),
            heard_at: Mutex::new(Instant::now()),
            overstepped: AtomicU64::new(0),
        };
        (Arc::new(downlink), queues)
    }

    /// Hands over a packet, or drops it where the viewer is too far behind.
    pub(super) fn video(&self, packet: rtp::Packet) {
        if self.video.try_send(packet).is_err() {
            self.lagging.store(true, Ordering::Relaxed);
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Uses `channel` for metrics, unless one is in use already.
    pub(super) fn set_metric(&self, channel: &Arc<dyn DataChannel>) {
        lock(&self.metric).get_or_insert_with(|| Arc::clone(channel));
    }

    /// Hands over a metric message, or drops it where too many wait.
    pub(super) fn metric(&self, message: RTCDataChannelMessage) {
        let _ = self.metrics.try_send(message); // newer ones come
    }

    /// What a viewer is told when the channel's video has this codec; `None` where its track has it, or it has none.
    pub(super) fn unfit_for(&self, published: Codec) -> Option<Note> {
        if self.codec.is_none_or(|codec| codec == published) {
            return None;
        }
        Some(if self.offered.contains(&published) {
            Note::Leave("the channel has another codec now; it gets that one when it comes again")
        } else {
            Note::Refuse(cannot_decode(published))
        })
    }

    /// Notes that this viewer said something.
    pub(super) fn heard(&self) {
        *lock(&self.heard_at) = Instant::now();
    }

    /// Whether nothing was heard of it for [`SILENT`].
    pub(super) fn is_silent(&self, now: Instant) -> bool {
        now.saturating_duration_since(*lock(&self.heard_at)) > SILENT
    }

    /// Notes that this viewer drives.
    pub(super) fn drives(&self) {
        *lock(&self.drove_at) = Some(Instant::now());
    }

    /// Notes a message that this viewer has no right to; the first is told, for a peer must not fill the log.
    pub(super) fn overstepped(&self, needed: Right, has: Rights) {
        if self.overstepped.fetch_add(1, Ordering::Relaxed) == 0 {
            let needed = needed.word();
            tracing::warn!(needed, may = %has, "spider: a viewer's message takes a right that his key has not; more are only counted");
        }
    }

    /// How many there were.
    pub(super) fn oversteps(&self) -> u64 {
        self.overstepped.load(Ordering::Relaxed)
    }

    /// Notes that the viewer's peer is connected.
    pub(super) fn connected(&self) {
        self.is_connected.store(true, Ordering::Relaxed);
    }

    /// In which role this viewer asks for a key frame.
    pub(super) fn asker(&self) -> Asker {
        let drives = lock(&self.drove_at).is_some_and(|at| at.elapsed() < DRIVES_FOR);
        if drives {
            Asker::Driver
        } else {
            Asker::Watcher
        }
    }

    /// Packets this viewer lost here.
    pub(super) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }
}

/// Why a viewer is refused that cannot decode what is published.
pub(super) fn cannot_decode(published: Codec) -> &'static str {
    match published {
        Codec::H264 => {
            "This browser cannot decode H.264, which is what the car sends. Use Chrome, Edge or Safari, or Firefox with its \
             OpenH264 plugin switched on (about:addons, Plugins)."
        }
        Codec::Vp8 => "This viewer cannot decode VP8, which is what this publisher sends.",
        Codec::Vp9 => "This viewer cannot decode VP9, which is what this publisher sends.",
    }
}

/// Sends a message on, or drops it where the receiver has left too much unread.
pub(super) async fn forward(channel: &Arc<dyn DataChannel>, message: &RTCDataChannelMessage) {
    if channel.outstanding_bytes().await.unwrap_or(0) > MESSAGE_ROOM {
        tracing::trace!("spider: a message was not relayed, its receiver is too far behind");
        return;
    }
    let sent = if message.is_string {
        match std::str::from_utf8(&message.data) {
            Ok(text) => channel.try_send_text(text).await,
            Err(_) => return, // a text message that is no text: RFC 8831 6.6 forbids it
        }
    } else {
        channel.try_send(message.data.clone()).await
    };
    if let Err(err) = sent {
        tracing::trace!(%err, "spider: a message was not relayed");
    }
}

/// Drains one viewer's metric messages into its channel, each as it came, for as long as its session lasts.
pub(super) async fn tell(
    mut metrics: mpsc::Receiver<RTCDataChannelMessage>,
    downlink: Arc<Downlink>,
) {
    while let Some(message) = metrics.recv().await {
        let channel = lock(&downlink.metric).clone();
        if let Some(channel) = channel {
            forward(&channel, &message).await;
        }
    }
}

/// Drains one viewer's queue into its track until the queue's sender or the track is gone.
pub(super) async fn feed(
    mut packets: mpsc::Receiver<rtp::Packet>,
    downlink: Arc<Downlink>,
    track: Arc<TrackLocalStaticRTP>,
    mut rewriter: Rewriter,
    codec: Codec,
    uplink: impl Fn() -> Option<Arc<Uplink>>,
) {
    let mut waiting_for_key_frame = true;
    let mut has_started = false;
    while let Some(packet) = packets.recv().await {
        if downlink.lagging.swap(false, Ordering::Relaxed) || rewriter.is_new_source(&packet) {
            waiting_for_key_frame = true;
        }
        if waiting_for_key_frame {
            if !starts_key_frame(codec, &packet.payload) {
                // Before it is connected a key frame would be lost; `connected` asks for the first.
                if downlink.is_connected.load(Ordering::Relaxed)
                    && let Some(uplink) = uplink()
                {
                    uplink.want_key_frame(if has_started {
                        downlink.asker()
                    } else {
                        Asker::Newcomer
                    });
                }
                continue;
            }
            waiting_for_key_frame = false;
            has_started = true;
            tracing::debug!("spider: a viewer's video starts");
        }
        if let Err(err) = track
            .write_rtp(rewriter.rewrite(packet, Instant::now()))
            .await
        {
            tracing::trace!(%err, "spider: viewer's track");
        }
    }
}

/// The contents of a lock whose holder cannot leave it half changed, even if it panicked.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
