//! What crosses a channel: video packets down, metrics down, commands up.
//!
//! ```text
//!   publisher track ──▶ fan out ──try_send──▶ [queue of one viewer] ──rewrite──▶ its track
//!   publisher metric ─▶ fan out ──────────────────────────────────────────────▶ its metric
//!   its stream, drive ────────────────────────────────────────────────────────▶ publisher's
//! ```
//!
//! Each viewer has its own queue and task, so that one on a bad path delays nobody; when its queue is
//! full its packets are dropped and it starts again at the next key frame.
//!
//! Promises: payload bytes unchanged; sequence numbers and time stamps of a viewer stay continuous
//! when the publisher comes again with others. Knows nothing of: signalling.
//! Sources: RFC 3550 5.1 (RTP header), RFC 6184 5.4 (NAL unit types), PROTOCOL.md 3.4.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rtc::rtp;
use tokio::sync::{Notify, mpsc};
use webrtc::data_channel::{DataChannel, RTCDataChannelMessage};
use webrtc::media_stream::track_local::TrackLocal;
use webrtc::media_stream::track_local::static_rtp::TrackLocalStaticRTP;

use crate::peer::{Codec, NO_PLAYOUT_DELAY, VIDEO_CLOCK_HZ};

/// Packets a viewer may lag behind. choice: a key frame of 200 kB and a frame more.
const VIDEO_ROOM: usize = 256;

/// Shortest time between two key-frame requests to a publisher. choice: about three frames, so that
/// many viewers arriving together cost one key frame.
pub(super) const KEY_FRAME_SPACING: Duration = Duration::from_millis(100);

/// Labels that carry commands upwards.
pub(super) const COMMAND_LABELS: [&str; 2] = ["stream", "drive"];

/// Label that carries telemetry downwards.
pub(super) const METRIC_LABEL: &str = "metric";

/// The way to a publisher.
#[derive(Default)]
pub(super) struct Uplink {
    channels: Mutex<Vec<(String, Arc<dyn DataChannel>)>>,
    /// Woken when a viewer needs a key frame.
    pub(super) key_frame: Notify,
}

impl Uplink {
    /// Remembers a channel that the publisher opened.
    pub(super) fn add(&self, label: String, channel: Arc<dyn DataChannel>) {
        lock(&self.channels).push((label, channel));
    }

    /// Forgets a channel that closed.
    pub(super) fn remove(&self, channel: &Arc<dyn DataChannel>) {
        lock(&self.channels).retain(|(_, known)| !Arc::ptr_eq(known, channel));
    }

    /// Sends a viewer's command on the channel of that label, or on `stream` where there is no other.
    pub(super) async fn command(&self, label: &str, message: &RTCDataChannelMessage) {
        let found = {
            let channels = lock(&self.channels);
            let by = |wanted: &str| {
                channels
                    .iter()
                    .find(|(known, _)| known == wanted)
                    .map(|(_, channel)| Arc::clone(channel))
            };
            by(label).or_else(|| by("stream"))
        };
        if let Some(channel) = found {
            forward(&channel, message).await;
        }
    }
}

/// The way to one viewer.
pub(super) struct Downlink {
    video: mpsc::Sender<rtp::Packet>,
    lagging: AtomicBool,
    dropped: AtomicU64,
    metric: Mutex<Option<Arc<dyn DataChannel>>>,
}

impl Downlink {
    /// A way to a viewer, and the end that its task drains.
    pub(super) fn new() -> (Arc<Self>, mpsc::Receiver<rtp::Packet>) {
        let (video, rx) = mpsc::channel(VIDEO_ROOM);
        let downlink = Self {
            video,
            lagging: AtomicBool::new(false),
            dropped: AtomicU64::new(0),
            metric: Mutex::new(None),
        };
        (Arc::new(downlink), rx)
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

    /// Sends a metric message as it came.
    pub(super) async fn metric(&self, message: &RTCDataChannelMessage) {
        let channel = lock(&self.metric).clone();
        if let Some(channel) = channel {
            forward(&channel, message).await;
        }
    }

    /// Packets this viewer lost here.
    pub(super) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }
}

