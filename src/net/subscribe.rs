//! What a viewer puts into a peer: room for one video track, and the channels it may write to.
//!
//! How a server maps channels to viewers is not public, so both ways are served: the viewer opens
//! `metric`, `stream` and `drive` itself, and takes those that the server opens.
//!
//! Promises: one channel a message, never two. Knows nothing of: what is done with video and metrics.
//! Sources: PROTOCOL.md 3.4 (channels), 5.2 q 13.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rtc::rtp_transceiver::rtp_sender::RtpCodecKind;
use rtc::rtp_transceiver::{RTCRtpTransceiverDirection, RTCRtpTransceiverInit};
use webrtc::data_channel::{DataChannel, RTCDataChannelInit};
use webrtc::error::Result;

use crate::peer::{Peer, PeerOptions, build};

/// A peer that is ready to watch.
pub struct Subscription {
    /// The peer, ready to make its offer.
    pub peer: Peer,
    /// The channels it opened, by label.
    pub channels: Vec<(&'static str, Arc<dyn DataChannel>)>,
}

/// Builds a viewer's peer.
///
/// # Errors
/// The stack could not bind a socket or did not understand an ICE server.
pub async fn subscription(options: PeerOptions) -> Result<Subscription> {
    let peer = build(options).await?;
    let receive = RTCRtpTransceiverInit {
        direction: RTCRtpTransceiverDirection::Recvonly,
        ..Default::default()
    };
    peer.pc
        .add_transceiver_from_kind(RtpCodecKind::Video, Some(receive))
        .await?;
    let newest_only = RTCDataChannelInit {
        ordered: false,
        max_retransmits: Some(0),
        ..Default::default()
    };
    let mut channels = Vec::with_capacity(3);
    for (label, init) in [
        ("metric", None),
        ("stream", None),
        ("drive", Some(newest_only)),
    ] {
        channels.push((label, peer.pc.create_data_channel(label, init).await?));
    }
    Ok(Subscription { peer, channels })
}

/// The open channels of a viewer, and which of a label to write to: the server's before its own.
#[derive(Clone, Default)]
pub struct OpenChannels(Arc<Mutex<Vec<Entry>>>);

struct Entry {
    label: String,
    is_servers: bool,
    channel: Arc<dyn DataChannel>,
}

impl OpenChannels {
    /// Notes a channel that opened.
    pub fn add(&self, label: &str, is_servers: bool, channel: &Arc<dyn DataChannel>) {
        self.entries().push(Entry {
            label: label.to_owned(),
            is_servers,
            channel: Arc::clone(channel),
        });
    }

    /// Forgets a channel that closed.
    pub fn remove(&self, channel: &Arc<dyn DataChannel>) {
        self.entries()
            .retain(|entry| !Arc::ptr_eq(&entry.channel, channel));
    }

    /// Forgets all.
    pub fn clear(&self) {
        self.entries().clear();
    }

    /// The channel of a label to write to.
    #[must_use]
    pub fn get(&self, label: &str) -> Option<Arc<dyn DataChannel>> {
        let entries = self.entries();
        let of_label = || entries.iter().filter(|entry| entry.label == label);
        let found = of_label()
            .find(|entry| entry.is_servers)
            .or_else(|| of_label().next());
        found.map(|entry| Arc::clone(&entry.channel))
    }

    fn entries(&self) -> MutexGuard<'_, Vec<Entry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
