//! The beginning of a session: a place on the channel, a peer, an answer.
//!
//! ```text
//!   offer ─▶ one ufrag? ─▶ codec ─▶ place ─▶ peer ─▶ video ─▶ answer with all candidates
//!              │ no                  │ busy, full
//!              └─────────────────────┴──▶ dropped without a word
//! ```
//!
//! Promises: what was taken is given back on every way out. Knows nothing of: what follows the answer.
//! Sources: PROTOCOL.md 5.1, whose rule numbers stand in the comments.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::ws::{Message, WebSocket};
use rtc::rtp;
use rtc::rtp_transceiver::rtp_sender::RtpCodecKind;
use rtc::rtp_transceiver::{RTCRtpTransceiverDirection, RTCRtpTransceiverInit};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::{BUSY, End, REFUSED, Request, Role, Session, log_as, send};
use crate::logic::rights::Right;
use crate::peer::{
    Codec, PLAYOUT_DELAY_URI, PeerEvent, PeerOptions, answer_in_kind, build, has_one_ufrag,
    is_in_legacy_dialect, offered_codecs, video_track,
};
use crate::spider::SpiderOptions;
use crate::spider::channel::{Channel, Claim, FULL, Member, Note, Seat};
use crate::spider::fault::Fault;
use crate::spider::relay::{Downlink, METRIC_LABEL, Queues, cannot_decode, feed, tell};
use crate::spider::rewrite::Rewriter;
use crate::spider::uplink::{DRIVE_LABEL, Uplink, newest_counts};

/// Longest wait for local candidates. choice: host candidates take microseconds; a dead DNS does not.
const GATHER_LIMIT: Duration = Duration::from_secs(2);

/// A place on a channel and what comes with it.
struct Place {
    member: Member,
    notes: mpsc::Receiver<Note>,
    uplink: Option<Arc<Uplink>>,
    downlink: Option<Arc<Downlink>>,
    queues: Option<Queues>,
}

/// Rule 10: the codec that is published, and nothing else, to a viewer; else the one asked for, H.264, or the first offered.
///
/// `Err` is what to tell a viewer that cannot decode what is published. Without a publisher yet, `Channel::publish` looks.
fn choose(
    request: &Request,
    channel: &Channel,
    offered: &[Codec],
    has_video: bool,
) -> Result<Option<Codec>, &'static str> {
    if request.role == Role::Subscriber && has_video && offered.is_empty() {
        return Err(cannot_decode(channel.codec().unwrap_or(Codec::H264)));
    }
    if request.role == Role::Subscriber
        && has_video
        && let Some(published) = channel.codec()
    {
        return if offered.contains(&published) {
            Ok(Some(published))
        } else {
            Err(cannot_decode(published))
        };
    }
    Ok(request
        .vcodec
        .filter(|codec| offered.contains(codec))
        .or_else(|| offered.contains(&Codec::H264).then_some(Codec::H264))
        .or_else(|| offered.first().copied()))
}

fn publish(
    channel: &Arc<Channel>,
    codec: Option<Codec>,
    request: &Request,
    options: &SpiderOptions,
) -> Result<Place, End> {
    let uplink = Arc::new(Uplink::default());
    let claim = Claim {
        instance: request.instance.clone(),
        replaces_anybody: options.faults.has(Fault::ReplacePublisher),
    };
    let joined = channel.publish(Arc::clone(&uplink), codec, claim);
    let (member, notes) = joined.map_err(|_| BUSY)?; // rule 18
    Ok(Place {
        member,
        notes,
        uplink: Some(uplink),
        downlink: None,
        queues: None,
    })
}

fn subscribe(
    channel: &Arc<Channel>,
    codec: Option<Codec>,
    offered: Vec<Codec>,
    request: &Request,
    options: &SpiderOptions,
) -> Result<Place, End> {
    if channel.uplink().is_none() && options.faults.has(Fault::NeedPublisher) {
        return Err("fault: no publisher yet"); // rule 19
    }
    let (downlink, queues) = Downlink::new(codec, offered);
    let seat = Seat {
        instance: request.instance.clone(),
        drives: request.drives,
    };
    let joined = channel.subscribe(Arc::clone(&downlink), seat, Instant::now());
    let (member, notes) = joined.map_err(|_| FULL)?; // rule 22
    Ok(Place {
        member,
        notes,
        uplink: None,
        downlink: Some(downlink),
        queues: Some(queues),
    })
}

