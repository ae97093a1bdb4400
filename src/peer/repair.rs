//! Repairs lost packets within bounds: the NACK interceptors of every peer.
//!
//! The stack's own ask for each missing packet of the last 512 every 100 ms without end, and answer each request at once,
//! without a limit. On a path thinner than the stream both add to what the path cannot carry: 37 Mb/s were offered to a
//! path of 1 Mb/s (measured 2026-11), and nothing else got through, commands included.
//!
//! ```text
//!   wire ──RTP──▶ Asking ─▶ …            wants: which to ask for, when, when to give up
//!        ◀─NACK─┘   └─ given up ─▶ Feedback: somebody asks for a key frame
//!   wire ◀──RTP── Answering ◀── track    answers: which requests to answer, within which budget
//!        ──NACK─▶┘
//! ```
//!
//! *Invariants:* the decisions are in `wants` and `answers`, which know neither clock nor packets' way; a packet that is
//! sent again leaves as it was, on its own stream: RTX (RFC 4588) is not negotiated.
//! *Source:* RFC 4585 6.2.1 (NACK), RFC 3550 6.4.1 (round trip from reports).

mod answers;
mod wants;

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rtc::interceptor::{
    Attribute, AttributedPacket, Interceptor, Packet, StreamInfo, TaggedPacket,
};
use rtc::rtcp::receiver_report::ReceiverReport;
use rtc::rtcp::reception_report::ReceptionReport;
use rtc::rtcp::sender_report::SenderReport;
use rtc::rtcp::transport_feedbacks::transport_layer_nack::{
    NackPair, TransportLayerNack, nack_pairs_from_sequence_numbers,
};
use rtc::rtp;
use rtc::sansio::Protocol;
use rtc::shared::TransportContext;
use rtc::shared::error::Error;

use super::Codec;
use super::nal::starts_key_frame;
use super::tap::Feedback;
use answers::{Answers, FIRST_ROUND_TRIP};
use wants::Wants;

/// Sender reports whose answer is waited for. choice: they leave once a second, so these cover eight seconds.
const REPORTS_KEPT: usize = 8;
/// Longest round trip that is believed. choice: as `wants`.
const MOST_ROUND_TRIP: Duration = Duration::from_secs(1);

/// Whether a key frame starts in a packet. Only H.264 can be looked into; other streams are repaired by age alone.
fn starts(codec: Option<Codec>, packet: &rtp::Packet) -> bool {
    codec == Some(Codec::H264) && starts_key_frame(Codec::H264, &packet.payload)
}

fn wants_nack(info: &StreamInfo) -> bool {
    info.rtcp_feedback
        .iter()
        .any(|one| one.typ == "nack" && one.parameter.is_empty())
}

fn generated(now: Instant, message: AttributedPacket) -> TaggedPacket {
    TaggedPacket {
        now,
        transport: TransportContext::default(),
        message,
    }
}

/// Asks for what did not arrive.
pub(super) struct Asking {
    feedback: Arc<Feedback>,
    sender_ssrc: u32,
    streams: HashMap<u32, (Option<Codec>, Wants)>,
    reads: VecDeque<TaggedPacket>,
    writes: VecDeque<TaggedPacket>,
    numbers: Vec<u16>,
}

impl Asking {
    pub(super) fn new(feedback: Arc<Feedback>) -> Self {
        Self {
            feedback,
            sender_ssrc: rand::random(),
            streams: HashMap::new(),
            reads: VecDeque::new(),
            writes: VecDeque::new(),
            numbers: Vec::new(),
        }
    }
}

impl Protocol<TaggedPacket, TaggedPacket, ()> for Asking {
    type Rout = TaggedPacket;
    type Wout = TaggedPacket;
    type Eout = ();
    type Error = Error;
    type Time = Instant;