async fn forward(channel: &Arc<dyn DataChannel>, message: &RTCDataChannelMessage) {
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
    while let Some(packet) = packets.recv().await {
        if downlink.lagging.swap(false, Ordering::Relaxed) || rewriter.is_new_source(&packet) {
            waiting_for_key_frame = true;
        }
        if waiting_for_key_frame {
            if !starts_key_frame(codec, &packet.payload) {
                if let Some(uplink) = uplink() {
                    uplink.key_frame.notify_one();
                }
                continue;
            }
            waiting_for_key_frame = false;
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

/// Makes a viewer's stream continuous, whoever publishes.
pub(super) struct Rewriter {
    ssrc: u32,
    payload_type: u8,
    low_delay_id: Option<u8>,
    source: Option<Source>,
}

struct Source {
    ssrc: u32,
    sequence_shift: u16,
    time_shift: u32,
    newest_sequence: u16,
    newest_time: u32,
    at: Instant,
}

impl Rewriter {
    /// A rewriter onto the stream number, payload type and, for the wish not to be buffered, the
    /// extension number that the viewer agreed to.
    pub(super) fn new(ssrc: u32, payload_type: u8, low_delay_id: Option<u8>) -> Self {
        Self {
            ssrc,
            payload_type,
            low_delay_id,
            source: None,
        }
    }

    fn is_new_source(&self, packet: &rtp::Packet) -> bool {
        self.source
            .as_ref()
            .is_some_and(|source| source.ssrc != packet.header.ssrc)
    }

    fn rewrite(&mut self, mut packet: rtp::Packet, now: Instant) -> rtp::Packet {
        let header = &mut packet.header;
        let source = match self.source.take() {
            Some(source) if source.ssrc == header.ssrc => source,
            Some(old) => {
                // Go on one sequence number and the real time later than the old source stopped.
                let pause = now
                    .saturating_duration_since(old.at)
                    .min(Duration::from_secs(3600));
                let ticks = pause.as_micros() * u128::from(VIDEO_CLOCK_HZ) / 1_000_000;
                let time = old
                    .newest_time
                    .wrapping_add(u32::try_from(ticks).unwrap_or(u32::MAX));
                let sequence = old.newest_sequence.wrapping_add(1);
                Source {
                    ssrc: header.ssrc,
                    sequence_shift: sequence.wrapping_sub(header.sequence_number),
                    time_shift: time.wrapping_sub(header.timestamp),
                    newest_sequence: sequence.wrapping_sub(1),
                    newest_time: time,
                    at: now,
                }
            }
            None => Source {
                ssrc: header.ssrc,
                sequence_shift: 0,
                time_shift: 0,
                newest_sequence: header.sequence_number.wrapping_sub(1),
                newest_time: header.timestamp.wrapping_sub(1),
                at: now,
            },
        };
        // A new header: the extension numbers of the two legs have nothing to do with each other.
        *header = rtp::header::Header {
            version: 2,
            marker: header.marker,
            payload_type: self.payload_type,
            sequence_number: header.sequence_number.wrapping_add(source.sequence_shift),
            timestamp: header.timestamp.wrapping_add(source.time_shift),
            ssrc: self.ssrc,
            ..Default::default()
        };
        let is_newer = header.sequence_number.wrapping_sub(source.newest_sequence) < 0x8000;
        if let Some(id) = self.low_delay_id
            && is_newer
            && header.timestamp != source.newest_time
            && let Err(err) = header.set_extension(id, bytes::Bytes::from_static(NO_PLAYOUT_DELAY))
        {
            tracing::debug!(%err, "spider: no playout delay on this packet");
        }
        self.source = Some(if is_newer {
            Source {
                newest_sequence: header.sequence_number,
                newest_time: header.timestamp,
                at: now,
                ..source
            }
        } else {
            source
        });
        packet
    }
}

/// Whether a payload is the beginning of something that can be decoded by itself.
fn starts_key_frame(codec: Codec, payload: &[u8]) -> bool {
    const IDR: u8 = 5;
    const SPS: u8 = 7;
    const STAP_A: u8 = 24;
    const FU_A: u8 = 28;
    if codec != Codec::H264 {
        return true; // no need to look: those decoders ask for themselves
    }
    let kind = |byte: Option<&u8>| byte.map_or(0, |byte| byte & 0x1f);
    match kind(payload.first()) {
        IDR | SPS => true,
        STAP_A => kind(payload.get(3)) == SPS, // after the STAP header and a two-byte size
        FU_A => kind(payload.get(1)) == IDR && payload.get(1).is_some_and(|fu| fu & 0x80 != 0),
        _ => false,
    }
}

/// The contents of a lock whose holder cannot leave it half changed, even if it panicked.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(ssrc: u32, sequence_number: u16, timestamp: u32) -> rtp::Packet {
        let mut packet = rtp::Packet::default();
        packet.header.ssrc = ssrc;
        packet.header.sequence_number = sequence_number;
        packet.header.timestamp = timestamp;
        packet
    }

    fn numbers(packet: &rtp::Packet) -> (u32, u16, u32) {
        (
            packet.header.ssrc,
            packet.header.sequence_number,
            packet.header.timestamp,
        )
    }

    #[test]
    fn a_new_publisher_continues_numbers_and_time() {
        let start = Instant::now();
        let mut rewriter = Rewriter::new(9, 102, None);
        assert_eq!(
            numbers(&rewriter.rewrite(packet(1, 65_535, 100), start)),
            (9, 65_535, 100)
        );
        let later = start + Duration::from_secs(1);
        assert!(rewriter.is_new_source(&packet(2, 7, 5)));
        assert_eq!(
            numbers(&rewriter.rewrite(packet(2, 7, 5), later)),
            (9, 0, 90_100)
        );
        assert_eq!(
            numbers(&rewriter.rewrite(packet(2, 8, 3005), later)),
            (9, 1, 93_100)
        );
    }

    #[test]
    fn a_late_packet_keeps_its_place_and_only_new_frames_ask_for_no_delay() {
        let now = Instant::now();
        let mut rewriter = Rewriter::new(9, 102, Some(3));
        for (sequence, started) in [(10, true), (12, false), (11, false)] {
            let out = rewriter.rewrite(packet(1, sequence, 100), now);
            assert_eq!(out.header.sequence_number, sequence);
            let extension = out.header.get_extension(3);
            assert_eq!(extension.is_some(), started, "packet {sequence}");
        }
    }

    #[test]
    fn key_frames_are_known_by_their_first_unit() {
        for (payload, is_key) in [
            (&[0x65][..], true),
            (&[0x67], true),
            (&[0x78, 0, 3, 0x67, 1, 2], true),
            (&[0x7c, 0x85], true),
            (&[0x7c, 0x05], false),
            (&[0x61], false),
            (&[0x78], false),
            (&[], false),
        ] {
            assert_eq!(
                starts_key_frame(Codec::H264, payload),
                is_key,
                "{payload:?}"
            );
        }
    }
}