impl Session {
    /// Joins the channel and builds the peer that was offered to, then answers.
    pub(super) async fn start(
        socket: &mut WebSocket,
        request: Request,
        channel: Arc<Channel>,
        options: Arc<SpiderOptions>,
        offer: &str,
        early: Vec<Value>,
    ) -> Result<Self, End> {
        if options.faults.has(Fault::SilentDrop) {
            return Err("fault: dropped after its offer");
        }
        has_one_ufrag(offer).map_err(|err| {
            tracing::warn!(%err, "spider: offer refused"); // rule 8
            "offer refused"
        })?;
        let offered = offered_codecs(offer);
        let codec = match choose(&request, &channel, &offered, offer.contains("m=video ")) {
            Ok(codec) => codec,
            Err(words) => {
                tracing::warn!("spider: a viewer was refused: {words}");
                send(socket, "error", Some(words)).await?;
                return Err("it cannot decode what is published");
            }
        };
        // The place first: a client that may not join costs no peer.
        let place = match request.role {
            Role::Publisher => publish(&channel, codec, &request, &options)?,
            Role::Subscriber => subscribe(&channel, codec, offered, &request, &options)?,
        };
        let peer_options = PeerOptions {
            ice_servers: Vec::new(),
            relay_only: false,
            addrs: options.media_addrs(),
            own_addrs: if request.role == Role::Subscriber {
                options.own_addrs()
            } else {
                Vec::new()
            },
            codecs: codec.into_iter().collect(),
            answers_passively: is_in_legacy_dialect(offer),
            reach: request.reach,
            gives_way: !request.rights.has(Right::Drive) && request.role == Role::Subscriber,
        };
        let peer = build(peer_options).await.map_err(log_as("no peer"))?;
        let mut session = Self {
            request,
            channel,
            options,
            peer,
            uplink: place.uplink,
            downlink: place.downlink,
            notes: place.notes,
            member: Some(place.member),
            has_come: false,
            has_drive: false,
            channels: 0,
            tasks: JoinSet::new(),
        };
        let packets = place
            .queues
            .zip(session.downlink.clone())
            .map(|(queues, downlink)| {
                session.tasks.spawn(tell(queues.metrics, downlink));
                queues.video
            });
        let started = async {
            if let Some(codec) = codec {
                session.prepare_video(codec, offer, packets).await?;
            }
            session.answer(socket, offer, early).await
        };
        match started.await {
            Ok(()) => Ok(session),
            Err(end) => {
                session.stop().await;
                Err(end)
            }
        }
    }

    /// Makes room for a publisher's video, or a track for a viewer's.
    async fn prepare_video(
        &mut self,
        codec: Codec,
        offer: &str,
        packets: Option<mpsc::Receiver<rtp::Packet>>,
    ) -> Result<(), End> {
        let (Some(packets), Some(downlink)) = (packets, self.downlink.clone()) else {
            let receive = RTCRtpTransceiverInit {
                direction: RTCRtpTransceiverDirection::Recvonly,
                ..Default::default()
            };
            let added = self
                .peer
                .pc
                .add_transceiver_from_kind(RtpCodecKind::Video, Some(receive));
            return added.await.map(drop).map_err(log_as("no transceiver"));
        };
        let ssrc = rand::random();
        let track = Arc::new(video_track(codec, ssrc));
        let adding = self.peer.pc.add_track(Arc::clone(&track) as _);
        let sender = adding.await.map_err(log_as("no track"))?;
        let taken = self.peer.take_offer(offer).await;
        taken.map_err(log_as(REFUSED))?;
        let agreed = sender
            .get_parameters()
            .await
            .map_err(log_as("no parameters"))?
            .rtp_parameters;
        let payload_type = agreed
            .codecs
            .iter()
            .find(|one| Codec::from_mime(&one.rtp_codec.mime_type) == Some(codec))
            .map_or(codec.payload_type(), |one| one.payload_type);
        let low_delay_id = agreed
            .header_extensions
            .iter()
            .find(|extension| extension.uri == PLAYOUT_DELAY_URI)
            .and_then(|extension| u8::try_from(extension.id).ok());
        let rewriter = Rewriter::new(ssrc, payload_type, low_delay_id);
        let upward = Arc::downgrade(&self.channel);
        let uplink = move || upward.upgrade().and_then(|channel| channel.uplink());
        self.tasks
            .spawn(feed(packets, downlink, track, rewriter, codec, uplink));
        Ok(())
    }

