//! What flows in a session once it is connected: data channels, video, the wish for key frames.
//!
//! Promises: each flow is a task of the session and ends with it. Knows nothing of: signalling.
//! Sources: PROTOCOL.md 3.4 and 5.1, whose rule numbers stand in the comments.

use std::sync::Arc;
use std::time::Duration;

use rtc::rtcp::payload_feedbacks::picture_loss_indication::PictureLossIndication;
use rtc::rtcp::payload_feedbacks::receiver_estimated_maximum_bitrate::ReceiverEstimatedMaximumBitrate;
use tokio::time::interval;
use webrtc::data_channel::{DataChannel, DataChannelEvent};
use webrtc::media_stream::track_remote::{TrackRemote, TrackRemoteEvent};

use super::{Role, Session};
use crate::spider::fault::Fault;
use crate::spider::relay::{COMMAND_LABELS, KEY_FRAME_SPACING, METRIC_LABEL};

impl Session {
    /// Reads a data channel until it closes; what it carries depends on role and label (rules 16, 17).
    pub(super) fn attach(&mut self, label: String, channel: Arc<dyn DataChannel>) {
        match (&self.uplink, &self.downlink) {
            (Some(uplink), _) => uplink.add(label.clone(), Arc::clone(&channel)),
            (None, Some(downlink)) if label == METRIC_LABEL => downlink.set_metric(&channel),
            (None, _) => {}
        }
        let (hub, uplink, role) = (
            Arc::clone(&self.channel),
            self.uplink.clone(),
            self.request.role,
        );
        let deaf = label == "drive" && self.options.faults.has(Fault::DropDrive);
        self.tasks.spawn(async move {
            while let Some(event) = channel.poll().await {
                match event {
                    DataChannelEvent::OnMessage(message) => match role {
                        Role::Subscriber if deaf => {} // rule 16
                        Role::Publisher if label == METRIC_LABEL => hub.metric(&message).await,
                        Role::Subscriber if COMMAND_LABELS.contains(&label.as_str()) => {
                            if let Some(uplink) = hub.uplink() {
                                uplink.command(&label, &message).await;
                            }
                        }
                        Role::Publisher | Role::Subscriber => {}
                    },
                    DataChannelEvent::OnClose => break,
                    _ => {}
                }
            }
            if let Some(uplink) = uplink {
                uplink.remove(&channel);
            }
        });
    }

    /// Relays a publisher's video and answers the viewers' wish for key frames.
    pub(super) async fn receive(&mut self, track: Arc<dyn TrackRemote>) {
        let Some(ssrc) = track.ssrcs().await.first().copied() else {
            tracing::warn!("spider: a track without a stream number");
            return;
        };
        tracing::debug!(ssrc, "spider: video from the publisher");
        let (hub, source) = (Arc::clone(&self.channel), Arc::clone(&track));
        self.tasks.spawn(async move {
            while let Some(event) = source.poll().await {
                if let TrackRemoteEvent::OnRtpPacket(packet) = event {
                    hub.video(&packet);
                }
            }
        });
        if let Some(uplink) = self.uplink.clone() {
            let track = Arc::clone(&track);
            self.tasks.spawn(async move {
                loop {
                    uplink.key_frame.notified().await;
                    let request = PictureLossIndication {
                        sender_ssrc: 0,
                        media_ssrc: ssrc,
                    };
                    if track.write_rtcp(vec![Box::new(request)]).await.is_err() {
                        return;
                    }
                    tokio::time::sleep(KEY_FRAME_SPACING).await;
                }
            });
        }
        if self.options.faults.has(Fault::Enforce) {
            self.enforce(track, ssrc);
        }
    }

    /// Rule 20: holds the publisher to `brate` and `ktime`, the way a server might.
    fn enforce(&mut self, track: Arc<dyn TrackRemote>, ssrc: u32) {
        let kbps = self.request.brate_kbps.unwrap_or(800);
        let period =
            Duration::from_millis(10 * u64::from(self.request.ktime.unwrap_or(100).max(10)));
        let uplink = self.uplink.clone();
        self.tasks.spawn(async move {
            let mut beats = interval(period);
            loop {
                beats.tick().await;
                #[expect(
                    clippy::cast_precision_loss,
                    reason = "a bitrate in kbit/s is below 2^24"
                )]
                let remb = ReceiverEstimatedMaximumBitrate {
                    sender_ssrc: 0,
                    bitrate: kbps as f32 * 1000.0,
                    ssrcs: vec![ssrc],
                };
                if track.write_rtcp(vec![Box::new(remb)]).await.is_err() {
                    return;
                }
                if let Some(uplink) = &uplink {
                    uplink.key_frame.notify_one();
                }
            }
        });
    }
}
