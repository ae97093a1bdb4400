//! The way from the viewers of a channel to its publisher: commands, and the wish for a key frame.
//!
//! ```text
//!   viewer's drive ──▶ newest of those that are ready ──▶ room on the way? ──▶ publisher's drive, opened by us
//!                                                          │ no: dropped        (else its own, else stream)
//!   viewer's stream ─▶ as it came ────────────────────────────────────────────▶ publisher's stream
//! ```
//!
//! A drive command is worth something only while it is new, so it travels unordered and is never sent again. `rtc` sets
//! that for the side that opens a channel alone (rtc-0.21.1 `handler/sctp.rs`: `set_reliability_params` is called for an
//! outgoing `DATA_CHANNEL_OPEN` only); what is sent on an accepted channel is ordered and sent again until it arrives.
//! So the Spider opens a `drive` of its own to each publisher that has one.
//!
//! *Source:* RFC 8832 5.1 (channel type), RFC 3758 (partial reliability), EXTENSION.md.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use tokio::sync::Notify;
use tokio::time::sleep_until;
use webrtc::data_channel::{DataChannel, RTCDataChannelInit, RTCDataChannelMessage};

use super::key_frames::{Asker, KeyFrames};
use super::relay::{forward, lock};
use crate::logic::rights::Right;
use crate::logic::wire::{Incoming, Reject, Want, decode};

/// Labels that carry commands upwards.
pub(super) const COMMAND_LABELS: [&str; 2] = ["stream", DRIVE_LABEL];

/// Label of the channel on which the newest command counts.
pub(super) const DRIVE_LABEL: &str = "drive";

/// Drive commands on their way to a publisher, in bytes; further ones are dropped while so many are unacknowledged.
/// choice: 50 commands of 80 bytes a second over a round trip of a second; SCTP's first window is as large (RFC 9260
/// 7.2.1: 4380 bytes), so that what is taken leaves at once and nothing waits to be late.
const DRIVE_ROOM: usize = 4096;

/// How a channel is opened on which the newest command counts. spec: README "The shape", EXTENSION.md.
pub(super) fn newest_counts() -> RTCDataChannelInit {
    RTCDataChannelInit {
        ordered: false,
        max_retransmits: Some(0),
        ..Default::default()
    }
}

/// What a viewer's message means for the relay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    /// A drive command: only the newest of a lease is worth anything.
    Drive {
        /// Whose.
        lease: u32,
        /// Its place among that sender's commands.
        seq: crate::logic::units::Seq,
        /// The sender asks for motion.
        moves: bool,
    },
    /// The sender drives, or wants to.
    Claims,
    /// Anything else, understood or not.
    Other,
}

impl Meaning {
    /// Reads a message, and says what somebody who sends it must have the right to; what is not understood is relayed all the same.
    pub(super) fn read(message: &[u8]) -> (Self, Right) {
        let message = decode(message);
        (Self::of(&message), Right::needed(&message))
    }

    fn of(message: &Result<Incoming, Reject>) -> Self {
        match message {
            Ok(Incoming::Drive(drive)) => Self::Drive {
                lease: drive.lease.get(),
                seq: drive.seq,
                moves: !drive.is_neutral() || !drive.steering.is_zero(),
            },
            Ok(Incoming::Arm(_)) => Self::Claims,
            Ok(Incoming::Lease(lease)) if lease.want == Want::Take => Self::Claims,
            Ok(Incoming::Motion(motion)) if motion.milli_steps > 0 => Self::Claims,
            _ => Self::Other,
        }
    }

    /// Whether the sender drives.
    pub(super) fn is_drivers(self) -> bool {
        matches!(self, Self::Claims | Self::Drive { moves: true, .. })
    }

    /// Whether `next`, which came later, makes this message worthless.
    pub(super) fn is_superseded_by(self, next: Self) -> bool {
        match (self, next) {
            (
                Self::Drive { lease, seq, .. },
                Self::Drive {
                    lease: other,
                    seq: newer,
                    ..
                },
            ) => lease == other && newer.is_newer_than(seq),
            _ => false,
        }
    }
}

/// A channel to the publisher.
struct Way {
    label: String,
    is_ours: bool,
    channel: Arc<dyn DataChannel>,
}

/// The way to a publisher.
#[derive(Default)]
pub(super) struct Uplink {
    ways: Mutex<Vec<Way>>,
    key_frames: Mutex<KeyFrames>,
    /// Woken by each wish for a key frame.
    wish: Notify,
    late: AtomicU64,
}

