//! One WebSocket of the local Spider: signalling in, one peer, one role on one channel.
//!
//! ```text
//!   open ──offer──▶ join channel ─▶ build peer ─▶ answer ─▶ connected ─▶ ... ─▶ socket or peer ends
//!    │                  │ busy, full, bad offer                                      │
//!    └─ candidates      ▼                                                            ▼
//!       are kept      dropped, without a word (what the successor does)      peer closed, place given up
//! ```
//!
//! Promises: every way out closes the peer and leaves the channel; anything a client sends is parsed
//! defensively and at worst ignored. Knows nothing of: HTTP, TLS, who the client is.
//! Sources: PROTOCOL.md 2 and 5.1, whose numbers stand in the comments.

mod media;
mod start;

use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::ws::{CloseFrame, Message, WebSocket, close_code};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};
use webrtc::peer_connection::{RTCIceCandidateInit, RTCPeerConnectionState};

use super::channel::{Channel, FULL, Member, Note};
use super::fault::Fault;
use super::relay::Downlink;
use super::uplink::Uplink;
use super::{Faults, SpiderOptions};
use crate::config::Secret;
use crate::logic::rights::{Right, Rights};
use crate::peer::{Codec, MAX_CANDIDATES, Peer, PeerEvent, Reach, answer_in_kind, has_one_ufrag};

/// Which side a client is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// Sends video and metrics.
    Publisher,
    /// Receives them and sends commands.
    Subscriber,
}

impl Role {
    /// What it takes to be on this side.
    pub(super) const fn right(self) -> Right {
        match self {
            Self::Publisher => Right::Publish,
            Self::Subscriber => Right::Watch,
        }
    }
}

/// What a client asked for in its address.
#[derive(Clone, Debug)]
pub(super) struct Request {
    pub(super) role: Role,
    pub(super) channel_id: String,
    pub(super) vcodec: Option<Codec>,
    pub(super) brate_kbps: Option<u32>,
    pub(super) ktime: Option<u32>,
    /// By what a client proves that it is the same as before.
    pub(super) instance: Option<Secret>,
    /// A viewer wants to drive.
    pub(super) drives: bool,
    /// What its key is for.
    pub(super) rights: Rights,
    /// It wants to be told so. Others have never heard of the message.
    pub(super) asks_rights: bool,
    /// Where it is, and so how far its candidates may lead.
    pub(super) reach: Reach,
}

/// Why a session ended; for the log.
type End = &'static str;

/// Longest wait for an offer: a socket without one is of no use to anybody. choice: twice what a slow phone needs to gather.
const OFFER_LIMIT: Duration = Duration::from_secs(10);

/// Longest wait for a connection: a place on a channel is for who comes, not for who has asked for it. choice: twice what a phone
/// needs that tries each of its addresses and then its TURN server.
const CONNECT_LIMIT: Duration = Duration::from_secs(20);

/// Data channels that a client may open in a session, and the longest label in bytes: the stack keeps each until the end.
/// choice: clients open three, twice over where they also take the Spider's; their labels have six characters.
const MAX_CHANNELS: usize = 8;
const MAX_LABEL: usize = 64;

/// The stack cannot use what the client says of itself, or there is too much of it.
const REFUSED: End = "description refused";

/// Somebody else publishes.
const BUSY: End = "the channel has a publisher already";

/// Serves one socket to its end.
pub(super) async fn serve(
    mut socket: WebSocket,
    request: Request,
    channel: Arc<Channel>,
    options: Arc<SpiderOptions>,
) {
    let role = request.role;
    tracing::info!(?role, channel = %request.channel_id, "spider: client");
    let mut early = Vec::new();
    if request.asks_rights {
        let may = request.rights.to_string();
        let _ = send(&mut socket, "rights", Some(&may)).await; // it may be gone: the offer will not come
    }
    let offer = timeout(OFFER_LIMIT, first_offer(&mut socket, &mut early)).await;
    let end = match offer.unwrap_or(Err("no offer in ten seconds")) {
        Ok(offer) => {
            match Session::start(&mut socket, request, channel, options, &offer, early).await {
                Ok(mut session) => {
                    let end = session.run(&mut socket).await;
                    session.stop().await;
                    end
                }
                Err(end) => end,
            }
        }
        Err(end) => end,
    };
    if end == FULL || end == BUSY {
        // A page says so instead of asking for a key, a car comes again soon; others see a socket that closes.
        let frame = CloseFrame {
            code: close_code::AGAIN,
            reason: end.into(),
        };
        let _ = socket.send(Message::Close(Some(frame))).await; // it may be gone
    }
    tracing::info!(?role, why = end, "spider: client gone");
}