    fn handle_read(&mut self, msg: TaggedPacket) -> Result<(), Self::Error> {
        if let Packet::Rtp(packet) = &msg.message.packet
            && let Some((codec, wants)) = self.streams.get_mut(&packet.header.ssrc)
        {
            let is_key = starts(*codec, packet);
            let lost = wants.arrived(packet.header.sequence_number, is_key, msg.now);
            self.feedback.video_arrived(packet.payload.len(), lost);
            if wants.take_key_frame_wish() {
                self.feedback.gave_up();
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

    fn handle_timeout(&mut self, now: Instant) -> Result<(), Self::Error> {
        for (ssrc, (_, wants)) in &mut self.streams {
            if wants.due().is_none_or(|due| due > now) {
                continue;
            }
            self.numbers.clear();
            wants.ask(now, &mut self.numbers);
            if wants.take_key_frame_wish() {
                self.feedback.gave_up();
            }
            if self.numbers.is_empty() {
                continue;
            }
            let nack = TransportLayerNack {
                sender_ssrc: self.sender_ssrc,
                media_ssrc: *ssrc,
                nacks: nack_pairs_from_sequence_numbers(&self.numbers),
            };
            let packet = AttributedPacket::new(Packet::Rtcp(vec![Box::new(nack)]));
            self.writes.push_back(generated(now, packet));
        }
        Ok(())
    }

    fn poll_timeout(&mut self) -> Option<Instant> {
        self.streams
            .values()
            .filter_map(|(_, wants)| wants.due())
            .min()
    }
}

impl Interceptor for Asking {
    fn bind_local_stream(&mut self, _info: &StreamInfo) {}
    fn unbind_local_stream(&mut self, _info: &StreamInfo) {}

    fn bind_remote_stream(&mut self, info: &StreamInfo) {
        if wants_nack(info) {
            let codec = Codec::from_mime(&info.mime_type);
            self.streams.insert(info.ssrc, (codec, Wants::default()));
        }
    }

    fn unbind_remote_stream(&mut self, info: &StreamInfo) {
        self.streams.remove(&info.ssrc);
    }
}

/// Answers requests for what was lost on the way.
pub(super) struct Answering {
    streams: HashMap<u32, (Option<Codec>, Answers)>,
    reports: VecDeque<(u32, Instant)>,
    round_trip: Duration,
    reads: VecDeque<TaggedPacket>,
    writes: VecDeque<TaggedPacket>,
}

impl Answering {
    pub(super) fn new() -> Self {
        Self {
            streams: HashMap::new(),
            reports: VecDeque::new(),
            round_trip: FIRST_ROUND_TRIP,
            reads: VecDeque::new(),
            writes: VecDeque::new(),
        }
    }

    /// A report of the receiver about one of our sender reports gives the round trip (RFC 3550 6.4.1).
    fn reported(&mut self, report: &ReceptionReport, now: Instant) {
        let Some((_, sent_at)) = self
            .reports
            .iter()
            .find(|(ntp, _)| *ntp == report.last_sender_report)
        else {
            return;
        };
        let held = Duration::from_micros(u64::from(report.delay) * 1_000_000 / 65_536);
        self.round_trip = now
            .saturating_duration_since(*sent_at)
            .saturating_sub(held)
            .min(MOST_ROUND_TRIP);
    }

    fn requested(&mut self, nack: &TransportLayerNack, now: Instant) {
        let Some((_, answers)) = self.streams.get_mut(&nack.media_ssrc) else {
            return;
        };
        for number in nack.nacks.iter().flat_map(NackPair::packet_list) {
            if let Some(packet) = answers.requested(number, self.round_trip, now) {
                let packet = AttributedPacket::new(Packet::Rtp(packet));
                self.writes
                    .push_back(generated(now, packet.with(Attribute::Retransmission)));
            }
        }
    }
}

impl Protocol<TaggedPacket, TaggedPacket, ()> for Answering {
    type Rout = TaggedPacket;
    type Wout = TaggedPacket;
    type Eout = ();
    type Error = Error;
    type Time = Instant;

    fn handle_read(&mut self, msg: TaggedPacket) -> Result<(), Self::Error> {
        if let Packet::Rtcp(packets) = &msg.message.packet {
            for packet in packets {
                let any = packet.as_any();
                if let Some(nack) = any.downcast_ref::<TransportLayerNack>() {
                    self.requested(nack, msg.now);
                } else if let Some(report) = any.downcast_ref::<ReceiverReport>() {
                    for one in &report.reports {
                        self.reported(one, msg.now);
                    }
                }
            }
        }
        self.reads.push_back(msg);
        Ok(())
    }

    fn poll_read(&mut self) -> Option<Self::Rout> {
        self.reads.pop_front()
    }

    fn handle_write(&mut self, msg: TaggedPacket) -> Result<(), Self::Error> {
        match &msg.message.packet {
            Packet::Rtp(packet) => {
                if let Some((codec, answers)) = self.streams.get_mut(&packet.header.ssrc) {
                    answers.sent(packet, starts(*codec, packet), msg.now);
                }
            }
            Packet::Rtcp(packets) => {
                for packet in packets {
                    if let Some(report) = packet.as_any().downcast_ref::<SenderReport>() {
                        #[expect(
                            clippy::cast_possible_truncation,
                            reason = "RFC 3550 6.4.1: the middle 32 bits are what comes back"
                        )]
                        let ntp = (report.ntp_time >> 16) as u32;
                        self.reports.push_back((ntp, msg.now));
                        if self.reports.len() > REPORTS_KEPT {
                            self.reports.pop_front();
                        }
                    }
                }
            }
            _ => {}
        }
        self.writes.push_back(msg);
        Ok(())
    }

    fn poll_write(&mut self) -> Option<Self::Wout> {
        self.writes.pop_front()
    }
}

impl Interceptor for Answering {
    fn bind_local_stream(&mut self, info: &StreamInfo) {
        if wants_nack(info) {
            let codec = Codec::from_mime(&info.mime_type);
            self.streams.insert(info.ssrc, (codec, Answers::default()));
        }
    }

    fn unbind_local_stream(&mut self, info: &StreamInfo) {
        self.streams.remove(&info.ssrc);
    }

    fn bind_remote_stream(&mut self, _info: &StreamInfo) {}
    fn unbind_remote_stream(&mut self, _info: &StreamInfo) {}
}
