//! A sender and a receiver of video on a path that is too thin, or loses packets: what repair costs and what it mends.

#![allow(
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test fails by panicking, and says what it measured"
)]

mod harness;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use harness::thin::{ThinPath, Way, address, moved};
use harness::until;
use rtc::rtp_transceiver::rtp_sender::RtpCodecKind;
use rtc::rtp_transceiver::{RTCRtpTransceiverDirection, RTCRtpTransceiverInit};
use spidercar::app::clock;
use spidercar::net::publish::{VideoOut, publication};
use spidercar::peer::{Feedback, Peer, PeerEvent, PeerOptions, build};
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};
use webrtc::media_stream::track_remote::TrackRemoteEvent;
use webrtc::peer_connection::{RTCPeerConnectionState, RTCSessionDescription};

const FRAME: Duration = Duration::from_millis(33);
/// Bytes of a frame: 2.4 Mb/s at 30 frames a second.
const FRAME_BYTES: usize = 10_000;

/// The two ends of a stream, and the path between them.
struct Stream {
    video: VideoOut,
    path: ThinPath,
    arrived: Arc<Mutex<BTreeSet<u16>>>,
    receiver: Arc<Feedback>,
    _peers: JoinSet<()>,
}

async fn described(peer: &mut Peer) -> String {
    while !matches!(peer.events.recv().await, Some(PeerEvent::GatheringComplete)) {}
    peer.pc.local_description().await.expect("it was set").sdp
}

impl Stream {
    async fn over(way: Way) -> Self {
        let made = publication(PeerOptions::loopback())
            .await
            .expect("a sender");
        let mut sender = made.peer;
        let mut receiver = build(PeerOptions::loopback()).await.expect("a receiver");
        let receive = RTCRtpTransceiverInit {
            direction: RTCRtpTransceiverDirection::Recvonly,
            ..Default::default()
        };
        receiver
            .pc
            .add_transceiver_from_kind(RtpCodecKind::Video, Some(receive))
            .await
            .expect("room for video");

        let offer = sender.pc.create_offer(None).await.expect("an offer");
        sender.pc.set_local_description(offer).await.expect("set");
        let offer = described(&mut sender).await;
        // The receiver's address is known only once it has answered, so it answers an offer without candidates first.
        let bare: String = offer
            .split_inclusive('\n')
            .filter(|line| !line.starts_with("a=candidate:"))
            .collect();
        let remote = RTCSessionDescription::offer(bare).expect("an offer");
        receiver
            .pc
            .set_remote_description(remote)
            .await
            .expect("set");
        let answer = receiver.pc.create_answer(None).await.expect("an answer");
        receiver
            .pc
            .set_local_description(answer)
            .await
            .expect("set");
        let answer = described(&mut receiver).await;

        // The receiver learns the sender's address from its checks, which come from the path.
        let path = ThinPath::between(address(&offer), address(&answer), way).await;
        let remote =
            RTCSessionDescription::answer(moved(&answer, path.for_near)).expect("an answer");
        sender.pc.set_remote_description(remote).await.expect("set");

        let feedback = Arc::clone(&receiver.feedback);
        let arrived = Arc::<Mutex<BTreeSet<u16>>>::default();
        let is_up = Arc::new(Mutex::new(false));
        let mut peers = JoinSet::new();
        let (seen, up) = (Arc::clone(&arrived), Arc::clone(&is_up));
        peers.spawn(async move {
            let mut readers = JoinSet::new();
            while let Some(event) = receiver.events.recv().await {
                let PeerEvent::Track(track) = event else {
                    continue;
                };
                let seen = Arc::clone(&seen);
                readers.spawn(async move {
                    while let Some(event) = track.poll().await {
                        if let TrackRemoteEvent::OnRtpPacket(packet) = event {
                            let number = packet.header.sequence_number;
                            seen.lock().expect("not poisoned").insert(number);
                        }
                    }
                });
            }
        });
        peers.spawn(async move {
            while let Some(event) = sender.events.recv().await {
                if matches!(event, PeerEvent::State(RTCPeerConnectionState::Connected)) {
                    *up.lock().expect("not poisoned") = true;
                }
            }
        });
        until("both peers to connect", || {
            *is_up.lock().expect("not poisoned")
        })
        .await;
        Self {
            video: made.video,
            path,
            arrived,
            receiver: feedback,
            _peers: peers,
        }
    }

    /// Sends so many frames, each `key_every`-th a key frame; returns their bytes.
    async fn send(&mut self, frames: usize, key_every: usize) -> u64 {
        let mut beats = interval(FRAME);
        beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut bytes = 0;
        for number in 1..=frames {
            beats.tick().await;
            let header = if number % key_every == 0 { 0x65 } else { 0x61 };
            let mut unit = vec![0, 0, 0, 1, header, 0x88];
            unit.resize(FRAME_BYTES, 0x55);
            bytes += unit.len() as u64;
            self.video
                .send(&unit, clock::now(), || ())
                .await
                .expect("sent");
        }
        bytes
    }

    fn arrived(&self) -> usize {
        self.arrived.lock().expect("not poisoned").len()
    }
}

/// What is sent again is bounded by what is sent, however much of it is lost.
#[tokio::test(flavor = "multi_thread")]
async fn a_path_thinner_than_the_video_is_not_flooded_with_repairs() {
    let mut stream = Stream::over(Way {
        kbps: 1_000,
        queue: Duration::from_millis(200),
        delay: Duration::from_millis(30),
        lose_each: 0,
    })
    .await;
    stream.path.narrow();
    let video = stream.send(150, 30).await;
    let (offered, arrived) = (stream.path.offered(), stream.arrived());
    println!("offered {offered} bytes for {video} of video, {arrived} packets arrived");
    assert!(offered >= video, "the path saw {offered} of {video} bytes");
    assert!(
        offered * 2 <= video * 3,
        "{offered} bytes were offered for {video} of video"
    );
    assert!(arrived > 0, "nothing arrived");
}

/// On a path with room every lost packet is repaired, also where the repair comes a hundred packets later.
#[tokio::test(flavor = "multi_thread")]
async fn lost_packets_are_repaired_over_a_round_trip_longer_than_64_packets() {
    let mut stream = Stream::over(Way {
        kbps: 100_000,
        queue: Duration::from_secs(1),
        delay: Duration::from_millis(150),
        lose_each: 50,
    })
    .await;
    // Nothing is missing in front of the first packet, so the first few are not lost. No key frame follows them: it would
    // end the wait for what is before it.
    stream.send(5, 1).await;
    until("the first packets", || stream.arrived() > 10).await;
    stream.path.narrow();
    let mut lost = 0;
    stream.receiver.take_arrivals();
    // A gap of more is where the numbers wrapped.
    let gaps = |numbers: &BTreeSet<u16>| {
        let sorted: Vec<_> = numbers.iter().copied().collect();
        sorted
            .windows(2)
            .filter(|two| (2..1_000).contains(&(two[1] - two[0])))
            .count()
    };
    for _ in 0..4 {
        stream.send(15, usize::MAX).await;
        lost += stream.receiver.take_arrivals().lost;
    }
    assert!(lost > 3, "only {lost} packets were lost");
    until("every lost packet to be repaired", || {
        gaps(&stream.arrived.lock().expect("not poisoned")) == 0
    })
    .await;
    println!("{lost} packets were lost, all were repaired");
}