/// Waits for the offer; keeps candidates that came before it (5.1 rule 4).
async fn first_offer(socket: &mut WebSocket, early: &mut Vec<Value>) -> Result<String, End> {
    loop {
        let message = socket.recv().await.ok_or("left before its offer")?;
        let Some((kind, data)) = envelope(message.map_err(|_| "socket error before its offer")?)
        else {
            continue;
        };
        match kind.as_str() {
            "offer" => return Ok(data),
            "candidate" | "candidate2" if early.len() < MAX_CANDIDATES => {
                early.push(json!({"type": kind, "data": data}));
            }
            "ping" => send(socket, "pong", None).await?,
            _ => tracing::debug!(kind, "spider: ignored before the offer"),
        }
    }
}

/// Splits `{"type","data"}`; a missing `data` is empty, anything else is `None` (rule 3).
fn envelope(message: Message) -> Option<(String, String)> {
    let Message::Text(text) = message else {
        return None;
    };
    let value: Value = serde_json::from_str(&text).ok()?;
    let kind = value.get("type")?.as_str()?.to_owned();
    let data = value
        .get("data")
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned();
    Some((kind, data))
}

async fn send(socket: &mut WebSocket, kind: &str, data: Option<&str>) -> Result<(), End> {
    let message = match data {
        Some(data) => json!({"type": kind, "data": data}),
        None => json!({"type": kind}),
    };
    socket
        .send(Message::text(message.to_string()))
        .await
        .map_err(|_| "socket closed while writing")
}

struct Session {
    request: Request,
    channel: Arc<Channel>,
    options: Arc<SpiderOptions>,
    peer: Peer,
    uplink: Option<Arc<Uplink>>,
    downlink: Option<Arc<Downlink>>,
    notes: mpsc::Receiver<Note>,
    member: Option<Member>,
    /// It was connected once.
    has_come: bool,
    /// A `drive` of ours to a publisher was opened.
    has_drive: bool,
    /// How many data channels the client has opened.
    channels: usize,
    tasks: JoinSet<()>,
}

impl Session {
    async fn run(&mut self, socket: &mut WebSocket) -> End {
        let mut pings = interval(self.options.ping_every);
        pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
        pings.reset();
        let mut late = pin!(sleep(CONNECT_LIMIT));
        let is_asked_for_ever = self.options.faults.has(Fault::NoAnswer);
        let keep_media = self.options.faults.has(Fault::KeepMedia);
        let idle_limit = self.options.ping_every * 2;
        let mut heard_at = Instant::now();
        let mut socket_open = true;
        loop {
            tokio::select! {
                message = socket.recv(), if socket_open => match message {
                    Some(Ok(message)) => {
                        heard_at = Instant::now();
                        if let Some((kind, data)) = envelope(message)
                            && let Err(end) = self.hear(socket, &kind, &data).await
                        {
                            return end;
                        }
                    }
                    Some(Err(_)) | None if keep_media => socket_open = false, // rule 21
                    Some(Err(_)) => return "socket error",
                    None => return "socket closed",
                },
                event = self.peer.events.recv() => match event {
                    Some(event) => if let Err(end) = self.happen(socket, event).await {
                        return end;
                    },
                    None => return "peer gone",
                },
                () = &mut late, if !self.has_come && !is_asked_for_ever => {
                    return "no connection in twenty seconds";
                }
                note = self.notes.recv() => match note {
                    Some(Note::Joins(text)) if socket_open => {
                        if let Err(end) = send(socket, "joins", Some(&text)).await {
                            return end;
                        }
                    }
                    Some(Note::Leave(why)) => return why,
                    Some(Note::Refuse(words)) => {
                        let _ = send(socket, "error", Some(words)).await; // it leaves all the same
                        return words;
                    }
                    Some(Note::Joins(_)) | None => {}
                },
                _ = pings.tick(), if socket_open => {
                    if self.options.faults.has(Fault::IdleTimeout) && heard_at.elapsed() > idle_limit {
                        return "fault: nothing heard for two ping intervals"; // rule 12
                    }
                    if self.request.role == Role::Publisher // rule 11
                        && let Err(end) = send(socket, "ping", None).await
                    {
                        return end;
                    }
                }
            }
        }
    }

    async fn hear(&mut self, socket: &mut WebSocket, kind: &str, data: &str) -> Result<(), End> {
        match kind {
            "candidate" | "candidate2" => self.candidate(kind, data).await,
            "ping" => send(socket, "pong", None).await?, // rule 12
            "answer" => {
                let taken = self.peer.take_answer(data).await;
                taken.map_err(log_as(REFUSED))?;
            }
            "offer" => {
                has_one_ufrag(data).map_err(|_| "new offer refused")?;
                let taken = self.peer.take_offer(data).await;
                taken.map_err(log_as(REFUSED))?;
                let answer = self
                    .peer
                    .pc
                    .create_answer(None)
                    .await
                    .map_err(log_as("no answer"))?;
                self.peer
                    .pc
                    .set_local_description(answer)
                    .await
                    .map_err(log_as("no answer"))?;
                let local = self.peer.pc.local_description().await.ok_or("no answer")?;
                send(socket, "answer", Some(&answer_in_kind(data, &local.sdp))).await?;
            }
            _ => tracing::debug!(kind, "spider: ignored"), // rule 3
        }
        Ok(())
    }

