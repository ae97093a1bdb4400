//! Feedback about our video, lifted out of the RTCP stream as it passes.
//!
//! The stack answers NACK, reports and congestion feedback by itself and ends inbound RTCP there.
//! Three facts matter outside: somebody needs a key frame, somebody limits our bitrate, and when the
//! last authenticated packet came. All three are state, not events, so they are atomics: newest wins
//! and nothing queues.
//!
//! Promises: never blocks, never allocates per packet. Knows nothing of: who reads it.
//! Sources: RFC 4585 6.3.1 (PLI), RFC 5104 4.3.1 (FIR), draft-alvestrand-rmcat-remb.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Instant;

use rtc::interceptor::{Interceptor, Packet, StreamInfo, TaggedPacket};
use rtc::rtcp::payload_feedbacks::full_intra_request::FullIntraRequest;
use rtc::rtcp::payload_feedbacks::picture_loss_indication::PictureLossIndication;
use rtc::rtcp::payload_feedbacks::receiver_estimated_maximum_bitrate::ReceiverEstimatedMaximumBitrate;
use rtc::sansio::Protocol;
use rtc::shared::error::Error;
use tokio::sync::Notify;

/// The newest feedback of one peer.
#[derive(Debug, Default)]
pub struct Feedback {
    key_frame_requests: AtomicU32,
    remb_kbps: AtomicU32,
    packets: AtomicU64,
    key_frame_wanted: Notify,
    gap: Notify,
    arrived: AtomicU32,
    arrived_bytes: AtomicU64,
    lost: AtomicU32,
}

/// What has arrived of the other side's video since it was last asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Arrivals {
    /// Packets, repaired ones too.
    pub packets: u32,
    /// Bytes of their payloads.
    pub bytes: u64,
    /// Packets that were missing when one behind them came, whether they were repaired later or not.
    pub lost: u32,
}

impl Feedback {
    /// Waits until the other side asks for a key frame; requests made meanwhile count as one.
    pub async fn key_frame_wanted(&self) {
        self.key_frame_wanted.notified().await;
    }

    /// How many times the other side asked for a key frame; compare with the count seen before.
    #[must_use]
    pub fn key_frame_requests(&self) -> u32 {
        self.key_frame_requests.load(Ordering::Relaxed)
    }

    /// The bitrate limit that the other side last asked for, in kbit/s; `None` before the first.
    #[must_use]
    pub fn remb_kbps(&self) -> Option<u32> {
        match self.remb_kbps.load(Ordering::Relaxed) {
            0 => None,
            kbps => Some(kbps),
        }
    }

    /// RTP and RTCP packets that arrived and passed SRTP authentication.
    #[must_use]
    pub fn packets(&self) -> u64 {
        self.packets.load(Ordering::Relaxed)
    }

    /// Waits until packets of the other side's video are given up: nothing can be decoded until a key frame comes.
    pub async fn gap(&self) {
        self.gap.notified().await;
    }

    /// What has arrived of the other side's video since the last call.
    pub fn take_arrivals(&self) -> Arrivals {
        Arrivals {
            packets: self.arrived.swap(0, Ordering::Relaxed),
            bytes: self.arrived_bytes.swap(0, Ordering::Relaxed),
            lost: self.lost.swap(0, Ordering::Relaxed),
        }
    }

    pub(super) fn gave_up(&self) {
        self.gap.notify_one();
    }

    pub(super) fn video_arrived(&self, bytes: usize, lost: u32) {
        self.arrived.fetch_add(1, Ordering::Relaxed);
        self.arrived_bytes
            .fetch_add(bytes as u64, Ordering::Relaxed);
        self.lost.fetch_add(lost, Ordering::Relaxed);
    }

    fn note(&self, packet: &dyn rtc::rtcp::Packet) {
        let any = packet.as_any();
        if any.is::<PictureLossIndication>() || any.is::<FullIntraRequest>() {
            self.key_frame_requests.fetch_add(1, Ordering::Relaxed);
            self.key_frame_wanted.notify_one();
        } else if let Some(remb) = any.downcast_ref::<ReceiverEstimatedMaximumBitrate>() {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "clamped to at most 10^6 kbit/s; NaN becomes 0, and 0 becomes 1"
            )]
            let kbps = (remb.bitrate / 1000.0).clamp(0.0, 1_000_000.0) as u32;
            self.remb_kbps.store(kbps.max(1), Ordering::Relaxed);
        }
    }
}

/// The interceptor that feeds [`Feedback`]; it passes every packet on unchanged.
pub(super) struct Tap {
    feedback: Arc<Feedback>,
    reads: VecDeque<TaggedPacket>,
    writes: VecDeque<TaggedPacket>,
}

impl Tap {
    pub(super) fn new(feedback: Arc<Feedback>) -> Self {
        Self {
            feedback,
            reads: VecDeque::new(),
            writes: VecDeque::new(),
        }
    }
}

impl Protocol<TaggedPacket, TaggedPacket, ()> for Tap {
    type Rout = TaggedPacket;
    type Wout = TaggedPacket;
    type Eout = ();
    type Error = Error;
    type Time = Instant;

    fn handle_read(&mut self, msg: TaggedPacket) -> Result<(), Self::Error> {
        self.feedback.packets.fetch_add(1, Ordering::Relaxed);
        if let Packet::Rtcp(packets) = &msg.message.packet {
            for packet in packets {
                self.feedback.note(packet.as_ref());
            }
        }
        self.reads.push_back(msg);
        Ok(())
    }

    fn poll_read(&mut self) -> Option<Self::Rout> {
        self.reads.pop_front()
    }

    fn handle_write(&mut self, msg: TaggedPacket) -> Result<(), Self::Error> {
        self.writes.push_back(msg);
        Ok(())
    }

    fn poll_write(&mut self) -> Option<Self::Wout> {
        self.writes.pop_front()
    }
}

impl Interceptor for Tap {
    fn bind_local_stream(&mut self, _info: &StreamInfo) {}
    fn unbind_local_stream(&mut self, _info: &StreamInfo) {}
    fn bind_remote_stream(&mut self, _info: &StreamInfo) {}
    fn unbind_remote_stream(&mut self, _info: &StreamInfo) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_loss_indication_counts_as_one_request() {
        let feedback = Feedback::default();
        feedback.note(&PictureLossIndication {
            sender_ssrc: 1,
            media_ssrc: 2,
        });
        assert_eq!(feedback.key_frame_requests(), 1);
    }

    #[test]
    fn remb_is_kept_in_kilobits_and_survives_nonsense() {
        let feedback = Feedback::default();
        assert_eq!(feedback.remb_kbps(), None);
        for (bitrate, kbps) in [
            (800_000.0, 800),
            (0.0, 1),
            (f32::NAN, 1),
            (f32::INFINITY, 1_000_000),
        ] {
            feedback.note(&ReceiverEstimatedMaximumBitrate {
                sender_ssrc: 1,
                bitrate,
                ssrcs: vec![],
            });
            assert_eq!(feedback.remb_kbps(), Some(kbps), "for {bitrate}");
        }
    }
}