    async fn answer(
        &mut self,
        socket: &mut WebSocket,
        offer: &str,
        early: Vec<Value>,
    ) -> Result<(), End> {
        let faults = self.options.faults.clone();
        if self.peer.pc.remote_description().await.is_none() {
            let taken = self.peer.take_offer(offer).await;
            taken.map_err(log_as(REFUSED))?;
        }
        if faults.has(Fault::ServerChannels) || faults.has(Fault::OnlyServerChannels) {
            self.open_channels().await?; // rule 15
        }
        let answer = self
            .peer
            .pc
            .create_answer(None)
            .await
            .map_err(log_as("no answer possible"))?;
        self.peer
            .pc
            .set_local_description(answer)
            .await
            .map_err(log_as("no answer possible"))?;
        let candidates = self.gather().await;
        let local = self
            .peer
            .pc
            .local_description()
            .await
            .ok_or("no local description")?;
        let mut sdp = answer_in_kind(offer, &local.sdp); // rule 9
        if faults.has(Fault::TrickleOnly) {
            sdp = sdp
                .lines()
                .filter(|line| !line.starts_with("a=candidate:"))
                .fold(String::new(), |all, line| all + line + "\r\n");
        } else if !sdp.contains("a=end-of-candidates") {
            sdp.push_str("a=end-of-candidates\r\n"); // rule 5: they are all here
        }
        if faults.has(Fault::BinaryFrame) {
            socket
                .send(Message::binary(vec![0, 159, 146, 150]))
                .await
                .map_err(|_| "socket closed")?;
        }
        if faults.has(Fault::Junk) {
            socket
                .send(Message::text("no JSON at all {"))
                .await
                .map_err(|_| "socket closed")?;
            socket
                .send(Message::text("[1,2,{\"type\":3}]"))
                .await
                .map_err(|_| "socket closed")?;
        }
        if faults.has(Fault::PlainClose) {
            socket
                .send(Message::text("close"))
                .await
                .map_err(|_| "socket closed")?;
            return Err("fault: plain close");
        }
        if faults.has(Fault::ErrorMessage) {
            send(socket, "error", Some("something went wrong")).await?;
            return Err("fault: error message");
        }
        if faults.has(Fault::LateAnswer) {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        if !faults.has(Fault::NoAnswer) {
            send(socket, "answer", Some(&sdp)).await?;
        }
        if faults.has(Fault::Trickle) || faults.has(Fault::TrickleOnly) {
            for candidate in &candidates {
                // Rule 6, both forms: the old one bare, the new one a JSON string.
                let bare = candidate.strip_prefix("candidate:").unwrap_or(candidate);
                send(socket, "candidate", Some(bare)).await?;
                let init = json!({"candidate": candidate, "sdpMid": "", "sdpMLineIndex": 0});
                send(socket, "candidate2", Some(&init.to_string())).await?;
            }
        }
        for message in early {
            let text = |key| message.get(key).and_then(Value::as_str).unwrap_or_default();
            self.candidate(text("type"), text("data")).await;
        }
        Ok(())
    }

    /// Waits until all local candidates are known and returns them.
    async fn gather(&mut self) -> Vec<String> {
        let mut candidates = Vec::new();
        let gathering = async {
            while let Some(event) = self.peer.events.recv().await {
                match event {
                    PeerEvent::Candidate(text) => candidates.push(text),
                    PeerEvent::GatheringComplete => break,
                    PeerEvent::State(_) | PeerEvent::Channel(_) | PeerEvent::Track(_) => {}
                }
            }
        };
        if timeout(GATHER_LIMIT, gathering).await.is_err() {
            tracing::warn!("spider: answering with the candidates found so far");
        }
        candidates
    }

    async fn open_channels(&mut self) -> Result<(), End> {
        if self.request.role != Role::Subscriber {
            return Ok(());
        }
        for label in [METRIC_LABEL, "stream", DRIVE_LABEL] {
            let init = (label == DRIVE_LABEL).then(newest_counts);
            let channel = self
                .peer
                .pc
                .create_data_channel(label, init)
                .await
                .map_err(log_as("no channel"))?;
            self.attach(label.to_owned(), true, channel);
        }
        Ok(())
    }
}