    /// Takes a candidate in any of the shapes that clients send (rule 7).
    async fn candidate(&self, kind: &str, data: &str) {
        let init = match kind {
            "candidate" => Some(data.to_owned()),
            _ => serde_json::from_str::<Value>(data)
                .ok()
                .and_then(|value| value.get("candidate")?.as_str().map(str::to_owned)),
        };
        let Some(text) = init.filter(|text| !text.is_empty()) else {
            return; // an empty candidate only says that there are no more
        };
        let candidate = if text.starts_with("candidate:") {
            text
        } else {
            format!("candidate:{text}")
        };
        let init = RTCIceCandidateInit {
            candidate,
            sdp_mline_index: Some(0),
            ..Default::default()
        };
        if let Err(err) = self.peer.take_candidate(init).await {
            tracing::debug!(%err, "spider: candidate ignored");
        }
    }

    async fn happen(&mut self, socket: &mut WebSocket, event: PeerEvent) -> Result<(), End> {
        match event {
            PeerEvent::State(RTCPeerConnectionState::Connected) => self.connected(socket).await?,
            // Who gives no answer has no path that could fail, and says nothing for as long as he is asked.
            PeerEvent::State(RTCPeerConnectionState::Failed)
                if self.options.faults.has(Fault::NoAnswer) => {}
            PeerEvent::State(RTCPeerConnectionState::Failed) => return Err("connection failed"),
            PeerEvent::State(RTCPeerConnectionState::Closed) => return Err("connection closed"),
            PeerEvent::Channel(channel) => {
                let ours_only = self.options.faults.has(Fault::OnlyServerChannels);
                self.channels += 1;
                let Ok(label) = channel.label().await else {
                    return Ok(());
                };
                if self.channels > MAX_CHANNELS || label.len() > MAX_LABEL {
                    return Err("too many data channels, or a label that is too long");
                }
                if !(ours_only && self.request.role == Role::Subscriber) {
                    self.taken(label, channel).await;
                }
            }
            PeerEvent::Track(track) if self.request.role == Role::Publisher => {
                self.receive(track).await;
            }
            // A viewer that sends video: nobody asked.
            PeerEvent::Track(_)
            | PeerEvent::State(_)
            | PeerEvent::Candidate(_)
            | PeerEvent::GatheringComplete => {}
        }
        Ok(())
    }

    async fn connected(&mut self, socket: &mut WebSocket) -> Result<(), End> {
        self.has_come = true;
        if self.request.role == Role::Subscriber {
            self.pass_on_key_frame_requests();
        }
        if self.options.faults.has(Fault::ServerOffer) {
            let offer = self
                .peer
                .pc
                .create_offer(None)
                .await
                .map_err(log_as("no offer"))?;
            self.peer
                .pc
                .set_local_description(offer)
                .await
                .map_err(log_as("no offer"))?;
            let local = self.peer.pc.local_description().await.ok_or("no offer")?;
            send(socket, "offer", Some(&local.sdp)).await?;
        }
        Ok(())
    }

    async fn stop(&mut self) {
        self.member = None; // off the channel first: nobody finds a dying peer
        self.tasks.abort_all();
        self.peer.close().await;
        if let Some(uplink) = &self.uplink
            && uplink.late() > 0
        {
            tracing::info!(
                commands = uplink.late(),
                "spider: drive commands were dropped because those before them had not left"
            );
        }
        if let Some(downlink) = &self.downlink
            && downlink.oversteps() > 0
        {
            tracing::info!(
                messages = downlink.oversteps(),
                "spider: a viewer's messages were dropped because his key is not for them"
            );
        }
        if let Some(downlink) = &self.downlink
            && downlink.dropped() > 0
        {
            tracing::warn!(
                packets = downlink.dropped(),
                "spider: a viewer was too slow"
            );
        }
    }
}

/// Logs an error of the stack and turns it into the reason for leaving.
fn log_as(end: End) -> impl Fn(webrtc::error::Error) -> End {
    move |err| {
        tracing::warn!(%err, "spider: {end}");
        end
    }
}

/// Whether faults name something that only a test wants; said once at the start.
pub(super) fn warn_of(faults: &Faults) {
    if !faults.names().is_empty() {
        tracing::warn!(faults = ?faults.names(), "spider: misbehaving on purpose");
    }
}