impl Uplink {
    /// Remembers a channel to the publisher; `is_ours` if the Spider opened it.
    pub(super) fn add(&self, label: String, is_ours: bool, channel: Arc<dyn DataChannel>) {
        lock(&self.ways).push(Way {
            label,
            is_ours,
            channel,
        });
    }

    /// Forgets a channel that closed.
    pub(super) fn remove(&self, channel: &Arc<dyn DataChannel>) {
        lock(&self.ways).retain(|way| !Arc::ptr_eq(&way.channel, channel));
    }

    /// Drive commands that were dropped because those before them had not left.
    pub(super) fn late(&self) -> u64 {
        self.late.load(Ordering::Relaxed)
    }

    /// Sends a viewer's command on the channel of that label, or on `stream` where there is no other.
    pub(super) async fn command(
        &self,
        label: &str,
        meaning: Meaning,
        message: &RTCDataChannelMessage,
    ) {
        let Some(channel) = self.way(label) else {
            return;
        };
        if matches!(meaning, Meaning::Drive { .. })
            && channel.outstanding_bytes().await.unwrap_or(0) > DRIVE_ROOM
        {
            self.late.fetch_add(1, Ordering::Relaxed);
            return;
        }
        forward(&channel, message).await;
    }

    /// The channel for messages of a label: ours, which is as unreliable as it should be, before the publisher's.
    fn way(&self, label: &str) -> Option<Arc<dyn DataChannel>> {
        let ways = lock(&self.ways);
        let by = |wanted: &str| {
            let of_label = || ways.iter().filter(|way| way.label == wanted);
            of_label()
                .find(|way| way.is_ours)
                .or_else(|| of_label().next())
        };
        let found = by(label).or_else(|| by("stream"));
        found.map(|way| Arc::clone(&way.channel))
    }

    /// Notes that a viewer drives.
    pub(super) fn driven(&self) {
        lock(&self.key_frames).driven(Instant::now());
    }

    /// Notes that somebody needs a key frame.
    pub(super) fn want_key_frame(&self, asker: Asker) {
        lock(&self.key_frames).want(asker);
        self.wish.notify_one();
    }

    /// Waits until the publisher is to be asked for a key frame. Cancel-safe until it returns.
    pub(super) async fn key_frame_due(&self) {
        loop {
            let due = {
                let mut key_frames = lock(&self.key_frames);
                let now = Instant::now();
                if key_frames.take(now) {
                    return;
                }
                key_frames.due(now)
            };
            let wait = async {
                match due {
                    Some(due) => sleep_until(due.into()).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = wait => {}
                () = self.wish.notified() => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meaning(message: &[u8]) -> Meaning {
        Meaning::read(message).0
    }

    fn drive(lease: u32, seq: u32, throttle: i32) -> Meaning {
        let text = format!(
            r#"{{"drive":{{"seq":{seq},"t_ms":1,"throttle":{throttle},"steering":0,"lease":{lease}}}}}"#
        );
        meaning(text.as_bytes())
    }

    #[test]
    fn only_a_newer_drive_command_of_the_same_lease_supersedes() {
        let first = drive(7, 10, 100);
        assert!(first.is_superseded_by(drive(7, 11, 0)));
        assert!(!first.is_superseded_by(drive(7, 9, 0)), "older");
        assert!(!first.is_superseded_by(drive(8, 11, 0)), "another driver's");
        let stop = meaning(br#"{"stop":{}}"#);
        assert!(!first.is_superseded_by(stop));
        assert!(!stop.is_superseded_by(first), "a stop is never dropped");
    }

    #[test]
    fn a_viewer_that_sends_neutral_does_not_drive() {
        assert!(drive(7, 1, 5).is_drivers());
        assert!(!drive(7, 1, 0).is_drivers());
        for (text, drives) in [
            (r#"{"arm":{"seq":1,"t_ms":1,"lease":7}}"#, true),
            (r#"{"lease":{"id":7,"want":1}}"#, true),
            (r#"{"lease":{"id":7,"want":2}}"#, false),
            (r#"{"motion":{"key":"forward","value":3}}"#, true),
            (r#"{"motion":{"key":"forward","value":0}}"#, false),
            (r#"{"ping":{"id":1,"t_ms":20}}"#, false),
            ("junk", false),
        ] {
            assert_eq!(meaning(text.as_bytes()).is_drivers(), drives, "{text}");
        }
    }
}
