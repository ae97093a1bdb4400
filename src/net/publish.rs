//! What the car puts into a peer: one video track and its data channels, in the historic order.
//!
//! ```text
//!   m-line 0  video, H.264, from us only         m-line 1  application
//!   channels  metric (id 1), stream (id 3): ordered, reliable, as ever;  drive (id 5): newest matters
//! ```
//!
//! Promises: the offer made from this has one transport and one video section. Knows nothing of: what
//! the channels carry. Sources: PROTOCOL.md 3.2 to 3.4; RFC 8832 (channel types).

use std::sync::Arc;

use rtc::rtp;
use webrtc::data_channel::{DataChannel, RTCDataChannelInit};
use webrtc::error::Result;
use webrtc::media_stream::track_local::TrackLocal;
use webrtc::media_stream::track_local::static_rtp::TrackLocalStaticRTP;

use super::h264::{Packetizer, rtp_timestamp};
use crate::logic::units::Uptime;
use crate::peer::{Codec, Peer, PeerOptions, build, video_track};

/// Labels of the channels that the car opens, with whether newest beats complete.
const CHANNELS: [(&str, bool); 3] = [("metric", false), ("stream", false), ("drive", true)];

/// A peer with everything the car sends.
pub struct Publication {
    /// The peer, ready to make its offer.
    pub peer: Peer,
    /// Where video goes.
    pub video: VideoOut,
    /// Telemetry out.
    pub metric: Arc<dyn DataChannel>,
    /// Commands in: `stream` and `drive`.
    pub commands: Vec<(&'static str, Arc<dyn DataChannel>)>,
}

/// Builds the car's peer.
///
/// # Errors
/// The stack could not bind a socket or did not understand an ICE server.
pub async fn publication(options: PeerOptions) -> Result<Publication> {
    let peer = build(options).await?;
    let ssrc = rand::random();
    let track = Arc::new(video_track(Codec::H264, ssrc));
    peer.pc.add_track(Arc::clone(&track) as _).await?;
    let mut opened = Vec::with_capacity(CHANNELS.len());
    for (label, newest_only) in CHANNELS {
        let init = newest_only.then(|| RTCDataChannelInit {
            ordered: false,
            max_retransmits: Some(0),
            ..Default::default()
        });
        opened.push((label, peer.pc.create_data_channel(label, init).await?));
    }
    let (_, metric) = opened.remove(0);
    Ok(Publication {
        peer,
        video: VideoOut {
            track,
            ssrc,
            sequence_number: rand::random(),
            packetizer: Packetizer::default(),
        },
        metric,
        commands: opened,
    })
}

/// Turns coded frames into the RTP packets of one peer.
pub struct VideoOut {
    track: Arc<TrackLocalStaticRTP>,
    ssrc: u32,
    sequence_number: u16,
    packetizer: Packetizer,
}

impl VideoOut {
    /// Sends one coded frame (Annex B) that was captured then; calls `ready` once its packets are made, before the first is
    /// handed to the stack.
    ///
    /// # Errors
    /// The track is not connected, or no longer.
    pub async fn send(
        &mut self,
        unit: &[u8],
        captured_at: Uptime,
        ready: impl FnOnce(),
    ) -> Result<()> {
        let timestamp = rtp_timestamp(captured_at);
        let payloads = self.packetizer.packetize(unit);
        ready();
        for payload in payloads {
            let header = rtp::header::Header {
                version: 2,
                marker: payload.is_last,
                payload_type: Codec::H264.payload_type(),
                sequence_number: self.sequence_number,
                timestamp,
                ssrc: self.ssrc,
                ..Default::default()
            };
            self.sequence_number = self.sequence_number.wrapping_add(1);
            let packet = rtp::Packet {
                header,
                payload: payload.bytes,
            };
            self.track.write_rtp(packet).await?;
        }
        Ok(())
    }
}
