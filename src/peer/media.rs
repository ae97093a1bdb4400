//! Codecs, header extensions and the interceptor chain of every peer.
//!
//! One video codec is enough for the car (H.264 constrained baseline, packetization mode 1); the
//! relay also knows VP8 and VP9 because old publishers send them. No audio anywhere.
//!
//! Promises: offers list codecs in the order given. Knows nothing of: who uses the peer.
//! Sources: RFC 6184 8.1 (profile-level-id, packetization-mode), PROTOCOL.md 3.3.

use std::sync::Arc;

use rtc::interceptor::Slot;
use rtc::media_stream::MediaStreamTrack;
use rtc::rtp_transceiver::rtp_sender::{
    RTCPFeedback, RTCRtpCodec, RTCRtpCodecParameters, RTCRtpCodingParameters,
    RTCRtpEncodingParameters, RTCRtpHeaderExtensionCapability, RtpCodecKind,
};
use webrtc::error::Result;
use webrtc::media_stream::track_local::static_rtp::TrackLocalStaticRTP;
use webrtc::peer_connection::{MediaEngine, Registry, configure_rtcp_reports, configure_twcc};

use super::repair::{Answering, Asking};
use super::tap::{Feedback, Tap};

/// Ticks of an RTP video clock in a second. spec: RFC 6184 8.2.1.
pub const VIDEO_CLOCK_HZ: u32 = 90_000;

/// Asks a browser to show frames at once (min and max delay 0).
/// spec: webrtc.org rtp-hdrext playout-delay.
pub const PLAYOUT_DELAY_URI: &str = "http://www.webrtc.org/experiments/rtp-hdrext/playout-delay";

/// A video codec that a peer offers or accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Codec {
    /// H.264 constrained baseline, packetization mode 1.
    H264,
    /// VP8, which old publishers send first.
    Vp8,
    /// VP9 profile 0.
    Vp9,
}

impl Codec {
    /// The name used in SDP `a=rtpmap` lines and the `vcodec` parameter, in lower case.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::H264 => "h264",
            Self::Vp8 => "vp8",
            Self::Vp9 => "vp9",
        }
    }

    /// The codec of that name, in any case.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::H264, Self::Vp8, Self::Vp9]
            .into_iter()
            .find(|codec| codec.name().eq_ignore_ascii_case(name))
    }

    /// The codec of a MIME type such as `video/H264`.
    #[must_use]
    pub fn from_mime(mime: &str) -> Option<Self> {
        mime.split_once('/')
            .and_then(|(_, name)| Self::from_name(name))
    }

    /// How the codec stands in SDP.
    #[must_use]
    pub fn rtp(self) -> RTCRtpCodec {
        let (mime_type, fmtp) = match self {
            Self::H264 => (
                "video/H264",
                "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f",
            ),
            Self::Vp8 => ("video/VP8", ""),
            Self::Vp9 => ("video/VP9", "profile-id=0"),
        };
        let feedback = [
            ("goog-remb", ""),
            ("ccm", "fir"),
            ("nack", ""),
            ("nack", "pli"),
        ];
        RTCRtpCodec {
            mime_type: mime_type.to_owned(),
            clock_rate: VIDEO_CLOCK_HZ,
            channels: 0,
            sdp_fmtp_line: fmtp.to_owned(),
            rtcp_feedback: feedback
                .into_iter()
                .map(|(typ, parameter)| RTCPFeedback {
                    typ: typ.to_owned(),
                    parameter: parameter.to_owned(),
                })
                .collect(),
        }
    }

    /// Payload type that our own offers use. choice: the historic 102 for H.264, 96 and 98 as usual.
    #[must_use]
    pub fn payload_type(self) -> u8 {
        match self {
            Self::H264 => 102,
            Self::Vp8 => 96,
            Self::Vp9 => 98,
        }
    }
}

/// The media engine and interceptors of a peer.
pub(super) fn engine(codecs: &[Codec], feedback: Arc<Feedback>) -> Result<(MediaEngine, Registry)> {
    let mut engine = MediaEngine::default();
    for codec in codecs {
        engine.register_codec(
            RTCRtpCodecParameters {
                rtp_codec: codec.rtp(),
                payload_type: codec.payload_type(),
            },
            RtpCodecKind::Video,
        )?;
    }
    let low_delay = RTCRtpHeaderExtensionCapability {
        uri: PLAYOUT_DELAY_URI.to_owned(),
    };
    engine.register_header_extension(low_delay, RtpCodecKind::Video, None)?;
    // Not `configure_nack`: the stack's own asks and answers without bounds (`repair`).
    let registry = Registry::new()
        .with(Slot::NackResponder, Answering::new())
        .with(Slot::NackGenerator, Asking::new(Arc::clone(&feedback)));
    let registry = configure_twcc(registry, &mut engine)?;
    let registry = configure_rtcp_reports(registry);
    // Last on the read side: every interceptor that acts on RTCP has seen it by then.
    let registry = registry.with(Slot::from(14_000), Tap::new(feedback));
    Ok((engine, registry))
}

/// A local video track of one codec that takes ready RTP packets.
#[must_use]
pub fn video_track(codec: Codec, ssrc: u32) -> TrackLocalStaticRTP {
    TrackLocalStaticRTP::new(MediaStreamTrack::new(
        "spidercar".to_owned(),
        "spidercar-video".to_owned(),
        "spidercar-video".to_owned(),
        RtpCodecKind::Video,
        vec![RTCRtpEncodingParameters {
            rtp_coding_parameters: RTCRtpCodingParameters {
                ssrc: Some(ssrc),
                ..Default::default()
            },
            codec: codec.rtp(),
            active: true,
            ..Default::default()
        }],
    ))
}

/// Payload of the playout-delay extension that asks for none: minimum 0, maximum 0.
pub const NO_PLAYOUT_DELAY: &[u8] = &[0, 0, 0];
