//! What flows in a session once it is connected: data channels, video, the wish for key frames.
//!
//! Promises: each flow is a task of the session and ends with it. Knows nothing of: signalling.
//! Sources: PROTOCOL.md 3.4 and 5.1, whose rule numbers stand in the comments.

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use rtc::rtcp::payload_feedbacks::picture_loss_indication::PictureLossIndication;
use rtc::rtcp::payload_feedbacks::receiver_estimated_maximum_bitrate::ReceiverEstimatedMaximumBitrate;
use tokio::time::{MissedTickBehavior, interval};
use webrtc::data_channel::{DataChannel, DataChannelEvent, RTCDataChannelMessage};
use webrtc::media_stream::track_remote::{TrackRemote, TrackRemoteEvent};

use super::{Role, Session};
use crate::logic::rights::Rights;
use crate::peer::Feedback;
use crate::spider::ceiling::{self, Ceiling};
use crate::spider::channel::Channel;
use crate::spider::fault::Fault;
use crate::spider::key_frames::Asker;
use crate::spider::relay::{Downlink, METRIC_LABEL};
use crate::spider::uplink::{COMMAND_LABELS, DRIVE_LABEL, Meaning, newest_counts};

impl Session {
    /// Takes a channel that the client opened, and opens what belongs to it.
    pub(super) async fn taken(&mut self, label: String, channel: Arc<dyn DataChannel>) {
        let answers = self.uplink.is_some() && label == DRIVE_LABEL && !self.has_drive;
        self.attach(label, false, channel);
        if answers {
            self.has_drive = true;
            match self
                .peer
                .pc
                .create_data_channel(DRIVE_LABEL, Some(newest_counts()))
                .await
            {
                Ok(ours) => self.attach(DRIVE_LABEL.to_owned(), true, ours),
                Err(err) => tracing::warn!(
                    %err,
                    "spider: no drive channel to the publisher; lost commands are sent again and arrive late"
                ),
            }
        }
    }

    /// Reads a data channel until it closes; what it carries depends on role and label (rules 16, 17).
    pub(super) fn attach(&mut self, label: String, is_ours: bool, channel: Arc<dyn DataChannel>) {
        let uplink = self.uplink.clone();
        match (&uplink, &self.downlink) {
            // One of ours is used once the publisher has acknowledged it.
            (Some(uplink), _) if !is_ours => uplink.add(label.clone(), false, Arc::clone(&channel)),
            (None, Some(downlink)) if label == METRIC_LABEL => downlink.set_metric(&channel),
            _ => {}
        }
        let hub = Arc::clone(&self.channel);
        let role = self.request.role;
        let downlink = self.downlink.clone();
        let rights = self.request.rights;
        let deaf = label == DRIVE_LABEL && self.options.faults.has(Fault::DropDrive);
        self.tasks.spawn(async move {
            let mut ahead = None;
            while let Some(event) = match ahead.take() {
                Some(event) => Some(event),
                None => channel.poll().await,
            } {
                match event {
                    DataChannelEvent::OnOpen => {
                        if let (Some(uplink), true) = (&uplink, is_ours) {
                            uplink.add(label.clone(), true, Arc::clone(&channel));
                        }
                    }
                    DataChannelEvent::OnMessage(message) => match role {
                        Role::Subscriber if deaf => {} // rule 16
                        Role::Publisher if label == METRIC_LABEL => hub.metric(&message),
                        Role::Subscriber if COMMAND_LABELS.contains(&label.as_str()) => {
                            let from = Sender {
                                channel: &channel,
                                label: &label,
                                rights,
                                downlink: downlink.as_deref(),
                            };
                            ahead = command(&hub, &from, message).await;
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

    /// Passes on a viewer's requests for a key frame, the first of them when it comes.
    pub(super) fn pass_on_key_frame_requests(&mut self) {
        let (Some(downlink), channel) = (self.downlink.clone(), Arc::downgrade(&self.channel))
        else {
            return;
        };
        let feedback = Arc::clone(&self.peer.feedback);
        self.tasks.spawn(async move {
            downlink.connected();
            let mut asker = Asker::Arrived;
            loop {
                match channel.upgrade().map(|channel| channel.uplink()) {
                    Some(Some(uplink)) => uplink.want_key_frame(asker),
                    Some(None) => {}
                    None => return,
                }
                feedback.key_frame_wanted().await;
                asker = downlink.asker();
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
                    uplink.key_frame_due().await;
                    let request = PictureLossIndication {
                        sender_ssrc: 0,
                        media_ssrc: ssrc,
                    };
                    if track.write_rtcp(vec![Box::new(request)]).await.is_err() {
                        return;
                    }
                }
            });
        }
        if let Some(uplink) = self.uplink.clone() {
            let feedback = Arc::clone(&self.peer.feedback);
            self.tasks.spawn(async move {
                loop {
                    feedback.gap().await;
                    uplink.want_key_frame(Asker::Gap);
                }
            });
        }
        self.tasks.spawn(hold_to_path(
            Arc::clone(&self.peer.feedback),
            Arc::clone(&track),
            ssrc,
        ));
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
                if track.write_rtcp(vec![remb(kbps, ssrc)]).await.is_err() {
                    return;
                }
                if let Some(uplink) = &uplink {
                    uplink.want_key_frame(Asker::Driver);
                }
            }
        });
    }
}

/// A limit for the bitrate of a publisher's stream.
fn remb(kbps: u32, ssrc: u32) -> Box<dyn rtc::rtcp::Packet> {
    #[expect(
        clippy::cast_precision_loss,
        reason = "a bitrate in kbit/s is below 2^24"
    )]
    let bitrate = kbps as f32 * 1000.0;
    Box::new(ReceiverEstimatedMaximumBitrate {
        sender_ssrc: 0,
        bitrate,
        ssrcs: vec![ssrc],
    })
}

/// Limits a publisher whose path loses what it sends.
async fn hold_to_path(feedback: Arc<Feedback>, track: Arc<dyn TrackRemote>, ssrc: u32) {
    let mut ceiling = Ceiling::default();
    let mut looks = interval(ceiling::PERIOD);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        looks.tick().await;
        if let Some(kbps) = ceiling.look(feedback.take_arrivals())
            && track.write_rtcp(vec![remb(kbps, ssrc)]).await.is_err()
        {
            return;
        }
    }
}

/// Whose message it is, and on which channel it came.
struct Sender<'a> {
    channel: &'a Arc<dyn DataChannel>,
    label: &'a str,
    rights: Rights,
    downlink: Option<&'a Downlink>,
}

/// Relays a viewer's message, if he has the right that it takes. Of drive commands that are ready at once only the newest is passed on, so that a stall on the
/// viewer's way does not become a burst; what was read ahead and is no such command is returned.
async fn command(
    hub: &Channel,
    from: &Sender<'_>,
    mut message: RTCDataChannelMessage,
) -> Option<DataChannelEvent> {
    let Sender {
        channel,
        label,
        rights,
        downlink,
    } = *from;
    if let Some(downlink) = downlink {
        downlink.heard();
    }
    let (mut meaning, needed) = Meaning::read(&message.data);
    if !rights.has(needed) {
        if let Some(downlink) = downlink {
            downlink.overstepped(needed, rights);
        }
        return None;
    }
    let uplink = hub.uplink();
    let mut drives = meaning.is_drivers();
    let mut ahead = None;
    while matches!(meaning, Meaning::Drive { .. }) {
        match channel.poll().now_or_never().flatten() {
            Some(DataChannelEvent::OnMessage(next)) => {
                let (newer, needed) = Meaning::read(&next.data);
                if !(meaning.is_superseded_by(newer) && rights.has(needed)) {
                    ahead = Some(DataChannelEvent::OnMessage(next));
                    break;
                }
                drives |= newer.is_drivers();
                (meaning, message) = (newer, next);
            }
            other => {
                ahead = other;
                break;
            }
        }
    }
    if let Some(uplink) = uplink {
        if drives {
            uplink.driven();
            if let Some(downlink) = downlink {
                downlink.drives();
            }
        }
        uplink.command(label, meaning, &message).await;
    }
    ahead
}
